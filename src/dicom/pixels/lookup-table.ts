// Lookup tables from the values that a data set has of them: descriptor and data, plain or in segments (PS3.3, C.7.6.3.1.5, C.7.9.2, C.11.1 and C.11.2).
//
// Outside numbers are checked: a table has as many entries as its descriptor says, at most 65,536, whatever its segments would make of it.

import type { LookupTable } from './image-shape.ts';
import { malformedPixels } from './pixel-fault.ts';
import { tableEntriesMax } from './pixel-limits.ts';

export type LookupTableValues = {
  /** Number of entries (0 for 65,536), first value mapped, bits of an entry; as unsigned words. */
  readonly descriptor: readonly [number, number, number];
  /** LUT Data, or Segmented Palette Color Lookup Table Data. */
  readonly data: Uint8Array;
  readonly isSegmented?: boolean | undefined;
  readonly bigEndian?: boolean | undefined;
  /** Whether the values looked up have a sign; then so has the first one mapped. */
  readonly signed?: boolean | undefined;
};

export function lookupTableOf(values: LookupTableValues): LookupTable {
  const { descriptor, data, isSegmented, bigEndian, signed } = values;
  const [said, firstWord, bits] = descriptor;
  const count = said === 0 ? tableEntriesMax : said;
  if (count > tableEntriesMax || bits < 1 || bits > 16) throw malformedPixels('the descriptor of a lookup table');
  const first = signed === true ? (firstWord << 16) >> 16 : firstWord;
  const entries =
    isSegmented === true ? expandSegments(data, count, bits, bigEndian === true) : plainEntries(values, count);
  return { first, bits: Math.max(8, bits), entries };
}

function readWords(data: Uint8Array, bigEndian: boolean): Uint16Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Uint16Array.from({ length: data.byteLength >> 1 }, (_, k) => view.getUint16(2 * k, !bigEndian));
}

/** Entries in words, or, where there is not room for that, in bytes. */
function plainEntries({ data, bigEndian }: LookupTableValues, count: number): Uint16Array {
  if (data.byteLength >= count * 2) return readWords(data, bigEndian === true).slice(0, count);
  if (data.byteLength < count) throw malformedPixels('a lookup table has fewer entries than its descriptor says');
  return Uint16Array.from(data.subarray(0, count));
}

/** Segments that a table is read from: more than one an entry would be none of sense, but nothing forbids empty ones. */
const segmentsMax = 2 * tableEntriesMax;

const segment = { discrete: 0, linear: 1, indirect: 2 } as const;

class SegmentReader {
  readonly #words: Uint16Array | Uint8Array;
  /** Words of a place in the data that an indirect segment names: it stands in two words of sixteen bits or four of eight. */
  readonly #placeWords: number;
  readonly #entries: Uint16Array;
  #made = 0;
  #segments = 0;

  constructor(words: Uint16Array | Uint8Array, count: number) {
    this.#words = words;
    this.#placeWords = words instanceof Uint8Array ? 4 : 2;
    this.#entries = new Uint16Array(count);
  }

  read(): Uint16Array {
    let at = 0;
    while (this.#made < this.#entries.length) at = this.#readSegment(at, true);
    return this.#entries;
  }

  #word(at: number): number {
    const word = this.#words[at];
    if (word === undefined) throw malformedPixels('a lookup table has fewer entries than its descriptor says');
    return word;
  }

  #put(entry: number): void {
    if (this.#made === this.#entries.length)
      throw malformedPixels('a lookup table has more entries than its descriptor says');
    this.#entries[this.#made] = entry;
    this.#made += 1;
  }

  /** Answers where the next segment begins. An indirect one may not lead to another (C.7.9.2). */
  #readSegment(at: number, mayLead: boolean): number {
    this.#segments += 1;
    if (this.#segments > segmentsMax)
      throw malformedPixels('a lookup table has more segments than it could have entries');
    const kind = this.#word(at);
    const length = this.#word(at + 1);
    if (kind === segment.discrete) {
      for (let k = 0; k < length; k++) this.#put(this.#word(at + 2 + k));
      return at + 2 + length;
    }
    if (kind === segment.linear) {
      if (this.#made === 0) throw malformedPixels('a lookup table begins with a slope');
      const from = this.#entries[this.#made - 1] as number;
      const to = this.#word(at + 2);
      for (let k = 1; k <= length; k++) this.#put(Math.round(from + ((to - from) * k) / length));
      return at + 3;
    }
    if (kind !== segment.indirect || !mayLead) throw malformedPixels('a segment of a lookup table');
    let place = 0;
    for (let k = this.#placeWords - 1; k >= 0; k--)
      place = place * (this.#placeWords === 4 ? 256 : 65_536) + this.#word(at + 2 + k);
    for (let k = 0; k < length; k++) place = this.#readSegment(place, false);
    return at + 2 + this.#placeWords;
  }
}

function expandSegments(data: Uint8Array, count: number, bits: number, bigEndian: boolean): Uint16Array {
  return new SegmentReader(bits <= 8 ? data : readWords(data, bigEndian), count).read();
}
