// Deflated Image Frame Compression (PS3.5, A.4.13): each frame, as it would stand natively in little endian, is one stream of RFC 1951.

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { frameBytesOf, type ImageShape, type PlainFrame } from './image-shape.ts';
import { malformedPixels } from './pixel-fault.ts';

/** One byte more than the frame may have, so that a longer one is told from one that fits. */
const paddingBytes = 1;

export function decodeDeflatedFrame(bytes: Uint8Array, shape: ImageShape): PlainFrame {
  const sizeBytes = frameBytesOf(shape);
  let plain: Buffer;
  try {
    plain = inflateRawSync(bytes, { maxOutputLength: sizeBytes + paddingBytes });
  } catch (cause) {
    throw malformedPixels('a deflated frame does not inflate', cause);
  }
  const isPadded = plain.length === sizeBytes + paddingBytes && plain.length % 2 === 0;
  if (plain.length !== sizeBytes && !isPadded) {
    throw malformedPixels('a deflated frame holds another number of bytes than its pixels have');
  }
  return { shape, bytes: new Uint8Array(plain.buffer, plain.byteOffset, sizeBytes) };
}

export function encodeDeflatedFrame({ bytes }: PlainFrame): Uint8Array {
  return deflateRawSync(bytes);
}
