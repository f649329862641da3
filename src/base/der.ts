// DER: the few forms of ASN.1 that certificates and SNMP are written in (ITU-T X.690).
//
// Invariants: definite lengths, the shortest that fit; integers are written with the least bytes that keep their sign. Writing only: what others wrote is
// read by Node.
// Left out on purpose: every form that neither has.

import { assert } from './assert.ts';
import { concatBytes, utf8Bytes } from './bytes.ts';

const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8String: 0x0c,
  generalizedTime: 0x18,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
} as const;

function written(tagByte: number, content: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(tagByte, ...lengthBytes(content.byteLength)), content]);
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => written(tag.sequence, concatBytes(parts));
export const setOf = (part: Uint8Array): Uint8Array => written(tag.set, part);
export const octets = (bytes: Uint8Array): Uint8Array => written(tag.octetString, bytes);
export const utf8String = (text: string): Uint8Array => written(tag.utf8String, utf8Bytes(text));
export const truth = (): Uint8Array => written(tag.boolean, Uint8Array.of(0xff));

/** An unsigned number, the greatest byte first. */
export function integer(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bytes.byteLength - 1 && bytes[from] === 0) from += 1;
  const least = bytes.subarray(from);
  const isNegative = ((least[0] ?? 0) & 0x80) !== 0;
  return written(tag.integer, isNegative ? concatBytes([Uint8Array.of(0), least]) : least);
}

/** Bits, of whose last byte so many count for nothing. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  assert(unusedBits >= 0 && unusedBits < 8, 'bits of one byte at most are unused');
  return written(tag.bitString, concatBytes([Uint8Array.of(unusedBits), bytes]));
}

/** An object identifier in dotted form. */
export function objectId(dotted: string): Uint8Array {
  const [first = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt);
  const bytes: number[] = [];
  // Arcs below a UUID have 128 bits.
  for (const arc of [40n * first + second, ...rest]) {
    const digits = [Number(arc & 0x7fn)];
    for (let left = arc >> 7n; left > 0n; left >>= 7n) digits.unshift(0x80 | Number(left & 0x7fn));
    bytes.push(...digits);
  }
  return written(tag.objectId, Uint8Array.from(bytes));
}

/** A time of whole seconds, in the form that RFC 5280 asks for in its year. */
export function time(ms: number): Uint8Array {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  const isLate = Number(text.slice(0, 4)) >= 2050;
  return written(isLate ? tag.generalizedTime : tag.utcTime, utf8Bytes(`${isLate ? text : text.slice(2)}Z`));
}

/** What stands under a number of its own in the place where it is, or, for an application, wherever it is. */
export function numbered(number: number, content: Uint8Array, form: 'inner' | 'plain' | 'application'): Uint8Array {
  const classBits = { inner: 0xa0, plain: 0x80, application: 0x40 };
  return written(classBits[form] | number, content);
}
