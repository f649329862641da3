// One coded frame to a plain one, whatever its transfer syntax: the one place that knows which decoder reads what.
//
// Undefined: this syntax, or what the stream uses of it, is not decoded here; the caller passes the frame on as it is. DICOM_MALFORMED: the stream breaks its rules, ends
// early or contradicts the data set. LIMIT_EXCEEDED: it asks for more than a limit allows. Never a guess: no pixel comes out that the stream did not say.
// The plain frame's shape says what it is now: which colours, how many bits allocated, samples side by side (native frames keep their planes).

import { never } from '../../base/index.ts';
import { decodeDeflatedFrame } from './deflated-frame.ts';
import { checkShape, type ImageShape, type PlainFrame } from './image-shape.ts';
import { decodeJpeg } from './jpeg-decode.ts';
import { decodeJpegLs } from './jpeg-ls.ts';
import { decodeJpeg2000 } from './jpeg2000-decode.ts';
import { codestreamOf } from './jpeg2000-stream.ts';
import { decodeNative } from './native.ts';
import { fitSamples, type Samples } from './pixel-samples.ts';
import { type PixelCoding, pixelCodingOf } from './pixel-syntax.ts';
import { decodeRle } from './rle.ts';

export type CodedFrame = {
  /** UID of the transfer syntax. */
  readonly syntax: string;
  readonly shape: ImageShape;
  /** All fragments of the frame together, or a native frame that begins with its first byte. */
  readonly bytes: Uint8Array;
  /** Of native big-endian pixel data: whether its VR is OW, so that bytes stand in words. True where nothing is said. */
  readonly inWords?: boolean | undefined;
};

export function decodeFrame({ syntax, shape, bytes, inWords }: CodedFrame): PlainFrame | undefined {
  const coding = pixelCodingOf(syntax);
  if (coding === undefined) return undefined;
  checkShape(shape);
  if (coding === 'native' || coding === 'nativeBigEndian') {
    return decodeNative(bytes, shape, { bigEndian: coding === 'nativeBigEndian', inWords: inWords ?? true });
  }
  if (coding === 'deflatedFrame') return decodeDeflatedFrame(bytes, shape);
  if (coding === 'rle') return decodeRle(bytes, shape);
  // Codecs know no floating point; and colour of a lesser range is in no stream that anyone has seen.
  const isForeign = shape.floatingPoint === true || shape.photometricInterpretation.startsWith('YBR_PARTIAL');
  if (isForeign || shape.bitsAllocated > 32 || shape.bitsAllocated === 12) return undefined;
  const samples = decodeStream(coding, bytes, shape);
  if (samples === undefined) return undefined;
  return fitSamples(samples, shape);
}

type StreamCoding = Exclude<PixelCoding, 'native' | 'nativeBigEndian' | 'deflatedFrame' | 'rle'>;

function decodeStream(coding: StreamCoding, bytes: Uint8Array, shape: ImageShape): Samples | undefined {
  switch (coding) {
    case 'jpeg':
      return decodeJpeg(bytes, shape);
    case 'jpegLs':
      return decodeJpegLs(bytes, shape);
    case 'jpeg2000':
      return decodeJpeg2000(codestreamOf(bytes), shape);
    default:
      return never(coding, 'a stream has a decoder');
  }
}
