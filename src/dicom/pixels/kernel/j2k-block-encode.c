// Owns: encoding a code-block of whole numbers: all its passes, as one codeword segment (T.800, annex D, without any of the optional styles).
#include "j2k-block.h"
#include "j2k.h"

static Field field;

INLINE u32 bitOf(const Field *f, u32 place, u32 plane) { return f->magnitudes[place] >> plane & 1; }

INLINE void sayBecoming(Field *f, MqEncoder *m, u32 place, u32 row, u32 flags) {
  u32 context = signContext(flags);
  mqEncode(m, context & 127, f->signs[place] ^ context >> 7);
  spread(f, place, row, f->signs[place]);
}

static void significancePass(Field *f, MqEncoder *shared, u32 plane) {
  MqEncoder m = *shared;
  for (u32 y = 0; y < f->height; y += 4) {
    u32 rows = minOfU(4, f->height - y);
    u32 place = placeOf(f, 0, y);
    for (u32 x = 0; x < f->width; x++, place += 4) {
      if ((fourFlags(f, place) & four(flagsAround)) == 0) continue;
      for (u32 row = 0; row < rows; row++) {
        u32 flags = f->flags[place + row];
        if ((flags & flagOwn) || (flags & flagsAround) == 0) continue;
        u32 bit = bitOf(f, place + row, plane);
        mqEncode(&m, f->zeroContexts[flags & flagsAround], bit);
        if (bit) sayBecoming(f, &m, place + row, row, flags);
        f->flags[place + row] |= flagVisited;
      }
    }
  }
  *shared = m;
}

static void refinementPass(Field *f, MqEncoder *shared, u32 plane) {
  MqEncoder m = *shared;
  for (u32 y = 0; y < f->height; y += 4) {
    u32 place = placeOf(f, 0, y);
    for (u32 x = 0; x < f->width; x++, place += 4) {
      if ((fourFlags(f, place) & four(flagOwn)) == 0) continue;
      for (u32 row = 0; row < 4; row++) {
        u32 flags = f->flags[place + row];
        if ((flags & (flagOwn | flagVisited)) != flagOwn) continue;
        mqEncode(&m, refineContext(flags), bitOf(f, place + row, plane));
        f->flags[place + row] |= flagRefined;
      }
    }
  }
  *shared = m;
}

static void cleanupPass(Field *f, MqEncoder *shared, u32 plane) {
  MqEncoder m = *shared;
  for (u32 y = 0; y < f->height; y += 4) {
    u32 rows = minOfU(4, f->height - y);
    u32 place = placeOf(f, 0, y);
    for (u32 x = 0; x < f->width; x++, place += 4) {
      u32 row = 0;
      if (rows == 4 && fourFlags(f, place) == 0) {
        while (row < 4 && !bitOf(f, place + row, plane)) row++;
        mqEncode(&m, contextRun, row < 4);
        if (row == 4) continue;
        mqEncode(&m, contextUniform, row >> 1);
        mqEncode(&m, contextUniform, row & 1);
        sayBecoming(f, &m, place + row, row, f->flags[place + row]);
        row++;
      }
      for (; row < rows; row++) {
        u32 flags = f->flags[place + row];
        if (flags & (flagOwn | flagVisited)) continue;
        u32 bit = bitOf(f, place + row, plane);
        mqEncode(&m, f->zeroContexts[flags & flagsAround], bit);
        if (bit) sayBecoming(f, &m, place + row, row, flags);
      }
      for (row = 0; row < rows; row++) f->flags[place + row] &= (u16)~flagVisited;
    }
  }
  *shared = m;
}

i32 encodeBlock(const Block *block, const Band *band, const i32 *plane, u32 stride, u32 *planes, u8 *out, u32 room) {
  fillContexts();
  Field *f = &field;
  clearField(f, block->width, block->height, band->orientation, 0);
  u32 any = 0;
  for (u32 y = 0; y < f->height; y++) {
    const i32 *from = plane + (band->planeY + block->y + y) * stride + band->planeX + block->x;
    u32 place = placeOf(f, 0, y);
    for (u32 x = 0; x < f->width; x++, place += 4) {
      u32 magnitude = (u32)(from[x] < 0 ? -from[x] : from[x]);
      f->magnitudes[place] = magnitude;
      f->signs[place] = from[x] < 0;
      any |= magnitude;
    }
  }
  *planes = bitLength(any);
  if (any == 0) return 0;
  if (room < 64) return statusArenaFull;
  // The coder's first byte only takes a carry that never comes, so the segment begins behind it.
  MqEncoder m;
  mqStart(&m, out, out + room);
  resetContexts();
  for (u32 left = *planes; left > 0; left--) {
    if (left < *planes) {
      significancePass(f, &m, left - 1);
      refinementPass(f, &m, left - 1);
    }
    cleanupPass(f, &m, left - 1);
  }
  u8 *end = mqFinish(&m);
  if (m.isFull) return statusArenaFull;
  u32 size = (u32)(end - (out + 1));
  for (u32 k = 0; k < size; k++) out[k] = out[k + 1];
  return (i32)size;
}
