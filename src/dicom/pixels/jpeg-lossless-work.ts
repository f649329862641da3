// Decoding the scans of one lossless JPEG frame: what the kernel is told, and when all components are there.

import { assert } from '../../base/index.ts';
import { jpegKernel, padded, type ScanPlace, writeWords } from './jpeg-kernel.ts';
import type { JpegFrame, JpegScan } from './jpeg-segments.ts';
import { malformedPixels } from './pixel-fault.ts';
import { sampleBytesOf } from './pixel-samples.ts';

export class LosslessWork {
  readonly #frame: JpegFrame;
  readonly #sizeBytes: number;
  readonly #isDone = new Set<number>();
  #out = 0;

  constructor(frame: JpegFrame) {
    this.#frame = frame;
    const { rows, columns, components, precision } = frame;
    this.#sizeBytes = rows * columns * components.length * sampleBytesOf(precision);
  }

  /** DICOM has no subsampled lossless frames. A single component may state any factors: they mean nothing. */
  static takes({ components }: JpegFrame): boolean {
    return components.length === 1 || components.every(({ across, down }) => across === 1 && down === 1);
  }

  begin(): void {
    this.#out = jpegKernel.place(this.#sizeBytes);
  }

  /** A lossless stream has nothing to quantize; what it says of it is passed over. */
  quantize(): void {}

  scan(scan: JpegScan, restartInterval: number, { input, end }: ScanPlace): number {
    const { rows, columns, precision, components } = this.#frame;
    const places = scan.components.map(({ place }) => place);
    if (scan.first < 1 || scan.first > 7 || scan.last !== 0 || scan.high !== 0 || scan.low >= precision) {
      throw malformedPixels('the predictor of a lossless JPEG scan');
    }
    if (restartInterval % columns !== 0) throw malformedPixels('a lossless JPEG restarts within a row');
    for (const place of places) {
      if (this.#isDone.has(place)) throw malformedPixels('a JPEG component has two scans');
      this.#isDone.add(place);
    }
    assert(this.#out !== 0, 'a scan is decoded after the start');
    const slots = scan.components.map(({ dc }) => dc);
    writeWords(
      jpegKernel.exports.losslessScan(),
      [
        [columns, rows, precision, components.length, places.length],
        padded(places),
        padded(slots),
        [scan.first, scan.low, restartInterval],
      ].flat(),
    );
    return jpegKernel.exports.decodeLossless(input, end, this.#out);
  }

  finish(): Uint8Array {
    if (this.#isDone.size < this.#frame.components.length) throw malformedPixels('a JPEG component has no scan');
    return jpegKernel.bytes(this.#out, this.#sizeBytes).slice();
  }
}
