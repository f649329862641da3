// Native frames whose samples do not stand side by side at full size, brought into that form: planes, and chroma of every second pixel.

import { decodedShape, isPlanar, isSubsampled, type PlainFrame } from './image-shape.ts';

/** Component after component becomes pixel after pixel. A frame that is so already passes through. */
export function interleave(frame: PlainFrame): PlainFrame {
  const { shape, bytes } = frame;
  if (!isPlanar(shape)) return frame;
  const { rows, columns, samplesPerPixel, bitsAllocated } = shape;
  const width = bitsAllocated / 8;
  const pixels = rows * columns;
  const out = new Uint8Array(pixels * samplesPerPixel * width);
  for (let sample = 0; sample < samplesPerPixel; sample++) {
    for (let b = 0; b < width; b++) {
      let from = sample * pixels * width + b;
      let to = sample * width + b;
      for (let k = 0; k < pixels; k++, from += width, to += samplesPerPixel * width) out[to] = bytes[from] as number;
    }
  }
  return { shape: decodedShape(shape), bytes: out };
}

/** Two luma samples and two of chroma (PS3.3, C.7.6.3.1.2) become two whole pixels: chroma is of both. Others pass through. */
export function expandSubsampled(frame: PlainFrame): PlainFrame {
  const { shape, bytes } = frame;
  if (!isSubsampled(shape)) return frame;
  const { rows, columns, bitsAllocated } = shape;
  const width = bitsAllocated / 8;
  const pairs = (columns + (columns & 1)) / 2;
  const out = new Uint8Array(rows * columns * 3 * width);
  let to = 0;
  const put = (from: number): void => {
    for (let b = 0; b < width; b++) out[to + b] = bytes[from + b] as number;
    to += width;
  };
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const quad = (row * pairs + (column >> 1)) * 4 * width;
      put(quad + (column & 1) * width);
      put(quad + 2 * width);
      put(quad + 3 * width);
    }
  }
  return { shape: decodedShape(shape), bytes: out };
}
