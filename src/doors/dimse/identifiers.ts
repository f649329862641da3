// Identifiers of queries: bytes to keys, and answers to bytes in a character set that the asker reads.
//
// Invariants: an answer has every attribute that was asked for, empty where nothing is known; texts that the wanted character set cannot say are said in
// Unicode, and the answer says so; a level or key that the model does not have is a mismatch and never a query for everything.

import type { Answer, Query, QueryKey } from '../../archive/index.ts';
import { ArchiveError, type TenantId } from '../../base/index.ts';
import {
  type CharacterSet,
  DataSet,
  DataSetReader,
  dictionaryEntry,
  encodeDataSet,
  parseCharacterSet,
  type Tag,
  tags,
  transferSyntaxOf,
} from '../../dicom/index.ts';
import type { QueryRoot } from './sop-classes.ts';

export type Level = Query['level'];

export type Identifier = {
  readonly level: Level;
  readonly keys: readonly QueryKey[];
  readonly wanted: readonly Tag[];
  readonly charset: readonly string[];
  /** The value of a key as it stands, for those that a retrieval needs. */
  readonly values: (tag: Tag) => readonly string[];
};

const levelNames: Readonly<Record<string, Level>> = {
  PATIENT: 'patient',
  STUDY: 'study',
  SERIES: 'series',
  IMAGE: 'instance',
};
export const levelTexts: Readonly<Record<Level, string>> = {
  patient: 'PATIENT',
  study: 'STUDY',
  series: 'SERIES',
  instance: 'IMAGE',
};
const levelsOfRoot: Readonly<Record<QueryRoot, readonly Level[]>> = {
  patient: ['patient', 'study', 'series', 'instance'],
  study: ['study', 'series', 'instance'],
  'patient-study': ['patient', 'study'],
};

/** Said of the identifier or of where things are, and not matched. */
const notKeys = new Set<Tag>([
  tags.SpecificCharacterSet,
  tags.QueryRetrieveLevel,
  tags.RetrieveAETitle,
  tags.InstanceAvailability,
  tags.TimezoneOffsetFromUTC,
]);

/** DICOM_MALFORMED, ARGUMENT_INVALID. */
export function readIdentifier(bytes: Uint8Array, syntax: string, root: QueryRoot): Identifier {
  const reader = new DataSetReader({ syntax: transferSyntaxOf(syntax) });
  reader.push(bytes);
  const dataSet = reader.finish();
  const level = levelNames[dataSet.string(tags.QueryRetrieveLevel) ?? ''];
  if (level === undefined || !levelsOfRoot[root].includes(level))
    throw new ArchiveError('ARGUMENT_INVALID', 'the query/retrieve level is none of the model');
  const set = dataSet.characterSet();
  const keys: QueryKey[] = [];
  const wanted: Tag[] = [];
  readKeys(dataSet, set, keys, wanted);
  return {
    level,
    keys,
    wanted,
    charset: dataSet.strings(tags.SpecificCharacterSet),
    values: (tag) => dataSet.strings(tag),
  };
}

function readKeys(dataSet: DataSet, set: CharacterSet, keys: QueryKey[], wanted: Tag[]): void {
  for (const element of dataSet.elements) {
    if (notKeys.has(element.tag)) continue;
    wanted.push(element.tag);
    // What is asked for within a sequence is matched as if it stood outside: rows keep it so.
    if (element.kind === 'items')
      for (const item of element.items) readKeys(item, item.characterSet(set), keys, wanted);
    const values = dataSet.texts(element.tag, set);
    if (values.some((value) => value !== '')) keys.push({ tag: element.tag, values });
  }
}

export function queryOf(identifier: Identifier, tenant: TenantId): Query {
  const { level, keys, wanted } = identifier;
  return { tenant, level, keys, wanted, fuzzy: false };
}

export type AnswerOptions = {
  readonly level: Level;
  readonly wanted: readonly Tag[];
  readonly retrieveTitle: string;
  /** Of the asker; the first that can say everything is taken, Unicode last. */
  readonly charsets: readonly (readonly string[])[];
  readonly syntax: string;
};

const unicode = ['ISO_IR 192'];

/** What names the found thing is answered, asked for or not. */
const namesOfLevel: Readonly<Record<Level, readonly Tag[]>> = {
  patient: [tags.PatientID],
  study: [tags.StudyInstanceUID],
  series: [tags.StudyInstanceUID, tags.SeriesInstanceUID],
  instance: [tags.StudyInstanceUID, tags.SeriesInstanceUID, tags.SOPInstanceUID],
};

export function encodeAnswer(answer: Answer, options: AnswerOptions): Uint8Array {
  for (const terms of [...options.charsets, unicode]) {
    const dataSet = answerSet(answer, options, terms);
    if (dataSet !== undefined) return encodeDataSet(dataSet, transferSyntaxOf(options.syntax));
  }
  throw new ArchiveError('INTERNAL', 'Unicode says everything');
}

/** undefined: the character set cannot say it. */
function answerSet(answer: Answer, options: AnswerOptions, terms: readonly string[]): DataSet | undefined {
  const set = parseCharacterSet(terms);
  const dataSet = new DataSet();
  if (terms.length > 0) dataSet.setString(tags.SpecificCharacterSet, terms);
  dataSet.setString(tags.QueryRetrieveLevel, levelTexts[options.level]);
  dataSet.setString(tags.RetrieveAETitle, options.retrieveTitle);
  dataSet.setString(tags.InstanceAvailability, 'ONLINE');
  for (const tag of new Set([...options.wanted, ...namesOfLevel[options.level]])) {
    if (!setValues(dataSet, tag, answer.values.get(tag) ?? [], set)) return undefined;
  }
  return dataSet;
}

const numeric = new Set(['US', 'SS', 'UL', 'SL', 'FL', 'FD']);

/** False: the character set cannot say it. */
function setValues(dataSet: DataSet, tag: Tag, values: readonly string[], set: CharacterSet): boolean {
  const entry = dictionaryEntry(tag);
  const vr = entry?.vr ?? 'UN';
  if (vr === 'SQ') {
    dataSet.setItems(tag, []);
    return true;
  }
  if (numeric.has(vr)) {
    const numbers = values.map(Number).filter((value) => Number.isFinite(value));
    if (numbers.length > 0) dataSet.setNumber(tag, numbers, vr);
    else dataSet.setBytes(tag, vr, new Uint8Array(0));
    return true;
  }
  if (values.length === 0 || vr === 'UN') {
    dataSet.setBytes(tag, vr, new Uint8Array(0));
    return true;
  }
  return dataSet.setText(tag, values, set, vr);
}
