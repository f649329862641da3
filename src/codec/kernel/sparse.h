// Owns: planes that use few of the values in their range (rescaled or window-levelled data). Such a plane is coded as ranks
// among the values that occur, and the values travel in the side information as gaps.

#ifndef STELE_SPARSE_H
#define STELE_SPARSE_H

#include "side-coder.h"

typedef struct { u16 values[65536], ranks[65536]; u32 count; Odds odds[32]; } Sparse;

/** Finds the values that occur, all between low and high. True where ranks pay: less than half of the range in use. */
static int findSparse(Sparse *s, const i16 *plane, u32 pixels, i32 low, i32 high) {
  u32 first = (u16)low ^ 0x8000u, range = (u32)(high - low) + 1;
  s->count = 0;
  if (range < 4 || range > pixels * 4) return 0;
  fillBytes(s->ranks + first, 0, range * 2);
  // A look at some pixels settles it for most planes: once half of the range was seen, the plane is not sparse.
  for (u32 i = 0, step = pixels / 8192 | 1; i < pixels; i += step) s->ranks[(u16)plane[i] ^ 0x8000] = 1;
  u32 seen = 0;
  for (u32 v = first; v < first + range; v++) seen += s->ranks[v];
  if (seen * 2 > range) return 0;
  for (u32 i = 0; i < pixels; i++) s->ranks[(u16)plane[i] ^ 0x8000] = 1;
  for (u32 v = first; v < first + range; v++) {
    if (s->ranks[v] == 0) continue;
    s->ranks[v] = (u16)s->count;
    s->values[s->count++] = (u16)v;
  }
  return s->count > 1 && s->count * 2 <= range && s->count * 8 < pixels;
}

static void toRanks(const Sparse *s, i16 *plane, u32 pixels) {
  i32 middle = (i32)(s->count / 2);
  for (u32 i = 0; i < pixels; i++) plane[i] = (i16)((i32)s->ranks[(u16)plane[i] ^ 0x8000] - middle);
}

static void putSparse(SideWriter *w, Sparse *s, int used) {
  sideDirect(w, (u32)used, 1);
  if (!used) return;
  for (u32 i = 0; i < 32; i++) s->odds[i] = oddsStart;
  sideDirect(w, s->count - 1, 16);
  sideDirect(w, s->values[0], 16);
  for (u32 i = 1; i < s->count; i++) sideNumber(w, s->odds, (u32)(s->values[i] - s->values[i - 1]) - 1);
}

static int getSparse(SideReader *r, Sparse *s) {
  s->count = 0;
  if (!sideGetDirect(r, 1)) return 1;
  for (u32 i = 0; i < 32; i++) s->odds[i] = oddsStart;
  s->count = sideGetDirect(r, 16) + 1;
  s->values[0] = (u16)sideGetDirect(r, 16);
  for (u32 i = 1; i < s->count; i++) {
    u32 value = s->values[i - 1] + sideGetNumber(r, s->odds) + 1;
    if (value > 65535) return 0;
    s->values[i] = (u16)value;
  }
  return 1;
}

/** False where a pixel is not a rank: the stream was damaged. */
static int fromRanks(const Sparse *s, i16 *plane, u32 pixels) {
  i32 middle = (i32)(s->count / 2);
  for (u32 i = 0; i < pixels; i++) {
    u32 rank = (u32)(plane[i] + middle);
    if (rank >= s->count) return 0;
    plane[i] = (i16)(s->values[rank] ^ 0x8000);
  }
  return 1;
}

#endif
