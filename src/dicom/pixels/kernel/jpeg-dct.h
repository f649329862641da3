// Owns: the two transforms of DCT-based JPEG on one block, in whole numbers: the factorization of Loeffler, Ligtenberg and Moschytz (ICASSP 1989) with
// 13-bit constants, columns first, rounded once after each pass. Decoders in hospitals use the same arithmetic, so pixels agree with theirs bit for bit.

#ifndef STELE_JPEG_DCT_H
#define STELE_JPEG_DCT_H

#include "base.h"

enum { constantBits = 13 };
#define FIXED(x) ((i32)((x) * (1 << constantBits) + 0.5))

#define c0298 FIXED(0.298631336)
#define c0390 FIXED(0.390180644)
#define c0541 FIXED(0.541196100)
#define c0765 FIXED(0.765366865)
#define c0899 FIXED(0.899976223)
#define c1175 FIXED(1.175875602)
#define c1501 FIXED(1.501321110)
#define c1847 FIXED(1.847759065)
#define c1961 FIXED(1.961570560)
#define c2053 FIXED(2.053119869)
#define c2562 FIXED(2.562915447)
#define c3072 FIXED(3.072711026)

INLINE i32x4 lanes(i32 v) { return (i32x4){v, v, v, v}; }
INLINE i32x4 rounded(i32x4 v, i32 bits) { return (v + lanes(1 << (bits - 1))) >> bits; }

INLINE void transpose4(i32x4 *a, i32x4 *b, i32x4 *c, i32x4 *d) {
  i32x4 p = __builtin_shufflevector(*a, *b, 0, 4, 1, 5);
  i32x4 q = __builtin_shufflevector(*a, *b, 2, 6, 3, 7);
  i32x4 r = __builtin_shufflevector(*c, *d, 0, 4, 1, 5);
  i32x4 s = __builtin_shufflevector(*c, *d, 2, 6, 3, 7);
  *a = __builtin_shufflevector(p, r, 0, 1, 4, 5);
  *b = __builtin_shufflevector(p, r, 2, 3, 6, 7);
  *c = __builtin_shufflevector(q, s, 0, 1, 4, 5);
  *d = __builtin_shufflevector(q, s, 2, 3, 6, 7);
}

/** Rows become columns: half[h][k] holds lanes 4h to 4h+3 of row k. */
INLINE void transpose8(i32x4 half[2][8]) {
  for (u32 h = 0; h < 2; h++) {
    transpose4(&half[h][0], &half[h][1], &half[h][2], &half[h][3]);
    transpose4(&half[h][4], &half[h][5], &half[h][6], &half[h][7]);
  }
  for (u32 k = 0; k < 4; k++) {
    i32x4 swapped = half[0][4 + k];
    half[0][4 + k] = half[1][k];
    half[1][k] = swapped;
  }
}

/** Four inverse transforms side by side, each sum rounded by `bits`. */
INLINE void inverseLanes(i32x4 v[8], i32 bits) {
  i32x4 z1 = (v[2] + v[6]) * c0541;
  i32x4 even2 = z1 - v[6] * c1847;
  i32x4 even3 = z1 + v[2] * c0765;
  i32x4 even0 = (v[0] + v[4]) << constantBits;
  i32x4 even1 = (v[0] - v[4]) << constantBits;
  i32x4 e0 = even0 + even3;
  i32x4 e3 = even0 - even3;
  i32x4 e1 = even1 + even2;
  i32x4 e2 = even1 - even2;

  i32x4 a = v[7];
  i32x4 b = v[5];
  i32x4 c = v[3];
  i32x4 d = v[1];
  i32x4 s1 = (a + d) * -c0899;
  i32x4 s2 = (b + c) * -c2562;
  i32x4 s3 = a + c;
  i32x4 s4 = b + d;
  i32x4 s5 = (s3 + s4) * c1175;
  s3 = s5 - s3 * c1961;
  s4 = s5 - s4 * c0390;
  a = a * c0298 + s1 + s3;
  b = b * c2053 + s2 + s4;
  c = c * c3072 + s2 + s3;
  d = d * c1501 + s1 + s4;

  v[0] = rounded(e0 + d, bits);
  v[7] = rounded(e0 - d, bits);
  v[1] = rounded(e1 + c, bits);
  v[6] = rounded(e1 - c, bits);
  v[2] = rounded(e2 + b, bits);
  v[5] = rounded(e2 - b, bits);
  v[3] = rounded(e3 + a, bits);
  v[4] = rounded(e3 - a, bits);
}

/** Four forward transforms side by side. Even outputs without multiplication are shifted by `up` (or rounded by -up), the others rounded by `bits`. */
INLINE void forwardLanes(i32x4 v[8], i32 up, i32 bits) {
  i32x4 s0 = v[0] + v[7];
  i32x4 d0 = v[0] - v[7];
  i32x4 s1 = v[1] + v[6];
  i32x4 d1 = v[1] - v[6];
  i32x4 s2 = v[2] + v[5];
  i32x4 d2 = v[2] - v[5];
  i32x4 s3 = v[3] + v[4];
  i32x4 d3 = v[3] - v[4];

  i32x4 e0 = s0 + s3;
  i32x4 e3 = s0 - s3;
  i32x4 e1 = s1 + s2;
  i32x4 e2 = s1 - s2;
  v[0] = up > 0 ? (e0 + e1) << up : rounded(e0 + e1, -up);
  v[4] = up > 0 ? (e0 - e1) << up : rounded(e0 - e1, -up);
  i32x4 z1 = (e2 + e3) * c0541;
  v[2] = rounded(z1 + e3 * c0765, bits);
  v[6] = rounded(z1 - e2 * c1847, bits);

  i32x4 t1 = (d3 + d0) * -c0899;
  i32x4 t2 = (d2 + d1) * -c2562;
  i32x4 t3 = d3 + d1;
  i32x4 t4 = d2 + d0;
  i32x4 t5 = (t3 + t4) * c1175;
  t3 = t5 - t3 * c1961;
  t4 = t5 - t4 * c0390;
  v[7] = rounded(d3 * c0298 + t1 + t3, bits);
  v[5] = rounded(d2 * c2053 + t2 + t4, bits);
  v[3] = rounded(d1 * c3072 + t2 + t3, bits);
  v[1] = rounded(d0 * c1501 + t1 + t4, bits);
}

#endif
