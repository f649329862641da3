// UnitBuffer: UTF-16 units of a text that is being decoded, and which defects its bytes showed on the way.
//
// Invariant: room for one unit a byte suffices, since no code of these sets gives more units than it has bytes.

import { assert } from '../../base/index.ts';

/**
 * What can be wrong with the bytes of a text:
 *   bytes-invalid        a byte or code that says nothing in its set; read as U+FFFD
 *   escape-missing       a character of a further set without the escape sequence that announces it
 *   escape-undeclared    an escape sequence to a set that Specific Character Set does not name
 *   escape-unknown       an escape sequence that DICOM does not know
 *   repertoire-exceeded  a vendor's wider set under the name of a smaller one: GBK for GB 2312, Shift JIS for JIS X 0201
 */
export const textDefects = [
  'bytes-invalid',
  'escape-missing',
  'escape-undeclared',
  'escape-unknown',
  'repertoire-exceeded',
] as const;
export type TextDefect = (typeof textDefects)[number];

/** String.fromCharCode takes its units as arguments, of which a call bears many thousand. */
const unitsPerCall = 4096;
const replacement = 0xfffd;

export class UnitBuffer {
  readonly #units: Uint16Array;
  #length = 0;
  #defects = 0;

  constructor(unitsMax: number) {
    this.#units = new Uint16Array(unitsMax);
  }

  put(unit: number): void {
    assert(this.#length < this.#units.length, 'a text has no more units than bytes');
    this.#units[this.#length++] = unit;
  }

  putCodePoint(codePoint: number): void {
    if (codePoint < 0x10000) {
      this.put(codePoint);
      return;
    }
    this.put(0xd800 + ((codePoint - 0x10000) >> 10));
    this.put(0xdc00 + ((codePoint - 0x10000) & 0x3ff));
  }

  putInvalid(): void {
    this.put(replacement);
    this.note('bytes-invalid');
  }

  note(defect: TextDefect): void {
    this.#defects |= 1 << textDefects.indexOf(defect);
  }

  get defects(): readonly TextDefect[] {
    return textDefects.filter((_, at) => (this.#defects & (1 << at)) !== 0);
  }

  text(): string {
    let text = '';
    for (let at = 0; at < this.#length; at += unitsPerCall) {
      const run = this.#units.subarray(at, Math.min(this.#length, at + unitsPerCall));
      text += Reflect.apply(String.fromCharCode, undefined, run) as string;
    }
    return text;
  }
}
