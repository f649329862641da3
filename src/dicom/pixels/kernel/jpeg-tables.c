// Owns: code lengths of at most 16 bits for given counts (T.81, K.2: Huffman's lengths, then shortened where they are too long).
#include "jpeg-write.h"

enum { placesMax = 257, lengthMax = 16 };

u64 fitTable(CodeTable *t) {
  u32 counts[placesMax];
  u32 lengths[placesMax];
  i32 next[placesMax];
  for (u32 k = 0; k < placesMax; k++) {
    counts[k] = t->counts[k];
    lengths[k] = 0;
    next[k] = -1;
  }
  counts[256] = 1; // takes the longest code, so that no symbol has all ones

  for (;;) {
    i32 least = -1;
    i32 second = -1;
    for (i32 k = 0; k < placesMax; k++) {
      if (counts[k] == 0) continue;
      if (least < 0 || counts[k] <= counts[least]) {
        second = least;
        least = k;
      } else if (second < 0 || counts[k] <= counts[second]) second = k;
    }
    if (second < 0) break;
    counts[least] += counts[second];
    counts[second] = 0;
    i32 k = least;
    for (lengths[k]++; next[k] >= 0; lengths[k]++) k = next[k];
    next[k] = second;
    for (lengths[second]++, k = second; next[k] >= 0; lengths[k]++) k = next[k];
  }

  u32 perLength[placesMax];
  fillBytes(perLength, 0, sizeof perLength);
  for (u32 k = 0; k < placesMax; k++) perLength[lengths[k]]++;
  for (u32 length = placesMax - 1; length > lengthMax; length--) {
    while (perLength[length] > 0) {
      u32 shorter = length - 2;
      while (perLength[shorter] == 0) shorter--;
      perLength[length] -= 2;
      perLength[length - 1]++;
      perLength[shorter + 1] += 2;
      perLength[shorter]--;
    }
  }
  u32 longest = lengthMax;
  while (longest > 0 && perLength[longest] == 0) longest--;
  if (longest > 0) perLength[longest]--; // the place kept free

  u32 place = 0;
  for (u32 length = 1; length < placesMax; length++) {
    for (u32 k = 0; k < 256; k++) {
      if (lengths[k] == length) t->symbols[place++] = (u8)k;
    }
  }
  u32 code = 0;
  u64 bits = 0;
  place = 0;
  for (u32 length = 1; length <= lengthMax; length++) {
    t->lengths[length - 1] = (u8)perLength[length];
    for (u32 k = 0; k < perLength[length]; k++) {
      u32 symbol = t->symbols[place++];
      t->code[symbol] = (u16)code++;
      t->length[symbol] = (u8)length;
      bits += (u64)t->counts[symbol] * length;
    }
    code <<= 1;
  }
  return bits;
}
