// Pinyin in Latin letters taken apart into syllables: a scanner that knows no 汉字 sends WANG^XIAOMING, and people look for wxm.
//
// Invariants: every syllable of the standard language is known, and nothing else; ü may be written v, u or yu. An answer means that the whole word is
// syllables, not that it is Chinese: who asks decides by the family name.

/** Finals by initial; `-` is no initial. ü is written v where u would be another syllable. */
const finals: Readonly<Record<string, string>> = {
  '-': 'a o e ai ei ao ou an en ang eng er',
  b: 'a o ai ei ao an en ang eng i ie iao ian in ing u',
  p: 'a o ai ei ao ou an en ang eng i ie iao ian in ing u',
  m: 'a o e ai ei ao ou an en ang eng i ie iao iu ian in ing u',
  f: 'a o ei ou an en ang eng u',
  d: 'a e ai ei ao ou an en ang eng ong i ia ie iao iu ian ing u uo ui uan un',
  t: 'a e ai ao ou an ang eng ong i ie iao ian ing u uo ui uan un',
  n: 'a e ai ei ao ou an en ang eng ong i ie iao iu ian in iang ing u uo uan v ve yu yue ue',
  l: 'a e ai ei ao ou an ang eng ong i ia ie iao iu ian in iang ing u uo uan un v ve yu yue ue',
  g: 'a e ai ei ao ou an en ang eng ong u ua uo uai ui uan un uang',
  k: 'a e ai ei ao ou an en ang eng ong u ua uo uai ui uan un uang',
  h: 'a e ai ei ao ou an en ang eng ong u ua uo uai ui uan un uang',
  j: 'i ia ie iao iu ian in iang ing iong u ue uan un',
  q: 'i ia ie iao iu ian in iang ing iong u ue uan un',
  x: 'i ia ie iao iu ian in iang ing iong u ue uan un',
  zh: 'a e ai ei ao ou an en ang eng ong i u ua uo uai ui uan un uang',
  ch: 'a e ai ao ou an en ang eng ong i u ua uo uai ui uan un uang',
  sh: 'a e ai ei ao ou an en ang eng i u ua uo uai ui uan un uang',
  r: 'e ao ou an en ang eng ong i u ua uo ui uan un',
  z: 'a e ai ei ao ou an en ang eng ong i u uo ui uan un',
  c: 'a e ai ao ou an en ang eng ong i u uo ui uan un',
  s: 'a e ai ao ou an en ang eng ong i u uo ui uan un',
  y: 'a e ao ou an ang i in ing ong u ue uan un',
  w: 'a o ai ei an en ang eng u',
};

const syllables: ReadonlySet<string> = new Set(
  Object.entries(finals).flatMap(([initial, ends]) =>
    ends.split(' ').map((end) => (initial === '-' ? end : initial + end)),
  ),
);
const syllableLengthMax = 6;
/** Given names have one or two characters, family names too; longer words are other languages' that happen to fit. */
const syllablesMax = 4;
/** What begins no syllable inside of a word, unless an apostrophe stands before it: lina is li na, fangang is fan gang. */
const bareVowels = 'aoe';

/** The word as syllables, the longest first where there is a choice (xian, not xi an); undefined when it is none. */
export function pinyinSyllables(word: string): readonly string[] | undefined {
  return splitRest(word, syllablesMax, false) ?? splitRest(word, syllablesMax, true);
}

function splitRest(word: string, countMax: number, vowelsToo: boolean): readonly string[] | undefined {
  if (word === '') return [];
  if (countMax === 0) return undefined;
  for (let length = Math.min(syllableLengthMax, word.length); length > 0; length--) {
    const next = word[length];
    if (!syllables.has(word.slice(0, length))) continue;
    if (!vowelsToo && next !== undefined && bareVowels.includes(next)) continue;
    const rest = splitRest(word.slice(length), countMax - 1, vowelsToo);
    if (rest !== undefined) return [word.slice(0, length), ...rest];
  }
  return undefined;
}

/** A syllable written with v or yu for ü, with ü again: lv, lyu, nve. */
export function umlautOf(syllable: string): string {
  const found = /^([ln])(?:v|yu)(e?)$/.exec(syllable);
  return found === null ? syllable : `${found[1]}ü${found[2]}`;
}
