// Owns: turning the pixels of a sparse plane into ranks and back (best codec, version 2). Lively segments are looked up pixel by pixel; flat ones
// follow from their neighbours, as they do everywhere, so rows are taken in an order in which these are done before: seeds, then away from them.

#ifndef STELE_RANKS_H
#define STELE_RANKS_H

#include "model.h"
#include "sparse.h"

/** What a flat segment holds: the row above it, or its west pixel all along. Up to seven pixels behind it are written as well. */
INLINE void fillFlat(i16 *from, i32 length, u8 kind, i32 toAbove, i16 west) {
  vec all = wasm_i16x8_splat(west);
  for (i32 c = 0; c < length; c += 8) wasm_v128_store(from + c, kind == segmentAbove ? wasm_v128_load(from + c - toAbove) : all);
}

INLINE void toRanks(const Sparse *s, i16 *pixels, u32 count) {
  i32 middle = middleRank(s);
  for (u32 i = 0; i < count; i++) pixels[i] = (i16)((i32)s->ranks[(u16)pixels[i] ^ 0x8000] - middle);
}

/** One row; `low` is what lies left of a seed, as it is after turning. False where the pixels are not ranks. */
INLINE int turnRow(const Sparse *s, i16 *plane, const Walk *w, u8 *map, i32 row, i32 toAbove, i16 low, int back) {
  i16 *p = plane + row * w->stride;
  const u8 *kinds = mapRowAt(map, w->segments, row);
  int good = 1;
  for (u32 k = 0; k < w->segments; k++) {
    i32 length = segmentLength(w, k), c = (i32)k * segmentColumns;
    if (kinds[k] != segmentLively) fillFlat(p + c, length, kinds[k], toAbove, k == 0 ? (toAbove == 0 ? low : p[-toAbove]) : p[c - 1]);
    else if (back) good &= fromRanks(s, p + c, (u32)length);
    else toRanks(s, p + c, (u32)length);
  }
  return good;
}

/** All rows. `low` as above. */
INLINE int turnPlane(const Sparse *s, i16 *plane, const Walk *w, u8 *map, i16 low, int back) {
  int good = 1;
  for (u32 j = 0; j < lanes; j++) {
    LaneRows rows = rowsOf(w, j);
    if (rows.first == rows.seed) continue;
    if ((j & 1) == 0) good &= turnRow(s, plane, w, map, rows.seed, 0, low, back);
    for (i32 row = rows.first; row != rows.end; row += rows.step) good &= turnRow(s, plane, w, map, row, rows.step * w->stride, low, back);
  }
  return good;
}

static __attribute__((noinline)) int turnFromRanks(const Sparse *s, i16 *plane, const Walk *w, u8 *map, i16 low) { return turnPlane(s, plane, w, map, low, 1); }
static __attribute__((noinline)) void turnToRanks(const Sparse *s, i16 *plane, const Walk *w, u8 *map, i16 low) { turnPlane(s, plane, w, map, low, 0); }

#endif
