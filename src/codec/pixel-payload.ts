// Owns: what the payloads of both pixel codecs share. The first byte is the mode:
//   0 stored: the plain bytes follow. 1 zstd: one zstd frame follows. 2 pixels: what the codec itself makes of them follows.
// A stored payload is one byte longer than the plain bytes, and no payload is longer than that.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { CodecFault } from './codec-fault.ts';
import { dropKernel } from './pixel-kernel.ts';

export const payloadMode = { stored: 0, zstd: 1, pixels: 2 } as const;

/** Readable bytes that the kernel wants behind its input. */
export const slackBytes = 16;

function payloadOf(first: number, rest: Uint8Array): Uint8Array {
  const out = new Uint8Array(rest.length + 1);
  out[0] = first;
  out.set(rest, 1);
  return out;
}

/** Below this the tables outweigh the samples more often than not. */
const smallBytesMax = 4096;

/** How zstd is tried beside a codec: at what level, and from what ratio on (drawings and flat frames, where repetition counts). */
export type ZstdTrial = { readonly level: number; readonly ratioMin: number };

/** The shortest of the modes; zstd is tried only where it has a chance. */
export function shortestPayload(plain: Uint8Array, pixels: Uint8Array | undefined, trial: ZstdTrial): Uint8Array {
  const sizeBest = Math.min(pixels?.length ?? Number.POSITIVE_INFINITY, plain.length + 1);
  if (plain.length <= smallBytesMax || sizeBest * trial.ratioMin < plain.length || sizeBest > plain.length) {
    const squeezed = zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: trial.level } });
    if (squeezed.length + 1 < sizeBest) return payloadOf(payloadMode.zstd, squeezed);
  }
  return pixels !== undefined && pixels.length === sizeBest ? pixels : payloadOf(payloadMode.stored, plain);
}

/** Decodes the modes that both codecs share; undefined where the mode is `pixels`. */
export function decodePlainModes(stored: Uint8Array, plainSizeBytes: number): Uint8Array | undefined {
  switch (stored[0]) {
    case payloadMode.stored:
      if (stored.length - 1 !== plainSizeBytes)
        throw new CodecFault('stored bytes differ in length from what was promised');
      return stored.slice(1);
    case payloadMode.zstd:
      return decodeZstd(stored.subarray(1), plainSizeBytes);
    case payloadMode.pixels:
      return undefined;
    default:
      throw new CodecFault('unknown mode');
  }
}

function decodeZstd(squeezed: Uint8Array, plainSizeBytes: number): Uint8Array {
  let plain: Uint8Array;
  try {
    plain = zstdDecompressSync(squeezed, { maxOutputLength: Math.max(1, plainSizeBytes) });
  } catch (cause) {
    throw new CodecFault('zstd does not decode', { cause });
  }
  if (plain.length !== plainSizeBytes) throw new CodecFault('zstd gives another length than was promised');
  return plain;
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
