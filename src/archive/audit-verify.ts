// The checker of the audit: reads every event from the packs and holds it against the one before.
//
// Invariants: what is removed, changed or put elsewhere is named by chain and number; it asks the packs and believes no table; an event that lies in several packs is
// looked at in each, and they must agree; memory is one digest for each record of events, whatever they say.
// How: an event's text carries its number and the hash of the text before it, so an event that was changed no longer fits what its successor carries. The events of one
// pack give runs of numbers without a gap; runs of all packs are put together by their ends. What stands at the end of a chain is held against what the next chain says
// that it follows, and, for the newest, against the table and against ends that were written down elsewhere.
// Left out on purpose: whether a copy of a pack is whole (vault's care).

import { isArchiveError } from '../base/index.ts';
import { decodeAuditRecord } from '../format/index.ts';
import type { FoundFact } from '../vault/index.ts';
import { beginAction, type ChainEnd, eventOfText, hashOfText, noHash, placeText } from './audit-event.ts';

export type AuditProblem = {
  readonly kind: 'missing' | 'changed' | 'disordered' | 'unreadable' | 'unlinked';
  readonly chain: string;
  /** The first event concerned. */
  readonly number: number;
  readonly says: string;
};

export type AuditVerdict = {
  readonly events: number;
  readonly records: number;
  readonly chains: number;
  /** Events of years whose key was destroyed: there, and not to be read by anybody. */
  readonly closedRecords: number;
  readonly problems: readonly AuditProblem[];
  /** The last event of the newest chain: to be written down elsewhere, and held against the next time. */
  readonly ends: readonly ChainEnd[];
};

/** Numbers without a gap, from one pack. `marks`: the hash at the end of each record. */
type Run = {
  readonly chain: string;
  readonly first: number;
  readonly before: string;
  last: number;
  hash: string;
  readonly marks: Map<number, string>;
  /** Of its first record. */
  readonly writer: string;
  readonly sequence: bigint;
};

type Counts = Readonly<Record<'runs' | 'problems' | 'events' | 'records' | 'closed', number>>;

type Placed = {
  readonly chain: string;
  readonly text: string;
  readonly record: string;
  /** Of its record. */
  readonly isFirst: boolean;
  readonly writer: string;
  readonly sequence: bigint;
};

/** Problems that are told; where there are more, the count says so. */
export const auditProblemsMax = 1000;

export class AuditChecker {
  readonly #runs: Run[] = [];
  readonly #problems: AuditProblem[] = [];
  readonly #follows = new Map<string, ChainEnd>();
  #open: Run | undefined;
  #events = 0;
  #records = 0;
  #closed = 0;
  #before: Counts = this.#counts();

  #problem(kind: AuditProblem['kind'], chain: string, number: number, says: string): void {
    if (this.#problems.length < auditProblemsMax) this.#problems.push({ kind, chain, number, says });
  }

  /** The facts of a pack begin: runs do not go on from another. */
  beginPack(): void {
    this.#open = undefined;
    this.#before = this.#counts();
  }

  /** Another copy of the same pack begins: what the one before said is forgotten. */
  beginAgain(): void {
    this.#open = undefined;
    const { runs, problems, events, records, closed } = this.#before;
    this.#runs.length = runs;
    this.#problems.length = problems;
    [this.#events, this.#records, this.#closed] = [events, records, closed];
  }

  #counts(): Counts {
    const [runs, problems] = [this.#runs.length, this.#problems.length];
    return { runs, problems, events: this.#events, records: this.#records, closed: this.#closed };
  }

  /** A pack that no copy gives. */
  lackPack(pack: string, code: string): void {
    this.#problem('unreadable', '', 0, `pack ${pack} cannot be read (${code})`);
  }

  /** A record of audited events, in the order in which it lies in its pack. */
  take({ id, plain }: FoundFact): void {
    const record = `${id.writer}.${id.sequence}`;
    this.#records += 1;
    try {
      if (plain instanceof Error) throw plain;
      const { chain, events } = decodeAuditRecord(plain);
      let run = this.#open?.chain === chain ? this.#open : undefined;
      for (const [index, text] of events.entries())
        run = this.#takeText(run, {
          chain,
          text,
          record,
          isFirst: index === 0,
          writer: id.writer,
          sequence: id.sequence,
        });
      if (run !== undefined) run.marks.set(run.last, run.hash);
      this.#open = run;
    } catch (error) {
      if (isArchiveError(error, 'KEY_SHREDDED')) this.#closed += 1;
      else this.#problem('unreadable', '', 0, `record ${record} cannot be read`);
      this.#open = undefined;
    }
  }

  #takeText(run: Run | undefined, { chain, text, record, isFirst, writer, sequence }: Placed): Run | undefined {
    this.#events += 1;
    // The usual case, without a look inside: it stands where it belongs and carries the hash of the one before.
    if (run !== undefined && text.startsWith(placeText(run.last + 1, run.hash))) {
      run.last += 1;
      run.hash = hashOfText(text);
      return run;
    }
    const event = eventOfText(text);
    if (event === undefined) {
      this.#problem(
        'unreadable',
        chain,
        run === undefined ? 0 : run.last + 1,
        `a text of record ${record} is no event`,
      );
      return undefined;
    }
    const { number, before, follows, action } = event;
    if (run !== undefined && number === run.last + 1) {
      this.#problem('changed', chain, run.last, `event ${run.last} is not what event ${number} was chained to`);
      run.last = number;
      run.hash = hashOfText(text);
      return run;
    }
    // A record that repeats what another says was written again; within one, numbers only grow.
    if (!isFirst && run !== undefined && number <= run.last)
      this.#problem('disordered', chain, number, `event ${number} stands behind event ${run.last}`);
    if (number === 1) {
      if (action !== beginAction || before !== noHash)
        this.#problem('changed', chain, 1, 'event 1 is not the beginning of a chain');
      if (follows !== undefined) this.#follows.set(chain, follows);
    }
    const next: Run = {
      chain,
      first: number,
      before,
      last: number,
      hash: hashOfText(text),
      marks: new Map(),
      writer,
      sequence,
    };
    this.#runs.push(next);
    return next;
  }

  /** When all packs were taken. `known`: ends from the table, or written down elsewhere. */
  end(known: readonly (ChainEnd & { readonly whence: string })[]): AuditVerdict {
    const chains = Map.groupBy(this.#runs, (run) => run.chain);
    const ends = new Map<string, ChainEnd>();
    const marks = new Map<string, Run[]>();
    for (const [chain, runs] of chains) {
      runs.sort((one, other) => one.first - other.first || other.last - one.last);
      marks.set(chain, runs);
      ends.set(chain, this.#together(chain, runs));
    }
    const followed = new Set<string>();
    for (const [chain, follows] of this.#follows) {
      followed.add(follows.chain);
      this.#holdEnd(follows, ends, marks, `chain ${chain}`);
      const end = ends.get(follows.chain);
      if (end !== undefined && end.number > follows.number)
        this.#problem(
          'unlinked',
          follows.chain,
          follows.number + 1,
          `chain ${chain} goes on from event ${follows.number}, and there are more`,
        );
    }
    for (const each of known) this.#holdEnd(each, ends, marks, each.whence);
    const open = [...ends.values()].filter(({ chain }) => !followed.has(chain));
    if (open.length > 1)
      for (const { chain, number } of open)
        this.#problem(
          'unlinked',
          chain,
          number,
          `no chain goes on from event ${number}, as from ${open.length - 1} others`,
        );
    const isBegun = [...ends.keys()].filter((chain) => !this.#follows.has(chain) && marks.get(chain)?.[0]?.first === 1);
    if (isBegun.length > 1)
      for (const chain of isBegun)
        this.#problem('unlinked', chain, 1, 'the chain follows no other, and is not the only one');
    return {
      events: this.#events,
      records: this.#records,
      chains: chains.size,
      closedRecords: this.#closed,
      problems: this.#problems,
      ends: open,
    };
  }

  /** Runs of one chain in the order of their numbers: joined where they meet. */
  #together(chain: string, runs: readonly Run[]): ChainEnd {
    let last = 0;
    let hash = noHash;
    let before: Run | undefined;
    for (const run of runs) {
      if (run.first > last + 1) {
        const [from, to] = [last + 1, run.first - 1];
        this.#problem(
          'missing',
          chain,
          from,
          from === to ? `event ${from} is missing` : `events ${from} to ${to} are missing`,
        );
      } else if (run.first === last + 1) {
        if (run.before !== hash)
          this.#problem(
            'changed',
            chain,
            Math.max(1, last),
            `event ${last} is not what event ${run.first} was chained to`,
          );
      } else if (before !== undefined && !isSame(before, run))
        this.#problem('changed', chain, run.first, `events from ${run.first} on are there twice, and differ`);
      if (
        before !== undefined &&
        run.first > before.last &&
        run.writer === before.writer &&
        run.sequence < before.sequence
      )
        this.#problem('disordered', chain, run.first, `event ${run.first} was written before event ${before.first}`);
      if (run.last <= last) continue;
      last = run.last;
      hash = run.hash;
      before = run;
    }
    return { chain, number: last, hash };
  }

  #holdEnd(
    said: ChainEnd,
    ends: ReadonlyMap<string, ChainEnd>,
    marks: ReadonlyMap<string, readonly Run[]>,
    whence: string,
  ): void {
    const { chain, number, hash } = said;
    const end = ends.get(chain);
    if (end === undefined)
      return this.#problem('missing', chain, 1, `events 1 to ${number} are missing: ${whence} knows them`);
    if (end.number < number)
      return this.#problem(
        'missing',
        chain,
        end.number + 1,
        `events ${end.number + 1} to ${number} are missing at the end: ${whence} knows them`,
      );
    const found =
      end.number === number
        ? end.hash
        : marks
            .get(chain)
            ?.map((run) => run.marks.get(number))
            .find((each) => each !== undefined);
    if (found !== undefined && found !== hash)
      this.#problem('changed', chain, number, `event ${number} is not what ${whence} knows it as`);
  }
}

/** Whether a later run repeats what an earlier one has: where records of both end, the chains have one hash. */
function isSame(one: Run, other: Run): boolean {
  for (const [number, hash] of other.marks) {
    const known = one.marks.get(number);
    if (known !== undefined && known !== hash) return false;
  }
  return true;
}
