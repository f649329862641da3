// Numbers and tags out of a stream, in either byte order.
//
// Left out on purpose: DataView, which would have to be made anew whenever a buffer grows.

import type { Tag } from './tag.ts';

export function u16At(bytes: Uint8Array, at: number, bigEndian: boolean): number {
  const first = bytes[at] as number;
  const second = bytes[at + 1] as number;
  return bigEndian ? (first << 8) | second : first | (second << 8);
}

export function u32At(bytes: Uint8Array, at: number, bigEndian: boolean): number {
  const low = u16At(bytes, bigEndian ? at + 2 : at, bigEndian);
  const high = u16At(bytes, bigEndian ? at : at + 2, bigEndian);
  return ((high << 16) | low) >>> 0;
}

export function tagAt(bytes: Uint8Array, at: number, bigEndian: boolean): Tag {
  return ((u16At(bytes, at, bigEndian) << 16) | u16At(bytes, at + 2, bigEndian)) >>> 0;
}

/** The length that says that a delimiter ends the value. */
export const undefinedLength = 0xffff_ffff;
