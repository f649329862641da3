// A pull from an archive that is asked, of the table or over DICOMweb: day by day, newest first, several lines at a time, from wherever its job stands.
//
// Invariants: the job's row moves on only when everything before it is done and in the ledger, so a run that was killed goes on there and does the day that
// it was in again, comparing first; what will pass is tried again, ever less often; a study on which the source breaks again and again is told as
// missing and left behind, several of them in a row stop the job. Who stops it stops between two objects at most.
// Left out on purpose: folders (pull-folder.ts), and what the command line says.

import type { ApplicationEntity, Archive } from '../../archive/index.ts';
import { ArchiveError, type Clock, defaultTenant, type TenantId } from '../../base/index.ts';
import type { TlsClientOptions } from '../../dicom/index.ts';
import { correctAfter } from './apply-corrections.ts';
import { askWhole } from './ask-whole.ts';
import { dayBefore, firstDay, walkDays } from './days.ts';
import type { JobStore, PullJob, Tally } from './job.ts';
import { Ledger, type LedgerLine } from './ledger.ts';
import { Pace, type PaceOptions } from './pace.ts';
import { PeerLine } from './peer-line.ts';
import { pullStudy, type StudyPull, type StudySource } from './pull-study.ts';
import type { Slice, SourceStudy } from './slice.ts';
import type { SourceLine } from './source-line.ts';
import type { WebSource } from './web-client.ts';
import { WebLine } from './web-line.ts';

export type RunParts = {
  readonly archive: Archive;
  readonly store: JobStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly pace: PaceOptions;
  /** Associations, or files, at a time. */
  readonly atOnce: number;
  readonly onProgress: (job: PullJob) => void;
  /** Something a person should know now; no name of a patient is in it. */
  readonly onNote: (line: string) => void;
  /** Given: a source that is asked is only asked what there is; nothing is fetched, and nothing of it is kept. */
  readonly onCount?: ((count: DayCount) => void) | undefined;
};

/** What a source says that there is of a day, or of what is `later`, `ancient` or `undated`. */
export type DayCount = {
  readonly of: string;
  readonly studies: number;
  /** As far as the source counts them. */
  readonly instances: number;
  /** The source cuts its answers, and there may be more. */
  readonly inDoubt: boolean;
};

export type EntityRun = RunParts & {
  readonly entity: ApplicationEntity & { readonly host: string; readonly port: number };
  /** Our own title. */
  readonly title: string;
  readonly tlsClient: TlsClientOptions;
};

export type WebRun = RunParts & {
  readonly source: WebSource;
  readonly tenant: TenantId;
  /** Issuer of patient ids that name none. */
  readonly issuer: string | undefined;
};

/** What a run needs to know of a source, whatever it speaks. */
type SourceFacts = {
  readonly tenant: TenantId;
  readonly noted: StudyPull['source'];
  readonly open: (signal: AbortSignal) => StudySource;
};

/** What is noted as the source of objects that came over DICOMweb. */
const webTitle = 'web';
const triesMax = 5;
const firstWaitMs = 500;
const waitMsMax = 60_000;
/** Studies in a row on which the source broke. */
const brokenMax = 3;
const lookForStopMs = 2000;

/** Runs it to its end, or until it is stopped; the job as it stands then. Errors of the archive pass through when the job was written. */
export async function runPull(job: PullJob, parts: EntityRun): Promise<PullJob> {
  const { entity, title, tlsClient, clock } = parts;
  const way: { how: 'get' | 'move' | 'either' } = { how: job.source.kind === 'entity' ? job.source.how : 'either' };
  return new PullRun(job, parts, {
    tenant: entity.tenant ?? defaultTenant,
    noted: { title: entity.title, issuer: entity.issuer, whenKnown: entity.whenKnown },
    open: (signal) => ({
      kind: 'dimse',
      line: new PeerLine({ entity, title, tlsClient, clock, signal }),
      title,
      way,
    }),
  }).run();
}

/** As `runPull`, from a source that speaks DICOMweb. */
export async function runWebPull(job: PullJob, parts: WebRun): Promise<PullJob> {
  const { tenant, issuer, source, clock } = parts;
  return new PullRun(job, parts, {
    tenant,
    noted: { title: webTitle, issuer, whenKnown: 'first' },
    open: (signal) => ({ kind: 'web', line: new WebLine(source, clock, signal) }),
  }).run();
}

class PullRun {
  readonly #parts: RunParts;
  readonly #source: SourceFacts;
  readonly #signal: AbortSignal;
  readonly #lines: StudySource[];
  readonly #ledger: Ledger;
  readonly #pace: Pace;
  readonly #stop: AbortController = new AbortController();
  readonly #limits: Set<number>;
  readonly #tally: Tally;
  #job: PullJob;
  #broken = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(job: PullJob, parts: RunParts, source: SourceFacts) {
    this.#job = job;
    this.#parts = parts;
    this.#source = source;
    this.#signal = AbortSignal.any([parts.signal, this.#stop.signal]);
    this.#lines = Array.from({ length: parts.atOnce }, () => source.open(this.#signal));
    this.#ledger = new Ledger({ archive: parts.archive, tenant: source.tenant, job: job.id }, job.parts);
    this.#pace = new Pace(parts.pace, parts.clock, this.#signal);
    this.#limits = new Set(job.limits);
    this.#tally = { ...job.tally };
  }

  get #isStopped(): boolean {
    return this.#signal.aborted;
  }

  async run(): Promise<PullJob> {
    await this.#write({ state: 'running', why: undefined });
    let failure: unknown;
    try {
      await this.#walk();
      const isComplete = this.#job.cursor === 'end' && !this.#isStopped;
      if (isComplete && this.#parts.onCount === undefined) await this.#correct();
    } catch (error) {
      failure = error;
    }
    if (this.#isStopped) for (const { line } of this.#lines) line.drop();
    await Promise.all(this.#lines.map(({ line }) => line.close()));
    // Stopped on purpose: what broke off because of it is no failure.
    if (this.#isStopped) failure = undefined;
    const why = failure instanceof ArchiveError ? failure.code : failure === undefined ? undefined : 'INTERNAL';
    const isDone = this.#job.cursor === 'end' && failure === undefined && !this.#isStopped;
    await this.#write({ state: isDone ? 'done' : 'stopped', why }).catch((error: unknown) => {
      failure ??= error;
    });
    if (failure !== undefined) throw failure;
    return this.#job;
  }

  /** From the cursor on: what is dated later than the last day, the days, what is dated before all days, what has no date. */
  async #walk(): Promise<void> {
    const { from, to, modality, lastDay } = this.#job;
    const oldest = from ?? firstDay;
    const isWithin = (slice: Slice): Slice => (modality === undefined ? slice : { ...slice, modality });
    if (this.#job.cursor === 'later') {
      const later = { from: dayBefore(lastDay, -1), to: undefined };
      if (to === undefined && (await this.#unit('later', isWithin({ dates: later }))) === undefined) return;
      await this.#write({ cursor: lastDay });
    }
    if (/^\d{8}$/.test(this.#job.cursor)) {
      const done = await walkDays(
        { from: oldest, to: this.#job.cursor },
        {
          any: (first, last) => this.#tried(0, ({ line }) => line.any({ from: first, to: last }, modality)),
          visit: async (day) => {
            const studies = await this.#unit(day, isWithin({ dates: { from: day, to: day } }));
            if (studies === undefined) return undefined;
            if (studies > 0 || this.#ledger.hasLines) await this.#write({ cursor: dayBefore(day) });
            else this.#job = { ...this.#job, cursor: dayBefore(day) };
            return studies;
          },
          passed: async (day) => {
            this.#job = { ...this.#job, cursor: dayBefore(day) };
            await this.#look();
          },
        },
      );
      if (!done || this.#isStopped) return;
      await this.#write({ cursor: 'ancient' });
    }
    const hasDates = from !== undefined || to !== undefined;
    if (this.#job.cursor === 'ancient') {
      const ancient = { from: undefined, to: dayBefore(firstDay) };
      if (from === undefined && (await this.#unit('ancient', isWithin({ dates: ancient }))) === undefined) return;
      await this.#write({ cursor: hasDates ? 'end' : 'undated' });
    }
    if (this.#job.cursor === 'undated') {
      if ((await this.#unit('undated', isWithin({}), (study) => study.date === undefined)) === undefined) return;
      await this.#write({ cursor: 'end' });
    }
  }

  /** The studies of a slice, all of them; how many there were, undefined when it was stopped before its end. */
  async #unit(
    name: string,
    slice: Slice,
    isOfUnit: (study: SourceStudy) => boolean = () => true,
  ): Promise<number | undefined> {
    await this.#look();
    await this.#pace.open();
    if (this.#isStopped) return undefined;
    const answer = await askWhole((part) => this.#tried(0, ({ line }) => line.studies(part)), slice, this.#limits);
    const studies = [...answer.studies.values()].filter(isOfUnit);
    const { onCount } = this.#parts;
    if (onCount !== undefined) {
      const instances = studies.reduce((sum, study) => sum + (study.instanceCount ?? 0), 0);
      if (studies.length > 0) onCount({ of: name, studies: studies.length, instances, inDoubt: answer.doubtful });
      return studies.length;
    }
    const doubts: LedgerLine[] = [];
    if (answer.doubtful)
      doubts.push({ kind: 'doubt', of: name, why: 'the source cuts its answers, and some studies may be missing' });
    if (name !== 'undated' && answer.outside > 0)
      doubts.push({
        kind: 'doubt',
        of: name,
        why: `the source answered ${answer.outside} studies that were not asked for`,
      });
    await this.#note(doubts);
    let next = 0;
    const work = async (worker: number): Promise<void> => {
      for (let study = studies[next]; study !== undefined && !this.#isStopped; study = studies[next]) {
        next += 1;
        await this.#study(worker, study);
      }
    };
    const ended = await Promise.allSettled(this.#lines.map((_, worker) => work(worker)));
    const failed = ended.find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return this.#isStopped ? undefined : studies.length;
  }

  /** Rows of the list that was given, when all that it may name is here. */
  async #correct(): Promise<void> {
    const { archive } = this.#parts;
    const place = { archive, tenant: this.#source.tenant, job: this.#job.id, signal: this.#signal };
    await correctAfter(this.#job, place, (line) => this.#note([line]));
    await this.#write({ cursor: 'end' });
  }

  async #study(worker: number, study: SourceStudy): Promise<void> {
    await this.#look();
    const { archive, clock } = this.#parts;
    const { tenant, noted: source } = this.#source;
    const pull = {
      archive,
      tenant,
      clock,
      signal: this.#signal,
      pace: this.#pace,
      source,
      limits: this.#limits,
      onStored: (bytes: number) => {
        this.#tally.bytes += bytes;
        this.#parts.onProgress({ ...this.#job, tally: this.#tally });
      },
    };
    let lines: readonly LedgerLine[];
    try {
      lines = await this.#tried(worker, (from) => pullStudy({ ...pull, from }, study));
      this.#broken = 0;
    } catch (error) {
      if (this.#isStopped || !(error instanceof ArchiveError) || !error.code.startsWith('DICOM_')) throw error;
      this.#broken += 1;
      if (this.#broken >= brokenMax) throw error;
      this.#parts.onNote(`study ${study.studyUid}: ${error.code}`);
      lines = [
        { kind: 'study', study: study.studyUid, listed: 0, counted: study.instanceCount, onlyHere: 0, why: error.code },
        { kind: 'doubt', of: study.studyUid, why: `the source broke off at this study (${error.code})` },
      ];
    }
    if (this.#isStopped) return;
    this.#tally.studies += 1;
    await this.#note(lines);
  }

  async #note(lines: readonly LedgerLine[]): Promise<void> {
    for (const line of lines) {
      if (line.kind === 'doubt') this.#tally.doubts += 1;
      if (line.kind !== 'instance') continue;
      this.#tally.instances += 1;
      this.#tally[line.state] += 1;
    }
    await this.#ledger.add(lines);
    this.#parts.onProgress({ ...this.#job, tally: this.#tally });
  }

  /** With a line of the worker's; again, ever later, while what goes wrong is of the kind that passes. */
  async #tried<Result>(worker: number, what: (from: StudySource) => Promise<Result>): Promise<Result> {
    const from = this.#lines[worker] as StudySource;
    const line: SourceLine = from.line;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await what(from);
      } catch (error) {
        line.drop();
        const passes = error instanceof ArchiveError && error.retry === 'later' && error.code.startsWith('DICOM_');
        if (this.#isStopped || !passes || attempt >= triesMax) throw error;
        const waitMs = Math.min(waitMsMax, firstWaitMs * 2 ** attempt);
        this.#parts.onNote(`the source: ${error.code}; trying again in ${Math.round(waitMs / 1000)} s`);
        await this.#parts.clock.wait(waitMs, this.#signal);
      }
    }
  }

  /** Whether somebody asked for a stop, now and then. */
  async #look(): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#lookedMs < lookForStopMs) return;
    this.#lookedMs = nowMs;
    if (await this.#parts.store.isAskedToStop(this.#job.id)) this.#stop.abort();
  }

  /** A cursor that moves takes the ledger along: what it says of is done. Whatever was noted since is noted again by who resumes. */
  async #write(change: Partial<Pick<PullJob, 'state' | 'why' | 'cursor'>>): Promise<void> {
    if (this.#parts.onCount !== undefined) {
      this.#job = { ...this.#job, ...change };
      return;
    }
    const done =
      change.cursor === undefined
        ? {}
        : { parts: await this.#ledger.flush(), tally: { ...this.#tally }, limits: [...this.#limits] };
    this.#job = { ...this.#job, ...change, ...done, changedMs: Math.floor(this.#parts.clock.nowMs()) };
    await this.#parts.store.write(this.#job);
  }
}
