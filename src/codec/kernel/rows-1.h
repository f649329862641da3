// Owns: the fast codec's filters (version 1), rows of folded errors -> rows of samples, and the contexts drawn from the row above.
//
// A sample's guess is 0: west, 1: north, 2: west + north - north-west. West is `apart` samples back (the components of a pixel lie
// side by side). What lies outside, left or above, is 0. Arithmetic wraps within the sample's width, so every input has its errors.
// Rows are handled as u16; an error is taken as signed and folded to 2e or -2e-1.
//
// The context of a sample comes from the folded errors above it, each held to 255: with a = above, l = above-left, r = above-right,
// m = (a + ((l + r + 1) >> 1) + 1) >> 1, and the context counts the edges that m exceeds. So contexts of a whole row are known at once.

#ifndef STELE_ROWS_1_H
#define STELE_ROWS_1_H

#include "base.h"

enum { filterWest = 0, filterNorth = 1, filterPlane = 2, fastContextsMax = 8, rowPad = 32 };

INLINE vec unfoldVector(vec z) {
  return wasm_v128_xor(wasm_u16x8_shr(z, 1), wasm_i16x8_neg(wasm_v128_and(z, wasm_i16x8_splat(1))));
}

static void narrowRow(u8 *out, const u16 *row, u32 count, u32 wide, u32 bigEndian) {
  u16 *words = (u16 *)out;
  if (!wide) for (u32 i = 0; i < count; i++) out[i] = (u8)row[i];
  else if (!bigEndian) copyBytes(out, row, count * 2);
  else for (u32 i = 0; i < count; i++) words[i] = (u16)(row[i] << 8 | row[i] >> 8);
}

/** Sums running along the row, eight at a time; only where west is the very next sample. */
INLINE vec runningSum(vec e) {
  vec zero = wasm_i16x8_splat(0);
  e = wasm_i16x8_add(e, wasm_i16x8_shuffle(zero, e, 0, 8, 9, 10, 11, 12, 13, 14));
  e = wasm_i16x8_add(e, wasm_i16x8_shuffle(zero, e, 0, 0, 8, 9, 10, 11, 12, 13));
  return wasm_i16x8_add(e, wasm_i16x8_shuffle(zero, e, 0, 0, 0, 0, 8, 9, 10, 11));
}

static void unfilterRow(u16 *row, const u16 *north, const u16 *z, u32 count, u32 apart, u32 filter, u32 wide) {
  vec mask = wasm_i16x8_splat(wide ? -1 : 0xff), carry = wasm_i16x8_splat(0);
  if (filter == filterNorth) {
    for (u32 i = 0; i < count; i += 8) {
      vec x = wasm_i16x8_add(unfoldVector(wasm_v128_load(z + i)), wasm_v128_load(north + i));
      wasm_v128_store(row + i, wasm_v128_and(x, mask));
    }
  } else if (apart == 1) {
    // With both filters x[i] - (north[i] or 0) is a running sum of errors.
    for (u32 i = 0; i < count; i += 8) {
      vec sum = wasm_i16x8_add(runningSum(unfoldVector(wasm_v128_load(z + i))), carry);
      carry = wasm_i16x8_shuffle(sum, sum, 7, 7, 7, 7, 7, 7, 7, 7);
      vec x = filter == filterPlane ? wasm_i16x8_add(sum, wasm_v128_load(north + i)) : sum;
      wasm_v128_store(row + i, wasm_v128_and(x, mask));
    }
  } else {
    u32 keep = wide ? 0xffff : 0xff;
    for (u32 i = 0; i < count; i++) {
      u32 e = (u32)(z[i] >> 1) ^ (0 - (u32)(z[i] & 1));
      u32 across = filter == filterPlane ? (u32)north[i] - (u32)(i < apart ? 0 : north[i - apart]) : 0;
      row[i] = (u16)((e + (i < apart ? 0 : row[i - apart]) + across) & keep);
    }
  }
}

/** Folded errors held to a byte, for the contexts of the row below. `held` has a pad on both sides; the right one is set to 0. */
static void holdRow(const u16 *z, u8 *held, u32 count) {
  vec most = wasm_i16x8_splat(255);
  for (u32 i = 0; i < count; i += 16) {
    vec low = wasm_u16x8_min(wasm_v128_load(z + i), most), high = wasm_u16x8_min(wasm_v128_load(z + i + 8), most);
    wasm_v128_store(held + i, wasm_u8x16_narrow_i16x8(low, high));
  }
  fillBytes(held + count, 0, 16);
}

/** Contexts of a row from the held errors above, each shifted left as the tables ask. */
static void contextsOfRow(const u8 *held, u16 *contexts, u32 count, u32 apart, const u8 *edges, u32 contextCount, u32 shift) {
  vec limits[fastContextsMax - 1];
  for (u32 k = 0; k + 1 < contextCount; k++) limits[k] = wasm_i8x16_splat((i8)(edges[k] ^ 0x80)); // compared as signed: one instruction
  for (u32 i = 0; i < count; i += 16) {
    vec sides = wasm_u8x16_avgr(wasm_v128_load(held + i - apart), wasm_v128_load(held + i + apart));
    vec m = wasm_v128_xor(wasm_u8x16_avgr(wasm_v128_load(held + i), sides), wasm_i8x16_splat((i8)0x80)), context = wasm_i8x16_splat(0);
    for (u32 k = 0; k + 1 < contextCount; k++) context = wasm_i8x16_sub(context, wasm_i8x16_gt(m, limits[k]));
    wasm_v128_store(contexts + i, wasm_i16x8_shl(wasm_u16x8_extend_low_u8x16(context), shift));
    wasm_v128_store(contexts + i + 8, wasm_i16x8_shl(wasm_u16x8_extend_high_u8x16(context), shift));
  }
}

#endif
