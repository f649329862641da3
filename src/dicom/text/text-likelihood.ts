// How likely a text is as something that a person in a hospital wrote: bytes read in the wrong character set give texts that nobody writes.
//
// A model of classes of characters: what a class costs behind another one, and what a character costs within its class, in nats (the negative natural
// logarithm of a probability). Sums of costs compare readings of the same bytes: the reading that costs 7 less is a thousand times as likely.
// The numbers are estimates rounded by hand; charset-defects.test.ts holds the error rates that follow from them.
//
// Invariants: pure; time in proportion to the text; a finite cost for any text. Left out on purpose: words and grammar, and knowing all languages: what no
// class is made for is merely unlikely, in every reading alike.

import { inverseOfPairs, pairTable } from './code-tables.ts';
import { frequentHanCount, isFrequentHan } from './frequent-han.ts';

/** Scripts with words of their own; which ones are to be expected depends on the character set. */
export type Script = 'han' | 'kana' | 'hangul' | 'greek' | 'cyrillic' | 'arabic' | 'hebrew' | 'thai';
type CharClass = 'separator' | 'digit' | 'capital' | 'small' | 'accent' | 'symbol' | 'wide' | 'odd' | 'broken' | Script;

type Costed = { readonly class: CharClass; readonly cost: number };

const ln = Math.log;
const replacement = 0xfffd;

// Costs within a class. ASCII is the same in nearly every reading; it counts where a reading swallows a letter.
const separator: Costed = { class: 'separator', cost: 2 };
const digit: Costed = { class: 'digit', cost: ln(10) };
const capital: Costed = { class: 'capital', cost: 3 };
const small: Costed = { class: 'small', cost: 2.8 };
/** The accents of Western Europe's names and reports, small ones; capital ones; those of Latin Extended-A. */
const usualAccent: Costed = { class: 'accent', cost: ln(30) };
const capitalAccent: Costed = { class: 'accent', cost: ln(90) };
const otherAccent: Costed = { class: 'accent', cost: ln(150) };
const usualSymbol: Costed = { class: 'symbol', cost: ln(15) };
const otherSymbol: Costed = { class: 'symbol', cost: ln(400) };
const wide: Costed = { class: 'wide', cost: ln(90) };
// Three characters of four are frequent; of the others, those of GB 2312's second level and beyond are rare, for whoever may choose a name.
const frequentHan: Costed = { class: 'han', cost: ln(frequentHanCount / 0.75) };
const firstLevelHan: Costed = { class: 'han', cost: ln(3000 / 0.22) };
const secondLevelHan: Costed = { class: 'han', cost: ln(3008 / 0.025) };
const otherHan: Costed = { class: 'han', cost: ln(15_000 / 0.005) };
const farHan: Costed = { class: 'han', cost: ln(50_000 / 0.0005) };
const kana: Costed = { class: 'kana', cost: ln(90) };
const hangul: Costed = { class: 'hangul', cost: ln(1500) };
const greek: Costed = { class: 'greek', cost: ln(35) };
const cyrillic: Costed = { class: 'cyrillic', cost: ln(40) };
const arabic: Costed = { class: 'arabic', cost: ln(40) };
const hebrew: Costed = { class: 'hebrew', cost: ln(27) };
const thai: Costed = { class: 'thai', cost: ln(70) };
const odd: Costed = { class: 'odd', cost: ln(8000) };
const control: Costed = { class: 'broken', cost: 12 };
const unassigned: Costed = { class: 'broken', cost: 14 };
const invalid: Costed = { class: 'broken', cost: 15 };
/** A field that was cut at its length limit, in the middle of a character. */
const cutCost = 8;

/** Whether a field of this size may have been cut: limits are 16 (SH), 32 and 64 (LO, PN) characters, and senders who cut count bytes. */
export function mayBeCut(sizeBytes: number): boolean {
  return sizeBytes >= 15 && (sizeBytes % 16 === 0 || sizeBytes % 16 === 15);
}

const usualAccents: ReadonlySet<string> = new Set('éèêëàâäáåãçñöóòôõøüúùûíìîïßæœ');
const usualSymbols: ReadonlySet<string> = new Set('°±µ·×²³½«»§®');

function costed(unit: number): Costed {
  if (unit < 0x80) return costedAscii(unit);
  if (unit < 0xa0) return control;
  if (unit < 0x250) return costedLatin(unit);
  if (unit < 0x3000) return costedAlphabet(unit);
  if (unit < 0x3040) return wide;
  if (unit < 0x3100) return kana;
  if (unit >= 0x3400 && unit < 0xa000) return costedHan(unit);
  if (unit >= 0xac00 && unit < 0xd7b0) return hangul;
  if (unit >= 0xd800 && unit < 0xdc00) return farHan;
  if (unit >= 0xe000 && unit < 0xf900) return unassigned;
  if (unit >= 0xff66 && unit < 0xffa0) return kana;
  if (unit >= 0xff00 && unit < 0xff66) return wide;
  return unit === replacement ? invalid : odd;
}

function costedAscii(unit: number): Costed {
  if (unit >= 0x61 && unit <= 0x7a) return small;
  if (unit >= 0x41 && unit <= 0x5a) return capital;
  if (unit >= 0x30 && unit <= 0x39) return digit;
  const isLayout = unit === 0 || (unit >= 0x09 && unit <= 0x0d);
  return (unit < 0x20 && !isLayout) || unit === 0x7f ? control : separator;
}

function costedLatin(unit: number): Costed {
  const char = String.fromCharCode(unit);
  if (unit < 0xc0 || unit === 0xd7 || unit === 0xf7) return usualSymbols.has(char) ? usualSymbol : otherSymbol;
  if (usualAccents.has(char)) return usualAccent;
  if (unit < 0x100) return capitalAccent;
  return unit < 0x180 ? otherAccent : odd;
}

function costedAlphabet(unit: number): Costed {
  if (unit >= 0x386 && unit <= 0x3ce) return greek;
  if (unit >= 0x400 && unit <= 0x45f) return cyrillic;
  if (unit >= 0x5d0 && unit <= 0x5ea) return hebrew;
  if (unit >= 0x621 && unit <= 0x652) return arabic;
  if (unit >= 0xe01 && unit <= 0xe5b) return thai;
  // Punctuation, arrows, signs, circled numbers.
  if (unit >= 0x2010 && unit < 0x2c00) return otherSymbol;
  return odd;
}

function costedHan(unit: number): Costed {
  if (isFrequentHan(String.fromCharCode(unit))) return frequentHan;
  const code = inverseOfPairs(pairTable('gb'))[unit] as number;
  const lead = code >> 8;
  if ((code & 0xff) < 0xa1 || lead < 0xb0 || lead > 0xf7) return otherHan;
  return lead <= 0xd7 ? firstLevelHan : secondLevelHan;
}

/** What it costs to begin a word in a script that the text has not used yet, and where it is at home. */
const newScript = 7;
const knownScript = 2;
/** Another script within a word. */
const mixedWord = 8;

const alphabets: ReadonlySet<CharClass> = new Set(['greek', 'cyrillic', 'arabic', 'hebrew', 'thai']);

function isBetweenWords(one: CharClass): boolean {
  return one === 'separator' || one === 'digit' || one === 'wide' || one === 'symbol' || one === 'broken';
}

/** What a class costs behind another one; scripts other than 汉字 and Latin apart. */
function stepCost(from: CharClass, to: CharClass): number {
  switch (to) {
    case 'broken':
      return 0; // its own cost says it all
    case 'separator':
    case 'digit':
      return isBetweenWords(from) || from === 'han' ? 0.8 : 1.8;
    case 'wide':
      return from === 'han' || from === 'kana' || from === 'wide' ? 2.5 : 4;
    case 'symbol':
      return from === 'symbol' ? 3 : from === 'separator' ? 7 : 5;
    case 'capital':
      return from === 'small' ? 3 : from === 'capital' || isBetweenWords(from) ? 0.5 : 3;
    case 'small':
      return from === 'small' || from === 'capital' || from === 'accent' ? 0.2 : isBetweenWords(from) ? 1.5 : mixedWord;
    case 'accent':
      return from === 'small' || from === 'capital' || from === 'accent' ? 3 : isBetweenWords(from) ? 5 : mixedWord;
    case 'han':
      if (from === 'han') return 0.4;
      if (isBetweenWords(from)) return 1;
      return from === 'capital' || from === 'kana' ? 3 : mixedWord;
    default:
      return mixedWord;
  }
}

export class TextLikelihood {
  readonly #known: Set<CharClass>;
  #cost = 0;

  /** `expected`: scripts that a character set is there for. */
  constructor(expected: readonly Script[]) {
    this.#known = new Set(expected);
  }

  /** Nats that all texts so far cost. */
  get cost(): number {
    return this.#cost;
  }

  /** `isCut`: a broken character at the very end is forgiven. */
  add(text: string, isCut: boolean): void {
    let from: CharClass = 'separator';
    let runLength = 0;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit >= 0xdc00 && unit < 0xe000) continue; // counted with its first half
      const found = costed(unit);
      const isForgiven = isCut && found === invalid && at === text.length - 1;
      this.#cost += isForgiven ? cutCost : found.cost + this.#step(from, found.class, runLength);
      runLength = found.class === from ? runLength + 1 : 1;
      from = found.class;
    }
    this.#cost += this.#step(from, 'separator', runLength);
  }

  #step(from: CharClass, to: CharClass, runLength: number): number {
    // Words of an alphabet are longer than a letter or two.
    const short = from !== to && alphabets.has(from) && runLength < 3 ? 2 : 0;
    if (!alphabets.has(to) && to !== 'kana' && to !== 'hangul') return stepCost(from, to) + short;
    if (from === to) return 0.2;
    const first = this.#known.has(to) ? knownScript : newScript;
    this.#known.add(to);
    const isWithin = !isBetweenWords(from) && !(from === 'han' && to === 'kana');
    return first + short + (isWithin ? mixedWord - knownScript : 0);
  }
}
