// JsonWriter: data sets as the DICOM JSON model (PS3.18 annex F), as bytes in UTF-8.
//
// Invariants: attributes stand in the order of their tags, each once, group lengths left out; text is decoded by the character set that holds where it stands, and
// Specific Character Set says ISO_IR 192, since that is what comes out. A decimal string that is a JSON number is copied digit by digit, so nothing is rounded;
// another form of a number is written as JSON wants it; what is none stays a string. An element that came as UN is written as the dictionary knows it.
// Left out on purpose: arrays of data sets. A caller writes brackets and commas around, and takes what there is as often as it likes.

import { type CharacterSet, decodeText, parseCharacterSet } from '../text/character-set.ts';
import type { DataSet, Element, ElementPath, ItemsElement } from './data-set.ts';
import type { BytesElement } from './element.ts';
import { JsonBytes } from './json-bytes.ts';
import { isGroupLength, type Tag, tagHex, tags } from './tag.ts';
import { bigintsOf, numbersOf, paddingStart, parseDecimal, readableFacts, stringsOf, textKindOf } from './values.ts';
import { type Vr, type VrFacts, vrFacts } from './vr.ts';

export type JsonOptions = {
  /** The character set of texts, in place of what the data set says itself. */
  readonly characterSet?: CharacterSet | undefined;
  /**
   * Where a value can be fetched that was passed over, or is binary and larger than `inlineBytesMax`. Without an answer a value that is there is written in
   * line, and of one that is not there only the VR.
   */
  readonly bulkUri?: ((path: ElementPath, element: Element) => string | undefined) | undefined;
  readonly inlineBytesMax?: number | undefined;
  /** Attributes of the outermost data set that are not written. */
  readonly leaveOut?: ((tag: Tag) => boolean) | undefined;
};

const inlineBytesMaxDefault = 1024;
const comma = 0x2c;
const backslash = 0x5c;
const space = 0x20;
const equals = 0x3d;

function ascii(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

const uriBegin = ascii(',"BulkDataURI":');
const binaryBegin = ascii(',"InlineBinary":');
const nothing = ascii('null');
const nameGroups = [ascii('"Alphabetic":'), ascii('"Ideographic":'), ascii('"Phonetic":')];
const utf8Set = parseCharacterSet(['ISO_IR 192']);

/** `"00100020":{"vr":"LO"` and the same with `,"Value":[` behind it, by tag, made once. A hostile stream of ever new tags empties the map now and then. */
type Prefix = { readonly vr: string; readonly bytes: Uint8Array; readonly withValue: Uint8Array };
const prefixesMax = 20_000;
const prefixes = new Map<Tag, Prefix>();

function prefixOf(tag: Tag, vr: string): Prefix {
  const known = prefixes.get(tag);
  if (known !== undefined && known.vr === vr) return known;
  if (prefixes.size >= prefixesMax) prefixes.clear();
  const text = `"${tagHex(tag)}":{"vr":"${vr}"`;
  const prefix = { vr, bytes: ascii(text), withValue: ascii(`${text},"Value":[`) };
  prefixes.set(tag, prefix);
  return prefix;
}

export class JsonWriter {
  readonly #out = new JsonBytes();
  readonly #options: JsonOptions;
  readonly #inlineBytesMax: number;
  readonly #path: number[] = [];

  constructor(options: JsonOptions = {}) {
    this.#options = options;
    this.#inlineBytesMax = options.inlineBytesMax ?? inlineBytesMaxDefault;
  }

  /** JSON around data sets: brackets and commas, in ASCII. */
  raw(text: string): void {
    this.#out.ascii(text);
  }

  /** How much there is to take. */
  get sizeBytes(): number {
    return this.#out.at;
  }

  take(): Uint8Array {
    return this.#out.take();
  }

  write(dataSet: DataSet): void {
    const { characterSet, leaveOut } = this.#options;
    this.#writeObject(dataSet, characterSet ?? dataSet.characterSet(), leaveOut);
  }

  #writeObject(dataSet: DataSet, set: CharacterSet, leaveOut: ((tag: Tag) => boolean) | undefined): void {
    const out = this.#out;
    // A corrected character set need not be written in the data set; what comes out has one all the same.
    let saysSet = this.#path.length > 0 || set.terms.length === 0 || leaveOut?.(tags.SpecificCharacterSet) === true;
    let isFirst = true;
    let last = -1;
    out.char(0x7b);
    for (const element of dataSet.inOrder()) {
      const { tag } = element;
      if (isGroupLength(tag) || tag === last || (leaveOut?.(tag) ?? false)) continue;
      if (!saysSet && tag >= tags.SpecificCharacterSet) {
        saysSet = true;
        if (tag !== tags.SpecificCharacterSet) {
          if (!isFirst) out.char(comma);
          isFirst = false;
          this.#writeSet();
        }
      }
      last = tag;
      if (!isFirst) out.char(comma);
      isFirst = false;
      if (tag === tags.SpecificCharacterSet) this.#writeSet();
      else this.#writeElement(element, set);
    }
    out.char(0x7d);
  }

  #writeSet(): void {
    this.#out.copy(prefixOf(tags.SpecificCharacterSet, 'CS').withValue);
    this.#out.ascii(`"${utf8Set.terms[0]}"`);
    this.#endValues();
  }

  #writeElement(element: Element, set: CharacterSet): void {
    switch (element.kind) {
      case 'bytes':
        return this.#writeValue(element, set);
      case 'items':
        return this.#writeItems(element, set);
      case 'bulk':
      case 'fragments':
        this.#out.copy(prefixOf(element.tag, vrFacts(element.vr).vr).bytes);
        this.#writeUri(element);
        this.#out.char(0x7d);
    }
  }

  /** Whether there is a place where the value can be fetched. */
  #writeUri(element: Element): boolean {
    const uri = this.#options.bulkUri?.([...this.#path, element.tag], element);
    if (uri === undefined) return false;
    this.#out.copy(uriBegin);
    this.#out.string(uri);
    return true;
  }

  #writeItems({ tag, items }: ItemsElement, set: CharacterSet): void {
    const out = this.#out;
    const prefix = prefixOf(tag, 'SQ');
    if (items.length === 0) out.copy(prefix.bytes);
    else {
      out.copy(prefix.withValue);
      const depth = this.#path.push(tag, 0);
      for (const [index, item] of items.entries()) {
        if (index > 0) out.char(comma);
        this.#path[depth - 1] = index;
        this.#writeObject(item, this.#options.characterSet ?? item.characterSet(set), undefined);
      }
      this.#path.length = depth - 2;
      out.char(0x5d);
    }
    out.char(0x7d);
  }

  #writeValue(element: BytesElement, set: CharacterSet): void {
    const out = this.#out;
    const facts = readableFacts(element.tag, element.vr);
    // A known sequence whose bytes are none is what it is: unknown.
    const prefix = prefixOf(element.tag, facts.kind === 'sequence' ? 'UN' : facts.vr);
    switch (facts.kind) {
      case 'string':
      case 'text':
        return this.#writeCharacters(element, facts, set, prefix);
      case 'integer':
      case 'float':
        return this.#writeNumbers(element, facts, prefix);
      case 'tag':
        return this.#writeList(stringsOf(element), prefix, (text) => out.string(text));
      case 'bytes':
      case 'sequence':
        out.copy(prefix.bytes);
        if (element.sizeBytes > 0 && !(element.sizeBytes > this.#inlineBytesMax && this.#writeUri(element))) {
          out.copy(binaryBegin);
          out.base64(element.bytes);
        }
        out.char(0x7d);
    }
  }

  #writeList<T>(values: readonly T[], prefix: Prefix, write: (value: T) => void): void {
    const out = this.#out;
    if (values.length === 0) return this.#writeEmpty(prefix);
    out.copy(prefix.withValue);
    for (const [index, value] of values.entries()) {
      if (index > 0) out.char(comma);
      write(value);
    }
    this.#endValues();
  }

  #writeEmpty(prefix: Prefix): void {
    this.#out.copy(prefix.bytes);
    this.#out.char(0x7d);
  }

  #endValues(): void {
    this.#out.char(0x5d);
    this.#out.char(0x7d);
  }

  #writeNumbers(element: BytesElement, { vr, wordBytes }: VrFacts, prefix: Prefix): void {
    const out = this.#out;
    if (wordBytes < 8 && vr !== 'FL') {
      const { bytes } = element.store;
      const end = element.start + element.sizeBytes - wordBytes;
      if (end < element.start) return this.#writeEmpty(prefix);
      out.copy(prefix.withValue);
      for (let at = element.start; at <= end; at += wordBytes) {
        if (at > element.start) out.char(comma);
        out.number(integerAt(bytes, at, vr));
      }
      this.#endValues();
    } else if (wordBytes === 8 && vr !== 'FD') {
      this.#writeList(bigintsOf(element), prefix, (value) => {
        const isExact = Number.isSafeInteger(Number(value));
        out.ascii(isExact ? String(value) : `"${value}"`);
      });
    } else this.#writeList(numbersOf(element), prefix, (value) => out.number(value));
  }

  /** The hot path: values of printable ASCII go from bytes to bytes. */
  #writeCharacters(element: BytesElement, facts: VrFacts, set: CharacterSet, prefix: Prefix): void {
    const { bytes } = element.store;
    const { start } = element;
    const out = this.#out;
    const end = paddingStart(bytes, start, start + element.sizeBytes);
    if (end === start) return this.#writeEmpty(prefix);
    const { vr } = facts;
    if (facts.trim === 'both' && vr !== 'PN' && vr !== 'DS' && vr !== 'IS') {
      const before = out.at;
      out.copy(prefix.withValue);
      if (out.plainStrings(bytes, start, end)) return this.#endValues();
      out.at = before;
      return this.#writeTexts(element, facts, set, prefix);
    }
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte < space || byte > 0x7e) return this.#writeTexts(element, facts, set, prefix);
    }
    out.copy(prefix.withValue);
    let from = start;
    for (let at = start; at <= end; at++) {
      if (at < end && !(facts.multiple && bytes[at] === backslash)) continue;
      if (from > start) out.char(comma);
      this.#writeOne(bytes, from, at, facts);
      from = at + 1;
    }
    this.#endValues();
  }

  #writeOne(bytes: Uint8Array, start: number, end: number, facts: VrFacts): void {
    const out = this.#out;
    let from = start;
    const to = paddingStart(bytes, start, end);
    if (facts.trim === 'both') while (from < to && bytes[from] === space) from += 1;
    if (from === to) out.copy(nothing);
    else if (facts.vr === 'PN') this.#writeName(bytes, from, to);
    else if (facts.vr === 'DS' || facts.vr === 'IS') this.#writeDecimal(bytes, from, to, facts);
    else out.plainString(bytes, from, to);
  }

  #writeName(bytes: Uint8Array, start: number, end: number): void {
    const out = this.#out;
    out.char(0x7b);
    let from = start;
    let isFirst = true;
    for (let group = 0; group < nameGroups.length && from <= end; group++) {
      let to = from;
      while (to < end && bytes[to] !== equals) to += 1;
      if (to > from) {
        if (!isFirst) out.char(comma);
        isFirst = false;
        out.copy(nameGroups[group] as Uint8Array);
        out.plainString(bytes, from, to);
      }
      from = to + 1;
    }
    out.char(0x7d);
  }

  #writeDecimal(bytes: Uint8Array, start: number, end: number, { vr }: VrFacts): void {
    const out = this.#out;
    if (isJsonDecimal(bytes, start, end, vr === 'IS')) {
      out.copy(bytes, start, end);
      return;
    }
    const text = String.fromCharCode(...bytes.subarray(start, Math.min(end, start + decimalCharsMax)));
    this.#writeDecimalText(text, vr, () => out.plainString(bytes, start, end));
  }

  #writeDecimalText(text: string, vr: string, otherwise: () => void): void {
    const number = text.length < decimalCharsMax ? parseDecimal(text) : undefined;
    const isInteger = Number.isInteger(number) && number !== undefined && number >= -(2 ** 31) && number < 2 ** 31;
    if (number === undefined || (vr === 'IS' && !isInteger)) otherwise();
    else this.#out.number(number);
  }

  /** Values with characters beyond printable ASCII. */
  #writeTexts(element: BytesElement, facts: VrFacts, set: CharacterSet, prefix: Prefix): void {
    const out = this.#out;
    const whole = facts.kind === 'text' ? decodeText(set, element.bytes, textKindOf(facts.vr)) : latin1(element.bytes);
    const values = (facts.multiple ? whole.split('\\') : [whole]).map((value) => trimmed(value, facts));
    this.#writeList(values.length === 1 && values[0] === '' ? [] : values, prefix, (value) => {
      if (value === '') out.copy(nothing);
      else if (facts.vr === 'PN') this.#writeNameText(value);
      else if (facts.vr === 'DS' || facts.vr === 'IS') this.#writeDecimalText(value, facts.vr, () => out.string(value));
      else out.string(value);
    });
  }

  #writeNameText(name: string): void {
    const out = this.#out;
    out.char(0x7b);
    const groups = name.split('=').slice(0, nameGroups.length);
    let isFirst = true;
    for (const [index, group] of groups.entries()) {
      if (group === '') continue;
      if (!isFirst) out.char(comma);
      isFirst = false;
      out.copy(nameGroups[index] as Uint8Array);
      out.string(group);
    }
    out.char(0x7d);
  }
}

const decimalCharsMax = 64;

function integerAt(bytes: Uint8Array, at: number, vr: Vr): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  if (vr === 'US') return low;
  if (vr === 'SS') return (low << 16) >> 16;
  const signed = low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
  return vr === 'SL' ? signed : signed >>> 0;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function trimmed(text: string, facts: VrFacts): string {
  const ended = text.replace(/[ \0]+$/, '');
  return facts.trim === 'both' ? ended.replace(/^ +/, '') : ended;
}

/** Whether the characters are a number as JSON writes it, and one of few enough digits to be finite for sure. An integer has neither point nor exponent. */
function isJsonDecimal(bytes: Uint8Array, start: number, end: number, integer: boolean): boolean {
  let at = start;
  if (bytes[at] === 0x2d) at += 1;
  const digitsFrom = at;
  while (at < end && isDigit(bytes[at] as number)) at += 1;
  const digits = at - digitsFrom;
  if (digits === 0 || digits > (integer ? 9 : 300) || (digits > 1 && bytes[digitsFrom] === 0x30)) return false;
  if (integer) return at === end;
  if (at < end && bytes[at] === 0x2e) {
    const from = at + 1;
    at = from;
    while (at < end && isDigit(bytes[at] as number)) at += 1;
    if (at === from) return false;
  }
  return at === end;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** One data set as JSON text in UTF-8. */
export function jsonOfDataSet(dataSet: DataSet, options: JsonOptions = {}): Uint8Array {
  const writer = new JsonWriter(options);
  writer.write(dataSet);
  return writer.take();
}
