// Rules of forwarding: which series go where.
//
// Invariants: what a rule says is checked when it is set; matching is a pure function of the rule and of what is known of a series; a list that is
// empty leaves its question open; nothing is sent back to where it came from.
// Left out on purpose: the queue and the sending (forwarding.ts and the DICOM door).

import { ArchiveError } from '../base/index.ts';
import type { JsonObject, JsonValue } from '../catalog/index.ts';
import { type ForwardKind, forwardKinds } from './forward-rows.ts';

export type ForwardRule = {
  readonly name: string;
  /** AE titles that it takes from; empty: any. */
  readonly from: readonly string[];
  /** Modalities that it takes; empty: any. */
  readonly modalities: readonly string[];
  /** What the study description must look like, with `*` and `?`; undefined: anything. */
  readonly description: string | undefined;
  /** Hours of the day, 0 to 23 by this machine's clock, in which it takes what arrives; empty: any. */
  readonly hours: readonly number[];
  /** AE title that it sends to. */
  readonly to: string;
  /** What it sends there. */
  readonly what: ForwardKind;
  /** What was sent once stays as it was sent: later corrections and replacements are not sent. */
  readonly once: boolean;
  /** How long a study must have been quiet before it is sent. */
  readonly quietSeconds: number;
  readonly enabled: boolean;
};

/** What a rule looks at. */
export type ForwardFacts = {
  readonly source: string | undefined;
  readonly modality: string | undefined;
  readonly description: string | undefined;
  readonly hour: number;
};

export const quietSecondsDefault = 30;
const quietSecondsMax = 86_400;
const valuesMax = 100;
const patternCharsMax = 256;
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Whether a rule takes a series. */
export function takesSeries(rule: ForwardRule, facts: ForwardFacts): boolean {
  if (!rule.enabled || facts.source === rule.to) return false;
  if (rule.from.length > 0 && !rule.from.some((title) => title === facts.source)) return false;
  if (rule.modalities.length > 0 && !rule.modalities.some((modality) => modality === facts.modality)) return false;
  if (rule.hours.length > 0 && !rule.hours.includes(facts.hour)) return false;
  return rule.description === undefined || fitsPattern(facts.description ?? '', rule.description);
}

/** `*` is any text, `?` any character, capitals do not matter. Goes back to the last star only, so no pattern is slow. */
function fitsPattern(text: string, pattern: string): boolean {
  const [chars, wanted] = [Array.from(text.toLowerCase()), Array.from(pattern.toLowerCase())];
  let [at, inPattern] = [0, 0];
  let star: { readonly inPattern: number; at: number } | undefined;
  while (at < chars.length) {
    if (wanted[inPattern] === '*') {
      star = { inPattern, at };
      inPattern += 1;
    } else if (wanted[inPattern] === '?' || wanted[inPattern] === chars[at]) {
      at += 1;
      inPattern += 1;
    } else if (star === undefined) return false;
    else {
      star.at += 1;
      at = star.at;
      inPattern = star.inPattern + 1;
    }
  }
  while (wanted[inPattern] === '*') inPattern += 1;
  return inPattern === wanted.length;
}

/** Hours as people write them: `18-7,12` is 18 to 23, 0 to 7 and 12. ARGUMENT_INVALID. */
export function hoursOf(text: string): number[] {
  const hours = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^\s*(\d{1,2})(?:-(\d{1,2}))?\s*$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || first > 23 || last > 23)
      throw new ArchiveError('ARGUMENT_INVALID', 'hours are such as 18-23,0-7 or 12');
    for (let hour = first; ; hour = (hour + 1) % 24) {
      hours.add(hour);
      if (hour === last) break;
    }
  }
  return [...hours].sort((one, other) => one - other);
}

/** ARGUMENT_INVALID. */
export function checkRule(rule: ForwardRule): void {
  const refuse = (says: string): never => {
    throw new ArchiveError('ARGUMENT_INVALID', says);
  };
  if (!nameForm.test(rule.name)) refuse('the name of a rule is 1 to 64 of letters, digits, ".", "_" and "-"');
  if (rule.from.length > valuesMax || rule.modalities.length > valuesMax)
    refuse(`a rule lists at most ${valuesMax} titles or modalities`);
  if (rule.modalities.some((modality) => !/^[A-Z0-9_ ]{1,16}$/.test(modality)))
    refuse('a modality is 1 to 16 capitals or digits');
  if ((rule.description?.length ?? 0) > patternCharsMax) refuse(`a pattern has at most ${patternCharsMax} characters`);
  if (!(Number.isInteger(rule.quietSeconds) && rule.quietSeconds >= 0 && rule.quietSeconds <= quietSecondsMax))
    refuse(`a study is waited for 0 to ${quietSecondsMax} seconds`);
}

export function rowOfRule(rule: ForwardRule): JsonObject {
  const { description, ...rest } = rule;
  return description === undefined ? rest : { ...rest, description };
}

export function ruleOfRow(row: JsonObject): ForwardRule | undefined {
  const { name, to, description, quietSeconds } = row;
  if (typeof name !== 'string' || typeof to !== 'string') return undefined;
  const texts = (value: JsonValue | undefined): string[] =>
    Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
  const hours = row['hours'];
  return {
    name,
    to,
    what: forwardKinds.find((each) => each === row['what']) ?? 'instances',
    once: row['once'] === true,
    from: texts(row['from']),
    modalities: texts(row['modalities']),
    description: typeof description === 'string' ? description : undefined,
    hours: Array.isArray(hours) ? hours.filter((each) => typeof each === 'number') : [],
    quietSeconds: typeof quietSeconds === 'number' ? quietSeconds : quietSecondsDefault,
    enabled: row['enabled'] !== false,
  };
}
