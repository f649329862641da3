// The stream of records: what a caller may rely on while packs fill, facts are applied slowly, room is short and the stream closes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRig, type RigOptions, rigGroup, rigKeys } from '../../tests/support/vault-rig.ts';
import { ArchiveError, type KeyGroup, type RecordId, SeededRandom } from '../base/index.ts';
import { CodecPool } from '../codec/index.ts';
import { SimDisk, type SimStep } from '../disk/index.ts';
import { recordKind } from '../format/index.ts';
import type { KeySource } from '../keys/index.ts';
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
  await assert.rejects(store(vault, 4_000_000), { code: 'DISK_FULL' });
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

test('a pack that cannot be sealed for want of room leaves no half copy of itself to take more of it', async () => {
  const disk = simDisk();
  const { vault, events } = await rig({ disks: [disk] });
  await store(vault, 200_000);
  disk.setCapacity(240_000);
  await vault.sealOpen('all').catch(() => undefined);
  await turns();
  assert.ok(events.some((event) => event.kind === 'seal-failed'));
  assert.deepEqual(
    (await disk.list('open')).filter((name) => name.endsWith('.part')),
    [],
  );
  disk.setCapacity(Number.MAX_SAFE_INTEGER);
  await vault.care.lookAgain();
  await vault.sealOpen('all');
  assert.deepEqual(await disk.list('open'), []);
  await vault.close();
});

test('a disk that was full takes new packs again once there is room and it was looked at', async () => {
  const disk = simDisk();
  const { vault, stores } = await rig({ disks: [disk] });
  await store(vault, 2000);
  disk.setCapacity(10_000);
  await assert.rejects(store(vault, 200_000), {
    code: 'DISK_FULL',
    message: /0 disks can take one \([^)]+: DISK_FULL\)/,
  });
  assert.equal(stores[0]?.state, 'failing');
  disk.setCapacity(Number.MAX_SAFE_INTEGER);
  await vault.care.lookAgain();
  assert.equal(stores[0]?.state, 'present');
  await store(vault, 200_000);
  await vault.close();
});

test('content of many chunks and its entry become durable in one group, with one sync', async () => {
  let syncs = 0;
  const onStep = (step: SimStep): void => {
    if (step.kind === 'sync') syncs += 1;
  };
  const { vault, applied } = await rig({ disks: [new SimDisk({ random: new SeededRandom(1), onStep })] });
  await store(vault, 100);
  const before = vault.livePacks()[0];
  syncs = 0;
  const writer = vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'raw' }) });
  for (let chunk = 0; chunk < 20; chunk += 1) {
    await writer.write(random.bytes(3000));
    await writer.cut();
    await turns();
  }
  assert.deepEqual(vault.livePacks()[0], before, 'nobody waits for the chunks, so they are not written yet');
  await writer.finish(() => [{ kind: recordKind.entry, group: rigGroup, plain: new Uint8Array(10) }]);
  assert.equal(vault.livePacks()[0]?.recordCount, (before?.recordCount ?? 0) + 22);
  assert.equal(syncs, 1);
  assert.equal(applied.size, 2);
  await vault.close();
});

test('chunks that nobody waits for are written when many have come together, when room is short, and when the stream closes', async () => {
  const chunk = { kind: recordKind.chunk, group: rigGroup, hint: { kind: 'raw' } } as const;
  const lazily = (vault: Vault): Promise<void> =>
    vault
      .stream('ingest')
      .append(1000, (nextId) => [{ id: nextId(), plain: random.bytes(1000), ...chunk }], { lazy: true });
  const many = await rig({ disks: [simDisk()], limits: { lazyBytesMax: 5000 } });
  await Promise.all(Array.from({ length: 5 }, () => lazily(many.vault)));
  const short = await rig({ disks: [simDisk()], limits: { inFlightBytesMax: 2500 } });
  const waiting = [lazily(short.vault), lazily(short.vault)];
  await turns();
  assert.deepEqual(short.vault.livePacks(), []);
  waiting.push(lazily(short.vault));
  await Promise.all(waiting.slice(0, 2));
  await Promise.all([short.vault.close(), ...waiting]);
  await many.vault.close();
});

test('when a chunk cannot be made nothing that names it is written, and others are', async () => {
  let refused = false;
  const keys = {
    groupKeys: (group: KeyGroup, cipher: number) => {
      if (refused && group.group === 1n) throw new ArchiveError('KEY_SHREDDED', 'gone');
      return rigKeys.groupKeys(group, cipher);
    },
  } as KeySource;
  const { vault, applied } = await rig({ disks: [simDisk()], keys });
  const content = async (group: KeyGroup, between: () => void): Promise<unknown> => {
    const writer = vault.contentWriter('ingest', group, { hintAt: () => ({ kind: 'raw' }) });
    for (let chunk = 0; chunk < 3; chunk += 1) {
      await writer.write(random.bytes(3000));
      await writer.cut();
    }
    between();
    await writer.write(random.bytes(10));
    await writer.cut();
    refused = false;
    return writer.finish(() => [{ kind: recordKind.entry, group, plain: new Uint8Array(10) }]);
  };
  const failing = content({ ...rigGroup, group: 1n }, () => {
    refused = true;
  });
  const other = store(vault, 500);
  await assert.rejects(failing, { code: 'KEY_SHREDDED' });
  await other;
  assert.equal(applied.size, 1);
  await vault.close();
});

test('a record of an open pack is found wherever it lies in its group', async () => {
  const pool = new CodecPool({ workers: 2 });
  const { vault } = await rig({ disks: [simDisk()], pool });
  const plains = Array.from({ length: 60 }, (_, index) => random.bytes(index % 3 === 0 ? 40_000 : 100));
  const ids: RecordId[] = [];
  await Promise.all(
    plains.map((plain, index) =>
      vault.stream('ingest').append(plain.byteLength, (nextId) => {
        const id = nextId();
        ids[index] = id;
        const hint = { kind: 'bytes', effort: 'fast' } as const;
        return [{ id, kind: recordKind.chunk, group: rigGroup, plain: plain.slice(), hint }];
      }),
    ),
  );
  const check = async (): Promise<void> => {
    for (const [index, plain] of plains.entries())
      assert.deepEqual(Buffer.from((await vault.open(ids[index] as RecordId)).plain), Buffer.from(plain));
  };
  await check();
  await vault.sealOpen('all');
  await check();
  await vault.close();
  await pool.close();
});

test('a long fact is applied whole, also when a worker took its bytes away', async () => {
  const pool = new CodecPool({ workers: 1 });
  const { vault, applied } = await rig({ disks: [simDisk()], pool });
  const plain = random.bytes(200_000);
  const expected = Buffer.from(plain);
  await vault.say('ingest', [{ kind: recordKind.entry, group: rigGroup, plain }]);
  assert.deepEqual(
    [...applied.values()].map((each) => Buffer.from(each)),
    [expected],
  );
  await vault.close();
  await pool.close();
});
