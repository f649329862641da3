// Owns: the values of planes that use few of the values in their range (rescaled or window-levelled data, drawings). Such a plane is coded as
// ranks among the values that occur, and the values travel in the side information as gaps.

#ifndef STELE_SPARSE_H
#define STELE_SPARSE_H

#include "side-coder.h"

typedef struct { u16 values[65536], ranks[65536]; u32 count; Odds odds[32]; } Sparse;

/** A pixel as a rank and back: ranks lie around 0. */
INLINE i32 middleRank(const Sparse *s) { return (i32)(s->count / 2); }

/** False where the pixels are not ranks: the stream was damaged. */
INLINE int fromRanks(const Sparse *s, i16 *pixels, u32 count) {
  i32 middle = middleRank(s);
  u32 most = 0;
  for (u32 i = 0; i < count; i++) {
    u32 rank = (u16)(pixels[i] + middle);
    pixels[i] = (i16)(s->values[rank] ^ 0x8000);
    most = rank > most ? rank : most;
  }
  return most < s->count;
}

static void putSparse(SideWriter *w, Sparse *s) {
  sideDirect(w, s->count > 0, 1);
  if (s->count == 0) return;
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

#endif
