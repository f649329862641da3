// AppendQueue: one stream of records into one open pack after another; the group commit.
//
// Invariants: groups become durable in the order of sequences, each whole or not at all; one write and one sync serve all that waits; a caller is answered
// after its last record is durable on as many disks as the class asks AND `onDurable` of its group has resolved; what waits is
// bounded by bytes, and callers wait for room; when a mirror fails, the group goes whole into a new pack, so nothing is half there; of a chain nothing
// becomes durable behind a link that failed.
// Left out on purpose: what happens to packs that are full or broken (`retire` hands them on), what facts mean, and how a group lies in memory
// (group-image.ts).

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
import { cipherNumber, type RecordRoom, releaseBytes, type SharedMemory } from '../codec/index.ts';
import { commitSizeBytes, isFactKind, type PackClassName, recordKind } from '../format/index.ts';
import type { Draft } from './draft.ts';
import { GroupImage, type Reservation } from './group-image.ts';
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

/** Facts up to here are made into records at once, and their bytes stay. */
const factBytesShared = 4096;

/** Appends that make sense together only: once one has failed, those behind it fail too. */
export type Chain = { failure: { readonly reason: unknown } | undefined };

export type AppendOptions = {
  /** Nobody is waiting for it: it may lie until something urgent comes behind it or enough has come together. */
  readonly lazy?: boolean;
  readonly chain?: Chain;
};

type Waiting = {
  readonly made: (MadeRecord | undefined)[];
  unmade: number;
  readonly facts: DurableFact[];
  readonly plainBytes: number;
  readonly lazy: boolean;
  readonly chain: Chain | undefined;
  /** Plain bytes that were stored as they are and are needed until the end. */
  readonly kept: Draft[];
  failed: { readonly reason: unknown } | undefined;
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
  /** Where groups are put together; without it, or when it is all in use, they are written part by part. */
  readonly memory: SharedMemory | undefined;
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
  /** Of what waits: bytes that nobody waits for, and appends that somebody does. */
  #lazyBytes = 0;
  #urgentCount = 0;
  /** Images that hold places, oldest first; the last one takes more. */
  readonly #images: GroupImage[] = [];
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
  async append(
    plainBytes: number,
    build: (nextId: () => RecordId) => Draft[],
    { lazy = false, chain }: AppendOptions = {},
  ): Promise<void> {
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
      const made = new Array<MadeRecord | undefined>(drafts.length).fill(undefined);
      const waiting = this.#push({ made, unmade: drafts.length, facts: [], plainBytes, lazy, chain, resolve, reject });
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
      const made = [...records];
      this.#push({ made, unmade: 0, facts: [...facts], plainBytes, lazy: false, chain: undefined, resolve, reject });
      this.#start();
    });
  }

  #push(parts: Omit<Waiting, 'kept' | 'failed' | 'wake'>): Waiting {
    const waiting: Waiting = { ...parts, kept: [], failed: undefined, wake: undefined };
    this.#waiting.push(waiting);
    if (waiting.lazy) this.#lazyBytes += waiting.plainBytes;
    else this.#urgentCount += 1;
    return waiting;
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
    this.#start();
    await this.#idle();
    for (const image of this.#images.splice(0)) image.giveBack();
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
    // What lies and waits for nothing holds the room.
    this.#start();
    await wait;
    // Who waited for room until the stream was closed was never accepted: nothing may be written from here on.
    if (!this.#closed) return;
    this.#budget.give(plainBytes);
    throw new ArchiveError('CLOSED', 'the archive is stopping');
  }

  #make(waiting: Waiting, draft: Draft, index: number): void {
    const hybrid = this.options.hybrid.next();
    if (isFactKind(draft.kind)) {
      // A worker takes long bytes away with their buffer, and facts are applied after that.
      const plain = draft.plain.byteLength > factBytesShared ? draft.plain.slice() : draft.plain;
      waiting.facts.push({ id: draft.id, kind: draft.kind, group: draft.group, hybrid, plain });
    }
    let reservation: Reservation | undefined;
    const room: RecordRoom = (spanBytes, move) => {
      const reserved = this.#imageFor(spanBytes)?.reserve(spanBytes, move);
      reservation = reserved?.reservation;
      return reserved?.place;
    };
    const ended = (): void => {
      reservation?.image.finish(reservation);
      waiting.unmade -= 1;
      if (waiting.unmade === 0) waiting.wake?.();
    };
    const done = (made: MadeRecord): void => {
      waiting.made[index] = made;
      if (overlaps(made.body, draft.plain)) waiting.kept.push(draft);
      else draft.release?.();
      ended();
    };
    const failed = (reason: unknown): void => {
      waiting.failed ??= { reason };
      draft.release?.();
      ended();
    };
    try {
      const made = this.options.works.make(draft, hybrid, room);
      if (made instanceof Promise) made.then(done, failed);
      else done(made);
    } catch (error) {
      failed(error);
    }
  }

  /** The image that takes more, if it has so much room or there is another. */
  #imageFor(spanBytes: number): GroupImage | undefined {
    const { memory } = this.options;
    const last = this.#images.at(-1);
    if (last?.hasRoom(spanBytes) === true || memory === undefined) return last;
    const image = this.#newImage(memory);
    if (image !== undefined) this.#images.push(image);
    return image;
  }

  /** Two regions stay for what arrives from outside. */
  #newImage(memory: SharedMemory): GroupImage | undefined {
    const { limits } = this.options;
    return GroupImage.take(memory, limits.groupBytesMax, this.options.class === 'ingest' ? 0 : 2);
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#isDue()) this.#start();
    });
  }

  /** Whether there is something to write now. */
  #isDue(): boolean {
    if (this.#rolls.length > 0 || this.#urgentCount > 0) return true;
    if (this.#waiting.length === 0) return false;
    return this.#closed || this.#budget.hasWaiters || this.#lazyBytes >= this.options.limits.lazyBytesMax;
  }

  async #run(): Promise<void> {
    // A turn of the event loop's microtasks lets callers of this very moment into the first group.
    await Promise.resolve();
    for (;;) {
      if (this.#rolls.length > 0) await this.#retireOpen();
      const first = this.#waiting[0];
      if (first === undefined || !this.#isDue()) return;
      if (first.unmade > 0) {
        await new Promise<void>((resolve) => {
          first.wake = resolve;
        });
      }
      await this.#commitNext();
    }
  }

  /** One group. Records that are being made now go into the next image. */
  async #commitNext(): Promise<void> {
    const { memory } = this.options;
    const placed = this.#images.shift();
    placed?.handOn((spanBytes) => this.#imageFor(spanBytes));
    await placed?.finished();
    const batch = this.#takeBatch(placed);
    if (placed !== undefined && this.#waiting.length > 0) this.#keepOthers(placed);
    const image = placed ?? (memory === undefined ? undefined : this.#newImage(memory));
    try {
      if (batch.length > 0) await this.#commit(batch, image);
    } finally {
      image?.giveBack();
    }
  }

  /** Records of a later group leave an image whose group is written now. */
  #keepOthers(image: GroupImage): void {
    for (const waiting of this.#waiting) {
      waiting.made.forEach((made, index) => {
        if (made !== undefined && image.holds(made)) waiting.made[index] = image.takeOut(made);
      });
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

  /** What is made, from the front, up to one group, and no record that has its place in a later group's image. */
  #takeBatch(image: GroupImage | undefined): Waiting[] {
    const { groupBytesMax, groupRecordsMax } = this.options.limits;
    const batch: Waiting[] = [];
    let sizeBytes = 0;
    let count = 0;
    let taken = 0;
    for (const waiting of this.#waiting) {
      if (waiting.unmade > 0) break;
      const failure = waiting.failed ?? waiting.chain?.failure;
      if (failure === undefined) {
        const more = waiting.made.reduce((sum, made) => sum + spanOf(defined(made, 'a made record')), 0);
        const full = sizeBytes + more > groupBytesMax || count + waiting.made.length > groupRecordsMax;
        if (batch.length > 0 && (full || this.#liesLater(waiting, image))) break;
        sizeBytes += more;
        count += waiting.made.length;
        batch.push(waiting);
      } else {
        this.#settle(waiting, failure);
      }
      taken += 1;
      if (waiting.lazy) this.#lazyBytes -= waiting.plainBytes;
      else this.#urgentCount -= 1;
    }
    this.#waiting.splice(0, taken);
    return batch;
  }

  #liesLater(waiting: Waiting, image: GroupImage | undefined): boolean {
    if (this.#images.length === 0) return false;
    return waiting.made.some(
      (made) => made !== undefined && image?.holds(made) !== true && this.#images.some((later) => later.holds(made)),
    );
  }

  async #commit(batch: readonly Waiting[], image: GroupImage | undefined): Promise<void> {
    const records: MadeRecord[] = [];
    for (const waiting of batch) for (const made of waiting.made) records.push(defined(made, 'a made record'));
    try {
      if (records.length > 0) await this.#writeSomewhere(records, image);
    } catch (error) {
      for (const waiting of batch) this.#settle(waiting, { reason: error });
      return;
    }
    const own = records.filter((record) => record.id.writer === this.options.writer);
    for (const record of own) releaseContent(record);
    const group: DurableGroup = {
      writer: this.options.writer,
      // In the order of the batch, which is that of sequences, whatever the order on the medium.
      sequence: own.at(-1)?.id.sequence,
      facts: batch.flatMap((waiting) => waiting.facts),
    };
    // The next group is written while this one is applied; groups are applied in order.
    this.#applying = this.#applying.then(async () => {
      try {
        await this.options.onDurable(group);
        for (const waiting of batch) this.#settle(waiting, undefined);
      } catch (error) {
        for (const waiting of batch) this.#settle(waiting, { reason: error });
      }
    });
  }

  async #writeSomewhere(records: readonly MadeRecord[], image: GroupImage | undefined): Promise<void> {
    const { limits } = this.options;
    const sizeBytes = records.reduce((sum, record) => sum + spanOf(record), 0) + commitSizeBytes;
    const composed = image?.compose(records);
    for (let attempt = 1; ; attempt += 1) {
      const pack = await this.#packWithRoom(records.length, sizeBytes);
      try {
        const hybrid = this.options.hybrid.next();
        if (composed === undefined) await pack.writeGroup(records, hybrid);
        else await pack.writeGroup(composed, hybrid, image);
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

  #settle(waiting: Waiting, failure: Waiting['failed']): void {
    // At once, and not when a promise is heard: the next group may be taken before that.
    if (failure !== undefined && waiting.chain !== undefined) waiting.chain.failure ??= failure;
    for (const draft of waiting.kept) draft.release?.();
    this.#budget.give(waiting.plainBytes);
    if (failure === undefined) waiting.resolve();
    else waiting.reject(failure.reason);
  }
}

/** Whether a body is, in part, the plain bytes themselves. */
function overlaps(body: Uint8Array, plain: Uint8Array): boolean {
  if (body.buffer !== plain.buffer) return false;
  return body.byteOffset < plain.byteOffset + plain.byteLength && plain.byteOffset < body.byteOffset + body.byteLength;
}

/** Ciphertext of content is on the disks now and nobody else's: its memory goes back at once, not when a collection finds it. */
function releaseContent(record: MadeRecord): void {
  if (record.kind === recordKind.chunk && record.cipher !== cipherNumber.none) releaseBytes(record.body);
}
