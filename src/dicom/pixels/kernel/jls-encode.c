// Owns: encoding samples as one JPEG-LS scan without loss, several components interleaved by line or by sample (T.87, annex A).
//
// The host gives room for the longest the scan can be; when it is full all the same, the status says so.
#include "jls.h"

typedef struct {
  u8 *at;
  u8 *end;
  u64 bits;    // right-aligned
  u32 count;
  u32 afterFull;
  u32 isFull;
} BitWriter;

static NEVER_INLINE void drainBits(BitWriter *w) {
  for (;;) {
    u32 width = w->afterFull ? 7 : 8;
    if (w->count < width) return;
    w->count -= width;
    u32 byte = (u32)(w->bits >> w->count) & ((1u << width) - 1);
    if (w->at == w->end) {
      w->isFull = 1;
      w->at--;
    }
    *w->at++ = (u8)byte;
    w->afterFull = byte == 0xff;
  }
}

INLINE void putBits(BitWriter *w, u32 value, u32 count) { // count <= 32
  if (w->count + count > 64) drainBits(w);
  w->bits = w->bits << count | value;
  w->count += count;
}

INLINE void putCode(BitWriter *w, i32 value, u32 k, u32 limit) {
  u32 longest = limit - rangeBits - 1;
  u32 zeros = (u32)value >> k;
  if (LIKELY(zeros < longest && zeros + 1 + k <= 32)) {
    putBits(w, 1u << k | ((u32)value & ((1u << k) - 1)), zeros + 1 + k);
    return;
  }
  u32 isEscape = zeros >= longest;
  if (isEscape) zeros = longest;
  for (u32 left = zeros; left > 0;) {
    u32 here = minOfU(left, 32);
    putBits(w, 0, here);
    left -= here;
  }
  putBits(w, 1, 1);
  if (isEscape) putBits(w, (u32)value - 1, rangeBits);
  else putBits(w, (u32)value & ((1u << k) - 1), k);
}

/** The error within half the range. */
INLINE i32 wrapped(i32 error) {
  if (error < 0) error += range;
  if (error >= (range + 1) / 2) error -= range;
  return error;
}

INLINE void sayRegular(BitWriter *w, i32 place, i32 value, i32 left, i32 above, i32 corner) {
  i32 sign = place >> 31;
  Context *q = &contexts[(place ^ sign) - sign];
  u32 k = orderOf(q->n, q->a);
  i32 guess = clampOf(predicted(left, above, corner) + ((q->c ^ sign) - sign), 0, (i32)scan.most);
  i32 error = wrapped(((value - guess) ^ sign) - sign);
  i32 turned = k == 0 && 2 * q->b <= -q->n ? ~error : error;
  putCode(w, turned < 0 ? -2 * turned - 1 : 2 * turned, k, codeLimit);
  learn(q, error, 0);
}

INLINE void sayInterruption(BitWriter *w, i32 value, i32 left, i32 above, i32 kind, u32 runIndex) {
  RunContext *q = &runContexts[kind];
  u32 k = runOrderOf(q, kind);
  i32 error = kind ? value - left : left > above ? above - value : value - above;
  error = wrapped(error);
  i32 size = error < 0 ? -error : error;
  i32 isLikely = k != 0 || 2 * q->negatives >= q->n;
  i32 map = error != 0 && (error < 0) == isLikely;
  i32 mapped = 2 * size - kind - map;
  putCode(w, mapped, k, codeLimit - runOrders[runIndex] - 1);
  learnRun(q, error, mapped, kind);
}

/** Says a run of `run` samples; `isWhole`: it goes to the end of its line. */
INLINE void sayRun(BitWriter *w, u32 run, u32 isWhole, u32 *runIndex) {
  while (run >= 1u << runOrders[*runIndex]) {
    putBits(w, 1, 1);
    run -= 1u << runOrders[*runIndex];
    if (*runIndex < 31) ++*runIndex;
  }
  if (isWhole) {
    if (run > 0) putBits(w, 1, 1);
  } else putBits(w, run, 1 + (u32)runOrders[*runIndex]);
}

static void encodeLine(BitWriter *w, const u16 *line, const u16 *above, u32 *runIndex) {
  for (u32 x = 0; x < scan.columns;) {
    i32 a = line[(i32)x - 1];
    i32 b = above[x];
    i32 c = above[(i32)x - 1];
    i32 place = contextOf(a, b, c, above[x + 1]);
    if (place != 0) {
      sayRegular(w, place, line[x++], a, b, c);
      continue;
    }
    u32 run = 0;
    while (x + run < scan.columns && line[x + run] == a) run++;
    x += run;
    sayRun(w, run, x == scan.columns, runIndex);
    if (x == scan.columns) break;
    sayInterruption(w, line[x], a, above[x], a == above[x], *runIndex);
    x++;
    if (*runIndex > 0) --*runIndex;
  }
}

static void readLine(const u8 *samples, u32 y, u32 component, u16 *line) {
  u32 place = y * scan.columns * scan.apart + component;
  if (scan.bits <= 8) {
    for (u32 x = 0; x < scan.columns; x++) line[x] = samples[place + x * scan.apart];
  } else {
    const u16 *from = (const u16 *)samples + place;
    for (u32 x = 0; x < scan.columns; x++) line[x] = from[x * scan.apart];
  }
}

/** Samples of one byte up to 8 bits, else two, with nothing above their precision; components are interleaved by line. Answers the size. */
EXPORT("encodeJls") i32 encodeJls(const u8 *samples, u8 *out, u32 room) {
  beginScan();
  BitWriter w = {.at = out, .end = out + room, .bits = 0, .count = 0, .afterFull = 0, .isFull = 0};
  u32 runIndex[componentsMax] = {0, 0, 0, 0};
  for (u32 y = 0; y < scan.rows; y++) {
    u32 parity = y & 1;
    for (u32 k = 0; k < scan.count; k++) {
      u16 *line = lines[k][parity] + 1;
      u16 *above = lines[k][parity ^ 1] + 1;
      readLine(samples, y, k, line);
      line[-1] = above[0];
      above[scan.columns] = above[scan.columns - 1];
      encodeLine(&w, line, above, &runIndex[k]);
    }
  }
  // The last byte is filled with zeros, and is never FF: a byte of seven bits follows that.
  drainBits(&w);
  if (w.count > 0 || w.afterFull) {
    u32 width = w.afterFull ? 7 : 8;
    putBits(&w, 0, width - w.count);
    drainBits(&w);
  }
  return w.isFull ? statusArenaFull : (i32)(w.at - out);
}
