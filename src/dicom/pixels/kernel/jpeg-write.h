// Owns: writing an entropy-coded segment, and Huffman tables that fit what is written (T.81, K.2).
//
// Encoding goes twice over what is to be said: once counting symbols, then, with the best table for those counts, writing them. The size is therefore known
// before a byte is written, and the host gives the room.

#ifndef STELE_JPEG_WRITE_H
#define STELE_JPEG_WRITE_H

#include "base.h"

typedef struct {
  u32 counts[257];      // of each symbol; [256] keeps the code of all ones unused
  u8 lengths[16];       // how many codes of each length, as DHT says it
  u8 symbols[256];
  u16 code[256];
  u8 length[256];
} CodeTable;

typedef struct {
  u8 *at;
  u64 bits;  // right-aligned
  u32 count;
} BitWriter;

/** Makes the table from its counts, and answers how many bits its symbols take together (their extra bits not counted). */
u64 fitTable(CodeTable *table);

static NEVER_INLINE void drainBits(BitWriter *w) {
  while (w->count >= 8) {
    w->count -= 8;
    u8 byte = (u8)(w->bits >> w->count);
    *w->at++ = byte;
    if (byte == 0xff) *w->at++ = 0;
  }
}

INLINE void putBits(BitWriter *w, u32 value, u32 count) { // count <= 32
  if (w->count + count > 64) drainBits(w);
  w->bits = w->bits << count | value;
  w->count += count;
}

/** Fills the last byte with ones. */
INLINE void endBits(BitWriter *w) {
  putBits(w, 0x7f, 7);
  drainBits(w);
}

INLINE void putSymbol(BitWriter *w, const CodeTable *table, u32 symbol) {
  putBits(w, table->code[symbol], table->length[symbol]);
}

/** Bits that tell a number of this size class from the others (T.81, F.1.2.1.1). */
INLINE u32 extraBits(i32 value, u32 size) { return (u32)(value < 0 ? value - 1 : value) & ((1u << size) - 1); }
INLINE u32 sizeClass(i32 value) { return bitLength((u32)(value < 0 ? -value : value)); }

#endif
