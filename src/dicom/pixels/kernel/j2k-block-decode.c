// Owns: decoding the code-blocks of a band into the plane of its component (T.800, annex D, and the dequantization of annex E).
//
// Magnitudes are held doubled: below the last plane decoded stands half a step, so that a block whose lowest planes were left out lands in the middle of what they
// could have been, and a whole block, halved at the end, is exact. A segmentation symbol that is wrong breaks the stream; a wrong bit elsewhere cannot be told.
#include "j2k-block.h"
#include "j2k.h"

/** Bits of a bypassed pass: after a byte FF comes one of seven bits; beyond the end they are ones. */
typedef struct {
  const u8 *at;
  const u8 *end;
  u32 byte;
  u32 left;
} RawBits;

INLINE u32 takeRaw(RawBits *r) {
  if (r->left == 0) {
    r->left = r->byte == 0xff ? 7 : 8;
    r->byte = r->at < r->end ? *r->at++ : 0xff;
  }
  r->left--;
  return r->byte >> r->left & 1;
}

static Field field;

INLINE void becomeSignificant(Field *f, u32 place, u32 row, u32 plane, u32 isMinus) {
  f->magnitudes[place] = 3u << plane;
  f->signs[place] = (u8)isMinus;
  spread(f, place, row, isMinus);
}

INLINE u32 takeSign(MqDecoder *m, u32 flags) {
  u32 context = signContext(flags);
  return mqDecode(m, context & 127) ^ (context >> 7);
}

static void significancePass(Field *f, MqDecoder *shared, u32 plane) {
  MqDecoder m = *shared;
  for (u32 y = 0; y < f->height; y += 4) {
    u32 rows = minOfU(4, f->height - y);
    u32 place = placeOf(f, 0, y);
    for (u32 x = 0; x < f->width; x++, place += 4) {
      if ((fourFlags(f, place) & four(flagsAround)) == 0) continue;
      for (u32 row = 0; row < rows; row++) {
        u32 flags = f->flags[place + row];
        if ((flags & flagOwn) || (flags & flagsAround) == 0) continue;
        if (mqDecode(&m, f->zeroContexts[flags & flagsAround])) becomeSignificant(f, place + row, row, plane, takeSign(&m, flags));
        f->flags[place + row] |= flagVisited;
      }
    }
  }
  *shared = m;
}

static void rawSignificancePass(Field *f, RawBits *r, u32 plane) {
  for (u32 y = 0; y < f->height; y += 4) {
    u32 rows = minOfU(4, f->height - y);
    u32 place = placeOf(f, 0, y);
    for (u32 x = 0; x < f->width; x++, place += 4) {
      for (u32 row = 0; row < rows; row++) {
        u32 flags = f->flags[place + row];
        if ((flags & flagOwn) || (flags & flagsAround) == 0) continue;
        if (takeRaw(r)) becomeSignificant(f, place + row, row, plane, takeRaw(r));
        f->flags[place + row] |= flagVisited;
      }
    }
  }
}

INLINE void refineSample(Field *f, u32 place, u32 plane, u32 bit) {
  u32 half = 1u << plane;
  f->magnitudes[place] += bit ? half : 0u - half;
  f->flags[place] |= flagRefined;
}

static void refinementPass(Field *f, MqDecoder *shared, u32 plane) {
  MqDecoder m = *shared;
  for (u32 y = 0; y < f->height; y += 4) {
    u32 place = placeOf(f, 0, y);
    for (u32 x = 0; x < f->width; x++, place += 4) {
      if ((fourFlags(f, place) & four(flagOwn)) == 0) continue;
      for (u32 row = 0; row < 4; row++) {
        u32 flags = f->flags[place + row];
        if ((flags & (flagOwn | flagVisited)) != flagOwn) continue;
        refineSample(f, place + row, plane, mqDecode(&m, refineContext(flags)));
      }
    }
  }
  *shared = m;
}

static void rawRefinementPass(Field *f, RawBits *r, u32 plane) {
  for (u32 y = 0; y < f->height; y += 4) {
    u32 place = placeOf(f, 0, y);
    for (u32 x = 0; x < f->width; x++, place += 4) {
      for (u32 row = 0; row < 4; row++) {
        if ((f->flags[place + row] & (flagOwn | flagVisited)) == flagOwn) refineSample(f, place + row, plane, takeRaw(r));
      }
    }
  }
}

static void cleanupPass(Field *f, MqDecoder *shared, u32 plane) {
  MqDecoder m = *shared;
  for (u32 y = 0; y < f->height; y += 4) {
    u32 rows = minOfU(4, f->height - y);
    u32 place = placeOf(f, 0, y);
    for (u32 x = 0; x < f->width; x++, place += 4) {
      u32 row = 0;
      if (rows == 4 && fourFlags(f, place) == 0) {
        if (!mqDecode(&m, contextRun)) continue;
        row = mqDecode(&m, contextUniform) << 1;
        row |= mqDecode(&m, contextUniform);
        becomeSignificant(f, place + row, row, plane, takeSign(&m, f->flags[place + row]));
        row++;
      }
      for (; row < rows; row++) {
        u32 flags = f->flags[place + row];
        if (flags & (flagOwn | flagVisited)) continue;
        if (mqDecode(&m, f->zeroContexts[flags & flagsAround])) becomeSignificant(f, place + row, row, plane, takeSign(&m, flags));
      }
      for (row = 0; row < rows; row++) f->flags[place + row] &= (u16)~flagVisited;
    }
  }
  *shared = m;
}

/** More bytes than any encoder needs for the 30 planes of a block. */
enum { segmentBytesMax = 1 << 17 };
static u8 segment[segmentBytesMax + 16];

typedef struct {
  const Piece *next; // what follows, or 0
  u32 size;
  u32 passes;
} Gathered;

/** Brings the pieces of one codeword segment together, behind them the two bytes that end it. */
static i32 gather(const Piece *piece, Gathered *g) {
  *g = (Gathered){.next = 0, .size = 0, .passes = 0};
  do {
    if (piece->size > segmentBytesMax - g->size) return statusMalformed;
    copyBytes(segment + g->size, piece->data, piece->size);
    g->size += piece->size;
    g->passes += piece->passes;
    piece = piece->next;
  } while (piece != 0 && !piece->beginsSegment);
  segment[g->size] = segment[g->size + 1] = 0xff;
  g->next = piece;
  return statusOk;
}

static i32 takeSymbols(MqDecoder *m) {
  u32 v = 0;
  for (u32 k = 0; k < 4; k++) v = v << 1 | mqDecode(m, contextUniform);
  return v == 10 ? statusOk : statusMalformed;
}

static i32 decodePasses(const Block *block, u32 style) {
  MqDecoder m;
  RawBits raw;
  resetContexts();
  u32 pass = 2; // the first plane has only its cleanup
  u32 plane = block->planes - 1u;
  u32 done = 0;
  for (const Piece *piece = block->first; piece != 0;) {
    Gathered g;
    if (gather(piece, &g) != statusOk) return statusMalformed;
    // From the fifth plane on, bypassed passes stand raw.
    u32 isRaw = (style & styleBypass) && done >= 10 && pass < 2;
    if (isRaw) raw = (RawBits){.at = segment, .end = segment + g.size, .byte = 0, .left = 0};
    else mqBegin(&m, segment);
    for (u32 k = 0; k < g.passes; k++, done++) {
      if (pass == 0) {
        if (isRaw) rawSignificancePass(&field, &raw, plane);
        else significancePass(&field, &m, plane);
      } else if (pass == 1) {
        if (isRaw) rawRefinementPass(&field, &raw, plane);
        else refinementPass(&field, &m, plane);
      } else {
        cleanupPass(&field, &m, plane);
        if ((style & styleSymbols) && takeSymbols(&m) != statusOk) return statusMalformed;
      }
      if (style & styleReset) resetContexts();
      if (++pass == 3) {
        pass = 0;
        plane--;
      }
    }
    piece = g.next;
  }
  return statusOk;
}

/** A region of interest was lifted above all else (T.800, H.1); it comes down again. */
INLINE u32 lowered(u32 magnitude, u32 roiShift) { return magnitude >> 1 >= 1u << roiShift ? magnitude >> roiShift : magnitude; }

/** A block of quads: its first segment is the cleanup pass, its second, where there is one, the other two (T.814, clause 7.1). */
static i32 decodeQuadSegments(const Block *block, const Band *band, u32 style, const u32 **words) {
  u32 sizes[2] = {0, 0};
  u32 passes = 0;
  u32 size = 0;
  i32 number = -1;
  for (const Piece *piece = block->first; piece != 0; piece = piece->next) {
    if (piece->beginsSegment) number++;
    if (number > 1 || piece->size > segmentBytesMax - size) return statusMalformed;
    copyBytes(segment + size, piece->data, piece->size);
    size += piece->size;
    sizes[number] += piece->size;
    passes += piece->passes;
  }
  return decodeQuads(block, band, style, segment, sizes[0], segment + sizes[0], sizes[1], passes, words);
}

/** The samples of the field as words, row after row: doubled magnitudes, the sign on top. */
static const u32 *readField(void) {
  static u32 words[blockSamplesMax];
  for (u32 y = 0; y < field.height; y++) {
    u32 place = placeOf(&field, 0, y);
    for (u32 x = 0; x < field.width; x++, place += 4) words[y * field.width + x] = field.magnitudes[place] | (u32)field.signs[place] << 31;
  }
  return words;
}

static void storeWords(const u32 *words, const Block *block, const Band *band, u32 roiShift, i32 *plane, u32 stride, u32 isReversible) {
  f32 step = band->step * 0.5f;
  for (u32 y = 0; y < block->height; y++, words += block->width) {
    i32 *to = plane + (band->planeY + block->y + y) * stride + band->planeX + block->x;
    if (roiShift > 0) {
      for (u32 x = 0; x < block->width; x++) {
        u32 magnitude = lowered(words[x] & 0x7fffffff, roiShift);
        i32 value = isReversible ? (i32)(magnitude >> 1) : 0;
        if (isReversible) to[x] = words[x] >> 31 ? -value : value;
        else ((f32 *)to)[x] = (f32)(i32)magnitude * (words[x] >> 31 ? -step : step);
      }
    } else if (isReversible) {
      for (u32 x = 0; x < block->width; x++) {
        i32 sign = (i32)words[x] >> 31;
        to[x] = ((i32)((words[x] & 0x7fffffff) >> 1) ^ sign) - sign;
      }
    } else {
      for (u32 x = 0; x < block->width; x++) {
        i32 sign = (i32)words[x] >> 31;
        ((f32 *)to)[x] = (f32)(((i32)(words[x] & 0x7fffffff) ^ sign) - sign) * step;
      }
    }
  }
}

i32 decodeBlock(const Block *block, const Band *band, u32 style, u32 roiShift, void *plane, u32 stride, u32 isReversible) {
  if (block->first == 0) return statusOk;
  const u32 *words = 0;
  i32 status;
  if (style & styleHighThroughput) status = decodeQuadSegments(block, band, style, &words);
  else {
    fillContexts();
    clearField(&field, block->width, block->height, band->orientation, style & styleCausal);
    status = decodePasses(block, style);
    words = readField();
  }
  if (status == statusOk) storeWords(words, block, band, roiShift, plane, stride, isReversible);
  return status;
}
