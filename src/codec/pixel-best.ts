// The best pixel codec, number 4, version 1: bytes of a frame <-> a payload (docs/formats/pixel-best.md).
//
// Payload of mode 2, little-endian (modes 0 and 1: pixel-payload.ts):
//   u8 mode = 2
//   u8 flags    1 wide (16-bit samples), 2 big-endian, 4 flipped (samples xor 0x8000), 8 decorrelated, 16 planar
//   u8 samples  1..4
//   u32 rows, u32 columns
//   then the planes' streams in order of components (kernel/best-decode.c), then the tail: bytes after the last whole row, as they are.
//
// Invariants: any bytes under any claimed shape decode to themselves, and a payload is at most one byte longer than the plain bytes.
// Decoding damaged bytes throws CodecFault or gives wrong bytes of the right length, in bounded time and memory; telling wrong from right is
// for the record's digest. Left out on purpose: which of the codecs to use, and cutting frames into chunks.

import { CodecFault } from './codec-fault.ts';
import { type KernelExports, kernel, placeRegions } from './pixel-kernel.ts';
import { callKernel, decodePlainModes, payloadMode, shortestPayload, slackBytes } from './pixel-payload.ts';
import {
  columnsMax,
  layOut,
  looksBigEndian,
  type PixelLayout,
  type PixelShape,
  pixelBytesMax,
  samplesMax,
} from './pixel-shape.ts';

const flag = { wide: 1, bigEndian: 2, flipped: 4, decorrelated: 8, planar: 16 } as const;
const headBytes = 11;
/** Fitted models win on anything photographed; a frame this flat is drawn, and may repeat itself. */
const zstdTrial = { level: 3, ratioMin: 20 };

export function encodePixelBest(plain: Uint8Array, shape: PixelShape): Uint8Array {
  const layout = layOut(plain.length, shape);
  const fits = layout.rows > 0 && plain.length <= pixelBytesMax;
  return shortestPayload(plain, fits ? encodePlanes(plain, layout) : undefined, zstdTrial);
}

type Regions = {
  readonly bytes: number;
  readonly planes: readonly number[];
  readonly stream: number;
  readonly work: number;
};

function encodePlanes(plain: Uint8Array, layout: PixelLayout): Uint8Array {
  const exports = kernel();
  const pixels = layout.rows * layout.columns;
  const streamMax = exports.bestEncodeMax(pixels);
  const planeSizes = Array.from({ length: layout.samples }, () => pixels * 2 + slackBytes);
  const sizes = [plain.length + slackBytes, streamMax, exports.bestEncodeBytes(pixels, layout.columns), ...planeSizes];
  const [bytes = 0, stream = 0, work = 0, ...planes] = placeRegions(exports, sizes);
  const regions = { bytes, planes, stream, work };
  new Uint8Array(exports.memory.buffer).set(plain, bytes);

  const bigEndian = layout.wide && looksBigEndian(plain, layout.planar ? 1 : layout.samples);
  let flags = (layout.wide ? flag.wide : 0) | (bigEndian ? flag.bigEndian : 0) | (layout.planar ? flag.planar : 0);
  readPlanes(exports, regions, layout, flags);
  if (layout.wide && wrapsAround(new Int16Array(exports.memory.buffer, planes[0], pixels))) {
    flags |= flag.flipped;
    readPlanes(exports, regions, layout, flags);
  }
  if (layout.samples === 3 && decorrelate(exports, planes, pixels, layout.wide)) flags |= flag.decorrelated;

  const head = new Uint8Array(headBytes);
  const view = new DataView(head.buffer);
  head.set([payloadMode.pixels, flags, layout.samples]);
  view.setUint32(3, layout.rows, true);
  view.setUint32(7, layout.columns, true);
  const parts: Uint8Array[] = [head];
  for (const plane of planes) {
    const size = exports.bestEncode(plane, layout.rows, layout.columns, stream, work);
    parts.push(new Uint8Array(exports.memory.buffer, stream, size).slice());
  }
  parts.push(plain.subarray(plain.length - layout.tailBytes));
  return Buffer.concat(parts);
}

/** Each component's plane from the bytes, or back into them. */
function eachPlane(
  regions: Regions,
  layout: PixelLayout,
  flags: number,
  move: (at: number, plane: number, stride: number, wide: number, bigEndian: number, flip: number) => void,
): void {
  const width = layout.wide ? 2 : 1;
  const apart = layout.planar ? layout.rows * layout.columns * width : width;
  const stride = layout.planar ? 1 : layout.samples;
  for (const [index, plane] of regions.planes.entries()) {
    const flip = (flags & flag.flipped) === 0 ? 0 : 0x8000;
    move(
      regions.bytes + index * apart,
      plane,
      stride,
      layout.wide ? 1 : 0,
      (flags & flag.bigEndian) === 0 ? 0 : 1,
      flip,
    );
  }
}

function readPlanes(exports: KernelExports, regions: Regions, layout: PixelLayout, flags: number): void {
  const count = layout.rows * layout.columns;
  eachPlane(regions, layout, flags, (at, plane, stride, wide, bigEndian, flip) => {
    exports.readSamples(at, plane, count, stride, wide, bigEndian, flip);
  });
}

/** Whether samples taken as signed jump between the ends of the range where samples taken as unsigned would not. */
function wrapsAround(plane: Int16Array): boolean {
  const step = Math.max(1, Math.floor(plane.length / 2048));
  let signed = 0;
  let unsigned = 0;
  for (let k = 1; k < plane.length; k += step) {
    const a = plane[k] ?? 0;
    const b = plane[k - 1] ?? 0;
    signed += Math.abs(a - b);
    unsigned += Math.abs((a & 0xffff) - (b & 0xffff));
  }
  return unsigned < signed;
}

/** Red and blue become differences from green, when that is smoother. */
function decorrelate(exports: KernelExports, planes: readonly number[], pixels: number, wide: boolean): boolean {
  const [red = 0, green = 0, blue = 0] = planes;
  const before = exports.roughness(red, pixels) + exports.roughness(blue, pixels);
  const width = wide ? 1 : 0;
  exports.subtractPlane(red, green, pixels, width);
  exports.subtractPlane(blue, green, pixels, width);
  if (exports.roughness(red, pixels) + exports.roughness(blue, pixels) < before) return true;
  exports.addPlane(red, green, pixels);
  exports.addPlane(blue, green, pixels);
  return false;
}

/** Throws CodecFault unless `stored` decodes to exactly `plainSizeBytes` bytes. */
export function decodePixelBest(stored: Uint8Array, plainSizeBytes: number): Uint8Array {
  return decodePlainModes(stored, plainSizeBytes) ?? decodePlanes(stored, plainSizeBytes);
}

function readLayout(stored: Uint8Array, plainSizeBytes: number): { layout: PixelLayout; flags: number } {
  if (stored.length < headBytes || plainSizeBytes > pixelBytesMax) throw new CodecFault('head cut short');
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const flags = view.getUint8(1);
  const samples = view.getUint8(2);
  const rows = view.getUint32(3, true);
  const columns = view.getUint32(7, true);
  const wide = (flags & flag.wide) !== 0;
  const tailBytes = plainSizeBytes - rows * columns * samples * (wide ? 2 : 1);
  if (
    flags > 31 ||
    samples < 1 ||
    samples > samplesMax ||
    rows < 1 ||
    columns < 1 ||
    columns > columnsMax ||
    tailBytes < 0 ||
    tailBytes > stored.length - headBytes
  ) {
    throw new CodecFault('head does not fit the promised length');
  }
  return { flags, layout: { rows, columns, samples, wide, planar: (flags & flag.planar) !== 0, tailBytes } };
}

function decodePlanes(stored: Uint8Array, plainSizeBytes: number): Uint8Array {
  const { layout, flags } = readLayout(stored, plainSizeBytes);
  const exports = kernel();
  const pixels = layout.rows * layout.columns;
  const planeSizes = Array.from({ length: layout.samples }, () => pixels * 2 + slackBytes);
  const sizes = [
    plainSizeBytes + slackBytes,
    stored.length + slackBytes,
    exports.bestDecodeBytes(layout.columns),
    ...planeSizes,
  ];
  const [bytes = 0, stream = 0, work = 0, ...planes] = placeRegions(exports, sizes);
  const memory = new Uint8Array(exports.memory.buffer);
  memory.set(stored, stream);
  memory.fill(0, stream + stored.length, stream + stored.length + slackBytes);
  let at = headBytes;
  const streamEnd = stored.length - layout.tailBytes;
  for (const plane of planes) {
    const used = callKernel(() =>
      exports.bestDecode(stream + at, streamEnd - at, plane, layout.rows, layout.columns, work),
    );
    at += used;
  }
  if (at !== streamEnd) throw new CodecFault('bytes between the planes and the tail');
  if ((flags & flag.decorrelated) !== 0) {
    const [red = 0, green = 0, blue = 0] = planes;
    if (layout.samples !== 3) throw new CodecFault('only three components can be decorrelated');
    exports.addPlane(red, green, pixels);
    exports.addPlane(blue, green, pixels);
  }
  eachPlane({ bytes, planes, stream, work }, layout, flags, (to, plane, stride, wide, bigEndian, flip) => {
    exports.writeSamples(to, plane, pixels, stride, wide, bigEndian, flip);
  });
  const plain = memory.slice(bytes, bytes + plainSizeBytes);
  plain.set(stored.subarray(streamEnd), plainSizeBytes - layout.tailBytes);
  return plain;
}
