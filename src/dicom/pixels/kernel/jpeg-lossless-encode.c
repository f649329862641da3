// Owns: samples to the scan of a lossless JPEG with first-order prediction (T.81, annex H; DICOM's process 14, selection value 1).
//
// Samples of 2 to 16 bits come one in two bytes, components side by side, and must not have bits above the precision. Like `jpeg-encode.c` it goes over them twice.
#include "jpeg-write.h"

typedef struct {
  const u16 *samples;
  u32 columns;
  u32 rows;
  u32 components;
  u32 bits;
} LosslessPicture;

static LosslessPicture picture;
static CodeTable table;

EXPORT("losslessPicture") LosslessPicture *losslessPicture(void) { return &picture; }
EXPORT("losslessTable") CodeTable *losslessTable(void) { return &table; }

INLINE i32 differenceAt(const u16 *sample, u32 y, u32 x) {
  u32 c = picture.components;
  u32 predicted = x > 0 ? sample[-(i32)c] : y > 0 ? sample[-(i32)(c * picture.columns)] : 1u << (picture.bits - 1);
  return (i16)(u16)(sample[0] - predicted);
}

/** The size class of a difference; 32768, which is its own negative here, has one without further bits. */
INLINE u32 classOf(i32 difference) { return difference == -32768 ? 16 : sizeClass(difference); }

EXPORT("losslessBegin") u32 losslessBegin(void) {
  fillBytes(&table, 0, sizeof table);
  u64 bits = 0;
  const u16 *sample = picture.samples;
  for (u32 y = 0; y < picture.rows; y++) {
    for (u32 x = 0; x < picture.columns; x++) {
      for (u32 c = 0; c < picture.components; c++) table.counts[classOf(differenceAt(sample++, y, x))]++;
    }
  }
  for (u32 size = 1; size < 16; size++) bits += (u64)table.counts[size] * size;
  bits += fitTable(&table);
  return (u32)(bits / 8 + 16) * 2;
}

EXPORT("losslessEnd") u32 losslessEnd(u8 *out) {
  BitWriter writer = {.at = out, .bits = 0, .count = 0};
  const u16 *sample = picture.samples;
  for (u32 y = 0; y < picture.rows; y++) {
    for (u32 x = 0; x < picture.columns; x++) {
      for (u32 c = 0; c < picture.components; c++) {
        i32 difference = differenceAt(sample++, y, x);
        u32 size = classOf(difference);
        putSymbol(&writer, &table, size);
        if (size > 0 && size < 16) putBits(&writer, extraBits(difference, size), size);
      }
    }
  }
  endBits(&writer);
  return (u32)(writer.at - out);
}
