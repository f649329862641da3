// Owns: the words every kernel file uses, fixed-size integers, 16-byte vectors, and the two memory calls that
// clang may emit on its own. There is no C library: the kernel imports nothing and allocates nothing. The host lays out
// memory and passes addresses.

#ifndef STELE_BASE_H
#define STELE_BASE_H

#include <stdint.h>
#include <wasm_simd128.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef v128_t vec;

#define INLINE static inline __attribute__((always_inline))
#define EXPORT(name) __attribute__((export_name(name)))

/**
 * A value the compiler knows nothing about; costs no instruction. Two uses: a vector constant outside a loop, which the engine would
 * otherwise make anew (three instructions) at every use; and a partial sum, to keep the compiler from turning a tree into a chain.
 */
INLINE vec opaque(vec v) { __asm__("" : "+r"(v)); return v; }
/** The same for addresses: pointers that run side by side through a loop stay so, each with its own small offsets, which the engine adds for nothing. */
#define OPAQUE_POINTER(p) __asm__("" : "+r"(p))

/** Bytes picked by indices from 0 to 15; 0 where an index is 128 or more. (The plain swizzle says what those between give, and pays for it.) */
INLINE vec pickBytes(vec v, vec indices) { return (vec)__builtin_wasm_relaxed_swizzle_i8x16((__i8x16)v, (__i8x16)indices); }
/** Lanes of u16 to floats: four low or four high ones. Interleaved with zeros, not extended: the compiler would turn that into an unsigned conversion, which machines lack. */
INLINE vec floatsLow(vec v) { return wasm_f32x4_convert_i32x4(wasm_i16x8_shuffle(v, wasm_i16x8_splat(0), 0, 8, 1, 9, 2, 10, 3, 11)); }
INLINE vec floatsHigh(vec v) { return wasm_f32x4_convert_i32x4(wasm_i16x8_shuffle(v, wasm_i16x8_splat(0), 4, 12, 5, 13, 6, 14, 7, 15)); }

INLINE void fillBytes(void *to, u8 value, u32 size) { __builtin_memset(to, value, size); }
INLINE void copyBytes(void *to, const void *from, u32 size) { __builtin_memcpy(to, from, size); }
INLINE u32 bitLength(u32 v) { return v == 0 ? 0 : 32 - (u32)__builtin_clz(v); }
INLINE i32 minOf(i32 a, i32 b) { return a < b ? a : b; }
INLINE i32 maxOf(i32 a, i32 b) { return a > b ? a : b; }

INLINE u32 readU32(const u8 *p) { u32 v; __builtin_memcpy(&v, p, 4); return v; }
INLINE u64 readU64(const u8 *p) { u64 v; __builtin_memcpy(&v, p, 8); return v; }
INLINE void writeU32(u8 *p, u32 v) { __builtin_memcpy(p, &v, 4); }

#endif
