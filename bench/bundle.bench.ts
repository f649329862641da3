// What a settled instance costs that stays on fast disks for ever, and how fast a settled series is browsed.
//
//   node bench/bundle.bench.ts [--instances 1000000] [--slices 2000] [--quick] [--json FILE]
//
// Counted: everything that a database has more with the instances than without them, headers and thumbnails left out: the catalog's packed bundle, its
// row, the hashes of UIDs with their tree; and the bundles' records as footers repeat them, head, cipher and index row included, once (a mirror has all of it
// again). What footers say of the records of content (an index row each: header, frames, list) is measured on a real archive and told apart: it is there
// because of the bytes, wherever they lie. UIDs are those of three kinds of devices; sizes, times and digests are as arrival makes them.

import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { project, readBundle } from '../src/archive/index.ts';
import {
  type HybridTime,
  hexOf,
  type KeyGroup,
  type RecordId,
  SeededRandom,
  systemClock,
  systemRandom,
  tenantId,
  utf8Bytes,
  type WriterId,
  writerId,
} from '../src/base/index.ts';
import { Catalog, catalogMigrations } from '../src/catalog/index.ts';
import { openDicomWeb } from '../src/doors/dicomweb/index.ts';
import { type Bundle, type BundleMember, encodeBundle } from '../src/format/index.ts';
import { migrate, openSqlite } from '../src/sql/index.ts';
import { explicitLittleEndian, makeInstance } from '../tests/support/made-instance.ts';
import { benchFolder, openArchive } from './support/archive-rig.ts';
import { type BenchRow, median, option, report } from './support/report.ts';

const quick = process.argv.includes('--quick');
const instanceCount = option('instances', quick ? 100_000 : 1_000_000);
const slices = option('slices', quick ? 500 : 2000);
const bench = 'bundles';
const bytesMax = 150;
/** Orthanc 1.10's answer for 2,000 instances on the machine where the goal was set. */
const orthancMs = 295;

const tenant = tenantId(1);
const ingest: WriterId = writerId('1a'.repeat(16));
const archive: WriterId = writerId('2b'.repeat(16));
const random = new SeededRandom(11);
const startMs = Date.UTC(2026, 0, 1);
const recordOf = (writer: WriterId, sequence: number): RecordId => ({ writer, sequence: BigInt(sequence) });
const digits = (count: number): string =>
  Array.from(random.bytes(count), (byte) => String(byte % 10))
    .join('')
    .replace(/^0/, '1');

let [sequence, settled, nowMs] = [1, 1, startMs];

/** A series as settling tells it. */
function bundleOf(number: number, count: number): Bundle {
  const study = `1.2.840.113619.2.55.3.${digits(10)}.${number}`;
  const series = `${study}.${digits(3)}`;
  const kind = number % 3;
  const members = Array.from({ length: count }, (_, index): BundleMember => {
    nowMs += 1 + ((random.bytes(1)[0] as number) % 9);
    const instance =
      kind === 0
        ? `${series}.${index + 1}`
        : kind === 1
          ? `${study}.${digits(9)}.${index}`
          : `${study}.${1000 + 2 * index}.${digits(5)}`;
    const from = recordOf(ingest, sequence + 2);
    const record = recordOf(ingest, sequence + 3);
    sequence += 4;
    const first = recordOf(archive, settled);
    const ref = recordOf(archive, settled + 2);
    settled += 3;
    return {
      entry: {
        type: 'object',
        id: nowMs.toString(16).padStart(12, '0') + hexOf(random.bytes(10)),
        bucket: 'dicom',
        key: utf8Bytes(`${study}/${series}/${instance}`),
        sizeBytes: 526_000 + 2 * ((random.bytes(1)[0] as number) % 5),
        digest: random.bytes(32),
        ref,
        first,
        createdMs: nowMs,
        state: 'live',
        mode: undefined,
        mtimeMs: undefined,
        contentType: 'application/dicom',
        meta: undefined,
        dicom: {
          study,
          series,
          instance,
          class: '1.2.840.10008.5.1.4.1.1.2',
          syntax: explicitLittleEndian,
          number: String(index + 1),
          headBytes: 1700 + 2 * ((random.bytes(1)[0] as number) % 5),
          frames: undefined,
          shape: { rows: 512, columns: 512, samplesPerPixel: 1, bitsAllocated: 16, planar: false },
          rank: 0,
          source: 'CT1',
          about:
            index === 0
              ? {
                  patient: { PatientID: digits(8), PatientName: 'A^B' },
                  study: { StudyDate: '20260101', AccessionNumber: digits(8) },
                  series: { Modality: 'CT', SeriesNumber: '2' },
                }
              : {},
        },
      },
      said: { record, hybrid: (BigInt(nowMs + 3) << 16n) | BigInt((random.bytes(1)[0] as number) % 3) },
      from,
      textBytes: 3000 + ((random.bytes(1)[0] as number) % 12),
    };
  });
  settled += 5;
  const headers = {
    ref: recordOf(archive, settled - 2),
    sizeBytes: members.reduce((sum, each) => sum + each.textBytes, 0),
  };
  return { study, series, generation: 1, supersedes: [], headers, thumbnail: headers, members };
}

const sizes = [1, 30, 120, 300, 600, 1024];

async function catalogBytes(folder: string): Promise<BenchRow[]> {
  const file = join(folder, 'catalog.db');
  const sql = await openSqlite({ path: file });
  await migrate(sql, catalogMigrations);
  const catalog = new Catalog(sql, readBundle);
  const apart = await openSqlite({ path: join(folder, 'series.db') });
  await migrate(apart, catalogMigrations);
  const without = new Catalog(apart, readBundle);
  let [count, records, plainBytes] = [0, 0, 0];
  const startedUs = process.cpuUsage();
  for (let number = 0; count < instanceCount; number += 1) {
    const bundle = bundleOf(number, sizes[number % sizes.length] as number);
    const plain = encodeBundle(bundle) as Uint8Array;
    const group: KeyGroup = { tenant, year: 2026, group: BigInt(number + 1) };
    settled += 1;
    const hybrid = (BigInt(nowMs + 60_000) << 16n) as HybridTime;
    const changes = project({ id: recordOf(archive, settled), group, hybrid, plain });
    await catalog.applyBatch(changes, []);
    // The same studies and series, without their instances.
    await without.applyBatch(
      changes.filter((change) => change.kind !== 'bundle'),
      [],
    );
    const packed = zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: 12 } }).byteLength;
    // Head, nonce, tag, padding to 16, and a row of the index as it packs.
    records += Math.ceil((128 + 16 + packed + 16) / 16) * 16 + 48;
    plainBytes += plain.byteLength;
    count += bundle.members.length;
  }
  const usedUs = process.cpuUsage(startedUs);
  await sql.checkpoint();
  await apart.checkpoint();
  await sql.close();
  await apart.close();
  const database = (statSync(file).size - statSync(join(folder, 'series.db')).size) / count;
  const manifest = records / count;
  console.log(
    `${count} instances in ${(count / instanceCount) * 100} %, ${(plainBytes / count).toFixed(1)} plain bytes each`,
  );
  return [
    { bench, case: `catalog, of ${count} settled instances`, figure: database, unit: 'bytes each' },
    { bench, case: 'bundles in footers', figure: manifest, unit: 'bytes each' },
    {
      bench,
      case: 'catalog and always-hot manifest',
      figure: database + manifest,
      unit: 'bytes each',
      asked: bytesMax,
      better: 'less',
    },
    {
      bench,
      case: 'taken into an empty catalog, twice, making them included',
      figure: (usedUs.user + usedUs.system) / count,
      unit: 'us each',
      better: 'less',
    },
  ];
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function footerBytes(folder: string): number {
  let bytes = 0;
  for (const each of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (each.isFile() && each.name.endsWith('.foot')) bytes += statSync(join(each.parentPath, each.name)).size;
  return bytes;
}

type Answered = { readonly firstMs: number; readonly ms: number; readonly sizeBytes: number };

function timed(port: number, path: string, authorization: string): Promise<Answered> {
  const begunMs = performance.now();
  return new Promise((resolve, reject) => {
    const headers = { authorization, accept: 'application/dicom+json' };
    get({ host: '127.0.0.1', port, path, headers }, (response) => {
      let [firstMs, sizeBytes] = [0, 0];
      response.on('data', (piece: Buffer) => {
        if (sizeBytes === 0) firstMs = performance.now() - begunMs;
        sizeBytes += piece.byteLength;
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve({ firstMs, ms: performance.now() - begunMs, sizeBytes });
        else reject(new Error(`status ${response.statusCode}`));
      });
    }).on('error', reject);
  });
}

/** Two real series, stored and settled: an archive that was just opened is asked for one, so that its code and workers are warm, and then for the other. */
async function browsing(folder: string): Promise<BenchRow[]> {
  const study = '1.2.826.0.1.3680043.99.21';
  const seriesOf = (which: number): string => `${study}.${which}`;
  let running = await openArchive(folder, { settleSeconds: 0 });
  const password = 'a long bench password';
  await running.archive.accounts.setUser({ name: 'admin', password, role: 'admin', fresh: true });
  for (let each = 0; each < 2 * slices; each += 1) {
    const number = (each >> 1) + 1;
    const more = Array.from({ length: 60 }, (_, at) => [0x0019_1001 + at, 'LO', `value ${at} of ${number}`] as const);
    const bytes = makeInstance({
      study,
      series: seriesOf(each % 2),
      number,
      rows: 64,
      columns: 64,
      pixels: random.bytes(64 * 64 * 2),
      more: [[0x0019_0010, 'LO', 'MAKER'], ...more],
    });
    await running.archive.instances.store({ tenant, syntax: explicitLittleEndian }, once(bytes));
  }
  await running.archive.sealOpen('all');
  const { signal } = new AbortController();
  for await (const _ of running.archive.settle(async () => undefined, { all: true, signal }));
  const rows: BenchRow[] = [];
  const footers = footerBytes(folder);
  rows.push({
    bench,
    case: `footers of a real archive, of ${2 * slices} instances`,
    figure: footers / (2 * slices),
    unit: 'bytes each',
    note: 'bundle, and an index row for each record of content',
  });
  const authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
  const colds: Answered[] = [];
  const firsts: Answered[] = [];
  for (let round = 0; round < 5; round += 1) {
    // Nothing is kept of the round before but what the system keeps of files.
    await running.close();
    running = await openArchive(folder, { settleSeconds: 3600 });
    const { archive: opened } = running;
    const door = openDicomWeb({
      archive: () => opened,
      prefix: '/dicom-web',
      clock: systemClock,
      random: systemRandom,
      onFault: (_, error) => {
        throw error;
      },
    });
    const server = createServer(door.answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const path = (which: number): string => `/dicom-web/studies/${study}/series/${seriesOf(which)}/metadata`;
    colds.push(await timed(port, path(0), authorization));
    firsts.push(await timed(port, path(1), authorization));
    server.closeAllConnections();
    server.close();
    await door.close();
  }
  await running.close();
  const ms = median(firsts.map((each) => each.ms));
  rows.push(
    {
      bench,
      case: `/metadata of ${slices} settled instances, for the first time`,
      figure: ms,
      unit: 'ms',
      better: 'less',
      asked: (orthancMs / 10) * (slices / 2000),
      note: `${((firsts[0]?.sizeBytes ?? 0) / 2 ** 20).toFixed(1)} MiB; Orthanc 295 ms`,
    },
    {
      bench,
      case: 'its first byte',
      figure: median(firsts.map((each) => each.firstMs)),
      unit: 'ms',
      better: 'less',
      asked: 50,
    },
    {
      bench,
      case: 'the first answer of all after a start, workers and password included',
      figure: median(colds.map((each) => each.ms)),
      unit: 'ms',
      better: 'less',
    },
  );
  return rows;
}

const folder = benchFolder('bundle');
try {
  mkdirSync(join(folder, 'data'), { recursive: true });
  const rows = await browsing(join(folder, 'data'));
  rows.unshift(...(await catalogBytes(folder)));
  report(rows);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
