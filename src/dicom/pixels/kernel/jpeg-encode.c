// Owns: pixels to the scan of a baseline JPEG: one grey component, or YCbCr of RGB with chroma at full or half size both ways.
//
// `encodeBegin` transforms, quantizes and fits the tables; it answers how many bytes the scan may take. `encodeEnd` writes it. Markers are the host's.
#include "jpeg-dct.h"
#include "jpeg-write.h"

typedef struct {
  const u8 *pixels;     // 1 or 3 bytes a pixel
  u32 columns;
  u32 rows;
  u32 components;       // 1 or 3
  u32 halved;           // 1: chroma is halved both ways
  u16 steps[2][64];     // quantization of luma and chroma, natural order
  i16 *coefficients;    // room for 64 a block, in the order of the scan
} Picture;

static Picture picture;
/** Luma's and chroma's; the mean and the rest. */
static CodeTable tables[2][2];
static u32 blockCount;
static f32 inverseSteps[2][64];

EXPORT("encodePicture") Picture *encodePicture(void) { return &picture; }
EXPORT("encodeTable") CodeTable *encodeTable(u32 chroma, u32 isAc) { return &tables[chroma & 1][isAc & 1]; }

static const u8 naturalPlace[64] = {
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

INLINE i32 fixed16(double x) { return (i32)(x * 65536 + 0.5); }

/** One component of a pixel, the last row and column repeated beyond the edge. */
INLINE i32 sampleAt(u32 component, u32 y, u32 x) {
  u32 row = minOfU(y, picture.rows - 1);
  u32 column = minOfU(x, picture.columns - 1);
  if (picture.components == 1) return picture.pixels[row * picture.columns + column];
  const u8 *p = picture.pixels + 3 * (row * picture.columns + column);
  const i32 half = 1 << 15;
  switch (component) {
    case 0: return (fixed16(0.29900) * p[0] + fixed16(0.58700) * p[1] + fixed16(0.11400) * p[2] + half) >> 16;
    case 1: return ((-fixed16(0.16874) * p[0] - fixed16(0.33126) * p[1] + fixed16(0.5) * p[2] + half - 1) >> 16) + 128;
    default: return ((fixed16(0.5) * p[0] - fixed16(0.41869) * p[1] - fixed16(0.08131) * p[2] + half - 1) >> 16) + 128;
  }
}

static void transformBlock(const i32 *samples, u32 chroma, i16 *out) {
  i32x4 half[2][8];
  for (u32 k = 0; k < 8; k++) {
    for (u32 h = 0; h < 2; h++) {
      const i32 *from = samples + 8 * k + 4 * h;
      half[h][k] = (i32x4){from[0], from[1], from[2], from[3]} - lanes(128);
    }
  }
  forwardLanes(half[0], 2, constantBits - 2);
  forwardLanes(half[1], 2, constantBits - 2);
  transpose8(half);
  forwardLanes(half[0], -2, constantBits + 2);
  forwardLanes(half[1], -2, constantBits + 2);
  transpose8(half);
  for (u32 place = 0; place < 64; place++) {
    u32 at = naturalPlace[place];
    f32 value = (f32)half[at >> 2 & 1][at >> 3][at & 3] * inverseSteps[chroma][at];
    out[place] = (i16)(value < 0 ? value - 0.5f : value + 0.5f);
  }
}

static void takeBlock(u32 component, u32 y, u32 x, u32 halved, i16 *out) {
  i32 samples[64];
  for (u32 k = 0; k < 64; k++) {
    u32 row = y + (k >> 3);
    u32 column = x + (k & 7);
    if (!halved) samples[k] = sampleAt(component, row, column);
    else {
      i32 sum = sampleAt(component, 2 * row, 2 * column) + sampleAt(component, 2 * row, 2 * column + 1) +
                sampleAt(component, 2 * row + 1, 2 * column) + sampleAt(component, 2 * row + 1, 2 * column + 1);
      samples[k] = (sum + 1 + (i32)(column & 1)) >> 2; // ties go up and down in turn, so that no tint arises
    }
  }
  transformBlock(samples, component > 0, out);
}

typedef struct {
  CodeTable *mean;
  CodeTable *rest;
  BitWriter *writer; // 0 when symbols are only counted
  u64 extra;
} Saying;

INLINE void say(Saying *s, CodeTable *table, u32 symbol, i32 value, u32 size) {
  if (s->writer == 0) {
    table->counts[symbol]++;
    s->extra += size;
    return;
  }
  putSymbol(s->writer, table, symbol);
  if (size > 0) putBits(s->writer, extraBits(value, size), size);
}

static void sayBlock(Saying *s, const i16 *block, i32 *mean) {
  i32 difference = block[0] - *mean;
  *mean = block[0];
  u32 size = sizeClass(difference);
  say(s, s->mean, size, difference, size);
  u32 run = 0;
  for (u32 place = 1; place < 64; place++) {
    i32 value = block[place];
    if (value == 0) {
      run++;
      continue;
    }
    for (; run > 15; run -= 16) say(s, s->rest, 0xf0, 0, 0);
    size = sizeClass(value);
    say(s, s->rest, run << 4 | size, value, size);
    run = 0;
  }
  if (run > 0) say(s, s->rest, 0, 0, 0);
}

/** Blocks lie in the order of the scan: of a colour MCU luma first, then the two of chroma. */
static u64 sayAll(BitWriter *writer) {
  Saying s = {.writer = writer, .extra = 0};
  i32 mean[3] = {0, 0, 0};
  u32 lumaBlocks = picture.components == 1 ? 1 : picture.halved ? 4 : 1;
  u32 perMcu = picture.components == 1 ? 1 : lumaBlocks + 2;
  for (u32 block = 0; block < blockCount; block++) {
    u32 inMcu = block % perMcu;
    u32 component = inMcu < lumaBlocks ? 0 : inMcu - lumaBlocks + 1;
    s.mean = &tables[component > 0][0];
    s.rest = &tables[component > 0][1];
    sayBlock(&s, picture.coefficients + 64 * block, &mean[component]);
  }
  return s.extra;
}

/** Blocks of the scan, for the host to make room. */
EXPORT("encodeBlocks") u32 encodeBlocks(void) {
  u32 unit = picture.components == 3 && picture.halved ? 16 : 8;
  u32 mcus = ((picture.columns + unit - 1) / unit) * ((picture.rows + unit - 1) / unit);
  return mcus * (picture.components == 1 ? 1 : picture.halved ? 6 : 3);
}

EXPORT("encodeBegin") u32 encodeBegin(void) {
  for (u32 c = 0; c < 2; c++) {
    for (u32 k = 0; k < 64; k++) inverseSteps[c][k] = 1.0f / (8.0f * picture.steps[c][k]);
  }
  fillBytes(tables, 0, sizeof tables);
  u32 isHalved = picture.components == 3 && picture.halved;
  u32 unit = isHalved ? 16 : 8;
  i16 *out = picture.coefficients;
  for (u32 y = 0; y < picture.rows; y += unit) {
    for (u32 x = 0; x < picture.columns; x += unit) {
      for (u32 dy = 0; dy < unit; dy += 8) {
        for (u32 dx = 0; dx < unit; dx += 8, out += 64) takeBlock(0, y + dy, x + dx, 0, out);
      }
      for (u32 c = 1; c < picture.components; c++, out += 64) {
        takeBlock(c, isHalved ? y / 2 : y, isHalved ? x / 2 : x, isHalved, out);
      }
    }
  }
  blockCount = (u32)(out - picture.coefficients) / 64;
  u64 bits = sayAll(0);
  for (u32 c = 0; c < (picture.components == 1 ? 1 : 2); c++) bits += fitTable(&tables[c][0]) + fitTable(&tables[c][1]);
  return (u32)(bits / 8 + 16) * 2; // every byte could be FF, and then another follows it
}

/** Writes the scan; answers its size. */
EXPORT("encodeEnd") u32 encodeEnd(u8 *out) {
  BitWriter writer = {.at = out, .bits = 0, .count = 0};
  sayAll(&writer);
  endBits(&writer);
  return (u32)(writer.at - out);
}
