// Samples to lossless JPEG with first-order prediction (ITU-T T.81, process 14, selection value 1), through our own kernel.

import { assert } from '../../base/index.ts';
import { jpegKernel, readCodeTable, writeWords } from './jpeg-kernel.ts';
import { jpegMarker } from './jpeg-segments.ts';
import { frameSegment, scanSegment, writeStream } from './jpeg-writer.ts';
import type { Samples } from './pixel-samples.ts';

const losslessFrame = 0xc3;
const firstOrder = 1;

/** The stream of samples of 2 to 16 bits with nothing above their precision. */
export function encodeJpegLossless(samples: Samples): Uint8Array {
  const { rows, columns, components, precision, sampleBytes, bytes } = samples;
  assert(precision >= 2 && precision <= 16 && !samples.signed, 'lossless JPEG is of 2 to 16 unsigned bits');
  const kernel = jpegKernel.begin();
  const words = sampleBytes === 1 ? new Uint8Array(Uint16Array.from(bytes).buffer) : bytes;
  const input = jpegKernel.placeBytes(words);
  writeWords(kernel.losslessPicture(), [input, columns, rows, components, precision]);
  const room = kernel.losslessBegin();
  const out = jpegKernel.place(room);
  const size = kernel.losslessEnd(out);
  assert(size <= room, 'a scan fits the room that was reckoned for it');
  const table = readCodeTable(kernel.losslessTable());
  const frame = frameSegment(
    losslessFrame,
    { precision, rows, columns },
    Array.from({ length: components }, () => ({ sampling: 0x11, quantization: 0 })),
  );
  const codes = { marker: jpegMarker.huffman, body: [0, ...table.lengths, ...table.symbols] };
  const start = scanSegment(new Array<number>(components).fill(0), [firstOrder, 0, 0]);
  return writeStream([frame, codes, start], jpegKernel.bytes(out, size));
}
