// The head of a record: a fixed part of 128 bytes, then type-length-values (FORMAT.md 2).
//
//   0 mark (8) | 8 head version u16 | 10 kind u16 | 12 codec u16 | 14 codec version u16 | 16 cipher u16 | 18 digest u16
//   20 key year u16 | 22 zero u16 | 24 tenant u32 | 28 length of type-length-values u32 | 32 key group u64
//   40 body length u64 | 48 plain length u64 | 56 sequence u64 | 64 hybrid time u64 | 72 writer id (16)
//   88 SHA-256 of the body (32) | 120 zero u32 | 124 CRC-32 of 0..123 and the type-length-values
//
// Invariants: a head names the body by digest, so its leaf commits to both; it holds no offset, pack id or padding, so a record is
// the same bytes wherever it is copied. Decoding never throws on damage: it answers undefined, since callers look for the next mark.

import {
  assert,
  bytesOfId,
  crc32,
  type HybridTime,
  idOfBytes,
  type KeyGroup,
  type RecordId,
  roundUp,
  setU64Number,
  sha256,
  type TenantId,
  u64Number,
  viewOf,
  type WriterId,
} from '../base/index.ts';
import {
  bodySizeBytesMax,
  chunkSizeBytesMax,
  digestNumber,
  headExtraBytesMax,
  headSizeBytes,
  recordAlignBytes,
} from './numbers.ts';

export type HeadFields = {
  readonly kind: number;
  readonly codec: number;
  readonly codecVersion: number;
  readonly cipher: number;
  readonly group: KeyGroup;
  readonly id: RecordId;
  readonly hybrid: HybridTime;
  readonly plainSizeBytes: number;
  readonly bodySizeBytes: number;
  /** Empty where the cipher is none. */
  readonly nonce: Uint8Array;
};

export type Head = HeadFields & {
  readonly bodyDigest: Uint8Array;
  /** Fixed part and type-length-values, as they stand on the medium. */
  readonly bytes: Uint8Array;
  /** False when something that must be understood is not: copy and check such a record, never decode it. */
  readonly understood: boolean;
};

export const recordMark = Uint8Array.of(0x89, 0x53, 0x54, 0x52, 0x0d, 0x0a, 0x1a, 0x0a);
const headVersion = 1;
const nonceType = 0x8001;
const mustUnderstandBit = 0x8000;
const tlvHeadBytes = 4;
/** What the cipher authenticates of the fixed part: all but the body's digest and the checksum. */
const associatedFixedBytes = 88;

const writerBytesCache = new Map<WriterId, Uint8Array>();
const writerBytesCacheMax = 64;

/** As they stand on a medium. Not to be written into. */
export function writerBytes(writer: WriterId): Uint8Array {
  let bytes = writerBytesCache.get(writer);
  if (bytes === undefined) {
    bytes = bytesOfId(writer);
    if (writerBytesCache.size >= writerBytesCacheMax) writerBytesCache.clear();
    writerBytesCache.set(writer, bytes);
  }
  return bytes;
}

function writeFixed(bytes: Uint8Array, view: DataView, fields: HeadFields): void {
  assert(fields.plainSizeBytes <= chunkSizeBytesMax, 'a record holds at most a chunk');
  assert(fields.bodySizeBytes <= bodySizeBytesMax, 'a body keeps to its limit');
  bytes.set(recordMark, 0);
  view.setUint16(8, headVersion, true);
  view.setUint16(10, fields.kind, true);
  view.setUint16(12, fields.codec, true);
  view.setUint16(14, fields.codecVersion, true);
  view.setUint16(16, fields.cipher, true);
  view.setUint16(18, digestNumber.sha256, true);
  view.setUint16(20, fields.group.year, true);
  view.setUint32(24, fields.group.tenant, true);
  view.setUint32(28, fields.nonce.byteLength === 0 ? 0 : tlvHeadBytes + fields.nonce.byteLength, true);
  view.setBigUint64(32, fields.group.group, true);
  setU64Number(view, 40, fields.bodySizeBytes);
  setU64Number(view, 48, fields.plainSizeBytes);
  view.setBigUint64(56, fields.id.sequence, true);
  view.setBigUint64(64, fields.hybrid, true);
  bytes.set(writerBytes(fields.id.writer), 72);
}

/** What the cipher authenticates beside the body. Known before the body is, as long as its length is. */
export function associatedData(fields: HeadFields): Uint8Array {
  const bytes = new Uint8Array(associatedFixedBytes);
  writeFixed(bytes, viewOf(bytes), fields);
  return bytes;
}

/** The same, of a head that was begun. */
export function associatedDataWithin(head: Uint8Array): Uint8Array {
  return head.subarray(0, associatedFixedBytes);
}

/** The same, of a head that was read: type-length-values of later versions included. */
export function associatedDataOf(head: Head): Uint8Array {
  const parts = [head.bytes.subarray(0, associatedFixedBytes)];
  for (const each of extrasOf(head.bytes)) if (each.type !== nonceType) parts.push(each.bytes);
  if (parts.length === 1) return parts[0] as Uint8Array;
  return Buffer.concat(parts);
}

/** How long a head with this nonce is. */
export function headBytesWith(nonce: Uint8Array): number {
  return headSizeBytes + (nonce.byteLength === 0 ? 0 : tlvHeadBytes + nonce.byteLength);
}

export function encodeHead(fields: HeadFields, bodyDigest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headBytesWith(fields.nonce));
  beginHead(bytes, fields);
  endHead(bytes, bodyDigest);
  return bytes;
}

/** Writes all of a head but what is known of the body at last. */
export function beginHead(bytes: Uint8Array, fields: HeadFields): void {
  assert(bytes.byteLength === headBytesWith(fields.nonce), 'a head has the length that its nonce asks for');
  const view = viewOf(bytes);
  view.setUint16(22, 0);
  view.setUint32(120, 0);
  writeFixed(bytes, view, fields);
  if (bytes.byteLength > headSizeBytes) {
    view.setUint16(headSizeBytes, nonceType, true);
    view.setUint16(headSizeBytes + 2, fields.nonce.byteLength, true);
    bytes.set(fields.nonce, headSizeBytes + tlvHeadBytes);
  }
}

export function endHead(bytes: Uint8Array, bodyDigest: Uint8Array): void {
  assert(bodyDigest.byteLength === 32, 'a digest has 32 bytes');
  bytes.set(bodyDigest, 88);
  viewOf(bytes).setUint32(124, headChecksum(bytes), true);
}

function headChecksum(bytes: Uint8Array): number {
  const fixed = crc32(bytes.subarray(0, 124));
  return bytes.byteLength === headSizeBytes ? fixed : crc32(bytes.subarray(headSizeBytes), fixed);
}

/**
 * The head that begins at `offset` of these bytes. `undefined`: there is none, or it is damaged. `short`: it may be one, and more
 * bytes are needed to say.
 */
export function decodeHead(bytes: Uint8Array, offset = 0): Head | 'short' | undefined {
  const available = bytes.byteLength - offset;
  if (available < headSizeBytes) return 'short';
  for (let index = 0; index < recordMark.byteLength; index += 1) {
    if (bytes[offset + index] !== recordMark[index]) return undefined;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, headSizeBytes);
  const extraBytes = view.getUint32(28, true);
  if (extraBytes > headExtraBytesMax) return undefined;
  if (available < headSizeBytes + extraBytes) return 'short';
  const whole = bytes.subarray(offset, offset + headSizeBytes + extraBytes);
  if (view.getUint32(124, true) !== headChecksum(whole)) return undefined;
  const bodySizeBytes = u64Number(view, 40);
  const plainSizeBytes = u64Number(view, 48);
  if (bodySizeBytes > bodySizeBytesMax || plainSizeBytes > chunkSizeBytesMax) return undefined;
  const extras = extrasOf(whole);
  const nonce = extras.find((each) => each.type === nonceType);
  const understood =
    view.getUint16(8, true) === headVersion &&
    view.getUint16(18, true) === digestNumber.sha256 &&
    view.getUint16(22, true) === 0 &&
    view.getUint32(120, true) === 0 &&
    extras.every((each) => each.type === nonceType || (each.type & mustUnderstandBit) === 0);
  return {
    kind: view.getUint16(10, true),
    codec: view.getUint16(12, true),
    codecVersion: view.getUint16(14, true),
    cipher: view.getUint16(16, true),
    group: {
      tenant: view.getUint32(24, true) as TenantId,
      year: view.getUint16(20, true),
      group: view.getBigUint64(32, true),
    },
    id: { writer: idOfBytes(whole.subarray(72, 88)) as WriterId, sequence: view.getBigUint64(56, true) },
    hybrid: view.getBigUint64(64, true),
    plainSizeBytes,
    bodySizeBytes,
    nonce: nonce === undefined ? whole.subarray(0, 0) : nonce.bytes.subarray(tlvHeadBytes),
    bodyDigest: whole.subarray(88, 120),
    bytes: whole,
    understood,
  };
}

type Extra = { readonly type: number; readonly bytes: Uint8Array };

/** Type-length-values; one that is cut short counts as a type that nobody understands. */
function extrasOf(head: Uint8Array): Extra[] {
  const extras: Extra[] = [];
  const view = viewOf(head);
  let offset = headSizeBytes;
  while (offset < head.byteLength) {
    const left = head.byteLength - offset;
    const size = left < tlvHeadBytes ? left + 1 : tlvHeadBytes + view.getUint16(offset + 2, true);
    if (size > left) {
      extras.push({ type: 0xffff, bytes: head.subarray(offset) });
      break;
    }
    extras.push({ type: view.getUint16(offset, true), bytes: head.subarray(offset, offset + size) });
    offset += size;
  }
  return extras;
}

/** Head and body, and the zeros up to where the next record begins. */
export function recordSpanBytes(head: {
  readonly bytes: { readonly byteLength: number };
  readonly bodySizeBytes: number;
}): number {
  return roundUp(head.bytes.byteLength + head.bodySizeBytes, recordAlignBytes);
}

/** Filled anew for each leaf: there is one a record, and nothing is computed from it later. */
const leafInput = new Uint8Array(1 + headSizeBytes + headExtraBytesMax);

export function leafOf(headBytes: Uint8Array): Uint8Array {
  // One copy and one call cost half of two updates, since heads are short.
  leafInput.set(headBytes, 1);
  return sha256(leafInput.subarray(0, 1 + headBytes.byteLength));
}
