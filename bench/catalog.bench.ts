// How fast the catalog takes objects in, and how fast a large one opens.
//
//   node bench/catalog.bench.ts [--rows 1000000] [--batch 512] [--folder DIR] [--keep] [--json FILE]
//
// Objects are synthetic: names in the order of a day's work, a group for every 100 objects (series) and, apart, a
// group with a family for every object (documents; two changes an object). Entry ids begin with the time, or are random: then every
// put dirties a page of the index over them. Rates are of one core, projection and packs left out; on
// SQLite with the log carried over as it grows, on PostgreSQL (where there is one) over a local socket without sync.

import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random, WriterId } from '../src/base/index.ts';
import { concatBytes, hexOf, SeededRandom, tenantId, utf8Bytes, writerId } from '../src/base/index.ts';
import type { CatalogChange } from '../src/catalog/index.ts';
import { Catalog, catalogMigrations } from '../src/catalog/index.ts';
import type { Sql } from '../src/sql/index.ts';
import { migrate, openPostgres, openSqlite } from '../src/sql/index.ts';
import { startPostgres } from '../tests/support/postgres.ts';
import { type BenchRow, option, report } from './support/report.ts';

const argv = process.argv.slice(2);
const quick = argv.includes('--quick');
const rowCount = option('rows', quick ? 200_000 : 1_000_000);
const batchSize = option('batch', 512);
const smallCount = Math.min(rowCount, quick ? 50_000 : 200_000);
const openedMsMax = 2000;
const microsecondsMax = 10;

const folderAt = argv.indexOf('--folder');
const kept = argv.includes('--keep');
const folder = folderAt < 0 ? mkdtempSync(join(tmpdir(), 'stele-catalog-')) : (argv[folderAt + 1] as string);
mkdirSync(folder, { recursive: true });

const tenant = tenantId(1);
const writer: WriterId = writerId('5a'.repeat(16));
const baseTime = BigInt(Date.UTC(2026, 0, 1)) << 16n;

const zero = Uint8Array.of(0);

type Shape = { readonly objectsPerGroup: number; readonly families: boolean; readonly ids: 'timed' | 'random' };
const series: Shape = { objectsPerGroup: 100, families: false, ids: 'timed' };
const documents: Shape = { objectsPerGroup: 1, families: true, ids: 'timed' };

const nameOf = (index: number): string =>
  `2026/${String(Math.floor(index / 1000)).padStart(6, '0')}/image-${String(index % 1000).padStart(4, '0')}.dcm`;

function entryId(random: Random, shape: Shape, ms: number): string {
  if (shape.ids === 'random') return hexOf(random.bytes(16));
  return ms.toString(16).padStart(12, '0') + hexOf(random.bytes(10));
}

/** Batches as the archive's projection gives them. */
function* batches(random: Random, count: number, shape: Shape): Generator<CatalogChange[]> {
  let group = { tenant, year: 2026, group: 0n };
  for (let index = 0; index < count; ) {
    const batch: CatalogChange[] = [];
    for (; batch.length < batchSize && index < count; index += 1) {
      const key = utf8Bytes(nameOf(index));
      const createdMs = Number(baseTime >> 16n) + index;
      if (index % shape.objectsPerGroup === 0) {
        group = { tenant, year: 2026, group: BigInt(`0x${hexOf(random.bytes(8))}`) };
        if (shape.families)
          batch.push({ kind: 'group', group, family: concatBytes([utf8Bytes('archive'), zero, key]) });
      }
      const sequence = BigInt(3 * index + 3);
      batch.push({
        kind: 'object',
        version: { time: baseTime + BigInt(index), record: { writer, sequence } },
        id: entryId(random, shape, createdMs),
        group,
        bucket: 'archive',
        key,
        state: 'live',
        createdMs,
        sizeBytes: 524_288,
        digest: random.bytes(32),
        ref: { writer, sequence: sequence - 1n },
      });
    }
    yield batch;
  }
}

type Cost = { readonly wallUs: number; readonly processorUs: number };

/** What an object costs, applying alone; making the changes is left out. */
async function applyAll(catalog: Catalog, count: number, shape: Shape, seed: number): Promise<Cost> {
  let elapsedMs = 0;
  let processorUs = 0;
  let done = 0;
  let told = performance.now();
  for (const batch of batches(new SeededRandom(seed), count, shape)) {
    const before = process.cpuUsage();
    const begun = performance.now();
    await catalog.applyBatch(batch, [{ writer, sequence: BigInt(3 * done) }]);
    elapsedMs += performance.now() - begun;
    const { user, system } = process.cpuUsage(before);
    processorUs += user + system;
    done += batch.length;
    if (performance.now() - told > 20_000) {
      told = performance.now();
      console.log(`  ${done} changes, ${((1000 * elapsedMs) / done).toFixed(1)} us each`);
    }
  }
  return { wallUs: (1000 * elapsedMs) / count, processorUs: processorUs / count };
}

async function prepared(sql: Sql): Promise<Catalog> {
  await migrate(sql, catalogMigrations);
  return new Catalog(sql);
}

function row(name: string, figure: number, unit: string, more: Partial<BenchRow> = {}): BenchRow {
  return { bench: 'catalog', case: name, figure, unit, better: 'less', ...more };
}

/** Two rows: the wall's time, which neighbours on the machine lengthen, and the processor's, which is what is asked about. */
function costRows(name: string, cost: Cost, more: Partial<BenchRow> = {}): BenchRow[] {
  return [row(name, cost.wallUs, 'us'), row(`${name}, processor`, cost.processorUs, 'us', more)];
}

async function benchSqlite(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const small: [string, Shape][] = [
    ['an object, random ids', { ...series, ids: 'random' }],
    ['a document and its group', documents],
    ['a document and its group, random ids', { ...documents, ids: 'random' }],
  ];
  for (const [name, shape] of small) {
    const path = join(folder, 'small.db');
    const sql = await openSqlite({ path });
    const cost = await applyAll(await prepared(sql), smallCount, shape, 1);
    await sql.close();
    rows.push(...costRows(`SQLite, ${name} (${smallCount})`, cost));
    rmSync(path);
  }

  const path = join(folder, `objects-${rowCount}.db`);
  if (!existsSync(path)) {
    const sql = await openSqlite({ path });
    const perObject = await applyAll(await prepared(sql), rowCount, series, 2);
    const begun = performance.now();
    await sql.checkpoint();
    rows.push(row('SQLite, the checkpoint after', performance.now() - begun, 'ms'));
    await sql.close();
    rows.push(...costRows(`SQLite, an object (${rowCount})`, perObject, { asked: microsecondsMax }));
    rows.push(row('SQLite, a row with its indexes', statSync(path).size / rowCount, 'B'));
  }
  rows.push(...(await benchOpening(path)));
  return rows;
}

/** Opening, and the first questions a start and a first reader ask. */
async function benchOpening(path: string): Promise<BenchRow[]> {
  const begun = performance.now();
  const sql = await openSqlite({ path });
  const catalog = await prepared(sql);
  await catalog.appliedAfter(0, 500);
  await catalog.objects.totals();
  const key = utf8Bytes(nameOf(7042));
  const found = await catalog.objects.live({ tenant, bucket: 'archive', key });
  await catalog.listing.list({
    tenant,
    bucket: 'archive',
    delimiter: utf8Bytes('/'),
    prefix: utf8Bytes('2026/'),
    limit: 100,
  });
  const openedMs = performance.now() - begun;
  if (found === undefined) throw new Error('the object asked for is there');

  const listed = performance.now();
  await catalog.listing.list({ tenant, bucket: 'archive', limit: 1000 });
  const listedMs = performance.now() - listed;
  const random = new SeededRandom(3);
  const count = 2000;
  const looked = performance.now();
  for (let turn = 0; turn < count; turn += 1) {
    const index = random.below(rowCount);
    await catalog.objects.live({ tenant, bucket: 'archive', key: utf8Bytes(nameOf(index)) });
  }
  const lookedUs = (1000 * (performance.now() - looked)) / count;
  await sql.close();
  return [
    row(`SQLite, opening ${rowCount} objects, first answers`, openedMs, 'ms', { asked: openedMsMax }),
    row('SQLite, a page of 1000 names', listedMs, 'ms'),
    row('SQLite, an object by its name', lookedUs, 'us'),
  ];
}

async function benchPostgres(): Promise<BenchRow[]> {
  const server = await startPostgres();
  if ('skip' in server) {
    console.log(`PostgreSQL left out: ${server.skip}`);
    return [];
  }
  const schema = `stele_bench_${process.pid}`;
  const sql = await openPostgres({ url: server.url, schema });
  try {
    const catalog = await prepared(sql);
    const perObject = await applyAll(catalog, smallCount, series, 4);
    const perDocument = await applyAll(catalog, smallCount / 4, documents, 5);
    return [
      ...costRows(`PostgreSQL, an object (${smallCount})`, perObject),
      ...costRows(`PostgreSQL, a document and its group (${smallCount / 4})`, perDocument),
    ];
  } finally {
    await sql.run(`DROP SCHEMA ${schema} CASCADE`);
    await sql.close();
    await server.stop();
  }
}

try {
  report([...(await benchSqlite()), ...(await benchPostgres())]);
} finally {
  if (!kept) rmSync(folder, { recursive: true, force: true });
}
