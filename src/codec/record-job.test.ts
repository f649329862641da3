import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bytesOfHex,
  hexOf,
  isArchiveError,
  type KeyGroup,
  SeededRandom,
  sha256,
  tenantId,
  writerId,
} from '../base/index.ts';
import { decodeHead, type Head } from '../format/index.ts';
import { type CipherNumber, cipherKeys, nonceSizeBytes } from './cipher.ts';
import { type MakeJob, makeRecord, openRecord } from './record-job.ts';

const random = new SeededRandom(5);
const groupKey = random.bytes(32);
const group: KeyGroup = { tenant: tenantId(1), year: 2026, group: 0x0123_4567_89ab_cdefn };

function makeJob(plain: Uint8Array, cipher: CipherNumber): MakeJob {
  return {
    fields: {
      kind: 1,
      group,
      id: { writer: writerId('00112233445566778899aabbccddeeff'), sequence: 7n },
      hybrid: 0x0190_0000_0000_0001n,
    },
    plain,
    hint: { kind: 'bytes', effort: 'fast' },
    keys: cipherKeys(groupKey, cipher),
    nonce: random.bytes(nonceSizeBytes(cipher)),
  };
}

function headOf(bytes: Uint8Array): Head {
  const head = decodeHead(bytes);
  assert.ok(head !== undefined && head !== 'short');
  return head;
}

test('a record that was made opens to the plain bytes it was made of', () => {
  const plains = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }),
    fc.nat({ max: 20_000 }).map((size) => new Uint8Array(size)),
  );
  fc.assert(
    fc.property(plains, fc.constantFrom<CipherNumber>(0, 1, 2), (plain, cipher) => {
      const { fields, head: bytes, body } = makeRecord(makeJob(plain, cipher));
      const head = headOf(bytes);
      assert.equal(head.cipher, cipher);
      assert.equal(head.plainSizeBytes, plain.byteLength);
      assert.equal(head.codec, fields.codec);
      assert.equal(head.bodySizeBytes, body.byteLength);
      assert.equal(hexOf(head.bodyDigest), hexOf(sha256(body)));
      const opened = openRecord({ head, body, keys: cipherKeys(groupKey, cipher) });
      assert.deepEqual(Buffer.from(opened), Buffer.from(plain));
    }),
  );
});

test('a body or a head that was changed is RECORD_CORRUPT, also when the digest was made to fit', () => {
  for (const cipher of [1, 2] as const) {
    const keys = cipherKeys(groupKey, cipher);
    const made = makeRecord(makeJob(random.bytes(1000), cipher));
    const head = headOf(made.head);
    const corrupt = (changedHead: Head, body: Uint8Array): void =>
      assert.throws(
        () => openRecord({ head: changedHead, body, keys }),
        (error) => isArchiveError(error, 'RECORD_CORRUPT'),
      );
    const body = made.body.slice();
    body[500] = (body[500] as number) ^ 1;
    corrupt(head, body);
    corrupt(head, made.body.subarray(1));
    corrupt({ ...head, bodyDigest: sha256(body) }, body);
    // The same record under another sequence number: the cipher binds the head to the body.
    const bytes = head.bytes.slice();
    bytes[56] = 8;
    corrupt({ ...head, bytes }, made.body);
  }
});

test('a record with parts of a later version is CODEC_UNKNOWN', () => {
  const made = makeRecord(makeJob(random.bytes(10), 1));
  const head: Head = { ...headOf(made.head), understood: false };
  const job = { head, body: made.body, keys: cipherKeys(groupKey, 1) };
  assert.throws(
    () => openRecord(job),
    (error) => isArchiveError(error, 'CODEC_UNKNOWN'),
  );
});

// The digests were computed from FORMAT.md alone by another implementation (Python's hmac, hashlib and cryptography).
test('the golden record of each cipher is made as the format says', () => {
  const nonces = { 0: '', 1: '000102030405060708090a0b', 2: '000102030405060708090a0b0c0d0e0f' };
  const digests = {
    0: 'd47ab6bf531d2b7d852a6cceb2a754a8a18a122b03cc92103e4302994fda9f12',
    1: '2327319982a100beca851a2accd76cb9df061bd71778e3466490c74a22a68482',
    2: '4485cdbe04a5827c6c38634049ca54dbeb6b7687fdd6f531fccf892d5559c468',
  };
  for (const cipher of [0, 1, 2] as const) {
    const keys = cipherKeys(new Uint8Array(32).fill(0x42), cipher);
    const job = { ...makeJob(Buffer.from('stele '.repeat(40)), cipher), keys, nonce: bytesOfHex(nonces[cipher]) };
    const { head, body } = makeRecord({ ...job, hint: { kind: 'raw' } });
    assert.equal(hexOf(sha256(Buffer.concat([head, body]))), digests[cipher]);
  }
});
