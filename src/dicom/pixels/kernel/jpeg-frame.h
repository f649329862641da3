// Owns: what the host tells about a DCT-based frame and its scans (`jpeg-kernel.ts` writes these structures, word by word, so order and width of
// the fields are its contract), and where components lie.

#ifndef STELE_JPEG_FRAME_H
#define STELE_JPEG_FRAME_H

#include "base.h"

enum { componentsMax = 4 };

typedef struct {
  u32 across;         // sampling factors
  u32 down;
  u32 columns;        // samples that the component really has
  u32 rows;
  u32 blockColumns;   // blocks, padded to whole MCUs; the plane is as large
  u32 blockRows;
  const u16 *steps;   // quantization, in natural order
  void *plane;        // u8 samples up to 8 bits, else u16
  i16 *coefficients;  // of a progressive frame, 64 a block, in natural order; else 0
} Component;

typedef struct {
  u32 bits;           // of a sample: 8 or 12
  u32 columns;
  u32 rows;
  u32 acrossMax;
  u32 downMax;
  u32 componentCount;
  u32 mcuColumns;
  u32 mcuRows;
  Component components[componentsMax];
} Frame;

typedef struct {
  u32 count;
  u32 component[componentsMax];
  u32 dcSlot[componentsMax];
  u32 acSlot[componentsMax];
  u32 first;          // of the coefficients, in zig-zag order
  u32 last;
  u32 high;           // successive approximation: bit known before, 0 for a first scan
  u32 low;            // and bit known after
  u32 restartInterval;
} Scan;

extern Frame frame;
extern Scan scan;

/** Dequantizes, transforms and writes one block of a component's plane. `lastPlace` is 0 where only the mean is there. */
void placeBlock(const Component *component, const i16 *block, u32 lastPlace, u32 blockRow, u32 blockColumn);

#endif
