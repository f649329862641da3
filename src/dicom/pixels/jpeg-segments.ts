// The segments of a JPEG stream (ITU-T T.81, annex B), read and checked: frame, scans, tables, restart interval, and what says what the colours are.
//
// Pure; entropy-coded bytes are not looked at. Every read is within its segment, and a segment within the stream; the rest is DICOM_MALFORMED.

import { malformedPixels } from './pixel-fault.ts';

type JpegComponent = {
  readonly id: number;
  readonly across: number;
  readonly down: number;
  readonly quantization: number;
};

export type JpegFrame = {
  /** 0 baseline, 1 extended, 2 progressive, 3 lossless; the others are not decoded here. */
  readonly process: number;
  readonly precision: number;
  readonly rows: number;
  readonly columns: number;
  readonly components: readonly JpegComponent[];
};

export type JpegScan = {
  /** Places in the frame's components, not their ids. */
  readonly components: readonly { readonly place: number; readonly dc: number; readonly ac: number }[];
  /** First coefficient, or the predictor of a lossless scan. */
  readonly first: number;
  readonly last: number;
  readonly high: number;
  readonly low: number;
};

export type JpegSegment = { readonly marker: number; readonly body: Uint8Array; readonly next: number };

export const jpegMarker = {
  startOfFrame: 0xc0,
  huffman: 0xc4,
  arithmetic: 0xcc,
  startOfImage: 0xd8,
  endOfImage: 0xd9,
  startOfScan: 0xda,
  quantization: 0xdb,
  lines: 0xdc,
  restartInterval: 0xdd,
  jfif: 0xe0,
  adobe: 0xee,
} as const;

/** Whether a marker begins a frame: C0 to CF but the three that define tables or are reserved. */
export function isFrameMarker(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** The segment that begins at `offset`, fill bytes passed over; `end` when the stream does. */
export function readSegment(bytes: Uint8Array, offset: number): JpegSegment | 'end' {
  let at = offset;
  if (at >= bytes.length) return 'end';
  if (bytes[at] !== 0xff) throw malformedPixels('no JPEG marker where one belongs');
  while (bytes[at] === 0xff) at += 1;
  const marker = bytes[at];
  if (marker === undefined) return 'end';
  at += 1;
  const isBare = marker === 0x01 || (marker >= 0xd0 && marker <= jpegMarker.endOfImage);
  if (isBare) return { marker, body: bytes.subarray(at, at), next: at };
  const length = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  if (length < 2 || at + length > bytes.length) throw malformedPixels('a JPEG segment is longer than the stream');
  return { marker, body: bytes.subarray(at + 2, at + length), next: at + length };
}

function byteAt(body: Uint8Array, offset: number): number {
  const byte = body[offset];
  if (byte === undefined) throw malformedPixels('a JPEG segment ends early');
  return byte;
}

function wordAt(body: Uint8Array, offset: number): number {
  return (byteAt(body, offset) << 8) | byteAt(body, offset + 1);
}

export function readFrame({ marker, body }: JpegSegment): JpegFrame {
  const count = byteAt(body, 5);
  if (count < 1 || count > 4 || body.length !== 6 + 3 * count) throw malformedPixels('the components of a JPEG frame');
  const components = Array.from({ length: count }, (_, k) => {
    const sampling = byteAt(body, 7 + 3 * k);
    return {
      id: byteAt(body, 6 + 3 * k),
      across: sampling >> 4,
      down: sampling & 15,
      quantization: byteAt(body, 8 + 3 * k),
    };
  });
  const isFine = components.every(
    ({ across, down, quantization }) => across >= 1 && across <= 4 && down >= 1 && down <= 4 && quantization <= 3,
  );
  if (!isFine || new Set(components.map(({ id }) => id)).size !== count) {
    throw malformedPixels('the components of a JPEG frame');
  }
  return {
    process: marker - jpegMarker.startOfFrame,
    precision: byteAt(body, 0),
    rows: wordAt(body, 1),
    columns: wordAt(body, 3),
    components,
  };
}

export function readScan({ body }: JpegSegment, frame: JpegFrame): JpegScan {
  const count = byteAt(body, 0);
  if (count < 1 || count > 4 || body.length !== 4 + 2 * count) throw malformedPixels('the components of a JPEG scan');
  const components = Array.from({ length: count }, (_, k) => {
    const id = byteAt(body, 1 + 2 * k);
    const slots = byteAt(body, 2 + 2 * k);
    const place = frame.components.findIndex((component) => component.id === id);
    if (place < 0 || slots >> 4 > 3 || (slots & 15) > 3) throw malformedPixels('a component of a JPEG scan');
    return { place, dc: slots >> 4, ac: slots & 15 };
  });
  const isAscending = components.every(({ place }, k) => k === 0 || place > (components[k - 1]?.place ?? -1));
  if (!isAscending) throw malformedPixels('the components of a JPEG scan are out of order');
  const approximation = byteAt(body, 3 + 2 * count);
  return {
    components,
    first: byteAt(body, 1 + 2 * count),
    last: byteAt(body, 2 + 2 * count),
    high: approximation >> 4,
    low: approximation & 15,
  };
}

/** Tables of a DHT segment: class and slot, the sixteen counts, the symbols. */
export function* readHuffmanTables({ body }: JpegSegment): Generator<{
  readonly isAc: boolean;
  readonly slot: number;
  readonly lengths: Uint8Array;
  readonly symbols: Uint8Array;
}> {
  for (let at = 0; at < body.length; ) {
    const which = byteAt(body, at);
    const lengths = body.subarray(at + 1, at + 17);
    const count = lengths.reduce((sum, length) => sum + length, 0);
    const end = at + 17 + count;
    if (which >> 4 > 1 || (which & 15) > 3 || count > 256 || end > body.length) {
      throw malformedPixels('a JPEG Huffman table');
    }
    yield { isAc: which >> 4 === 1, slot: which & 15, lengths, symbols: body.subarray(at + 17, end) };
    at = end;
  }
}

const naturalPlaces = zigZagPlaces();

/** Where the k-th coefficient in zig-zag order lies in a block of eight rows. */
export function zigZagPlaces(): Uint8Array {
  const places = new Uint8Array(64);
  let row = 0;
  let column = 0;
  for (let k = 0; k < 64; k++) {
    places[k] = row * 8 + column;
    const isUpwards = (row + column) % 2 === 0;
    if (isUpwards) {
      if (column === 7) row += 1;
      else {
        column += 1;
        if (row > 0) row -= 1;
      }
    } else if (row === 7) column += 1;
    else {
      row += 1;
      if (column > 0) column -= 1;
    }
  }
  return places;
}

/** Tables of a DQT segment, their steps in natural order. */
export function* readQuantization({ body }: JpegSegment): Generator<{ slot: number; steps: Uint16Array }> {
  for (let at = 0; at < body.length; ) {
    const which = byteAt(body, at);
    const width = which >> 4 === 0 ? 1 : 2;
    if (which >> 4 > 1 || (which & 15) > 3) throw malformedPixels('a JPEG quantization table');
    const steps = new Uint16Array(64);
    for (let k = 0; k < 64; k++) {
      const step = width === 1 ? byteAt(body, at + 1 + k) : wordAt(body, at + 1 + 2 * k);
      if (step === 0) throw malformedPixels('a JPEG quantization step of nothing');
      steps[naturalPlaces[k] as number] = step;
    }
    yield { slot: which & 15, steps };
    at += 1 + 64 * width;
  }
}

export function readRestartInterval({ body }: JpegSegment): number {
  return wordAt(body, 0);
}

/** The colour transform that an Adobe segment states: 0 none, 1 YCbCr, 2 YCCK. */
export function readAdobeTransform({ body }: JpegSegment): number | undefined {
  const isAdobe = body.length >= 12 && [0x41, 0x64, 0x6f, 0x62, 0x65].every((letter, k) => body[k] === letter);
  return isAdobe ? body[11] : undefined;
}
