// C-STORE, durable and encrypted, beside Orthanc: the same client, the same files, turn and turn about.
//
//   node bench/dicom.bench.ts [--count 600] [--rounds 3] [--quick] [--folder DIR] [--json FILE]
//
// Needs DCMTK's storescu; Orthanc where it is installed (Debian's: SQLite, one sync a file). Files lie in memory (/dev/shm) where there is such a place, so
// that reading them is nobody's disk. The disk's own rate is taken in the same minute, at the size that an instance takes when it is stored.

import { closeSync, existsSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchFolder } from './support/archive-rig.ts';
import { writeCtFiles } from './support/ct-files.ts';
import { hasProgram, type Peer, startOrthanc, startStele, storescu } from './support/dicom-peers.ts';
import { type BenchRow, median, option, report } from './support/report.ts';

const quick = process.argv.includes('--quick');
const count = option('count', quick ? 120 : 600);
const rounds = option('rounds', quick ? 1 : 3);
const bench = 'C-STORE of 512 KB CT';

if (!hasProgram('storescu')) {
  console.log('storescu of DCMTK is not installed: nothing was measured');
  process.exit(0);
}

const files = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stele-ct-'));
const folder = benchFolder('dicom');
let drawn = 0;

/** New files for each round: an instance that is known already is not stored again. */
function freshFolders(parts: number): string[] {
  return Array.from({ length: parts }, () => {
    drawn += 1;
    const path = join(files, String(drawn));
    writeCtFiles(path, Math.ceil(count / parts), `1.2.826.0.1.3680043.99.5.${process.pid}.${drawn}`);
    return path;
  });
}

async function rate(peer: Peer, parts: number, noDelay = true): Promise<{ perSecond: number; cpuMs: number }> {
  const folders = freshFolders(parts);
  const before = peer.cpuSeconds();
  const seconds = await storescu(peer, folders, noDelay);
  const sent = parts * Math.ceil(count / parts);
  for (const each of folders) rmSync(each, { recursive: true });
  return { perSecond: sent / seconds, cpuMs: (1000 * (peer.cpuSeconds() - before)) / sent };
}

/** Writes of the size, each followed by fdatasync, a second. */
function diskRate(sizeBytes: number): number {
  const path = join(folder, 'disk-rate');
  const file = openSync(path, 'w');
  const bytes = Buffer.alloc(sizeBytes, 7);
  const started = process.hrtime.bigint();
  const writes = 200;
  for (let index = 0; index < writes; index += 1) {
    writeSync(file, bytes);
    fdatasyncSync(file);
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  closeSync(file);
  rmSync(path);
  return writes / seconds;
}

const ours = await startStele(join(folder, 'stele'));
const peer = hasProgram('Orthanc') ? await startOrthanc(join(folder, 'orthanc')) : undefined;
const rows: BenchRow[] = [];
try {
  await rate(ours, 1);
  for (const [associations, asked] of [
    [1, 3],
    [4, 4],
  ] as const) {
    const figures: { ours: number[]; peer: number[]; cpu: number[] } = { ours: [], peer: [], cpu: [] };
    for (let round = 0; round < rounds; round += 1) {
      const mine = await rate(ours, associations);
      figures.ours.push(mine.perSecond);
      figures.cpu.push(mine.cpuMs);
      if (peer !== undefined) figures.peer.push((await rate(peer, associations)).perSecond);
    }
    rows.push({
      bench,
      case: associations === 1 ? 'one association' : `${associations} associations`,
      figure: median(figures.ours),
      unit: 'objects/s',
      ...(peer === undefined ? {} : { peer: 'Orthanc', peerFigure: median(figures.peer) }),
      asked,
      askedOf: 'ratio',
      note: `${median(figures.cpu).toFixed(2)} ms of processor time an object`,
    });
  }
  if (!quick) {
    const nagle = await rate(ours, 1, false);
    rows.push({ bench, case: 'one association, Nagle on', figure: nagle.perSecond, unit: 'objects/s' });
  }
  rows.push({ bench, case: 'the disk: writes of 100 KB, each synced', figure: diskRate(100 * 1024), unit: 'writes/s' });
  rows.push({ bench, case: 'resident memory at most', figure: ours.residentBytes() / 2 ** 20, unit: 'MiB' });
} finally {
  await ours.stop();
  await peer?.stop();
  rmSync(files, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
}
report(rows);
