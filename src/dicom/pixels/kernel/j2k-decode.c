// Owns: decoding a codestream: which tile-parts belong to which tile, tile after tile into samples, colour transform, output.
//
// `openStream` reads the main header and tells the host what it says, before any memory is asked for; `decodeStream` then does it all. Samples come out side by
// side, one, two or four bytes each, signed ones in two's complement.
#include "j2k.h"

/** What the host is told; words in this order. */
typedef struct {
  u32 columns;
  u32 rows;
  u32 components;
  u32 precision;
  u32 isSigned;
} StreamFacts;

typedef struct TilePart TilePart;
struct TilePart {
  const u8 *at;   // behind its SOT segment
  const u8 *end;
  TilePart *next;
};
typedef struct {
  TilePart *first;
  TilePart *last;
  u32 count;
} TileParts;

static StreamFacts facts;
static Header header;
static const u8 *firstTilePart;
static const u8 *streamEnd;

EXPORT("streamFacts") StreamFacts *streamFacts(void) { return &facts; }

EXPORT("openStream") i32 openStream(const u8 *input, u32 size) {
  streamEnd = input + size;
  i32 status = readHeader(input, streamEnd, &header, &firstTilePart);
  if (status != statusOk) return status;
  for (u32 c = 1; c < header.componentCount; c++) {
    if (header.precision[c] != header.precision[0] || header.isSigned[c] != header.isSigned[0]) return statusUnsupported;
  }
  if (widthOf(&header.image) > 65535 || heightOf(&header.image) > 65535) return statusUnsupported;
  facts = (StreamFacts){
    .columns = widthOf(&header.image),
    .rows = heightOf(&header.image),
    .components = header.componentCount,
    .precision = header.precision[0],
    .isSigned = header.isSigned[0],
  };
  return statusOk;
}

/** Sorts all tile-parts by tile. A stream that ends within one, or lacks its EOC marker after the last, is left as it is here: its packets are counted later. */
static i32 sortTileParts(TileParts *tiles, u32 tileCount, Arena *arena) {
  const u8 *at = firstTilePart;
  for (;;) {
    // The end: EOC, nothing at all, or what encoders pad with.
    if (streamEnd - at < 12 || at[0] != 0xff || at[1] != 0x90) return statusOk;
    u32 tile = (u32)at[4] << 8 | at[5];
    u32 size = (u32)at[6] << 24 | (u32)at[7] << 16 | (u32)at[8] << 8 | at[9];
    u32 left = (u32)(streamEnd - at);
    if (at[2] != 0 || at[3] != 10 || tile >= tileCount || (size != 0 && size < 14)) return statusMalformed;
    if (size > left) return statusShort;
    TilePart *part = take(arena, sizeof(TilePart));
    if (part == 0) return statusArenaFull;
    // A size of nothing means up to the end of the stream (T.800, A.4.2), where EOC stands.
    const u8 *end = size == 0 ? streamEnd : at + size;
    if (size == 0 && left >= 14 && end[-2] == 0xff && end[-1] == 0xd9) end -= 2;
    *part = (TilePart){.at = at + 12, .end = end, .next = 0};
    TileParts *own = &tiles[tile];
    if (own->last == 0) own->first = part;
    else own->last->next = part;
    own->last = part;
    own->count++;
    if (size == 0) return statusOk;
    at += size;
  }
}

static i32 decodeBlocks(const TileComponent *component, const CodingStyle *style, u32 roiShift) {
  u32 stride = widthOf(&component->area);
  for (u32 level = 0; level <= component->levels; level++) {
    const Resolution *r = &component->resolutions[level];
    for (u32 place = 0; place < r->precinctColumns * r->precinctRows; place++) {
      for (u32 b = 0; b < r->bandCount; b++) {
        const PrecinctBand *pb = &r->precincts[place].bands[b];
        for (u32 k = 0; k < pb->columns * pb->rows; k++) {
          i32 status = decodeBlock(&pb->blocks[k], &r->bands[b], style->style, roiShift, component->plane, stride, style->isReversible);
          if (status != statusOk) return status;
        }
      }
    }
  }
  return statusOk;
}

/** Undoes the reversible or irreversible transform of the first three components (T.800, annex G). */
static void undoTransform(const Tile *tile, u32 isReversible) {
  u32 count = widthOf(&tile->area) * heightOf(&tile->area);
  if (isReversible) {
    i32 *a = tile->components[0].plane;
    i32 *b = tile->components[1].plane;
    i32 *c = tile->components[2].plane;
    for (u32 k = 0; k < count; k++) {
      i32 green = a[k] - ((b[k] + c[k]) >> 2);
      i32 red = c[k] + green;
      i32 blue = b[k] + green;
      a[k] = red;
      b[k] = green;
      c[k] = blue;
    }
    return;
  }
  f32 *a = (f32 *)tile->components[0].plane;
  f32 *b = (f32 *)tile->components[1].plane;
  f32 *c = (f32 *)tile->components[2].plane;
  for (u32 k = 0; k < count; k++) {
    f32 red = a[k] + 1.402f * c[k];
    f32 green = a[k] - 0.344136f * b[k] - 0.714136f * c[k];
    f32 blue = a[k] + 1.772f * b[k];
    a[k] = red;
    b[k] = green;
    c[k] = blue;
  }
}

INLINE void storeSample(u8 *out, u32 place, u32 size, i32 value) {
  if (size == 1) out[place] = (u8)value;
  else if (size == 2) ((u16 *)out)[place] = (u16)value;
  else ((u32 *)out)[place] = (u32)value;
}

INLINE void storePlane(const Tile *tile, u32 c, u8 *out, u32 size, u32 isReversible) {
  const Area *area = &tile->area;
  u32 width = widthOf(area);
  u32 apart = header.componentCount;
  u32 bits = header.precision[c];
  i32 lift = header.isSigned[c] ? 0 : 1 << (bits - 1);
  i32 least = header.isSigned[c] ? -(1 << (bits - 1)) : 0;
  i32 most = least + (i32)((1u << bits) - 1);
  for (u32 y = 0; y < heightOf(area); y++) {
    u32 place = ((area->y0 - header.image.y0 + y) * facts.columns + area->x0 - header.image.x0) * apart + c;
    const i32 *from = tile->components[c].plane + y * width;
    for (u32 x = 0; x < width; x++) {
      i32 value = isReversible ? from[x] : (i32)__builtin_rintf(((const f32 *)from)[x]);
      storeSample(out, place + x * apart, size, clampOf(value + lift, least, most));
    }
  }
}

static void storeTile(const Tile *tile, u8 *out, const TileRules *rules) {
  for (u32 c = 0; c < header.componentCount; c++) {
    u32 isReversible = rules->coding[c].isReversible;
    u32 size = header.precision[c] <= 8 ? 1 : header.precision[c] <= 16 ? 2 : 4;
    if (size == 1) storePlane(tile, c, out, 1, isReversible);
    else if (size == 2) storePlane(tile, c, out, 2, isReversible);
    else storePlane(tile, c, out, 4, isReversible);
  }
}

static i32 decodeTile(u32 number, const TileParts *parts, u8 *out, Arena arena) {
  if (parts->first == 0) return statusShort;
  PacketSource *sources = take(&arena, parts->count * sizeof(PacketSource));
  TileRules *rules = take(&arena, sizeof(TileRules));
  Tile *tile = take(&arena, sizeof(Tile));
  if (sources == 0 || rules == 0 || tile == 0) return statusArenaFull;
  *rules = header.rules;
  u32 count = 0;
  for (const TilePart *part = parts->first; part != 0; part = part->next, count++) {
    i32 status = readTileHeader(part->at, part->end, &header, rules, &sources[count].at);
    if (status != statusOk) return status;
    sources[count].end = part->end;
  }
  if (rules->transform && header.componentCount < 3) return statusMalformed;
  i32 status = buildTile(tile, &header, rules, number, &arena);
  if (status == statusOk) status = readPackets(tile, sources, count, &arena);
  if (status != statusOk) return status;
  for (u32 c = 0; c < header.componentCount; c++) {
    status = decodeBlocks(&tile->components[c], &rules->coding[c], rules->roiShift[c]);
    if (status == statusOk) status = synthesize(&tile->components[c], rules->coding[c].isReversible, arena);
    if (status != statusOk) return status;
  }
  if (rules->transform) undoTransform(tile, rules->coding[0].isReversible);
  storeTile(tile, out, rules);
  return statusOk;
}

EXPORT("decodeStream") i32 decodeStream(u8 *out, u8 *room, u32 roomSize) {
  Arena arena = {.at = room, .end = room + roomSize};
  u32 tileCount = header.tileColumns * header.tileRows;
  TileParts *tiles = takeZeros(&arena, tileCount * sizeof(TileParts));
  if (tiles == 0) return statusArenaFull;
  i32 status = sortTileParts(tiles, tileCount, &arena);
  for (u32 number = 0; number < tileCount && status == statusOk; number++) status = decodeTile(number, &tiles[number], out, arena);
  return status;
}
