// Owns: bits of an entropy-coded segment, and Huffman codes in them (ITU-T T.81, F.2.2).
//
// The reader stops at the first marker and at the end of the input; from there it gives zeros and counts them. A caller asks `isOverrun` at least once a
// row of blocks: after it, everything decoded since the last question is worthless. Counted, not checked bit by bit: a check a symbol costs a tenth of the speed.

#ifndef STELE_JPEG_BITS_H
#define STELE_JPEG_BITS_H

#include "base.h"

typedef struct {
  const u8 *at;
  const u8 *end;
  u64 bits;   // left-aligned
  i32 count;  // of bits held, the zeros below included
  i32 zeros;  // given after the segment's end
} BitReader;

/** Codes up to so many bits are found by one look. */
#define lookBits 10

typedef struct {
  u16 look[1 << lookBits]; // length << 8 | symbol; 0 where the code is longer, or none
  u32 upTo[18];            // [length]: first 16-bit aligned code beyond those of this length; [17]: stops the search
  i32 offset[17];          // [length]: place of a code's symbol, less the code
  u8 symbols[256];
  u32 isThere;
} HuffmanTable;

enum { tableSlots = 4 };
extern HuffmanTable dcTables[tableSlots];
extern HuffmanTable acTables[tableSlots];

INLINE void startBits(BitReader *r, const u8 *at, const u8 *end) {
  r->at = at;
  r->end = end;
  r->bits = 0;
  r->count = 0;
  r->zeros = 0;
}

static NEVER_INLINE void fillSlowly(BitReader *r) {
  while (r->count <= 56) {
    u32 byte = 0;
    if (r->at < r->end && r->at[0] != 0xff) byte = *r->at++;
    else {
      // FF 00 is the byte FF; FF FF is a fill byte before a marker; anything else ends the segment.
      while (r->end - r->at >= 2 && r->at[0] == 0xff && r->at[1] == 0xff) r->at++;
      if (r->end - r->at >= 2 && r->at[1] == 0) {
        byte = 0xff;
        r->at += 2;
      } else r->zeros += 8;
    }
    r->bits |= (u64)byte << (56 - r->count);
    r->count += 8;
  }
}

/** At least 32 bits, or zeros. */
INLINE void fillBits(BitReader *r) {
  if (r->count >= 32) return;
  if (LIKELY(r->end - r->at >= 4)) {
    u32 word;
    __builtin_memcpy(&word, r->at, 4);
    // No byte of the four is FF: no byte of the complement is zero.
    if (LIKELY(((~word - 0x01010101u) & word & 0x80808080u) == 0)) {
      r->bits |= (u64)__builtin_bswap32(word) << (32 - r->count);
      r->count += 32;
      r->at += 4;
      return;
    }
  }
  fillSlowly(r);
}

INLINE u32 peekBits(const BitReader *r, u32 n) { return (u32)(r->bits >> (64 - n)); }
INLINE void skipBits(BitReader *r, u32 n) {
  r->bits <<= n;
  r->count -= (i32)n;
}
INLINE u32 takeBits(BitReader *r, u32 n) { // n in 1..16, after fillBits
  u32 v = peekBits(r, n);
  skipBits(r, n);
  return v;
}
INLINE u32 isOverrun(const BitReader *r) { return r->count < r->zeros; }

/** A symbol, or 0x100 for a code that the table does not have. Needs 16 bits in the reader. */
INLINE u32 takeSymbol(BitReader *r, const HuffmanTable *t) {
  u32 entry = t->look[peekBits(r, lookBits)];
  if (LIKELY(entry != 0)) {
    skipBits(r, entry >> 8);
    return entry & 0xff;
  }
  u32 code = peekBits(r, 16);
  u32 length = lookBits + 1;
  while (code >= t->upTo[length]) length++;
  if (length > 16) return 0x100;
  skipBits(r, length);
  return t->symbols[((i32)(code >> (16 - length)) + t->offset[length]) & 0xff];
}

/** The signed number that `size` further bits tell (T.81, figure F.12); size in 1..16. */
INLINE i32 takeSigned(BitReader *r, u32 size) {
  u32 v = takeBits(r, size);
  return v < (1u << (size - 1)) ? (i32)v - (i32)((1u << size) - 1) : (i32)v;
}

/** Where the next marker begins, or the end. What lies before it decodes to nothing: some encoders leave bytes there. */
INLINE const u8 *nextMarker(const u8 *at, const u8 *end) {
  while (end - at >= 2 && (at[0] != 0xff || at[1] == 0 || at[1] == 0xff)) at += at[0] == 0xff && at[1] == 0 ? 2 : 1;
  return end - at >= 2 ? at : end;
}

/** Moves past RSTn when it is the next marker; 0 when another is. */
INLINE u32 passRestart(BitReader *r, u32 number) {
  const u8 *at = nextMarker(r->at, r->end);
  if (r->end - at < 2 || at[1] != 0xd0 + (number & 7)) return 0;
  startBits(r, at + 2, r->end);
  return 1;
}

#endif
