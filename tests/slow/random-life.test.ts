// Many random lives, and what they leave on their disks read by the Python reader, which shares no line with us.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { RandomLife } from '../sim/random-life.ts';

const hasPython = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0;
const reader = path.join(import.meta.dirname, '..', '..', 'tools', 'stele_read.py');

test('sixty lives keep every promise', async () => {
  for (let seed = 1000; seed < 1060; seed += 1) await new RandomLife(seed).live(150);
});

test('the Python reader finds every pack of a life whole', {
  skip: hasPython ? false : 'python3 is not here',
}, async () => {
  for (let seed = 2000; seed < 2008; seed += 1) {
    const life = new RandomLife(seed);
    await life.live(100);
    const folder = mkdtempSync(path.join(tmpdir(), 'stele-life-'));
    try {
      for (const [number, disk] of life.machine.disks.entries()) {
        for (const file of disk.paths()) {
          const target = path.join(folder, String(number), file);
          mkdirSync(path.dirname(target), { recursive: true });
          writeFileSync(target, disk.mediaBytes(file));
        }
      }
      const folders = life.machine.disks.map((_, number) => path.join(folder, String(number)));
      const run = spawnSync('python3', [reader, 'verify', ...folders], { encoding: 'utf8' });
      assert.equal(run.status, 0, `seed ${seed}: ${run.stdout}${run.stderr}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
});
