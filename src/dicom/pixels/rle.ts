// RLE Lossless (PS3.5, annex G): a header of up to fifteen offsets, then segments of PackBits, each one byte of every sample, the highest first.
//
// Decoding writes exactly the bytes of the frame, whatever the runs say: a segment that ends early is DICOM_MALFORMED, and what it has beyond the
// frame's end (some encoders pad with runs) is not read. Encoding ends every run with its row, as the standard asks.

import { decodedShape, frameBytesOf, type ImageShape, type PlainFrame } from './image-shape.ts';
import { malformedPixels } from './pixel-fault.ts';

const headBytes = 64;
const segmentsMax = 15;

/** Planes of bytes that a frame is cut into, and how one byte of a plane follows the other in the frame. */
type Layout = {
  readonly segments: number;
  readonly planeBytes: number;
  readonly apart: number;
  place(segment: number): number;
};

function layoutOf(shape: ImageShape): Layout | undefined {
  const { bitsAllocated, samplesPerPixel, rows, columns } = shape;
  if (bitsAllocated === 1) return { segments: 1, planeBytes: frameBytesOf(shape), apart: 1, place: () => 0 };
  const width = bitsAllocated / 8;
  const segments = width * samplesPerPixel;
  if (!Number.isInteger(width) || segments > segmentsMax) return undefined;
  return {
    segments,
    planeBytes: rows * columns,
    apart: segments,
    place: (segment) => Math.floor(segment / width) * width + (width - 1 - (segment % width)),
  };
}

export function decodeRle(bytes: Uint8Array, coded: ImageShape): PlainFrame | undefined {
  const shape = decodedShape(coded);
  const layout = layoutOf(shape);
  if (layout === undefined) return undefined;
  if (bytes.byteLength < headBytes) throw malformedPixels('an RLE frame without its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== layout.segments) {
    throw malformedPixels('an RLE frame has another number of segments than its samples have bytes');
  }
  const offsets = Array.from({ length: layout.segments }, (_, k) => view.getUint32(4 + 4 * k, true));
  const isOrdered = offsets.every(
    (offset, k) => offset >= headBytes && offset <= bytes.byteLength && offset >= (offsets[k - 1] ?? 0),
  );
  if (!isOrdered) throw malformedPixels('the offsets of an RLE frame');
  const out = new Uint8Array(layout.segments * layout.planeBytes);
  offsets.forEach((offset, k) => {
    decodeSegment(bytes.subarray(offset, offsets[k + 1] ?? bytes.byteLength), out, layout.place(k), layout);
  });
  return { shape, bytes: out };
}

function decodeSegment(segment: Uint8Array, out: Uint8Array, place: number, { planeBytes, apart }: Layout): void {
  const end = place + planeBytes * apart;
  const { length } = segment;
  let to = place;
  let at = 0;
  while (to < end) {
    if (at >= length) throw malformedPixels('the stream ends before its pixels');
    const code = segment[at] as number;
    at += 1;
    if (code < 128) {
      const count = Math.min(code + 1, (end - to) / apart);
      if (at + count > length) throw malformedPixels('the stream ends before its pixels');
      if (apart === 1) out.set(segment.subarray(at, at + count), to);
      else for (let k = 0; k < count; k++) out[to + k * apart] = segment[at + k] as number;
      to += count * apart;
      at += code + 1;
    } else if (code > 128) {
      if (at >= length) throw malformedPixels('the stream ends before its pixels');
      const value = segment[at] as number;
      at += 1;
      const count = Math.min(257 - code, (end - to) / apart);
      if (apart === 1) out.fill(value, to, to + count);
      else for (let k = 0; k < count; k++) out[to + k * apart] = value;
      to += count * apart;
    }
  }
}

/** The frame in RLE; undefined where its samples have more bytes than there are segments. Samples must stand side by side. */
export function encodeRle({ shape, bytes }: PlainFrame): Uint8Array | undefined {
  const layout = layoutOf(shape);
  if (layout === undefined) return undefined;
  const { segments, planeBytes, apart } = layout;
  const rowBytes = shape.bitsAllocated === 1 ? planeBytes : shape.columns;
  // The worst: one code for every 128 bytes of a row, and one for its rest.
  const rows = planeBytes / rowBytes;
  const segmentMax = rows * (rowBytes + Math.ceil(rowBytes / 128)) + 1;
  const out = new Uint8Array(headBytes + segments * segmentMax);
  const view = new DataView(out.buffer);
  view.setUint32(0, segments, true);
  const row = new Uint8Array(rowBytes);
  let to = headBytes;
  for (let segment = 0; segment < segments; segment++) {
    view.setUint32(4 + 4 * segment, to, true);
    const place = layout.place(segment);
    for (let start = 0; start < planeBytes; start += rowBytes) {
      for (let k = 0; k < rowBytes; k++) row[k] = bytes[place + (start + k) * apart] as number;
      to = encodeRow(row, out, to);
    }
    if (to % 2 === 1) to += 1; // a zero: one literal byte that no decoder comes to read
  }
  return out.subarray(0, to);
}

const runMin = 3;
const runMax = 128;

/** Runs of three and more as such, all else as it is. Answers where the row ends in `out`. */
function encodeRow(row: Uint8Array, out: Uint8Array, start: number): number {
  const { length } = row;
  let to = start;
  let literal = 0; // where bytes that repeat nothing begin
  let at = 0;
  while (at + runMin <= length) {
    const value = row[at] as number;
    if (row[at + 1] !== value || row[at + 2] !== value) {
      at += 1;
      continue;
    }
    to = putLiterals(row, literal, at, out, to);
    let end = at + runMin;
    while (end < length && end - at < runMax && row[end] === value) end += 1;
    out[to] = 257 - (end - at);
    out[to + 1] = value;
    to += 2;
    at = end;
    literal = end;
  }
  return putLiterals(row, literal, length, out, to);
}

function putLiterals(row: Uint8Array, start: number, end: number, out: Uint8Array, place: number): number {
  let to = place;
  for (let at = start; at < end; ) {
    const stop = Math.min(end, at + runMax);
    out[to] = stop - at - 1;
    to += 1;
    while (at < stop) {
      out[to] = row[at] as number;
      to += 1;
      at += 1;
    }
  }
  return to;
}
