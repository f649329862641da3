// What a text is, as far as character sets care: which characters separate its parts, and so bring the first character set back (PS3.5 6.1.2.5.3).

/**
 * - 'text': LT, ST, UT. One value; a backslash is a character like others.
 * - 'single': SH, LO, UC and the like. A backslash separates values.
 * - 'name': PN. A backslash separates names, `=` groups, `^` components.
 */
export type TextKind = 'text' | 'name' | 'single';

export function isDelimiter(kind: TextKind, unit: number): boolean {
  switch (unit) {
    case 0x5c:
      return kind !== 'text';
    case 0x5e:
    case 0x3d:
      return kind === 'name';
    default:
      return false;
  }
}
