// One plain frame to a coded one, without loss: the one place that knows which encoder writes what.
//
// Invariants: decoding what comes out gives the same samples, every bit that was allocated included (old overlays above the bits stored too): where a sample has bits of its own up
// there, the stream gets all the bits that are allocated. The shape that comes back is what the data set must say of the coded frame. Undefined: this
// syntax cannot hold such a frame, or is not written here.

import { encodeDeflatedFrame } from './deflated-frame.ts';
import { decodedShape, frameBytesOf, type ImageShape, isPlanar, isSubsampled, type PlainFrame } from './image-shape.ts';
import { encodeJpegLossless } from './jpeg-lossless-encode.ts';
import { encodeJpegLs } from './jpeg-ls.ts';
import { encodeJpeg2000, jpeg2000PrecisionMax } from './jpeg2000-encode.ts';
import { swapWords, unpackBits } from './native.ts';
import { malformedPixels } from './pixel-fault.ts';
import { type Samples, sampleBytesOf, wordsOf } from './pixel-samples.ts';
import { encodableSyntaxes as to } from './pixel-syntax.ts';
import { encodeRle } from './rle.ts';
import { expandSubsampled, interleave } from './sample-layout.ts';

export type EncodedFrame = { readonly shape: ImageShape; readonly bytes: Uint8Array };

export function encodeFrame(frame: PlainFrame, syntax: string): EncodedFrame | undefined {
  if (frame.bytes.byteLength < frameBytesOf(frame.shape))
    throw malformedPixels('fewer bytes than the frame has pixels');
  switch (syntax) {
    case to.implicitLittle:
    case to.explicitLittle:
      return frame;
    case to.explicitBig:
      return encodeBigEndian(frame);
    case to.deflatedFrame:
      return { shape: frame.shape, bytes: encodeDeflatedFrame(frame) };
    case to.rle: {
      const side = sideBySide(frame);
      const bytes = encodeRle(side);
      return bytes === undefined || frame.shape.floatingPoint === true ? undefined : { shape: side.shape, bytes };
    }
    case to.jpegLossless:
    case to.jpegLosslessFirstOrder:
      return encodeUnsigned(frame, encodeJpegLossless);
    case to.jpegLs:
      return encodeUnsigned(frame, encodeJpegLs);
    case to.jpeg2000:
      return encodeWavelet(frame, false);
    case to.htj2k:
    case to.htj2kRpcl:
      return encodeWavelet(frame, true);
    default:
      return undefined;
  }
}

/** Samples of more than a byte change their bytes; of a byte or a bit, those of each word (as VR OW; the last word is filled). */
function encodeBigEndian({ shape, bytes }: PlainFrame): EncodedFrame {
  if (shape.bitsAllocated > 8) return { shape, bytes: swapWords(bytes, shape.bitsAllocated / 8) };
  const even = bytes.byteLength % 2 === 0 ? bytes : Buffer.concat([bytes, new Uint8Array(1)]);
  return { shape, bytes: swapWords(even, 2) };
}

function sideBySide(frame: PlainFrame): PlainFrame {
  if (isSubsampled(frame.shape)) return expandSubsampled(frame);
  return isPlanar(frame.shape) ? interleave(frame) : frame;
}

/** Bits of a sample that say something: those stored, or all that are allocated where some sample has others set than its sign repeated. */
function precisionOf({ shape, bytes }: PlainFrame): number {
  const { bitsAllocated, bitsStored, highBit, pixelRepresentation } = shape;
  if (bitsStored === bitsAllocated || highBit !== bitsStored - 1) return bitsAllocated;
  const shift = 32 - bitsStored;
  const words = wordsOf(bytes, bitsAllocated / 8);
  const above = 32 - bitsAllocated;
  if (pixelRepresentation === 1) {
    for (const word of words) if ((word << above) >> above !== (word << shift) >> shift) return bitsAllocated;
  } else {
    for (const word of words) if (word !== (word << shift) >>> shift) return bitsAllocated;
  }
  return bitsStored;
}

/** The samples as codecs take them, in the least bytes for their precision; undefined for widths and kinds that no codec has. */
function samplesOf(frame: PlainFrame, keepsSign: boolean): Samples | undefined {
  const { shape, bytes } = sideBySide(frame);
  const { rows, columns, samplesPerPixel: components, bitsAllocated } = shape;
  const count = rows * columns * components;
  const layout = { rows, columns, components };
  if (shape.floatingPoint === true) return undefined;
  if (bitsAllocated === 1) {
    return { ...layout, precision: 1, signed: false, sampleBytes: 1, bytes: unpackBits(bytes, count) };
  }
  if (bitsAllocated !== 8 && bitsAllocated !== 16 && bitsAllocated !== 32) return undefined;
  const whole = bytes.subarray(0, frameBytesOf(shape));
  const precision = precisionOf({ shape, bytes: whole });
  const sampleBytes = sampleBytesOf(precision);
  const signed = keepsSign && shape.pixelRepresentation === 1;
  const mustMask = shape.pixelRepresentation === 1 && !signed && precision < bitsAllocated;
  if (sampleBytes * 8 === bitsAllocated && !mustMask)
    return { ...layout, precision, signed, sampleBytes, bytes: whole };
  const words = wordsOf(whole, bitsAllocated / 8);
  const out = sampleBytes === 1 ? new Uint8Array(count) : new (sampleBytes === 2 ? Uint16Array : Uint32Array)(count);
  const mask = signed || precision === 32 ? -1 : 2 ** precision - 1;
  for (let k = 0; k < count; k++) out[k] = (words[k] as number) & mask;
  return { ...layout, precision, signed, sampleBytes, bytes: new Uint8Array(out.buffer) };
}

const unsignedPrecision = { min: 2, max: 16 } as const;

/** Codecs without a sign take the lower bits of a negative sample; decoding carries the sign up again. */
function encodeUnsigned(frame: PlainFrame, encode: (samples: Samples) => Uint8Array): EncodedFrame | undefined {
  const samples = samplesOf(frame, false);
  if (samples === undefined || samples.precision > unsignedPrecision.max || frame.shape.bitsAllocated === 1) {
    return undefined;
  }
  const precision = Math.max(samples.precision, unsignedPrecision.min);
  // Below that width a sign could not be told from a value when it comes back.
  if (precision !== samples.precision && frame.shape.pixelRepresentation === 1) return undefined;
  return { shape: decodedShape(frame.shape), bytes: encode({ ...samples, precision }) };
}

function encodeWavelet(frame: PlainFrame, highThroughput: boolean): EncodedFrame | undefined {
  const samples = samplesOf(frame, true);
  if (samples === undefined || samples.precision > jpeg2000PrecisionMax) return undefined;
  const shape = decodedShape(frame.shape);
  const toYcc = shape.photometricInterpretation === 'RGB' && samples.components === 3;
  // What is called after a transform has none any more, or is not of three components: such a frame is not plain.
  if (!toYcc && /^YBR_(RCT|ICT)$/.test(shape.photometricInterpretation)) return undefined;
  const bytes = encodeJpeg2000(samples, { toYcc, highThroughput });
  return { shape: toYcc ? { ...shape, photometricInterpretation: 'YBR_RCT' } : shape, bytes };
}
