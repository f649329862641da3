// Upkeep: what is done without being asked. Old packs are sealed, quiet ones settled, copies read back and mended, what came under a known instance UID
// compared, one bounded unit at a time.
//
// Invariants: one unit runs at a time, in the background or by command; a unit that fails is told once and tried again later, and never ends the
// loop; told to stop, it stops at the next piece and leaves nothing half believed.

import { describeSettled, type SettleReport } from '../archive/index.ts';
import { type Clock, isArchiveError, toArchiveError } from '../base/index.ts';
import type { Catalog } from '../catalog/index.ts';
import { type Describe, FlowNotes, Settler, type Swept, sweepReleased, Throttle } from '../flow/index.ts';
import type { KeySource } from '../keys/index.ts';
import type { Sql } from '../sql/index.ts';
import type { Pace, Run, Vault } from '../vault/index.ts';
import type { Settings } from './settings.ts';

export type UpkeepParts = {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly keys: Pick<KeySource, 'contains'>;
  readonly sql: Sql;
  readonly clock: Clock;
  readonly settings: Settings;
  readonly say: (line: string) => void;
  /** Compares one object that came under a known instance UID. */
  readonly compare: (signal: AbortSignal) => Promise<UnitState>;
  /** Reads a series of a device anew whose character set was said. */
  readonly repairTexts: (signal: AbortSignal) => Promise<UnitState>;
};

type UnitState = 'busy' | 'idle';

const idleMs = 2000;
const failedMs = 30_000;
const lookAgainMs = 60_000;
const dayMs = 86_400_000;
const roundsMax = 100_000;

export class Upkeep {
  readonly #parts: UpkeepParts;
  #last: Promise<unknown> = Promise.resolve();
  #loop: Promise<void> | undefined;
  readonly #stop = new AbortController();
  #settler: Settler | undefined;
  readonly #describe: Describe;
  #settleAgainMs = 0;
  #told = '';
  #lookAgainMs = 0;
  /** At every start, and when a disk came back: it may have brought what was let go of without it. */
  #sweepDue = true;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
    this.#describe = describeSettled(parts.clock);
  }

  /** Begins the loop, once. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await this.#last.catch(() => undefined);
  }

  /** Settles all that may, by command. Waits for a unit under way first. */
  async *settleAll(pace: Pace, how: { all: boolean; signal: AbortSignal }): AsyncGenerator<SettleReport> {
    const { vault } = this.#parts;
    await this.#alone(() => vault.sealOpen('all'));
    const settler = this.#newSettler(pace, how.all ? 0 : this.#quietMs());
    for (let rounds = 0; rounds < roundsMax && !how.signal.aborted; rounds += 1) {
      const step = await this.#alone(() => settler.step());
      for (const each of step.released) yield each;
      if (step.state === 'idle') return;
    }
  }

  /** Lets go again of packs that were released and are there again, by command. */
  async *sweepAll(pace: Pace): AsyncGenerator<Swept> {
    const packs = this.#sweeping(pace);
    for (;;) {
      const next = await this.#alone(() => packs.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  #sweeping(pace: Pace): AsyncGenerator<Swept> {
    const { vault, catalog, settings, sql } = this.#parts;
    const onRelease = (runs: readonly Run[]): Promise<void> => noteReleased(sql, runs);
    return sweepReleased({ vault, catalog, copies: settings.copies, pace, onRelease });
  }

  #quietMs(): number {
    return this.#parts.settings.settleSeconds * 1000;
  }

  #newSettler(pace: Pace, quietMs: number): Settler {
    const { vault, catalog, keys, clock, settings, sql } = this.#parts;
    return new Settler({
      vault,
      catalog,
      keys,
      notes: new FlowNotes(sql),
      nowMs: () => clock.nowMs(),
      quietMs,
      roundBytesMax: settings.packSizeBytes,
      pace,
      describe: this.#describe,
      onRelease: (runs) => noteReleased(sql, runs),
    });
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let state: UnitState = 'idle';
      let pauseMs = idleMs;
      for (const unit of [
        () => this.#lookAtDisks(),
        () => this.#sweep(),
        () => this.#seal(),
        () => this.#settle(),
        () => this.#scrub(),
        () => this.#parts.compare(signal),
        () => this.#parts.repairTexts(signal),
      ]) {
        if (signal.aborted) return;
        try {
          if ((await this.#alone(unit)) === 'busy') state = 'busy';
        } catch (error) {
          if (isArchiveError(error, 'CLOSED')) return;
          const fault = toArchiveError(error, 'INTERNAL', 'upkeep failed');
          const line = `upkeep: ${fault.code}: ${fault.message}`;
          if (line !== this.#told) this.#parts.say(line);
          this.#told = line;
          pauseMs = failedMs;
        }
      }
      await clock.wait(state === 'busy' ? 0 : pauseMs, signal);
    }
  }

  /** A disk that was full or away takes new data again without anybody's command. */
  async #lookAtDisks(): Promise<UnitState> {
    const { vault, clock } = this.#parts;
    if (clock.monotonicMs() < this.#lookAgainMs) return 'idle';
    this.#lookAgainMs = clock.monotonicMs() + lookAgainMs;
    const away = vault.shelf.stores.filter((store) => store.state === 'missing');
    if (vault.shelf.stores.some((store) => store.state !== 'present')) await vault.care.lookAgain();
    if (away.some((store) => store.state !== 'missing')) this.#sweepDue = true;
    return 'idle';
  }

  async #sweep(): Promise<UnitState> {
    if (!this.#sweepDue) return 'idle';
    const { say, settings } = this.#parts;
    let unknown = 0;
    for await (const { pack, outcome } of this.#sweeping(this.#throttle(settings.scrubBytesPerSecond))) {
      if (outcome === 'removed') say(`pack ${pack} was released while its disk was away, and is removed`);
      if (outcome === 'unknown') unknown += 1;
    }
    if (unknown > 0) say(`${unknown} packs on the disks are not known to the database: run: stele rebuild`);
    this.#sweepDue = false;
    return 'idle';
  }

  async #seal(): Promise<UnitState> {
    await this.#parts.vault.sealOpen('old');
    return 'idle';
  }

  async #settle(): Promise<UnitState> {
    const { clock, settings, say } = this.#parts;
    if (clock.nowMs() < this.#settleAgainMs) return 'idle';
    this.#settler ??= this.#newSettler(this.#throttle(settings.settleBytesPerSecond), this.#quietMs());
    const step = await this.#settler.step();
    for (const each of step.released)
      if (!each.released) say(`pack ${each.pack} could not be settled (${each.code ?? 'unknown'}); it is tried again`);
    // Nothing due: looking again costs a walk over the ingest packs, so it waits until something may be, or a while.
    this.#settleAgainMs =
      step.state === 'busy'
        ? 0
        : Math.min(
            step.againMs ?? Number.MAX_SAFE_INTEGER,
            clock.nowMs() + Math.min(60_000, Math.max(1000, this.#quietMs() / 4)),
          );
    return step.state;
  }

  async #scrub(): Promise<UnitState> {
    const { vault, clock, settings, say } = this.#parts;
    if (settings.scrubDays === 0) return 'idle';
    const pace = this.#throttle(settings.scrubBytesPerSecond);
    const report = await vault.care.verifyNext(clock.nowMs() - settings.scrubDays * dayMs, pace);
    if (report === undefined) return 'idle';
    if (report.gone) return 'idle';
    if (report.problems.length === 0) return 'busy';
    say(`a copy of pack ${report.pack} is damaged in ${report.problems.length} places and is being mended`);
    for await (const each of vault.care.repair(pace)) {
      say(`pack ${each.pack}: ${each.outcome}${each.code === undefined ? '' : ` (${each.code})`}`);
    }
    return 'busy';
  }

  #throttle(bytesPerSecond: number): Pace {
    return new Throttle({ clock: this.#parts.clock, bytesPerSecond, signal: this.#stop.signal }).pace;
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

/** Greatest sequences of writers in packs that were let go: a start does not take their absence for a loss. */
async function noteReleased(sql: Sql, runs: readonly Run[]): Promise<void> {
  await sql.many(
    `INSERT INTO archive_notes (name, value) VALUES (?, ?)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE CAST(excluded.value AS BIGINT) > CAST(archive_notes.value AS BIGINT)`,
    runs.map((run) => [`released/${run.writer}`, String(run.last)]),
  );
}
