// Conditions of a search as pieces of statements: text with placeholders, and the values for them.
//
// Invariants: values never become part of a statement's text; a condition on something below the level that is asked for means that there is such a
// thing; texts of patients' names, referrers and descriptions match in either case, everything else as it is written.

import type { TenantId } from '../base/index.ts';
import { assert } from '../base/index.ts';
import type { SqlValue } from '../sql/index.ts';
import { textValue } from './storable.ts';

export type Level = 'patient' | 'study' | 'series' | 'instance';

export type SearchField =
  | 'patientNo'
  | 'studyNo'
  | 'seriesNo'
  | 'patientId'
  | 'issuer'
  | 'patientName'
  | 'birthDate'
  | 'sex'
  | 'studyUid'
  | 'accession'
  | 'studyId'
  | 'studyDate'
  | 'studyTime'
  | 'studyDescription'
  | 'referrer'
  | 'studyWords'
  | 'studyModality'
  | 'seriesUid'
  | 'modality'
  | 'seriesNumber'
  | 'seriesDescription'
  | 'bodyPart'
  | 'seriesDate'
  | 'seriesTime'
  | 'instanceUid'
  | 'classUid'
  | 'instanceNumber';

export type SearchMatch =
  /** Any of these. */
  | { readonly kind: 'equals'; readonly values: readonly string[] }
  /** `*` stands for any characters, `?` for one; letters of a name match in either case. */
  | { readonly kind: 'like'; readonly pattern: string }
  /** Both ends included; texts compare by their characters, as dates and times do. */
  | { readonly kind: 'range'; readonly from?: string | undefined; readonly to?: string | undefined };

export type SearchCondition = {
  readonly field: SearchField;
  readonly match: SearchMatch;
  /** Rows that fit as well, by their numbers: what they were called before is what is asked for. */
  readonly orNumbers?: readonly number[] | undefined;
};

export type Search = {
  readonly tenant: TenantId;
  readonly conditions: readonly SearchCondition[];
  /** Each is the beginning of one of the patient's name keys. */
  readonly nameKeys?: readonly string[] | undefined;
};

/** Values of one condition: a list of UIDs, at most. */
export const searchValuesMax = 4096;
const valuesPerList = 500;

/** The number of the row in which a field stands. */
const numberColumns: Readonly<Partial<Record<Level, string>>> = { patient: 'p.patient_no', study: 's.study_no' };

export const fields: Readonly<
  Record<SearchField, { readonly level: Level; readonly column: string; readonly number?: true }>
> = {
  patientNo: { level: 'patient', column: 'p.patient_no', number: true },
  studyNo: { level: 'study', column: 's.study_no', number: true },
  seriesNo: { level: 'series', column: 'e.series_no', number: true },
  patientId: { level: 'patient', column: 'p.patient_id' },
  issuer: { level: 'patient', column: 'p.issuer' },
  patientName: { level: 'patient', column: 'p.name' },
  birthDate: { level: 'patient', column: 'p.birth_date' },
  sex: { level: 'patient', column: 'p.sex' },
  studyUid: { level: 'study', column: 's.study_uid' },
  accession: { level: 'study', column: 's.accession' },
  studyId: { level: 'study', column: 's.study_id' },
  studyDate: { level: 'study', column: 's.study_date' },
  studyTime: { level: 'study', column: 's.study_time' },
  studyDescription: { level: 'study', column: 's.description' },
  referrer: { level: 'study', column: 's.referrer' },
  studyWords: { level: 'study', column: 's.search' },
  studyModality: { level: 'study', column: 's.modalities' },
  seriesUid: { level: 'series', column: 'e.series_uid' },
  modality: { level: 'series', column: 'e.modality' },
  seriesNumber: { level: 'series', column: 'e.series_number', number: true },
  seriesDescription: { level: 'series', column: 'e.description' },
  bodyPart: { level: 'series', column: 'e.body_part' },
  seriesDate: { level: 'series', column: 'e.series_date' },
  seriesTime: { level: 'series', column: 'e.series_time' },
  instanceUid: { level: 'instance', column: 'i.instance_uid' },
  classUid: { level: 'instance', column: 'i.class_uid' },
  instanceNumber: { level: 'instance', column: 'i.instance_number', number: true },
};

const levels: readonly Level[] = ['patient', 'study', 'series', 'instance'];

export type Piece = { readonly text: string; readonly values: readonly SqlValue[] };
const nothing: Piece = { text: '1 = 0', values: [] };

/** The greatest text that begins so, and a character more: for a range that holds every text with this beginning. */
export function afterPrefix(prefix: string): string {
  return `${prefix}\u{10ffff}`;
}

function likePattern(pattern: string): string {
  return textValue(pattern)
    .replace(/[!%_]/g, (char) => `!${char}`)
    .replaceAll('*', '%')
    .replaceAll('?', '_');
}

export function pieceOf(condition: SearchCondition): Piece {
  const { column, level } = fields[condition.field];
  const piece = columnPiece(condition, column);
  const { orNumbers = [] } = condition;
  if (orNumbers.length === 0) return piece;
  const list = orNumbers.map(() => '?').join(', ');
  return any([piece, { text: `${numberColumns[level]} IN (${list})`, values: orNumbers }]);
}

/** The condition on another column than the field's own. */
export function columnPiece(condition: SearchCondition, column: string): Piece {
  const { number } = fields[condition.field];
  const { match } = condition;
  switch (match.kind) {
    case 'equals':
      return equalsPiece(condition.field, column, match.values, number === true);
    case 'like':
      return likePiece(condition.field, column, match.pattern);
    case 'range': {
      const ends: Piece[] = [];
      if (match.from !== undefined) ends.push({ text: `${column} >= ?`, values: [textValue(match.from)] });
      if (match.to !== undefined) ends.push({ text: `${column} <= ?`, values: [textValue(match.to)] });
      // '' is "no date", which no range holds.
      if (match.from === undefined) ends.push({ text: `${column} > ''`, values: [] });
      return all(ends);
    }
  }
}

function equalsPiece(field: SearchField, column: string, values: readonly string[], isNumber: boolean): Piece {
  assert(values.length <= searchValuesMax, `a condition lists at most ${searchValuesMax} values`);
  if (values.length === 0) return nothing;
  if (field === 'studyModality') {
    return any(
      values.map((value) => ({ text: `${column} LIKE ? ESCAPE '!'`, values: [`%\\${likePattern(value)}\\%`] })),
    );
  }
  const cells: SqlValue[] = isNumber
    ? values.map(Number).filter((value) => Number.isSafeInteger(value))
    : values.map(textValue);
  if (cells.length === 0) return nothing;
  const lists: Piece[] = [];
  for (let from = 0; from < cells.length; from += valuesPerList) {
    const list = cells.slice(from, from + valuesPerList);
    lists.push({ text: `${column} IN (${list.map(() => '?').join(', ')})`, values: list });
  }
  return any(lists);
}

function likePiece(field: SearchField, column: string, pattern: string): Piece {
  const like = likePattern(pattern);
  if (field === 'studyModality') return { text: `${column} LIKE ? ESCAPE '!'`, values: [`%\\${like}\\%`] };
  if (field === 'patientName') return namePiece(column, pattern);
  if (field === 'referrer' || field.endsWith('Description'))
    return { text: `lower(${column}) LIKE lower(?) ESCAPE '!'`, values: [like] };
  const prefix = textValue(/^[^*?]*/.exec(pattern)?.[0] ?? '');
  const pieces: Piece[] = [{ text: `${column} LIKE ? ESCAPE '!'`, values: [like] }];
  if (prefix !== '') pieces.push({ text: `${column} >= ? AND ${column} < ?`, values: [prefix, afterPrefix(prefix)] });
  return all(pieces);
}

/** Any group of a name (alphabetic=ideographic=phonetic) may be the one that is meant; empty components at its end say nothing. */
function namePiece(column: string, pattern: string): Piece {
  const like = likePattern(pattern.replace(/\^+$/, ''));
  const name = `lower(rtrim(${column}, '^'))`;
  const forms = [like, `${like}=%`, `%=${like}`, `%=${like}=%`];
  return any(forms.map((form) => ({ text: `${name} LIKE lower(?) ESCAPE '!'`, values: [form] })));
}

export function all(list: readonly Piece[]): Piece {
  if (list.length === 0) return { text: '1 = 1', values: [] };
  return { text: list.map((piece) => piece.text).join(' AND '), values: list.flatMap((piece) => piece.values) };
}

function any(list: readonly Piece[]): Piece {
  return { text: `(${list.map((piece) => piece.text).join(' OR ')})`, values: list.flatMap((piece) => piece.values) };
}

/** Conditions of a level above or at `level`, and one EXISTS for those below it. */
export function wherePieces(search: Search, level: Level): Piece[] {
  const at = levels.indexOf(level);
  const here = search.conditions.filter(({ field }) => levels.indexOf(fields[field].level) <= at).map(pieceOf);
  const below = search.conditions.filter(({ field }) => levels.indexOf(fields[field].level) > at);
  if (below.length === 0) return here;
  const own = below.filter(({ field }) => fields[field].level === 'instance');
  const instance = own.length === 0 ? [] : [instancePiece(own)];
  const upper = below.filter((each) => !own.includes(each)).map(pieceOf);
  if (level === 'series') return [...here, ...instance];
  const deepest =
    own.length > 0
      ? levels.indexOf('series')
      : Math.max(...below.map(({ field }) => levels.indexOf(fields[field].level)));
  const joins = { patient: '', study: 'studies s', series: 'series e', instance: '' } as const;
  const links = {
    patient: '',
    study: 's.patient_no = p.patient_no',
    series: 'e.study_no = s.study_no',
    instance: '',
  } as const;
  const names = levels.slice(at + 1, deepest + 1);
  const from = names.map((name) => joins[name]).join(', ');
  const within = all([...names.map((name) => ({ text: links[name], values: [] })), ...upper, ...instance]);
  return [...here, { text: `EXISTS (SELECT 1 FROM ${from} WHERE ${within.text})`, values: within.values }];
}

/** A series with an instance that fits: among rows, or among settled ones as far as their bundles' rows tell, which is their classes. */
function instancePiece(own: readonly SearchCondition[]): Piece {
  const row = all(own.map(pieceOf));
  const classes = all(
    own.filter(({ field }) => field === 'classUid').map((each) => listPiece('b.classes', each.match)),
  );
  return any([
    {
      text: `EXISTS (SELECT 1 FROM instances i WHERE i.series_no = e.series_no AND i.shown = 1 AND ${row.text})`,
      values: row.values,
    },
    {
      text: `EXISTS (SELECT 1 FROM bundles b WHERE b.series_no = e.series_no AND b.member_count > 0 AND ${classes.text})`,
      values: classes.values,
    },
  ]);
}

/** A condition on one of the values of a list (\\one\\other\\). */
function listPiece(column: string, match: SearchMatch): Piece {
  const like = (pattern: string): Piece => ({ text: `${column} LIKE ? ESCAPE '!'`, values: [`%\\${pattern}\\%`] });
  if (match.kind === 'equals')
    return match.values.length === 0 ? nothing : any(match.values.map((value) => like(likePattern(value))));
  return like(match.kind === 'like' ? likePattern(match.pattern) : '%');
}

export function namePieces(keys: readonly string[]): Piece[] {
  return keys.map((key) => ({
    text: 'EXISTS (SELECT 1 FROM patient_keys k WHERE k.root_no = p.patient_no AND k.key >= ? AND k.key < ?)',
    values: [textValue(key), afterPrefix(textValue(key))],
  }));
}
