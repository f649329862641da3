// Owns: memset and memcpy, which clang may call by itself; both become single bulk-memory instructions.
#include "base.h"

void *memset(void *to, int value, unsigned long size) {
  u8 *p = to;
  while (size-- > 0) *p++ = (u8)value;
  return to;
}

void *memcpy(void *to, const void *from, unsigned long size) {
  u8 *p = to;
  const u8 *q = from;
  while (size-- > 0) *p++ = *q++;
  return to;
}
