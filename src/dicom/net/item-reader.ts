// ItemReader: reads big-endian fields and items of a PDU's body within their bounds.
//
// Invariants: nothing is read beyond the end that was given; every failure is a ProtocolError (invalid parameter) with the offset in the body.
// Left out on purpose: what items mean.

import { pduError } from './protocol-error.ts';

export class ItemReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  readonly #end: number;
  #offset: number;

  constructor(bytes: Uint8Array, what: string, offset = 0, end = bytes.byteLength) {
    this.#bytes = bytes;
    this.#what = what;
    this.#offset = offset;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#offset;
  }

  u8(): number {
    this.#need(1);
    const value = this.#bytes[this.#offset] as number;
    this.#offset += 1;
    return value;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16();
  }

  skip(count: number): void {
    this.#need(count);
    this.#offset += count;
  }

  /** A view, not a copy. */
  bytes(count: number): Uint8Array {
    this.#need(count);
    const view = this.#bytes.subarray(this.#offset, this.#offset + count);
    this.#offset += count;
    return view;
  }

  /** An AE title without its padding. What is not ASCII becomes a question mark, so that whoever decides sees the caller at all. */
  title(count: number): string {
    return this.#trimmed(count, count, true);
  }

  /** Printable ASCII without the spaces and NULs that pad it; devices pad UIDs with either. */
  text(count: number, charsMax: number): string {
    return this.#trimmed(count, charsMax, false);
  }

  #trimmed(count: number, charsMax: number, isLenient: boolean): string {
    const bytes = this.bytes(count);
    let end = bytes.byteLength;
    while (end > 0 && (bytes[end - 1] === 0 || bytes[end - 1] === 0x20)) end -= 1;
    let start = 0;
    while (start < end && bytes[start] === 0x20) start += 1;
    if (end - start > charsMax) throw this.#error(`has a text of ${end - start} characters, at most ${charsMax}`);
    let text = '';
    for (let index = start; index < end; index += 1) {
      const code = bytes[index] as number;
      const isPrintable = code >= 0x20 && code <= 0x7e;
      if (!isPrintable && !isLenient) throw this.#error('has a text that is not ASCII');
      text += isPrintable ? String.fromCharCode(code) : '?';
    }
    return text;
  }

  /** The items up to the end: type, one byte whose meaning differs, length in two bytes, body. */
  *items(countMax: number): Generator<{ type: number; second: number; body: ItemReader }> {
    for (let count = 0; this.left > 0; count += 1) {
      if (count >= countMax) throw this.#error(`has more than ${countMax} items`);
      const type = this.u8();
      const second = this.u8();
      const length = this.u16();
      this.#need(length);
      const start = this.#offset;
      this.#offset += length;
      yield { type, second, body: new ItemReader(this.#bytes, this.#what, start, start + length) };
    }
  }

  #need(count: number): void {
    if (count > this.left) throw this.#error(`ends early, ${count} bytes wanted and ${this.left} left`);
  }

  #error(problem: string): Error {
    return pduError('invalidParameter', `${this.#what} ${problem}, at offset ${this.#offset}`);
  }
}
