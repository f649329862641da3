// Decoding the scans of one DCT-based JPEG frame: what the kernel is told, and when every coefficient is there.
//
// A sequential component is done by one scan. A progressive one is done when each of its 64 coefficients was sent, and refined to its last bit; a scan that does not
// continue where the one before ended breaks the stream. So a stream that lost a scan is told from one that is whole.

import { jpegKernel, padded, type ScanPlace, writeWords } from './jpeg-kernel.ts';
import { type JpegFrame, type JpegScan, type JpegSegment, readQuantization } from './jpeg-segments.ts';
import { malformedPixels } from './pixel-fault.ts';
import { sampleBytesOf } from './pixel-samples.ts';

type Component = {
  readonly across: number;
  readonly down: number;
  readonly quantization: number;
  readonly columns: number;
  readonly rows: number;
  readonly blockColumns: number;
  readonly blockRows: number;
  /** Addresses; 0 where there is none yet. */
  steps: number;
  plane: number;
  coefficients: number;
  /** Of each coefficient the lowest bit that is known; `unsent` before. */
  readonly lowest: Uint8Array;
};

const unsent = 255;
const mcuBlocksMax = 10;
const progressiveProcess = 2;

export class DctWork {
  readonly #frame: JpegFrame;
  readonly #toRgb: boolean;
  readonly #isProgressive: boolean;
  readonly #acrossMax: number;
  readonly #downMax: number;
  readonly #mcuColumns: number;
  readonly #mcuRows: number;
  readonly #components: readonly Component[];
  readonly #steps: (Uint16Array | undefined)[] = [];

  constructor(frame: JpegFrame, { toRgb }: { toRgb: boolean }) {
    this.#frame = frame;
    this.#toRgb = toRgb;
    this.#isProgressive = frame.process === progressiveProcess;
    const acrossMax = Math.max(...frame.components.map(({ across }) => across));
    const downMax = Math.max(...frame.components.map(({ down }) => down));
    this.#acrossMax = acrossMax;
    this.#downMax = downMax;
    this.#mcuColumns = Math.ceil(frame.columns / (8 * acrossMax));
    this.#mcuRows = Math.ceil(frame.rows / (8 * downMax));
    this.#components = frame.components.map(({ across, down, quantization }) => ({
      across,
      down,
      quantization,
      columns: Math.ceil((frame.columns * across) / acrossMax),
      rows: Math.ceil((frame.rows * down) / downMax),
      blockColumns: this.#mcuColumns * across,
      blockRows: this.#mcuRows * down,
      steps: 0,
      plane: 0,
      coefficients: 0,
      lowest: new Uint8Array(64).fill(unsent),
    }));
  }

  /** Chroma is brought to full size by whole factors only; others are in no object that anyone has seen. */
  static takes({ components }: JpegFrame): boolean {
    const acrossMax = Math.max(...components.map(({ across }) => across));
    const downMax = Math.max(...components.map(({ down }) => down));
    return components.every(({ across, down }) => acrossMax % across === 0 && downMax % down === 0);
  }

  begin(): void {
    const sampleBytes = sampleBytesOf(this.#frame.precision);
    for (const component of this.#components) {
      const blocks = component.blockColumns * component.blockRows;
      component.plane = jpegKernel.place(blocks * 64 * sampleBytes);
      if (!this.#isProgressive) continue;
      component.coefficients = jpegKernel.place(blocks * 128);
      jpegKernel.bytes(component.coefficients, blocks * 128).fill(0);
    }
  }

  quantize(segment: JpegSegment): void {
    for (const { slot, steps } of readQuantization(segment)) this.#steps[slot] = steps;
  }

  scan(said: JpegScan, restartInterval: number, { input, end }: ScanPlace): number {
    // A sequential scan can only be of the whole band, whatever its header says; some encoders leave it blank.
    const scan = this.#isProgressive ? said : { ...said, first: 0, last: 63, high: 0, low: 0 };
    const components = scan.components.map(({ place }) => this.#components[place] as Component);
    const blocks = components.reduce((sum, { across, down }) => sum + across * down, 0);
    if (components.length > 1 && blocks > mcuBlocksMax) throw malformedPixels('a JPEG scan of too many blocks');
    for (const component of components) {
      this.#begunCoefficients(scan, component);
      this.#giveSteps(component);
    }
    this.#writeFrame();
    writeWords(
      jpegKernel.exports.jpegScan(),
      [
        [components.length],
        padded(scan.components.map(({ place }) => place)),
        padded(scan.components.map(({ dc }) => dc)),
        padded(scan.components.map(({ ac }) => ac)),
        [scan.first, scan.last, scan.high, scan.low, restartInterval],
      ].flat(),
    );
    return jpegKernel.exports.decodeScan(input, end);
  }

  finish(): Uint8Array {
    const isWhole = this.#components.every(({ lowest }) => lowest.every((bit) => bit === 0));
    if (!isWhole) throw malformedPixels('the stream ends before its pixels');
    const { rows, columns, components, precision } = this.#frame;
    const sizeBytes = rows * columns * components.length * sampleBytesOf(precision);
    if (this.#isProgressive) jpegKernel.exports.placeCoefficients();
    const out = jpegKernel.place(sizeBytes);
    jpegKernel.exports.writePixels(out, Number(this.#toRgb));
    return jpegKernel.bytes(out, sizeBytes).slice();
  }

  /** Checks that a scan belongs where it stands (T.81, B.2.3 and G.1.1.1), and notes what it brings. */
  #begunCoefficients(scan: JpegScan, { lowest }: Component): void {
    const { first, last, high, low } = scan;
    const isMean = first === 0 && last === 0;
    const isBand = first > 0 && first <= last && last <= 63 && scan.components.length === 1;
    const isFit = this.#isProgressive ? isMean || isBand : true;
    if (!isFit || low > 13 || (high !== 0 && high !== low + 1)) throw malformedPixels('the band of a JPEG scan');
    for (let k = first; k <= last; k++) {
      const isNext = high === 0 ? lowest[k] === unsent : lowest[k] === high;
      if (!isNext) throw malformedPixels('a JPEG scan does not continue the one before');
      lowest[k] = low;
    }
  }

  /** The quantization table in force at a component's first scan holds for all of it. */
  #giveSteps(component: Component): void {
    if (component.steps !== 0) return;
    const steps = this.#steps[component.quantization];
    if (steps === undefined) throw malformedPixels('a JPEG quantization table is missing');
    component.steps = jpegKernel.place(steps.byteLength);
    jpegKernel.bytes(component.steps, steps.byteLength).set(new Uint8Array(steps.buffer));
  }

  #writeFrame(): void {
    const { precision, columns, rows, components } = this.#frame;
    const head = [precision, columns, rows, this.#acrossMax, this.#downMax];
    const mcus = [components.length, this.#mcuColumns, this.#mcuRows];
    const each = this.#components.flatMap((c) => {
      const size = [c.across, c.down, c.columns, c.rows, c.blockColumns, c.blockRows];
      return [...size, c.steps, c.plane, c.coefficients];
    });
    writeWords(jpegKernel.exports.jpegFrame(), [...head, ...mcus, ...each]);
  }
}
