// A database made again from packs: every fact once, whichever footers are whole, however long they are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newDatabasePath, openRig, type Rig, rigGroup, rigKeys } from '../../tests/support/vault-rig.ts';
import { ArchiveError, hexOf, type KeyGroup, type PackId, SeededRandom } from '../base/index.ts';
import { type CodecPool, makeRecord, type OpenManyJob, openMany, openRecord } from '../codec/index.ts';
import { SimDisk } from '../disk/index.ts';
import { recordKind } from '../format/index.ts';
import type { GroupCipher, KeySource, ManyGroupKeys } from '../keys/index.ts';
import { openSqlite } from '../sql/index.ts';
import { footerPath, sealedPath } from './paths.ts';

const random = new SeededRandom(11);
const otherGroup: KeyGroup = { ...rigGroup, group: 78n };

function disksOf(count: number): SimDisk[] {
  return Array.from(
    { length: count },
    (_, seed) => new SimDisk({ random: new SeededRandom(seed), label: `disk ${seed}` }),
  );
}

type Said = { readonly group: KeyGroup; readonly plain: Uint8Array };

/** One sealed pack with these facts. */
async function sealed(disks: readonly SimDisk[], facts: readonly Said[]): Promise<{ rig: Rig; pack: PackId }> {
  const rig = await openRig({ disks });
  for (const fact of facts) await rig.vault.say('ingest', [{ kind: recordKind.entry, ...fact }]);
  await rig.vault.sealOpen('all');
  const [found] = await rig.vault.register.packsAfter(undefined, 2);
  assert.ok(found !== undefined);
  await rig.vault.close();
  return { rig, pack: found.pack };
}

/** The same disks with a new database; how often the quick way was taken is counted. */
async function rebuilt(
  disks: readonly SimDisk[],
  more: { keys?: KeySource; fromMedia?: boolean } = {},
): Promise<{ rig: Rig; stretches: number }> {
  let stretches = 0;
  const pool = {
    make: makeRecord,
    open: openRecord,
    openMany: async (job: OpenManyJob) => {
      stretches += 1;
      return openMany(job);
    },
  } as unknown as CodecPool;
  const rig = await openRig({
    disks: disks.map((disk) => disk.restart()),
    sql: await openSqlite({ path: newDatabasePath() }),
    random: new SeededRandom(5),
    everything: true,
    pool,
    ...more,
  });
  return { rig, stretches };
}

/** What was applied, in a form that compares. */
function factsOf(rig: Rig): Map<string, string> {
  return new Map([...rig.applied].map(([id, plain]) => [id, hexOf(plain)]));
}

function said(count: number, sizeBytes: number): Said[] {
  return Array.from({ length: count }, (_, index) => ({
    group: index % 3 === 0 ? otherGroup : rigGroup,
    plain: random.bytes(sizeBytes),
  }));
}

test('a footer of many stretches and groups comes back whole, fact by fact', async () => {
  const disks = disksOf(1);
  const text = new TextEncoder().encode('an inscription, '.repeat(60_000));
  const facts = [...said(40, 500), ...said(30, 400_000), { group: rigGroup, plain: text }, ...said(3, 0)];
  const { rig } = await sealed(disks, facts);
  const again = await rebuilt(disks);
  assert.deepEqual(factsOf(again.rig), factsOf(rig));
  assert.equal(again.rig.report.factCount, facts.length);
  assert.ok(again.stretches >= 10, 'stretch by stretch');
  await again.rig.vault.close();
});

test('rot anywhere in the footer that is read first costs nothing', async () => {
  const facts = said(6, 300);
  const disks = disksOf(2);
  const { rig, pack } = await sealed(disks, facts);
  const sizeBytes = disks[0]?.mediaBytes(footerPath(pack)).byteLength ?? 0;
  for (let offset = 4096; offset < sizeBytes; offset += 307) {
    disks[0]?.flipBit(footerPath(pack), offset, 3);
    disks[0]?.dropCache();
    const again = await rebuilt(disks);
    assert.deepEqual(factsOf(again.rig), factsOf(rig), `rot at ${offset}`);
    assert.deepEqual([again.rig.report.losses, again.rig.report.unreadable], [[], []]);
    await again.rig.vault.close();
    disks[0]?.flipBit(footerPath(pack), offset, 3);
  }
});

test('with both footer files rotten the packs are asked, and with those too the loss is told', async () => {
  const disks = disksOf(2);
  const { rig, pack } = await sealed(disks, said(6, 300));
  // Behind the header lies a group of index records; the facts are in the next.
  const fact = 4096 + 4096 + 200;
  for (const disk of disks) {
    disk.flipBit(footerPath(pack), fact);
    disk.dropCache();
  }
  const fromPack = await rebuilt(disks);
  assert.deepEqual(factsOf(fromPack.rig), factsOf(rig));
  await fromPack.rig.vault.close();
  for (const disk of disks) {
    const bytes = disk.mediaBytes(sealedPath(pack));
    disk.flipBit(sealedPath(pack), bytes.byteLength - 10);
    disk.dropCache();
  }
  const none = await rebuilt(disks);
  assert.deepEqual(
    none.rig.report.unreadable.map((each) => each.reason.code),
    ['PACK_CORRUPT'],
  );
  assert.match(none.rig.report.unreadable[0]?.reason.message ?? '', /it holds 6 records: [0-9a-f]{32}\.1-6$/);
  await none.rig.vault.close();
  const walked = await rebuilt(disks, { fromMedia: true });
  assert.deepEqual(factsOf(walked.rig), factsOf(rig));
  await walked.rig.vault.close();
});

test('facts whose key is gone are told as such, and the rest are opened', async () => {
  const disks = disksOf(1);
  const facts = said(9, 200);
  await sealed(disks, facts);
  const keys = {
    manyGroupKeys: (groups: readonly GroupCipher[]): ManyGroupKeys => ({
      ...rigKeys.manyGroupKeys(groups),
      places: groups.map(({ group }, place) =>
        group.group === otherGroup.group ? new ArchiveError('KEY_SHREDDED', 'gone') : place,
      ),
    }),
  } as KeySource;
  const again = await rebuilt(disks, { keys });
  assert.deepEqual(again.rig.unopened, ['KEY_SHREDDED', 'KEY_SHREDDED', 'KEY_SHREDDED']);
  assert.equal(again.rig.applied.size, 6);
  await again.rig.vault.close();
});
