// Zstandard as FORMAT.md 3 asks: one frame, no dictionary, at most a chunk of plain bytes; and the cheap look that tells whether trying is worth it.
//
// Invariants: packing answers undefined rather than bytes that save too little to be worth unpacking, so nothing ever grows; unpacking gives exactly the bytes
// that the head promises or throws CODEC_FAULT, and never takes more memory than they and one window.
// Left out on purpose: dictionaries and long windows, since no record may need another to be decoded.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ArchiveError, assert } from '../base/index.ts';
import { chunkSizeBytesMax } from '../format/index.ts';
import { releaseOwn } from './buffers.ts';

export type Effort = 'fast' | 'best';

/**
 * Levels, measured on one core of a busy machine over 4 MiB in chunks of 1 MiB: MB/s packing and ratio.
 *
 *                     1          3          6          9          12         15         17         19
 *   C headers      210 4.44   166 4.83    58 5.36    37 5.47    25 5.52     8 5.59     4 5.93     3 6.00
 *   JSON lines     344 5.92   239 5.57    51 5.62    31 5.91    23 5.93    10 6.03     3 7.10     2 7.26
 *   machine code   277 2.38   193 2.69    73 2.86    47 2.89    35 2.90    11 2.90     5 3.07     3 3.17
 *
 * Fast is 1: 3 gives a tenth at the price of a quarter of the speed, and the sender is waiting. Best is 9: up to 15 nothing is left to gain,
 * and 17 gains another tenth at an eighth of the speed, which a house that settles 100 TB a year does not have.
 */
const levels: Record<Effort, number> = { fast: 1, best: 9 };

/** Below this the frame's own bytes eat the gain. */
const packableSizeBytesMin = 64;

/** What must be saved, as a part of the plain bytes, for a reader's trouble of unpacking: 1/64. */
const savingShift = 6;

/** A window as large as the largest chunk is all that a frame can use. */
const windowLogMax = 20;
/** What a foreign or later writer may have chosen; 8 MiB, so that a hostile frame cannot ask for more. */
const windowLogAccepted = 23;

/** Room for a frame around bytes that do not shrink: header, block heads (3 bytes per 128 KiB), checksum. */
const frameOverheadBytes = 512;

/** The tables of level 1 are larger than a small input, and clearing them costs more than packing: 44 -> 30 us for 4 KB. */
const smallSizeBytesMax = 16 * 1024;

function paramsOf(sizeBytes: number, effort: Effort): Record<number, number> {
  if (effort === 'fast' && sizeBytes <= smallSizeBytesMax) {
    const log = Math.max(10, Math.ceil(Math.log2(sizeBytes)));
    return {
      [constants.ZSTD_c_compressionLevel]: levels.fast,
      [constants.ZSTD_c_windowLog]: log,
      [constants.ZSTD_c_hashLog]: log - 1,
    };
  }
  return {
    [constants.ZSTD_c_compressionLevel]: levels[effort],
    [constants.ZSTD_c_windowLog]: Math.min(windowLogMax, Math.max(10, Math.ceil(Math.log2(sizeBytes)))),
  };
}

/** One frame of these bytes, or undefined when it would not save enough. */
export function packZstd(plain: Uint8Array, effort: Effort): Uint8Array | undefined {
  assert(plain.byteLength <= chunkSizeBytesMax, 'a record holds at most a chunk');
  if (plain.byteLength < packableSizeBytesMin) return undefined;
  // With effort best the bytes are tried in any case: what the look cannot see is long repeats of noise.
  if (effort === 'fast' && looksIncompressible(plain)) return undefined;
  const packed = zstdCompressSync(plain, {
    // One buffer that surely holds the result: no copying together of pieces.
    chunkSize: plain.byteLength + frameOverheadBytes,
    params: paramsOf(plain.byteLength, effort),
  });
  if (savesEnough(packed, plain)) return packed;
  // Left to the collector, a buffer for every chunk that does not shrink: a hundred megabytes in two workers.
  releaseOwn(packed);
  return undefined;
}

/** Whether packed bytes are so much shorter that a reader should take the trouble. */
export function savesEnough(packed: Uint8Array, plain: Uint8Array): boolean {
  return packed.byteLength < plain.byteLength - (plain.byteLength >> savingShift);
}

export function unpackZstd(packed: Uint8Array, plainSizeBytes: number): Uint8Array {
  assert(plainSizeBytes >= 0 && plainSizeBytes <= chunkSizeBytesMax, 'a head that was read keeps to its limits');
  const { plain, usedBytes } = unpackFrame(packed, plainSizeBytes);
  if (usedBytes !== packed.byteLength) {
    throw new ArchiveError('CODEC_FAULT', `a Zstandard frame is followed by ${packed.byteLength - usedBytes} bytes`);
  }
  if (plain.byteLength !== plainSizeBytes) {
    const instead = `${plain.byteLength} bytes instead of ${plainSizeBytes}`;
    throw new ArchiveError('CODEC_FAULT', `a Zstandard frame gives ${instead}`);
  }
  return plain;
}

function unpackFrame(packed: Uint8Array, plainSizeBytes: number): { plain: Uint8Array; usedBytes: number } {
  try {
    const unpacked = zstdDecompressSync(packed, {
      maxOutputLength: Math.max(1, plainSizeBytes),
      // A little more than will come: a buffer that is exactly full would have a second one allocated behind it.
      chunkSize: plainSizeBytes + 64,
      params: { [constants.ZSTD_d_windowLogMax]: windowLogAccepted },
      info: true,
    }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
    return { plain: unpacked.buffer, usedBytes: unpacked.engine.bytesWritten };
  } catch (cause) {
    throw new ArchiveError('CODEC_FAULT', 'a Zstandard frame does not decode', { cause });
  }
}

// --- Is it worth trying? ---------------------------------------------------------------------------------------------------------
//
// Level 1 needs 400 us to find out that 512 KB of ciphertext or JPEG do not shrink; this look needs 15 us. It takes slices spread over the whole
// and sums the squares of how often each byte value occurs in one. For n bytes drawn evenly from 256 values that sum is n + n(n - 1)/256
// (191.5 for 128), standard deviation 11.3; text gives hundreds more. A sum far below says that bytes avoid each other (a counter), which noise does not.
// Noise that repeats (blocks of a disk image) is found by comparing words that lie 2 KiB apart: each is a line that memory has to bring.
// It may be wrong in one direction only: what it calls incompressible is stored as it is, and that is always right.

const sliceSizeBytes = 128;
const slicesMax = 32;
/** Small inputs have fewer slices: looking at a half of 4 KB would cost a tenth of the whole record. */
const sliceApartBytesMin = 4 * sliceSizeBytes;
const noisePairs = (sliceSizeBytes * (sliceSizeBytes - 1)) / 256;
const noiseSum = sliceSizeBytes + noisePairs;
/** A slice this far from noise (6.5 standard deviations) means that a part of the whole is not noise; one such slice of 32 is passed over. */
const sliceDistanceMax = 73;
const distantShift = 5;
/** All slices together with a fifth more pairs than noise: about 7.8 bits a byte, where an entropy coder begins to save 1/64. */
const meanSumMax = sliceSizeBytes + noisePairs * 1.2;
const looksFromBytes = 1024;
const repeatStrideBytes = 2048;
/** One in 32 sampled blocks that was seen before makes a saving of 1/64 likely. */
const repeatShift = 5;

const counts = new Uint16Array(256);
const seenSlotsLog = 11;
const seenSlots = 1 << seenSlotsLog;
const seen = new Uint32Array(seenSlots);

assert(
  (chunkSizeBytesMax / repeatStrideBytes) * 2 <= seenSlots,
  'the table of seen blocks is never more than half full',
);

export function looksIncompressible(plain: Uint8Array): boolean {
  if (plain.byteLength < looksFromBytes) return false;
  const slices = Math.min(slicesMax, Math.floor(plain.byteLength / sliceApartBytesMin));
  const stride = Math.floor(plain.byteLength / slices);
  // Each slice lies in the middle of its part, so that a header at the beginning does not speak for the whole.
  const middle = (stride - sliceSizeBytes) >> 1;
  let total = 0;
  let distant = 0;
  for (let slice = 0; slice < slices; slice += 1) {
    const sum = squaresOf(plain, slice * stride + middle);
    if (Math.abs(sum - noiseSum) <= sliceDistanceMax) total += sum;
    else distant += 1;
  }
  const near = slices - distant;
  return distant <= slices >> distantShift && total <= near * meanSumMax && !repeatsBlocks(plain);
}

function squaresOf(plain: Uint8Array, from: number): number {
  counts.fill(0);
  let sum = 0;
  for (let index = from; index < from + sliceSizeBytes; index += 1) {
    const value = plain[index] as number;
    const count = counts[value] as number;
    // (count + 1)^2 - count^2
    sum += count + count + 1;
    counts[value] = count + 1;
  }
  return sum;
}

function repeatsBlocks(plain: Uint8Array): boolean {
  const blocks = Math.floor(plain.byteLength / repeatStrideBytes);
  if (blocks < 1 << repeatShift) return false;
  seen.fill(0);
  let repeats = 0;
  for (let block = 0; block < blocks; block += 1) {
    const at = block * repeatStrideBytes;
    const word =
      ((plain[at] as number) |
        ((plain[at + 1] as number) << 8) |
        ((plain[at + 2] as number) << 16) |
        ((plain[at + 3] as number) << 24) |
        1) >>>
      0;
    let slot = Math.imul(word, 0x9e3779b1) >>> (32 - seenSlotsLog);
    while (seen[slot] !== 0 && seen[slot] !== word) slot = (slot + 1) % seenSlots;
    if (seen[slot] === word) repeats += 1;
    seen[slot] = word;
  }
  return repeats > blocks >> repeatShift;
}
