// What a patient's name is found by: keys for an index table, each found by its beginning, and what a person typed as the tokens to look for.
//
// A name fits a query when every token of the query is the beginning of one of the name's keys. For 王小明 the keys are 王小明, 小明王, 明, wangxiaoming,
// xiaomingwang, ming and wxm: so `wxm`, `wangxiaoming`, `wang xiao ming`, `Wang^XiaoMing`, `xiaoming wang`, `小明` and `王 小明` all find it.
// A word is moved to the front together with what it leaves behind it, which costs no more rows than the word alone.
//
// Invariants: keys and tokens are folded and hold no blank; no key is the beginning of another one of the same name; at most nameKeysMax keys, the
// most wanted ones first in making; the same names give the same keys. Nothing throws, whatever a name holds.
// Left out on purpose: sounds-alike, typing errors, and readings by sentence: names are short, and the union of readings serves better.

import { foldText, foldUmlauts } from './fold-text.ts';
import { foldedWords, type NameUnit, splitByHan, unitsOfGroup } from './name-units.ts';
import { groupsOf, type NameGroup, parsePersonName } from './person-name.ts';

/** Keys of a patient, all names and groups together: a row of the index each. */
export const nameKeysMax = 24;
/** UTF-16 units of a key or token; a longer one is found by this much of it. */
export const nameKeyLengthMax = 64;
/** Tokens of a query. */
export const nameTokensMax = 8;
/** Names of a patient (with Other Patient Names), and UTF-16 units of each, that are looked at. */
const namesMax = 16;
const nameLengthMax = 512;
/** Names whose keys are remembered: the instances of a series come one after another. About 2 KB each. */
const recentNamesMax = 2048;

/** Alternatives that are tried: of a surname's character, of another one, and of the whole name. */
const surnameReadingsMax = 4;
const otherReadingsMax = 2;
const variantsMax = 8;
/** Of names that write another language by sound, whose characters are read as they usually are. */
const longNameVariantsMax = 2;
/** Up to so many units, each of them is a place where somebody may begin to type; beyond, words are. */
const shortNameUnits = 4;

/** What is made first stays when there is too much. */
const ranks = {
  whole: 0,
  word: 1,
  umlaut: 2,
  inner: 3,
  variant: 4,
  variantPart: 5,
  spare: 6,
} as const;
type Rank = (typeof ranks)[keyof typeof ranks];
type RankedKey = { readonly rank: Rank; readonly key: string };

/** Parts of a name in a row, and which of them begin a word. */
type Row = { readonly parts: readonly string[]; readonly starts: readonly boolean[] };

const recent = new Map<string, readonly string[]>();

/** The keys of a patient with these names (values of PN, each with its groups). */
export function nameSearchKeys(names: readonly string[]): readonly string[] {
  const looked = names.slice(0, namesMax).map((name) => name.slice(0, nameLengthMax));
  const memory = looked.join('\\');
  const known = recent.get(memory);
  if (known !== undefined) {
    // A Map keeps the order of insertion, so what was used last moves to its end.
    recent.delete(memory);
    recent.set(memory, known);
    return known;
  }
  const keys = bestKeys(looked.flatMap((name) => groupsOf(parsePersonName(name)).flatMap(keysOfGroup)));
  recent.set(memory, keys);
  if (recent.size > recentNamesMax) {
    const oldest = recent.keys().next();
    if (oldest.done !== true) recent.delete(oldest.value);
  }
  return keys;
}

/** The same keys in one text, separated by blanks, for a database that searches text: a token stands at its start or behind a blank. */
export function nameSearchText(names: readonly string[]): string {
  return nameSearchKeys(names).join(' ');
}

/** Whether the names behind a search text fit the tokens of a query. No tokens fit everything. */
export function nameMatches(searchText: string, tokens: readonly string[]): boolean {
  return tokens.every((token) => searchText.startsWith(token) || searchText.includes(` ${token}`));
}

/** What a person typed, as the tokens of which each must be the beginning of a key: folded, 汉字 apart from letters. */
export function nameQueryTokens(query: string): readonly string[] {
  const runs = foldedWords(query.slice(0, nameLengthMax)).flatMap(splitByHan);
  return [...new Set(runs.map(cutKey))].slice(0, nameTokensMax);
}

function cutKey(key: string): string {
  return key.slice(0, nameKeyLengthMax).toWellFormed();
}

/** The most wanted keys, without any that is the beginning of another and so finds nothing more. */
function bestKeys(ranked: readonly RankedKey[]): readonly string[] {
  const ordered = ranked.toSorted((a, b) => a.rank - b.rank);
  let kept: string[] = [];
  for (const { key: whole } of ordered) {
    const key = cutKey(whole);
    if (key === '' || kept.some((other) => other.startsWith(key))) continue;
    const others = kept.filter((other) => !key.startsWith(other));
    if (others.length < nameKeysMax) kept = [...others, key];
  }
  return kept;
}

function keysOfGroup(group: NameGroup): readonly RankedKey[] {
  const units = unitsOfGroup(group);
  if (units.length === 0) return [];
  const starts = units.map(({ startsWord }) => startsWord);
  const keys: RankedKey[] = [];
  const put = (rank: Rank, key: string): void => {
    keys.push({ rank, key });
  };
  putRow({ parts: units.map(({ text }) => text), starts }, put, [ranks.whole, ranks.word, ranks.inner]);
  if (units.some(({ script, said }) => (script === 'han' || script === 'pinyin') && said !== '')) {
    putReadings(units, starts, put);
  }
  putInitials(
    units.map(({ said }) => said),
    units,
    put,
    ranks.whole,
  );
  const written = foldUmlauts(`${group.family} ${group.given}`);
  if (written !== foldText(`${group.family} ${group.given}`)) {
    const words = written.match(/\S+/g) ?? [];
    putRow({ parts: words, starts: words.map(() => true) }, put, [ranks.spare, ranks.spare, ranks.spare]);
  }
  return keys;
}

type Put = (rank: Rank, key: string) => void;

/** A row as a whole, from each word on with the rest behind, and from each part inside of a word on. */
function putRow({ parts, starts }: Row, put: Put, [whole, word, inner]: readonly [Rank, Rank, Rank]): void {
  put(whole, parts.join(''));
  for (let at = 1; at < parts.length; at++) {
    const tail = parts.slice(at).join('');
    if (starts[at] === true) put(word, tail + parts.slice(0, at).join(''));
    else put(parts.length <= shortNameUnits ? inner : ranks.spare, tail);
  }
}

function putInitials(said: readonly string[], units: readonly NameUnit[], put: Put, rank: Rank): void {
  if (units.some(({ script, text }) => script === 'other' && !/^\p{N}/u.test(text))) return;
  const initials = said.filter((_, at) => units[at]?.script !== 'other').map((one) => Array.from(one)[0] ?? '');
  if (initials.length > 1) put(rank, initials.join('').replace('ü', 'v'));
}

/** The ways to type ü: v as input methods want it, u as one who has no ü, yu as passports have it. */
const umlauts = ['v', 'u', 'yu'] as const;

function putReadings(units: readonly NameUnit[], starts: readonly boolean[], put: Put): void {
  const said = units.map((unit) => unit.said);
  for (const [at, typed] of umlauts.entries()) {
    const parts = said.map((one) => one.replaceAll('ü', typed));
    putRow(
      { parts, starts },
      put,
      at === 0 ? [ranks.whole, ranks.word, ranks.inner] : [ranks.umlaut, ranks.umlaut, ranks.variantPart],
    );
    if (!said.some((one) => one.includes('ü'))) break;
  }
  for (const { readings, changedAt } of variantsOf(units)) {
    const parts = readings.map((one) => one.replaceAll('ü', 'v'));
    put(ranks.variant, parts.join(''));
    putInitials(readings, units, put, ranks.variant);
    if (changedAt > 0) put(ranks.variantPart, parts.slice(changedAt).join(''));
  }
}

type Variant = { readonly readings: readonly string[]; readonly changedAt: number };

/** Other ways to say the name: as no name at all (尉迟 wei chi), then with one character read otherwise, the surname's first. */
function variantsOf(units: readonly NameUnit[]): readonly Variant[] {
  const said = units.map((unit) => unit.said);
  const usual = units.map((unit) => unit.usual);
  const variants: Variant[] = [];
  const changed = said.findIndex((one, at) => one !== usual[at]);
  if (changed >= 0) variants.push({ readings: usual, changedAt: changed });
  for (const [at, unit] of units.entries()) {
    for (const other of unit.others.slice(0, at === 0 ? surnameReadingsMax : otherReadingsMax)) {
      variants.push({ readings: said.with(at, other), changedAt: at });
    }
  }
  return variants.slice(0, units.length <= shortNameUnits ? variantsMax : longNameVariantsMax);
}
