// Values of changes, as the database takes them: checked, since they come from packs, and the same on both databases.
//
// Invariants: a hybrid time below 2^63 and a sequence or count below 2^53, else RECORD_CORRUPT (no clock and no writer of ours gets
// there); text has no NUL, which PostgreSQL does not store, and is well-formed; 64-bit group ids are 8 bytes, ids 16 bytes.

import type { HybridTime } from '../base/index.ts';
import { ArchiveError, bytesOfId, isHex128 } from '../base/index.ts';
import type { JsonObject } from './changes.ts';

const hybridLimit = 1n << 63n;
const groupIdLimit = 1n << 64n;
const sequenceMax = BigInt(Number.MAX_SAFE_INTEGER);

function corrupt(what: string): ArchiveError {
  return new ArchiveError('RECORD_CORRUPT', `a record carries ${what} that no writer makes`);
}

export function hybridValue(time: HybridTime): bigint {
  if (time < 0n || time >= hybridLimit) throw corrupt('a time');
  return time;
}

export function sequenceValue(sequence: bigint): number {
  if (sequence < 0n || sequence > sequenceMax) throw corrupt('a sequence');
  return Number(sequence);
}

export function countValue(count: number): number {
  if (!Number.isSafeInteger(count) || count < 0) throw corrupt('a size or count');
  return count;
}

export function timeValue(ms: number): number {
  if (!Number.isSafeInteger(ms)) throw corrupt('a time');
  return ms;
}

export function optional<T, V>(value: T | undefined, make: (value: T) => V): V | null {
  return value === undefined ? null : make(value);
}

/** Text without NUL, which stands for nothing in the fields we keep (padding), and without halves of characters. */
export function textValue(text: string): string {
  return (text.includes('\0') ? text.replaceAll('\0', '') : text).toWellFormed();
}

export function jsonValue(value: JsonObject): string {
  return JSON.stringify(value);
}

export function groupIdBytes(group: bigint): Uint8Array {
  if (group < 0n || group >= groupIdLimit) throw corrupt('a group');
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, group);
  return bytes;
}

export function groupIdOf(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
}

export function packValue(pack: string): Uint8Array {
  if (!isHex128(pack)) throw corrupt('a pack');
  return bytesOfId(pack);
}

export function digestValue(digest: Uint8Array): Uint8Array {
  if (digest.byteLength !== 32) throw corrupt('a digest');
  return digest;
}
