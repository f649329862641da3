// The scan of an open pack that its writer left behind: what was committed, from all its mirrors together.
//
// Invariants: recovery takes the union of the mirrors; only the last group may be torn, and is dropped when no mirror holds it whole, unless the
// caller knows that it was acknowledged: then it is damage, and what is good of it is kept; damage
// before it is loss, reported with its extent, and costs only the records it touches; nothing is written here. Memory is the index of one
// pack and a window a mirror.

import {
  type ArchiveError,
  type ArchiveId,
  bytesEqual,
  concatBytes,
  type HybridTime,
  type PackId,
  roundUp,
  sha256,
  toArchiveError,
  type WriterId,
} from '../base/index.ts';
import type { DiskFile } from '../disk/index.ts';
import {
  blockSizeBytes,
  type Commit,
  commitSizeBytes,
  decodeCommit,
  decodeHeader,
  type Head,
  type IndexRow,
  leafOf,
  type PackHeader,
  recordKind,
} from '../format/index.ts';
import { OpenIndex } from './open-index.ts';
import type { Run } from './register.ts';
import type { StoreDisk } from './store-disk.ts';
import { type ReadBytes, readAround, Window, walkRecords } from './walk.ts';

/** The greatest sequence of a writer that was acknowledged, as far as the caller knows; 0 when it knows nothing. */
export type Applied = (writer: WriterId) => Promise<bigint>;

export type TailCopy = { readonly store: StoreDisk; readonly file: DiskFile };

export type TailLoss = {
  readonly offset: number;
  readonly sizeBytes: number;
  /** Records the commit record counts; 0 where that is gone too. */
  readonly recordCount: number;
  readonly foundCount: number;
  /** Sequences of the pack's writer that should lie here by those before and behind, and were not found. */
  readonly missing: readonly Run[];
};

export type TailScan = {
  readonly header: PackHeader;
  readonly index: OpenIndex;
  /** End of the last committed group. */
  readonly endOffset: number;
  readonly commitOffset: number | undefined;
  readonly groupCount: number;
  readonly hybridGreatest: HybridTime;
  /** Copies that hold every committed group whole. */
  readonly whole: ReadonlySet<TailCopy>;
  readonly losses: readonly TailLoss[];
};

type Source = {
  readonly copy: TailCopy;
  readonly read: ReadBytes;
  readonly window: Window;
  readonly sizeBytes: number;
  /** Whether this copy begins as the pack's copies do. */
  readonly headerGood: boolean;
};
type Ending = { readonly commit: Commit; readonly commitOffset: number };
type GroupRead = { readonly rows: IndexRow[]; readonly ending: Ending | undefined; readonly good: boolean };

const windowBytes = 64 * 1024;

/** What is known of a pack from elsewhere. */
export type TailKnown = {
  readonly applied: Applied;
  /** The greatest sequence of a writer below this one in sealed packs; 0 when there is none. */
  readonly sealedBelow: (writer: WriterId, below: bigint) => Promise<bigint>;
};

/** undefined: no copy has a committed group, so nothing was ever acknowledged from this pack. */
export async function scanTail(
  copies: readonly TailCopy[],
  identity: { readonly pack: PackId; readonly archive: ArchiveId },
  known: TailKnown = { applied: async () => 0n, sealedBelow: async () => 0n },
): Promise<TailScan | undefined> {
  const sources: Source[] = [];
  let header: PackHeader | undefined;
  let newer: ArchiveError | undefined;
  for (const copy of copies) {
    const sizeBytes = await copy.file.sizeBytes();
    // What one mirror cannot read, another may: an unreadable sector is damage like any other.
    const read = readAround(
      (offset, length) => copy.file.read(offset, length),
      () => undefined,
    );
    const source = { copy, read, window: new Window(read, sizeBytes, windowBytes), sizeBytes, headerGood: false };
    sources.push(source);
    try {
      const own = decodeHeader(await read(0, blockSizeBytes));
      if (own.pack !== identity.pack) continue;
      header ??= own;
      source.headerGood = true;
    } catch (error) {
      const fault = toArchiveError(error, 'DISK_IO', 'a pack could not be read');
      // A copy without a whole header still has its groups.
      if (fault.code === 'PACK_NEWER') newer ??= fault;
    }
  }
  // A newer pack is left alone; when another copy is one of ours, a rotten version number is all that it was.
  if (header === undefined && newer !== undefined) throw newer;
  let last: Ending | undefined;
  for (const source of sources) {
    const own = await lastCommit(source, header);
    if (own !== undefined && (last === undefined || own.commitOffset > last.commitOffset)) last = own;
  }
  if (last === undefined) return header === undefined ? undefined : scanGroups(header, sources, undefined, known);
  // Without a header on any disk the groups are as good as before; the class alone is not known, and ingest packs are read and settled again.
  const { writer, hybrid } = last.commit;
  header ??= { class: 'ingest', pack: identity.pack, archive: identity.archive, writer, created: hybrid };
  return scanGroups(header, sources, last, known);
}

async function scanGroups(
  header: PackHeader,
  sources: readonly Source[],
  last: Ending | undefined,
  known: TailKnown,
): Promise<TailScan | undefined> {
  const promised = await known.applied(header.writer);
  const wasPromised = (row: IndexRow): boolean => row.id.writer === header.writer && row.id.sequence <= promised;
  const index = new OpenIndex();
  const whole = new Set(sources.filter((source) => source.headerGood).map((source) => source.copy));
  const losses: (Omit<TailLoss, 'missing'> & { readonly sequences: LossSequences })[] = [];
  let before: bigint | undefined;
  const lose = (loss: Omit<TailLoss, 'missing' | 'foundCount'>, found: readonly IndexRow[]): void => {
    for (const each of losses) each.sequences.end(before);
    const sequences = new LossSequences(header.writer, before, found);
    losses.push({ ...loss, foundCount: found.length, sequences });
  };
  const keep = (rows: readonly IndexRow[]): void => {
    for (const row of rows) {
      index.add(row);
      if (row.hybrid > hybridGreatest) hybridGreatest = row.hybrid;
      if (row.id.writer === header.writer && row.id.sequence > (before ?? 0n)) before = row.id.sequence;
    }
  };
  let hybridGreatest = header.created;
  let end = { offset: blockSizeBytes, commitOffset: undefined as number | undefined, groupCount: 0 };
  while (last !== undefined && end.offset <= last.commitOffset) {
    const isLast = end.offset >= last.commit.groupOffset;
    const reads: { source: Source; read: GroupRead }[] = [];
    for (const source of sources) reads.push({ source, read: await readGroup(source, end.offset, isLast) });
    const best = reads.find(({ read }) => read.good)?.read;
    const rows = best?.rows ?? salvaged(reads.map(({ read }) => read));
    // Never acknowledged: the group before is the end.
    if (best === undefined && isLast && !rows.some(wasPromised)) break;
    for (const { source, read } of reads) if (!read.good) whole.delete(source.copy);
    const ending = best?.ending ?? (await nextCommit(sources, end.offset)) ?? last;
    for (const loss of losses) loss.sequences.see(rows);
    if (best === undefined) {
      const recordCount = ending.commit.groupOffset === end.offset ? ending.commit.recordCount : 0;
      lose({ offset: end.offset, sizeBytes: ending.commitOffset - end.offset, recordCount }, rows);
    }
    keep(rows);
    end = {
      offset: ending.commitOffset + commitSizeBytes,
      commitOffset: ending.commitOffset,
      groupCount: ending.commit.number + 1,
    };
  }
  // Behind the last commit record lies what was never acknowledged, or a group whose own commit record is rotten on every mirror.
  const behind: GroupRead[] = [];
  for (const source of promised > 0n ? sources : []) behind.push(await readGroup(source, end.offset, true));
  // A footer that was not finished begins there too, when a seal was cut short: its index is no record of ours, and its facts are known.
  const kept = salvaged(behind).filter((row) => row.kind !== recordKind.index && index.find(row.id) === undefined);
  if (kept.some(wasPromised)) {
    whole.clear();
    for (const loss of losses) loss.sequences.see(kept);
    const rowEnd = Math.max(...kept.map((row) => row.offset + row.sizeBytes));
    const sizeBytes = roundUp(rowEnd, blockSizeBytes) - end.offset;
    lose({ offset: end.offset, sizeBytes, recordCount: 0 }, kept);
    keep(kept);
    end = { ...end, offset: end.offset + sizeBytes };
  }
  if (index.count === 0 && losses.length === 0) return undefined;
  const { offset: endOffset, commitOffset, groupCount } = end;
  const told: TailLoss[] = [];
  for (const { sequences, ...loss } of losses) told.push({ ...loss, missing: await sequences.missing(known) });
  return { header, index, endOffset, commitOffset, groupCount, hybridGreatest, whole, losses: told };
}

/**
 * Which sequences a loss cost. They follow one another through the groups of a pack, so what lies between those before it and those behind was in it.
 */
class LossSequences {
  readonly #writer: WriterId;
  readonly #before: bigint | undefined;
  readonly #within: bigint[];
  #behind: bigint | undefined;
  #isClosed = false;

  constructor(writer: WriterId, before: bigint | undefined, within: readonly IndexRow[]) {
    this.#writer = writer;
    this.#before = before;
    this.#within = ownOf(writer, within).sort((a, b) => (a < b ? -1 : 1));
  }

  /** A group behind the loss. */
  see(rows: readonly IndexRow[]): void {
    for (const sequence of this.#behind === undefined ? ownOf(this.#writer, rows) : [])
      if (this.#behind === undefined || sequence < this.#behind) this.#behind = sequence;
  }

  /** Another loss comes behind: what lies between this one and that is counted there. */
  end(before: bigint | undefined): void {
    if (this.#behind !== undefined) return;
    this.#behind = (before ?? 0n) + 1n;
    this.#isClosed = before === undefined;
  }

  /** Where nothing lies behind, up to what was acknowledged; where nothing lies before, from where the sealed packs end. */
  async missing({ applied, sealedBelow }: TailKnown): Promise<Run[]> {
    if (this.#isClosed) return [];
    const writer = this.#writer;
    const end = this.#behind ?? (await applied(writer)) + 1n;
    const missing: Run[] = [];
    let next = (this.#before ?? (await sealedBelow(writer, this.#within[0] ?? end))) + 1n;
    for (const found of [...this.#within.filter((sequence) => sequence < end), end]) {
      if (found > next) missing.push({ writer, first: next, last: found - 1n });
      if (found >= next) next = found + 1n;
    }
    return missing;
  }
}

function ownOf(writer: WriterId, rows: readonly IndexRow[]): bigint[] {
  return rows.filter((row) => row.id.writer === writer).map((row) => row.id.sequence);
}

/** The group that begins here, up to its commit record; good when it is whole and its commit record says so. */
async function readGroup(source: Source, from: number, checkBodies: boolean): Promise<GroupRead> {
  const rows: IndexRow[] = [];
  let bodiesGood = true;
  if (from >= source.sizeBytes) return { rows, ending: undefined, good: false };
  const walk = walkRecords({ window: source.window, from, to: source.sizeBytes, bodies: () => checkBodies });
  for await (const each of walk) {
    switch (each.kind) {
      case 'damage':
        // A record that it cost is missing below; between records it cost nothing.
        break;
      case 'record':
        if (each.bodyGood) rows.push(rowOf(each.head, each.offset));
        else bodiesGood = false;
        break;
      case 'commit': {
        const ending = { commit: each.commit, commitOffset: each.offset };
        // Damage may have swallowed a commit record: then what was read belongs to two groups, and only the part before is ours to judge.
        const own = each.commit.groupOffset === from;
        const counted = own && bodiesGood && rows.length === each.commit.recordCount;
        const good = counted && bytesEqual(sha256(concatBytes(rows.map((row) => row.leaf))), each.commit.leavesDigest);
        return { rows, ending, good };
      }
    }
  }
  return { rows, ending: undefined, good: false };
}

export function rowOf(head: Head, offset: number): IndexRow {
  return {
    id: head.id,
    offset,
    sizeBytes: head.bytes.byteLength + head.bodySizeBytes,
    kind: head.kind,
    group: head.group,
    hybrid: head.hybrid,
    plainSizeBytes: head.plainSizeBytes,
    codec: head.codec,
    cipher: head.cipher,
    leaf: leafOf(head.bytes),
  };
}

/** What several damaged copies of one group hold together, in the order of offsets. */
function salvaged(reads: readonly GroupRead[]): IndexRow[] {
  const end = Math.min(...reads.map((read) => read.ending?.commitOffset ?? Number.POSITIVE_INFINITY));
  const rows = new Map<number, IndexRow>();
  for (const read of reads) for (const row of read.rows) if (row.offset < end) rows.set(row.offset, row);
  return [...rows.values()].sort((a, b) => a.offset - b.offset);
}

/** The first commit record behind `from` that any copy still has. */
async function nextCommit(sources: readonly Source[], from: number): Promise<Ending | undefined> {
  let nearest: Ending | undefined;
  for (const source of sources) {
    const walk = walkRecords({ window: source.window, from, to: source.sizeBytes, bodies: () => false });
    for await (const each of walk) {
      if (each.kind !== 'commit') continue;
      if (nearest === undefined || each.offset < nearest.commitOffset)
        nearest = { commit: each.commit, commitOffset: each.offset };
      break;
    }
  }
  return nearest;
}

async function lastCommit(source: Source, header: PackHeader | undefined): Promise<Ending | undefined> {
  let end = Math.floor(source.sizeBytes / blockSizeBytes) * blockSizeBytes;
  for (; end > blockSizeBytes; end -= blockSizeBytes) {
    const commitOffset = end - commitSizeBytes;
    const commit = decodeCommit(await source.read(commitOffset, commitSizeBytes));
    if (commit === undefined || commit.inFooter || commit.groupOffset >= commitOffset) continue;
    // Content that is not encrypted may be a pack itself, and a commit record in it is not ours.
    if (header !== undefined && commit.writer !== header.writer) continue;
    return { commit, commitOffset };
  }
  return undefined;
}
