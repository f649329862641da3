// Whole contents that lie close together in a pack, opened together: their records from one stretch of it, their plain bytes one content behind the other.
//
// Why: a study is read back as hundreds of neighbours. Record by record each costs the main thread three reads, three look-ups and a message; a stretch costs
// one of each, however many contents lie in it.
//
// Invariants: a record counts only when its own head names it and it opens under the group's keys, as `openRecord` checks it; a content is answered as opened
// only when all of it was, in the length that was promised. What is not opened may be damaged or merely lie elsewhere: nothing here says which, and whoever
// wants it reads it record by record.
// Left out on purpose: trees of more than one list (such content is larger than any stretch).

import { ArchiveError, assert, type KeyGroup, roundUp, type WriterId } from '../base/index.ts';
import {
  blockSizeBytes,
  decodeChunkList,
  decodeHead,
  type Head,
  isFrameKind,
  recordKind,
  recordSpanBytes,
} from '../format/index.ts';
import type { CipherKeys } from './cipher.ts';
import { openRecord, openRecordInto } from './record-job.ts';

export type OpenContentsJob = {
  /** A stretch of a pack, beginning with a record. Stays as it is until the answer. */
  readonly bytes: Uint8Array;
  /** Where the stretch begins in its block of the pack. */
  readonly offsetInBlock: number;
  /** Who wrote the records, and under which group's key. */
  readonly writer: WriterId;
  readonly group: KeyGroup;
  readonly keys: CipherKeys;
  /** Of each content: the sequence of its chunk list, or of the chunk that it is, and how long it is. */
  readonly refs: BigUint64Array;
  readonly sizesBytes: Uint32Array;
  /** As long as all contents together. */
  readonly into: Uint8Array;
};

type Found = { readonly head: Head; readonly body: Uint8Array };

/** Of each content: 1 where its plain bytes lie in their place now. */
export function openContents(job: OpenContentsJob): Uint8Array {
  const records = recordsOf(job);
  let end = 0;
  const opened = Uint8Array.from(job.sizesBytes, (sizeBytes, index) => {
    const room = job.into.subarray(end, end + sizeBytes);
    end += sizeBytes;
    return openContent(job.refs[index] as bigint, room, records, job) ? 1 : 0;
  });
  assert(end === job.into.byteLength, 'the contents fill their room');
  return opened;
}

/** By sequence. Records follow one another; behind the last of a group there are zeros, and the next begins at a block. */
function recordsOf({ bytes, offsetInBlock, writer, group }: OpenContentsJob): Map<bigint, Found> {
  const found = new Map<bigint, Found>();
  for (let at = 0; at < bytes.byteLength; ) {
    const head = decodeHead(bytes, at);
    if (head === 'short') break;
    if (head === undefined) {
      at = roundUp(offsetInBlock + at + 1, blockSizeBytes) - offsetInBlock;
      continue;
    }
    const bodyAt = at + head.bytes.byteLength;
    const body = bytes.subarray(bodyAt, bodyAt + head.bodySizeBytes);
    const isOurs = !isFrameKind(head.kind) && head.id.writer === writer && isSameGroup(head.group, group);
    if (isOurs && body.byteLength === head.bodySizeBytes) found.set(head.id.sequence, { head, body });
    at += recordSpanBytes(head);
  }
  return found;
}

function isSameGroup(one: KeyGroup, other: KeyGroup): boolean {
  return one.group === other.group && one.tenant === other.tenant && one.year === other.year;
}

function openContent(
  ref: bigint,
  room: Uint8Array,
  records: ReadonlyMap<bigint, Found>,
  { keys, writer }: OpenContentsJob,
): boolean {
  const open = (sequence: bigint, into: Uint8Array): boolean => {
    const record = records.get(sequence);
    const fits = record?.head.kind === recordKind.chunk && record.head.plainSizeBytes === into.byteLength;
    if (!fits || record.head.cipher !== keys.cipher) return false;
    openRecordInto({ ...record, keys }, into);
    return true;
  };
  try {
    const root = records.get(ref);
    if (root?.head.kind !== recordKind.chunkList) return open(ref, room);
    if (root.head.cipher !== keys.cipher) return false;
    const list = decodeChunkList(openRecord({ ...root, keys }));
    if (list.level !== 1 || list.sizeBytes !== room.byteLength) return false;
    let end = 0;
    return list.children.every(({ id, sizeBytes }) => {
      const from = end;
      end += sizeBytes;
      return id.writer === writer && open(id.sequence, room.subarray(from, end));
    });
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return false;
  }
}
