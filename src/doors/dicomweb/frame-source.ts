// The frames of an instance, each as bytes that are read when they are asked for.
//
// Invariants: a frame that is not there is NOT_FOUND before anything is read of the others; native frames of single bits begin with a byte of their own.

import { ArchiveError } from '../../base/index.ts';
import { encapsulatedFrames, type FramePlace, frameShapeOf } from './frame-places.ts';
import type { LittleEndianSource } from './little-endian-source.ts';

/** A frame's bytes, read when they are asked for. */
export type Frame = {
  readonly sizeBytes: number;
  readonly read: (from: number, to: number) => AsyncIterable<Uint8Array>;
};

/** Frames counted from 1. NOT_FOUND when one is not there. */
export async function framesOf(source: LittleEndianSource, frames: readonly number[]): Promise<readonly Frame[]> {
  const { pixelsOffset, header, syntax, read, sizeBytes } = source;
  if (pixelsOffset === undefined) throw new ArchiveError('NOT_FOUND', 'the instance has no pixel data');
  if (syntax.encapsulated) {
    const pixels = { syntax, valueOffset: pixelsOffset, sizeBytes, read };
    return (await encapsulatedFrames(pixels, header, frames)).map((place) => placedFrame(source, place));
  }
  const { count, bits } = frameShapeOf(header);
  return frames.map((frame) => {
    const begin = (frame - 1) * bits;
    if (frame > count || pixelsOffset + Math.ceil((begin + bits) / 8) > sizeBytes)
      throw new ArchiveError('NOT_FOUND', 'the instance has no such frame');
    if (bits % 8 !== 0) return bitFrame(source, pixelsOffset, { begin, bits });
    const from = pixelsOffset + begin / 8;
    return placedFrame(source, [{ from, to: from + bits / 8 }]);
  });
}

function placedFrame({ read }: LittleEndianSource, place: FramePlace): Frame {
  return {
    sizeBytes: place.reduce((sum, { from, to }) => sum + to - from, 0),
    read: async function* (from, to) {
      let at = 0;
      for (const run of place) {
        const sizeBytes = run.to - run.from;
        const [begin, end] = [Math.max(0, from - at), Math.min(sizeBytes, to - at)];
        if (begin < end) yield* read(run.from + begin, run.from + end);
        at += sizeBytes;
      }
    },
  };
}

/** A frame of single bits that need not begin with a byte: its first pixel becomes the lowest bit of the first byte. */
function bitFrame(
  { read }: LittleEndianSource,
  pixelsOffset: number,
  { begin, bits }: { readonly begin: number; readonly bits: number },
): Frame {
  const sizeBytes = Math.ceil(bits / 8);
  const first = pixelsOffset + Math.floor(begin / 8);
  const shift = begin % 8;
  return {
    sizeBytes,
    read: async function* (from, to) {
      const packed: Uint8Array[] = [];
      for await (const piece of read(first + from, pixelsOffset + Math.ceil((begin + bits) / 8))) packed.push(piece);
      const bytes = Buffer.concat(packed);
      const shifted = new Uint8Array(Math.min(to, sizeBytes) - from);
      for (let index = 0; index < shifted.length; index += 1)
        shifted[index] = ((bytes[index] ?? 0) >> shift) | ((bytes[index + 1] ?? 0) << (8 - shift));
      const over = bits % 8;
      // What follows the last pixel belongs to the next frame.
      if (to >= sizeBytes && over !== 0) shifted[shifted.length - 1] = (shifted.at(-1) ?? 0) & ((1 << over) - 1);
      yield shifted;
    },
  };
}
