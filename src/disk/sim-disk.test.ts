// What the simulated disk does to those who trust it: each way of losing, tearing and lying is shown once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isZero, SeededRandom, utf8Bytes, utf8Text } from '../base/index.ts';
import type { Disk } from './disk.ts';
import { fails } from './disk-conformance.ts';
import { crashAtEveryStep } from './sim-crash-runs.ts';
import { SimDisk, type SimDiskOptions } from './sim-disk.ts';
import { SimCrash, type SimFaultKind, type SimStepKind } from './sim-steps.ts';

function makeDisk(options: Partial<SimDiskOptions> = {}, seed = 1): SimDisk {
  return new SimDisk({ random: new SeededRandom(seed), ...options });
}

const seeded = (seed: number): { random: SeededRandom } => ({ random: new SeededRandom(seed) });
const filled = (count: number, byte: number): Uint8Array => new Uint8Array(count).fill(byte);
const pageBytes = 4096;

/** A file of `bytes`, synced and closed. */
async function putFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, 'create');
  await file.write(0, [bytes]);
  await file.sync();
  await file.close();
}

async function textOf(disk: Disk, path: string): Promise<string | undefined> {
  const bytes = await disk.readWhole(path, 1e6);
  return bytes === undefined ? undefined : (utf8Text(bytes) ?? '(noise)');
}

test('synced bytes survive every power cut', async () => {
  const disk = makeDisk();
  await putFile(disk, 'a', utf8Bytes('kept'));
  for (let seed = 0; seed < 200; seed += 1) assert.equal(await textOf(disk.reboot(seeded(seed)), 'a'), 'kept');
});

test('unsynced bytes survive wholly, not at all, or in part, as the crash is told', async () => {
  const disk = makeDisk();
  const file = await disk.open('a', 'create');
  await file.write(0, [utf8Bytes('old')]);
  await file.sync();
  await file.write(0, [utf8Bytes('new bytes')]);
  assert.equal(await textOf(disk.reboot({ survive: 'none' }), 'a'), 'old');
  assert.equal(await textOf(disk.reboot({ survive: 'all' }), 'a'), 'new bytes');
  const found = new Set<string | undefined>();
  for (let seed = 0; seed < 300; seed += 1) found.add(await textOf(disk.reboot(seeded(seed)), 'a'));
  // The size is not durable either: old bytes in a longer file, new bytes cut short.
  for (const outcome of ['old', 'new bytes', 'new', 'old\0\0\0\0\0\0'])
    assert.ok(found.has(outcome), JSON.stringify(outcome));
});

test('unsynced sectors arrive out of order, and the smallest unit is a sector of 512 bytes', async () => {
  const disk = makeDisk();
  const file = await disk.open('a', 'create');
  await file.write(0, [filled(4 * pageBytes, 1)]);
  await file.sync();
  await file.write(0, [filled(4 * pageBytes, 2)]);
  let outOfOrder = 0;
  for (let seed = 0; seed < 50; seed += 1) {
    const after = disk.reboot({ ...seeded(seed), sectorBytes: 512, tornOneIn: 0 }).mediaBytes('a');
    const sectors = Array.from({ length: 32 }, (_, index) => after.subarray(index * 512, index * 512 + 512));
    for (const sector of sectors)
      assert.ok(
        sector.every((byte) => byte === sector[0]),
        'a sector is old or new',
      );
    const first = sectors.findIndex((sector) => sector[0] === 1);
    if (first >= 0 && sectors.slice(first).some((sector) => sector[0] === 2)) outOfOrder += 1;
  }
  assert.ok(outOfOrder > 10, 'later sectors survive without earlier ones');
});

test('of several unsynced writes, any may be the one that survives', async () => {
  const disk = makeDisk();
  const file = await disk.open('a', 'create');
  for (const text of ['v1', 'v2', 'v3', 'v4']) await file.write(0, [utf8Bytes(text)]);
  const found = new Set<string | undefined>();
  for (let seed = 0; seed < 200; seed += 1)
    found.add(await textOf(disk.reboot({ ...seeded(seed), tornOneIn: 0 }), 'a'));
  for (const outcome of ['v1', 'v2', 'v3', 'v4', '', '\0\0']) assert.ok(found.has(outcome), JSON.stringify(outcome));
});

test('a torn sector takes older, synced bytes of the same sector with it, and none of its neighbours', async () => {
  for (const sectorBytes of [512, 4096] as const) {
    const disk = makeDisk();
    const file = await disk.open('a', 'create');
    await file.write(0, [filled(3 * pageBytes, 1)]);
    await file.sync();
    await file.write(pageBytes + 100, [filled(10, 2)]);
    let torn = 0;
    for (let seed = 0; seed < 100; seed += 1) {
      const after = disk.reboot({ ...seeded(seed), sectorBytes, tornOneIn: 1 }).mediaBytes('a');
      assert.ok(after.subarray(0, pageBytes).every((byte) => byte === 1));
      assert.ok(after.subarray(pageBytes + sectorBytes).every((byte) => byte === 1));
      if (!after.subarray(pageBytes, pageBytes + 100).every((byte) => byte === 1)) torn += 1;
    }
    assert.ok(torn > 10, `older bytes torn at ${sectorBytes}`);
  }
});

test('a truncate is not durable before a sync', async () => {
  for (const synced of [false, true]) {
    const disk = makeDisk();
    await putFile(disk, 'a', filled(10_000, 1));
    const file = await disk.open('a', 'write');
    await file.truncate(10);
    if (synced) await file.sync();
    const after = disk.reboot({ survive: 'none' });
    assert.equal((await after.stat('a'))?.sizeBytes, synced ? 10 : 10_000);
    const again = await after.open('a', 'write');
    await again.truncate(10);
    await again.truncate(10_000);
    assert.ok(isZero(await again.read(10, 10_000)), 'what was cut never comes back');
  }
});

test('a sync covers the writes that were waited for, and no others', async () => {
  const disk = makeDisk();
  const file = await disk.open('a', 'create');
  const write = file.write(0, [utf8Bytes('late')]);
  const sync = file.sync();
  await Promise.all([write, sync]);
  assert.equal(await textOf(disk.reboot({ survive: 'none' }), 'a'), '');
});

/** Names in x and y after a crash at the step, over many random outcomes. */
async function outcomesOf(act: (disk: SimDisk) => Promise<void>, kind: SimStepKind, nth: number): Promise<Set<string>> {
  const prepared = async (crashAt?: number): Promise<{ disk: SimDisk; kinds: SimStepKind[] }> => {
    const kinds: SimStepKind[] = [];
    const onStep = (step: { kind: SimStepKind }): void => void kinds.push(step.kind);
    const disk = makeDisk({ onStep, ...(crashAt === undefined ? {} : { crashAt }) });
    await disk.makeFolder('x');
    await disk.makeFolder('y');
    await putFile(disk, 'x/a', utf8Bytes('a'));
    return { disk, kinds };
  };
  const whole = await prepared();
  const first = whole.kinds.length;
  await act(whole.disk);
  const steps = whole.kinds.flatMap((each, index) => (index >= first && each === kind ? [index + 1] : []));
  const { disk } = await prepared(steps[nth] ?? assert.fail(`the action has no ${kind} number ${nth}`));
  await assert.rejects(act(disk), SimCrash);
  const found = new Set<string>();
  for (let seed = 0; seed < 100; seed += 1) {
    const after = disk.reboot(seeded(seed));
    found.add(after.paths().join(' '));
  }
  return found;
}

test('a new name vanishes when the power goes before its folder is synced', async () => {
  const create = async (disk: SimDisk): Promise<void> => void (await disk.open('x/b', 'create'));
  for (const kind of ['entry', 'syncFolder'] as const) {
    assert.deepEqual(await outcomesOf(create, kind, 0), new Set(['x/a', 'x/a x/b']));
  }
});

test('a rename between folders shows every state on its way, and never loses the file', async () => {
  const rename = (disk: SimDisk): Promise<void> => disk.rename('x/a', 'y/a');
  const all = new Set(['x/a', 'y/a', 'x/a y/a']);
  assert.deepEqual(await outcomesOf(rename, 'entry', 0), all);
  assert.deepEqual(await outcomesOf(rename, 'syncFolder', 0), all);
  // The folder of the new name is synced: only the old name may still be there.
  assert.deepEqual(await outcomesOf(rename, 'syncFolder', 1), new Set(['y/a', 'x/a y/a']));
});

test('a rename within a folder is there or not', async () => {
  const rename = (disk: SimDisk): Promise<void> => disk.rename('x/a', 'x/b');
  assert.deepEqual(await outcomesOf(rename, 'entry', 0), new Set(['x/a', 'x/b']));
});

test('a removed file may come back until its folder is synced', async () => {
  assert.deepEqual(await outcomesOf((disk) => disk.remove('x/a'), 'syncFolder', 0), new Set(['x/a', '']));
});

test('what resolved is durable: names, moves, removals and replacements outlive any power cut', async () => {
  const disk = makeDisk();
  await disk.makeFolder('deep/er');
  await (await disk.open('deep/er/a', 'create')).close();
  await disk.writeWhole('w', utf8Bytes('1'));
  await disk.writeWhole('w', utf8Bytes('2'));
  await disk.writeWhole('gone', utf8Bytes('x'));
  await disk.remove('gone');
  await disk.rename('deep/er/a', 'b');
  const after = disk.reboot({ survive: 'none' });
  assert.deepEqual(after.paths(), ['b', 'w']);
  assert.deepEqual(await after.list('deep'), ['er']);
  assert.equal(await textOf(after, 'w'), '2');
});

test('writeWhole leaves the old bytes or the new ones, wherever it is cut', async () => {
  const steps = await crashAtEveryStep({
    seed: 5,
    outcomes: 20,
    begin: () => {
      let acknowledged = 0;
      return {
        act: async (disk) => {
          for (const version of [1, 2, 3]) {
            await disk.writeWhole('a', filled(5000, version));
            acknowledged = version;
          }
        },
        check: async (disk) => {
          const bytes = await disk.readWhole('a', 5000);
          if (bytes === undefined) return assert.equal(acknowledged, 0);
          const version = bytes[0] ?? 0;
          assert.ok(version === acknowledged || version === acknowledged + 1, `${version} after ${acknowledged}`);
          assert.deepEqual(bytes, filled(5000, version));
          await disk.writeWhole('a', utf8Bytes('taken over'));
          assert.deepEqual(disk.paths(), ['a'], 'nothing is left lying about');
        },
      };
    },
  });
  assert.equal(steps, 15);
});

test('crash runs find a writer that does not sync before it renames', async () => {
  const run = crashAtEveryStep({
    seed: 6,
    begin: () => ({
      act: async (disk) => {
        const file = await disk.open('a-new', 'create');
        await file.write(0, [filled(9000, 1)]);
        await disk.rename('a-new', 'a');
      },
      check: async (disk) => {
        const bytes = await disk.readWhole('a', 9000);
        if (bytes !== undefined) assert.deepEqual(bytes, filled(9000, 1));
      },
    }),
  });
  await assert.rejects(run, /seed 6, crash at step \d+ of \d+/);
});

test('after a crash every call throws, and the disk can be rebooted again and again', async () => {
  const disk = makeDisk({ crashAt: 3 });
  const file = await disk.open('a', 'create');
  await assert.rejects(file.write(0, [utf8Bytes('x')]), SimCrash);
  await assert.rejects(file.sync(), SimCrash);
  await assert.rejects(disk.list(''), SimCrash);
  assert.ok(disk.crashed());
  for (let round = 0; round < 3; round += 1) assert.deepEqual(disk.reboot().paths(), ['a']);
});

test('the same seed makes the same run', async () => {
  const run = async (seed: number): Promise<string> => {
    const disk = makeDisk({ turnsMax: 5 }, seed);
    const file = await disk.open('a', 'create');
    await Promise.all(Array.from({ length: 9 }, (_, index) => file.write(index * 3000, [filled(5000, index + 1)])));
    return Buffer.from(disk.reboot().mediaBytes('a')).toString('base64');
  };
  assert.equal(await run(3), await run(3));
  assert.notEqual(await run(3), await run(4));
});

test('a process that dies leaves the page cache: bytes are there, and still not durable', async () => {
  const disk = makeDisk();
  const file = await disk.open('a', 'create');
  await file.write(0, [utf8Bytes('cached')]);
  const lock = await disk.lock();
  const next = disk.restart();
  assert.equal(await textOf(next, 'a'), 'cached');
  await (await next.lock()).release();
  await lock.release();
  assert.equal(await textOf(next.reboot({ survive: 'none' }), 'a'), '');
  const saved = disk.restart();
  await (await saved.open('a', 'write')).sync();
  assert.equal(await textOf(saved.reboot({ survive: 'none' }), 'a'), 'cached');
});

test('locks vanish with a reboot', async () => {
  const disk = makeDisk();
  await disk.lock();
  await fails(() => disk.lock(), 'DATA_LOCKED');
  await (await disk.reboot().lock()).release();
});

test('every step fails once with the error it was told, and the next try succeeds', async () => {
  const act = async (disk: SimDisk): Promise<void> => {
    await disk.makeFolder('x');
    await disk.writeWhole('x/a', utf8Bytes('text'));
    await disk.stat('x/a');
    await disk.list('x');
    await disk.rename('x/a', 'b');
    const file = await disk.open('b', 'read');
    await file.read(0, 4);
    await file.readUncached(0, 4);
    await file.sizeBytes();
    await file.close();
    await disk.remove('b');
    await disk.space();
  };
  const whole = makeDisk();
  await act(whole);
  for (const [kind, code] of [
    ['io', 'DISK_IO'],
    ['missing', 'DISK_MISSING'],
  ] as const) {
    for (let step = 1; step <= whole.steps(); step += 1) {
      const disk = makeDisk({ failAt: { step, kind } });
      await fails(() => act(disk), code);
      // Whatever was left half-done, a fresh process on the same machine gets through.
      const next = disk.restart();
      await next.remove('b');
      await act(next);
    }
  }
});

test('a persistent fault stays, and hits only the steps it can happen to', async () => {
  const disk = makeDisk({ failAt: { step: 1, kind: 'full', persistent: true } });
  await fails(() => disk.open('a', 'create'), 'DISK_FULL');
  await fails(() => disk.makeFolder('x'), 'DISK_FULL');
  assert.deepEqual(await disk.list(''), []);
});

test('a full disk takes what fits, says so, and works again when there is room', async () => {
  const disk = makeDisk({ capacityBytes: 10 * pageBytes });
  const file = await disk.open('a', 'create');
  await file.write(0, [filled(8 * pageBytes, 1)]);
  await fails(() => file.write(8 * pageBytes, [filled(4 * pageBytes, 2)]), 'DISK_FULL');
  assert.ok((await file.sizeBytes()) <= 10 * pageBytes);
  await file.write(0, [filled(8 * pageBytes, 3)]); // in place: needs no room
  await fails(() => disk.writeWhole('b', filled(4 * pageBytes, 1)), 'DISK_FULL');
  assert.deepEqual(disk.paths(), ['a'], 'the temporary file is gone');
  disk.setCapacity(20 * pageBytes);
  await file.write(8 * pageBytes, [filled(4 * pageBytes, 2)]);
  assert.deepEqual(await disk.space(), { freeBytes: 8 * pageBytes, totalBytes: 20 * pageBytes });
});

test('a short write is finished by the disk, in a step of its own', async () => {
  const disk = makeDisk({ failAt: { step: 1, kind: 'short' } });
  const file = await disk.open('a', 'create');
  const before = disk.steps();
  await file.write(0, [utf8Bytes('all '), utf8Bytes('of it')]);
  assert.equal(disk.steps(), before + 2);
  assert.equal(utf8Text(await file.read(0, 9)), 'all of it');
});

test('a failed write may have changed some of its bytes, and only those', async () => {
  let changed = 0;
  for (let seed = 0; seed < 30; seed += 1) {
    const disk = makeDisk({}, seed);
    await putFile(disk, 'a', filled(9000, 1));
    const file = await disk.open('a', 'write');
    disk.fail({ step: 1, kind: 'io' });
    await fails(() => file.write(3000, [filled(3000, 2)]), 'DISK_IO');
    const bytes = await file.read(0, 9000);
    assert.ok(bytes.subarray(0, 3000).every((byte) => byte === 1));
    assert.ok(bytes.subarray(6000).every((byte) => byte === 1));
    if (bytes[3000] === 2) changed += 1;
  }
  assert.ok(changed > 10);
});

test('a failed sync poisons the file for writing, in every open of it, and its bytes are unknown', async () => {
  const kept = new Set<string | undefined>();
  for (let seed = 0; seed < 40; seed += 1) {
    const disk = makeDisk({}, seed);
    await disk.makeFolder('x');
    await putFile(disk, 'a', utf8Bytes('old'));
    const file = await disk.open('a', 'write');
    const other = await disk.open('a', 'write');
    await file.write(0, [utf8Bytes('new')]);
    disk.fail({ step: 1, kind: 'io' });
    await fails(() => file.sync(), 'DISK_IO');
    await fails(() => file.sync(), 'DISK_POISONED');
    await fails(() => file.write(0, [utf8Bytes('x')]), 'DISK_POISONED');
    await fails(() => file.truncate(0), 'DISK_POISONED');
    await fails(() => other.sync(), 'DISK_POISONED');
    await fails(() => disk.open('a', 'write'), 'DISK_POISONED');
    assert.equal(utf8Text(await file.read(0, 3)), 'new', 'the cache believes that all is well');
    await file.close();
    await other.close();
    await fails(() => disk.open('a', 'write'), 'DISK_POISONED');
    await disk.rename('a', 'x/a');
    await fails(() => disk.open('x/a', 'write'), 'DISK_POISONED');
    await (await disk.open('x/a', 'read')).close();
    kept.add(await textOf(disk.reboot({ survive: 'all' }), 'x/a'));
    await disk.restart().writeWhole('x/a', utf8Bytes('healthy'));
  }
  assert.deepEqual(kept, new Set(['old', 'new']), 'no sync, and no power cut, brings what was dropped');
});

test('a new file under a poisoned name is healthy', async () => {
  const disk = makeDisk();
  await putFile(disk, 'a', utf8Bytes('old'));
  const file = await disk.open('a', 'write');
  disk.fail({ step: 1, kind: 'missing' });
  await fails(() => file.read(0, 1), 'DISK_MISSING');
  disk.fail({ step: disk.steps() + 1, kind: 'io' });
  await fails(() => file.sync(), 'DISK_IO');
  await disk.remove('a');
  await putFile(disk, 'a', utf8Bytes('new'));
  await (await disk.open('a', 'write')).sync();
  await fails(() => file.sync(), 'DISK_POISONED');
});

test('a bit flipped on the medium shows past the cache, and to everyone once the cache is gone', async () => {
  const disk = makeDisk();
  await putFile(disk, 'a', filled(9000, 0));
  disk.flipBit('a', 5000, 3);
  const file = await disk.open('a', 'read');
  assert.ok(isZero(await file.read(0, 9000)), 'a good cache over a rotten medium');
  const { bytes, cached } = await file.readUncached(0, 9000);
  assert.equal(cached, false);
  assert.equal(bytes[5000], 8);
  assert.equal(
    bytes.reduce((sum, byte) => sum + byte, 0),
    8,
    'one bit',
  );
  disk.dropCache();
  assert.equal((await file.read(5000, 1))[0], 8);
  assert.equal(disk.mediaBytes('a')[5000], 8);
  assert.equal((await disk.reboot().readWhole('a', 9000))?.[5000], 8);
});

test('an unreadable sector fails reads of the medium until it is written again', async () => {
  const disk = makeDisk();
  await putFile(disk, 'a', filled(3 * pageBytes, 1));
  disk.makeUnreadable('a', pageBytes + 10);
  const file = await disk.open('a', 'write');
  assert.equal((await file.read(0, 3 * pageBytes)).byteLength, 3 * pageBytes, 'the cache still has it');
  await fails(() => file.readUncached(0, 3 * pageBytes), 'DISK_IO');
  assert.equal((await file.readUncached(0, pageBytes)).bytes.byteLength, pageBytes);
  const after = disk.reboot();
  await fails(() => after.readWhole('a', 1e6), 'DISK_IO');
  const again = await after.open('a', 'write');
  await fails(() => again.read(pageBytes, 1), 'DISK_IO');
  await again.write(pageBytes, [filled(pageBytes, 2)]);
  await again.sync();
  assert.equal((await again.readUncached(pageBytes, 1)).bytes[0], 2);
});

/** Writes page 1 of `a` under a fault the drive does not admit; what the medium then holds. */
async function afterLie(kind: SimFaultKind, seed: number): Promise<{ a: Uint8Array; b: Uint8Array }> {
  const disk = makeDisk({}, seed);
  await putFile(disk, 'a', filled(3 * pageBytes, 1));
  await putFile(disk, 'b', filled(3 * pageBytes, 2));
  const file = await disk.open('a', 'write');
  disk.fail({ step: 1, kind });
  await file.write(pageBytes, [filled(pageBytes, 9)]);
  await file.sync();
  assert.equal((await file.read(pageBytes, 1))[0], 9, 'the cache shows what was written');
  assert.deepEqual((await file.readUncached(0, 1e6)).bytes, disk.mediaBytes('a'));
  const after = disk.reboot();
  return { a: after.mediaBytes('a'), b: after.mediaBytes('b') };
}

test('a lost write is acknowledged, synced, and not there', async () => {
  const { a, b } = await afterLie('lost', 1);
  assert.deepEqual(a, filled(3 * pageBytes, 1));
  assert.deepEqual(b, filled(3 * pageBytes, 2));
});

test('a misdirected write leaves its place as it was and harms another', async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const { a, b } = await afterLie('misdirected', seed);
    assert.equal(a[pageBytes], 1, 'its own place');
    const harmed = [...a, ...b].filter((byte) => byte === 9).length;
    assert.equal(harmed, pageBytes, 'one other page');
  }
});

test('a flipped write is wrong in one bit', async () => {
  const { a } = await afterLie('flipped', 1);
  const page = a.subarray(pageBytes, 2 * pageBytes);
  assert.equal([...page].filter((byte) => byte !== 9).length, 1);
});

test('a missing medium fails every call, and is as it was when it comes back', async () => {
  const disk = makeDisk();
  await putFile(disk, 'a', utf8Bytes('here'));
  const file = await disk.open('a', 'read');
  disk.setMissing(true);
  const calls: (() => Promise<unknown>)[] = [
    () => disk.open('a', 'read'),
    () => disk.open('b', 'create'),
    () => disk.stat('a'),
    () => disk.list(''),
    () => disk.makeFolder('x'),
    () => disk.rename('a', 'b'),
    () => disk.remove('a'),
    () => disk.readWhole('a', 100),
    () => disk.writeWhole('a', utf8Bytes('x')),
    () => disk.space(),
    () => disk.lock(),
    () => file.read(0, 1),
    () => file.readUncached(0, 1),
  ];
  for (const call of calls) await fails(call, 'DISK_MISSING');
  disk.setMissing(false);
  assert.equal(await textOf(disk, 'a'), 'here');
});

test('a read-only medium refuses changes and nothing else', async () => {
  const disk = makeDisk();
  await putFile(disk, 'a', utf8Bytes('here'));
  disk.setReadOnly(true);
  await fails(() => disk.open('b', 'create'), 'DISK_READ_ONLY');
  await fails(() => disk.writeWhole('a', utf8Bytes('x')), 'DISK_READ_ONLY');
  await fails(() => disk.remove('a'), 'DISK_READ_ONLY');
  assert.equal(await textOf(disk, 'a'), 'here');
});

test('a medium cut short is short for everyone', async () => {
  const disk = makeDisk();
  await putFile(disk, 'a', filled(9000, 1));
  disk.truncateMedia('a', 4097);
  assert.deepEqual(await disk.readWhole('a', 9000), filled(4097, 1));
  assert.deepEqual(await disk.reboot().readWhole('a', 9000), filled(4097, 1));
});
