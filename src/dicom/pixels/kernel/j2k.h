// Owns: what the files of the JPEG 2000 kernel share (ITU-T T.800, Part 1): the parameters of a codestream, the parts of a tile, and the arena they lie in.
//
// Everything is taken from one arena that the host gives, and nothing is given back one by one: a tile's parts go when the next tile begins. When the arena is full
// the whole call ends with that status, and the host may try again with a larger one. Components all have the size of the image: DICOM has no others.

#ifndef STELE_J2K_H
#define STELE_J2K_H

#include "base.h"

enum {
  componentsMax = 4,
  levelsMax = 32,
  bandsMax = 3 * levelsMax + 1,
  precisionMax = 26,    // so that magnitudes with their guard bits and half a step fit in 31 bits
  planesMax = 30,       // bit planes of a block
  blockSamplesMax = 4096,
  changesMax = 32,      // of the progression order
};

typedef struct {
  u8 *at;
  u8 *end;
} Arena;

/** Sixteen-byte aligned, not cleared; 0 when the arena is full. */
INLINE void *take(Arena *arena, u32 size) {
  u32 address = ((u32)arena->at + 15) & ~15u;
  if (address > (u32)arena->end || size > (u32)arena->end - address) return 0;
  arena->at = (u8 *)(address + size);
  return (void *)address;
}

INLINE void *takeZeros(Arena *arena, u32 size) {
  void *p = take(arena, size);
  if (p != 0) fillBytes(p, 0, size);
  return p;
}

/** Styles of code-blocks (T.800, table A.19). */
enum { styleBypass = 1, styleReset = 2, styleTerminate = 4, styleCausal = 8, styleSymbols = 32, styleHighThroughput = 64 };

typedef struct {
  u32 levels;
  u32 blockWidthLog;
  u32 blockHeightLog;
  u32 style;
  u32 isReversible;
  u8 precinctWidthLog[levelsMax + 1];
  u8 precinctHeightLog[levelsMax + 1];
} CodingStyle;

typedef struct {
  u32 style;            // 0 none, 1 derived, 2 each band its own
  u32 guardBits;
  u32 count;            // steps that the stream gave
  u16 steps[bandsMax];  // exponent << 11 | mantissa
} Quantization;

typedef struct {
  u32 firstLevel;
  u32 firstComponent;
  u32 endLayer;
  u32 endLevel;
  u32 endComponent;
  u32 order;
} ProgressionChange;

/** What holds for a tile; first that of the main header. */
typedef struct {
  u32 order;            // 0 LRCP, 1 RLCP, 2 RPCL, 3 PCRL, 4 CPRL
  u32 layers;
  u32 transform;        // of the first three components
  u32 changeCount;
  ProgressionChange changes[changesMax];
  CodingStyle coding[componentsMax];
  Quantization quantization[componentsMax];
  u8 roiShift[componentsMax];
  // Whether a component has its own, which a later segment for all does not override.
  u8 ownCoding[componentsMax];
  u8 ownQuantization[componentsMax];
  u8 ownChanges;
} TileRules;

typedef struct {
  u32 x0, y0, x1, y1;
} Area;

typedef struct {
  Area image;
  u32 tileWidth, tileHeight, tileX, tileY;
  u32 componentCount;
  u32 precision[componentsMax];
  u32 isSigned[componentsMax];
  u32 tileColumns, tileRows;
  TileRules rules;
} Header;

typedef struct Piece Piece;
/** What one packet brings of one codeword segment of a block. */
struct Piece {
  const u8 *data;
  u32 size;
  u32 passes;
  u32 beginsSegment;
  Piece *next;
};

typedef struct {
  u16 x, y;             // within the band
  u16 width, height;
  u8 planes;            // magnitude bit planes that are coded
  u8 lengthBits;
  u8 isIncluded;
  u8 passes;
  u8 segmentPasses;     // of the segment that is open
  u8 segmentPassesMax;  // in a high-throughput block: how many of its three passes were said
  Piece *first;
  Piece *last;
  Piece *pending;       // said by the header of the packet being read, bytes to follow
} Block;

typedef struct {
  u32 value;
  u32 low;
  u32 isKnown;
} TreeNode;

typedef struct {
  u32 width, height;    // leaves
  TreeNode *nodes;      // level after level, leaves first
} TagTree;

typedef struct {
  u32 columns, rows;    // of blocks
  Block *blocks;
  TagTree inclusion;
  TagTree zeroPlanes;
} PrecinctBand;

typedef struct {
  PrecinctBand bands[3];
  u32 layersDone;
} Precinct;

typedef struct {
  Area area;            // in its own coordinates
  u32 orientation;      // 0 LL, 1 HL, 2 LH, 3 HH
  u32 planes;           // that a magnitude may have
  f32 step;
  u32 planeX, planeY;   // where it lies in the plane of its component
} Band;

typedef struct {
  Area area;
  u32 bandCount;
  Band bands[3];
  u32 precinctWidthLog, precinctHeightLog;
  u32 precinctColumns, precinctRows;
  Precinct *precincts;
} Resolution;

typedef struct {
  Area area;
  u32 levels;
  Resolution *resolutions; // levels + 1 of them, the smallest first
  i32 *plane;              // samples, first those of the bands; f32 where the wavelet is not reversible
} TileComponent;

typedef struct {
  Area area;
  const TileRules *rules;
  u32 componentCount;
  TileComponent components[componentsMax];
} Tile;

INLINE u32 widthOf(const Area *a) { return a->x1 - a->x0; }
INLINE u32 heightOf(const Area *a) { return a->y1 - a->y0; }
/** v / 2^n rounded up or down, for n beyond the width of a word as well. */
INLINE u32 shiftUp(u32 v, u32 n) { return n > 31 ? v > 0 : (u32)(((u64)v + ((u64)1 << n) - 1) >> n); }
INLINE u32 shiftDown(u32 v, u32 n) { return n > 31 ? 0 : v >> n; }

/** j2k-header.c */
i32 readHeader(const u8 *at, const u8 *end, Header *header, const u8 **behind);
i32 readTileHeader(const u8 *at, const u8 *end, const Header *header, TileRules *rules, const u8 **behind);
/** j2k-tile.c */
i32 buildTile(Tile *tile, const Header *header, const TileRules *rules, u32 number, Arena *arena);
/** j2k-packets.c */
typedef struct {
  const u8 *at;
  const u8 *end;
} PacketSource;
i32 readPackets(Tile *tile, PacketSource *sources, u32 sourceCount, Arena *arena);
/** j2k-block-decode.c */
i32 decodeBlock(const Block *block, const Band *band, u32 style, u32 roiShift, void *plane, u32 stride, u32 isReversible);
/** j2k-ht-decode.c: a high-throughput block, its samples row after row. */
i32 decodeQuads(const Block *block, const Band *band, u32 style, const u8 *first, u32 firstSize, const u8 *second, u32 secondSize, u32 passes,
                const u32 **out);
/** j2k-ht-encode.c: one cleanup pass; answers its size, 0 where there is nothing, or a status. */
i32 encodeQuads(const Block *block, const Band *band, const i32 *plane, u32 stride, u32 *planes, u8 *out, u32 room);
/** j2k-block-encode.c: all passes of a block; tells how many planes they are of, and answers the bytes written, or a status. */
i32 encodeBlock(const Block *block, const Band *band, const i32 *plane, u32 stride, u32 *planes, u8 *out, u32 room);
/** j2k-wavelet.c */
i32 synthesize(const TileComponent *component, u32 isReversible, Arena arena);
i32 analyze(const TileComponent *component, Arena arena);

#endif
