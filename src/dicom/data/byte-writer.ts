// ByteWriter: bytes that grow, in either byte order, with lengths that are filled in later.
//
// Invariant: bytes that pass by (bulk) count in `position` and take no memory, so a length that is filled in is right whatever is streamed in between.

import { assert } from '../../base/index.ts';

const capacityBytesMin = 1024;

export class ByteWriter {
  bytes = new Uint8Array(capacityBytesMin);
  at = 0;
  #passedBytes = 0;

  get position(): number {
    return this.at + this.#passedBytes;
  }

  pass(sizeBytes: number): void {
    this.#passedBytes += sizeBytes;
  }

  /** Room for so many bytes more. */
  reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const wider = new Uint8Array(Math.max(this.at + count, this.bytes.length * 2));
    wider.set(this.bytes.subarray(0, this.at));
    this.bytes = wider;
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.at++] = value;
  }

  u16(value: number, bigEndian: boolean): void {
    this.reserve(2);
    const { bytes, at } = this;
    bytes[at] = bigEndian ? value >>> 8 : value;
    bytes[at + 1] = bigEndian ? value : value >>> 8;
    this.at = at + 2;
  }

  u32(value: number, bigEndian: boolean): void {
    this.reserve(4);
    this.at += 4;
    this.fillIn(this.at - 4, value, bigEndian);
  }

  /** Writes a number where one was left open. */
  fillIn(at: number, value: number, bigEndian: boolean): void {
    assert(value >= 0 && value <= 0xffff_ffff, 'a length fits into 32 bits');
    const { bytes } = this;
    bytes[bigEndian ? at + 3 : at] = value;
    bytes[bigEndian ? at + 2 : at + 1] = value >>> 8;
    bytes[bigEndian ? at + 1 : at + 2] = value >>> 16;
    bytes[bigEndian ? at : at + 3] = value >>> 24;
  }

  tag(tag: number, bigEndian: boolean): void {
    this.u16(tag >>> 16, bigEndian);
    this.u16(tag & 0xffff, bigEndian);
  }

  /** A part of an array. Short ones are copied by hand, which is cheaper than making a view. */
  copy(source: Uint8Array, start: number, sizeBytes: number): void {
    this.reserve(sizeBytes);
    const { bytes, at } = this;
    if (sizeBytes > 48) bytes.set(source.subarray(start, start + sizeBytes), at);
    else for (let k = 0; k < sizeBytes; k++) bytes[at + k] = source[start + k] as number;
    this.at = at + sizeBytes;
  }

  written(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }
}
