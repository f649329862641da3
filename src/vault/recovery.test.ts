// Recovery from what a start may find: rot in a tail, mirrors that differ, disks that were away, a database that knows more than the disks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRig, type Rig, type RigOptions, rigGroup } from '../../tests/support/vault-rig.ts';
import { ArchiveError, type PackId, type RecordId, SeededRandom } from '../base/index.ts';
import { SimDisk } from '../disk/index.ts';
import { recordKind } from '../format/index.ts';
import { openFolder, openPath, sealedPath } from './paths.ts';

const random = new SeededRandom(4);
const accept = { copies: 2, whenFewer: 'accept' } as const;

function twoDisks(): SimDisk[] {
  return [1, 2].map((seed) => new SimDisk({ random: new SeededRandom(seed), label: `disk ${seed}` }));
}

type Stored = { readonly ref: RecordId; readonly bytes: Uint8Array };

async function store(rig: Rig, bytes: Uint8Array): Promise<Stored> {
  const writer = rig.vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'raw' }) });
  await writer.write(bytes);
  const { ref } = await writer.finish(() => [{ kind: recordKind.entry, group: rigGroup, plain: random.bytes(9) }]);
  assert.ok(ref !== undefined);
  return { ref, bytes };
}

async function checkAll(rig: Rig, all: readonly Stored[]): Promise<void> {
  for (const { ref, bytes } of all)
    assert.ok(Buffer.from(bytes).equals((await rig.vault.open(ref)).plain), 'it comes back as it went in');
}

function assertNoLoss(rig: Rig): void {
  assert.deepEqual([rig.report.losses, rig.report.unreadable], [[], []]);
}

/** Two contents in an open pack on these disks; the vault is closed, and the disks are those of the next start. */
async function leftOpen(
  disks: readonly SimDisk[],
  more: Partial<RigOptions> = {},
): Promise<{ rig: Rig; stored: Stored[]; pack: PackId; disks: SimDisk[] }> {
  const rig = await openRig({ disks, storage: accept, ...more });
  const stored = [await store(rig, random.bytes(6000)), await store(rig, random.bytes(500))];
  const pack = rig.vault.livePacks()[0]?.pack;
  assert.ok(pack !== undefined);
  await rig.vault.close();
  return { rig, stored, pack, disks: disks.map((disk) => disk.restart()) };
}

function start(disks: readonly SimDisk[], rig: Rig, seed: number, more: Partial<RigOptions> = {}): Promise<Rig> {
  const kept = { sql: rig.sql, applied: rig.applied };
  return openRig({ disks, ...kept, storage: accept, random: new SeededRandom(seed), ...more });
}

test('an unreadable sector of one mirror costs nothing, and both copies are whole afterwards', async () => {
  const { rig, stored, pack, disks } = await leftOpen(twoDisks());
  disks[0]?.makeUnreadable(openPath(pack), 8000);
  for (const disk of disks) disk.dropCache();
  const again = await start(disks, rig, 2);
  assertNoLoss(again);
  await checkAll(again, stored);
  assert.deepEqual(disks[0]?.mediaBytes(sealedPath(pack)), disks[1]?.mediaBytes(sealedPath(pack)));
  await again.vault.close();
});

test('a header that is rotten on every mirror costs nothing', async () => {
  const { rig, stored, pack, disks } = await leftOpen(twoDisks());
  for (const disk of disks) {
    disk.flipBit(openPath(pack), 100);
    disk.dropCache();
  }
  const again = await start(disks, rig, 2);
  assertNoLoss(again);
  await checkAll(again, stored);
  for await (const report of again.vault.care.repair(async () => undefined)) assert.equal(report.outcome, 'mended');
  for await (const report of again.vault.care.verifyAll(async () => undefined)) assert.deepEqual(report.problems, []);
  await again.vault.close();
});

test('a rotten version number on one mirror is rot, on every mirror a pack that is left alone', async () => {
  for (const rotten of [1, 2]) {
    const { rig, stored, pack, disks } = await leftOpen(twoDisks());
    for (const disk of disks.slice(0, rotten)) {
      disk.flipBit(openPath(pack), 9, 1);
      disk.dropCache();
    }
    const again = await start(disks, rig, 2);
    if (rotten === 1) {
      assertNoLoss(again);
      await checkAll(again, stored);
    } else {
      assert.deepEqual(
        again.report.unreadable.map((each) => each.reason.code),
        ['PACK_NEWER'],
      );
      for (const disk of disks) assert.equal((await disk.list(openFolder)).length, 1);
    }
    await again.vault.close();
  }
});

test('a disk that was away when its pack was sealed gets the same bytes, not a pack of its own', async () => {
  const { rig, stored, pack, disks } = await leftOpen(twoDisks());
  const [first, second] = disks as [SimDisk, SimDisk];
  const alone = await start([first], rig, 2);
  await checkAll(alone, stored);
  await alone.vault.close();
  const together = await start([first.restart(), second], alone, 3);
  assert.equal(together.report.packCount, 0);
  await checkAll(together, stored);
  assert.deepEqual(first.mediaBytes(sealedPath(pack)), second.mediaBytes(sealedPath(pack)));
  assert.deepEqual(await second.list(openFolder), []);
  await together.vault.close();
});

test('a disk that comes back when the one that sealed its pack is gone is read all the same', async () => {
  const { rig, stored, pack, disks } = await leftOpen(twoDisks());
  const [first, second] = disks as [SimDisk, SimDisk];
  const alone = await start([first], rig, 2);
  await alone.vault.close();
  const other = await start([second], alone, 3);
  assertNoLoss(other);
  await checkAll(other, stored);
  const packs = await other.vault.register.packsAfter(undefined, 10);
  assert.equal(packs.length, 2, 'under a name of its own, so that no two packs of one name differ');
  assert.ok(packs.some((each) => each.pack === pack));
  await other.vault.close();
  const both = await start([first.restart(), second.restart()], other, 4);
  await checkAll(both, stored);
  for await (const report of both.vault.care.repair(async () => undefined)) assert.equal(report.outcome, 'mended');
  for await (const report of both.vault.care.verifyAll(async () => undefined)) assert.deepEqual(report.problems, []);
  await both.vault.close();
});

test('a pack in the content of a torn group is not taken for the pack itself', async () => {
  // A sealed pack without encryption is stored as content, and the group that holds it is torn where it aligns with blocks.
  const inner = new SimDisk({ random: new SeededRandom(9) });
  const made = await openRig({ disks: [inner], cipher: 0, random: new SeededRandom(77) });
  await store(made, random.bytes(9000));
  await made.vault.sealOpen('all');
  const [facts] = await made.vault.register.packsAfter(undefined, 1);
  assert.ok(facts !== undefined);
  await made.vault.close();
  const bytes = inner.mediaBytes(sealedPath(facts.pack)).slice(0, 40_000);
  for (let shift = 0; shift < 4096; shift += 16) {
    // Only one shift puts the inner blocks on outer ones: a head of 128 bytes lies before the content.
    if ((128 + shift) % 4096 !== 0) continue;
    const disk = new SimDisk({ random: new SeededRandom(10) });
    const rig = await openRig({ disks: [disk], cipher: 0 });
    const first = await store(rig, random.bytes(300));
    const before = rig.vault.livePacks()[0];
    assert.ok(before !== undefined);
    await store(rig, Buffer.concat([new Uint8Array(shift), bytes]));
    await rig.vault.close();
    disk.truncateMedia(openPath(before.pack), before.sizeBytes + shift + 128 + 30_000);
    const again = await openRig({ disks: [disk.restart()], random: new SeededRandom(2), cipher: 0 });
    assertNoLoss(again);
    await checkAll(again, [first]);
    assert.equal(again.applied.size, 1, 'no fact of the inner pack is handed on');
    for await (const report of again.vault.care.verifyAll(async () => undefined)) assert.deepEqual(report.problems, []);
    await again.vault.close();
  }
});

test('damage in the middle of a tail is told with its extent, and costs only what it touched', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const { rig, stored, pack, disks } = await leftOpen([disk], { storage: { copies: 1, whenFewer: 'refuse' } });
  disks[0]?.flipBit(openPath(pack), 4096 + 20);
  disks[0]?.dropCache();
  const again = await start(disks, rig, 2);
  assert.equal(again.report.losses.length, 1);
  assert.deepEqual(
    again.report.losses.map(({ offset, recordCount, foundCount }) => ({ offset, recordCount, foundCount })),
    [{ offset: 4096, recordCount: 2, foundCount: 1 }],
  );
  await checkAll(again, stored.slice(1));
  await assert.rejects(again.vault.open((stored[0] as Stored).ref), { code: 'RECORD_UNKNOWN' });
  await again.vault.close();
});

test('a loss names the records that the ones around it say were there', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const single = { copies: 1, whenFewer: 'refuse' } as const;
  const rig = await openRig({ disks: [disk], storage: single });
  for (let index = 0; index < 6; index += 1) await store(rig, random.bytes(5000));
  const live = rig.vault.livePacks()[0];
  assert.ok(live !== undefined);
  await rig.vault.close();
  // Groups of 8 KB, each of a chunk and its entry; the third loses its chunk, and the fourth both.
  const group = (number: number): number => 4096 + number * 8192;
  disk.flipBit(openPath(live.pack), group(2) + 20);
  disk.flipBit(openPath(live.pack), group(3) + 20);
  disk.flipBit(openPath(live.pack), group(3) + 128 + 5032 + 20);
  disk.dropCache();
  const again = await start([disk.restart()], rig, 2, { storage: single });
  const writer = again.report.losses[0]?.missing[0]?.writer;
  assert.ok(writer !== undefined);
  const missing = again.report.losses.flatMap((loss) => loss.missing);
  const ids = missing.flatMap(({ first, last }) => (first === last ? [first] : [first, last]));
  assert.deepEqual(ids, [5n, 7n, 8n]);
  // Known from here on, and told by nobody again.
  const [known] = await again.vault.losses.list(10);
  assert.deepEqual([known?.pack, known?.recordCount], [live.pack, 3]);
  assert.equal(known?.records, `${writer}.5, ${writer}.7-8`);
  for await (const report of again.vault.care.verifyAll(async () => undefined)) assert.deepEqual(report.problems, []);
  for await (const report of again.vault.care.repair(async () => undefined)) assert.fail(report.outcome);
  await again.vault.close();
});

test('the first records of a pack, and the last acknowledged, are named as well', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const single = { copies: 1, whenFewer: 'refuse' } as const;
  const rig = await openRig({ disks: [disk], storage: single });
  for (let index = 0; index < 2; index += 1) await store(rig, random.bytes(5000));
  await rig.vault.sealOpen('all');
  for (let index = 0; index < 3; index += 1) await store(rig, random.bytes(5000));
  const live = rig.vault.livePacks()[0];
  assert.ok(live !== undefined);
  await rig.vault.close();
  disk.flipBit(openPath(live.pack), 4096 + 20);
  disk.flipBit(openPath(live.pack), 4096 + 2 * 8192 + 20);
  disk.dropCache();
  const again = await start([disk.restart()], rig, 2, { storage: single, sequences: async () => 10n });
  const missing = again.report.losses.flatMap((loss) => loss.missing);
  assert.deepEqual(
    missing.map(({ first, last }) => [first, last]),
    [
      [5n, 5n],
      [9n, 9n],
    ],
  );
  await again.vault.close();
});

test('nothing is called lost while a disk that is away may hold it', async () => {
  const disks = twoDisks();
  const rig = await openRig({ disks, storage: accept });
  const stored = [await store(rig, random.bytes(600)), await store(rig, random.bytes(700))];
  await rig.vault.sealOpen('all');
  const [facts] = await rig.vault.register.packsAfter(undefined, 1);
  assert.ok(facts !== undefined);
  const [one, two] = disks as [SimDisk, SimDisk];
  one.flipBit(sealedPath(facts.pack), 4096 + 300, 1);
  one.dropCache();
  // The other disk is away: nothing is called lost while it may hold the record.
  const state = rig.stores[1] as { state: string };
  state.state = 'missing';
  two.space = () => Promise.reject(new ArchiveError('DISK_MISSING', 'away'));
  for await (const report of rig.vault.care.verifyAll(async () => undefined)) void report;
  const outcomes: (string | undefined)[] = [];
  for await (const report of rig.vault.care.repair(async () => undefined)) outcomes.push(report.code);
  assert.deepEqual(outcomes, ['DISK_MISSING']);
  assert.deepEqual(await rig.vault.losses.list(10), []);
  await rig.vault.close();
  await checkAll(
    await start(
      [one.restart(), disks[1] as SimDisk].map((disk) => disk.restart()),
      rig,
      3,
    ),
    stored,
  );
});

test('a disk that cannot move its sealed copy keeps it, and the next start moves it', async () => {
  const disks = twoDisks();
  const rig = await openRig({ disks, storage: accept });
  const stored = [await store(rig, random.bytes(600))];
  const [first] = disks as [SimDisk, SimDisk];
  const rename = first.rename.bind(first);
  first.rename = (from, to) => {
    if (from.endsWith('.pack')) first.fail({ step: 0, kind: 'io' });
    return rename(from, to);
  };
  await rig.vault.sealOpen('all');
  assert.deepEqual(rig.vault.livePacks(), []);
  await checkAll(rig, stored);
  await rig.vault.close();
  const again = await start(
    disks.map((disk) => disk.restart()),
    rig,
    2,
  );
  await checkAll(again, stored);
  for await (const report of again.vault.care.verifyAll(async () => undefined)) assert.deepEqual(report.problems, []);
  await again.vault.close();
});

test('a last group that was acknowledged and is rotten is loss, told and salvaged, where the catalog knows of it', async () => {
  // The second group's first record, and its commit record; each would make it look like a torn tail.
  for (const place of ['record', 'commit'] as const) {
    const disk = new SimDisk({ random: new SeededRandom(1) });
    const { rig, stored, pack, disks } = await leftOpen([disk], { storage: { copies: 1, whenFewer: 'refuse' } });
    const path = openPath(pack);
    const sizeBytes = disks[0]?.mediaBytes(path).byteLength ?? 0;
    disks[0]?.flipBit(path, place === 'record' ? sizeBytes - 4096 + 200 : sizeBytes - 20);
    disks[0]?.dropCache();
    const again = await start(disks, rig, 2, { sequences: async () => 4n, applied: new Map() });
    assert.equal(again.report.losses.length, 1, `${place}: the loss is told`);
    assert.equal(again.applied.size, 2, `${place}: the entry in the group is salvaged`);
    await checkAll(again, place === 'record' ? stored.slice(0, 1) : stored);
    await again.vault.close();
  }
});

test('a footer that was not finished is no loss, wherever its writer stopped', async () => {
  const storage = { copies: 1, whenFewer: 'refuse' } as const;
  const newDisk = (): SimDisk => new SimDisk({ random: new SeededRandom(1) });
  const sequences = async (): Promise<bigint> => 1000n;
  const made = await leftOpen([newDisk()], { storage });
  const before = made.disks[0]?.mediaBytes(openPath(made.pack)).byteLength ?? 0;
  await (await start(made.disks, made.rig, 2, { storage })).vault.close();
  const sealed = made.disks[0]?.mediaBytes(sealedPath(made.pack)) ?? new Uint8Array(0);
  assert.ok(before > 0 && sealed.byteLength > before);
  const footerBytes = 3 * 4096;
  for (let cut = before; cut <= before + footerBytes; cut += 512) {
    const { rig, stored, pack, disks } = await leftOpen([newDisk()], { storage });
    const file = await (disks[0] as SimDisk).open(openPath(pack), 'write');
    // The bytes of this pack's own footer: it differs from the other's in ids that chance chose, and in nothing that matters here.
    await file.write(before, [sealed.slice(before, cut)]);
    await file.sync();
    await file.close();
    const again = await start(disks, rig, 2, { storage, sequences });
    assertNoLoss(again);
    await checkAll(again, stored);
    for await (const report of again.vault.care.verifyAll(async () => undefined)) assert.deepEqual(report.problems, []);
    await again.vault.close();
  }
});

test('a copy that the register forgot in a power cut still mends the one that it knows', async () => {
  const disks = twoDisks();
  const rig = await openRig({ disks, storage: accept });
  const stored = [await store(rig, random.bytes(600))];
  await rig.vault.sealOpen('all');
  const [facts] = await rig.vault.register.packsAfter(undefined, 1);
  const [known, forgotten] = rig.stores;
  assert.ok(facts !== undefined && known !== undefined && forgotten !== undefined);
  await rig.vault.register.unplace(facts.pack, forgotten.id, 'pack');
  disks[0]?.flipBit(sealedPath(facts.pack), 4096 + 300);
  disks[0]?.dropCache();
  await checkAll(rig, stored);
  disks[0]?.flipBit(sealedPath(facts.pack), 4096 + 20);
  disks[0]?.dropCache();
  for await (const _ of rig.vault.care.verifyAll(async () => undefined));
  for await (const report of rig.vault.care.repair(async () => undefined)) assert.equal(report.outcome, 'mended');
  for await (const report of rig.vault.care.verifyAll(async () => undefined)) assert.deepEqual(report.problems, []);
  await rig.vault.close();
});

test('the rows and facts of a pack come from whichever footer is whole', async () => {
  const disks = twoDisks();
  const rig = await openRig({ disks, storage: accept });
  await store(rig, random.bytes(600));
  await rig.vault.sealOpen('all');
  const [facts] = await rig.vault.register.packsAfter(undefined, 1);
  assert.ok(facts !== undefined);
  const file = `footers/${facts.pack.slice(0, 2)}/${facts.pack}.foot`;
  for (const disk of disks) {
    // The first bytes behind the header are those of the index record.
    disk.flipBit(file, 4096 + 150);
    disk.dropCache();
  }
  const rows = [];
  for await (const row of rig.vault.care.rowsOf(facts.pack)) rows.push(row);
  assert.equal(rows.length, 2);
  const found = [];
  for await (const fact of rig.vault.care.factsOf(facts.pack)) found.push(fact);
  assert.equal(found.length, 1);
  await rig.vault.close();
});
