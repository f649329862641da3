// Questions about patients, studies, series and documents: by their natural keys, and studies by what clinicians ask for.
//
// Invariants: what was only referred to, and never described, is not found by these questions; a page has at most `rowsPerPageMax`
// rows; text to search for was normalised like the search text itself (lower case, by who projects).
// Left out on purpose: DICOM's matching rules (they become these options above), and an index over words: `words` reads the rows
// that the other conditions leave.

import type { KeyGroup, TenantId } from '../base/index.ts';
import { idOfBytes, tenantId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { rawSql } from '../sql/index.ts';
import { listOfText } from './apply-rows.ts';
import type { PatientKey } from './changes.ts';
import type { Page } from './object-queries.ts';
import { pageLimit } from './object-queries.ts';
import { groupIdOf, textValue } from './storable.ts';

export type PatientRow = {
  readonly patientId: string;
  readonly issuer: string;
  readonly name: string | undefined;
  readonly birthDate: string | undefined;
  readonly sex: string | undefined;
};

export type StudyRow = {
  readonly studyUid: string;
  readonly group: KeyGroup;
  readonly patient: PatientRow;
  readonly accession: string | undefined;
  readonly studyId: string | undefined;
  readonly studyDate: string | undefined;
  readonly studyTime: string | undefined;
  readonly description: string | undefined;
  readonly referrer: string | undefined;
  readonly modalities: readonly string[];
  readonly seriesCount: number;
  readonly instanceCount: number;
  readonly sizeBytes: number;
};

export type SeriesRow = {
  readonly seriesUid: string;
  readonly modality: string | undefined;
  readonly seriesNumber: number | undefined;
  readonly description: string | undefined;
  readonly bodyPart: string | undefined;
  readonly seriesDate: string | undefined;
  readonly seriesTime: string | undefined;
  readonly instanceCount: number;
  readonly sizeBytes: number;
};

export type DocumentRow = {
  readonly number: number;
  readonly entryId: string;
  readonly title: string | undefined;
  readonly documentType: string | undefined;
  readonly createdMs: number;
};

export type StudyConditions = {
  readonly tenant: TenantId;
  readonly patient?: { readonly patientId: string; readonly issuer?: string | undefined } | undefined;
  readonly accession?: string | undefined;
  /** YYYYMMDD, both ends included. */
  readonly dateFrom?: string | undefined;
  readonly dateTo?: string | undefined;
  readonly modality?: string | undefined;
  /** Each must be part of the patient's or the study's search text. */
  readonly words?: readonly string[] | undefined;
};

/** Newest study date first; studies without a date come last. */
export type StudyCursor = { readonly date: string; readonly studyNo: number };

/** The tables as the query builder sees them: columns that conditions and rows use. */
type StudyTables = {
  studies: {
    study_no: number;
    tenant: number;
    study_uid: string;
    group_no: number | null;
    patient_no: number | null;
    accession: string | null;
    study_id: string | null;
    study_date: string;
    study_time: string | null;
    description: string | null;
    referrer: string | null;
    modalities: string | null;
    search: string | null;
    series_count: number;
    instance_count: number;
    size_bytes: number;
    rec_writer_no: number;
  };
  patients: {
    patient_no: number;
    tenant: number;
    patient_id: string;
    issuer: string;
    name: string | null;
    search: string | null;
    birth_date: string | null;
    sex: string | null;
  };
  key_groups: { group_no: number; group_id: Uint8Array; tenant: number; year: number };
};

export const wordsMax = 8;
const seriesPerStudyMax = 10_000;
const documentsMax = 1000;

/** Text that stands for itself in a LIKE pattern with ESCAPE '!'. */
function likeText(text: string): string {
  return textValue(text).replace(/[!%_]/g, (char) => `!${char}`);
}

export class StudyQueries {
  readonly #sql: SqlTx;

  constructor(sql: SqlTx) {
    this.#sql = sql;
  }

  async patient(key: PatientKey): Promise<PatientRow | undefined> {
    const row = await this.#sql.one<StudyTables['patients']>(
      `SELECT patient_id, issuer, name, birth_date, sex FROM patients
        WHERE tenant = ? AND patient_id = ? AND issuer = ? AND rec_writer_no > 0`,
      [key.tenant, textValue(key.patientId), textValue(key.issuer)],
    );
    return row === undefined ? undefined : patientOf(row);
  }

  async study(tenant: TenantId, studyUid: string): Promise<StudyRow | undefined> {
    const query = this.#studies(tenant).where('s.study_uid', '=', textValue(studyUid));
    const row = (await query.execute())[0];
    return row === undefined ? undefined : studyOf(row);
  }

  async studies(
    conditions: StudyConditions,
    options: { after?: StudyCursor | undefined; limit: number },
  ): Promise<Page<StudyRow, StudyCursor>> {
    const limit = pageLimit(options.limit);
    const { patient, accession, dateFrom, dateTo, modality, words = [] } = conditions;
    let query = this.#studies(conditions.tenant);
    if (patient !== undefined) {
      query = query.where('p.patient_id', '=', textValue(patient.patientId));
      if (patient.issuer !== undefined) query = query.where('p.issuer', '=', textValue(patient.issuer));
    }
    if (accession !== undefined) query = query.where('s.accession', '=', textValue(accession));
    if (dateFrom !== undefined) query = query.where('s.study_date', '>=', dateFrom);
    if (dateTo !== undefined) query = query.where('s.study_date', '<=', dateTo);
    if (modality !== undefined) {
      query = query.where(rawSql<boolean>`s.modalities LIKE ${`%\\${likeText(modality)}\\%`} ESCAPE '!'`);
    }
    for (const word of words.slice(0, wordsMax)) {
      const part = `%${likeText(word)}%`;
      query = query.where(rawSql<boolean>`(p.search LIKE ${part} ESCAPE '!' OR s.search LIKE ${part} ESCAPE '!')`);
    }
    const { after } = options;
    if (after !== undefined) {
      query = query.where(rawSql<boolean>`(s.study_date, s.study_no) < (${after.date}, ${after.studyNo})`);
    }
    const rows = await query.orderBy('s.study_date', 'desc').orderBy('s.study_no', 'desc').limit(limit).execute();
    const end = rows.length < limit ? undefined : rows[rows.length - 1];
    const next = end === undefined ? undefined : { date: end.study_date, studyNo: end.study_no };
    return { rows: rows.map(studyOf), next };
  }

  /** The studies of a tenant that were described, with their patients. */
  #studies(tenant: TenantId) {
    return this.#sql
      .query<StudyTables>()
      .selectFrom('studies as s')
      .innerJoin('patients as p', 'p.patient_no', 's.patient_no')
      .innerJoin('key_groups as g', 'g.group_no', 's.group_no')
      .select([
        's.study_no',
        's.study_uid',
        's.accession',
        's.study_id',
        's.study_date',
        's.study_time',
        's.description',
        's.referrer',
        's.modalities',
        's.series_count',
        's.instance_count',
        's.size_bytes',
        'p.patient_id',
        'p.issuer',
        'p.name',
        'p.birth_date',
        'p.sex',
        'g.group_id',
        'g.tenant',
        'g.year',
      ])
      .where('s.tenant', '=', tenant)
      .where('s.rec_writer_no', '>', 0);
  }

  /** The series of a study in the order of their numbers. */
  async series(tenant: TenantId, studyUid: string): Promise<SeriesRow[]> {
    const rows = await this.#sql.all<SelectedSeries>(
      `SELECT e.series_uid, e.modality, e.series_number, e.description, e.body_part, e.series_date, e.series_time,
          e.instance_count, e.size_bytes
        FROM series e JOIN studies s ON s.study_no = e.study_no
        WHERE s.tenant = ? AND s.study_uid = ? ORDER BY coalesce(e.series_number, 0), e.series_uid LIMIT ?`,
      [tenant, textValue(studyUid), seriesPerStudyMax],
    );
    return rows.map(seriesOf);
  }

  /** The versions of a document that were not deleted, newest first. */
  async documents(tenant: TenantId, family: Uint8Array): Promise<DocumentRow[]> {
    const rows = await this.#sql.all<SelectedDocument>(
      `SELECT number, entry_id, title, document_type, created_ms FROM documents
        WHERE tenant = ? AND family = ? AND state = 0 ORDER BY number DESC LIMIT ?`,
      [tenant, family, documentsMax],
    );
    return rows.map(documentOf);
  }

  /** Documents of a patient, newest first. */
  async documentsOfPatient(key: PatientKey): Promise<DocumentRow[]> {
    const rows = await this.#sql.all<SelectedDocument>(
      `SELECT d.number, d.entry_id, d.title, d.document_type, d.created_ms
        FROM patients p JOIN documents d ON d.patient_no = p.patient_no
        WHERE p.tenant = ? AND p.patient_id = ? AND p.issuer = ? AND d.state = 0
        ORDER BY d.created_ms DESC, d.document_no DESC LIMIT ?`,
      [key.tenant, textValue(key.patientId), textValue(key.issuer), documentsMax],
    );
    return rows.map(documentOf);
  }
}

type SelectedStudy = Pick<
  StudyTables['studies'],
  | 'study_uid'
  | 'accession'
  | 'study_id'
  | 'study_date'
  | 'study_time'
  | 'description'
  | 'referrer'
  | 'modalities'
  | 'series_count'
  | 'instance_count'
  | 'size_bytes'
> &
  SelectedPatient &
  Pick<StudyTables['key_groups'], 'group_id' | 'tenant' | 'year'>;

type SelectedPatient = Pick<StudyTables['patients'], 'patient_id' | 'issuer' | 'name' | 'birth_date' | 'sex'>;

type SelectedSeries = {
  series_uid: string;
  modality: string | null;
  series_number: number | null;
  description: string | null;
  body_part: string | null;
  series_date: string | null;
  series_time: string | null;
  instance_count: number;
  size_bytes: number;
};

type SelectedDocument = {
  number: number;
  entry_id: Uint8Array;
  title: string | null;
  document_type: string | null;
  created_ms: number;
};

function patientOf(row: SelectedPatient): PatientRow {
  return {
    patientId: row.patient_id,
    issuer: row.issuer,
    name: row.name ?? undefined,
    birthDate: row.birth_date ?? undefined,
    sex: row.sex ?? undefined,
  };
}

function studyOf(row: SelectedStudy): StudyRow {
  return {
    studyUid: row.study_uid,
    group: { tenant: tenantId(row.tenant), year: row.year, group: groupIdOf(row.group_id) },
    patient: patientOf(row),
    accession: row.accession ?? undefined,
    studyId: row.study_id ?? undefined,
    studyDate: row.study_date === '' ? undefined : row.study_date,
    studyTime: row.study_time ?? undefined,
    description: row.description ?? undefined,
    referrer: row.referrer ?? undefined,
    modalities: listOfText(row.modalities ?? ''),
    seriesCount: row.series_count,
    instanceCount: row.instance_count,
    sizeBytes: row.size_bytes,
  };
}

function seriesOf(row: SelectedSeries): SeriesRow {
  return {
    seriesUid: row.series_uid,
    modality: row.modality ?? undefined,
    seriesNumber: row.series_number ?? undefined,
    description: row.description ?? undefined,
    bodyPart: row.body_part ?? undefined,
    seriesDate: row.series_date ?? undefined,
    seriesTime: row.series_time ?? undefined,
    instanceCount: row.instance_count,
    sizeBytes: row.size_bytes,
  };
}

function documentOf(row: SelectedDocument): DocumentRow {
  return {
    number: row.number,
    entryId: idOfBytes(row.entry_id),
    title: row.title ?? undefined,
    documentType: row.document_type ?? undefined,
    createdMs: row.created_ms,
  };
}
