// Swapping words between byte orders: in place for what is in memory, and in a stream whose pieces cut words anywhere.
//
// Invariants: bytes behind the last whole word stay as they are; swapping twice gives the same bytes.

import { type AnyVr, vrFacts } from './vr.ts';

/** How wide the words of a value are that another byte order swaps. */
export function wordBytesOf(vr: AnyVr): 1 | 2 | 4 | 8 {
  return vrFacts(vr).wordBytes;
}

export function swapWords(bytes: Uint8Array, start: number, end: number, wordBytes: 1 | 2 | 4 | 8): void {
  if (wordBytes === 1) return;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset + start, (end - start) & -wordBytes);
  if (wordBytes === 2) buffer.swap16();
  else if (wordBytes === 4) buffer.swap32();
  else buffer.swap64();
}

/** Swaps a stream of words piece by piece. Each answer is a new array: pieces stay as they were. */
export class WordSwapper {
  readonly #wordBytes: 1 | 2 | 4 | 8;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(wordBytes: 1 | 2 | 4 | 8) {
    this.#wordBytes = wordBytes;
  }

  push(piece: Uint8Array): Uint8Array {
    const sizeBytes = this.#rest.length + piece.length;
    const whole = sizeBytes & -this.#wordBytes;
    const bytes = new Uint8Array(sizeBytes);
    bytes.set(this.#rest);
    bytes.set(piece, this.#rest.length);
    swapWords(bytes, 0, whole, this.#wordBytes);
    this.#rest = bytes.subarray(whole);
    return bytes.subarray(0, whole);
  }

  /** What was left of the last word. */
  finish(): Uint8Array {
    return this.#rest;
  }
}
