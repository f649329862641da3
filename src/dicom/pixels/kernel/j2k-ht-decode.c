// Owns: decoding a high-throughput block: its cleanup pass, and the one pass each of significance and refinement that may follow (T.814, clause 7).
//
// Three streams lie in the cleanup segment: magnitudes and signs from its front, run lengths of empty quads from where these end, quad codes backwards from its end. Whatever they
// say, no read leaves the segment; what contradicts itself ends with a status.
#include "j2k-block.h"
#include "j2k-ht.h"
#include "j2k.h"

/** Bits from the front, lowest first; after a byte FF comes one of seven bits. Beyond the end: `beyond`. */
typedef struct {
  const u8 *at;
  const u8 *end;
  u64 bits;
  u32 count;
  u32 afterFull;
  u32 beyond;
} ForwardBits;

INLINE void fillForward(ForwardBits *r) {
  if (r->count >= 32) return;
  if (LIKELY(r->end - r->at >= 4 && !r->afterFull)) {
    u32 word;
    __builtin_memcpy(&word, r->at, 4);
    if (LIKELY(((~word - 0x01010101u) & word & 0x80808080u) == 0)) {
      r->bits |= (u64)word << r->count;
      r->count += 32;
      r->at += 4;
      return;
    }
  }
  while (r->count <= 56) {
    u32 byte = r->at < r->end ? *r->at++ : r->beyond;
    u32 width = r->afterFull ? 7 : 8;
    r->bits |= (u64)(byte & ((1u << width) - 1)) << r->count;
    r->count += width;
    r->afterFull = byte == 0xff;
  }
}
INLINE u32 takeForward(ForwardBits *r, u32 n) { // n <= 31
  fillForward(r);
  u32 v = (u32)r->bits & ((1u << n) - 1);
  r->bits >>= n;
  r->count -= n;
  return v;
}

/** Bits from the back, lowest first; of a byte 7F that follows one above 8F only seven count. Beyond the end: zeros. */
typedef struct {
  const u8 *at;    // the byte before is next
  const u8 *start;
  u64 bits;
  u32 count;
  u32 afterHigh;
} BackwardBits;

INLINE void fillBackward(BackwardBits *r) {
  while (r->count <= 56) {
    u32 byte = r->at > r->start ? *--r->at : 0;
    u32 width = r->afterHigh && (byte & 0x7f) == 0x7f ? 7 : 8;
    r->bits |= (u64)(byte & ((1u << width) - 1)) << r->count;
    r->count += width;
    r->afterHigh = byte > 0x8f;
  }
}
INLINE u32 takeBackward(BackwardBits *r, u32 n) {
  u32 v = (u32)r->bits & ((1u << n) - 1);
  r->bits >>= n;
  r->count -= n;
  return v;
}

/** Run lengths: highest bit first; after a byte FF comes one of seven bits. Beyond the end: ones. */
typedef struct {
  const u8 *at;
  const u8 *end;
  u32 byte;
  u32 left;
  u32 state;
  u32 run;      // empty quads still to come
  u32 isEnded;  // and after them one that is not
} RunBits;

INLINE u32 takeRunBit(RunBits *r) {
  if (r->left == 0) {
    r->left = r->byte == 0xff ? 7 : 8;
    if (r->at < r->end) {
      r->byte = *r->at++;
      // The last byte shares its lower half with the length of all this.
      if (r->at == r->end) r->byte |= 0x0f;
    } else r->byte = 0xff;
  }
  r->left--;
  return r->byte >> r->left & 1;
}

/** Whether the next quad, having no significant neighbours, has something in it. */
INLINE u32 takeEvent(RunBits *r) {
  if (r->run == 0 && !r->isEnded) {
    u32 exponent = runExponents[r->state];
    if (takeRunBit(r)) {
      r->run = 1u << exponent;
      if (r->state < 12) r->state++;
    } else {
      for (; exponent > 0; exponent--) r->run = r->run << 1 | takeRunBit(r);
      r->isEnded = 1;
      if (r->state > 0) r->state--;
    }
  }
  if (r->run > 0) {
    r->run--;
    return 0;
  }
  r->isEnded = 0;
  return 1;
}

/** Samples of the block, row after row: magnitude doubled, with half a step below the last plane (as in j2k-block-decode.c), and the sign on top. */
static u32 words[blockSamplesMax];
static u32 blockWidth;
static u32 blockHeight;
/** Neighbours, for the passes that may follow. */
static Field field;
/** Exponents of the lower samples of the row of quads above and of this one; two places before the first column. */
static u8 exponents[2][htColumnsMax + 8];

typedef struct {
  ForwardBits samples;
  BackwardBits codes;
  RunBits runs;
  u32 plane;
} Streams;

/** First part of an offset (T.814, table 3): 1, 01, 001 and 000. */
INLINE u32 takePrefix(BackwardBits *r) {
  if (takeBackward(r, 1)) return 1;
  if (takeBackward(r, 1)) return 2;
  return takeBackward(r, 1) ? 3 : 5;
}
INLINE u32 takeSuffix(BackwardBits *r, u32 prefix) { return prefix < 3 ? 0 : takeBackward(r, prefix == 3 ? 1 : 5); }
INLINE u32 takeExtension(BackwardBits *r, u32 suffix) { return suffix < 28 ? 0 : 4 * takeBackward(r, 4); }

/** Offsets of the exponents of two quads; the bits of both interleave, part by part. */
INLINE void takeOffsets(Streams *s, u32 first, u32 second, u32 isFirstRow, u32 offsets[2]) {
  BackwardBits *r = &s->codes;
  fillBackward(r);
  if (first && second && isFirstRow) {
    if (takeEvent(&s->runs)) {
      offsets[0] = offsets[1] = 2;
    } else {
      u32 prefix = takePrefix(r);
      u32 isShort = prefix > 2;
      u32 other = isShort ? 1 + takeBackward(r, 1) : takePrefix(r);
      u32 suffix = takeSuffix(r, prefix);
      u32 otherSuffix = isShort ? 0 : takeSuffix(r, other);
      offsets[0] = prefix + suffix + takeExtension(r, suffix);
      offsets[1] = other + otherSuffix + takeExtension(r, otherSuffix);
      return;
    }
  } else offsets[0] = offsets[1] = 0;
  u32 prefix = first ? takePrefix(r) : 0;
  u32 other = second ? takePrefix(r) : 0;
  u32 suffix = takeSuffix(r, prefix);
  u32 otherSuffix = takeSuffix(r, other);
  offsets[0] += prefix + suffix + takeExtension(r, suffix);
  offsets[1] += other + otherSuffix + takeExtension(r, otherSuffix);
}

/** The samples of one quad; writes exponents of the lower two. Answers a status. */
INLINE i32 takeQuad(Streams *s, u32 meaning, u32 top, u32 x, u32 y, u8 *below) {
  u32 *to = words + y * blockWidth + x;
  u32 significance = meaning >> 4 & 15;
  u32 ones = meaning >> 8 & 15;
  u32 known = meaning >> 12;
  if (UNLIKELY(top + s->plane > 29)) return statusMalformed;
  for (u32 n = 0; n < 4; n++) {
    if (!(significance >> n & 1)) continue;
    u32 bits = top - (known >> n & 1);
    u32 value = takeForward(&s->samples, bits) | (ones >> n & 1) << bits;
    if (n & 1) below[n >> 1] = (u8)bitLength(value | 1);
    u32 column = x + (n >> 1);
    u32 row = y + (n & 1);
    if (UNLIKELY(column >= blockWidth || row >= blockHeight)) continue;
    // The value is twice the magnitude less one, and the sign; half a step stands below.
    to[(n & 1) * blockWidth + (n >> 1)] = ((value >> 1) * 2 + 3) << s->plane | value << 31;
  }
  return statusOk;
}

INLINE i32 takeRow(Streams *s, u32 y) {
  u32 isFirstRow = y == 0;
  const u16 *meanings = quadMeanings[!isFirstRow];
  const u8 *above = exponents[(y >> 1 & 1) ^ 1] + 2;
  u8 *below = exponents[y >> 1 & 1] + 2;
  fillBytes(below, 0, blockWidth + 4);
  u32 left = 0; // significance of the quad to the left
  for (u32 x = 0; x < blockWidth; x += 4) {
    u32 meaning[2];
    for (u32 q = 0; q < 2; q++) {
      u32 column = x + 2 * q;
      if (column >= blockWidth) {
        meaning[q] = 0;
        continue;
      }
      u32 context;
      if (isFirstRow) context = (left & 3 ? 1 : 0) | (left >> 1 & 6);
      else {
        const u8 *e = above + column;
        context = (e[-1] | e[0] ? 1 : 0) | (left & 12 ? 2 : 0) | (e[1] | e[2] ? 4 : 0);
      }
      u32 isCoded = context != 0 || takeEvent(&s->runs);
      if (isCoded) {
        fillBackward(&s->codes);
        meaning[q] = meanings[context << 7 | ((u32)s->codes.bits & 0x7f)];
        if (UNLIKELY((meaning[q] & 7) == 0)) return statusMalformed;
        takeBackward(&s->codes, meaning[q] & 7);
      } else meaning[q] = 0;
      left = meaning[q] >> 4 & 15;
    }
    u32 offsets[2];
    takeOffsets(s, meaning[0] >> 3 & 1, meaning[1] >> 3 & 1, isFirstRow, offsets);
    for (u32 q = 0; q < 2; q++) {
      u32 column = x + 2 * q;
      u32 significance = meaning[q] >> 4 & 15;
      if (significance == 0) continue;
      u32 known = 1;
      if (!isFirstRow && (significance & (significance - 1)) != 0) {
        const u8 *e = above + column;
        i32 most = maxOf(maxOf(e[-1], e[0]), maxOf(e[1], e[2]));
        known = (u32)maxOf(1, most - 1);
      }
      i32 status = takeQuad(s, meaning[q], known + offsets[q], column, y, below + column);
      if (UNLIKELY(status != statusOk)) return status;
    }
  }
  return statusOk;
}

static i32 cleanupPass(const u8 *data, u32 size, u32 plane) {
  if (size < 2) return statusMalformed;
  u32 tail = (u32)data[size - 1] << 4 | (data[size - 2] & 15);
  if (tail < 2 || tail > size || tail > 4079) return statusMalformed;
  const u8 *middle = data + size - tail;
  Streams s = {
    .samples = {.at = data, .end = middle, .bits = 0, .count = 0, .afterFull = 0, .beyond = 0xff},
    .runs = {.at = middle, .end = data + size - 1, .byte = 0, .left = 0, .state = 0, .run = 0, .isEnded = 0},
    .plane = plane,
  };
  // Quad codes begin with the upper half of the last byte but one; its top bit does not count behind three ones.
  u32 half = data[size - 2] >> 4;
  s.codes = (BackwardBits){.at = data + size - 2, .start = middle, .bits = half & ((half & 7) == 7 ? 7 : 15), .count = (half & 7) == 7 ? 3 : 4,
                           .afterHigh = (data[size - 2] | 15) > 0x8f};
  fillBytes(exponents, 0, sizeof exponents);
  for (u32 y = 0; y < blockHeight; y += 2) {
    i32 status = takeRow(&s, y);
    if (status != statusOk) return status;
  }
  return statusOk;
}

static void fillField(void) {
  for (u32 y = 0; y < blockHeight; y++) {
    u32 place = placeOf(&field, 0, y);
    for (u32 x = 0; x < blockWidth; x++, place += 4) {
      u32 word = words[y * blockWidth + x];
      field.magnitudes[place] = word & 0x7fffffff;
      field.signs[place] = (u8)(word >> 31);
      if (word != 0) spread(&field, place, y & 3, 0);
    }
  }
}

static void emptyField(void) {
  for (u32 y = 0; y < blockHeight; y++) {
    u32 place = placeOf(&field, 0, y);
    for (u32 x = 0; x < blockWidth; x++, place += 4) words[y * blockWidth + x] = field.magnitudes[place] | (u32)field.signs[place] << 31;
  }
}

/** Four columns of a stripe at a time: first which samples become significant, then their signs. */
static void significancePass(const u8 *data, u32 size, u32 plane) {
  ForwardBits r = {.at = data, .end = data + size, .bits = 0, .count = 0, .afterFull = 0, .beyond = 0};
  for (u32 y = 0; y < blockHeight; y += 4) {
    u32 rows = minOfU(4, blockHeight - y);
    for (u32 x = 0; x < blockWidth; x += 4) {
      u32 fresh[16];
      u32 count = 0;
      u32 columns = minOfU(4, blockWidth - x);
      for (u32 k = 0; k < columns; k++) {
        u32 place = placeOf(&field, x + k, y);
        for (u32 row = 0; row < rows; row++) {
          u32 flags = field.flags[place + row];
          if ((flags & flagOwn) || (flags & flagsAround) == 0 || !takeForward(&r, 1)) continue;
          field.magnitudes[place + row] = 3u << plane;
          spread(&field, place + row, row, 0);
          field.flags[place + row] |= flagVisited;
          fresh[count++] = place + row;
        }
      }
      for (u32 k = 0; k < count; k++) field.signs[fresh[k]] = (u8)takeForward(&r, 1);
    }
  }
}

static void refinementPass(const u8 *data, u32 size, u32 plane) {
  BackwardBits r = {.at = data + size, .start = data, .bits = 0, .count = 0, .afterHigh = 1};
  for (u32 y = 0; y < blockHeight; y += 4) {
    u32 place = placeOf(&field, 0, y);
    for (u32 x = 0; x < blockWidth; x++, place += 4) {
      fillBackward(&r);
      for (u32 row = 0; row < 4; row++) {
        if ((field.flags[place + row] & (flagOwn | flagVisited)) != flagOwn) continue;
        u32 half = 1u << plane;
        field.magnitudes[place + row] += takeBackward(&r, 1) ? half : 0u - half;
      }
    }
  }
}

/** Answers with the samples of the block, row after row: doubled magnitudes, the sign on top. */
i32 decodeQuads(const Block *block, const Band *band, u32 style, const u8 *first, u32 firstSize, const u8 *second, u32 secondSize, u32 passes,
                const u32 **out) {
  fillQuadTables();
  blockWidth = block->width;
  blockHeight = block->height;
  fillBytes(words, 0, blockWidth * blockHeight * 4);
  *out = words;
  u32 plane = block->planes - 1u;
  i32 status = cleanupPass(first, firstSize, plane);
  if (status != statusOk || passes == 1) return status;
  if (plane == 0) return statusMalformed;
  fillContexts();
  clearField(&field, blockWidth, blockHeight, band->orientation, style & styleCausal);
  fillField();
  significancePass(second, secondSize, plane - 1);
  if (passes > 2) refinementPass(second, secondSize, plane - 1);
  emptyField();
  return statusOk;
}
