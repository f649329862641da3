// What the bytes of an element mean: strings, numbers and texts out of them, and bytes out of strings and numbers.
//
// Keeps: reading never throws. A value that is not of its VR is left out (numbers) or given as it is (strings); padding is taken off by the rule of the VR,
// and trailing NULs, which careless writers leave, always. An element of VR UN is read as the dictionary knows its tag.
// Text is decoded whole before it is cut at backslashes, since half a character can look like one.

import { assert, viewOf } from '../../base/index.ts';
import { type CharacterSet, decodeText, encodeText } from '../text/character-set.ts';
import type { TextKind } from '../text/text-kind.ts';
import { implicitVrOf } from './dictionary.ts';
import type { BytesElement } from './element.ts';
import { parseTag, type Tag, tagHex } from './tag.ts';
import { type AnyVr, type Vr, type VrFacts, vrFacts } from './vr.ts';

/** The facts by which an element is read: of its VR, or of the dictionary's where it came as UN. */
export function readableFacts(tag: Tag, vr: AnyVr): VrFacts {
  return vr === 'UN' ? implicitVrOf(tag).facts : vrFacts(vr);
}

const space = 0x20;
/** Up to here a string is put together by hand; beyond it a call into Node is cheaper. */
const shortSizeBytes = 20;

/** Bytes as characters, one each: exact for the default repertoire. */
export function latin1Of(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > shortSizeBytes) {
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  }
  let text = '';
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] as number);
  return text;
}

/** The end without padding: spaces and NULs. */
export function paddingStart(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && ((bytes[at - 1] as number) === space || (bytes[at - 1] as number) === 0)) at -= 1;
  return at;
}

function trimText(text: string, facts: VrFacts): string {
  const ended = /[ \0]$/.test(text) ? text.replace(/[ \0]+$/, '') : text;
  return facts.trim === 'both' && ended.startsWith(' ') ? ended.replace(/^ +/, '') : ended;
}

/** All values of an element of characters, one character a byte; of AT as hexadecimal; none of other VRs, and none of an empty value. */
export function stringsOf(element: BytesElement): string[] {
  const facts = readableFacts(element.tag, element.vr);
  if (facts.kind === 'tag') return tagsOf(element).map(tagHex);
  if (facts.kind !== 'string' && facts.kind !== 'text') return [];
  const { bytes } = element.store;
  const end = paddingStart(bytes, element.start, element.start + element.sizeBytes);
  if (end === element.start) return [];
  const whole = latin1Of(bytes, element.start, end);
  if (!facts.multiple || !whole.includes('\\')) return [trimText(whole, facts)];
  return whole.split('\\').map((value) => trimText(value, facts));
}

export function textKindOf(vr: Vr): TextKind {
  return vr === 'PN' ? 'name' : vrFacts(vr).multiple ? 'single' : 'text';
}

/** All values of an element of characters, decoded. */
export function textsOf(element: BytesElement, set: CharacterSet): string[] {
  const facts = readableFacts(element.tag, element.vr);
  if (facts.kind !== 'text') return stringsOf(element);
  const whole = decodeText(set, element.bytes, textKindOf(facts.vr));
  const values = facts.multiple ? whole.split('\\').map((value) => trimText(value, facts)) : [trimText(whole, facts)];
  return values.length === 1 && values[0] === '' ? [] : values;
}

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** The number that a DS or IS says, or undefined. */
export function parseDecimal(text: string): number | undefined {
  const number = decimal.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** All numbers of an element: DS, IS, and the binary VRs. Of 64-bit integers those beyond 2^53 are not exact: bigintsOf is. */
export function numbersOf(element: BytesElement): number[] {
  const facts = readableFacts(element.tag, element.vr);
  if (facts.vr === 'DS' || facts.vr === 'IS') {
    return stringsOf(element)
      .map(parseDecimal)
      .filter((each) => each !== undefined);
  }
  if (facts.kind === 'tag') return tagsOf(element);
  const get = binaryGetter(facts.vr);
  if (get === undefined) return [];
  const view = viewOf(element.bytes);
  const numbers: number[] = [];
  for (let at = 0; at + facts.wordBytes <= element.sizeBytes; at += facts.wordBytes) numbers.push(get(view, at));
  return numbers;
}

type BinaryGetter = (view: DataView, at: number) => number;

function binaryGetter(vr: Vr): BinaryGetter | undefined {
  return binaryGetters[vr];
}

const binaryGetters: Partial<Record<Vr, BinaryGetter>> = {
  US: (view, at) => view.getUint16(at, true),
  SS: (view, at) => view.getInt16(at, true),
  UL: (view, at) => view.getUint32(at, true),
  SL: (view, at) => view.getInt32(at, true),
  FL: (view, at) => view.getFloat32(at, true),
  FD: (view, at) => view.getFloat64(at, true),
  SV: (view, at) => Number(view.getBigInt64(at, true)),
  UV: (view, at) => Number(view.getBigUint64(at, true)),
  OW: (view, at) => view.getUint16(at, true),
  OL: (view, at) => view.getUint32(at, true),
  OF: (view, at) => view.getFloat32(at, true),
  OD: (view, at) => view.getFloat64(at, true),
  OV: (view, at) => Number(view.getBigUint64(at, true)),
};

/** All integers of 64 bits (SV, UV, OV) of an element. */
export function bigintsOf(element: BytesElement): bigint[] {
  const { vr } = readableFacts(element.tag, element.vr);
  if (vr !== 'SV' && vr !== 'UV' && vr !== 'OV') return [];
  const view = viewOf(element.bytes);
  const numbers: bigint[] = [];
  for (let at = 0; at + 8 <= element.sizeBytes; at += 8) {
    numbers.push(vr === 'SV' ? view.getBigInt64(at, true) : view.getBigUint64(at, true));
  }
  return numbers;
}

function tagsOf(element: BytesElement): Tag[] {
  const view = viewOf(element.bytes);
  const found: Tag[] = [];
  for (let at = 0; at + 4 <= element.sizeBytes; at += 4) {
    found.push(view.getUint16(at, true) * 0x1_0000 + view.getUint16(at + 2, true));
  }
  return found;
}

/** Bytes of even length, padded as the VR wants it. */
export function padded(bytes: Uint8Array, vr: AnyVr): Uint8Array {
  if (bytes.byteLength % 2 === 0) return bytes;
  const even = new Uint8Array(bytes.byteLength + 1);
  even.set(bytes);
  even[bytes.byteLength] = vrFacts(vr).padByte;
  return even;
}

/** The bytes of values of characters in the default repertoire; AT from hexadecimal tags. */
export function bytesOfStrings(vr: Vr, values: readonly string[]): Uint8Array {
  if (vr === 'AT') return bytesOfNumbers(vr, values.map(checkedTag));
  const text = values.join('\\');
  assert(/^[\x00-\x7f]*$/.test(text), 'text beyond the default repertoire is written through a character set');
  return padded(new Uint8Array(Buffer.from(text, 'latin1')), vr);
}

function checkedTag(text: string): Tag {
  const tag = parseTag(text);
  assert(tag !== undefined, 'a value of AT is a tag');
  return tag;
}

/** The bytes of values of text, or undefined when the character set cannot say them. */
export function bytesOfTexts(vr: Vr, values: readonly string[], set: CharacterSet): Uint8Array | undefined {
  const bytes = encodeText(set, values.join('\\'), textKindOf(vr));
  return bytes === undefined ? undefined : padded(bytes, vr);
}

type BinarySetter = (view: DataView, at: number, value: number) => void;

const binarySetters: Partial<Record<Vr, BinarySetter>> = {
  US: (view, at, value) => view.setUint16(at, value, true),
  SS: (view, at, value) => view.setInt16(at, value, true),
  UL: (view, at, value) => view.setUint32(at, value, true),
  SL: (view, at, value) => view.setInt32(at, value, true),
  FL: (view, at, value) => view.setFloat32(at, value, true),
  FD: (view, at, value) => view.setFloat64(at, value, true),
  SV: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  UV: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
};

/** The bytes of numbers in a binary VR, in AT (tags), or in DS and IS. */
export function bytesOfNumbers(vr: Vr, values: readonly number[]): Uint8Array {
  if (vr === 'DS') return bytesOfStrings(vr, values.map(decimalText));
  if (vr === 'IS') return bytesOfStrings(vr, values.map(integerText));
  const { wordBytes } = vrFacts(vr);
  if (vr === 'AT') return bytesOfTags(values);
  const set = binarySetters[vr];
  assert(set !== undefined, 'numbers go into a VR of numbers');
  const bytes = new Uint8Array(values.length * wordBytes);
  const view = viewOf(bytes);
  for (const [index, value] of values.entries()) set(view, index * wordBytes, value);
  return bytes;
}

function bytesOfTags(values: readonly Tag[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = viewOf(bytes);
  for (const [index, tag] of values.entries()) {
    view.setUint16(index * 4, tag >>> 16, true);
    view.setUint16(index * 4 + 2, tag & 0xffff, true);
  }
  return bytes;
}

const decimalCharsMax = 16;

/** The shortest decimal string that is the number, or the closest one of the 16 characters that DS allows. */
export function decimalText(value: number): string {
  assert(Number.isFinite(value), 'a decimal string says a finite number');
  const exact = String(value);
  if (exact.length <= decimalCharsMax) return exact;
  for (let digits = decimalCharsMax; digits > 0; digits--) {
    const rounded = Number(value.toPrecision(digits));
    const text = String(rounded);
    if (text.length <= decimalCharsMax && Number.isFinite(rounded)) return text;
  }
  return String(Number(value.toPrecision(1)));
}

function integerText(value: number): string {
  assert(Number.isInteger(value) && Math.abs(value) < 2 ** 31, 'an integer string says an integer of 32 bits');
  return String(value);
}
