// DataSetReader: a data set out of a stream that comes in pieces of any size, in every transfer syntax.
//
// Invariants: the pieces make no difference to what is read; memory is what is kept (bounded by ReaderLimits) plus 8 KB, whatever the input; every failure is a
// DicomError, the first one is final, and what was read before it can still be looked at. Values of `bulkBytesMin` bytes and more, and pixel data of the
// outermost data set always, are passed over: their elements say where they lie. In a deflated stream places are those of the inflated bytes.
// Left out on purpose: preamble and meta information (part10-reader.ts), and judging values.

import type { DataSet } from './data-set.ts';
import { DataSetParser } from './data-set-parser.ts';
import { DicomError } from './dicom-error.ts';
import { Inflater } from './inflate.ts';
import type { Oddity } from './oddity.ts';
import { defaultReaderLimits } from './reader-limits.ts';
import type { PixelStart, ReaderOptions, ReaderState } from './reader-options.ts';

export class DataSetReader {
  readonly #parser: DataSetParser;
  readonly #inflater: Inflater | undefined;
  #failure: DicomError | undefined;

  constructor(options: ReaderOptions) {
    const { deflated } = options.syntax;
    const parser = new DataSetParser(deflated ? { ...options, baseOffset: 0 } : options);
    this.#parser = parser;
    if (deflated) {
      const limit = options.limits?.inflatedBytesMax ?? defaultReaderLimits.inflatedBytesMax;
      this.#inflater = new Inflater((bytes) => {
        parser.take(bytes);
        return parser.state === 'reading';
      }, limit);
    }
  }

  get dataSet(): DataSet {
    return this.#parser.dataSet;
  }

  get state(): ReaderState {
    return this.#failure === undefined ? this.#parser.state : 'failed';
  }

  get pixels(): PixelStart | undefined {
    return this.#parser.pixels;
  }

  /** Everything before pixel data is there. */
  get headerDone(): boolean {
    return this.pixels !== undefined || this.state === 'stopped' || this.state === 'finished';
  }

  get oddities(): readonly Oddity[] {
    return this.#parser.oddities.list;
  }

  /** How many oddities there were, also beyond the list's end. */
  get oddityCount(): number {
    return this.#parser.oddities.count;
  }

  /** The place in the stream up to which it was understood: where it stopped, or failed. */
  get offset(): number {
    return this.#parser.offset;
  }

  /**
   * Takes the next bytes, copies what it keeps, and throws a DicomError when they cannot be read. After a stop it takes nothing more. A deflated piece may
   * stand for a thousand times its length, about a second for 128 KB: who serves others meanwhile gives small ones.
   */
  push(piece: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#parser.state !== 'reading') return;
    try {
      if (this.#inflater === undefined) this.#parser.take(piece);
      else this.#inflate(this.#inflater, piece);
    } catch (error) {
      this.#remember(error);
    }
  }

  #inflate(inflater: Inflater, piece: Uint8Array): void {
    inflater.push(piece);
    if (inflater.state === 'malformed') throw new DicomError('deflate', this.offset);
    if (inflater.state === 'limit') throw new DicomError('limit', this.offset, { limit: 'inflatedBytesMax' });
  }

  #remember(error: unknown): never {
    if (error instanceof DicomError) this.#failure = error;
    throw error;
  }

  /** The stream has ended: throws when the data set has not. */
  finish(): DataSet {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#parser.state !== 'reading') return this.dataSet;
    try {
      if (this.#inflater?.state === 'open') throw new DicomError('truncated', this.offset);
      this.#parser.finish();
    } catch (error) {
      this.#remember(error);
    }
    return this.dataSet;
  }
}
