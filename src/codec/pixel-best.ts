// The best pixel codec, number 4, version 2: bytes of a frame <-> a payload (docs/formats/pixel-best-2.md). Version 1 is read by pixel-best-1.ts.
//
// Payload: u8 mode, then
//   0 stored   the plain bytes
//   2 pixels   the rest of the head (pixel-planes.ts), the planes' streams in order of components (kernel/best-decode.c), the tail: the bytes after
//              the last whole row, as they are
//
// Invariants: any bytes under any claimed shape decode to themselves, and a payload is at most one byte longer than the plain bytes.
// Decoding damaged bytes throws CodecFault or gives wrong bytes of the right length, in bounded time and memory; telling wrong from right is
// for the record's digest. Left out on purpose: which of the codecs to use, and cutting frames into chunks.

import { CodecFault } from './codec-fault.ts';
import { type KernelExports, kernel, placeRegions } from './pixel-kernel.ts';
import { callKernel, decodeStored, payloadMode, slackBytes, storedPayload } from './pixel-payload.ts';
import { headBytes, readHead, readPlanes, writeHead, writePlanes } from './pixel-planes.ts';
import { layOut, type PixelLayout, type PixelShape, pixelBytesMax } from './pixel-shape.ts';

/** Pixels before a plane's first, where neighbours that lie outside are kept (kernel/lanes.h). */
const padLeft = 8;

type Regions = {
  readonly bytes: number;
  readonly stream: number;
  readonly work: number;
  readonly planes: readonly number[];
};

function placePlanes(
  exports: KernelExports,
  { rows, columns, samples }: PixelLayout,
  sizes: readonly number[],
): Regions {
  const planeSizes = Array.from({ length: samples }, () => exports.planeBytes(rows, columns));
  const [bytes = 0, stream = 0, work = 0, ...starts] = placeRegions(exports, [...sizes, ...planeSizes]);
  return { bytes, stream, work, planes: starts.map((start) => start + padLeft * 2) };
}

export function encodePixelBest(plain: Uint8Array, shape: PixelShape): Uint8Array {
  const layout = layOut(plain.length, shape);
  if (layout.rows === 0 || plain.length > pixelBytesMax) return storedPayload(plain);
  const payload = encodePlanes(plain, layout);
  return payload.length > plain.length ? storedPayload(plain) : payload;
}

function encodePlanes(plain: Uint8Array, layout: PixelLayout): Uint8Array {
  const { rows, columns, samples, tailBytes } = layout;
  const exports = kernel();
  const { bytes, stream, work, planes } = placePlanes(exports, layout, [
    plain.length + slackBytes,
    exports.bestEncodeMax(rows, columns) * samples,
    exports.bestEncodeBytes(rows, columns),
  ]);
  const memory = new Uint8Array(exports.memory.buffer);
  memory.set(plain, bytes);
  const form = readPlanes(exports, bytes, layout, { at: planes, stride: exports.strideOf(columns) }, true);
  let size = 0;
  for (const plane of planes) size += exports.bestEncode(plane, rows, columns, stream + size, work);
  const out = new Uint8Array(headBytes + size + tailBytes);
  writeHead(out, payloadMode.pixels, form);
  out.set(memory.subarray(stream, stream + size), headBytes);
  out.set(plain.subarray(plain.length - tailBytes), headBytes + size);
  return out;
}

/** Throws CodecFault unless `stored` decodes to exactly `plainSizeBytes` bytes. */
export function decodePixelBest(stored: Uint8Array, plainSizeBytes: number): Uint8Array {
  switch (stored[0]) {
    case payloadMode.stored:
      return decodeStored(stored, plainSizeBytes);
    case payloadMode.pixels:
      return decodePlanes(stored, plainSizeBytes);
    default:
      throw new CodecFault('unknown mode');
  }
}

function decodePlanes(stored: Uint8Array, plainSizeBytes: number): Uint8Array {
  const form = readHead(stored, plainSizeBytes);
  const { rows, columns, tailBytes } = form.layout;
  const exports = kernel();
  const end = stored.length - tailBytes;
  const { bytes, stream, work, planes } = placePlanes(exports, form.layout, [
    plainSizeBytes + slackBytes,
    stored.length + slackBytes,
    exports.bestDecodeBytes(rows, columns),
  ]);
  const memory = new Uint8Array(exports.memory.buffer);
  memory.set(stored, stream);
  memory.fill(0, stream + stored.length, stream + stored.length + slackBytes);
  let at = headBytes;
  for (const plane of planes) {
    at += callKernel(() => exports.bestDecode(stream + at, end - at, plane, rows, columns, work));
  }
  if (at !== end) throw new CodecFault('bytes between the planes and the tail');
  writePlanes(exports, bytes, form, { at: planes, stride: exports.strideOf(columns) });
  const plain = memory.slice(bytes, bytes + plainSizeBytes);
  plain.set(stored.subarray(end), plainSizeBytes - tailBytes);
  return plain;
}
