// Care: verifying copies, and letting go of packs whose content lies elsewhere. (Mending and multiplying copies: repair.ts.)
//
// Invariants: the copy verified longest ago is verified first; a bad copy is marked before it is mended, so a crash between finds it again; a
// pack is let go file by file before the register forgets it, so a crash between leaves a pack that is let go again, never one that is
// half believed.

import { ArchiveError, type DiskId, isArchiveError, type PackId } from '../base/index.ts';
import { decodeIndexRow, type IndexRow, indexRowCount, isFactKind, type Locator } from '../format/index.ts';
import { type FactTaker, runsOfPack, walkFacts } from './adopt-pack.ts';
import { ahead } from './ahead.ts';
import { type FactWorks, factWindows } from './fact-windows.ts';
import type { Losses } from './losses.ts';
import { PackCopy, type ReadRecord } from './pack-copy.ts';
import { type FoundFile, packsOnDisks } from './packs-on-disks.ts';
import { footerPath, sealedPath } from './paths.ts';
import type { RecordReader } from './record-reader.ts';
import type { Placement, PlacementKind, Register, Run } from './register.ts';
import { type Pace, type RepairReport, repairCopies } from './repair.ts';
import type { Shelf } from './shelf.ts';
import type { StoreDisk } from './store-disk.ts';
import { isGone, type Problem, verifyCopy } from './verify-pack.ts';
import { Window, walkRecords } from './walk.ts';

export type CareOptions = {
  readonly shelf: Shelf;
  readonly register: Register;
  readonly losses: Losses;
  readonly reader: RecordReader;
  readonly nowMs: () => number;
  /** Open, or on its way to the sealed folder: not yet cared for. */
  readonly isLive: (pack: PackId) => boolean;
  /** Copies that packs are to have. */
  readonly copies: number;
};

export type CopyReport = {
  readonly pack: PackId;
  readonly disk: DiskId;
  readonly kind: PlacementKind;
  readonly checkedBytes: number;
  /** What was not known before: known losses, which no copy can mend, are told by `status`. */
  readonly problems: readonly Problem[];
  readonly gone: boolean;
  readonly cached: boolean;
};

const pageMax = 100;
/** Stretches of a footer that workers open while the one before is looked at. */
const windowsAheadMax = 4;

export class Care {
  readonly #options: CareOptions;

  constructor(options: CareOptions) {
    this.#options = options;
  }

  /** Verifies the copy that was verified longest ago, if before `beforeMs`. undefined: there is none left. */
  async verifyNext(beforeMs: number, pace: Pace): Promise<CopyReport | undefined> {
    const { register, shelf } = this.#options;
    const disks = shelf.present().map((store) => store.id);
    const next = await register.leastVerified(beforeMs, disks);
    return next === undefined ? undefined : this.verifyPlacement(next, pace);
  }

  /** Reads all of one copy back from its medium, and notes what came of it. */
  async verifyPlacement(placement: Placement, pace: Pace): Promise<CopyReport> {
    const { shelf, register, losses, nowMs } = this.#options;
    const { pack, disk, kind } = placement;
    let report: CopyReport;
    try {
      const verdict = await shelf.withFile(disk, pack, kind, (file) => verifyCopy({ file, kind, pace }));
      report = {
        pack,
        disk,
        kind,
        checkedBytes: verdict.checkedBytes,
        problems: kind === 'pack' ? await losses.newOf(pack, verdict.problems) : verdict.problems,
        gone: false,
        cached: verdict.cached,
      };
      // What was lost in every copy until now is whole in this one: the others are mended from it.
      if (kind === 'pack' && verdict.problems.length === 0 && (await losses.isKnown(pack))) {
        await losses.forget(pack);
        await register.doubtOthers(pack, disk);
      }
    } catch (error) {
      if (isArchiveError(error, 'FILE_MISSING') && (await register.pack(pack)) === undefined) {
        // Let go meanwhile: there is nothing to verify any more.
        return { pack, disk, kind, checkedBytes: 0, problems: [], gone: false, cached: false };
      }
      if (!isGone(error)) throw error;
      report = { pack, disk, kind, checkedBytes: 0, problems: [], gone: true, cached: false };
      if (isArchiveError(error, 'DISK_MISSING')) return report;
    }
    const good = report.problems.length === 0 && !report.gone;
    await register.place({ pack, disk, kind, state: good ? 'good' : 'bad', verifiedMs: nowMs() });
    return report;
  }

  /** Verifies every copy of these packs, or of all. Yields a report a copy. */
  async *verifyAll(pace: Pace, packs?: readonly PackId[]): AsyncGenerator<CopyReport> {
    const { register, shelf } = this.#options;
    const each = async function* (care: Care, pack: PackId): AsyncGenerator<CopyReport> {
      for (const placement of await register.placementsOf(pack)) {
        const state = shelf.store(placement.disk)?.state ?? 'missing';
        if (state === 'missing') yield { ...placement, checkedBytes: 0, problems: [], gone: true, cached: false };
        else yield await care.verifyPlacement(placement, pace);
      }
    };
    if (packs !== undefined) {
      for (const pack of packs) yield* each(this, pack);
      return;
    }
    let after: PackId | undefined;
    for (;;) {
      const page = await register.packsAfter(after, pageMax);
      for (const { pack } of page) yield* each(this, pack);
      after = page.at(-1)?.pack;
      if (page.length < pageMax) return;
    }
  }

  /**
   * Mends bad copies, makes missing ones, and writes footer files that are wanting, until nothing is left that these disks allow. Yields what it
   * did. Looks again at disks that failed or were missing first.
   */
  async *repair(pace: Pace): AsyncGenerator<RepairReport> {
    await this.lookAgain();
    yield* repairCopies({ ...this.#options, pace, rowsOf: (pack) => this.rowsOf(pack) });
  }

  /** The rows of a sealed pack's index, a page at a time in memory. */
  async *rowsOf(pack: PackId): AsyncGenerator<IndexRow> {
    for (let number = 0; ; number += 1) {
      const rows = await this.#fromAnyCopy(pack, async (copy, locator) => {
        const place = locator.index[number];
        return place === undefined ? undefined : copy.indexRows(locator, place);
      });
      if (rows === undefined) return;
      for (let index = 0; index < indexRowCount(rows); index += 1) yield decodeIndexRow(rows, index);
    }
  }

  /** The entry, event and site records of a sealed pack, checked, from its footer. */
  async *factsOf(pack: PackId): AsyncGenerator<ReadRecord> {
    yield* await this.#fromAnyCopy(pack, async (copy, locator) => {
      const facts: ReadRecord[] = [];
      const from = copy.offsetInFile(locator, locator.footerOffset);
      const to = from + locator.footerSizeBytes;
      const window = new Window((offset, length) => copy.file.read(offset, length), to);
      for await (const each of walkRecords({ window, from, to, bodies: (head) => isFactKind(head.kind) })) {
        if (each.kind === 'record' && each.bodyGood && isFactKind(each.head.kind))
          facts.push({ head: each.head, body: each.body });
      }
      if (facts.length !== locator.factCount)
        throw new ArchiveError('PACK_CORRUPT', `the footer of pack ${pack} lacks records`);
      return facts;
    });
  }

  /**
   * Packs of which there are files and that the register does not know, with their runs where a footer tells them: what a disk brought back that was
   * away when they were let go of.
   */
  async *unknownPacks(): AsyncGenerator<{ readonly pack: PackId; readonly runs: readonly Run[] | undefined }> {
    const { shelf, register, isLive } = this.#options;
    const list = (store: StoreDisk, folder: string): Promise<string[]> => store.disk.list(folder).catch(() => []);
    for await (const { pack, found } of packsOnDisks(shelf, list)) {
      if (isLive(pack) || (await register.pack(pack)) !== undefined) continue;
      let runs: readonly Run[] | undefined;
      for (const { store, path, kind } of found) runs ??= await runsOfFile(pack, { store, path, kind });
      yield { pack, runs };
    }
  }

  /** Removes a pack everywhere. The caller has made sure that nothing of worth is in it alone. Safe to repeat. */
  async release(pack: PackId): Promise<void> {
    const { register, shelf, reader } = this.#options;
    for (const store of shelf.present()) {
      shelf.forget(store.id, pack);
      await store.disk.remove(sealedPath(pack));
      await store.disk.remove(footerPath(pack));
    }
    await register.removePack(pack);
    reader.forget(pack);
  }

  /** What `read` makes of a footer, from the first copy in which all that it needs is whole; footer files first. */
  /**
   * Every fact of a sealed pack, opened, from the first copy that gives them all; `begin` is called for each copy that is tried, and what the one before was given
   * is to be forgotten. RECORD_LOST, PACK_CORRUPT.
   */
  async readFacts(pack: PackId, works: FactWorks, begin: () => FactTaker): Promise<void> {
    await this.#fromAnyCopy(pack, async (copy, locator) => {
      const taker = begin();
      for await (const { opened } of ahead(factWindows(copy, locator, works), windowsAheadMax)) {
        const facts = await opened;
        // Something is not as a writer leaves it: the careful walk says what.
        if (facts === 'unsure') return await walkFacts(copy, locator, begin());
        await taker.give(facts);
      }
    });
  }

  async #fromAnyCopy<T>(pack: PackId, read: (copy: PackCopy, locator: Locator) => Promise<T>): Promise<T> {
    const { register, shelf } = this.#options;
    const placements = (await register.placementsOf(pack)).sort((a, b) =>
      a.kind === b.kind ? 0 : a.kind === 'footer' ? -1 : 1,
    );
    let failure: unknown = new ArchiveError('RECORD_LOST', `no copy of pack ${pack} is left`);
    for (const { disk, kind } of placements) {
      try {
        return await shelf.withFile(disk, pack, kind, async (file) => {
          const copy = new PackCopy(file, kind);
          const locator = await copy.locator();
          if (locator === undefined) throw new ArchiveError('PACK_TRUNCATED', `pack ${pack} has no locator`);
          return read(copy, locator);
        });
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** A disk that failed or was missing may be well again. */
  async lookAgain(): Promise<void> {
    for (const store of this.#options.shelf.stores) {
      if (store.state === 'present' || store.readOnly) continue;
      try {
        const space = await store.disk.space();
        if (space.freeBytes === 0) continue;
        store.state = 'present';
        store.failureCount = 0;
        store.fault = undefined;
      } catch {
        // Still gone.
      }
    }
  }
}

/** undefined: this file's footer does not tell. */
async function runsOfFile(pack: PackId, { store, path, kind }: FoundFile): Promise<readonly Run[] | undefined> {
  try {
    const file = await store.disk.open(path, 'read');
    try {
      const copy = new PackCopy(file, kind);
      const locator = await copy.locator();
      return locator?.pack === pack ? await runsOfPack(copy, locator) : undefined;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof ArchiveError) return undefined;
    throw error;
  }
}
