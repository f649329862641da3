// Pictures as baseline JPEG (ITU-T T.81), grey or YCbCr, with tables fitted to the picture, through our own kernel.

import { assert } from '../../base/index.ts';
import { jpegKernel, readCodeTable } from './jpeg-kernel.ts';
import { jpegMarker, zigZagPlaces } from './jpeg-segments.ts';
import { frameSegment, scanSegment, type WrittenSegment, writeStream } from './jpeg-writer.ts';
import type { Raster } from './scale-picture.ts';

/** Steps of quality 50, in natural order (T.81, annex K, tables K.1 and K.2). */
const usualSteps: readonly [readonly number[], readonly number[]] = [
  [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
  ],
  [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99,
  ],
];

/** Quality as everybody counts it: 1 to 100, 50 for the tables as they stand, 100 for steps of one. */
function stepsOf(quality: number): readonly [Uint16Array, Uint16Array] {
  const percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  const scaled = (steps: readonly number[]): Uint16Array =>
    Uint16Array.from(steps, (step) => Math.min(255, Math.max(1, Math.floor((step * percent + 50) / 100))));
  return [scaled(usualSteps[0]), scaled(usualSteps[1])];
}

/** From here on chroma keeps its full size. */
const fullChromaQuality = 90;

export function encodeJpeg(raster: Raster, quality: number): Uint8Array {
  const { rows, columns, channels, levels } = raster;
  assert(quality >= 1 && quality <= 100, 'quality is of 1 to 100');
  assert(levels instanceof Uint8Array, 'baseline JPEG is of eight bits');
  const kernel = jpegKernel.begin();
  const input = jpegKernel.placeBytes(levels);
  const isHalved = channels === 3 && quality < fullChromaQuality;
  const steps = stepsOf(quality);
  const picture = kernel.encodePicture();
  jpegKernel.words(picture, 5).set([input, columns, rows, channels, Number(isHalved)]);
  const stepBytes = 2 * 64 * 2;
  const stepWords = new Uint16Array(128);
  stepWords.set(steps[0]);
  stepWords.set(steps[1], 64);
  jpegKernel.bytes(picture + 20, stepBytes).set(new Uint8Array(stepWords.buffer));
  const blocks = jpegKernel.place(kernel.encodeBlockBytes());
  jpegKernel.words(picture + 20 + stepBytes, 1).set([blocks]);
  const room = kernel.encodeBegin();
  const out = jpegKernel.place(room);
  const size = kernel.encodeEnd(out);
  assert(size <= room, 'a scan fits the room that was reckoned for it');
  return writeStream(segmentsOf(raster, isHalved, steps), jpegKernel.bytes(out, size));
}

const jfifBody = [0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0];

function segmentsOf(
  { rows, columns, channels }: Raster,
  isHalved: boolean,
  steps: readonly [Uint16Array, Uint16Array],
): WrittenSegment[] {
  const kernel = jpegKernel.exports;
  const kinds = channels === 1 ? ([0] as const) : ([0, 1] as const);
  const places = zigZagPlaces();
  const quantization = kinds.flatMap((kind) => [kind, ...Array.from(places, (place) => steps[kind][place] as number)]);
  const codes = kinds.flatMap((kind) =>
    [0, 1].flatMap((isAc) => {
      const { lengths, symbols } = readCodeTable(kernel.encodeTable(kind, isAc));
      return [(isAc << 4) | kind, ...lengths, ...symbols];
    }),
  );
  const components = Array.from({ length: channels }, (_, k) => ({
    sampling: k === 0 && isHalved ? 0x22 : 0x11,
    quantization: k === 0 ? 0 : 1,
  }));
  return [
    { marker: jpegMarker.jfif, body: jfifBody },
    { marker: jpegMarker.quantization, body: quantization },
    frameSegment(jpegMarker.startOfFrame, { precision: 8, rows, columns }, components),
    { marker: jpegMarker.huffman, body: codes },
    scanSegment(
      components.map((_, k) => (k === 0 ? 0 : 0x11)),
      [0, 63, 0],
    ),
  ];
}
