// Sealing: the footer and locator of a pack whose last group was written (FORMAT.md 7), on each copy, and the footer file beside.
//
// Invariants: the footer is computed once from an index and from fact records that were read back and checked, then written alike on every
// copy; a copy is sealed when its locator is synced; before that a crash leaves an open pack, which is sealed again from its records.
// Left out on purpose: the register and moving the file (vault.ts), copies that failed (copy-pack.ts).

import {
  ArchiveError,
  assert,
  concatBytes,
  emptyBytes,
  type HybridTime,
  roundUp,
  Sha256,
  sha256,
  systemTenant,
} from '../base/index.ts';
import { codecNumber, encodePlain } from '../codec/index.ts';
import type { DiskFile } from '../disk/index.ts';
import {
  blockSizeBytes,
  commitSizeBytes,
  decodeIndexRow,
  encodeCommit,
  encodeHead,
  encodeLocator,
  groupPaddingBytes,
  type HeadFields,
  type IndexPlace,
  type IndexRow,
  indexRowCount,
  indexRowsMax,
  packAlignBytes,
  recordAlignBytes,
  recordKind,
} from '../format/index.ts';
import type { OpenIndex } from './open-index.ts';
import { checkRecord } from './pack-copy.ts';
import type { PackPlan } from './pack-writer.ts';
import { type MadeRecord, madeRecord, recordParts, spanOf, zeroBytes } from './record.ts';

const footerGroupBytesMax = 8 * 1024 * 1024;
const readWindowBytes = 1024 * 1024;
/** Facts that lie farther apart are read one by one: more than this costs as much as asking again. */
const readGapBytesMax = 32 * 1024;

export type SealSource = {
  readonly plan: PackPlan;
  readonly index: OpenIndex;
  readonly endOffset: number;
  readonly commitOffset: number | undefined;
  readonly groupCount: number;
  /** Bytes of the records' part, from a copy that is good there. */
  readonly read: (offset: number, length: number) => Promise<Uint8Array>;
};

/** The footer piece by piece, each piece going to every copy in turn; then the locator. */
export type SealSink = (offset: number, parts: readonly Uint8Array[]) => Promise<void>;

export type Sealed = { readonly sizeBytes: number; readonly root: Uint8Array; readonly factCount: number };

/** Writes footer, zeros and locator through `sink`. The sink's owner syncs afterwards. */
export async function writeFooter(source: SealSource, sealed: HybridTime, sink: SealSink): Promise<Sealed> {
  const { plan, index } = source;
  assert(index.count > 0, 'a pack that is sealed holds a record');
  const digest = new Sha256();
  const footerOffset = source.endOffset;
  let offset = footerOffset;
  let commitOffset = source.commitOffset;
  let groupNumber = source.groupCount;

  const writeGroup = async (records: readonly MadeRecord[]): Promise<void> => {
    const sizeBytes = records.reduce((sum, record) => sum + spanOf(record), 0);
    const paddingBytes = groupPaddingBytes(sizeBytes);
    const commit = encodeCommit({
      writer: plan.writer,
      hybrid: sealed,
      number: groupNumber,
      recordCount: records.length,
      inFooter: true,
      groupOffset: offset,
      previousCommitOffset: commitOffset,
      recordCountSoFar: index.count,
      leavesDigest: sha256(concatBytes(records.map((record) => record.leaf))),
    });
    const parts = [...recordParts(records), ...(paddingBytes > 0 ? [zeroBytes(paddingBytes)] : []), commit];
    for (const part of parts) digest.update(part);
    await sink(offset, parts);
    commitOffset = offset + sizeBytes + paddingBytes;
    offset = commitOffset + commitSizeBytes;
    groupNumber += 1;
  };

  const { records: pages, places } = indexRecords(index, plan, sealed, footerOffset);
  await writeGroup(pages);
  let factCount = 0;
  let waiting: MadeRecord[] = [];
  let waitingBytes = 0;
  for await (const fact of factsOf(source)) {
    waiting.push(fact);
    waitingBytes += spanOf(fact);
    factCount += 1;
    if (waitingBytes >= footerGroupBytesMax) {
      await writeGroup(waiting);
      waiting = [];
      waitingBytes = 0;
    }
  }
  if (waiting.length > 0) await writeGroup(waiting);

  const footerSizeBytes = offset - footerOffset;
  const sizeBytes = roundUp(offset + blockSizeBytes, packAlignBytes);
  const root = index.root();
  const { least, greatest } = index.hybridRange;
  const locator = encodeLocator({
    class: plan.class,
    pack: plan.pack,
    footerOffset,
    footerSizeBytes,
    recordCount: index.count,
    factCount,
    packSizeBytes: sizeBytes,
    sealed,
    hybridLeast: least,
    hybridGreatest: greatest,
    footerDigest: digest.digest(),
    root,
    index: places,
  });
  // Zeros in the gap are written, not left to a hole: a copy on another medium must be the same bytes.
  await sink(offset, [new Uint8Array(sizeBytes - blockSizeBytes - offset), locator]);
  return { sizeBytes, root, factCount };
}

function indexRecords(
  index: OpenIndex,
  plan: PackPlan,
  sealed: HybridTime,
  footerOffset: number,
): { records: MadeRecord[]; places: IndexPlace[] } {
  const records: MadeRecord[] = [];
  const places: IndexPlace[] = [];
  let offset = footerOffset;
  for (const plain of index.sortedPages(indexRowsMax)) {
    const { codec, codecVersion, packed } = encodePlain(plain, { kind: 'bytes', effort: 'fast' });
    assert(
      codec === codecNumber.none || codec === codecNumber.zstd,
      'an index is packed by a codec that every reader has',
    );
    const fields: HeadFields = {
      kind: recordKind.index,
      codec,
      codecVersion,
      cipher: 0,
      group: { tenant: systemTenant, year: 0, group: 0n },
      id: { writer: plan.writer, sequence: BigInt(records.length) },
      hybrid: sealed,
      plainSizeBytes: plain.byteLength,
      bodySizeBytes: packed.byteLength,
      nonce: emptyBytes,
    };
    const record = madeRecord(fields, encodeHead(fields, sha256(packed)), packed);
    places.push({
      first: decodeIndexRow(plain, 0).id,
      offset,
      sizeBytes: record.head.byteLength + record.body.byteLength,
      rowCount: indexRowCount(plain),
    });
    records.push(record);
    offset += spanOf(record);
  }
  return { records, places };
}

/** The fact records of the pack in the order of their offsets, read back and checked, a window at a time. What lies between them is not read. */
async function* factsOf(source: SealSource): AsyncGenerator<MadeRecord> {
  let rows: IndexRow[] = [];
  for (const row of source.index.factRows()) {
    const [first] = rows;
    const last = rows.at(-1);
    const joins =
      first === undefined ||
      last === undefined ||
      (row.offset - endOf(last) <= readGapBytesMax && endOf(row) - first.offset <= readWindowBytes);
    if (!joins) {
      yield* factsTogether(source, rows);
      rows = [];
    }
    rows.push(row);
  }
  yield* factsTogether(source, rows);
}

async function* factsTogether(source: SealSource, rows: readonly IndexRow[]): AsyncGenerator<MadeRecord> {
  const [first] = rows;
  const last = rows.at(-1);
  if (first === undefined || last === undefined) return;
  const length = endOf(last) - first.offset;
  const window = await source.read(first.offset, length);
  if (window.byteLength < length) throw new ArchiveError('PACK_TRUNCATED', `pack ${source.plan.pack} ends early`);
  for (const row of rows) {
    const { head, body } = checkRecord(window.subarray(row.offset - first.offset, endOf(row) - first.offset));
    yield madeRecord(head, head.bytes, body);
  }
}

function endOf({ offset, sizeBytes }: IndexRow): number {
  return offset + sizeBytes;
}

/** Header, footer and locator of a sealed copy, as a file of their own. */
export async function footerParts(
  file: DiskFile,
  locator: { footerOffset: number; footerSizeBytes: number; packSizeBytes: number },
): Promise<AsyncGenerator<Uint8Array>> {
  return (async function* parts(): AsyncGenerator<Uint8Array> {
    yield await file.read(0, blockSizeBytes);
    const end = locator.footerOffset + locator.footerSizeBytes;
    for (let offset = locator.footerOffset; offset < end; offset += readWindowBytes) {
      yield await file.read(offset, Math.min(readWindowBytes, end - offset));
    }
    yield await file.read(locator.packSizeBytes - blockSizeBytes, blockSizeBytes);
  })();
}

assert(readWindowBytes % recordAlignBytes === 0, 'a window ends where a record may begin');
