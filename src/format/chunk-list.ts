// Chunk lists: the tree that makes one content of many chunks (FORMAT.md 5).
//
//   0 version u16 | 2 level u16 | 4 children u32 | 8 plain length of all below u64 | 16 SHA-256 of the content, or zeros (32)
//   48 children, 32 bytes each: writer id (16), sequence u64, plain length below u64

import {
  ArchiveError,
  assert,
  bytesOfId,
  idOfBytes,
  isZero,
  type RecordId,
  setU64Number,
  u64Number,
  viewOf,
  type WriterId,
} from '../base/index.ts';
import { chunkSizeBytesMax, listChildrenMax } from './numbers.ts';

export type ListChild = { readonly id: RecordId; readonly sizeBytes: number };

export type ChunkList = {
  readonly level: number;
  readonly sizeBytes: number;
  /** Only in the topmost list. */
  readonly digest: Uint8Array | undefined;
  readonly children: readonly ListChild[];
};

const listVersion = 1;
const listHeadBytes = 48;
const listChildBytes = 32;
/** 8192^4 chunks are more than a disk will ever hold: a deeper tree is damage. */
export const listLevelMax = 4;

assert(listHeadBytes + listChildrenMax * listChildBytes <= chunkSizeBytesMax, 'a full list fits a record');

export function encodeChunkList(list: ChunkList): Uint8Array {
  assert(list.children.length > 0 && list.children.length <= listChildrenMax, 'a list keeps to its limit of children');
  assert(list.level >= 1 && list.level <= listLevelMax, 'a list has a level within the limit');
  assert(
    list.sizeBytes === list.children.reduce((sum, child) => sum + child.sizeBytes, 0),
    'a list is as long as its children',
  );
  const bytes = new Uint8Array(listHeadBytes + list.children.length * listChildBytes);
  const view = viewOf(bytes);
  view.setUint16(0, listVersion, true);
  view.setUint16(2, list.level, true);
  view.setUint32(4, list.children.length, true);
  setU64Number(view, 8, list.sizeBytes);
  if (list.digest !== undefined) bytes.set(list.digest, 16);
  list.children.forEach((child, index) => {
    const at = listHeadBytes + index * listChildBytes;
    bytes.set(bytesOfId(child.id.writer), at);
    view.setBigUint64(at + 16, child.id.sequence, true);
    setU64Number(view, at + 24, child.sizeBytes);
  });
  return bytes;
}

export function decodeChunkList(bytes: Uint8Array): ChunkList {
  const fault = (what: string): ArchiveError => new ArchiveError('RECORD_CORRUPT', `a chunk list ${what}`);
  if (bytes.byteLength < listHeadBytes) throw fault('is cut short');
  const view = viewOf(bytes);
  const version = view.getUint16(0, true);
  if (version > listVersion) throw new ArchiveError('PACK_NEWER', `a chunk list has version ${version}`);
  const level = view.getUint16(2, true);
  const count = view.getUint32(4, true);
  if (level < 1 || level > listLevelMax || count < 1 || count > listChildrenMax) throw fault('has impossible counts');
  if (bytes.byteLength !== listHeadBytes + count * listChildBytes) throw fault('has another length than it says');
  const children: ListChild[] = [];
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    const at = listHeadBytes + index * listChildBytes;
    const sizeBytes = u64Number(view, at + 24);
    // A tree whose lists hold nothing would never end.
    if (sizeBytes === 0) throw fault('has a child of no bytes');
    const writer = idOfBytes(bytes.subarray(at, at + 16)) as WriterId;
    children.push({ id: { writer, sequence: view.getBigUint64(at + 16, true) }, sizeBytes });
    sum += sizeBytes;
  }
  const sizeBytes = u64Number(view, 8);
  if (sum !== sizeBytes || !Number.isSafeInteger(sum)) throw fault('is not as long as its children');
  const digest = bytes.subarray(16, 48);
  return { level, sizeBytes, digest: isZero(digest) ? undefined : digest, children };
}
