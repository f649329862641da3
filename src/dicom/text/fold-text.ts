// Folding: text as it is compared in a search. Lower case, one width, no accents, one form of letters that people take for the same.
//
// Invariants: folding folded text changes nothing; ASCII takes a short way. Marks that make another letter (kana's dakuten, Thai vowels, Cyrillic й) stay;
// marks that only say how to pronounce one (accents on Latin and Greek, pinyin's tones, Arabic and Hebrew points) go.
// Left out on purpose: readings of 汉字 (han-readings.ts), splitting into words.

import { plainHan } from './han-variants.ts';

/** Letters that no decomposition takes apart. */
const letters: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ł: 'l',
  ħ: 'h',
  ŧ: 't',
  ŋ: 'n',
  ı: 'i',
  ĸ: 'k',
  ə: 'e', // Azerbaijani
  ё: 'е',
  ς: 'σ',
  // Arabic: the bearers of hamza, the final forms of ya and ta; Persian kaf and ya as Arabic keyboards write them.
  أ: 'ا',
  إ: 'ا',
  آ: 'ا',
  ٱ: 'ا',
  ى: 'ي',
  ة: 'ه',
  ک: 'ك',
  ی: 'ي',
};
const letterPattern = new RegExp(`[${Object.keys(letters).join('')}]`, 'gu');

/** What is not seen: joiners, directions, a byte order mark; and Arabic's stretching stroke. */
const unseen = /[\p{Cf}\u0640]/gu;
/** Accents behind a Latin or Greek letter; the points of Arabic and Hebrew. */
const accents = /([\p{Script=Latin}\p{Script=Greek}])\p{M}+/gu;
const points = /[\u064b-\u065f\u0670\u0591-\u05bd\u05bf-\u05c7]/gu;
const plainAscii = /^[\0-\x7f]*$/;
/** ASCII and the common 汉字, which no normal form changes. */
const plainHanText = /^[\0-\x7f\u4e00-\u9fff]*$/;

export function foldText(text: string): string {
  if (plainAscii.test(text)) return text.toLowerCase();
  if (plainHanText.test(text)) return plainHan(text.toLowerCase());
  const lower = text.normalize('NFKC').replace(unseen, '').toLowerCase();
  const bare = lower
    .normalize('NFD')
    .replace(accents, '$1')
    .replace(points, '')
    .normalize('NFC')
    .replace(letterPattern, (letter) => letters[letter] ?? letter);
  return plainHan(bare);
}

/** The umlauts written out, as German and Nordic names often are in systems that know no others: Müller, Mueller. */
export function foldUmlauts(text: string): string {
  const written: Readonly<Record<string, string>> = { ä: 'ae', ö: 'oe', ü: 'ue', ø: 'oe', å: 'aa' };
  return foldText(
    text
      .normalize('NFC')
      .toLowerCase()
      .replace(/[äöüøå]/g, (letter) => written[letter] ?? letter),
  );
}
