// Writes text in the sets that ISO 2022 knows, with escape sequences where code extensions are declared.
//
// Invariants: what is written reads back as the same text; the first set is brought back before every delimiter, control character, line end and
// the end of the value (PS3.5 6.1.2.5.3); no escape sequence goes out that was not declared. A character that no declared set has makes the whole
// answer undefined: nothing is replaced silently. An ESC in the text is refused, since it would be read as an escape sequence.

import { codeOf, type GraphicSet } from './graphic-sets.ts';
import type { Iso2022Scheme } from './iso2022-decoder.ts';
import { isDelimiter, type TextKind } from './text-kind.ts';

const escapeByte = 0x1b;
const yen = 0xa5;
const overline = 0x203e;

export class Iso2022Encoder {
  readonly #scheme: Iso2022Scheme;
  readonly #kind: TextKind;
  readonly #bytes: number[] = [];
  #g0: GraphicSet;
  #g1: GraphicSet | undefined;

  constructor(scheme: Iso2022Scheme, kind: TextKind) {
    this.#scheme = scheme;
    this.#kind = kind;
    this.#g0 = scheme.firstG0;
    this.#g1 = scheme.firstG1;
  }

  encode(text: string): Uint8Array | undefined {
    for (let at = 0; at < text.length; at++) {
      if (!this.#put(text.charCodeAt(at))) return undefined;
    }
    this.#reset();
    return Uint8Array.from(this.#bytes);
  }

  #put(unit: number): boolean {
    if (unit === escapeByte) return false;
    if (unit < 0x80) {
      if (unit < 0x20 || isDelimiter(this.#kind, unit)) this.#reset();
      else this.#designate(this.#g0.width === 1 ? this.#g0 : this.#scheme.firstG0);
      this.#bytes.push(unit);
      return true;
    }
    // C1 control characters stand for themselves beside an 8-bit set of 96 characters.
    if (unit < 0xa0) {
      if (this.#g1 === undefined || this.#g1.width === 2 || this.#g1.name === 'katakana') return false;
      this.#bytes.push(unit);
      return true;
    }
    return this.#putWide(unit) || this.#putRomaji(unit);
  }

  #putWide(unit: number): boolean {
    // What is active goes first: the fewer escape sequences, the more readers cope.
    const declared = this.#scheme.extended ? this.#scheme.declared : [];
    for (const set of [this.#g1, this.#g0, ...declared]) {
      const code = set === undefined ? 0 : codeOf(set, unit);
      if (set === undefined || code === 0) continue;
      // Readers that know one active set instead of two halves would take what follows for kanji.
      if (set.half === 'G1' && this.#g0.width === 2) this.#designate(this.#scheme.firstG0);
      this.#designate(set);
      if (set.width === 1) this.#bytes.push(code);
      else if (set.half === 'G1') this.#bytes.push(code >> 8, code & 0xff);
      else this.#bytes.push((code >> 8) & 0x7f, code & 0x7f);
      return true;
    }
    return false;
  }

  /** The two characters of JIS X 0201 that are not ASCII's; the yen only where its code separates nothing. */
  #putRomaji(unit: number): boolean {
    const isYen = unit === yen && this.#kind === 'text';
    if (this.#scheme.firstG0.name !== 'romaji' || !(isYen || unit === overline)) return false;
    this.#designate(this.#scheme.firstG0);
    this.#bytes.push(isYen ? 0x5c : 0x7e);
    return true;
  }

  #designate(set: GraphicSet): void {
    if (set.half === 'G0') {
      if (set === this.#g0) return;
      this.#g0 = set;
    } else {
      if (set === this.#g1) return;
      this.#g1 = set;
    }
    this.#bytes.push(escapeByte, ...Array.from(set.escape, (char) => char.charCodeAt(0)));
  }

  #reset(): void {
    this.#designate(this.#scheme.firstG0);
    // Where the first value brings no G1 set, there is none to come back to: readers forget the active one by themselves.
    if (this.#scheme.firstG1 !== undefined) this.#designate(this.#scheme.firstG1);
    else this.#g1 = undefined;
  }
}
