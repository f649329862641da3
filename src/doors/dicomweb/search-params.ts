// The query of a search (QIDO-RS) as a question to the archive.
//
// Invariants: an attribute that no dictionary knows, or a number that is none, is refused and never passed over; what is above in the path is a key like
// any other; a way through the Request Attributes Sequence means its last attribute, which rows keep outside of it; any other way is compared with headers.

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
const nameCharsMax = 1024;

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
          else if (field !== '') wanted.push(fieldOf(field));
        }
        if (wanted.length > attributesMax)
          throw new ArchiveError('LIMIT_EXCEEDED', `attributesMax: a search has at most ${attributesMax} attributes`);
        break;
      default: {
        const path = pathOf(name);
        const tag = path.at(-1) as Tag;
        if (notKeys.has(tag)) break;
        const within = path.length === 1 || path[0] === tags.RequestAttributesSequence ? undefined : path.slice(0, -1);
        wanted.push(within?.[0] ?? tag);
        const values = valuesOf(tag, value);
        if (values.some((each) => each !== '')) keys.push({ tag, values, within });
      }
    }
  }
  return { keys, wanted, everything, fuzzy, skip, limit };
}

function valuesOf(tag: Tag, value: string): readonly string[] {
  const isListed = listedVrs.has(dictionaryEntry(tag)?.vr ?? 'UN');
  return value.split(isListed ? /[,\\]/ : '\\').map((each) => (isListed ? each.trim() : each));
}

/** `{tag or keyword}`, or several with points between them: sequences and what stands in their items. */
function pathOf(name: string): readonly Tag[] {
  return name
    .slice(0, nameCharsMax + 1)
    .split('.')
    .map(tagOf);
}

/** What an answer has for it: of a way through sequences the first of them, whole. */
function fieldOf(name: string): Tag {
  const path = pathOf(name);
  return (path[0] === tags.RequestAttributesSequence ? path.at(-1) : path[0]) as Tag;
}

function tagOf(name: string): Tag {
  const tag = /^[0-9a-f]{8}$/i.test(name) ? Number.parseInt(name, 16) : tagOfKeyword(name);
  if (tag === undefined)
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

/** Which levels a search answers with: its own, and those above that the query does not name (PS3.18 10.6.3.3). */
export function levelsOf(level: Level, params: URLSearchParams): readonly Level[] {
  const named = new Set([...params.keys()].flatMap((name) => uidTags.get(name) ?? []));
  const upper = level === 'study' ? [] : level === 'series' ? (['study'] as const) : (['study', 'series'] as const);
  return [...upper.filter((each) => !named.has(each)), level];
}

const uidTags: ReadonlyMap<string, Level> = new Map([
  ['StudyInstanceUID', 'study'],
  ['0020000D', 'study'],
  ['0020000d', 'study'],
  ['SeriesInstanceUID', 'series'],
  ['0020000E', 'series'],
  ['0020000e', 'series'],
]);
