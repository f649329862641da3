// Owns: tokens, the frequency tables of each context, and how model and tables lie in the side information (best codec, version 1).
//
// An error e (16 bit, wrapping) is folded to z = 2e or -2e-1. Token t = z below 64; above, with l = floor(log2 z),
// t = 64 + 4(l-6) + the two bits below the leading one, and the l-2 bits under those follow raw. 104 tokens in all.
// The frequencies of a context sum to 4096; none is more than 4095, so that a state never stands still.

#ifndef STELE_TABLES_1_H
#define STELE_TABLES_1_H

#include "side-coder.h"
#include "wave-1.h"

enum { tokensPlain = 64, tokenCount = 104, oddsTotalBits = 12, oddsTotal = 1 << oddsTotalBits };

typedef struct { u16 of[contextsMax][tokenCount]; u32 mantissaBits; } Frequencies;

INLINE u32 tokenRawBits(u32 token) { return token < tokensPlain ? 0 : 4 + ((token - tokensPlain) >> 2); }
INLINE u32 tokenBase(u32 token) {
  return token < tokensPlain ? token : (4 + ((token - tokensPlain) & 3)) << tokenRawBits(token);
}

enum { classExponent = 16 };

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
