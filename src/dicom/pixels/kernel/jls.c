// Owns: the state of a JPEG-LS scan and its start (T.87, A.2 and annex C).
#include "jls.h"

JlsScan scan;
Context contexts[contextCount];
RunContext runContexts[2];
i8 gradientTable[2 * gradientsMax + 1];
const u8 runOrders[32] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15};
u16 lines[componentsMax][2][linePlaces];
i32 range;
u32 rangeBits;
u32 codeLimit;

EXPORT("jlsScan") JlsScan *jlsScan(void) { return &scan; }

void beginScan(void) {
  i32 near = (i32)scan.near;
  i32 most = (i32)scan.most;
  range = (most + 2 * near) / (2 * near + 1) + 1;
  rangeBits = bitLength((u32)range - 1);
  u32 bits = (u32)maxOf(2, (i32)bitLength((u32)most));
  codeLimit = 2 * (bits + (u32)maxOf(8, (i32)bits));
  i32 start = maxOf(2, (range + 32) / 64);
  for (u32 k = 0; k < contextCount; k++) contexts[k] = (Context){.a = start, .b = 0, .c = 0, .n = 1};
  for (u32 k = 0; k < 2; k++) runContexts[k] = (RunContext){.a = start, .n = 1, .negatives = 0};
  for (u32 k = 0; k < scan.count; k++) {
    fillBytes(lines[k][0], 0, (scan.columns + 3) * 2);
    fillBytes(lines[k][1], 0, (scan.columns + 3) * 2);
  }
  i8 *q = gradientTable + gradientsMax;
  i32 widest = (i32)((1u << scan.bits) - 1);
  for (i32 d = 0; d <= widest; d++) {
    i8 step = d <= near ? 0 : d < (i32)scan.threshold1 ? 1 : d < (i32)scan.threshold2 ? 2 : d < (i32)scan.threshold3 ? 3 : 4;
    q[d] = step;
    q[-d] = (i8)-step;
  }
}
