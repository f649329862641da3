// Owns: how a plane of the best codec, version 1, is walked and predicted.
//
// Eight rows (a group) are worked on at once, one per lane of a vector. Each row runs three columns behind the row above:
// at step s, lane j stands on column s - 3j. So the neighbours to the north-east are known, and no lane waits
// for a symbol of another in the same step. History is kept per step, not per pixel; the pixel above a lane's
// pixel is the lane to the left, three steps ago, and one shuffle per row distance serves all columns.
//
// Pixels outside the plane: above it, p(r,c) = p(0, c+3r) (row 0 delayed); left of it, p(r,c) = p(r-1, c+1), and 0 in
// row 0; right of it, p(r,c) = p(r, columns-1). Errors outside the plane are 0, above it as the pixels do.

#ifndef STELE_WAVE_1_H
#define STELE_WAVE_1_H

#include "base.h"

enum {
  lanes = 8,
  lag = 3,                      // columns between neighbouring lanes
  lead = lag * lanes,           // steps between a lane and the same lane one group on
  stepFirst = -3,               // three virtual columns to the left
  windowBack = 16,              // steps of history kept when the window slides
  windowSteps = 48,
  regressors = 16,
  classesMax = 4,
  contextsMax = 16,
};

typedef struct {
  u32 classCount, contextCount, shift;
  u32 calm;                     // of 4096 flat steps, how many are calm: see best-decode-1.c
  u16 classEdges[classesMax - 1];
  u16 contextEdges[contextsMax - 1];
  i16 weights[classesMax][regressors];
  i32 rounds[classesMax];
  i16 low, high;                // every pixel lies within
} Model;

/** The model as vectors: weights in pairs, the four classes of one pair in one vector, to be picked by swizzle. */
typedef struct {
  vec pairs[regressors / 2], round, low, high;
  vec sign, bytes; // constants: 0x8000 in each lane; 0, 1, 2, 3 in the bytes of each
  vec classEdges[classesMax - 1], contextEdges[contextsMax - 1];
  u32 shift, contextCount;
} VectorModel;

// own: this lane's pixels; up1..up3: the pixels 1..3 lanes up, at the same step; the same for absolute errors.
typedef struct { vec own, up1, up2, up3, error, errorUp1, errorUp2; } Step;

// texture: the sum of differences between neighbours. measure: that and the neighbours' errors, weighted.
typedef struct { vec texture, measure; } Unrest;

INLINE vec signBits(void) { return wasm_i16x8_splat((i16)0x8000); }

/** Edges are compared as signed numbers, so both sides are shifted by 0x8000; unused edges are never reached. */
static vec edgeVector(u32 edge) { return wasm_i16x8_splat((i16)(edge ^ 0x8000)); }

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
  v->sign = signBits();
  v->bytes = wasm_i32x4_splat(0x03020100);
  v->shift = m->shift;
  v->contextCount = m->contextCount;
  for (u32 i = 0; i + 1 < classesMax; i++) v->classEdges[i] = edgeVector(i + 1 < m->classCount ? m->classEdges[i] : 0xffff);
  for (u32 i = 0; i + 1 < contextsMax; i++) v->contextEdges[i] = edgeVector(i + 1 < m->contextCount ? m->contextEdges[i] : 0xffff);
}

INLINE vec distance(vec a, vec b) { return wasm_i16x8_abs(wasm_i16x8_sub(a, b)); }

/** The median of west, north and west + north - northWest, in saturating arithmetic. */
INLINE vec medianGuess(vec west, vec north, vec northWest) {
  vec plane = wasm_i16x8_add_sat(west, wasm_i16x8_sub_sat(north, northWest));
  return wasm_i16x8_max(wasm_i16x8_min(plane, wasm_i16x8_max(west, north)), wasm_i16x8_min(west, north));
}

/** How many of the three class edges each lane of `shifted` (a texture ^ 0x8000) is above, negated. */
INLINE vec classesPassed(vec shifted, const vec *edges) {
  return opaque(wasm_i16x8_add(opaque(wasm_i16x8_add(wasm_i16x8_gt(shifted, edges[0]), wasm_i16x8_gt(shifted, edges[1]))), wasm_i16x8_gt(shifted, edges[2])));
}

/** The same for the fifteen context edges, summed as a tree, because the next symbol waits for it. */
INLINE vec contextsPassed(vec shifted, const vec *edges) {
#define PASSED(k) wasm_i16x8_gt(shifted, edges[k])
#define FOUR(k) opaque(wasm_i16x8_add(opaque(wasm_i16x8_add(PASSED(k), PASSED(k + 1))), wasm_i16x8_add(PASSED(k + 2), PASSED(k + 3))))
  vec last = opaque(wasm_i16x8_add(opaque(wasm_i16x8_add(PASSED(12), PASSED(13))), PASSED(14)));
  return opaque(wasm_i16x8_add(opaque(wasm_i16x8_add(FOUR(0), FOUR(4))), wasm_i16x8_add(FOUR(8), last)));
#undef FOUR
#undef PASSED
}

// Steps are reached from the oldest in the window, since the engine adds positive offsets to an address for nothing.
#define AGO(steps) past[windowBack - (steps)]

/** How restless the neighbours are (west and its error come in registers, being the newest). */
INLINE Unrest unrestAt(const Step *past, vec w, vec errorWest) {
  vec ne = AGO(2).up1, n = AGO(3).up1, nw = AGO(4).up1;
  vec texture = wasm_u16x8_add_sat(wasm_u16x8_add_sat(distance(n, nw), distance(n, ne)),
                                   wasm_u16x8_add_sat(distance(n, AGO(6).up2), distance(ne, AGO(5).up2)));
  texture = wasm_u16x8_add_sat(texture, wasm_u16x8_add_sat(distance(w, nw), distance(w, AGO(2).own)));
  vec e = wasm_u16x8_add_sat(errorWest, AGO(3).errorUp1);
  vec farther = wasm_u16x8_add_sat(wasm_u16x8_add_sat(AGO(2).errorUp1, AGO(4).errorUp1), wasm_u16x8_add_sat(AGO(2).error, AGO(6).errorUp2));
  vec measure = wasm_u16x8_add_sat(wasm_u16x8_add_sat(e, e), wasm_u16x8_add_sat(farther, texture));
  return (Unrest){ texture, measure };
}

/** The guess for each lane's pixel. */
INLINE vec guessAt(const Step *past, vec w, vec texture, const VectorModel *model, int firstGroup) {
  vec ww = AGO(2).own, w3 = AGO(3).own;
  vec ne2 = AGO(1).up1, ne = AGO(2).up1, n = AGO(3).up1, nw = AGO(4).up1, nww = AGO(5).up1, nw3 = AGO(6).up1;
  vec nne2 = AGO(4).up2, nne = AGO(5).up2, nn = AGO(6).up2, nnw = AGO(7).up2, nnw2 = AGO(8).up2;
  vec n3 = AGO(9).up3;
  vec median = medianGuess(w, n, nw);
  vec class = wasm_i16x8_neg(classesPassed(wasm_v128_xor(texture, model->sign), model->classEdges));
  vec pickLow = wasm_i8x16_add(wasm_i16x8_shl(wasm_i8x16_shuffle(class, class, 0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6), 2), model->bytes);
  vec pickHigh = wasm_i8x16_add(wasm_i16x8_shl(wasm_i8x16_shuffle(class, class, 8, 8, 8, 8, 10, 10, 10, 10, 12, 12, 12, 12, 14, 14, 14, 14), 2), model->bytes);
  vec sumLow = wasm_i8x16_swizzle(model->round, pickLow), sumHigh = wasm_i8x16_swizzle(model->round, pickHigh);
#define LOW(index, a, b) wasm_i32x4_dot_i16x8(wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11), wasm_i8x16_swizzle(model->pairs[index], pickLow))
#define HIGH(index, a, b) wasm_i32x4_dot_i16x8(wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15), wasm_i8x16_swizzle(model->pairs[index], pickHigh))
#define WEIGH(i, a, b, j, c, d)                                                   \
  sumLow = wasm_i32x4_add(sumLow, wasm_i32x4_add(LOW(i, a, b), LOW(j, c, d)));    \
  sumHigh = wasm_i32x4_add(sumHigh, wasm_i32x4_add(HIGH(i, a, b), HIGH(j, c, d)));
  WEIGH(3, nne, ne2, 4, nnw, nww)
  WEIGH(5, w3, n3, 6, nne2, nnw2)
  WEIGH(1, nw, ne, 2, ww, nn)
  WEIGH(0, w, n, 7, nw3, median)
#undef LOW
#undef HIGH
#undef WEIGH
  vec guess = wasm_i16x8_narrow_i32x4(wasm_i32x4_shr(sumLow, model->shift), wasm_i32x4_shr(sumHigh, model->shift));
  if (firstGroup) guess = wasm_v128_bitselect(median, guess, wasm_i16x8_make(-1, -1, -1, 0, 0, 0, 0, 0));
  return wasm_i16x8_min(wasm_i16x8_max(guess, model->low), model->high);
}

/** Files a finished step: `above`, `errorAbove` are the previous group's lanes at the same columns. */
INLINE void fileStep(Step *now, vec own, vec error, vec above, vec errorAbove) {
  now->own = own;
  now->up1 = wasm_i16x8_shuffle(above, own, 7, 8, 9, 10, 11, 12, 13, 14);
  now->up2 = wasm_i16x8_shuffle(above, own, 6, 7, 8, 9, 10, 11, 12, 13);
  now->up3 = wasm_i16x8_shuffle(above, own, 5, 6, 7, 8, 9, 10, 11, 12);
  now->error = error;
  now->errorUp1 = wasm_i16x8_shuffle(errorAbove, error, 7, 8, 9, 10, 11, 12, 13, 14);
  now->errorUp2 = wasm_i16x8_shuffle(errorAbove, error, 6, 7, 8, 9, 10, 11, 12, 13);
}

/** What the group's steps leave for the group below: one vector of pixels and one of errors per step. */
typedef struct { vec own, error; } Trail;

typedef struct {
  i32 columns, rowsHere, first;
  Trail *trail;                 // trail[s - stepFirst]
  Step window[windowBack + windowSteps];
} Wave;

INLINE i32 stepLast(i32 columns) { return columns + lag * (lanes - 1) + 1; } // lane 7 goes two columns past the edge
INLINE u32 trailSteps(i32 columns) { return (u32)(stepLast(columns) - stepFirst + 1 + lead); }
INLINE vec splatLane0(vec v) { return wasm_i16x8_shuffle(v, v, 0, 0, 0, 0, 0, 0, 0, 0); }

INLINE void fileAndTrail(Wave *wave, Step *now, i32 s, vec own, vec error) {
  Trail *here = wave->trail + (s - stepFirst);
  vec above = wave->first ? splatLane0(own) : here[lead].own;
  vec errorAbove = wave->first ? splatLane0(error) : here[lead].error;
  fileStep(now, own, error, above, errorAbove);
  here->own = own;
  here->error = error;
}

/** History before the first step of a group: nothing of its own, and the trail of the group above. */
static void startGroup(Wave *wave, i32 first, i32 rowsHere) {
  wave->first = first;
  wave->rowsHere = rowsHere;
  vec zero = wasm_i16x8_splat(0);
  for (i32 k = 0; k < windowBack; k++) {
    i32 s = stepFirst - windowBack + k;
    Trail *above = wave->trail + (s - stepFirst + lead);
    fileStep(wave->window + k, zero, zero, first ? zero : above->own, first ? zero : above->error);
  }
}

INLINE void slideWindow(Wave *wave) { copyBytes(wave->window, wave->window + windowSteps, windowBack * sizeof(Step)); }

/** The lanes that stand on a pixel at step s: from .. until - 1. */
typedef struct { i32 from, until; } LaneRange;
INLINE LaneRange lanesAt(i32 s, i32 columns, i32 rowsHere) {
  if (s < 0) return (LaneRange){ 0, 0 };
  i32 from = s < columns ? 0 : (s - columns) / lag + 1;
  return (LaneRange){ from, minOf(s / lag + 1, rowsHere) };
}

/**
 * The whole steps, at which all eight lanes stand on a pixel: from .. until - 1. There are none in the first group, whose first rows
 * are guessed otherwise. Up to `blocks` they come in blocks of eight, whose 64 pixels move to and from the plane as eight by eight.
 */
typedef struct { i32 from, until, blocks; } WholeSteps;
INLINE WholeSteps wholeSteps(const Wave *wave) {
  i32 from = lag * (lanes - 1), until = wave->rowsHere == lanes && !wave->first ? maxOf(from, wave->columns) : from;
  return (WholeSteps){ from, until, from + ((until - from) & ~7) };
}

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

/** Lane masks for an edge step: which lanes stand on a pixel, and which have not yet reached column 0. */
INLINE vec laneMask(i32 from, i32 until) {
  vec index = wasm_i16x8_make(0, 1, 2, 3, 4, 5, 6, 7);
  return wasm_v128_and(wasm_i16x8_ge(index, wasm_i16x8_splat((i16)from)), wasm_i16x8_lt(index, wasm_i16x8_splat((i16)until)));
}

/** At the edges: a lane left of the plane takes its north-east pixel, one right of it (or below) its west one. */
INLINE vec edgePixels(const Step *past, vec west, i32 s, vec pixels, vec active) {
  i32 begun = s < 0 ? 0 : minOf(s / lag + 1, lanes);
  vec outside = wasm_v128_bitselect(west, AGO(2).up1, laneMask(0, begun));
  return wasm_v128_bitselect(pixels, outside, active);
}

#endif
