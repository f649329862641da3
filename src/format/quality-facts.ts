// Facts about the quality of DICOM instances (FORMAT.md 6): how two objects with one instance UID differ, what people decided on a case, and texts of a
// series that were read anew in another character set.
//
// Invariants: how two objects differ is said in names of attributes and never in their values; what texts say stands in the study's key group alone.

import { ArchiveError, isHex128 } from '../base/index.ts';
import { type AboutInstance, aboutOf, type ReadAs, readAsOf } from './instance-facts.ts';

/**
 * - 'syntax': the same pixels and the same attributes, in another transfer syntax or otherwise encoded
 * - 'header': the same pixels, other attributes
 * - 'pixels': other pixels, or another document or waveform
 * - 'undecided': pixels that cannot be decoded here, and differ as they are coded
 */
export type Difference = (typeof differences)[number];
export const differences = ['syntax', 'header', 'pixels', 'undecided'] as const;

type SeriesName = { readonly study: string; readonly series: string };

/** An object that came under a known instance UID was compared with the one that was there. */
export type ComparedEvent = SeriesName & {
  readonly type: 'compared';
  /** The object that came later, and the one it was compared with. */
  readonly id: string;
  readonly with: string;
  readonly instance: string;
  readonly source: string | undefined;
  /** When the later one came. */
  readonly createdMs: number;
  readonly difference: Difference;
  /** Keywords of what says whose it is, as far as that differs. */
  readonly identity: readonly string[];
  /** Ways to attributes that differ, such as 00081030 and 00400275/0/00400007. */
  readonly paths: readonly string[];
};

/** Somebody closed a quality case of a series, or opened it again. */
export type QualityEvent = SeriesName & {
  readonly type: 'quality';
  readonly kind: string;
  readonly state: 'closed' | 'open';
  readonly who: string;
  readonly why: string;
  readonly atMs: number;
};

/** What a series says of patient, study and itself, read anew. */
export type DescribedEvent = SeriesName & {
  readonly type: 'described';
  readonly source: string | undefined;
  readonly about: AboutInstance;
  readonly readAs: ReadAs;
};

export type QualityFact = ComparedEvent | QualityEvent | DescribedEvent;
type Json = Record<string, unknown>;

export function qualityJson(event: QualityFact): Json {
  switch (event.type) {
    case 'compared': {
      const { createdMs, ...rest } = event;
      return { ...rest, created: String(createdMs) };
    }
    case 'quality': {
      const { atMs, ...rest } = event;
      return { ...rest, at: String(atMs) };
    }
    case 'described':
      return { ...event };
  }
}

/** RECORD_CORRUPT where it is not in its form; undefined for another type. */
export function qualityOfJson(json: Json): QualityFact | undefined {
  switch (json.type) {
    case 'compared':
      return {
        type: 'compared',
        ...seriesOf(json),
        id: id128(json, 'id'),
        with: id128(json, 'with'),
        instance: text(json, 'instance'),
        source: maybeText(json.source),
        createdMs: time(json, 'created'),
        difference: oneOf(json, 'difference', differences),
        identity: texts(json, 'identity'),
        paths: texts(json, 'paths'),
      };
    case 'quality':
      return {
        type: 'quality',
        ...seriesOf(json),
        kind: text(json, 'kind'),
        state: oneOf(json, 'state', ['closed', 'open'] as const),
        who: text(json, 'who'),
        why: text(json, 'why'),
        atMs: time(json, 'at'),
      };
    case 'described': {
      const readAs = readAsOf(json.readAs);
      if (readAs === undefined) throw fault('readAs');
      return {
        type: 'described',
        ...seriesOf(json),
        source: maybeText(json.source),
        about: aboutOf(json.about),
        readAs,
      };
    }
    default:
      return undefined;
  }
}

function seriesOf(json: Json): SeriesName {
  return { study: text(json, 'study'), series: text(json, 'series') };
}

function fault(field: string): ArchiveError {
  return new ArchiveError('RECORD_CORRUPT', `a record's field ${field} is not in its form`);
}

function text(json: Json, field: string): string {
  const value = json[field];
  if (typeof value !== 'string') throw fault(field);
  return value;
}

function maybeText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function id128(json: Json, field: string): string {
  const value = text(json, field);
  if (!isHex128(value)) throw fault(field);
  return value;
}

function time(json: Json, field: string): number {
  const value = text(json, field);
  if (!/^\d{1,15}$/.test(value)) throw fault(field);
  return Number(value);
}

function oneOf<Word extends string>(json: Json, field: string, words: readonly Word[]): Word {
  const value = words.find((word) => word === json[field]);
  if (value === undefined) throw fault(field);
  return value;
}

function texts(json: Json, field: string): string[] {
  const value = json[field];
  if (!Array.isArray(value)) throw fault(field);
  return value.map(String);
}
