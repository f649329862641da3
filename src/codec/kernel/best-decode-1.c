// Owns: decoding one plane of the best pixel codec, version 1, which is no longer written. See docs/formats/pixel-best.md for the bytes.
//
// Plane stream: u32 sizeSide, u32 sizeRaw, u32 sizeStates, then side information, raw bits, and the states' stream:
// eight u32 states (lane 0 first) and the u16 words that refill them. All little-endian.
// Nothing read is trusted: a table that does not sum, or a stream that ends early, gives -1, never an overrun.

#include "sparse.h"
#include "tables-1.h"

typedef struct {
  Wave wave;
  Model model;
  Frequencies frequencies;
  SideOdds odds;
  Sparse sparse;
  u32 slots[contextsMax][oddsTotal]; // frequency << 20 | (slot - start) << 8 | token
} Decoder;

typedef struct { const u8 *at, *end; u64 bits; u32 count; } RawReader;

EXPORT("bestDecode1Bytes") u32 bestDecode1Bytes(i32 columns) {
  return (u32)sizeof(Decoder) + 64 + trailSteps(columns) * (u32)sizeof(Trail);
}

static __attribute__((noinline)) void fillSlots(Decoder *d) {
  for (u32 c = 0; c < d->model.contextCount; c++) {
    u32 at = 0;
    for (u32 t = 0; t < tokenCount; t++) {
      u32 frequency = d->frequencies.of[c][t], entry = frequency << 20 | t;
      for (u32 i = 0; i < frequency; i++) d->slots[c][at++] = entry | i << 8;
    }
  }
}

INLINE void refill(RawReader *r) {
  if (r->count > 56) return;
  if (r->at + 8 <= r->end) {
    r->bits |= readU64(r->at) << r->count;
    u32 bytes = (63 - r->count) >> 3;
    r->at += bytes;
    r->count += bytes * 8;
    return;
  }
  for (; r->count <= 56; r->count += 8) {
    u64 byte = r->at < r->end ? *r->at : 0;
    r->at++; // counts past the end, so that the caller can tell
    r->bits |= byte << r->count;
  }
}

/** Tokens from 64 on take raw bits, lane by lane. Thirteen bits at most each, so one refill serves four lanes. */
static __attribute__((noinline)) vec widenTokens(RawReader *r, vec tokens) {
  u16 z[lanes] __attribute__((aligned(16)));
  wasm_v128_store(z, tokens);
  for (u32 j = 0; j < lanes; j++) {
    if ((j & 3) == 0) refill(r);
    u32 count = tokenRawBits(z[j]);
    z[j] = (u16)(tokenBase(z[j]) + ((u32)r->bits & ((1u << count) - 1)));
    r->bits >>= count;
    r->count -= count;
  }
  return wasm_v128_load(z);
}

// For four states under the least, where the next u16 words go: word k to the k-th such state's low half.
static const u8 refillShuffle[16][16] = {
#define WORD(on, index) (on) ? 2 * (index) : 0x80, (on) ? 2 * (index) + 1 : 0x80, 0x80, 0x80
#define ROW(a, b, c, d) { WORD(a, 0), WORD(b, a), WORD(c, (a) + (b)), WORD(d, (a) + (b) + (c)) }
  ROW(0, 0, 0, 0), ROW(1, 0, 0, 0), ROW(0, 1, 0, 0), ROW(1, 1, 0, 0), ROW(0, 0, 1, 0), ROW(1, 0, 1, 0), ROW(0, 1, 1, 0), ROW(1, 1, 1, 0),
  ROW(0, 0, 0, 1), ROW(1, 0, 0, 1), ROW(0, 1, 0, 1), ROW(1, 1, 0, 1), ROW(0, 0, 1, 1), ROW(1, 0, 1, 1), ROW(0, 1, 1, 1), ROW(1, 1, 1, 1),
#undef ROW
#undef WORD
};

typedef struct { vec low, high; const u8 *at; } States;

INLINE vec refillStates(vec states, const u8 **at, vec least) {
  vec under = wasm_i32x4_lt(states, least);
  u32 mask = wasm_i32x4_bitmask(under);
  vec words = wasm_i8x16_swizzle(wasm_v128_load64_zero(*at), wasm_v128_load(refillShuffle[mask]));
  *at += 2 * (u32)__builtin_popcount(mask);
  return wasm_v128_bitselect(wasm_v128_or(wasm_i32x4_shl(states, 16), words), states, under);
}

/** Four entries; `at` holds their addresses. */
INLINE vec loadSlots(vec at) {
  vec v = wasm_v128_load32_zero((const void *)wasm_i32x4_extract_lane(at, 0));
  v = wasm_v128_load32_lane((const void *)wasm_i32x4_extract_lane(at, 1), v, 1);
  v = wasm_v128_load32_lane((const void *)wasm_i32x4_extract_lane(at, 2), v, 2);
  return wasm_v128_load32_lane((const void *)wasm_i32x4_extract_lane(at, 3), v, 3);
}

INLINE vec advance(vec states, vec slots, vec startMask) {
  vec start = wasm_v128_and(wasm_u32x4_shr(slots, 8), startMask);
  return wasm_i32x4_add(wasm_i32x4_mul(wasm_u32x4_shr(states, oddsTotalBits), wasm_u32x4_shr(slots, 20)), start);
}

/** Constants for the decoding of symbols, made once per group: see opaque(). */
typedef struct { vec slotMask, base, startMask, least, byte, plainLast, one; } SymbolConstants;

INLINE SymbolConstants symbolConstants(const u32 *slots) {
  return (SymbolConstants){
    .slotMask = opaque(wasm_i32x4_splat((oddsTotal - 1) << 2)),
    .base = opaque(wasm_i32x4_splat((i32)slots)),
    .startMask = opaque(wasm_i32x4_splat(0xfff)),
    .least = opaque(wasm_i32x4_splat(1 << 15)),
    .byte = opaque(wasm_i32x4_splat(0xff)),
    .plainLast = opaque(wasm_i16x8_splat(tokensPlain - 1)),
    .one = opaque(wasm_i16x8_splat(1)),
  };
}

/** Decodes one symbol in each active lane and returns the folded errors. `passed` is minus the context, as comparisons give it. */
INLINE vec decodeLanes(States *x, RawReader *raw, const SymbolConstants *k, vec passed, vec active, int edge) {
  vec tableLow = wasm_i32x4_sub(k->base, wasm_i32x4_shl(wasm_i32x4_extend_low_i16x8(passed), oddsTotalBits + 2));
  vec tableHigh = wasm_i32x4_sub(k->base, wasm_i32x4_shl(wasm_i32x4_extend_high_i16x8(passed), oddsTotalBits + 2));
  vec low = loadSlots(wasm_i32x4_add(tableLow, wasm_v128_and(wasm_i32x4_shl(x->low, 2), k->slotMask)));
  vec high = loadSlots(wasm_i32x4_add(tableHigh, wasm_v128_and(wasm_i32x4_shl(x->high, 2), k->slotMask)));
  vec nextLow = advance(x->low, low, k->startMask), nextHigh = advance(x->high, high, k->startMask);
  if (edge) {
    nextLow = wasm_v128_bitselect(nextLow, x->low, wasm_i32x4_extend_low_i16x8(active));
    nextHigh = wasm_v128_bitselect(nextHigh, x->high, wasm_i32x4_extend_high_i16x8(active));
  }
  x->low = refillStates(nextLow, &x->at, k->least);
  x->high = refillStates(nextHigh, &x->at, k->least);
  vec tokens = wasm_i16x8_narrow_i32x4(wasm_v128_and(low, k->byte), wasm_v128_and(high, k->byte));
  if (edge) tokens = wasm_v128_and(tokens, active);
  if (wasm_v128_any_true(wasm_i16x8_gt(tokens, k->plainLast))) tokens = widenTokens(raw, tokens);
  return tokens;
}

INLINE vec unfold(vec z, vec one) {
  return wasm_v128_xor(wasm_u16x8_shr(z, 1), wasm_i16x8_neg(wasm_v128_and(z, one)));
}

/**
 * One decision in lane 0's state: is this flat step calm? Flat: all eight lanes stand on a pixel, and around none of them is any
 * difference or error. Calm: each of the eight pixels equals its west neighbour. So flat regions cost an eighth of the decisions.
 */
INLINE u32 decodeCalm(States *x, u32 calm) {
  u32 state = (u32)wasm_i32x4_extract_lane(x->low, 0), slot = state & (oddsTotal - 1), isCalm = slot < calm;
  state = isCalm ? calm * (state >> oddsTotalBits) + slot : (oddsTotal - calm) * (state >> oddsTotalBits) + slot - calm;
  if (state < 1 << 15) {
    state = state << 16 | (u32)x->at[0] | (u32)x->at[1] << 8;
    x->at += 2;
  }
  x->low = wasm_i32x4_replace_lane(x->low, 0, (i32)state);
  return isCalm;
}

/** Eight steps' pixels, the newest at `now`, to the plane: step k of lane j is column k of row j, three columns back for each lane. */
INLINE void storeBlock(const Step *now, i16 *out, i32 stride) {
  vec v[lanes];
  for (i32 k = 0; k < lanes; k++) v[k] = now[k - lanes + 1].own;
  transpose(v);
  for (i32 j = 0; j < lanes; j++) wasm_v128_store(out - lanes + 1 + j * stride, v[j]);
}

static __attribute__((noinline)) void decodeGroup(Decoder *d, const VectorModel *model, States *states, RawReader *raw, i16 *rows, const u8 *statesEnd) {
  Wave *wave = &d->wave;
  i32 columns = wave->columns, rowsHere = wave->rowsHere, last = stepLast(columns), stride = columns - lag;
  SymbolConstants k = symbolConstants(&d->slots[0][0]);
  u32 calm = d->model.calm;
  WholeSteps whole = wholeSteps(wave);
  States x = *states; // in registers
  vec west = wave->window[windowBack - 1].own, errorWest = wave->window[windowBack - 1].error;
  for (i32 s = stepFirst; s <= last;) {
    Step *past = wave->window;
    i32 until = minOf(s + windowSteps, last + 1);
    for (; s < until; s++, past++) {
      if (x.at > statesEnd) x.at = statesEnd; // zeros lie behind; the end will not match, and the caller sees it
      i16 *out = rows + s;
      Unrest unrest = unrestAt(past, west, errorWest);
      if (s >= whole.from && s < whole.until) {
        vec error = wasm_i16x8_splat(0);
        if (wasm_v128_any_true(unrest.measure) || !decodeCalm(&x, calm)) {
          vec passed = contextsPassed(wasm_v128_xor(unrest.measure, model->sign), model->contextEdges);
          error = unfold(decodeLanes(&x, raw, &k, passed, passed, 0), k.one);
          west = wasm_i16x8_add(guessAt(past, west, unrest.texture, model, 0), error);
        }
        errorWest = wasm_i16x8_abs(error);
        fileAndTrail(wave, past + windowBack, s, west, errorWest);
        if (s < whole.blocks) {
          if (((s - whole.from) & 7) == 7) storeBlock(past + windowBack, out, stride);
          continue;
        }
#define PUT(j) wasm_v128_store16_lane(out + j * stride, west, j);
        PUT(0) PUT(1) PUT(2) PUT(3) PUT(4) PUT(5) PUT(6) PUT(7)
#undef PUT
        continue;
      }
      LaneRange here = lanesAt(s, columns, rowsHere);
      vec active = laneMask(here.from, here.until);
      vec passed = wasm_v128_and(contextsPassed(wasm_v128_xor(unrest.measure, model->sign), model->contextEdges), active);
      vec error = unfold(decodeLanes(&x, raw, &k, passed, active, 1), k.one);
      vec guess = guessAt(past, west, unrest.texture, model, wave->first);
      west = edgePixels(past, west, s, wasm_i16x8_add(guess, error), active);
      errorWest = wasm_i16x8_abs(error);
      fileAndTrail(wave, past + windowBack, s, west, errorWest);
      i16 pixels[lanes] __attribute__((aligned(16)));
      wasm_v128_store(pixels, west);
      for (i32 j = here.from; j < here.until; j++) out[j * stride] = pixels[j];
    }
    slideWindow(wave);
  }
  *states = x;
}

/** Decodes a plane. The input must be followed by 16 readable bytes. Returns the bytes used, or -1. */
EXPORT("bestDecode1") i32 bestDecode1(const u8 *in, u32 size, i16 *plane, i32 rows, i32 columns, u8 *work) {
  Decoder *d = (Decoder *)(((u32)work + 63) & ~63u);
  if (size < 12) return -1;
  u32 sizeSide = readU32(in), sizeRaw = readU32(in + 4), sizeStates = readU32(in + 8);
  u64 total = (u64)12 + sizeSide + sizeRaw + sizeStates;
  if (total > size || sizeStates < 32) return -1;
  const u8 *side = in + 12, *raw = side + sizeSide, *states = raw + sizeRaw, *end = states + sizeStates;

  fillBytes(&d->model, 0, sizeof d->model);
  fillBytes(&d->frequencies, 0, sizeof d->frequencies);
  SideReader reader;
  sideReaderStart(&reader, side, raw);
  startOdds(&d->odds);
  if (!getSparse(&reader, &d->sparse)) return -1;
  getModel(&reader, &d->odds, &d->model);
  if (!getFrequencies(&reader, &d->odds, &d->frequencies, d->model.contextCount)) return -1;
  fillSlots(d);
  VectorModel model;
  vectorModel(&model, &d->model);

  d->wave.columns = columns;
  d->wave.trail = (Trail *)(d + 1);
  fillBytes(d->wave.trail, 0, trailSteps(columns) * sizeof(Trail));
  RawReader rawReader = { .at = raw, .end = states, .bits = 0, .count = 0 };
  States x = { wasm_v128_load(states), wasm_v128_load(states + 16), states + 32 };
  for (i32 row = 0; row < rows; row += lanes) {
    startGroup(&d->wave, row == 0, minOf(lanes, rows - row));
    decodeGroup(d, &model, &x, &rawReader, plane + (u32)row * (u32)columns, end);
  }
  if (x.at != end) return -1;
  if (d->sparse.count > 0 && !fromRanks(&d->sparse, plane, (u32)rows * (u32)columns)) return -1;
  return (i32)total;
}
