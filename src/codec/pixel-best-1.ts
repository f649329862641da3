// Reading the best pixel codec, number 4, version 1 (docs/formats/pixel-best.md), which is no longer written.
//
// Payload: u8 mode, then
//   0 stored   the plain bytes
//   1 zstd     one zstd frame of them
//   2 pixels   the rest of the head (pixel-planes.ts), the planes' streams in order of components (kernel/best-decode-1.c), the tail
//
// Invariant: damaged bytes end in CodecFault or in wrong bytes of the right length, in bounded time and memory.

import { CodecFault } from './codec-fault.ts';
import { kernel, placeRegions } from './pixel-kernel.ts';
import { callKernel, decodePlainModes1, slackBytes } from './pixel-payload.ts';
import { headBytes, readHead, writePlanes } from './pixel-planes.ts';

/** Throws CodecFault unless `stored` decodes to exactly `plainSizeBytes` bytes. */
export function decodePixelBest1(stored: Uint8Array, plainSizeBytes: number): Uint8Array {
  return decodePlainModes1(stored, plainSizeBytes) ?? decodePlanes(stored, plainSizeBytes);
}

function decodePlanes(stored: Uint8Array, plainSizeBytes: number): Uint8Array {
  const form = readHead(stored, plainSizeBytes);
  const { rows, columns, samples, tailBytes } = form.layout;
  const exports = kernel();
  const [bytes = 0, stream = 0, work = 0, ...planes] = placeRegions(exports, [
    plainSizeBytes + slackBytes,
    stored.length + slackBytes,
    exports.bestDecode1Bytes(columns),
    ...Array.from({ length: samples }, () => rows * columns * 2 + slackBytes),
  ]);
  const memory = new Uint8Array(exports.memory.buffer);
  memory.set(stored, stream);
  memory.fill(0, stream + stored.length, stream + stored.length + slackBytes);
  let at = headBytes;
  const end = stored.length - tailBytes;
  for (const plane of planes) {
    at += callKernel(() => exports.bestDecode1(stream + at, end - at, plane, rows, columns, work));
  }
  if (at !== end) throw new CodecFault('bytes between the planes and the tail');
  writePlanes(exports, bytes, form, { at: planes, stride: columns });
  const plain = memory.slice(bytes, bytes + plainSizeBytes);
  plain.set(stored.subarray(end), plainSizeBytes - tailBytes);
  return plain;
}
