// Owns: encoding an image without loss as one tile: level shift, reversible colour transform, 5/3 wavelet, blocks of 64 x 64, one layer, resolution after resolution.
//
// The host gives room for the stream; when it does not fit, the status says so and nothing of it counts.
#include "j2k.h"

/** What the host tells; words in this order. */
typedef struct {
  u32 columns;
  u32 rows;
  u32 components;
  u32 precision;
  u32 isSigned;
  u32 hasTransform;
  u32 isHighThroughput;
} Image;

static Image image;
static Header header;

EXPORT("encodeImage") Image *encodeImage(void) { return &image; }

typedef struct {
  u8 *at;
  u8 *end;
  u32 isFull;
} Output;

static void put8(Output *o, u32 value) {
  if (o->at < o->end) *o->at++ = (u8)value;
  else o->isFull = 1;
}
static void put16(Output *o, u32 value) {
  put8(o, value >> 8);
  put8(o, value);
}
static void put32(Output *o, u32 value) {
  put16(o, value >> 16);
  put16(o, value);
}

enum { levelsUsual = 5, guardBits = 2, blockLog = 6, orderRpcl = 2, smallestMax = 64 };

/** The usual number, or as many more as bring the smallest picture down to 64 x 64 (DICOM asks for it where resolutions come one after the other). */
static u32 levelsOf(void) {
  u32 levels = 0;
  u32 shorter = minOfU(image.columns, image.rows);
  u32 longer = image.columns > image.rows ? image.columns : image.rows;
  while (levels < levelsUsual && shorter >> (levels + 1) > 0) levels++;
  while (longer >> levels > smallestMax) levels++;
  return levels;
}

static void planHeader(void) {
  fillBytes(&header, 0, sizeof header);
  header.image = (Area){0, 0, image.columns, image.rows};
  header.tileWidth = image.columns;
  header.tileHeight = image.rows;
  header.tileColumns = header.tileRows = 1;
  header.componentCount = image.components;
  header.rules.layers = 1;
  header.rules.order = orderRpcl;
  header.rules.transform = image.hasTransform;
  for (u32 c = 0; c < image.components; c++) {
    header.precision[c] = image.precision;
    CodingStyle *style = &header.rules.coding[c];
    style->levels = levelsOf();
    style->blockWidthLog = style->blockHeightLog = blockLog;
    style->isReversible = 1;
    style->style = image.isHighThroughput ? styleHighThroughput : 0;
    fillBytes(style->precinctWidthLog, 15, sizeof style->precinctWidthLog);
    fillBytes(style->precinctHeightLog, 15, sizeof style->precinctHeightLog);
    Quantization *q = &header.rules.quantization[c];
    q->guardBits = guardBits;
    q->count = 3 * style->levels + 1;
    // A band's samples may be twice or four times as large as the image's; the guard bits hold what the colour transform adds.
    for (u32 band = 0; band < q->count; band++) {
      u32 gain = band == 0 ? 0 : band % 3 == 0 ? 2 : 1;
      q->steps[band] = (u16)((image.precision + gain) << 11);
    }
  }
}

static void putHeader(Output *o) {
  const CodingStyle *style = &header.rules.coding[0];
  const Quantization *q = &header.rules.quantization[0];
  put16(o, 0xff4f);
  put16(o, 0xff51);
  put16(o, 38 + 3 * image.components);
  put16(o, image.isHighThroughput ? 0x4000 : 0);
  put32(o, image.columns);
  put32(o, image.rows);
  put32(o, 0);
  put32(o, 0);
  put32(o, image.columns);
  put32(o, image.rows);
  put32(o, 0);
  put32(o, 0);
  put16(o, image.components);
  for (u32 c = 0; c < image.components; c++) {
    put8(o, (image.precision - 1) | (image.isSigned ? 0x80 : 0));
    put16(o, 0x0101);
  }
  if (image.isHighThroughput) {
    // Part 15: only such blocks, one set of passes each, no region of interest, and how many planes there may be (T.814, A.3).
    u32 planes = image.precision + 2 + guardBits - 1;
    put16(o, 0xff50);
    put16(o, 8);
    put32(o, 1u << (32 - 15));
    put16(o, planes <= 8 ? 0 : planes < 28 ? planes - 8 : 13 + planes / 4);
  }
  put16(o, 0xff52);
  put16(o, 12);
  put8(o, 0);
  put8(o, orderRpcl);
  put16(o, 1);
  put8(o, image.hasTransform);
  put8(o, style->levels);
  put8(o, blockLog - 2);
  put8(o, blockLog - 2);
  put8(o, style->style);
  put8(o, 1);
  put16(o, 0xff5c);
  put16(o, 3 + q->count);
  put8(o, guardBits << 5);
  for (u32 band = 0; band < q->count; band++) put8(o, (u32)q->steps[band] >> 11 << 3);
}

INLINE i32 loadSample(const u8 *samples, u32 place) {
  u32 bytes = image.precision <= 8 ? 1 : image.precision <= 16 ? 2 : 4;
  if (bytes == 1) return image.isSigned ? (i8)samples[place] : samples[place];
  if (bytes == 2) return image.isSigned ? ((const i16 *)samples)[place] : ((const u16 *)samples)[place];
  return ((const i32 *)samples)[place];
}

static void loadPlanes(const Tile *tile, const u8 *samples) {
  u32 count = image.columns * image.rows;
  i32 shift = image.isSigned ? 0 : 1 << (image.precision - 1);
  for (u32 c = 0; c < image.components; c++) {
    i32 *plane = tile->components[c].plane;
    for (u32 k = 0; k < count; k++) plane[k] = loadSample(samples, k * image.components + c) - shift;
  }
  if (!image.hasTransform) return;
  i32 *a = tile->components[0].plane;
  i32 *b = tile->components[1].plane;
  i32 *d = tile->components[2].plane;
  for (u32 k = 0; k < count; k++) {
    i32 red = a[k];
    i32 green = b[k];
    i32 blue = d[k];
    a[k] = (red + 2 * green + blue) >> 2;
    b[k] = blue - green;
    d[k] = red - green;
  }
}

/** Bits of a packet header: after a byte FF comes one of seven bits. */
typedef struct {
  Output *out;
  u32 byte;
  u32 left;
} HeadWriter;

static void putBit(HeadWriter *w, u32 bit) {
  w->left--;
  w->byte |= bit << w->left;
  if (w->left > 0) return;
  put8(w->out, w->byte);
  w->left = w->byte == 0xff ? 7 : 8;
  w->byte = 0;
}
static void putBits(HeadWriter *w, u32 value, u32 count) {
  while (count-- > 0) putBit(w, value >> count & 1);
}
/** A byte FF that was just written is never the last: then no bit of the next is written, but it is begun. */
static void endHead(HeadWriter *w) {
  if (w->left < 8) put8(w->out, w->byte);
}

/** Leaves hold their values; every node above gets the least of those below it. */
static void settleTree(TagTree *tree) {
  TreeNode *level = tree->nodes;
  for (u32 w = tree->width, h = tree->height; w * h > 1;) {
    u32 upperWidth = (w + 1) / 2;
    u32 upperHeight = (h + 1) / 2;
    TreeNode *upper = level + w * h;
    for (u32 k = 0; k < upperWidth * upperHeight; k++) upper[k].value = ~0u;
    for (u32 row = 0; row < h; row++) {
      for (u32 column = 0; column < w; column++) {
        TreeNode *node = &upper[row / 2 * upperWidth + column / 2];
        node->value = minOfU(node->value, level[row * w + column].value);
      }
    }
    level = upper;
    w = upperWidth;
    h = upperHeight;
  }
}

/** Says whether the leaf's value is below the threshold, as far as it was not said before. */
static void sayBelow(HeadWriter *out, TagTree *tree, u32 column, u32 row, u32 threshold) {
  TreeNode *path[17];
  u32 depth = 0;
  TreeNode *level = tree->nodes;
  for (u32 w = tree->width, h = tree->height;; w = (w + 1) / 2, h = (h + 1) / 2) {
    path[depth++] = level + row * w + column;
    if (w * h <= 1) break;
    level += w * h;
    column >>= 1;
    row >>= 1;
  }
  u32 low = 0;
  while (depth-- > 0) {
    TreeNode *node = path[depth];
    if (node->low < low) node->low = low;
    for (; node->low < threshold && !node->isKnown; ) {
      if (node->value > node->low) {
        putBit(out, 0);
        node->low++;
      } else {
        putBit(out, 1);
        node->isKnown = 1;
      }
    }
    low = node->low;
  }
}

static void sayPasses(HeadWriter *out, u32 passes) {
  if (passes == 1) putBit(out, 0);
  else if (passes == 2) putBits(out, 2, 2);
  else if (passes <= 5) putBits(out, 12 | (passes - 3), 4);
  else if (passes <= 36) putBits(out, 0x1e0 | (passes - 6), 9);
  else putBits(out, 0xff80 | (passes - 37), 16);
}

static void putPacket(Output *o, const Resolution *r, Precinct *precinct) {
  HeadWriter head = {.out = o, .byte = 0, .left = 8};
  putBit(&head, 1);
  for (u32 b = 0; b < r->bandCount; b++) {
    PrecinctBand *pb = &precinct->bands[b];
    u32 count = pb->columns * pb->rows;
    if (count == 0) continue;
    for (u32 k = 0; k < count; k++) {
      pb->inclusion.nodes[k].value = pb->blocks[k].first == 0;
      pb->zeroPlanes.nodes[k].value = r->bands[b].planes - pb->blocks[k].planes;
    }
    settleTree(&pb->inclusion);
    settleTree(&pb->zeroPlanes);
    for (u32 k = 0; k < count; k++) {
      const Block *block = &pb->blocks[k];
      u32 column = k % pb->columns;
      u32 row = k / pb->columns;
      sayBelow(&head, &pb->inclusion, column, row, 1);
      if (block->first == 0) continue;
      sayBelow(&head, &pb->zeroPlanes, column, row, r->bands[b].planes - block->planes + 1);
      u32 passes = block->first->passes;
      sayPasses(&head, passes);
      u32 given = 3 + bitLength(passes) - 1;
      u32 wanted = bitLength(block->first->size);
      for (; given < wanted; given++) putBit(&head, 1);
      putBit(&head, 0);
      putBits(&head, block->first->size, given);
    }
  }
  endHead(&head);
  for (u32 b = 0; b < r->bandCount; b++) {
    PrecinctBand *pb = &precinct->bands[b];
    for (u32 k = 0; k < pb->columns * pb->rows; k++) {
      const Piece *piece = pb->blocks[k].first;
      if (piece == 0) continue;
      if ((u32)(o->end - o->at) < piece->size) {
        o->isFull = 1;
        return;
      }
      copyBytes(o->at, piece->data, piece->size);
      o->at += piece->size;
    }
  }
}

/** All blocks of a component, their bytes in the arena. */
static i32 encodeBlocks(TileComponent *component, Arena *arena) {
  for (u32 level = 0; level <= component->levels; level++) {
    Resolution *r = &component->resolutions[level];
    for (u32 place = 0; place < r->precinctColumns * r->precinctRows; place++) {
      for (u32 b = 0; b < r->bandCount; b++) {
        PrecinctBand *pb = &r->precincts[place].bands[b];
        for (u32 k = 0; k < pb->columns * pb->rows; k++) {
          Block *block = &pb->blocks[k];
          Piece *piece = take(arena, sizeof(Piece));
          if (piece == 0) return statusArenaFull;
          u32 planes;
          u32 room = (u32)(arena->end - arena->at);
          u32 stride = widthOf(&component->area);
          i32 size = image.isHighThroughput ? encodeQuads(block, &r->bands[b], component->plane, stride, &planes, arena->at, room)
                                            : encodeBlock(block, &r->bands[b], component->plane, stride, &planes, arena->at, room);
          if (size < 0) return size;
          if (planes > r->bands[b].planes || planes > planesMax) return statusUnsupported;
          if (planes == 0) continue;
          *piece = (Piece){.data = arena->at, .size = (u32)size, .passes = 3 * planes - 2, .beginsSegment = 1, .next = 0};
          block->first = piece;
          block->planes = (u8)planes;
          arena->at += size;
        }
      }
    }
  }
  return statusOk;
}

/** Writes the codestream; answers its size, or a status. Statuses of the two rooms are alike: the host gives more of both. */
EXPORT("encodeStream") i32 encodeStream(const u8 *samples, u8 *out, u32 outSize, u8 *room, u32 roomSize) {
  Arena arena = {.at = room, .end = room + roomSize};
  Output o = {.at = out, .end = out + outSize, .isFull = 0};
  planHeader();
  static Tile tile;
  i32 status = buildTile(&tile, &header, &header.rules, 0, &arena);
  if (status != statusOk) return status;
  loadPlanes(&tile, samples);
  for (u32 c = 0; c < image.components; c++) {
    status = analyze(&tile.components[c], arena);
    if (status == statusOk) status = encodeBlocks(&tile.components[c], &arena);
    if (status != statusOk) return status;
  }
  putHeader(&o);
  // Where the tile-part's size is said once more, in the main header (TLM).
  put16(&o, 0xff55);
  put16(&o, 8);
  put8(&o, 0);
  put8(&o, 0x40);
  u8 *length = o.at;
  put32(&o, 0);
  u8 *tilePart = o.at;
  put16(&o, 0xff90);
  put16(&o, 10);
  put16(&o, 0);
  put32(&o, 0); // its size, known at the end
  put16(&o, 0x0001);
  put16(&o, 0xff93);
  for (u32 level = 0; level <= header.rules.coding[0].levels; level++) {
    const Resolution *any = &tile.components[0].resolutions[level];
    for (u32 place = 0; place < any->precinctColumns * any->precinctRows; place++) {
      for (u32 c = 0; c < image.components; c++) {
        Resolution *r = &tile.components[c].resolutions[level];
        putPacket(&o, r, &r->precincts[place]);
      }
    }
  }
  if (!o.isFull) {
    Output said = {.at = length, .end = o.end, .isFull = 0};
    put32(&said, (u32)(o.at - tilePart));
    said.at = tilePart + 6;
    put32(&said, (u32)(o.at - tilePart));
  }
  put16(&o, 0xffd9);
  return o.isFull ? statusArenaFull : (i32)(o.at - out);
}
