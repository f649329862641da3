// Owns: what both directions of the block coder share: flags of samples, contexts (T.800, annex D).
//
// A block is coded in stripes of four rows, column after column. Flags and magnitudes lie in that order too: the four samples of a stripe's column are
// neighbours in memory, so one 64-bit look tells whether any of them has anything to say. Around the block lies a border that stays without meaning.

#ifndef STELE_J2K_BLOCK_H
#define STELE_J2K_BLOCK_H

#include "base.h"
#include "j2k-mq.h"

enum {
  // Neighbours that are significant.
  flagWest = 1, flagEast = 2, flagNorth = 4, flagSouth = 8,
  flagNorthWest = 16, flagNorthEast = 32, flagSouthWest = 64, flagSouthEast = 128,
  flagsAround = 255,
  // Signs of the four nearest, where they are significant.
  minusWest = 256, minusEast = 512, minusNorth = 1024, minusSouth = 2048,
  // The sample itself.
  flagOwn = 4096, flagRefined = 8192, flagVisited = 16384,
  // Room for the largest block, 1,024 x 4 or 4 x 1,024, with its border: (1,024 + 2) x 4 x (1 + 2).
  placesMax = 12400,
};

#define four(flags) ((u64)(flags) * 0x0001000100010001ull)

typedef struct {
  u32 width;
  u32 height;
  u32 stride;       // places from stripe to stripe
  u32 isCausal;
  const u8 *zeroContexts;
  u16 flags[placesMax];
  u32 magnitudes[placesMax];
  u8 signs[placesMax];
} Field;

/** Contexts of significance by orientation and the eight neighbours; of the sign by the four nearest. */
extern u8 zeroContexts[4][256];
/** Context | 128 where the bit is to be turned. */
extern u8 signContexts[256];
void fillContexts(void);

INLINE u32 placeOf(const Field *f, u32 x, u32 y) { return (y / 4 + 1) * f->stride + (x + 1) * 4 + (y & 3); }

INLINE void clearField(Field *f, u32 width, u32 height, u32 orientation, u32 isCausal) {
  f->width = width;
  f->height = height;
  f->stride = (width + 2) * 4;
  f->isCausal = isCausal;
  f->zeroContexts = zeroContexts[orientation];
  u32 count = f->stride * ((height + 3) / 4 + 2);
  fillBytes(f->flags, 0, count * 2);
  fillBytes(f->magnitudes, 0, count * 4);
  fillBytes(f->signs, 0, count);
}

/** Tells the neighbours of a sample that it is significant. */
INLINE void spread(Field *f, u32 place, u32 row, u32 isMinus) {
  u16 *here = f->flags + place;
  here[-4] |= (u16)(flagEast | (isMinus ? minusEast : 0));
  here[4] |= (u16)(flagWest | (isMinus ? minusWest : 0));
  // A stripe in causal mode knows nothing of the one below it.
  if (row != 0 || !f->isCausal) {
    u16 *north = row != 0 ? here - 1 : here - f->stride + 3;
    north[0] |= (u16)(flagSouth | (isMinus ? minusSouth : 0));
    north[-4] |= flagSouthEast;
    north[4] |= flagSouthWest;
  }
  u16 *south = row != 3 ? here + 1 : here + f->stride - 3;
  south[0] |= (u16)(flagNorth | (isMinus ? minusNorth : 0));
  south[-4] |= flagNorthEast;
  south[4] |= flagNorthWest;
  *here |= flagOwn;
}

INLINE u32 signContext(u32 flags) { return signContexts[(flags & 15) | (flags >> 4 & 0xf0)]; }
INLINE u32 refineContext(u32 flags) { return flags & flagRefined ? 16 : flags & flagsAround ? 15 : 14; }
INLINE u64 fourFlags(const Field *f, u32 place) {
  u64 v;
  __builtin_memcpy(&v, f->flags + place, 8);
  return v;
}

#endif
