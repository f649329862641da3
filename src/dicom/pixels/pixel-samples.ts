// What a codec makes of a coded frame, before it is held against the data set: samples side by side in bytes, little-endian, and what the stream said of them.

import { decodedShape, frameBytesOf, type ImageShape, type PlainFrame } from './image-shape.ts';
import { packBits } from './native.ts';
import { malformedPixels } from './pixel-fault.ts';

export type Samples = {
  readonly rows: number;
  readonly columns: number;
  readonly components: number;
  /** Bits of a sample that the stream speaks of. */
  readonly precision: number;
  readonly signed: boolean;
  /** Bytes of a sample: 1 up to 8 bits, 2 up to 16, 4 beyond. */
  readonly sampleBytes: 1 | 2 | 4;
  readonly bytes: Uint8Array;
  /** What the samples of three components are now, where the codec knows better than the data set. */
  readonly photometricInterpretation?: string;
};

export type SampleWords = Uint8Array | Uint16Array | Uint32Array;

export function sampleBytesOf(precision: number): 1 | 2 | 4 {
  return precision <= 8 ? 1 : precision <= 16 ? 2 : 4;
}

/** Throws DICOM_MALFORMED where a stream's own header contradicts the data set. Called before memory is taken for the pixels. */
export function checkAgainstShape(
  stream: { readonly rows: number; readonly columns: number; readonly components: number; readonly precision: number },
  shape: ImageShape,
): void {
  if (stream.rows !== shape.rows || stream.columns !== shape.columns) {
    throw malformedPixels('the stream has other rows or columns than the data set says');
  }
  if (stream.components !== shape.samplesPerPixel) {
    throw malformedPixels('the stream has another number of components than the data set says');
  }
  if (stream.precision > shape.bitsAllocated) {
    throw malformedPixels('the stream has more bits a sample than the data set allocates');
  }
}

/**
 * Samples in the width that the data set allocates. Where the data set and the stream differ on whether samples have a sign, the data set is believed: the stream's bits are
 * read the other way, as deep as the stream has them.
 */
export function fitSamples(samples: Samples, shape: ImageShape): PlainFrame {
  checkAgainstShape(samples, shape);
  const fitted = decodedShape(shape, samples.photometricInterpretation);
  const words = wordsOf(samples.bytes, samples.sampleBytes);
  if (shape.bitsAllocated === 1) return { shape: fitted, bytes: packBits(samples.bytes) };
  const width = shape.bitsAllocated / 8;
  if (!Number.isInteger(width) || width > 4) throw malformedPixels('coded samples of this width');
  const isSigned = shape.pixelRepresentation === 1;
  const shift = 32 - samples.precision;
  const needsChange = samples.precision < shape.bitsAllocated && isSigned !== samples.signed;
  if (width === samples.sampleBytes && !needsChange) return { shape: fitted, bytes: samples.bytes };
  const out = width === 1 ? new Uint8Array(words.length) : width === 2 ? new Uint16Array(words.length) : undefined;
  const wide = out ?? new Uint32Array(words.length);
  if (isSigned) for (let k = 0; k < words.length; k++) wide[k] = ((words[k] as number) << shift) >> shift;
  else for (let k = 0; k < words.length; k++) wide[k] = ((words[k] as number) << shift) >>> shift;
  const bytes = new Uint8Array(wide.buffer);
  const fittedBytes = width === 3 ? dropTopBytes(bytes) : bytes;
  if (fittedBytes.byteLength !== frameBytesOf(fitted))
    throw malformedPixels('the stream gives another number of samples');
  return { shape: fitted, bytes: fittedBytes };
}

/** The samples as words of their width; a copy only where they do not lie as the machine wants them. */
export function wordsOf(bytes: Uint8Array, sampleBytes: number): SampleWords {
  if (sampleBytes === 1) return bytes;
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % sampleBytes === 0 ? bytes : bytes.slice();
  return sampleBytes === 2
    ? new Uint16Array(buffer, byteOffset, byteLength >> 1)
    : new Uint32Array(buffer, byteOffset, byteLength >> 2);
}

/** Words of four bytes, the highest without meaning, become three. */
function dropTopBytes(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array((bytes.length / 4) * 3);
  for (let from = 0, to = 0; from < bytes.length; from += 4, to += 3) {
    out[to] = bytes[from] as number;
    out[to + 1] = bytes[from + 1] as number;
    out[to + 2] = bytes[from + 2] as number;
  }
  return out;
}
