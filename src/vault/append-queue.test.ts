// The stream of records: what a caller may rely on while packs fill, facts are applied slowly, room is short and the stream closes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRig, type RigOptions, rigGroup } from '../../tests/support/vault-rig.ts';
import { SeededRandom } from '../base/index.ts';
import { SimDisk } from '../disk/index.ts';
import { recordKind } from '../format/index.ts';
import { openFolder } from './paths.ts';
import type { Vault } from './vault.ts';

const random = new SeededRandom(3);
const simDisk = (): SimDisk => new SimDisk({ random: new SeededRandom(1) });
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** One fact and some bytes under it, in one group. */
function store(vault: Vault, sizeBytes: number): Promise<unknown> {
  const writer = vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'raw' }) });
  return writer
    .write(random.bytes(sizeBytes))
    .then(() => writer.finish(() => [{ kind: recordKind.entry, group: rigGroup, plain: new Uint8Array(10) }]));
}

function rig(more: Partial<RigOptions> & { disks: SimDisk[] }): ReturnType<typeof openRig> {
  return openRig(more);
}

test('a pack leaves the open folder only when the facts in it were applied', async () => {
  const disk = simDisk();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { vault } = await rig({ disks: [disk], limits: { packBytesMax: 64 * 1024 }, beforeApply: () => held });
  const first = store(vault, 50_000);
  await turns();
  const second = store(vault, 50_000);
  await turns();
  assert.equal((await disk.list(openFolder)).length, 2, 'the full pack waits, the next one is open');
  release();
  await Promise.all([first, second]);
  await vault.sealOpen('all');
  assert.deepEqual(await disk.list(openFolder), []);
  await vault.close();
});

test('facts that cannot be made give back the room that was asked for', async () => {
  const { vault } = await rig({ disks: [simDisk()], limits: { inFlightBytesMax: 1000 } });
  const queue = vault.stream('ingest');
  for (let turn = 0; turn < 3; turn += 1) {
    await assert.rejects(
      queue.append(900, () => {
        throw new Error('no facts');
      }),
      /no facts/,
    );
  }
  assert.equal(queue.inFlightBytes, 0);
  await store(vault, 900);
  await vault.close();
});

test('who waits for room when the stream closes is refused, and nothing is written for them', async () => {
  const disk = simDisk();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { vault } = await rig({ disks: [disk], limits: { inFlightBytesMax: 1000 }, beforeApply: () => held });
  const accepted = store(vault, 900);
  const waiting = store(vault, 900);
  const refused = assert.rejects(waiting, { code: 'CLOSED' });
  await turns();
  const closing = vault.close();
  release();
  await Promise.all([accepted, refused, closing]);
  const steps = disk.steps();
  await turns();
  assert.equal(disk.steps(), steps, 'a closed vault leaves the disk alone');
});

test('content that is refused because the disk is full is refused whole, and the next is taken when there is room', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1), capacityBytes: 3 * 1024 * 1024 });
  const { vault } = await rig({ disks: [disk] });
  await assert.rejects(store(vault, 4_000_000), { code: 'COPIES_TOO_FEW' });
  disk.setCapacity(64 * 1024 * 1024);
  for await (const _ of vault.care.repair(async () => undefined));
  await store(vault, 4_000_000);
  await vault.close();
});

test('a stream that never rests seals its pack when asked', async () => {
  const { vault, events } = await rig({ disks: [simDisk()] });
  let stop = false;
  const writers = Array.from({ length: 8 }, async () => {
    while (!stop) {
      await store(vault, 2000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  await turns();
  await vault.sealOpen('all');
  assert.equal(events.filter((event) => event.kind === 'pack-sealed').length, 1);
  stop = true;
  await Promise.all(writers);
  await vault.close();
});

test('a disk that was full takes new packs again once there is room and it was looked at', async () => {
  const disk = simDisk();
  const { vault, stores } = await rig({ disks: [disk] });
  await store(vault, 2000);
  disk.setCapacity(10_000);
  await assert.rejects(store(vault, 200_000), { code: 'COPIES_TOO_FEW' });
  assert.equal(stores[0]?.state, 'failing');
  disk.setCapacity(Number.MAX_SAFE_INTEGER);
  await vault.care.lookAgain();
  assert.equal(stores[0]?.state, 'present');
  await store(vault, 200_000);
  await vault.close();
});
