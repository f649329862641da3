// The DICOM JSON model (PS3.18 annex F) to data sets.
//
// Invariants: what is not of the model is DICOM_MALFORMED, and the message names the way of tags to it and no value; numbers that do not fit into their VR are refused,
// never wrapped around. JSON is Unicode: when a text is not ASCII, the data set is written in UTF-8 and says so, whatever Specific Character Set the JSON had.
// Left out on purpose: parsing JSON text (JSON.parse of a body whose size the caller has limited), and fetching bulk data.

import { ArchiveError } from '../../base/index.ts';
import { parseCharacterSet } from '../text/character-set.ts';
import { DataSet, type Element, type ElementPath, ItemsElement } from './data-set.ts';
import { dictionaryEntry } from './dictionary.ts';
import { bytesElement } from './element.ts';
import { defaultReaderLimits } from './reader-limits.ts';
import { groupOf, parseTag, type Tag, tagHex, tags } from './tag.ts';
import { bytesOfNumbers, bytesOfStrings, bytesOfTexts, padded } from './values.ts';
import { isVr, type Vr, vrFacts } from './vr.ts';

export type JsonReadOptions = {
  /** The element of a value that is a reference. Without it, or without an answer, such a value is refused. */
  readonly bulkElement?: ((uri: string, tag: Tag, vr: Vr, path: ElementPath) => Element | undefined) | undefined;
  readonly depthMax?: number | undefined;
};

const utf8Set = parseCharacterSet(['ISO_IR 192']);
const asciiOnly = /^[\x00-\x7f]*$/;
const integerRanges: Partial<Record<Vr, readonly [number, number]>> = {
  US: [0, 0xffff],
  SS: [-0x8000, 0x7fff],
  UL: [0, 0xffff_ffff],
  SL: [-0x8000_0000, 0x7fff_ffff],
  IS: [-0x8000_0000, 0x7fff_ffff],
};
const longRanges: Partial<Record<Vr, readonly [bigint, bigint]>> = {
  SV: [-(2n ** 63n), 2n ** 63n - 1n],
  UV: [0n, 2n ** 64n - 1n],
};
const specialNumbers = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

type JsonObject = { readonly [name: string]: unknown };

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A data set from parsed JSON: one object of the model. */
export function dataSetOfJson(json: unknown, options: JsonReadOptions = {}): DataSet {
  const reader = new JsonReader(options);
  const dataSet = reader.readObject(json, 1);
  if (reader.beyondAscii) dataSet.setString(tags.SpecificCharacterSet, utf8Set.terms);
  return dataSet;
}

class JsonReader {
  readonly #options: JsonReadOptions;
  readonly #depthMax: number;
  readonly #path: number[] = [];
  beyondAscii = false;

  constructor(options: JsonReadOptions) {
    this.#options = options;
    this.#depthMax = options.depthMax ?? defaultReaderLimits.depthMax;
  }

  #fail(what: string): never {
    const place = this.#path.map((step, index) => (index % 2 === 0 ? tagHex(step) : step)).join('/');
    throw new ArchiveError(
      'DICOM_MALFORMED',
      `DICOM JSON cannot be read${place === '' ? '' : ` at ${place}`}: ${what}`,
    );
  }

  readObject(json: unknown, depth: number): DataSet {
    if (!isObject(json)) this.#fail('a data set is an object');
    if (depth > this.#depthMax) {
      throw new ArchiveError('LIMIT_EXCEEDED', 'DICOM JSON is over the limit depthMax');
    }
    const elements: Element[] = [];
    for (const [name, attribute] of Object.entries(json)) {
      const tag = /^[0-9a-fA-F]{8}$/.test(name) ? parseTag(name) : undefined;
      if (tag === undefined || groupOf(tag) === 0xfffe) this.#fail('a name is no tag');
      this.#path.push(tag);
      const element = this.#readAttribute(tag, attribute, depth);
      this.#path.pop();
      // Whatever the JSON calls its characters, they are written in one set: said once, for all items.
      const isSet = tag === tags.SpecificCharacterSet && depth > 1;
      if (!isSet) elements.push(element);
    }
    return new DataSet(elements.sort((a, b) => a.tag - b.tag));
  }

  #readAttribute(tag: Tag, attribute: unknown, depth: number): Element {
    if (!isObject(attribute)) this.#fail('an attribute is an object');
    const { vr = dictionaryEntry(tag)?.vr, Value: value, InlineBinary: binary, BulkDataURI: uri } = attribute;
    if (typeof vr !== 'string' || !isVr(vr)) this.#fail('vr is none');
    if ([value, binary, uri].filter((each) => each !== undefined).length > 1) this.#fail('more than one value');
    if (uri !== undefined) return this.#readUri(tag, vr, uri);
    if (binary !== undefined) return bytesElement(tag, vr, this.#readBinary(vr, binary));
    if (value !== undefined && !Array.isArray(value)) this.#fail('Value is an array');
    const values: readonly unknown[] = value ?? [];
    if (vr === 'SQ') return this.#readItems(tag, values, depth);
    return bytesElement(tag, vr, values.length === 0 ? new Uint8Array(0) : this.#readValues(vr, values));
  }

  #readUri(tag: Tag, vr: Vr, uri: unknown): Element {
    if (typeof uri !== 'string') this.#fail('BulkDataURI is a string');
    const element = this.#options.bulkElement?.(uri, tag, vr, [...this.#path]);
    return element ?? this.#fail('nothing is found at BulkDataURI');
  }

  #readBinary(vr: Vr, binary: unknown): Uint8Array {
    if (typeof binary !== 'string' || !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(binary)) this.#fail('InlineBinary is base64');
    if (vr === 'SQ') this.#fail('a sequence has items');
    return padded(new Uint8Array(Buffer.from(binary, 'base64')), vr);
  }

  #readItems(tag: Tag, values: readonly unknown[], depth: number): Element {
    const items = values.map((item, index) => {
      this.#path.push(index);
      // An item may be null in place of an empty object.
      const dataSet = item === null ? new DataSet() : this.readObject(item, depth + 1);
      this.#path.pop();
      return dataSet;
    });
    return new ItemsElement(tag, 'SQ', items);
  }

  #readValues(vr: Vr, values: readonly unknown[]): Uint8Array {
    const facts = vrFacts(vr);
    switch (facts.kind) {
      case 'string':
      case 'text':
        if (!facts.multiple && values.length > 1) this.#fail('more values than one');
        if (vr === 'DS' || vr === 'IS') return bytesOfStrings(vr, this.#readDecimals(vr, values));
        return this.#readTexts(vr, values);
      case 'tag':
        return bytesOfNumbers(
          vr,
          values.map((value) => this.#readTag(value)),
        );
      case 'integer':
        if (facts.wordBytes === 8) return this.#readLongs(vr, values);
        return bytesOfNumbers(
          vr,
          values.map((value) => this.#readInteger(vr, value)),
        );
      case 'float':
        return bytesOfNumbers(
          vr,
          values.map((value) => this.#readFloat(value)),
        );
      case 'bytes':
      case 'sequence':
        return this.#fail('its VR has no values');
    }
  }

  #readTexts(vr: Vr, values: readonly unknown[]): Uint8Array {
    const texts = values.map((value) => {
      if (value === null) return '';
      if (vr === 'PN') return this.#readName(value);
      if (typeof value !== 'string') this.#fail('a value is a string');
      return value;
    });
    if (texts.every((text) => asciiOnly.test(text))) return bytesOfStrings(vr, texts);
    if (vrFacts(vr).kind !== 'text') this.#fail('a value is beyond the default repertoire');
    this.beyondAscii = true;
    return bytesOfTexts(vr, texts, utf8Set) ?? this.#fail('a text is not Unicode');
  }

  #readName(value: unknown): string {
    // The model has objects; a bare string is what careless clients send.
    if (typeof value === 'string') return value;
    if (!isObject(value)) this.#fail('a name is an object');
    const groups = [value['Alphabetic'], value['Ideographic'], value['Phonetic']].map((group) => {
      if (group !== undefined && typeof group !== 'string') this.#fail('a group of a name is a string');
      return group ?? '';
    });
    return groups.join('=').replace(/=+$/, '');
  }

  #readDecimals(vr: Vr, values: readonly unknown[]): string[] {
    return values.map((value) => {
      if (value === null) return '';
      if (typeof value === 'string') return asciiOnly.test(value) ? value : this.#fail('a value is no number');
      const bytes = vr === 'IS' ? bytesOfNumbers(vr, [this.#readInteger(vr, value)]) : this.#decimalBytes(value);
      return Buffer.from(bytes).toString('latin1').trim();
    });
  }

  #decimalBytes(value: unknown): Uint8Array {
    if (typeof value !== 'number' || !Number.isFinite(value)) this.#fail('a value is no number');
    return bytesOfNumbers('DS', [value]);
  }

  #readTag(value: unknown): Tag {
    const tag = typeof value === 'string' ? parseTag(value) : undefined;
    return tag ?? this.#fail('a value is no tag');
  }

  #readInteger(vr: Vr, value: unknown): number {
    const [least, most] = integerRanges[vr] ?? [0, 0];
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    const fits = typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most;
    return fits ? number : this.#fail('a value is no integer of its VR');
  }

  #readLongs(vr: Vr, values: readonly unknown[]): Uint8Array {
    const [least, most] = longRanges[vr] ?? [0n, 0n];
    const bytes = new Uint8Array(values.length * 8);
    const view = new DataView(bytes.buffer);
    for (const [index, value] of values.entries()) {
      const isInteger = (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) || Number.isSafeInteger(value);
      const number = isInteger ? BigInt(value as string | number) : undefined;
      if (number === undefined || number < least || number > most) this.#fail('a value is no integer of its VR');
      view.setBigInt64(index * 8, BigInt.asIntN(64, number), true);
    }
    return bytes;
  }

  #readFloat(value: unknown): number {
    const number = typeof value === 'string' ? specialNumbers.get(value) : value;
    return typeof number === 'number' ? number : this.#fail('a value is no number');
  }
}
