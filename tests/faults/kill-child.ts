// The child of kill.test.ts: a real vault on a real folder that says what it acknowledged, and kills itself with SIGKILL at one phase.
//
//   node tests/faults/kill-child.ts FOLDER PHASE SEED

import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { SeededRandom } from '../../src/base/index.ts';
import { openRealDisk } from '../../src/disk/index.ts';
import { SimArchive } from '../sim/sim-archive.ts';
import { SimDatabase } from '../sim/sim-database.ts';
import { phaseDisk } from '../support/phase-disk.ts';

const [folder = '', phase = '', seed = '1'] = process.argv.slice(2);
const real = await openRealDisk({ folder, direct: 'never' });
await real.lock();
const disk = phaseDisk(real, (reached) => {
  if (reached !== phase) return;
  writeSync(1, `reached ${phase}\n`);
  process.kill(process.pid, 'SIGKILL');
});
const database = await SimDatabase.at(join(folder, 'database.sqlite'));
const archive = await SimArchive.open({ disks: [disk], database, seed: Number(seed) });
const random = new SeededRandom(Number(seed));

async function store(name: string, sizes: readonly number[]): Promise<void> {
  await archive.store(
    name,
    sizes.map((size) => random.bytes(size)),
  );
  // Synchronous: nothing that was said can be lost with the process.
  writeSync(1, `acknowledged ${name}\n`);
}

await store('first', [900]);
await store('second', [5000, 70_000]);
await Promise.all([store('third', [10]), store('fourth', [20])]);
await archive.vault.sealOpen('all');
const [pack] = await archive.packs();
if (pack === undefined) throw new Error('a pack was sealed');
await archive.settle(pack);
await store('fifth', [300, 300]);
// A byte between two records, where there should be a zero: repair makes the copy anew.
await archive.vault.sealOpen('all');
const last = (await archive.packs()).at(-1);
if (last === undefined) throw new Error('a pack was sealed');
const file = await real.open(`packs/${last.slice(0, 2)}/${last}.pack`, 'write');
for await (const row of archive.vault.care.rowsOf(last)) {
  if (row.sizeBytes % 16 !== 0) await file.write(row.offset + row.sizeBytes, [Uint8Array.of(1)]);
}
await file.sync();
await file.close();
await archive.badCopies();
await archive.repair();
await store('sixth', [40]);
await archive.vault.close();
writeSync(1, 'ended\n');
