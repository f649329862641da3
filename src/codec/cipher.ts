// Ciphers: packed bytes <-> body, as FORMAT.md 4 says, and the subkeys they take from a group's key.
//
//   1  AES-256-GCM          body = ciphertext ‖ 16-byte tag, nonce 12 bytes
//   2  SM4-CTR + HMAC-SM3   body = ciphertext ‖ 32-byte MAC, nonce 16 bytes: the first counter block
//
// Invariants: a nonce is given, never drawn here; nothing is handed out before it authenticates; MACs are compared in constant time; no error
// names a key, a nonce or content.
// Left out on purpose: where group keys come from (../keys), and what is authenticated beside the body (../format says it).

import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { ArchiveError, assert, copyBytes, emptyBytes, never } from '../base/index.ts';
import { releaseOwn } from './buffers.ts';

export const cipherNumber = { none: 0, aes256Gcm: 1, sm4CtrHmacSm3: 2 } as const;
export type CipherNumber = (typeof cipherNumber)[keyof typeof cipherNumber];

/** What a cipher needs of a group's key. Derived once a group and kept with it; may be sent to a worker of this process. */
export type CipherKeys =
  | { readonly cipher: 0 }
  | { readonly cipher: 1; readonly key: Uint8Array }
  | { readonly cipher: 2; readonly key: Uint8Array; readonly macKey: Uint8Array };

export const noCipherKeys: CipherKeys = { cipher: 0 };

const groupKeyBytes = 32;
const sm4KeyBytes = 16;
const factsOf = {
  0: { nonceBytes: 0, tagBytes: 0 },
  1: { nonceBytes: 12, tagBytes: 16 },
  2: { nonceBytes: 16, tagBytes: 32 },
} as const satisfies Record<CipherNumber, { nonceBytes: number; tagBytes: number }>;

export function isCipherNumber(value: number): value is CipherNumber {
  return value === 0 || value === 1 || value === 2;
}

/** CODEC_UNKNOWN for a number that this version does not know. */
export function checkedCipher(value: number): CipherNumber {
  if (!isCipherNumber(value)) throw new ArchiveError('CODEC_UNKNOWN', `cipher ${value} is not known to this version`);
  return value;
}

export function nonceSizeBytes(cipher: CipherNumber): number {
  return factsOf[cipher].nonceBytes;
}

/** By how much a body is longer than the packed bytes. */
export function tagSizeBytes(cipher: CipherNumber): number {
  return factsOf[cipher].tagBytes;
}

/** In a buffer of its own: keys go to workers, and a view would take its whole buffer along. */
function subkey(groupKey: Uint8Array, purpose: string, sizeBytes: number): Uint8Array {
  const mac = createHmac('sha256', groupKey).update(purpose, 'latin1').digest();
  return Uint8Array.from(mac.subarray(0, sizeBytes));
}

/** The subkeys of group key K. CODEC_UNKNOWN for a cipher that this version does not know. */
export function cipherKeys(groupKey: Uint8Array, cipher: number): CipherKeys {
  assert(groupKey.byteLength === groupKeyBytes, 'a group key has 32 bytes');
  const known = checkedCipher(cipher);
  switch (known) {
    case 0:
      return noCipherKeys;
    case 1:
      return { cipher: 1, key: subkey(groupKey, 'stele/1/aes-256-gcm', groupKeyBytes) };
    case 2:
      return {
        cipher: 2,
        key: subkey(groupKey, 'stele/1/sm4-ctr', sm4KeyBytes),
        macKey: subkey(groupKey, 'stele/1/hmac-sm3', groupKeyBytes),
      };
    default:
      return never(known, 'a cipher has subkeys');
  }
}

export type SealInput = {
  readonly keys: CipherKeys;
  readonly nonce: Uint8Array;
  readonly associated: Uint8Array;
  readonly packed: Uint8Array;
};

/** The body. With no cipher that is the packed bytes themselves, not a copy. The same nonce must never be used twice with one key. */
export function sealPacked(input: SealInput): Uint8Array {
  const { ciphertext, tag } = seal(input);
  return tag.byteLength === 0 ? ciphertext : withTag(ciphertext, tag);
}

/** The body, written into `body`, which is as long. */
export function sealInto(input: SealInput, body: Uint8Array): void {
  const { ciphertext, tag } = seal(input);
  assert(ciphertext.byteLength + tag.byteLength === body.byteLength, 'a body is as long as its head was told');
  copyBytes(ciphertext, body);
  body.set(tag, ciphertext.byteLength);
  if (ciphertext.buffer !== input.packed.buffer) releaseOwn(ciphertext);
}

function seal(input: SealInput): { ciphertext: Uint8Array; tag: Uint8Array } {
  const { keys, nonce, associated, packed } = input;
  assert(nonce.byteLength === factsOf[keys.cipher].nonceBytes, 'a nonce has the length that its cipher asks for');
  switch (keys.cipher) {
    case 0:
      return { ciphertext: packed, tag: emptyBytes };
    case 1: {
      const cipher = createCipheriv('aes-256-gcm', keys.key, nonce);
      cipher.setAAD(associated);
      const ciphertext = cipher.update(packed);
      cipher.final();
      return { ciphertext, tag: cipher.getAuthTag() };
    }
    case 2: {
      const ciphertext = createCipheriv('sm4-ctr', keys.key, nonce).update(packed);
      return { ciphertext, tag: hmacSm3(keys.macKey, nonce, associated, ciphertext) };
    }
    default:
      return never(keys, 'a cipher seals');
  }
}

export type OpenInput = {
  readonly keys: CipherKeys;
  readonly nonce: Uint8Array;
  readonly associated: Uint8Array;
  readonly body: Uint8Array;
};

/** The packed bytes; RECORD_CORRUPT when they do not authenticate. With no cipher the body itself. */
export function openBody(input: OpenInput): Uint8Array {
  const { keys, nonce, associated, body } = input;
  const { nonceBytes, tagBytes } = factsOf[keys.cipher];
  if (nonce.byteLength !== nonceBytes || body.byteLength < tagBytes) throw notAuthentic();
  const ciphertext = body.subarray(0, body.byteLength - tagBytes);
  const tag = body.subarray(body.byteLength - tagBytes);
  switch (keys.cipher) {
    case 0:
      return body;
    case 1: {
      const decipher = createDecipheriv('aes-256-gcm', keys.key, nonce, { authTagLength: tagBytes });
      decipher.setAAD(associated);
      decipher.setAuthTag(tag);
      const packed = decipher.update(ciphertext);
      try {
        decipher.final();
      } catch {
        throw notAuthentic();
      }
      return packed;
    }
    case 2: {
      const mac = hmacSm3(keys.macKey, nonce, associated, ciphertext);
      if (!timingSafeEqual(mac, tag)) throw notAuthentic();
      return createDecipheriv('sm4-ctr', keys.key, nonce).update(ciphertext);
    }
    default:
      return never(keys, 'a cipher opens');
  }
}

function notAuthentic(): ArchiveError {
  return new ArchiveError('RECORD_CORRUPT', 'the body of a record does not authenticate under the key of its group');
}

/** From here on a reallocation that moves pages is cheaper than a second buffer and a copy: 512 KB seal in 0.15 ms instead of 0.20. */
const regrowFromBytes = 64 * 1024;

function withTag(ciphertext: Uint8Array, tag: Uint8Array): Uint8Array {
  const sizeBytes = ciphertext.byteLength + tag.byteLength;
  const { buffer } = ciphertext;
  // The cipher made this buffer for us alone, so it may be grown in place of being copied.
  const grows =
    ciphertext.byteLength >= regrowFromBytes &&
    buffer instanceof ArrayBuffer &&
    ciphertext.byteOffset === 0 &&
    buffer.byteLength === ciphertext.byteLength;
  const body = grows ? new Uint8Array(buffer.transfer(sizeBytes)) : new Uint8Array(sizeBytes);
  if (!grows) body.set(ciphertext);
  body.set(tag, sizeBytes - tag.byteLength);
  return body;
}

function hmacSm3(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const associatedSize = new Uint8Array(8);
  new DataView(associatedSize.buffer).setBigUint64(0, BigInt(associated.byteLength), true);
  const mac = createHmac('sm3', key).update(nonce).update(associatedSize).update(associated).update(ciphertext);
  return mac.digest();
}
