// What a reader of data sets is told, and what it tells of pixel data.

import type { FragmentList } from './element.ts';
import type { ReaderLimits } from './reader-limits.ts';
import type { Tag } from './tag.ts';
import type { TransferSyntax } from './transfer-syntax.ts';
import type { AnyVr } from './vr.ts';

export type ReaderOptions = {
  readonly syntax: TransferSyntax;
  readonly limits?: Partial<ReaderLimits> | undefined;
  /** Values of at least this many bytes are passed over; Infinity keeps all but pixel data. */
  readonly bulkBytesMin?: number | undefined;
  /** Attributes whose values are passed over whatever their size, sequences too. */
  readonly passOver?: ReadonlySet<Tag> | undefined;
  /** Stops before pixel data, or before the first element of the outermost data set whose tag is this one or greater. */
  readonly stopAt?: 'pixels' | Tag | undefined;
  /** Where the data set begins in the stream that places are told in. */
  readonly baseOffset?: number | undefined;
};

/** Pixel data of the outermost data set, from the moment its head was read. Fragments are added while they come. */
export type PixelStart = {
  readonly tag: Tag;
  readonly vr: AnyVr;
  readonly elementOffset: number;
  readonly valueOffset: number;
  /** Undefined when it is encapsulated. */
  readonly sizeBytes: number | undefined;
  readonly fragments: FragmentList | undefined;
  /** Of the first item, once that has come. */
  readonly offsetTable: Uint8Array | undefined;
};

export type ReaderState = 'reading' | 'stopped' | 'finished' | 'failed';
