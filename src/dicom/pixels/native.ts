// Native frames: where they lie in pixel data, and bringing one into the plain form (little-endian, samples in whole bytes or single bits from a byte's lowest on).

import { frameBitsOf, frameBytesOf, type ImageShape, type PlainFrame } from './image-shape.ts';
import { malformedPixels } from './pixel-fault.ts';

export type NativeRange = {
  readonly offset: number;
  readonly sizeBytes: number;
  /** Bits of the first byte that belong to the frame before: frames of single bits follow one another without a gap. */
  readonly skipBits: number;
};

export function nativeFrameRange(shape: ImageShape, frame: number): NativeRange {
  const bits = frameBitsOf(shape);
  const start = bits * frame;
  const offset = Math.floor(start / 8);
  return { offset, sizeBytes: Math.ceil((start + bits) / 8) - offset, skipBits: start % 8 };
}

/** The frame by itself, from the bytes of its range. A copy only where bits must move. */
export function alignNativeFrame(bytes: Uint8Array, shape: ImageShape, skipBits: number): Uint8Array {
  const sizeBytes = frameBytesOf(shape);
  if (bytes.byteLength * 8 < skipBits + frameBitsOf(shape))
    throw malformedPixels('fewer bytes than the frame has pixels');
  const unusedBits = sizeBytes * 8 - frameBitsOf(shape);
  if (skipBits === 0 && unusedBits === 0) return bytes.subarray(0, sizeBytes);
  const aligned = new Uint8Array(sizeBytes);
  for (let k = 0; k < sizeBytes; k++) {
    aligned[k] = ((bytes[k] as number) >> skipBits) | ((bytes[k + 1] ?? 0) << (8 - skipBits));
  }
  aligned[sizeBytes - 1] = (aligned[sizeBytes - 1] as number) & (0xff >> unusedBits);
  return aligned;
}

/**
 * A native frame in plain form. `wordBytes`: bytes that change places together where the frame is big-endian: those of a sample, or two where samples of
 * bytes or bits stand in words (VR OW).
 */
export function decodeNative(
  bytes: Uint8Array,
  shape: ImageShape,
  options: { readonly bigEndian: boolean; readonly inWords: boolean },
): PlainFrame {
  const sizeBytes = frameBytesOf(shape);
  if (bytes.byteLength < sizeBytes) throw malformedPixels('fewer bytes than the frame has pixels');
  const isNarrow = shape.bitsAllocated <= 8;
  const wordBytes = isNarrow ? (options.inWords ? 2 : 1) : shape.bitsAllocated / 8;
  // The word that holds the last byte of an odd frame is whole in the pixel data, its byte in the second place.
  const taken = options.bigEndian && isNarrow && options.inWords ? sizeBytes + (sizeBytes & 1) : sizeBytes;
  if (bytes.byteLength < taken) throw malformedPixels('fewer bytes than the frame has pixels');
  let plain = bytes.subarray(0, taken);
  if (options.bigEndian && wordBytes > 1) plain = swapWords(plain, shape.bitsAllocated === 12 ? 2 : wordBytes);
  if (shape.bitsAllocated === 12) return unpack12(plain, shape);
  return { shape, bytes: plain.subarray(0, sizeBytes) };
}

/** A copy with the bytes of every word the other way round. */
export function swapWords(bytes: Uint8Array, wordBytes: number): Uint8Array {
  const swapped = Buffer.from(bytes);
  if (wordBytes === 2) swapped.swap16();
  else if (wordBytes === 4) swapped.swap32();
  else if (wordBytes === 8) swapped.swap64();
  else {
    for (let at = 0; at + wordBytes <= swapped.length; at += wordBytes) swapped.subarray(at, at + wordBytes).reverse();
  }
  return new Uint8Array(swapped.buffer, swapped.byteOffset, swapped.byteLength);
}

/** Two samples in three bytes, the first in the lower bits, as retired objects have them, become two words. */
function unpack12(bytes: Uint8Array, shape: ImageShape): PlainFrame {
  const count = shape.rows * shape.columns * shape.samplesPerPixel;
  const words = new Uint16Array(count);
  for (let k = 0; k < count; k++) {
    const at = (k >> 1) * 3;
    const low = bytes[at + (k & 1)] as number;
    const high = bytes[at + 1 + (k & 1)] ?? 0;
    words[k] = (k & 1) === 0 ? low | ((high & 15) << 8) : (low >> 4) | (high << 4);
  }
  return { shape: { ...shape, bitsAllocated: 16 }, bytes: new Uint8Array(words.buffer) };
}

/** Frames of single bits one behind another without a gap, as native pixel data has them. */
export class BitJoiner {
  readonly #frameBits: number;
  /** Bits that do not fill a byte yet, in its lowest ones. */
  #open = 0;
  #openBits = 0;

  constructor(frameBits: number) {
    this.#frameBits = frameBits;
  }

  /** The bytes that are whole now. The frame begins with its first byte. */
  push(frame: Uint8Array): Uint8Array {
    const shift = this.#openBits;
    const bits = shift + this.#frameBits;
    const whole = new Uint8Array(bits >> 3);
    const byteAt = (k: number): number => (k === 0 ? this.#open : 0) | this.#shifted(frame, k, shift);
    for (let k = 0; k < whole.length; k++) whole[k] = byteAt(k);
    const openBits = bits & 7;
    this.#open = openBits === 0 ? 0 : byteAt(whole.length) & ((1 << openBits) - 1);
    this.#openBits = openBits;
    return whole;
  }

  /** The last byte, where it is not full. */
  end(): Uint8Array {
    return this.#openBits === 0 ? new Uint8Array(0) : Uint8Array.of(this.#open);
  }

  #shifted(frame: Uint8Array, k: number, shift: number): number {
    const before = k === 0 ? 0 : (frame[k - 1] ?? 0) >> (8 - shift);
    return ((((frame[k] ?? 0) << shift) | before) & 0xff) >>> 0;
  }
}

/** Single bits as bytes of 0 and 1. */
export function unpackBits(bytes: Uint8Array, count: number): Uint8Array {
  const samples = new Uint8Array(count);
  for (let k = 0; k < count; k++) samples[k] = ((bytes[k >> 3] as number) >> (k & 7)) & 1;
  return samples;
}

/** Bytes of 0 and 1 as single bits; anything else counts as 1. */
export function packBits(samples: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(samples.length / 8));
  for (let k = 0; k < samples.length; k++) {
    if (samples[k] !== 0) bytes[k >> 3] = (bytes[k >> 3] as number) | (1 << (k & 7));
  }
  return bytes;
}
