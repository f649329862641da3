import assert from 'node:assert/strict';
import { createDecipheriv, scryptSync } from 'node:crypto';
import { test } from 'node:test';
import {
  archiveId,
  bytesOfBase64,
  type ErrorCode,
  isArchiveError,
  type KeyGroup,
  SeededRandom,
  tenantId,
  utf8Bytes,
} from '../base/index.ts';
import { Keyring } from './keyring.ts';
import {
  decodeKeyring,
  encodeExport,
  encodeKeyring,
  encodeProtectedKeyring,
  readKeyringHeader,
} from './keyring-file.ts';
import { LiveKeyring } from './live-keyring.ts';

const archive = archiveId('0123456789abcdef0123456789abcdef');
const random = new SeededRandom(9);
const groupOf = (group: bigint): KeyGroup => ({ tenant: tenantId(1), year: 2026, group });
const ring = Keyring.empty(archive)
  .withTenant(tenantId(0), { cipher: 1, random })
  .withTenant(tenantId(1), { cipher: 2, random })
  .shred([groupOf(5n), groupOf(1n << 60n)]);

async function checkFails(bytes: Uint8Array, passphrase: string | undefined, code: ErrorCode): Promise<void> {
  await assert.rejects(decodeKeyring(bytes, passphrase), (error) => isArchiveError(error, code));
}

function edited(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const text = Buffer.from(bytes).toString();
  assert.ok(text.includes(from));
  return utf8Bytes(text.replace(from, to));
}

test('a keyring in the clear is read back as it was written', async () => {
  const bytes = encodeKeyring(ring);
  const decoded = await decodeKeyring(bytes);
  assert.deepEqual(decoded.ring, ring);
  assert.equal(decoded.export, undefined);
  assert.equal(decoded.isProtected, false);
  assert.deepEqual(encodeKeyring(decoded.ring), bytes);
});

test('every change of a byte in the file is KEYRING_CORRUPT', async () => {
  const bytes = encodeKeyring(ring);
  for (let at = 0; at < bytes.byteLength - 1; at += 1 + random.below(bytes.byteLength / 60)) {
    const changed = bytes.slice();
    changed[at] = (changed[at] as number) ^ (1 << random.below(7));
    await checkFails(changed, undefined, 'KEYRING_CORRUPT');
    await checkFails(bytes.subarray(0, at), undefined, 'KEYRING_CORRUPT');
  }
  await checkFails(utf8Bytes('null'), undefined, 'KEYRING_CORRUPT');
  await checkFails(utf8Bytes('{"sha256":""}'), undefined, 'KEYRING_CORRUPT');
});

test('an export opens with its passphrase in any normal form, and with no other', async () => {
  const fields = { number: 3n, created: '2026-11-21T00:00:00.000Z' };
  // e and a combining acute on the one side, the single letter on the other.
  const bytes = await encodeExport(ring, fields, { passphrase: 'cle\u0301 \u7891', random });
  assert.deepEqual(readKeyringHeader(bytes), {
    archive,
    generation: ring.generation,
    export: fields,
    isProtected: true,
  });
  const decoded = await decodeKeyring(bytes, 'cl\u00e9 \u7891');
  assert.deepEqual(decoded.ring, ring);
  assert.deepEqual(decoded.export, fields);
  await checkFails(bytes, 'cle \u7891', 'PASSPHRASE_WRONG');
  await checkFails(bytes, undefined, 'PASSPHRASE_WRONG');
  await checkFails(edited(bytes, '"sealed":"', '"sealed":"A'), 'cl\u00e9 \u7891', 'KEYRING_CORRUPT');
});

test('an export is opened by what the format says, without our code', async () => {
  const protection = { passphrase: 'correct horse', random };
  const bytes = await encodeExport(ring, { number: 7n, created: '2026-11-21T00:00:00Z' }, protection);
  const json = JSON.parse(Buffer.from(bytes).toString());
  const key = scryptSync('correct horse', bytesOfBase64(json.kdf.salt), 32, {
    N: 131_072,
    r: 8,
    p: 1,
    maxmem: 2 ** 28,
  });
  const sealed = bytesOfBase64(json.sealed);
  const decipher = createDecipheriv('aes-256-gcm', key, bytesOfBase64(json.nonce));
  decipher.setAAD(utf8Bytes(`stele-keyring/1/${archive}/${ring.generation}/7`));
  decipher.setAuthTag(sealed.subarray(-16));
  const plain = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]).toString();
  assert.deepEqual(JSON.parse(plain), JSON.parse(Buffer.from(encodeKeyring(ring)).toString()).tenants);
});

test('a protected keyring file gives the keyring and hides its keys', async () => {
  const bytes = await encodeProtectedKeyring(ring, { passphrase: 'p', random });
  assert.equal(readKeyringHeader(bytes).export, undefined);
  assert.ok(!Buffer.from(bytes).toString().includes('nodes'));
  const live = new LiveKeyring((await decodeKeyring(bytes, 'p')).ring);
  assert.deepEqual(live.groupKeys(groupOf(6n), 2), new LiveKeyring(ring).groupKeys(groupOf(6n), 2));
});

test('an empty passphrase is refused', async () => {
  const made = async (): Promise<unknown> => encodeProtectedKeyring(ring, { passphrase: '', random });
  await assert.rejects(made, (error) => isArchiveError(error, 'ARGUMENT_INVALID'));
});
