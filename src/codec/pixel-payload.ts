// Owns: what the payloads of the pixel codecs share: the first byte, which is the mode; bytes stored as they are; zstd frames within; and kernel
// calls on bytes that nobody vouches for. A stored payload is one byte longer than the plain bytes, and no payload is longer than that.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { CodecFault } from './codec-fault.ts';
import { dropKernel } from './pixel-kernel.ts';

/** zstd: version 1 alone. squeezed: the fast codec alone. */
export const payloadMode = { stored: 0, zstd: 1, pixels: 2, squeezed: 3 } as const;

/** Readable bytes that the kernel wants behind its input. */
export const slackBytes = 16;

export function storedPayload(plain: Uint8Array): Uint8Array {
  const out = new Uint8Array(plain.length + 1);
  out[0] = payloadMode.stored;
  out.set(plain, 1);
  return out;
}

export function decodeStored(stored: Uint8Array, plainSizeBytes: number): Uint8Array {
  if (stored.length - 1 !== plainSizeBytes) {
    throw new CodecFault('stored bytes differ in length from what was promised');
  }
  return stored.slice(1);
}

/** One zstd frame at the fastest level, whose tables are no larger than the bytes need: clearing larger ones would cost more than the work. */
export function squeeze(bytes: Uint8Array): Uint8Array {
  const log = Math.max(10, Math.ceil(Math.log2(bytes.length)));
  return zstdCompressSync(bytes, {
    chunkSize: bytes.length + 512,
    params: {
      [constants.ZSTD_c_compressionLevel]: 1,
      [constants.ZSTD_c_windowLog]: Math.min(20, log),
      [constants.ZSTD_c_hashLog]: Math.min(14, log),
    },
  });
}

/** The `sizeBytes` bytes of one zstd frame. */
export function unsqueeze(squeezed: Uint8Array, sizeBytes: number): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = zstdDecompressSync(squeezed, { maxOutputLength: Math.max(1, sizeBytes) });
  } catch (cause) {
    throw new CodecFault('zstd does not decode', { cause });
  }
  if (bytes.length !== sizeBytes) throw new CodecFault('zstd gives another length than was promised');
  return bytes;
}

/** The modes that both codecs of version 1 share; undefined where the mode is `pixels`. */
export function decodePlainModes1(stored: Uint8Array, plainSizeBytes: number): Uint8Array | undefined {
  switch (stored[0]) {
    case payloadMode.stored:
      return decodeStored(stored, plainSizeBytes);
    case payloadMode.zstd:
      return unsqueeze(stored.subarray(1), plainSizeBytes);
    case payloadMode.pixels:
      return undefined;
    default:
      throw new CodecFault('unknown mode');
  }
}

/** A kernel call on untrusted bytes: a trap is the bytes' fault. */
export function callKernel(call: () => number): number {
  let used: number;
  try {
    used = call();
  } catch (cause) {
    dropKernel();
    throw new CodecFault('the kernel refuses these bytes', { cause });
  }
  if (used < 0) throw new CodecFault('the samples do not decode');
  return used;
}
