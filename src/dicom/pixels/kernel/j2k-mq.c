// Owns: the states of the MQ coder (T.800, table C.2), each written twice: for 0 and for 1 as the more probable symbol.
#include "j2k-mq.h"

u8 mqContexts[contexts];

#define state(probability, more, less) ((probability) | (more) << 16 | (u32)(less) << 24)

const u32 mqTable[mqStates] = {
  state(0x5601, 2, 3), state(0x5601, 3, 2), state(0x3401, 4, 12), state(0x3401, 5, 13), state(0x1801, 6, 18), state(0x1801, 7, 19),
  state(0x0ac1, 8, 24), state(0x0ac1, 9, 25), state(0x0521, 10, 58), state(0x0521, 11, 59), state(0x0221, 76, 66), state(0x0221, 77, 67),
  state(0x5601, 14, 13), state(0x5601, 15, 12), state(0x5401, 16, 28), state(0x5401, 17, 29), state(0x4801, 18, 28), state(0x4801, 19, 29),
  state(0x3801, 20, 28), state(0x3801, 21, 29), state(0x3001, 22, 34), state(0x3001, 23, 35), state(0x2401, 24, 36), state(0x2401, 25, 37),
  state(0x1c01, 26, 40), state(0x1c01, 27, 41), state(0x1601, 58, 42), state(0x1601, 59, 43), state(0x5601, 30, 29), state(0x5601, 31, 28),
  state(0x5401, 32, 28), state(0x5401, 33, 29), state(0x5101, 34, 30), state(0x5101, 35, 31), state(0x4801, 36, 32), state(0x4801, 37, 33),
  state(0x3801, 38, 34), state(0x3801, 39, 35), state(0x3401, 40, 36), state(0x3401, 41, 37), state(0x3001, 42, 38), state(0x3001, 43, 39),
  state(0x2801, 44, 38), state(0x2801, 45, 39), state(0x2401, 46, 40), state(0x2401, 47, 41), state(0x2201, 48, 42), state(0x2201, 49, 43),
  state(0x1c01, 50, 44), state(0x1c01, 51, 45), state(0x1801, 52, 46), state(0x1801, 53, 47), state(0x1601, 54, 48), state(0x1601, 55, 49),
  state(0x1401, 56, 50), state(0x1401, 57, 51), state(0x1201, 58, 52), state(0x1201, 59, 53), state(0x1101, 60, 54), state(0x1101, 61, 55),
  state(0x0ac1, 62, 56), state(0x0ac1, 63, 57), state(0x09c1, 64, 58), state(0x09c1, 65, 59), state(0x08a1, 66, 60), state(0x08a1, 67, 61),
  state(0x0521, 68, 62), state(0x0521, 69, 63), state(0x0441, 70, 64), state(0x0441, 71, 65), state(0x02a1, 72, 66), state(0x02a1, 73, 67),
  state(0x0221, 74, 68), state(0x0221, 75, 69), state(0x0141, 76, 70), state(0x0141, 77, 71), state(0x0111, 78, 72), state(0x0111, 79, 73),
  state(0x0085, 80, 74), state(0x0085, 81, 75), state(0x0049, 82, 76), state(0x0049, 83, 77), state(0x0025, 84, 78), state(0x0025, 85, 79),
  state(0x0015, 86, 80), state(0x0015, 87, 81), state(0x0009, 88, 82), state(0x0009, 89, 83), state(0x0005, 90, 84), state(0x0005, 91, 85),
  state(0x0001, 90, 86), state(0x0001, 91, 87), state(0x5601, 92, 92), state(0x5601, 93, 93),
};
