// Owns: reading the fast pixel codec's stream of version 1, which is no longer written. See docs/formats/pixel-fast.md.
//
// u8 filter, u8 contextCount (1..8), u8 edges[contextCount - 1]; then per context u8 tokens (0..146) and that many 4-bit code lengths,
// low nibble first, padded to a byte; then u32 size of each of four bit streams, then the streams. Sample i of a row is in stream i & 3.

#include "prefix-1.h"

// A slot's low six bits are all that a 64-bit shift looks at, so a slot serves as its own shift count.
enum { streams = 4, slotShift = 6 };

typedef struct {
  u16 slots[fastContextsMax << codeBitsMax]; // token << slotShift | length; length 0 where no code leads
  u8 lengths[fastContextsMax][fastTokens];
} FastDecoder;

INLINE u32 padded(u32 v) { return (v + 63) & ~63u; }
INLINE u32 rowBytesOf(u32 rowSamples) { return padded((rowSamples + 2 * rowPad) * 2); }

EXPORT("fastDecode1Bytes") u32 fastDecode1Bytes(u32 rowSamples) { return padded(sizeof(FastDecoder)) + 5 * rowBytesOf(rowSamples); }

// Of count only the low six bits hold: whole slots are taken from it.
typedef struct { const u8 *at; u64 bits, count; } BitReader;

INLINE void pull(BitReader *r) {
  u64 count = r->count & 63;
  r->bits |= readU64(r->at) << count;
  r->at += (u32)((63 - count) >> 3);
  r->count = count | 56;
}
INLINE u32 getToken(BitReader *r, const u16 *slots, u32 context) {
  u64 slot = slots[context | ((u32)r->bits & (codeSlots - 1))];
  r->bits >>= slot & 63;
  r->count -= slot;
  return (u32)slot >> slotShift;
}
typedef struct { BitReader reader; u32 z; } WideRead;
static __attribute__((noinline)) void getWide(WideRead *w, u32 token) {
  BitReader *r = &w->reader;
  pull(r);
  u32 count = fastRawBits(token);
  w->z = fastBase(token) + ((u32)r->bits & ((1u << count) - 1));
  r->bits >>= count;
  r->count -= count;
  pull(r);
}
INLINE u32 getSymbol(BitReader *r, const u16 *slots, u32 context) {
  u32 token = getToken(r, slots, context);
  if (__builtin_expect(token >= fastPlain, 0)) {
    // Through a copy: a reader whose address is taken would live in memory, not in registers.
    WideRead wide = { *r, 0 };
    getWide(&wide, token);
    *r = wide.reader;
    return wide.z;
  }
  return token;
}

/** One stream's four of the next sixteen samples; four codes of at most 11 bits fit what one pull brings. */
INLINE void readFour(BitReader *reader, const u16 *slots, const u16 *contexts, u16 *z) {
  BitReader r = *reader;
  pull(&r);
  for (u32 j = 0; j < 16; j += streams) z[j] = (u16)getSymbol(&r, slots, contexts[j]);
  *reader = r;
}

// Stream after stream, so that one reader's numbers fit the registers; the processor overlaps them by itself.
static __attribute__((noinline)) void readRow(BitReader *readers, const u16 *slots, const u16 *contexts, u16 *z, u32 count) {
  u32 i = 0;
  for (; i + 16 <= count; i += 16) {
    readFour(readers, slots, contexts + i, z + i);
    readFour(readers + 1, slots, contexts + i + 1, z + i + 1);
    readFour(readers + 2, slots, contexts + i + 2, z + i + 2);
    readFour(readers + 3, slots, contexts + i + 3, z + i + 3);
  }
  for (; i < count; i++) {
    pull(readers + (i & 3));
    z[i] = (u16)getSymbol(readers + (i & 3), slots, contexts[i]);
  }
}

/** Reads the code lengths and fills the slots; returns where the tables end, or 0. */
static const u8 *getTables(FastDecoder *d, u32 contextCount, const u8 *at, const u8 *end) {
  fillBytes(d, 0, sizeof *d);
  for (u32 c = 0; c < contextCount; c++) {
    if (at >= end) return 0;
    u32 count = *at++;
    if (count > fastTokens || at + (count + 1) / 2 > end) return 0;
    for (u32 t = 0; t < count; t++) d->lengths[c][t] = (at[t / 2] >> (t & 1) * 4) & 15;
    for (u32 t = 0; t < count; t++) if (d->lengths[c][t] > codeBitsMax) return 0;
    at += (count + 1) / 2;
    if (!lengthsHold(d->lengths[c])) return 0;
    u16 *slots = d->slots + (c << codeBitsMax);
#define FILL(t, length, bits) for (u32 s = (bits); s < codeSlots; s += 1u << (length)) slots[s] = (u16)((t) << slotShift | (length))
    EACH_CODE(d->lengths[c], FILL);
#undef FILL
  }
  return at;
}

/** Decodes rows of samples. The input must be followed by 16 readable bytes. Returns the bytes used, or -1. */
EXPORT("fastDecode1") i32 fastDecode1(const u8 *in, u32 size, u32 rows, u32 rowSamples, u32 apart, u32 wide, u32 bigEndian, u8 *out, u8 *work) {
  FastDecoder *d = (FastDecoder *)work;
  const u8 *at = in, *end = in + size;
  if (size < 2) return -1;
  u32 filter = at[0], contextCount = at[1];
  const u8 *edges = at + 2;
  if (filter > filterPlane || contextCount < 1 || contextCount > fastContextsMax || size < 1 + contextCount) return -1;
  at = getTables(d, contextCount, at + 1 + contextCount, end);
  if (at == 0 || end - at < 4 * streams) return -1;
  BitReader readers[streams];
  const u8 *limits[streams], *start = at + 4 * streams;
  for (u32 k = 0; k < streams; k++) {
    u32 length = readU32(at + 4 * k);
    if (length > (u32)(end - start)) return -1;
    readers[k] = (BitReader){ .at = start, .bits = 0, .count = 0 };
    start += length;
    limits[k] = start + 8; // a reader holds up to eight bytes more than it used
  }

  u32 rowBytes = rowBytesOf(rowSamples), width = wide ? 2 : 1;
  u8 *heap = work + padded(sizeof(FastDecoder));
  fillBytes(heap, 0, 5 * rowBytes);
  u16 *row = (u16 *)heap + rowPad, *north = (u16 *)(heap + rowBytes) + rowPad, *z = (u16 *)(heap + 2 * rowBytes) + rowPad;
  u16 *contexts = (u16 *)(heap + 3 * rowBytes);
  u8 *held = heap + 4 * rowBytes + rowPad;
  for (u32 r = 0; r < rows; r++) {
    contextsOfRow(held, contexts, rowSamples, apart, edges, contextCount, codeBitsMax);
    readRow(readers, d->slots, contexts, z, rowSamples);
    for (u32 k = 0; k < streams; k++) if (readers[k].at > limits[k]) return -1;
    unfilterRow(row, north, z, rowSamples, apart, filter, wide);
    narrowRow(out + r * rowSamples * width, row, rowSamples, wide, bigEndian);
    holdRow(z, held, rowSamples);
    u16 *swap = row; row = north; north = swap;
  }
  return (i32)(start - in);
}
