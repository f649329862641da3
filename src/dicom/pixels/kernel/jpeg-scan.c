// Owns: decoding the scans of DCT-based JPEG (T.81, F.2 and G.2): sequential ones straight into planes, progressive ones into coefficients.
//
// A scan answers the address of the marker behind it. A stream that ends early, a code that is not in its table, a restart marker out of turn and a
// coefficient out of its place each end the scan with a status: nothing is filled in by guess.
#include "jpeg-bits.h"
#include "jpeg-frame.h"

Frame frame;
Scan scan;

EXPORT("jpegFrame") Frame *jpegFrame(void) { return &frame; }
EXPORT("jpegScan") Scan *jpegScan(void) { return &scan; }

/** Zig-zag place to natural place; what a broken run points beyond falls on the last. */
static const u8 naturalPlace[64 + 16] = {
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
  63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
};

typedef struct {
  BitReader reader;
  i32 mean[componentsMax]; // the DC value before
  u32 endRun;              // blocks that have nothing more in this band
} State;

static i32 takeMean(State *s, u32 k, i32 *mean) {
  fillBits(&s->reader);
  u32 size = takeSymbol(&s->reader, &dcTables[scan.dcSlot[k]]);
  if (UNLIKELY(size > 16)) return statusMalformed;
  i32 value = s->mean[k] + (size == 0 ? 0 : takeSigned(&s->reader, size));
  if (UNLIKELY(value < -32768 || value > 32767)) return statusMalformed;
  *mean = s->mean[k] = value;
  return statusOk;
}

static i32 sequentialBlock(State *s, u32 k, i16 *block, u32 *lastPlace) {
  i32 mean;
  if (takeMean(s, k, &mean) != statusOk) return statusMalformed;
  block[0] = (i16)mean;
  const HuffmanTable *table = &acTables[scan.acSlot[k]];
  u32 last = 0;
  for (u32 place = 1; place < 64; place++) {
    fillBits(&s->reader);
    u32 symbol = takeSymbol(&s->reader, table);
    if (UNLIKELY(symbol > 0xff)) return statusMalformed;
    u32 size = symbol & 15;
    u32 run = symbol >> 4;
    if (size == 0) {
      if (run != 15) break;
      place += 15;
      continue;
    }
    place += run;
    if (UNLIKELY(place > 63)) return statusMalformed;
    last = naturalPlace[place];
    block[last] = (i16)takeSigned(&s->reader, size);
  }
  *lastPlace = last;
  return statusOk;
}

static i32 meanFirst(State *s, u32 k, i16 *block) {
  i32 mean;
  if (takeMean(s, k, &mean) != statusOk) return statusMalformed;
  block[0] = (i16)((u32)mean << scan.low);
  return statusOk;
}

static i32 meanRefined(State *s, i16 *block) {
  fillBits(&s->reader);
  if (takeBits(&s->reader, 1)) block[0] |= (i16)(1 << scan.low);
  return statusOk;
}

static i32 bandFirst(State *s, u32 k, i16 *block) {
  if (s->endRun > 0) {
    s->endRun--;
    return statusOk;
  }
  const HuffmanTable *table = &acTables[scan.acSlot[k]];
  for (u32 place = scan.first; place <= scan.last; place++) {
    fillBits(&s->reader);
    u32 symbol = takeSymbol(&s->reader, table);
    if (UNLIKELY(symbol > 0xff)) return statusMalformed;
    u32 size = symbol & 15;
    u32 run = symbol >> 4;
    if (size == 0) {
      if (run == 15) {
        place += 15;
        continue;
      }
      s->endRun = (1u << run) - 1 + (run > 0 ? takeBits(&s->reader, run) : 0);
      break;
    }
    place += run;
    if (UNLIKELY(place > scan.last)) return statusMalformed;
    block[naturalPlace[place]] = (i16)((u32)takeSigned(&s->reader, size) << scan.low);
  }
  return statusOk;
}

/** One more bit of a coefficient that is known to be other than zero. */
INLINE void refine(State *s, i16 *coefficient) {
  i16 bit = (i16)(1 << scan.low);
  fillBits(&s->reader);
  if (takeBits(&s->reader, 1) && (*coefficient & bit) == 0) *coefficient += *coefficient >= 0 ? bit : (i16)-bit;
}

static i32 bandRefined(State *s, u32 k, i16 *block) {
  const HuffmanTable *table = &acTables[scan.acSlot[k]];
  u32 place = scan.first;
  if (s->endRun == 0) {
    for (; place <= scan.last; place++) {
      fillBits(&s->reader);
      u32 symbol = takeSymbol(&s->reader, table);
      if (UNLIKELY(symbol > 0xff)) return statusMalformed;
      u32 run = symbol >> 4;
      i16 fresh = 0;
      if ((symbol & 15) != 0) {
        if (UNLIKELY((symbol & 15) != 1)) return statusMalformed;
        fresh = (i16)(takeBits(&s->reader, 1) ? 1 << scan.low : -(1 << scan.low));
      } else if (run != 15) {
        s->endRun = (1u << run) + (run > 0 ? takeBits(&s->reader, run) : 0);
        break;
      }
      // Passes `run` coefficients that stay zero; those that are not get their bit on the way.
      for (; place <= scan.last; place++) {
        i16 *coefficient = &block[naturalPlace[place]];
        if (*coefficient != 0) refine(s, coefficient);
        else if (run == 0) break;
        else run--;
      }
      if (fresh != 0) {
        if (UNLIKELY(place > scan.last)) return statusMalformed;
        block[naturalPlace[place]] = fresh;
      }
    }
  }
  if (s->endRun > 0) {
    for (; place <= scan.last; place++) {
      i16 *coefficient = &block[naturalPlace[place]];
      if (*coefficient != 0) refine(s, coefficient);
    }
    s->endRun--;
  }
  return statusOk;
}

static i32 decodeBlock(State *s, u32 k, u32 blockRow, u32 blockColumn) {
  const Component *c = &frame.components[scan.component[k]];
  if (c->coefficients == 0) {
    _Alignas(16) i16 block[64];
    fillBytes(block, 0, sizeof block);
    u32 lastPlace;
    if (sequentialBlock(s, k, block, &lastPlace) != statusOk) return statusMalformed;
    placeBlock(c, block, lastPlace, blockRow, blockColumn);
    return statusOk;
  }
  i16 *block = c->coefficients + 64 * (blockRow * c->blockColumns + blockColumn);
  if (scan.first == 0) return scan.high == 0 ? meanFirst(s, k, block) : meanRefined(s, block);
  return scan.high == 0 ? bandFirst(s, k, block) : bandRefined(s, k, block);
}

static i32 decodeMcu(State *s, u32 row, u32 column) {
  // A scan of one component has its blocks one by one; several share an MCU by their sampling factors (T.81, A.2).
  if (scan.count == 1) return decodeBlock(s, 0, row, column);
  for (u32 k = 0; k < scan.count; k++) {
    const Component *c = &frame.components[scan.component[k]];
    for (u32 y = 0; y < c->down; y++) {
      for (u32 x = 0; x < c->across; x++) {
        i32 status = decodeBlock(s, k, row * c->down + y, column * c->across + x);
        if (UNLIKELY(status != statusOk)) return status;
      }
    }
  }
  return statusOk;
}

static u32 hasTables(void) {
  for (u32 k = 0; k < scan.count; k++) {
    u32 needsMean = scan.first == 0 && scan.high == 0;
    if (needsMean && !dcTables[scan.dcSlot[k]].isThere) return 0;
    if (scan.last > 0 && !acTables[scan.acSlot[k]].isThere) return 0;
  }
  return 1;
}

EXPORT("decodeScan") i32 decodeScan(const u8 *input, const u8 *end) {
  if (!hasTables()) return statusMalformed;
  State s = {.endRun = 0};
  startBits(&s.reader, input, end);
  const Component *only = &frame.components[scan.component[0]];
  u32 columns = scan.count == 1 ? (only->columns + 7) / 8 : frame.mcuColumns;
  u32 rows = scan.count == 1 ? (only->rows + 7) / 8 : frame.mcuRows;
  u32 left = scan.restartInterval;
  u32 restarts = 0;
  for (u32 row = 0; row < rows; row++) {
    for (u32 column = 0; column < columns; column++) {
      if (scan.restartInterval > 0 && left-- == 0) {
        if (isOverrun(&s.reader)) return statusShort;
        if (!passRestart(&s.reader, restarts++)) return statusMalformed;
        for (u32 k = 0; k < componentsMax; k++) s.mean[k] = 0;
        s.endRun = 0;
        left = scan.restartInterval - 1;
      }
      i32 status = decodeMcu(&s, row, column);
      if (UNLIKELY(status != statusOk)) return isOverrun(&s.reader) ? statusShort : status;
    }
    if (isOverrun(&s.reader)) return statusShort;
  }
  return (i32)nextMarker(s.reader.at, end);
}
