// PersonName: what a value of VR PN says (PS3.5 6.2.1): up to three groups that write the same name, each of up to five components.
//
// Invariants: parsing takes whatever comes and never throws; what is more than three groups or five components stays with the last one, so nothing is lost;
// formatting a parsed name gives the same name without insignificant padding. Two names are the same when that form is.
// Left out on purpose: which part of 张三 is the family name (han-readings.ts), searching (name-search.ts), correcting what a sender wrote: 汉字 in the first
// group without `^` is common in China and stays where it was put.

export type NameGroup = {
  readonly family: string;
  readonly given: string;
  readonly middle: string;
  readonly prefix: string;
  readonly suffix: string;
};

export type PersonName = {
  readonly alphabetic: NameGroup;
  readonly ideographic: NameGroup;
  readonly phonetic: NameGroup;
};

const groupCount = 3;
const componentCount = 5;

/** Splits into at most so many parts; the last one keeps the rest, separators included. */
function splitAtMost(text: string, separator: string, partsMax: number): string[] {
  const parts = text.split(separator);
  return parts.length <= partsMax
    ? parts
    : [...parts.slice(0, partsMax - 1), parts.slice(partsMax - 1).join(separator)];
}

/** Padding: blanks, the wide one too, and control characters at both ends. A loop, since a pattern takes quadratic time over a hostile run of blanks. */
function withoutPadding(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isPadding(text.charCodeAt(start))) start++;
  while (end > start && isPadding(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isPadding(unit: number): boolean {
  return unit <= 0x20 || unit === 0xa0 || unit === 0x3000;
}

function parseGroup(text: string): NameGroup {
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = splitAtMost(text, '^', componentCount).map(
    withoutPadding,
  );
  return { family, given, middle, prefix, suffix };
}

/** One value of a PN element (already split at backslashes). */
export function parsePersonName(text: string): PersonName {
  const [alphabetic = '', ideographic = '', phonetic = ''] = splitAtMost(text, '=', groupCount);
  return {
    alphabetic: parseGroup(alphabetic),
    ideographic: parseGroup(ideographic),
    phonetic: parseGroup(phonetic),
  };
}

export function groupsOf(name: PersonName): readonly NameGroup[] {
  return [name.alphabetic, name.ideographic, name.phonetic];
}

function componentsOf(group: NameGroup): readonly string[] {
  return [group.family, group.given, group.middle, group.prefix, group.suffix];
}

function joinWithoutTail(parts: readonly string[], separator: string): string {
  const last = parts.findLastIndex((part) => part !== '');
  return parts.slice(0, last + 1).join(separator);
}

export function formatNameGroup(group: NameGroup): string {
  return joinWithoutTail(componentsOf(group), '^');
}

/** DICOM's own form, without empty components and groups at the end. */
export function formatPersonName(name: PersonName): string {
  return joinWithoutTail(groupsOf(name).map(formatNameGroup), '=');
}

/** Whether a text is written without spaces between words: 汉字, kana. */
function isHan(text: string): boolean {
  return /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}·]+$/u.test(text);
}

function displayGroup(group: NameGroup): string {
  const parts = [group.family, group.given, group.middle].filter((part) => part !== '');
  const name = parts.length > 0 && parts.every(isHan) ? parts.join('') : parts.join(' ');
  return [group.prefix, name, group.suffix].filter((part) => part !== '').join(' ');
}

/** For people to read: 张三 (Zhang San). The ideographic group first where there is one, since it is the name; family name first, as lists are sorted. */
export function displayPersonName(name: PersonName): string {
  const shown = [name.ideographic, name.alphabetic, name.phonetic].map(displayGroup).filter((text) => text !== '');
  const [first = '', second] = shown;
  return second === undefined || second === first ? first : `${first} (${second})`;
}

/** Whether two values write the same name; padding and empty parts at the end do not count, case does (PS3.4 C.2.2.2.1). */
export function samePersonName(a: string, b: string): boolean {
  return (
    a === b || formatPersonName(parsePersonName(a)).normalize() === formatPersonName(parsePersonName(b)).normalize()
  );
}
