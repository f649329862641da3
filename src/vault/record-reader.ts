// RecordReader: a record by its id, from whichever copy is good.
//
// Invariants: every read checks the record, whole; a bad copy is answered from a good one, mended in place and counted; when no copy is good
// the error says which record of which packs is lost, or which disks must be attached. No record is read through another.
// A large record that is opened is read into a slot of the shared memory, from which a worker decrypts it; its body is gone afterwards.

import {
  ArchiveError,
  bytesEqual,
  concatBytes,
  type DiskId,
  type ErrorCode,
  isArchiveError,
  type PackId,
  type RecordId,
  recordIdText,
  sameRecord,
  sha256,
} from '../base/index.ts';
import { inlineBytesMax, type SharedMemory } from '../codec/index.ts';
import type { DiskFile } from '../disk/index.ts';
import { findIndexRow, type Head, type IndexRow, type Locator, recordSpanBytes } from '../format/index.ts';
import { Recent } from './cache.ts';
import type { VaultLimits } from './limits.ts';
import { indexPlaceOf, PackCopy, type ReadRecord, splitRecord } from './pack-copy.ts';
import type { PackWriter } from './pack-writer.ts';
import { sealedPath } from './paths.ts';
import { zeroBytes } from './record.ts';
import type { Register, RunPack } from './register.ts';
import { type RunHint, RunHints } from './run-hints.ts';
import type { Shelf } from './shelf.ts';

export type FoundHead = { readonly head: Head; readonly pack: PackId; readonly row: IndexRow };
export type FoundRecord = FoundHead & ReadRecord;

/** Opens or checks what was read; RECORD_CORRUPT or CODEC_FAULT say that this copy is bad. Bodies are not checked before. */
export type Opener<T> = (record: ReadRecord) => T | Promise<T>;

export type ReadResult<T> = { readonly found: FoundHead; readonly value: T };

type CopyRead<T> = { readonly head: Head; readonly value: T };

/** What is to be done with a record once it was read. */
type Use<T> = {
  readonly open: Opener<T>;
  /** The body is needed no longer than `open` takes. */
  readonly passing: boolean;
};

/** Where a record was seen last: in a pack that is written, or in a copy of a sealed one. */
export class RecordPlace {
  readonly row: IndexRow;
  readonly #home: { readonly live: PackWriter } | { readonly hint: RunHint };

  constructor(row: IndexRow, home: { readonly live: PackWriter } | { readonly hint: RunHint }) {
    this.row = row;
    this.#home = home;
  }

  /** In the same copy of the same pack. */
  isBeside(place: RecordPlace): boolean {
    const [home, other] = [this.#home, place.#home];
    if ('live' in home) return 'live' in other && home.live === other.live;
    return 'hint' in other && home.hint.pack === other.hint.pack && home.hint.disk === other.hint.disk;
  }

  withFile<T>(shelf: Shelf, work: (file: DiskFile) => Promise<T>): Promise<T> {
    if ('hint' in this.#home) return shelf.withFile(this.#home.hint.disk, this.#home.hint.pack, 'pack', work);
    const mirror = this.#home.live.mirrors.find(({ good }) => good);
    if (mirror === undefined) return Promise.reject(new ArchiveError('CLOSED', 'no mirror of an open pack is good'));
    return work(mirror.file);
  }
}

export type ReaderHooks = {
  /** A copy of a record failed its check, and was or was not mended from another. */
  readonly onBadCopy: (bad: { pack: PackId; disk: DiskId; mended: boolean }) => void;
};

export class RecordReader {
  readonly #shelf: Shelf;
  readonly #register: Register;
  readonly #livePacks: () => readonly PackWriter[];
  readonly #hooks: ReaderHooks;
  readonly #memory: SharedMemory | undefined;
  readonly #hints = new RunHints();
  readonly #locators: Recent<PackId, Locator>;
  readonly #pages: Recent<string, Uint8Array>;

  constructor(options: {
    shelf: Shelf;
    register: Register;
    /** Packs that are open, or full and not yet registered. */
    livePacks: () => readonly PackWriter[];
    limits: VaultLimits;
    hooks: ReaderHooks;
    memory: SharedMemory | undefined;
  }) {
    this.#shelf = options.shelf;
    this.#register = options.register;
    this.#livePacks = options.livePacks;
    this.#hooks = options.hooks;
    this.#memory = options.memory;
    this.#locators = new Recent(options.limits.indexPagesMax * 4);
    this.#pages = new Recent(options.limits.indexPagesMax);
  }

  /** A record that `open` found good. RECORD_LOST, RECORD_UNKNOWN, DISK_MISSING, and what `open` throws that is no copy's fault. */
  read<T>(id: RecordId, open: Opener<T>): Promise<ReadResult<T>> {
    return this.#read(id, { open, passing: true });
  }

  /** Where a record lies, when that is known without asking anybody; it may have been moved since. */
  placeOf(id: RecordId): RecordPlace | undefined {
    for (const live of this.#livePacks()) {
      const row = live.index.find(id);
      if (row !== undefined) return new RecordPlace(row, { live });
    }
    const hint = this.#hints.find(id);
    const row = hint === undefined ? undefined : this.#knownRow(hint.pack, id);
    return hint === undefined || row === undefined ? undefined : new RecordPlace(row, { hint });
  }

  /** What lies in a pack from a record on, unchecked, in the memory that is given; undefined when it cannot be read. */
  async readStretch(place: RecordPlace, sizeBytes: number, into: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await place.withFile(this.#shelf, (file) => file.read(place.row.offset, sizeBytes, into));
    } catch (error) {
      if (!isCopyFault(error)) throw error;
      return undefined;
    }
  }

  /** A record with its body, which `check` found good. As `read`. */
  async readWhole(id: RecordId, check: Opener<void>): Promise<FoundRecord> {
    const open = async (record: ReadRecord): Promise<Uint8Array> => {
      await check(record);
      return record.body;
    };
    const { found, value } = await this.#read(id, { open, passing: false });
    return { ...found, body: value };
  }

  async #read<T>(id: RecordId, use: Use<T>): Promise<ReadResult<T>> {
    let live: PackId | undefined;
    for (const pack of this.#livePacks()) {
      const row = pack.index.find(id);
      if (row === undefined) continue;
      live = pack.plan.pack;
      const read = await this.#readLive(pack, row, use);
      if (read !== undefined) return { found: { head: read.head, pack: live, row }, value: read.value };
    }
    return (await this.#readHinted(id, use)) ?? this.#readRegistered(id, live, use);
  }

  /** From where its neighbours were found. Undefined: it has to be looked for. */
  async #readHinted<T>(id: RecordId, use: Use<T>): Promise<ReadResult<T> | undefined> {
    const hint = this.#hints.find(id);
    if (hint === undefined) return undefined;
    const { pack, disk } = hint;
    try {
      const row = this.#knownRow(pack, id) ?? (await this.#rowOf(pack, id).catch(() => undefined));
      if (row === undefined) return undefined;
      const { head, value } = await this.#shelf.withFile(disk, pack, 'pack', (file) => this.#readRow(file, row, use));
      return { found: { head, pack, row }, value };
    } catch (error) {
      if (!isCopyFault(error)) throw error;
      // Whatever is wrong is found again, told and mended on the long way.
      this.#hints.drop(id.writer, hint);
      return undefined;
    }
  }

  async #readRegistered<T>(id: RecordId, live: PackId | undefined, use: Use<T>): Promise<ReadResult<T>> {
    const runs = await this.#register.runsWith(id);
    const packs = runs.map((run) => run.pack);
    let missing = false;
    let named = false;
    for (const run of runs) {
      const row = await this.#rowOf(run.pack, id).catch((error: unknown) => {
        if (isArchiveError(error, 'DISK_MISSING')) missing = true;
        return undefined;
      });
      if (row === undefined) continue;
      named = true;
      const { read, missing: gone } = await this.#readSealed(run, row, use);
      if (read !== undefined) return { found: { head: read.head, pack: run.pack, row }, value: read.value };
      missing ||= gone;
    }
    if (packs.length === 0 && live !== undefined)
      throw new ArchiveError(
        'RECORD_LOST',
        `record ${recordIdText(id)} of the open pack ${live} cannot be read from any mirror`,
      );
    if (packs.length === 0)
      throw new ArchiveError('RECORD_UNKNOWN', `no pack is known to hold record ${recordIdText(id)}`);
    if (missing) {
      throw new ArchiveError(
        'DISK_MISSING',
        `record ${recordIdText(id)} lies on a disk that is not attached (${packs.join(', ')})`,
      );
    }
    const where = named ? 'every copy is damaged' : 'no index that names it is left';
    throw new ArchiveError('RECORD_LOST', `record ${recordIdText(id)} of pack ${packs.join(', ')} is lost: ${where}`);
  }

  /** On how many disks a record was just now read back from its medium, past the page cache, and found whole. RECORD_UNKNOWN. */
  async countGoodCopies(id: RecordId): Promise<number> {
    const good = new Set<DiskId>();
    let named = false;
    const look = async (disk: DiskId, row: IndexRow, file: DiskFile): Promise<void> => {
      try {
        const record = splitRecord((await file.readUncached(row.offset, row.sizeBytes)).bytes);
        const whole = bytesEqual(sha256(record.body), record.head.bodyDigest);
        if (whole && sameRecord(record.head.id, id)) good.add(disk);
      } catch (error) {
        if (!isCopyFault(error)) throw error;
      }
    };
    for (const pack of this.#livePacks()) {
      const row = pack.index.find(id);
      if (row === undefined) continue;
      named = true;
      for (const mirror of pack.mirrors) if (mirror.good) await look(mirror.store.id, row, mirror.file);
    }
    for (const { pack } of await this.#register.runsWith(id)) {
      const row = await this.#rowOf(pack, id).catch(() => undefined);
      if (row === undefined) continue;
      named = true;
      for (const { disk, kind } of await this.#register.placementsOf(pack)) {
        if (kind !== 'pack') continue;
        const reading = this.#shelf.withFile(disk, pack, 'pack', (file) => look(disk, row, file));
        await reading.catch((error: unknown) => {
          if (!isCopyFault(error)) throw error;
        });
      }
    }
    if (!named) throw new ArchiveError('RECORD_UNKNOWN', `no pack is known to hold record ${recordIdText(id)}`);
    return good.size;
  }

  /** Forgets what was decoded of a pack that was replaced or removed. */
  forget(pack: PackId): void {
    this.#locators.delete(pack);
    this.#pages.deleteWhere((key) => key.startsWith(pack));
  }

  async #readLive<T>(pack: PackWriter, row: IndexRow, use: Use<T>): Promise<CopyRead<T> | undefined> {
    for (const mirror of pack.mirrors) {
      try {
        return await this.#readRow(mirror.file, row, use);
      } catch (error) {
        if (!isCopyFault(error)) throw error;
        // Sealed a moment ago: the register knows it now.
        if (isArchiveError(error, 'CLOSED')) return undefined;
        // The next mirror may be good. A bad one is found again, and mended, when the pack is sealed or verified.
      }
      this.#hooks.onBadCopy({ pack: pack.plan.pack, disk: mirror.store.id, mended: false });
    }
    return undefined;
  }

  async #readSealed<T>(
    run: RunPack,
    row: IndexRow,
    use: Use<T>,
  ): Promise<{ read: CopyRead<T> | undefined; missing: boolean }> {
    const { pack } = run;
    const placements = (await this.#register.placementsOf(pack)).filter((each) => each.kind === 'pack');
    const known = new Set(placements.map((each) => each.disk));
    // A power cut may have taken back what the register knew of a copy, so the other disks are asked last.
    const others = this.#shelf.present().filter((store) => !known.has(store.id));
    const bad: DiskId[] = [];
    let missing = false;
    const [first] = known;
    for (const disk of [...known, ...others.map((store) => store.id)]) {
      try {
        let kept: Uint8Array | undefined;
        const read = await this.#shelf.withFile(disk, pack, 'pack', (file) =>
          this.#readRow(file, row, use, (bytes) => {
            // Opening may take the bytes away; where another copy waits to be mended, they are kept.
            if (bad.length > 0) kept = bytes.slice();
          }),
        );
        if (kept !== undefined) for (const each of bad) await this.#mend(pack, each, row, splitRecord(kept));
        // Only the copy that is asked first: another one would hide that this one is rotten.
        if (disk === first) this.#hints.note(row.id.writer, { ...run, disk });
        return { read, missing };
      } catch (error) {
        if (!isCopyFault(error)) throw error;
        if (isArchiveError(error, 'DISK_MISSING')) missing = true;
        else if (known.has(disk)) bad.push(disk);
      }
    }
    for (const disk of bad) this.#hooks.onBadCopy({ pack, disk, mended: false });
    return { read: undefined, missing };
  }

  async #readRow<T>(
    file: DiskFile,
    row: IndexRow,
    use: Use<T>,
    seen: (bytes: Uint8Array) => void = () => undefined,
  ): Promise<CopyRead<T>> {
    // What is opened at once may come to share its bytes, and without a cipher the plain bytes are those of the body.
    const borrows = use.passing && row.cipher !== 0 && row.sizeBytes > inlineBytesMax.open;
    const slot = borrows ? this.#memory?.takeSlot() : undefined;
    try {
      const bytes = await file.read(row.offset, row.sizeBytes, slot);
      seen(bytes);
      const record = splitRecord(bytes);
      const { id } = record.head;
      if (id.writer !== row.id.writer || id.sequence !== row.id.sequence) {
        throw new ArchiveError('RECORD_CORRUPT', 'another record lies in its place');
      }
      return { head: record.head, value: await use.open(record) };
    } finally {
      if (slot !== undefined) this.#memory?.giveSlot(slot);
    }
  }

  /** Writes a good record over a bad copy of it, and reads it back from the medium. */
  async #mend(pack: PackId, disk: DiskId, row: IndexRow, good: ReadRecord): Promise<void> {
    let mended = false;
    try {
      const store = this.#shelf.store(disk);
      if (store?.state === 'present') {
        const file = await store.disk.open(sealedPath(pack), 'write');
        try {
          const bytes = concatBytes([good.head.bytes, good.body]);
          const padding = recordSpanBytes(good.head) - bytes.byteLength;
          await file.write(row.offset, padding > 0 ? [bytes, zeroBytes(padding)] : [bytes]);
          await file.sync();
          mended = bytesEqual((await file.readUncached(row.offset, row.sizeBytes)).bytes, bytes);
        } finally {
          await file.close();
        }
      }
    } catch {
      // Not mended: the placement is marked bad below, and `repair` makes a new copy.
    }
    if (mended) await this.#register.count('repaired_records', 1);
    else await this.#register.place({ pack, disk, kind: 'pack', state: 'bad', verifiedMs: 0 });
    this.#hooks.onBadCopy({ pack, disk, mended });
  }

  /** The same, where that part of the index was read before. */
  #knownRow(pack: PackId, id: RecordId): IndexRow | undefined {
    const locator = this.#locators.get(pack);
    if (locator === undefined) return undefined;
    const rows = this.#pages.get(`${pack}/${indexPlaceOf(locator, id)}`);
    return rows === undefined ? undefined : findIndexRow(rows, id);
  }

  /** The row that names this record in the pack's index; undefined when the pack does not hold it. */
  async #rowOf(pack: PackId, id: RecordId): Promise<IndexRow | undefined> {
    const known = this.#knownRow(pack, id);
    if (known !== undefined) return known;
    // The footer file first: it stays on a fast disk when the pack does not.
    const placements = (await this.#register.placementsOf(pack)).sort((a, b) =>
      a.kind === b.kind ? 0 : a.kind === 'footer' ? -1 : 1,
    );
    let failure: unknown;
    for (const { disk, kind } of placements) {
      try {
        return await this.#shelf.withFile(disk, pack, kind, async (file) => {
          const copy = new PackCopy(file, kind);
          const locator = this.#locators.get(pack) ?? (await copy.locator());
          if (locator === undefined) throw new ArchiveError('PACK_TRUNCATED', `pack ${pack} has no locator`);
          if (locator.pack !== pack)
            throw new ArchiveError('PACK_CORRUPT', `another pack lies in the place of ${pack}`);
          this.#locators.set(pack, locator);
          const number = indexPlaceOf(locator, id);
          const place = locator.index[number];
          if (place === undefined) return undefined;
          const rows = await copy.indexRows(locator, place);
          this.#pages.set(`${pack}/${number}`, rows);
          return findIndexRow(rows, id);
        });
      } catch (error) {
        failure = isArchiveError(failure, 'DISK_MISSING') ? failure : error;
      }
    }
    throw failure ?? new ArchiveError('RECORD_LOST', `no copy of pack ${pack} is left`);
  }
}

/** Failures that another copy may not have. */
const copyFaults: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'RECORD_CORRUPT',
  'CODEC_FAULT',
  'DISK_IO',
  'DISK_MISSING',
  'FILE_MISSING',
  'PACK_CORRUPT',
  'PACK_TRUNCATED',
  'CLOSED',
]);

function isCopyFault(error: unknown): boolean {
  return error instanceof ArchiveError && copyFaults.has(error.code);
}
