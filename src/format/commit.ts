// Groups and the commit record that ends each (FORMAT.md 1.2, 2.3).
//
//   body: 0 records in the group u32 | 4 zero, or 1 in the footer u32 | 8 offset of the group u64
//   16 offset of the previous commit record u64 (all ones: none) | 24 records in the pack so far u64 | 32 SHA-256 of the leaves (32)
//
// Invariant: a group is a multiple of 4096 bytes and its last 192 bytes are the commit record.

import {
  assert,
  bytesEqual,
  type HybridTime,
  type RecordId,
  setU64Number,
  sha256,
  systemTenant,
  u64Number,
  viewOf,
  type WriterId,
} from '../base/index.ts';
import { decodeHead, encodeHead } from './head.ts';
import { blockSizeBytes, commitBodyBytes, commitSizeBytes, headSizeBytes, recordKind } from './numbers.ts';

export type Commit = {
  readonly writer: WriterId;
  readonly hybrid: HybridTime;
  /** Number of the group in the pack, from 0. */
  readonly number: number;
  readonly recordCount: number;
  readonly inFooter: boolean;
  readonly groupOffset: number;
  /** undefined in the first group. */
  readonly previousCommitOffset: number | undefined;
  readonly recordCountSoFar: number;
  readonly leavesDigest: Uint8Array;
};

const noPrevious = 0xffff_ffff_ffff_ffffn;

export function encodeCommit(commit: Commit): Uint8Array {
  assert(commit.groupOffset % blockSizeBytes === 0, 'a group begins at a block');
  assert(commit.leavesDigest.byteLength === 32, 'a digest has 32 bytes');
  const body = new Uint8Array(commitBodyBytes);
  const view = viewOf(body);
  view.setUint32(0, commit.recordCount, true);
  view.setUint32(4, commit.inFooter ? 1 : 0, true);
  setU64Number(view, 8, commit.groupOffset);
  if (commit.previousCommitOffset === undefined) view.setBigUint64(16, noPrevious, true);
  else setU64Number(view, 16, commit.previousCommitOffset);
  setU64Number(view, 24, commit.recordCountSoFar);
  body.set(commit.leavesDigest, 32);
  const id: RecordId = { writer: commit.writer, sequence: BigInt(commit.number) };
  const head = encodeHead(
    {
      kind: recordKind.commit,
      codec: 0,
      codecVersion: 0,
      cipher: 0,
      group: { tenant: systemTenant, year: 0, group: 0n },
      id,
      hybrid: commit.hybrid,
      plainSizeBytes: commitBodyBytes,
      bodySizeBytes: commitBodyBytes,
      nonce: new Uint8Array(0),
    },
    sha256(body),
  );
  const bytes = new Uint8Array(commitSizeBytes);
  bytes.set(head, 0);
  bytes.set(body, headSizeBytes);
  return bytes;
}

/** The commit record in these 192 bytes; undefined when there is none, or it is damaged. */
export function decodeCommit(bytes: Uint8Array): Commit | undefined {
  if (bytes.byteLength !== commitSizeBytes) return undefined;
  const head = decodeHead(bytes);
  if (head === undefined || head === 'short') return undefined;
  if (head.kind !== recordKind.commit || !head.understood || head.bytes.byteLength !== headSizeBytes) return undefined;
  const body = bytes.subarray(headSizeBytes);
  if (head.bodySizeBytes !== commitBodyBytes || !bytesEqual(sha256(body), head.bodyDigest)) return undefined;
  const view = viewOf(body);
  const previous = view.getBigUint64(16, true);
  return {
    writer: head.id.writer,
    hybrid: head.hybrid,
    number: Number(head.id.sequence),
    recordCount: view.getUint32(0, true),
    inFooter: view.getUint32(4, true) === 1,
    groupOffset: u64Number(view, 8),
    previousCommitOffset: previous === noPrevious ? undefined : Number(previous),
    recordCountSoFar: u64Number(view, 24),
    leavesDigest: body.subarray(32, 64),
  };
}

/** Zeros between the last record of a group and its commit record, `sizeBytes` being the records' length. */
export function groupPaddingBytes(sizeBytes: number): number {
  const withCommit = sizeBytes + commitSizeBytes;
  return (blockSizeBytes - (withCommit % blockSizeBytes)) % blockSizeBytes;
}
