// The facts in a stretch of a footer (FORMAT.md 1.2, 7), found by what the heads say of themselves: for a rebuild, which reads millions of them.
//
// Invariants: nothing here is proven: whoever opens the records checks heads and bodies; but a stretch that is not laid out exactly as a writer
// lays out a footer (index records, facts, zeros up to a commit record that ends its block) is none, so a walk that looks for damage takes over.
// Facts next to each other that share a group share the object that names it.

import {
  type HybridTime,
  idOfBytes,
  isZero,
  type KeyGroup,
  type RecordId,
  roundUp,
  type TenantId,
  u64Number,
  viewOf,
  type WriterId,
} from '../base/index.ts';
import { recordMark } from './head.ts';
import {
  blockSizeBytes,
  bodySizeBytesMax,
  chunkSizeBytesMax,
  commitSizeBytes,
  headExtraBytesMax,
  headSizeBytes,
  isFactKind,
  recordAlignBytes,
  recordKind,
} from './numbers.ts';

export type ScannedFact = {
  /** Where it begins in the stretch, and the length of head and body. */
  readonly at: number;
  readonly sizeBytes: number;
  readonly cipher: number;
  readonly id: RecordId;
  readonly group: KeyGroup;
  readonly hybrid: HybridTime;
};

export type FooterStretch = {
  readonly facts: readonly ScannedFact[];
  /** Up to here all is told: whole records, zeros and commit records. 0 when not even one ends in these bytes. */
  readonly sizeBytes: number;
};

export type StretchOf = {
  /** Where the bytes begin, counted from the footer's beginning. */
  readonly offset: number;
  readonly footerSizeBytes: number;
  /** The stretch ends before the plain bytes of its facts are more than this, but holds one. */
  readonly plainBytesMax: number;
};

const markLow = viewOf(recordMark).getUint32(0, true);
const markHigh = viewOf(recordMark).getUint32(4, true);

function isMark(view: DataView, at: number): boolean {
  return view.getUint32(at, true) === markLow && view.getUint32(at + 4, true) === markHigh;
}

/** undefined: these bytes, which begin where a record or a group's zeros do, are not laid out as a writer does. */
export function scanFooter(
  bytes: Uint8Array,
  { offset, footerSizeBytes, plainBytesMax }: StretchOf,
): FooterStretch | undefined {
  const view = viewOf(bytes);
  const isLast = offset + bytes.byteLength >= footerSizeBytes;
  const facts: ScannedFact[] = [];
  const cutShort = (at: number): FooterStretch | undefined => (isLast ? undefined : { facts, sizeBytes: at });
  let plainBytes = 0;
  let at = 0;
  while (at < bytes.byteLength) {
    if (at + headSizeBytes > bytes.byteLength) return cutShort(at);
    if (!isMark(view, at)) {
      const commitAt = roundUp(offset + at + commitSizeBytes, blockSizeBytes) - commitSizeBytes - offset;
      if (commitAt + commitSizeBytes > bytes.byteLength) return cutShort(at);
      const isPadding = commitAt > at && isMark(view, commitAt) && isZero(bytes.subarray(at, commitAt));
      if (!isPadding || view.getUint16(commitAt + 10, true) !== recordKind.commit) return undefined;
      at = commitAt;
    }
    const kind = view.getUint16(at + 10, true);
    const extraBytes = view.getUint32(at + 28, true);
    const bodyBytes = u64Number(view, at + 40);
    const plainSizeBytes = u64Number(view, at + 48);
    if (extraBytes > headExtraBytesMax || bodyBytes > bodySizeBytesMax || plainSizeBytes > chunkSizeBytesMax)
      return undefined;
    const sizeBytes = headSizeBytes + extraBytes + bodyBytes;
    const end = at + roundUp(sizeBytes, recordAlignBytes);
    if (end > bytes.byteLength) return cutShort(at);
    if (isFactKind(kind)) {
      plainBytes += plainSizeBytes;
      if (plainBytes > plainBytesMax && facts.length > 0) return { facts, sizeBytes: at };
      facts.push(factAt(bytes, view, { at, sizeBytes, before: facts.at(-1) }));
    } else if (kind !== recordKind.index && kind !== recordKind.commit) return undefined;
    at = end;
  }
  return { facts, sizeBytes: at };
}

function factAt(
  bytes: Uint8Array,
  view: DataView,
  { at, sizeBytes, before }: { at: number; sizeBytes: number; before: ScannedFact | undefined },
): ScannedFact {
  const year = view.getUint16(at + 20, true);
  const tenant = view.getUint32(at + 24, true) as TenantId;
  const number = view.getBigUint64(at + 32, true);
  const known = before?.group;
  const isSameGroup = known !== undefined && known.group === number && known.year === year && known.tenant === tenant;
  const isSameWriter = before !== undefined && sameWriter(view, before.at, at);
  const writer = isSameWriter ? before.id.writer : (idOfBytes(bytes.subarray(at + 72, at + 88)) as WriterId);
  return {
    at,
    sizeBytes,
    cipher: view.getUint16(at + 16, true),
    id: { writer, sequence: view.getBigUint64(at + 56, true) },
    group: isSameGroup ? known : { tenant, year, group: number },
    hybrid: view.getBigUint64(at + 64, true),
  };
}

function sameWriter(view: DataView, a: number, b: number): boolean {
  for (let field = 72; field < 88; field += 4) {
    if (view.getUint32(a + field, true) !== view.getUint32(b + field, true)) return false;
  }
  return true;
}
