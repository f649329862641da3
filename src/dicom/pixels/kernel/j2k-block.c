// Owns: the tables of contexts, made from the rules of T.800, tables D.1 to D.3.
#include "j2k-block.h"

u8 zeroContexts[4][256];
u8 signContexts[256];
static u32 areFilled;

static u8 zeroContext(u32 orientation, u32 flags) {
  u32 h = (flags & flagWest ? 1 : 0) + (flags & flagEast ? 1 : 0);
  u32 v = (flags & flagNorth ? 1 : 0) + (flags & flagSouth ? 1 : 0);
  u32 d = (flags & flagNorthWest ? 1 : 0) + (flags & flagNorthEast ? 1 : 0) + (flags & flagSouthWest ? 1 : 0) + (flags & flagSouthEast ? 1 : 0);
  if (orientation == 3) {
    u32 hv = h + v;
    if (d >= 3) return 8;
    if (d == 2) return hv >= 1 ? 7 : 6;
    if (d == 1) return hv >= 2 ? 5 : hv == 1 ? 4 : 3;
    return hv >= 2 ? 2 : (u8)hv;
  }
  if (orientation == 1) {
    u32 swap = h;
    h = v;
    v = swap;
  }
  if (h == 2) return 8;
  if (h == 1) return v >= 1 ? 7 : d >= 1 ? 6 : 5;
  if (v == 2) return 4;
  if (v == 1) return 3;
  return d >= 2 ? 2 : (u8)d;
}

/** -1, 0 or 1: what two opposite neighbours say of the sign. */
static i32 tendency(u32 isFirst, u32 firstMinus, u32 isSecond, u32 secondMinus) {
  i32 sum = (isFirst ? (firstMinus ? -1 : 1) : 0) + (isSecond ? (secondMinus ? -1 : 1) : 0);
  return clampOf(sum, -1, 1);
}

void fillContexts(void) {
  if (areFilled) return;
  areFilled = 1;
  for (u32 orientation = 0; orientation < 4; orientation++) {
    for (u32 flags = 0; flags < 256; flags++) zeroContexts[orientation][flags] = zeroContext(orientation, flags);
  }
  for (u32 k = 0; k < 256; k++) {
    i32 h = tendency(k & 1, k & 16, k & 2, k & 32);
    i32 v = tendency(k & 4, k & 64, k & 8, k & 128);
    u32 turned = h < 0 || (h == 0 && v < 0);
    if (turned) {
      h = -h;
      v = -v;
    }
    u32 context = h == 0 ? (v == 0 ? 9 : 10) : (u32)(12 + v);
    signContexts[k] = (u8)(context | (turned ? 128 : 0));
  }
}
