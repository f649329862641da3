// Owns: the wavelets of JPEG 2000 (T.800, annex F): 5/3 in whole numbers both ways, 9/7 in floating point back only.
//
// In the plane of a component lie, for every resolution, its low and high parts side by side. Lines are lifted with low and high samples in arrays of their own, so that
// every step goes over neighbours in memory; a line that begins at an odd place begins with a high sample (`odd`). Columns go in strips.
#include "j2k.h"

enum { stripWidth = 16 };

#define alpha -1.586134342059924f
#define beta -0.052980118572961f
#define gamma 0.882911075530934f
#define delta 0.443506852043971f
#define scaling 1.230174104914001f

/** Both parts of a line, or of a strip of columns, with one place before and after each for what is mirrored there. `apart`: columns of the strip. */
typedef struct {
  void *low;
  void *high;
  u32 lowCount;
  u32 highCount;
  u32 odd;
} Line;

INLINE void mirror32(i32 *part, u32 count, u32 apart) {
  if (count == 0) return;
  copyBytes(part - apart, part, apart * 4);
  copyBytes(part + count * apart, part + (count - 1) * apart, apart * 4);
}

/** to[k] += sign x ((from[k - 1 + shift] + from[k + shift] + rounding) >> bits), over strips `apart` wide. */
INLINE void liftWhole(i32 *to, u32 count, i32 *from, u32 fromCount, u32 shift, u32 apart, i32 sign, i32 rounding, i32 bits) {
  mirror32(from, fromCount, apart);
  const i32 *second = from + shift * apart;
  const i32 *first = second - apart;
  for (u32 k = 0; k < count * apart; k++) to[k] += sign * ((first[k] + second[k] + rounding) >> bits);
}

INLINE void liftReal(f32 *to, u32 count, f32 *from, u32 fromCount, u32 shift, u32 apart, f32 factor) {
  mirror32((i32 *)from, fromCount, apart);
  const f32 *second = from + shift * apart;
  const f32 *first = second - apart;
  for (u32 k = 0; k < count * apart; k++) to[k] -= factor * (first[k] + second[k]);
}

INLINE void synthesizeWhole(const Line *l, u32 apart) {
  i32 *low = l->low;
  i32 *high = l->high;
  if (l->lowCount == 0) {
    for (u32 k = 0; k < l->highCount * apart; k++) high[k] >>= 1;
    return;
  }
  if (l->highCount == 0) return;
  liftWhole(low, l->lowCount, high, l->highCount, l->odd, apart, -1, 2, 2);
  liftWhole(high, l->highCount, low, l->lowCount, 1 - l->odd, apart, 1, 0, 1);
}

INLINE void analyzeWhole(const Line *l, u32 apart) {
  i32 *low = l->low;
  i32 *high = l->high;
  if (l->lowCount == 0) {
    for (u32 k = 0; k < l->highCount * apart; k++) high[k] <<= 1;
    return;
  }
  if (l->highCount == 0) return;
  liftWhole(high, l->highCount, low, l->lowCount, 1 - l->odd, apart, -1, 0, 1);
  liftWhole(low, l->lowCount, high, l->highCount, l->odd, apart, 1, 2, 2);
}

INLINE void synthesizeReal(const Line *l, u32 apart) {
  f32 *low = l->low;
  f32 *high = l->high;
  if (l->lowCount == 0) {
    for (u32 k = 0; k < l->highCount * apart; k++) high[k] *= 0.5f;
    return;
  }
  if (l->highCount == 0) return;
  for (u32 k = 0; k < l->lowCount * apart; k++) low[k] *= scaling;
  for (u32 k = 0; k < l->highCount * apart; k++) high[k] *= 1.0f / scaling;
  liftReal(low, l->lowCount, high, l->highCount, l->odd, apart, delta);
  liftReal(high, l->highCount, low, l->lowCount, 1 - l->odd, apart, gamma);
  liftReal(low, l->lowCount, high, l->highCount, l->odd, apart, beta);
  liftReal(high, l->highCount, low, l->lowCount, 1 - l->odd, apart, alpha);
}

enum { backWhole, backReal, forthWhole };

INLINE void transformLine(const Line *l, u32 apart, u32 kind) {
  if (kind == backWhole) synthesizeWhole(l, apart);
  else if (kind == backReal) synthesizeReal(l, apart);
  else analyzeWhole(l, apart);
}

/** Room for both parts of a line of `count` samples, `apart` columns wide. */
static i32 openLine(Line *l, u32 start, u32 count, u32 apart, Arena *arena) {
  l->odd = start & 1;
  l->lowCount = (count + 1 - l->odd) / 2;
  l->highCount = count - l->lowCount;
  i32 *room = take(arena, (count + 4) * apart * 4);
  if (room == 0) return statusArenaFull;
  l->low = room + apart;
  l->high = room + (l->lowCount + 3) * apart;
  return statusOk;
}

INLINE void transformRows(i32 *plane, u32 stride, const Area *area, const Line *l, u32 kind) {
  i32 *low = l->low;
  i32 *high = l->high;
  for (u32 y = 0; y < heightOf(area); y++) {
    i32 *row = plane + y * stride;
    i32 *lowPlaces = row + l->odd;
    i32 *highPlaces = row + (1 - l->odd);
    if (kind == forthWhole) {
      for (u32 k = 0; k < l->lowCount; k++) low[k] = lowPlaces[2 * k];
      for (u32 k = 0; k < l->highCount; k++) high[k] = highPlaces[2 * k];
      transformLine(l, 1, kind);
      copyBytes(row, low, l->lowCount * 4);
      copyBytes(row + l->lowCount, high, l->highCount * 4);
    } else {
      copyBytes(low, row, l->lowCount * 4);
      copyBytes(high, row + l->lowCount, l->highCount * 4);
      transformLine(l, 1, kind);
      for (u32 k = 0; k < l->lowCount; k++) lowPlaces[2 * k] = low[k];
      for (u32 k = 0; k < l->highCount; k++) highPlaces[2 * k] = high[k];
    }
  }
}

INLINE void transformColumns(i32 *plane, u32 stride, const Area *area, const Line *l, u32 kind) {
  i32 *low = l->low;
  i32 *high = l->high;
  for (u32 x = 0; x < widthOf(area); x += stripWidth) {
    u32 size = minOfU(stripWidth, widthOf(area) - x) * 4;
    i32 *top = plane + x;
    u32 isForth = kind == forthWhole;
    // Rows that hold low samples: the upper part of the plane, or every other row of the picture.
    u32 lowStart = isForth ? l->odd : 0;
    u32 highStart = isForth ? 1 - l->odd : l->lowCount;
    u32 step = isForth ? 2 : 1;
    for (u32 k = 0; k < l->lowCount; k++) copyBytes(low + k * stripWidth, top + (lowStart + k * step) * stride, size);
    for (u32 k = 0; k < l->highCount; k++) copyBytes(high + k * stripWidth, top + (highStart + k * step) * stride, size);
    transformLine(l, stripWidth, kind);
    lowStart = isForth ? 0 : l->odd;
    highStart = isForth ? l->lowCount : 1 - l->odd;
    step = isForth ? 1 : 2;
    for (u32 k = 0; k < l->lowCount; k++) copyBytes(top + (lowStart + k * step) * stride, low + k * stripWidth, size);
    for (u32 k = 0; k < l->highCount; k++) copyBytes(top + (highStart + k * step) * stride, high + k * stripWidth, size);
  }
}

INLINE i32 transformLevel(const TileComponent *component, u32 level, u32 kind, Arena arena) {
  const Area *area = &component->resolutions[level].area;
  u32 stride = widthOf(&component->area);
  Line row, column;
  if (openLine(&row, area->x0, widthOf(area), 1, &arena) != statusOk) return statusArenaFull;
  if (openLine(&column, area->y0, heightOf(area), stripWidth, &arena) != statusOk) return statusArenaFull;
  if (kind == forthWhole) {
    transformColumns(component->plane, stride, area, &column, kind);
    transformRows(component->plane, stride, area, &row, kind);
  } else {
    transformRows(component->plane, stride, area, &row, kind);
    transformColumns(component->plane, stride, area, &column, kind);
  }
  return statusOk;
}

i32 synthesize(const TileComponent *component, u32 isReversible, Arena arena) {
  for (u32 level = 1; level <= component->levels; level++) {
    i32 status = isReversible ? transformLevel(component, level, backWhole, arena) : transformLevel(component, level, backReal, arena);
    if (status != statusOk) return status;
  }
  return statusOk;
}

i32 analyze(const TileComponent *component, Arena arena) {
  for (u32 level = component->levels; level > 0; level--) {
    i32 status = transformLevel(component, level, forthWhole, arena);
    if (status != statusOk) return status;
  }
  return statusOk;
}
