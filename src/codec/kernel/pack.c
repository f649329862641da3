// Owns: the stream of the fast pixel codec, version 2: residuals of a fixed guess, packed in blocks of sixteen at the block's width.
// See docs/formats/pixel-fast.md. A plane is a run of u16 samples; its rows are only a distance, `period`: what lies above sample i
// is sample i - period, and what lies before the first sample is 0. So no row has an end, and no claim about rows can be wrong.
//
// Stream of a plane: u8 guess; then a nibble per block, low half of a byte first, the block's width (15 stands for 16); then the blocks.
// Callers give `period` zero samples before a plane, period >= 16, and blockSamples - 1 samples of room behind it.

#include "base.h"

enum { guessWest = 0, guessNorth = 1, guessPlane = 2, guesses = 3, blockSamples = 16, blockBytesMax = 32 };

INLINE u32 blocksOf(u32 count) { return (count + blockSamples - 1) / blockSamples; }
INLINE u32 widthBytes(u32 count) { return (blocksOf(count) + 1) / 2; }

EXPORT("packMax") u32 packMax(u32 count) { return 1 + widthBytes(count) + blocksOf(count) * blockBytesMax; }

INLINE vec foldErrors(vec e) { return wasm_v128_xor(wasm_i16x8_shl(e, 1), wasm_i16x8_shr(e, 15)); }
INLINE vec unfoldErrors(vec z) { return wasm_v128_xor(wasm_u16x8_shr(z, 1), wasm_i16x8_neg(wasm_v128_and(z, wasm_i16x8_splat(1)))); }
/** Each lane's left neighbour. */
INLINE vec westOf(vec before, vec v) { return wasm_i16x8_shuffle(before, v, 7, 8, 9, 10, 11, 12, 13, 14); }

/** How many bits the largest of these needs. */
INLINE u32 widthOf(vec any) {
  any = wasm_v128_or(any, wasm_i64x2_shuffle(any, any, 1, 1));
  u64 four = (u64)wasm_i64x2_extract_lane(any, 0);
  u32 two = (u32)(four | four >> 32);
  return bitLength((two | two >> 16) & 0xffff);
}

typedef struct { vec low, high; } Block;

INLINE Block residuals(const u16 *at, u32 period, u32 guess, vec *before) {
  vec low = wasm_v128_load(at), high = wasm_v128_load(at + 8);
  if (guess != guessWest) {
    low = wasm_i16x8_sub(low, wasm_v128_load(at - period));
    high = wasm_i16x8_sub(high, wasm_v128_load(at - period + 8));
  }
  if (guess == guessNorth) return (Block){ foldErrors(low), foldErrors(high) };
  vec errorLow = wasm_i16x8_sub(low, westOf(*before, low)), errorHigh = wasm_i16x8_sub(high, westOf(low, high));
  *before = high;
  return (Block){ foldErrors(errorLow), foldErrors(errorHigh) };
}

/** Sixteen bytes, of which `width` bits each count, to 2 * width bytes. Writes sixteen. */
INLINE void packBytes(u8 *to, vec v, u32 width) {
  v = wasm_v128_or(wasm_v128_and(v, wasm_i16x8_splat(0xff)), wasm_i16x8_shl(wasm_u16x8_shr(v, 8), width));
  v = wasm_v128_or(wasm_v128_and(v, wasm_i32x4_splat(0xffff)), wasm_i32x4_shl(wasm_u32x4_shr(v, 16), 2 * width));
  v = wasm_v128_or(wasm_v128_and(v, wasm_i64x2_splat(0xffffffff)), wasm_i64x2_shl(wasm_u64x2_shr(v, 32), 4 * width));
  wasm_v128_store64_lane(to, v, 0);
  wasm_v128_store64_lane(to + width, v, 1);
}

INLINE u8 *packBlock(u8 *to, Block z, u32 width) {
  if (width <= 8) {
    packBytes(to, wasm_u8x16_narrow_i16x8(z.low, z.high), width);
    return to + 2 * width;
  }
  vec bytes = wasm_i16x8_splat(0xff);
  wasm_v128_store(to, wasm_u8x16_narrow_i16x8(wasm_v128_and(z.low, bytes), wasm_v128_and(z.high, bytes)));
  packBytes(to + 16, wasm_u8x16_narrow_i16x8(wasm_u16x8_shr(z.low, 8), wasm_u16x8_shr(z.high, 8)), width - 8);
  return to + 2 * width;
}

INLINE u8 *packBlocks(const u16 *plane, u32 count, u32 period, u32 guess, u8 *widths, u8 *to) {
  vec before = wasm_i16x8_splat(0);
  u32 blocks = count / blockSamples, b = 0;
  for (; b + 2 <= blocks; b += 2) {
    Block first = residuals(plane + b * blockSamples, period, guess, &before);
    Block second = residuals(plane + (b + 1) * blockSamples, period, guess, &before);
    u32 widthFirst = widthOf(wasm_v128_or(first.low, first.high)), widthSecond = widthOf(wasm_v128_or(second.low, second.high));
    widthFirst += widthFirst == 15;
    widthSecond += widthSecond == 15;
    widths[b / 2] = (u8)((widthFirst - (widthFirst >> 4)) | (widthSecond - (widthSecond >> 4)) << 4);
    to = packBlock(to, first, widthFirst);
    to = packBlock(to, second, widthSecond);
  }
  // What is left: one whole block, a part of one, or both. Behind the last sample there is nothing, that is, no error.
  for (; b * blockSamples < count; b++) {
    Block z = residuals(plane + b * blockSamples, period, guess, &before);
    u16 values[blockSamples] __attribute__((aligned(16)));
    wasm_v128_store(values, z.low);
    wasm_v128_store(values + 8, z.high);
    for (u32 k = count - b * blockSamples; k < blockSamples; k++) values[k] = 0;
    z = (Block){ wasm_v128_load(values), wasm_v128_load(values + 8) };
    u32 width = widthOf(wasm_v128_or(z.low, z.high));
    width += width == 15;
    u8 *nibbles = widths + b / 2, nibble = (u8)(width - (width >> 4));
    *nibbles = b & 1 ? *nibbles | (u8)(nibble << 4) : nibble;
    to = packBlock(to, z, width);
  }
  return to;
}

/** The guess that leaves least, from runs of blocks all over the plane. */
static __attribute__((noinline)) u32 chooseGuess(const u16 *plane, u32 count, u32 period) {
  enum { runs = 48, runBlocks = 16 };
  u32 blocks = count / blockSamples, step = maxOf(1, (i32)(blocks / runs)), costs[guesses] = { 0 };
  for (u32 run = 0; run + 1 < blocks; run += step) {
    for (u32 guess = 0; guess < guesses; guess++) {
      const u16 *at = plane + run * blockSamples;
      vec before = wasm_i16x8_splat(0);
      u32 length = (u32)minOf(runBlocks, minOf((i32)step, (i32)(blocks - run)));
      for (u32 b = 0; b < length; b++, at += blockSamples) {
        Block z = residuals(at, period, guess, &before);
        u32 width = widthOf(wasm_v128_or(z.low, z.high));
        if (b > 0) costs[guess] += width; // the first one lacks its neighbour
      }
    }
  }
  u32 best = guessPlane;
  if (costs[guessNorth] < costs[best]) best = guessNorth;
  if (costs[guessWest] < costs[best]) best = guessWest;
  return best;
}

static __attribute__((noinline)) u8 *packWest(const u16 *plane, u32 count, u32 period, u8 *widths, u8 *to) { return packBlocks(plane, count, period, guessWest, widths, to); }
static __attribute__((noinline)) u8 *packNorth(const u16 *plane, u32 count, u32 period, u8 *widths, u8 *to) { return packBlocks(plane, count, period, guessNorth, widths, to); }
static __attribute__((noinline)) u8 *packPlane(const u16 *plane, u32 count, u32 period, u8 *widths, u8 *to) { return packBlocks(plane, count, period, guessPlane, widths, to); }

/** Packs a plane to `out` (packMax bytes and 16 more); returns the size. */
EXPORT("pack") u32 pack(const u16 *plane, u32 count, u32 period, u8 *out) {
  u32 guess = chooseGuess(plane, count, period);
  u8 *widths = out + 1, *to = widths + widthBytes(count);
  out[0] = (u8)guess;
  if (guess == guessWest) to = packWest(plane, count, period, widths, to);
  else if (guess == guessNorth) to = packNorth(plane, count, period, widths, to);
  else to = packPlane(plane, count, period, widths, to);
  return (u32)(to - out);
}

/** The way back. `masks` has three vectors for each width: so many bits in each 8, twice as many in each 16, four times in each 32. */
INLINE vec unpackBytes(const u8 *from, u32 width, const vec *masks) {
  vec v = wasm_v128_load64_lane(from + width, wasm_v128_load64_zero(from), 1);
  const vec *m = masks + 3 * width;
  v = wasm_v128_or(wasm_v128_and(v, m[2]), wasm_i64x2_shl(wasm_v128_and(wasm_u64x2_shr(v, 4 * width), m[2]), 32));
  v = wasm_v128_or(wasm_v128_and(v, m[1]), wasm_i32x4_shl(wasm_u32x4_shr(v, 2 * width), 16));
  return wasm_v128_or(wasm_v128_and(v, m[0]), wasm_i16x8_shl(wasm_u16x8_shr(v, width), 8));
}

INLINE Block unpackBlock(const u8 **from, u32 width, const vec *masks) {
  const u8 *at = *from;
  *from = at + 2 * width;
  if (width <= 8) {
    vec v = unpackBytes(at, width, masks);
    return (Block){ wasm_u16x8_extend_low_u8x16(v), wasm_u16x8_extend_high_u8x16(v) };
  }
  vec low = wasm_v128_load(at), high = unpackBytes(at + 16, width - 8, masks);
  return (Block){ wasm_i8x16_shuffle(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
                  wasm_i8x16_shuffle(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31) };
}

/** Sums running along the lanes. Shuffles of this form are one instruction; the zeros come from the first operand's end. */
INLINE vec sumAlong(vec e) {
  vec zero = wasm_i16x8_splat(0);
  e = wasm_i16x8_add(e, wasm_i16x8_shuffle(zero, e, 7, 8, 9, 10, 11, 12, 13, 14));
  e = wasm_i16x8_add(e, wasm_i16x8_shuffle(zero, e, 6, 7, 8, 9, 10, 11, 12, 13));
  return wasm_i16x8_add(e, wasm_i16x8_shuffle(zero, e, 4, 5, 6, 7, 8, 9, 10, 11));
}
INLINE vec lastOf(vec v) { return wasm_i8x16_swizzle(v, wasm_i16x8_splat(0x0f0e)); }

INLINE void restore(u16 *at, Block z, u32 period, u32 guess, vec *before) {
  vec low = unfoldErrors(z.low), high = unfoldErrors(z.high);
  if (guess != guessNorth) {
    low = sumAlong(low);
    high = wasm_i16x8_add(sumAlong(high), lastOf(low));
    vec past = *before;
    *before = wasm_i16x8_add(past, lastOf(high)); // all that the next block waits for
    low = wasm_i16x8_add(low, past);
    high = wasm_i16x8_add(high, past);
  }
  if (guess != guessWest) {
    low = wasm_i16x8_add(low, wasm_v128_load(at - period));
    high = wasm_i16x8_add(high, wasm_v128_load(at - period + 8));
  }
  wasm_v128_store(at, low);
  wasm_v128_store(at + 8, high);
}

INLINE void unpackBlocks(u16 *plane, u32 count, u32 period, u32 guess, const u8 *widths, const u8 *from, const vec *masks) {
  vec before = wasm_i16x8_splat(0);
  u32 blocks = blocksOf(count);
  for (u32 b = 0; b < blocks; b += 2) {
    u32 two = widths[b / 2], first = two & 15, second = two >> 4;
    first += first == 15;
    second += second == 15;
    restore(plane + b * blockSamples, unpackBlock(&from, first, masks), period, guess, &before);
    if (b + 1 < blocks) restore(plane + (b + 1) * blockSamples, unpackBlock(&from, second, masks), period, guess, &before);
  }
}

static __attribute__((noinline)) void unpackWest(u16 *plane, u32 count, u32 period, const u8 *widths, const u8 *from, const vec *masks) { unpackBlocks(plane, count, period, guessWest, widths, from, masks); }
static __attribute__((noinline)) void unpackNorth(u16 *plane, u32 count, u32 period, const u8 *widths, const u8 *from, const vec *masks) { unpackBlocks(plane, count, period, guessNorth, widths, from, masks); }
static __attribute__((noinline)) void unpackPlane(u16 *plane, u32 count, u32 period, const u8 *widths, const u8 *from, const vec *masks) { unpackBlocks(plane, count, period, guessPlane, widths, from, masks); }

/** The bytes of all blocks, as their widths tell. */
static u32 blocksBytes(const u8 *widths, u32 blocks) {
  u32 sum = 0;
  for (u32 b = 0; b < blocks; b++) {
    u32 width = (widths[b / 2] >> (b & 1) * 4) & 15;
    sum += width + (width == 15);
  }
  return sum * 2;
}

/** Unpacks a plane. The input must be followed by 16 readable bytes. Returns the bytes used, or -1. */
EXPORT("unpack") i32 unpack(const u8 *in, u32 size, u16 *plane, u32 count, u32 period) {
  u32 sizeWidths = widthBytes(count);
  if (size < 1 + sizeWidths || in[0] >= guesses) return -1;
  const u8 *widths = in + 1, *from = widths + sizeWidths;
  u32 used = 1 + sizeWidths + blocksBytes(widths, blocksOf(count));
  if (used > size) return -1;
  vec masks[9 * 3];
  for (u32 width = 0; width <= 8; width++) {
    masks[3 * width] = wasm_i16x8_splat((i16)((1 << width) - 1));
    masks[3 * width + 1] = wasm_i32x4_splat((i32)((1u << 2 * width) - 1));
    masks[3 * width + 2] = wasm_i64x2_splat((i64)(((u64)1 << 4 * width) - 1));
  }
  if (in[0] == guessWest) unpackWest(plane, count, period, widths, from, masks);
  else if (in[0] == guessNorth) unpackNorth(plane, count, period, widths, from, masks);
  else unpackPlane(plane, count, period, widths, from, masks);
  return (i32)used;
}
