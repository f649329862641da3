// Reading the fast pixel codec, number 3, version 1 (docs/formats/pixel-fast.md), which is no longer written.
//
// Payload of mode 2, little-endian (modes 0 and 1: pixel-payload.ts):
//   u8 mode = 2
//   u8 flags       1 wide (16-bit samples), 2 big-endian
//   u8 apart       1..4: samples from one to the next of the same component
//   u32 rows, u32 rowSamples
//   then the stream (kernel/fast-decode-1.c), then the tail: bytes after the last whole row, as they are.
//
// Invariant: damaged bytes end in CodecFault or in wrong bytes of the right length, in bounded time and memory.

import { CodecFault } from './codec-fault.ts';
import { kernel, placeRegions } from './pixel-kernel.ts';
import { callKernel, decodePlainModes1, slackBytes } from './pixel-payload.ts';
import { columnsMax, pixelBytesMax, samplesMax } from './pixel-shape.ts';

const flag = { wide: 1, bigEndian: 2 } as const;
const headBytes = 11;

type Rows = {
  readonly rows: number;
  readonly rowSamples: number;
  readonly apart: number;
  readonly wide: boolean;
  readonly bigEndian: boolean;
  readonly tailBytes: number;
};

/** Throws CodecFault unless `stored` decodes to exactly `plainSizeBytes` bytes. */
export function decodePixelFast1(stored: Uint8Array, plainSizeBytes: number): Uint8Array {
  return decodePlainModes1(stored, plainSizeBytes) ?? decodeRows(stored, plainSizeBytes);
}

function readRowsHead(stored: Uint8Array, plainSizeBytes: number): Rows {
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
  const { rows, rowSamples, apart, wide, tailBytes, bigEndian } = readRowsHead(stored, plainSizeBytes);
  const exports = kernel();
  const streamSize = stored.length - headBytes - tailBytes;
  const [bytes = 0, stream = 0, work = 0] = placeRegions(exports, [
    plainSizeBytes + slackBytes,
    streamSize + slackBytes,
    exports.fastDecode1Bytes(rowSamples),
  ]);
  const memory = new Uint8Array(exports.memory.buffer);
  memory.set(stored.subarray(headBytes, headBytes + streamSize), stream);
  memory.fill(0, stream + streamSize, stream + streamSize + slackBytes);
  const used = callKernel(() =>
    exports.fastDecode1(stream, streamSize, rows, rowSamples, apart, Number(wide), Number(bigEndian), bytes, work),
  );
  if (used !== streamSize) throw new CodecFault('bytes between the samples and the tail');
  const plain = memory.slice(bytes, bytes + plainSizeBytes);
  plain.set(stored.subarray(stored.length - tailBytes), plainSizeBytes - tailBytes);
  return plain;
}
