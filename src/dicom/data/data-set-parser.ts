// DataSetParser: the bytes of a data set, not deflated, to elements. The inside of DataSetReader.
//
// Invariants: whatever the pieces, each element is looked at once it is there, and nothing is noted twice; a DicomError is thrown in the middle of things, and
// nobody goes on after it. Frames (the data set, sequences, items, fragments) are a stack of our own, so depth costs no stack of the machine.

import { assert } from '../../base/index.ts';
import { swapWords } from './byte-order.ts';
import { DataSet, ItemsElement } from './data-set.ts';
import { DicomError, type DicomFault } from './dicom-error.ts';
import { implicitVrOf, type VrChoice } from './dictionary.ts';
import { BulkElement, BytesElement, FragmentList, FragmentsElement } from './element.ts';
import { looksExplicit, looksImplicit, readOddHead } from './encoding-check.ts';
import { HeaderBuffer } from './header-buffer.ts';
import { type OddityKind, OddityList } from './oddity.ts';
import { PixelWatch } from './pixel-watch.ts';
import {
  type ElementHead,
  type Encoding,
  Frame,
  implicitEncoding,
  isOffsetTable,
  outermostFrame,
} from './reader-frame.ts';
import { bulkBytesMinDefault, defaultReaderLimits, type ReaderLimits } from './reader-limits.ts';
import type { PixelStart, ReaderOptions } from './reader-options.ts';
import { tagAt, u16At, u32At, undefinedLength } from './stream-numbers.ts';
import { isPixelData, itemDelimiterTag, itemTag, sequenceDelimiterTag, type Tag, tags } from './tag.ts';
import type { TransferSyntax } from './transfer-syntax.ts';
import { type VrFacts, vrFacts, vrOfLetters } from './vr.ts';
import { chosenBytes, SignFollower } from './vr-choice.ts';

type ParserState = 'reading' | 'stopped' | 'finished';

export class DataSetParser {
  readonly dataSet = new DataSet();
  readonly oddities = new OddityList();
  readonly #limits: ReaderLimits;
  readonly #syntax: TransferSyntax;
  readonly #keepBytesMax: number;
  readonly #passOver: ReadonlySet<Tag> | undefined;
  readonly #watch: PixelWatch;
  readonly #buffer: HeaderBuffer;
  #state: ParserState = 'reading';
  #frame: Frame;
  readonly #outer: Frame[] = [];
  #need = 8;
  /** Bytes of a value that still pass by. */
  #skip = 0;
  #onlyZeros = false;
  #elementCount = 0;
  #itemCount = 0;
  readonly #signs = new SignFollower();

  constructor(options: ReaderOptions) {
    this.#syntax = options.syntax;
    this.#limits = { ...defaultReaderLimits, ...options.limits };
    this.#keepBytesMax = Math.min(options.bulkBytesMin ?? bulkBytesMinDefault, undefinedLength);
    this.#passOver = options.passOver;
    this.#watch = new PixelWatch(options.stopAt);
    this.#buffer = new HeaderBuffer(options.syntax.deflated ? 0 : (options.baseOffset ?? 0));
    this.#frame = outermostFrame(this.dataSet, options.syntax);
  }

  get state(): ParserState {
    return this.#state;
  }

  get pixels(): PixelStart | undefined {
    return this.#watch.pixels;
  }

  /** The place in the stream up to which it was understood. */
  get offset(): number {
    return this.#buffer.at + this.#buffer.shift;
  }

  /** The stream has ended. */
  finish(): void {
    if (this.#skip > 0) this.#fail('truncated', this.offset);
    if (!this.#onlyZeros) this.#parse();
    if (this.#state !== 'reading') return;
    if (this.#outer.length > 0 || this.#skip > 0) this.#fail('truncated', this.offset);
    const buffer = this.#buffer;
    const ahead = buffer.filled - buffer.at;
    if (ahead > 0) {
      // A single zero can be the begin of a big endian tag.
      if (buffer.zerosAhead() < ahead || (ahead === 1 && this.#syntax.bigEndian)) this.#fail('truncated', this.offset);
      this.oddities.note('zeros-after-end', this.offset);
    }
    this.#end('finished');
  }

  #end(state: ParserState): void {
    this.#state = state;
    this.#buffer.trim();
  }

  #fail(fault: Exclude<DicomFault, 'limit'>, offset: number): never {
    throw new DicomError(fault, offset);
  }

  #failLimit(limit: keyof ReaderLimits, offset: number): never {
    throw new DicomError('limit', offset, { limit });
  }

  #note(kind: OddityKind, at: number, tag?: Tag): void {
    this.oddities.note(kind, at + this.#buffer.shift, tag);
  }

  /** Takes the next bytes, as far as it is not at its end, and copies what it keeps. */
  take(piece: Uint8Array): void {
    const buffer = this.#buffer;
    let from = 0;
    while (from < piece.length && this.#state === 'reading') {
      if (this.#skip > 0) {
        const count = Math.min(this.#skip, piece.length - from);
        this.#skip -= count;
        buffer.shift += count;
        from += count;
      } else {
        from += buffer.fill(piece, from, this.#need);
        if (buffer.filled - buffer.at >= this.#need) this.#parse();
      }
    }
  }

  /** Goes on until bytes are lacking (`#need`), pass by (`#skip`), or it is the end. */
  #parse(): void {
    const buffer = this.#buffer;
    for (;;) {
      const frame = this.#frame;
      let need = 0;
      if (this.#onlyZeros) need = this.#parseZeros();
      else if (buffer.at + buffer.shift >= frame.end) this.#closeAtEnd(frame);
      else need = frame.kind === 'elements' ? this.#parseElements(frame) : this.#parseItemHead(frame);
      if (need !== 0 || this.#skip > 0 || this.#state !== 'reading') {
        this.#need = need === 0 ? 8 : need;
        return;
      }
    }
  }

  /** The elements of one data set, as far as they go without a change of frames. The hot path: a plain value costs one object and no copy. */
  #parseElements(frame: Frame): number {
    const buffer = this.#buffer;
    const { store } = buffer;
    const { bytes } = store;
    const isRoot = frame.depth === 1;
    for (;;) {
      const { at } = buffer;
      const ahead = buffer.filled - at;
      const room = frame.end - buffer.shift - at;
      if (room < 8) {
        if (room <= 0) return 0;
        this.#fail('length', at + buffer.shift);
      }
      if (ahead < 8) return 8;
      const tag = tagAt(bytes, at, frame.bigEndian);
      if (tag >= itemTag && tag >>> 16 === 0xfffe) return this.#parseDelimiter(frame, tag);
      if (!frame.checked) this.#checkEncoding(frame, at, tag, room);
      let headBytes = 8;
      let reserved = 0;
      let length: number;
      let facts: VrFacts | undefined;
      let choice: VrChoice | undefined;
      if (frame.explicit) {
        facts = vrOfLetters(bytes[at + 4] as number, bytes[at + 5] as number);
        if (facts === undefined) {
          if (tag === 0 && isRoot && this.#isZeroHead(at)) return 0;
          const need = this.#parseOddHead(frame, tag, room);
          if (need !== 0 || !this.#goesOn(frame)) return need;
          continue;
        }
        if (facts.longForm) {
          if (ahead < 12) return 12;
          headBytes = 12;
          reserved = (bytes[at + 6] as number) | (bytes[at + 7] as number);
          length = u32At(bytes, at + 8, frame.bigEndian);
        } else length = u16At(bytes, at + 6, frame.bigEndian);
      } else {
        if (tag === 0 && isRoot && this.#isZeroHead(at)) return 0;
        ({ facts, choice } = implicitVrOf(tag));
        if (choice === 'OB|OW') facts = chosenBytes(tag, frame.dataSet);
        length = u32At(bytes, at + 4, frame.bigEndian);
      }
      const plain = length < this.#keepBytesMax && facts.kind !== 'sequence' && facts.vr !== 'UN';
      if (
        !plain ||
        frame.bigEndian ||
        frame.discards ||
        this.#passOver !== undefined ||
        (isRoot && tag >= this.#watch.from)
      ) {
        const position = at + buffer.shift;
        const need = this.#parseValue(frame, { tag, vr: facts.vr, facts, at, bytes: headBytes }, length, room);
        if (need === 0 && reserved !== 0) this.oddities.note('reserved-not-zero', position, tag);
        if (need !== 0 || !this.#goesOn(frame)) return need;
        continue;
      }
      const total = headBytes + length;
      if (total > room) this.#fail('length', at + buffer.shift);
      if (at + total > this.#limits.headerBytesMax) this.#failLimit('headerBytesMax', at + buffer.shift);
      if (ahead < total) return total;
      if (reserved !== 0) this.#note('reserved-not-zero', at, tag);
      const element = new BytesElement(tag, facts.vr, store, at + headBytes, length);
      this.#append(frame, element, at);
      buffer.at = at + total;
      if (choice === 'US|SS') this.#signs.follow(frame, this.#outer);
      else if (tag === tags.PixelRepresentation) this.#signs.decide(frame, element);
    }
  }

  /** The next element of the same frame comes next. */
  #goesOn(frame: Frame): boolean {
    return this.#frame === frame && this.#skip === 0 && this.#state === 'reading';
  }

  #append(frame: Frame, element: BytesElement | ItemsElement | BulkElement | FragmentsElement, at: number): void {
    const { tag } = element;
    if (tag <= frame.lastTag) this.#note(tag === frame.lastTag ? 'tag-repeated' : 'tag-order', at, tag);
    frame.lastTag = tag;
    if (element.kind === 'bytes' && (element.sizeBytes & 1) !== 0) this.#note('odd-length', at, tag);
    this.#elementCount += 1;
    if (this.#elementCount > this.#limits.elementsMax) this.#failLimit('elementsMax', at + this.#buffer.shift);
    frame.dataSet.append(element);
  }

  /** The first element of a data set or an item shows whether its encoding is the one of the syntax. */
  #checkEncoding(frame: Frame, at: number, tag: Tag, room: number): void {
    frame.checked = true;
    if (frame.bigEndian) return;
    const { bytes } = this.#buffer.store;
    if (frame.explicit) {
      if (vrOfLetters(bytes[at + 4] as number, bytes[at + 5] as number) !== undefined) return;
      if (!looksImplicit(bytes, at, tag, room)) return;
      this.#note('implicit-in-explicit', at, tag);
      frame.explicit = false;
    } else if (looksExplicit(bytes, at, tag, room)) {
      this.#note('explicit-in-implicit', at, tag);
      frame.explicit = true;
    }
  }

  /** An element of an explicit stream in which no VR of the standard stands. */
  #parseOddHead(frame: Frame, tag: Tag, room: number): number {
    const { at, filled, store } = this.#buffer;
    const head = readOddHead(store.bytes.subarray(0, filled), { at, tag, room, bigEndian: frame.bigEndian });
    if (head === undefined) this.#fail('vr', this.offset);
    if (filled - at < head.bytes) return head.bytes;
    const position = this.offset;
    const need = this.#parseValue(frame, { tag, at, ...head }, head.length, room);
    if (need === 0) this.oddities.note(head.oddity, position, tag);
    return need;
  }

  /** A value that is more than bytes to keep: a sequence, fragments, pixels, bulk, or one of another byte order. */
  #parseValue(frame: Frame, head: ElementHead, length: number, room: number): number {
    const { tag, vr, facts, at } = head;
    const buffer = this.#buffer;
    const position = at + buffer.shift;
    if (frame.depth === 1 && frame.kind === 'elements' && tag >= this.#watch.from && this.#watch.stopsAt(tag)) {
      if (isPixelData(tag)) this.#tellPixels(head, position, length);
      this.#end('stopped');
      return 0;
    }
    if (length === undefinedLength) {
      this.#openUndefined(frame, head);
      return 0;
    }
    const total = head.bytes + length;
    if (total > room) this.#fail('length', position);
    if (length > this.#limits.valueBytesMax) this.#failLimit('valueBytesMax', position);
    const asked = this.#passOver?.has(tag) ?? false;
    if (facts.kind === 'sequence' && !asked && !frame.discards) {
      if (!frame.explicit && length > 0) {
        const enough = head.bytes + Math.min(length, 4);
        if (buffer.filled - at < enough) return enough;
        const isItem = length >= 4 && tagAt(buffer.store.bytes, at + head.bytes, frame.bigEndian) >>> 16 === 0xfffe;
        if (!isItem) return this.#parseNoSequence(frame, head, length, room);
      }
      buffer.at = at + head.bytes;
      this.#openSequence(frame, head, { end: position + total, delimited: false, encoding: frame.encoding });
      return 0;
    }
    const isPixels = frame.depth === 1 && isPixelData(tag);
    const keepBytesMax =
      frame.depth === 1 && isOffsetTable(tag) ? this.#limits.fragmentsMax * 8 + 1 : this.#keepBytesMax;
    if (frame.discards || asked || isPixels || length >= keepBytesMax) {
      if (isPixels) this.#tellPixels(head, position, length);
      if (!frame.discards) {
        const bigEndian = frame.bigEndian !== (isPixels && this.#syntax.pixelsSwapped);
        const reference = { offset: position + head.bytes, sizeBytes: length, bigEndian };
        this.#append(frame, new BulkElement(tag, vr, reference), at);
      }
      this.#skip = buffer.passOver(total);
      return 0;
    }
    if (at + total > this.#limits.headerBytesMax) this.#failLimit('headerBytesMax', position);
    if (buffer.filled - at < total) return total;
    const { bytes } = buffer.store;
    const start = at + head.bytes;
    if (frame.bigEndian) swapWords(bytes, start, start + length, facts.wordBytes);
    const items = vr === 'UN' ? this.#itemsInUnknown(frame, tag, start, length) : undefined;
    const element =
      items === undefined ? new BytesElement(tag, vr, buffer.store, start, length) : new ItemsElement(tag, vr, items);
    this.#append(frame, element, at);
    buffer.at = at + total;
    if (!frame.explicit && implicitVrOf(tag).choice === 'US|SS') this.#signs.follow(frame, this.#outer);
    else if (tag === tags.PixelRepresentation && element.kind === 'bytes') this.#signs.decide(frame, element);
    return 0;
  }

  /** Only the dictionary says that it is a sequence, and its bytes say that it is not: a tag that was something else in its writer's edition. */
  #parseNoSequence(frame: Frame, head: ElementHead, length: number, room: number): number {
    const position = this.offset;
    const need = this.#parseValue(frame, { ...head, vr: 'UN', facts: vrFacts('UN') }, length, room);
    if (need === 0) this.oddities.note('sequence-without-items', position, head.tag);
    return need;
  }

  #tellPixels(head: ElementHead, position: number, length: number): void {
    const encapsulated = length === undefinedLength;
    if (this.#syntax.known && encapsulated !== this.#syntax.encapsulated) this.#note('pixels-form', head.at, head.tag);
    this.#watch.tell(head, position, length);
  }

  /** The items of a known sequence that came as UN with a length, which careless gateways make. Undefined: it is bytes. */
  #itemsInUnknown(frame: Frame, tag: Tag, start: number, length: number): DataSet[] | undefined {
    const { bytes } = this.#buffer.store;
    const isItem = length >= 8 && tagAt(bytes, start, false) === itemTag;
    if (!isItem || implicitVrOf(tag).facts.vr !== 'SQ') return undefined;
    const left = {
      depthMax: this.#limits.depthMax - frame.depth + 1,
      elementsMax: this.#limits.elementsMax - this.#elementCount,
      itemsMax: this.#limits.itemsMax - this.#itemCount,
    };
    if (left.depthMax <= 1 || left.elementsMax <= 0 || left.itemsMax <= 0) return undefined;
    const inner = new DataSetParser({
      syntax: { ...this.#syntax, ...implicitEncoding, deflated: false },
      limits: { ...this.#limits, ...left },
      bulkBytesMin: Number.POSITIVE_INFINITY,
      baseOffset: start + this.#buffer.shift,
    });
    const items = inner.#readItems(bytes.subarray(start, start + length));
    if (items === undefined) return undefined;
    this.#elementCount += inner.#elementCount;
    this.#itemCount += inner.#itemCount;
    this.#note('sequence-in-unknown', start, tag);
    return items;
  }

  /** Reads the items of a sequence that is all there; undefined when it is not a sequence without any oddity. */
  #readItems(bytes: Uint8Array): DataSet[] | undefined {
    const items: DataSet[] = [];
    const end = this.#buffer.shift + bytes.length;
    this.#open('sequence', this.#frame, { end, delimited: false, encoding: implicitEncoding, items });
    try {
      this.take(bytes);
      this.finish();
      return this.oddities.count === 0 ? items : undefined;
    } catch (error) {
      if (error instanceof DicomError) return undefined;
      throw error;
    }
  }

  #openUndefined(frame: Frame, head: ElementHead): void {
    const { tag, vr, facts, at } = head;
    const buffer = this.#buffer;
    const position = at + buffer.shift;
    if (isPixelData(tag) || (facts.kind === 'bytes' && facts.wordBytes <= 2 && vr !== 'UN' && facts.vr === vr)) {
      this.#openFragments(frame, head);
      return;
    }
    const isSequence = facts.kind === 'sequence';
    if (frame.explicit && !isSequence && facts.vr !== 'UN') this.#fail('length', position);
    const inside = isSequence ? frame.encoding : implicitEncoding;
    const sequenceHead = isSequence || facts.vr === 'UN' ? head : { ...head, vr: 'UN' as const };
    const asked = !frame.discards && (this.#passOver?.has(tag) ?? false);
    if (asked || frame.discards) this.#skip = buffer.passOver(head.bytes);
    else buffer.at = at + head.bytes;
    const place = { end: frame.end, delimited: true, encoding: inside };
    if (asked) {
      const inner = this.#open('sequence', frame, { ...place, discards: true });
      inner.closing = { tag, vr: sequenceHead.vr, offset: position + head.bytes };
    } else this.#openSequence(frame, sequenceHead, place);
  }

  #openSequence(
    frame: Frame,
    head: ElementHead,
    place: { readonly end: number; readonly delimited: boolean; readonly encoding: Encoding },
  ): void {
    const items: DataSet[] = [];
    this.#open('sequence', frame, { ...place, items });
    if (!frame.discards) this.#append(frame, new ItemsElement(head.tag, head.vr, items, !place.delimited), head.at);
  }

  #openFragments(frame: Frame, head: ElementHead): void {
    const { tag, vr, at } = head;
    const buffer = this.#buffer;
    const position = at + buffer.shift;
    const isPixels = frame.depth === 1 && isPixelData(tag);
    if (isPixels) this.#tellPixels(head, position, undefinedLength);
    const fragments = (isPixels ? this.#watch.pixels?.fragments : undefined) ?? new FragmentList();
    const inner = this.#open('fragments', frame, { end: frame.end, delimited: true, encoding: frame.encoding });
    inner.closing = { tag, vr, offset: position + head.bytes, fragments };
    this.#skip = buffer.passOver(head.bytes);
  }

  #open(
    kind: 'elements' | 'sequence' | 'fragments',
    outer: Frame,
    options: {
      readonly end: number;
      readonly delimited: boolean;
      readonly encoding: Encoding;
      readonly items?: DataSet[];
      readonly dataSet?: DataSet;
      readonly discards?: boolean;
    },
  ): Frame {
    const depth = outer.depth + (kind === 'elements' ? 1 : 0);
    if (depth > this.#limits.depthMax) this.#failLimit('depthMax', this.offset);
    const discards = options.discards ?? outer.discards;
    this.#outer.push(outer);
    this.#frame = new Frame(kind, { ...options, depth, discards, waitingFrom: this.#signs.mark });
    return this.#frame;
  }

  /** Its surroundings, or its own length, end a frame here. */
  #closeAtEnd(frame: Frame): void {
    if (frame.delimited) this.#note('delimiter-missing', this.#buffer.at);
    this.#close(frame);
  }

  #close(frame: Frame): void {
    const outer = this.#outer.pop();
    assert(outer !== undefined, 'the outermost data set is not closed by anything inside');
    this.#frame = outer;
    const { closing } = frame;
    if (closing === undefined || outer.discards) return;
    const sizeBytes = this.offset - closing.offset;
    const reference = { offset: closing.offset, sizeBytes, bigEndian: outer.bigEndian };
    const { tag, vr, fragments } = closing;
    const element =
      fragments === undefined
        ? new BulkElement(tag, vr, reference, false)
        : new FragmentsElement(tag, vr, reference, frame.offsetTable ?? new Uint8Array(0), fragments);
    this.#append(outer, element, closing.offset - this.#buffer.shift);
  }

  /** Items and delimiters where elements are expected. */
  #parseDelimiter(frame: Frame, tag: Tag): number {
    const buffer = this.#buffer;
    const { at } = buffer;
    const length = u32At(buffer.store.bytes, at + 4, frame.bigEndian);
    const isItem = frame.depth > 1;
    if (tag === itemDelimiterTag && isItem && frame.delimited) {
      if (length !== 0) this.#note('delimiter-length', at, tag);
      this.#passDelimiter(frame);
      this.#close(frame);
    } else if ((tag === itemTag || tag === sequenceDelimiterTag) && isItem && frame.delimited) {
      this.#note('delimiter-missing', at, tag);
      this.#close(frame);
    } else if (length === 0 && (tag === itemDelimiterTag || tag === sequenceDelimiterTag)) {
      this.#note('delimiter-stray', at, tag);
      this.#passDelimiter(frame);
    } else this.#fail('item', at + buffer.shift);
    return 0;
  }

  #passDelimiter(frame: Frame): void {
    if (frame.discards) this.#skip = this.#buffer.passOver(8);
    else this.#buffer.at += 8;
  }

  /** What begins an item of a sequence or a fragment, or ends them. */
  #parseItemHead(frame: Frame): number {
    const buffer = this.#buffer;
    const { at } = buffer;
    const { bytes } = buffer.store;
    const room = frame.end - buffer.shift - at;
    if (room < 8) this.#fail('length', at + buffer.shift);
    if (buffer.filled - at < 8) return 8;
    const tag = tagAt(bytes, at, frame.bigEndian);
    const length = u32At(bytes, at + 4, frame.bigEndian);
    if (tag === itemTag) {
      return frame.kind === 'sequence' ? this.#parseItem(frame, length) : this.#parseFragment(frame, length, room);
    }
    if (tag !== sequenceDelimiterTag && !(tag === itemDelimiterTag && frame.kind === 'sequence')) {
      this.#fail('item', at + buffer.shift);
    }
    if (length !== 0) this.#note('delimiter-length', at, tag);
    const ends = tag === sequenceDelimiterTag && frame.delimited;
    if (!ends) this.#note('delimiter-stray', at, tag);
    if (frame.kind === 'fragments') this.#skip = buffer.passOver(8);
    else this.#passDelimiter(frame);
    if (ends) this.#close(frame);
    return 0;
  }

  #parseItem(frame: Frame, length: number): number {
    const buffer = this.#buffer;
    const delimited = length === undefinedLength;
    const end = delimited ? frame.end : this.offset + 8 + length;
    if (end > frame.end) this.#fail('length', this.offset);
    if (frame.discards) {
      this.#skip = buffer.passOver(delimited ? 8 : 8 + length);
      if (delimited) this.#open('elements', frame, { end, delimited, encoding: frame.encoding });
      return 0;
    }
    this.#itemCount += 1;
    if (this.#itemCount > this.#limits.itemsMax) this.#failLimit('itemsMax', this.offset);
    const dataSet = new DataSet([], !delimited);
    frame.items.push(dataSet);
    buffer.at += 8;
    this.#open('elements', frame, { end, delimited, encoding: frame.encoding, dataSet });
    return 0;
  }

  #parseFragment(frame: Frame, length: number, room: number): number {
    const buffer = this.#buffer;
    const { fragments } = frame.closing ?? {};
    assert(fragments !== undefined, 'a frame of fragments has a list of them');
    if (length === undefinedLength || 8 + length > room) this.#fail('length', this.offset);
    if (frame.offsetTable === undefined) {
      if (length > this.#limits.fragmentsMax * 4) this.#failLimit('fragmentsMax', this.offset);
      if (buffer.filled - buffer.at < 8 + length) return 8 + length;
      frame.offsetTable = buffer.store.bytes.slice(buffer.at + 8, buffer.at + 8 + length);
      this.#watch.tellOffsetTable(fragments, frame.offsetTable);
    } else {
      if (fragments.count >= this.#limits.fragmentsMax) this.#failLimit('fragmentsMax', this.offset);
      fragments.add(this.offset + 8, length);
    }
    this.#skip = buffer.passOver(8 + length);
    return 0;
  }

  /** Zeros where an element is expected: a file that was filled up to a whole block. */
  #isZeroHead(at: number): boolean {
    if (u32At(this.#buffer.store.bytes, at + 4, false) !== 0) return false;
    if (this.dataSet.elements.length === 0) this.#fail('foreign', at + this.#buffer.shift);
    this.#note('zeros-after-end', at);
    this.#onlyZeros = true;
    return true;
  }

  #parseZeros(): number {
    const buffer = this.#buffer;
    if (buffer.filled === buffer.at) return 1;
    buffer.passOver(buffer.zerosAhead());
    return buffer.filled > buffer.at ? this.#fail('padding', this.offset) : 1;
  }
}
