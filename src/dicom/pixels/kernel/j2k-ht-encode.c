// Owns: encoding a block of whole numbers as one high-throughput cleanup pass (T.814, clause 7), every magnitude whole in it.
#include "j2k-block.h"
#include "j2k-ht.h"
#include "j2k.h"

/** Bits to the front, lowest first; after a byte FF comes one of seven bits. */
typedef struct {
  u8 *at;
  u8 *end;
  u64 bits;
  u32 count;
  u32 afterFull;
  u32 isFull;
} ForwardWriter;

INLINE void drainForward(ForwardWriter *w) {
  for (;;) {
    u32 width = w->afterFull ? 7 : 8;
    if (w->count < width) return;
    u32 byte = (u32)w->bits & ((1u << width) - 1);
    w->bits >>= width;
    w->count -= width;
    if (w->at < w->end) *w->at++ = (u8)byte;
    else w->isFull = 1;
    w->afterFull = byte == 0xff;
  }
}
INLINE void putForward(ForwardWriter *w, u32 value, u32 count) { // count <= 31
  w->bits |= (u64)value << w->count;
  w->count += count;
  drainForward(w);
}

enum { codesMax = 3200, runsMax = 512 };

/** Quad codes, written backwards from the end of their room. */
typedef struct {
  u8 room[codesMax];
  u32 size;
  u32 byte;
  u32 used;
  u32 afterHigh;
} CodeWriter;

static void putCodeByte(CodeWriter *w) {
  if (w->size < codesMax) w->room[codesMax - ++w->size] = (u8)w->byte;
  w->afterHigh = w->byte > 0x8f;
  w->byte = 0;
  w->used = 0;
}

static void putCode(CodeWriter *w, u32 value, u32 count) {
  while (count > 0) {
    u32 width = w->afterHigh ? 7 : 8;
    u32 here = minOfU(width - w->used, count);
    w->byte |= (value & ((1u << here) - 1)) << w->used;
    w->used += here;
    value >>= here;
    count -= here;
    if (w->used < width) continue;
    // Only a byte 7F needs its top bit empty; another may have it used.
    if (w->afterHigh && w->byte != 0x7f) w->afterHigh = 0;
    else putCodeByte(w);
  }
}

/** Run lengths of empty quads, highest bit first. */
typedef struct {
  u8 room[runsMax];
  u32 size;
  u32 byte;
  u32 left;
  u32 state;
  u32 run;
} RunWriter;

static void putRunBit(RunWriter *w, u32 bit) {
  w->left--;
  w->byte |= bit << w->left;
  if (w->left > 0) return;
  if (w->size < runsMax) w->room[w->size++] = (u8)w->byte;
  w->left = w->byte == 0xff ? 7 : 8;
  w->byte = 0;
}

static void putEvent(RunWriter *w, u32 isThere) {
  u32 exponent = runExponents[w->state];
  if (!isThere) {
    if (++w->run < 1u << exponent) return;
    putRunBit(w, 1);
    w->run = 0;
    if (w->state < 12) w->state++;
    return;
  }
  putRunBit(w, 0);
  while (exponent > 0) putRunBit(w, w->run >> --exponent & 1);
  w->run = 0;
  if (w->state > 0) w->state--;
}

static ForwardWriter samples;
static CodeWriter codes;
static RunWriter runs;
static u8 exponents[2][htColumnsMax + 8];

typedef struct {
  u32 significance;
  u32 values[4];   // twice the magnitude less two, and the sign
  u32 sizes[4];    // exponents
  u32 most;
} Quad;

static void loadQuad(Quad *q, const Block *block, const i32 *from, u32 stride, u32 x, u32 y) {
  q->significance = 0;
  q->most = 0;
  for (u32 n = 0; n < 4; n++) {
    u32 column = x + (n >> 1);
    u32 row = y + (n & 1);
    q->values[n] = q->sizes[n] = 0;
    if (column >= block->width || row >= block->height) continue;
    i32 v = from[row * stride + column];
    if (v == 0) continue;
    u32 magnitude = (u32)(v < 0 ? -v : v);
    q->values[n] = 2 * (magnitude - 1) + (v < 0);
    q->sizes[n] = bitLength(2 * magnitude - 1);
    q->most = q->most > q->sizes[n] ? q->most : q->sizes[n];
    q->significance |= 1u << n;
  }
}

INLINE void putPrefix(u32 offset) {
  if (offset == 1) putCode(&codes, 1, 1);
  else if (offset == 2) putCode(&codes, 2, 2);
  else if (offset > 2) putCode(&codes, offset < 5 ? 4 : 0, 3);
}
INLINE void putSuffix(u32 offset) {
  if (offset == 3 || offset == 4) putCode(&codes, offset - 3, 1);
  else if (offset > 4) putCode(&codes, offset < 33 ? offset - 5 : 28 + ((offset - 33) & 3), 5);
}
INLINE void putExtension(u32 offset) {
  if (offset > 32) putCode(&codes, (offset - 33) >> 2, 4);
}

static void putOffsets(u32 first, u32 second, u32 isFirstRow) {
  u32 isBit = 0;
  if (isFirstRow && first > 0 && second > 0) {
    u32 areLarge = first > 2 && second > 2;
    putEvent(&runs, areLarge);
    if (areLarge) {
      first -= 2;
      second -= 2;
    } else isBit = first > 2;
  }
  putPrefix(first);
  if (isBit) putCode(&codes, second - 1, 1);
  else putPrefix(second);
  putSuffix(first);
  if (!isBit) putSuffix(second);
  putExtension(first);
  if (!isBit) putExtension(second);
}

/** One quad: its code, its samples; answers the offset of its exponent. */
static u32 putQuad(const Quad *q, u32 context, u32 known, u32 isFirstRow) {
  if (context == 0) putEvent(&runs, q->significance != 0);
  u32 top = q->most > known ? q->most : known;
  u32 offset = q->significance == 0 ? 0 : top - known;
  u32 tops = 0;
  for (u32 n = 0; n < 4 && offset > 0; n++) tops |= (u32)(q->sizes[n] == top) << n;
  if (context == 0 && q->significance == 0) return 0;
  u32 choice = quadChoices[!isFirstRow][context][q->significance][tops];
  putCode(&codes, choice & 0x7f, choice >> 8 & 7);
  for (u32 n = 0; n < 4; n++) {
    if (!(q->significance >> n & 1)) continue;
    u32 bits = top - (choice >> (12 + n) & 1);
    putForward(&samples, q->values[n] & ((1u << bits) - 1), bits);
  }
  return offset;
}

static void putRow(const Block *block, const i32 *from, u32 stride, u32 y) {
  u32 isFirstRow = y == 0;
  const u8 *above = exponents[(y >> 1 & 1) ^ 1] + 2;
  u8 *below = exponents[y >> 1 & 1] + 2;
  fillBytes(below, 0, block->width + 4u);
  u32 left = 0;
  for (u32 x = 0; x < block->width; x += 4) {
    u32 offsets[2] = {0, 0};
    for (u32 k = 0; k < 2 && x + 2 * k < block->width; k++) {
      u32 column = x + 2 * k;
      const u8 *e = above + column;
      Quad q;
      loadQuad(&q, block, from, stride, column, y);
      u32 context, known = 1;
      if (isFirstRow) context = (left & 3 ? 1 : 0) | (left >> 1 & 6);
      else {
        context = (e[-1] | e[0] ? 1 : 0) | (left & 12 ? 2 : 0) | (e[1] | e[2] ? 4 : 0);
        i32 most = maxOf(maxOf(e[-1], e[0]), maxOf(e[1], e[2]));
        if ((q.significance & (q.significance - 1)) != 0) known = (u32)maxOf(1, most - 1);
      }
      offsets[k] = putQuad(&q, context, known, isFirstRow);
      below[column] = (u8)q.sizes[1];
      below[column + 1] = (u8)q.sizes[3];
      left = q.significance;
    }
    putOffsets(offsets[0], offsets[1], isFirstRow);
  }
}

i32 encodeQuads(const Block *block, const Band *band, const i32 *plane, u32 stride, u32 *planes, u8 *out, u32 room) {
  fillQuadTables();
  const i32 *from = plane + (band->planeY + block->y) * stride + band->planeX + block->x;
  u32 any = 0;
  for (u32 y = 0; y < block->height; y++) {
    for (u32 x = 0; x < block->width; x++) any |= (u32)from[y * stride + x];
  }
  *planes = any != 0; // one plane: all bits of a magnitude are coded in it
  if (any == 0) return 0;
  samples = (ForwardWriter){.at = out, .end = out + room, .bits = 0, .count = 0, .afterFull = 0, .isFull = 0};
  codes.size = 0;
  codes.byte = 0xff;
  putCodeByte(&codes); // the last byte: it will hold the length of all but the samples
  codes.byte = 15;     // as will the lower half of the one before
  codes.used = 4;
  codes.afterHigh = 1;
  runs.size = 0;
  runs.byte = 0;
  runs.left = 8;
  runs.state = 0;
  runs.run = 0;
  fillBytes(exponents, 0, sizeof exponents);
  for (u32 y = 0; y < block->height; y += 2) putRow(block, from, stride, y);

  // Beyond the end the decoder reads ones: what is left is filled with them, and a last byte FF is left out.
  if (samples.count > 0) {
    u32 width = samples.afterFull ? 7 : 8;
    putForward(&samples, (1u << (width - samples.count)) - 1, width - samples.count);
  }
  if (samples.afterFull) samples.at--;
  if (runs.run > 0) putRunBit(&runs, 1);
  u32 isBegun = runs.left < 8; // also behind a byte FF, which must not be the last
  while (isBegun && runs.left < 8 && runs.size < runsMax) {
    u32 before = runs.size;
    putRunBit(&runs, 0);
    if (runs.size > before) break;
  }
  if (codes.used > 0) putCodeByte(&codes);

  u32 tail = runs.size + codes.size;
  u32 head = (u32)(samples.at - out);
  if (samples.isFull || room - head < tail) return statusArenaFull;
  if (codes.size >= codesMax || runs.size >= runsMax || tail > 4079) return statusUnsupported;
  copyBytes(out + head, runs.room, runs.size);
  copyBytes(out + head + runs.size, codes.room + codesMax - codes.size, codes.size);
  u32 size = head + tail;
  out[size - 1] = (u8)(tail >> 4);
  out[size - 2] = (u8)((out[size - 2] & 0xf0) | (tail & 15));
  return (i32)size;
}
