// Owns: the look-up tables of both directions, made from the codes.
#include "j2k-ht.h"

u16 quadMeanings[2][1024];
u16 quadChoices[2][8][16][16];
const u8 runExponents[13] = {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5};
static u32 areFilled;

static void fillFrom(const u32 *codes, u32 count, u32 t) {
  for (u32 k = 0; k < count; k++) {
    u32 context = codes[k] >> 24;
    u32 significance = codes[k] >> 20 & 15;
    u32 hasOffset = codes[k] >> 19 & 1;
    u32 known = codes[k] >> 15 & 15;
    u32 ones = codes[k] >> 11 & 15;
    u32 length = codes[k] >> 8 & 7;
    u32 code = codes[k] & 0x7f;
    for (u32 rest = 0; rest < 1u << (7 - length); rest++) {
      quadMeanings[t][context << 7 | rest << length | code] = (u16)(length | hasOffset << 3 | significance << 4 | ones << 8 | known << 12);
    }
    // Of the codes that agree with the samples' exponents, the one that knows most of them: it saves their top bits.
    for (u32 tops = 0; tops < 16; tops++) {
      if (hasOffset != (tops != 0) || (tops & known) != ones || (tops & ~significance) != 0) continue;
      u16 *choice = &quadChoices[t][context][significance][tops];
      if (*choice == 0 || __builtin_popcount(known) > __builtin_popcount(*choice >> 12)) *choice = (u16)(code | length << 8 | known << 12);
    }
  }
}

void fillQuadTables(void) {
  if (areFilled) return;
  areFilled = 1;
  fillFrom(quadCodesFirst, quadCodesFirstCount, 0);
  fillFrom(quadCodesOther, quadCodesOtherCount, 1);
}
