// The audit: events in one chain, gathered and written to packs in their order.
//
// Invariants: an event is numbered and chained when it is written, and what was chained is written before anything behind it, as often as it takes; `say` resolves when
// its event is durable; `note` is written within `lazyMs`; calls of one kind on one study within `windowMs` are two events, the first and the count of the rest; when
// more than `backlogMax` events wait, whatever is to be audited is refused (BUSY): nothing is done that cannot be told.
// A command that opens the archive for itself begins no pack for a few events: they are carried over to whoever writes next (`Carried`), in a file of the data folder, as
// durable as that; whoever can take them out of it holds the packs and the keys as well.
// A chain begins with the first event of a start and says which one it follows; events lie in a key group of their year, in the control stream.
// Left out on purpose: what is audited (rights.ts), searching (audit-index.ts), checking (audit-verify.ts).

import { ArchiveError, auditGroup, type Clock, hexOf, type Random } from '../base/index.ts';
import { auditEventsMax, encodeAuditRecord, recordKind } from '../format/index.ts';
import type { Vault } from '../vault/index.ts';
import {
  type About,
  type AuditEvent,
  beginAction,
  type CallTeller,
  type ChainEnd,
  eventOf,
  hashOfText,
  noHash,
  textOfEvent,
} from './audit-event.ts';
import type { AuditIndex } from './audit-index.ts';
import type { Principal } from './principal.ts';
import type { Action } from './rights.ts';

export const lazyMs = 500;
export const windowMs = 30_000;
const windowsMax = 20_000;
const backlogMax = 100_000;
/** More of them are worth a pack. */
const carriedMax = 100;
/** Events that a stop leaves behind when no disk takes them. */
const leftMax = 1000;

/** Events between two processes. */
export type Carried = {
  readonly load: () => Promise<readonly AuditEvent[]>;
  /** Durable when it resolves. */
  readonly keep: (events: readonly AuditEvent[]) => Promise<void>;
};

type Waiting = { readonly event: AuditEvent; readonly done: PromiseWithResolvers<void> | undefined };
type Batch = { readonly texts: readonly string[]; readonly atMs: number; readonly waiting: readonly Waiting[] };
type Window = { readonly event: AuditEvent; readonly endMs: number; count: number; lastMs: number };

export class Audit implements CallTeller {
  readonly #vault: Vault;
  readonly #index: AuditIndex;
  readonly #clock: Clock;
  readonly #chain: string;
  readonly #carried: Carried;
  /** Whether nothing is written before somebody asks for it, or there is much. */
  readonly #isCarrying: boolean;
  #carriedCount: number | undefined;
  readonly #stopping = new AbortController();
  #waiting: Waiting[] = [];
  /** Chained, and not yet known to be durable. */
  #batch: Batch | undefined;
  #end: ChainEnd | undefined;
  #running: Promise<void> | undefined;
  #timer: Promise<void> | undefined;
  #windows = new Map<string, Window>();

  constructor(parts: {
    vault: Vault;
    index: AuditIndex;
    clock: Clock;
    random: Random;
    carried: Carried;
    isCarrying: boolean;
  }) {
    this.#vault = parts.vault;
    this.#index = parts.index;
    this.#clock = parts.clock;
    this.#carried = parts.carried;
    this.#isCarrying = parts.isCarrying;
    this.#chain = hexOf(parts.random.bytes(16));
  }

  checkRoom(): void {
    if (this.#waiting.length >= backlogMax)
      throw new ArchiveError('BUSY', 'what is done cannot be audited just now', { hint: 'make room on the disks' });
  }

  note(principal: Principal, action: Action, about: About, result: string): void {
    const { kind, name, token, door, address } = principal;
    const { tenant, study, subject } = about;
    const key = `${kind} ${name} ${token} ${door} ${address} ${action} ${result} ${tenant} ${study} ${subject}`;
    const nowMs = this.#clock.monotonicMs();
    const known = this.#windows.get(key);
    if (known !== undefined && known.endMs > nowMs) {
      known.count += 1;
      known.lastMs = this.#nowMs();
      return;
    }
    if (known !== undefined) this.#close(key, known);
    const event = eventOf(principal, action, about, { atMs: this.#nowMs(), result });
    if (this.#windows.size >= windowsMax) this.#closeOldest();
    this.#windows.set(key, { event, endMs: nowMs + windowMs, count: 0, lastMs: 0 });
    this.tell(event);
  }

  async say(principal: Principal, action: Action, about: About, result: string): Promise<void> {
    const event = eventOf(principal, action, about, { atMs: this.#nowMs(), result });
    if (this.#isCarrying) return this.tell(event);
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ event, done });
    this.#write();
    return done.promise;
  }

  /** An event that is no call of the facade: written within `lazyMs`. */
  tell(event: AuditEvent): void {
    this.#waiting.push({ event, done: undefined });
    if (this.#waiting.length >= auditEventsMax) this.#write();
    else if (!this.#isCarrying && this.#timer === undefined) this.#timer = this.#later();
  }

  /** Writes what is there. Rejects when it cannot be made durable; it is tried again. */
  async flush(): Promise<void> {
    await this.#loadCarried();
    while (this.#running !== undefined || this.#waiting.length > 0 || this.#batch !== undefined) {
      this.#write();
      await this.#running;
    }
  }

  /** Writes what is there, windows and all, or leaves it for the next start. Rejects when neither can be done: it is lost then. */
  async close(): Promise<void> {
    this.#stopping.abort();
    for (const [key, window] of this.#windows) this.#close(key, window);
    const isBegun = this.#end !== undefined || this.#running !== undefined || this.#batch !== undefined;
    if (!this.#isCarrying || isBegun) return this.#flushOrCarry();
    const mine = this.#waiting.map(({ event }) => event);
    const before = mine.length === 0 ? [] : await this.#carried.load();
    if (before.length + mine.length > carriedMax) return this.#flushOrCarry();
    if (mine.length > 0) await this.#carried.keep([...before, ...mine]);
  }

  /** What no disk takes is left for the next start. It may be told twice then, where nobody knows what became of a write. */
  async #flushOrCarry(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      const left = [...(this.#batch?.waiting ?? []), ...this.#waiting].map(({ event }) => event);
      if (left.length > leftMax) throw error;
      await this.#carried.keep(left);
    }
  }

  /** What processes before this one left to be written comes first. */
  async #loadCarried(): Promise<void> {
    if (this.#carriedCount !== undefined) return;
    const events = await this.#carried.load();
    if (this.#carriedCount !== undefined) return;
    this.#carriedCount = events.length;
    this.#waiting.unshift(...events.map((event) => ({ event, done: undefined })));
  }

  #nowMs(): number {
    return Math.floor(this.#clock.nowMs());
  }

  #close(key: string, { event, count, lastMs }: Window): void {
    this.#windows.delete(key);
    if (count > 0) this.tell({ ...event, count, untilMs: lastMs });
  }

  #closeOldest(): void {
    for (const [key, window] of this.#windows) {
      this.#close(key, window);
      return;
    }
  }

  /** Written a little later, with what comes until then; goes on while windows are open. */
  async #later(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted && (this.#waiting.length > 0 || this.#windows.size > 0 || this.#batch !== undefined)) {
      await this.#clock.wait(lazyMs, signal);
      const nowMs = this.#clock.monotonicMs();
      for (const [key, window] of this.#windows) {
        // In the order in which they were opened.
        if (window.endMs > nowMs) break;
        this.#close(key, window);
      }
      if (signal.aborted) break;
      this.#write();
      // Whoever waits was told; it is tried again with the next turn.
      await this.#running?.catch(() => undefined);
    }
    this.#timer = undefined;
  }

  #write(): void {
    if (this.#running !== undefined) return;
    const running = this.#run().finally(() => {
      this.#running = undefined;
    });
    running.catch(() => undefined);
    this.#running = running;
  }

  async #run(): Promise<void> {
    await this.#loadCarried();
    while (this.#waiting.length > 0 || this.#batch !== undefined) {
      try {
        this.#batch ??= await this.#chained();
        const { texts, atMs } = this.#batch;
        const plain = encodeAuditRecord({ chain: this.#chain, events: texts });
        const group = auditGroup(new Date(atMs).getUTCFullYear());
        await this.#vault.say('control', [{ kind: recordKind.event, group, plain }]);
      } catch (error) {
        // Who waits is told now, those behind the batch too; what they said stays and is written as soon as may be.
        for (const { done } of [...(this.#batch?.waiting ?? []), ...this.#waiting]) done?.reject(error);
        if (!this.#stopping.signal.aborted && this.#timer === undefined) this.#timer = this.#later();
        throw error;
      }
      for (const { done } of this.#batch.waiting) done?.resolve();
      this.#batch = undefined;
      // After they are durable: a crash between tells them twice, and loses none.
      if ((this.#carriedCount ?? 0) > 0) await this.#carried.keep([]);
      this.#carriedCount = 0;
    }
  }

  /** Takes what waits and gives each its place. */
  async #chained(): Promise<Batch> {
    const nowMs = this.#nowMs();
    const before = this.#end === undefined ? await this.#index.end() : undefined;
    let { number, hash } = this.#end ?? { number: 0, hash: noHash };
    const texts: string[] = [];
    const add = (event: AuditEvent): void => {
      number += 1;
      const text = textOfEvent(event, number, hash);
      hash = hashOfText(text);
      texts.push(text);
    };
    if (this.#end === undefined) add(beginning(this.#waiting[0]?.event.atMs ?? nowMs, before));
    const waiting = this.#waiting.splice(0, auditEventsMax - texts.length);
    for (const { event } of waiting) add(event);
    this.#end = { chain: this.#chain, number, hash };
    return { texts, atMs: nowMs, waiting };
  }
}

function beginning(atMs: number, follows: ChainEnd | undefined): AuditEvent {
  return {
    atMs,
    action: beginAction,
    result: 'ok',
    who: 'task:audit',
    from: undefined,
    door: 'task',
    tenant: undefined,
    study: undefined,
    subject: undefined,
    count: 1,
    untilMs: undefined,
    follows,
  };
}
