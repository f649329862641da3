// Owns: the packets of a tile: in which order they come, what their headers say of each block, and where the bytes of each block lie (T.800, annex B.9 to B.12).
//
// Every packet that the header promises must be there: a codestream that ends early is told, not shown with less. Bytes are not copied here.
#include "j2k.h"

/** Bits of a packet header: after a byte FF comes one of seven bits. */
typedef struct {
  const u8 *at;
  const u8 *end;
  u32 byte;
  u32 left;
  u32 isShort;
} HeaderBits;

static u32 takeBit(HeaderBits *r) {
  if (r->left == 0) {
    r->left = r->byte == 0xff ? 7 : 8;
    if (r->at < r->end) r->byte = *r->at++;
    else {
      r->byte = 0;
      r->isShort = 1;
    }
  }
  r->left--;
  return r->byte >> r->left & 1;
}

static u32 takeBits(HeaderBits *r, u32 count) {
  u32 v = 0;
  while (count-- > 0) v = v << 1 | takeBit(r);
  return v;
}

/** Whether the leaf's value is below `threshold`, reading only what is not known yet (T.800, B.10.2). */
static u32 isBelow(HeaderBits *r, TagTree *tree, u32 column, u32 row, u32 threshold) {
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
    while (node->low < threshold && !node->isKnown) {
      if (takeBit(r)) {
        node->value = node->low;
        node->isKnown = 1;
      } else {
        node->low++;
        if (r->isShort) return 0;
      }
    }
    low = node->low;
  }
  return path[0]->isKnown && path[0]->value < threshold;
}

static u32 takePasses(HeaderBits *r) {
  if (!takeBit(r)) return 1;
  if (!takeBit(r)) return 2;
  u32 v = takeBits(r, 2);
  if (v < 3) return 3 + v;
  v = takeBits(r, 5);
  if (v < 31) return 6 + v;
  return 37 + takeBits(r, 7);
}

/** How many passes the next codeword segment of a block may hold (T.800, D.4 and D.6). */
static void openSegment(Block *block, u32 style) {
  if (style & styleTerminate) block->segmentPassesMax = 1;
  else if (style & styleBypass) {
    u32 isFirst = block->segmentPassesMax == 0;
    // Ten passes, then raw significance and refinement, then a cleanup, and so on.
    if (isFirst) block->segmentPassesMax = 10;
    else block->segmentPassesMax = block->segmentPassesMax == 2 ? 1 : 2;
  } else block->segmentPassesMax = 109;
  block->segmentPasses = 0;
}

static i32 addPiece(Block *block, u32 size, u32 passes, u32 beginsSegment, Arena *arena) {
  Piece *piece = take(arena, sizeof(Piece));
  if (piece == 0) return statusArenaFull;
  *piece = (Piece){.data = 0, .size = size, .passes = passes, .beginsSegment = beginsSegment, .next = 0};
  if (block->last == 0) block->first = piece;
  else block->last->next = piece;
  block->last = piece;
  if (block->pending == 0) block->pending = piece;
  return statusOk;
}

/**
 * Sizes of a high-throughput block: its cleanup pass is one segment, the two that may follow are another. Passes in threes before them are placeholders
 * for planes that are not coded (T.814, annex B).
 */
static i32 readQuadSizes(HeaderBits *r, Block *block, u32 passes, Arena *arena) {
  u32 said = block->segmentPassesMax;
  if (said == 0) {
    u32 groups = (passes - 1) / 3;
    if (groups >= block->planes) return statusMalformed;
    block->planes = (u8)(block->planes - groups);
    passes -= 3 * groups;
    u32 size = takeBits(r, block->lengthBits + bitLength(3 * groups + 1) - 1);
    if (r->isShort) return statusShort;
    if (size < 2) return statusMalformed;
    i32 status = addPiece(block, size, 1, 1, arena);
    if (status != statusOk) return status;
    said = 1;
    passes--;
  }
  // More than one set of three passes in one block is in no stream that anyone has seen.
  if (said + passes > 3) return statusUnsupported;
  if (passes > 0) {
    u32 size = takeBits(r, block->lengthBits + passes - 1);
    if (r->isShort) return statusShort;
    i32 status = addPiece(block, size, passes, said == 1, arena);
    if (status != statusOk) return status;
  }
  block->segmentPassesMax = (u8)(said + passes);
  return statusOk;
}

static i32 readBlockHead(HeaderBits *r, PrecinctBand *pb, u32 place, const Band *band, u32 layer, const CodingStyle *style, u32 roiShift, Arena *arena) {
  Block *block = &pb->blocks[place];
  u32 column = place % pb->columns;
  u32 row = place / pb->columns;
  block->pending = 0;
  u32 isHere = block->isIncluded ? takeBit(r) : isBelow(r, &pb->inclusion, column, row, layer + 1);
  if (!isHere) return statusOk;
  if (!block->isIncluded) {
    u32 zeros = 0;
    u32 most = band->planes + roiShift;
    while (!isBelow(r, &pb->zeroPlanes, column, row, zeros + 1)) {
      zeros++;
      if (zeros > most || r->isShort) return r->isShort ? statusShort : statusMalformed;
    }
    if (most - zeros > planesMax) return statusUnsupported;
    block->planes = (u8)(most - zeros);
    block->lengthBits = 3;
    block->isIncluded = 1;
    block->segmentPassesMax = 0;
  }
  u32 passes = takePasses(r);
  u32 isQuads = style->style & styleHighThroughput;
  if (block->planes == 0) return r->isShort ? statusShort : statusMalformed;
  if (!isQuads && block->passes + passes > 3 * (u32)block->planes - 2) return r->isShort ? statusShort : statusMalformed;
  while (takeBit(r)) {
    if (++block->lengthBits > 24 || r->isShort) return statusMalformed;
  }
  if (isQuads) return readQuadSizes(r, block, passes, arena);
  block->passes = (u8)(block->passes + passes);
  while (passes > 0) {
    u32 begins = block->segmentPassesMax == 0 || block->segmentPasses == block->segmentPassesMax;
    if (begins) openSegment(block, style->style);
    u32 here = minOfU(passes, (u32)block->segmentPassesMax - block->segmentPasses);
    u32 bits = block->lengthBits + bitLength(here) - 1;
    u32 size = takeBits(r, bits);
    if (r->isShort) return statusShort;
    i32 status = addPiece(block, size, here, begins, arena);
    if (status != statusOk) return status;
    block->segmentPasses = (u8)(block->segmentPasses + here);
    passes -= here;
  }
  return statusOk;
}

static i32 readPacket(u32 c, Resolution *resolution, Precinct *precinct, u32 layer, const TileRules *rules, PacketSource *source, Arena *arena) {
  // Marker segments around headers are found by themselves: an encoder that promises them may leave them out.
  const u8 *at = source->at;
  if (source->end - at >= 6 && at[0] == 0xff && at[1] == 0x91) at += 6;
  HeaderBits r = {.at = at, .end = source->end, .byte = 0, .left = 0, .isShort = 0};
  u32 isEmpty = !takeBit(&r);
  for (u32 b = 0; b < resolution->bandCount && !isEmpty; b++) {
    PrecinctBand *pb = &precinct->bands[b];
    for (u32 place = 0; place < pb->columns * pb->rows; place++) {
      i32 status = readBlockHead(&r, pb, place, &resolution->bands[b], layer, &rules->coding[c], rules->roiShift[c], arena);
      if (status != statusOk) return status;
    }
  }
  if (r.isShort) return statusShort;
  // A header never ends in FF: a byte of padding would follow.
  if (r.byte == 0xff && r.at < r.end) r.at++;
  at = r.at;
  if (source->end - at >= 2 && at[0] == 0xff && at[1] == 0x92) at += 2;
  for (u32 b = 0; b < resolution->bandCount && !isEmpty; b++) {
    PrecinctBand *pb = &precinct->bands[b];
    for (u32 place = 0; place < pb->columns * pb->rows; place++) {
      for (Piece *piece = pb->blocks[place].pending; piece != 0; piece = piece->next) {
        if ((u32)(source->end - at) < piece->size) return statusShort;
        piece->data = at;
        at += piece->size;
      }
    }
  }
  source->at = at;
  return statusOk;
}

typedef struct {
  Tile *tile;
  PacketSource *sources;
  u32 sourceCount;
  u32 source;
  Arena *arena;
} Reading;

/** The packet of one layer of one precinct, unless an earlier progression brought it. */
static i32 visit(Reading *s, u32 c, u32 level, u32 place, u32 layer) {
  Resolution *resolution = &s->tile->components[c].resolutions[level];
  Precinct *precinct = &resolution->precincts[place];
  if (layer < precinct->layersDone) return statusOk;
  if (layer > precinct->layersDone) return statusMalformed;
  while (s->source < s->sourceCount && s->sources[s->source].at >= s->sources[s->source].end) s->source++;
  if (s->source == s->sourceCount) return statusShort;
  precinct->layersDone++;
  return readPacket(c, resolution, precinct, layer, s->tile->rules, &s->sources[s->source], s->arena);
}

static i32 visitLayers(Reading *s, u32 c, u32 level, u32 place, u32 endLayer) {
  for (u32 layer = s->tile->components[c].resolutions[level].precincts[place].layersDone; layer < endLayer; layer++) {
    i32 status = visit(s, c, level, place, layer);
    if (status != statusOk) return status;
  }
  return statusOk;
}

static i32 visitPrecincts(Reading *s, u32 c, u32 level, u32 layer) {
  if (level > s->tile->components[c].levels) return statusOk;
  const Resolution *resolution = &s->tile->components[c].resolutions[level];
  u32 count = resolution->precinctColumns * resolution->precinctRows;
  for (u32 place = 0; place < count; place++) {
    i32 status = visit(s, c, level, place, layer);
    if (status != statusOk) return status;
  }
  return statusOk;
}

typedef struct {
  u32 firstLevel, endLevel, firstComponent, endComponent, endLayer, order;
} Volume;

static i32 readLayersFirst(Reading *s, const Volume *v) {
  for (u32 layer = 0; layer < v->endLayer; layer++) {
    for (u32 level = v->firstLevel; level < v->endLevel; level++) {
      for (u32 c = v->firstComponent; c < v->endComponent; c++) {
        i32 status = visitPrecincts(s, c, level, layer);
        if (status != statusOk) return status;
      }
    }
  }
  return statusOk;
}

static i32 readLevelsFirst(Reading *s, const Volume *v) {
  for (u32 level = v->firstLevel; level < v->endLevel; level++) {
    for (u32 layer = 0; layer < v->endLayer; layer++) {
      for (u32 c = v->firstComponent; c < v->endComponent; c++) {
        i32 status = visitPrecincts(s, c, level, layer);
        if (status != statusOk) return status;
      }
    }
  }
  return statusOk;
}

/** log2 of how far precincts of a resolution lie apart, on the grid of the image. */
INLINE u32 stepLogX(const TileComponent *component, u32 level) {
  return component->resolutions[level].precinctWidthLog + component->levels - level;
}
INLINE u32 stepLogY(const TileComponent *component, u32 level) {
  return component->resolutions[level].precinctHeightLog + component->levels - level;
}

INLINE u32 nextAfter(u32 v, u32 log, u32 end) {
  u64 next = log > 31 ? end : (((u64)(v >> log)) + 1) << log;
  return next > end ? end : (u32)next;
}

/** Whether a precinct of this resolution begins at this place of the image (T.800, B.12.1.3). */
INLINE u32 beginsAt(u32 v, u32 tileStart, u32 resolutionStart, u32 log, u32 down) {
  if (log <= 31 && (v & ((1u << log) - 1)) == 0) return 1;
  if (v != tileStart) return 0;
  // The first precinct is cut by the tile's edge.
  u32 own = log - down;
  return (resolutionStart & ((1u << own) - 1)) != 0 || log > 31;
}

static i32 visitPlace(Reading *s, const Volume *v, u32 c, u32 level, u32 x, u32 y) {
  const TileComponent *component = &s->tile->components[c];
  if (level > component->levels) return statusOk;
  const Resolution *r = &component->resolutions[level];
  if (r->precinctColumns == 0 || r->precinctRows == 0) return statusOk;
  u32 down = component->levels - level;
  const Area *area = &s->tile->area;
  if (!beginsAt(y, area->y0, r->area.y0, stepLogY(component, level), down)) return statusOk;
  if (!beginsAt(x, area->x0, r->area.x0, stepLogX(component, level), down)) return statusOk;
  u32 column = (shiftUp(x, down) >> r->precinctWidthLog) - (r->area.x0 >> r->precinctWidthLog);
  u32 row = (shiftUp(y, down) >> r->precinctHeightLog) - (r->area.y0 >> r->precinctHeightLog);
  if (column >= r->precinctColumns || row >= r->precinctRows) return statusOk;
  return visitLayers(s, c, level, row * r->precinctColumns + column, v->endLayer);
}

/** Steps of the grid on which all precincts of these components and levels begin. */
static void gridSteps(const Tile *tile, u32 firstC, u32 endC, u32 firstLevel, u32 endLevel, u32 *logX, u32 *logY) {
  *logX = *logY = 63;
  for (u32 c = firstC; c < endC; c++) {
    const TileComponent *component = &tile->components[c];
    for (u32 level = firstLevel; level < endLevel && level <= component->levels; level++) {
      *logX = minOfU(*logX, stepLogX(component, level));
      *logY = minOfU(*logY, stepLogY(component, level));
    }
  }
}

/** The three orders by place: level outside of place (RPCL), component inside it (PCRL), or component outside of it (CPRL). */
static i32 readByPlace(Reading *s, const Volume *v) {
  const Area *area = &s->tile->area;
  u32 rounds = v->order == 2 ? v->endLevel - v->firstLevel : v->order == 4 ? v->endComponent - v->firstComponent : 1;
  for (u32 round = 0; round < rounds; round++) {
    u32 firstLevel = v->order == 2 ? v->firstLevel + round : v->firstLevel;
    u32 endLevel = v->order == 2 ? firstLevel + 1 : v->endLevel;
    u32 firstC = v->order == 4 ? v->firstComponent + round : v->firstComponent;
    u32 endC = v->order == 4 ? firstC + 1 : v->endComponent;
    u32 logX, logY;
    gridSteps(s->tile, firstC, endC, firstLevel, endLevel, &logX, &logY);
    for (u32 y = area->y0; y < area->y1; y = nextAfter(y, logY, area->y1)) {
      for (u32 x = area->x0; x < area->x1; x = nextAfter(x, logX, area->x1)) {
        for (u32 c = firstC; c < endC; c++) {
          for (u32 level = firstLevel; level < endLevel; level++) {
            i32 status = visitPlace(s, v, c, level, x, y);
            if (status != statusOk) return status;
          }
        }
      }
    }
  }
  return statusOk;
}

static i32 readVolume(Reading *s, Volume v) {
  if (v.firstLevel >= v.endLevel || v.firstComponent >= v.endComponent) return statusOk;
  switch (v.order) {
    case 0: return readLayersFirst(s, &v);
    case 1: return readLevelsFirst(s, &v);
    default: return readByPlace(s, &v);
  }
}

static i32 hasEverything(const Tile *tile) {
  for (u32 c = 0; c < tile->componentCount; c++) {
    const TileComponent *component = &tile->components[c];
    for (u32 level = 0; level <= component->levels; level++) {
      const Resolution *r = &component->resolutions[level];
      for (u32 place = 0; place < r->precinctColumns * r->precinctRows; place++) {
        if (r->precincts[place].layersDone < tile->rules->layers) return statusShort;
      }
    }
  }
  return statusOk;
}

i32 readPackets(Tile *tile, PacketSource *sources, u32 sourceCount, Arena *arena) {
  Reading s = {.tile = tile, .sources = sources, .sourceCount = sourceCount, .source = 0, .arena = arena};
  const TileRules *rules = tile->rules;
  u32 levels = 0;
  for (u32 c = 0; c < tile->componentCount; c++) levels = tile->components[c].levels > levels ? tile->components[c].levels : levels;
  if (rules->changeCount == 0) {
    i32 status = readVolume(&s, (Volume){0, levels + 1, 0, tile->componentCount, rules->layers, rules->order});
    if (status != statusOk) return status;
  }
  for (u32 k = 0; k < rules->changeCount; k++) {
    const ProgressionChange *change = &rules->changes[k];
    Volume v = {change->firstLevel, minOfU(change->endLevel, levels + 1), change->firstComponent,
                minOfU(change->endComponent, tile->componentCount), minOfU(change->endLayer, rules->layers), change->order};
    i32 status = readVolume(&s, v);
    if (status != statusOk) return status;
  }
  return hasEverything(tile);
}
