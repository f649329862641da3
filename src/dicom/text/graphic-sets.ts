// The graphic sets of ISO 2022 that DICOM uses (PS3.3 tables C.12-3 and C.12-4): which half of the code they fill, how many bytes a character has,
// which escape sequence brings them in, and what their codes mean.
//
// Invariants: a G0 set takes bytes 0x21-0x7E, a G1 set 0xA0-0xFF; looking a code up answers 0 when it says nothing. `strict` is the registered set;
// a lenient look-up also knows what vendors add (GBK around GB 2312, NEC and IBM kanji).
// Left out on purpose: which set is active when (iso2022-decoder.ts, iso2022-encoder.ts).

import {
  type InverseTable,
  inverseOfPairs,
  inverseOfUpper,
  katakanaTable,
  type PairTable,
  pairIndex,
  pairTable,
  type UpperTable,
  upperTable,
} from './code-tables.ts';
import type { Repertoire } from './defined-terms.ts';

export type GraphicSet = {
  readonly name: string;
  readonly half: 'G0' | 'G1';
  readonly width: 1 | 2;
  /** What follows ESC. */
  readonly escape: string;
  readonly table: () => UpperTable | PairTable;
  /** Whether a code (with high bits) belongs to the registered set, and not to a vendor's extension of it. */
  readonly strict: (lead: number, trail: number) => boolean;
  /** Characters that are written with another one's code. */
  readonly twins?: ReadonlyMap<number, number>;
};

function always(): boolean {
  return true;
}

/** GB 2312-80 within GBK: 7,445 of the 94 x 94 cells. */
function inGb2312(lead: number, trail: number): boolean {
  if (trail < 0xa1) return false;
  switch (lead) {
    case 0xa1:
    case 0xa3:
      return true;
    case 0xa2:
      return (trail >= 0xb1 && trail <= 0xe2) || (trail >= 0xe5 && trail <= 0xee) || (trail >= 0xf1 && trail <= 0xfc);
    case 0xa4:
      return trail <= 0xf3;
    case 0xa5:
      return trail <= 0xf6;
    case 0xa6:
      return trail <= 0xb8 || (trail >= 0xc1 && trail <= 0xd8);
    case 0xa7:
      return trail <= 0xc1 || (trail >= 0xd1 && trail <= 0xf1);
    case 0xa8:
      return trail <= 0xba || (trail >= 0xc5 && trail <= 0xe9);
    case 0xa9:
      return trail >= 0xa4 && trail <= 0xef;
    case 0xd7:
      return trail <= 0xf9;
    default:
      return lead >= 0xb0 && lead <= 0xf7;
  }
}

/** KS X 1001 without rows 41 and 94, which belong to the user, and without the euro and registered signs of 1998. */
function inKsx1001(lead: number, trail: number): boolean {
  if (lead < 0xa1 || trail < 0xa1 || lead === 0xc9 || lead === 0xfe) return false;
  return lead !== 0xa2 || trail <= 0xe5;
}

/** JIS X 0208 without NEC's row 13 and IBM's rows 89-92. */
function inJisx0208(lead: number, trail: number): boolean {
  return trail >= 0xa1 && ((lead >= 0xa1 && lead <= 0xa8) || (lead >= 0xb0 && lead <= 0xf4));
}

function upper(name: string, escape: string, encoding: string): GraphicSet {
  return { name, half: 'G1', width: 1, escape, table: () => upperTable(encoding), strict: always };
}

function noTable(): UpperTable {
  return new Uint16Array(0);
}

export const ascii: GraphicSet = { name: 'ascii', half: 'G0', width: 1, escape: '(B', table: noTable, strict: always };
/**
 * JIS X 0201 below 0x80 is ASCII but for two codes, 0x5C (yen) and 0x7E (overline). They are read as backslash and tilde all the same: senders mean them as
 * often, every Japanese system shows one for the other, and a backslash is what separates values.
 */
export const romaji: GraphicSet = { ...ascii, name: 'romaji', escape: '(J' };
export const katakana: GraphicSet = {
  name: 'katakana',
  half: 'G1',
  width: 1,
  escape: ')I',
  table: katakanaTable,
  strict: always,
};
/** The same signs under the other number that Unicode has for them, as Windows or a Western text would write them. */
const japaneseTwins = new Map<number, number>([
  [0xff5e, 0x301c],
  [0x2225, 0x2016],
  [0xff0d, 0x2212],
  [0xffe0, 0x00a2],
  [0xffe1, 0x00a3],
  [0xffe2, 0x00ac],
  [0x2014, 0x2015],
]);
/** The dot in transliterated names and the long dash, as other tables of GB 2312 give them. */
const chineseTwins = new Map<number, number>([
  [0x30fb, 0x00b7],
  [0x2015, 0x2014],
]);

export const jis208: GraphicSet = {
  name: 'jis208',
  half: 'G0',
  width: 2,
  escape: '$B',
  table: () => pairTable('jis208'),
  strict: inJisx0208,
  twins: japaneseTwins,
};
const jis212: GraphicSet = {
  name: 'jis212',
  half: 'G0',
  width: 2,
  escape: '$(D',
  table: () => pairTable('jis212'),
  strict: (lead, trail) => lead >= 0xa1 && trail >= 0xa1 && lead <= 0xed,
  twins: japaneseTwins,
};
const ksx1001: GraphicSet = {
  name: 'ksx1001',
  half: 'G1',
  width: 2,
  escape: '$)C',
  table: () => pairTable('ks'),
  strict: inKsx1001,
};
const gb2312: GraphicSet = {
  name: 'gb2312',
  half: 'G1',
  width: 2,
  escape: '$)A',
  table: () => pairTable('gb'),
  strict: inGb2312,
  twins: chineseTwins,
};

type Iso2022Repertoire = Exclude<Repertoire, 'utf8' | 'gbk' | 'gb18030'>;

/** What each repertoire brings: a G0 set, a G1 set or both, in the order in which a writer tries them. */
export const setsOf: Readonly<Record<Iso2022Repertoire, readonly GraphicSet[]>> = {
  '6': [ascii],
  '100': [ascii, upper('latin1', '-A', 'iso-8859-1')],
  '101': [ascii, upper('latin2', '-B', 'iso-8859-2')],
  '109': [ascii, upper('latin3', '-C', 'iso-8859-3')],
  '110': [ascii, upper('latin4', '-D', 'iso-8859-4')],
  '144': [ascii, upper('cyrillic', '-L', 'iso-8859-5')],
  '127': [ascii, upper('arabic', '-G', 'iso-8859-6')],
  '126': [ascii, upper('greek', '-F', 'iso-8859-7')],
  '138': [ascii, upper('hebrew', '-H', 'iso-8859-8')],
  '148': [ascii, upper('latin5', '-M', 'iso-8859-9')],
  '203': [ascii, upper('latin9', '-b', 'iso-8859-15')],
  '166': [ascii, upper('thai', '-T', 'windows-874')],
  '13': [romaji, katakana],
  '87': [jis208],
  '159': [jis212],
  '149': [ksx1001],
  '58': [gb2312],
};

const byEscape = new Map<string, GraphicSet>();
for (const sets of Object.values(setsOf)) {
  for (const set of sets) byEscape.set(set.escape, set);
}
// The kanji of 1978, which differ from those of 1983 in a few glyphs only, and the long form that ISO 2022 came to ask for.
byEscape.set('$@', jis208);
byEscape.set('$(B', jis208);

export type FoundEscape = { readonly set: GraphicSet; readonly sizeBytes: number };

/** The set that an escape sequence at this place (the ESC byte) brings in. */
export function findEscape(bytes: Uint8Array, at: number): FoundEscape | undefined {
  const first = bytes[at + 1];
  const second = bytes[at + 2];
  if (first === undefined || second === undefined) return undefined;
  const short = byEscape.get(String.fromCharCode(first, second));
  if (short !== undefined) return { set: short, sizeBytes: 3 };
  const third = bytes[at + 3];
  if (third === undefined) return undefined;
  const long = byEscape.get(String.fromCharCode(first, second, third));
  return long === undefined ? undefined : { set: long, sizeBytes: 4 };
}

/** The character of a two-byte code, its bytes taken with the high bit set; 0 when there is none. */
export function pairUnit(set: GraphicSet, lead: number, trail: number): number {
  if (lead < 0x81 || lead > 0xfe || trail < 0x40 || trail > 0xfe) return 0;
  return set.table()[pairIndex(lead, trail)] as number;
}

/** The code of a character in a set: a byte 0xA0-0xFF, or two bytes with the high bit set; 0 when the registered set has none. */
export function codeOf(set: GraphicSet, unit: number): number {
  const table = set.table();
  if (table.length === 0) return 0;
  const inverse: InverseTable = set.width === 1 ? inverseOfUpper(table) : inverseOfPairs(table);
  let code = inverse[unit] as number;
  if (code === 0 && set.twins !== undefined) code = inverse[set.twins.get(unit) ?? 0] as number;
  if (code === 0 || set.width === 1) return code;
  return set.strict(code >> 8, code & 0xff) ? code : 0;
}
