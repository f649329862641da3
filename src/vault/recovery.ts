// Recovery: what a start finds on the disks, brought to a state where every pack is sealed and registered, and every fact was handed on.
//
// Invariants: acknowledged => found again, as long as one copy of it is whole; facts are handed on before the pack that holds them leaves the
// open folder, so a crash during recovery repeats it; nothing is removed that could hold an acknowledged record.
// `tails` looks at open packs alone and is quick; `reconcile` looks at every pack on every disk, and makes a lost or old database new.
// Left out on purpose: what facts mean; the caller applies them, and applying twice changes nothing.

import {
  ArchiveError,
  type ArchiveId,
  type HybridTime,
  idOfBytes,
  isArchiveError,
  type PackId,
  sha256,
  toArchiveError,
  utf8Bytes,
  type WriterId,
} from '../base/index.ts';
import type { Locator } from '../format/index.ts';
import { type FactTaker, factBatchMax, runsOfPack, walkFacts } from './adopt-pack.ts';
import type { FactWorks, FoundFact } from './fact-windows.ts';
import { countOfRuns, type Losses, recordRunsText } from './losses.ts';
import type { OpenIndex } from './open-index.ts';
import { PackCopy, type ReadRecord } from './pack-copy.ts';
import type { PackKeeper } from './pack-keeper.ts';
import type { FoundFile } from './packs-on-disks.ts';
import { openFolder, openPath, packOfName, packSuffix, partSuffix } from './paths.ts';
import { reconcilePacks } from './reconcile.ts';
import type { Register, Run } from './register.ts';
import type { Shelf } from './shelf.ts';
import type { StoreDisk } from './store-disk.ts';
import { copiesOf, replaceStray } from './stray-copies.ts';
import { type Applied, scanTail, type TailCopy, type TailLoss } from './tail-scan.ts';
import { isFooterWhole, verifyCopy } from './verify-pack.ts';

/** Takes facts, checked and opened where they can be, in the order of their packs. */
export type TakeFacts = (facts: readonly FoundFact[]) => Promise<void>;

/** Records that the catalog or the records around them say were there, and that no copy holds. */
export type RecoveryLoss = TailLoss & { readonly pack: PackId };

export type RecoveryReport = {
  packCount: number;
  factCount: number;
  readonly losses: RecoveryLoss[];
  /** Greatest sequence found of each writer that left an open pack. */
  readonly writers: Map<WriterId, bigint>;
  /** Packs that could not be read at all, and why. */
  readonly unreadable: { readonly pack: PackId; readonly reason: ArchiveError }[];
  hybridGreatest: HybridTime;
};

/** Losses, and unreadable packs, that a report tells; where there are more, each start tells the first of what is left. */
const toldMax = 10_000;

export class Recovery {
  readonly #shelf: Shelf;
  readonly #register: Register;
  readonly #keeper: PackKeeper;
  readonly #works: FactWorks;
  readonly #taker: FactTaker;
  readonly #archive: ArchiveId;
  readonly #applied: Applied;
  readonly #losses: Losses;
  readonly #nowMs: () => number;
  readonly #found: RecoveryLoss[] = [];
  readonly report: RecoveryReport = {
    packCount: 0,
    factCount: 0,
    losses: [],
    writers: new Map(),
    unreadable: [],
    hybridGreatest: 0n,
  };

  constructor(options: {
    shelf: Shelf;
    register: Register;
    keeper: PackKeeper;
    works: FactWorks;
    open: (record: ReadRecord) => Uint8Array | Promise<Uint8Array>;
    take: TakeFacts;
    archive: ArchiveId;
    losses: Losses;
    nowMs: () => number;
    applied?: Applied | undefined;
  }) {
    this.#shelf = options.shelf;
    this.#register = options.register;
    this.#keeper = options.keeper;
    this.#works = options.works;
    this.#taker = {
      open: (record) => openFound(record, options.open),
      give: async (facts) => {
        if (facts.length === 0) return;
        this.report.factCount += facts.length;
        await options.take(facts);
      },
    };
    this.#archive = options.archive;
    this.#applied = options.applied ?? (async () => 0n);
    this.#losses = options.losses;
    this.#nowMs = options.nowMs;
  }

  /** Seals and registers what lies in the open folders. */
  async tails(): Promise<void> {
    const packs = new Map<PackId, StoreDisk[]>();
    for (const store of this.#shelf.writable()) {
      for (const name of await this.#list(store, openFolder)) {
        if (name.endsWith(partSuffix)) await store.disk.remove(`${openFolder}/${name}`);
        const pack = packOfName(name, packSuffix);
        if (pack !== undefined) packs.set(pack, [...(packs.get(pack) ?? []), store]);
      }
    }
    for (const [pack, stores] of packs) await this.#tail(pack, stores);
  }

  /** Tells what was lost, once everything was looked at: a record that one pack lacks another may hold. */
  async finish(): Promise<void> {
    for (const loss of this.#found) {
      const missing: Run[] = [];
      for (const run of loss.missing) missing.push(...(await this.#register.lackOf(run)));
      this.report.losses.push({ ...loss, missing });
    }
    for (const pack of new Set(this.#found.map((loss) => loss.pack))) await this.#keepLosses(pack);
  }

  /** What verification would find of a pack that was sealed with holes is known from here on. */
  async #keepLosses(pack: PackId): Promise<void> {
    const placement = (await this.#register.placementsOf(pack)).find((each) => each.kind === 'pack');
    if (placement === undefined) return;
    const lost = this.report.losses.filter((loss) => loss.pack === pack).flatMap((loss) => loss.missing);
    try {
      const { problems } = await this.#shelf.withFile(placement.disk, pack, 'pack', (file) =>
        verifyCopy({ file, kind: 'pack', pace: async () => undefined }),
      );
      await this.#losses.note(pack, problems, lost, this.#nowMs());
    } catch (error) {
      // Then the next verification finds it and tells it again.
      if (!(error instanceof ArchiveError)) throw error;
    }
  }

  /** A disk that cannot be listed is left aside, and the others are gone on with: what is on it comes back as stray copies. */
  async #list(store: StoreDisk, folder: string): Promise<string[]> {
    try {
      return await store.disk.list(folder);
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      store.state = error.code === 'DISK_MISSING' ? 'missing' : 'failing';
      return [];
    }
  }

  async #tail(pack: PackId, stores: readonly StoreDisk[]): Promise<void> {
    const copies: TailCopy[] = [];
    try {
      let failure: unknown;
      for (const store of stores) {
        try {
          const file = await store.disk.open(openPath(pack), 'write');
          copies.push({ store, file });
          // What a killed writer left can be read and still be gone after a power cut: nothing is believed before it is synced.
          await file.sync();
        } catch (error) {
          failure = error;
        }
      }
      if (copies.length === 0) throw failure;
      await this.#tailCopies(pack, copies);
    } catch (error) {
      this.#unreadable(pack, error);
    } finally {
      for (const copy of copies) await copy.file.close();
    }
    await this.#strays(pack, stores);
  }

  async #tailCopies(pack: PackId, copies: readonly TailCopy[]): Promise<void> {
    const known = await this.#register.pack(pack);
    const sealed = await this.#sealedCopies(copies);
    const isSame = known === undefined || (sealed !== undefined && known.sealed === sealed.locator.sealed);
    if (sealed !== undefined && isSame) return this.#finishSealed(sealed.locator, sealed.copies);
    if (known === undefined) return this.#sealTail(pack, copies);
    const elsewhere = await copiesOf(this.#shelf, pack);
    for (const file of elsewhere) await file.close();
    if (elsewhere.length === 0) return this.#sealTail(pack, copies, strayPackId(pack));
  }

  /** Copies that stayed behind in the open folder while another was sealed. */
  async #strays(pack: PackId, stores: readonly StoreDisk[]): Promise<void> {
    if ((await this.#register.pack(pack)) === undefined) return;
    const { shelf, register, losses } = { shelf: this.#shelf, register: this.#register, losses: this.#losses };
    for (const store of stores) {
      try {
        if ((await store.disk.stat(openPath(pack))) === undefined) continue;
        await replaceStray({ shelf, register, losses, pack, store, pace: async () => undefined });
      } catch (error) {
        // It stays where it is, and nothing of the pack is lost: the next start or repair tries again.
        if (!(error instanceof ArchiveError)) throw error;
      }
    }
  }

  #unreadable(pack: PackId, error: unknown): void {
    if (isArchiveError(error, 'CLOSED')) throw error;
    if (!(error instanceof ArchiveError)) throw error;
    if (this.report.unreadable.length >= toldMax) return;
    this.report.unreadable.push({ pack, reason: toArchiveError(error, 'INTERNAL', 'recovery failed') });
  }

  async #sealedCopies(copies: readonly TailCopy[]): Promise<{ locator: Locator; copies: TailCopy[] } | undefined> {
    const good: TailCopy[] = [];
    let locator: Locator | undefined;
    for (const copy of copies) {
      // One of a newer version is told by its header, which the scan looks at.
      const own = await new PackCopy(copy.file).locator().catch(() => undefined);
      // The locator may have reached the medium before what it names: a footer counts when all of it is there.
      if (own === undefined || !(await isFooterWhole(copy.file, own))) continue;
      // Sealing again after a crash makes another footer: copies agree only when their footers do.
      if (locator !== undefined && Buffer.compare(own.footerDigest, locator.footerDigest) !== 0) continue;
      locator = own;
      good.push(copy);
    }
    return locator === undefined ? undefined : { locator, copies: good };
  }

  async #finishSealed(locator: Locator, copies: readonly TailCopy[]): Promise<void> {
    const file = (copies[0] as TailCopy).file;
    const placements = copies.map(({ store }) => ({
      disk: store.id,
      kind: 'pack' as const,
      state: 'good' as const,
      verifiedMs: 0,
    }));
    const copy = new PackCopy(file);
    const runs = await runsOfPack(copy, locator);
    await walkFacts(copy, locator, this.#taker);
    const stores = copies.map((each) => each.store);
    await this.#keeper.finish(locator, runs, placements, stores);
    this.#noteAdopted(locator);
    for (const run of await this.#register.runsOf(locator.pack)) this.#noteWriter(run.writer, run.last);
  }

  /**
   * `as`: the pack is known by a sealed form that is not at hand, and another of its name must not come to be; so what lies here is sealed under
   * a name of its own. Its records are the same wherever they lie.
   */
  async #sealTail(pack: PackId, copies: readonly TailCopy[], as: PackId = pack): Promise<void> {
    const scan = await scanTail(
      copies,
      { pack, archive: this.#archive },
      { applied: this.#applied, sealedBelow: (writer, below) => this.#register.lastBelow(writer, below) },
    );
    if (scan === undefined) {
      for (const copy of copies) await copy.store.disk.remove(openPath(pack));
      return;
    }
    const source = copies.find((copy) => scan.whole.has(copy)) ?? (copies[0] as TailCopy);
    await this.#handOn(scan.index, async (offset, sizeBytes) => {
      for (const copy of [source, ...copies]) {
        const found = await new PackCopy(copy.file).recordAt(offset, sizeBytes).catch(() => undefined);
        if (found !== undefined) return found;
      }
      return undefined;
    });
    for (const loss of scan.losses) if (this.#found.length < toldMax) this.#found.push({ ...loss, pack: as });
    // Nothing of it can be read now. It stays where it is: a repaired medium may give more.
    if (scan.index.count === 0) return;
    this.#observe(scan.hybridGreatest);
    for (const run of scan.index.runs()) this.#noteWriter(run.writer, run.last);
    const { header } = scan;
    const isKnown = as !== pack && (await this.#register.pack(as)) !== undefined;
    if (!isKnown) {
      await this.#keeper.seal({
        plan: { ...header, pack: as, createdMonotonicMs: 0 },
        index: scan.index,
        endOffset: scan.endOffset,
        commitOffset: scan.commitOffset,
        groupCount: scan.groupCount,
        copies: copies.map((copy) => ({ ...copy, good: as === pack && scan.whole.has(copy) })),
      });
      this.report.packCount += 1;
    }
    if (as === pack) return;
    for (const copy of copies) await copy.store.disk.remove(openPath(pack));
  }

  #noteWriter(writer: WriterId, last: bigint): void {
    const known = this.report.writers.get(writer) ?? 0n;
    if (last > known) this.report.writers.set(writer, last);
  }

  #observe(time: HybridTime): void {
    if (time > this.report.hybridGreatest) this.report.hybridGreatest = time;
  }

  async #handOn(
    index: OpenIndex,
    read: (offset: number, sizeBytes: number) => Promise<ReadRecord | undefined>,
  ): Promise<void> {
    let batch: FoundFact[] = [];
    for (const row of index.factRows()) {
      const record = await read(row.offset, row.sizeBytes);
      if (record === undefined) continue;
      batch.push(await this.#taker.open(record));
      if (batch.length < factBatchMax) continue;
      await this.#taker.give(batch);
      batch = [];
    }
    await this.#taker.give(batch);
  }

  /**
   * Looks at every pack and footer file on every disk, registers those that are not, and hands on the facts of those it registers.
   * `fromMedia`: packs whose footer is gone are walked whole, and facts are taken from their records.
   */
  async reconcile(options: { fromMedia: boolean; onPack?: (done: number) => void }): Promise<void> {
    const parts = {
      shelf: this.#shelf,
      register: this.#register,
      works: this.#works,
      taker: this.#taker,
      list: (store: StoreDisk, folder: string) => this.#list(store, folder),
      onAdopted: (locator: Locator) => this.#noteAdopted(locator),
      onUnreadable: (pack: PackId, error: unknown) => this.#unreadable(pack, error),
      salvage: async (pack: PackId, found: readonly FoundFile[], runs: readonly Run[]) => {
        if (!options.fromMedia)
          throw new ArchiveError('PACK_CORRUPT', `pack ${pack} has no whole footer on any disk${heldText(runs)}`, {
            hint: 'run: stele rebuild --from-media',
          });
        await this.#salvage(pack, found);
      },
    };
    await reconcilePacks(parts, options.onPack ?? (() => undefined));
  }

  #noteAdopted(locator: Locator): void {
    this.#observe(locator.hybridGreatest);
    this.report.packCount += 1;
  }

  /** A pack whose footer is gone is an open pack again: what its groups hold, from all copies together, is sealed anew. */
  async #salvage(pack: PackId, found: readonly FoundFile[]): Promise<void> {
    const copies: TailCopy[] = [];
    try {
      for (const { store, kind, path } of found) {
        if (kind !== 'pack') continue;
        await store.disk.rename(path, openPath(pack));
        copies.push({ store, file: await store.disk.open(openPath(pack), 'write') });
      }
      if (copies.length === 0)
        throw new ArchiveError('PACK_CORRUPT', `the footer file of pack ${pack} is damaged and no copy is attached`);
      await this.#sealTail(pack, copies);
    } finally {
      for (const copy of copies) await copy.file.close();
    }
  }
}

function heldText(runs: readonly Run[]): string {
  return runs.length === 0 ? '' : `; it holds ${countOfRuns(runs)} records: ${recordRunsText(runs)}`;
}

/** The same for the same pack, so that a recovery that is cut off and repeated makes no second one. */
function strayPackId(pack: PackId): PackId {
  return idOfBytes(sha256(utf8Bytes(`stray ${pack}`)).subarray(0, 16)) as PackId;
}

export async function openFound(
  record: ReadRecord,
  open: (record: ReadRecord) => Uint8Array | Promise<Uint8Array>,
): Promise<FoundFact> {
  const { id, group, hybrid } = record.head;
  try {
    return { id, group, hybrid, plain: await open(record) };
  } catch (error) {
    if (error instanceof ArchiveError) return { id, group, hybrid, plain: error };
    throw error;
  }
}
