// Paths below the service's root, as what is asked for.
//
// Invariants: a path is one route or none; a name in a path is decoded once and has the form that a stored UID can have; lists in a path are bounded.

import { ArchiveError } from '../../base/index.ts';

export type Level = 'study' | 'series' | 'instance';

/** What a path names, from the top. */
export type Place = {
  readonly study?: string | undefined;
  readonly series?: string | undefined;
  readonly instance?: string | undefined;
};

export type Route =
  | { readonly kind: 'search'; readonly level: Level; readonly place: Place }
  | { readonly kind: 'retrieve' | 'metadata' | 'pixeldata' | 'allbulkdata'; readonly place: Place }
  | {
      readonly kind: 'rendered' | 'thumbnail';
      readonly place: Place;
      readonly frames: readonly number[] | undefined;
    }
  | { readonly kind: 'frames'; readonly place: Place; readonly frames: readonly number[] }
  | { readonly kind: 'bulkdata'; readonly place: Place; readonly path: readonly number[] }
  | { readonly kind: 'uri' };

/** Frames that one request names. */
export const framesMax = 10_000;
export const pathSegmentsMax = 64;
const nameForm = /^[\x21-\x2e\x30-\x7e]{1,64}$/;
const levels: readonly { readonly word: string; readonly level: Level }[] = [
  { word: 'studies', level: 'study' },
  { word: 'series', level: 'series' },
  { word: 'instances', level: 'instance' },
];

/** undefined: there is no such path. ARGUMENT_INVALID when it is one, and what it names cannot be. */
export function parseRoute(path: string): Route | undefined {
  const segments = path.split('/').filter((each) => each !== '');
  if (segments.length === 0 || segments.length > pathSegmentsMax) return undefined;
  if (segments.length === 1 && segments[0] === 'wado') return { kind: 'uri' };
  const named: string[] = [];
  let at = 0;
  let next = 0;
  while (at < segments.length) {
    const index = levels.findIndex(({ word }) => word === segments[at]);
    if (index < next) break;
    const { level } = levels[index] as (typeof levels)[number];
    // A level may be left out only where everything of a lower one is searched.
    if (at + 1 === segments.length) return { kind: 'search', level, place: placeOf(named) };
    if (index !== next) return undefined;
    named.push(nameOf(segments[at + 1] as string));
    next += 1;
    at += 2;
  }
  if (named.length === 0) return undefined;
  return resourceOf(placeOf(named), segments.slice(at));
}

function resourceOf(place: Place, rest: readonly string[]): Route | undefined {
  const [word, ...more] = rest;
  if (word === undefined) return { kind: 'retrieve', place };
  if (more.length === 0 && (word === 'metadata' || word === 'pixeldata')) return { kind: word, place };
  if (more.length === 0 && word === 'bulkdata') return { kind: 'allbulkdata', place };
  if (more.length === 0 && (word === 'rendered' || word === 'thumbnail'))
    return { kind: word, place, frames: undefined };
  if (place.instance === undefined) return undefined;
  if (word === 'bulkdata' && more.length > 0) return { kind: 'bulkdata', place, path: elementPathOf(more) };
  const [list, last, ...beyond] = more;
  if (word !== 'frames' || list === undefined || beyond.length > 0) return undefined;
  const frames = framesOf(list);
  if (last === undefined) return { kind: 'frames', place, frames };
  return last === 'rendered' || last === 'thumbnail' ? { kind: last, place, frames } : undefined;
}

function placeOf([study, series, instance]: readonly string[]): Place {
  return { study, series, instance };
}

function nameOf(segment: string): string {
  const name = decoded(segment);
  if (!nameForm.test(name)) throw new ArchiveError('ARGUMENT_INVALID', 'a name in the path is no UID');
  return name;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ArchiveError('ARGUMENT_INVALID', 'the path is not escaped as it should be');
  }
}

/** Numbers of frames, from 1, in the order asked for. */
export function framesOf(list: string): readonly number[] {
  const texts = decoded(list).split(',');
  if (texts.length > framesMax)
    throw new ArchiveError('LIMIT_EXCEEDED', `framesMax: one request names at most ${framesMax} frames`);
  if (!texts.every((text) => /^[1-9]\d{0,8}$/.test(text)))
    throw new ArchiveError('ARGUMENT_INVALID', 'frames are numbers from 1, with commas between them');
  return texts.map(Number);
}

/** `00081140/0/00081155`: tags, and between them numbers of items from 0. */
export function elementPathOf(segments: readonly string[]): readonly number[] {
  const path = segments.map((text, index) => {
    const form = index % 2 === 0 ? /^[0-9a-f]{8}$/i : /^\d{1,9}$/;
    if (!form.test(text)) throw new ArchiveError('ARGUMENT_INVALID', 'the path of bulk data is tag/item/tag/...');
    return Number.parseInt(text, index % 2 === 0 ? 16 : 10);
  });
  if (path.length % 2 === 0) throw new ArchiveError('ARGUMENT_INVALID', 'the path of bulk data ends with a tag');
  return path;
}
