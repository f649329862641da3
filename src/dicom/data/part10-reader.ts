// Part10Reader: a DICOM file out of a stream: preamble, DICM, meta information, data set; also files in which some of that is missing or wrong.
//
// Invariants: as of DataSetReader, whose places are those of the file here. At most 64 KB are held until the data set begins. A file without preamble is read from
// its first byte; one without meta information, or without a syntax in it, has its syntax guessed, and that is noted.
// Left out on purpose: whether the meta information tells the truth about class and instance; who stores the object reads the data set.

import { concatBytes, emptyBytes } from '../../base/index.ts';
import { DataSet } from './data-set.ts';
import { DicomError } from './dicom-error.ts';
import { type FileMeta, preambleBytes, prefix, syntaxOfMeta } from './file-meta.ts';
import { type Oddity, OddityList } from './oddity.ts';
import { DataSetReader } from './reader.ts';
import type { PixelStart, ReaderOptions, ReaderState } from './reader-options.ts';
import { u32At } from './stream-numbers.ts';
import { guessBytes, guessSyntax } from './syntax-guess.ts';
import { groupOf, tags } from './tag.ts';
import { explicitLittle, implicitLittle } from './transfer-syntax.ts';

export type Part10Options = Omit<ReaderOptions, 'syntax' | 'baseOffset'>;

const metaBytesMax = 64 * 1024;
const groupLengthBytes = 12;
const nothing = new DataSet();

export class Part10Reader {
  readonly #options: Part10Options;
  readonly #oddities = new OddityList();
  /** The whole file so far, until its data set begins: what was looked at, and the pieces behind it. */
  #held: Uint8Array = emptyBytes;
  #pieces: Uint8Array[] = [];
  #heldBytes = 0;
  /** With fewer bytes there is nothing new to be seen. */
  #lookAt = preambleBytes + prefix.length;
  #reader: DataSetReader | undefined;
  #meta: FileMeta | undefined;
  #failure: DicomError | undefined;

  constructor(options: Part10Options = {}) {
    this.#options = options;
  }

  /** Defined once the data set has begun. */
  get meta(): FileMeta | undefined {
    return this.#meta;
  }

  /** What was read of the data set; empty before it has begun. */
  get dataSet(): DataSet {
    return this.#reader?.dataSet ?? nothing;
  }

  get state(): ReaderState {
    return this.#failure !== undefined ? 'failed' : (this.#reader?.state ?? 'reading');
  }

  get pixels(): PixelStart | undefined {
    return this.#reader?.pixels;
  }

  get headerDone(): boolean {
    return this.#reader?.headerDone ?? false;
  }

  get oddities(): readonly Oddity[] {
    return [...this.#oddities.list, ...(this.#reader?.oddities ?? [])];
  }

  get offset(): number {
    return this.#reader?.offset ?? 0;
  }

  push(piece: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#reader !== undefined) {
      this.#reader.push(piece);
      return;
    }
    this.#heldBytes += piece.length;
    // The piece belongs to the caller; what is held on to is a copy.
    this.#pieces.push(this.#heldBytes < this.#lookAt ? piece.slice() : piece);
    if (this.#heldBytes < this.#lookAt || this.#look(false)) return;
    if (this.#held.length > metaBytesMax) this.#fail('meta', metaBytesMax);
    this.#held = this.#held.slice();
    // Looking again costs what there is already, so it waits for a good part more.
    this.#lookAt = Math.max(this.#lookAt, this.#held.length + (this.#held.length >> 3));
  }

  #look(ended: boolean): boolean {
    const parts = this.#held.length === 0 ? this.#pieces : [this.#held, ...this.#pieces];
    // A file that comes in one large piece is not copied for its meta information.
    this.#held = parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(parts);
    this.#pieces = [];
    if (!this.#begin(ended)) return false;
    const { dataSetOffset } = this.#meta as FileMeta;
    const ahead = this.#held.subarray(dataSetOffset);
    this.#held = emptyBytes;
    if (ahead.length > 0) (this.#reader as DataSetReader).push(ahead);
    return true;
  }

  /** The file has ended: throws when the data set has not. */
  finish(): DataSet {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#reader === undefined && !this.#look(true)) this.#fail('truncated', this.#held.length);
    return (this.#reader as DataSetReader).finish();
  }

  #fail(fault: 'meta' | 'foreign' | 'truncated', offset: number): never {
    this.#failure = new DicomError(fault, offset);
    throw this.#failure;
  }

  /** Begins the data set when enough is there to say where it begins. */
  #begin(ended: boolean): boolean {
    const held = this.#held;
    if (isAt(held, preambleBytes, prefix)) return this.#beginMeta(preambleBytes + prefix.length, ended);
    if (isAt(held, 0, prefix)) return this.#beginMeta(prefix.length, ended);
    if (held.length >= 2 && held[0] === 2 && held[1] === 0) return this.#beginMeta(0, ended);
    return this.#beginDataSet({ dataSet: nothing, dataSetOffset: 0 }, ended);
  }

  #beginMeta(start: number, ended: boolean): boolean {
    const meta = this.#readWholeMeta(start, ended) ?? this.#readOddMeta(start, ended);
    if (meta === 'more') return false;
    if (!this.#beginDataSet({ dataSet: meta.dataSet, dataSetOffset: meta.end }, ended)) return false;
    if (start !== preambleBytes + prefix.length) this.#oddities.note('preamble-missing', 0);
    if (meta.isOdd) this.#oddities.note('meta-length', start, tags.FileMetaInformationGroupLength);
    return true;
  }

  /** Meta information that is as long as it says; undefined when it is not, 'more' when it may be. */
  #readWholeMeta(start: number, ended: boolean): { dataSet: DataSet; end: number; isOdd: false } | 'more' | undefined {
    const held = this.#held;
    if (held.length < start + groupLengthBytes) return ended ? undefined : 'more';
    const hasLength = isAt(held, start, Uint8Array.of(2, 0, 0, 0, 0x55, 0x4c, 4, 0));
    const end = start + groupLengthBytes + u32At(held, start + 8, false);
    if (!hasLength || end > start + metaBytesMax) return undefined;
    if (held.length < end + 2 && !ended) {
      this.#lookAt = end + 2;
      return 'more';
    }
    if (held.length < end) return undefined;
    const reader = new DataSetReader({ syntax: explicitLittle, baseOffset: start });
    try {
      reader.push(held.subarray(start, end));
      reader.finish();
    } catch (error) {
      if (error instanceof DicomError) return undefined;
      throw error;
    }
    const isMeta = reader.dataSet.elements.every((element) => groupOf(element.tag) === 2);
    // A length that is too short leaves an element of the group behind it. No data set begins with one.
    const isDeflated = syntaxOfMeta(reader.dataSet)?.deflated ?? false;
    const isShort = !isDeflated && held[end] === 2 && held[end + 1] === 0;
    return isMeta && !isShort ? { dataSet: reader.dataSet, end, isOdd: false } : undefined;
  }

  /** Meta information that ends where another group begins. */
  #readOddMeta(start: number, ended: boolean): { dataSet: DataSet; end: number; isOdd: true } | 'more' {
    const limits = { headerBytesMax: 2 * metaBytesMax };
    const reader = new DataSetReader({ syntax: explicitLittle, baseOffset: start, stopAt: 0x0003_0000, limits });
    try {
      reader.push(this.#held.subarray(start));
      if (ended) reader.finish();
    } catch (error) {
      if (error instanceof DicomError) this.#fail(error.fault === 'truncated' ? 'truncated' : 'meta', error.offset);
      throw error;
    }
    if (reader.state === 'reading') return 'more';
    return { dataSet: reader.dataSet, end: reader.offset, isOdd: true };
  }

  #beginDataSet(place: { readonly dataSet: DataSet; readonly dataSetOffset: number }, ended: boolean): boolean {
    const { dataSet, dataSetOffset } = place;
    const ahead = this.#held.subarray(dataSetOffset);
    let syntax = syntaxOfMeta(dataSet);
    const guessed = syntax === undefined;
    if (syntax === undefined) {
      if (ahead.length < guessBytes && !ended) return false;
      if (ahead.length === 0 && dataSetOffset > 0) this.#fail('truncated', dataSetOffset);
      // With DICM in front it is a DICOM file whatever follows, and the default syntax is the one that says least.
      syntax = guessSyntax(ahead) ?? (dataSetOffset > 0 ? implicitLittle : undefined);
      if (syntax === undefined) this.#fail('foreign', dataSetOffset);
      this.#oddities.note('meta-missing', 0);
    }
    this.#meta = { dataSet, syntax, guessed, dataSetOffset };
    this.#reader = new DataSetReader({ ...this.#options, syntax, baseOffset: dataSetOffset });
    return true;
  }
}

function isAt(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  return bytes.length >= at + expected.length && expected.every((byte, index) => bytes[at + index] === byte);
}
