// GBK and GB18030, which stand alone: no escape sequences, one, two or four bytes a character.
//
// Invariants: never throws; a byte 0x5C or 0x5E that is the second half of a character is part of that character (126 characters of GBK end in each); a
// half character swallows nothing that could be a delimiter. GBK reads what GB18030 reads, and writes only codes of two bytes.

import {
  fourByteAstral,
  fourByteInverse,
  fourByteNumber,
  fourByteTable,
  inverseOfPairs,
  pairIndex,
  pairTable,
} from './code-tables.ts';
import { findEscape } from './graphic-sets.ts';
import type { UnitBuffer } from './unit-buffer.ts';

export type GbScheme = { readonly kind: 'gb'; readonly fourBytes: boolean };

const escapeByte = 0x1b;
const euro = 0x20ac;

export function decodeGb(scheme: GbScheme, bytes: Uint8Array, out: UnitBuffer): void {
  const table = pairTable('gb');
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at] as number;
    if (byte < 0x80) {
      at += byte === escapeByte ? takeEscape(bytes, at, out) : 1;
      if (byte !== escapeByte) out.put(byte);
      continue;
    }
    const trail = bytes[at + 1] ?? 0;
    if (byte === 0x80) {
      // Code page 936, the Windows form of GBK, has the euro sign here.
      out.put(euro);
      out.note('repertoire-exceeded');
      at += 1;
    } else if (byte !== 0xff && trail >= 0x40 && trail <= 0xfe) {
      const unit = table[pairIndex(byte, trail)] as number;
      if (unit === 0) out.putInvalid();
      else out.put(unit);
      at += unit === 0 && trail < 0x80 ? 1 : 2;
    } else if (byte !== 0xff && trail >= 0x30 && trail <= 0x39) {
      at += takeFour(scheme, bytes, at, out);
    } else {
      out.putInvalid();
      at += 1;
    }
  }
}

/** Escape sequences have no place here, but some devices announce GB 2312 all the same; what they announce is what is read anyway. */
function takeEscape(bytes: Uint8Array, at: number, out: UnitBuffer): number {
  const found = findEscape(bytes, at);
  if (found?.set.name === 'gb2312' || found?.set.name === 'ascii') {
    out.note('escape-undeclared');
    return found.sizeBytes;
  }
  out.note('escape-unknown');
  out.put(escapeByte);
  return 1;
}

function takeFour(scheme: GbScheme, bytes: Uint8Array, at: number, out: UnitBuffer): number {
  const third = bytes[at + 2] ?? 0;
  const fourth = bytes[at + 3] ?? 0;
  if (third < 0x81 || third > 0xfe || fourth < 0x30 || fourth > 0x39) {
    out.putInvalid();
    return 1;
  }
  const number = fourByteNumber(bytes[at] as number, bytes[at + 1] as number, third, fourth);
  const codePoint = number >= fourByteAstral ? number - fourByteAstral + 0x10000 : (fourByteTable()[number] ?? 0);
  if (codePoint === 0 || codePoint > 0x10ffff) {
    out.putInvalid();
    return 4;
  }
  if (!scheme.fourBytes) out.note('repertoire-exceeded');
  out.putCodePoint(codePoint);
  return 4;
}

export function encodeGb(scheme: GbScheme, text: string): Uint8Array | undefined {
  const inverse = inverseOfPairs(pairTable('gb'));
  const bytes: number[] = [];
  for (const char of text) {
    const codePoint = char.codePointAt(0) as number;
    if (codePoint === escapeByte) return undefined;
    if (codePoint < 0x80) {
      bytes.push(codePoint);
      continue;
    }
    const code = codePoint < 0x10000 ? (inverse[codePoint] as number) : 0;
    if (code !== 0) {
      bytes.push(code >> 8, code & 0xff);
      continue;
    }
    const number =
      codePoint < 0x10000 ? (fourByteInverse()[codePoint] as number) - 1 : codePoint - 0x10000 + fourByteAstral;
    if (!scheme.fourBytes || number < 0) return undefined;
    bytes.push(0x81 + Math.floor(number / 12_600), 0x30 + (Math.floor(number / 1260) % 10));
    bytes.push(0x81 + (Math.floor(number / 10) % 126), 0x30 + (number % 10));
  }
  return Uint8Array.from(bytes);
}
