// A pull as it is remembered: one row a job, with where it stands.
//
// Invariants: everything before the cursor is done and is in the first `parts` parts of the ledger; a row is read only when it is whole. A pull that was killed
// is as one that was stopped: the cursor says where it goes on.
// Left out on purpose: where rows are kept (`JobStore` is given), and single studies (the ledger).

import type { JsonObject } from './json.ts';

export type JobSource =
  | { readonly kind: 'entity'; readonly title: string; readonly how: 'get' | 'move' | 'either' }
  | { readonly kind: 'web'; readonly url: string }
  | { readonly kind: 'folder'; readonly path: string };

export type Tally = {
  studies: number;
  /** Instances that the source named. */
  instances: number;
  stored: number;
  here: number;
  missing: number;
  refused: number;
  different: number;
  passedOver: number;
  bytes: number;
  doubts: number;
};

export type PullJob = {
  readonly id: string;
  readonly source: JobSource;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly modality: string | undefined;
  /** The newest day that is walked; what is dated later is asked for at once. */
  readonly lastDay: string;
  readonly startedMs: number;
  readonly changedMs: number;
  readonly state: 'running' | 'stopped' | 'done';
  /** Code of the error that stopped it. */
  readonly why: string | undefined;
  /** What comes next: `later`, a day, `ancient`, `undated`, `end`; in a folder the last file that is done. */
  readonly cursor: string;
  readonly parts: number;
  readonly tally: Readonly<Tally>;
  /** Counts at which the source was seen to cut its answers. */
  readonly limits: readonly number[];
  /** SHA-256 of the lists that were given with it and are kept in the archive. */
  readonly corrections: string | undefined;
  readonly ris: string | undefined;
};

export interface JobStore {
  list(): Promise<readonly PullJob[]>;
  /** Durable when it resolves. */
  write(job: PullJob): Promise<void>;
  /** Asks whoever runs it to stop, or takes that back. */
  askToStop(id: string, stop: boolean): Promise<void>;
  isAskedToStop(id: string): Promise<boolean>;
}

export const emptyTally: Readonly<Tally> = {
  studies: 0,
  instances: 0,
  stored: 0,
  here: 0,
  missing: 0,
  refused: 0,
  different: 0,
  passedOver: 0,
  bytes: 0,
  doubts: 0,
};

export function rowOfJob(job: PullJob): JsonObject {
  return JSON.parse(JSON.stringify(job)) as JsonObject;
}

/** undefined for what is no job. */
export function jobOfRow(row: JsonObject): PullJob | undefined {
  const { id, lastDay, startedMs, changedMs, cursor, parts, limits, state } = row;
  const source = sourceOf(row['source']);
  const tally = tallyOf(row['tally']);
  const text = (name: string): string | undefined => (typeof row[name] === 'string' ? row[name] : undefined);
  if (typeof id !== 'string' || typeof lastDay !== 'string' || typeof cursor !== 'string') return undefined;
  if (typeof startedMs !== 'number' || typeof changedMs !== 'number' || typeof parts !== 'number') return undefined;
  if (state !== 'running' && state !== 'stopped' && state !== 'done') return undefined;
  if (source === undefined || tally === undefined || !Array.isArray(limits)) return undefined;
  return {
    id,
    source,
    from: text('from'),
    to: text('to'),
    modality: text('modality'),
    lastDay,
    startedMs,
    changedMs,
    state,
    why: text('why'),
    cursor,
    parts,
    tally,
    limits: limits.filter((each) => typeof each === 'number'),
    corrections: text('corrections'),
    ris: text('ris'),
  };
}

function sourceOf(value: unknown): JobSource | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, title, how, path, url } = value as Record<string, unknown>;
  if (kind === 'web' && typeof url === 'string') return { kind, url };
  if (kind === 'folder' && typeof path === 'string') return { kind, path };
  if (kind !== 'entity' || typeof title !== 'string') return undefined;
  return how === 'get' || how === 'move' || how === 'either' ? { kind, title, how } : undefined;
}

/** As people know it. */
export function sourceName(source: JobSource): string {
  switch (source.kind) {
    case 'entity':
      return source.title;
    case 'web':
      return source.url;
    case 'folder':
      return source.path;
  }
}

function tallyOf(value: unknown): Tally | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const tally: Tally = { ...emptyTally };
  for (const name of Object.keys(tally) as (keyof Tally)[]) {
    const count = (value as Record<string, unknown>)[name];
    if (typeof count !== 'number') return undefined;
    tally[name] = count;
  }
  return tally;
}

/** The latest job that is not done and was asked for in the same words. */
export function jobToResume(
  jobs: readonly PullJob[],
  wanted: Pick<PullJob, 'source' | 'from' | 'to' | 'modality'>,
): PullJob | undefined {
  const words = ({ source, from, to, modality }: typeof wanted): string =>
    JSON.stringify([source.kind, sourceName(source), from, to, modality]);
  return jobs
    .filter((job) => job.state !== 'done' && words(job) === words(wanted))
    .toSorted((one, other) => other.startedMs - one.startedMs)[0];
}
