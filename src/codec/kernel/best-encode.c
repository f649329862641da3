// Owns: encoding one plane of the best pixel codec: fit, predict, choose contexts, count, write.
// The bytes are those that best-decode.c reads. Freedom of choice (fit, edges, frequencies) lies here alone.

#include "fit.h"
#include "sparse.h"
#include "tables.h"

typedef struct { u32 limit, start, inverse; u16 inverseShift, rest; } Symbol;

enum { symbolShift = 7, symbolCount = contextsMax << symbolShift };

typedef struct {
  Wave wave;
  Model model;
  Frequencies frequencies;
  SideOdds odds;
  u32 counts[2][symbolCount];
  u32 bins[1024];
  Symbol symbols[symbolCount];
  Sparse sparse;
  Fit fit;
} Encoder;

INLINE u32 rounded(u32 v) { return (v + 63) & ~63u; }

EXPORT("bestEncodeBytes") u32 bestEncodeBytes(u32 pixels, i32 columns) {
  return 64 + rounded(sizeof(Encoder)) + rounded(trailSteps(columns) * (u32)sizeof(Trail)) + rounded(pixels * 2 + 64) * 4;
}

/** The largest payload a plane can need. */
EXPORT("bestEncodeMax") u32 bestEncodeMax(u32 pixels) { return pixels * 4 + 65536; }

static void findRange(Model *m, const i16 *plane, u32 pixels) {
  i32 low = 32767, high = -32768;
  vec lows = wasm_i16x8_splat(32767), highs = wasm_i16x8_splat(-32768);
  u32 i = 0;
  for (; i + 8 <= pixels; i += 8) {
    vec v = wasm_v128_load(plane + i);
    lows = wasm_i16x8_min(lows, v);
    highs = wasm_i16x8_max(highs, v);
  }
  i16 a[8], b[8];
  wasm_v128_store(a, lows);
  wasm_v128_store(b, highs);
  for (u32 j = 0; j < 8; j++) { low = minOf(low, a[j]); high = maxOf(high, b[j]); }
  for (; i < pixels; i++) { low = minOf(low, plane[i]); high = maxOf(high, plane[i]); }
  m->low = (i16)low;
  m->high = (i16)high;
}

INLINE vec fold(vec error) { return wasm_v128_xor(wasm_i16x8_shl(error, 1), wasm_i16x8_shr(error, 15)); }

typedef struct { i16 *folded, *measures; } Trace;

/** Predicts a group; appends each pixel's folded error and measure in coding order. */
static __attribute__((noinline)) Trace traceGroup(Wave *wave, const VectorModel *model, const i16 *rows, Trace to) {
  i32 columns = wave->columns, rowsHere = wave->rowsHere, last = stepLast(columns), stride = columns - lag;
  for (i32 s = stepFirst; s <= last;) {
    Step *now = wave->window + windowBack;
    i32 until = minOf(s + windowSteps, last + 1);
    for (; s < until; s++, now++) {
      const i16 *in = rows + s;
      if (s >= lag * (lanes - 1) && s < columns && rowsHere == lanes && !wave->first) {
        Forecast f = forecast(now, model, 0);
        vec own = wasm_v128_load16_splat(in);
#define GET(j) own = wasm_v128_load16_lane(in + j * stride, own, j);
        GET(1) GET(2) GET(3) GET(4) GET(5) GET(6) GET(7)
#undef GET
        vec error = wasm_i16x8_sub(own, f.guess);
        fileAndTrail(wave, now, s, own, wasm_i16x8_abs(error));
        wasm_v128_store(to.folded, fold(error));
        wasm_v128_store(to.measures, f.measure);
        to.folded += lanes;
        to.measures += lanes;
        continue;
      }
      LaneRange here = lanesAt(s, columns, rowsHere);
      vec active = laneMask(here.from, here.until);
      Forecast f = forecast(now, model, wave->first);
      i16 pixels[lanes] __attribute__((aligned(16))), folded[lanes], measures[lanes];
      for (i32 j = here.from; j < here.until; j++) pixels[j] = in[j * stride];
      vec own = wasm_v128_load(pixels), error = wasm_v128_and(wasm_i16x8_sub(own, f.guess), active);
      fileAndTrail(wave, now, s, edgePixels(now, s, own, active), wasm_i16x8_abs(error));
      wasm_v128_store(folded, fold(error));
      wasm_v128_store(measures, f.measure);
      for (i32 j = here.from; j < here.until; j++) {
        *to.folded++ = folded[j];
        *to.measures++ = measures[j];
      }
    }
    slideWindow(wave);
  }
  return to;
}

static __attribute__((noinline)) void chooseContexts(Encoder *e, const i16 *measures, u32 pixels) {
  static const u16 parts[5][contextsMax - 1] = {
    { 0 }, { 85, 171 }, { 51, 102, 154, 205 }, { 28, 57, 85, 114, 142, 171, 199, 228 },
    { 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240 },
  };
  static const u8 partCounts[5] = { 0, 2, 4, 8, 15 };
  u32 size = pixels < 1024 ? 0 : pixels < 4096 ? 1 : pixels < 12000 ? 2 : pixels < 40000 ? 3 : 4;
  u32 stride = pixels > 65536 ? 3 : 1, total = 0;
  for (u32 i = 0; i < pixels; i += stride, total++) e->bins[binOf((u16)measures[i] ^ 0x8000)]++;
  e->model.contextCount = 1 + quantileEdges(e->bins, total, parts[size], partCounts[size], e->model.contextEdges);
  e->frequencies.mantissaBits = pixels < 4096 ? 1 : pixels < 40000 ? 2 : 3;
}

/** Each pixel's symbol: its context and its token in one number. */
static __attribute__((noinline)) void countSymbols(Encoder *e, const VectorModel *model, const i16 *measures, const u16 *folded, u32 pixels, u16 *symbols) {
  u32 *even = e->counts[0], *odd = e->counts[1]; // two tallies, so that equal neighbours do not wait for each other
  for (u32 i = 0; i < pixels; i += 8) {
    vec passed = edgesPassed(wasm_v128_load(measures + i), model->contextEdges, contextsMax - 1);
    vec contexts = wasm_i16x8_shl(wasm_i16x8_neg(passed), symbolShift), z = wasm_v128_load(folded + i);
    u16 *to = symbols + i;
    if (wasm_v128_any_true(wasm_u16x8_gt(z, wasm_i16x8_splat(tokensPlain - 1)))) {
      wasm_v128_store(to, contexts);
      for (u32 j = 0; j < 8; j++) to[j] = (u16)(to[j] | tokenOf(folded[i + j]));
    } else {
      wasm_v128_store(to, wasm_v128_or(contexts, z));
    }
    if (i + 8 > pixels) {
      for (u32 j = i; j < pixels; j++) even[symbols[j]]++;
      return;
    }
    u64 low = readU64((u8 *)to), high = readU64((u8 *)(to + 4));
    even[low & 0xffff]++; odd[low >> 16 & 0xffff]++; even[low >> 32 & 0xffff]++; odd[low >> 48]++;
    even[high & 0xffff]++; odd[high >> 16 & 0xffff]++; even[high >> 32 & 0xffff]++; odd[high >> 48]++;
  }
}

/** Scales counts to frequencies that sum to 4096, each but the greatest rounded to what the side
 * information can say. Returns that greatest one, which takes what is left. */
static u32 scaleContext(const u32 *counts, u16 *to, u32 mantissaBits) {
  u32 total = 0, top = 0, taken = 0;
  for (u32 t = 0; t < tokenCount; t++) {
    total += counts[t];
    if (counts[t] > counts[top]) top = t;
  }
  for (u32 t = 0; t < tokenCount; t++) {
    to[t] = 0;
    if (t == top || counts[t] == 0) continue;
    u32 exact = (u32)(((u64)counts[t] * oddsTotal + total / 2) / total), length = bitLength(exact);
    // Round to nearest before the low bits go.
    u32 half = length > mantissaBits + 1 ? 1u << (length - 2 - mantissaBits) : 0;
    to[t] = (u16)maxOf(1, (i32)coarse(exact + half, mantissaBits));
    taken += to[t];
  }
  if (taken == 0) { to[top == 0 ? 1 : 0] = 1; taken = 1; }
  // Many rare tokens can take too much: halve the greatest of the others until the top has room.
  while (taken + 1 > oddsTotal - 64) {
    u32 most = top == 0 ? 1 : 0;
    for (u32 t = 0; t < tokenCount; t++) if (t != top && to[t] > to[most]) most = t;
    u32 less = coarse(to[most] - (to[most] >> 2), mantissaBits);
    if (less == 0 || less == to[most]) less = to[most] >> 1;
    taken -= to[most] - less;
    to[most] = (u16)less;
  }
  to[top] = (u16)(oddsTotal - taken);
  return top;
}

/**
 * Coding takes x to (x / f) * 4096 + x % f + start, that is x + start + q * (4096 - f) with q = x / f, and q is
 * (x * inverse) >> (32 + inverseShift), exact for x < 2^31. For f = 1 the inverse gives q = x - 1, and start makes up for it.
 */
static __attribute__((noinline)) void prepareSymbols(Encoder *e) {
  for (u32 c = 0; c < e->model.contextCount; c++) {
    u32 counts[tokenCount], start = 0;
    for (u32 t = 0; t < tokenCount; t++) counts[t] = e->counts[0][c << symbolShift | t] + e->counts[1][c << symbolShift | t];
    e->frequencies.top[c] = scaleContext(counts, e->frequencies.of[c], e->frequencies.mantissaBits);
    for (u32 t = 0; t < tokenCount; t++) {
      u32 frequency = e->frequencies.of[c][t], shift = frequency > 1 ? bitLength(frequency - 1) : 1;
      e->symbols[c << symbolShift | t] = (Symbol){
        .limit = frequency << 19,
        .start = frequency == 1 ? start + oddsTotal - 1 : start,
        .inverse = frequency > 1 ? (u32)((((u64)1 << (shift + 31)) + frequency - 1) / frequency) : 0xffffffffu,
        .inverseShift = (u16)(shift - 1),
        .rest = (u16)(oddsTotal - frequency),
      };
      start += frequency;
    }
  }
}

static __attribute__((noinline)) u8 *writeRaw(const u16 *folded, const u16 *symbols, u32 pixels, u8 *to) {
  u64 bits = 0;
  u32 count = 0;
  for (u32 i = 0; i < pixels; i++) {
    if ((i & 7) == 0 && i + 8 <= pixels && !wasm_v128_any_true(wasm_u16x8_gt(wasm_v128_load(folded + i), wasm_i16x8_splat(tokensPlain - 1)))) {
      i += 7;
      continue;
    }
    if (folded[i] < tokensPlain) continue;
    u32 width = tokenRawBits(symbols[i] & ((1 << symbolShift) - 1));
    bits |= (u64)(folded[i] & ((1u << width) - 1)) << count;
    count += width;
    for (; count >= 16; count -= 16, bits >>= 16, to += 2) { to[0] = (u8)bits; to[1] = (u8)(bits >> 8); }
  }
  for (; count > 0; count = count > 8 ? count - 8 : 0, bits >>= 8) *to++ = (u8)bits;
  return to;
}

INLINE u32 encodeSymbol(u32 x, const Symbol *s, u8 **to) {
  // The word is written in any case, and kept only if the state is too large: a branch here would be guessed wrong too often.
  u32 spill = x >= s->limit;
  u16 word = (u16)x;
  __builtin_memcpy(*to - 2, &word, 2);
  *to -= 2 * spill;
  x >>= 16 * spill;
  u32 quotient = (u32)(((u64)x * s->inverse) >> 32) >> s->inverseShift;
  return x + s->start + quotient * s->rest;
}

/** Encodes the pixels last to first, so that they decode first to last; ends (at the low address) with the states. */
static __attribute__((noinline)) u8 *writeStates(const Encoder *e, i32 rows, i32 columns, const u16 *symbols, u8 *end) {
  u32 x[lanes];
  u8 *to = end;
  u32 i = (u32)rows * (u32)columns;
  for (u32 j = 0; j < lanes; j++) x[j] = 1 << 15;
  for (i32 row = (rows - 1) / lanes * lanes; row >= 0; row -= lanes) {
    i32 rowsHere = minOf(lanes, rows - row);
    for (i32 s = columns + lag * (lanes - 1); s >= 0; s--) {
      LaneRange here = lanesAt(s, columns, rowsHere);
      if (here.from == 0 && here.until == lanes) {
        i -= lanes;
#define ONE(j) x[j] = encodeSymbol(x[j], &e->symbols[symbols[i + j]], &to);
        ONE(7) ONE(6) ONE(5) ONE(4) ONE(3) ONE(2) ONE(1) ONE(0)
#undef ONE
        continue;
      }
      for (i32 j = here.until - 1; j >= here.from; j--) {
        i--;
        x[j] = encodeSymbol(x[j], &e->symbols[symbols[i]], &to);
      }
    }
  }
  to -= lanes * 4;
  for (u32 j = 0; j < lanes; j++) writeU32(to + 4 * j, x[j]);
  return to;
}

/** Encodes a plane into `out` (bestEncodeMax bytes); returns the size. The plane may be changed. */
EXPORT("bestEncode") u32 bestEncode(i16 *plane, i32 rows, i32 columns, u8 *out, u8 *work) {
  u32 pixels = (u32)rows * (u32)columns;
  u8 *heap = (u8 *)rounded((u32)work);
  Encoder *e = (Encoder *)heap;
  heap += rounded(sizeof(Encoder));
  e->wave.trail = (Trail *)heap;
  heap += rounded(trailSteps(columns) * (u32)sizeof(Trail));
  u16 *folded = (u16 *)heap;
  heap += rounded(pixels * 2 + 64);
  i16 *measures = (i16 *)heap;
  heap += rounded(pixels * 2 + 64);
  u8 *states = heap;
  heap += rounded(pixels * 2 + 64);
  u16 *symbols = (u16 *)heap;

  fillBytes(&e->model, 0, sizeof e->model);
  fillBytes(&e->frequencies, 0, sizeof e->frequencies);
  fillBytes(e->counts, 0, sizeof e->counts);
  fillBytes(e->bins, 0, sizeof e->bins);
  int sparse = findSparse(&e->sparse, plane, pixels);
  if (sparse) toRanks(&e->sparse, plane, pixels);
  findRange(&e->model, plane, pixels);
  fitModel(&e->fit, &e->model, plane, rows, columns);
  VectorModel model;
  vectorModel(&model, &e->model);

  e->wave.columns = columns;
  fillBytes(e->wave.trail, 0, trailSteps(columns) * sizeof(Trail));
  Trace trace = { (i16 *)folded, measures };
  for (i32 row = 0; row < rows; row += lanes) {
    startGroup(&e->wave, row == 0, minOf(lanes, rows - row));
    trace = traceGroup(&e->wave, &model, plane + (u32)row * (u32)columns, trace);
  }
  chooseContexts(e, measures, pixels);
  vectorModel(&model, &e->model);
  countSymbols(e, &model, measures, folded, pixels, symbols);
  prepareSymbols(e);

  SideWriter side;
  u8 *sideStart = out + 12;
  sideWriterStart(&side, sideStart, sideStart + 65536 - 4096);
  startOdds(&e->odds);
  putSparse(&side, &e->sparse, sparse);
  putModel(&side, &e->odds, &e->model);
  putFrequencies(&side, &e->odds, &e->frequencies, e->model.contextCount);
  u8 *sideEnd = sideWriterEnd(&side);
  while (sideEnd > sideStart && sideEnd[-1] == 0) sideEnd--; // a reader takes missing bytes as zero
  u8 *rawEnd = writeRaw(folded, symbols, pixels, sideEnd);
  u8 *statesEnd = states + pixels * 2 + 64;
  u8 *statesStart = writeStates(e, rows, columns, symbols, statesEnd);
  u32 sizeStates = (u32)(statesEnd - statesStart);
  copyBytes(rawEnd, statesStart, sizeStates);
  writeU32(out, (u32)(sideEnd - sideStart));
  writeU32(out + 4, (u32)(rawEnd - sideEnd));
  writeU32(out + 8, sizeStates);
  return 12 + (u32)(rawEnd - out - 12) + sizeStates;
}
