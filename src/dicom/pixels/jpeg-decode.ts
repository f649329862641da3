// JPEG frames to samples: baseline, extended (8 and 12 bit) and progressive DCT, and lossless with all its predictors (ITU-T T.81), through our own kernel.
//
// What the stream says of its size, components and precision is held against the data set before memory is taken. Undefined where the stream
// is of a process that is not decoded here (hierarchical, arithmetic coding, JPEG-LS), whatever the transfer syntax claims.
// Colour: lossless samples are never transformed. Three components of a DCT stream become RGB: by the stream's own word where it has one (an Adobe segment,
// components called R, G, B), else by what the data set calls them. See `isYcc`.

import type { ImageShape } from './image-shape.ts';
import { DctWork } from './jpeg-dct-work.ts';
import { jpegKernel } from './jpeg-kernel.ts';
import { LosslessWork } from './jpeg-lossless-work.ts';
import {
  isFrameMarker,
  type JpegFrame,
  type JpegSegment,
  jpegMarker,
  readAdobeTransform,
  readFrame,
  readHuffmanTables,
  readRestartInterval,
  readScan,
  readSegment,
} from './jpeg-segments.ts';
import { malformedPixels, pixelsBeyond } from './pixel-fault.ts';
import { codedBytesMax, jpegScansMax } from './pixel-limits.ts';
import { checkAgainstShape, type Samples, sampleBytesOf } from './pixel-samples.ts';
import { kernelFault } from './wasm-kernel.ts';

type Plan = { readonly frame: JpegFrame; readonly adobeTransform: number | undefined };

const losslessProcess = 3;

/** The frame, and what is said of colour, before the first scan. */
function readPlan(bytes: Uint8Array): Plan {
  let frame: JpegFrame | undefined;
  let adobeTransform: number | undefined;
  const first = readSegment(bytes, 0);
  if (first === 'end' || first.marker !== jpegMarker.startOfImage) throw malformedPixels('no JPEG stream');
  for (let at = first.next; ; ) {
    const segment = readSegment(bytes, at);
    if (segment === 'end') throw malformedPixels('a JPEG stream without a scan');
    if (isFrameMarker(segment.marker)) {
      if (frame !== undefined) throw malformedPixels('a JPEG stream of two frames');
      frame = readFrame(segment);
    } else if (segment.marker === jpegMarker.adobe) adobeTransform = readAdobeTransform(segment) ?? adobeTransform;
    else if (segment.marker === jpegMarker.startOfScan) {
      if (frame === undefined) throw malformedPixels('a JPEG scan before its frame');
      return { frame, adobeTransform };
    }
    at = segment.next;
  }
}

/**
 * Whether three components are YCbCr. The data set's word counts only where the stream has none: encoders that wrote RGB under a data set saying YBR (and the other way round)
 * marked the stream rightly. A JFIF segment is no such word here: encoders put it in front of RGB as well.
 */
function isYcc({ frame, adobeTransform }: Plan, shape: ImageShape): boolean {
  if (adobeTransform !== undefined) return adobeTransform === 1;
  if (frame.components.map(({ id }) => String.fromCharCode(id)).join('') === 'RGB') return false;
  return shape.photometricInterpretation.startsWith('YBR');
}

export function decodeJpeg(bytes: Uint8Array, shape: ImageShape): Samples | undefined {
  if (bytes.byteLength > codedBytesMax) throw pixelsBeyond('coded bytes of a frame');
  const plan = readPlan(bytes);
  const { frame } = plan;
  // A frame of no rows says them only behind its pixels (DNL), which nobody in this field does.
  if (frame.process > losslessProcess || frame.rows === 0) return undefined;
  const { precision, components } = frame;
  checkAgainstShape({ rows: frame.rows, columns: frame.columns, components: components.length, precision }, shape);
  if (components.length === 2 || components.length === 4) return undefined;
  const isLossless = frame.process === losslessProcess;
  const precisionFits = isLossless ? precision >= 2 && precision <= 16 : precision === 8 || precision === 12;
  if (!precisionFits || (frame.process === 0 && precision !== 8))
    throw malformedPixels('the precision of a JPEG frame');
  const samples = {
    rows: frame.rows,
    columns: frame.columns,
    components: components.length,
    precision,
    signed: false,
    sampleBytes: sampleBytesOf(precision),
  };
  if (isLossless) {
    if (!LosslessWork.takes(frame)) return undefined;
    return { ...samples, bytes: decodeScans(bytes, frame, new LosslessWork(frame)) };
  }
  if (!DctWork.takes(frame)) return undefined;
  const isColour = components.length === 3;
  const work = new DctWork(frame, { toRgb: isColour && isYcc(plan, shape) });
  return {
    ...samples,
    bytes: decodeScans(bytes, frame, work),
    ...(isColour ? { photometricInterpretation: 'RGB' } : {}),
  };
}

function defineTables(segment: JpegSegment): void {
  const kernel = jpegKernel.exports;
  for (const { isAc, slot, lengths, symbols } of readHuffmanTables(segment)) {
    const definition = jpegKernel.bytes(kernel.huffmanDefinition(), 16 + 256).fill(0);
    definition.set(lengths);
    definition.set(symbols, 16);
    if (kernel.huffmanDefine(Number(isAc), slot) < 0) throw malformedPixels('a JPEG Huffman table');
  }
}

function decodeScans(bytes: Uint8Array, frame: JpegFrame, work: DctWork | LosslessWork): Uint8Array {
  jpegKernel.begin().huffmanClear();
  const input = jpegKernel.placeBytes(bytes);
  work.begin();
  let restartInterval = 0;
  let scans = 0;
  for (let at = 0; ; ) {
    const segment = readSegment(bytes, at);
    // A stream that lacks only its end lost no pixels; whether all of them are there is asked when they are brought out.
    if (segment === 'end' || segment.marker === jpegMarker.endOfImage) return work.finish();
    at = segment.next;
    switch (segment.marker) {
      case jpegMarker.huffman:
        defineTables(segment);
        break;
      case jpegMarker.quantization:
        work.quantize(segment);
        break;
      case jpegMarker.restartInterval:
        restartInterval = readRestartInterval(segment);
        break;
      case jpegMarker.startOfScan: {
        scans += 1;
        if (scans > jpegScansMax) throw pixelsBeyond('scans of a JPEG stream');
        const place = { input: input + at, end: input + bytes.length };
        const scan = readScan(segment, frame);
        const behind = jpegKernel.call(() => work.scan(scan, restartInterval, place));
        if (behind < 0) throw kernelFault(behind);
        at = behind - input;
        break;
      }
      default:
    }
  }
}
