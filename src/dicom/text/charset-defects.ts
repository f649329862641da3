// Which character set a data set is really in: devices send GBK under ISO_IR 100 or under nothing, and UTF-8 under whatever they were installed with.
//
// All texts of the data set are read in every set that could be meant, and what people would hardly write counts against a reading. "Valid UTF-8, else GBK" will
// not do: of two-character names in GBK, several in a hundred are valid UTF-8 by chance.
//
// Invariants: pure, never throws, touches no bytes: the answer is a proposal, to be kept as a correction beside the bytes. Where nothing beyond ASCII stands,
// or the declared set reads best, that is the answer. Left out on purpose: remembering what devices send (the caller's; it comes in as habit), and sets
// without a name in DICOM (Big5, Windows-1251), which could not be declared right anyway.

import { type CharacterSet, decodeText, findDefects, parseCharacterSet } from './character-set.ts';
import { findEscape, setsOf } from './graphic-sets.ts';
import type { TextKind } from './text-kind.ts';
import { mayBeCut, type Script, TextLikelihood } from './text-likelihood.ts';

export type TextSample = { readonly bytes: Uint8Array; readonly kind: TextKind };

/** How many data sets of this device were found to be in a set (values of (0008,0005)); an administrator's word may count as many. */
export type CharsetHabit = { readonly terms: readonly string[]; readonly count: number };

/**
 * - 'plain': nothing beyond ASCII, which every set reads alike
 * - 'fits': the declared set reads the text best
 * - 'undeclared': no set was declared, and the text needs one
 * - 'misdeclared': another set reads the text better
 */
export type CharsetReason = 'plain' | 'fits' | 'undeclared' | 'misdeclared';

export type CharsetDecision = {
  /** Values for (0008,0005) in DICOM's spelling, as they were meant, and as the text has it. */
  readonly declared: readonly string[];
  readonly probable: readonly string[];
  /** The share of all that was weighed that speaks for `probable`, 0 to 1. */
  readonly confidence: number;
  readonly reason: CharsetReason;
};

/** Texts beyond ASCII that are looked at, and bytes of each; more would not change the answer. */
const samplesMax = 64;
const sampleSizeBytesMax = 512;

/** Sets that are weighed against each other. */
const candidatesMax = 12;
/** What may be meant whatever is declared, and how often (of data sets with text beyond ASCII, of a device nobody knows yet). */
const anywhere: readonly { readonly terms: readonly string[]; readonly share: number }[] = [
  { terms: ['GB18030'], share: 0.55 },
  { terms: ['ISO_IR 192'], share: 0.35 },
  { terms: ['ISO_IR 100'], share: 0.1 },
];
/** A habit counts like so many data sets less: one data set proves little. */
const habitDoubt = 3;
/** How often a declaration is right: the one that vendors deliver; one for Chinese or for any text, which somebody chose; one for another script. */
const trust = { delivered: 0.3, chosen: 0.9, special: 0.995 } as const;
/** What a set is worth that escape sequences in the text ask for, though nobody declared it. */
const escapedShare = 0.2;
/** What a defect costs in each text: sets are seldom used against their own rules. */
const defectCost = 5;

const scriptsOfTerms: Readonly<Record<string, readonly Script[]>> = {
  'ISO_IR 144': ['cyrillic'],
  'ISO_IR 126': ['greek'],
  'ISO_IR 127': ['arabic'],
  'ISO_IR 138': ['hebrew'],
  'ISO_IR 166': ['thai'],
  'ISO_IR 13': ['kana'],
  'ISO 2022 IR 144': ['cyrillic'],
  'ISO 2022 IR 126': ['greek'],
  'ISO 2022 IR 127': ['arabic'],
  'ISO 2022 IR 138': ['hebrew'],
  'ISO 2022 IR 166': ['thai'],
  'ISO 2022 IR 13': ['kana'],
  'ISO 2022 IR 87': ['kana'],
  'ISO 2022 IR 159': ['kana'],
  'ISO 2022 IR 149': ['hangul'],
};

type Weighed = { readonly set: CharacterSet; readonly cost: number };

/** Decides over all texts of a data set at once. `samples` are whole fields, undecoded; order and repetition do not matter. */
export function decideCharset(question: {
  readonly declared: readonly string[];
  readonly samples: readonly TextSample[];
  readonly habit?: readonly CharsetHabit[];
}): CharsetDecision {
  const declared = parseCharacterSet(question.declared);
  const samples = telling(question.samples);
  if (samples.length === 0) return answer(declared, declared, 1, 'plain');
  const priors = priorsOf(declared, question.habit ?? []);
  for (const terms of escapedTerms(samples)) if (!priors.has(terms)) priors.set(terms, escapedShare);
  const weighed: Weighed[] = [];
  for (const [terms, prior] of [...priors].slice(0, candidatesMax)) {
    const set = parseCharacterSet(terms.split('\\'));
    weighed.push({ set, cost: costOf(set, samples) - Math.log(prior) });
  }
  weighed.sort((a, b) => a.cost - b.cost);
  const best = weighed[0] ?? { set: declared, cost: 0 };
  const confidence = 1 / weighed.reduce((sum, { cost }) => sum + Math.exp(best.cost - cost), 0);
  if (sameTerms(best.set, declared)) return answer(declared, declared, confidence, 'fits');
  return answer(declared, best.set, confidence, declared.terms.length === 0 ? 'undeclared' : 'misdeclared');
}

function answer(
  declared: CharacterSet,
  probable: CharacterSet,
  confidence: number,
  reason: CharsetReason,
): CharsetDecision {
  return { declared: declared.terms, probable: probable.terms, confidence, reason };
}

function sameTerms(a: CharacterSet, b: CharacterSet): boolean {
  return a.terms.join('\\') === b.terms.join('\\');
}

/** The texts that say anything: with a byte beyond ASCII or an escape sequence, each once. */
function telling(samples: readonly TextSample[]): readonly TextSample[] {
  const found = new Map<string, TextSample>();
  for (const { bytes, kind } of samples) {
    if (found.size >= samplesMax) break;
    const part = bytes.subarray(0, sampleSizeBytesMax);
    if (part.every((byte) => byte < 0x80 && byte !== 0x1b)) continue;
    const key = Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('latin1');
    if (!found.has(key)) found.set(key, { bytes: part, kind });
  }
  return [...found.values()];
}

/** What each set is worth before the text is read: by terms joined with backslashes. */
function priorsOf(declared: CharacterSet, habit: readonly CharsetHabit[]): Map<string, number> {
  const [only = ''] = declared.terms;
  const isDelivered = declared.terms.length === 0 || only === 'ISO_IR 100';
  const isChosen =
    only === 'ISO_IR 192' || only === 'GB18030' || only === 'GBK' || declared.terms.includes('ISO 2022 IR 58');
  const declaredShare = isDelivered ? trust.delivered : isChosen ? trust.chosen : trust.special;
  const shares = new Map<string, number>();
  const put = (terms: readonly string[], share: number): void => {
    const key = parseCharacterSet(terms).terms.join('\\');
    shares.set(key, (shares.get(key) ?? 0) + share);
  };
  put(declared.terms, declaredShare);
  for (const { terms, share } of anywhere) put(terms, share * (1 - declaredShare));
  const known = habit.filter(({ count }) => Number.isFinite(count) && count > 0);
  const sum = known.reduce((total, { count }) => total + count, 0);
  for (const [key, share] of shares) shares.set(key, (share * habitDoubt) / (sum + habitDoubt));
  for (const { terms, count } of known) put(terms, count / (sum + habitDoubt));
  return shares;
}

/** The sets that escape sequences in the texts ask for. */
function escapedTerms(samples: readonly TextSample[]): readonly string[] {
  const numbers = new Set<string>();
  for (const { bytes } of samples) {
    for (let at = bytes.indexOf(0x1b); at >= 0; at = bytes.indexOf(0x1b, at + 1)) {
      const set = findEscape(bytes, at)?.set;
      if (set === undefined || (set.half === 'G0' && set.width === 1)) continue;
      const found = Object.entries(setsOf).find(([, sets]) => sets.includes(set));
      if (found !== undefined) numbers.add(found[0]);
    }
  }
  return numbers.size === 0 ? [] : [['', ...[...numbers].map((number) => `ISO 2022 IR ${number}`)].join('\\')];
}

function costOf(set: CharacterSet, samples: readonly TextSample[]): number {
  const likelihood = new TextLikelihood(set.terms.flatMap((term) => scriptsOfTerms[term] ?? []));
  let defects = 0;
  for (const { bytes, kind } of samples) {
    likelihood.add(decodeText(set, bytes, kind), mayBeCut(bytes.byteLength));
    defects += findDefects(set, bytes, kind).filter((defect) => defect !== 'bytes-invalid').length;
  }
  return likelihood.cost + defects * defectCost;
}
