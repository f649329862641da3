// Words of descriptions (study, series, protocol, institution): what is kept of a description to be searched, and what of a query to be found in it.
//
// A description fits a query when every word of the query stands somewhere in its search text. 汉字 are not cut into words: a run of them is looked for as
// it was typed, anywhere, so 平扫 finds 胸部平扫 and 胸部CT平扫 alike.
//
// Invariants: both sides are folded alike (case, width, accents, traditional forms); no word holds a blank; a number keeps its point (3.0T). Nothing throws.
// Left out on purpose: synonyms, stems, word order.

import { foldText } from './fold-text.ts';
import { splitByHan } from './name-units.ts';

/** Words of a query. */
export const searchWordsMax = 16;
/** UTF-16 units of a query that are looked at. */
const queryLengthMax = 512;

const wordPattern = /[\p{L}\p{M}\p{N}]+(?:(?<=\p{N})\.(?=\p{N})[\p{L}\p{M}\p{N}]+)*/gu;

/** A description as it is kept for searching: its folded words, one blank between them. */
export function searchText(text: string): string {
  return (foldText(text).match(wordPattern) ?? []).join(' ');
}

/** The words of a query, each of which must be a part of the search text. Letters stand apart from 汉字: CT平扫 is ct and 平扫. */
export function searchWords(text: string): readonly string[] {
  const words = foldText(text.slice(0, queryLengthMax)).match(wordPattern) ?? [];
  return [...new Set(words.flatMap(splitByHan))].slice(0, searchWordsMax);
}
