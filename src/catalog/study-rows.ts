// Patients, studies, series and instances as they are found: what a row says, with what stands above it.

import type { KeyGroup, RecordId } from '../base/index.ts';
import { idOfBytes, tenantId } from '../base/index.ts';
import type { JsonObject } from './changes.ts';
import type { Page } from './object-queries.ts';
import { listOfText } from './refresh-studies.ts';
import { groupIdOf } from './storable.ts';

export type FoundPatient = {
  readonly patientId: string;
  readonly issuer: string;
  readonly name: string | undefined;
  readonly birthDate: string | undefined;
  readonly sex: string | undefined;
};

export type FoundStudy = {
  readonly studyUid: string;
  readonly group: KeyGroup;
  readonly patient: FoundPatient;
  readonly accession: string | undefined;
  readonly studyId: string | undefined;
  readonly studyDate: string | undefined;
  readonly studyTime: string | undefined;
  readonly description: string | undefined;
  readonly referrer: string | undefined;
  readonly modalities: readonly string[];
  /** Other attributes by keyword. */
  readonly more: JsonObject;
  readonly seriesCount: number;
  readonly instanceCount: number;
  readonly sizeBytes: number;
  /** Changes when anything amends what the study's data sets say; undefined when nothing does. */
  readonly amended: string | undefined;
};

export type FoundSeries = {
  readonly seriesUid: string;
  readonly study: FoundStudy;
  readonly modality: string | undefined;
  readonly seriesNumber: number | undefined;
  readonly description: string | undefined;
  readonly bodyPart: string | undefined;
  readonly seriesDate: string | undefined;
  readonly seriesTime: string | undefined;
  readonly more: JsonObject;
  readonly instanceCount: number;
  readonly sizeBytes: number;
};

export type FoundInstance = {
  /** The object that holds it. */
  readonly id: string;
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly instanceUid: string;
  readonly classUid: string;
  readonly syntaxUid: string;
  readonly instanceNumber: number | undefined;
  readonly frames: number | undefined;
  readonly rows: number | undefined;
  readonly columns: number | undefined;
  readonly bitsAllocated: number | undefined;
  readonly sizeBytes: number;
  readonly headBytes: number;
  /** The study's. */
  readonly amended: string | undefined;
  /** Where its header's text lies, when it is settled: so many bytes of that content from `at` on. */
  readonly text?: { readonly ref: RecordId; readonly at: number; readonly sizeBytes: number } | undefined;
  /** Where a picture of its series lies, when it is settled: of whichever instance stood for those that settled with it. */
  readonly picture?: { readonly ref: RecordId; readonly sizeBytes: number } | undefined;
};

/** Where an instance stands in its series: when and in which record it was written down, and its object's id. */
export type InstancePlace = { readonly hybrid: bigint; readonly seq: bigint; readonly id: string };

/** Where a page goes on: behind a row, or behind an instance of a series. */
export type SearchCursor = { readonly date?: string; readonly no: number; readonly at?: InstancePlace };
export type SearchPage<Row> = Page<Row, SearchCursor>;
export type PageOptions = { readonly after?: SearchCursor | undefined; readonly limit: number; readonly skip?: number };

export const patientColumns = 'p.patient_id, p.issuer, p.name, p.birth_date, p.sex';

export const studyColumns = `s.study_uid, s.accession, s.study_id, s.study_date, s.study_time,
  s.description AS study_description, s.referrer, s.modalities, s.more AS study_more, s.series_count,
  s.instance_count AS study_instances, s.size_bytes AS study_bytes, s.overlay, s.amended, g.group_id, g.tenant, g.year, ${patientColumns}`;

export const seriesColumns = `e.series_uid, e.modality, e.series_number, e.description, e.body_part, e.series_date, e.series_time,
  e.more, e.instance_count, e.size_bytes`;

export const instanceColumns = `i.entry_id, s.study_uid, e.series_uid, i.instance_uid, i.class_uid, i.syntax_uid, i.instance_number,
  i.frames, i.pixel_rows, i.pixel_columns, i.bits_allocated, i.size_bytes, i.head_bytes, s.amended`;

export type SelectedPatient = {
  patient_id: string;
  issuer: string;
  name: string | null;
  birth_date: string | null;
  sex: string | null;
};

export type SelectedStudy = SelectedPatient & {
  study_uid: string;
  accession: string | null;
  study_id: string | null;
  study_date: string;
  study_time: string | null;
  study_description: string | null;
  referrer: string | null;
  modalities: string | null;
  study_more: string | null;
  series_count: number;
  study_instances: number;
  study_bytes: number;
  overlay: string | null;
  amended: string | null;
  group_id: Uint8Array;
  tenant: number;
  year: number;
};

export type SelectedSeries = SelectedStudy & {
  series_uid: string;
  modality: string | null;
  series_number: number | null;
  description: string | null;
  body_part: string | null;
  series_date: string | null;
  series_time: string | null;
  more: string | null;
  instance_count: number;
  size_bytes: number;
};

/** Integers as bigint: a hybrid time is selected with them. */
export type SelectedInstance = {
  entry_id: Uint8Array;
  study_uid: string;
  series_uid: string;
  instance_uid: string;
  class_uid: string;
  syntax_uid: string;
  instance_number: bigint | null;
  frames: bigint | null;
  pixel_rows: bigint | null;
  pixel_columns: bigint | null;
  bits_allocated: bigint | null;
  size_bytes: bigint;
  head_bytes: bigint;
  amended: string | null;
};

const moreOf = (text: string | null): JsonObject => (text === null ? {} : (JSON.parse(text) as JsonObject));

export function foundPatient(row: SelectedPatient): FoundPatient {
  return {
    patientId: row.patient_id,
    issuer: row.issuer,
    name: row.name ?? undefined,
    birthDate: row.birth_date ?? undefined,
    sex: row.sex ?? undefined,
  };
}

/** As the study's own amendments have it. */
function overlaid(patient: FoundPatient, overlay: string): FoundPatient {
  const { PatientName, PatientBirthDate, PatientSex } = JSON.parse(overlay) as Record<string, string | undefined>;
  return {
    ...patient,
    name: PatientName ?? patient.name,
    birthDate: PatientBirthDate ?? patient.birthDate,
    sex: PatientSex ?? patient.sex,
  };
}

export function foundStudy(row: SelectedStudy): FoundStudy {
  return {
    studyUid: row.study_uid,
    group: { tenant: tenantId(row.tenant), year: row.year, group: groupIdOf(row.group_id) },
    patient: row.overlay === null ? foundPatient(row) : overlaid(foundPatient(row), row.overlay),
    accession: row.accession ?? undefined,
    studyId: row.study_id ?? undefined,
    studyDate: row.study_date === '' ? undefined : row.study_date,
    studyTime: row.study_time ?? undefined,
    description: row.study_description ?? undefined,
    referrer: row.referrer ?? undefined,
    modalities: listOfText(row.modalities ?? ''),
    more: moreOf(row.study_more),
    seriesCount: row.series_count,
    instanceCount: row.study_instances,
    sizeBytes: row.study_bytes,
    amended: row.amended ?? undefined,
  };
}

export function foundSeries(row: SelectedSeries): FoundSeries {
  return {
    seriesUid: row.series_uid,
    study: foundStudy(row),
    modality: row.modality ?? undefined,
    seriesNumber: row.series_number ?? undefined,
    description: row.description ?? undefined,
    bodyPart: row.body_part ?? undefined,
    seriesDate: row.series_date ?? undefined,
    seriesTime: row.series_time ?? undefined,
    more: moreOf(row.more),
    instanceCount: row.instance_count,
    sizeBytes: row.size_bytes,
  };
}

const numberOf = (value: bigint | null): number | undefined => (value === null ? undefined : Number(value));

export function foundInstance(row: SelectedInstance): FoundInstance {
  return {
    id: idOfBytes(row.entry_id),
    studyUid: row.study_uid,
    seriesUid: row.series_uid,
    instanceUid: row.instance_uid,
    classUid: row.class_uid,
    syntaxUid: row.syntax_uid,
    instanceNumber: numberOf(row.instance_number),
    frames: numberOf(row.frames),
    rows: numberOf(row.pixel_rows),
    columns: numberOf(row.pixel_columns),
    bitsAllocated: numberOf(row.bits_allocated),
    sizeBytes: Number(row.size_bytes),
    headBytes: Number(row.head_bytes),
    amended: row.amended ?? undefined,
  };
}
