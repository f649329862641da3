// Owns: samples between bytes and planes. A plane is an i16 array, one component of the frame, `stride` from row to row.
// Sample c of a component's row lies at c * step * width bytes from its first. `flip` is xored onto 16-bit samples: 0 keeps them signed,
// 0x8000 brings unsigned ones that pass 32767 into the middle. Rows of samples follow each other without gaps.

#include "base.h"

INLINE u16 swapped(u16 v) { return (u16)(v << 8 | v >> 8); }

EXPORT("readSamples") void readSamples(const u8 *in, i16 *plane, u32 rows, u32 columns, u32 stride, u32 step, u32 wide, u32 bigEndian, u32 flip) {
  for (u32 row = 0; row < rows; row++, plane += stride, in += columns * step * (wide ? 2 : 1)) {
    const u16 *words = (const u16 *)in;
    if (!wide && step == 1) for (u32 c = 0; c < columns; c++) plane[c] = in[c];
    else if (!wide) for (u32 c = 0; c < columns; c++) plane[c] = in[c * step];
    else if (step == 1 && !bigEndian) for (u32 c = 0; c < columns; c++) plane[c] = (i16)(words[c] ^ flip);
    else if (step == 1) for (u32 c = 0; c < columns; c++) plane[c] = (i16)(swapped(words[c]) ^ flip);
    else for (u32 c = 0; c < columns; c++) plane[c] = (i16)((bigEndian ? swapped(words[c * step]) : words[c * step]) ^ flip);
  }
}

EXPORT("writeSamples") void writeSamples(u8 *out, const i16 *plane, u32 rows, u32 columns, u32 stride, u32 step, u32 wide, u32 bigEndian, u32 flip) {
  for (u32 row = 0; row < rows; row++, plane += stride, out += columns * step * (wide ? 2 : 1)) {
    u16 *words = (u16 *)out;
    if (!wide && step == 1) for (u32 c = 0; c < columns; c++) out[c] = (u8)plane[c];
    else if (!wide) for (u32 c = 0; c < columns; c++) out[c * step] = (u8)plane[c];
    else if (step == 1 && !bigEndian) for (u32 c = 0; c < columns; c++) words[c] = (u16)plane[c] ^ (u16)flip;
    else if (step == 1) for (u32 c = 0; c < columns; c++) words[c] = swapped((u16)plane[c] ^ (u16)flip);
    else for (u32 c = 0; c < columns; c++) words[c * step] = bigEndian ? swapped((u16)plane[c] ^ (u16)flip) : (u16)plane[c] ^ (u16)flip;
  }
}

INLINE void storeWidened(i16 *to, vec bytes) {
  wasm_v128_store(to, wasm_u16x8_extend_low_u8x16(bytes));
  wasm_v128_store(to + 8, wasm_u16x8_extend_high_u8x16(bytes));
}
INLINE vec loadNarrowed(const i16 *from) {
  vec bytes = wasm_i16x8_splat(0xff);
  return wasm_u8x16_narrow_i16x8(wasm_v128_and(wasm_v128_load(from), bytes), wasm_v128_and(wasm_v128_load(from + 8), bytes));
}

/** Three interleaved components of bytes at once, sixteen pixels a turn. */
EXPORT("readRgb") void readRgb(const u8 *in, i16 *red, i16 *green, i16 *blue, u32 rows, u32 columns, u32 stride) {
  for (u32 row = 0; row < rows; row++, red += stride, green += stride, blue += stride) {
    u32 c = 0;
    for (; c + 16 <= columns; c += 16, in += 48) {
      vec a = wasm_v128_load(in), b = wasm_v128_load(in + 16), d = wasm_v128_load(in + 32);
      vec r = wasm_i8x16_shuffle(a, b, 0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0);
      vec g = wasm_i8x16_shuffle(a, b, 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0);
      vec l = wasm_i8x16_shuffle(a, b, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0);
      storeWidened(red + c, wasm_i8x16_shuffle(r, d, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29));
      storeWidened(green + c, wasm_i8x16_shuffle(g, d, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30));
      storeWidened(blue + c, wasm_i8x16_shuffle(l, d, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31));
    }
    for (; c < columns; c++, in += 3) {
      red[c] = in[0];
      green[c] = in[1];
      blue[c] = in[2];
    }
  }
}

EXPORT("writeRgb") void writeRgb(u8 *out, const i16 *red, const i16 *green, const i16 *blue, u32 rows, u32 columns, u32 stride) {
  for (u32 row = 0; row < rows; row++, red += stride, green += stride, blue += stride) {
    u32 c = 0;
    for (; c + 16 <= columns; c += 16, out += 48) {
      vec r = loadNarrowed(red + c), g = loadNarrowed(green + c), l = loadNarrowed(blue + c);
      vec a = wasm_i8x16_shuffle(r, g, 0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5);
      vec b = wasm_i8x16_shuffle(r, g, 21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26);
      vec d = wasm_i8x16_shuffle(r, g, 0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0);
      wasm_v128_store(out, wasm_i8x16_shuffle(a, l, 0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15));
      wasm_v128_store(out + 16, wasm_i8x16_shuffle(b, l, 0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15));
      wasm_v128_store(out + 32, wasm_i8x16_shuffle(d, l, 26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31));
    }
    for (; c < columns; c++, out += 3) {
      out[0] = (u8)red[c];
      out[1] = (u8)green[c];
      out[2] = (u8)blue[c];
    }
  }
}

EXPORT("subtractPlane") void subtractPlane(i16 *plane, const i16 *other, u32 rows, u32 columns, u32 stride) {
  for (u32 row = 0; row < rows; row++, plane += stride, other += stride)
    for (u32 c = 0; c < columns; c++) plane[c] = (i16)(plane[c] - other[c]);
}

EXPORT("addPlane") void addPlane(i16 *plane, const i16 *other, u32 rows, u32 columns, u32 stride) {
  for (u32 row = 0; row < rows; row++, plane += stride, other += stride)
    for (u32 c = 0; c < columns; c++) plane[c] = (i16)(plane[c] + other[c]);
}

/** How restless a plane is: the sum of |p[c] - p[c-1]| over some rows; and how much so its differences from another plane are. */
EXPORT("roughness") u32 roughness(const i16 *plane, u32 rows, u32 columns, u32 stride) {
  u32 sum = 0;
  for (u32 row = 0, step = rows / 16 + 1; row < rows; row += step)
    for (u32 c = 1; c < columns; c++) {
      i32 d = (i16)(plane[row * stride + c] - plane[row * stride + c - 1]);
      sum += (u32)(d < 0 ? -d : d);
    }
  return sum;
}
EXPORT("roughnessBeside") u32 roughnessBeside(const i16 *plane, const i16 *other, u32 rows, u32 columns, u32 stride) {
  u32 sum = 0;
  for (u32 row = 0, step = rows / 16 + 1; row < rows; row += step)
    for (u32 c = row * stride + 1; c < row * stride + columns; c++) {
      i32 d = (i16)(plane[c] - other[c] - plane[c - 1] + other[c - 1]);
      sum += (u32)(d < 0 ? -d : d);
    }
  return sum;
}

INLINE u32 apart16(u32 a, u32 b) { i32 d = (i16)(a - b); return (u32)(d < 0 ? -d : d); }

/** What 16-bit words look like, by neighbours `step` apart, about five hundred of them: 1 smoother with their bytes swapped; 2 smoother as unsigned than as signed. */
EXPORT("lookAtWords") u32 lookAtWords(const u8 *in, u32 count, u32 step) {
  const u16 *words = (const u16 *)in;
  u32 little = 0, big = 0;
  i32 notSigned[2] = { 0 }; // by how much they are less smooth as signed
  for (u32 k = step, stride = count / 512 | 1; k < count; k += stride) {
    u32 a[2] = { words[k], swapped(words[k]) }, b[2] = { words[k - step], swapped(words[k - step]) };
    little += apart16(a[0], b[0]);
    big += apart16(a[1], b[1]);
    for (u32 order = 0; order < 2; order++) {
      i32 asSigned = (i16)a[order] - (i16)b[order], asUnsigned = (i32)a[order] - (i32)b[order];
      notSigned[order] += ((asSigned < 0 ? -asSigned : asSigned) - (asUnsigned < 0 ? -asUnsigned : asUnsigned)) >> 6;
    }
  }
  u32 swap = big < little;
  return swap | (u32)(notSigned[swap] > 0) << 1;
}
