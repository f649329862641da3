// PackKeeper: what becomes of a pack that takes no more records: footer, footer files, register, and out of the open folder.
//
// Invariants: in this order, each step durable before the next: footer and locator on every good copy; footer files on two disks; the
// register's checkpoint; the move to the sealed folder. A crash between two steps leaves what recovery finishes. A copy whose sync failed is
// never written again: it is replaced by a new file made from what it, or its mirror, acknowledged.

import { ArchiveError, assert, defined, type HybridClock, type PackId } from '../base/index.ts';
import type { DiskFile } from '../disk/index.ts';
import { blockSizeBytes, decodeLocator, encodeHeader, type Locator } from '../format/index.ts';
import type { OpenIndex } from './open-index.ts';
import type { PackPlan } from './pack-writer.ts';
import { writePart } from './part-file.ts';
import { footerFolder, footerPath, openPath, partPath, sealedFolder, sealedPath } from './paths.ts';
import { type Placement, packFactsOf, type Register, type Run } from './register.ts';
import { footerParts, type SealSource, writeFooter } from './seal-pack.ts';
import type { Shelf } from './shelf.ts';
import type { StoreDisk } from './store-disk.ts';

export const footerCopies = 2;
const copyWindowBytes = 4 * 1024 * 1024;

export type OpenCopy = { readonly store: StoreDisk; readonly file: DiskFile; readonly good: boolean };

export type ClosedPack = {
  readonly plan: PackPlan;
  readonly index: OpenIndex;
  readonly endOffset: number;
  readonly commitOffset: number | undefined;
  readonly groupCount: number;
  /** Files in the open folder. A good one holds all groups and may be written to. */
  readonly copies: readonly OpenCopy[];
};

type Footed = { readonly copies: readonly OpenCopy[]; readonly locator: Locator };

/** A failure of the copies at hand; anything that is no failure of a disk goes on. */
function orUndefined(error: unknown): undefined {
  if (!(error instanceof ArchiveError)) throw error;
  return undefined;
}

export class PackKeeper {
  readonly #shelf: Shelf;
  readonly #register: Register;
  readonly #hybrid: HybridClock;
  /** Packs whose footer is synced and whose registration or move failed: they are not sealed a second time in another form. */
  readonly #footed = new Map<PackId, Footed>();

  constructor(shelf: Shelf, register: Register, hybrid: HybridClock) {
    this.#shelf = shelf;
    this.#register = register;
    this.#hybrid = hybrid;
  }

  /**
   * Seals a pack whose records are all durable. Safe to repeat until it resolves: a footer that was synced once is the footer. Closes its files.
   * A copy that is left out stays in the open folder (stray-copies.ts) until there is a whole one for it.
   */
  async seal(closed: ClosedPack): Promise<Locator> {
    assert(closed.index.count > 0, 'a pack that is sealed holds a record');
    const { pack } = closed.plan;
    const { copies, locator } = this.#footed.get(pack) ?? (await this.#foot(closed));
    this.#footed.set(pack, { copies, locator });
    const placements: Omit<Placement, 'pack'>[] = copies.map(({ store }) => ({
      disk: store.id,
      kind: 'pack' as const,
      state: 'good' as const,
      verifiedMs: 0,
    }));
    placements.push(...(await this.#writeFooterFiles(copies, locator)));
    await this.finish(
      locator,
      closed.index.runs(),
      placements,
      copies.map((copy) => copy.store),
    );
    this.#footed.delete(pack);
    for (const copy of copies) copy.store.failureCount = 0;
    for (const copy of [...closed.copies, ...copies]) await copy.file.close();
    return locator;
  }

  /** Footer and locator on every copy that takes them, or on a new one when none does. */
  async #foot(closed: ClosedPack): Promise<Footed> {
    const sealed = this.#hybrid.next();
    const good = closed.copies.filter((copy) => copy.good);
    let copies: OpenCopy[] | undefined;
    if (good.length > 0) copies = await this.#writeFooters(closed, good, sealed).catch(orUndefined);
    copies ??= await this.#footEvacuated(closed, sealed);
    return { copies, locator: await locatorOf(defined(copies[0], 'a copy that was sealed').file) };
  }

  /** The old files stay open for whoever reads them, and for another try when this one fails. */
  async #footEvacuated(closed: ClosedPack, sealed: bigint): Promise<OpenCopy[]> {
    const fresh = await this.#evacuate(closed);
    try {
      return await this.#writeFooters(closed, [fresh], sealed);
    } catch (error) {
      await fresh.file.close();
      throw error;
    }
  }

  /** The last two steps: the register, then the sealed folder. Recovery calls it for packs that a crash left between the two. */
  async finish(
    locator: Locator,
    runs: readonly Run[],
    placements: readonly Omit<Placement, 'pack'>[],
    stores: readonly StoreDisk[],
  ): Promise<void> {
    await this.#register.registerPack(packFactsOf(locator), runs, placements);
    await this.#register.count('seals', 1);
    await this.#register.checkpoint();
    let moved = 0;
    let failure: unknown;
    for (const store of stores) {
      try {
        await store.disk.makeFolder(sealedFolder(locator.pack));
        if ((await store.disk.stat(openPath(locator.pack))) !== undefined)
          await store.disk.rename(openPath(locator.pack), sealedPath(locator.pack));
        moved += 1;
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error;
        failure = error;
        store.failureCount += 1;
        // It lies in the open folder, whole: repair or the next start moves it, and until then the others are read.
        await this.#register.place({
          pack: locator.pack,
          disk: store.id,
          kind: 'pack',
          state: 'bad',
          verifiedMs: 0,
        });
      }
    }
    if (stores.length > 0 && moved === 0) throw failure;
  }

  /** Writes a file of this footer on disks until two have one. What fails is left to `repair`. */
  async #writeFooterFiles(copies: readonly OpenCopy[], locator: Locator): Promise<Omit<Placement, 'pack'>[]> {
    const source = defined(copies[0], 'a copy that was sealed').file;
    const placements: Omit<Placement, 'pack'>[] = [];
    for (const store of this.#shelf.writable()) {
      if (placements.length === footerCopies) break;
      try {
        await writeFooterFile(store, source, locator);
        placements.push({ disk: store.id, kind: 'footer', state: 'good', verifiedMs: 0 });
      } catch (error) {
        store.failureCount += 1;
        if (placements.length === 0 && store === this.#shelf.writable().at(-1)) throw error;
      }
    }
    return placements;
  }

  async #writeFooters(closed: ClosedPack, copies: readonly OpenCopy[], sealed: bigint): Promise<OpenCopy[]> {
    let good = [...copies];
    let failure: unknown;
    const onEach = async (work: (copy: OpenCopy) => Promise<void>): Promise<void> => {
      const done = await Promise.allSettled(good.map(work));
      done.forEach((each) => {
        if (each.status === 'rejected') failure = each.reason;
      });
      good = good.filter((_, index) => done[index]?.status === 'fulfilled');
      if (good.length === 0) throw failure;
    };
    // Whatever lies behind the last acknowledged group was never promised.
    await onEach((copy) => copy.file.truncate(closed.endOffset));
    const source: SealSource = {
      plan: closed.plan,
      index: closed.index,
      endOffset: closed.endOffset,
      commitOffset: closed.commitOffset,
      groupCount: closed.groupCount,
      read: (offset, length) => defined(good[0], 'a copy that is good').file.read(offset, length),
    };
    await writeFooter(source, sealed, (offset, parts) => onEach((copy) => copy.file.write(offset, parts)));
    await onEach((copy) => copy.file.sync());
    return good;
  }

  /** A new file with everything that was acknowledged, on whichever disk takes it, read from copies that may no longer be written. */
  async #evacuate(closed: ClosedPack): Promise<OpenCopy> {
    const { pack } = closed.plan;
    let failure: unknown = new ArchiveError('COPIES_TOO_FEW', `no disk takes a new copy of pack ${pack}`);
    for (const store of this.#shelf.writable()) {
      const path = partPath(pack, 'pack');
      try {
        await writePart(store.disk, path, (file) => this.#copyGroups(closed, file));
        // The name of the poisoned file goes to the new one. The old one is read until the register knows the pack; nobody writes it again.
        await store.disk.rename(path, openPath(pack));
        return { store, file: await store.disk.open(openPath(pack), 'write'), good: true };
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async #copyGroups(closed: ClosedPack, to: DiskFile): Promise<void> {
    await to.write(0, [encodeHeader(closed.plan)]);
    for (let offset = blockSizeBytes; offset < closed.endOffset; offset += copyWindowBytes) {
      const length = Math.min(copyWindowBytes, closed.endOffset - offset);
      let bytes: Uint8Array | undefined;
      let failure: unknown;
      for (const copy of closed.copies) {
        try {
          const read = await copy.file.read(offset, length);
          if (read.byteLength === length) bytes = read;
        } catch (error) {
          failure = error;
        }
        if (bytes !== undefined) break;
      }
      if (bytes === undefined)
        throw failure ?? new ArchiveError('PACK_TRUNCATED', `pack ${closed.plan.pack} ends early`);
      await to.write(offset, [bytes]);
    }
  }
}

async function locatorOf(file: DiskFile): Promise<Locator> {
  const sizeBytes = await file.sizeBytes();
  const locator = decodeLocator(await file.read(sizeBytes - blockSizeBytes, blockSizeBytes));
  // The same fact from two sides: what was just written is decoded again before anybody relies on it.
  return defined(locator, 'a pack that was sealed ends in a locator');
}

/** Makes or replaces the footer file of a sealed pack on this disk. Durable. */
export async function writeFooterFile(store: StoreDisk, source: DiskFile, locator: Locator): Promise<void> {
  await store.disk.makeFolder(footerFolder(locator.pack));
  const part = partPath(locator.pack, 'footer');
  await writePart(store.disk, part, async (file) => {
    let offset = 0;
    for await (const piece of await footerParts(source, locator)) {
      await file.write(offset, [piece]);
      offset += piece.byteLength;
    }
  });
  await store.disk.rename(part, footerPath(locator.pack));
}
