// Owns: what both directions of JPEG-LS share (ITU-T T.87): parameters, contexts, prediction, the coding of errors as far as it does not read or write.
//
// One scan at a time. Lines have one place before and one after their samples; what stands there follows from the lines above (T.87, A.2.1): before the first
// sample stands the first of the line above, after the last of the line above its own repetition.

#ifndef STELE_JLS_H
#define STELE_JLS_H

#include "base.h"

enum { columnsMax = 65535, componentsMax = 4, contextCount = 365, linePlaces = columnsMax + 3, gradientsMax = 65535 };

typedef struct {
  u32 columns;
  u32 rows;
  u32 bits;          // precision of a sample
  u32 apart;         // components of the frame: samples of one component lie so far from each other
  u32 count;         // components of this scan
  u32 component;     // the first of them
  u32 interleave;    // 0 one component, 1 by line, 2 by sample
  u32 near;
  u32 most;          // MAXVAL
  u32 threshold1;
  u32 threshold2;
  u32 threshold3;
  u32 reset;
} JlsScan;

typedef struct {
  i32 a;
  i32 b;
  i32 c;
  i32 n;
} Context;

typedef struct {
  i32 a;
  i32 n;
  i32 negatives;
} RunContext;

extern JlsScan scan;
extern Context contexts[contextCount];
extern RunContext runContexts[2];
/** Quantized gradients, from -gradientsMax to gradientsMax. */
extern i8 gradientTable[2 * gradientsMax + 1];
extern const u8 runOrders[32];
extern u16 lines[componentsMax][2][linePlaces];
extern i32 range;
extern u32 rangeBits; // qbpp
extern u32 codeLimit; // LIMIT

/** Everything of a new scan that follows from its parameters. */
void beginScan(void);

INLINE i32 predicted(i32 left, i32 above, i32 corner) {
  i32 least = minOf(left, above);
  i32 most = maxOf(left, above);
  return corner >= most ? least : corner <= least ? most : left + above - corner;
}

/** The three gradients as one number; negative where the first that is not zero is. 0: the run mode. */
INLINE i32 contextOf(i32 left, i32 above, i32 corner, i32 right) {
  const i8 *q = gradientTable + gradientsMax;
  return (q[right - above] * 9 + q[above - corner]) * 9 + q[corner - left];
}

INLINE u32 orderOf(i32 n, i32 a) {
  u32 k = 0;
  while (n << k < a && k < 24) k++;
  return k;
}

/** What the context learns from an error (T.87, A.6). */
INLINE void learn(Context *q, i32 error, i32 near) {
  q->a += error < 0 ? -error : error;
  q->b += error * (2 * near + 1);
  if (q->n == (i32)scan.reset) {
    q->a >>= 1;
    q->b >>= 1;
    q->n >>= 1;
  }
  q->n++;
  if (q->b + q->n <= 0) {
    q->b = maxOf(q->b + q->n, 1 - q->n);
    if (q->c > -128) q->c--;
  } else if (q->b > 0) {
    q->b = minOf(q->b - q->n, 0);
    if (q->c < 127) q->c++;
  }
}

INLINE void learnRun(RunContext *q, i32 error, i32 mapped, i32 kind) {
  if (error < 0) q->negatives++;
  q->a += (mapped + 1 - kind) >> 1;
  if (q->n == (i32)scan.reset) {
    q->a >>= 1;
    q->n >>= 1;
    q->negatives >>= 1;
  }
  q->n++;
}

INLINE u32 runOrderOf(const RunContext *q, i32 kind) { return orderOf(q->n, q->a + (kind ? q->n >> 1 : 0)); }

#endif
