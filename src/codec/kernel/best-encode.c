// Owns: encoding one plane of the best pixel codec, version 2: find what is flat, fit, predict, count, write.
// The bytes are those that best-decode.c reads. Freedom of choice (blocks, fit, contexts, frequencies) lies here alone.
//
// All pixels are known here, so rows are predicted eight columns at a time; only the last pass goes the decoder's way, backwards.

#include "fit.h"
#include "frequencies.h"

typedef struct { u32 most, start, rest; float inverse; } Symbol;

typedef struct {
  Model model;
  VectorModel vectors;
  Tables tables;
  SideOdds odds;
  Walk walk;
  u32 counts[2][symbolCount];
  Symbol symbols[symbolCount];
  Sparse sparse;
  Fit fit;
} Encoder;

INLINE u32 rounded(u32 v) { return (v + 63) & ~63u; }
INLINE u32 segmentsMax(i32 rows, i32 columns) { return mapBytes((u32)rows, segmentsOf(columns, 1)); }

EXPORT("bestEncodeBytes") u32 bestEncodeBytes(i32 rows, i32 columns) {
  u32 pixels = (u32)rows * (u32)columns, segments = segmentsMax(rows, columns);
  return 64 + rounded(sizeof(Encoder)) + rounded(segments) + rounded(segments * 4 + (u32)rows * 4) + rounded((u32)rows * (u32)strideOf(columns) * 2 + 64) + rounded(pixels * 4 + 256);
}

EXPORT("strideOf") u32 strideOfPlane(i32 columns) { return (u32)strideOf(columns); }
EXPORT("planeBytes") u32 planeBytesOf(i32 rows, i32 columns) { return planeBytes(rows, columns); }

/** The largest payload a plane can need. */
EXPORT("bestEncodeMax") u32 bestEncodeMax(i32 rows, i32 columns) { return (u32)rows * (u32)columns * 4 + 2 * segmentsMax(rows, columns) + (1 << 19); }

static __attribute__((noinline)) void findRange(Model *m, const i16 *plane, const Walk *w) {
  vec lows = wasm_i16x8_splat(32767), highs = wasm_i16x8_splat(-32768);
  i32 low = 32767, high = -32768;
  for (i32 row = 0; row < w->rows; row++, plane += w->stride) {
    i32 c = 0;
    for (; c + 8 <= w->columns; c += 8) {
      vec v = wasm_v128_load(plane + c);
      lows = wasm_i16x8_min(lows, v);
      highs = wasm_i16x8_max(highs, v);
    }
    for (; c < w->columns; c++) { low = minOf(low, plane[c]); high = maxOf(high, plane[c]); }
  }
  i16 a[8], b[8];
  wasm_v128_store(a, lows);
  wasm_v128_store(b, highs);
  for (u32 j = 0; j < 8; j++) { low = minOf(low, a[j]); high = maxOf(high, b[j]); }
  m->low = (i16)low;
  m->high = (i16)high;
}

/** Pads for the fit, and for what is flat: as if all rows went down. What a lane sees otherwise is set when it comes there. */
static __attribute__((noinline)) void padPlane(i16 *plane, const Walk *w) {
  for (i32 row = 0; row < w->rows; row++, plane += w->stride) {
    padBefore(plane, plane[row > 0 ? -w->stride : 0]);
    padRight(plane, w->columns);
  }
}

// --- prediction

/** Raw bits go forward, each lane's from a byte on. */
typedef struct { u8 *at; u64 bits; u32 count; } RawWriter;

INLINE void putRaw(RawWriter *raw, u32 bits, u32 count) {
  raw->bits |= (u64)(bits & ((1u << count) - 1)) << raw->count;
  raw->count += count;
  __builtin_memcpy(raw->at, &raw->bits, 8);
  raw->at += raw->count >> 3;
  raw->bits >>= raw->count & ~7u;
  raw->count &= 7;
}
static u8 *flushRaw(RawWriter *raw) {
  u8 *end = raw->at + (raw->count > 0);
  *raw = (RawWriter){ end, 0, 0 };
  return end;
}

typedef struct { Encoder *e; u32 *even, *odd; vec base; RawWriter raw; } Tracer;

/** Writes the raw bits of those of the first `count` folded errors that have some. */
static __attribute__((noinline)) void writeRaw(RawWriter *raw, vec z, u32 count) {
  u16 values[8] __attribute__((aligned(16)));
  wasm_v128_store(values, z);
  for (u32 wide = wideLanes(z) & ((1u << count) - 1); wide != 0; wide &= wide - 1) {
    u32 value = values[__builtin_ctz(wide)];
    putRaw(raw, value, bitLength(value) - 3);
  }
}

/** Files eight pixels' symbols, the context and the token in one number, and counts them. */
INLINE void fileSymbols(Tracer *t, vec measure, vec error, u16 *symbols, i32 count) {
  u32 *even = t->even, *odd = t->odd; // two tallies, so that equal neighbours do not wait for each other
  vec low = wasm_u32x4_shr(floatsLow(measure), contextBits), high = wasm_u32x4_shr(floatsHigh(measure), contextBits);
  vec contexts = wasm_i16x8_shl(wasm_i16x8_sub(wasm_i16x8_narrow_i32x4(low, high), t->base), symbolShift);
  vec z = fold(error);
  if (wasm_v128_any_true(wasm_u16x8_shr(z, plainBits))) {
    writeRaw(&t->raw, z, (u32)count);
    z = tokensOf(z);
  }
  vec both = wasm_v128_or(contexts, z);
  wasm_v128_store(symbols, both);
  if (count < 8) {
    for (i32 j = 0; j < count; j++) even[symbols[j]]++;
    return;
  }
  u64 first = (u64)wasm_i64x2_extract_lane(both, 0), second = (u64)wasm_i64x2_extract_lane(both, 1);
  even[first & 0xffff]++; odd[first >> 16 & 0xffff]++; even[first >> 32 & 0xffff]++; odd[first >> 48]++;
  even[second & 0xffff]++; odd[second >> 16 & 0xffff]++; even[second >> 32 & 0xffff]++; odd[second >> 48]++;
}

enum { guessMedian = 0, guessWeighed = 1, guessSeed = 2 };

INLINE void traceSegment(Tracer *t, const i16 *p, const i16 *n, const i16 *nn, const i16 *nnn, i32 length, u16 *symbols, u32 guess) {
  const VectorModel *model = &t->e->vectors;
  vec zero = wasm_i16x8_splat(0), half = zero, errors = zero;
  if (guess != guessSeed) {
    half = unrestAbove(wasm_v128_load(n), wasm_v128_load(n - 1), wasm_v128_load(nn));
    vec before = errorsBefore(wasm_u16x8_add_sat(half, wasm_i16x8_shuffle(half, half, 1, 1, 1, 1, 1, 1, 1, 1)));
    errors = wasm_i16x8_shuffle(before, before, 0, 0, 0, 0, 0, 0, 0, 0);
  }
  // Each from three columns back, since only offsets upwards cost nothing.
  p -= 3; n -= 3; nn -= 3;
  for (i32 c = 0; c < length; c += 8, p += 8, n += 8, nn += 8, nnn += 8) {
    OPAQUE_POINTER(p);
    OPAQUE_POINTER(n);
    OPAQUE_POINTER(nn);
    vec above = zero, value;
    if (guess != guessSeed) {
      vec next = unrestAbove(wasm_v128_load(n + 11), wasm_v128_load(n + 10), wasm_v128_load(nn + 11));
      above = wasm_u16x8_add_sat(half, wasm_i16x8_shuffle(half, next, 1, 2, 3, 4, 5, 6, 7, 8));
      half = next;
    }
    if (guess == guessSeed) value = wasm_v128_load(p + 2);
    else if (guess == guessMedian) value = medianGuess(wasm_v128_load(p + 2), wasm_v128_load(n + 3), wasm_v128_load(n + 2));
    else {
      Neighbours around = neighboursAt(p + 3, n + 3, nn + 3, nnn);
      value = weighedGuess(&around, above, model);
    }
    vec error = wasm_i16x8_sub(wasm_v128_load(p + 3), value), size = wasm_i16x8_abs(error);
    vec errorW = wasm_i16x8_shuffle(errors, size, 7, 8, 9, 10, 11, 12, 13, 14), errorWW = wasm_i16x8_shuffle(errors, size, 6, 7, 8, 9, 10, 11, 12, 13);
    if (guess == guessSeed) above = aboveSeed(errorW, errorWW);
    vec measure = measureOf(above, errorW, errorWW, model);
    errors = size;
    fileSymbols(t, measure, error, symbols + c, minOf(8, length - c));
  }
}

static __attribute__((noinline)) void traceSeed(Tracer *t, const i16 *p, i32 length, u16 *symbols) { traceSegment(t, p, p, p, p, length, symbols, guessSeed); }
static __attribute__((noinline)) void traceMedian(Tracer *t, const i16 *p, const i16 *n, const i16 *nn, i32 length, u16 *symbols) { traceSegment(t, p, n, nn, p, length, symbols, guessMedian); }
static __attribute__((noinline)) void traceWeighed(Tracer *t, const i16 *p, const i16 *n, const i16 *nn, const i16 *nnn, i32 length, u16 *symbols) { traceSegment(t, p, n, nn, nnn, length, symbols, guessWeighed); }

/** Symbols lie as pixels do, in a plane of the same stride. */
static void traceSeedRow(Tracer *t, i16 *plane, u8 *map, u16 *symbols, i32 row) {
  const Walk *w = &t->e->walk;
  i16 *p = plane + row * w->stride;
  padBefore(p, t->e->model.low);
  for (u32 s = 0; s < w->segments; s++) {
    i32 c = (i32)s * segmentColumns;
    if (isLively(map, w, row, s)) traceSeed(t, p + c, segmentLength(w, s), symbols + row * w->stride + c);
  }
  padBefore(p, p[0]); // as the rows next to it see it
}
static void traceLane(Tracer *t, i16 *plane, u8 *map, u16 *symbols, LaneRows rows) {
  const Walk *w = &t->e->walk;
  for (i32 row = rows.first; row != rows.end; row += rows.step) {
    RowsAbove above = rowsAbove(row, rows.seed, rows.step);
    i16 *p = plane + row * w->stride;
    const i16 *n = plane + above.n * w->stride, *nn = plane + above.nn * w->stride, *nnn = plane + above.nnn * w->stride;
    u16 *to = symbols + row * w->stride;
    padBefore(p, n[0]);
    for (u32 s = 0; s < w->segments; s++) {
      i32 length = segmentLength(w, s), c = (i32)s * segmentColumns;
      if (!isLively(map, w, row, s)) continue;
      if (t->e->model.isMedian) traceMedian(t, p + c, n + c, nn + c, length, to + c);
      else traceWeighed(t, p + c, n + c, nn + c, nnn + c, length, to + c);
    }
  }
}

// --- symbols

/**
 * Coding takes x to (x / f) * 2048 + x % f + start, that is x + start + q * (2048 - f) with q = x / f. A state greater than `most` spills a word
 * first, so q < 2^20, and `inverse`, which is a little less than 1 / f, gives q or q - 1.
 */
static Symbol symbolOf(u32 frequency, u32 start) {
  return (Symbol){ .most = (frequency << (31 - oddsTotalBits)) - 1, .start = start, .rest = oddsTotal - frequency, .inverse = 1.0f / (float)frequency * (1 - 0x1p-22f) };
}

static __attribute__((noinline)) void prepareSymbols(Encoder *e, u32 pixels) {
  Tables *t = &e->tables;
  t->mantissaBits = pixels < 32768 ? 1 : 2;
  joinContexts(t, e->counts[0], e->counts[1], e->model.contextCount);
  for (u32 k = 0; k < t->tableCount; k++) chooseTable(e->counts[0] + (k << symbolShift), t->tables + k, t->mantissaBits);
  for (u32 c = 0; c < e->model.contextCount; c++) {
    const Frequencies *f = t->tables + t->tableOf[c];
    Symbol *symbols = e->symbols + (c << symbolShift);
    if (c > 0 && t->tableOf[c] == t->tableOf[c - 1]) {
      copyBytes(symbols, symbols - (1 << symbolShift), tokenCount * sizeof(Symbol));
      continue;
    }
    for (u32 token = 0, start = 0; token < tokenCount; start += f->of[token++])
      if (f->of[token] > 0) symbols[token] = symbolOf(f->of[token], start);
  }
}

// --- writing

// Which bytes of four states are the words that leave, to lie at the end of eight bytes, by which lanes spill.
static const u8 spillShuffle[16][16] = {
#define WORD(k) 4 * (k), 4 * (k) + 1
#define NO 0x80, 0x80
#define REST NO, NO, NO, NO
  { NO, NO, NO, NO, REST }, { NO, NO, NO, WORD(0), REST }, { NO, NO, NO, WORD(1), REST }, { NO, NO, WORD(0), WORD(1), REST },
  { NO, NO, NO, WORD(2), REST }, { NO, NO, WORD(0), WORD(2), REST }, { NO, NO, WORD(1), WORD(2), REST }, { NO, WORD(0), WORD(1), WORD(2), REST },
  { NO, NO, NO, WORD(3), REST }, { NO, NO, WORD(0), WORD(3), REST }, { NO, NO, WORD(1), WORD(3), REST }, { NO, WORD(0), WORD(1), WORD(3), REST },
  { NO, NO, WORD(2), WORD(3), REST }, { NO, WORD(0), WORD(2), WORD(3), REST }, { NO, WORD(1), WORD(2), WORD(3), REST }, { WORD(0), WORD(1), WORD(2), WORD(3), REST },
#undef REST
#undef NO
#undef WORD
};

typedef struct { vec low, high; u8 *to; } Writer;

/** Codes one symbol in each of four states (those in `active`); their words go before `to`. */
INLINE vec encodeFour(vec x, const Symbol *symbols, const u16 *from, u8 **to, vec active, int partly) {
  vec a = wasm_v128_load(symbols + from[0]), b = wasm_v128_load(symbols + from[1]), c = wasm_v128_load(symbols + from[2]), d = wasm_v128_load(symbols + from[3]);
  vec mostStart = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), mostStart2 = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5);
  vec restInverse = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7), restInverse2 = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
  vec most = wasm_i64x2_shuffle(mostStart, mostStart2, 0, 2), start = wasm_i64x2_shuffle(mostStart, mostStart2, 1, 3);
  vec rest = wasm_i64x2_shuffle(restInverse, restInverse2, 0, 2), inverse = wasm_i64x2_shuffle(restInverse, restInverse2, 1, 3);
  vec spill = wasm_i32x4_gt(x, most);
  if (partly) spill = wasm_v128_and(spill, active);
  u32 spilled = wasm_i32x4_bitmask(spill);
  wasm_v128_store64_lane(*to - 8, pickBytes(x, wasm_v128_load(spillShuffle[spilled])), 0);
  *to -= 2 * (u32)__builtin_popcount(spilled);
  vec y = wasm_v128_xor(x, wasm_v128_and(wasm_v128_xor(x, wasm_u32x4_shr(x, 16)), spill));
  vec quotient = (vec)__builtin_wasm_relaxed_trunc_s_i32x4_f32x4((__f32x4)wasm_f32x4_mul(wasm_f32x4_convert_i32x4(y), inverse));
  vec more = wasm_i32x4_mul(quotient, rest);
  vec left = wasm_i32x4_add(wasm_i32x4_sub(y, wasm_i32x4_shl(quotient, oddsTotalBits)), more);
  // What is left is less than 2f; from f on, one more goes to the quotient. f is 2048 - rest.
  vec oneMore = wasm_v128_and(rest, wasm_i32x4_gt(wasm_i32x4_add(left, rest), wasm_i32x4_splat(oddsTotal - 1)));
  y = wasm_i32x4_add(wasm_i32x4_add(y, start), wasm_i32x4_add(more, oneMore));
  return partly ? wasm_v128_bitselect(y, x, active) : y;
}

/** The lists of lively segments, each lane's by itself: where their symbols begin, and whether they end a row. */
typedef struct { const u32 *at[lanes]; u32 count[lanes]; } Lists;

INLINE vec laneMask(u32 mask) {
  vec bits = wasm_i16x8_make(1, 2, 4, 8, 16, 32, 64, 128);
  return wasm_i16x8_eq(wasm_v128_and(wasm_i16x8_splat((i16)mask), bits), bits);
}

/** Eight columns or fewer of one round, backwards, of the lanes in `mask`. */
INLINE void writeColumns(const Encoder *e, Writer *w, const u16 *const *at, i32 column, i32 count, u32 mask, int partly) {
  vec block[lanes], active = laneMask(mask), low = w->low, high = w->high;
  u8 *to = w->to;
  for (u32 j = 0; j < lanes; j++) block[j] = wasm_v128_load(at[j] + column);
  if (partly) for (u32 j = 0; j < lanes; j++) if (!(mask >> j & 1)) block[j] = wasm_i16x8_splat(0);
  transpose(block);
  for (i32 k = count - 1; k >= 0; k--) {
    const u16 *from = (const u16 *)(block + k);
    high = encodeFour(high, e->symbols, from + 4, &to, wasm_i32x4_extend_high_i16x8(active), partly);
    low = encodeFour(low, e->symbols, from, &to, wasm_i32x4_extend_low_i16x8(active), partly);
  }
  w->low = low;
  w->high = high;
  w->to = to;
}
static __attribute__((noinline)) void writePartly(const Encoder *e, Writer *w, const u16 *const *at, i32 column, i32 count, u32 mask) { writeColumns(e, w, at, column, count, mask, 1); }

/** One round, backwards, of the lanes in `mask`, whose symbols begin at `at`. */
static __attribute__((noinline)) void writeRound(const Encoder *e, Writer *w, const u16 *const *at, const i32 *lengths, u32 mask) {
  i32 longest = 0, shortest = 1 << 30;
  for (u32 j = 0; j < lanes; j++) {
    if (!(mask >> j & 1)) continue;
    longest = maxOf(longest, lengths[j]);
    shortest = minOf(shortest, lengths[j]);
  }
  // As the decoder goes: to the end of the shortest, then on with those that are left.
  for (i32 c = (longest - 1) & ~7; c >= 0; c -= 8) {
    u32 here = 0;
    for (u32 j = 0; j < lanes; j++) here |= (u32)((mask >> j & 1) && lengths[j] > c) << j;
    if (here != 0xff) writePartly(e, w, at, c, minOf(8, longest - c), here);
    else writeColumns(e, w, at, c, minOf(8, longest - c), here, 0);
  }
}

static __attribute__((noinline)) void writeRounds(const Encoder *e, Writer *w, const u16 *symbols, const Lists *lists) {
  const Walk *walk = &e->walk;
  u32 rounds = 0;
  for (u32 j = 0; j < lanes; j++) rounds = (u32)maxOf((i32)rounds, (i32)lists->count[j]);
  while (rounds-- > 0) {
    const u16 *at[lanes];
    i32 lengths[lanes];
    u32 mask = 0;
    for (u32 j = 0; j < lanes; j++) {
      at[j] = symbols;
      lengths[j] = 0;
      if (rounds >= lists->count[j]) continue;
      u32 place = lists->at[j][rounds];
      at[j] = symbols + (place >> 1);
      lengths[j] = place & 1 ? segmentLength(walk, walk->segments - 1) : segmentColumns;
      mask |= 1u << j;
    }
    writeRound(e, w, at, lengths, mask);
  }
}

/** Lists the lively segments of some rows; returns how many. */
static u32 listLively(u32 *list, const Walk *w, u8 *map, i32 first, i32 end, i32 step) {
  u32 count = 0;
  for (i32 row = first; row != end; row += step)
    for (u32 s = 0; s < w->segments; s++)
      if (isLively(map, w, row, s)) list[count++] = ((u32)row * (u32)w->stride + s * segmentColumns) << 1 | (s + 1 == w->segments);
  return count;
}

/** Encodes last to first what decodes first to last; ends (at the low address) with the states. */
static u8 *writeStates(const Encoder *e, const u16 *symbols, u8 *map, u32 *list, u8 *end) {
  const Walk *w = &e->walk;
  Lists seeds, rest;
  for (u32 j = 0; j < lanes; j++) {
    LaneRows rows = rowsOf(w, j);
    int mine = rows.first != rows.seed && (j & 1) == 0;
    seeds.at[j] = list;
    list += seeds.count[j] = listLively(list, w, map, rows.seed, rows.seed + mine, 1);
    rest.at[j] = list;
    list += rest.count[j] = listLively(list, w, map, rows.first, rows.end, rows.step);
  }
  Writer writer = { wasm_i32x4_splat(1 << 15), wasm_i32x4_splat(1 << 15), end };
  writeRounds(e, &writer, symbols, &rest);
  writeRounds(e, &writer, symbols, &seeds);
  writer.to -= lanes * 4;
  wasm_v128_store(writer.to, writer.low);
  wasm_v128_store(writer.to + 16, writer.high);
  return writer.to;
}

/**
 * Encodes a plane into `out` (bestEncodeMax bytes); returns the size. `plane` is its first pixel, with padLeft pixels of room before it,
 * strideOf(columns) from row to row; it may be changed.
 */
EXPORT("bestEncode") u32 bestEncode(i16 *plane, i32 rows, i32 columns, u8 *out, u8 *work) {
  u8 *heap = (u8 *)rounded((u32)work);
  Encoder *e = (Encoder *)heap;
  heap += rounded(sizeof(Encoder));
  u32 segments = segmentsMax(rows, columns), pixels = (u32)rows * (u32)columns;
  u8 *map = heap;
  heap += rounded(segments);
  u32 *list = (u32 *)heap; // before it lists segments it counts them by row
  heap += rounded(segments * 4 + (u32)rows * 4);
  u16 *symbols = (u16 *)heap;
  heap += rounded((u32)rows * (u32)strideOf(columns) * 2 + 64);
  u8 *scratch = heap, *scratchEnd = heap + pixels * 4 + 256; // raw bits grow up, states down: 13 and 11 bits a pixel at most

  Model *m = &e->model;
  fillBytes(m, 0, sizeof *m);
  e->walk = (Walk){ .rows = rows, .columns = columns, .stride = strideOf(columns), .segments = 1 };
  e->sparse.count = 0;
  SideWriter side;
  u8 *sideStart = out + 12;
  sideWriterStart(&side, sideStart, out + bestEncodeMax(rows, columns));
  startOdds(&e->odds);
  findRange(m, plane, &e->walk);
  u32 livelyPixels = pixels;
  if (m->low < m->high) {
    padPlane(plane, &e->walk);
    if (!mapFlats(map, plane, &e->walk, m->low, list, &livelyPixels)) {
      e->walk.flats = 0;
      e->walk.segments = 1;
      evenBlocks(&e->walk);
      fillBytes(map, segmentLively, mapBytes((u32)rows, 1));
    }
    findSparse(&e->sparse, plane, &e->walk, map, m->low, m->high);
    if (e->sparse.count > 0) {
      m->low = (i16)-middleRank(&e->sparse);
      m->high = (i16)(m->low + (i32)e->sparse.count - 1);
      turnToRanks(&e->sparse, plane, &e->walk, map, m->low);
      padPlane(plane, &e->walk);
    }
  }
  putSparse(&side, &e->sparse);
  sideDirect(&side, (u16)m->low, 16);
  sideDirect(&side, (u16)m->high, 16);
  u8 *rawEnd = scratch, *statesStart = scratchEnd;
  if (m->low < m->high) {
    putWalk(&side, &e->odds, &e->walk, map);
    fitModel(&e->fit, m, plane, &e->walk, map, livelyPixels);
    putModel(&side, &e->odds, m);
    vectorModel(&e->vectors, m);
    for (u32 k = 0; k < 2; k++) fillBytes(e->counts[k], 0, (m->contextCount << symbolShift) * sizeof(u32));
    Tracer tracer = { e, e->counts[0], e->counts[1], wasm_i16x8_splat((i16)m->contextBase), { scratch, 0, 0 } };
    u32 rawSizes[lanes];
    for (u32 j = 0; j < lanes; j++) {
      u8 *rawStart = tracer.raw.at;
      LaneRows rows = rowsOf(&e->walk, j);
      if (rows.first != rows.seed && (j & 1) == 0) traceSeedRow(&tracer, plane, map, symbols, rows.seed);
      traceLane(&tracer, plane, map, symbols, rows);
      rawSizes[j] = (u32)(flushRaw(&tracer.raw) - rawStart);
    }
    rawEnd = tracer.raw.at;
    prepareSymbols(e, livelyPixels);
    putTables(&side, &e->odds, &e->tables, m->contextCount);
    u32 left = (u32)(rawEnd - scratch);
    for (u32 j = 0; j + 1 < lanes && left > 0; left -= rawSizes[j++]) sideNumber(&side, e->odds.raw, rawSizes[j]);
    statesStart = writeStates(e, symbols, map, list, scratchEnd);
  }
  u8 *sideEnd = sideWriterEnd(&side);
  while (sideEnd > sideStart && sideEnd[-1] == 0) sideEnd--; // a reader takes missing bytes as zero
  u32 sizeStates = (u32)(scratchEnd - statesStart), sizeRaw = (u32)(rawEnd - scratch);
  copyBytes(sideEnd, statesStart, sizeStates);
  copyBytes(sideEnd + sizeStates, scratch, sizeRaw);
  writeU32(out, (u32)(sideEnd - sideStart));
  writeU32(out + 4, sizeStates);
  writeU32(out + 8, sizeRaw);
  return (u32)(sideEnd + sizeStates + sizeRaw - out);
}
