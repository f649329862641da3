// A bundle's plain bytes as the catalog keeps them: one Zstandard frame.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Some 150 KB of a thousand members: two milliseconds, within the transaction. */
const level = 6;
const plainBytesMax = 1024 * 1024;

export function packBody(plain: Uint8Array): Uint8Array {
  return zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: level } });
}

export function unpackBody(body: Uint8Array): Uint8Array {
  return zstdDecompressSync(body, { maxOutputLength: plainBytesMax });
}
