// The vault on real files: what goes in comes out, after a close, a lost database, a lost disk, a flipped bit.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openRig, type Rig, type RigOptions, rigGroup } from '../../tests/support/vault-rig.ts';
import { SeededRandom, utf8Bytes } from '../base/index.ts';
import { type Disk, openRealDisk } from '../disk/index.ts';
import { recordKind } from '../format/index.ts';
import { openPath, sealedPath } from './paths.ts';

const folders: string[] = [];
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function newDisks(count: number): Promise<Disk[]> {
  const disks: Disk[] = [];
  for (let number = 0; number < count; number += 1) {
    const folder = await mkdtemp(join(tmpdir(), 'stele-vault-'));
    folders.push(folder);
    disks.push(await openRealDisk({ label: `disk ${number}`, folder }));
  }
  return disks;
}

async function store(rig: Rig, bytes: Uint8Array, name: string): Promise<string> {
  const writer = rig.vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'bytes', effort: 'fast' }) });
  await writer.write(bytes);
  const content = await writer.finish((known) => [
    { kind: recordKind.entry, group: rigGroup, plain: utf8Bytes(JSON.stringify({ name, ref: refText(known.ref) })) },
  ]);
  return refText(content.ref) ?? '';
}

function refText(ref: { writer: string; sequence: bigint } | undefined): string | undefined {
  return ref === undefined ? undefined : `${ref.writer}.${ref.sequence}`;
}

async function load(rig: Rig, name: string): Promise<Uint8Array> {
  const entry = [...rig.applied.values()].map(
    (plain) => JSON.parse(Buffer.from(plain).toString()) as { name: string; ref: string },
  );
  const found = entry.find((each) => each.name === name);
  assert.ok(found, `${name} is known`);
  const [writer, sequence] = found.ref.split('.') as [never, string];
  const parts: Uint8Array[] = [];
  for await (const part of rig.vault.contents.read({ writer, sequence: BigInt(sequence) })) parts.push(part);
  return Buffer.concat(parts);
}

const random = new SeededRandom(42);
const small = utf8Bytes('an inscription');
const large = random.bytes(3 * 1024 * 1024 + 17);

async function filled(options: Partial<RigOptions> & { disks: readonly Disk[] }): Promise<Rig> {
  const rig = await openRig(options);
  await store(rig, small, 'small');
  await store(rig, large, 'large');
  return rig;
}

async function checkBoth(rig: Rig): Promise<void> {
  assert.deepEqual(Buffer.from(await load(rig, 'small')), Buffer.from(small));
  assert.ok(Buffer.from(large).equals(await load(rig, 'large')), 'three chunks and a rest come back');
}

test('content comes back from the open pack', async () => {
  const rig = await filled({ disks: await newDisks(1) });
  await checkBoth(rig);
  await rig.vault.close();
});

test('a range of content reads only what it touches', async () => {
  const rig = await openRig({ disks: await newDisks(1) });
  const ref = await store(rig, large, 'large');
  const [writer, sequence] = ref.split('.') as [never, string];
  const parts: Uint8Array[] = [];
  for await (const part of rig.vault.contents.read({ writer, sequence: BigInt(sequence) }, 1_048_570, 1_048_590))
    parts.push(part);
  assert.deepEqual(Buffer.concat(parts), Buffer.from(large.subarray(1_048_570, 1_048_590)));
  await rig.vault.close();
});

test('content comes back from a sealed pack, and after a close', async () => {
  const disks = await newDisks(2);
  const rig = await filled({ disks });
  await rig.vault.sealOpen('all');
  assert.deepEqual(rig.vault.livePacks(), []);
  await checkBoth(rig);
  await rig.vault.close();
  const again = await openRig({ disks, sql: rig.sql, applied: rig.applied });
  await checkBoth(again);
  await again.vault.close();
});

test('an open pack is sealed at the next start, and its facts are handed on', async () => {
  const disks = await newDisks(2);
  const rig = await filled({ disks });
  await rig.vault.close();
  const again = await openRig({ disks, random: new SeededRandom(2) });
  assert.equal(again.report.packCount, 1);
  assert.equal(again.report.losses.length, 0);
  await checkBoth(again);
  await again.vault.close();
});

test('a lost database is made again from footers', async () => {
  const disks = await newDisks(2);
  const rig = await filled({ disks });
  await rig.vault.close({ seal: true });
  const again = await openRig({ disks, everything: true, random: new SeededRandom(2) });
  assert.equal(again.report.unreadable.length, 0);
  assert.equal(again.report.factCount, 2);
  await checkBoth(again);
  await again.vault.close();
});

test('with one of two disks gone, content comes from the other', async () => {
  const disks = await newDisks(2);
  const rig = await filled({ disks });
  await rig.vault.sealOpen('all');
  await rig.vault.close();
  const again = await openRig({ disks: disks.slice(1), sql: rig.sql, applied: rig.applied });
  await checkBoth(again);
  await again.vault.close();
});

test('a flipped bit is answered from the mirror, mended and counted', async () => {
  const disks = await newDisks(2);
  const rig = await filled({ disks });
  await rig.vault.sealOpen('all');
  const page = await rig.vault.register.packsAfter(undefined, 10);
  const pack = page[0]?.pack;
  assert.ok(pack);
  // Which mirror is asked first depends on which disk had more room when the pack was begun.
  const [first] = (await rig.vault.register.placementsOf(pack)).filter((each) => each.kind === 'pack');
  const asked = rig.stores.find((store) => store.id === first?.disk)?.disk;
  assert.ok(asked);
  for await (const row of rig.vault.care.rowsOf(pack)) {
    if (row.kind !== recordKind.chunk) continue;
    const file = await asked.open(sealedPath(pack), 'write');
    const last = row.offset + row.sizeBytes - 1;
    const byte = await file.read(last, 1);
    await file.write(last, [Uint8Array.of((byte[0] as number) ^ 1)]);
    await file.sync();
    await file.close();
  }
  await checkBoth(rig);
  const bad = rig.events.filter((event) => event.kind === 'bad-copy');
  assert.equal(bad.length, 5);
  assert.ok(bad.every((event) => event.kind === 'bad-copy' && event.mended));
  assert.equal(await rig.vault.register.counter('repaired_records'), 5);
  for await (const report of rig.vault.care.verifyAll(async () => undefined)) assert.deepEqual(report.problems, []);
  await rig.vault.close();
});

test('a pack whose footer is gone is walked and sealed again when asked', async () => {
  const disks = await newDisks(1);
  const rig = await filled({ disks });
  await rig.vault.sealOpen('all');
  const pack = (await rig.vault.register.packsAfter(undefined, 10))[0];
  assert.ok(pack);
  await rig.vault.close();
  const disk = disks[0] as Disk;
  const file = await disk.open(sealedPath(pack.pack), 'write');
  await file.truncate(pack.sizeBytes - 8192);
  await file.sync();
  await file.close();
  await disk.remove(`footers/${pack.pack.slice(0, 2)}/${pack.pack}.foot`);
  const without = await openRig({ disks, everything: true, random: new SeededRandom(2) });
  assert.equal(without.report.unreadable.length, 1);
  await without.vault.close();
  const again = await openRig({ disks, everything: true, fromMedia: true, random: new SeededRandom(3) });
  assert.deepEqual(again.report.unreadable, []);
  await checkBoth(again);
  await again.vault.close();
});

test('repair makes the missing copy on a new disk', async () => {
  const disks = await newDisks(3);
  const rig = await filled({ disks: disks.slice(0, 2) });
  await rig.vault.close({ seal: true });
  const again = await openRig({
    disks: disks.slice(1),
    sql: rig.sql,
    applied: rig.applied,
    random: new SeededRandom(9),
    storage: { copies: 2, whenFewer: 'refuse' },
  });
  const reports = [];
  for await (const report of again.vault.care.repair(async () => undefined)) reports.push(report);
  assert.deepEqual(
    reports.map((report) => report.outcome),
    ['mended', 'mended'],
  );
  await again.vault.close();
  const last = await openRig({ disks: disks.slice(2), sql: rig.sql, applied: rig.applied });
  await checkBoth(last);
  await last.vault.close();
});

test('writes are refused with fewer disks than the class asks', async () => {
  const disks = await newDisks(1);
  const rig = await openRig({ disks, storage: { copies: 2, whenFewer: 'refuse' } });
  await assert.rejects(store(rig, small, 'small'), { code: 'COPIES_TOO_FEW' });
  await rig.vault.close();
  const accepting = await openRig({ disks, storage: { copies: 2, whenFewer: 'accept' }, random: new SeededRandom(5) });
  await store(accepting, small, 'small');
  assert.deepEqual(Buffer.from(await load(accepting, 'small')), Buffer.from(small));
  await accepting.vault.close();
});

test('an empty open pack leaves nothing behind', async () => {
  const disks = await newDisks(1);
  const rig = await openRig({ disks });
  await rig.vault.close({ seal: true });
  assert.deepEqual(await (disks[0] as Disk).list('open'), []);
  assert.ok(openPath('00'.repeat(16) as never).startsWith('open/'));
});
