// The Vault: durability. Records go in by streams and come out by id; packs are sealed, registered, recovered.
//
// Invariants: what `append` and `store` acknowledged is on as many disks as the class asks, and is found after any crash; every read is
// checked; memory is bounded by VaultLimits; at most one Vault works on a disk (the disk's lock).
// Left out on purpose: what is known of content (the catalog), who may, and when to settle (archive and flow).

import {
  ArchiveError,
  type ArchiveId,
  bytesEqual,
  type Clock,
  type DiskId,
  type HybridClock,
  hexOf,
  type PackId,
  type Random,
  type RecordId,
  sha256,
  type WriterId,
} from '../base/index.ts';
import type { CodecPool } from '../codec/index.ts';
import { type PackClassName, packClassNames } from '../format/index.ts';
import type { KeySource } from '../keys/index.ts';
import type { Sql } from '../sql/index.ts';
import { AppendQueue, type DurableFact, type DurableGroup } from './append-queue.ts';
import { Care } from './care.ts';
import { ContentReader, type OpenedRecord } from './content-reader.ts';
import { ContentStretches } from './content-stretch.ts';
import { type Content, type ContentHints, ContentWriter, type FactDraft } from './content-writer.ts';
import { factHint } from './draft.ts';
import type { FoundFact } from './fact-windows.ts';
import { type VaultLimits, vaultLimitsDefault } from './limits.ts';
import { Losses } from './losses.ts';
import type { ReadRecord } from './pack-copy.ts';
import { PackKeeper } from './pack-keeper.ts';
import { type MirrorFault, PackWriter } from './pack-writer.ts';
import { type MadeRecord, madeRecord } from './record.ts';
import { type FoundRecord, RecordReader } from './record-reader.ts';
import { poolWorks, type RecordWorks } from './record-works.ts';
import { openFound, Recovery, type RecoveryReport, type TakeFacts } from './recovery.ts';
import { Register } from './register.ts';
import { Shelf } from './shelf.ts';
import { byFreeSpace, type StoreDisk } from './store-disk.ts';

/** How many copies a stream's packs have, and whether fewer will do when disks are missing. */
export type StorageClass = { readonly copies: number; readonly whenFewer: 'refuse' | 'accept' };

export type VaultEvent =
  | { readonly kind: 'mirror-failed'; readonly disk: DiskId; readonly code: string }
  | { readonly kind: 'bad-copy'; readonly pack: PackId; readonly disk: DiskId; readonly mended: boolean }
  | { readonly kind: 'pack-sealed'; readonly pack: PackId; readonly class: PackClassName }
  | { readonly kind: 'seal-failed'; readonly pack: PackId; readonly code: string }
  | { readonly kind: 'degraded'; readonly class: PackClassName; readonly copies: number };

export type VaultOptions = {
  readonly archive: ArchiveId;
  readonly stores: readonly StoreDisk[];
  readonly sql: Sql;
  readonly keys: KeySource;
  readonly pool: CodecPool;
  readonly clock: Clock;
  readonly hybrid: HybridClock;
  readonly random: Random;
  /** Number of the cipher for new records (FORMAT.md 4). */
  readonly cipher: number;
  readonly classes: Readonly<Record<PackClassName, StorageClass>>;
  readonly limits?: Partial<VaultLimits>;
  /** Called for each durable group, in the order of a stream, one at a time a stream; the writers are answered when it resolves. */
  readonly onDurable: (group: DurableGroup, stream: PackClassName) => Promise<void>;
  readonly onEvent: (event: VaultEvent) => void;
};

const failuresMax = 3;

export class Vault {
  readonly register: Register;
  readonly losses: Losses;
  readonly shelf: Shelf;
  readonly reader: RecordReader;
  readonly contents: ContentReader;
  readonly stretches: ContentStretches;
  readonly care: Care;
  readonly limits: VaultLimits;
  readonly #options: VaultOptions;
  readonly #works: RecordWorks;
  readonly #keeper: PackKeeper;
  readonly #streams = new Map<PackClassName, AppendQueue>();
  /** Open, or closed and not yet in the sealed folder. */
  readonly #live = new Set<PackWriter>();
  readonly #sealing = new Map<PackWriter, Promise<void>>();
  #closed = false;

  constructor(options: VaultOptions) {
    this.#options = options;
    this.limits = { ...vaultLimitsDefault, ...options.limits };
    this.register = new Register(options.sql);
    this.losses = new Losses(options.sql);
    this.shelf = new Shelf(options.stores, this.limits.readFilesMax);
    this.#works = poolWorks(options);
    this.#keeper = new PackKeeper(this.shelf, this.register, options.hybrid);
    this.reader = new RecordReader({
      shelf: this.shelf,
      register: this.register,
      livePacks: () => [...this.#live],
      limits: this.limits,
      memory: options.pool.memory,
      hooks: { onBadCopy: (bad) => options.onEvent({ kind: 'bad-copy', ...bad }) },
    });
    this.care = new Care({
      shelf: this.shelf,
      register: this.register,
      losses: this.losses,
      reader: this.reader,
      nowMs: () => options.clock.nowMs(),
      isLive: (pack) => this.isLive(pack),
      copies: Math.max(...packClassNames.map((name) => options.classes[name].copies)),
    });
    this.contents = new ContentReader((id) => this.open(id), this.limits.readAheadMax);
    this.stretches = new ContentStretches({ ...options, reader: this.reader });
  }

  /**
   * Seals and registers what earlier writers left, before anything new is written. `take` gets every fact that may not have been applied; it
   * may get one again. `everything`: all packs on all disks are looked at, as a new or older database needs. `applied`: the greatest sequence of a
   * writer that the catalog knows to be acknowledged; a last group below it that fails its check is loss, and not a torn tail.
   */
  async recover(
    take: TakeFacts,
    options: {
      everything: boolean;
      fromMedia: boolean;
      applied?: (writer: WriterId) => Promise<bigint>;
      onPack?: (done: number) => void;
    },
  ): Promise<RecoveryReport> {
    const recovery = new Recovery({
      shelf: this.shelf,
      register: this.register,
      keeper: this.#keeper,
      works: this.#options,
      open: (record) => this.openFact(record),
      take,
      archive: this.#options.archive,
      losses: this.losses,
      nowMs: () => this.#options.clock.nowMs(),
      applied: options.applied,
    });
    if (options.everything) await recovery.reconcile(options);
    await recovery.tails();
    await recovery.finish();
    return recovery.report;
  }

  /** The plain bytes of a fact that was read. KEY_SHREDDED, KEY_MISSING, RECORD_CORRUPT. */
  openFact(record: ReadRecord): Uint8Array | Promise<Uint8Array> {
    return this.#works.open(record.head, record.body);
  }

  /**
   * Hands on every fact of a sealed pack, opened, a stretch at a time; `begin` is called for each copy that is tried, and what the one before gave is to be
   * forgotten. RECORD_LOST, PACK_CORRUPT.
   */
  readFacts(pack: PackId, begin: () => TakeFacts): Promise<void> {
    const open = (record: ReadRecord): Promise<FoundFact> => openFound(record, (each) => this.openFact(each));
    return this.care.readFacts(pack, this.#options, () => ({ open, give: begin() }));
  }

  stream(name: PackClassName): AppendQueue {
    if (this.#closed) throw new ArchiveError('CLOSED', 'the archive is stopping');
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      const writer = hexOf(this.#options.random.bytes(16)) as WriterId;
      stream = new AppendQueue({
        class: name,
        writer,
        limits: this.limits,
        hybrid: this.#options.hybrid,
        works: this.#works,
        memory: this.#options.pool.memory,
        openPack: () => this.#openPack(name, writer),
        retire: (pack, applied) => this.#retire(pack, applied),
        onMirrorFault: (fault) => this.#mirrorFailed(fault),
        onDurable: (group) => this.#options.onDurable(group, name),
      });
      this.#streams.set(name, stream);
    }
    return stream;
  }

  /** A writer of content of any length under one key group. */
  contentWriter(stream: PackClassName, group: ContentGroup, hints: ContentHints): ContentWriter {
    return new ContentWriter(this.stream(stream), group, hints);
  }

  /** Appends facts alone. Durable and applied when it resolves. */
  async say(stream: PackClassName, facts: readonly FactDraft[]): Promise<RecordId[]> {
    const ids: RecordId[] = [];
    const bytes = facts.reduce((sum, fact) => sum + fact.plain.byteLength, 0);
    await this.stream(stream).append(bytes, (nextId) =>
      facts.map((fact) => {
        const id = nextId();
        ids.push(id);
        return { id, ...fact, hint: factHint(fact.plain) };
      }),
    );
    return ids;
  }

  /** A record by its id: found, checked, opened. RECORD_LOST, RECORD_UNKNOWN, DISK_MISSING, KEY_SHREDDED. */
  async open(id: RecordId): Promise<OpenedRecord> {
    const { found, value } = await this.reader.read(id, (record) => this.#works.open(record.head, record.body));
    return { found, plain: value };
  }

  /** A record by its id as it lies, checked but not opened: also one whose key is gone. */
  read(id: RecordId): Promise<FoundRecord> {
    return this.reader.readWhole(id, ({ head, body }) => {
      if (!bytesEqual(sha256(body), head.bodyDigest))
        throw new ArchiveError('RECORD_CORRUPT', "a record's body fails its digest");
    });
  }

  /** Copies records, as they are, into another stream. Facts among them are applied again, which changes nothing. */
  async copyRecords(
    stream: PackClassName,
    records: readonly FoundRecord[],
    facts: readonly DurableFact[] = [],
  ): Promise<void> {
    const made: MadeRecord[] = records.map(({ head, body }) => madeRecord(head, head.bytes, body));
    await this.stream(stream).appendCopies(made, facts);
  }

  /** Packs that are open or being sealed, with what they hold. */
  livePacks(): { pack: PackId; class: PackClassName; recordCount: number; sizeBytes: number; disks: DiskId[] }[] {
    return [...this.#live].map((pack) => ({
      pack: pack.plan.pack,
      class: pack.plan.class,
      recordCount: pack.index.count,
      sizeBytes: pack.endOffset,
      disks: pack.mirrors.filter((mirror) => mirror.good).map((mirror) => mirror.store.id),
    }));
  }

  isLive(pack: PackId): boolean {
    return [...this.#live].some((each) => each.plan.pack === pack);
  }

  /** Seals open packs that are old enough, or all of them; resolves when they are in the sealed folder. */
  async sealOpen(which: 'old' | 'all'): Promise<void> {
    for (const stream of this.#streams.values()) {
      const pack = stream.openPack;
      if (pack === undefined) continue;
      const ageMs = this.#options.clock.monotonicMs() - pack.plan.createdMonotonicMs;
      if (which === 'all' || ageMs >= this.limits.packAgeMsMax) await stream.roll();
    }
    for (const [pack, sealing] of this.#sealing) {
      await sealing;
      // One that failed earlier is tried again: nothing of it is lost meanwhile.
      if (this.#live.has(pack)) await this.#seal(pack);
    }
  }

  /** Finishes what was accepted, then lets go of the disks. Open packs stay open for the next start to seal. */
  async close(options: { seal: boolean } = { seal: false }): Promise<void> {
    if (this.#closed) return;
    if (options.seal) await this.sealOpen('all').catch(() => undefined);
    for (const stream of this.#streams.values()) await stream.close();
    this.#closed = true;
    await Promise.allSettled(this.#sealing.values());
    for (const pack of this.#live) await pack.close();
    this.shelf.close();
  }

  async #openPack(name: PackClassName, writer: WriterId): Promise<PackWriter> {
    const wanted = this.#options.classes[name];
    let failure: unknown;
    // A disk that refuses is left out of the next try; so there are at most as many tries as disks.
    for (let attempt = 0; attempt <= this.shelf.stores.length; attempt += 1) {
      const stores = (await byFreeSpace(this.shelf.writable())).slice(0, wanted.copies);
      if (stores.length === 0 || (stores.length < wanted.copies && wanted.whenFewer === 'refuse')) {
        throw this.#tooFew(name, wanted.copies, stores.length, failure);
      }
      if (stores.length < wanted.copies)
        this.#options.onEvent({ kind: 'degraded', class: name, copies: stores.length });
      try {
        const pack = await PackWriter.create(
          {
            pack: hexOf(this.#options.random.bytes(16)) as PackId,
            class: name,
            writer,
            archive: this.#options.archive,
            created: this.#options.hybrid.next(),
            createdMonotonicMs: this.#options.clock.monotonicMs(),
          },
          stores,
        );
        this.#live.add(pack);
        return pack;
      } catch (error) {
        failure = error;
        this.#mirrorFailed(error as MirrorFault, failuresMax);
      }
    }
    throw failure;
  }

  /** Which disks take nothing, and why; full ones are told as such, since room is what is missing then and no disk. */
  #tooFew(name: PackClassName, wanted: number, found: number, cause: unknown): ArchiveError {
    const refusing = this.shelf.stores.filter((store) => store.state !== 'present');
    const faults = refusing.map(({ disk, state, fault }) => `${disk.label}: ${fault ?? state}`);
    const said = `the ${name} class asks for ${wanted} copies and ${found} disks can take one`;
    const message = faults.length === 0 ? said : `${said} (${faults.join(', ')})`;
    const isFull = refusing.length > 0 && refusing.every(({ fault }) => fault === 'DISK_FULL');
    return new ArchiveError(isFull ? 'DISK_FULL' : 'COPIES_TOO_FEW', message, { cause });
  }

  #mirrorFailed(fault: MirrorFault, weight = 1): void {
    for (const disk of fault.disks ?? []) {
      const store = this.shelf.store(disk);
      if (store === undefined) continue;
      store.failureCount += weight;
      store.fault = fault.code;
      if (fault.code === 'DISK_MISSING') store.state = 'missing';
      else if (store.failureCount >= failuresMax || fault.code === 'DISK_FULL' || fault.code === 'DISK_READ_ONLY')
        store.state = 'failing';
      this.#options.onEvent({ kind: 'mirror-failed', disk, code: fault.code });
    }
  }

  async #retire(pack: PackWriter, applied: Promise<void>): Promise<void> {
    if (pack.index.count === 0) {
      // Its first group failed: nothing in it was ever acknowledged.
      this.#live.delete(pack);
      await pack.close();
      for (const mirror of pack.mirrors)
        await mirror.store.disk.remove(`open/${pack.plan.pack}.pack`).catch(() => undefined);
      return;
    }
    // One pack a stream is sealed at a time: a faster writer waits here, so packs on their way to the sealed folder stay few.
    const before = [...this.#sealing]
      .filter(([each]) => each.plan.class === pack.plan.class)
      .map(([, sealing]) => sealing);
    await Promise.all(before);
    void this.#seal(pack, applied);
  }

  #seal(pack: PackWriter, applied: Promise<void> = Promise.resolve()): Promise<void> {
    const work = applied
      .then(() =>
        this.#keeper.seal({
          plan: pack.plan,
          index: pack.index,
          endOffset: pack.endOffset,
          commitOffset: pack.commitOffset,
          groupCount: pack.groupCount,
          copies: pack.mirrors,
        }),
      )
      .then(
        () => {
          this.#live.delete(pack);
          this.#sealing.delete(pack);
          this.#options.onEvent({ kind: 'pack-sealed', pack: pack.plan.pack, class: pack.plan.class });
        },
        (error: unknown) => {
          const code = error instanceof ArchiveError ? error.code : 'INTERNAL';
          this.#options.onEvent({ kind: 'seal-failed', pack: pack.plan.pack, code });
        },
      );
    this.#sealing.set(pack, work);
    return work;
  }
}

type ContentGroup = ConstructorParameters<typeof ContentWriter>[1];

export type { Content };
