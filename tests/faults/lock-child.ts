// The child of two-writers.test.ts: takes the lock of a folder, writes and says what it acknowledged, one content for every line it is given.
//
//   node tests/faults/lock-child.ts FOLDER

import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isArchiveError, utf8Bytes } from '../../src/base/index.ts';
import { openRealDisk } from '../../src/disk/index.ts';
import { SimArchive } from '../sim/sim-archive.ts';
import { SimDatabase } from '../sim/sim-database.ts';

const [folder = ''] = process.argv.slice(2);
const disk = await openRealDisk({ folder, direct: 'never' });
try {
  await disk.lock();
} catch (error) {
  console.log(`refused ${isArchiveError(error) ? error.code : String(error)}`);
  process.exit(0);
}
const database = await SimDatabase.at(join(folder, 'child.sqlite'));
const archive = await SimArchive.open({ disks: [disk], database, seed: 5 });
console.log('holding');
for await (const name of createInterface({ input: process.stdin })) {
  await archive.store(name, [utf8Bytes(`content of ${name}`)]);
  console.log(`acknowledged ${name}`);
}
