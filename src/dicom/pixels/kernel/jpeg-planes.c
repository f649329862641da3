// Owns: blocks of coefficients to samples in planes, and planes to the pixels of a frame: chroma brought to full size, and colour where it is asked for.
//
// Chroma halved in width, or in both directions, is brought back by the triangle filter (3/4 of the nearer sample, 1/4 of the farther), which is what decoders in hospitals do; any
// other whole ratio repeats samples. Colour is the full-range YCbCr of JFIF (ITU-R BT.601), in 16-bit fixed point.
#include <wasm_simd128.h>
#include "jpeg-dct.h"
#include "jpeg-frame.h"

enum { columnsMax = 65535 };

INLINE void storeRow(const Component *c, u32 y, u32 x, i32x4 low, i32x4 high) {
  u32 place = y * c->blockColumns * 8 + x;
  if (frame.bits <= 8) {
    v128_t words = wasm_i16x8_narrow_i32x4((v128_t)low, (v128_t)high);
    wasm_v128_store64_lane((u8 *)c->plane + place, wasm_u8x16_narrow_i16x8(words, words), 0);
  } else {
    v128_t words = wasm_u16x8_narrow_i32x4((v128_t)low, (v128_t)high);
    wasm_v128_store((u16 *)c->plane + place, wasm_u16x8_min(words, wasm_u16x8_splat((u16)((1u << frame.bits) - 1))));
  }
}

void placeBlock(const Component *c, const i16 *block, u32 lastPlace, u32 blockRow, u32 blockColumn) {
  const i32 passBits = frame.bits <= 8 ? 2 : 1;
  const i32x4 middle = lanes(1 << (frame.bits - 1));
  if (lastPlace == 0) {
    i32x4 level = lanes((block[0] * c->steps[0] + 4) >> 3) + middle;
    for (u32 k = 0; k < 8; k++) storeRow(c, blockRow * 8 + k, blockColumn * 8, level, level);
    return;
  }
  i32x4 half[2][8];
  for (u32 k = 0; k < 8; k++) {
    v128_t values = wasm_v128_load(block + 8 * k);
    v128_t steps = wasm_v128_load(c->steps + 8 * k);
    half[0][k] = (i32x4)wasm_i32x4_mul(wasm_i32x4_extend_low_i16x8(values), wasm_u32x4_extend_low_u16x8(steps));
    half[1][k] = (i32x4)wasm_i32x4_mul(wasm_i32x4_extend_high_i16x8(values), wasm_u32x4_extend_high_u16x8(steps));
  }
  inverseLanes(half[0], constantBits - passBits);
  inverseLanes(half[1], constantBits - passBits);
  transpose8(half);
  inverseLanes(half[0], constantBits + passBits + 3);
  inverseLanes(half[1], constantBits + passBits + 3);
  transpose8(half);
  for (u32 k = 0; k < 8; k++) {
    storeRow(c, blockRow * 8 + k, blockColumn * 8, half[0][k] + middle, half[1][k] + middle);
  }
}

/** What is left to do for a progressive frame when all its scans were read. */
EXPORT("placeCoefficients") void placeCoefficients(void) {
  for (u32 k = 0; k < frame.componentCount; k++) {
    const Component *c = &frame.components[k];
    for (u32 row = 0; row < c->blockRows; row++) {
      for (u32 column = 0; column < c->blockColumns; column++) {
        placeBlock(c, c->coefficients + 64 * (row * c->blockColumns + column), 63, row, column);
      }
    }
  }
}

static u16 rowsOut[3][columnsMax + 8];
static u16 nearRow[columnsMax + 8];
static u16 farRow[columnsMax + 8];

static void readRow(const Component *c, u32 row, u16 *to) {
  u32 place = row * c->blockColumns * 8;
  if (frame.bits > 8) copyBytes(to, (const u16 *)c->plane + place, c->columns * 2);
  else {
    const u8 *from = (const u8 *)c->plane + place;
    for (u32 x = 0; x < c->columns; x++) to[x] = from[x];
  }
}

/** Doubles a row of `count` > 2 samples; the two sums of a pair round in opposite directions. `scale` is what the samples were multiplied by. */
static void doubleRow(const u16 *from, u32 count, u16 *to, i32 scale) {
  const i32 shift = scale == 1 ? 2 : 4;
  const i32 even = scale == 1 ? 1 : 8;
  const i32 odd = scale == 1 ? 2 : 7;
  if (scale == 1) {
    to[0] = from[0];
    to[2 * count - 1] = from[count - 1];
  } else {
    to[0] = (u16)((from[0] * 4 + even) >> shift);
    to[2 * count - 1] = (u16)((from[count - 1] * 4 + odd) >> shift);
  }
  u32 x = 0;
  const v128_t three = wasm_i16x8_splat(3);
  // No sum passes sixteen bits: 3 x 16,380 + 16,380 + 8 is the largest, of twelve bits blended both ways.
  for (; x + 9 < count; x += 8) {
    v128_t here = wasm_v128_load(from + x);
    v128_t next = wasm_v128_load(from + x + 1);
    v128_t first = wasm_i16x8_add(wasm_i16x8_mul(here, three), wasm_i16x8_add(next, wasm_i16x8_splat((i16)odd)));
    v128_t second = wasm_i16x8_add(wasm_i16x8_mul(next, three), wasm_i16x8_add(here, wasm_i16x8_splat((i16)even)));
    first = wasm_u16x8_shr(first, (u32)shift);
    second = wasm_u16x8_shr(second, (u32)shift);
    wasm_v128_store(to + 2 * x + 1, wasm_i16x8_shuffle(first, second, 0, 8, 1, 9, 2, 10, 3, 11));
    wasm_v128_store(to + 2 * x + 9, wasm_i16x8_shuffle(first, second, 4, 12, 5, 13, 6, 14, 7, 15));
  }
  for (; x + 1 < count; x++) {
    to[2 * x + 1] = (u16)((3 * from[x] + from[x + 1] + odd) >> shift);
    to[2 * x + 2] = (u16)((3 * from[x + 1] + from[x] + even) >> shift);
  }
}

static void repeatRow(const u16 *from, u32 count, u16 *to, u32 times) {
  for (u32 x = 0; x < count; x++) {
    for (u32 t = 0; t < times && x * times + t < columnsMax + 8; t++) to[x * times + t] = from[x];
  }
}

/** One row of a component at the frame's full size. */
static void fullRow(const Component *c, u32 y, u16 *to) {
  u32 across = frame.acrossMax / c->across;
  u32 down = frame.downMax / c->down;
  u32 row = minOfU(y / down, c->rows - 1);
  if (across == 1 && down == 1) {
    readRow(c, row, to);
    return;
  }
  readRow(c, row, nearRow);
  if (across == 2 && down == 1 && c->columns > 2) doubleRow(nearRow, c->columns, to, 1);
  else if (across == 2 && down == 2 && c->columns > 2) {
    u32 other = (y & 1) == 0 ? (row > 0 ? row - 1 : 0) : minOfU(row + 1, c->rows - 1);
    readRow(c, other, farRow);
    for (u32 x = 0; x < c->columns; x++) nearRow[x] = (u16)(3 * nearRow[x] + farRow[x]);
    doubleRow(nearRow, c->columns, to, 4);
  } else repeatRow(nearRow, c->columns, to, across);
}

INLINE i32 fixed16(double x) { return (i32)(x * 65536 + 0.5); }

/** Luma and two chroma rows become red, green and blue, in place. */
static void colourRows(u32 count) {
  const i32 most = (1 << frame.bits) - 1;
  const i32 middle = 1 << (frame.bits - 1);
  const i32 half = 1 << 15;
  for (u32 x = 0; x < count; x++) {
    i32 y = rowsOut[0][x];
    i32 cb = rowsOut[1][x] - middle;
    i32 cr = rowsOut[2][x] - middle;
    i32 red = y + ((fixed16(1.40200) * cr + half) >> 16);
    i32 green = y + ((-fixed16(0.34414) * cb - fixed16(0.71414) * cr + half) >> 16);
    i32 blue = y + ((fixed16(1.77200) * cb + half) >> 16);
    rowsOut[0][x] = (u16)clampOf(red, 0, most);
    rowsOut[1][x] = (u16)clampOf(green, 0, most);
    rowsOut[2][x] = (u16)clampOf(blue, 0, most);
  }
}

INLINE v128_t narrowRow(const u16 *row) { return wasm_u8x16_narrow_i16x8(wasm_v128_load(row), wasm_v128_load(row + 8)); }

/** Three rows of bytes side by side, sixteen pixels at a time. */
static void weaveRows(u8 *to, u32 columns) {
  u32 x = 0;
  for (; x + 16 <= columns; x += 16, to += 48) {
    v128_t a = narrowRow(rowsOut[0] + x);
    v128_t b = narrowRow(rowsOut[1] + x);
    v128_t c = narrowRow(rowsOut[2] + x);
    v128_t ab = wasm_i8x16_shuffle(a, b, 0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5);
    wasm_v128_store(to, wasm_i8x16_shuffle(ab, c, 0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15));
    ab = wasm_i8x16_shuffle(a, b, 21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26);
    wasm_v128_store(to + 16, wasm_i8x16_shuffle(ab, c, 0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15));
    ab = wasm_i8x16_shuffle(a, b, 0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0);
    wasm_v128_store(to + 32, wasm_i8x16_shuffle(ab, c, 26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31));
  }
  for (; x < columns; x++) {
    for (u32 k = 0; k < 3; k++) *to++ = (u8)rowsOut[k][x];
  }
}

/** Writes the pixels, components side by side, one byte a sample up to 8 bits, else two. `toRgb`: three components are YCbCr. */
EXPORT("writePixels") void writePixels(u8 *out, u32 toRgb) {
  u32 count = frame.componentCount;
  u32 columns = frame.columns;
  for (u32 y = 0; y < frame.rows; y++) {
    const Component *first = &frame.components[0];
    if (count == 1) {
      u32 size = frame.bits <= 8 ? 1 : 2;
      copyBytes(out + y * columns * size, (const u8 *)first->plane + y * first->blockColumns * 8 * size, columns * size);
      continue;
    }
    for (u32 k = 0; k < count; k++) fullRow(&frame.components[k], y, rowsOut[k]);
    if (toRgb) colourRows(columns);
    if (frame.bits <= 8) {
      weaveRows(out + y * columns * 3, columns);
    } else {
      u16 *to = (u16 *)out + y * columns * 3;
      for (u32 k = 0; k < 3; k++) {
        for (u32 x = 0; x < columns; x++) to[3 * x + k] = rowsOut[k][x];
      }
    }
  }
}
