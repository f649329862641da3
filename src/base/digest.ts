// SHA-256 and CRC-32: the two checks of everything on a medium (FORMAT.md).

import { createHash, type Hash, hash } from 'node:crypto';
import { crc32 as zlibCrc32 } from 'node:zlib';

export const sha256SizeBytes = 32;

export function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

export function sha256Of(parts: readonly Uint8Array[]): Uint8Array {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return digest.digest();
}

/** SHA-256 of bytes that come piece by piece. */
export class Sha256 {
  readonly #hash: Hash = createHash('sha256');

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  digest(): Uint8Array {
    return this.#hash.digest();
  }
}

export function crc32(bytes: Uint8Array, before = 0): number {
  return zlibCrc32(bytes, before);
}
