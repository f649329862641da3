// Owns: how a plane is walked by the best codec, version 2, and what is drawn from a pixel's neighbours: texture, measure, class, guess.
// The part that encoder and decoder must do identically; docs/formats/pixel-best-2.md says the same in words.
//
// A plane's rows are parted into four blocks, each with a seed, a row within it that has no neighbour above and is coded first. From the seed on
// two lanes walk the rest of the block, one down and one up, each row from left to right; "above" means towards the seed. So no lane ever waits
// for another. A row is one segment, or, where flat segments are passed over, segments of 32 columns of which the last takes the rest.
// A round is one segment of each lane that has one left, a symbol a lane and column.
//
// Planes are kept with pads: stride = columns and at least 16 more, `padLeft` pixels before each row. What lies outside is in the pads, so
// that neighbours are plain loads. Left of a row: the first pixel of the row above it (of a seed itself); right: the row's last pixel.

#ifndef STELE_LANES_H
#define STELE_LANES_H

#include "base.h"

enum {
  lanes = 8,
  blocks = lanes / 2,
  padLeft = 8,
  segmentColumns = 32,
  regressors = 12,
  classesMax = 4,
  contextsMax = 24,
  weightBits = 12,
};

INLINE i32 strideOf(i32 columns) { return (columns + 16 + 7) & ~7; }
INLINE u32 planeBytes(i32 rows, i32 columns) { return ((u32)rows * (u32)strideOf(columns) + padLeft + 64) * 2; }
INLINE u32 segmentsOf(i32 columns, i32 flats) { return flats && columns >= 2 * segmentColumns ? (u32)columns / segmentColumns : 1; }

/** Where a plane's blocks begin, the last one being its end, and their seeds; and how its rows are cut. */
typedef struct {
  i32 rows, columns, stride;
  u32 flats, segments;          // whether flat ones are passed over; how many there are in a row
  i32 begins[blocks + 1], seeds[blocks];
} Walk;

INLINE i32 segmentLength(const Walk *w, u32 segment) {
  if (segment + 1 < w->segments) return segmentColumns;
  return w->columns - (i32)(w->segments - 1) * segmentColumns;
}

static void evenBlocks(Walk *w) {
  for (i32 k = 0; k <= blocks; k++) w->begins[k] = (i32)((u64)w->rows * (u32)k / blocks);
  for (i32 k = 0; k < blocks; k++) w->seeds[k] = (w->begins[k] + w->begins[k + 1]) / 2;
}

/** The rows of a lane: from the one next to its seed until `end`, which it does not reach. Even lanes go down. */
typedef struct { i32 seed, first, end, step; } LaneRows;
INLINE LaneRows rowsOf(const Walk *w, u32 lane) {
  u32 k = lane / 2;
  i32 seed = w->seeds[k];
  if (w->begins[k] == w->begins[k + 1]) return (LaneRows){ seed, seed, seed, 1 };
  return lane & 1 ? (LaneRows){ seed, seed - 1, w->begins[k] - 1, -1 } : (LaneRows){ seed, seed + 1, w->begins[k + 1], 1 };
}

/** The rows above a row of a lane, nearest first; near the seed the nearer ones stand for those that a lane does not know. */
typedef struct { i32 n, nn, nnn; } RowsAbove;
INLINE RowsAbove rowsAbove(i32 row, i32 seed, i32 step) {
  i32 far = (row - seed) * step, n = row - step, nn = far > 1 ? n - step : n;
  return (RowsAbove){ n, nn, far > 2 ? nn - step : nn };
}

INLINE void padRight(i16 *row, i32 columns) { wasm_v128_store(row + columns, wasm_i16x8_splat(row[columns - 1])); }
INLINE void padBefore(i16 *row, i16 value) { wasm_v128_store(row - padLeft, wasm_i16x8_splat(value)); }

typedef struct {
  u32 isMedian, classCount, contextBase, contextCount, precision;
  u16 classEdges[classesMax - 1];
  i16 weights[classesMax][regressors];
  i32 rounds[classesMax];
  i16 low, high;                // every pixel lies within
} Model;

/** The model as vectors: weights in pairs, the four classes of one pair in one vector, to be picked by swizzle. */
typedef struct {
  vec pairs[regressors / 2], round, low, high;
  vec sign, bytes, places;      // constants: 0x8000 in each lane; 0, 1, 2, 3 in bytes; -0x0404
  vec classEdges[classesMax - 1];
  vec bias, least, most;        // ... and what a measure is held to, so that contexts begin and end where they should
} VectorModel;

/** A context is made of a number's float bits: half octaves. `contextBits` is where they begin. */
enum { contextBits = 22, measureBias = 2, contextBaseLeast = 256, contextLast = 285 }; // of measureBias and of 65535
INLINE u32 floatBits(u32 v) { float f = (float)v; u32 bits; __builtin_memcpy(&bits, &f, 4); return bits; }
INLINE u32 halfOctave(u32 v) { return floatBits(v) >> contextBits; }
/** The least number of a half octave: 2^l or 1.5 * 2^l. */
INLINE u32 octaveBegin(u32 half) { u32 l = (half >> 1) - 127; return (2 + (half & 1)) << l >> 1; }

static void vectorModel(VectorModel *v, const Model *m) {
  for (u32 p = 0; p < regressors / 2; p++) {
    i16 pair[8];
    for (u32 k = 0; k < classesMax; k++) {
      pair[2 * k] = m->weights[k][2 * p];
      pair[2 * k + 1] = m->weights[k][2 * p + 1];
    }
    v->pairs[p] = wasm_v128_load(pair);
  }
  v->round = wasm_v128_load(m->rounds);
  v->low = wasm_i16x8_splat(m->low);
  v->high = wasm_i16x8_splat(m->high);
  v->sign = wasm_i16x8_splat((i16)0x8000);
  v->bytes = wasm_i32x4_splat(0x03020100);
  v->places = wasm_i16x8_splat(-0x0404);
  // Compared as signed numbers, so both sides are shifted by 0x8000; unused edges are never passed.
  for (u32 i = 0; i + 1 < classesMax; i++) v->classEdges[i] = wasm_i16x8_splat((i16)((i + 1 < m->classCount ? m->classEdges[i] : 0xffff) ^ 0x8000));
  v->bias = wasm_i16x8_splat(measureBias);
  v->least = wasm_i16x8_splat((i16)octaveBegin(m->contextBase));
  v->most = wasm_i16x8_splat((i16)octaveBegin(m->contextBase + m->contextCount - 1));
}

INLINE vec distance(vec a, vec b) { return wasm_i16x8_abs(wasm_i16x8_sub(a, b)); }

/** Half of the texture above: of column c and c + 1 together it is |N-NW| + |N-NE| + |N-NN| + |NE-NNE|. */
INLINE vec unrestAbove(vec n, vec nw, vec nn) { return wasm_u16x8_add_sat(distance(n, nw), distance(n, nn)); }

/** Texture above + 3 a(W) + 2 a(WW), and the bias; held to what contexts tell apart. */
INLINE vec measureOf(vec above, vec errorW, vec errorWW, const VectorModel *m) {
  vec both = wasm_u16x8_add_sat(errorW, errorWW);
  vec sum = wasm_u16x8_add_sat(wasm_u16x8_add_sat(both, both), errorW);
  sum = wasm_u16x8_add_sat(wasm_u16x8_add_sat(sum, above), m->bias);
  return wasm_u16x8_min(wasm_u16x8_max(sum, m->least), m->most);
}
/** What a seed's measure has instead of texture above: as much again as its errors give. */
INLINE vec aboveSeed(vec errorW, vec errorWW) {
  vec both = wasm_u16x8_add_sat(errorW, errorWW);
  return wasm_u16x8_add_sat(wasm_u16x8_add_sat(both, both), errorW);
}
/** The errors of W and WW where a segment begins. */
INLINE vec errorsBefore(vec above) { return wasm_u16x8_shr(above, 2); }

/** The median of west, north and west + north - northWest, in saturating arithmetic. */
INLINE vec medianGuess(vec west, vec north, vec northWest) {
  vec plane = wasm_i16x8_add_sat(west, wasm_i16x8_sub_sat(north, northWest));
  return wasm_i16x8_max(wasm_i16x8_min(plane, wasm_i16x8_max(west, north)), wasm_i16x8_min(west, north));
}

typedef struct { vec w, ww, www, nww, nw, n, ne, nnww, nnw, nn, nne, nnn; } Neighbours;

/** How many of the three class edges each lane of `shifted` (a texture ^ 0x8000) is above, negated. */
INLINE vec classesPassed(vec shifted, const vec *edges) {
  return opaque(wasm_i16x8_add(opaque(wasm_i16x8_add(wasm_i16x8_gt(shifted, edges[0]), wasm_i16x8_gt(shifted, edges[1]))), wasm_i16x8_gt(shifted, edges[2])));
}

INLINE vec textureOf(const Neighbours *p, vec above) {
  return wasm_u16x8_add_sat(above, wasm_u16x8_add_sat(distance(p->w, p->nw), distance(p->w, p->ww)));
}

/** The guess of each lane's pixel by the weights of its class. */
INLINE vec weighedGuess(const Neighbours *p, vec above, const VectorModel *model) {
  vec texture = textureOf(p, above);
  // Minus the class times -0x0404: its four bytes' place in each pair of weights, to which the bytes' own numbers are added.
  vec class = wasm_i16x8_mul(classesPassed(wasm_v128_xor(texture, model->sign), model->classEdges), model->places);
  vec pickLow = wasm_i8x16_add(wasm_i16x8_shuffle(class, class, 0, 0, 1, 1, 2, 2, 3, 3), model->bytes);
  vec pickHigh = wasm_i8x16_add(wasm_i16x8_shuffle(class, class, 4, 4, 5, 5, 6, 6, 7, 7), model->bytes);
  vec sumLow = pickBytes(model->round, pickLow), sumHigh = pickBytes(model->round, pickHigh);
#define LOW(index, a, b) wasm_i32x4_dot_i16x8(wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11), pickBytes(model->pairs[index], pickLow))
#define HIGH(index, a, b) wasm_i32x4_dot_i16x8(wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15), pickBytes(model->pairs[index], pickHigh))
#define WEIGH(i, a, b, j, c, d)                                                   \
  sumLow = opaque(wasm_i32x4_add(sumLow, wasm_i32x4_add(LOW(i, a, b), LOW(j, c, d))));    \
  sumHigh = opaque(wasm_i32x4_add(sumHigh, wasm_i32x4_add(HIGH(i, a, b), HIGH(j, c, d))));
  WEIGH(2, p->nww, p->nnww, 3, p->nnw, p->nn)
  WEIGH(4, p->nne, p->nnn, 1, p->n, p->ne)
  WEIGH(5, p->ww, p->www, 0, p->w, p->nw)
#undef LOW
#undef HIGH
#undef WEIGH
  vec guess = wasm_i16x8_narrow_i32x4(wasm_i32x4_shr(sumLow, weightBits), wasm_i32x4_shr(sumHigh, weightBits));
  return wasm_i16x8_min(wasm_i16x8_max(guess, model->low), model->high);
}

INLINE vec fold(vec error) { return wasm_v128_xor(wasm_i16x8_shl(error, 1), wasm_i16x8_shr(error, 15)); }
INLINE vec unfold(vec z) { return wasm_v128_xor(wasm_u16x8_shr(z, 1), wasm_i16x8_neg(wasm_v128_and(z, wasm_i16x8_splat(1)))); }

/** Eight vectors of eight: rows become columns. */
INLINE void transpose(vec *v) {
#define LOW(a, b) wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH(a, b) wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
  vec a0 = LOW(v[0], v[4]), a1 = HIGH(v[0], v[4]), a2 = LOW(v[1], v[5]), a3 = HIGH(v[1], v[5]);
  vec a4 = LOW(v[2], v[6]), a5 = HIGH(v[2], v[6]), a6 = LOW(v[3], v[7]), a7 = HIGH(v[3], v[7]);
  vec b0 = LOW(a0, a4), b1 = HIGH(a0, a4), b2 = LOW(a1, a5), b3 = HIGH(a1, a5);
  vec b4 = LOW(a2, a6), b5 = HIGH(a2, a6), b6 = LOW(a3, a7), b7 = HIGH(a3, a7);
  v[0] = LOW(b0, b4); v[1] = HIGH(b0, b4); v[2] = LOW(b1, b5); v[3] = HIGH(b1, b5);
  v[4] = LOW(b2, b6); v[5] = HIGH(b2, b6); v[6] = LOW(b3, b7); v[7] = HIGH(b3, b7);
#undef HIGH
#undef LOW
}

// The flat map: of each segment, whether it is coded (lively), equal to the one above it, or all equal to the pixel to its west.
enum { segmentLively = 0, segmentAbove = 1, segmentWest = 2 };

#endif
