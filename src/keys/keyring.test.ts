import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import {
  archiveId,
  controlGroup,
  hexOf,
  isArchiveError,
  type KeyGroup,
  SeededRandom,
  tenantId,
} from '../base/index.ts';
import { type CipherKeys, cipherKeys, keysOfWalks, noCipherKeys } from '../codec/index.ts';
import { nodesOf } from './cover.ts';
import { exportsOpening, Keyring } from './keyring.ts';
import { encodeKeyring } from './keyring-file.ts';
import { LiveKeyring } from './live-keyring.ts';

const archive = archiveId('0123456789abcdef0123456789abcdef');
const tenant = tenantId(1);

function newRing(seed = 1): { ring: Keyring; random: SeededRandom } {
  const random = new SeededRandom(seed);
  return { ring: Keyring.empty(archive).withTenant(tenant, { cipher: 1, random }), random };
}

function groupOf(group: bigint, year = 2026): KeyGroup {
  return { tenant, year, group };
}

function gcmKey(keys: CipherKeys): string {
  assert.ok(keys.cipher === 1);
  return hexOf(keys.key);
}

function randomGroup(random: SeededRandom): KeyGroup {
  return groupOf(new DataView(random.bytes(8).buffer).getBigUint64(0));
}

/** FORMAT.md 4.1 in a few lines. */
function gcmKeyByFormat(root: Uint8Array, { year, group }: KeyGroup): string {
  const bits = year.toString(2).padStart(16, '0') + group.toString(2).padStart(64, '0');
  let key: Uint8Array = root;
  for (const bit of bits)
    key = createHmac('sha256', key)
      .update('stele/1/node')
      .update(Uint8Array.of(Number(bit)))
      .digest();
  return createHmac('sha256', key).update('stele/1/aes-256-gcm').digest('hex');
}

test('a group has the keys that the format says, before and after others were shredded, kept or derived anew', () => {
  const { ring, random } = newRing();
  const root = nodesOf(ring.tenantKeys(tenant).cover)[0]?.key as Uint8Array;
  const live = new LiveKeyring(ring);
  const groups = Array.from({ length: 20 }, () => randomGroup(random));
  const expected = groups.map((group) => gcmKeyByFormat(root, group));
  const check = (): void =>
    assert.deepEqual(
      groups.map((group) => gcmKey(live.groupKeys(group, 1))),
      expected,
    );
  check();
  check();
  live.replace(live.ring.shred(Array.from({ length: 30 }, () => randomGroup(random))));
  check();
  const first = groups[0] as KeyGroup;
  live.replace(live.ring.shred([groupOf(first.group ^ 1n), groupOf(first.group ^ 0x10_0000n)]));
  check();
});

test('a shredded group has no key, also when it was in use; its neighbours keep theirs', () => {
  const { ring } = newRing();
  const live = new LiveKeyring(ring);
  const neighbour = gcmKey(live.groupKeys(groupOf(8n), 1));
  live.groupKeys(groupOf(9n), 1);
  live.replace(ring.shred([groupOf(9n)]));
  assert.throws(
    () => live.groupKeys(groupOf(9n), 1),
    (error) => isArchiveError(error, 'KEY_SHREDDED'),
  );
  assert.equal(live.contains(groupOf(9n)), false);
  assert.equal(live.contains(groupOf(8n)), true);
  assert.equal(gcmKey(live.groupKeys(groupOf(8n), 1)), neighbour);
  // The generation before still has it: nothing is changed in place.
  assert.equal(ring.contains(groupOf(9n)), true);
});

test('a tenant that is not in the keyring is KEY_MISSING, a cipher that is not known CODEC_UNKNOWN', () => {
  const live = new LiveKeyring(newRing().ring);
  const stranger: KeyGroup = { ...groupOf(1n), tenant: tenantId(9) };
  assert.throws(
    () => live.groupKeys(stranger, 1),
    (error) => isArchiveError(error, 'KEY_MISSING'),
  );
  assert.throws(
    () => live.cipherOf(tenantId(9)),
    (error) => isArchiveError(error, 'KEY_MISSING'),
  );
  assert.throws(
    () => live.ring.shred([stranger]),
    (error) => isArchiveError(error, 'KEY_MISSING'),
  );
  assert.throws(
    () => live.groupKeys(groupOf(1n), 7),
    (error) => isArchiveError(error, 'CODEC_UNKNOWN'),
  );
  assert.equal(live.contains(stranger), false);
  assert.equal(live.groupKeys(groupOf(1n), 0), noCipherKeys);
});

test('generations only grow, and shredding what is not there is no new generation', () => {
  const { ring, random } = newRing();
  assert.equal(ring.generation, 2n);
  const shredded = ring.shred([groupOf(3n), groupOf(4n)]);
  assert.equal(shredded.generation, 3n);
  assert.equal(shredded.shred([groupOf(4n)]), shredded);
  assert.equal(shredded.withTenant(tenantId(2), { cipher: 2, random }).generation, 4n);
  assert.equal(ring.withCipher(tenant, 2).tenantKeys(tenant).cipher, 2);
  assert.throws(() => new LiveKeyring(shredded).replace(ring), /later generation/);
});

test('the control group of a tenant cannot be shredded, nor the year it lies in', () => {
  const { ring } = newRing();
  assert.throws(
    () => ring.shred([controlGroup(tenant)]),
    (error) => isArchiveError(error, 'ARGUMENT_INVALID'),
  );
  assert.throws(
    () => ring.shredYear(tenant, 0),
    (error) => isArchiveError(error, 'ARGUMENT_INVALID'),
  );
});

test('a whole year is shredded by leaving sixteen nodes', () => {
  const { ring } = newRing();
  const shredded = ring.shred([groupOf(1n), groupOf(1n << 63n)]).shredYear(tenant, 2026);
  assert.equal(nodesOf(shredded.tenantKeys(tenant).cover).length, 16);
  assert.equal(shredded.contains(groupOf(12n)), false);
  assert.equal(shredded.contains(groupOf(12n, 2025)), true);
});

test('the exports that could open a shredded group are those made before', () => {
  const exports = [
    { number: 1, generation: 2n },
    { number: 2, generation: 3n },
    { number: 3, generation: 4n },
  ];
  assert.deepEqual(
    exportsOpening(exports, 4n).map((each) => each.number),
    [1, 2],
  );
  assert.deepEqual(exportsOpening(exports, 2n), []);
});

test('a keyring after a thousand shreds of one tenant and year stays under eight megabytes', () => {
  const { ring, random } = newRing();
  const shredded = ring.shred(Array.from({ length: 1000 }, () => randomGroup(random)));
  const nodes = nodesOf(shredded.tenantKeys(tenant).cover).length;
  const sizeBytes = encodeKeyring(shredded).byteLength;
  assert.ok(nodes < 60_000, `${nodes} nodes`);
  assert.ok(sizeBytes < 8_000_000, `${sizeBytes} bytes`);
});

test('many groups asked for at once have the keys that each has alone, and what each lacks is told in its place', () => {
  const { ring, random } = newRing();
  const groups = Array.from({ length: 30 }, () => randomGroup(random));
  const gone = groups[7] as KeyGroup;
  const unknown = { ...groupOf(3n), tenant: tenantId(9) };
  const live = new LiveKeyring(ring.shred([gone]));
  const asked = [...groups, groupOf(0n, 0), unknown].map((group, index) => ({ group, cipher: index % 3 }));
  const alone = asked.map(({ group, cipher }) => {
    try {
      return live.groupKeys(group, cipher);
    } catch (error) {
      assert.ok(isArchiveError(error));
      return error.code;
    }
  });
  const { keys, walks, places } = live.manyGroupKeys(asked);
  const walked = keysOfWalks(walks).map((key, index) => cipherKeys(key, walks.ciphers[index] as number));
  const together = places.map((place) => (isArchiveError(place) ? place.code : [...keys, ...walked][place]));
  assert.deepEqual(together, alone);
  assert.ok(walked.length > 10, 'most are left to whoever opens the records');
  assert.deepEqual([together[7], together.at(-1)], ['KEY_SHREDDED', 'KEY_MISSING']);
  assert.ok(isArchiveError(live.manyGroupKeys([{ group: gone, cipher: 77 }]).places[0], 'CODEC_UNKNOWN'));
});
