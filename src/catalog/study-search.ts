// The search for patients, studies, series and instances: conditions by field, answered level by level in pages.
//
// Invariants: what was only referred to, and never described, is not found; a page has at most `rowsPerPageMax` rows and says where the next
// begins; studies come newest first (those without a date last), everything else in the order it came to be known. Values never become part of
// a statement's text. No question reads more rows than its narrowest condition leaves: which one that is, is decided here and not by a planner that
// knows nothing of hospitals.
// Left out on purpose: DICOM's keys and matching rules (they become the conditions below), and attributes that are only in the headers.

import type { TenantId } from '../base/index.ts';
import { assert } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import type { Page } from './object-queries.ts';
import { pageLimit } from './object-queries.ts';
import { textValue } from './storable.ts';
import {
  type FoundInstance,
  type FoundPatient,
  type FoundSeries,
  type FoundStudy,
  foundInstance,
  foundPatient,
  foundSeries,
  foundStudy,
  instanceColumns,
  patientColumns,
  type SelectedInstance,
  type SelectedPatient,
  type SelectedSeries,
  type SelectedStudy,
  seriesColumns,
  studyColumns,
} from './study-rows.ts';

export type Level = 'patient' | 'study' | 'series' | 'instance';

export type SearchField =
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

export type SearchCondition = { readonly field: SearchField; readonly match: SearchMatch };

export type Search = {
  readonly tenant: TenantId;
  readonly conditions: readonly SearchCondition[];
  /** Each is the beginning of one of the patient's name keys. */
  readonly nameKeys?: readonly string[] | undefined;
};

export type SearchCursor = { readonly date?: string; readonly no: number };
export type SearchPage<Row> = Page<Row, SearchCursor>;
export type PageOptions = { readonly after?: SearchCursor | undefined; readonly limit: number; readonly skip?: number };

/** Values of one condition: a list of UIDs, at most. */
export const searchValuesMax = 4096;
/** Patients that a name may name before walking studies by date is the shorter way. */
const candidatesMax = 4000;
const valuesPerList = 500;

const fields: Readonly<
  Record<SearchField, { readonly level: Level; readonly column: string; readonly number?: true }>
> = {
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

type Piece = { readonly text: string; readonly values: readonly SqlValue[] };
const nothing: Piece = { text: '1 = 0', values: [] };

/** The greatest text that begins so, and a character more: for a range that holds every text with this beginning. */
function afterPrefix(prefix: string): string {
  return `${prefix}\u{10ffff}`;
}

function likePattern(pattern: string): string {
  return textValue(pattern)
    .replace(/[!%_]/g, (char) => `!${char}`)
    .replaceAll('*', '%')
    .replaceAll('?', '_');
}

function pieceOf(condition: SearchCondition): Piece {
  const { column, number } = fields[condition.field];
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
  if (field === 'patientName' || field === 'referrer' || field.endsWith('Description'))
    return { text: `lower(${column}) LIKE lower(?) ESCAPE '!'`, values: [like] };
  const prefix = textValue(/^[^*?]*/.exec(pattern)?.[0] ?? '');
  const pieces: Piece[] = [{ text: `${column} LIKE ? ESCAPE '!'`, values: [like] }];
  if (prefix !== '') pieces.push({ text: `${column} >= ? AND ${column} < ?`, values: [prefix, afterPrefix(prefix)] });
  return all(pieces);
}

function all(list: readonly Piece[]): Piece {
  if (list.length === 0) return { text: '1 = 1', values: [] };
  return { text: list.map((piece) => piece.text).join(' AND '), values: list.flatMap((piece) => piece.values) };
}

function any(list: readonly Piece[]): Piece {
  return { text: `(${list.map((piece) => piece.text).join(' OR ')})`, values: list.flatMap((piece) => piece.values) };
}

/** Conditions of a level above or at `level`, and one EXISTS for those below it. */
function wherePieces(search: Search, level: Level): Piece[] {
  const at = levels.indexOf(level);
  const here = search.conditions.filter(({ field }) => levels.indexOf(fields[field].level) <= at).map(pieceOf);
  const below = search.conditions.filter(({ field }) => levels.indexOf(fields[field].level) > at);
  if (below.length === 0) return here;
  const within = all(below.map(pieceOf));
  const deepest = Math.max(...below.map(({ field }) => levels.indexOf(fields[field].level)));
  const joins: Record<Level, string> = {
    patient: '',
    study: 'studies s',
    series: 'series e',
    instance: 'instances i',
  };
  const links: Record<Level, string> = {
    patient: '',
    study: 's.patient_no = p.patient_no',
    series: 'e.study_no = s.study_no',
    instance: 'i.series_no = e.series_no AND i.shown = 1',
  };
  const names = levels.slice(at + 1, deepest + 1);
  const from = names.map((name) => joins[name]).join(', ');
  const on = names.map((name) => links[name]).join(' AND ');
  return [...here, { text: `EXISTS (SELECT 1 FROM ${from} WHERE ${on} AND ${within.text})`, values: within.values }];
}

function namePieces(keys: readonly string[]): Piece[] {
  return keys.map((key) => ({
    text: 'EXISTS (SELECT 1 FROM patient_keys k WHERE k.patient_no = p.patient_no AND k.key >= ? AND k.key < ?)',
    values: [textValue(key), afterPrefix(textValue(key))],
  }));
}

/** The date as something to sort by and not to walk along: a planner would walk every study of the house for the few that were named. */
const sortedDate = "(s.study_date || '')";

type Way = {
  readonly from: string;
  /** Of what stands in `from`. */
  readonly values: readonly SqlValue[];
  readonly where: readonly Piece[];
  /** Name keys still to be tried on each patient. */
  readonly keys: readonly string[];
  readonly date: string;
  /** The study's number, where the date is another table's. */
  readonly no?: string;
};

function needsPatient(search: Search, way: Way): boolean {
  if (way.from.startsWith('patients ')) return false;
  return way.keys.length > 0 || search.conditions.some(({ field }) => fields[field].level === 'patient');
}

export class StudySearch {
  readonly #sql: SqlTx;

  constructor(sql: SqlTx) {
    this.#sql = sql;
  }

  /** Patients, in the order they came to be known. */
  async patients(search: Search, options: PageOptions): Promise<SearchPage<FoundPatient>> {
    const found = await this.#select<SelectedPatient & { no: number }>(search, 'patient', options, {
      select: `SELECT p.patient_no AS no, ${patientColumns}`,
      from: 'FROM patients p',
      where: [{ text: 'p.tenant = ? AND p.rec_writer_no > 0', values: [search.tenant] }],
      after: (cursor) => ({ text: 'p.patient_no > ?', values: [cursor.no] }),
      order: 'ORDER BY p.patient_no',
    });
    return pageOf(found, pageLimit(options.limit), foundPatient, (row) => ({ no: row.no }));
  }

  /** Studies, newest first. */
  async studies(search: Search, options: PageOptions): Promise<SearchPage<FoundStudy>> {
    const way = await this.#wayOf(search);
    const no = way.no ?? 's.study_no';
    const places = await this.#select<{ no: number; date: string }>(
      { ...search, nameKeys: way.keys },
      'study',
      options,
      {
        select: `SELECT s.study_no AS no, s.study_date AS date`,
        from: `FROM ${way.from}${needsPatient(search, way) ? ' JOIN patients p ON p.patient_no = s.patient_no' : ''}`,
        where: way.where,
        before: way.values,
        after: (cursor) => ({ text: `(${way.date}, ${no}) < (?, ?)`, values: [cursor.date ?? '', cursor.no] }),
        order: `ORDER BY ${way.date} DESC, ${no} DESC`,
      },
    );
    // Found first and read afterwards: what is sorted is a number and a date, not whole rows.
    const rows = await this.#studyRows(places.map((place) => place.no));
    const end = places.length < pageLimit(options.limit) ? undefined : places[places.length - 1];
    return { rows, next: end };
  }

  async #studyRows(numbers: readonly number[]): Promise<FoundStudy[]> {
    const found = new Map<number, FoundStudy>();
    for (const piece of pieces(numbers, inListMax)) {
      const rows = await this.#sql.all<SelectedStudy & { no: number }>(
        `SELECT s.study_no AS no, ${studyColumns} FROM studies s JOIN patients p ON p.patient_no = s.patient_no
          JOIN key_groups g ON g.group_no = s.group_no WHERE s.study_no IN ${inList(piece.length)}`,
        inValues(piece),
      );
      for (const row of rows) found.set(row.no, foundStudy(row));
    }
    return numbers.flatMap((no) => found.get(no) ?? []);
  }

  /** Series, in the order they came to be known. */
  async series(search: Search, options: PageOptions): Promise<SearchPage<FoundSeries>> {
    const found = await this.#select<SelectedSeries & { no: number }>(search, 'series', options, {
      select: `SELECT e.series_no AS no, ${seriesColumns}, ${studyColumns}`,
      from: `FROM series e JOIN studies s ON s.study_no = e.study_no JOIN patients p ON p.patient_no = s.patient_no
        JOIN key_groups g ON g.group_no = s.group_no`,
      where: [{ text: 's.tenant = ? AND s.rec_writer_no > 0 AND e.rec_writer_no > 0', values: [search.tenant] }],
      after: (cursor) => ({ text: 'e.series_no > ?', values: [cursor.no] }),
      order: 'ORDER BY e.series_no',
    });
    return pageOf(found, pageLimit(options.limit), foundSeries, (row) => ({ no: row.no }));
  }

  /** Instances that are shown, in the order they came. */
  async instances(search: Search, options: PageOptions): Promise<SearchPage<FoundInstance>> {
    const found = await this.#select<SelectedInstance & { no: number }>(search, 'instance', options, {
      select: `SELECT i.instance_no AS no, ${instanceColumns}`,
      from: `FROM instances i JOIN series e ON e.series_no = i.series_no JOIN studies s ON s.study_no = e.study_no
        JOIN patients p ON p.patient_no = s.patient_no JOIN key_groups g ON g.group_no = s.group_no`,
      where: [{ text: 'i.tenant = ? AND i.shown = 1 AND s.rec_writer_no > 0', values: [search.tenant] }],
      after: (cursor) => ({ text: 'i.instance_no > ?', values: [cursor.no] }),
      order: 'ORDER BY i.instance_no',
    });
    return pageOf(found, pageLimit(options.limit), foundInstance, (row) => ({ no: row.no }));
  }

  /**
   * The shortest way to the studies: what is named by a UID, an accession number or a patient's id by that; by a name that names few patients,
   * through the patients; by one modality, along its dates; else along the studies' dates.
   */
  async #wayOf(search: Search): Promise<Way> {
    const keys = search.nameKeys ?? [];
    const described: Piece = { text: 's.tenant = ? AND s.rec_writer_no > 0', values: [search.tenant] };
    const exact = (field: SearchField): boolean =>
      search.conditions.some((each) => each.field === field && each.match.kind === 'equals');
    if (exact('patientId'))
      return {
        from: 'patients p CROSS JOIN studies s',
        values: [],
        where: [{ text: 's.patient_no = p.patient_no AND p.tenant = ?', values: [search.tenant] }],
        keys,
        date: sortedDate,
      };
    if (exact('studyUid') || exact('accession'))
      return { from: 'studies s', values: [], where: [described], keys, date: sortedDate };
    const [longest, ...rest] = [...keys].sort((one, other) => other.length - one.length);
    if (longest !== undefined) {
      const range = [search.tenant, textValue(longest), afterPrefix(textValue(longest))];
      const some = 'SELECT DISTINCT patient_no FROM patient_keys WHERE tenant = ? AND key >= ? AND key < ?';
      const counted = await this.#sql.one<{ count: number }>(
        `SELECT CAST(count(*) AS INTEGER) AS count FROM (${some} LIMIT ${candidatesMax + 1}) c`,
        range,
      );
      if ((counted?.count ?? 0) <= candidatesMax)
        return {
          from: `(${some}) c CROSS JOIN studies s`,
          values: range,
          where: [{ text: 's.patient_no = c.patient_no', values: [] }],
          keys: rest,
          date: sortedDate,
        };
      return { from: 'studies s', values: [], where: [described], keys, date: 's.study_date' };
    }
    const modality = search.conditions.find((each) => each.field === 'studyModality')?.match;
    const dates = search.conditions.find((each) => each.field === 'studyDate')?.match;
    if (modality?.kind === 'equals' && modality.values.length === 1) {
      const along: Piece[] = [
        { text: 's.study_no = m.study_no AND s.rec_writer_no > 0', values: [] },
        { text: 'm.tenant = ? AND m.modality = ?', values: [search.tenant, textValue(modality.values[0] ?? '')] },
      ];
      if (dates?.kind === 'range') {
        if (dates.from !== undefined) along.push({ text: 'm.study_date >= ?', values: [textValue(dates.from)] });
        if (dates.to !== undefined) along.push({ text: 'm.study_date <= ?', values: [textValue(dates.to)] });
      }
      return {
        from: 'study_modalities m CROSS JOIN studies s',
        values: [],
        where: along,
        keys,
        date: 'm.study_date',
        no: 'm.study_no',
      };
    }
    return { from: 'studies s', values: [], where: [described], keys, date: 's.study_date' };
  }

  async #select<Row>(
    search: Search,
    level: Level,
    options: PageOptions,
    parts: {
      readonly select: string;
      readonly from: string;
      readonly where: readonly Piece[];
      /** Values of what stands in `from`. */
      readonly before?: readonly SqlValue[];
      readonly after: (cursor: SearchCursor) => Piece;
      readonly order: string;
    },
  ): Promise<Row[]> {
    const where = all([
      ...parts.where,
      ...wherePieces(search, level),
      ...namePieces(search.nameKeys ?? []),
      ...(options.after === undefined ? [] : [parts.after(options.after)]),
    ]);
    const statement = `${parts.select} ${parts.from} WHERE ${where.text} ${parts.order} LIMIT ? OFFSET ?`;
    const values = [...(parts.before ?? []), ...where.values, pageLimit(options.limit), options.skip ?? 0];
    return this.#sql.all<Row>(statement, values);
  }
}

function pageOf<Selected, Row>(
  rows: readonly Selected[],
  limit: number,
  of: (row: Selected) => Row,
  cursorOf: (row: Selected) => SearchCursor,
): SearchPage<Row> {
  const end = rows.length < limit ? undefined : rows[rows.length - 1];
  return { rows: rows.map(of), next: end === undefined ? undefined : cursorOf(end) };
}
