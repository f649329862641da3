// Owns: the Huffman tables of a stream, four of each class, made from what a DHT segment holds.
#include "jpeg-bits.h"

HuffmanTable dcTables[tableSlots];
HuffmanTable acTables[tableSlots];

/** Where the host writes counts of codes of length 1 to 16 and then their symbols. */
static u8 definition[16 + 256];

EXPORT("huffmanDefinition") u8 *huffmanDefinition(void) { return definition; }

/** Forgets every table: streams do not share them. */
EXPORT("huffmanClear") void huffmanClear(void) {
  for (u32 slot = 0; slot < tableSlots; slot++) dcTables[slot].isThere = acTables[slot].isThere = 0;
}

EXPORT("huffmanDefine") i32 huffmanDefine(u32 isAc, u32 slot) {
  if (slot >= tableSlots) return statusMalformed;
  HuffmanTable *t = isAc ? &acTables[slot] : &dcTables[slot];
  fillBytes(t, 0, sizeof(HuffmanTable));
  copyBytes(t->symbols, definition + 16, 256);
  u32 code = 0;
  u32 place = 0;
  for (u32 length = 1; length <= 16; length++) {
    u32 count = definition[length - 1];
    if (place + count > 256 || code + count > 1u << length) return statusMalformed;
    t->offset[length] = (i32)place - (i32)code;
    if (length <= lookBits) {
      u32 copies = 1u << (lookBits - length);
      for (u32 k = 0; k < count; k++) {
        for (u32 c = 0; c < copies; c++) t->look[(code + k) * copies + c] = (u16)(length << 8 | t->symbols[place + k]);
      }
    }
    code += count;
    place += count;
    t->upTo[length] = code << (16 - length);
    code <<= 1;
  }
  t->upTo[17] = ~0u;
  t->isThere = 1;
  return place == 0 ? statusMalformed : statusOk;
}
