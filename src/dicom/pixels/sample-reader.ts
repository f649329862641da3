// Reading single samples of a plain frame as numbers: bits stored within those allocated, with their sign, or floating point.
//
// Frames of up to 16 bits are read as raw words, for which a table of all 65,536 is made once; wider ones value by value.

import type { ImageShape, PlainFrame } from './image-shape.ts';
import { unpackBits } from './native.ts';
import { type SampleWords, wordsOf } from './pixel-samples.ts';

export type RawWords = {
  readonly kind: 'words';
  readonly words: SampleWords;
  /** How many different words there can be. */
  readonly count: number;
  /** What a raw word means. */
  readonly meaning: (word: number) => number;
  /** How often each word is there; found once. */
  readonly counts: () => Uint32Array;
};
export type Values = {
  readonly kind: 'values';
  readonly values: { readonly length: number; readonly [k: number]: number };
};

function rawWords(words: SampleWords, count: number, meaning: (word: number) => number): RawWords {
  let counts: Uint32Array | undefined;
  const countAll = (): Uint32Array => {
    const found = new Uint32Array(count);
    for (let k = 0; k < words.length; k++) {
      const word = words[k] as number;
      found[word] = (found[word] as number) + 1;
    }
    return found;
  };
  return { kind: 'words', words, count, meaning, counts: () => (counts ??= countAll()) };
}

/** Undefined for widths that nothing is shown of. */
export function readSamples({ shape, bytes }: PlainFrame): RawWords | Values | undefined {
  const { bitsAllocated } = shape;
  const count = shape.rows * shape.columns * shape.samplesPerPixel;
  if (bitsAllocated === 1) return rawWords(unpackBits(bytes, count), 2, (word) => word);
  if (bitsAllocated === 8 || bitsAllocated === 16) {
    return rawWords(wordsOf(bytes, bitsAllocated / 8), 2 ** bitsAllocated, meaningOf(shape));
  }
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset } = aligned;
  if (shape.floatingPoint === true) {
    const values =
      bitsAllocated === 32 ? new Float32Array(buffer, byteOffset, count) : new Float64Array(buffer, byteOffset, count);
    return { kind: 'values', values };
  }
  if (bitsAllocated !== 32) return undefined;
  const meaning = meaningOf(shape);
  const words = new Uint32Array(buffer, byteOffset, count);
  return {
    kind: 'values',
    values: shape.bitsStored === 32 ? wholeWords(words, shape) : Float64Array.from(words, meaning),
  };
}

function wholeWords(words: Uint32Array, { pixelRepresentation }: ImageShape): Uint32Array | Int32Array {
  return pixelRepresentation === 1 ? new Int32Array(words.buffer, words.byteOffset, words.length) : words;
}

function meaningOf({ bitsStored, highBit, pixelRepresentation }: ImageShape): (word: number) => number {
  const left = 31 - highBit;
  const right = 32 - bitsStored;
  return pixelRepresentation === 1 ? (word) => (word << left) >> right : (word) => (word << left) >>> right;
}
