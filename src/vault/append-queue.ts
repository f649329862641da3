// AppendQueue: one stream of records into one open pack after another; the group commit.
//
// Invariants: records become durable in the order of their sequences; one write and one sync serve all that waits; a caller is answered
// after its last record is durable on as many disks as the class asks AND `onDurable` of its group has resolved; what waits is
// bounded by bytes, and callers wait for room; when a mirror fails, the group goes whole into a new pack, so nothing is half there.
// Left out on purpose: what happens to packs that are full or broken (`retire` hands them on), and what facts mean.

import {
  ArchiveError,
  assert,
  Budget,
  defined,
  type HybridClock,
  type HybridTime,
  type KeyGroup,
  type RecordId,
  type WriterId,
} from '../base/index.ts';
import { cipherNumber, releaseBytes } from '../codec/index.ts';
import { commitSizeBytes, isFactKind, type PackClassName, recordKind } from '../format/index.ts';
import type { Draft } from './draft.ts';
import type { VaultLimits } from './limits.ts';
import type { MirrorFault, PackWriter } from './pack-writer.ts';
import { type MadeRecord, spanOf } from './record.ts';
import type { RecordWorks } from './record-works.ts';

/** An entry, event or site row that became durable. */
export type DurableFact = {
  readonly id: RecordId;
  readonly kind: number;
  readonly group: KeyGroup;
  readonly hybrid: HybridTime;
  readonly plain: Uint8Array;
};

export type DurableGroup = {
  readonly writer: WriterId;
  /** Greatest own sequence in the group; undefined when it holds only copies of others' records. */
  readonly sequence: bigint | undefined;
  readonly facts: readonly DurableFact[];
};

type Waiting = {
  readonly made: (MadeRecord | undefined)[];
  unmade: number;
  readonly facts: DurableFact[];
  readonly plainBytes: number;
  failed: unknown;
  wake: (() => void) | undefined;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
};

export type AppendQueueOptions = {
  readonly class: PackClassName;
  readonly writer: WriterId;
  readonly limits: VaultLimits;
  readonly hybrid: HybridClock;
  readonly works: RecordWorks;
  /** A new pack on as many disks as the class asks; COPIES_TOO_FEW when there are not enough. */
  readonly openPack: () => Promise<PackWriter>;
  /**
   * Takes over a pack that is full, old or broken. Resolves soon; sealing goes on by itself, once the facts of its groups were `applied`: a pack
   * that leaves the open folder is not read again at the next start.
   */
  readonly retire: (pack: PackWriter, applied: Promise<void>) => Promise<void>;
  readonly onMirrorFault: (fault: MirrorFault) => void;
  /** Called once for each group, in order, one at a time. */
  readonly onDurable: (group: DurableGroup) => Promise<void>;
};

export class AppendQueue {
  readonly options: AppendQueueOptions;
  readonly #budget: Budget;
  #waiting: Waiting[] = [];
  #rolls: { readonly resolve: () => void; readonly reject: (reason: unknown) => void }[] = [];
  #sequence = 0n;
  #pack: PackWriter | undefined;
  #running: Promise<void> | undefined;
  #applying: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: AppendQueueOptions) {
    this.options = options;
    this.#budget = new Budget(`${options.class} bytes in flight`, options.limits.inFlightBytesMax);
  }

  get openPack(): PackWriter | undefined {
    return this.#pack;
  }

  get inFlightBytes(): number {
    return this.#budget.taken;
  }

  /**
   * Makes records of the drafts and appends them, in one group where they fit. `build` is called once there is room, and once only; it
   * takes ids from `nextId` in the order of its drafts. Durable on all copies, and applied, when it resolves. Not safe to repeat.
   * COPIES_TOO_FEW, KEY_SHREDDED, CLOSED, DATABASE_FAILED.
   */
  async append(plainBytes: number, build: (nextId: () => RecordId) => Draft[]): Promise<void> {
    await this.#admit(plainBytes);
    const nextId = (): RecordId => {
      this.#sequence += 1n;
      return { writer: this.options.writer, sequence: this.#sequence };
    };
    let drafts: Draft[];
    try {
      drafts = build(nextId);
    } catch (error) {
      this.#budget.give(plainBytes);
      throw error;
    }
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        made: new Array<MadeRecord | undefined>(drafts.length).fill(undefined),
        unmade: drafts.length,
        facts: [],
        plainBytes,
        failed: undefined,
        wake: undefined,
        resolve,
        reject,
      };
      this.#waiting.push(waiting);
      drafts.forEach((draft, index) => {
        this.#make(waiting, draft, index);
      });
      this.#start();
    });
  }

  /** Appends copies of records as they are. Durable when it resolves; safe to repeat: an id names the same bytes wherever they lie. */
  async appendCopies(records: readonly MadeRecord[], facts: readonly DurableFact[] = []): Promise<void> {
    const plainBytes = records.reduce((sum, record) => sum + record.body.byteLength, 0);
    await this.#admit(plainBytes);
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({
        made: [...records],
        unmade: 0,
        facts: [...facts],
        plainBytes,
        failed: undefined,
        wake: undefined,
        resolve,
        reject,
      });
      this.#start();
    });
  }

  /** Retires the open pack between two groups, whatever waits behind: a stream that never rests seals its packs too. */
  async roll(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#rolls.push({ resolve, reject });
      this.#start();
    });
  }

  /** Finishes what was accepted, refuses the rest. The open pack stays open on the disks; it is for the caller to close. */
  async close(): Promise<PackWriter | undefined> {
    this.#closed = true;
    await this.#idle();
    return this.#pack;
  }

  async #idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    await this.#applying;
  }

  async #admit(plainBytes: number): Promise<void> {
    if (this.#closed) throw new ArchiveError('CLOSED', 'the archive is stopping');
    const wait = this.#budget.take(plainBytes);
    if (wait === undefined) return;
    await wait;
    // Who waited for room until the stream was closed was never accepted: nothing may be written from here on.
    if (!this.#closed) return;
    this.#budget.give(plainBytes);
    throw new ArchiveError('CLOSED', 'the archive is stopping');
  }

  #make(waiting: Waiting, draft: Draft, index: number): void {
    const hybrid = this.options.hybrid.next();
    if (isFactKind(draft.kind)) {
      waiting.facts.push({ id: draft.id, kind: draft.kind, group: draft.group, hybrid, plain: draft.plain });
    }
    const done = (made: MadeRecord): void => {
      waiting.made[index] = made;
      waiting.unmade -= 1;
      if (waiting.unmade === 0) waiting.wake?.();
    };
    const failed = (reason: unknown): void => {
      waiting.failed ??= reason;
      waiting.unmade -= 1;
      if (waiting.unmade === 0) waiting.wake?.();
    };
    try {
      const made = this.options.works.make(draft, hybrid);
      if (made instanceof Promise) made.then(done, failed);
      else done(made);
    } catch (error) {
      failed(error);
    }
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#waiting.length > 0 || this.#rolls.length > 0) this.#start();
    });
  }

  async #run(): Promise<void> {
    // A turn of the event loop's microtasks lets callers of this very moment into the first group.
    await Promise.resolve();
    for (;;) {
      if (this.#rolls.length > 0) await this.#retireOpen();
      const first = this.#waiting[0];
      if (first === undefined) return;
      if (first.unmade > 0) {
        await new Promise<void>((resolve) => {
          first.wake = resolve;
        });
      }
      const batch = this.#takeBatch();
      if (batch.length > 0) await this.#commit(batch);
    }
  }

  async #retireOpen(): Promise<void> {
    const asked = this.#rolls.splice(0);
    try {
      const pack = this.#pack;
      if (pack !== undefined && pack.index.count > 0) {
        this.#pack = undefined;
        await this.options.retire(pack, this.#applying);
      }
      for (const each of asked) each.resolve();
    } catch (error) {
      for (const each of asked) each.reject(error);
    }
  }

  /** What is made, from the front, up to one group. */
  #takeBatch(): Waiting[] {
    const { groupBytesMax, groupRecordsMax } = this.options.limits;
    const batch: Waiting[] = [];
    let sizeBytes = 0;
    let count = 0;
    let taken = 0;
    for (const waiting of this.#waiting) {
      if (waiting.unmade > 0) break;
      if (waiting.failed === undefined) {
        const more = waiting.made.reduce((sum, made) => sum + spanOf(defined(made, 'a made record')), 0);
        const full = sizeBytes + more > groupBytesMax || count + waiting.made.length > groupRecordsMax;
        if (batch.length > 0 && full) break;
        sizeBytes += more;
        count += waiting.made.length;
        batch.push(waiting);
      } else {
        this.#settle(waiting, waiting.failed);
      }
      taken += 1;
    }
    this.#waiting.splice(0, taken);
    return batch;
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const records: MadeRecord[] = [];
    for (const waiting of batch) for (const made of waiting.made) records.push(defined(made, 'a made record'));
    try {
      if (records.length > 0) await this.#writeSomewhere(records);
    } catch (error) {
      for (const waiting of batch) this.#settle(waiting, error);
      return;
    }
    const own = records.filter((record) => record.id.writer === this.options.writer);
    for (const record of own) releaseContent(record);
    const group: DurableGroup = {
      writer: this.options.writer,
      sequence: own.at(-1)?.id.sequence,
      facts: batch.flatMap((waiting) => waiting.facts),
    };
    // The next group is written while this one is applied; groups are applied in order.
    this.#applying = this.#applying.then(async () => {
      try {
        await this.options.onDurable(group);
        for (const waiting of batch) this.#settle(waiting, undefined);
      } catch (error) {
        for (const waiting of batch) this.#settle(waiting, error);
      }
    });
  }

  async #writeSomewhere(records: readonly MadeRecord[]): Promise<void> {
    const { limits } = this.options;
    const sizeBytes = records.reduce((sum, record) => sum + spanOf(record), 0) + commitSizeBytes;
    for (let attempt = 1; ; attempt += 1) {
      const pack = await this.#packWithRoom(records.length, sizeBytes);
      try {
        await pack.writeGroup(records, this.options.hybrid.next());
        return;
      } catch (error) {
        assert(pack.broken, 'a pack that fails a group is broken');
        this.options.onMirrorFault(error as MirrorFault);
        this.#pack = undefined;
        await this.options.retire(pack, this.#applying);
        if (attempt >= limits.packAttemptsMax) throw error;
      }
    }
  }

  async #packWithRoom(recordCount: number, sizeBytes: number): Promise<PackWriter> {
    if (this.#pack !== undefined && !this.#pack.hasRoom(recordCount, sizeBytes, this.options.limits.packBytesMax)) {
      const full = this.#pack;
      this.#pack = undefined;
      await this.options.retire(full, this.#applying);
    }
    this.#pack ??= await this.options.openPack();
    return this.#pack;
  }

  #settle(waiting: Waiting, error: unknown): void {
    this.#budget.give(waiting.plainBytes);
    if (error === undefined) waiting.resolve();
    else waiting.reject(error);
  }
}

/** Ciphertext of content is on the disks now and nobody else's: its memory goes back at once, not when a collection finds it. */
function releaseContent(record: MadeRecord): void {
  if (record.kind === recordKind.chunk && record.cipher !== cipherNumber.none) releaseBytes(record.body);
}
