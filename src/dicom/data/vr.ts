// The value representations of PS3.5 6.2: how each is written, padded, cut into values and swapped.
//
// Keeps: every VR of the standard is here; a VR that is not (a later edition's, or nonsense) keeps its two characters as a ForeignVr and its value as
// bytes. Whether an explicit element has the long form is decided by one function for reading and writing alike, so what was read is written the same.
// Left out on purpose: maximum lengths and character repertoires. What breaks them is stored all the same, and who judges objects judges there.

const vrNames = [
  ...(['AE', 'AS', 'AT', 'CS', 'DA', 'DS', 'DT', 'FD', 'FL', 'IS', 'LO', 'LT', 'OB', 'OD', 'OF', 'OL', 'OV'] as const),
  ...(['OW', 'PN', 'SH', 'SL', 'SQ', 'SS', 'ST', 'SV', 'TM', 'UC', 'UI', 'UL', 'UN', 'UR', 'US', 'UT', 'UV'] as const),
] as const;

export type Vr = (typeof vrNames)[number];

declare const foreign: unique symbol;
/** Two characters where a VR belongs that are no VR of the standard. */
export type ForeignVr = string & { readonly [foreign]: true };

export type AnyVr = Vr | ForeignVr;

/** `text` is read through the character set, `string` is the default repertoire only. */
export type VrKind = 'string' | 'text' | 'integer' | 'float' | 'tag' | 'bytes' | 'sequence';

export type VrFacts = {
  readonly vr: Vr;
  readonly kind: VrKind;
  /** In explicit syntaxes: two reserved bytes and a length of four bytes. */
  readonly longForm: boolean;
  /** What is swapped between byte orders; 1 when nothing is. */
  readonly wordBytes: 1 | 2 | 4 | 8;
  /** A backslash separates values. */
  readonly multiple: boolean;
  readonly trim: 'both' | 'end' | 'none';
  readonly padByte: 0x00 | 0x20;
};

const long = new Set<Vr>(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);
const wordsOf2 = new Set<Vr>(['AT', 'OW', 'SS', 'US']);
const wordsOf4 = new Set<Vr>(['FL', 'OF', 'OL', 'SL', 'UL']);
const wordsOf8 = new Set<Vr>(['FD', 'OD', 'OV', 'SV', 'UV']);
const single = new Set<Vr>(['LT', 'ST', 'UT', 'UR']);
const trimmedAtEnd = new Set<Vr>(['LT', 'ST', 'UT', 'UC', 'UR']);

function kindOf(vr: Vr): VrKind {
  if (vr === 'SQ') return 'sequence';
  if (vr === 'AT') return 'tag';
  if (vr === 'FL' || vr === 'FD') return 'float';
  if (/^([SU][SLV])$/.test(vr)) return 'integer';
  if (/^(O.|UN)$/.test(vr)) return 'bytes';
  return /^(LO|LT|PN|SH|ST|UC|UT)$/.test(vr) ? 'text' : 'string';
}

function factsOf(vr: Vr): VrFacts {
  const kind = kindOf(vr);
  const characters = kind === 'string' || kind === 'text';
  return {
    vr,
    kind,
    longForm: long.has(vr),
    wordBytes: wordsOf2.has(vr) ? 2 : wordsOf4.has(vr) ? 4 : wordsOf8.has(vr) ? 8 : 1,
    multiple: characters && !single.has(vr),
    trim: !characters ? 'none' : trimmedAtEnd.has(vr) ? 'end' : 'both',
    padByte: characters && vr !== 'UI' ? 0x20 : 0x00,
  };
}

const factsByName = new Map<string, VrFacts>(vrNames.map((vr) => [vr, factsOf(vr)]));

const capitalA = 0x41;
/** By letters, so that reading looks a VR up without making a string. */
const factsByLetters: (VrFacts | undefined)[] = new Array<VrFacts | undefined>(26 * 26).fill(undefined);
for (const facts of factsByName.values()) {
  factsByLetters[(facts.vr.charCodeAt(0) - capitalA) * 26 + facts.vr.charCodeAt(1) - capitalA] = facts;
}

/** The facts of the VR that two bytes spell, or undefined. */
export function vrOfLetters(first: number, second: number): VrFacts | undefined {
  const a = first - capitalA;
  const b = second - capitalA;
  return a >= 0 && a < 26 && b >= 0 && b < 26 ? factsByLetters[a * 26 + b] : undefined;
}

const unknownFacts = factsByName.get('UN') as VrFacts;

/** The facts of a VR; a foreign one is treated as UN. */
export function vrFacts(vr: AnyVr): VrFacts {
  return factsByName.get(vr) ?? unknownFacts;
}

export function isVr(text: string): text is Vr {
  return factsByName.has(text);
}

export function foreignVr(first: number, second: number): ForeignVr {
  return String.fromCharCode(first, second) as ForeignVr;
}

/**
 * Two capital letters are taken for a VR of a later edition, which has the long form (PS3.5 7.1.2). Anything else in that place is a mistake of its
 * writer; such writers ("??" is seen) use the short form.
 */
export function hasLongForm(vr: AnyVr): boolean {
  const facts = factsByName.get(vr);
  return facts === undefined ? /^[A-Z]{2}$/.test(vr) : facts.longForm;
}
