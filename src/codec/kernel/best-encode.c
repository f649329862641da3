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
  return 64 + rounded(sizeof(Encoder)) + rounded(trailSteps(columns) * (u32)sizeof(Trail)) + rounded(pixels * 2 + 64) * 3 + rounded(pixels / lanes + 64) + rounded(pixels * 4 + 128);
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

/** In coding order: of each pixel its folded error and its measure, of each whole step whether it is flat, and calm. */
typedef struct { i16 *folded, *measures; u8 *steps; } Trace;
enum { stepLively = 0, stepFlat = 1, stepCalm = 2 };

/** The next eight steps' pixels: lane j's run of eight, three columns back for each lane, turned into a vector per step. */
INLINE void loadBlock(vec *block, const i16 *in, i32 stride) {
  for (i32 j = 0; j < lanes; j++) block[j] = wasm_v128_load(in + j * stride);
  transpose(block);
}

static __attribute__((noinline)) Trace traceGroup(Wave *wave, const VectorModel *model, const i16 *rows, Trace to) {
  i32 columns = wave->columns, rowsHere = wave->rowsHere, last = stepLast(columns), stride = columns - lag;
  vec west = wave->window[windowBack - 1].own, errorWest = wave->window[windowBack - 1].error;
  WholeSteps whole = wholeSteps(wave);
  vec block[lanes];
  for (i32 s = stepFirst; s <= last;) {
    Step *past = wave->window;
    i32 until = minOf(s + windowSteps, last + 1);
    for (; s < until; s++, past++) {
      const i16 *in = rows + s;
      Unrest unrest = unrestAt(past, west, errorWest);
      if (s >= whole.from && s < whole.until) {
        vec own, error = wasm_i16x8_splat(0);
        if (s < whole.blocks) {
          i32 k = (s - whole.from) & 7;
          if (k == 0) loadBlock(block, in, stride);
          own = block[k];
        } else {
          own = wasm_v128_load16_splat(in);
#define GET(j) own = wasm_v128_load16_lane(in + j * stride, own, j);
          GET(1) GET(2) GET(3) GET(4) GET(5) GET(6) GET(7)
#undef GET
        }
        u8 kind = wasm_v128_any_true(unrest.measure) ? stepLively : wasm_v128_any_true(wasm_v128_xor(own, west)) ? stepFlat : stepCalm;
        if (kind != stepCalm) {
          error = wasm_i16x8_sub(own, guessAt(past, west, unrest.texture, model, 0));
          wasm_v128_store(to.folded, fold(error));
          wasm_v128_store(to.measures, unrest.measure);
          to.folded += lanes;
          to.measures += lanes;
        }
        *to.steps++ = kind;
        west = own;
        errorWest = wasm_i16x8_abs(error);
        fileAndTrail(wave, past + windowBack, s, west, errorWest);
        continue;
      }
      LaneRange here = lanesAt(s, columns, rowsHere);
      vec active = laneMask(here.from, here.until);
      i16 pixels[lanes] __attribute__((aligned(16))), folded[lanes], measures[lanes];
      for (i32 j = here.from; j < here.until; j++) pixels[j] = in[j * stride];
      vec own = wasm_v128_load(pixels), guess = guessAt(past, west, unrest.texture, model, wave->first);
      vec error = wasm_v128_and(wasm_i16x8_sub(own, guess), active);
      west = edgePixels(past, west, s, own, active);
      errorWest = wasm_i16x8_abs(error);
      fileAndTrail(wave, past + windowBack, s, west, errorWest);
      wasm_v128_store(folded, fold(error));
      wasm_v128_store(measures, unrest.measure);
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
  u32 stride = pixels / 4096 | 1, total = 0; // odd, so that all lanes are seen
  for (u32 i = 0; i < pixels; i += stride, total++) e->bins[binOf((u16)measures[i])]++;
  e->model.contextCount = 1 + quantileEdges(e->bins, total, parts[size], partCounts[size], e->model.contextEdges);
  e->frequencies.mantissaBits = pixels < 4096 ? 1 : pixels < 40000 ? 2 : 3;
}

typedef struct { u8 *at; u64 bits; u32 count; } RawWriter;

/** Completes the symbols of eight pixels of which some have raw bits, and writes those. */
INLINE void widenSymbols(RawWriter *raw, const u16 *folded, u16 *symbols, u32 count) {
  for (u32 j = 0; j < count; j++) {
    u32 z = folded[j], token = tokenOf(z), width = tokenRawBits(token);
    symbols[j] = (u16)(symbols[j] | token);
    raw->bits |= (u64)(z & ((1u << width) - 1)) << raw->count;
    raw->count += width;
    __builtin_memcpy(raw->at, &raw->bits, 8);
    raw->at += raw->count >> 3;
    raw->bits >>= raw->count & ~7u;
    raw->count &= 7;
  }
}

/** Each pixel's symbol, its context and its token in one number, counted; and the raw bits, from `to` on. Returns their end. */
static __attribute__((noinline)) u8 *countSymbols(Encoder *e, const VectorModel *model, const i16 *measures, const u16 *folded, u32 pixels, u16 *symbols, u8 *to) {
  u32 *even = e->counts[0], *odd = e->counts[1]; // two tallies, so that equal neighbours do not wait for each other
  RawWriter raw = { .at = to, .bits = 0, .count = 0 };
  vec plainLast = wasm_i16x8_splat(tokensPlain - 1);
  for (u32 i = 0; i < pixels; i += 8) {
    vec contexts = wasm_i16x8_shl(wasm_i16x8_neg(contextsPassed(wasm_v128_xor(wasm_v128_load(measures + i), model->sign), model->contextEdges)), symbolShift);
    vec z = wasm_v128_load(folded + i);
    u16 *here = symbols + i;
    if (i + 8 > pixels) {
      wasm_v128_store(here, contexts);
      widenSymbols(&raw, folded + i, here, pixels - i);
      for (u32 j = i; j < pixels; j++) even[symbols[j]]++;
      break;
    }
    if (wasm_v128_any_true(wasm_u16x8_gt(z, plainLast))) {
      wasm_v128_store(here, contexts);
      widenSymbols(&raw, folded + i, here, 8);
    } else {
      wasm_v128_store(here, wasm_v128_or(contexts, z));
    }
    u64 low = readU64((u8 *)here), high = readU64((u8 *)(here + 4));
    even[low & 0xffff]++; odd[low >> 16 & 0xffff]++; even[low >> 32 & 0xffff]++; odd[low >> 48]++;
    even[high & 0xffff]++; odd[high >> 16 & 0xffff]++; even[high >> 32 & 0xffff]++; odd[high >> 48]++;
  }
  return raw.at + (raw.count > 0);
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
static Symbol symbolOf(u32 frequency, u32 start) {
  u32 shift = frequency > 1 ? bitLength(frequency - 1) : 1;
  return (Symbol){
    .limit = frequency << 19,
    .start = frequency == 1 ? start + oddsTotal - 1 : start,
    .inverse = frequency > 1 ? (u32)((((u64)1 << (shift + 31)) + frequency - 1) / frequency) : 0xffffffffu,
    .inverseShift = (u16)(shift - 1),
    .rest = (u16)(oddsTotal - frequency),
  };
}

static __attribute__((noinline)) void prepareSymbols(Encoder *e) {
  for (u32 c = 0; c < e->model.contextCount; c++) {
    u32 counts[tokenCount], start = 0;
    for (u32 t = 0; t < tokenCount; t++) counts[t] = e->counts[0][c << symbolShift | t] + e->counts[1][c << symbolShift | t];
    e->frequencies.top[c] = scaleContext(counts, e->frequencies.of[c], e->frequencies.mantissaBits);
    for (u32 t = 0; t < tokenCount; t++) {
      u32 frequency = e->frequencies.of[c][t];
      if (frequency == 0) continue;
      e->symbols[c << symbolShift | t] = symbolOf(frequency, start);
      start += frequency;
    }
  }
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

static void countCalm(Encoder *e, const u8 *from, const u8 *until) {
  u32 flat = 0, calm = 0;
  for (; from < until; from++) {
    flat += *from != stepLively;
    calm += *from == stepCalm;
  }
  u32 share = flat == 0 ? oddsTotal / 2 : (u32)((u64)calm * oddsTotal / flat);
  e->model.calm = (u32)maxOf(1, minOf(oddsTotal - 1, (i32)share));
}

/** Encodes last to first what decodes first to last; ends (at the low address) with the states. */
static __attribute__((noinline)) u8 *writeStates(const Encoder *e, i32 rows, i32 columns, const u16 *symbolsEnd, const u8 *stepsEnd, u8 *end) {
  Symbol calm = symbolOf(e->model.calm, 0), notCalm = symbolOf(oddsTotal - e->model.calm, e->model.calm);
  u32 x[lanes];
  u8 *to = end;
  const u16 *from = symbolsEnd;
  for (u32 j = 0; j < lanes; j++) x[j] = 1 << 15;
  for (i32 row = (rows - 1) / lanes * lanes; row >= 0; row -= lanes) {
    i32 rowsHere = minOf(lanes, rows - row);
    for (i32 s = columns + lag * (lanes - 1); s >= 0; s--) {
      LaneRange here = lanesAt(s, columns, rowsHere);
      if (here.from == 0 && here.until == lanes && row > 0) {
        u8 kind = *--stepsEnd;
        if (kind == stepCalm) {
          x[0] = encodeSymbol(x[0], &calm, &to);
          continue;
        }
        from -= lanes;
#define ONE(j) x[j] = encodeSymbol(x[j], &e->symbols[from[j]], &to);
        ONE(7) ONE(6) ONE(5) ONE(4) ONE(3) ONE(2) ONE(1) ONE(0)
#undef ONE
        if (kind == stepFlat) x[0] = encodeSymbol(x[0], &notCalm, &to);
        continue;
      }
      for (i32 j = here.until - 1; j >= here.from; j--) x[j] = encodeSymbol(x[j], &e->symbols[*--from], &to);
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
  u16 *symbols = (u16 *)heap;
  heap += rounded(pixels * 2 + 64);
  u8 *steps = heap; // at most one per column and group
  heap += rounded(pixels / lanes + 64);
  u8 *scratch = heap, *scratchEnd = heap + pixels * 4 + 128; // raw bits grow up, states down: 13 and 12 bits a pixel at most

  fillBytes(&e->model, 0, sizeof e->model);
  fillBytes(&e->frequencies, 0, sizeof e->frequencies);
  fillBytes(e->counts, 0, sizeof e->counts);
  fillBytes(e->bins, 0, sizeof e->bins);
  findRange(&e->model, plane, pixels);
  int sparse = findSparse(&e->sparse, plane, pixels, e->model.low, e->model.high);
  if (sparse) {
    toRanks(&e->sparse, plane, pixels);
    findRange(&e->model, plane, pixels);
  }
  fitModel(&e->fit, &e->model, plane, rows, columns);
  VectorModel model;
  vectorModel(&model, &e->model);

  e->wave.columns = columns;
  fillBytes(e->wave.trail, 0, trailSteps(columns) * sizeof(Trail));
  Trace trace = { (i16 *)folded, measures, steps };
  for (i32 row = 0; row < rows; row += lanes) {
    startGroup(&e->wave, row == 0, minOf(lanes, rows - row));
    trace = traceGroup(&e->wave, &model, plane + (u32)row * (u32)columns, trace);
  }
  u32 lively = (u32)(trace.measures - measures); // pixels that calm steps did not spare
  countCalm(e, steps, trace.steps);
  chooseContexts(e, measures, lively);
  vectorModel(&model, &e->model);
  u8 *rawEnd = countSymbols(e, &model, measures, folded, lively, symbols, scratch);
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
  u8 *statesStart = writeStates(e, rows, columns, symbols + lively, trace.steps, scratchEnd);
  u32 sizeRaw = (u32)(rawEnd - scratch), sizeStates = (u32)(scratchEnd - statesStart);
  copyBytes(sideEnd, scratch, sizeRaw);
  copyBytes(sideEnd + sizeRaw, statesStart, sizeStates);
  writeU32(out, (u32)(sideEnd - sideStart));
  writeU32(out + 4, sizeRaw);
  writeU32(out + 8, sizeStates);
  return (u32)(sideEnd + sizeRaw + sizeStates - out);
}
