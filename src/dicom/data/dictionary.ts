// The data dictionary: tag to VR, VM and keyword, and keyword to tag.
//
// Keeps: exact tags win over repeating groups (50xx, 60xx and the few others with an x); private elements are in no dictionary, since their meaning hangs on
// a creator and their VR travels with them or is unknown (UN); the table is unpacked when it is first asked (3 ms).
// Left out on purpose: names in words; a keyword says the same, and programs read it.

import { assert } from '../../base/index.ts';
import { dictionaryLines } from './dictionary-table.ts';
import { isGroupLength, isPrivateCreator, isPrivateTag, type Tag, tagHex } from './tag.ts';
import { isVr, type Vr, type VrFacts, vrFacts } from './vr.ts';

/** Where the standard leaves the VR to the encoder: US or SS by Pixel Representation, OB or OW by bits allocated, US or OW of lookup tables. */
export type VrChoice = 'OB|OW' | 'US|SS' | 'US|OW';

export type DictionaryEntry = {
  readonly tag: Tag;
  readonly keyword: string;
  /** The VR that an implicit syntax gives it; where there is a choice, the one taken when nothing decides. */
  readonly vr: Vr;
  readonly facts: VrFacts;
  readonly choice: VrChoice | undefined;
  readonly vm: string;
};

const choices: Record<string, { readonly vr: Vr; readonly choice: VrChoice }> = {
  ox: { vr: 'OW', choice: 'OB|OW' },
  xs: { vr: 'US', choice: 'US|SS' },
  lt: { vr: 'OW', choice: 'US|OW' },
};

type MaskedEntry = { readonly mask: number; readonly match: number; readonly entry: DictionaryEntry };
type Dictionary = {
  readonly byTag: Map<Tag, DictionaryEntry>;
  readonly byKeyword: Map<string, DictionaryEntry>;
  readonly masked: readonly MaskedEntry[];
};

let unpacked: Dictionary | undefined;

function unpack(): Dictionary {
  const byTag = new Map<Tag, DictionaryEntry>();
  const byKeyword = new Map<string, DictionaryEntry>();
  const masked: MaskedEntry[] = [];
  for (const line of dictionaryLines) {
    const group = line.slice(0, 4);
    for (const text of line.slice(5).split(';')) {
      const hex = group + text.slice(0, 4);
      const entry = entryOf(hex, text);
      byKeyword.set(entry.keyword, entry);
      if (hex.includes('x')) {
        masked.push({
          mask: Number.parseInt(hex.replace(/[^x]/g, 'F').replace(/x/g, '0'), 16),
          match: entry.tag,
          entry,
        });
      } else byTag.set(entry.tag, entry);
    }
  }
  return { byTag, byKeyword, masked };
}

function entryOf(hex: string, text: string): DictionaryEntry {
  const space = text.indexOf(' ');
  const code = text.slice(4, 6);
  const open = choices[code];
  assert(open !== undefined || isVr(code), `the dictionary gives ${hex} a VR of the standard`);
  const vr = open?.vr ?? (code as Vr);
  return {
    tag: Number.parseInt(hex.replace(/x/g, '0'), 16),
    keyword: text.slice(space + 1),
    vr,
    facts: vrFacts(vr),
    choice: open?.choice,
    vm: space === 6 ? '1' : text.slice(6, space),
  };
}

function dictionary(): Dictionary {
  unpacked ??= unpack();
  return unpacked;
}

/** The entry of a tag; of a repeating group it carries the tag of the group's first member. Undefined for private and unknown tags. */
export function dictionaryEntry(tag: Tag): DictionaryEntry | undefined {
  const { byTag, masked } = dictionary();
  const entry = byTag.get(tag);
  if (entry !== undefined || isPrivateTag(tag)) return entry;
  for (const each of masked) if ((tag & each.mask) === (each.match | 0)) return each.entry;
  return undefined;
}

/** The tag of a keyword of PS3.6, in its exact spelling; of a repeating group its first member. */
export function tagOfKeyword(keyword: string): Tag | undefined {
  return dictionary().byKeyword.get(keyword)?.tag;
}

/** The keyword of a tag, or its hexadecimal form. */
export function keywordOf(tag: Tag): string {
  return dictionaryEntry(tag)?.keyword ?? tagHex(tag);
}

export type ImplicitVr = { readonly facts: VrFacts; readonly choice: VrChoice | undefined };

const groupLength: ImplicitVr = { facts: vrFacts('UL'), choice: undefined };
const privateCreator: ImplicitVr = { facts: vrFacts('LO'), choice: undefined };
const unknown: ImplicitVr = { facts: vrFacts('UN'), choice: undefined };

/** What an element is read as where the stream carries no VR. */
export function implicitVrOf(tag: Tag): ImplicitVr {
  const entry = dictionary().byTag.get(tag);
  if (entry !== undefined) return entry;
  if (isGroupLength(tag)) return groupLength;
  if (isPrivateTag(tag)) return isPrivateCreator(tag) ? privateCreator : unknown;
  return dictionaryEntry(tag) ?? unknown;
}
