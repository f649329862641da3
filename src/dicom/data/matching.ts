// Matching of attributes (PS3.4 C.2.2.2): what a key of a query asks for, as a value that a database can turn into a statement, and whether a data set fits it.
//
// Invariants: an attribute fits when any of its values does; absent and empty ones fit universal matching and the asking for empty values only. Trailing
// components that are empty do not make names differ. Comparing costs time in the product of both lengths at most, whatever the pattern.
// Left out on purpose: fuzzy matching of names (text/), and which keys an information model knows.

import { ArchiveError } from '../../base/index.ts';
import type { CharacterSet } from '../text/character-set.ts';
import { type DataSet, type Element, ItemsElement } from './data-set.ts';
import { dictionaryEntry } from './dictionary.ts';
import { BytesElement } from './element.ts';
import { inUtc, type Moment, parseDate, parseDateTime, parseOffset, parseTime } from './moment.ts';
import { isGroupLength, type Tag, tags, tagText } from './tag.ts';
import { numbersOf, parseDecimal, readableFacts, textsOf } from './values.ts';
import type { Vr } from './vr.ts';

export type RangeVr = 'DA' | 'TM' | 'DT';

export type RangeMatch = {
  readonly kind: 'range';
  readonly vr: RangeVr;
  /** Inclusive, as digits: 8 of a date, 12 of a time, 20 of both. Undefined is open. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** How far the clock of the bounds is ahead of UTC, where a DT says so. */
  readonly fromOffsetMinutes: number | undefined;
  readonly toOffsetMinutes: number | undefined;
};

export type Match =
  /** Anything fits, nothing too. */
  | { readonly kind: 'universal' }
  /** The attribute is there without a value, or absent: asked by two quotation marks. */
  | { readonly kind: 'empty' }
  /** One of these texts, all of it. */
  | { readonly kind: 'texts'; readonly values: readonly string[]; readonly caseless: boolean }
  /** One of these patterns: * stands for any characters, ? for any one. */
  | { readonly kind: 'patterns'; readonly patterns: readonly string[]; readonly caseless: boolean }
  /** A name, perhaps with wildcards: all of it or of one of its groups, or group by group. */
  | { readonly kind: 'names'; readonly patterns: readonly string[] }
  | { readonly kind: 'numbers'; readonly values: readonly number[] }
  | RangeMatch
  /** An item that fits all of these keys. */
  | { readonly kind: 'items'; readonly keys: readonly MatchKey[] };

export type MatchKey = { readonly tag: Tag; readonly vr: Vr; readonly match: Match };

export type MatchOptions = {
  /** Texts other than names match in either case too. Names always do. */
  readonly caseless?: boolean | undefined;
};

const universal: Match = { kind: 'universal' };
const numberVrs = new Set<Vr>(['DS', 'IS', 'US', 'SS', 'UL', 'SL', 'SV', 'UV', 'FL', 'FD']);
const exactVrs = new Set<Vr>(['UI', 'AS', 'AT']);

/** What values of a key ask for. Undefined when they are none that the VR can have, such as a date of letters. */
export function parseMatch(vr: Vr, values: readonly string[], options: MatchOptions = {}): Match | undefined {
  const given = values.filter((value) => value !== '');
  if (given.length === 0 || given.some((value) => /^\*+$/.test(value))) return universal;
  if (given.length === 1 && given[0] === '""') return { kind: 'empty' };
  if (vr === 'DA' || vr === 'TM' || vr === 'DT') return parseRange(vr, given);
  if (numberVrs.has(vr)) {
    const numbers = given.map((value) => parseDecimal(value.trim())).filter((number) => number !== undefined);
    return numbers.length === given.length ? { kind: 'numbers', values: numbers } : undefined;
  }
  if (vr === 'PN') return { kind: 'names', patterns: given };
  const caseless = options.caseless ?? false;
  if (exactVrs.has(vr) || !given.some((value) => /[*?]/.test(value))) {
    return { kind: 'texts', values: given, caseless: caseless && !exactVrs.has(vr) };
  }
  return { kind: 'patterns', patterns: given, caseless };
}

const momentParsers = { DA: parseDate, TM: parseTime, DT: parseDateTime };

/** A date, a time, or a range of them; there is no list of those. */
function parseRange(vr: RangeVr, values: readonly string[]): RangeMatch | undefined {
  if (values.length > 1) return undefined;
  const text = (values[0] ?? '').trim();
  const parse = momentParsers[vr];
  const whole = parse(text);
  if (whole !== undefined) return rangeOf(vr, whole, whole);
  // The dash of a range, and not the sign of an offset: what stands on both sides of it is a time, or nothing.
  for (let dash = text.indexOf('-'); dash >= 0; dash = text.indexOf('-', dash + 1)) {
    const before = text.slice(0, dash).trim();
    const after = text.slice(dash + 1).trim();
    const from = before === '' ? undefined : parse(before);
    const to = after === '' ? undefined : parse(after);
    const good = (before === '') === (from === undefined) && (after === '') === (to === undefined);
    if (good && (from !== undefined || to !== undefined)) return rangeOf(vr, from, to);
  }
  return undefined;
}

function rangeOf(vr: RangeVr, from: Moment | undefined, to: Moment | undefined): RangeMatch {
  return {
    kind: 'range',
    vr,
    from: from?.from,
    to: to?.to,
    fromOffsetMinutes: from?.offsetMinutes,
    toOffsetMinutes: to?.offsetMinutes,
  };
}

/** The keys of a query identifier: every attribute of it, empty ones as universal. ARGUMENT_INVALID names the tag of one that its VR cannot have. */
export function keysOfIdentifier(identifier: DataSet, set: CharacterSet, options: MatchOptions = {}): MatchKey[] {
  const own = identifier.characterSet(set);
  return identifier
    .inOrder()
    .filter(({ tag }) => tag !== tags.SpecificCharacterSet && tag !== tags.QueryRetrieveLevel && !isGroupLength(tag))
    .map((element) => keyOf(element, own, options));
}

function keyOf(element: Element, set: CharacterSet, options: MatchOptions): MatchKey {
  const { tag } = element;
  // What matching means hangs on the attribute, whatever VR the identifier gives it.
  const entry = dictionaryEntry(tag);
  const { vr } = entry === undefined || entry.choice !== undefined ? readableFacts(tag, element.vr) : entry;
  if (element instanceof ItemsElement) {
    const [item] = element.items;
    const keys = item === undefined ? [] : keysOfIdentifier(item, set, options);
    return { tag, vr: 'SQ', match: keys.length === 0 ? universal : { kind: 'items', keys } };
  }
  const values = element instanceof BytesElement ? keyValues(element, vr, set) : [];
  const match = parseMatch(vr, values, options);
  if (match === undefined) {
    throw new ArchiveError('ARGUMENT_INVALID', `the key ${tagText(tag)} has a value that no ${vr} can have`);
  }
  return { tag, vr, match };
}

function keyValues(element: BytesElement, vr: Vr, set: CharacterSet): readonly string[] {
  const isBinary = numberVrs.has(vr) && vr !== 'DS' && vr !== 'IS';
  return isBinary ? numbersOf(element).map(String) : textsOf(element, set);
}

/** Whether a data set fits all keys. */
export function fitsKeys(dataSet: DataSet, keys: readonly MatchKey[], inherited?: CharacterSet): boolean {
  const set = dataSet.characterSet(inherited);
  return keys.every(({ tag, match }) => fitsElement(dataSet, tag, match, set));
}

function fitsElement(dataSet: DataSet, tag: Tag, match: Match, set: CharacterSet): boolean {
  if (match.kind === 'universal') return true;
  const element = dataSet.element(tag);
  if (match.kind === 'items') return dataSet.items(tag).some((item) => fitsKeys(item, match.keys, set));
  if (!(element instanceof BytesElement)) return match.kind === 'empty' && (element === undefined || isBare(element));
  if (match.kind === 'empty') return element.sizeBytes === 0 || isBlank(element, set);
  if (match.kind === 'numbers') return numbersOf(element).some((number) => match.values.includes(number));
  const zone = parseOffset(dataSet.string(tags.TimezoneOffsetFromUTC) ?? '');
  return fitsTexts(match, textsOf(element, set), zone);
}

function isBare(element: Element): boolean {
  return element instanceof ItemsElement && element.items.length === 0;
}

function isBlank(element: BytesElement, set: CharacterSet): boolean {
  const { kind } = readableFacts(element.tag, element.vr);
  return (kind === 'text' || kind === 'string') && textsOf(element, set).every((text) => text === '');
}

/** Whether any of an attribute's values, decoded, fits. `zoneMinutes` is the offset from UTC of those that say none. */
export function fitsTexts(match: Match, values: readonly string[], zoneMinutes?: number): boolean {
  switch (match.kind) {
    case 'universal':
      return true;
    case 'empty':
      return values.every((value) => value === '');
    case 'texts':
      return values.some((value) => match.values.some((wanted) => sameText(value, wanted, match.caseless)));
    case 'patterns':
      return values.some((value) => match.patterns.some((pattern) => fitsPattern(value, pattern, match.caseless)));
    case 'names':
      return values.some((value) => match.patterns.some((pattern) => fitsName(value, pattern)));
    case 'numbers':
      return values.some((value) => match.values.includes(parseDecimal(value.trim()) ?? Number.NaN));
    case 'range':
      return values.some((value) => fitsRange(match, value, zoneMinutes));
    case 'items':
      return false;
  }
}

function sameText(a: string, b: string, caseless: boolean): boolean {
  return a.trim() === b.trim() || (caseless && a.trim().toLowerCase() === b.trim().toLowerCase());
}

/** * stands for any number of characters, ? for one. */
export function fitsPattern(text: string, pattern: string, caseless: boolean): boolean {
  const [one, other] = caseless ? [text.toLowerCase(), pattern.toLowerCase()] : [text, pattern];
  return fitsGlob(Array.from(one), Array.from(other));
}

/** Goes back to the last star only, which is enough: what an earlier one could take, the last one can. */
function fitsGlob(text: readonly string[], pattern: readonly string[]): boolean {
  let at = 0;
  let want = 0;
  let star = -1;
  let starAt = 0;
  while (at < text.length) {
    if (pattern[want] === '*') {
      star = want++;
      starAt = at;
    } else if (want < pattern.length && (pattern[want] === '?' || pattern[want] === text[at])) {
      at += 1;
      want += 1;
    } else if (star >= 0) {
      want = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (pattern[want] === '*') want += 1;
  return want === pattern.length;
}

/** In either case; empty components at the end make no difference. A pattern with groups is compared group by group, another one with each group. */
export function fitsName(name: string, pattern: string): boolean {
  const groups = name.split('=').map(withoutEmptyEnd);
  const wanted = pattern.split('=').map(withoutEmptyEnd);
  const [first = ''] = wanted;
  if (wanted.length === 1) return groups.some((group) => fitsPattern(group, first, true));
  return wanted.every((each, index) => each === '' || fitsPattern(groups[index] ?? '', each, true));
}

function withoutEmptyEnd(group: string): string {
  return group.trim().replace(/[\^ ]+$/, '');
}

function fitsRange(match: RangeMatch, value: string, zoneMinutes: number | undefined): boolean {
  const moment = momentParsers[match.vr](value);
  if (moment === undefined) return false;
  const offset = moment.offsetMinutes ?? zoneMinutes;
  const { from, to, fromOffsetMinutes, toOffsetMinutes } = match;
  const after = from === undefined || compareMoments(moment.from, offset, from, fromOffsetMinutes) >= 0;
  return after && (to === undefined || compareMoments(moment.from, offset, to, toOffsetMinutes) <= 0);
}

/** As two clocks show them, or in UTC where of both it is known. */
function compareMoments(a: string, aOffset: number | undefined, b: string, bOffset: number | undefined): number {
  const known = aOffset !== undefined && bOffset !== undefined && a.length === 20 && b.length === 20;
  const left = known ? inUtc(a, aOffset) : a;
  const right = known ? inUtc(b, bOffset) : b;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** A range of a date and one of a time as one range of both (combined date-time matching, PS3.4 C.2.2.2.5), as 20 digits. */
export function combinedRange(date: RangeMatch, time: RangeMatch): RangeMatch {
  return {
    kind: 'range',
    vr: 'DT',
    from: date.from === undefined ? undefined : date.from + (time.from ?? '000000000000'),
    to: date.to === undefined ? undefined : date.to + (time.to ?? '235960999999'),
    fromOffsetMinutes: undefined,
    toOffsetMinutes: undefined,
  };
}

/** Whether a date and a time together lie within a combined range. */
export function fitsCombined(match: RangeMatch, date: string, time: string): boolean {
  const day = parseDate(date);
  const clock = parseTime(time === '' ? '00' : time);
  if (day === undefined || clock === undefined) return false;
  const at = day.from + clock.from;
  return (match.from === undefined || at >= match.from) && (match.to === undefined || at <= match.to);
}
