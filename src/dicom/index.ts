// dicom: the DICOM language, a library that knows no archive: data sets, character sets, names, the upper layer, pixels.

// text/: character sets and names. Pure; nothing here throws on outside bytes.
export type { CharacterSet } from './text/character-set.ts';
export { decodeText, encodeText, findDefects, parseCharacterSet } from './text/character-set.ts';
export type { TextKind } from './text/text-kind.ts';
export type { TextDefect } from './text/unit-buffer.ts';
