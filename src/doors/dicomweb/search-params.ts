// The query of a search (QIDO-RS) as a question to the archive.
//
// Invariants: an attribute that no dictionary knows, or a number that is none, is refused and never passed over; what is above in the path is a key like
// any other; a way through a sequence means its last attribute, since rows keep that outside of sequences.

import type { QueryKey } from '../../archive/index.ts';
import { ArchiveError } from '../../base/index.ts';
import { dictionaryEntry, type Tag, tagOfKeyword, tags } from '../../dicom/index.ts';
import type { Level, Place } from './routes.ts';

export type SearchParams = {
  readonly keys: readonly QueryKey[];
  readonly wanted: readonly Tag[];
  /** `includefield=all` */
  readonly everything: boolean;
  readonly fuzzy: boolean;
  readonly skip: number;
  readonly limit: number | undefined;
};

/** Keys and fields of one request. */
export const attributesMax = 256;
const skipMax = 1_000_000_000;

/** Said of the answer, and not matched. */
const notKeys = new Set<Tag>([
  tags.SpecificCharacterSet,
  tags.InstanceAvailability,
  tags.RetrieveURL,
  tags.TimezoneOffsetFromUTC,
]);
/** A comma is no part of what these hold. */
const listedVrs = new Set(['UI', 'CS', 'IS']);

const pathTags = [
  ['study', tags.StudyInstanceUID],
  ['series', tags.SeriesInstanceUID],
  ['instance', tags.SOPInstanceUID],
] as const;

/** What the path names, as keys. */
export function keysOfPlace(place: Place): QueryKey[] {
  return pathTags.flatMap(([name, tag]) => {
    const uid = place[name];
    return uid === undefined ? [] : [{ tag, values: [uid] }];
  });
}

export function readSearchParams(params: URLSearchParams, place: Place): SearchParams {
  const keys = keysOfPlace(place);
  const wanted: Tag[] = [];
  let [everything, fuzzy] = [false, false];
  let skip = 0;
  let limit: number | undefined;
  let count = 0;
  for (const [name, value] of params) {
    count += 1;
    if (count > attributesMax)
      throw new ArchiveError('LIMIT_EXCEEDED', `attributesMax: a search has at most ${attributesMax} attributes`);
    switch (name.toLowerCase()) {
      case 'accept':
      case 'charset':
        break;
      case 'limit':
        limit = numberOf(value, 'limit');
        break;
      case 'offset':
        skip = numberOf(value, 'offset');
        break;
      case 'fuzzymatching':
        fuzzy = switchOf(value, 'fuzzymatching');
        break;
      case 'emptyvaluematching':
      case 'multiplevaluematching':
        // Lists are told from single values by their attributes, and an empty value matches everything.
        switchOf(value, name);
        break;
      case 'includefield':
        for (const field of value.split(',')) {
          if (field === 'all') everything = true;
          else if (field !== '') wanted.push(tagOf(field));
        }
        if (wanted.length > attributesMax)
          throw new ArchiveError('LIMIT_EXCEEDED', `attributesMax: a search has at most ${attributesMax} attributes`);
        break;
      default: {
        const tag = tagOf(name);
        if (notKeys.has(tag)) break;
        wanted.push(tag);
        const values = valuesOf(tag, value);
        if (values.some((each) => each !== '')) keys.push({ tag, values });
      }
    }
  }
  return { keys, wanted, everything, fuzzy, skip, limit };
}

function valuesOf(tag: Tag, value: string): readonly string[] {
  const isListed = listedVrs.has(dictionaryEntry(tag)?.vr ?? 'UN');
  return value.split(isListed ? /[,\\]/ : '\\').map((each) => (isListed ? each.trim() : each));
}

function tagOf(name: string): Tag {
  const last = name.split('.').at(-1) ?? '';
  const tag = /^[0-9a-f]{8}$/i.test(last) ? Number.parseInt(last, 16) : tagOfKeyword(last);
  if (tag === undefined || name.length > 1024)
    throw new ArchiveError('ARGUMENT_INVALID', 'the query names an attribute that is in no dictionary');
  return tag;
}

function numberOf(text: string, what: string): number {
  const number = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number <= skipMax)) throw new ArchiveError('ARGUMENT_INVALID', `${what} is a whole number`);
  return number;
}

function switchOf(text: string, what: string): boolean {
  if (text !== 'true' && text !== 'false') throw new ArchiveError('ARGUMENT_INVALID', `${what} is true or false`);
  return text === 'true';
}

/** Which levels a search answers with: its own, and those above that the path does not name (PS3.18 10.6.3.3). */
export function levelsOf(level: Level, place: Place): readonly Level[] {
  if (level === 'study') return ['study'];
  const upper: Level[] = place.study === undefined ? ['study'] : [];
  if (level === 'instance' && place.series === undefined) upper.push('series');
  return [...upper, level];
}
