// Owns: finding which segments of a plane are flat, parting its rows into blocks accordingly, and the values of sparse planes. Encoder only
// (best codec, version 2).

#ifndef STELE_FLATS_H
#define STELE_FLATS_H

#include "ranks.h"

INLINE int isLively(u8 *map, const Walk *w, i32 row, u32 segment) { return mapRowAt(map, w->segments, row)[segment] == segmentLively; }

/** `toAbove` is how far up the row above lies; 0 in a seed. */
INLINE u8 kindOf(const i16 *p, i32 length, i32 toAbove, i16 west) {
  vec above = wasm_i16x8_splat(0), run = above, w = wasm_i16x8_splat(west);
  for (i32 c = 0; c < length; c += 8) {
    vec v = wasm_v128_load(p + c), a = wasm_v128_xor(v, w), b = toAbove == 0 ? a : wasm_v128_xor(v, wasm_v128_load(p + c - toAbove));
    if (c + 8 > length) {
      vec mask = wasm_i16x8_gt(wasm_i16x8_splat((i16)(length - c)), wasm_i16x8_make(0, 1, 2, 3, 4, 5, 6, 7));
      a = wasm_v128_and(a, mask);
      b = wasm_v128_and(b, mask);
    }
    run = wasm_v128_or(run, a);
    above = wasm_v128_or(above, b);
    if (c == 0 && wasm_v128_any_true(run) && wasm_v128_any_true(above)) return segmentLively;
  }
  if (toAbove != 0 && !wasm_v128_any_true(above)) return segmentAbove;
  return wasm_v128_any_true(run) ? segmentLively : segmentWest;
}

/** Maps a row; returns how many of its segments are lively. */
static u32 mapRow(u8 *map, const i16 *plane, const Walk *w, i32 row, i32 toAbove, i16 west) {
  const i16 *p = plane + row * w->stride;
  u8 *kinds = mapRowAt(map, w->segments, row);
  u32 lively = 0;
  for (u32 s = 0; s < w->segments; s++, p += segmentColumns) {
    kinds[s] = kindOf(p, segmentLength(w, s), toAbove, s == 0 ? west : p[-1]);
    lively += kinds[s] == segmentLively;
  }
  return lively;
}

/** Parts the rows so that each lane has about as many lively segments; returns how many there are. */
static u32 balanceBlocks(Walk *w, const u32 *lively) {
  u32 total = 0, sum = 0, part = 1;
  i32 begins[lanes + 1] = { 0 };
  for (i32 row = 0; row < w->rows; row++) total += lively[row];
  for (i32 row = 0; row < w->rows && part < lanes; row++) {
    sum += lively[row];
    while (part < lanes && (u64)sum * lanes >= (u64)total * part) begins[part++] = row + 1;
  }
  while (part <= lanes) begins[part++] = w->rows;
  begins[lanes] = w->rows;
  for (u32 k = 0; k < blocks; k++) {
    w->begins[k] = begins[2 * k];
    w->begins[k + 1] = begins[2 * k + 2];
    w->seeds[k] = maxOf(w->begins[k], minOf(begins[2 * k + 1], w->begins[k + 1] - 1));
  }
  return total;
}

/** Maps what is flat, and parts the rows accordingly. False where too little is flat. `lively` has room for a number a row. */
static __attribute__((noinline)) int mapFlats(u8 *map, const i16 *plane, Walk *w, i16 low, u32 *lively, u32 *livelyPixels) {
  w->flats = 1;
  w->segments = segmentsOf(w->columns, 1);
  fillBytes(map, segmentLively, mapBytes((u32)w->rows, w->segments));
  // A look at some rows tells whether it pays.
  u32 step = (u32)w->rows / 32 + 1, seen = 0, found = 0;
  for (u32 row = step / 2 + 1; row < (u32)w->rows; row += step, seen += w->segments) found += mapRow(map, plane, w, (i32)row, w->stride, 0);
  if ((seen - found) * 16 < seen || seen == 0) return 0;
  for (i32 row = 0; row < w->rows; row++) lively[row] = mapRow(map, plane, w, row, row > 0 ? w->stride : 0, plane[row > 0 ? (row - 1) * w->stride : 0]);
  *livelyPixels = balanceBlocks(w, lively) * segmentColumns;
  // What is above depends on the blocks.
  for (u32 k = 0; k < blocks; k++) {
    if (w->begins[k] == w->begins[k + 1]) continue;
    mapRow(map, plane, w, w->seeds[k], 0, low);
    for (i32 row = w->begins[k]; row < w->seeds[k]; row++) mapRow(map, plane, w, row, -w->stride, plane[(row + 1) * w->stride]);
  }
  return 1;
}

/**
 * Finds the values that occur, all between low and high, and ranks them where that pays: where less than half of the range is in use. Only lively segments
 * are looked at: what the flat ones hold is theirs, or low.
 */
static __attribute__((noinline)) void findSparse(Sparse *s, const i16 *plane, const Walk *w, u8 *map, i32 low, i32 high) {
  u32 first = (u16)low ^ 0x8000u, range = (u32)(high - low) + 1, pixels = (u32)w->rows * (u32)w->columns, seen = 0;
  s->count = 0;
  if (range < 4 || range > pixels * 4) return;
  fillBytes(s->ranks + first, 0, range * 2);
  // A look at some rows settles it for most planes: once half of the range was seen, the plane is not sparse.
  for (i32 row = 0, step = w->rows / 16 + 1; row < w->rows; row += step)
    for (i32 c = 0; c < w->columns; c++) s->ranks[(u16)plane[row * w->stride + c] ^ 0x8000] = 1;
  for (u32 v = first; v < first + range; v++) seen += s->ranks[v];
  if (seen * 2 > range) return;
  for (i32 row = 0; row < w->rows; row++)
    for (u32 k = 0; k < w->segments; k++) {
      if (!isLively(map, w, row, k)) continue;
      const i16 *p = plane + row * w->stride + (i32)k * segmentColumns;
      for (i32 c = 0, length = segmentLength(w, k); c < length; c++) s->ranks[(u16)p[c] ^ 0x8000] = 1;
    }
  s->ranks[first] = 1;
  u32 count = 0;
  for (u32 v = first; v < first + range; v++) {
    if (s->ranks[v] == 0) continue;
    s->ranks[v] = (u16)count;
    s->values[count++] = (u16)v;
  }
  if (count > 1 && count * 2 <= range && count * 8 < pixels) s->count = count;
}

#endif
