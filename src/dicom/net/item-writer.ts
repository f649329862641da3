// Fields and items of a PDU as bytes: big-endian, lengths filled in.
//
// Left out on purpose: what items mean; see item-reader.ts for the other way.

import { assert, concatBytes } from '../../base/index.ts';

export function u8(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}

export function u16(value: number): Uint8Array {
  assert(value >= 0 && value <= 0xffff, 'a field of two bytes holds at most 65,535');
  return u8(value >> 8, value & 0xff);
}

export function u32(value: number): Uint8Array {
  return u8((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

export function ascii(text: string): Uint8Array {
  assert(/^[\x20-\x7e]*$/.test(text), 'names and UIDs of the upper layer are ASCII');
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** An item or sub-item: type, second byte (zero in most), length, body. */
export function item(type: number, parts: readonly Uint8Array[], second = 0): Uint8Array {
  const body = concatBytes(parts);
  return concatBytes([u8(type, second), u16(body.byteLength), body]);
}

/** A length in two bytes and what it counts. */
export function counted(bytes: Uint8Array): Uint8Array {
  return concatBytes([u16(bytes.byteLength), bytes]);
}
