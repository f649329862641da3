// HeaderBuffer: the bytes of a stream that a reader keeps, put together from pieces of any size.
//
// Invariants: `bytes[0..at)` is kept, `bytes[at..filled)` is read ahead; a byte at index i came at stream offset i + shift. Bytes are copied in (slices of 8 KB
// or what is asked), so pieces may be reused by their owner, and a header does not hold a whole network buffer. What is passed over or dropped leaves no gap
// behind: memory is what is kept plus one slice.

import { assert } from '../../base/index.ts';
import type { ByteStore } from './element.ts';

const sliceBytes = 8192;
const capacityBytesMin = 512;

export class HeaderBuffer {
  readonly store: ByteStore = { bytes: new Uint8Array(0) };
  at = 0;
  filled = 0;
  shift: number;

  constructor(offset: number) {
    this.shift = offset;
  }

  /** Takes bytes of the piece until `wanted` are ahead, and a slice more if they are there. The number taken. */
  fill(piece: Uint8Array, from: number, wanted: number): number {
    const lacking = wanted - (this.filled - this.at);
    const count = Math.min(piece.length - from, Math.max(lacking, sliceBytes));
    const sizeBytes = this.filled + count;
    if (sizeBytes > this.store.bytes.length) this.#grow(sizeBytes);
    this.store.bytes.set(
      from === 0 && count === piece.length ? piece : piece.subarray(from, from + count),
      this.filled,
    );
    this.filled = sizeBytes;
    return count;
  }

  #grow(sizeBytes: number): void {
    const capacity = Math.max(sizeBytes, this.store.bytes.length * 2, capacityBytesMin);
    const wider = new Uint8Array(capacity);
    wider.set(this.store.bytes.subarray(0, this.filled));
    this.store.bytes = wider;
  }

  /** Passes over bytes from `at` on, without keeping them; the number that has still to come. */
  passOver(count: number): number {
    const here = Math.min(count, this.filled - this.at);
    this.drop(this.at, this.at + here);
    return count - here;
  }

  /** Forgets bytes [start, end), which nothing points to; what is behind them moves up. */
  drop(start: number, end: number): void {
    assert(start <= end && end <= this.filled, 'what is dropped is there');
    if (end < this.filled) this.store.bytes.copyWithin(start, end, this.filled);
    this.filled -= end - start;
    this.shift += end - start;
    if (this.at >= end) this.at -= end - start;
  }

  /** How many of the bytes ahead are zero before one is not. */
  zerosAhead(): number {
    const ahead = this.store.bytes.subarray(this.at, this.filled);
    const count = ahead.findIndex((byte) => byte !== 0);
    return count < 0 ? ahead.length : count;
  }

  /** Gives memory back that was taken in advance, once nothing more comes. */
  trim(): void {
    if (this.at < this.store.bytes.length / 2) this.store.bytes = this.store.bytes.slice(0, this.at);
    this.filled = this.at;
  }
}
