// Both implementations through the one conformance suite.

import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { SeededRandom } from '../base/index.ts';
import { checkDisk } from './disk-conformance.ts';
import { openRealDisk } from './real-disk.ts';
import { SimDisk } from './sim-disk.ts';

for (const direct of ['auto', 'never'] as const) {
  checkDisk(`real disk, direct ${direct}`, async (options) => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'stele-disk-'));
    const disk = await openRealDisk({ folder, label: 'test', direct, ...options });
    return { disk, done: () => fs.rm(folder, { recursive: true }) };
  });
}

for (const turnsMax of [1, 4]) {
  checkDisk(`simulated disk, calls taking up to ${turnsMax} turns`, async (options) => {
    const disk = new SimDisk({ random: new SeededRandom(7), turnsMax, ...options });
    return { disk, done: () => Promise.resolve() };
  });
}
