// Which older studies of a patient are wanted where a new one was ordered.
//
// Invariants: pure: the same order, rules, studies and time give the same plan; a study is planned once for a destination, newest first, by the first rule that
// takes it; a study without a date is of unknown age and taken by no rule; the ordered study itself is no prior.
// Left out on purpose: finding the studies, and sending them (the archive).

/** What was ordered, as far as the order says. */
export type PriorOrder = {
  readonly modality: string | undefined;
  readonly bodyPart: string | undefined;
  /** The study that is to come, where its UID is known. */
  readonly study: string | undefined;
  /** Where the reading will be; undefined: where the rule says. */
  readonly to: string | undefined;
};

/** `same`: as the order says; where that says nothing, any. */
export type PriorWish = 'same' | 'any' | readonly string[];

export type PriorRule = {
  readonly name: string;
  /** Orders that it is for; empty: any. */
  readonly modalities: readonly string[];
  readonly bodyParts: readonly string[];
  /** Studies that it takes. */
  readonly priorModalities: PriorWish;
  readonly priorBodyParts: PriorWish;
  /** So many of them, the newest. */
  readonly newest: number;
  /** No older than that. */
  readonly years: number;
  /** AE title that they go to, where the order names none. */
  readonly to: string | undefined;
  readonly enabled: boolean;
};

export type Prior = {
  readonly study: string;
  /** Eight digits. */
  readonly date: string | undefined;
  readonly modalities: readonly string[];
  readonly bodyParts: readonly string[];
  readonly description: string | undefined;
};

export type PlannedPrior = { readonly study: string; readonly rule: string; readonly to: string | undefined };

/** In force while a site has made no rule of its own. */
export const usualPriorRule: PriorRule = {
  name: 'usual',
  modalities: [],
  bodyParts: [],
  priorModalities: 'same',
  priorBodyParts: 'same',
  newest: 3,
  years: 5,
  to: undefined,
  enabled: true,
};

export function planPriors(facts: {
  readonly order: PriorOrder;
  readonly rules: readonly PriorRule[];
  readonly priors: readonly Prior[];
  readonly nowMs: number;
}): PlannedPrior[] {
  const { order, priors, nowMs } = facts;
  const rules = facts.rules.length === 0 ? [usualPriorRule] : facts.rules;
  const newestFirst = priors
    .filter(({ study, date }) => study !== order.study && date !== undefined)
    .toSorted((one, other) => compare(other.date ?? '', one.date ?? '') || compare(other.study, one.study));
  const planned = new Map<string, PlannedPrior>();
  for (const rule of rules) {
    if (!isForOrder(rule, order)) continue;
    const to = order.to ?? rule.to;
    const oldest = dayYearsBefore(nowMs, rule.years);
    const taken = newestFirst.filter((prior) => (prior.date ?? '') >= oldest && takesPrior(rule, order, prior));
    for (const { study } of taken.slice(0, rule.newest)) {
      const key = `${study} ${to ?? ''}`;
      if (!planned.has(key)) planned.set(key, { study, rule: rule.name, to });
    }
  }
  return [...planned.values()];
}

function isForOrder(rule: PriorRule, { modality, bodyPart }: PriorOrder): boolean {
  if (!rule.enabled) return false;
  if (rule.modalities.length > 0 && !isAmong(modality, rule.modalities)) return false;
  return rule.bodyParts.length === 0 || isAmong(bodyPart, rule.bodyParts);
}

function takesPrior(rule: PriorRule, order: PriorOrder, prior: Prior): boolean {
  const modalities = wished(rule.priorModalities, order.modality);
  if (modalities !== undefined && !prior.modalities.some((each) => isAmong(each, modalities))) return false;
  const parts = wished(rule.priorBodyParts, order.bodyPart);
  if (parts === undefined) return true;
  if (prior.bodyParts.some((each) => isAmong(each, parts))) return true;
  // Many devices leave the body part out and name it in the description alone.
  const description = folded(prior.description ?? '');
  return prior.bodyParts.length === 0 && parts.some((part) => description.includes(folded(part)));
}

/** undefined: any. */
function wished(wish: PriorWish, ordered: string | undefined): readonly string[] | undefined {
  if (wish === 'any') return undefined;
  if (wish !== 'same') return wish;
  return ordered === undefined ? undefined : [ordered];
}

function isAmong(text: string | undefined, texts: readonly string[]): boolean {
  return text !== undefined && texts.some((each) => folded(each) === folded(text));
}

function folded(text: string): string {
  return text.trim().toUpperCase();
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function dayYearsBefore(nowMs: number, years: number): string {
  const day = new Date(nowMs);
  day.setUTCFullYear(day.getUTCFullYear() - years);
  return day.toISOString().slice(0, 10).replaceAll('-', '');
}
