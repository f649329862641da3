// dicom: the DICOM language, a library that knows no archive: data sets, character sets, names, the upper layer, pixels.

// data/: data sets, streaming. Errors are DICOM_MALFORMED and LIMIT_EXCEEDED, with the offset.
export { DataSet } from './data/data-set.ts';
export { dictionaryEntry, keywordOf, tagOfKeyword } from './data/dictionary.ts';
export { DataSetReader } from './data/reader.ts';
export { isOtherThanStorage } from './data/sop-class.ts';
export type { Tag } from './data/tag.ts';
export { tags } from './data/tag.ts';
export type { TransferSyntax } from './data/transfer-syntax.ts';
export { transferSyntaxOf } from './data/transfer-syntax.ts';
export { encodeDataSet, isPlainTranscoding, streamDataSet } from './data/writer.ts';

// text/: character sets and names. Pure; nothing here throws on outside bytes.
export type { CharacterSet } from './text/character-set.ts';
export { decodeText, encodeText, findDefects, parseCharacterSet } from './text/character-set.ts';
export {
  nameKeyLengthMax,
  nameKeysMax,
  nameMatches,
  nameQueryTokens,
  nameSearchKeys,
  nameSearchText,
} from './text/name-search.ts';
export type { NameGroup, PersonName } from './text/person-name.ts';
export { displayPersonName, formatPersonName, parsePersonName, samePersonName } from './text/person-name.ts';
export { searchText, searchWords } from './text/search-words.ts';
export type { TextKind } from './text/text-kind.ts';
export type { TextDefect } from './text/unit-buffer.ts';
