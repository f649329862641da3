// A record made of plain bytes, and plain bytes again of a record: pack, encrypt, digest, and the way back.
//
// Invariants: the head names the body by its digest and the cipher binds both together, so a record that opens is the record that was made; opening
// checks that the body is the head's (by the cipher's tag, or by the digest where there is no cipher), then the exact length, and gives nothing before.
// Pure and synchronous: the pool runs these two functions in its workers, and here for records too small to send away.

import {
  ArchiveError,
  assert,
  bytesEqual,
  type HybridTime,
  type KeyGroup,
  type RecordId,
  roundUp,
  sha256,
} from '../base/index.ts';
import {
  associatedData,
  associatedDataOf,
  associatedDataWithin,
  beginHead,
  encodeHead,
  endHead,
  type Head,
  type HeadFields,
  headBytesWith,
  recordAlignBytes,
  recordSpanBytes,
} from '../format/index.ts';
import { releaseOwn } from './buffers.ts';
import { type CipherKeys, openBody, sealInto, sealPacked, tagSizeBytes } from './cipher.ts';
import { type CodecHint, decodePacked, decodePackedInto, encodePlain } from './codec.ts';
import type { Place } from './shared-memory.ts';

/** What the writer decides about a record; codec, lengths and digest follow from its bytes. */
export type RecordFields = {
  readonly kind: number;
  readonly group: KeyGroup;
  readonly id: RecordId;
  readonly hybrid: HybridTime;
};

export type MakeJob = {
  readonly fields: RecordFields;
  readonly plain: Uint8Array;
  readonly hint: CodecHint;
  /** The group's, for the cipher that the record shall have. */
  readonly keys: CipherKeys;
  /** Random, as long as the cipher asks for, never used before. */
  readonly nonce: Uint8Array;
  /** Asked once, when a worker is about to make the record, for a place in the shared memory that takes it with its padding. */
  readonly room?: RecordRoom | undefined;
};

/** `move` gives the record another place as long as no worker has begun with it, and says whether it did. */
export type RecordRoom = (spanBytes: number, move: (to: Place) => boolean) => Place | undefined;

export type RecordBytes = {
  readonly fields: HeadFields;
  readonly head: Uint8Array;
  readonly body: Uint8Array;
};

/** How long the record of so many plain bytes may come to be, with its padding: no codec makes bytes longer. */
export function spanBytesMax(plainSizeBytes: number, keys: CipherKeys, nonce: Uint8Array): number {
  const bodySizeBytes = plainSizeBytes + tagSizeBytes(keys.cipher);
  return recordSpanBytes({ bytes: { byteLength: headBytesWith(nonce) }, bodySizeBytes });
}

export function makeRecord(job: MakeJob): RecordBytes {
  const { plain, keys, nonce } = job;
  const { fields, packed } = packJob(job);
  const body = keys.cipher === 0 ? packed : sealPacked({ keys, nonce, associated: associatedData(fields), packed });
  // Bytes that lay between plain bytes and body are ours alone.
  if (packed.buffer !== plain.buffer && packed.buffer !== body.buffer) releaseOwn(packed);
  assert(body.byteLength === fields.bodySizeBytes, 'a body is as long as its head was told');
  return { fields, head: encodeHead(fields, sha256(body)), body };
}

/** The same record, written from the beginning of `room`, with the zeros behind it: head and body are views of it. */
export function makeRecordInto(job: MakeJob, room: Uint8Array): RecordBytes {
  const { plain, keys, nonce } = job;
  const { fields, packed } = packJob(job);
  const headSizeBytes = headBytesWith(nonce);
  const end = headSizeBytes + fields.bodySizeBytes;
  const span = roundUp(end, recordAlignBytes);
  assert(span <= room.byteLength, 'a record fits the room that was reserved for it');
  const head = room.subarray(0, headSizeBytes);
  const body = room.subarray(headSizeBytes, end);
  beginHead(head, fields);
  sealInto({ keys, nonce, associated: associatedDataWithin(head), packed }, body);
  if (packed.buffer !== plain.buffer) releaseOwn(packed);
  endHead(head, sha256(body));
  room.fill(0, end, span);
  return { fields, head, body };
}

function packJob({ fields, plain, hint, keys, nonce }: MakeJob): { fields: HeadFields; packed: Uint8Array } {
  const { codec, codecVersion, packed } = encodePlain(plain, hint);
  const { kind, group, id, hybrid } = fields;
  const { cipher } = keys;
  const plainSizeBytes = plain.byteLength;
  const bodySizeBytes = packed.byteLength + tagSizeBytes(cipher);
  return {
    fields: { kind, codec, codecVersion, cipher, group, id, hybrid, plainSizeBytes, bodySizeBytes, nonce },
    packed,
  };
}

export type OpenJob = {
  readonly head: Head;
  readonly body: Uint8Array;
  /** The group's, for the cipher that the head names. */
  readonly keys: CipherKeys;
};

/** RECORD_CORRUPT: the body is not the one that the head names. CODEC_UNKNOWN: of a later version. CODEC_FAULT: it does not decode. */
export function openRecord(job: OpenJob): Uint8Array {
  const packed = openPacked(job);
  const plain = decodePacked(job.head, packed);
  if (packed.buffer !== job.body.buffer && packed.buffer !== plain.buffer) releaseOwn(packed);
  return plain;
}

/** The same, written into `into`, which is as long as the head says. */
export function openRecordInto(job: OpenJob, into: Uint8Array): void {
  const packed = openPacked(job);
  decodePackedInto(job.head, packed, into);
  if (packed.buffer !== job.body.buffer) releaseOwn(packed);
}

function openPacked({ head, body, keys }: OpenJob): Uint8Array {
  if (!head.understood) {
    throw new ArchiveError('CODEC_UNKNOWN', 'a record has parts that this version does not understand');
  }
  assert(keys.cipher === head.cipher, 'a record is opened with keys for its own cipher');
  // A cipher's tag covers the body and all of the head but the digest, which the head's checksum covers: a second hash would prove nothing more,
  // and cost as much as the cipher itself.
  const checked = keys.cipher !== 0 || bytesEqual(sha256(body), head.bodyDigest);
  if (body.byteLength !== head.bodySizeBytes || !checked) {
    throw new ArchiveError('RECORD_CORRUPT', 'the body of a record is not the one that its head names');
  }
  return keys.cipher === 0 ? body : openBody({ keys, nonce: head.nonce, associated: associatedDataOf(head), body });
}
