// Beginning a pull and telling how it went, whatever it pulls from: the words that all pulls share, the job that goes on, the lists that are given with it.
//
// Invariants: the same words again go on where the last pull of these words stood, unless --new is said; a list that is given is checked before anything is
// asked for. What is said names UIDs, days and counts, and no patient.

import path from 'node:path';
import type { Archive } from '../archive/index.ts';
import { ArchiveError, type defaultTenant, hexOf, sha256, systemRandom, utf8Bytes } from '../base/index.ts';
import {
  type DayCount,
  dayOfMs,
  emptyTally,
  isDay,
  type JobStore,
  jobToResume,
  type PullJob,
  parseHours,
  parseRate,
  putPart,
  type RunParts,
  readCorrections,
  readRisList,
} from '../doors/pull/index.ts';
import { type CommandRun, type FlagSpec, textFlag } from './command.ts';
import { readFile } from './named-files.ts';
import { jobStore } from './pull-jobs.ts';
import type { Running } from './running.ts';
import { sizeText } from './say-sizes.ts';

const listBytesMax = 256 * 1024 * 1024;
const linesDefault = 2;
const linesMax = 16;

export const commonPullFlags: Readonly<Record<string, FlagSpec>> = {
  hours: { type: 'string', value: 'FROM-TO', says: 'work at these hours of the day alone, such as 20-6' },
  rate: { type: 'string', value: 'SIZE', says: 'take at most so much a second, such as 20MB' },
  ris: { type: 'string', value: 'FILE', says: 'list of the RIS (CSV) to compare with in the report' },
  corrections: {
    type: 'string',
    value: 'FILE',
    says: 'corrected demographics (CSV), which become amendments when all is here',
  },
  new: { type: 'boolean', says: 'begin anew, even if an earlier pull of these words is not done' },
};

export const askedFlags: Readonly<Record<string, FlagSpec>> = {
  from: { type: 'string', value: 'YYYYMMDD', says: 'studies of this day and later' },
  to: { type: 'string', value: 'YYYYMMDD', says: 'studies of this day and earlier' },
  modality: { type: 'string', value: 'CODE', says: 'studies with this modality' },
  plan: { type: 'boolean', says: 'only ask how many studies there are, day by day; nothing is fetched' },
  associations: { type: 'string', value: 'N', says: `associations or connections at a time (default ${linesDefault})` },
};

export type Asked = {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly modality: string | undefined;
  /** Lines at a time. */
  readonly atOnce: number;
};

/** What a source that is asked is asked for. ARGUMENT_INVALID. */
export function readAsked(run: CommandRun): Asked {
  const [from, to] = [dayFlag(run, 'from'), dayFlag(run, 'to')];
  if (from !== undefined && to !== undefined && from > to)
    throw new ArchiveError('ARGUMENT_INVALID', '--from is later than --to');
  const atOnce = Number(textFlag(run.flags, 'associations') ?? linesDefault);
  if (!Number.isInteger(atOnce) || atOnce < 1 || atOnce > linesMax)
    throw new ArchiveError('ARGUMENT_INVALID', `--associations is a number from 1 to ${linesMax}`);
  return { from, to, modality: textFlag(run.flags, 'modality'), atOnce };
}

export type Lists = { readonly corrections: string | undefined; readonly ris: string | undefined };

export function readLists(run: CommandRun): Lists {
  const read = (name: string, check: (text: string) => readonly unknown[]): string | undefined => {
    const file = textFlag(run.flags, name);
    if (file === undefined) return undefined;
    const limits = { sizeBytesMax: listBytesMax, pipes: true };
    const text = textOf(readFile(path.resolve(run.terminal.cwd, file), `--${name}`, limits), name, run);
    check(text);
    return text;
  };
  return { corrections: read('corrections', readCorrections), ris: read('ris', readRisList) };
}

/** Databases write UTF-8, spreadsheets UTF-16 or the code page of the house: what would be read wrongly would become wrong names of patients. */
function textOf(bytes: Uint8Array, name: string, { terminal }: CommandRun): string {
  const isWide = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  const charsets = isWide ? [bytes[0] === 0xff ? 'utf-16le' : 'utf-16be'] : ['utf-8', 'gb18030'];
  for (const charset of charsets) {
    try {
      const text = new TextDecoder(charset, { fatal: true }).decode(bytes);
      if (charset !== 'utf-8') terminal.note(`--${name} is read as ${charset.toUpperCase()}`);
      return text;
    } catch {
      // The next one; that none of them fits is told.
    }
  }
  throw new ArchiveError('ARGUMENT_INVALID', `--${name} is neither UTF-8, UTF-16 nor GB18030`, {
    hint: 'export the list as UTF-8',
  });
}

type Words = Pick<PullJob, 'source' | 'from' | 'to' | 'modality'>;
type Wanted = Words & { readonly tenant: typeof defaultTenant };

/** A pull that has not begun. */
function freshJob({ source, from, to, modality }: Words, nowMs: number): PullJob {
  return {
    source,
    from,
    to,
    modality,
    id: `${dayOfMs(nowMs)}-${hexOf(systemRandom.bytes(3))}`,
    lastDay: to ?? dayOfMs(nowMs),
    startedMs: nowMs,
    changedMs: nowMs,
    state: 'stopped',
    why: undefined,
    cursor: source.kind === 'folder' ? '' : 'later',
    parts: 0,
    tally: emptyTally,
    limits: [],
    corrections: undefined,
    ris: undefined,
  };
}

/** Says day by day what a source says that it has. `count` asks it. */
export async function sayPlan(
  run: CommandRun,
  running: Running,
  words: Words,
  count: (job: PullJob, parts: RunParts) => Promise<PullJob>,
): Promise<number> {
  const { terminal, json } = run;
  const total = { studies: 0, instances: 0, inDoubt: false };
  const parts: RunParts = {
    ...partsOf(run, running, 1),
    onProgress: () => undefined,
    onCount: (day) => {
      total.studies += day.studies;
      total.instances += day.instances;
      total.inDoubt ||= day.inDoubt;
      terminal.out(json ? JSON.stringify(day) : countText(day.of, day));
    },
  };
  const job = await count(freshJob(words, Math.floor(running.clock.nowMs())), parts);
  const isAll = job.cursor === 'end';
  if (json) terminal.out(JSON.stringify({ ...total, isAll }));
  else terminal.out(countText(isAll ? 'in all' : 'so far', total));
  return isAll && !total.inDoubt ? 0 : 1;
}

function countText(of: string, { studies, instances, inDoubt }: Omit<DayCount, 'of'>): string {
  return `${of.padEnd(10)}${studies} studies, ${instances} instances${inDoubt ? ', or more: the source cuts its answers' : ''}`;
}

/** The pull of the same words that is not done, or a new one; with the lists that were given now. */
export async function takeJob(run: CommandRun, running: Running, lists: Lists, wanted: Wanted): Promise<PullJob> {
  const { archive } = running;
  const store = jobStore(running);
  const before = run.flags['new'] === true ? undefined : jobToResume(await store.list(), wanted);
  const nowMs = Math.floor(running.clock.nowMs());
  const { tenant, ...words } = wanted;
  const fresh = freshJob(words, nowMs);
  const job = before === undefined ? fresh : { ...before, source: wanted.source };
  const kept: PullJob = { ...job, ...(await keepLists(archive, lists, { tenant, job: job.id })) };
  await store.askToStop(job.id, false);
  await store.write(kept);
  run.terminal.note(`pull ${job.id} ${before === undefined ? 'begins' : `goes on at ${placeText(before)}`}`);
  return kept;
}

async function keepLists(
  archive: Archive,
  lists: Lists,
  place: { readonly tenant: typeof defaultTenant; readonly job: string },
): Promise<Partial<Pick<PullJob, 'corrections' | 'ris'>>> {
  const kept: { corrections?: string; ris?: string } = {};
  for (const name of ['corrections', 'ris'] as const) {
    const text = lists[name];
    if (text === undefined) continue;
    await putPart({ archive, ...place }, `${name}.csv`, text);
    kept[name] = hexOf(sha256(utf8Bytes(text)));
  }
  return kept;
}

export function partsOf(run: CommandRun, running: Running, atOnce: number): RunParts {
  const { flags, terminal } = run;
  const [hours, rate] = [textFlag(flags, 'hours'), textFlag(flags, 'rate')];
  const store: JobStore = jobStore(running);
  return {
    archive: running.archive,
    store,
    clock: running.clock,
    signal: terminal.signal,
    pace: {
      hours: hours === undefined ? undefined : parseHours(hours),
      bytesPerSecond: rate === undefined ? undefined : parseRate(rate),
    },
    atOnce,
    onProgress: (job) => terminal.progress(`${placeText(job)}: ${tallyText(job)}`),
    onNote: (line) => terminal.note(`pull: ${line}`),
  };
}

export function tell(run: CommandRun, job: PullJob): number {
  const { terminal, json } = run;
  terminal.progressDone();
  const { tally } = job;
  const isGood = job.state === 'done' && tally.missing + tally.refused + tally.different + tally.doubts === 0;
  if (json) terminal.out(JSON.stringify({ job: job.id, state: job.state, cursor: shownCursor(job), tally }));
  else {
    terminal.out(
      `pull ${job.id} ${job.state}${job.state === 'done' ? '' : ` at ${placeText(job)}`}: ${tallyText(job)}`,
    );
    terminal.out(job.state === 'done' ? `see: stele pull report ${job.id}` : 'the same command goes on');
  }
  return isGood ? 0 : 1;
}

/** A path may be a name; who asks for the status sees where a folder stands by its count. */
function shownCursor(job: PullJob): string | null {
  return job.source.kind === 'folder' ? null : job.cursor;
}

export function placeText(job: PullJob): string {
  if (job.source.kind === 'folder') return `file ${job.tally.instances + job.tally.passedOver}`;
  return /^\d{8}$/.test(job.cursor) ? `day ${job.cursor}` : job.cursor;
}

export function tallyText({ tally }: PullJob): string {
  const parts = [`${tally.stored} stored`, `${tally.here} there already`, sizeText(tally.bytes)];
  if (tally.studies > 0) parts.unshift(`${tally.studies} studies`);
  for (const name of ['missing', 'refused', 'different'] as const)
    if (tally[name] > 0) parts.push(`${tally[name]} ${name}`);
  if (tally.passedOver > 0) parts.push(`${tally.passedOver} passed over`);
  if (tally.doubts > 0) parts.push(`${tally.doubts} in doubt`);
  return parts.join(', ');
}

function dayFlag(run: CommandRun, name: string): string | undefined {
  const day = textFlag(run.flags, name)?.replaceAll('-', '');
  if (day !== undefined && !isDay(day)) throw new ArchiveError('ARGUMENT_INVALID', `--${name} is a day, YYYYMMDD`);
  return day;
}
