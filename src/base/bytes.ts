// Bytes: hex, equality, concatenation, and little-endian reads and writes on a plain Uint8Array.
//
// Invariants: nothing here copies unless its name says so; all numbers are little-endian; u64 is a bigint outside and never a
// lossy number, except where a name ends in `Number` and the value is checked to be a safe integer.

import { assert } from './assert.ts';

export const emptyBytes = new Uint8Array(0);

export function hexOf(bytes: Uint8Array): string {
  return bytes.toHex();
}

export function bytesOfHex(hex: string): Uint8Array {
  assert(hex.length % 2 === 0, 'hex text has an even length');
  const { buffer, byteOffset, byteLength } = Buffer.from(hex, 'hex');
  return new Uint8Array(buffer, byteOffset, byteLength);
}

export function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

export function bytesOfBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(a, b) === 0;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let sizeBytes = 0;
  for (const part of parts) sizeBytes += part.byteLength;
  const whole = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

/** Where the runtime's own copy is as quick as any. */
const plainCopyBytesMax = 4096;

/**
 * `into.set(from)`. Into memory that threads share the runtime copies word by word, as its memory model asks; nobody may look at bytes that are being copied
 * here, so they go as plain memory does: 512 KB that another core had last in 60 us instead of 100.
 */
export function copyBytes(from: Uint8Array, into: Uint8Array): void {
  assert(from.byteLength <= into.byteLength, 'what is copied has room');
  if (from.byteLength <= plainCopyBytesMax) into.set(from);
  else Buffer.prototype.copy.call(from, into);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function isZero(bytes: Uint8Array): boolean {
  if (bytes.byteLength === 0) return true;
  // All bytes are zero when the first is and each equals the one before: one comparison of memory instead of a loop.
  return bytes[0] === 0 && Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0;
}

/** A u64 that our limits keep within 2^53; from a disk, check before calling. */
export function u64Number(view: DataView, offset: number): number {
  const value = view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 0x1_0000_0000;
  return value;
}

export function setU64Number(view: DataView, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'a u64 written from a number is a safe integer');
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

const utf8Encoder = new TextEncoder();
// A byte order mark is a character like any other: a decoder that swallows it would alter a key.
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Up to here Node cuts a buffer from one that is there already: a fifth of what one of its own costs. */
const pooledCharsMax = 1024;

export function utf8Bytes(text: string): Uint8Array {
  if (text.length > pooledCharsMax) return utf8Encoder.encode(text);
  const { buffer, byteOffset, byteLength } = Buffer.from(text);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Text of bytes that must be UTF-8; undefined when they are not. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
