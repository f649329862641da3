// CharacterSet: the value of Specific Character Set (0008,0005), and text between bytes and strings by it.
//
// Invariants: parsing and decoding never throw; bytes that say nothing become U+FFFD, and findDefects tells what was wrong. Decoding comes before splitting:
// the caller gets the whole field, in which a backslash is a separator and never half of a character. encodeText answers undefined
// rather than write anything that would not read back as the same text.
// ASCII, which nearly every header is, takes one pass and touches no table.
// Left out on purpose: padding (the caller's), names (person-name.ts), guessing which set was really used (charset-defects.ts).

import { isUtf8 } from 'node:buffer';
import { assert, utf8Bytes } from '../../base/index.ts';
import { findRepertoire, type Repertoire, spellTerms, standsAlone } from './defined-terms.ts';
import { decodeGb, encodeGb, type GbScheme } from './gb-text.ts';
import { ascii, type GraphicSet, setsOf } from './graphic-sets.ts';
import { Iso2022Decoder, type Iso2022Scheme } from './iso2022-decoder.ts';
import { Iso2022Encoder } from './iso2022-encoder.ts';
import type { TextKind } from './text-kind.ts';
import { type TextDefect, UnitBuffer } from './unit-buffer.ts';

type Scheme = { readonly kind: 'utf8' } | GbScheme | Iso2022Scheme;

export type CharacterSet = {
  /** What to write into (0008,0005), in DICOM's own spelling; no values for the default repertoire. */
  readonly terms: readonly string[];
  /** Values that nobody knows, or that cannot stand beside the first one; they were left out. */
  readonly unknown: readonly string[];
  readonly scheme: Scheme;
};

/** Devices write few different values; more than this and we meet a fuzzer. */
const knownSetsMax = 64;
const knownSets = new Map<string, CharacterSet>();

/** Values of one attribute that are looked at; the standard has 20 repertoires. */
const termsMax = 20;

/** The character set of these values of (0008,0005). Never throws; what it does not understand is in `unknown`. */
export function parseCharacterSet(terms: readonly string[]): CharacterSet {
  const key = terms.join('\\');
  const known = knownSets.get(key);
  if (known !== undefined) return known;
  const set = parseTerms(terms.slice(0, termsMax));
  if (knownSets.size >= knownSetsMax) knownSets.clear();
  knownSets.set(key, set);
  return set;
}

function parseTerms(terms: readonly string[]): CharacterSet {
  const unknown: string[] = [];
  const repertoires: Repertoire[] = [];
  for (const [at, term] of terms.entries()) {
    const repertoire = findRepertoire(term);
    if (repertoire === undefined) unknown.push(term.trim());
    else if ((at === 0 || term.trim() !== '') && !repertoires.includes(repertoire)) repertoires.push(repertoire);
  }
  const alone = repertoires.find(standsAlone);
  if (alone === undefined) return { terms: spellTerms(repertoires), unknown, scheme: iso2022Scheme(repertoires) };
  // A set without escape sequences beside others is forbidden. It is what was meant when it comes first, or after nothing but ASCII.
  if (repertoires.every((one) => one === '6' || standsAlone(one)) || repertoires[0] === alone) {
    const dropped = repertoires.filter((one) => one !== alone && one !== '6').flatMap((one) => spellTerms([one]));
    return { terms: spellTerms([alone]), unknown: [...unknown, ...dropped], scheme: aloneScheme(alone) };
  }
  const kept = repertoires.filter((one) => !standsAlone(one));
  const dropped = repertoires.filter(standsAlone).flatMap((one) => spellTerms([one]));
  return { terms: spellTerms(kept), unknown: [...unknown, ...dropped], scheme: iso2022Scheme(kept) };
}

function aloneScheme(repertoire: 'utf8' | 'gbk' | 'gb18030'): Scheme {
  return repertoire === 'utf8' ? { kind: 'utf8' } : { kind: 'gb', fourBytes: repertoire === 'gb18030' };
}

function iso2022Scheme(repertoires: readonly Repertoire[]): Iso2022Scheme {
  const declared: GraphicSet[] = [];
  for (const repertoire of repertoires) {
    assert(!standsAlone(repertoire), 'a set that stands alone has no graphic sets');
    for (const set of setsOf[repertoire]) if (!declared.includes(set)) declared.push(set);
  }
  const first = repertoires[0];
  const firstSets = first === undefined || standsAlone(first) ? [ascii] : setsOf[first];
  return {
    kind: 'iso2022',
    firstG0: firstSets.find(({ half, width }) => half === 'G0' && width === 1) ?? ascii,
    // A set of two-byte characters is never active from the start, not even when it is wrongly the first value.
    firstG1: firstSets.find(({ half, width }) => half === 'G1' && width === 1),
    declared,
    extended: repertoires.length > 1 || declared.some(({ width }) => width === 2),
  };
}

/** Up to here ASCII is put together by hand, 10-100 ns; beyond it a call into Node is cheaper (100 ns whatever the length). */
const shortSizeBytes = 24;
const escapeByte = 0x1b;
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Whether the bytes mean the same in every set: 7 bits and no escape sequence. */
function isPlain(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x80 || byte === escapeByte) return false;
  }
  return true;
}

function plainText(bytes: Uint8Array): string {
  const { length } = bytes;
  if (length > shortSizeBytes) return utf8.decode(bytes);
  const char = String.fromCharCode;
  let text = '';
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    text += char(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!);
  }
  for (; at < length; at++) text += char(bytes[at]!);
  return text;
}

function plainBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0x80 || unit === escapeByte) return undefined;
    bytes[at] = unit;
  }
  return bytes;
}

/** The text of a whole field. Split it afterwards: at backslashes unless the kind is 'text'. */
export function decodeText(set: CharacterSet, bytes: Uint8Array, kind: TextKind): string {
  if (isPlain(bytes)) return plainText(bytes);
  if (set.scheme.kind === 'utf8') return utf8.decode(bytes);
  return decodeUnits(set.scheme, bytes, kind).text();
}

function decodeUnits(scheme: GbScheme | Iso2022Scheme, bytes: Uint8Array, kind: TextKind): UnitBuffer {
  const out = new UnitBuffer(bytes.byteLength);
  if (scheme.kind === 'gb') decodeGb(scheme, bytes, out);
  else new Iso2022Decoder(scheme, bytes, kind, out).decode();
  return out;
}

/** What is wrong with the bytes of a field that claims to be of this set. */
export function findDefects(set: CharacterSet, bytes: Uint8Array, kind: TextKind): readonly TextDefect[] {
  if (isPlain(bytes)) return [];
  if (set.scheme.kind === 'utf8') return isUtf8(bytes) ? [] : ['bytes-invalid'];
  return decodeUnits(set.scheme, bytes, kind).defects;
}

/** The bytes of a whole field, or undefined when the set cannot say the text. Reads back as the same text. */
export function encodeText(set: CharacterSet, text: string, kind: TextKind): Uint8Array | undefined {
  const plain = plainBytes(text);
  if (plain !== undefined) return plain;
  if (text.includes('\u001b')) return undefined;
  switch (set.scheme.kind) {
    case 'utf8':
      return text.isWellFormed() ? utf8Bytes(text) : undefined;
    case 'gb':
      return encodeGb(set.scheme, text);
    case 'iso2022':
      return new Iso2022Encoder(set.scheme, kind).encode(text);
  }
}
