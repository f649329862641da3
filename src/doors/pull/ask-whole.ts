// askWhole(): every study of a slice, however little the source answers at a time.
//
// Invariants: what any part answered is kept, so splitting never loses what was seen; an answer counts as whole only when it is not suspicious, or when
// its parts along one dimension are whole and hold everything that the answer held, which tests the dimension: a source that passes a key over, or
// studies without the attribute, show there. Where no dimension does, that is said (`doubtful`) and not passed over. The number of queries is bounded.

import { ArchiveError } from '../../base/index.ts';
import {
  type Answered,
  type Dimension,
  dimensions,
  fitsSlice,
  isSuspicious,
  type Slice,
  type SourceStudy,
  splitSlice,
} from './slice.ts';

export type Ask = (slice: Slice) => Promise<Answered>;

export type WholeAnswer = {
  readonly studies: ReadonlyMap<string, SourceStudy>;
  /** Something may be missing: the source cuts its answers, and no way of asking for less was found. */
  readonly doubtful: boolean;
  readonly queryCount: number;
  /** Studies that the source answered although they were not asked for. */
  readonly outside: number;
};

/** Of one day: 24 hours, some of them in minutes and by modality. */
const queriesMax = 20_000;

type Walk = {
  readonly ask: Ask;
  readonly limits: Set<number>;
  readonly studies: Map<string, SourceStudy>;
  queries: number;
  outside: number;
};

/** `limits` is what is known of the source, and grows. Errors are those of `ask`. */
export async function askWhole(ask: Ask, slice: Slice, limits: Set<number> = new Set()): Promise<WholeAnswer> {
  const walk: Walk = { ask, limits, studies: new Map(), queries: 0, outside: 0 };
  const { whole } = await askPart(walk, slice);
  return { studies: walk.studies, doubtful: !whole, queryCount: walk.queries, outside: walk.outside };
}

type Part = { readonly whole: boolean; readonly uids: ReadonlySet<string>; readonly ignoresKey: boolean };

async function askPart(walk: Walk, slice: Slice): Promise<Part> {
  walk.queries += 1;
  const { studies, limited } = await walk.ask(slice);
  const fitting = studies.filter((study) => fitsSlice(study, slice));
  walk.outside += studies.length - fitting.length;
  for (const study of fitting) walk.studies.set(study.studyUid, study);
  const uids = new Set(fitting.map((study) => study.studyUid));
  if (limited && studies.length > 0) walk.limits.add(studies.length);
  const ignoresKey = studies.length > fitting.length && fitting.length < studies.length / 2;
  if (!limited && !isSuspicious(studies.length, walk.limits)) return { whole: true, uids, ignoresKey };
  // Where a key is passed over, narrowing it further asks the same again.
  if (ignoresKey) return { whole: false, uids, ignoresKey };
  for (const dimension of dimensions) {
    const found = await askParts(walk, slice, dimension, fitting);
    if (found === undefined) continue;
    for (const uid of found.uids) uids.add(uid);
    if (found.whole) return { whole: true, uids, ignoresKey };
  }
  return { whole: false, uids, ignoresKey };
}

async function askParts(
  walk: Walk,
  slice: Slice,
  dimension: Dimension,
  seen: readonly SourceStudy[],
): Promise<Pick<Part, 'whole' | 'uids'> | undefined> {
  const parts = splitSlice(slice, dimension, seen);
  if (parts.length === 0) return undefined;
  const uids = new Set<string>();
  let whole = true;
  for (const each of parts) {
    if (walk.queries >= queriesMax) return { whole: false, uids };
    let part: Part;
    try {
      part = await askPart(walk, each);
    } catch (error) {
      // A key that the source does not take; another dimension may serve. What will pass is tried again by who asked.
      if (!(error instanceof ArchiveError) || error.retry !== 'never' || error.code === 'DICOM_CANCELLED') throw error;
      return { whole: false, uids };
    }
    for (const uid of part.uids) uids.add(uid);
    whole &&= part.whole;
    if (part.ignoresKey) return { whole: false, uids };
  }
  return { whole: whole && seen.every((study) => uids.has(study.studyUid)), uids };
}
