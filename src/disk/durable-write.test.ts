// A write that is its own sync and fails: nobody can tell what is on the medium, so the file is written no more.

import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { limitFileSize } from '../../tests/support/file-size-limit.ts';
import { SeededRandom, utf8Bytes } from '../base/index.ts';
import type { Disk } from './disk.ts';
import { fails } from './disk-conformance.ts';
import { openRealDisk } from './real-disk.ts';
import { SimDisk } from './sim-disk.ts';

const groupBytes = 128 * 1024;

/** Bytes that lie where groups are put together: shared, and aligned as a write past the page cache wants them. */
function sharedGroup(value: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(groupBytes)).fill(value);
}

async function checkPoisoned(disk: Disk, code: 'DISK_IO', breakDisk: () => void, mend: () => void): Promise<void> {
  const file = await disk.open('a', 'create');
  const other = await disk.open('a', 'write');
  await file.writeDurably(0, [sharedGroup(1)]);
  breakDisk();
  await fails(() => file.writeDurably(groupBytes, [sharedGroup(2)]), code);
  mend();
  for (const each of [file, other]) {
    await fails(() => each.writeDurably(groupBytes, [sharedGroup(3)]), 'DISK_POISONED');
    await fails(() => each.write(0, [utf8Bytes('x')]), 'DISK_POISONED');
    await fails(() => each.sync(), 'DISK_POISONED');
  }
  assert.deepEqual(
    Buffer.from(await file.read(0, groupBytes)),
    Buffer.alloc(groupBytes, 1),
    'what was durable is read',
  );
  await file.close();
  await other.close();
  await fails(() => disk.open('a', 'write'), 'DISK_POISONED');
  const next = await disk.open('b', 'create');
  await next.writeDurably(0, [sharedGroup(4)]);
  await next.close();
}

test('a simulated write that is its own sync and fails poisons the file, whoever has it open', async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const disk = new SimDisk({ random: new SeededRandom(seed) });
    await checkPoisoned(
      disk,
      'DISK_IO',
      () => disk.fail({ step: 1, kind: 'io' }),
      () => undefined,
    );
    const after = disk.reboot({ survive: 'none' });
    assert.deepEqual(
      Buffer.from(after.mediaBytes('a').subarray(0, groupBytes)),
      Buffer.alloc(groupBytes, 1),
      'what was durable stays',
    );
  }
});

test('a durable write that finds no room poisons nothing', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1), capacityBytes: groupBytes + 8192 });
  const file = await disk.open('a', 'create');
  await file.writeDurably(0, [sharedGroup(1)]);
  await fails(() => file.writeDurably(groupBytes, [sharedGroup(2)]), 'DISK_FULL');
  disk.setCapacity(16 * groupBytes);
  await file.writeDurably(groupBytes, [sharedGroup(2)]);
  await file.close();
});

test('the same on a real disk, where the call that writes past the page cache and syncs is refused', async (t) => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'stele-disk-'));
  t.after(async () => {
    limitFileSize(undefined);
    await fs.rm(folder, { recursive: true, force: true });
  });
  if (!limitFileSize(undefined)) return t.skip('needs prlimit');
  const disk = await openRealDisk({ folder, label: 'test' });
  await checkPoisoned(
    disk,
    'DISK_IO',
    () => limitFileSize(groupBytes),
    () => limitFileSize(undefined),
  );
});
