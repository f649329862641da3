// Owns: the adaptive binary range coder that carries a plane's model (coefficients, edges, frequencies).
// It is written for few decisions: a plane has about a thousand, so clarity is preferred to speed.
//
// Encoder state: low (64 bit), range (32 bit). A decision with probability p/4096 of being 0 splits range at
// (range >> 12) * p. When range falls under 2^24, a byte leaves at the top; carries run through a cached byte.
// Probabilities begin at 2048 and move by 1/16 of the distance to what was seen.
// The decoder never reads past its end: missing bytes are zero.

#ifndef STELE_SIDE_CODER_H
#define STELE_SIDE_CODER_H

#include "base.h"

typedef u16 Odds;
enum { oddsStart = 2048, oddsBits = 12, oddsRate = 4 };

typedef struct { u8 *at, *end; u64 low; u32 range, cache, pending, begun; } SideWriter;
typedef struct { const u8 *at, *end; u32 range, code; } SideReader;

static void sideWriterStart(SideWriter *w, u8 *at, u8 *end) {
  *w = (SideWriter){ .at = at, .end = end, .low = 0, .range = 0xffffffffu, .cache = 0, .pending = 1, .begun = 0 };
}

// `cache` is the last byte not yet written, `pending` counts it and the 0xff bytes behind it that a carry would turn.
// The very first byte is always 0 and is not written.
static void sideShift(SideWriter *w) {
  if (w->low < 0xff000000u || w->low > 0xffffffffu) {
    u32 carry = (u32)(w->low >> 32);
    u32 byte = w->cache;
    for (; w->pending > 0; w->pending--) {
      if (w->begun && w->at < w->end) *w->at++ = (u8)(byte + carry);
      w->begun = 1;
      byte = 0xff;
    }
    w->cache = (u32)(w->low >> 24) & 0xff;
  }
  w->pending++;
  w->low = (w->low & 0x00ffffffu) << 8;
}

INLINE void sideBit(SideWriter *w, Odds *odds, u32 bit) {
  u32 split = (w->range >> oddsBits) * *odds;
  if (bit) {
    w->low += split;
    w->range -= split;
    *odds -= *odds >> oddsRate;
  } else {
    w->range = split;
    *odds += (4096 - *odds) >> oddsRate;
  }
  for (; w->range < (1u << 24); w->range <<= 8) sideShift(w);
}

static void sideDirect(SideWriter *w, u32 value, u32 bits) {
  while (bits-- > 0) {
    w->range >>= 1;
    if ((value >> bits) & 1) w->low += w->range;
    for (; w->range < (1u << 24); w->range <<= 8) sideShift(w);
  }
}

static u8 *sideWriterEnd(SideWriter *w) {
  for (i32 i = 0; i < 5; i++) sideShift(w);
  return w->at;
}

INLINE u32 sideByte(SideReader *r) { return r->at < r->end ? *r->at++ : 0; }

static void sideReaderStart(SideReader *r, const u8 *at, const u8 *end) {
  *r = (SideReader){ .at = at, .end = end, .range = 0xffffffffu, .code = 0 };
  for (i32 i = 0; i < 4; i++) r->code = (r->code << 8) | sideByte(r);
}

INLINE u32 sideGetBit(SideReader *r, Odds *odds) {
  u32 split = (r->range >> oddsBits) * *odds;
  u32 bit = r->code >= split;
  if (bit) {
    r->code -= split;
    r->range -= split;
    *odds -= *odds >> oddsRate;
  } else {
    r->range = split;
    *odds += (4096 - *odds) >> oddsRate;
  }
  for (; r->range < (1u << 24); r->range <<= 8) r->code = (r->code << 8) | sideByte(r);
  return bit;
}

static u32 sideGetDirect(SideReader *r, u32 bits) {
  u32 value = 0;
  while (bits-- > 0) {
    r->range >>= 1;
    u32 bit = r->code >= r->range;
    if (bit) r->code -= r->range;
    value = (value << 1) | bit;
    for (; r->range < (1u << 24); r->range <<= 8) r->code = (r->code << 8) | sideByte(r);
  }
  return value;
}

// A number v >= 0: the bit length of v + 1, less one, in unary through `odds` (at most 31), then the bits below the leading one.
static void sideNumber(SideWriter *w, Odds *odds, u32 value) {
  u32 length = bitLength(value + 1) - 1;
  for (u32 i = 0; i < length; i++) sideBit(w, odds + i, 1);
  sideBit(w, odds + length, 0);
  sideDirect(w, value + 1, length);
}

static u32 sideGetNumber(SideReader *r, Odds *odds) {
  u32 length = 0;
  while (length < 30 && sideGetBit(r, odds + length)) length++;
  return ((1u << length) | sideGetDirect(r, length)) - 1;
}

static void sideSigned(SideWriter *w, Odds *odds, i32 value) {
  sideNumber(w, odds, ((u32)value << 1) ^ (u32)(value >> 31));
}

static i32 sideGetSigned(SideReader *r, Odds *odds) {
  u32 value = sideGetNumber(r, odds);
  return (i32)(value >> 1) ^ -(i32)(value & 1);
}

#endif
