// A real process on a real folder, killed with SIGKILL at every named phase of its work: what it said was stored is there at the next start.
//
// A phase that is not reached fails its test: the marker has disappeared, and with it the proof.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SeededRandom } from '../../src/base/index.ts';
import { openRealDisk } from '../../src/disk/index.ts';
import { SimArchive } from '../sim/sim-archive.ts';
import { SimDatabase } from '../sim/sim-database.ts';
import { acts, type Phase } from '../support/phase-disk.ts';

const seed = 7;
const sizes: Record<string, number[]> = {
  first: [900],
  second: [5000, 70_000],
  third: [10],
  fourth: [20],
  fifth: [300, 300],
  sixth: [40],
};

function runChild(folder: string, phase: string): Promise<{ output: string; signal: string | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        join(import.meta.dirname, 'kill-child.ts'),
        folder,
        phase,
        String(seed),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    const take = (data: Buffer): void => {
      output += data.toString();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', reject);
    child.on('close', (_, signal) => resolve({ output, signal }));
  });
}

async function checkAfterKill(folder: string, output: string): Promise<void> {
  const disk = await openRealDisk({ folder, direct: 'never' });
  const lock = await disk.lock();
  const database = await SimDatabase.at(join(folder, 'database.sqlite'));
  const archive = await SimArchive.open({ disks: [disk], database, seed: seed + 1 });
  assert.deepEqual([archive.report?.losses, archive.report?.unreadable], [[], []]);
  const known = await archive.known();
  const random = new SeededRandom(seed);
  for (const [name, parts] of Object.entries(sizes)) {
    const bytes = Buffer.concat(parts.map((size) => random.bytes(size)));
    const stored = known.get(name);
    if (output.includes(`acknowledged ${name}\n`)) assert.ok(stored !== undefined, `${name} was acknowledged`);
    if (stored !== undefined) assert.ok(bytes.equals(await archive.load(stored)), `${name} is whole`);
  }
  await archive.vault.close({ seal: true });
  await database.close();
  await lock.release();
}

async function check(phase: Phase): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-kill-'));
  try {
    const { output, signal } = await runChild(folder, phase);
    assert.ok(output.includes(`reached ${phase}\n`), `the phase is passed no more: ${output}`);
    assert.equal(signal, 'SIGKILL');
    await checkAfterKill(folder, output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('a life that nobody kills ends, and everything is there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stele-kill-'));
  const { output } = await runChild(folder, 'never');
  assert.ok(output.endsWith('ended\n'), output);
  await checkAfterKill(folder, output);
  await rm(folder, { recursive: true, force: true });
});

// `npm test` kills after every act; the moments before are for the slow suite.
const when = process.env['STELE_KILL_ALL'] === undefined ? (['after'] as const) : (['after', 'before'] as const);
for (const moment of when) {
  test(`killed ${moment} every act, a vault loses nothing that it acknowledged`, { concurrency: 2 }, async (t) => {
    await Promise.all(acts.map((act) => t.test(`${moment} ${act}`, () => check(`${moment} ${act}`))));
  });
}
