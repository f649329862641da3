// JPEG-LS frames to samples and back (ITU-T T.87), through our own kernel: lossless and near-lossless decoding, lossless encoding.
//
// What the stream says of its size, components and precision is held against the data set before memory is taken. Undefined where the stream uses mapping tables,
// restart intervals, a point transform, subsampling or a colour transform of its maker: DICOM has none of them. Colours are not touched.

import { assert } from '../../base/index.ts';
import type { ImageShape } from './image-shape.ts';
import { type JlsPresets, jlsKernel, usualPresets, writeJlsScan } from './jls-kernel.ts';
import { type JpegFrame, type JpegSegment, jpegMarker, readFrame, readSegment } from './jpeg-segments.ts';
import { frameSegment, scanSegment, wordBytes, writeStream } from './jpeg-writer.ts';
import { malformedPixels, pixelsBeyond } from './pixel-fault.ts';
import { codedBytesMax, instanceBytesMax } from './pixel-limits.ts';
import { checkAgainstShape, type Samples, sampleBytesOf } from './pixel-samples.ts';
import { kernelFault, kernelStatus } from './wasm-kernel.ts';

const startOfFrame = 0xf7;
const parameters = 0xf8;
const makersTransform = 0xe8;

type Scan = { readonly first: number; readonly count: number; readonly near: number; readonly interleave: number };

/** The scan's components, which must follow one another in the frame; undefined for what DICOM has not. */
function readScan({ body }: JpegSegment, frame: JpegFrame): Scan | undefined {
  const count = body[0] ?? 0;
  if (count < 1 || count > 4 || body.length !== 4 + 2 * count)
    throw malformedPixels('the components of a JPEG-LS scan');
  const places = Array.from({ length: count }, (_, k) =>
    frame.components.findIndex(({ id }) => id === body[1 + 2 * k]),
  );
  const first = places[0] ?? -1;
  if (first < 0 || places.some((place, k) => place !== first + k)) {
    throw malformedPixels('the components of a JPEG-LS scan');
  }
  const mapped = places.some((_, k) => body[2 + 2 * k] !== 0);
  const [near = 0, interleave = 0, point = 0] = body.subarray(1 + 2 * count);
  if (interleave > 2 || (interleave === 0 && count > 1)) throw malformedPixels('how a JPEG-LS scan is interleaved');
  return mapped || point !== 0 ? undefined : { first, count, near, interleave: count === 1 ? 0 : interleave };
}

/** The presets of a parameter segment of the first kind, zeros meaning the usual; undefined for the other kinds. */
function readPresets({ body }: JpegSegment): readonly number[] | undefined {
  if (body[0] !== 1) return undefined;
  if (body.length !== 11) throw malformedPixels('the parameters of a JPEG-LS stream');
  return Array.from({ length: 5 }, (_, k) => ((body[1 + 2 * k] as number) << 8) | (body[2 + 2 * k] as number));
}

function presetsOf(said: readonly number[] | undefined, precision: number, near: number): JlsPresets {
  const widest = 2 ** precision - 1;
  const [most = 0, first = 0, second = 0, third = 0, reset = 0] = said ?? [];
  if (most > widest || near > Math.min(255, Math.floor((most || widest) / 2))) {
    throw malformedPixels('the parameters of a JPEG-LS stream');
  }
  const usual = usualPresets(most || widest, near);
  const presets: JlsPresets = {
    most: usual.most,
    thresholds: [first || usual.thresholds[0], second || usual.thresholds[1], third || usual.thresholds[2]],
    reset: reset || usual.reset,
  };
  const [threshold1, threshold2, threshold3] = presets.thresholds;
  const isOrdered = near < threshold1 && threshold1 <= threshold2 && threshold2 <= threshold3;
  if (!isOrdered || threshold3 > presets.most || presets.reset < 3 || presets.reset > Math.max(255, presets.most)) {
    throw malformedPixels('the parameters of a JPEG-LS stream');
  }
  return presets;
}

type Outline = {
  readonly frame: JpegFrame;
  readonly presets: readonly number[] | undefined;
  readonly firstScan: number;
};

/** What stands before the first scan. */
function readOutline(bytes: Uint8Array): Outline | undefined {
  const first = readSegment(bytes, 0);
  if (first === 'end' || first.marker !== jpegMarker.startOfImage) throw malformedPixels('no JPEG-LS stream');
  let frame: JpegFrame | undefined;
  let presets: readonly number[] | undefined;
  for (let at = first.next; ; ) {
    const segment = readSegment(bytes, at);
    if (segment === 'end') throw malformedPixels('a JPEG-LS stream without a scan');
    if (segment.marker === startOfFrame) frame = readFrame(segment);
    else if (segment.marker === parameters) {
      presets = readPresets(segment);
      if (presets === undefined) return undefined;
    } else if (segment.marker === makersTransform) {
      // "mrfx" and which: a colour transform that is in no standard.
      const isTransform = Buffer.from(segment.body.subarray(0, 4)).toString('latin1') === 'mrfx';
      if (isTransform && segment.body[4] !== 0) return undefined;
    } else if (segment.marker === jpegMarker.restartInterval) return undefined;
    else if (segment.marker === jpegMarker.startOfScan) {
      if (frame === undefined) throw malformedPixels('a JPEG-LS scan before its frame');
      return { frame, presets, firstScan: at };
    } else if (segment.marker >= 0xc0 && segment.marker <= 0xcf) return undefined;
    at = segment.next;
  }
}

export function decodeJpegLs(bytes: Uint8Array, shape: ImageShape): Samples | undefined {
  if (bytes.byteLength > codedBytesMax) throw pixelsBeyond('coded bytes of a frame');
  const outline = readOutline(bytes);
  if (outline === undefined) return undefined;
  const { rows, columns, precision, components } = outline.frame;
  if (components.some(({ across, down }) => across !== 1 || down !== 1) && components.length > 1) return undefined;
  if (precision < 2 || precision > 16) throw malformedPixels('the precision of a JPEG-LS frame');
  checkAgainstShape({ rows, columns, components: components.length, precision }, shape);
  const sampleBytes = sampleBytesOf(precision);
  const sizeBytes = rows * columns * components.length * sampleBytes;
  jlsKernel.begin();
  const input = jlsKernel.placeBytes(bytes);
  const out = jlsKernel.place(sizeBytes);
  if (!decodeScans(bytes, outline, { input, out })) return undefined;
  return {
    rows,
    columns,
    precision,
    sampleBytes,
    signed: false,
    components: components.length,
    bytes: jlsKernel.bytes(out, sizeBytes).slice(),
  };
}

/** Decodes scan after scan until every component had its own; false for a scan that DICOM has not. */
function decodeScans(
  bytes: Uint8Array,
  { frame, presets: firstPresets, firstScan }: Outline,
  { input, out }: { readonly input: number; readonly out: number },
): boolean {
  const { rows, columns, precision, components } = frame;
  let presets = firstPresets;
  let next = 0;
  for (let at = firstScan; next < components.length; ) {
    const segment = readSegment(bytes, at);
    if (segment === 'end' || segment.marker === jpegMarker.endOfImage) {
      throw malformedPixels('the stream ends before its pixels');
    }
    at = segment.next;
    if (segment.marker === parameters) {
      presets = readPresets(segment);
      if (presets === undefined) return false;
    }
    if (segment.marker !== jpegMarker.startOfScan) continue;
    const scan = readScan(segment, frame);
    if (scan === undefined) return false;
    if (scan.first !== next || next + scan.count > components.length) {
      throw malformedPixels('the components of a JPEG-LS scan');
    }
    next += scan.count;
    writeJlsScan({
      columns,
      rows,
      precision,
      components: components.length,
      ...scan,
      presets: presetsOf(presets, precision, scan.near),
    });
    const behind = jlsKernel.call(() => jlsKernel.exports.decodeJls(input + at, input + bytes.length, out));
    if (behind < 0) throw kernelFault(behind);
    at = behind - input;
  }
  return true;
}

const interleaveByLine = 1;

/** The stream of samples of 2 to 16 bits with nothing above their precision. */
export function encodeJpegLs(samples: Samples): Uint8Array {
  const { rows, columns, components, precision, bytes } = samples;
  assert(precision >= 2 && precision <= 16 && !samples.signed, 'JPEG-LS is of 2 to 16 unsigned bits');
  jlsKernel.begin();
  const input = jlsKernel.placeBytes(bytes);
  const interleave = components > 1 ? interleaveByLine : 0;
  // Noise grows by some hundredths, but lines made against the code by several times; the limit of a code is at most four times the bits of a sample.
  for (let room = Math.ceil(bytes.byteLength * 1.125) + 4096; room <= instanceBytesMax; room *= 2) {
    const out = jlsKernel.place(room);
    writeJlsScan({
      columns,
      rows,
      precision,
      components,
      count: components,
      first: 0,
      interleave,
      near: 0,
      presets: usualPresets(2 ** precision - 1, 0),
    });
    const size = jlsKernel.call(() => jlsKernel.exports.encodeJls(input, out, room));
    if (size >= 0) return wrapScan(samples, interleave, jlsKernel.bytes(out, size));
    if (size !== kernelStatus.arenaFull) throw kernelFault(size);
    jlsKernel.release(out);
  }
  throw pixelsBeyond('memory of a codec');
}

function wrapScan({ rows, columns, components, precision }: Samples, interleave: number, scan: Uint8Array): Uint8Array {
  const frame = frameSegment(
    startOfFrame,
    { precision, rows, columns },
    Array.from({ length: components }, () => ({ sampling: 0x11, quantization: 0 })),
  );
  const { most, thresholds, reset } = usualPresets(2 ** precision - 1, 0);
  // Beyond 12 bits some decoders take other thresholds for the usual ones, so they are said.
  const said = { marker: parameters, body: [1, ...[most, ...thresholds, reset].flatMap(wordBytes)] };
  const start = scanSegment(new Array<number>(components).fill(0), [0, interleave, 0]);
  return writeStream(precision > 12 ? [frame, said, start] : [frame, start], scan);
}
