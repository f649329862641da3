// Owns: the words every kernel file here uses. There is no C library: a kernel imports nothing and allocates nothing; the host lays out its memory
// and passes addresses. What is read from the input is never trusted: functions answer a negative status, and stay inside what they were given.

#ifndef STELE_PIXELS_BASE_H
#define STELE_PIXELS_BASE_H

#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef float f32;

/** Four lanes; clang turns its arithmetic into single SIMD instructions. */
typedef i32 i32x4 __attribute__((vector_size(16)));

#define INLINE static inline __attribute__((always_inline))
#define NEVER_INLINE __attribute__((noinline))
#define EXPORT(name) __attribute__((export_name(name)))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/** What a function answers instead of a result. The host turns each into an error (see `kernel-status.ts`). */
enum {
  statusOk = 0,
  statusMalformed = -1,   // the stream breaks its own rules
  statusShort = -2,       // the stream ends before its pixels
  statusUnsupported = -3, // the stream is well formed but asks for what is not done here
  statusArenaFull = -4,   // the working memory does not hold what the stream asks for
};

INLINE void fillBytes(void *to, u8 value, u32 size) { __builtin_memset(to, value, size); }
INLINE void copyBytes(void *to, const void *from, u32 size) { __builtin_memcpy(to, from, size); }
INLINE u32 bitLength(u32 v) { return v == 0 ? 0 : 32 - (u32)__builtin_clz(v); }
INLINE i32 minOf(i32 a, i32 b) { return a < b ? a : b; }
INLINE i32 maxOf(i32 a, i32 b) { return a > b ? a : b; }
INLINE u32 minOfU(u32 a, u32 b) { return a < b ? a : b; }
INLINE i32 clampOf(i32 v, i32 low, i32 high) { return v < low ? low : v > high ? high : v; }

#endif
