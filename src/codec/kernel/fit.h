// Owns: choosing a plane's predictor. Encoder only: whatever it chooses travels in the side information, so a decoder
// needs none of this, and a better choice may be made later without a new format.
//
// A few thousand pixels are sampled on a grid. Their texture gives the class edges (quantiles); in each class the 16
// regressors are weighted by least squares, each sample counting 1 / (1 + texture), so that the sum leans towards the
// logarithm of the error, which is what bits cost. A class whose median guess codes better keeps the median alone.

#ifndef STELE_FIT_H
#define STELE_FIT_H

#include "wave.h"

enum { samplesMax = 8192, unknowns = regressors, median = regressors - 1 };

typedef struct {
  i16 x[samplesMax][regressors];   // as the weights: w n nw ne ww nn nne ne2 nnw nww w3 n3 nne2 nnw2 nw3 median
  i16 y[samplesMax];
  u16 texture[samplesMax];
  u32 count, bins[1024];
  float sums[classesMax][unknowns][unknowns], sumsY[classesMax][unknowns];
  double matrix[unknowns][unknowns + 1], solved[unknowns];
} Fit;

INLINE i32 satI16(i32 v) { return maxOf(-32768, minOf(32767, v)); }
INLINE u32 apart(i32 a, i32 b) { i16 d = (i16)(a - b); return (u16)(d < 0 ? -d : d); }

static void sample(Fit *f, const i16 *p, i32 columns, u32 index) {
  const i16 *u = p - columns, *uu = u - columns;
  i16 *x = f->x[index];
  i32 w = p[-1], n = u[0], nw = u[-1], ne = u[1];
  i32 plane = satI16(w + satI16(n - nw));
  i32 values[regressors] = { w, n, nw, ne, p[-2], uu[0], uu[1], u[2], uu[-1], u[-2], p[-3], uu[-columns], uu[2], uu[-2], u[-3],
                             maxOf(minOf(plane, maxOf(w, n)), minOf(w, n)) };
  for (u32 i = 0; i < regressors; i++) x[i] = (i16)values[i];
  f->y[index] = p[0];
  u32 t = apart(n, nw) + apart(n, ne) + apart(n, uu[0]) + apart(ne, uu[1]) + apart(w, nw) + apart(w, p[-2]);
  f->texture[index] = (u16)minOf((i32)t, 65535);
}

static __attribute__((noinline)) void takeSamples(Fit *f, const i16 *plane, i32 rows, i32 columns) {
  f->count = 0;
  if (rows < 4 || columns < 7) return;
  // About samplesMax pixels: every k-th pixel of every k-th row, with k the same both ways, starting places staggered.
  u32 area = (u32)(rows - 3) * (u32)(columns - 6), stepRow = 1, stepColumn = 1;
  u32 wanted = (u32)rows * (u32)columns >= 131072 ? samplesMax - 512 : samplesMax / 2; // half costs 0.2 % of size
  while (area / (stepRow * stepColumn) > wanted) { if (stepRow <= stepColumn) stepRow++; else stepColumn++; }
  for (u32 r = 3; r < (u32)rows; r += stepRow)
    for (u32 c = 3 + r * 7 % stepColumn; c + 3 < (u32)columns && f->count < samplesMax; c += stepColumn)
      sample(f, plane + r * (u32)columns + c, columns, f->count++);
}

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

/** Edges at the given fractions (of 256) of what the bins count; returns how many differ. */
static u32 quantileEdges(const u32 *bins, u32 total, const u16 *fractions, u32 count, u16 *edges) {
  u32 made = 0, bin = 0;
  u64 seen = bins[0];
  for (u32 i = 0; i < count; i++) {
    u64 goal = (u64)total * fractions[i] / 256;
    while (bin < 384 && seen < goal) seen += bins[++bin];
    u32 edge = binLast(bin);
    if (bin >= 384 || edge >= 65535) break;
    if (made == 0 || edge > edges[made - 1]) edges[made++] = (u16)edge;
  }
  return made;
}

INLINE u32 classOf(const Model *m, u32 texture) {
  u32 k = 0;
  for (u32 i = 0; i + 1 < m->classCount; i++) k += texture > m->classEdges[i];
  return k;
}

// Unknown i multiplies x[i] - north, save at index 1, where it is the constant.
INLINE void spreadSample(const i16 *x, float *u) {
  vec north = wasm_i32x4_splat(x[1]);
  for (u32 h = 0; h < regressors; h += 8) {
    vec v = wasm_v128_load(x + h);
    wasm_v128_store(u + h, wasm_f32x4_convert_i32x4(wasm_i32x4_sub(wasm_i32x4_extend_low_i16x8(v), north)));
    wasm_v128_store(u + h + 4, wasm_f32x4_convert_i32x4(wasm_i32x4_sub(wasm_i32x4_extend_high_i16x8(v), north)));
  }
  u[1] = 1;
}

/** Adds `batch` samples of class k to its normal equations (above the diagonal), so that each sum is fetched once for all of them. */
enum { batch = 4 };
static void addBatch(Fit *f, u32 k, const u16 *members) {
  float u[batch][unknowns] __attribute__((aligned(16))), weights[batch];
  for (u32 j = 0; j < batch; j++) {
    spreadSample(f->x[members[j]], u[j]);
    weights[j] = 1.0f / (1.0f + (float)f->texture[members[j]]);
  }
  for (u32 i = 0; i <= unknowns; i++) {
    vec by[batch];
    float *row = i < unknowns ? f->sums[k][i] : f->sumsY[k];
    for (u32 j = 0; j < batch; j++) {
      float other = i < unknowns ? u[j][i] : (float)(f->y[members[j]] - f->x[members[j]][1]);
      by[j] = wasm_f32x4_splat(weights[j] * other);
    }
    for (u32 part = i < unknowns ? i & ~3u : 0; part < unknowns; part += 4) {
      vec sum = wasm_v128_load(row + part);
      for (u32 j = 0; j < batch; j++) sum = wasm_f32x4_add(sum, wasm_f32x4_mul(by[j], wasm_v128_load(u[j] + part)));
      wasm_v128_store(row + part, sum);
    }
  }
}

static __attribute__((noinline)) void accumulate(Fit *f, const Model *m) {
  u16 waiting[classesMax][batch];
  u32 counts[classesMax] = { 0 };
  fillBytes(f->sums, 0, sizeof f->sums + sizeof f->sumsY);
  for (u32 s = 0; s < f->count; s++) {
    u32 k = classOf(m, f->texture[s]);
    waiting[k][counts[k]++] = (u16)s;
    if (counts[k] < batch) continue;
    addBatch(f, k, waiting[k]);
    counts[k] = 0; // what waits at the end, three samples at most, is left out
  }
}

/** Solves one class's normal equations by elimination on the symmetric, slightly ridged matrix. */
static __attribute__((noinline)) void solve(Fit *f, u32 k) {
  double(*a)[unknowns + 1] = f->matrix;
  for (u32 i = 0; i < unknowns; i++) {
    for (u32 j = 0; j < unknowns; j++) a[i][j] = i <= j ? f->sums[k][i][j] : f->sums[k][j][i];
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

static void medianAlone(Model *m, u32 k) {
  for (u32 i = 0; i < regressors; i++) m->weights[k][i] = 0;
  m->weights[k][median] = (i16)(1 << m->shift);
  m->rounds[k] = 1 << (m->shift - 1);
}

/** Rounds the solution to weights; where they would not fit, the median stands. */
static void quantise(Fit *f, Model *m, u32 k) {
  double one = 1 << m->shift, sum = 0;
  i32 left = 1 << m->shift;
  for (u32 i = 0; i < unknowns; i++) {
    if (i == 1) continue;
    if (!(f->solved[i] > -3.9 && f->solved[i] < 3.9)) { medianAlone(m, k); return; }
    i32 weight = roundTo(f->solved[i] * one);
    sum += weight < 0 ? -weight : weight;
    left -= weight;
    m->weights[k][i] = (i16)weight;
  }
  sum += left < 0 ? -left : left;
  // The largest sum of products must stay within 31 bits: 32768 * sum + round.
  if (sum > 65000 || left > 32767 || left < -32768 || !(f->solved[1] > -30000 && f->solved[1] < 30000)) { medianAlone(m, k); return; }
  m->weights[k][1] = (i16)left;
  m->rounds[k] = roundTo(f->solved[1] * one) + (1 << (m->shift - 1));
}

/** Twice the bits that a guess's error costs, roughly: its length, with the octave's first half told from its second. */
INLINE u32 halfBits(i32 error) {
  u32 z = (u32)(error < 0 ? -error : error) * 2 + 1, l = bitLength(z);
  return 2 * l + ((z >> 1 >> (l > 1 ? l - 2 : 0)) & (l > 1));
}

static __attribute__((noinline)) void keepBetter(Fit *f, Model *m) {
  u32 fitted[classesMax] = { 0 }, plain[classesMax] = { 0 };
  for (u32 s = 0; s < f->count; s += 4) { // a quarter of them decides well enough
    u32 k = classOf(m, f->texture[s]);
    vec a = wasm_i32x4_dot_i16x8(wasm_v128_load(f->x[s]), wasm_v128_load(m->weights[k]));
    vec b = wasm_i32x4_dot_i16x8(wasm_v128_load(f->x[s] + 8), wasm_v128_load(m->weights[k] + 8));
    a = wasm_i32x4_add(a, b);
    i32 sum = wasm_i32x4_extract_lane(a, 0) + wasm_i32x4_extract_lane(a, 1) + wasm_i32x4_extract_lane(a, 2) + wasm_i32x4_extract_lane(a, 3);
    i32 guess = maxOf(m->low, minOf(m->high, (sum + m->rounds[k]) >> m->shift));
    fitted[k] += halfBits(f->y[s] - guess);
    plain[k] += halfBits(f->y[s] - f->x[s][median]);
  }
  for (u32 k = 0; k < m->classCount; k++) if (plain[k] <= fitted[k]) medianAlone(m, k);
}

static void fitModel(Fit *f, Model *m, const i16 *plane, i32 rows, i32 columns) {
  static const u16 quarters[] = { 64, 128, 192 }, half[] = { 128 };
  u32 pixels = (u32)rows * (u32)columns;
  m->shift = pixels >= 32768 ? 12 : 10;
  m->classCount = 1;
  takeSamples(f, plane, rows, columns);
  fillBytes(f->bins, 0, sizeof f->bins);
  for (u32 s = 0; s < f->count; s++) f->bins[binOf(f->texture[s])]++;
  if (pixels >= 32768) m->classCount = 1 + quantileEdges(f->bins, f->count, quarters, 3, m->classEdges);
  else if (pixels >= 8192) m->classCount = 1 + quantileEdges(f->bins, f->count, half, 1, m->classEdges);
  if (f->count < 256) {
    m->classCount = 1;
    medianAlone(m, 0);
    return;
  }
  accumulate(f, m);
  for (u32 k = 0; k < m->classCount; k++) {
    solve(f, k);
    quantise(f, m, k);
  }
  keepBetter(f, m);
}

#endif
