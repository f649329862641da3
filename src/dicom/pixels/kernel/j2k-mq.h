// Owns: the MQ arithmetic coder of JPEG 2000 (T.800, annex C), both ways, and the raw bits of bypassed passes.

#ifndef STELE_J2K_MQ_H
#define STELE_J2K_MQ_H

#include "base.h"

enum { contexts = 19, contextRun = 17, contextUniform = 18, mqStates = 94 };

/**
 * States of T.800, table C.2, each twice: even where 0 is the more probable symbol, odd where 1 is. In one word, as one look must do: the probability of the
 * other symbol, then, in a byte each, the state after the more and after the less probable one.
 */
extern const u32 mqTable[mqStates];
INLINE u8 afterMore(u32 entry) { return (u8)(entry >> 16); }
INLINE u8 afterLess(u32 entry) { return (u8)(entry >> 24); }

/** One of each direction is at work at a time. Apart from the coder's registers, which so can stay in those of the machine. */
extern u8 mqContexts[contexts];

typedef struct {
  const u8 *at;
  u32 c;
  u32 a;
  u32 left;
} MqDecoder;

INLINE void resetContexts(void) {
  fillBytes(mqContexts, 0, contexts);
  mqContexts[0] = 4 * 2;
  mqContexts[contextRun] = 3 * 2;
  mqContexts[contextUniform] = 46 * 2;
}

INLINE void mqTakeByte(MqDecoder *m) {
  if (m->at[0] == 0xff) {
    if (m->at[1] > 0x8f) {
      m->c += 0xff00;
      m->left = 8;
    } else {
      m->at++;
      m->c += (u32)m->at[0] << 9;
      m->left = 7;
    }
  } else {
    m->at++;
    m->c += (u32)m->at[0] << 8;
    m->left = 8;
  }
}

/** Two bytes FF must stand behind the segment: they end it, and the decoder never passes them. */
INLINE void mqBegin(MqDecoder *m, const u8 *at) {
  m->at = at;
  m->c = (u32)at[0] << 16;
  mqTakeByte(m);
  m->c <<= 7;
  m->left -= 7;
  m->a = 0x8000;
}

INLINE u32 mqDecode(MqDecoder *m, u32 context) {
  u32 state = mqContexts[context];
  u32 entry = mqTable[state];
  u32 p = entry & 0xffff;
  u32 bit = state & 1;
  m->a -= p;
  if ((m->c >> 16) < p) {
    if (m->a < p) mqContexts[context] = afterMore(entry);
    else {
      bit ^= 1;
      mqContexts[context] = afterLess(entry);
    }
    m->a = p;
  } else {
    m->c -= p << 16;
    if (LIKELY(m->a & 0x8000)) return bit;
    if (m->a < p) {
      bit ^= 1;
      mqContexts[context] = afterLess(entry);
    } else mqContexts[context] = afterMore(entry);
  }
  do {
    if (m->left == 0) mqTakeByte(m);
    m->a <<= 1;
    m->c <<= 1;
    m->left--;
  } while ((m->a & 0x8000) == 0);
  return bit;
}

typedef struct {
  u8 *at;        // the byte that may still get a carry
  u8 *end;
  u32 c;
  u32 a;
  u32 left;
  u32 isFull;
} MqEncoder;

/** `room` begins with one byte that is not part of the segment. */
INLINE void mqStart(MqEncoder *m, u8 *room, u8 *end) {
  room[0] = 0;
  m->at = room;
  m->end = end;
  m->c = 0;
  m->a = 0x8000;
  m->left = 12;
  m->isFull = 0;
}

static NEVER_INLINE void mqPutByte(MqEncoder *m) {
  if (m->at + 2 >= m->end) {
    m->isFull = 1;
    m->at = m->end - 3;
  }
  if (m->at[0] != 0xff && m->c >= 0x8000000) {
    m->at[0]++;
    m->c &= 0x7ffffff;
  }
  if (m->at[0] == 0xff) {
    *++m->at = (u8)(m->c >> 20);
    m->c &= 0xfffff;
    m->left = 7;
  } else {
    *++m->at = (u8)(m->c >> 19);
    m->c &= 0x7ffff;
    m->left = 8;
  }
}

INLINE void mqEncode(MqEncoder *m, u32 context, u32 bit) {
  u32 state = mqContexts[context];
  u32 entry = mqTable[state];
  u32 p = entry & 0xffff;
  m->a -= p;
  if (bit == (state & 1)) {
    if (m->a & 0x8000) {
      m->c += p;
      return;
    }
    if (m->a < p) m->a = p;
    else m->c += p;
    mqContexts[context] = afterMore(entry);
  } else {
    if (m->a < p) m->c += p;
    else m->a = p;
    mqContexts[context] = afterLess(entry);
  }
  do {
    m->a <<= 1;
    m->c <<= 1;
    if (--m->left == 0) mqPutByte(m);
  } while ((m->a & 0x8000) == 0);
}

/** Ends the segment; answers where it ends. */
INLINE u8 *mqFinish(MqEncoder *m) {
  u32 top = m->c + m->a;
  m->c |= 0xffff;
  if (m->c >= top) m->c -= 0x8000;
  m->c <<= m->left;
  mqPutByte(m);
  m->c <<= m->left;
  mqPutByte(m);
  // A last byte FF says nothing that the decoder does not suppose.
  return m->at[0] == 0xff ? m->at : m->at + 1;
}

#endif
