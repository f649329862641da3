// Streams that are not encoded as their syntax says: elements without VR in an explicit stream, and with VR in an implicit one. Both are common enough that
// refusing them would refuse studies; both are recognised only where nothing else makes sense.
//
// Left out on purpose: the wrong byte order. Part 10 files without meta information are guessed elsewhere (syntax-guess.ts).

import { dictionaryEntry, implicitVrOf } from './dictionary.ts';
import type { OddityKind } from './oddity.ts';
import { u16At, u32At, undefinedLength } from './stream-numbers.ts';
import { isGroupLength, isPixelData, isPrivateTag, type Tag } from './tag.ts';
import { type AnyVr, foreignVr, hasLongForm, type VrFacts, vrFacts, vrOfLetters } from './vr.ts';

/** No element but a sequence is longer and without VR: beyond it, it is taken for something else. */
const implicitBytesMax = 0x1000_0000;

function isPrintable(byte: number): boolean {
  return byte > 0x20 && byte < 0x7f;
}

/** Whether the element at `at`, in which no VR was found, is one without VR. `room` is how many bytes there may be from `at` on. */
export function looksImplicit(bytes: Uint8Array, at: number, tag: Tag, room: number): boolean {
  const first = bytes[at + 4] as number;
  const second = bytes[at + 5] as number;
  if (isPrintable(first) && isPrintable(second)) return false;
  if (dictionaryEntry(tag) === undefined && !isPrivateTag(tag) && !isGroupLength(tag)) return false;
  const length = u32At(bytes, at + 4, false);
  if (length === undefinedLength) return true;
  // Two zero bytes and a short length are a VR that was left empty rather than a value of so many times 64 KB, unless that is pixels.
  if (first === 0 && second === 0 && length !== 0 && !isPixelData(tag)) return false;
  return length < implicitBytesMax && 8 + length <= room;
}

/** Whether the element at `at` of an implicit stream carries a VR. */
export function looksExplicit(bytes: Uint8Array, at: number, tag: Tag, room: number): boolean {
  const facts = vrOfLetters(bytes[at + 4] as number, bytes[at + 5] as number);
  if (facts === undefined) return false;
  if (facts.longForm && ((bytes[at + 6] as number) !== 0 || (bytes[at + 7] as number) !== 0)) return false;
  if (8 + u32At(bytes, at + 4, false) > room) return true;
  const entry = dictionaryEntry(tag);
  if (entry === undefined) return isGroupLength(tag) && facts.vr === 'UL';
  return entry.vr === facts.vr || (entry.choice?.includes(facts.vr) ?? false);
}

export type OddHead = {
  readonly vr: AnyVr;
  readonly facts: VrFacts;
  /** Of tag, VR and length; when so many are not there yet, `length` says nothing. */
  readonly bytes: 8 | 12;
  readonly length: number;
  readonly oddity: OddityKind;
};

/** The head of an element of an explicit stream in which no VR of the standard stands; undefined when it cannot be one. */
export function readOddHead(
  bytes: Uint8Array,
  place: { readonly at: number; readonly tag: Tag; readonly room: number; readonly bigEndian: boolean },
): OddHead | undefined {
  const { at, tag, room, bigEndian } = place;
  if (!bigEndian && looksImplicit(bytes, at, tag, room)) {
    const { facts } = implicitVrOf(tag);
    return { vr: facts.vr, facts, bytes: 8, length: u32At(bytes, at + 4, false), oddity: 'implicit-in-explicit' };
  }
  const first = bytes[at + 4] as number;
  const second = bytes[at + 5] as number;
  const readable = (isPrintable(first) && isPrintable(second)) || (first === 0 && second === 0);
  if (!readable) return undefined;
  const vr = foreignVr(first, second);
  const rest = { vr, facts: vrFacts(vr), oddity: 'vr-unknown' } as const;
  if (!hasLongForm(vr)) return { ...rest, bytes: 8, length: u16At(bytes, at + 6, bigEndian) };
  return { ...rest, bytes: 12, length: bytes.length < at + 12 ? 0 : u32At(bytes, at + 8, bigEndian) };
}
