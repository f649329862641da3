// Owns: the parts of a tile and where they lie: components, resolutions, bands, precincts, blocks (T.800, annex B).
#include "j2k.h"

static i32 buildTree(TagTree *tree, u32 width, u32 height, Arena *arena) {
  tree->width = width;
  tree->height = height;
  u32 count = 0;
  for (u32 w = width, h = height;; w = (w + 1) / 2, h = (h + 1) / 2) {
    count += w * h;
    if (w * h <= 1) break;
  }
  tree->nodes = takeZeros(arena, count * sizeof(TreeNode));
  return tree->nodes == 0 ? statusArenaFull : statusOk;
}

INLINE Area meet(Area a, Area b) {
  Area c = {a.x0 > b.x0 ? a.x0 : b.x0, a.y0 > b.y0 ? a.y0 : b.y0, minOfU(a.x1, b.x1), minOfU(a.y1, b.y1)};
  if (c.x1 < c.x0) c.x1 = c.x0;
  if (c.y1 < c.y0) c.y1 = c.y0;
  return c;
}

/** The blocks of one precinct in one band. `reach` is the precinct in the coordinates of the band. */
static i32 buildBlocks(PrecinctBand *out, const Band *band, Area reach, u32 widthLog, u32 heightLog, Arena *arena) {
  Area area = meet(reach, band->area);
  if (widthOf(&area) == 0 || heightOf(&area) == 0) return statusOk;
  u32 left = area.x0 >> widthLog;
  u32 top = area.y0 >> heightLog;
  out->columns = shiftUp(area.x1, widthLog) - left;
  out->rows = shiftUp(area.y1, heightLog) - top;
  u64 count = (u64)out->columns * out->rows;
  if (count > 1u << 26) return statusArenaFull;
  out->blocks = takeZeros(arena, (u32)count * sizeof(Block));
  if (out->blocks == 0) return statusArenaFull;
  Block *block = out->blocks;
  for (u32 row = 0; row < out->rows; row++) {
    for (u32 column = 0; column < out->columns; column++, block++) {
      u32 x = (left + column) << widthLog;
      u32 y = (top + row) << heightLog;
      Area own = meet((Area){x, y, x + (1u << widthLog), y + (1u << heightLog)}, area);
      // Planes are at most 65,535 samples wide and high, which the caller has checked.
      block->x = (u16)(own.x0 - band->area.x0);
      block->y = (u16)(own.y0 - band->area.y0);
      block->width = (u16)widthOf(&own);
      block->height = (u16)heightOf(&own);
    }
  }
  i32 status = buildTree(&out->inclusion, out->columns, out->rows, arena);
  return status == statusOk ? buildTree(&out->zeroPlanes, out->columns, out->rows, arena) : status;
}

static i32 buildPrecincts(Resolution *r, const CodingStyle *style, u32 level, Arena *arena) {
  u32 widthLog = r->precinctWidthLog;
  u32 heightLog = r->precinctHeightLog;
  u32 left = r->area.x0 >> widthLog;
  u32 top = r->area.y0 >> heightLog;
  u32 isEmpty = widthOf(&r->area) == 0 || heightOf(&r->area) == 0;
  r->precinctColumns = isEmpty ? 0 : shiftUp(r->area.x1, widthLog) - left;
  r->precinctRows = isEmpty ? 0 : shiftUp(r->area.y1, heightLog) - top;
  u64 count = (u64)r->precinctColumns * r->precinctRows;
  if (count > 1u << 24) return statusArenaFull;
  if (count == 0) return statusOk;
  r->precincts = takeZeros(arena, (u32)count * sizeof(Precinct));
  if (r->precincts == 0) return statusArenaFull;
  // Above the smallest resolution a precinct covers half its size in each of three bands.
  u32 halved = level > 0;
  u32 reachWidthLog = widthLog - halved;
  u32 reachHeightLog = heightLog - halved;
  u32 blockWidthLog = minOfU(style->blockWidthLog, reachWidthLog);
  u32 blockHeightLog = minOfU(style->blockHeightLog, reachHeightLog);
  Precinct *precinct = r->precincts;
  for (u32 row = 0; row < r->precinctRows; row++) {
    for (u32 column = 0; column < r->precinctColumns; column++, precinct++) {
      u32 x = (left + column) << reachWidthLog;
      u32 y = (top + row) << reachHeightLog;
      Area reach = {x, y, x + (1u << reachWidthLog), y + (1u << reachHeightLog)};
      for (u32 b = 0; b < r->bandCount; b++) {
        i32 status = buildBlocks(&precinct->bands[b], &r->bands[b], reach, blockWidthLog, blockHeightLog, arena);
        if (status != statusOk) return status;
      }
    }
  }
  return statusOk;
}

static f32 powerOfTwo(i32 exponent) {
  union { u32 bits; f32 value; } u = {.bits = (u32)(clampOf(exponent, -126, 127) + 127) << 23};
  return u.value;
}

/** Bit planes and step of a band from its exponent and mantissa (T.800, E.1). */
static void quantizeBand(Band *band, const Quantization *q, u32 place, u32 precision) {
  u32 given = q->style == 1 ? q->steps[0] : q->steps[minOfU(place, q->count - 1)];
  i32 exponent = (i32)(given >> 11);
  // Derived steps: one exponent less from level to level (equation E-5).
  if (q->style == 1 && place > 0) exponent = maxOf(0, exponent - (i32)(place - 1) / 3);
  u32 gain = band->orientation == 0 ? 0 : band->orientation == 3 ? 2 : 1;
  u32 mantissa = q->style == 0 ? 0 : given & 0x7ff;
  band->planes = (u32)maxOf(0, exponent + (i32)q->guardBits - 1);
  band->step = (1.0f + (f32)mantissa / 2048.0f) * powerOfTwo((i32)(precision + gain) - exponent);
}

static i32 buildComponent(TileComponent *component, const CodingStyle *style, const Quantization *q, u32 precision, Arena *arena) {
  u32 levels = style->levels;
  component->levels = levels;
  component->resolutions = takeZeros(arena, (levels + 1) * sizeof(Resolution));
  u64 size = (u64)widthOf(&component->area) * heightOf(&component->area) * 4;
  if (component->resolutions == 0 || size > 0x7fffffff) return statusArenaFull;
  component->plane = takeZeros(arena, (u32)size);
  if (component->plane == 0) return statusArenaFull;
  for (u32 level = 0; level <= levels; level++) {
    Resolution *r = &component->resolutions[level];
    u32 down = levels - level;
    r->area = (Area){shiftUp(component->area.x0, down), shiftUp(component->area.y0, down), shiftUp(component->area.x1, down),
                     shiftUp(component->area.y1, down)};
    r->precinctWidthLog = style->precinctWidthLog[level];
    r->precinctHeightLog = style->precinctHeightLog[level];
    r->bandCount = level == 0 ? 1 : 3;
    for (u32 b = 0; b < r->bandCount; b++) {
      Band *band = &r->bands[b];
      if (level == 0) band->area = r->area;
      else {
        band->orientation = b + 1;
        const Resolution *below = &component->resolutions[level - 1];
        u32 isRight = band->orientation & 1;
        u32 isLower = band->orientation >> 1;
        // A high band holds the odd places of the resolution, a low band the even ones.
        band->area.x0 = isRight ? r->area.x0 >> 1 : below->area.x0;
        band->area.x1 = isRight ? r->area.x1 >> 1 : below->area.x1;
        band->area.y0 = isLower ? r->area.y0 >> 1 : below->area.y0;
        band->area.y1 = isLower ? r->area.y1 >> 1 : below->area.y1;
        band->planeX = isRight ? widthOf(&below->area) : 0;
        band->planeY = isLower ? heightOf(&below->area) : 0;
      }
      quantizeBand(band, q, level == 0 ? 0 : 3 * (level - 1) + b + 1, precision);
    }
    i32 status = buildPrecincts(r, style, level, arena);
    if (status != statusOk) return status;
  }
  return statusOk;
}

i32 buildTile(Tile *tile, const Header *h, const TileRules *rules, u32 number, Arena *arena) {
  fillBytes(tile, 0, sizeof(Tile));
  u32 column = number % h->tileColumns;
  u32 row = number / h->tileColumns;
  u64 x = (u64)h->tileX + (u64)column * h->tileWidth;
  u64 y = (u64)h->tileY + (u64)row * h->tileHeight;
  u64 right = x + h->tileWidth;
  u64 bottom = y + h->tileHeight;
  tile->area = meet((Area){(u32)x, (u32)y, right > h->image.x1 ? h->image.x1 : (u32)right, bottom > h->image.y1 ? h->image.y1 : (u32)bottom}, h->image);
  tile->rules = rules;
  tile->componentCount = h->componentCount;
  for (u32 c = 0; c < h->componentCount; c++) {
    TileComponent *component = &tile->components[c];
    component->area = tile->area;
    i32 status = buildComponent(component, &rules->coding[c], &rules->quantization[c], h->precision[c], arena);
    if (status != statusOk) return status;
  }
  return statusOk;
}
