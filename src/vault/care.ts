// Care: verifying copies, mending and multiplying them, and letting go of packs whose content lies elsewhere.
//
// Invariants: the copy verified longest ago is verified first; a bad copy is marked before it is mended, so a crash between finds it again; a
// pack is let go file by file before the register forgets it, so a crash between leaves a pack that is let go again, never one that is
// half believed.

import { ArchiveError, type DiskId, isArchiveError, type PackId, toArchiveError } from '../base/index.ts';
import type { DiskFile } from '../disk/index.ts';
import { decodeIndexRow, type IndexRow, indexRowCount, isFactKind, type Locator } from '../format/index.ts';
import { PackCopy, type ReadRecord } from './pack-copy.ts';
import { footerCopies, writeFooterFile } from './pack-keeper.ts';
import { footerPath, openFolder, openPath, packOfName, packSuffix, sealedPath } from './paths.ts';
import type { RecordReader } from './record-reader.ts';
import type { Placement, PlacementKind, Register } from './register.ts';
import { restoreCopy } from './restore-copy.ts';
import type { Shelf } from './shelf.ts';
import type { StoreDisk } from './store-disk.ts';
import { replaceStray } from './stray-copies.ts';
import { isGone, type Problem, verifyCopy } from './verify-pack.ts';
import { Window, walkRecords } from './walk.ts';

export type CareOptions = {
  readonly shelf: Shelf;
  readonly register: Register;
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
  readonly problems: readonly Problem[];
  readonly gone: boolean;
  readonly cached: boolean;
};

export type RepairReport = {
  readonly pack: PackId;
  readonly disk: DiskId | undefined;
  readonly kind: PlacementKind;
  readonly outcome: 'mended' | 'lost' | 'failed';
  readonly lostRecords: readonly IndexRow[];
  readonly code: string | undefined;
};

export type Pace = (bytes: number) => Promise<void>;

const pageMax = 100;

export class Care {
  readonly #options: CareOptions;

  constructor(options: CareOptions) {
    this.#options = options;
  }

  /** Verifies the copy that was verified longest ago, if before `beforeMs`. undefined: there is none left. */
  async verifyNext(beforeMs: number, pace: Pace): Promise<CopyReport | undefined> {
    const { register, shelf } = this.#options;
    const due = await register.leastVerified(beforeMs, pageMax);
    const next = due.find(
      (placement) => shelf.store(placement.disk)?.state !== 'missing' && shelf.store(placement.disk) !== undefined,
    );
    return next === undefined ? undefined : this.verifyPlacement(next, pace);
  }

  /** Reads all of one copy back from its medium, and notes what came of it. */
  async verifyPlacement(placement: Placement, pace: Pace): Promise<CopyReport> {
    const { shelf, register, nowMs } = this.#options;
    const { pack, disk, kind } = placement;
    let report: CopyReport;
    try {
      const verdict = await shelf.withFile(disk, pack, kind, (file) => verifyCopy({ file, kind, pace }));
      report = {
        pack,
        disk,
        kind,
        checkedBytes: verdict.checkedBytes,
        problems: verdict.problems,
        gone: false,
        cached: verdict.cached,
      };
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
    const { register, shelf, copies } = this.#options;
    await this.lookAgain();
    yield* this.#strays(pace);
    const tried = new Set<string>();
    for (const placement of await register.badPlacements(pageMax * pageMax)) {
      const store = shelf.store(placement.disk);
      if (store === undefined || store.state !== 'present') continue;
      const report = await this.#restore(placement.pack, placement.kind, store, pace);
      // A disk that takes no copy may leave another that does.
      if (report.outcome !== 'failed') tried.add(`${placement.pack}/${placement.kind}`);
      yield report;
    }
    const present = shelf.writable();
    for (const [kind, wanted] of [
      ['pack', copies],
      ['footer', footerCopies],
    ] as const) {
      const asked = Math.min(wanted, present.length);
      for (
        let short = await this.#short(kind, asked, tried);
        short.length > 0;
        short = await this.#short(kind, asked, tried)
      ) {
        for (const pack of short) {
          tried.add(`${pack}/${kind}`);
          for (let missing = asked - (await this.#goodCount(pack, kind)); missing > 0; missing -= 1) {
            const target = await this.#targetFor(pack, kind);
            if (target === undefined) break;
            yield await this.#restore(pack, kind, target, pace);
          }
        }
      }
    }
    await register.checkpoint();
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

  async #restore(pack: PackId, kind: PlacementKind, target: StoreDisk, pace: Pace): Promise<RepairReport> {
    const { shelf, register, reader, nowMs } = this.#options;
    const sources: DiskFile[] = [];
    try {
      // Every disk is asked, those believed good first: a power cut may have taken back what the register knew of a copy.
      const good = (await register.placementsOf(pack)).filter((each) => each.kind === kind && each.state === 'good');
      const isGood = (store: StoreDisk): boolean => good.some((each) => each.disk === store.id);
      const path = kind === 'pack' ? sealedPath(pack) : footerPath(pack);
      for (const store of [...shelf.present().filter(isGood), ...shelf.present().filter((each) => !isGood(each))]) {
        const file = await store.disk.open(path, 'read').catch(() => undefined);
        if (file !== undefined) sources.push(file);
      }
      for (const store of kind === 'pack' ? shelf.present() : []) {
        const stray = await store.disk.open(openPath(pack), 'read').catch(() => undefined);
        if (stray !== undefined) sources.push(stray);
      }
      if (kind === 'footer' && (await this.#footerFromPack(pack, target))) {
        return { pack, disk: target.id, kind, outcome: 'mended', lostRecords: [], code: undefined };
      }
      if (sources.length === 0) {
        const lostRecords = kind === 'pack' ? await this.#allRecords(pack) : [];
        await register.count('lost_records', lostRecords.length);
        return { pack, disk: target.id, kind, outcome: 'lost', lostRecords, code: 'RECORD_LOST' };
      }
      const problems = await restoreCopy({ pack, kind, target, sources, pace });
      shelf.forget(target.id, pack);
      reader.forget(pack);
      if (problems.length > 0) {
        const lostRecords = kind === 'pack' ? await this.#recordsIn(pack, problems) : [];
        await register.count('lost_records', lostRecords.length);
        return { pack, disk: target.id, kind, outcome: 'lost', lostRecords, code: 'RECORD_LOST' };
      }
      await register.place({ pack, disk: target.id, kind, state: 'good', verifiedMs: nowMs() });
      await register.count('repaired_packs', 1);
      return { pack, disk: target.id, kind, outcome: 'mended', lostRecords: [], code: undefined };
    } catch (error) {
      const { code } = toArchiveError(error, 'INTERNAL', 'repair failed');
      return { pack, disk: target.id, kind, outcome: 'failed', lostRecords: [], code };
    } finally {
      for (const source of sources) await source.close();
    }
  }

  /** A footer file from a whole pack: shorter than copying another footer file, and right when there is none. */
  async #footerFromPack(pack: PackId, target: StoreDisk): Promise<boolean> {
    const { register, shelf, nowMs } = this.#options;
    for (const placement of await register.placementsOf(pack)) {
      if (placement.kind !== 'pack' || placement.state !== 'good') continue;
      try {
        await shelf.withFile(placement.disk, pack, 'pack', async (file) => {
          const locator = await new PackCopy(file).locator();
          if (locator === undefined) throw new ArchiveError('PACK_TRUNCATED', `pack ${pack} has no locator`);
          await writeFooterFile(target, file, locator);
        });
        shelf.forget(target.id, pack);
        const made: Placement = { pack, disk: target.id, kind: 'footer', state: 'good', verifiedMs: nowMs() };
        const verdict = await shelf.withFile(target.id, pack, 'footer', (file) =>
          verifyCopy({ file, kind: 'footer', pace: async () => undefined }),
        );
        if (verdict.problems.length > 0) continue;
        await register.place(made);
        return true;
      } catch {
        // The next copy, then other footer files.
      }
    }
    return false;
  }

  /** The records that these stretches of a pack cost. */
  async #recordsIn(pack: PackId, problems: readonly Problem[]): Promise<IndexRow[]> {
    const exact = problems.filter((problem) => problem.what === 'record' || problem.what === 'unreadable');
    const lost: IndexRow[] = [];
    for await (const row of this.rowsOf(pack)) {
      const end = row.offset + row.sizeBytes;
      if (exact.some((problem) => row.offset < problem.offset + problem.sizeBytes && end > problem.offset))
        lost.push(row);
    }
    return lost;
  }

  /** Every record of a pack of which nothing is left but, with luck, its footer. */
  async #allRecords(pack: PackId): Promise<IndexRow[]> {
    const rows: IndexRow[] = [];
    try {
      for await (const row of this.rowsOf(pack)) rows.push(row);
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
    }
    return rows;
  }

  /** Copies that stayed behind in the open folders while others of their packs were sealed. */
  async *#strays(pace: Pace): AsyncGenerator<RepairReport> {
    const { register, shelf, isLive } = this.#options;
    for (const store of shelf.writable()) {
      for (const name of await store.disk.list(openFolder).catch(() => [])) {
        const pack = packOfName(name, packSuffix);
        if (pack === undefined || isLive(pack) || (await register.pack(pack)) === undefined) continue;
        const report = { pack, disk: store.id, kind: 'pack' as const, lostRecords: [] };
        try {
          const replaced = await replaceStray({ shelf, register, pack, store, pace });
          if (replaced) yield { ...report, outcome: 'mended', code: undefined };
        } catch (error) {
          yield { ...report, outcome: 'failed', code: toArchiveError(error, 'INTERNAL', 'repair failed').code };
        }
      }
    }
  }

  async #short(kind: PlacementKind, asked: number, tried: ReadonlySet<string>): Promise<PackId[]> {
    const { register, shelf } = this.#options;
    const disks = shelf.present().map((store) => store.id);
    const packs = await register.packsShortOf(asked, kind, disks, tried.size + pageMax);
    return packs.filter((pack) => !tried.has(`${pack}/${kind}`));
  }

  async #goodCount(pack: PackId, kind: PlacementKind): Promise<number> {
    const { register, shelf } = this.#options;
    const placements = await register.placementsOf(pack);
    return placements.filter(
      (each) =>
        each.kind === kind && each.state === 'good' && (shelf.store(each.disk)?.state ?? 'missing') !== 'missing',
    ).length;
  }

  async #targetFor(pack: PackId, kind: PlacementKind): Promise<StoreDisk | undefined> {
    const { register, shelf } = this.#options;
    const taken = (await register.placementsOf(pack)).filter((each) => each.kind === kind).map((each) => each.disk);
    return shelf.writable().find((store) => !taken.includes(store.id));
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
