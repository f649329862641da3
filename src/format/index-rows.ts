// Rows of a footer's index: one of 96 bytes for each record of a pack (FORMAT.md 7).
//
//   0 writer id (16) | 16 sequence u64 | 24 offset / 16 u32 | 28 length of head and body u32 | 32 kind u16 | 34 key year u16
//   36 tenant u32 | 40 key group u64 | 48 hybrid time u64 | 56 plain length u32 | 60 codec u16 | 62 cipher u16 | 64 leaf (32)
//
// Invariant: rows are in the order of (writer id, sequence), so a record is found by halving.

import {
  assert,
  type HybridTime,
  idOfBytes,
  type KeyGroup,
  type RecordId,
  type TenantId,
  viewOf,
  type WriterId,
} from '../base/index.ts';
import { writerBytes } from './head.ts';
import { indexRowBytes, recordAlignBytes } from './numbers.ts';

export type IndexRow = {
  readonly id: RecordId;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly kind: number;
  readonly group: KeyGroup;
  readonly hybrid: HybridTime;
  readonly plainSizeBytes: number;
  readonly codec: number;
  readonly cipher: number;
  readonly leaf: Uint8Array;
};

export function encodeIndexRow(row: IndexRow, bytes: Uint8Array, at: number): void {
  assert(row.offset % recordAlignBytes === 0, 'a record begins at a multiple of 16');
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, indexRowBytes);
  bytes.set(writerBytes(row.id.writer), at);
  view.setBigUint64(16, row.id.sequence, true);
  view.setUint32(24, row.offset / recordAlignBytes, true);
  view.setUint32(28, row.sizeBytes, true);
  view.setUint16(32, row.kind, true);
  view.setUint16(34, row.group.year, true);
  view.setUint32(36, row.group.tenant, true);
  view.setBigUint64(40, row.group.group, true);
  view.setBigUint64(48, row.hybrid, true);
  view.setUint32(56, row.plainSizeBytes, true);
  view.setUint16(60, row.codec, true);
  view.setUint16(62, row.cipher, true);
  bytes.set(row.leaf, at + 64);
}

export function decodeIndexRow(bytes: Uint8Array, index: number): IndexRow {
  const at = index * indexRowBytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, indexRowBytes);
  return {
    id: { writer: idOfBytes(bytes.subarray(at, at + 16)) as WriterId, sequence: view.getBigUint64(16, true) },
    offset: view.getUint32(24, true) * recordAlignBytes,
    sizeBytes: view.getUint32(28, true),
    kind: view.getUint16(32, true),
    group: {
      tenant: view.getUint32(36, true) as TenantId,
      year: view.getUint16(34, true),
      group: view.getBigUint64(40, true),
    },
    hybrid: view.getBigUint64(48, true),
    plainSizeBytes: view.getUint32(56, true),
    codec: view.getUint16(60, true),
    cipher: view.getUint16(62, true),
    leaf: bytes.subarray(at + 64, at + 96),
  };
}

/** Without decoding the rest of the row. */
export function indexRowKind(bytes: Uint8Array, index: number): number {
  const at = index * indexRowBytes + 32;
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

/** The order of record ids in an index: writer id as text (hex keeps the order of bytes), then sequence. */
export function compareRecordIds(a: RecordId, b: RecordId): number {
  if (a.writer !== b.writer) return a.writer < b.writer ? -1 : 1;
  return a.sequence < b.sequence ? -1 : a.sequence > b.sequence ? 1 : 0;
}

export function indexRowCount(rows: Uint8Array): number {
  return Math.floor(rows.byteLength / indexRowBytes);
}

/** An unbroken stretch of one writer's sequences. */
export type SequenceRun = { writer: WriterId; first: bigint; last: bigint };

/** Adds the runs of these sorted rows to those of the rows before. */
export function addRunsOfRows(rows: Uint8Array, runs: SequenceRun[]): void {
  const view = viewOf(rows);
  let run = runs.pop();
  let writerAt = -1;
  let writer = run?.writer;
  for (let at = 0; at + indexRowBytes <= rows.byteLength; at += indexRowBytes) {
    const sequence = view.getBigUint64(at + 16, true);
    if (writerAt < 0 || !sameWriter(view, writerAt, at)) writer = idOfBytes(rows.subarray(at, at + 16)) as WriterId;
    writerAt = at;
    if (run !== undefined && run.writer === writer && sequence <= run.last + 1n) {
      if (sequence > run.last) run.last = sequence;
      continue;
    }
    if (run !== undefined) runs.push(run);
    run = { writer: writer as WriterId, first: sequence, last: sequence };
  }
  if (run !== undefined) runs.push(run);
}

function sameWriter(view: DataView, a: number, b: number): boolean {
  for (let offset = 0; offset < 16; offset += 4) {
    if (view.getUint32(a + offset, true) !== view.getUint32(b + offset, true)) return false;
  }
  return true;
}

/** As `compareRecordIds`, without a string for each row that is looked at. */
function compareRowWith(view: DataView, at: number, writer: DataView, sequence: bigint): number {
  for (let offset = 0; offset < 16; offset += 4) {
    const [one, other] = [view.getUint32(at + offset), writer.getUint32(offset)];
    if (one !== other) return one < other ? -1 : 1;
  }
  const own = view.getBigUint64(at + 16, true);
  return own < sequence ? -1 : own > sequence ? 1 : 0;
}

/** The row of this record among sorted rows, by halving; undefined when it is not there. */
export function findIndexRow(rows: Uint8Array, id: RecordId): IndexRow | undefined {
  const view = viewOf(rows);
  const wanted = viewOf(writerBytes(id.writer));
  let low = 0;
  let high = indexRowCount(rows) - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = compareRowWith(view, middle * indexRowBytes, wanted, id.sequence);
    if (order === 0) return decodeIndexRow(rows, middle);
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}
