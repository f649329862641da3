// Owns: decoding one JPEG-LS scan, lossless or near-lossless, of one component or of several interleaved by line or by sample (T.87, annexes A and B).
#include "jls.h"

/** Bits of the scan: after a byte FF comes one of seven bits; FF before 80 to FF is the marker that ends it. From there zeros are given, and counted. */
typedef struct {
  const u8 *at;
  const u8 *end;
  u64 bits;
  i32 count;
  i32 zeros;
  u32 afterFull;
} BitReader;

static NEVER_INLINE void fillSlowly(BitReader *r) {
  while (r->count <= 56) {
    u32 isMarker = r->at < r->end && r->at[0] == 0xff && (r->end - r->at < 2 || r->at[1] >= 0x80);
    if (r->at >= r->end || isMarker) {
      r->zeros += 8;
      r->count += 8;
      continue;
    }
    u32 byte = *r->at++;
    u32 width = r->afterFull ? 7 : 8;
    r->afterFull = byte == 0xff;
    r->bits |= (u64)(byte & ((1u << width) - 1)) << (64 - width - (u32)r->count);
    r->count += (i32)width;
  }
}

/** At least 32 bits. */
INLINE void fillBits(BitReader *r) {
  if (r->count >= 32) return;
  if (LIKELY(r->end - r->at >= 4 && !r->afterFull)) {
    u32 word;
    __builtin_memcpy(&word, r->at, 4);
    if (LIKELY(((~word - 0x01010101u) & word & 0x80808080u) == 0)) {
      r->bits |= (u64)__builtin_bswap32(word) << (32 - r->count);
      r->count += 32;
      r->at += 4;
      return;
    }
  }
  fillSlowly(r);
}

INLINE void skipBits(BitReader *r, u32 n) {
  r->bits <<= n;
  r->count -= (i32)n;
}
INLINE u32 takeBits(BitReader *r, u32 n) { // n <= 24
  if (n == 0) return 0;
  fillBits(r);
  u32 v = (u32)(r->bits >> (64 - n));
  skipBits(r, n);
  return v;
}

/** A Golomb code of order k with its limit (T.87, A.5.3); -1 for one that is longer than any. */
INLINE i32 takeCode(BitReader *r, u32 k, u32 limit) {
  fillBits(r);
  u32 longest = limit - rangeBits - 1;
  u32 zeros = 0;
  u32 here = (u32)__builtin_clzll(r->bits | 1);
  if (LIKELY(here + 1 + k <= 32 && here < longest)) {
    skipBits(r, here + 1);
    if (k == 0) return (i32)here;
    u32 low = (u32)(r->bits >> (64 - k));
    skipBits(r, k);
    return (i32)(here << k | low);
  }
  while (here >= 32) {
    zeros += 32;
    if (zeros > longest) return -1;
    skipBits(r, 32);
    fillBits(r);
    here = (u32)__builtin_clzll(r->bits | 1);
  }
  zeros += here;
  if (zeros > longest) return -1;
  skipBits(r, here + 1);
  if (zeros == longest) return (i32)takeBits(r, rangeBits) + 1;
  return (i32)(zeros << k | takeBits(r, k));
}

INLINE i32 corrected(i32 value, i32 error, i32 near) {
  i32 most = (i32)scan.most;
  i32 step = 2 * near + 1;
  i32 sum = value + error * step;
  if (sum < -near) sum += range * step;
  else if (sum > most + near) sum -= range * step;
  return clampOf(sum, 0, most);
}

/** One sample in a context of its own. -1: the stream breaks. */
INLINE i32 takeRegular(BitReader *r, i32 place, i32 left, i32 above, i32 corner, i32 near) {
  i32 sign = place >> 31;
  Context *q = &contexts[(place ^ sign) - sign];
  u32 k = orderOf(q->n, q->a);
  i32 value = clampOf(predicted(left, above, corner) + ((q->c ^ sign) - sign), 0, (i32)scan.most);
  i32 code = takeCode(r, k, codeLimit);
  if (UNLIKELY(code < 0)) return -1;
  i32 error = (code >> 1) ^ -(code & 1);
  // With nothing to go by, the sign of small errors is guessed from the bias (T.87, A.5.2).
  if (near == 0 && k == 0 && 2 * q->b <= -q->n) error = ~error;
  if (UNLIKELY(error > 65535 || error < -65535)) return -1;
  learn(q, error, near);
  return corrected(value, (error ^ sign) - sign, near);
}

INLINE i32 takeInterruption(BitReader *r, i32 left, i32 above, i32 kind, u32 runIndex, i32 near) {
  RunContext *q = &runContexts[kind];
  u32 k = runOrderOf(q, kind);
  i32 code = takeCode(r, k, codeLimit - runOrders[runIndex] - 1);
  if (UNLIKELY(code < 0 || code > 131072)) return -1;
  i32 shifted = code + kind;
  i32 map = shifted & 1;
  i32 size = (shifted + map) >> 1;
  i32 error = (k != 0 || 2 * q->negatives >= q->n) == map ? -size : size;
  learnRun(q, error, code, kind);
  if (kind) return corrected(left, error, near);
  return corrected(above, left > above ? -error : error, near);
}

/** How many samples repeat the one before; more than `left` means that the stream breaks. */
INLINE u32 takeRun(BitReader *r, u32 left, u32 *runIndex) {
  u32 run = 0;
  while (takeBits(r, 1)) {
    u32 whole = 1u << runOrders[*runIndex];
    u32 here = minOfU(whole, left - run);
    run += here;
    if (here == whole && *runIndex < 31) ++*runIndex;
    if (run == left) return run;
  }
  run += takeBits(r, runOrders[*runIndex]);
  // A run that ends before its line is followed by the sample that ends it.
  return run < left ? run : left + 1;
}

INLINE i32 decodeLine(BitReader *r, u16 *line, const u16 *above, u32 *runIndex, i32 near) {
  for (u32 x = 0; x < scan.columns;) {
    i32 a = line[(i32)x - 1];
    i32 b = above[x];
    i32 c = above[(i32)x - 1];
    i32 place = contextOf(a, b, c, above[x + 1]);
    if (place != 0) {
      i32 value = takeRegular(r, place, a, b, c, near);
      if (UNLIKELY(value < 0)) return statusMalformed;
      line[x++] = (u16)value;
      continue;
    }
    u32 run = takeRun(r, scan.columns - x, runIndex);
    if (UNLIKELY(run > scan.columns - x)) return statusMalformed;
    for (; run > 0; run--) line[x++] = (u16)a;
    if (x == scan.columns) break;
    b = above[x];
    i32 kind = (a > b ? a - b : b - a) <= near;
    i32 value = takeInterruption(r, a, b, kind, *runIndex, near);
    if (UNLIKELY(value < 0)) return statusMalformed;
    line[x++] = (u16)value;
    if (*runIndex > 0) --*runIndex;
  }
  return statusOk;
}

/** Samples of all components in turn: they share contexts and runs, and a run needs that none of them has a gradient. */
INLINE i32 decodeSamples(BitReader *r, u32 parity, u32 *runIndex, i32 near) {
  for (u32 x = 0; x < scan.columns;) {
    i32 place[componentsMax];
    i32 any = 0;
    for (u32 k = 0; k < scan.count; k++) {
      const u16 *line = lines[k][parity] + 1;
      const u16 *above = lines[k][parity ^ 1] + 1;
      place[k] = contextOf(line[(i32)x - 1], above[x], above[(i32)x - 1], above[x + 1]);
      any |= place[k];
    }
    if (any == 0) {
      u32 run = takeRun(r, scan.columns - x, runIndex);
      if (UNLIKELY(run > scan.columns - x)) return statusMalformed;
      for (u32 k = 0; k < scan.count; k++) {
        u16 *line = lines[k][parity] + 1;
        for (u32 n = 0; n < run; n++) line[x + n] = line[(i32)x - 1];
      }
      x += run;
      if (x == scan.columns) break;
    }
    for (u32 k = 0; k < scan.count; k++) {
      u16 *line = lines[k][parity] + 1;
      const u16 *above = lines[k][parity ^ 1] + 1;
      i32 a = line[(i32)x - 1];
      i32 value;
      if (any == 0) value = takeInterruption(r, a, above[x], 0, *runIndex, near);
      else if (place[k] != 0) value = takeRegular(r, place[k], a, above[x], above[(i32)x - 1], near);
      else value = takeRegular(r, 0, a, above[x], above[(i32)x - 1], near);
      if (UNLIKELY(value < 0)) return statusMalformed;
      line[x] = (u16)value;
    }
    if (any == 0 && *runIndex > 0) --*runIndex;
    x++;
  }
  return statusOk;
}

static void writeLine(const u16 *line, u8 *out, u32 y, u32 component) {
  u32 place = y * scan.columns * scan.apart + component;
  if (scan.bits <= 8) {
    for (u32 x = 0; x < scan.columns; x++) out[place + x * scan.apart] = (u8)line[x];
  } else {
    u16 *to = (u16 *)out + place;
    for (u32 x = 0; x < scan.columns; x++) to[x * scan.apart] = line[x];
  }
}

INLINE i32 decodeRows(BitReader *r, u8 *out, i32 near) {
  u32 runIndex[componentsMax] = {0, 0, 0, 0};
  for (u32 y = 0; y < scan.rows; y++) {
    u32 parity = y & 1;
    for (u32 k = 0; k < scan.count; k++) {
      u16 *line = lines[k][parity] + 1;
      u16 *above = lines[k][parity ^ 1] + 1;
      line[-1] = above[0];
      above[scan.columns] = above[scan.columns - 1];
    }
    i32 status = statusOk;
    if (scan.interleave == 2) status = decodeSamples(r, parity, &runIndex[0], near);
    else {
      for (u32 k = 0; k < scan.count && status == statusOk; k++) {
        status = decodeLine(r, lines[k][parity] + 1, lines[k][parity ^ 1] + 1, &runIndex[k], near);
      }
    }
    if (r->count < r->zeros) return statusShort;
    if (status != statusOk) return status;
    for (u32 k = 0; k < scan.count; k++) writeLine(lines[k][parity] + 1, out, y, scan.component + k);
  }
  return statusOk;
}

/** Writes the samples, one byte each up to 8 bits, else two. Answers the address of the marker behind the scan. */
EXPORT("decodeJls") i32 decodeJls(const u8 *input, const u8 *end, u8 *out) {
  beginScan();
  BitReader r = {.at = input, .end = end, .bits = 0, .count = 0, .zeros = 0, .afterFull = 0};
  i32 status = scan.near == 0 ? decodeRows(&r, out, 0) : decodeRows(&r, out, (i32)scan.near);
  if (status != statusOk) return status;
  const u8 *at = r.at;
  while (end - at >= 2 && (at[0] != 0xff || at[1] < 0x80)) at++;
  return (i32)(end - at >= 2 ? at : end);
}
