// Owns: samples between bytes and planes. A plane is an i16 array, one component of the frame.
// Sample k of a component lies at in + k * stride * width bytes. `flip` is xored onto 16-bit samples: 0 keeps them signed,
// 0x8000 brings unsigned ones that pass 32767 into the middle.

#include "base.h"

INLINE u16 swapped(u16 v) { return (u16)(v << 8 | v >> 8); }

EXPORT("readSamples") void readSamples(const u8 *in, i16 *plane, u32 count, u32 stride, u32 wide, u32 bigEndian, u32 flip) {
  if (!wide) {
    if (stride == 1) for (u32 k = 0; k < count; k++) plane[k] = in[k];
    else for (u32 k = 0; k < count; k++) plane[k] = in[k * stride];
    return;
  }
  const u16 *words = (const u16 *)in;
  if (stride == 1 && !bigEndian) for (u32 k = 0; k < count; k++) plane[k] = (i16)(words[k] ^ flip);
  else for (u32 k = 0; k < count; k++) {
    u16 word = words[k * stride];
    plane[k] = (i16)((bigEndian ? swapped(word) : word) ^ flip);
  }
}

EXPORT("writeSamples") void writeSamples(u8 *out, const i16 *plane, u32 count, u32 stride, u32 wide, u32 bigEndian, u32 flip) {
  if (!wide) {
    if (stride == 1) for (u32 k = 0; k < count; k++) out[k] = (u8)plane[k];
    else for (u32 k = 0; k < count; k++) out[k * stride] = (u8)plane[k];
    return;
  }
  u16 *words = (u16 *)out;
  if (stride == 1 && !bigEndian) for (u32 k = 0; k < count; k++) words[k] = (u16)plane[k] ^ (u16)flip;
  else for (u32 k = 0; k < count; k++) {
    u16 word = (u16)plane[k] ^ (u16)flip;
    words[k * stride] = bigEndian ? swapped(word) : word;
  }
}

/** plane -= other, wrapping within the sample's width and taken as signed. */
EXPORT("subtractPlane") void subtractPlane(i16 *plane, const i16 *other, u32 count, u32 wide) {
  if (wide) for (u32 k = 0; k < count; k++) plane[k] = (i16)(plane[k] - other[k]);
  else for (u32 k = 0; k < count; k++) plane[k] = (i8)(plane[k] - other[k]);
}

EXPORT("addPlane") void addPlane(i16 *plane, const i16 *other, u32 count) {
  for (u32 k = 0; k < count; k++) plane[k] = (i16)(plane[k] + other[k]);
}

/** How restless a plane is: the mean of |p[k] - p[k-1]| over up to 16384 places, in 1/256. */
EXPORT("roughness") u32 roughness(const i16 *plane, u32 count) {
  u32 step = count / 16384 + 1, places = 0;
  u64 sum = 0;
  for (u32 k = 1; k < count; k += step, places++) {
    i32 d = plane[k] - plane[k - 1];
    sum += (u32)(d < 0 ? -d : d);
  }
  return places > 0 ? (u32)(sum * 256 / places) : 0;
}
