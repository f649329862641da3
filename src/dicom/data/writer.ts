// Data sets to bytes, in every transfer syntax: implicit and explicit, both byte orders, deflated; with values streamed through that were passed over in reading.
//
// Invariants: a data set that was read and not changed is written byte for byte in the same syntax, forms of lengths included (what was odd about the
// stream is mended: stray delimiters, wrong group lengths, elements without VR). Words are swapped by their VR. A value that is too long for its VR's
// short form becomes UN; items of an element of VR UN are implicit little endian in every syntax (PS3.5 6.2.2). The header is put together in memory,
// what was passed over never is.
// Left out on purpose: turning pixels of one kind into another. A data set is written as what it says it is; isPlainTranscoding tells whether that will do.

import { ArchiveError, assert } from '../../base/index.ts';
import { swapWords, WordSwapper } from './byte-order.ts';
import { ByteWriter } from './byte-writer.ts';
import type { DataSet, Element, ItemsElement } from './data-set.ts';
import { deflated, deflateStream } from './deflate-stream.ts';
import { DicomError } from './dicom-error.ts';
import type { BulkElement, BulkReference, BytesElement, FragmentsElement } from './element.ts';
import { type Encoding, implicitEncoding } from './reader-frame.ts';
import { undefinedLength } from './stream-numbers.ts';
import {
  groupOf,
  isGroupLength,
  isPixelData,
  itemDelimiterTag,
  itemTag,
  sequenceDelimiterTag,
  type Tag,
} from './tag.ts';
import type { TransferSyntax } from './transfer-syntax.ts';
import { type AnyVr, hasLongForm, vrFacts } from './vr.ts';

/** A value to be read from where it lies, and how wide the words are that are swapped on the way (1: none). */
export type BulkSegment = { readonly reference: BulkReference; readonly swapBytes: 1 | 2 | 4 | 8 };

export type PlannedDataSet = {
  /** Before deflating. */
  readonly sizeBytes: number;
  readonly segments: readonly (Uint8Array | BulkSegment)[];
};

/** Reads a value that was passed over, from the stream in which it was. */
export type ReadBulk = (reference: BulkReference) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** The greatest even length of a short form. */
const shortFormBytesMax = 65_534;

/** The bytes of a data set, as pieces in memory and values to be streamed between them. Nothing is deflated yet. */
export function planDataSet(dataSet: DataSet, syntax: TransferSyntax): PlannedDataSet {
  const writer = new DataSetWriter(syntax);
  writer.writeElements(dataSet, syntax, true);
  return writer.plan();
}

/** A data set whose values are all in memory. */
export function encodeDataSet(dataSet: DataSet, syntax: TransferSyntax): Uint8Array {
  const { segments } = planDataSet(dataSet, syntax);
  const [bytes = new Uint8Array(0)] = segments;
  assert(segments.length <= 1 && bytes instanceof Uint8Array, 'values that were passed over are streamed');
  return syntax.deflated ? deflated(bytes) : bytes;
}

/** A data set in pieces, with what was passed over read as it is needed. */
export function streamDataSet(
  dataSet: DataSet,
  syntax: TransferSyntax,
  readBulk: ReadBulk,
): AsyncGenerator<Uint8Array> {
  const pieces = streamPlan(planDataSet(dataSet, syntax), readBulk);
  return syntax.deflated ? deflateStream(pieces) : pieces;
}

async function* streamPlan(plan: PlannedDataSet, readBulk: ReadBulk): AsyncGenerator<Uint8Array> {
  for (const segment of plan.segments) {
    if (segment instanceof Uint8Array) yield segment;
    else yield* streamBulk(segment, readBulk);
  }
}

async function* streamBulk({ reference, swapBytes }: BulkSegment, readBulk: ReadBulk): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  const swapper = swapBytes === 1 ? undefined : new WordSwapper(swapBytes);
  for await (const piece of readBulk(reference)) {
    sizeBytes += piece.length;
    yield swapper?.push(piece) ?? piece;
  }
  // A length was promised in front of these bytes; anything else must not look like a data set that came to its end.
  if (sizeBytes !== reference.sizeBytes) throw new DicomError('truncated', reference.offset + sizeBytes);
  const rest = swapper?.finish();
  if (rest !== undefined && rest.length > 0) yield rest;
}

/** Whether a data set of one syntax can be written in another without touching what its pixels are. */
export function isPlainTranscoding(from: TransferSyntax, to: TransferSyntax): boolean {
  return from.uid === to.uid || (!from.encapsulated && !to.encapsulated && !to.pixelsSwapped);
}

type GroupLength = { readonly group: number; readonly at: number; readonly from: number };

class DataSetWriter {
  readonly #out = new ByteWriter();
  readonly #cuts: { readonly at: number; readonly segment: BulkSegment }[] = [];
  readonly #pixelsSwapped: boolean;

  constructor(syntax: TransferSyntax) {
    this.#pixelsSwapped = syntax.pixelsSwapped;
  }

  plan(): PlannedDataSet {
    const bytes = this.#out.written();
    const segments: (Uint8Array | BulkSegment)[] = [];
    let from = 0;
    for (const { at, segment } of this.#cuts) {
      if (at > from) segments.push(bytes.subarray(from, at));
      segments.push(segment);
      from = at;
    }
    if (from < bytes.length) segments.push(bytes.subarray(from));
    return { sizeBytes: this.#out.position, segments };
  }

  writeElements(dataSet: DataSet, encoding: Encoding, isRoot: boolean): void {
    let open: GroupLength | undefined;
    for (const element of dataSet.elements) {
      if (open !== undefined && open.group !== groupOf(element.tag)) open = this.#closeGroup(open, encoding);
      this.#writeElement(element, encoding, isRoot);
      const isLength = isGroupLength(element.tag) && element.kind === 'bytes' && element.sizeBytes === 4;
      if (isLength) open = { group: groupOf(element.tag), at: this.#out.at - 4, from: this.#out.position };
    }
    if (open !== undefined) this.#closeGroup(open, encoding);
  }

  #closeGroup({ at, from }: GroupLength, { bigEndian }: Encoding): undefined {
    this.#out.fillIn(at, this.#out.position - from, bigEndian);
  }

  #writeElement(element: Element, encoding: Encoding, isRoot: boolean): void {
    switch (element.kind) {
      case 'bytes':
        return this.#writeBytes(element, encoding);
      case 'items':
        return this.#writeItems(element, encoding);
      case 'bulk':
        return this.#writeBulk(element, encoding, isRoot);
      case 'fragments':
        return this.#writeFragments(element, encoding);
    }
  }

  /** Tag, VR and length. The VR that was written: UN when the value is too long for the short form. */
  #writeHead(tag: Tag, vr: AnyVr, length: number, { explicit, bigEndian }: Encoding): AnyVr {
    const out = this.#out;
    out.tag(tag, bigEndian);
    if (!explicit) {
      out.u32(length, bigEndian);
      return vr;
    }
    const isLong = hasLongForm(vr);
    const written = isLong || length <= shortFormBytesMax ? vr : 'UN';
    out.u8(written.charCodeAt(0));
    out.u8(written.charCodeAt(1));
    if (isLong || written !== vr) {
      out.u16(0, bigEndian);
      out.u32(length, bigEndian);
    } else out.u16(length, bigEndian);
    return written;
  }

  #writeBytes({ tag, vr, store, start, sizeBytes }: BytesElement, encoding: Encoding): void {
    const written = this.#writeHead(tag, vr, sizeBytes, encoding);
    const out = this.#out;
    out.copy(store.bytes, start, sizeBytes);
    if (encoding.bigEndian) swapWords(out.bytes, out.at - sizeBytes, out.at, vrFacts(written).wordBytes);
  }

  #writeBulk({ tag, vr, reference, definedLength }: BulkElement, encoding: Encoding, isRoot: boolean): void {
    if (!definedLength || vr === 'SQ') {
      throw new ArchiveError('DICOM_UNSUPPORTED', 'a sequence that was passed over in reading is not written', {
        hint: 'read the data set again, with its sequences',
      });
    }
    const written = this.#writeHead(tag, vr, reference.sizeBytes, encoding);
    const isSwapped = this.#pixelsSwapped && isRoot && isPixelData(tag);
    const swaps = reference.bigEndian !== (encoding.bigEndian !== isSwapped);
    this.#pass({ reference, swapBytes: swaps ? vrFacts(written).wordBytes : 1 });
  }

  #pass(segment: BulkSegment): void {
    this.#cuts.push({ at: this.#out.at, segment });
    this.#out.pass(segment.reference.sizeBytes);
  }

  #writeFragments({ tag, vr, reference }: FragmentsElement, encoding: Encoding): void {
    this.#writeHead(tag, vr, undefinedLength, encoding);
    this.#pass({ reference, swapBytes: 1 });
  }

  #writeItems({ tag, vr, items, definedLength }: ItemsElement, encoding: Encoding): void {
    const out = this.#out;
    this.#writeHead(tag, vr, undefinedLength, encoding);
    const lengthAt = out.at - 4;
    const from = out.position;
    const inside = vr === 'SQ' ? encoding : implicitEncoding;
    for (const item of items) this.#writeItem(item, inside);
    const sizeBytes = out.position - from;
    if (definedLength && sizeBytes < undefinedLength) out.fillIn(lengthAt, sizeBytes, encoding.bigEndian);
    else this.#writeDelimiter(sequenceDelimiterTag, inside);
  }

  #writeItem(item: DataSet, encoding: Encoding): void {
    const out = this.#out;
    out.tag(itemTag, encoding.bigEndian);
    out.u32(undefinedLength, encoding.bigEndian);
    const lengthAt = out.at - 4;
    const from = out.position;
    this.writeElements(item, encoding, false);
    const sizeBytes = out.position - from;
    if (item.definedLength && sizeBytes < undefinedLength) out.fillIn(lengthAt, sizeBytes, encoding.bigEndian);
    else this.#writeDelimiter(itemDelimiterTag, encoding);
  }

  #writeDelimiter(tag: Tag, { bigEndian }: Encoding): void {
    this.#out.tag(tag, bigEndian);
    this.#out.u32(0, bigEndian);
  }
}
