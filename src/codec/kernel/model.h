// Owns: tokens, the frequency tables of each context, and how all that a plane's decoder must know lies in the side information
// (best codec, version 2).
//
// An error e (16 bit, wrapping) is folded to z = 2e or -2e-1. Token t = z below 128; above, with l = floor(log2 z),
// t = 128 + 4(l-7) + the two bits below the leading one, and the l-2 bits under those follow raw. 164 tokens in all.
// The frequencies of a context sum to 2048. They are told token by token; or, in a coarse table, the tokens from 16 to 31 in fours, to 63 in eights and to
// 127 in sixteens, each of which has the same. What is left of 2048 goes to one token. A context may share the table of the one before it.

#ifndef STELE_MODEL_H
#define STELE_MODEL_H

#include "lanes.h"
#include "side-coder.h"

enum { plainBits = 7, tokensPlain = 1 << plainBits, tokenCount = tokensPlain + 4 * (16 - plainBits), oddsTotalBits = 11, oddsTotal = 1 << oddsTotalBits };

/** How many tokens, from this one on, are told together. */
INLINE u32 groupSize(u32 token, u32 isCoarse) { return !isCoarse || token < 16 || token >= tokensPlain ? 1 : token < 32 ? 4 : token < 64 ? 8 : 16; }

/** told: each token's, as its group's is told. of: the same with what is left. top: the token that gets it. last: the greatest token told. */
typedef struct { u16 told[tokenCount], of[tokenCount]; u32 isCoarse, top, last; } Frequencies;

/** One table for each run of contexts that share it: tableOf[context] is ascending. */
typedef struct { u32 tableCount, mantissaBits; u8 tableOf[contextsMax]; Frequencies tables[contextsMax]; } Tables;

/** A float's exponent and the two bits behind it count quarter octaves. */
INLINE vec tokensOf(vec z) {
  vec quarters = wasm_i16x8_narrow_i32x4(wasm_u32x4_shr(floatsLow(z), 21), wasm_u32x4_shr(floatsHigh(z), 21));
  vec wide = wasm_i16x8_sub(quarters, wasm_i16x8_splat((127 + plainBits) * 4 - tokensPlain));
  return wasm_v128_bitselect(z, wide, wasm_i16x8_eq(wasm_u16x8_shr(z, plainBits), wasm_i16x8_splat(0)));
}
INLINE u32 tokenRawBits(u32 token) { return token < tokensPlain ? 0 : plainBits - 2 + ((token - tokensPlain) >> 2); }
INLINE u32 tokenBase(u32 token) {
  return token < tokensPlain ? token : (4 + ((token - tokensPlain) & 3)) << tokenRawBits(token);
}

/** Which lanes hold 128 or more. */
INLINE u32 wideLanes(vec z) { return 0xff & ~wasm_i16x8_bitmask(wasm_i16x8_eq(wasm_u16x8_shr(z, plainBits), wasm_i16x8_splat(0))); }

enum { lengthMax = oddsTotalBits + 1, lengthKinds = 3 };

typedef struct {
  Odds weight[32], round[32], edge[32], raw[32], block[32], share[1];
  Odds flat[8], west[9], copied[2];
  Odds same[lengthKinds][lengthMax + 1], less[lengthKinds][lengthMax + 1], more[lengthKinds][2][lengthMax + 1];
} SideOdds;

static void startOdds(SideOdds *o) {
  Odds *flat = (Odds *)o;
  for (u32 i = 0; i < sizeof *o / sizeof(Odds); i++) flat[i] = oddsStart;
}

/** The length (in bits) expected of a token's frequency: from the two tokens before it and the same token in the table before. */
typedef struct { u32 expected, kind; } Expected;
INLINE Expected expectLength(const u8 *row, const u8 *rowBefore, u32 token) {
  u32 near = token >= 2 ? row[token - 2] : token == 1 ? row[0] : 6;
  u32 nearer = token >= 1 ? row[token - 1] : 6;
  if (rowBefore == 0) return (Expected){ (near + nearer + 1) >> 1, 0 };
  return (Expected){ (near + nearer + 2 * rowBefore[token] + 2) >> 2, rowBefore[token] == 0 ? 1 : 2 };
}

/** Rounds a frequency down to its leading bit and `bits` more. */
INLINE u32 coarse(u32 frequency, u32 bits) {
  u32 length = bitLength(frequency);
  return length <= bits + 1 ? frequency : frequency >> (length - 1 - bits) << (length - 1 - bits);
}

// A length: is it the expected one; if not, is it less; then how far off, less one, in unary. What cannot be is not asked.
static void putLength(SideWriter *w, SideOdds *o, Expected x, u32 length) {
  sideBit(w, &o->same[x.kind][x.expected], length != x.expected);
  if (length == x.expected) return;
  u32 less = length < x.expected;
  if (x.expected > 0 && x.expected < lengthMax) sideBit(w, &o->less[x.kind][x.expected], !less);
  u32 far = less ? x.expected - length : length - x.expected, most = less ? x.expected : lengthMax - x.expected;
  Odds *odds = o->more[x.kind][less];
  for (u32 i = 1; i < far; i++) sideBit(w, odds + i, 1);
  if (far < most) sideBit(w, odds + far, 0);
}
static u32 getLength(SideReader *r, SideOdds *o, Expected x) {
  if (!sideGetBit(r, &o->same[x.kind][x.expected])) return x.expected;
  u32 less = x.expected == lengthMax;
  if (x.expected > 0 && x.expected < lengthMax) less = !sideGetBit(r, &o->less[x.kind][x.expected]);
  u32 far = 1, most = less ? x.expected : lengthMax - x.expected;
  Odds *odds = o->more[x.kind][less];
  while (far < most && sideGetBit(r, odds + far)) far++;
  return less ? x.expected - far : x.expected + far;
}

static void putTables(SideWriter *w, SideOdds *o, const Tables *t, u32 contextCount) {
  u8 rows[2][tokenCount];
  for (u32 c = 1; c < contextCount; c++) sideBit(w, o->share, t->tableOf[c] == t->tableOf[c - 1]);
  sideDirect(w, t->mantissaBits, 2);
  for (u32 k = 0; k < t->tableCount; k++) {
    const Frequencies *f = t->tables + k;
    u8 *row = rows[k & 1];
    const u8 *before = k > 0 ? rows[(k - 1) & 1] : 0;
    fillBytes(row, 0, tokenCount);
    sideDirect(w, f->isCoarse, 1);
    sideDirect(w, f->last, 8);
    sideDirect(w, f->top, 8);
    for (u32 token = 0, size; token <= f->last; token += size) {
      u32 length = bitLength(f->told[token]);
      size = groupSize(token, f->isCoarse);
      putLength(w, o, expectLength(row, before, token), length);
      fillBytes(row + token, (u8)length, size);
      u32 extra = length > 0 ? (u32)minOf((i32)length - 1, (i32)t->mantissaBits) : 0;
      sideDirect(w, f->told[token] >> (length > 0 ? length - 1 - extra : 0), extra);
    }
  }
}

/** Adds what is left of 2048 to the top. False where the frequencies told pass that. */
static int completeTable(Frequencies *f) {
  u32 left = oddsTotal;
  for (u32 token = 0; token < tokenCount; token++) {
    if (f->told[token] > left) return 0;
    f->of[token] = f->told[token];
    left -= f->told[token];
  }
  f->of[f->top] = (u16)(f->of[f->top] + left);
  return 1;
}

/** False where frequencies pass 2048. */
static int getTables(SideReader *r, SideOdds *o, Tables *t, u32 contextCount) {
  u8 rows[2][tokenCount];
  t->tableCount = 1;
  t->tableOf[0] = 0;
  for (u32 c = 1; c < contextCount; c++) {
    if (!sideGetBit(r, o->share)) t->tableCount++;
    t->tableOf[c] = (u8)(t->tableCount - 1);
  }
  t->mantissaBits = sideGetDirect(r, 2);
  for (u32 k = 0; k < t->tableCount; k++) {
    Frequencies *f = t->tables + k;
    u8 *row = rows[k & 1];
    const u8 *before = k > 0 ? rows[(k - 1) & 1] : 0;
    fillBytes(row, 0, tokenCount);
    fillBytes(f->told, 0, sizeof f->told);
    f->isCoarse = sideGetDirect(r, 1);
    f->last = sideGetDirect(r, 8);
    f->top = sideGetDirect(r, 8);
    if (f->last >= tokenCount || f->top >= tokenCount) return 0;
    for (u32 token = 0, size; token <= f->last; token += size) {
      u32 length = getLength(r, o, expectLength(row, before, token));
      size = groupSize(token, f->isCoarse);
      fillBytes(row + token, (u8)length, size);
      u32 extra = length > 0 ? (u32)minOf((i32)length - 1, (i32)t->mantissaBits) : 0;
      u32 value = length > 0 ? ((1u << extra) | sideGetDirect(r, extra)) << (length - 1 - extra) : 0;
      for (u32 j = 0; j < size; j++) f->told[token + j] = (u16)value;
    }
    if (!completeTable(f)) return 0;
  }
  return 1;
}

static void putModel(SideWriter *w, SideOdds *o, const Model *m) {
  sideDirect(w, m->isMedian, 1);
  sideDirect(w, m->contextBase - contextBaseLeast, 5);
  sideDirect(w, m->contextCount - 1, 5);
  if (m->isMedian) return;
  sideDirect(w, m->classCount - 1, 2);
  sideDirect(w, m->precision, 4);
  for (u32 i = 0, last = 0; i + 1 < m->classCount; last = m->classEdges[i++]) sideNumber(w, o->edge, m->classEdges[i] - last);
  for (u32 k = 0; k < m->classCount; k++) {
    for (u32 i = 0; i < regressors; i++) sideSigned(w, o->weight, m->weights[k][i] >> (weightBits - m->precision));
    sideSigned(w, o->round, m->rounds[k]);
  }
}

static int getModel(SideReader *r, SideOdds *o, Model *m) {
  m->isMedian = sideGetDirect(r, 1);
  m->contextBase = contextBaseLeast + sideGetDirect(r, 5);
  m->contextCount = sideGetDirect(r, 5) + 1;
  if (m->contextCount > contextsMax || m->contextBase + m->contextCount - 1 > contextLast) return 0;
  if (m->isMedian) return 1;
  m->classCount = sideGetDirect(r, 2) + 1;
  m->precision = sideGetDirect(r, 4);
  if (m->precision > weightBits) return 0;
  for (u32 i = 0, last = 0; i + 1 < m->classCount; last = m->classEdges[i++]) m->classEdges[i] = (u16)(last + sideGetNumber(r, o->edge));
  for (u32 k = 0; k < m->classCount; k++) {
    for (u32 i = 0; i < regressors; i++) m->weights[k][i] = (i16)((u32)sideGetSigned(r, o->weight) << (weightBits - m->precision));
    m->rounds[k] = sideGetSigned(r, o->round);
  }
  return 1;
}

// The map of segments: rows of as many as there are, and one lively one behind each; and a row of lively ones before the first.
INLINE u32 mapStride(u32 segments) { return segments + 1; }
INLINE u32 mapBytes(u32 rows, u32 segments) { return (rows + 1) * mapStride(segments); }
INLINE u8 *mapRowAt(u8 *map, u32 segments, i32 row) { return map + (u32)(row + 1) * mapStride(segments); }

/** Which odds tell whether a segment is flat: those of the segments to its west, north and north-east. */
INLINE u32 flatOdds(u32 west, const u8 *north) { return (u32)(west != segmentLively) | (u32)(north[0] != segmentLively) << 1 | (u32)(north[1] != segmentLively) << 2; }
INLINE u32 westOdds(u32 west, const u8 *north) { return west * 3 + north[0]; }

INLINE int isSeed(const Walk *w, i32 row) {
  for (i32 k = 0; k < blocks; k++) if (w->seeds[k] == row && w->begins[k] < w->begins[k + 1]) return 1;
  return 0;
}

static __attribute__((noinline)) void putWalk(SideWriter *writer, SideOdds *o, const Walk *walk, u8 *map) {
  u32 flats = walk->flats, segments = walk->segments, copied = 0;
  sideDirect(writer, flats, 1);
  if (!flats) return;
  SideWriter w = *writer; // in registers
  for (u32 k = 0; k < blocks; k++) {
    sideNumber(&w, o->block, (u32)(walk->seeds[k] - walk->begins[k]));
    sideNumber(&w, o->block, (u32)(walk->begins[k + 1] - walk->seeds[k]));
  }
  for (i32 row = 0; row < walk->rows; row++) {
    const u8 *kinds = mapRowAt(map, segments, row), *north = kinds - mapStride(segments);
    int seed = isSeed(walk, row);
    if (!seed) {
      u32 same = 0;
      while (same < segments && kinds[same] == segmentAbove) same++;
      sideBit(&w, o->copied + copied, same == segments);
      copied = same == segments;
      if (copied) continue;
    }
    for (u32 s = 0, west = segmentLively; s < segments; west = kinds[s++]) {
      sideBit(&w, o->flat + flatOdds(west, north + s), kinds[s] != segmentLively);
      if (kinds[s] != segmentLively && !seed) sideBit(&w, o->west + westOdds(west, north + s), kinds[s] == segmentWest);
    }
  }
  *writer = w;
}

/** Reads how the plane is walked; the map is filled with lively ones where nothing is flat. False where blocks do not fill the plane. */
static __attribute__((noinline)) int getWalk(SideReader *reader, SideOdds *o, Walk *walk, u8 *map) {
  u32 flats = walk->flats = sideGetDirect(reader, 1), segments = walk->segments = segmentsOf(walk->columns, (int)flats), copied = 0;
  fillBytes(map, segmentLively, mapBytes((u32)walk->rows, segments));
  evenBlocks(walk);
  if (!flats) return 1;
  for (u32 k = 0; k < blocks; k++) {
    u32 up = sideGetNumber(reader, o->block), down = sideGetNumber(reader, o->block), left = (u32)(walk->rows - walk->begins[k]);
    if (up > left || down > left - up || (up > 0 && down == 0)) return 0;
    walk->seeds[k] = walk->begins[k] + (i32)up;
    walk->begins[k + 1] = walk->seeds[k] + (i32)down;
  }
  if (walk->begins[blocks] != walk->rows) return 0;
  SideReader r = *reader; // in registers
  for (i32 row = 0; row < walk->rows; row++) {
    u8 *kinds = mapRowAt(map, segments, row);
    const u8 *north = kinds - mapStride(segments);
    int seed = isSeed(walk, row);
    if (!seed) {
      copied = sideGetBit(&r, o->copied + copied);
      if (copied) {
        fillBytes(kinds, segmentAbove, segments);
        continue;
      }
    }
    for (u32 s = 0, west = segmentLively; s < segments; west = kinds[s++]) {
      if (!sideGetBit(&r, o->flat + flatOdds(west, north + s))) continue;
      kinds[s] = seed || sideGetBit(&r, o->west + westOdds(west, north + s)) ? segmentWest : segmentAbove;
    }
  }
  *reader = r;
  return 1;
}

#endif
