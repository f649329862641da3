// Owns: the fast codec's tokens and prefix codes. Codes are at most 11 bits and canonical: in order of length, then of token; they are
// written lowest bit first, so a code lies reversed in the stream. A context in which one token occurs still gives it one bit.
//
// Token t = z below 128; above, with l = floor(log2 z), t = 128 + 2(l-7) + the bit below the leading one, then l-1 raw bits.

#ifndef STELE_PREFIX_H
#define STELE_PREFIX_H

#include "rows.h"

enum { fastPlain = 128, fastTokens = 146, codeBitsMax = 11, codeSlots = 1 << codeBitsMax };

INLINE u32 fastTokenOf(u32 z) {
  if (z < fastPlain) return z;
  u32 l = bitLength(z) - 1;
  return fastPlain + (l - 7) * 2 + ((z >> (l - 1)) & 1);
}
INLINE u32 fastRawBits(u32 token) { return 6 + ((token - fastPlain) >> 1); }
INLINE u32 fastBase(u32 token) { return (2 + (token & 1)) << fastRawBits(token); }

/**
 * Code lengths for these counts. Not Huffman's tree but close to it and simple: each length is the rounded logarithm, then the sum
 * of 2^-length is brought to 1 from above by lengthening the rarest, and from below by shortening the commonest.
 */
static void chooseLengths(const u32 *counts, u8 *lengths) {
  u8 order[fastTokens]; // by count, rarest first
  u32 used = 0, total = 0, sum = 0;
  for (u32 t = 0; t < fastTokens; t++) {
    lengths[t] = 0;
    total += counts[t];
    if (counts[t] == 0) continue;
    u32 at = used++;
    for (; at > 0 && counts[order[at - 1]] > counts[t]; at--) order[at] = order[at - 1];
    order[at] = (u8)t;
  }
  if (used == 0) return;
  if (used == 1) { lengths[order[0]] = 1; return; }
  for (u32 i = 0; i < used; i++) {
    u32 t = order[i], length = 1;
    // The least length with counts * 2^length >= total / sqrt 2.
    while (length < codeBitsMax && ((u64)counts[t] << length) * 181 < (u64)total * 128) length++;
    lengths[t] = (u8)length;
    sum += codeSlots >> length;
  }
  for (u32 round = 0; sum > codeSlots; round++)
    for (u32 i = 0; i < used && sum > codeSlots; i++) {
      u32 t = order[i];
      // Longest codes first: lengthening them costs least and overshoots least.
      if (lengths[t] < codeBitsMax && lengths[t] + round >= codeBitsMax - 1) sum -= codeSlots >> ++lengths[t];
    }
  for (i32 again = 1; again;) {
    again = 0;
    for (i32 i = (i32)used - 1; i >= 0; i--) {
      u32 t = order[i], more = codeSlots >> lengths[t];
      if (lengths[t] > 1 && sum + more <= codeSlots) { sum += more; lengths[t]--; again = 1; }
    }
  }
}

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
