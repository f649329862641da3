// The limits of reading one data set. Each has a name, which an error LIMIT_EXCEEDED repeats.
//
// The defaults let through every object we have met, the largest being multi-frame ones with a functional group a frame, and bound what a hostile stream can
// cost: twice the header's bytes while they come, plus 75 bytes an element and 100 an item (measured).

export type ReaderLimits = {
  /** Data sets within data sets, the outermost one counted. */
  readonly depthMax: number;
  /** Elements that are kept, on all levels. */
  readonly elementsMax: number;
  readonly itemsMax: number;
  /** Fragments of one encapsulated value. */
  readonly fragmentsMax: number;
  /** Bytes that are kept: everything but the values that were passed over. */
  readonly headerBytesMax: number;
  /** The length that a single value may claim. */
  readonly valueBytesMax: number;
  /** What a deflated data set may inflate to. */
  readonly inflatedBytesMax: number;
};

export const defaultReaderLimits: ReaderLimits = {
  depthMax: 64,
  elementsMax: 1_000_000,
  itemsMax: 250_000,
  fragmentsMax: 1_000_000,
  headerBytesMax: 64 * 1024 * 1024,
  valueBytesMax: 0xffff_fffe,
  inflatedBytesMax: 4 * 1024 * 1024 * 1024,
};

/** Values of at least this many bytes are passed over, unless the caller says otherwise. */
export const bulkBytesMinDefault = 64 * 1024;
