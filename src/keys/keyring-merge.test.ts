import assert from 'node:assert/strict';
import { test } from 'node:test';
import { archiveId, isArchiveError, type KeyGroup, SeededRandom, tenantId, utf8Bytes } from '../base/index.ts';
import { exportsOpening, Keyring } from './keyring.ts';
import { encodeKeyring, encodeProtectedKeyring } from './keyring-file.ts';
import { importExport, newestKeyring } from './keyring-merge.ts';
import { LiveKeyring } from './live-keyring.ts';

const archive = archiveId('0123456789abcdef0123456789abcdef');
const random = new SeededRandom(77);
const tenant = tenantId(1);
const groupOf = (group: bigint): KeyGroup => ({ tenant, year: 2026, group });
const first = Keyring.empty(archive).withTenant(tenant, { cipher: 1, random });
const victim = groupOf(0xdead_beefn);
const later = first.shred([victim]);

test('an export from before a shred opens the group and groups created later, one from after does not open it', () => {
  // A group that nobody had thought of when the export was made.
  const createdLater = groupOf(0x1122_3344_5566_7788n);
  const before = new LiveKeyring(first);
  const after = new LiveKeyring(later);
  assert.equal(before.groupKeys(victim, 1).cipher, 1);
  assert.throws(
    () => after.groupKeys(victim, 1),
    (error) => isArchiveError(error, 'KEY_SHREDDED'),
  );
  assert.deepEqual(before.groupKeys(createdLater, 1), after.groupKeys(createdLater, 1));
  const exports = [
    { number: 1, generation: first.generation },
    { number: 2, generation: later.generation },
  ];
  assert.deepEqual(
    exportsOpening(exports, later.generation).map((each) => each.number),
    [1],
  );
});

test('importing what is missing never brings back a shredded group', () => {
  const imported = importExport(later, first, { mode: 'missing' });
  assert.equal(imported.ring, later);
  assert.deepEqual(imported.added, []);
  const lost = importExport(Keyring.empty(archive), later, { mode: 'missing' });
  assert.deepEqual(lost.added, [tenant]);
  assert.equal(lost.ring.contains(victim), false);
  assert.equal(lost.ring.contains(groupOf(1n)), true);
  assert.ok(lost.ring.generation > later.generation);
});

test('replacing brings back what the export holds, in a generation after both', () => {
  const imported = importExport(later, first, { mode: 'replace' });
  assert.deepEqual(imported.replaced, [tenant]);
  assert.deepEqual(imported.different, []);
  assert.equal(imported.ring.contains(victim), true);
  assert.ok(imported.ring.generation > later.generation);
  const old = importExport(first, later, { mode: 'replace' });
  assert.ok(old.ring.generation > later.generation);
  assert.equal(old.ring.contains(victim), false);
});

test('an import of keys from another root says so, one of another archive is DATA_FOREIGN', () => {
  const renewed = Keyring.empty(archive).withTenant(tenant, { cipher: 1, random });
  assert.deepEqual(importExport(renewed, later, { mode: 'missing' }).different, [tenant]);
  const foreign = Keyring.empty(archiveId('f'.repeat(32)));
  assert.throws(
    () => importExport(later, foreign, { mode: 'missing' }),
    (error) => isArchiveError(error, 'DATA_FOREIGN'),
  );
});

test('of several copies the greatest generation counts; older, missing, damaged and foreign ones are named', async () => {
  const foreign = Keyring.empty(archiveId('f'.repeat(32)));
  const chosen = await newestKeyring(
    [
      { place: 'old', bytes: encodeKeyring(first) },
      { place: 'new', bytes: encodeKeyring(later) },
      { place: 'copy', bytes: encodeKeyring(later) },
      { place: 'bare', bytes: undefined },
      { place: 'torn', bytes: encodeKeyring(later).subarray(0, 300) },
      { place: 'other', bytes: encodeKeyring(foreign) },
    ],
    { archive },
  );
  assert.deepEqual(chosen?.ring, later);
  assert.deepEqual(chosen?.stale, ['old', 'bare']);
  assert.deepEqual(chosen?.corrupt, ['torn']);
  assert.deepEqual(chosen?.foreign, ['other']);
  assert.deepEqual(chosen?.bytes, encodeKeyring(later));
});

test('no copy anywhere is no keyring; damaged copies, foreign ones and two that differ are errors', async () => {
  const rejects = async (all: Uint8Array[], code: 'KEYRING_CORRUPT' | 'DATA_FOREIGN'): Promise<void> => {
    const candidates = all.map((bytes, place) => ({ place, bytes }));
    await assert.rejects(newestKeyring(candidates, { archive }), (error) => isArchiveError(error, code));
  };
  assert.equal(await newestKeyring([{ place: 1, bytes: undefined }], { archive }), undefined);
  await rejects([utf8Bytes('{}')], 'KEYRING_CORRUPT');
  await rejects([encodeKeyring(Keyring.empty(archiveId('e'.repeat(32))))], 'DATA_FOREIGN');
  await rejects([encodeKeyring(later), encodeKeyring(first.shred([groupOf(4n)]))], 'KEYRING_CORRUPT');
});

test('protected copies of one generation are compared by what they hold', async () => {
  const protection = { passphrase: 'wall', random };
  const copies = [await encodeProtectedKeyring(later, protection), await encodeProtectedKeyring(later, protection)];
  const candidates = copies.map((bytes, place) => ({ place, bytes }));
  assert.deepEqual((await newestKeyring(candidates, { archive, passphrase: 'wall' }))?.ring, later);
});
