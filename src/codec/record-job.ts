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
  sha256,
} from '../base/index.ts';
import { associatedData, associatedDataOf, encodeHead, type Head, type HeadFields } from '../format/index.ts';
import { releaseOwn } from './buffers.ts';
import { type CipherKeys, openBody, sealPacked, tagSizeBytes } from './cipher.ts';
import { type CodecHint, decodePacked, encodePlain } from './codec.ts';

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
};

export type RecordBytes = {
  readonly fields: HeadFields;
  readonly head: Uint8Array;
  readonly body: Uint8Array;
};

export function makeRecord(job: MakeJob): RecordBytes {
  const { plain, keys, nonce } = job;
  const { codec, codecVersion, packed } = encodePlain(plain, job.hint);
  const fields: HeadFields = {
    kind: job.fields.kind,
    codec,
    codecVersion,
    cipher: keys.cipher,
    group: job.fields.group,
    id: job.fields.id,
    hybrid: job.fields.hybrid,
    plainSizeBytes: plain.byteLength,
    bodySizeBytes: packed.byteLength + tagSizeBytes(keys.cipher),
    nonce,
  };
  const body = keys.cipher === 0 ? packed : sealPacked({ keys, nonce, associated: associatedData(fields), packed });
  // Bytes that lay between plain bytes and body are ours alone.
  if (packed.buffer !== plain.buffer && packed.buffer !== body.buffer) releaseOwn(packed);
  assert(body.byteLength === fields.bodySizeBytes, 'a body is as long as its head was told');
  return { fields, head: encodeHead(fields, sha256(body)), body };
}

export type OpenJob = {
  readonly head: Head;
  readonly body: Uint8Array;
  /** The group's, for the cipher that the head names. */
  readonly keys: CipherKeys;
};

/** RECORD_CORRUPT: the body is not the one that the head names. CODEC_UNKNOWN: of a later version. CODEC_FAULT: it does not decode. */
export function openRecord(job: OpenJob): Uint8Array {
  const { head, body, keys } = job;
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
  const packed =
    keys.cipher === 0 ? body : openBody({ keys, nonce: head.nonce, associated: associatedDataOf(head), body });
  const plain = decodePacked(head, packed);
  if (packed.buffer !== body.buffer && packed.buffer !== plain.buffer) releaseOwn(packed);
  return plain;
}
