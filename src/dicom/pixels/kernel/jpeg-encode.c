// Owns: pixels to the scan of a baseline JPEG: one grey component, or YCbCr of RGB with chroma at full or half size both ways.
//
// `encodeBegin` transforms, quantizes and fits the tables; it answers how many bytes the scan may take. `encodeEnd` writes it. Markers are the host's.
#include "jpeg-dct.h"
#include "jpeg-write.h"

/** Quantized, in zig-zag order; bit k says that place k is other than zero. */
typedef struct {
  i16 places[64];
  u64 set;
} CodedBlock;

typedef struct {
  const u8 *pixels;     // 1 or 3 bytes a pixel
  u32 columns;
  u32 rows;
  u32 components;       // 1 or 3
  u32 halved;           // 1: chroma is halved both ways
  u16 steps[2][64];     // quantization of luma and chroma, natural order
  CodedBlock *blocks;   // room for them, in the order of the scan
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

/** Samples of one MCU, up to 16 x 16, less the middle of their range; the last row and column repeated beyond the edge. */
enum { unitMax = 16 };
static i32 unit[3][unitMax * unitMax];

static void loadGrey(u32 y, u32 x) {
  for (u32 row = 0; row < 8; row++) {
    const u8 *line = picture.pixels + minOfU(y + row, picture.rows - 1) * picture.columns;
    i32 *to = unit[0] + 8 * row;
    if (LIKELY(x + 8 <= picture.columns)) {
      for (u32 k = 0; k < 8; k++) to[k] = line[x + k] - 128;
    } else {
      for (u32 k = 0; k < 8; k++) to[k] = line[minOfU(x + k, picture.columns - 1)] - 128;
    }
  }
}

static void loadColour(u32 y, u32 x, u32 side) {
  const i32 half = 1 << 15;
  for (u32 row = 0; row < side; row++) {
    const u8 *line = picture.pixels + 3 * minOfU(y + row, picture.rows - 1) * picture.columns;
    for (u32 k = 0; k < side; k++) {
      const u8 *p = line + 3 * minOfU(x + k, picture.columns - 1);
      u32 at = row * side + k;
      i32 red = p[0];
      i32 green = p[1];
      i32 blue = p[2];
      unit[0][at] = ((fixed16(0.29900) * red + fixed16(0.58700) * green + fixed16(0.11400) * blue + half) >> 16) - 128;
      unit[1][at] = (-fixed16(0.16874) * red - fixed16(0.33126) * green + fixed16(0.5) * blue + half - 1) >> 16;
      unit[2][at] = (fixed16(0.5) * red - fixed16(0.41869) * green - fixed16(0.08131) * blue + half - 1) >> 16;
    }
  }
}

/** Chroma of 16 x 16 pixels at half size, in place. Ties go up and down in turn, so that no tint arises. */
static void halveChroma(i32 *samples) {
  for (u32 row = 0; row < 8; row++) {
    for (u32 column = 0; column < 8; column++) {
      const i32 *p = samples + 2 * row * unitMax + 2 * column;
      samples[8 * row + column] = (p[0] + p[1] + p[unitMax] + p[unitMax + 1] + 1 + (i32)(column & 1)) >> 2;
    }
  }
}

typedef f32 f32x4 __attribute__((vector_size(16)));

/** Transforms and quantizes 8 x 8 samples whose rows lie `stride` apart. */
static void codeBlock(const i32 *samples, u32 stride, u32 chroma, CodedBlock *out) {
  i32x4 half[2][8];
  for (u32 k = 0; k < 8; k++) {
    __builtin_memcpy(&half[0][k], samples + stride * k, 16);
    __builtin_memcpy(&half[1][k], samples + stride * k + 4, 16);
  }
  forwardLanes(half[0], 2, constantBits - 2);
  forwardLanes(half[1], 2, constantBits - 2);
  transpose8(half);
  forwardLanes(half[0], -2, constantBits + 2);
  forwardLanes(half[1], -2, constantBits + 2);
  transpose8(half);
  i32 quantized[64];
  const f32x4 away = {0.5f, 0.5f, 0.5f, 0.5f};
  for (u32 k = 0; k < 16; k++) {
    i32x4 v = half[k & 1][k >> 1];
    i32x4 sign = v >> 31;
    f32x4 steps;
    __builtin_memcpy(&steps, inverseSteps[chroma] + 4 * k, 16);
    f32x4 size = __builtin_convertvector((v ^ sign) - sign, f32x4) * steps + away;
    i32x4 rounded = __builtin_convertvector(size, i32x4);
    rounded = (rounded ^ sign) - sign;
    __builtin_memcpy(quantized + 4 * k, &rounded, 16);
  }
  u64 set = 0;
  for (u32 place = 0; place < 64; place++) {
    i32 value = quantized[naturalPlace[place]];
    out->places[place] = (i16)value;
    set |= (u64)(value != 0) << place;
  }
  out->set = set;
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

static void sayBlock(Saying *s, const CodedBlock *block, i32 *mean) {
  i32 difference = block->places[0] - *mean;
  *mean = block->places[0];
  u32 size = sizeClass(difference);
  say(s, s->mean, size, difference, size);
  u32 last = 0;
  for (u64 left = block->set & ~1ull; left != 0; left &= left - 1) {
    u32 place = (u32)__builtin_ctzll(left);
    u32 run = place - last - 1;
    for (; run > 15; run -= 16) say(s, s->rest, 0xf0, 0, 0);
    i32 value = block->places[place];
    size = sizeClass(value);
    say(s, s->rest, run << 4 | size, value, size);
    last = place;
  }
  if (last < 63) say(s, s->rest, 0, 0, 0);
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
    sayBlock(&s, picture.blocks + block, &mean[component]);
  }
  return s.extra;
}

/** Bytes of the blocks of the scan, for the host to make room. */
EXPORT("encodeBlockBytes") u32 encodeBlockBytes(void) {
  u32 side = picture.components == 3 && picture.halved ? 16 : 8;
  u32 mcus = ((picture.columns + side - 1) / side) * ((picture.rows + side - 1) / side);
  return mcus * (picture.components == 1 ? 1 : picture.halved ? 6 : 3) * (u32)sizeof(CodedBlock);
}

EXPORT("encodeBegin") u32 encodeBegin(void) {
  for (u32 c = 0; c < 2; c++) {
    for (u32 k = 0; k < 64; k++) inverseSteps[c][k] = 1.0f / (8.0f * picture.steps[c][k]);
  }
  fillBytes(tables, 0, sizeof tables);
  u32 isHalved = picture.components == 3 && picture.halved;
  u32 side = isHalved ? 16 : 8;
  CodedBlock *out = picture.blocks;
  for (u32 y = 0; y < picture.rows; y += side) {
    for (u32 x = 0; x < picture.columns; x += side) {
      if (picture.components == 1) {
        loadGrey(y, x);
        codeBlock(unit[0], 8, 0, out++);
        continue;
      }
      loadColour(y, x, side);
      for (u32 dy = 0; dy < side; dy += 8) {
        for (u32 dx = 0; dx < side; dx += 8) codeBlock(unit[0] + dy * side + dx, side, 0, out++);
      }
      for (u32 c = 1; c < 3; c++) {
        if (isHalved) halveChroma(unit[c]);
        codeBlock(unit[c], 8, 1, out++);
      }
    }
  }
  blockCount = (u32)(out - picture.blocks);
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
