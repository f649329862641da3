// Owns: decoding one plane of the best pixel codec, version 2. See docs/formats/pixel-best-2.md for the bytes.
//
// Plane stream: u32 sizeSide, u32 sizeStates, then side information, states, and eight lanes' raw bits.
// The states' part: eight u32 states (lane 0 first) and the u16 words that refill them. All little-endian.
// Nothing read is trusted: a table that does not sum, or a stream that ends early, gives -1, never an overrun.

#include "ranks.h"

enum { blockColumns = 64, blockMargin = 8, blockVectors = blockColumns + 2 * blockMargin };

/** Where a lane stands. */
typedef struct { i32 row, end, step; u32 segment; } Cursor;

/** A lane's segment: where its first pixel lies, and those above it. */
typedef struct { i16 *own[lanes], *n[lanes], *nn[lanes], *nnn[lanes]; i32 lengths[lanes]; u32 mask; } Round;

typedef struct {
  Model model;
  VectorModel vectors;
  Tables tables;
  SideOdds odds;
  Sparse sparse;
  Walk walk;
  Cursor cursors[lanes];
  vec n[blockVectors], nn[blockVectors], nnn[blockVectors], own[blockVectors]; // columns as vectors, from blockMargin before the block on
  vec w, ww, www, errorW, errorWW;                                      // what one block leaves to the next of its round
  const u8 *raw[lanes];
  u32 rawAt[lanes], rawBits[lanes];
  u32 slots[contextsMax][oddsTotal];                                    // frequency << 20 | (slot - start) << 8 | token
} Decoder;

EXPORT("bestDecodeBytes") u32 bestDecodeBytes(i32 rows, i32 columns) {
  return (u32)sizeof(Decoder) + 128 + mapBytes((u32)rows, segmentsOf(columns, 1));
}

static __attribute__((noinline)) void fillSlots(Decoder *d) {
  for (u32 c = 0; c < d->model.contextCount; c++) {
    const Frequencies *f = d->tables.tables + d->tables.tableOf[c];
    u32 *slot = d->slots[c];
    for (u32 t = 0; t < tokenCount; t++) {
      u32 frequency = f->of[t], i = 0;
      vec entry = wasm_i32x4_add(wasm_i32x4_splat((i32)(frequency << 20 | t)), wasm_i32x4_make(0, 1 << 8, 2 << 8, 3 << 8));
      for (; i + 4 <= frequency; i += 4, entry = wasm_i32x4_add(entry, wasm_i32x4_splat(4 << 8))) wasm_v128_store(slot + i, entry);
      for (; i < frequency; i++) slot[i] = frequency << 20 | i << 8 | t;
      slot += frequency;
    }
  }
}

/** Tokens from 128 on take raw bits, thirteen at most, each from its own lane's. */
static __attribute__((noinline)) vec widenTokens(Decoder *d, vec tokens) {
  u16 z[lanes] __attribute__((aligned(16)));
  wasm_v128_store(z, tokens);
  for (u32 wide = wideLanes(tokens); wide != 0; wide &= wide - 1) {
    u32 j = (u32)__builtin_ctz(wide), count = tokenRawBits(z[j]), at = d->rawAt[j];
    d->rawAt[j] = at + count;
    if (at + count > d->rawBits[j]) at = 0; // told at the end
    z[j] = (u16)(tokenBase(z[j]) + (readU32(d->raw[j] + (at >> 3)) >> (at & 7) & ((1u << count) - 1)));
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
  vec words = pickBytes(wasm_v128_load64_zero(*at), wasm_v128_load(refillShuffle[mask]));
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

/** Constants for the decoding of symbols, made once per block: see opaque(). */
typedef struct { vec slotMask, tableMask, base, startMask, least, byte; } SymbolConstants;

INLINE SymbolConstants symbolConstants(const Decoder *d) {
  u32 first = (d->model.contextBase << (oddsTotalBits + 2)); // where a table of half octave 0 would lie, before the first
  return (SymbolConstants){
    .slotMask = opaque(wasm_i32x4_splat((oddsTotal - 1) << 2)),
    .tableMask = opaque(wasm_i32x4_splat(-(i32)(1 << (oddsTotalBits + 2)))),
    .base = opaque(wasm_i32x4_splat((i32)((u32)d->slots - first))),
    .startMask = opaque(wasm_i32x4_splat(0xfff)),
    .least = opaque(wasm_i32x4_splat(1 << 15)),
    .byte = opaque(wasm_i32x4_splat(0xff)),
  };
}

/** The addresses of four states' slots, in the tables of their measures' half octaves (measures as floats). */
INLINE vec slotsAt(vec states, vec measures, const SymbolConstants *k) {
  vec table = wasm_v128_and(wasm_u32x4_shr(measures, contextBits - oddsTotalBits - 2), k->tableMask);
  return wasm_i32x4_add(wasm_i32x4_add(table, k->base), wasm_v128_and(wasm_i32x4_shl(states, 2), k->slotMask));
}

/** Decodes one symbol in each active lane and returns the errors. */
INLINE vec decodeLanes(Decoder *d, States *x, const SymbolConstants *k, vec measure, vec active, int partly) {
  vec low = loadSlots(slotsAt(x->low, floatsLow(measure), k));
  vec high = loadSlots(slotsAt(x->high, floatsHigh(measure), k));
  vec nextLow = advance(x->low, low, k->startMask), nextHigh = advance(x->high, high, k->startMask);
  if (partly) {
    nextLow = wasm_v128_bitselect(nextLow, x->low, wasm_i32x4_extend_low_i16x8(active));
    nextHigh = wasm_v128_bitselect(nextHigh, x->high, wasm_i32x4_extend_high_i16x8(active));
  }
  x->low = refillStates(nextLow, &x->at, k->least);
  x->high = refillStates(nextHigh, &x->at, k->least);
  vec tokens = wasm_i16x8_narrow_i32x4(wasm_v128_and(low, k->byte), wasm_v128_and(high, k->byte));
  if (partly) tokens = wasm_v128_and(tokens, active);
  if (wasm_v128_any_true(wasm_u16x8_shr(tokens, plainBits))) tokens = widenTokens(d, tokens);
  return unfold(tokens);
}

enum { guessMedian = 0, guessWeighed = 1, guessSeed = 2 };

/** Decodes `count` columns of the block that lies transposed in `d`. */
INLINE void decodeBlock(Decoder *d, States *states, i32 count, vec active, u32 guess, int partly) {
  SymbolConstants k = symbolConstants(d);
  const VectorModel *model = &d->vectors;
  // Each from two columns back, since only offsets upwards cost nothing.
  const vec *n = d->n + blockMargin - 2, *nn = d->nn + blockMargin - 2, *nnn = d->nnn + blockMargin;
  vec *own = d->own + blockMargin;
  vec w = d->w, ww = d->ww, www = d->www, errorW = d->errorW, errorWW = d->errorWW;
  vec half = guess == guessSeed ? wasm_i16x8_splat(0) : unrestAbove(n[2], n[1], nn[2]);
  States x = *states;
  for (const vec *end = own + count; own < end; n++, nn++, nnn++, own++) {
    OPAQUE_POINTER(n);
    OPAQUE_POINTER(nn);
    OPAQUE_POINTER(nnn);
    vec above = half, value;
    if (guess == guessSeed) above = aboveSeed(errorW, errorWW);
    else {
      half = unrestAbove(n[3], n[2], nn[3]);
      above = wasm_u16x8_add_sat(above, half);
    }
    vec error = decodeLanes(d, &x, &k, measureOf(above, errorW, errorWW, model), active, partly);
    if (guess == guessSeed) value = w;
    else if (guess == guessMedian) value = medianGuess(w, n[2], n[1]);
    else {
      Neighbours p = { .w = w, .ww = ww, .www = www, .nww = n[0], .nw = n[1], .n = n[2], .ne = n[3], .nnww = nn[0], .nnw = nn[1], .nn = nn[2], .nne = nn[3], .nnn = nnn[0] };
      value = weighedGuess(&p, above, model);
    }
    www = ww;
    ww = w;
    w = wasm_i16x8_add(value, error);
    errorWW = errorW;
    errorW = wasm_i16x8_abs(error);
    *own = w;
  }
  *states = x;
  d->w = w; d->ww = ww; d->www = www; d->errorW = errorW; d->errorWW = errorWW;
}

static __attribute__((noinline)) void decodeSeeds(Decoder *d, States *x, i32 count, vec active) { decodeBlock(d, x, count, active, guessSeed, 1); }
static __attribute__((noinline)) void decodeMedian(Decoder *d, States *x, i32 count) { decodeBlock(d, x, count, wasm_i16x8_splat(-1), guessMedian, 0); }
static __attribute__((noinline)) void decodeWeighed(Decoder *d, States *x, i32 count) { decodeBlock(d, x, count, wasm_i16x8_splat(-1), guessWeighed, 0); }
static __attribute__((noinline)) void decodePartly(Decoder *d, States *x, i32 count, vec active) {
  if (d->model.isMedian) decodeBlock(d, x, count, active, guessMedian, 1);
  else decodeBlock(d, x, count, active, guessWeighed, 1);
}

/** Eight rows' pixels, from `column` on, as vectors of a column each. */
static __attribute__((noinline)) void gatherColumns(vec *to, i16 *const *rows, i32 column, i32 count) {
  for (i32 c = column; c < column + count; c += 8, to += 8) {
    vec v[lanes];
    for (u32 j = 0; j < lanes; j++) v[j] = wasm_v128_load(rows[j] + c);
    transpose(v);
    for (u32 j = 0; j < lanes; j++) to[j] = v[j];
  }
}

/** Back to the rows of the lanes that are set in `mask`; up to seven columns behind the last are written as well. */
static __attribute__((noinline)) void scatterColumns(const vec *from, i16 *const *rows, u32 mask, i32 column, i32 count) {
  for (i32 c = column; c < column + count; c += 8, from += 8) {
    vec v[lanes];
    for (u32 j = 0; j < lanes; j++) v[j] = from[j];
    transpose(v);
    for (u32 j = 0; j < lanes; j++) if (mask >> j & 1) wasm_v128_store(rows[j] + c, v[j]);
  }
}

INLINE vec laneMask(u32 mask) {
  vec bits = wasm_i16x8_make(1, 2, 4, 8, 16, 32, 64, 128);
  return wasm_i16x8_eq(wasm_v128_and(wasm_i16x8_splat((i16)mask), bits), bits);
}

/** One segment of each lane in the round. */
static void decodeRound(Decoder *d, States *x, const Round *r, int seeds) {
  i32 longest = 0, shortest = 1 << 30;
  for (u32 j = 0; j < lanes; j++) {
    if (!(r->mask >> j & 1)) continue;
    longest = maxOf(longest, r->lengths[j]);
    shortest = minOf(shortest, r->lengths[j]);
  }
  for (i32 c = 0; c < longest;) {
    u32 here = 0;
    for (u32 j = 0; j < lanes; j++) here |= (u32)((r->mask >> j & 1) && r->lengths[j] > c) << j;
    i32 count = minOf(blockColumns, (c < shortest ? shortest : longest) - c);
    if (!seeds) {
      gatherColumns(d->n, r->n, c - blockMargin, count + 2 * blockMargin);
      gatherColumns(d->nn, r->nn, c - blockMargin, count + 2 * blockMargin);
      if (!d->model.isMedian) gatherColumns(d->nnn + blockMargin, r->nnn, c, count);
    }
    if (c == 0) {
      gatherColumns(d->own, r->own, -blockMargin, blockMargin);
      d->w = d->own[blockMargin - 1];
      d->ww = d->own[blockMargin - 2];
      d->www = d->own[blockMargin - 3];
      const vec *n = d->n + blockMargin, *nn = d->nn + blockMargin;
      vec before = seeds ? wasm_i16x8_splat(0) : errorsBefore(wasm_u16x8_add_sat(unrestAbove(n[0], n[-1], nn[0]), unrestAbove(n[1], n[0], nn[1])));
      d->errorW = d->errorWW = before;
    }
    if (seeds) decodeSeeds(d, x, count, laneMask(here));
    else if (here != 0xff) decodePartly(d, x, count, laneMask(here));
    else if (d->model.isMedian) decodeMedian(d, x, count);
    else decodeWeighed(d, x, count);
    scatterColumns(d->own + blockMargin, r->own, here, c, count);
    c += count;
  }
}

/** Goes on to the next segment; at a row's end the pads that follow from it are set. */
INLINE void stepOn(const Walk *walk, Cursor *at, i16 *row) {
  if (++at->segment < walk->segments) return;
  padRight(row, walk->columns);
  at->segment = 0;
  at->row += at->step;
  if (at->row != at->end) padBefore(row + at->step * walk->stride, row[0]);
}

/** Fills flat segments until the cursor stands on a lively one, or at its end. */
static int passFlats(const Walk *walk, u8 *map, i16 *plane, Cursor *at) {
  while (at->row != at->end) {
    i16 *row = plane + at->row * walk->stride, *from = row + at->segment * segmentColumns;
    u8 kind = mapRowAt(map, walk->segments, at->row)[at->segment];
    if (kind == segmentLively) return 1;
    // At a row's end some of its pads are written too, and set by the next line.
    fillFlat(from, segmentLength(walk, at->segment), kind, at->step * walk->stride, from[-1]);
    stepOn(walk, at, row);
  }
  return 0;
}

static void decodeRounds(Decoder *d, States *x, u8 *map, i16 *plane, const u8 *end, int seeds) {
  const Walk *walk = &d->walk;
  for (;;) {
    Round round = { .mask = 0 };
    for (u32 j = 0; j < lanes; j++) {
      Cursor *at = d->cursors + j;
      round.own[j] = round.n[j] = round.nn[j] = round.nnn[j] = plane;
      if (!passFlats(walk, map, plane, at)) continue;
      i16 *first = plane + at->segment * segmentColumns;
      RowsAbove above = rowsAbove(at->row, walk->seeds[j / 2], at->step);
      round.mask |= 1u << j;
      round.lengths[j] = segmentLength(walk, at->segment);
      round.own[j] = first + at->row * walk->stride;
      if (seeds) continue;
      round.n[j] = first + above.n * walk->stride;
      round.nn[j] = first + above.nn * walk->stride;
      round.nnn[j] = first + above.nnn * walk->stride;
    }
    if (round.mask == 0) return;
    decodeRound(d, x, &round, seeds);
    if (x->at > end) x->at = end; // zeros lie behind; the end will not match, and the caller sees it
    for (u32 j = 0; j < lanes; j++) {
      Cursor *at = d->cursors + j;
      if (round.mask >> j & 1) stepOn(walk, at, plane + at->row * walk->stride);
    }
  }
}

/** The seeds first, by one lane of each block; then the other rows. */
static void decodeRows(Decoder *d, States *x, u8 *map, i16 *plane, const u8 *end) {
  const Walk *walk = &d->walk;
  for (u32 j = 0; j < lanes; j++) {
    LaneRows rows = rowsOf(walk, j);
    int mine = rows.first != rows.seed && (j & 1) == 0;
    d->cursors[j] = (Cursor){ rows.seed, rows.seed + mine, 1, 0 };
    if (mine) padBefore(plane + rows.seed * walk->stride, d->model.low);
  }
  decodeRounds(d, x, map, plane, end, 1);
  for (u32 j = 0; j < lanes; j++) {
    LaneRows rows = rowsOf(walk, j);
    d->cursors[j] = (Cursor){ rows.first, rows.end, rows.step, 0 };
    if (rows.first == rows.seed) continue;
    const i16 *seed = plane + rows.seed * walk->stride;
    padBefore(plane + rows.seed * walk->stride, seed[0]);
    if (rows.first != rows.end) padBefore(plane + rows.first * walk->stride, seed[0]);
  }
  decodeRounds(d, x, map, plane, end, 0);
}

static void fillPlane(i16 *plane, const Walk *walk, i16 value) {
  for (i32 row = 0; row < walk->rows; row++)
    for (i32 c = 0; c < walk->columns; c += 8) wasm_v128_store(plane + row * walk->stride + c, wasm_i16x8_splat(value));
}

/** The lanes' raw bits: each lane's begin at a byte. Sizes of all but the last are told. */
static int getRaw(SideReader *r, SideOdds *o, Decoder *d, const u8 *at, const u8 *end) {
  for (u32 j = 0; j < lanes; j++) {
    u32 left = (u32)(end - at), size = j + 1 < lanes && end > at ? sideGetNumber(r, o->raw) : left;
    if (size > left) return 0;
    d->raw[j] = at;
    d->rawAt[j] = 0;
    d->rawBits[j] = size * 8;
    at += size;
  }
  return 1;
}

/**
 * Decodes a plane: `plane` is its first pixel, with padLeft pixels before it, strideOf(columns) from row to row. The input must be followed by 16
 * readable bytes. Returns the bytes used, or -1.
 */
EXPORT("bestDecode") i32 bestDecode(const u8 *in, u32 size, i16 *plane, i32 rows, i32 columns, u8 *work) {
  Decoder *d = (Decoder *)(((u32)work + 63) & ~63u);
  u8 *map = (u8 *)(d + 1);
  if (size < 12) return -1;
  u32 sizeSide = readU32(in), sizeStates = readU32(in + 4), sizeRaw = readU32(in + 8);
  u64 total = (u64)12 + sizeSide + sizeStates + sizeRaw;
  if (total > size) return -1;
  const u8 *side = in + 12, *states = side + sizeSide, *raw = states + sizeStates, *end = raw + sizeRaw;

  SideReader reader;
  sideReaderStart(&reader, side, states);
  startOdds(&d->odds);
  fillBytes(&d->model, 0, sizeof d->model);
  d->walk = (Walk){ .rows = rows, .columns = columns, .stride = strideOf(columns) };
  if (!getSparse(&reader, &d->sparse)) return -1;
  d->model.low = (i16)sideGetDirect(&reader, 16);
  d->model.high = (i16)sideGetDirect(&reader, 16);
  i32 lowRank = d->model.low + middleRank(&d->sparse);
  u32 isSparse = d->sparse.count > 0;
  if (isSparse && (lowRank < 0 || lowRank >= (i32)d->sparse.count)) return -1;
  i16 low = isSparse ? (i16)(d->sparse.values[lowRank] ^ 0x8000) : d->model.low;
  if (d->model.low == d->model.high) {
    if (sizeStates + sizeRaw > 0) return -1;
    fillPlane(plane, &d->walk, low);
    return (i32)total;
  }
  if (sizeStates < 32 || !getWalk(&reader, &d->odds, &d->walk, map) || !getModel(&reader, &d->odds, &d->model)) return -1;
  if (!getTables(&reader, &d->odds, &d->tables, d->model.contextCount) || !getRaw(&reader, &d->odds, d, raw, end)) return -1;
  fillSlots(d);
  vectorModel(&d->vectors, &d->model);
  States x = { wasm_v128_load(states), wasm_v128_load(states + 16), states + 32 };
  decodeRows(d, &x, map, plane, raw);
  if (x.at != raw) return -1;
  for (u32 j = 0; j < lanes; j++) if ((d->rawAt[j] + 7) / 8 != d->rawBits[j] / 8) return -1;
  if (isSparse && !turnFromRanks(&d->sparse, plane, &d->walk, map, low)) return -1;
  return (i32)total;
}
