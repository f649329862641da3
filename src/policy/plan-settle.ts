// What settles now: pure decisions on packs and groups, from facts and a time.
//
// Invariants: nothing is read or changed here; a plan can be printed. A group settles when it has been quiet long enough; one that never falls quiet
// does not hold a pack for ever: after `patience` times the quiet time it settles all the same, and what is written to it later settles again.

import { assert } from '../base/index.ts';

export type GroupFacts = { readonly name: string /** When it was last written to. */; readonly lastMs: number };

export type PackFacts = { readonly sealedMs: number; readonly groups: readonly GroupFacts[] };

export type SettlePlan =
  | { readonly kind: 'settle'; readonly groups: readonly string[] }
  /** Some group is not quiet yet. */
  | { readonly kind: 'wait'; readonly untilMs: number };

export type SettleRules = { readonly quietMs: number };

/** A pack whose groups are never all quiet waits at most so many quiet times. */
export const patience = 8;

export function planSettle(pack: PackFacts, rules: SettleRules, nowMs: number): SettlePlan {
  assert(rules.quietMs >= 0, 'a quiet time is not negative');
  const patientUntilMs = pack.sealedMs + patience * rules.quietMs;
  // Facts alone, such as deletion markers, are gathered for a while before they are carried on.
  let untilMs = pack.groups.length === 0 ? pack.sealedMs + rules.quietMs : 0;
  for (const group of pack.groups) untilMs = Math.max(untilMs, group.lastMs + rules.quietMs);
  if (untilMs > nowMs && patientUntilMs > nowMs) return { kind: 'wait', untilMs: Math.min(untilMs, patientUntilMs) };
  return { kind: 'settle', groups: pack.groups.map((each) => each.name) };
}

export type PackBytes = { readonly liveBytes: number; readonly deadBytes: number };

/** Whether a pack holds more that nobody can read than what somebody can. */
export function isMostlyDead({ liveBytes, deadBytes }: PackBytes): boolean {
  assert(liveBytes >= 0 && deadBytes >= 0, 'bytes are counted');
  return deadBytes > liveBytes;
}

/** Control packs are small and many: so many of them are worth one. */
export const controlPacksMin = 8;

/** Up to here a control pack is small, whatever the others are. */
const controlBytesSmall = 8 * 1024 * 1024;

/**
 * Those of these control packs of which what still counts is written into a new one, the smallest first; none while they are few. One that is larger than all smaller
 * ones together stays: what is kept for ever, such as events of the audit, is then written again ever more rarely as it grows.
 */
export function planControl<Pack extends { readonly sizeBytes: number }>(packs: readonly Pack[]): Pack[] {
  const chosen: Pack[] = [];
  let sumBytes = controlBytesSmall;
  for (const pack of [...packs].sort((one, other) => one.sizeBytes - other.sizeBytes)) {
    if (pack.sizeBytes > sumBytes) break;
    chosen.push(pack);
    sumBytes += pack.sizeBytes;
  }
  return chosen.length >= controlPacksMin ? chosen : [];
}
