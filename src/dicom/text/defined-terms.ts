// The values of Specific Character Set (0008,0005): how DICOM spells them (PS3.3 C.12.1.1.2), and what senders write instead.
//
// Invariants: whatever a sender writes is either one of the repertoires below or unknown; the answer does not depend on case, blanks,
// hyphens or underscores. Left out on purpose: what a repertoire's bytes mean (graphic-sets.ts, gb-text.ts).

/** The number of an ISO-IR registration, or the name of a set that stands alone (no code extensions, PS3.3 table C.12-5). */
export type Repertoire =
  | '6'
  | '100'
  | '101'
  | '109'
  | '110'
  | '144'
  | '127'
  | '126'
  | '138'
  | '148'
  | '203'
  | '13'
  | '166'
  | '87'
  | '159'
  | '149'
  | '58'
  | 'utf8'
  | 'gbk'
  | 'gb18030';

const registrations: ReadonlySet<string> = new Set<Repertoire>([
  '6',
  '100',
  '101',
  '109',
  '110',
  '144',
  '127',
  '126',
  '138',
  '148',
  '203',
  '13',
  '166',
  '87',
  '159',
  '149',
  '58',
]);

/** Names that are no registration number, without blanks, hyphens and underscores, in upper case. */
const aliases: Readonly<Record<string, Repertoire>> = {
  ASCII: '6',
  USASCII: '6',
  ISO646: '6',
  LATIN1: '100',
  ISO88591: '100',
  WINDOWS1252: '100',
  CP1252: '100',
  LATIN2: '101',
  ISO88592: '101',
  LATIN3: '109',
  ISO88593: '109',
  LATIN4: '110',
  ISO88594: '110',
  ISO88595: '144',
  ISO88596: '127',
  ISO88597: '126',
  ISO88598: '138',
  LATIN5: '148',
  ISO88599: '148',
  LATIN9: '203',
  ISO885915: '203',
  ISO885911: '166',
  TIS620: '166',
  JISX0201: '13',
  SHIFTJIS: '13',
  SJIS: '13',
  CP932: '13',
  WINDOWS31J: '13',
  ISO2022JP: '87',
  JISX0208: '87',
  JISX0212: '159',
  EUCKR: '149',
  CP949: '149',
  KSC5601: '149',
  KSX1001: '149',
  GB2312: '58',
  GB231280: '58',
  EUCCN: '58',
  UTF8: 'utf8',
  UNICODE: 'utf8',
  ISO10646: 'utf8',
  ISO10646UTF8: 'utf8',
  GBK: 'gbk',
  CP936: 'gbk',
  GB18030: 'gb18030',
  GB180302000: 'gb18030',
  GB180302005: 'gb18030',
  GB180302022: 'gb18030',
  B18030: 'gb18030', // "ISO 2022 B18030" is written by some devices
};

/** One value of the attribute; undefined when nobody knows what it means. An empty value is the default repertoire. */
export function findRepertoire(written: string): Repertoire | undefined {
  const plain = written
    .replace(/\0/g, '')
    .replace(/[\s_-]+/g, '')
    .toUpperCase();
  if (plain === '') return '6';
  const number = /^(?:ISO)?(?:2022)?(?:IR)?(\d{1,3})$/.exec(plain)?.[1];
  if (number === '192') return 'utf8';
  if (number !== undefined && registrations.has(number)) return number as Repertoire;
  return aliases[plain] ?? aliases[plain.replace(/^ISO(?:2022)?(?:IR)?/, '')];
}

/** Whether the set excludes every other (UTF-8 and the Chinese ones). */
export function standsAlone(repertoire: Repertoire): repertoire is 'utf8' | 'gbk' | 'gb18030' {
  return repertoire === 'utf8' || repertoire === 'gbk' || repertoire === 'gb18030';
}

/** Sets that DICOM knows only as a further value, behind an escape sequence. */
function needsEscape(repertoire: Repertoire): boolean {
  return repertoire === '87' || repertoire === '159' || repertoire === '149' || repertoire === '58';
}

const aloneTerms = { utf8: 'ISO_IR 192', gbk: 'GBK', gb18030: 'GB18030' } as const;

/** The values of (0008,0005) that say these repertoires in DICOM's own spelling; none for the default repertoire. */
export function spellTerms(repertoires: readonly Repertoire[]): readonly string[] {
  const [first = '6', ...more] = repertoires;
  if (standsAlone(first)) return [aloneTerms[first]];
  if (needsEscape(first)) return ['', ...repertoires.map((one) => `ISO 2022 IR ${one}`)];
  if (more.length > 0) {
    return [first === '6' ? '' : `ISO 2022 IR ${first}`, ...more.map((one) => `ISO 2022 IR ${one}`)];
  }
  return first === '6' ? [] : [`ISO_IR ${first}`];
}
