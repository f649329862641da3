// Reads text of the sets that ISO 2022 knows: 8-bit sets by themselves, and code extensions with escape sequences.
//
// Invariants: never throws; a byte that says nothing becomes U+FFFD and the bytes behind it are read on; delimiters, control characters and line ends bring
// the first set back. A byte 0x5C, 0x5E or 0x3D is a delimiter exactly when it is no half of a two-byte character.
// Forgiven, and noted: a missing or undeclared escape sequence, GBK in the place of GB 2312, Shift JIS in the place of JIS X 0201.
// Left out on purpose: guessing other sets than were declared (charset-defects.ts).

import { findEscape, type GraphicSet, jis208, pairUnit } from './graphic-sets.ts';
import { isDelimiter, type TextKind } from './text-kind.ts';
import type { UnitBuffer } from './unit-buffer.ts';

export type Iso2022Scheme = {
  readonly kind: 'iso2022';
  /** What holds at the start of a value and after each delimiter. */
  readonly firstG0: GraphicSet;
  readonly firstG1: GraphicSet | undefined;
  /** Every set that was declared, in that order. */
  readonly declared: readonly GraphicSet[];
  /** Whether escape sequences are allowed at all. */
  readonly extended: boolean;
};

const escapeByte = 0x1b;
const space = 0x20;
const deleteByte = 0x7f;

export class Iso2022Decoder {
  readonly #scheme: Iso2022Scheme;
  readonly #bytes: Uint8Array;
  readonly #kind: TextKind;
  readonly #out: UnitBuffer;
  #g0: GraphicSet;
  #g1: GraphicSet | undefined;
  /** What a byte above 0x7F is read with when no set was announced for it: the last that was, or the first that could be. */
  #fallbackG1: GraphicSet | undefined;

  constructor(scheme: Iso2022Scheme, bytes: Uint8Array, kind: TextKind, out: UnitBuffer) {
    this.#scheme = scheme;
    this.#bytes = bytes;
    this.#kind = kind;
    this.#out = out;
    this.#g0 = scheme.firstG0;
    this.#g1 = scheme.firstG1;
    this.#fallbackG1 = scheme.declared.find(({ half }) => half === 'G1');
  }

  decode(): void {
    const bytes = this.#bytes;
    let at = 0;
    while (at < bytes.length) {
      const byte = bytes[at] as number;
      if (byte === escapeByte) at += this.#takeEscape(at);
      else if (byte >= 0x80) at += this.#takeUpper(at, byte);
      else if (byte > space && byte < deleteByte) at += this.#takeLower(at, byte);
      else {
        // A control character brings the first sets back; a space belongs to every set.
        if (byte < space) this.#reset();
        this.#out.put(byte);
        at += 1;
      }
    }
  }

  #reset(): void {
    this.#g0 = this.#scheme.firstG0;
    this.#g1 = this.#scheme.firstG1;
  }

  #takeEscape(at: number): number {
    const found = findEscape(this.#bytes, at);
    if (found === undefined) {
      this.#out.note('escape-unknown');
      this.#out.put(escapeByte);
      return 1;
    }
    const { set } = found;
    // ASCII, and JIS X 0201 beside kanji, need no declaration: one must be able to come back from any other set.
    const known = set.half === 'G0' && set.width === 1 ? this.#scheme.extended : this.#scheme.declared.includes(set);
    if (!known || !this.#scheme.extended) this.#out.note('escape-undeclared');
    if (set.half === 'G0') this.#g0 = set;
    else {
      this.#g1 = set;
      this.#fallbackG1 = set;
    }
    return found.sizeBytes;
  }

  #takeLower(at: number, byte: number): number {
    const next = this.#bytes[at + 1];
    const hasPair = next !== undefined && next > space && next < deleteByte;
    if (this.#g0.width === 1 || (!hasPair && isDelimiter(this.#kind, byte))) {
      if (isDelimiter(this.#kind, byte)) this.#reset();
      this.#out.put(byte);
      return 1;
    }
    const unit = hasPair ? pairUnit(this.#g0, byte | 0x80, next | 0x80) : 0;
    if (unit === 0) this.#out.putInvalid();
    else this.#out.put(unit);
    return hasPair ? 2 : 1;
  }

  #takeUpper(at: number, byte: number): number {
    const set = this.#g1 ?? this.#fallbackG1;
    if (set === undefined) {
      this.#out.putInvalid();
      return 1;
    }
    if (this.#g1 === undefined) this.#out.note('escape-missing');
    if (set.width === 2) return this.#takePair(at, byte, set);
    if (set.name === 'katakana') return this.#takeKatakana(at, byte, set);
    const unit = byte < 0xa0 ? byte : (set.table()[byte - 0xa0] as number);
    if (unit === 0) this.#out.putInvalid();
    else this.#out.put(unit);
    return 1;
  }

  #takePair(at: number, lead: number, set: GraphicSet): number {
    const trail = this.#bytes[at + 1] ?? 0;
    // Below 0x80 only a vendor's addition can be meant, and a delimiter stays one: a name that was cut in the middle of a character is more likely.
    const unit = trail < 0x80 && (isDelimiter(this.#kind, trail) || trail < 0x40) ? 0 : pairUnit(set, lead, trail);
    if (unit === 0) {
      this.#out.putInvalid();
      return trail >= 0xa1 ? 2 : 1;
    }
    if (!set.strict(lead, trail)) this.#out.note('repertoire-exceeded');
    this.#out.put(unit);
    return 2;
  }

  #takeKatakana(at: number, byte: number, set: GraphicSet): number {
    const single = byte < 0xa0 ? 0 : (set.table()[byte - 0xa0] as number);
    if (single !== 0) {
      this.#out.put(single);
      return 1;
    }
    const unit = shiftJisUnit(byte, this.#bytes[at + 1] ?? 0);
    if (unit === 0) {
      this.#out.putInvalid();
      return 1;
    }
    this.#out.note('repertoire-exceeded');
    this.#out.put(unit);
    return 2;
  }
}

/** The character of a two-byte code of Shift JIS, whose leads are just the bytes that JIS X 0201 leaves free; 0 when there is none. */
function shiftJisUnit(lead: number, trail: number): number {
  const leadAt = lead >= 0x81 && lead <= 0x9f ? lead - 0x81 : lead >= 0xe0 && lead <= 0xef ? lead - 0xc1 : -1;
  if (leadAt < 0 || trail < 0x40 || trail === 0x7f || trail > 0xfc) return 0;
  // Two rows of JIS X 0208 share one lead; 0x7F is left out of the trails.
  const cell = trail < 0x7f ? trail - 0x40 : trail - 0x41;
  const row = leadAt * 2 + (cell >= 94 ? 1 : 0);
  return pairUnit(jis208, 0xa1 + row, 0xa1 + (cell % 94));
}
