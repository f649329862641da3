// The fast pixel codec, number 3, version 2: bytes of a frame <-> a payload (docs/formats/pixel-fast-2.md). Version 1 is read by pixel-fast-1.ts.
//
// Payload: u8 mode, then
//   0 stored     the plain bytes
//   2 packed     the rest of the head (pixel-planes.ts), the planes' streams in order of components (kernel/pack.c), the tail
//   3 squeezed   the rest of the head, u32 size of the streams, one zstd frame of them, the tail
// The tail is the bytes after the last whole row, as they are.
//
// Invariants: any bytes under any claimed shape decode to themselves, and a payload is at most one byte longer than the plain bytes.
// Decoding damaged bytes throws CodecFault or gives wrong bytes of the right length, in bounded time and memory; telling wrong from right
// is for the record's digest.
//
// Why blocks of a width and not codes: a receiver compresses what comes in while the sender waits, and every kilobyte saved costs it less than a
// microsecond to digest and encrypt. Half a millisecond of prefix codes on a slice of 512 KB saved 26 KB.

import { copyBytes } from '../base/index.ts';
import { CodecFault } from './codec-fault.ts';
import { type KernelExports, kernel, placeRegions } from './pixel-kernel.ts';
import {
  callKernel,
  decodeStored,
  payloadMode,
  slackBytes,
  squeeze,
  storedPayload,
  unsqueeze,
} from './pixel-payload.ts';
import { headBytes, type PlaneForm, readHead, readPlanes, writeHead, writePlanes } from './pixel-planes.ts';
import { layOut, type PixelLayout, type PixelShape, pixelBytesMax } from './pixel-shape.ts';

/** A block of sixteen samples is guessed from the samples `period` before it, which must be known. */
const blockSamples = 16;
/** Streams of less than a bit and a half a sample are flat for the most part, and may repeat themselves. */
const squeezeBitsMax = 1.5;
const squeezeBytesMin = 256;
const sizeFieldBytes = 4;

type Regions = { readonly bytes: number; readonly planes: readonly number[]; readonly stream: number };

function periodOf(columns: number): number {
  return columns * Math.ceil(blockSamples / columns);
}

/** Room for bytes, planes and streams; the planes have zeros before them. A plane of 16-bit samples that is alone lies where its bytes lie. */
function placePlanes(exports: KernelExports, layout: PixelLayout, sizeBytes: number, streamBytes: number): Regions {
  const { rows, columns, samples, wide } = layout;
  const before = periodOf(columns) * 2;
  const planeBytes = before + Math.max(rows * columns * 2, samples === 1 && wide ? sizeBytes : 0) + 2 * blockSamples;
  const shared = samples === 1 && wide;
  const sizes = [
    shared ? 0 : sizeBytes + slackBytes,
    streamBytes + slackBytes,
    ...Array.from({ length: samples }, () => planeBytes),
  ];
  const [apart = 0, stream = 0, ...starts] = placeRegions(exports, sizes);
  const memory = new Uint8Array(exports.memory.buffer);
  for (const start of starts) memory.fill(0, start, start + before);
  const planes = starts.map((start) => start + before);
  return { bytes: shared ? (planes[0] ?? 0) : apart, planes, stream };
}

export function encodePixelFast(plain: Uint8Array, shape: PixelShape): Uint8Array {
  const layout = layOut(plain.length, shape);
  if (layout.rows === 0 || plain.length > pixelBytesMax) return storedPayload(plain);
  const { rows, columns, samples, tailBytes } = layout;
  const exports = kernel();
  const count = rows * columns;
  const { bytes, planes, stream } = placePlanes(exports, layout, plain.length, exports.packMax(count) * samples);
  const memory = new Uint8Array(exports.memory.buffer);
  memory.set(plain, bytes);
  const form = readPlanes(exports, bytes, layout, { at: planes, stride: columns }, false);
  let size = 0;
  for (const plane of planes) size += exports.pack(plane, count, periodOf(columns), stream + size);
  const tail = plain.subarray(plain.length - tailBytes);
  const packed = memory.subarray(stream, stream + size);
  if (size >= squeezeBytesMin && size * 8 < count * samples * squeezeBitsMax) {
    const squeezed = squeeze(packed);
    if (squeezed.length < size) return payloadOf(payloadMode.squeezed, form, [sizeField(size), squeezed, tail]);
  }
  if (headBytes + size + tailBytes > plain.length) return storedPayload(plain);
  return payloadOf(payloadMode.pixels, form, [packed, tail]);
}

function payloadOf(mode: number, form: PlaneForm, parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, headBytes));
  writeHead(out, mode, form);
  let at = headBytes;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function sizeField(size: number): Uint8Array {
  const out = new Uint8Array(sizeFieldBytes);
  new DataView(out.buffer).setUint32(0, size, true);
  return out;
}

/** Throws CodecFault unless `stored` decodes to exactly `plainSizeBytes` bytes. `into`: where pixels are to be written, as long as they are. */
export function decodePixelFast(stored: Uint8Array, plainSizeBytes: number, into?: Uint8Array): Uint8Array {
  switch (stored[0]) {
    case payloadMode.stored:
      return decodeStored(stored, plainSizeBytes);
    case payloadMode.pixels:
    case payloadMode.squeezed:
      return decodePlanes(stored, plainSizeBytes, into);
    default:
      throw new CodecFault('unknown mode');
  }
}

function decodePlanes(stored: Uint8Array, plainSizeBytes: number, into: Uint8Array | undefined): Uint8Array {
  const form = readHead(stored, plainSizeBytes);
  const { rows, columns, samples, tailBytes } = form.layout;
  const exports = kernel();
  const count = rows * columns;
  const end = stored.length - tailBytes;
  const body = stored.subarray(headBytes, end);
  const packed = stored[0] === payloadMode.squeezed ? unsqueezeStreams(body, exports.packMax(count) * samples) : body;
  const { bytes, planes, stream } = placePlanes(exports, form.layout, plainSizeBytes, packed.length);
  const memory = new Uint8Array(exports.memory.buffer);
  memory.set(packed, stream);
  let used = 0;
  for (const plane of planes) {
    used += callKernel(() => exports.unpack(stream + used, packed.length - used, plane, count, periodOf(columns)));
  }
  if (used !== packed.length) throw new CodecFault('bytes between the samples and the tail');
  writePlanes(exports, bytes, form, { at: planes, stride: columns });
  const decoded = memory.subarray(bytes, bytes + plainSizeBytes);
  const plain = into ?? decoded.slice();
  if (into !== undefined) copyBytes(decoded, into);
  plain.set(stored.subarray(end), plainSizeBytes - tailBytes);
  return plain;
}

function unsqueezeStreams(body: Uint8Array, sizeBytesMax: number): Uint8Array {
  if (body.length < sizeFieldBytes) throw new CodecFault('size cut short');
  const size = new DataView(body.buffer, body.byteOffset).getUint32(0, true);
  if (size > sizeBytesMax) throw new CodecFault('streams larger than the samples can need');
  return unsqueeze(body.subarray(sizeFieldBytes), size);
}
