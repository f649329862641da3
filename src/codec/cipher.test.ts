import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesOfHex, concatBytes, emptyBytes, hexOf, isArchiveError, SeededRandom, utf8Bytes } from '../base/index.ts';
import {
  type CipherKeys,
  cipherKeys,
  noCipherKeys,
  nonceSizeBytes,
  openBody,
  sealPacked,
  tagSizeBytes,
} from './cipher.ts';

const random = new SeededRandom(20_261_121);

function unhex(text: string): Uint8Array {
  return bytesOfHex(text.replaceAll(/\s/g, ''));
}

/** Every cipher with keys of a made-up group, and a nonce for it. */
function allCiphers(): { name: string; keys: CipherKeys; nonce: Uint8Array }[] {
  return ([1, 2] as const).map((cipher) => ({
    name: `cipher ${cipher}`,
    keys: cipherKeys(random.bytes(32), cipher),
    nonce: random.bytes(nonceSizeBytes(cipher)),
  }));
}

// The specification of GCM (McGrew and Viega), test cases 13, 14 and 16.
const gcmVectors = [
  {
    key: '00'.repeat(32),
    nonce: '00'.repeat(12),
    plain: '',
    associated: '',
    body: '530f8afbc74536b9a963b4f1c4cb738b',
  },
  {
    key: '00'.repeat(32),
    nonce: '00'.repeat(12),
    plain: '00'.repeat(16),
    associated: '',
    body: 'cea7403d4d606b6e074ec5d3baf39d18 d0d1c8a799996bf0265b98b5d48ab919',
  },
  {
    key: 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
    nonce: 'cafebabefacedbaddecaf888',
    plain: `d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
            1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39`,
    associated: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    body: `522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
           8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662
           76fc6ece0f4e1768cddf8853bb2d551b`,
  },
];

test('AES-256-GCM gives the bodies that its specification gives', () => {
  for (const vector of gcmVectors) {
    const keys: CipherKeys = { cipher: 1, key: unhex(vector.key) };
    const shared = { keys, nonce: unhex(vector.nonce), associated: unhex(vector.associated) };
    const body = sealPacked({ ...shared, packed: unhex(vector.plain) });
    assert.equal(hexOf(body), vector.body.replaceAll(/\s/g, ''));
    assert.equal(hexOf(openBody({ ...shared, body })), vector.plain.replaceAll(/\s/g, ''));
  }
});

function sm4Ciphertext(key: string, nonce: string, plain: string): string {
  const keys: CipherKeys = { cipher: 2, key: unhex(key), macKey: new Uint8Array(32) };
  const body = sealPacked({ keys, nonce: unhex(nonce), associated: emptyBytes, packed: unhex(plain) });
  return hexOf(body.subarray(0, body.byteLength - tagSizeBytes(2)));
}

test('SM4 in counter mode gives the ciphertexts of the standards', () => {
  // GB/T 32907 example 1: the block 0123...3210 under the key 0123...3210; a counter block over zeros shows it.
  const block = '0123456789abcdeffedcba9876543210';
  assert.equal(sm4Ciphertext(block, block, '00'.repeat(16)), '681edf34d206965e86b3e94f536e4246');
  // draft-ribose-cfrg-sm4, example of SM4-CTR.
  assert.equal(
    sm4Ciphertext(
      block,
      '000102030405060708090a0b0c0d0e0f',
      `aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd
       eeeeeeeeeeeeeeeeffffffffffffffffaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb`,
    ),
    'ac3236cb970cc20791364c395a1342d1a3cbc1878c6f30cd074cce385cdd70c7' +
      'f234bc0e24c11980fd1286310ce37b926e02fcd0faa0baf38b2933851d824514',
  );
});

test('SM3 and HMAC-SM3 give the digests of the standards', () => {
  const sm3 = (text: string): string => createHash('sm3').update(text).digest('hex');
  // GB/T 32905, examples 1 and 2.
  assert.equal(sm3('abc'), '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0');
  assert.equal(sm3('abcd'.repeat(16)), 'debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732');
  const key = Uint8Array.from({ length: 32 }, (_, index) => index + 1);
  const text = 'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'.repeat(2);
  assert.equal(
    createHmac('sm3', key).update(text).digest('hex'),
    'ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a',
  );
});

test('the MAC of cipher 2 covers nonce, length and bytes of the authenticated data, and ciphertext', () => {
  const keys: CipherKeys = { cipher: 2, key: random.bytes(16), macKey: random.bytes(32) };
  const nonce = random.bytes(16);
  const associated = random.bytes(88);
  const body = sealPacked({ keys, nonce, associated, packed: utf8Bytes('packed bytes') });
  const length = Uint8Array.of(88, 0, 0, 0, 0, 0, 0, 0);
  const covered = concatBytes([nonce, length, associated, body.subarray(0, 12)]);
  assert.equal(hexOf(body.subarray(12)), createHmac('sm3', keys.macKey).update(covered).digest('hex'));
});

test('subkeys are those that openssl derives from the group key, and bodies those that it makes', (context) => {
  const openssl = (args: string[], input: Uint8Array): Uint8Array | undefined => {
    const run = spawnSync('openssl', args, { input, timeout: 10_000 });
    return run.status === 0 ? run.stdout : undefined;
  };
  const mac = (digest: string, key: Uint8Array, text: Uint8Array): Uint8Array | undefined =>
    openssl(['dgst', `-${digest}`, '-binary', '-mac', 'HMAC', '-macopt', `hexkey:${hexOf(key)}`], text);
  const groupKey = random.bytes(32);
  const gcmKey = mac('sha256', groupKey, utf8Bytes('stele/1/aes-256-gcm'));
  const sm4Key = mac('sha256', groupKey, utf8Bytes('stele/1/sm4-ctr'))?.subarray(0, 16);
  const macKey = mac('sha256', groupKey, utf8Bytes('stele/1/hmac-sm3'));
  const nonce = random.bytes(16);
  const associated = random.bytes(88);
  const packed = random.bytes(1000);
  const counterMode = ['enc', '-sm4-ctr', '-K', hexOf(sm4Key ?? emptyBytes), '-iv', hexOf(nonce)];
  const ciphertext = sm4Key && openssl(counterMode, packed);
  if (gcmKey === undefined || macKey === undefined || sm4Key === undefined || ciphertext === undefined) {
    context.skip('the openssl of this machine is missing or has no SM4 and SM3');
    return;
  }
  assert.deepEqual(plainKeys(cipherKeys(groupKey, 1)), { cipher: 1, key: hexOf(gcmKey) });
  assert.deepEqual(plainKeys(cipherKeys(groupKey, 2)), { cipher: 2, key: hexOf(sm4Key), macKey: hexOf(macKey) });
  const covered = concatBytes([nonce, Uint8Array.of(88, 0, 0, 0, 0, 0, 0, 0), associated, ciphertext]);
  const tag = mac('sm3', macKey, covered);
  const body = sealPacked({ keys: cipherKeys(groupKey, 2), nonce, associated, packed });
  assert.equal(hexOf(body), hexOf(concatBytes([ciphertext, tag ?? emptyBytes])));
});

function plainKeys(keys: CipherKeys): Record<string, unknown> {
  if (keys.cipher === 0) return keys;
  if (keys.cipher === 1) return { cipher: 1, key: hexOf(keys.key) };
  return { cipher: 2, key: hexOf(keys.key), macKey: hexOf(keys.macKey) };
}

test('what was sealed opens to the same bytes, at every length around the limits of copying', () => {
  for (const { keys, nonce, name } of allCiphers()) {
    for (const sizeBytes of [0, 1, 15, 16, 17, 4096, 65_535, 65_536, 65_537, 1_048_576]) {
      const packed = random.bytes(sizeBytes);
      const associated = random.bytes(88);
      const body = sealPacked({ keys, nonce, associated, packed });
      assert.equal(body.byteLength, sizeBytes + tagSizeBytes(keys.cipher), name);
      assert.deepEqual(Buffer.from(openBody({ keys, nonce, associated, body })), Buffer.from(packed), name);
    }
  }
});

test('a change of one bit in body, nonce, authenticated data or key is RECORD_CORRUPT', () => {
  const flip = (bytes: Uint8Array, bit: number): Uint8Array => {
    const changed = bytes.slice();
    const at = (bit >> 3) % changed.byteLength;
    changed[at] = (changed[at] as number) ^ (1 << (bit & 7));
    return changed;
  };
  const ciphers = allCiphers();
  fc.assert(
    fc.property(fc.constantFrom(...ciphers), fc.uint8Array({ maxLength: 300 }), fc.nat(), (each, packed, bit) => {
      const { keys, nonce } = each;
      const associated = random.bytes(88);
      const body = sealPacked({ keys, nonce, associated, packed });
      const groupKey = random.bytes(32);
      const wrong = [
        { keys, nonce, associated, body: flip(body, bit) },
        { keys, nonce: flip(nonce, bit), associated, body },
        { keys, nonce, associated: flip(associated, bit), body },
        { keys: cipherKeys(groupKey, keys.cipher), nonce, associated, body },
        { keys, nonce, associated, body: body.subarray(0, body.byteLength - 1) },
        { keys, nonce, associated, body: body.subarray(0, bit % tagSizeBytes(keys.cipher)) },
        { keys, nonce: nonce.subarray(1), associated, body },
      ];
      for (const input of wrong)
        assert.throws(
          () => openBody(input),
          (error) => isArchiveError(error, 'RECORD_CORRUPT'),
        );
    }),
  );
});

test('without a cipher the body is the packed bytes, not a copy of them', () => {
  const packed = random.bytes(64);
  const body = sealPacked({ keys: noCipherKeys, nonce: emptyBytes, associated: emptyBytes, packed });
  assert.equal(body, packed);
  assert.equal(openBody({ keys: noCipherKeys, nonce: emptyBytes, associated: emptyBytes, body }), packed);
});

test('a cipher of a later version is CODEC_UNKNOWN', () => {
  assert.throws(
    () => cipherKeys(random.bytes(32), 3),
    (error) => isArchiveError(error, 'CODEC_UNKNOWN'),
  );
});
