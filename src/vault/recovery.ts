// Recovery: what a start finds on the disks, brought to a state where every pack is sealed and registered, and every fact was handed on.
//
// Invariants: acknowledged => found again, as long as one copy of it is whole; facts are handed on before the pack that holds them leaves the
// open folder, so a crash during recovery repeats it; nothing is removed that could hold an acknowledged record.
// `tails` looks at open packs alone and is quick; `reconcile` looks at every pack on every disk, and makes a lost or old database new.
// Left out on purpose: what facts mean; the caller applies them, and applying twice changes nothing.

import {
  ArchiveError,
  type ArchiveId,
  type ErrorCode,
  type HybridTime,
  idOfBytes,
  isArchiveError,
  type PackId,
  sha256,
  toArchiveError,
  utf8Bytes,
  type WriterId,
} from '../base/index.ts';
import type { DiskFile } from '../disk/index.ts';
import { decodeIndexRow, indexRowCount, isFactKind, type Locator } from '../format/index.ts';
import { type OpenIndex, runsOf } from './open-index.ts';
import { PackCopy, type ReadRecord } from './pack-copy.ts';
import type { PackKeeper } from './pack-keeper.ts';
import {
  footerSuffix,
  footersFolder,
  openFolder,
  openPath,
  packOfName,
  packSuffix,
  packsFolder,
  partSuffix,
} from './paths.ts';
import type { Register, Run } from './register.ts';
import type { Shelf } from './shelf.ts';
import type { StoreDisk } from './store-disk.ts';
import { copiesOf, replaceStray } from './stray-copies.ts';
import { type Applied, scanTail, type TailCopy, type TailLoss } from './tail-scan.ts';
import { isFooterWhole } from './verify-pack.ts';
import { Window, walkRecords } from './walk.ts';

/** Takes fact records, checked but not opened, in the order of their packs. */
export type TakeFacts = (facts: readonly ReadRecord[]) => Promise<void>;

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

const factBatchMax = 1024;

/** Failures of one copy that another may not have. */
const copyFaults: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'PACK_CORRUPT',
  'PACK_TRUNCATED',
  'RECORD_CORRUPT',
  'CODEC_FAULT',
  'DISK_IO',
  'DISK_MISSING',
  'FILE_MISSING',
]);

export class Recovery {
  readonly #shelf: Shelf;
  readonly #register: Register;
  readonly #keeper: PackKeeper;
  readonly #take: TakeFacts;
  readonly #archive: ArchiveId;
  readonly #applied: Applied;
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
    take: TakeFacts;
    archive: ArchiveId;
    applied?: Applied | undefined;
  }) {
    this.#shelf = options.shelf;
    this.#register = options.register;
    this.#keeper = options.keeper;
    this.#take = options.take;
    this.#archive = options.archive;
    this.#applied = options.applied ?? (async () => 0n);
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
    const { shelf, register } = { shelf: this.#shelf, register: this.#register };
    for (const store of stores) {
      try {
        if ((await store.disk.stat(openPath(pack))) === undefined) continue;
        await replaceStray({ shelf, register, pack, store, pace: async () => undefined });
      } catch (error) {
        // It stays where it is, and nothing of the pack is lost: the next start or repair tries again.
        if (!(error instanceof ArchiveError)) throw error;
      }
    }
  }

  #unreadable(pack: PackId, error: unknown): void {
    if (isArchiveError(error, 'CLOSED')) throw error;
    if (!(error instanceof ArchiveError)) throw error;
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
    await this.#adopt(locator, new PackCopy(file), async (runs) => {
      await this.#keeper.finish(
        locator,
        runs,
        placements,
        copies.map((copy) => copy.store),
      );
    });
    for (const run of await this.#register.runsOf(locator.pack)) this.#noteWriter(run.writer, run.last);
  }

  /**
   * `as`: the pack is known by a sealed form that is not at hand, and another of its name must not come to be; so what lies here is sealed under
   * a name of its own. Its records are the same wherever they lie.
   */
  async #sealTail(pack: PackId, copies: readonly TailCopy[], as: PackId = pack): Promise<void> {
    const scan = await scanTail(copies, { pack, archive: this.#archive }, this.#applied);
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
    for (const loss of scan.losses) this.report.losses.push({ ...loss, pack });
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
    let batch: ReadRecord[] = [];
    for (const row of index.rows()) {
      if (!isFactKind(row.kind)) continue;
      const record = await read(row.offset, row.sizeBytes);
      if (record === undefined) continue;
      batch.push(record);
      if (batch.length < factBatchMax) continue;
      await this.#give(batch);
      batch = [];
    }
    await this.#give(batch);
  }

  async #give(batch: readonly ReadRecord[]): Promise<void> {
    if (batch.length === 0) return;
    this.report.factCount += batch.length;
    await this.#take(batch);
  }

  /**
   * Looks at every pack and footer file on every disk, registers those that are not, and hands on the facts of those it registers.
   * `fromMedia`: packs whose footer is gone are walked whole, and facts are taken from their records.
   */
  async reconcile(options: { fromMedia: boolean; onPack?: (done: number) => void }): Promise<void> {
    let done = 0;
    for await (const { pack, found } of this.#packsOnDisks()) {
      const known = await this.#register.pack(pack);
      try {
        await this.#reconcilePack(pack, found, known === undefined, options.fromMedia);
      } catch (error) {
        this.#unreadable(pack, error);
      }
      done += 1;
      options.onPack?.(done);
    }
  }

  /** Packs by the folder of their first two digits, so that what is held in memory is a 256th of all names. */
  async *#packsOnDisks(): AsyncGenerator<{ pack: PackId; found: FoundFile[] }> {
    for (let prefix = 0; prefix < 256; prefix += 1) {
      const digits = prefix.toString(16).padStart(2, '0');
      const packs = new Map<PackId, FoundFile[]>();
      for (const store of this.#shelf.present()) {
        for (const [folder, suffix, kind] of [
          [packsFolder, packSuffix, 'pack'],
          [footersFolder, footerSuffix, 'footer'],
        ] as const) {
          for (const name of await this.#list(store, `${folder}/${digits}`)) {
            const pack = packOfName(name, suffix);
            if (pack !== undefined)
              packs.set(pack, [...(packs.get(pack) ?? []), { store, kind, path: `${folder}/${digits}/${name}` }]);
          }
        }
      }
      for (const pack of [...packs.keys()].sort()) yield { pack, found: packs.get(pack) as FoundFile[] };
    }
  }

  async #reconcilePack(pack: PackId, found: readonly FoundFile[], isNew: boolean, fromMedia: boolean): Promise<void> {
    const opened: (FoundFile & { file: DiskFile; locator: Locator | undefined })[] = [];
    let newer: ArchiveError | undefined;
    try {
      for (const each of found) {
        const file = await each.store.disk.open(each.path, 'read').catch(() => undefined);
        if (file === undefined) continue;
        const locator = await new PackCopy(file, each.kind).locator().catch((error: unknown) => {
          if (isArchiveError(error, 'PACK_NEWER')) newer = error;
          return undefined;
        });
        opened.push({ ...each, file, locator });
      }
      const placements = opened.map((each) => ({
        disk: each.store.id,
        kind: each.kind,
        state: each.locator?.pack === pack ? ('good' as const) : ('bad' as const),
        verifiedMs: 0,
      }));
      if (!isNew) {
        for (const placement of placements) {
          const before = (await this.#register.placementsOf(pack)).find(
            (each) => each.disk === placement.disk && each.kind === placement.kind,
          );
          if (before === undefined) await this.#register.place({ ...placement, pack });
        }
        return;
      }
      for (const kind of ['footer', 'pack'] as const) {
        for (const each of opened) {
          if (each.kind !== kind || each.locator?.pack !== pack) continue;
          const { locator } = each;
          const adopted = await this.#adopt(locator, new PackCopy(each.file, kind), async (runs) => {
            await this.#keeper.finish(locator, runs, placements, []);
          }).then(
            () => true,
            (error: unknown) => {
              if (error instanceof ArchiveError && copyFaults.has(error.code)) return false;
              throw error;
            },
          );
          if (adopted) return;
        }
      }
      if (newer !== undefined) throw newer;
      if (!fromMedia)
        throw new ArchiveError('PACK_CORRUPT', `pack ${pack} has no whole footer on any disk`, {
          hint: 'run: stele rebuild --from-media',
        });
      for (const each of opened) await each.file.close();
      await this.#salvage(pack, found);
    } finally {
      for (const each of opened) await each.file.close();
    }
  }

  /** Hands on the facts of a sealed pack from its footer, then lets `register` note it. */
  async #adopt(locator: Locator, copy: PackCopy, register: (runs: Run[]) => Promise<void>): Promise<void> {
    const runs: Run[] = [];
    for (const place of locator.index) {
      const rows = await copy.indexRows(locator, place);
      const ids = (function* all(): Generator<{ id: ReturnType<typeof decodeIndexRow>['id'] }> {
        for (let index = 0; index < indexRowCount(rows); index += 1) yield decodeIndexRow(rows, index);
      })();
      for (const run of runsOf(ids)) {
        const last = runs.at(-1);
        if (last !== undefined && last.writer === run.writer && last.last + 1n === run.first)
          runs[runs.length - 1] = { ...last, last: run.last };
        else runs.push(run);
      }
    }
    const from = copy.offsetInFile(locator, locator.footerOffset);
    const to = from + locator.footerSizeBytes;
    const window = new Window((offset, length) => copy.file.read(offset, length), to);
    let batch: ReadRecord[] = [];
    let count = 0;
    for await (const each of walkRecords({ window, from, to, bodies: (head) => isFactKind(head.kind) })) {
      if (each.kind === 'damage' || (each.kind === 'record' && !each.bodyGood)) {
        throw new ArchiveError('PACK_CORRUPT', `the footer of pack ${locator.pack} is damaged`);
      }
      if (each.kind !== 'record' || !isFactKind(each.head.kind)) continue;
      batch.push({ head: each.head, body: each.body });
      count += 1;
      if (batch.length < factBatchMax) continue;
      await this.#give(batch);
      batch = [];
    }
    if (count !== locator.factCount)
      throw new ArchiveError('PACK_CORRUPT', `the footer of pack ${locator.pack} lacks records`);
    await this.#give(batch);
    this.#observe(locator.hybridGreatest);
    await register(runs);
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

/** The same for the same pack, so that a recovery that is cut off and repeated makes no second one. */
function strayPackId(pack: PackId): PackId {
  return idOfBytes(sha256(utf8Bytes(`stray ${pack}`)).subarray(0, 16)) as PackId;
}

type FoundFile = { readonly store: StoreDisk; readonly kind: 'pack' | 'footer'; readonly path: string };
