// The search for patients, studies, series and instances: conditions by field, answered level by level in pages.
//
// Invariants: what was only referred to, and never described, is not found; a page has at most `rowsPerPageMax` rows and says where the next
// begins; studies come newest first (those without a date last), everything else in the order it came to be known. Values never become part of
// a statement's text. No question reads more rows than its narrowest condition leaves: which one that is, is decided here and not by a planner that
// knows nothing of hospitals.
// Left out on purpose: DICOM's keys and matching rules (they become the conditions below), and attributes that are only in the headers.

import type { SqlTx, SqlValue } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import type { PatientKey } from './changes.ts';
import { withFormerNumbers } from './former-numbers.ts';
import { InstanceSearch } from './instance-search.ts';
import { pageLimit } from './object-queries.ts';
import {
  afterPrefix,
  all,
  fields,
  type Level,
  namePieces,
  type Piece,
  pieceOf,
  type Search,
  type SearchCondition,
  type SearchField,
  wherePieces,
} from './search-pieces.ts';
import type { SettledSeries } from './settled-series.ts';
import { textValue } from './storable.ts';
import {
  type FoundInstance,
  type FoundPatient,
  type FoundSeries,
  type FoundStudy,
  foundPatient,
  foundSeries,
  foundStudy,
  type PageOptions,
  patientColumns,
  type SearchCursor,
  type SearchPage,
  type SelectedPatient,
  type SelectedSeries,
  type SelectedStudy,
  seriesColumns,
  studyColumns,
} from './study-rows.ts';

/** Patients that a name may name before walking studies by date is the shorter way. */
const candidatesMax = 4000;
/** Keys that a pass over a name's keys looks at, at most: half a microsecond each. */
const passedKeysMax = 11_000;
/** The date as something to sort by and not to walk along: a planner would walk every study of the house for the few that were named. */
const sortedDate = "(s.study_date || '')";

/** What a note emptied is not found, though its row is there; what holds no instance because nobody sent one yet is. */
const seriesEmpty = `NOT EXISTS (SELECT 1 FROM instances i WHERE i.series_no = e.series_no)
  AND NOT EXISTS (SELECT 1 FROM bundles b WHERE b.series_no = e.series_no AND b.member_count > 0)`;
const seriesShown = `(e.instance_count > 0 OR (${seriesEmpty}))`;
const somethingShown = `(s.instance_count > 0 OR NOT EXISTS (
  SELECT 1 FROM series e WHERE e.study_no = s.study_no AND NOT (${seriesEmpty})))`;

/** Described by headers or by an amendment, nobody else in the end, and with something to show. */
const patientShown = `p.tenant = ? AND (p.rec_writer_no > 0 OR p.said IS NOT NULL) AND p.root_no IS NULL
  AND EXISTS (SELECT 1 FROM studies x WHERE x.patient_no = p.patient_no)`;

/** A study that was found: its number and its date. */
type Place = { readonly no: number; readonly date: string };

type Way = {
  readonly from: string;
  /** Of what stands in `from`. */
  readonly values: readonly SqlValue[];
  readonly where: readonly Piece[];
  /** Name keys still to be tried on each patient. */
  readonly keys: readonly string[];
  readonly date: string;
  /** The study's number, where another table tells it. */
  readonly no?: string;
  /** Conditions that the way itself answers. */
  readonly answered?: readonly SearchCondition[];
};

/** Along the dates of one modality, when one is named. */
function alongModality(search: Search, keys: readonly string[]): Way | undefined {
  const modality = search.conditions.find((each) => each.field === 'studyModality');
  if (modality?.match.kind !== 'equals' || modality.match.values.length !== 1) return undefined;
  const dates = search.conditions.find((each) => each.field === 'studyDate' && each.match.kind === 'range');
  const answered = dates === undefined ? [modality] : [modality, dates];
  const more = keys.length > 0 || search.conditions.some((each) => !answered.includes(each));
  const where: Piece[] = [
    ...(more ? [{ text: 's.study_no = m.study_no', values: [] }] : []),
    { text: 'm.tenant = ? AND m.modality = ?', values: [search.tenant, textValue(modality.match.values[0] ?? '')] },
  ];
  if (dates?.match.kind === 'range') {
    const { from, to } = dates.match;
    where.push(
      from === undefined
        ? { text: "m.study_date > ''", values: [] }
        : { text: 'm.study_date >= ?', values: [textValue(from)] },
    );
    if (to !== undefined) where.push({ text: 'm.study_date <= ?', values: [textValue(to)] });
  }
  return {
    from: more ? 'study_modalities m CROSS JOIN studies s' : 'study_modalities m',
    values: [],
    where,
    keys,
    date: 'm.study_date',
    no: 'm.study_no',
    answered,
  };
}

function needsPatient(search: Search, way: Way): boolean {
  if (way.from.startsWith('patients ')) return false;
  return way.keys.length > 0 || search.conditions.some(({ field }) => fields[field].level === 'patient');
}

export class StudySearch {
  readonly #sql: SqlTx;
  readonly #instances: InstanceSearch;

  constructor(sql: SqlTx, settled: SettledSeries) {
    this.#sql = sql;
    this.#instances = new InstanceSearch(sql, settled);
  }

  /** Patients, in the order they came to be known. */
  async patients(asked: Search, options: PageOptions): Promise<SearchPage<FoundPatient>> {
    const search = await this.#above(asked);
    const found = await this.#select<SelectedPatient & { no: number }>(search, 'patient', options, {
      select: `SELECT p.patient_no AS no, ${patientColumns}`,
      from: 'FROM patients p',
      where: [{ text: patientShown, values: [search.tenant] }],
      after: (cursor) => ({ text: 'p.patient_no > ?', values: [cursor.no] }),
      order: 'ORDER BY p.patient_no',
    });
    return this.#checked(
      pageOf(found, pageLimit(options.limit), foundPatient, (row) => ({ no: row.no })),
      found,
      {
        search,
        series:
          'SELECT e.series_no AS no FROM studies s JOIN series e ON e.study_no = s.study_no WHERE s.patient_no = ?',
      },
    );
  }

  /** Studies, newest first. */
  async studies(asked: Search, options: PageOptions): Promise<SearchPage<FoundStudy>> {
    const search = await this.#above(asked);
    const places = (await this.#ofLatestPatients(search, options)) ?? (await this.#places(search, options));
    // Found first and read afterwards: what is sorted is a number and a date, not whole rows.
    const end = places.length < pageLimit(options.limit) ? undefined : places[places.length - 1];
    const { rows } = await this.#checked({ rows: places, next: end }, places, {
      search,
      series: 'SELECT series_no AS no FROM series WHERE study_no = ?',
    });
    return { rows: await this.#studyRows(rows.map((place) => place.no)), next: end };
  }

  async #places(search: Search, options: PageOptions): Promise<Place[]> {
    const way = await this.#wayOf(search);
    const no = way.no ?? 's.study_no';
    const conditions = search.conditions.filter((each) => way.answered?.includes(each) !== true);
    return this.#select<Place>({ ...search, conditions, nameKeys: way.keys }, 'study', options, {
      select: `SELECT ${no} AS no, ${way.date} AS date`,
      from: `FROM ${way.from}${needsPatient(search, way) ? ' JOIN patients p ON p.patient_no = s.patient_no' : ''}`,
      where: way.where,
      before: way.values,
      after: (cursor) => ({ text: `(${way.date}, ${no}) < (?, ?)`, values: [cursor.date ?? '', cursor.no] }),
      order: `ORDER BY ${way.date} DESC, ${no} DESC`,
    });
  }

  /**
   * The first page by a name alone. The newest so many studies belong to the patients who were here last, and each key says when that was; so a
   * name that many have costs one pass over its keys. undefined: another way is to be taken.
   */
  async #ofLatestPatients(search: Search, options: PageOptions): Promise<Place[] | undefined> {
    const [key, ...others] = search.nameKeys ?? [];
    const { conditions, tenant } = search;
    if (key === undefined || others.length > 0 || options.after !== undefined || (options.skip ?? 0) > 0)
      return undefined;
    if (conditions.some(({ field }) => field !== 'patientName')) return undefined;
    const range = [tenant, textValue(key), afterPrefix(textValue(key))];
    const keys = 'FROM patient_keys WHERE tenant = ? AND key >= ? AND key < ?';
    const goesBeyond = async (count: number): Promise<boolean> =>
      (await this.#sql.one(`SELECT 1 AS one ${keys} LIMIT 1 OFFSET ?`, [...range, count])) !== undefined;
    if (await goesBeyond(passedKeysMax)) return undefined;
    const limit = pageLimit(options.limit);
    // A name may stand under several keys, which all tell the same date, and a pattern may leave some of the patients out.
    const latest = limit * 6;
    const where = all([{ text: 's.patient_no = c.patient_no', values: [] }, ...conditions.map(pieceOf)]);
    const places = await this.#sql.all<Place>(
      `SELECT s.study_no AS no, s.study_date AS date
        FROM (SELECT DISTINCT patient_no FROM (SELECT root_no AS patient_no ${keys} ORDER BY newest_date DESC LIMIT ?) l) c
        CROSS JOIN studies s ${conditions.length === 0 ? '' : 'JOIN patients p ON p.patient_no = s.patient_no'}
        WHERE ${where.text} ORDER BY ${sortedDate} DESC, s.study_no DESC LIMIT ?`,
      [...range, latest, ...where.values, limit],
    );
    return places.length === limit || !(await goesBeyond(latest)) ? places : undefined;
  }

  /** What all studies of a patient come to. */
  async patientTotals(key: PatientKey): Promise<{ studies: number; series: number; instances: number }> {
    const row = await this.#sql.one<{ studies: number; series: number; instances: number }>(
      `SELECT CAST(count(*) AS INTEGER) AS studies, CAST(coalesce(sum(s.series_count), 0) AS INTEGER) AS series,
          CAST(coalesce(sum(s.instance_count), 0) AS INTEGER) AS instances
        FROM patients p CROSS JOIN studies s
        WHERE p.tenant = ? AND p.patient_id = ? AND p.issuer = ? AND s.patient_no = p.patient_no`,
      [key.tenant, textValue(key.patientId), textValue(key.issuer)],
    );
    return row ?? { studies: 0, series: 0, instances: 0 };
  }

  async #studyRows(numbers: readonly number[]): Promise<FoundStudy[]> {
    const found = new Map<number, FoundStudy>();
    for (const piece of pieces(numbers, inListMax)) {
      const rows = await this.#sql.all<SelectedStudy & { no: number }>(
        `SELECT s.study_no AS no, ${studyColumns} FROM studies s JOIN patients p ON p.patient_no = s.patient_no
          JOIN key_groups g ON g.group_no = s.group_no WHERE s.study_no IN ${inList(piece.length)} AND ${somethingShown}`,
        inValues(piece),
      );
      for (const row of rows) found.set(row.no, foundStudy(row));
    }
    return numbers.flatMap((no) => found.get(no) ?? []);
  }

  /** Series, in the order they came to be known. */
  async series(asked: Search, options: PageOptions): Promise<SearchPage<FoundSeries>> {
    const search = await this.#above(asked);
    const found = await this.#select<SelectedSeries & { no: number }>(search, 'series', options, {
      select: `SELECT e.series_no AS no, ${seriesColumns}, ${studyColumns}`,
      from: `FROM series e JOIN studies s ON s.study_no = e.study_no JOIN patients p ON p.patient_no = s.patient_no
        JOIN key_groups g ON g.group_no = s.group_no`,
      where: [
        { text: 's.tenant = ? AND s.rec_writer_no > 0 AND e.rec_writer_no > 0', values: [search.tenant] },
        { text: seriesShown, values: [] },
      ],
      after: (cursor) => ({ text: 'e.series_no > ?', values: [cursor.no] }),
      order: 'ORDER BY e.series_no',
    });
    return this.#checked(
      pageOf(found, pageLimit(options.limit), foundSeries, (row) => ({ no: row.no })),
      found,
      {
        search,
        series: 'SELECT series_no AS no FROM series WHERE series_no = ?',
      },
    );
  }

  /**
   * A page of what stands above instances. Statements tell of settled ones no more than their classes; what else is asked of them is looked at here, so a
   * page may come out short and still go on.
   */
  async #checked<Row>(
    page: SearchPage<Row>,
    found: readonly { readonly no: number }[],
    { search, series }: { readonly search: Search; readonly series: string },
  ): Promise<SearchPage<Row>> {
    const own = search.conditions.filter(({ field }) => fields[field].level === 'instance');
    if (own.length === 0 || (own.length === 1 && own[0]?.field === 'classUid')) return page;
    const rows: Row[] = [];
    for (const [index, { no }] of found.entries()) {
      if (await this.#showsFitting(no, search, series)) rows.push(page.rows[index] as Row);
    }
    return { rows, next: page.next };
  }

  async #showsFitting(no: number, search: Search, series: string): Promise<boolean> {
    for (const each of await this.#sql.all<{ no: number }>(series, [no])) {
      if (await this.#instances.hasFitting(each.no, search)) return true;
    }
    return false;
  }

  /** Instances that are shown: by series, in each in the order they came. */
  async instances(asked: Search, options: PageOptions): Promise<SearchPage<FoundInstance>> {
    return this.#instances.find(await withFormerNumbers(this.#sql, asked), options);
  }

  /** What a question above instances comes to: their UIDs become their series. */
  async #above(asked: Search): Promise<Search> {
    return this.#instances.aboveInstances(await withFormerNumbers(this.#sql, asked));
  }

  /**
   * The shortest way to the studies: what is named by a UID, an accession number or a patient's id by that; by a name that names few patients,
   * through the patients; by one modality, along its dates; else along the studies' dates.
   */
  async #wayOf(search: Search): Promise<Way> {
    const keys = search.nameKeys ?? [];
    const described: Piece = { text: 's.tenant = ? AND s.patient_no IS NOT NULL', values: [search.tenant] };
    const exact = (field: SearchField): boolean =>
      search.conditions.some((each) => each.field === field && each.match.kind === 'equals');
    if (exact('patientId') || exact('patientNo'))
      return {
        from: 'patients p CROSS JOIN studies s',
        values: [],
        where: [{ text: 's.patient_no = p.patient_no AND p.tenant = ?', values: [search.tenant] }],
        keys,
        date: sortedDate,
      };
    if (exact('studyUid') || exact('accession') || exact('studyNo'))
      return { from: 'studies s', values: [], where: [described], keys, date: sortedDate };
    const [longest, ...rest] = [...keys].sort((one, other) => other.length - one.length);
    if (longest !== undefined) {
      const range = [search.tenant, textValue(longest), afterPrefix(textValue(longest))];
      const some = 'SELECT DISTINCT root_no AS patient_no FROM patient_keys WHERE tenant = ? AND key >= ? AND key < ?';
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
    return (
      alongModality(search, keys) ?? { from: 'studies s', values: [], where: [described], keys, date: 's.study_date' }
    );
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
