// Owns: tokens, the frequency tables of each context, and how model and tables lie in the side information.
//
// An error e (16 bit, wrapping) is folded to z = 2e or -2e-1. Token t = z below 64; above, with l = floor(log2 z),
// t = 64 + 4(l-6) + the two bits below the leading one, and the l-2 bits under those follow raw. 104 tokens in all.
// The frequencies of a context sum to 4096; none is more than 4095, so that a state never stands still.

#ifndef STELE_TABLES_H
#define STELE_TABLES_H

#include "side-coder.h"
#include "wave.h"

enum { tokensPlain = 64, tokenCount = 104, oddsTotalBits = 12, oddsTotal = 1 << oddsTotalBits };

// top: the token that takes what the others leave of 4096; its frequency alone need not be coarse.
typedef struct { u16 of[contextsMax][tokenCount]; u32 top[contextsMax], mantissaBits; } Frequencies;

INLINE u32 tokenOf(u32 z) {
  if (z < tokensPlain) return z;
  u32 l = bitLength(z) - 1;
  return tokensPlain + (l - 6) * 4 + ((z >> (l - 2)) & 3);
}
INLINE u32 tokenRawBits(u32 token) { return token < tokensPlain ? 0 : 4 + ((token - tokensPlain) >> 2); }
INLINE u32 tokenBase(u32 token) {
  return token < tokensPlain ? token : (4 + ((token - tokensPlain) & 3)) << tokenRawBits(token);
}

enum { classExponent = 16, mantissaMax = 8 };

typedef struct { Odds weight[32], round[32], edge[32], exponent[3][classExponent][classExponent + 1]; } SideOdds;

static void startOdds(SideOdds *o) {
  Odds *flat = (Odds *)o;
  for (u32 i = 0; i < sizeof *o / sizeof(Odds); i++) flat[i] = oddsStart;
}

/** The exponent expected of a token: from the two tokens before it and the same token in the context before. */
INLINE u32 exponentExpected(const u8 *row, const u8 *rowBefore, u32 token) {
  u32 near = token >= 2 ? row[token - 2] : token == 1 ? row[0] : 8;
  u32 nearer = token >= 1 ? row[token - 1] : 8;
  return rowBefore ? (near + nearer + 2 * rowBefore[token] + 2) >> 2 : (near + nearer + 1) >> 1;
}

/** Rounds a frequency down to its leading bit and `bits` more. */
INLINE u32 coarse(u32 frequency, u32 bits) {
  u32 length = bitLength(frequency);
  return length <= bits + 1 ? frequency : frequency >> (length - 1 - bits) << (length - 1 - bits);
}

static void putFrequencies(SideWriter *w, SideOdds *o, const Frequencies *f, u32 contextCount) {
  u8 rows[2][tokenCount];
  sideDirect(w, f->mantissaBits, 3);
  for (u32 c = 0; c < contextCount; c++) {
    u8 *row = rows[c & 1];
    const u8 *before = c > 0 ? rows[(c - 1) & 1] : 0;
    u32 top = f->top[c];
    sideDirect(w, top, 7);
    for (u32 t = 0; t < tokenCount; t++) {
      u32 length = bitLength(f->of[c][t]);
      row[t] = t == top ? 12 : (u8)length;
      if (t == top) continue;
      // The length in unary; which odds it goes through depends on what was expected, so that the likely is cheap.
      Odds *odds = o->exponent[before == 0 ? 0 : before[t] == 0 ? 1 : 2][exponentExpected(row, before, t)];
      for (u32 i = 0; i < length; i++) sideBit(w, odds + i, 1);
      if (length < 12) sideBit(w, odds + length, 0);
      u32 extra = length > 0 ? (u32)minOf((i32)length - 1, (i32)f->mantissaBits) : 0;
      sideDirect(w, f->of[c][t] >> (length > 0 ? length - 1 - extra : 0), extra);
    }
    row[top] = (u8)bitLength(f->of[c][top]);
  }
}

/** False where the frequencies do not sum to 4096. */
static int getFrequencies(SideReader *r, SideOdds *o, Frequencies *f, u32 contextCount) {
  u8 rows[2][tokenCount];
  f->mantissaBits = sideGetDirect(r, 3);
  for (u32 c = 0; c < contextCount; c++) {
    u8 *row = rows[c & 1];
    const u8 *before = c > 0 ? rows[(c - 1) & 1] : 0;
    u32 top = sideGetDirect(r, 7), left = oddsTotal;
    if (top >= tokenCount) return 0;
    for (u32 t = 0; t < tokenCount; t++) {
      if (t == top) { row[t] = 12; continue; }
      u32 expected = exponentExpected(row, before, t);
      Odds *odds = o->exponent[before == 0 ? 0 : before[t] == 0 ? 1 : 2][expected];
      u32 length = 0;
      while (length < 12 && sideGetBit(r, odds + length)) length++;
      row[t] = (u8)length;
      u32 extra = length > 0 ? (u32)minOf((i32)length - 1, (i32)f->mantissaBits) : 0;
      u32 value = length > 0 ? ((1u << extra) | sideGetDirect(r, extra)) << (length - 1 - extra) : 0;
      f->of[c][t] = (u16)value;
      if (value > left) return 0;
      left -= value;
    }
    if (left == 0 || left == oddsTotal) return 0;
    f->of[c][top] = (u16)left;
    row[top] = (u8)bitLength(left);
  }
  return 1;
}

static void putModel(SideWriter *w, SideOdds *o, const Model *m) {
  sideDirect(w, (u16)m->low, 16);
  sideDirect(w, (u16)m->high, 16);
  sideDirect(w, m->classCount - 1, 2);
  sideDirect(w, m->contextCount - 1, 4);
  sideDirect(w, m->shift, 4);
  sideDirect(w, m->calm, 12);
  for (u32 i = 0, last = 0; i + 1 < m->classCount; last = m->classEdges[i++]) sideNumber(w, o->edge, m->classEdges[i] - last);
  for (u32 i = 0, last = 0; i + 1 < m->contextCount; last = m->contextEdges[i++]) sideNumber(w, o->edge, m->contextEdges[i] - last);
  for (u32 k = 0; k < m->classCount; k++) {
    for (u32 i = 0; i < regressors; i++) sideSigned(w, o->weight, m->weights[k][i]);
    sideSigned(w, o->round, m->rounds[k]);
  }
}

static void getModel(SideReader *r, SideOdds *o, Model *m) {
  m->low = (i16)sideGetDirect(r, 16);
  m->high = (i16)sideGetDirect(r, 16);
  m->classCount = sideGetDirect(r, 2) + 1;
  m->contextCount = sideGetDirect(r, 4) + 1;
  m->shift = sideGetDirect(r, 4);
  m->calm = sideGetDirect(r, 12);
  for (u32 i = 0, last = 0; i + 1 < m->classCount; last = m->classEdges[i++]) m->classEdges[i] = (u16)(last + sideGetNumber(r, o->edge));
  for (u32 i = 0, last = 0; i + 1 < m->contextCount; last = m->contextEdges[i++]) m->contextEdges[i] = (u16)(last + sideGetNumber(r, o->edge));
  for (u32 k = 0; k < m->classCount; k++) {
    for (u32 i = 0; i < regressors; i++) m->weights[k][i] = (i16)sideGetSigned(r, o->weight);
    m->rounds[k] = sideGetSigned(r, o->round);
  }
}

#endif
