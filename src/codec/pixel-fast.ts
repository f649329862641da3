// The fast pixel codec, number 3, version 1: bytes of a frame <-> a payload (docs/formats/pixel-fast.md).
//
// Payload of mode 2, little-endian (modes 0 and 1: pixel-payload.ts):
//   u8 mode = 2
//   u8 flags       1 wide (16-bit samples), 2 big-endian
//   u8 apart       1..4: samples from one to the next of the same component
//   u32 rows, u32 rowSamples
//   then the stream (kernel/fast.c), then the tail: bytes after the last whole row, as they are.
//
// Invariants: any bytes under any claimed shape decode to themselves, and a payload is at most one byte longer than the plain bytes.
// Decoding damaged bytes throws CodecFault or gives wrong bytes of the right length, in bounded time and memory; telling wrong from right
// is for the record's digest.

import { CodecFault } from './codec-fault.ts';
import { kernel, placeRegions } from './pixel-kernel.ts';
import { callKernel, decodePlainModes, payloadMode, shortestPayload, slackBytes } from './pixel-payload.ts';
import { columnsMax, layOut, looksBigEndian, type PixelShape, pixelBytesMax, samplesMax } from './pixel-shape.ts';

const flag = { wide: 1, bigEndian: 2 } as const;
const headBytes = 11;
/** A prefix code spends a bit a sample, so byte samples cannot pass 8 by themselves. */
const zstdTrial = { level: 1, ratioMin: 6 };

type Rows = {
  readonly rows: number;
  readonly rowSamples: number;
  readonly apart: number;
  readonly wide: boolean;
  readonly tailBytes: number;
};

/** The components of a planar frame are rows below rows; those of an interleaved one lie `apart`. */
function rowsOf(sizeBytes: number, shape: PixelShape): Rows {
  const { rows, columns, samples, wide, planar, tailBytes } = layOut(sizeBytes, shape);
  if (planar) return { rows: rows * samples, rowSamples: columns, apart: 1, wide, tailBytes };
  return { rows, rowSamples: columns * samples, apart: samples, wide, tailBytes };
}

export function encodePixelFast(plain: Uint8Array, shape: PixelShape): Uint8Array {
  const rows = rowsOf(plain.length, shape);
  const fits = rows.rows > 0 && plain.length <= pixelBytesMax;
  return shortestPayload(plain, fits ? encodeRows(plain, rows) : undefined, zstdTrial);
}

function encodeRows(plain: Uint8Array, { rows, rowSamples, apart, wide, tailBytes }: Rows): Uint8Array {
  const exports = kernel();
  const [bytes = 0, stream = 0, work = 0] = placeRegions(exports, [
    plain.length + slackBytes,
    exports.fastEncodeMax(rows, rowSamples),
    exports.fastEncodeBytes(rows, rowSamples),
  ]);
  new Uint8Array(exports.memory.buffer).set(plain, bytes);
  const bigEndian = wide && looksBigEndian(plain, apart);
  const size = exports.fastEncode(bytes, rows, rowSamples, apart, Number(wide), Number(bigEndian), stream, work);

  const out = new Uint8Array(headBytes + size + tailBytes);
  const view = new DataView(out.buffer);
  out.set([payloadMode.pixels, (wide ? flag.wide : 0) | (bigEndian ? flag.bigEndian : 0), apart]);
  view.setUint32(3, rows, true);
  view.setUint32(7, rowSamples, true);
  out.set(new Uint8Array(exports.memory.buffer, stream, size), headBytes);
  out.set(plain.subarray(plain.length - tailBytes), headBytes + size);
  return out;
}

/** Throws CodecFault unless `stored` decodes to exactly `plainSizeBytes` bytes. */
export function decodePixelFast(stored: Uint8Array, plainSizeBytes: number): Uint8Array {
  return decodePlainModes(stored, plainSizeBytes) ?? decodeRows(stored, plainSizeBytes);
}

function readHead(stored: Uint8Array, plainSizeBytes: number): Rows & { bigEndian: boolean } {
  if (stored.length < headBytes || plainSizeBytes > pixelBytesMax) throw new CodecFault('head cut short');
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const flags = view.getUint8(1);
  const apart = view.getUint8(2);
  const rows = view.getUint32(3, true);
  const rowSamples = view.getUint32(7, true);
  const wide = (flags & flag.wide) !== 0;
  const tailBytes = plainSizeBytes - rows * rowSamples * (wide ? 2 : 1);
  const rowsFit = rows >= 1 && rowSamples >= 1 && rowSamples <= columnsMax * samplesMax && tailBytes >= 0;
  if (flags > 3 || apart < 1 || apart > samplesMax || !rowsFit || tailBytes > stored.length - headBytes) {
    throw new CodecFault('head does not fit the promised length');
  }
  return { rows, rowSamples, apart, wide, tailBytes, bigEndian: (flags & flag.bigEndian) !== 0 };
}

function decodeRows(stored: Uint8Array, plainSizeBytes: number): Uint8Array {
  const { rows, rowSamples, apart, wide, tailBytes, bigEndian } = readHead(stored, plainSizeBytes);
  const exports = kernel();
  const streamSize = stored.length - headBytes - tailBytes;
  const [bytes = 0, stream = 0, work = 0] = placeRegions(exports, [
    plainSizeBytes + slackBytes,
    streamSize + slackBytes,
    exports.fastDecodeBytes(rowSamples),
  ]);
  const memory = new Uint8Array(exports.memory.buffer);
  memory.set(stored.subarray(headBytes, headBytes + streamSize), stream);
  memory.fill(0, stream + streamSize, stream + streamSize + slackBytes);
  const used = callKernel(() =>
    exports.fastDecode(stream, streamSize, rows, rowSamples, apart, Number(wide), Number(bigEndian), bytes, work),
  );
  if (used !== streamSize) throw new CodecFault('bytes between the samples and the tail');
  const plain = memory.slice(bytes, bytes + plainSizeBytes);
  plain.set(stored.subarray(stored.length - tailBytes), plainSizeBytes - tailBytes);
  return plain;
}
