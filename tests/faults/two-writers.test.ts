// Two writers and one disk: the second is refused as long as the first lives, also when the first is stopped in the middle and wakes up later.
//
// Adopting the tail of a writer that still lives would let both write to one pack; on one machine the disk's lock, which the kernel holds until the
// process is dead, keeps it from happening. A stopped process is not dead.

import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { test } from 'node:test';
import { openRealDisk } from '../../src/disk/index.ts';
import { SimArchive } from '../sim/sim-archive.ts';
import { SimDatabase } from '../sim/sim-database.ts';

type Writer = { child: ChildProcessWithoutNullStreams; line: () => Promise<string>; gone: Promise<void> };

function startWriter(folder: string): Writer {
  const file = join(import.meta.dirname, 'lock-child.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, folder]);
  const lines: Interface = createInterface({ input: child.stdout });
  const iterator = lines[Symbol.asyncIterator]();
  const gone = new Promise<void>((resolve) => child.on('close', () => resolve()));
  return { child, gone, line: async () => ((await iterator.next()) as { value?: string }).value ?? '(ended)' };
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-two-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('a second process is refused while the first holds the disk, and let in when the first was killed', async () => {
  await inFolder(async (folder) => {
    const first = startWriter(folder);
    assert.equal(await first.line(), 'holding');
    const second = startWriter(folder);
    assert.equal(await second.line(), 'refused DATA_LOCKED');
    await second.gone;
    first.child.kill('SIGKILL');
    await first.gone;
    const third = startWriter(folder);
    assert.equal(await third.line(), 'holding');
    third.child.kill('SIGKILL');
    await third.gone;
  });
});

test('a writer that was stopped still holds its disk; when it wakes, what it acknowledges is kept', async () => {
  await inFolder(async (folder) => {
    const writer = startWriter(folder);
    assert.equal(await writer.line(), 'holding');
    writer.child.stdin.write('before\n');
    assert.equal(await writer.line(), 'acknowledged before');
    writer.child.kill('SIGSTOP');
    const disk = await openRealDisk({ folder, direct: 'never' });
    await assert.rejects(disk.lock(), { code: 'DATA_LOCKED' });
    writer.child.kill('SIGCONT');
    writer.child.stdin.write('after\n');
    assert.equal(await writer.line(), 'acknowledged after');
    writer.child.kill('SIGKILL');
    await writer.gone;
    const lock = await disk.lock();
    const database = await SimDatabase.at(join(folder, 'second.sqlite'));
    const archive = await SimArchive.open({ disks: [disk], database, seed: 6, everything: true });
    assert.deepEqual([...(await archive.known()).keys()].sort(), ['after', 'before']);
    for (const stored of (await archive.known()).values()) await archive.load(stored);
    await archive.vault.close();
    await database.close();
    await lock.release();
  });
});
