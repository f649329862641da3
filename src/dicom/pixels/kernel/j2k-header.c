// Owns: the marker segments of a codestream's main header and of its tile-part headers (T.800, annex A), checked as they are read.
//
// Left out on purpose, with an answer of unsupported: packed packet headers (PPM, PPT), components of another size than the image, more than four components, the extensions of
// Part 2, and codestreams that mix blocks of Part 1 with those of Part 15.
#include "j2k.h"

enum {
  markerSoc = 0xff4f, markerSiz = 0xff51, markerCod = 0xff52, markerCoc = 0xff53, markerQcd = 0xff5c,
  markerQcc = 0xff5d, markerRgn = 0xff5e, markerPoc = 0xff5f, markerPpm = 0xff60, markerPpt = 0xff61, markerSot = 0xff90, markerSod = 0xff93,
};

/** The body of a segment; reading beyond it gives zeros and is remembered. */
typedef struct {
  const u8 *at;
  const u8 *end;
  u32 isShort;
} Reader;

static u32 take8(Reader *r) {
  if (r->at >= r->end) {
    r->isShort = 1;
    return 0;
  }
  return *r->at++;
}
static u32 take16(Reader *r) {
  u32 high = take8(r);
  return high << 8 | take8(r);
}
static u32 take32(Reader *r) {
  u32 high = take16(r);
  return high << 16 | take16(r);
}

static i32 readSize(Reader *r, Header *h) {
  u32 capabilities = take16(r);
  h->image.x1 = take32(r);
  h->image.y1 = take32(r);
  h->image.x0 = take32(r);
  h->image.y0 = take32(r);
  h->tileWidth = take32(r);
  h->tileHeight = take32(r);
  h->tileX = take32(r);
  h->tileY = take32(r);
  h->componentCount = take16(r);
  if (capabilities & 0x8000) return statusUnsupported;
  if (h->componentCount == 0) return statusMalformed;
  if (h->componentCount > componentsMax) return statusUnsupported;
  for (u32 c = 0; c < h->componentCount; c++) {
    u32 depth = take8(r);
    u32 across = take8(r);
    u32 down = take8(r);
    h->isSigned[c] = depth >> 7;
    h->precision[c] = (depth & 0x7f) + 1;
    if (across == 0 || down == 0) return statusMalformed;
    if (across != 1 || down != 1 || h->precision[c] > precisionMax) return statusUnsupported;
  }
  const u32 most = 1u << 30;
  const Area *image = &h->image;
  u32 isOrdered = image->x0 < image->x1 && image->y0 < image->y1 && h->tileX <= image->x0 && h->tileY <= image->y0;
  u32 isSmall = image->x1 <= most && image->y1 <= most;
  if (r->isShort || !isOrdered || !isSmall || h->tileWidth == 0 || h->tileHeight == 0) return statusMalformed;
  // The first tile holds a part of the image (T.800, B.3).
  if ((u64)h->tileX + h->tileWidth <= image->x0 || (u64)h->tileY + h->tileHeight <= image->y0) return statusMalformed;
  h->tileColumns = (u32)(((u64)(image->x1 - h->tileX) + h->tileWidth - 1) / h->tileWidth);
  h->tileRows = (u32)(((u64)(image->y1 - h->tileY) + h->tileHeight - 1) / h->tileHeight);
  if ((u64)h->tileColumns * h->tileRows > 65535) return statusMalformed;
  return statusOk;
}

static i32 readStyle(Reader *r, CodingStyle *s, u32 hasPrecincts) {
  s->levels = take8(r);
  s->blockWidthLog = take8(r) + 2;
  s->blockHeightLog = take8(r) + 2;
  s->style = take8(r);
  s->isReversible = take8(r);
  // A high-throughput block may be causal, and nothing else (T.814, annex A).
  if (s->style & styleHighThroughput && s->style & ~(u32)(styleHighThroughput | styleCausal)) return statusUnsupported;
  if (s->levels > levelsMax || s->style > 0x7f || s->isReversible > 1) return statusMalformed;
  if (s->blockWidthLog > 10 || s->blockHeightLog > 10 || s->blockWidthLog + s->blockHeightLog > 12) return statusMalformed;
  for (u32 level = 0; level <= levelsMax; level++) {
    u32 size = 0xff;
    if (hasPrecincts && level <= s->levels) size = take8(r);
    s->precinctWidthLog[level] = size & 15;
    s->precinctHeightLog[level] = (u8)(size >> 4);
    // A precinct of one sample would leave the bands above the first level with less than one.
    if (level > 0 && ((size & 15) == 0 || size >> 4 == 0)) return statusMalformed;
  }
  return r->isShort ? statusMalformed : statusOk;
}

static i32 readCod(Reader *r, const Header *h, TileRules *rules) {
  u32 flags = take8(r);
  rules->order = take8(r);
  rules->layers = take16(r);
  rules->transform = take8(r);
  CodingStyle style;
  i32 status = readStyle(r, &style, flags & 1);
  if (status != statusOk) return status;
  if (rules->order > 4 || rules->layers == 0 || rules->transform > 1) return statusMalformed;
  if (rules->transform && h->componentCount < 3) return statusMalformed;
  for (u32 c = 0; c < h->componentCount; c++) {
    if (!rules->ownCoding[c]) rules->coding[c] = style;
  }
  return statusOk;
}

static i32 readCoc(Reader *r, const Header *h, TileRules *rules) {
  u32 c = take8(r);
  u32 flags = take8(r);
  if (c >= h->componentCount) return statusMalformed;
  rules->ownCoding[c] = 1;
  return readStyle(r, &rules->coding[c], flags & 1);
}

static i32 readSteps(Reader *r, Quantization *q) {
  u32 style = take8(r);
  q->style = style & 31;
  q->guardBits = style >> 5;
  if (q->style > 2) return statusMalformed;
  for (q->count = 0; r->at < r->end && q->count < bandsMax; q->count++) {
    q->steps[q->count] = (u16)(q->style == 0 ? take8(r) >> 3 << 11 : take16(r));
  }
  return r->isShort || q->count == 0 ? statusMalformed : statusOk;
}

static i32 readQcd(Reader *r, const Header *h, TileRules *rules) {
  Quantization q;
  fillBytes(&q, 0, sizeof q);
  i32 status = readSteps(r, &q);
  for (u32 c = 0; c < h->componentCount; c++) {
    if (!rules->ownQuantization[c]) rules->quantization[c] = q;
  }
  return status;
}

static i32 readQcc(Reader *r, const Header *h, TileRules *rules) {
  u32 c = take8(r);
  if (c >= h->componentCount) return statusMalformed;
  rules->ownQuantization[c] = 1;
  return readSteps(r, &rules->quantization[c]);
}

static i32 readRgn(Reader *r, const Header *h, TileRules *rules) {
  u32 c = take8(r);
  u32 style = take8(r);
  u32 shift = take8(r);
  if (c >= h->componentCount || style != 0 || r->isShort) return statusMalformed;
  if (shift > planesMax) return statusUnsupported;
  rules->roiShift[c] = (u8)shift;
  return statusOk;
}

static i32 readPoc(Reader *r, const Header *h, TileRules *rules) {
  while (r->at < r->end) {
    if (rules->changeCount == changesMax) return statusUnsupported;
    ProgressionChange *change = &rules->changes[rules->changeCount++];
    change->firstLevel = take8(r);
    change->firstComponent = take8(r);
    change->endLayer = take16(r);
    change->endLevel = take8(r);
    u32 endComponent = take8(r);
    change->endComponent = endComponent == 0 ? h->componentCount : minOfU(endComponent, h->componentCount);
    change->order = take8(r);
    if (r->isShort || change->order > 4) return statusMalformed;
  }
  return statusOk;
}

/** One segment that may stand in both kinds of header; segments that change no sample are passed over. */
static i32 readSegment(u32 marker, Reader *r, const Header *h, TileRules *rules) {
  switch (marker) {
    case markerCod: return readCod(r, h, rules);
    case markerCoc: return readCoc(r, h, rules);
    case markerQcd: return readQcd(r, h, rules);
    case markerQcc: return readQcc(r, h, rules);
    case markerRgn: return readRgn(r, h, rules);
    case markerPoc: return readPoc(r, h, rules);
    case markerPpm:
    case markerPpt: return statusUnsupported;
    default: return statusOk;
  }
}

/** Whether a component's rules are whole, and such as its wavelet can have. */
static i32 checkRules(const Header *h, const TileRules *rules) {
  for (u32 c = 0; c < h->componentCount; c++) {
    const CodingStyle *s = &rules->coding[c];
    const Quantization *q = &rules->quantization[c];
    if (s->blockWidthLog == 0 || q->count == 0) return statusMalformed;
    if (q->style != 1 && q->count < 3 * s->levels + 1) return statusMalformed;
    if (s->isReversible && q->style != 0) return statusMalformed;
    if (rules->transform && c < 3) {
      u32 isAlike = s->isReversible == rules->coding[0].isReversible && h->precision[c] == h->precision[0];
      if (!isAlike) return statusUnsupported;
    }
  }
  return statusOk;
}

static i32 openSegment(const u8 **at, const u8 *end, u32 *marker, Reader *r) {
  if (end - *at < 4) return statusShort;
  *marker = (u32)(*at)[0] << 8 | (*at)[1];
  u32 length = (u32)(*at)[2] << 8 | (*at)[3];
  if (*marker < 0xff00 || length < 2) return statusMalformed;
  if ((u32)(end - *at) < 2 + length) return statusShort;
  r->at = *at + 4;
  r->end = *at + 2 + length;
  r->isShort = 0;
  *at = r->end;
  return statusOk;
}

i32 readHeader(const u8 *at, const u8 *end, Header *h, const u8 **behind) {
  fillBytes(h, 0, sizeof(Header));
  if (end - at < 4) return statusShort;
  if (at[0] != 0xff || at[1] != (markerSoc & 0xff) || at[2] != 0xff || at[3] != (markerSiz & 0xff)) return statusMalformed;
  at += 2;
  for (u32 isFirst = 1;; isFirst = 0) {
    if (end - at >= 2 && at[0] == 0xff && at[1] == (markerSot & 0xff)) break;
    u32 marker;
    Reader r;
    i32 status = openSegment(&at, end, &marker, &r);
    if (status != statusOk) return status;
    if (marker == markerSod || (marker == markerSiz && !isFirst)) return statusMalformed;
    status = isFirst ? readSize(&r, h) : readSegment(marker, &r, h, &h->rules);
    if (status != statusOk) return status;
  }
  *behind = at;
  i32 status = checkRules(h, &h->rules);
  // Whatever a tile brings of its own overrides what a component has here (T.800, A.6).
  fillBytes(h->rules.ownCoding, 0, sizeof h->rules.ownCoding);
  fillBytes(h->rules.ownQuantization, 0, sizeof h->rules.ownQuantization);
  return status;
}

/** The header of a tile-part, from behind its SOT segment; `behind` is where its packets begin. */
i32 readTileHeader(const u8 *at, const u8 *end, const Header *h, TileRules *rules, const u8 **behind) {
  for (;;) {
    if (end - at < 2) return statusShort;
    if (at[0] == 0xff && at[1] == (markerSod & 0xff)) break;
    u32 marker;
    Reader r;
    i32 status = openSegment(&at, end, &marker, &r);
    if (status != statusOk) return status;
    if (marker == markerSot || marker == markerSiz) return statusMalformed;
    // A tile's own changes of progression take the place of the main header's.
    if (marker == markerPoc && !rules->ownChanges) {
      rules->ownChanges = 1;
      rules->changeCount = 0;
    }
    status = readSegment(marker, &r, h, rules);
    if (status != statusOk) return status;
  }
  *behind = at + 2;
  return checkRules(h, rules);
}
