// The units of a name, as a search takes it apart: a unit is a 汉字, a syllable of pinyin, or a word of any other script.
//
// Invariants: texts are folded; a unit has its text and how it is said, which for all but 汉字 is the text itself; the first unit begins a word. Nothing throws.
// Left out on purpose: which keys are made of them (name-search.ts).

import { foldText } from './fold-text.ts';
import { readHan, surnameLength } from './han-readings.ts';
import type { NameGroup } from './person-name.ts';
import { pinyinSyllables, umlautOf } from './pinyin-syllables.ts';

export type NameUnit = {
  readonly text: string;
  /** How it is said, with ü; empty for a 汉字 that no dictionary knows. */
  readonly said: string;
  /** The reading outside of names. */
  readonly usual: string;
  readonly others: readonly string[];
  readonly startsWord: boolean;
  readonly script: 'han' | 'pinyin' | 'letters' | 'other';
};

const apostrophes = /['’‘ʼ`´ʻ]/g;
const wordPattern = /[\p{L}\p{N}\p{M}]+/gu;
/** Between the words of XiaoMing and McDonald. */
const innerCapital = /(\p{Ll})(?=\p{Lu})/gu;
const runPattern = /\p{Script=Han}+|\P{Script=Han}+/gu;
const hanPattern = /^\p{Script=Han}/u;
const letterPattern = /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]/u;
const asciiWord = /^[a-z]+$/;

/** Units of a name in one script that are looked at; longer ones are no names. */
const unitsMax = 32;

/** The folded words of a text; punctuation separates, an apostrophe does not. */
export function foldedWords(text: string): readonly string[] {
  return foldText(text.replace(apostrophes, '')).match(wordPattern) ?? [];
}

/** Parts of a word that are 汉字, and those that are not. */
export function splitByHan(word: string): readonly string[] {
  return word.match(runPattern) ?? [];
}

/** The units of one group, family name first. Where every component that people are called by is empty, whatever else there is. */
export function unitsOfGroup(group: NameGroup): readonly NameUnit[] {
  const called = [group.family, group.given, group.middle];
  const components = called.some((part) => part !== '') ? called : [group.prefix, group.suffix];
  const words = components.map((part) => foldedWords(part.replace(innerCapital, '$1 ')));
  const flat = words.flat();
  const spelled = spelledUnits(flat);
  if (spelled !== undefined) return spelled.slice(0, unitsMax);
  const inOnePiece = flat.length === 1;
  const units: NameUnit[] = [];
  for (const word of flat) {
    for (const [at, run] of splitByHan(word).entries()) {
      if (units.length >= unitsMax) break;
      if (hanPattern.test(run))
        units.push(...hanUnits(run, { isFirst: units.length === 0, inOnePiece, startsWord: at === 0 }));
      else units.push(plainUnit(run, at === 0));
    }
  }
  return units.slice(0, unitsMax);
}

function plainUnit(text: string, startsWord: boolean): NameUnit {
  const script = letterPattern.test(text) ? 'letters' : 'other';
  return { text, said: text, usual: text, others: [], startsWord, script };
}

type HanPlace = { readonly isFirst: boolean; readonly inOnePiece: boolean; readonly startsWord: boolean };

function hanUnits(run: string, place: HanPlace): readonly NameUnit[] {
  const chars = Array.from(run).slice(0, unitsMax);
  const { said, usual, others } = readHan(chars, place.isFirst);
  // 张三 in one piece: the given name begins behind the surname. Names of more than four characters are no Chinese ones.
  const givenAt = place.isFirst && place.inOnePiece && chars.length <= 4 ? surnameLength(chars) : -1;
  return chars.map((text, at) => ({
    text,
    said: said[at] ?? '',
    usual: usual[at] ?? '',
    others: others[at] ?? [],
    startsWord: (at === 0 && place.startsWord) || at === givenAt,
    script: 'han',
  }));
}

/** Family and given name have one or two characters each; Yamada Tarou, which could be read as pinyin, is none. */
const wordSyllablesMax = 2;
const nameSyllablesMax = 4;

/** The syllables of a name that is Chinese but written in Latin letters; undefined when it does not look like one. */
function spelledUnits(words: readonly string[]): readonly NameUnit[] | undefined {
  if (words.length === 0 || !words.every((word) => asciiWord.test(word))) return undefined;
  const units: NameUnit[] = [];
  for (const word of words) {
    const syllables = pinyinSyllables(word);
    if (syllables === undefined || (words.length > 1 && syllables.length > wordSyllablesMax)) return undefined;
    for (const [at, text] of syllables.entries()) {
      const said = umlautOf(text);
      units.push({ text, said, usual: said, others: [], startsWord: at === 0, script: 'pinyin' });
    }
  }
  return units.length > nameSyllablesMax ? undefined : units;
}
