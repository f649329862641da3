// Owns: from counts of tokens to the frequency tables of contexts. Encoder only (best codec, version 2).

#ifndef STELE_FREQUENCIES_H
#define STELE_FREQUENCIES_H

#include "model.h"

/** A symbol is a context and a token in one number. */
enum { symbolShift = 8, symbolCount = contextsMax << symbolShift };

/** About 64 log2 v, for v > 0. */
INLINE u32 log64(u32 v) { return (floatBits(v) - 0x3f800000) >> 17; }

/** What coding the counts of the first `used` tokens by their own frequencies costs, in 64ths of bits, without the table. */
static u64 costOfCounts(const u32 *counts, u32 used) {
  u64 total = 0, sum = 0;
  for (u32 t = 0; t < used; t++) {
    if (counts[t] == 0) continue;
    total += counts[t];
    sum += (u64)counts[t] * log64(counts[t]);
  }
  return total == 0 ? 0 : total * log64((u32)total) - sum;
}

/**
 * Adds the two tallies up; then joins neighbouring contexts where a table of their own costs more than it saves. A table's counts lie where its number
 * says.
 */
static __attribute__((noinline)) void joinContexts(Tables *t, u32 *counts, const u32 *countsMore, u32 contextCount) {
  enum { tableCost = 64 * 150, aloneFrom = 6000 };
  u32 totals[contextsMax], used = 0;
  for (u32 c = 0; c < contextCount; c++) {
    u32 *own = counts + (c << symbolShift);
    totals[c] = 0;
    for (u32 k = 0; k < tokenCount; k++) totals[c] += own[k] += countsMore[c << symbolShift | k];
    for (u32 k = tokenCount; k > used; k--) if (own[k - 1] > 0) used = k;
  }
  u64 costBefore = 0, totalBefore = 0;
  t->tableCount = 0;
  for (u32 c = 0; c < contextCount; c++) {
    u32 *own = counts + (c << symbolShift), *joined = counts + ((t->tableCount - 1) << symbolShift), together[tokenCount];
    if (t->tableCount > 0 && (totals[c] < aloneFrom || totalBefore < aloneFrom)) {
      for (u32 k = 0; k < tokenCount; k++) together[k] = joined[k] + own[k];
      u64 cost = costOfCounts(together, used);
      if (costBefore == ~(u64)0) costBefore = costOfCounts(joined, used);
      if (cost <= costBefore + costOfCounts(own, used) + tableCost) {
        copyBytes(joined, together, sizeof together);
        t->tableOf[c] = (u8)(t->tableCount - 1);
        costBefore = cost;
        totalBefore += totals[c];
        continue;
      }
    }
    if (c > t->tableCount) copyBytes(counts + (t->tableCount << symbolShift), own, tokenCount * 4);
    t->tableOf[c] = (u8)t->tableCount++;
    costBefore = ~(u64)0;
    totalBefore = totals[c];
  }
}

/** Scales counts to frequencies that sum to 2048, rounded to what the side information can say. */
static void scaleCounts(const u32 *counts, u32 total, Frequencies *f, u32 mantissaBits) {
  u32 taken = 0;
  f->last = 0;
  for (u32 token = 0, size; token < tokenCount; token += size) {
    u32 count = counts[token], value = 0;
    size = groupSize(token, f->isCoarse);
    for (u32 j = 1; j < size; j++) count += counts[token + j];
    if (count > 0) {
      u32 exact = (u32)(((u64)count * oddsTotal * 2 / ((u64)total * size) + 1) / 2), length = bitLength(exact);
      // To nearest, before the low bits go; the top's downwards, since it gets what is left.
      u32 half = f->top - token >= size && length > mantissaBits + 1 ? 1u << (length - 2 - mantissaBits) : 0;
      value = (u32)maxOf(1, (i32)coarse(exact + half, mantissaBits));
      f->last = token;
    }
    for (u32 j = 0; j < size; j++) f->told[token + j] = (u16)value;
    taken += value * size;
  }
  // Many rare tokens can take too much: lessen the greatest of what can be lessened.
  while (taken > oddsTotal) {
    u32 most = 0;
    for (u32 token = 0; token <= f->last; token += groupSize(token, f->isCoarse)) if (f->told[token] > f->told[most]) most = token;
    u32 less = coarse(f->told[most] - (f->told[most] >> 2), mantissaBits), size = groupSize(most, f->isCoarse);
    if (less == 0 || less == f->told[most]) less = f->told[most] >> 1;
    taken -= (f->told[most] - less) * size;
    for (u32 j = 0; j < size; j++) f->told[most + j] = (u16)less;
  }
  completeTable(f);
}

/** What the counts cost with these frequencies, and the table itself, roughly, in 64ths of bits. */
static u64 costOfTable(const u32 *counts, const Frequencies *f) {
  u64 sum = 0;
  for (u32 token = 0; token < tokenCount; token++) if (counts[token] > 0) sum += (u64)counts[token] * (oddsTotalBits * 64 - log64(f->of[token]));
  for (u32 token = 0; token <= f->last; token += groupSize(token, f->isCoarse)) sum += f->told[token] > 0 ? 180 : 50;
  return sum;
}

/** The table in whichever way costs less. */
static void chooseTable(const u32 *counts, Frequencies *f, u32 mantissaBits) {
  u32 total = 0;
  f->isCoarse = f->top = 0;
  for (u32 token = 0; token < tokenCount; token++) {
    total += counts[token];
    if (counts[token] > counts[f->top]) f->top = token;
  }
  scaleCounts(counts, total, f, mantissaBits);
  if (f->last < 16) return;
  Frequencies other = { .isCoarse = 1, .top = f->top };
  scaleCounts(counts, total, &other, mantissaBits);
  if (costOfTable(counts, &other) < costOfTable(counts, f)) *f = other;
}

#endif
