// Durable append and checked reads of the vault, against what the disk itself does in the same minutes.
//
//   node bench/append.bench.ts [--folder DIR] [--mb 1024] [--rounds 3] [--json FILE]
//
// The disk's own rate: writes of 8 MB each followed by fdatasync, and plain reads of 512 KB, of a file in the same folder. Rounds of ours and of
// the disk's take turns, and ratios are of medians, since disks change their mind from minute to minute.

import { closeSync, fdatasyncSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type RecordId, systemClock, systemRandom } from '../src/base/index.ts';
import { CodecPool, releaseBytes } from '../src/codec/index.ts';
import { openRealDisk } from '../src/disk/index.ts';
import { recordKind } from '../src/format/index.ts';
import { openRig, rigGroup } from '../tests/support/vault-rig.ts';
import { type BenchRow, median, option, report } from './support/report.ts';

const argv = process.argv.slice(2);
const folderAt = argv.indexOf('--folder');
const folder = mkdtempSync(join(resolve(folderAt < 0 ? '.' : (argv[folderAt + 1] as string)), '.bench-append-'));
const totalBytes = option('mb', 1024) * 1024 * 1024;
const rounds = option('rounds', 3);
const recordBytes = 512 * 1024;
const writersLarge = 16;
const writersSmall = 64;
const smallBytes = 4096;
const smallCount = 60_000;

function seconds(since: number): number {
  return (performance.now() - since) / 1000;
}

function diskWriteRate(): number {
  const piece = Buffer.from(systemRandom.bytes(8 * 1024 * 1024));
  const path = join(folder, 'plain');
  const fd = openSync(path, 'w');
  const begun = performance.now();
  for (let done = 0; done < totalBytes; done += piece.byteLength) {
    writeSync(fd, piece);
    fdatasyncSync(fd);
  }
  const rate = totalBytes / 1e6 / seconds(begun);
  closeSync(fd);
  return rate;
}

/** Empties the page cache where we may; says whether. */
function dropCaches(): boolean {
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false;
  }
}

function diskReadRate(): number {
  const fd = openSync(join(folder, 'plain'), 'r');
  const into = Buffer.allocUnsafe(recordBytes);
  const begun = performance.now();
  for (let done = 0; done < totalBytes; done += recordBytes) readSync(fd, into, 0, recordBytes, done);
  const rate = totalBytes / 1e6 / seconds(begun);
  closeSync(fd);
  return rate;
}

async function inParallel(count: number, workers: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let index = next++; index < count; index = next++) await work(index);
    }),
  );
}

const pool = new CodecPool();
const disk = await openRealDisk({ label: 'bench', folder });
const { vault } = await openRig({ disks: [disk], clock: systemClock, random: systemRandom, pool });
/**
 * Noise that lies where content writers gather bytes from a socket. It is the same bytes again and again, as it is for the plain writes: to fill
 * memory with new ones is neither's work.
 */
const sources = Array.from({ length: writersLarge / 2 }, () => {
  const noise = systemRandom.bytes(recordBytes);
  const slot = pool.memory?.takeSlot();
  slot?.set(noise);
  return slot?.subarray(0, recordBytes) ?? noise;
});

async function appendLarge(): Promise<{ rate: number; ids: RecordId[] }> {
  const count = Math.floor(totalBytes / recordBytes);
  const ids: RecordId[] = [];
  const begun = performance.now();
  await inParallel(count, writersLarge, async (index) => {
    const plain = sources[index % sources.length] as Uint8Array;
    await vault.stream('ingest').append(plain.byteLength, (nextId) => {
      const id = nextId();
      ids[index] = id;
      return [{ id, kind: recordKind.chunk, group: rigGroup, plain, hint: { kind: 'bytes', effort: 'fast' } }];
    });
  });
  return { rate: totalBytes / 1e6 / seconds(begun), ids };
}

async function appendSmall(): Promise<number> {
  const begun = performance.now();
  await inParallel(smallCount, writersSmall, async (index) => {
    const plain = (sources[index % sources.length] as Uint8Array).slice(0, smallBytes);
    await vault
      .stream('ingest')
      .append(plain.byteLength, (nextId) => [
        { id: nextId(), kind: recordKind.chunk, group: rigGroup, plain, hint: { kind: 'bytes', effort: 'fast' } },
      ]);
  });
  return smallCount / seconds(begun);
}

async function readBack(ids: readonly RecordId[], workers: number): Promise<number> {
  const begun = performance.now();
  await inParallel(ids.length, workers, async (index) => {
    // As the get command does with what it has written out: the plain reads use one buffer all the time.
    releaseBytes((await vault.open(ids[index] as RecordId)).plain);
  });
  return (ids.length * recordBytes) / 1e6 / seconds(begun);
}

const figures = {
  disk: [] as number[],
  large: [] as number[],
  small: [] as number[],
  read: [] as number[],
  plain: [] as number[],
};
let cold = false;
for (let round = 0; round < rounds; round += 1) {
  figures.disk.push(diskWriteRate());
  const { rate, ids } = await appendLarge();
  figures.large.push(rate);
  figures.disk.push(diskWriteRate());
  figures.small.push(await appendSmall());
  cold = dropCaches();
  figures.plain.push(diskReadRate());
  dropCaches();
  figures.read.push(await readBack(ids, 8));
  await vault.sealOpen('all');
}
await vault.close();
await pool.close();
rmSync(folder, { recursive: true, force: true });

const note = cold ? 'page cache emptied before each' : 'page cache warm: not root';
const rows: BenchRow[] = [
  {
    bench: 'append',
    case: '512 KB records, encrypted, durable, 16 writers',
    figure: median(figures.large),
    unit: 'MB/s',
    peer: 'disk, 8 MB + fdatasync',
    peerFigure: median(figures.disk),
    asked: 0.85,
    askedOf: 'ratio',
  },
  {
    bench: 'append',
    case: '4 KB records, encrypted, durable, 64 writers',
    figure: median(figures.small),
    unit: 'acks/s',
    asked: 20_000,
  },
  {
    bench: 'read',
    case: '512 KB records, checked and decrypted',
    figure: median(figures.read),
    unit: 'MB/s',
    peer: 'plain file read',
    peerFigure: median(figures.plain),
    asked: 0.7,
    askedOf: 'ratio',
    note,
  },
];
report(rows, argv);
