// Tables from codes to characters and back, made on first use from the character sets that Node's ICU carries.
//
// Invariants: a cell is 0 where the code says nothing; tables are made once, are never changed, and cost nothing until someone needs them (a few ms and
// 50-250 KB each). The inverse of a table with duplicates gives the lowest code, which is the set's own and not a vendor's addition.
// Left out on purpose: runs of bytes, escape sequences, errors. The readers and writers of text know those.

import { assert } from '../../base/index.ts';

/** Codes 0xA0-0xFF of an 8-bit set. */
export type UpperTable = Uint16Array;
/** Codes of two bytes, lead 0x81-0xFE, trail 0x40-0xFE. */
export type PairTable = Uint16Array;
/** Character (UTF-16 unit) to code; 0 where there is none. */
export type InverseTable = Uint16Array;

const replacement = 0xfffd;
const trailCount = 0xff - 0x40;

export function pairIndex(lead: number, trail: number): number {
  return (lead - 0x81) * trailCount + (trail - 0x40);
}

const uppers = new Map<string, UpperTable>();
const pairs = new Map<string, PairTable>();
const inverses = new WeakMap<Uint16Array, InverseTable>();

/** The upper half of an 8-bit set that ICU knows under this name. */
export function upperTable(encoding: string): UpperTable {
  const known = uppers.get(encoding);
  if (known !== undefined) return known;
  const codes = Uint8Array.from({ length: 96 }, (_, at) => 0xa0 + at);
  const text = new TextDecoder(encoding).decode(codes);
  assert(text.length === 96, 'an 8-bit set gives one unit a byte');
  const table = Uint16Array.from({ length: 96 }, (_, at) => {
    const unit = text.charCodeAt(at);
    return unit === replacement ? 0 : unit;
  });
  uppers.set(encoding, table);
  return table;
}

/** JIS X 0201 above 0xA0: half-width katakana, which Unicode keeps in the same order; 0xA0 and 0xE0-0xFF say nothing. */
export function katakanaTable(): UpperTable {
  const known = uppers.get('katakana');
  if (known !== undefined) return known;
  const table = Uint16Array.from({ length: 96 }, (_, at) => (at >= 0x01 && at <= 0x3f ? 0xff60 + at : 0));
  uppers.set('katakana', table);
  return table;
}

type PairSource = { encoding: string; prefix?: number };
const pairSources = {
  gb: { encoding: 'gb18030' },
  ks: { encoding: 'euc-kr' },
  jis208: { encoding: 'euc-jp' },
  jis212: { encoding: 'euc-jp', prefix: 0x8f },
} as const satisfies Record<string, PairSource>;

export function pairTable(name: keyof typeof pairSources): PairTable {
  const known = pairs.get(name);
  if (known !== undefined) return known;
  const source: PairSource = pairSources[name];
  const table = new Uint16Array((0xff - 0x81) * trailCount);
  const decoder = new TextDecoder(source.encoding);
  const prefix = source.prefix === undefined ? [] : [source.prefix];
  // One row a call; the line feed behind each code catches what a broken code would swallow.
  for (let lead = 0x81; lead <= 0xfe; lead++) {
    const row: number[] = [];
    for (let trail = 0x40; trail <= 0xfe; trail++) row.push(...prefix, lead, trail, 0x0a);
    const cells = decoder.decode(Uint8Array.from(row)).split('\n');
    for (let trail = 0x40; trail <= 0xfe; trail++) {
      const cell = cells[trail - 0x40] ?? '';
      if (cell.length === 1 && cell.charCodeAt(0) !== replacement) {
        table[pairIndex(lead, trail)] = cell.charCodeAt(0);
      }
    }
  }
  if (name === 'jis208') for (const [code, unit] of jisOwn) table[pairIndex(code >> 8, code & 0xff)] = unit;
  pairs.set(name, table);
  return table;
}

/** Six cells of JIS X 0208 that ICU maps as Windows does, to full-width forms; here as the standard, DCMTK and Python do. */
const jisOwn: readonly (readonly [code: number, unit: number])[] = [
  [0xa1c1, 0x301c],
  [0xa1c2, 0x2016],
  [0xa1dd, 0x2212],
  [0xa1f1, 0x00a2],
  [0xa1f2, 0x00a3],
  [0xa2cc, 0x00ac],
];

/** From character to the lowest code of the table: lead * 256 + trail. */
export function inverseOfPairs(table: PairTable): InverseTable {
  const known = inverses.get(table);
  if (known !== undefined) return known;
  const inverse = new Uint16Array(0x10000);
  for (let lead = 0xfe; lead >= 0x81; lead--) {
    for (let trail = 0xfe; trail >= 0x40; trail--) {
      const unit = table[pairIndex(lead, trail)] as number;
      if (unit !== 0) inverse[unit] = lead * 256 + trail;
    }
  }
  inverses.set(table, inverse);
  return inverse;
}

/** From character to its byte 0xA0-0xFF. */
export function inverseOfUpper(table: UpperTable): InverseTable {
  const known = inverses.get(table);
  if (known !== undefined) return known;
  const inverse = new Uint16Array(0x10000);
  for (let at = table.length - 1; at >= 0; at--) {
    const unit = table[at] as number;
    if (unit !== 0) inverse[unit] = 0xa0 + at;
  }
  inverses.set(table, inverse);
  return inverse;
}

/** How many four-byte codes of GB18030 stand for characters of the first plane, from 0x81308130 on. */
export const fourByteCount = 39_420;
/** The number of the four-byte code 0x90308130, where U+10000 begins. */
export const fourByteAstral = 189_000;

let fourBytes: Uint16Array | undefined;
let fourByteNumbers: Uint16Array | undefined;

/** The number of a four-byte code, counted from 0x81308130. */
export function fourByteNumber(first: number, second: number, third: number, fourth: number): number {
  return (((first - 0x81) * 10 + (second - 0x30)) * 126 + (third - 0x81)) * 10 + (fourth - 0x30);
}

/** GB18030's four-byte codes of the first plane: number to character. */
export function fourByteTable(): Uint16Array {
  if (fourBytes !== undefined) return fourBytes;
  const codes = new Uint8Array(fourByteCount * 4);
  for (let number = 0; number < fourByteCount; number++) {
    codes[number * 4] = 0x81 + Math.floor(number / 12_600);
    codes[number * 4 + 1] = 0x30 + (Math.floor(number / 1260) % 10);
    codes[number * 4 + 2] = 0x81 + (Math.floor(number / 10) % 126);
    codes[number * 4 + 3] = 0x30 + (number % 10);
  }
  const text = new TextDecoder('gb18030').decode(codes);
  assert(text.length === fourByteCount, 'each four-byte code below the second plane gives one unit');
  fourBytes = Uint16Array.from({ length: fourByteCount }, (_, number) => {
    const unit = text.charCodeAt(number);
    return unit === replacement && number !== fourByteOfReplacement ? 0 : unit;
  });
  return fourBytes;
}

/** 0x8431A437, the code that really means U+FFFD. */
const fourByteOfReplacement = fourByteNumber(0x84, 0x31, 0xa4, 0x37);

/** From character to the number of its four-byte code plus one; 0 where there is none. */
export function fourByteInverse(): Uint16Array {
  if (fourByteNumbers !== undefined) return fourByteNumbers;
  const inverse = new Uint16Array(0x10000);
  const table = fourByteTable();
  for (let number = fourByteCount - 1; number >= 0; number--) {
    const unit = table[number] as number;
    if (unit !== 0) inverse[unit] = number + 1;
  }
  fourByteNumbers = inverse;
  return inverse;
}
