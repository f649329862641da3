// DataSet: the elements of an object's header, or of an item, in the order of their tags.
//
// Invariants: elements stand in the order in which they came, which is that of tags unless the stream was odd; one that is set takes its place in that order;
// of a tag that is there twice the first is the one that is read. Elements never change, items are data sets and can.
// Left out on purpose: a link to the data set that holds an item. Who reads texts passes the character set, which may be a corrected one.

import { assert, bytesEqual } from '../../base/index.ts';
import { type CharacterSet, parseCharacterSet } from '../text/character-set.ts';
import { dictionaryEntry, keywordOf } from './dictionary.ts';
import { type BulkElement, BytesElement, bytesElement, type FragmentsElement } from './element.ts';
import { type Tag, tags } from './tag.ts';
import { parseUid, type Uid } from './uid.ts';
import { bigintsOf, bytesOfNumbers, bytesOfStrings, bytesOfTexts, numbersOf, stringsOf, textsOf } from './values.ts';
import type { AnyVr, Vr } from './vr.ts';

/** A sequence; of VR UN when it came so, and then its items are written in implicit little endian whatever the syntax (PS3.5 6.2.2). */
export class ItemsElement {
  readonly tag: Tag;
  readonly vr: AnyVr;
  readonly items: DataSet[];
  /** Written with its length, or with a delimiter at its end. */
  readonly definedLength: boolean;

  constructor(tag: Tag, vr: AnyVr, items: DataSet[], definedLength = true) {
    this.tag = tag;
    this.vr = vr;
    this.items = items;
    this.definedLength = definedLength;
  }

  get kind(): 'items' {
    return 'items';
  }
}

export type Element = BytesElement | ItemsElement | BulkElement | FragmentsElement;

/** A way to an element through items: tag, index of the item, tag, index, ..., tag. */
export type ElementPath = readonly number[];

export class DataSet {
  /** As an item: written with its length, or with a delimiter at its end. */
  readonly definedLength: boolean;
  readonly #elements: Element[] = [];
  #ordered = true;

  constructor(elements: Iterable<Element> = [], definedLength = true) {
    this.definedLength = definedLength;
    for (const element of elements) this.append(element);
  }

  get elements(): readonly Element[] {
    return this.#elements;
  }

  /** By their tags, also where the stream was odd; of equal ones in the order in which they came. */
  inOrder(): readonly Element[] {
    return this.#ordered ? this.#elements : this.#elements.toSorted((a, b) => a.tag - b.tag);
  }

  /** Behind the last one, whatever its tag: for who reads a stream. */
  append(element: Element): void {
    const elements = this.#elements;
    if (elements.length > 0 && (elements[elements.length - 1] as Element).tag >= element.tag) this.#ordered = false;
    elements.push(element);
  }

  /** The same tag in the same place: for who reads a stream and learns more of an element later. */
  replaceAt(index: number, element: Element): void {
    assert(this.#elements[index]?.tag === element.tag, 'an element is replaced by one of its tag');
    this.#elements[index] = element;
  }

  element(tag: Tag): Element | undefined {
    const index = this.#find(tag);
    return index < 0 ? undefined : this.#elements[index];
  }

  has(tag: Tag): boolean {
    return this.#find(tag) >= 0;
  }

  /** The index of the first element of the tag, or -1. */
  #find(tag: Tag): number {
    const elements = this.#elements;
    if (!this.#ordered) return elements.findIndex((element) => element.tag === tag);
    const index = this.#indexFor(tag);
    return index < elements.length && (elements[index] as Element).tag === tag ? index : -1;
  }

  /** Where an element of the tag stands or would stand. */
  #indexFor(tag: Tag): number {
    const elements = this.#elements;
    if (!this.#ordered) {
      const index = elements.findIndex((element) => element.tag >= tag);
      return index < 0 ? elements.length : index;
    }
    let low = 0;
    let high = elements.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((elements[middle] as Element).tag < tag) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The value, when it was kept. */
  bytes(tag: Tag): Uint8Array | undefined {
    return this.#kept(tag)?.bytes;
  }

  #kept(tag: Tag): BytesElement | undefined {
    const element = this.element(tag);
    return element instanceof BytesElement ? element : undefined;
  }

  /** The first value of an element of the default repertoire, without padding; undefined when absent or empty. */
  string(tag: Tag): string | undefined {
    return this.strings(tag)[0] || undefined;
  }

  strings(tag: Tag): readonly string[] {
    const element = this.#kept(tag);
    return element === undefined ? [] : stringsOf(element);
  }

  uid(tag: Tag): Uid | undefined {
    return parseUid(this.string(tag) ?? '');
  }

  /** The first value of an element of text; undefined when absent or empty. */
  text(tag: Tag, set: CharacterSet): string | undefined {
    return this.texts(tag, set)[0] || undefined;
  }

  texts(tag: Tag, set: CharacterSet): readonly string[] {
    const element = this.#kept(tag);
    return element === undefined ? [] : textsOf(element, set);
  }

  number(tag: Tag): number | undefined {
    return this.numbers(tag)[0];
  }

  numbers(tag: Tag): readonly number[] {
    const element = this.#kept(tag);
    return element === undefined ? [] : numbersOf(element);
  }

  bigints(tag: Tag): readonly bigint[] {
    const element = this.#kept(tag);
    return element === undefined ? [] : bigintsOf(element);
  }

  items(tag: Tag): readonly DataSet[] {
    const element = this.element(tag);
    return element instanceof ItemsElement ? element.items : [];
  }

  /** The character set of this data set's texts: its own, or the one of the data set that holds it. */
  characterSet(inherited: CharacterSet = parseCharacterSet([])): CharacterSet {
    const element = this.#kept(tags.SpecificCharacterSet);
    return element === undefined ? inherited : parseCharacterSet(stringsOf(element));
  }

  /** In the place of the element of its tag, or where its tag belongs. Further ones of the same tag go. */
  set(element: Element): void {
    const there = this.#find(element.tag);
    if (there < 0) this.#elements.splice(this.#indexFor(element.tag), 0, element);
    else {
      this.#elements[there] = element;
      if (!this.#ordered) this.#keep((each) => each === element || each.tag !== element.tag);
    }
  }

  #keep(wanted: (element: Element) => boolean): void {
    const kept = this.#elements.filter(wanted);
    this.#elements.length = 0;
    this.#ordered = true;
    for (const element of kept) this.append(element);
  }

  setBytes(tag: Tag, vr: AnyVr, bytes: Uint8Array): void {
    this.set(bytesElement(tag, vr, bytes));
  }

  /** Values of the default repertoire. The VR is the dictionary's unless it is given. */
  setString(tag: Tag, value: string | readonly string[], vr: Vr = dictionaryVr(tag)): void {
    this.setBytes(tag, vr, bytesOfStrings(vr, typeof value === 'string' ? [value] : value));
  }

  /** False, and nothing is set, when the character set cannot say the text. */
  setText(tag: Tag, value: string | readonly string[], set: CharacterSet, vr: Vr = dictionaryVr(tag)): boolean {
    const bytes = bytesOfTexts(vr, typeof value === 'string' ? [value] : value, set);
    if (bytes === undefined) return false;
    this.setBytes(tag, vr, bytes);
    return true;
  }

  setNumber(tag: Tag, value: number | readonly number[], vr: Vr = dictionaryVr(tag)): void {
    this.setBytes(tag, vr, bytesOfNumbers(vr, typeof value === 'number' ? [value] : value));
  }

  setItems(tag: Tag, items: DataSet[]): void {
    this.set(new ItemsElement(tag, 'SQ', items));
  }

  /** All elements of the tag; whether there was one. */
  remove(tag: Tag): boolean {
    const there = this.#find(tag);
    if (there >= 0 && this.#ordered) this.#elements.splice(there, 1);
    else if (there >= 0) this.#keep((element) => element.tag !== tag);
    return there >= 0;
  }

  /** The element at the end of a way through items. */
  elementAt(path: ElementPath): Element | undefined {
    assert(path.length % 2 === 1, 'a path ends with a tag');
    const [tag, index, ...rest] = path;
    if (tag === undefined || index === undefined) return tag === undefined ? undefined : this.element(tag);
    return this.items(tag)[index]?.elementAt(rest);
  }

  /** The data sets, of any items on the way, in which the last of the tags may stand. */
  *holders(path: readonly Tag[]): Generator<DataSet> {
    const [first, ...rest] = path;
    if (first === undefined || rest.length === 0) yield this;
    else for (const item of this.items(first)) yield* item.holders(rest);
  }

  /** Items are copied, elements shared: those never change. */
  copy(): DataSet {
    const copied = this.#elements.map((element) =>
      element instanceof ItemsElement
        ? new ItemsElement(element.tag, element.vr, copyAll(element.items), element.definedLength)
        : element,
    );
    return new DataSet(copied, this.definedLength);
  }

  /** Same tags, VRs and values in the same order, whatever the forms of lengths. Values that were passed over are compared by their size alone. */
  equals(other: DataSet): boolean {
    const theirs = other.#elements;
    return (
      this.#elements.length === theirs.length &&
      this.#elements.every((element, index) => sameElement(element, theirs[index] as Element))
    );
  }
}

function copyAll(items: readonly DataSet[]): DataSet[] {
  return items.map((item) => item.copy());
}

function dictionaryVr(tag: Tag): Vr {
  const entry = dictionaryEntry(tag);
  assert(entry !== undefined && entry.choice === undefined, `the VR of ${keywordOf(tag)} is given by who sets it`);
  return entry.vr;
}

function sameElement(a: Element, b: Element): boolean {
  if (a.tag !== b.tag || a.vr !== b.vr) return false;
  switch (a.kind) {
    case 'bytes':
      return b.kind === 'bytes' && bytesEqual(a.bytes, b.bytes);
    case 'items':
      return (
        b.kind === 'items' &&
        a.items.length === b.items.length &&
        a.items.every((item, index) => item.equals(b.items[index] as DataSet))
      );
    case 'bulk':
      return b.kind === 'bulk' && a.reference.sizeBytes === b.reference.sizeBytes;
    case 'fragments':
      return b.kind === 'fragments' && a.reference.sizeBytes === b.reference.sizeBytes;
  }
}
