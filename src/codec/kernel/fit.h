// Owns: choosing a plane's predictor and contexts. Encoder only: whatever it chooses travels in the side information, so a decoder
// needs none of this, and a better choice may be made later without a new format.
//
// A few thousand pixels are sampled on a grid, in runs of eight. Their textures give the class edges (quantiles) and the contexts; in each class the
// twelve regressors are weighted by least squares, each sample counting 1 / (1 + texture), so that the sum leans towards the logarithm of
// the error, which is what bits cost. The weights stand only if they do better than the median.

#ifndef STELE_FIT_H
#define STELE_FIT_H

#include "flats.h"

enum { runPixels = 8, runsMax = 1024, unknowns = regressors, binCount = 512, batch = 4 };

typedef struct { const i16 *at, *n, *nn, *nnn; } Run;
typedef struct { float x[unknowns], y, unused[3]; } Sample; // times the root of its weight

typedef struct {
  Run runs[runsMax];
  u32 runCount, bins[binCount], binsAbove[binCount];
  Sample waiting[classesMax][batch];
  u32 waitingCount[classesMax];
  float sums[classesMax][unknowns][unknowns], sumsY[classesMax][unknowns]; // above the diagonal, in fours
  double matrix[unknowns][unknowns + 1], solved[unknowns];
} Fit;

/** Textures in bins: exact to 64, then 32 to the octave. */
INLINE u32 binOf(u32 v) {
  if (v < 64) return v;
  u32 l = bitLength(v) - 1;
  return 64 + (l - 6) * 32 + ((v >> (l - 5)) & 31);
}
INLINE u32 binLast(u32 bin) { // the greatest value in a bin
  if (bin < 64) return bin;
  u32 l = 6 + (bin - 64) / 32;
  return ((33 + (bin - 64) % 32) << (l - 5)) - 1;
}

INLINE Neighbours neighboursAt(const i16 *p, const i16 *n, const i16 *nn, const i16 *nnn) {
  return (Neighbours){ .w = wasm_v128_load(p - 1), .ww = wasm_v128_load(p - 2), .www = wasm_v128_load(p - 3),
                       .nww = wasm_v128_load(n - 2), .nw = wasm_v128_load(n - 1), .n = wasm_v128_load(n), .ne = wasm_v128_load(n + 1),
                       .nnww = wasm_v128_load(nn - 2), .nnw = wasm_v128_load(nn - 1), .nn = wasm_v128_load(nn), .nne = wasm_v128_load(nn + 1), .nnn = wasm_v128_load(nnn) };
}
INLINE vec textureAbove(const Neighbours *p) {
  return wasm_u16x8_add_sat(unrestAbove(p->n, p->nw, p->nn), unrestAbove(p->ne, p->n, p->nne));
}

INLINE int isUpward(const Walk *w, i32 row) {
  u32 k = 0;
  while (row >= w->begins[k + 1]) k++;
  return row < w->seeds[k];
}

INLINE u32 segmentAt(const Walk *w, u32 column) { return (u32)minOf((i32)w->segments - 1, (i32)(column / segmentColumns)); }

/** Runs on a grid, with their textures, each seen as its lane will see it. There are pads on both sides, but three rows are needed above. */
static __attribute__((noinline)) void takeRuns(Fit *f, const i16 *plane, const Walk *w, u8 *map, u32 livelyPixels) {
  u32 across = (u32)w->columns / runPixels, down = w->rows > 6 ? (u32)w->rows - 6 : 0, all = across * down;
  u32 wanted = (u32)minOf(runsMax, maxOf(64, (i32)(livelyPixels / 128))), step = livelyPixels / runPixels / wanted + 1;
  f->runCount = 0;
  // A step that shares no factor with the row's length sees all columns.
  while (step > 1 && across > 0 && across % step == 0) step++;
  for (u32 k = step / 2; k < all && f->runCount < runsMax; k += step) {
    if (!isLively(map, w, (i32)(k / across) + 3, segmentAt(w, k % across * runPixels))) continue;
    i32 row = (i32)(k / across) + 3, toAbove = isUpward(w, row) ? -w->stride : w->stride;
    const i16 *at = plane + row * w->stride + (i32)(k % across) * runPixels;
    Run *run = f->runs + f->runCount++;
    *run = (Run){ at, at - toAbove, at - 2 * toAbove, at - 3 * toAbove };
    Neighbours p = neighboursAt(run->at, run->n, run->nn, run->nnn);
    vec above = textureAbove(&p), texture = textureOf(&p, above);
    u16 values[16];
    wasm_v128_store(values, texture);
    wasm_v128_store(values + 8, above);
    for (u32 j = 0; j < runPixels; j++) { f->bins[binOf(values[j])]++; f->binsAbove[binOf(values[j + 8])]++; }
  }
}

/** The least value that a part (of 256) of what the bins count does not exceed. */
static u32 quantile(const u32 *bins, u32 total, u32 part) {
  u64 goal = (u64)total * part / 256, seen = bins[0];
  u32 bin = 0;
  while (bin + 1 < binCount && seen < goal) seen += bins[++bin];
  return binLast(bin);
}

static void chooseClasses(const Fit *f, Model *m, u32 pixels) {
  u32 wanted = pixels >= 32768 ? 4 : pixels >= 8192 ? 2 : 1, made = 0;
  for (u32 k = 1; k < wanted; k++) {
    u32 edge = quantile(f->bins, f->runCount * runPixels, 256 * k / wanted);
    if (edge < 65535 && (made == 0 || edge > m->classEdges[made - 1])) m->classEdges[made++] = (u16)edge;
  }
  m->classCount = made + 1;
}

/** Half octaves from where the least measures are to where nearly all lie below; so many at most as there may be. A measure is about twice the texture above. */
static void chooseContexts(const Fit *f, Model *m) {
  u32 total = f->runCount * runPixels;
  u32 most = total == 0 ? 255 : quantile(f->binsAbove, total, 254), least = total == 0 ? 0 : quantile(f->binsAbove, total, 2);
  u32 top = (u32)minOf(contextLast, (i32)halfOctave((u32)minOf(65535, (i32)(2 * most + measureBias))));
  u32 base = halfOctave((u32)minOf(65535, (i32)(least + measureBias)));
  m->contextBase = base;
  m->contextCount = (u32)minOf(contextsMax, maxOf(1, (i32)top + 1 - (i32)base));
}

// Unknown i multiplies neighbour i less north, save at north's own place, where it is the constant.
enum { northPlace = 2 };

/** Adds a class's waiting samples to its normal equations, so that each sum is fetched once for all of them. */
static void addBatch(Fit *f, u32 k) {
  const Sample *samples = f->waiting[k];
  for (u32 i = 0; i <= unknowns; i++) {
    float *row = i < unknowns ? f->sums[k][i] : f->sumsY[k];
    vec by[batch];
    for (u32 j = 0; j < batch; j++) by[j] = wasm_v128_load32_splat(samples[j].x + i); // y lies behind the last x
    for (u32 part = i < unknowns ? i & ~3u : 0; part < unknowns; part += 4) {
      vec sum = wasm_v128_load(row + part);
      for (u32 j = 0; j < batch; j++) sum = wasm_f32x4_add(sum, wasm_f32x4_mul(by[j], wasm_v128_load(samples[j].x + part)));
      wasm_v128_store(row + part, sum);
    }
  }
  f->waitingCount[k] = 0;
}

/** 1 / sqrt(1 + texture) in each of four lanes. */
INLINE vec rootWeights(vec textures) {
  vec one = wasm_f32x4_splat(1);
  return wasm_f32x4_div(one, wasm_f32x4_sqrt(wasm_f32x4_add(textures, one)));
}

/** The sums of every `step`-th run. */
static __attribute__((noinline)) void accumulate(Fit *f, const Model *m, u32 step) {
  VectorModel edges;
  vectorModel(&edges, m);
  fillBytes(f->waitingCount, 0, sizeof f->waitingCount);
  fillBytes(f->sums, 0, sizeof f->sums + sizeof f->sumsY);
  for (u32 r = 0; r < f->runCount; r += step) {
    const Run *run = f->runs + r;
    Neighbours p = neighboursAt(run->at, run->n, run->nn, run->nnn);
    vec texture = textureOf(&p, textureAbove(&p)), zero = wasm_i16x8_splat(0);
    u16 classes[runPixels];
    float roots[runPixels];
    wasm_v128_store(classes, wasm_i16x8_neg(classesPassed(wasm_v128_xor(texture, edges.sign), edges.classEdges)));
    wasm_v128_store(roots, rootWeights(floatsLow(texture)));
    wasm_v128_store(roots + 4, rootWeights(floatsHigh(texture)));
    // Eight rows of what the samples are made of, then a sample in each: differences that pass 16 bits are held.
#define D(v) wasm_i16x8_sub_sat(v, p.n)
    vec first[8] = { D(p.w), D(p.nw), wasm_i16x8_splat(1), D(p.ne), D(p.nww), D(p.nnww), D(p.nnw), D(p.nn) };
    vec second[8] = { D(p.nne), D(p.nnn), D(p.ww), D(p.www), D(wasm_v128_load(run->at)), zero, zero, zero };
#undef D
    transpose(first);
    transpose(second);
    for (u32 j = 0; j < runPixels; j++) {
      u32 k = classes[j];
      float *x = f->waiting[k][f->waitingCount[k]].x;
      vec root = wasm_v128_load32_splat(roots + j);
      wasm_v128_store(x, wasm_f32x4_mul(root, wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(first[j]))));
      wasm_v128_store(x + 4, wasm_f32x4_mul(root, wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(first[j]))));
      wasm_v128_store(x + 8, wasm_f32x4_mul(root, wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(second[j]))));
      wasm_v128_store(x + 12, wasm_f32x4_mul(root, wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(second[j]))));
      if (++f->waitingCount[k] == batch) addBatch(f, k); // what waits at the end, three samples at most, is left out
    }
  }
}

/** Solves one class's normal equations by elimination on the symmetric, slightly ridged matrix. */
static __attribute__((noinline)) void solve(Fit *f, u32 k) {
  double(*a)[unknowns + 1] = f->matrix;
  for (u32 i = 0; i < unknowns; i++) {
    for (u32 j = i; j < unknowns; j++) a[i][j] = a[j][i] = f->sums[k][i][j];
    a[i][unknowns] = f->sumsY[k][i];
  }
  for (u32 i = 0; i < unknowns; i++) a[i][i] += a[i][i] * 1e-4 + 1e-3;
  for (u32 i = 0; i < unknowns; i++) {
    double pivot = a[i][i] > 1e-6 ? 1 / a[i][i] : 0;
    for (u32 j = i + 1; j < unknowns; j++) {
      double by = a[j][i] * pivot;
      for (u32 c = i; c <= unknowns; c++) a[j][c] -= by * a[i][c];
    }
  }
  for (i32 i = unknowns - 1; i >= 0; i--) {
    double v = a[i][unknowns];
    for (u32 j = (u32)i + 1; j < unknowns; j++) v -= a[i][j] * f->solved[j];
    f->solved[i] = a[i][i] > 1e-6 ? v / a[i][i] : 0;
  }
}

INLINE i32 roundTo(double v) { return (i32)(v < 0 ? v - 0.5 : v + 0.5); }

/** Rounds the solution to weights; false where they would not fit. */
static int quantise(const Fit *f, Model *m, u32 k) {
  double one = 1 << m->precision, sum = 0;
  u32 up = weightBits - m->precision;
  i32 left = 1 << m->precision;
  for (u32 i = 0; i < unknowns; i++) {
    if (i == northPlace) continue;
    if (!(f->solved[i] > -3.9 && f->solved[i] < 3.9)) return 0;
    i32 weight = roundTo(f->solved[i] * one);
    sum += weight < 0 ? -weight : weight;
    left -= weight;
    m->weights[k][i] = (i16)(weight << up);
  }
  sum += left < 0 ? -left : left;
  // The largest sum of products must stay within 31 bits: 32768 * sum + round.
  double constant = f->solved[northPlace];
  if (sum * (1 << up) > 65000 || left << up > 32767 || left << up < -32768 || !(constant > -3000 && constant < 3000)) return 0;
  m->weights[k][northPlace] = (i16)(left << up);
  m->rounds[k] = roundTo(constant * (1 << weightBits)) + (1 << (weightBits - 1));
  return 1;
}

/** About what errors cost, in sixteenths of bits: the float's exponent of 2|e| + 1 counts its bits, its mantissa parts of them. */
INLINE vec costOf(vec error) {
  vec size = wasm_i16x8_abs(error), one = wasm_i32x4_splat(1);
  vec low = wasm_f32x4_convert_i32x4(wasm_i32x4_add(wasm_i32x4_shl(wasm_u32x4_extend_low_u16x8(size), 1), one));
  vec high = wasm_f32x4_convert_i32x4(wasm_i32x4_add(wasm_i32x4_shl(wasm_u32x4_extend_high_u16x8(size), 1), one));
  vec zero = wasm_i32x4_splat(0x3f800000);
  return wasm_i32x4_add(wasm_u32x4_shr(wasm_i32x4_sub(low, zero), 19), wasm_u32x4_shr(wasm_i32x4_sub(high, zero), 19));
}
INLINE u32 sumQuads(vec v) { return (u32)wasm_i32x4_extract_lane(v, 0) + (u32)wasm_i32x4_extract_lane(v, 1) + (u32)wasm_i32x4_extract_lane(v, 2) + (u32)wasm_i32x4_extract_lane(v, 3); }

/** What the errors of every `step`-th run cost by the weights, and by the median. */
typedef struct { u32 weighed, median; } Costs;
static __attribute__((noinline)) Costs compareGuesses(const Fit *f, const Model *m, u32 step) {
  VectorModel model;
  vectorModel(&model, m);
  vec weighed = wasm_i32x4_splat(0), median = weighed;
  for (u32 r = 0; r < f->runCount; r += step) {
    const Run *run = f->runs + r;
    Neighbours p = neighboursAt(run->at, run->n, run->nn, run->nnn);
    vec own = wasm_v128_load(run->at);
    weighed = wasm_i32x4_add(weighed, costOf(wasm_i16x8_sub(own, weighedGuess(&p, textureAbove(&p), &model))));
    median = wasm_i32x4_add(median, costOf(wasm_i16x8_sub(own, medianGuess(p.w, p.n, p.nw))));
  }
  return (Costs){ sumQuads(weighed), sumQuads(median) };
}

/** Weights for each class from every `step`-th run; false where they would not fit. */
static int fitWeights(Fit *f, Model *m, u32 step) {
  accumulate(f, m, step);
  for (u32 k = 0; k < m->classCount; k++) {
    solve(f, k);
    if (!quantise(f, m, k)) return 0;
  }
  return 1;
}

/** A few runs tell for drawings that no weights will do. */
static int weightsMayWin(Fit *f, Model *m) {
  enum { step = 8 };
  m->classCount = 1;
  if (!fitWeights(f, m, step)) return 1;
  Costs costs = compareGuesses(f, m, step);
  return costs.weighed < costs.median + costs.median / 16;
}

static void fitModel(Fit *f, Model *m, const i16 *plane, const Walk *w, u8 *map, u32 livelyPixels) {
  fillBytes(f->bins, 0, sizeof f->bins + sizeof f->binsAbove);
  takeRuns(f, plane, w, map, livelyPixels);
  chooseContexts(f, m);
  m->isMedian = 1;
  m->precision = livelyPixels >= 65536 ? 12 : livelyPixels >= 16384 ? 10 : 8;
  if (f->runCount < 32 || livelyPixels < 2048) return;
  if (f->runCount >= 512 && !weightsMayWin(f, m)) return;
  chooseClasses(f, m, livelyPixels);
  if (!fitWeights(f, m, 1)) return;
  Costs costs = compareGuesses(f, m, 2);
  m->isMedian = costs.weighed + costs.weighed / 128 >= costs.median; // the median is faster, so a gain too small to see does not count
}

#endif
