// Elements that hold a value, or say where it lies. The fourth form, items, is in data-set.ts, since items are data sets.
//
// Invariants: an element never changes; what bytes hold is little endian, whatever the stream was (reading swaps, writing swaps back); bytes are a view into
// what the reader kept and are not to be written to.
// Left out on purpose: what the bytes mean (values.ts).

import { assert } from '../../base/index.ts';
import type { Tag } from './tag.ts';
import type { AnyVr } from './vr.ts';

/** Bytes that elements point into. The reader puts a longer or a shorter array with the same beginning in its place while it works. */
export type ByteStore = { bytes: Uint8Array };

export class BytesElement {
  readonly tag: Tag;
  readonly vr: AnyVr;
  readonly store: ByteStore;
  readonly start: number;
  readonly sizeBytes: number;

  constructor(tag: Tag, vr: AnyVr, store: ByteStore, start: number, sizeBytes: number) {
    this.tag = tag;
    this.vr = vr;
    this.store = store;
    this.start = start;
    this.sizeBytes = sizeBytes;
  }

  get kind(): 'bytes' {
    return 'bytes';
  }

  get bytes(): Uint8Array {
    return this.store.bytes.subarray(this.start, this.start + this.sizeBytes);
  }
}

/** Where a value that was passed over lies in the stream, in the byte order of the stream. */
export type BulkReference = { readonly offset: number; readonly sizeBytes: number; readonly bigEndian: boolean };

export class BulkElement {
  readonly tag: Tag;
  /** SQ, or UN with items, when a sequence was passed over as asked. */
  readonly vr: AnyVr;
  readonly reference: BulkReference;
  /** Not so for a sequence with a delimiter, which the reference covers too. */
  readonly definedLength: boolean;

  constructor(tag: Tag, vr: AnyVr, reference: BulkReference, definedLength = true) {
    this.tag = tag;
    this.vr = vr;
    this.reference = reference;
    this.definedLength = definedLength;
  }

  get kind(): 'bulk' {
    return 'bulk';
  }
}

/** Offsets and sizes of fragments, 16 bytes each. */
export class FragmentList {
  #places = new Float64Array(16);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Of the fragment's own bytes, after the head of its item. */
  offsetAt(index: number): number {
    assert(index >= 0 && index < this.#count, 'a fragment is asked for by an index there is');
    return this.#places[2 * index] as number;
  }

  sizeAt(index: number): number {
    assert(index >= 0 && index < this.#count, 'a fragment is asked for by an index there is');
    return this.#places[2 * index + 1] as number;
  }

  add(offset: number, sizeBytes: number): void {
    if (2 * this.#count === this.#places.length) {
      const wider = new Float64Array(this.#places.length * 2);
      wider.set(this.#places);
      this.#places = wider;
    }
    this.#places[2 * this.#count] = offset;
    this.#places[2 * this.#count + 1] = sizeBytes;
    this.#count += 1;
  }
}

/** An encapsulated value. It has come whole once the reader put it into its data set; while it comes, PixelStart of the reader tells the same. */
export class FragmentsElement {
  readonly tag: Tag;
  readonly vr: AnyVr;
  /** From the head of the first item to the end of the delimiter: what can be copied as it is. */
  readonly reference: BulkReference;
  /** The value of the first item, the Basic Offset Table: 32-bit offsets, little endian, or empty. */
  readonly offsetTable: Uint8Array;
  readonly fragments: FragmentList;

  constructor(tag: Tag, vr: AnyVr, reference: BulkReference, offsetTable: Uint8Array, fragments: FragmentList) {
    this.tag = tag;
    this.vr = vr;
    this.reference = reference;
    this.offsetTable = offsetTable;
    this.fragments = fragments;
  }

  get kind(): 'fragments' {
    return 'fragments';
  }
}

/** An element around bytes of the caller's, which are not copied. */
export function bytesElement(tag: Tag, vr: AnyVr, bytes: Uint8Array): BytesElement {
  return new BytesElement(tag, vr, { bytes }, 0, bytes.byteLength);
}
