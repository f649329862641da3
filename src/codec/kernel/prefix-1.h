// Owns: the fast codec's tokens and prefix codes (version 1). Codes are at most 11 bits and canonical: in order of length, then of token; they are
// written lowest bit first, so a code lies reversed in the stream.
//
// Token t = z below 128; above, with l = floor(log2 z), t = 128 + 2(l-7) + the bit below the leading one, then l-1 raw bits.

#ifndef STELE_PREFIX_1_H
#define STELE_PREFIX_1_H

#include "rows-1.h"

enum { fastPlain = 128, fastTokens = 146, codeBitsMax = 11, codeSlots = 1 << codeBitsMax };

INLINE u32 fastRawBits(u32 token) { return 6 + ((token - fastPlain) >> 1); }
INLINE u32 fastBase(u32 token) { return (2 + (token & 1)) << fastRawBits(token); }

INLINE u32 reversed(u32 code, u32 length) {
  u32 r = 0;
  for (u32 i = 0; i < length; i++) r |= ((code >> i) & 1) << (length - 1 - i);
  return r;
}

/** The first code of each length, by the lengths' numbers. */
static void firstCodes(const u8 *lengths, u32 *next) {
  u32 counts[codeBitsMax + 1] = { 0 };
  for (u32 t = 0; t < fastTokens; t++) counts[lengths[t]]++;
  next[0] = 0;
  for (u32 length = 1, code = 0; length <= codeBitsMax; length++, code <<= 1) {
    next[length] = code;
    code += counts[length];
  }
}

/** Calls `each(token, length, reversed code)` for a context's codes. */
#define EACH_CODE(lengths, each)                                              \
  do {                                                                        \
    u32 next[codeBitsMax + 1];                                                \
    firstCodes(lengths, next);                                                \
    for (u32 t = 0; t < fastTokens; t++) {                                    \
      u32 length = (lengths)[t];                                              \
      if (length > 0) each(t, length, reversed(next[length]++, length));      \
    }                                                                         \
  } while (0)

static int lengthsHold(const u8 *lengths) {
  u32 sum = 0;
  for (u32 t = 0; t < fastTokens; t++) if (lengths[t] > 0) sum += codeSlots >> lengths[t];
  return sum <= codeSlots;
}

#endif
