// Owns: the fast pixel codec's stream. See docs/formats/pixel-fast.md.
//
// u8 filter, u8 contextCount (1..8), u8 edges[contextCount - 1]; then per context u8 tokens (0..146) and that many 4-bit code lengths,
// low nibble first, padded to a byte; then u32 size of each of four bit streams, then the streams. Sample i of a row is in stream i & 3.

#include "prefix.h"

// A slot's low six bits are all that a 64-bit shift looks at, so a slot serves as its own shift count.
enum { streams = 4, symbolShiftFast = 8, slotShift = 6 };

typedef struct {
  u32 counts[2][fastContextsMax << symbolShiftFast];
  u32 codes[fastContextsMax << symbolShiftFast]; // reversed code | length << 16
  u32 bins[256];
  u8 lengths[fastContextsMax][fastTokens];
  u8 edges[fastContextsMax];
} FastEncoder;

typedef struct {
  u16 slots[fastContextsMax << codeBitsMax]; // token << slotShift | length; length 0 where no code leads
  u8 lengths[fastContextsMax][fastTokens];
} FastDecoder;

INLINE u32 padded(u32 v) { return (v + 63) & ~63u; }
INLINE u32 rowBytesOf(u32 rowSamples) { return padded((rowSamples + 2 * rowPad) * 2); }

EXPORT("fastEncodeBytes") u32 fastEncodeBytes(u32 rows, u32 rowSamples) {
  u32 stride = (rowSamples + 15) & ~15u;
  return padded(sizeof(FastEncoder)) + 5 * rowBytesOf(rowSamples) + 2 * padded(rows * stride * 2) + streams * padded(rows * (rowSamples / streams + 1) * 4 + 64);
}
EXPORT("fastEncodeMax") u32 fastEncodeMax(u32 rows, u32 rowSamples) { return 2048 + streams * (rows * (rowSamples / streams + 1) * 4 + 64); }
EXPORT("fastDecodeBytes") u32 fastDecodeBytes(u32 rowSamples) { return padded(sizeof(FastDecoder)) + 5 * rowBytesOf(rowSamples); }

/** Which filter leaves least, from a dozen rows: by the sum of the lengths of errors. */
static __attribute__((noinline)) u32 chooseFilter(const u8 *in, u32 rows, u32 rowSamples, u32 apart, u32 wide, u32 bigEndian, u16 *row, u16 *north, u16 *z) {
  u32 step = rows / 12 + 1, best = filterWest, width = wide ? 2 : 1;
  u64 bestCost = ~(u64)0;
  for (u32 filter = 0; filter < 3; filter++) {
    u64 cost = 0;
    for (u32 r = 1; r < rows; r += step) {
      widenRow(in + (r - 1) * rowSamples * width, north, rowSamples, wide, bigEndian);
      widenRow(in + r * rowSamples * width, row, rowSamples, wide, bigEndian);
      filterRow(row, north, z, rowSamples, apart, filter, wide);
      vec bits = wasm_i32x4_splat(0);
      // The exponent of 2z + 1 as a float counts its bits; the mantissa's top bits make steps of an eighth.
      for (u32 i = 0; i + 4 <= rowSamples; i += 4) {
        vec v = wasm_f32x4_convert_i32x4(wasm_i32x4_add(wasm_i32x4_shl(wasm_u32x4_load16x4(z + i), 1), wasm_i32x4_splat(1)));
        bits = wasm_i32x4_add(bits, wasm_u32x4_shr(wasm_i32x4_sub(v, wasm_i32x4_splat(0x3f800000)), 20));
      }
      cost += (u32)wasm_i32x4_extract_lane(bits, 0) + (u32)wasm_i32x4_extract_lane(bits, 1) + (u32)wasm_i32x4_extract_lane(bits, 2) + (u32)wasm_i32x4_extract_lane(bits, 3);
    }
    if (cost < bestCost) { bestCost = cost; best = filter; }
  }
  return best;
}

/** Edges that part the samples evenly, by the measure that contextsOfRow takes. */
static __attribute__((noinline)) u32 chooseEdges(FastEncoder *e, const u16 *z, u32 stride, u32 rows, u32 rowSamples, u32 apart, u8 *held) {
  u32 pixels = rows * rowSamples, wanted = pixels < 4096 ? 1 : pixels < 32768 ? 4 : fastContextsMax, total = 0, seen = 0, made = 0;
  if (wanted == 1) return 1;
  fillBytes(e->bins, 0, sizeof e->bins);
  u32 step = rows / 64 + 1;
  for (u32 r = 0; r < rows; r += step) {
    holdRow(z + r * stride, held, rowSamples);
    for (u32 i = 0; i < rowSamples; i++, total++) {
      u32 sides = ((u32)held[(i32)i - (i32)apart] + held[i + apart] + 1) >> 1;
      e->bins[(held[i] + sides + 1) >> 1]++;
    }
  }
  for (u32 k = 1, bin = 0; k < wanted; k++) {
    while (bin < 256 && (u64)(seen + e->bins[bin]) * wanted < (u64)total * k) seen += e->bins[bin++];
    if (bin >= 255) break;
    if (made == 0 || bin > e->edges[made - 1]) e->edges[made++] = (u8)bin;
  }
  return made + 1;
}

static __attribute__((noinline)) void tally(FastEncoder *e, const u16 *z, u16 *symbols, u32 count) {
  u32 *even = e->counts[0], *odd = e->counts[1], i = 0;
  for (; i + 8 <= count; i += 8) {
    vec v = wasm_v128_load(z + i);
    if (wasm_v128_any_true(wasm_u16x8_gt(v, wasm_i16x8_splat(fastPlain - 1))))
      for (u32 j = i; j < i + 8; j++) symbols[j] |= (u16)fastTokenOf(z[j]);
    else wasm_v128_store(symbols + i, wasm_v128_or(wasm_v128_load(symbols + i), v));
    u64 low = readU64((u8 *)(symbols + i)), high = readU64((u8 *)(symbols + i + 4));
    even[low & 0xffff]++; odd[low >> 16 & 0xffff]++; even[low >> 32 & 0xffff]++; odd[low >> 48]++;
    even[high & 0xffff]++; odd[high >> 16 & 0xffff]++; even[high >> 32 & 0xffff]++; odd[high >> 48]++;
  }
  for (; i < count; i++) even[symbols[i] |= (u16)fastTokenOf(z[i])]++;
}

static u8 *putTables(FastEncoder *e, u32 contextCount, u8 *out) {
  for (u32 c = 0; c < contextCount; c++) {
    u32 counts[fastTokens], last = 0;
    for (u32 t = 0; t < fastTokens; t++) counts[t] = e->counts[0][c << symbolShiftFast | t] + e->counts[1][c << symbolShiftFast | t];
    u8 *lengths = e->lengths[c];
    chooseLengths(counts, lengths);
    for (u32 t = 0; t < fastTokens; t++) if (lengths[t] > 0) last = t + 1;
    *out++ = (u8)last;
    for (u32 t = 0; t < last; t += 2) *out++ = (u8)(lengths[t] | (t + 1 < last ? lengths[t + 1] << 4 : 0));
#define KEEP(t, length, bits) e->codes[c << symbolShiftFast | (t)] = (bits) | (length) << 16
    EACH_CODE(lengths, KEEP);
#undef KEEP
  }
  return out;
}

typedef struct { u8 *at; u64 bits, count; } BitWriter;

INLINE void flush(BitWriter *w) {
  __builtin_memcpy(w->at, &w->bits, 8);
  u64 bytes = w->count >> 3;
  w->at += (u32)bytes;
  w->bits >>= bytes * 8;
  w->count &= 7;
}
INLINE void putCode(BitWriter *w, u32 code) {
  w->bits |= (u64)(code & 0xffff) << w->count;
  w->count += code >> 16;
}
static __attribute__((noinline)) void putWide(BitWriter *w, const u32 *codes, u32 symbol, u32 z) {
  putCode(w, codes[symbol]);
  if (z >= fastPlain) {
    u32 count = fastRawBits(symbol & 0xff);
    w->bits |= (u64)(z & ((1u << count) - 1)) << w->count;
    w->count += count;
  }
  flush(w);
}

/** One stream's four codes of the next sixteen samples: at most 11 bits each on top of at most 7, so no flush between. */
INLINE void writeFour(BitWriter *writer, const u32 *codes, const u16 *symbols) {
  BitWriter w = *writer;
  for (u32 j = 0; j < 16; j += streams) putCode(&w, codes[symbols[j]]);
  flush(&w);
  *writer = w;
}

// Stream after stream, so that one writer's numbers fit the registers; the processor overlaps them by itself.
static __attribute__((noinline)) void writeRow(BitWriter *writers, const u32 *codes, const u16 *symbols, const u16 *z, u32 count) {
  u32 i = 0;
  for (; i + 16 <= count; i += 16) {
    vec any = wasm_u16x8_max(wasm_v128_load(z + i), wasm_v128_load(z + i + 8));
    if (wasm_v128_any_true(wasm_u16x8_gt(any, wasm_i16x8_splat(fastPlain - 1)))) {
      for (u32 j = i; j < i + 16; j++) putWide(writers + (j & 3), codes, symbols[j], z[j]);
      continue;
    }
    writeFour(writers, codes, symbols + i);
    writeFour(writers + 1, codes, symbols + i + 1);
    writeFour(writers + 2, codes, symbols + i + 2);
    writeFour(writers + 3, codes, symbols + i + 3);
  }
  for (; i < count; i++) putWide(writers + (i & 3), codes, symbols[i], z[i]);
}

/** Encodes rows of samples into `out` (fastEncodeMax bytes); returns the size. */
EXPORT("fastEncode") u32 fastEncode(const u8 *in, u32 rows, u32 rowSamples, u32 apart, u32 wide, u32 bigEndian, u8 *out, u8 *work) {
  FastEncoder *e = (FastEncoder *)work;
  u32 rowBytes = rowBytesOf(rowSamples), stride = (rowSamples + 15) & ~15u, width = wide ? 2 : 1;
  u8 *heap = work + padded(sizeof(FastEncoder));
  fillBytes(heap, 0, 5 * rowBytes);
  u16 *row = (u16 *)heap + rowPad, *north = (u16 *)(heap + rowBytes) + rowPad, *spare = (u16 *)(heap + 2 * rowBytes) + rowPad;
  u8 *held = heap + 3 * rowBytes + rowPad;
  heap += 5 * rowBytes;
  u16 *z = (u16 *)heap;
  heap += padded(rows * stride * 2);
  u16 *symbols = (u16 *)heap;
  heap += padded(rows * stride * 2);

  u32 filter = chooseFilter(in, rows, rowSamples, apart, wide, bigEndian, row, north, spare);
  fillBytes(north - rowPad, 0, rowBytes);
  for (u32 r = 0; r < rows; r++) {
    widenRow(in + r * rowSamples * width, row, rowSamples, wide, bigEndian);
    filterRow(row, north, z + r * stride, rowSamples, apart, filter, wide);
    u16 *swap = row; row = north; north = swap;
  }
  fillBytes(e->counts, 0, sizeof e->counts);
  u32 contextCount = chooseEdges(e, z, stride, rows, rowSamples, apart, held);
  fillBytes(held - rowPad, 0, rowSamples + 2 * rowPad);
  for (u32 r = 0; r < rows; r++) {
    contextsOfRow(held, symbols + r * stride, rowSamples, apart, e->edges, contextCount, symbolShiftFast);
    tally(e, z + r * stride, symbols + r * stride, rowSamples);
    holdRow(z + r * stride, held, rowSamples);
  }

  u8 *at = out;
  *at++ = (u8)filter;
  *at++ = (u8)contextCount;
  for (u32 k = 0; k + 1 < contextCount; k++) *at++ = e->edges[k];
  at = putTables(e, contextCount, at);
  BitWriter writers[streams];
  u32 room = padded(rows * (rowSamples / streams + 1) * 4 + 64);
  for (u32 k = 0; k < streams; k++) writers[k] = (BitWriter){ .at = heap + k * room, .bits = 0, .count = 0 };
  for (u32 r = 0; r < rows; r++) writeRow(writers, e->codes, symbols + r * stride, z + r * stride, rowSamples);
  u8 *sizes = at;
  at += 4 * streams;
  for (u32 k = 0; k < streams; k++) {
    writers[k].count += 7; // the last bits fill their byte with zeros
    flush(writers + k);
    u32 size = (u32)(writers[k].at - (heap + k * room));
    writeU32(sizes + 4 * k, size);
    copyBytes(at, heap + k * room, size);
    at += size;
  }
  return (u32)(at - out);
}

// Of count only the low six bits hold: whole slots are taken from it.
typedef struct { const u8 *at; u64 bits, count; } BitReader;

INLINE void pull(BitReader *r) {
  u64 count = r->count & 63;
  r->bits |= readU64(r->at) << count;
  r->at += (u32)((63 - count) >> 3);
  r->count = count | 56;
}
INLINE u32 getToken(BitReader *r, const u16 *slots, u32 context) {
  u64 slot = slots[context | ((u32)r->bits & (codeSlots - 1))];
  r->bits >>= slot & 63;
  r->count -= slot;
  return (u32)slot >> slotShift;
}
typedef struct { BitReader reader; u32 z; } WideRead;
static __attribute__((noinline)) void getWide(WideRead *w, u32 token) {
  BitReader *r = &w->reader;
  pull(r);
  u32 count = fastRawBits(token);
  w->z = fastBase(token) + ((u32)r->bits & ((1u << count) - 1));
  r->bits >>= count;
  r->count -= count;
  pull(r);
}
INLINE u32 getSymbol(BitReader *r, const u16 *slots, u32 context) {
  u32 token = getToken(r, slots, context);
  if (__builtin_expect(token >= fastPlain, 0)) {
    // Through a copy: a reader whose address is taken would live in memory, not in registers.
    WideRead wide = { *r, 0 };
    getWide(&wide, token);
    *r = wide.reader;
    return wide.z;
  }
  return token;
}

/** One stream's four of the next sixteen samples; four codes of at most 11 bits fit what one pull brings. */
INLINE void readFour(BitReader *reader, const u16 *slots, const u16 *contexts, u16 *z) {
  BitReader r = *reader;
  pull(&r);
  for (u32 j = 0; j < 16; j += streams) z[j] = (u16)getSymbol(&r, slots, contexts[j]);
  *reader = r;
}

// Stream after stream, so that one reader's numbers fit the registers; the processor overlaps them by itself.
static __attribute__((noinline)) void readRow(BitReader *readers, const u16 *slots, const u16 *contexts, u16 *z, u32 count) {
  u32 i = 0;
  for (; i + 16 <= count; i += 16) {
    readFour(readers, slots, contexts + i, z + i);
    readFour(readers + 1, slots, contexts + i + 1, z + i + 1);
    readFour(readers + 2, slots, contexts + i + 2, z + i + 2);
    readFour(readers + 3, slots, contexts + i + 3, z + i + 3);
  }
  for (; i < count; i++) {
    pull(readers + (i & 3));
    z[i] = (u16)getSymbol(readers + (i & 3), slots, contexts[i]);
  }
}

/** Reads the code lengths and fills the slots; returns where the tables end, or 0. */
static const u8 *getTables(FastDecoder *d, u32 contextCount, const u8 *at, const u8 *end) {
  fillBytes(d, 0, sizeof *d);
  for (u32 c = 0; c < contextCount; c++) {
    if (at >= end) return 0;
    u32 count = *at++;
    if (count > fastTokens || at + (count + 1) / 2 > end) return 0;
    for (u32 t = 0; t < count; t++) d->lengths[c][t] = (at[t / 2] >> (t & 1) * 4) & 15;
    for (u32 t = 0; t < count; t++) if (d->lengths[c][t] > codeBitsMax) return 0;
    at += (count + 1) / 2;
    if (!lengthsHold(d->lengths[c])) return 0;
    u16 *slots = d->slots + (c << codeBitsMax);
#define FILL(t, length, bits) for (u32 s = (bits); s < codeSlots; s += 1u << (length)) slots[s] = (u16)((t) << slotShift | (length))
    EACH_CODE(d->lengths[c], FILL);
#undef FILL
  }
  return at;
}

/** Decodes rows of samples. The input must be followed by 16 readable bytes. Returns the bytes used, or -1. */
EXPORT("fastDecode") i32 fastDecode(const u8 *in, u32 size, u32 rows, u32 rowSamples, u32 apart, u32 wide, u32 bigEndian, u8 *out, u8 *work) {
  FastDecoder *d = (FastDecoder *)work;
  const u8 *at = in, *end = in + size;
  if (size < 2) return -1;
  u32 filter = at[0], contextCount = at[1];
  const u8 *edges = at + 2;
  if (filter > filterPlane || contextCount < 1 || contextCount > fastContextsMax || size < 1 + contextCount) return -1;
  at = getTables(d, contextCount, at + 1 + contextCount, end);
  if (at == 0 || end - at < 4 * streams) return -1;
  BitReader readers[streams];
  const u8 *limits[streams], *start = at + 4 * streams;
  for (u32 k = 0; k < streams; k++) {
    u32 length = readU32(at + 4 * k);
    if (length > (u32)(end - start)) return -1;
    readers[k] = (BitReader){ .at = start, .bits = 0, .count = 0 };
    start += length;
    limits[k] = start + 8; // a reader holds up to eight bytes more than it used
  }

  u32 rowBytes = rowBytesOf(rowSamples), width = wide ? 2 : 1;
  u8 *heap = work + padded(sizeof(FastDecoder));
  fillBytes(heap, 0, 5 * rowBytes);
  u16 *row = (u16 *)heap + rowPad, *north = (u16 *)(heap + rowBytes) + rowPad, *z = (u16 *)(heap + 2 * rowBytes) + rowPad;
  u16 *contexts = (u16 *)(heap + 3 * rowBytes);
  u8 *held = heap + 4 * rowBytes + rowPad;
  for (u32 r = 0; r < rows; r++) {
    contextsOfRow(held, contexts, rowSamples, apart, edges, contextCount, codeBitsMax);
    readRow(readers, d->slots, contexts, z, rowSamples);
    for (u32 k = 0; k < streams; k++) if (readers[k].at > limits[k]) return -1;
    unfilterRow(row, north, z, rowSamples, apart, filter, wide);
    narrowRow(out + r * rowSamples * width, row, rowSamples, wide, bigEndian);
    holdRow(z, held, rowSamples);
    u16 *swap = row; row = north; north = swap;
  }
  return (i32)(start - in);
}
