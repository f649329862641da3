// Owns: decoding and encoding the scans of lossless JPEG (T.81, annex H): predictors 1 to 7, point transform, restart intervals, 2 to 16 bits.
//
// Arithmetic is modulo 2^16, as the standard says; what a sample has above its precision is the stream's own doing and is kept. All components have one size
// (DICOM allows no subsampling here), so an MCU is one sample of each component of the scan.
#include "jpeg-bits.h"

enum { columnsMax = 65535, componentsMax = 4 };

typedef struct {
  u32 columns;
  u32 rows;
  u32 bits;             // precision of a sample
  u32 apart;            // components of the frame: samples of one component lie so far from each other
  u32 count;            // components of this scan
  u32 component[componentsMax];
  u32 slot[componentsMax];
  u32 predictor;
  u32 low;              // point transform
  u32 restartInterval;  // a whole number of rows, in samples of a component; or 0
} LosslessScan;

static LosslessScan scan;
/** [component of the scan][this row, row above], with one place before the first sample. */
static u16 rowsHeld[componentsMax][2][columnsMax + 1];

EXPORT("losslessScan") LosslessScan *losslessScan(void) { return &scan; }

INLINE i32 predict(u32 predictor, i32 left, i32 above, i32 corner) {
  switch (predictor) {
    case 1: return left;
    case 2: return above;
    case 3: return corner;
    case 4: return left + above - corner;
    case 5: return left + ((above - corner) >> 1);
    case 6: return above + ((left - corner) >> 1);
    default: return (left + above) >> 1;
  }
}

INLINE i32 takeDifference(BitReader *r, const HuffmanTable *table, i32 *difference) {
  fillBits(r);
  u32 size = takeSymbol(r, table);
  if (UNLIKELY(size > 16)) return statusMalformed;
  *difference = size == 0 ? 0 : size == 16 ? 32768 : takeSigned(r, size);
  return statusOk;
}

/** The first row of all, and of every restart: the first sample follows the middle of the range, the others the one to their left. */
static i32 decodeFirstRow(BitReader *r, u32 parity) {
  for (u32 x = 0; x < scan.columns; x++) {
    for (u32 k = 0; k < scan.count; k++) {
      u16 *row = rowsHeld[k][parity];
      i32 difference;
      if (takeDifference(r, &dcTables[scan.slot[k]], &difference) != statusOk) return statusMalformed;
      row[x] = (u16)((x == 0 ? 1 << (scan.bits - scan.low - 1) : row[x - 1]) + difference);
    }
  }
  return statusOk;
}

INLINE i32 decodeRow(BitReader *r, u32 parity, u32 predictor, u32 count) {
  for (u32 k = 0; k < count; k++) {
    i32 difference;
    if (takeDifference(r, &dcTables[scan.slot[k]], &difference) != statusOk) return statusMalformed;
    rowsHeld[k][parity][0] = (u16)(rowsHeld[k][parity ^ 1][0] + difference);
  }
  for (u32 x = 1; x < scan.columns; x++) {
    for (u32 k = 0; k < count; k++) {
      u16 *row = rowsHeld[k][parity];
      const u16 *above = rowsHeld[k][parity ^ 1];
      i32 difference;
      if (takeDifference(r, &dcTables[scan.slot[k]], &difference) != statusOk) return statusMalformed;
      row[x] = (u16)(predict(predictor, row[x - 1], above[x], above[x - 1]) + difference);
    }
  }
  return statusOk;
}

static i32 decodeAnyRow(BitReader *r, u32 parity) {
  // One component is by far the usual case; the predictors used in hospitals are the first and the last.
  if (scan.count == 1) {
    switch (scan.predictor) {
      case 1: return decodeRow(r, parity, 1, 1);
      case 7: return decodeRow(r, parity, 7, 1);
      default: return decodeRow(r, parity, scan.predictor, 1);
    }
  }
  return decodeRow(r, parity, scan.predictor, scan.count);
}

static void writeRow(u8 *out, u32 y, u32 parity) {
  for (u32 k = 0; k < scan.count; k++) {
    const u16 *row = rowsHeld[k][parity];
    u32 place = y * scan.columns * scan.apart + scan.component[k];
    if (scan.bits <= 8) {
      u8 *to = out + place;
      for (u32 x = 0; x < scan.columns; x++) to[x * scan.apart] = (u8)(row[x] << scan.low);
    } else {
      u16 *to = (u16 *)out + place;
      for (u32 x = 0; x < scan.columns; x++) to[x * scan.apart] = (u16)(row[x] << scan.low);
    }
  }
}

/** Writes the samples, one byte each up to 8 bits, else two. Answers the address of the marker behind the scan. */
EXPORT("decodeLossless") i32 decodeLossless(const u8 *input, const u8 *end, u8 *out) {
  for (u32 k = 0; k < scan.count; k++) {
    if (!dcTables[scan.slot[k]].isThere) return statusMalformed;
  }
  BitReader reader;
  startBits(&reader, input, end);
  u32 rowsPerRestart = scan.restartInterval / scan.columns;
  u32 restarts = 0;
  for (u32 y = 0; y < scan.rows; y++) {
    u32 isFirst = y == 0;
    if (rowsPerRestart > 0 && y > 0 && y % rowsPerRestart == 0) {
      if (!passRestart(&reader, restarts++)) return statusMalformed;
      isFirst = 1;
    }
    i32 status = isFirst ? decodeFirstRow(&reader, y & 1) : decodeAnyRow(&reader, y & 1);
    if (isOverrun(&reader)) return statusShort;
    if (status != statusOk) return status;
    writeRow(out, y, y & 1);
  }
  return (i32)nextMarker(reader.at, end);
}
