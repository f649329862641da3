// Rows that come one at a time: buckets, site rows, exports, shreds, patients, studies, series, documents.
//
// Invariants: latest wins by the natural key; what a row refers to is made as a stub when it is not there yet, also by a change
// that then loses, so that the order of arrival leaves no trace.

import { assert, bytesOfId } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import type { ChangeOf, PatientKey, Version } from './changes.ts';
import type { NumbersTx } from './numbers.ts';
import { countValue, hybridValue, jsonValue, optional, sequenceValue, textValue, timeValue } from './storable.ts';
import type { RowVersion } from './versions.ts';
import { replaces, stubVersion } from './versions.ts';

type Cells = Readonly<Record<string, SqlValue>>;

/** Inserts or replaces the row of a natural key, unless what is there is later. */
async function applyLatest(
  tx: SqlTx,
  numbers: NumbersTx,
  change: { readonly table: string; readonly key: Cells; readonly cells: Cells; readonly version: Version },
): Promise<void> {
  const { table, key, version } = change;
  const keyNames = Object.keys(key);
  const keyValues = Object.values(key);
  const where = keyNames.map((name) => `${name} = ?`).join(' AND ');
  const found = await tx.one<RowVersion>(
    `SELECT hybrid, rec_writer_no, rec_seq FROM ${table} WHERE ${where}`,
    keyValues,
    'bigint',
  );
  if (found !== undefined && !(await replaces(version, found, (no) => numbers.writerOf(no)))) return;
  const cells: Cells = {
    ...change.cells,
    hybrid: hybridValue(version.time),
    rec_writer_no: numbers.writer(version.record.writer),
    rec_seq: sequenceValue(version.record.sequence),
  };
  const names = Object.keys(cells);
  if (found === undefined) {
    const all = [...keyNames, ...names];
    const marks = all.map(() => '?').join(', ');
    await tx.run(`INSERT INTO ${table} (${all.join(', ')}) VALUES (${marks})`, [...keyValues, ...Object.values(cells)]);
    return;
  }
  const { changes } = await tx.run(
    `UPDATE ${table} SET ${names.map((name) => `${name} = ?`).join(', ')} WHERE ${where}`,
    [...Object.values(cells), ...keyValues],
  );
  assert(changes === 1, 'a natural key names one row');
}

/** The number of a row by its natural key; the row is made, of version zero, when it is not there. */
async function numberOrStub(tx: SqlTx, table: string, column: string, key: Cells, cells: Cells): Promise<number> {
  const names = Object.keys(key);
  const where = names.map((name) => `${name} = ?`).join(' AND ');
  const select = `SELECT ${column} AS no FROM ${table} WHERE ${where}`;
  const found = await tx.one<{ no: number }>(select, Object.values(key));
  if (found !== undefined) return found.no;
  const all: Cells = { ...key, ...cells, ...stubVersion };
  const marks = Object.keys(all).map(() => '?');
  const insert = `INSERT INTO ${table} (${Object.keys(all).join(', ')}) VALUES (${marks.join(', ')})`;
  await tx.run(insert, Object.values(all));
  const made = await tx.one<{ no: number }>(select, Object.values(key));
  assert(made !== undefined, 'a stub just made is there');
  return made.no;
}

const patientCells = (key: PatientKey): Cells => ({
  tenant: key.tenant,
  patient_id: textValue(key.patientId),
  issuer: textValue(key.issuer),
});

const studyCells = (tenant: number, studyUid: string): Cells => ({ tenant, study_uid: textValue(studyUid) });

/** A study that is only referred to. No date is '', which sorts before every date. */
const undescribed: Cells = { study_date: '', series_count: 0, instance_count: 0, size_bytes: 0 };

const patientNumber = (tx: SqlTx, key: PatientKey): Promise<number> =>
  numberOrStub(tx, 'patients', 'patient_no', patientCells(key), {});

const studyNumber = (tx: SqlTx, tenant: number, studyUid: string): Promise<number> =>
  numberOrStub(tx, 'studies', 'study_no', studyCells(tenant, studyUid), undescribed);

export async function applyBucket(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'bucket'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'buckets',
    key: { bucket_no: numbers.bucket(change.tenant, change.name) },
    cells: {
      state: change.state === 'live' ? 0 : 2,
      created_ms: timeValue(change.createdMs),
      meta: optional(change.meta, jsonValue),
    },
    version: change.version,
  });
}

export async function applySite(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'site'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'site_rows',
    key: { name: textValue(change.table), key: textValue(change.key) },
    cells: { body: change.row === null ? null : jsonValue(change.row) },
    version: change.version,
  });
}

export async function applyExport(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'export'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'exports',
    key: { number: sequenceValue(change.number) },
    cells: { generation: sequenceValue(change.generation), created_ms: timeValue(change.createdMs) },
    version: change.version,
  });
}

export async function applyShred(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'shred'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'shreds',
    key: { group_no: numbers.group(change.group) },
    cells: { generation: sequenceValue(change.generation) },
    version: change.version,
  });
}

export async function applyPatient(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'patient'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'patients',
    key: patientCells(change),
    cells: {
      name: optional(change.name, textValue),
      search: optional(change.search, textValue),
      birth_date: optional(change.birthDate, textValue),
      sex: optional(change.sex, textValue),
    },
    version: change.version,
  });
}

/** Several values in one text, each between separators, so that one is found by `%\one\%`. */
export function listText(values: readonly string[]): string {
  return values.length === 0 ? '' : `\\${values.map(textValue).join('\\')}\\`;
}

export function listOfText(text: string): string[] {
  return text === '' ? [] : text.slice(1, -1).split('\\');
}

export async function applyStudy(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'study'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'studies',
    key: studyCells(change.tenant, change.studyUid),
    cells: {
      group_no: numbers.group(change.group),
      patient_no: await patientNumber(tx, { tenant: change.tenant, ...change.patient }),
      accession: optional(change.accession, textValue),
      study_id: optional(change.studyId, textValue),
      study_date: textValue(change.studyDate ?? ''),
      study_time: optional(change.studyTime, textValue),
      description: optional(change.description, textValue),
      referrer: optional(change.referrer, textValue),
      modalities: listText(change.modalities),
      search: optional(change.search, textValue),
      series_count: countValue(change.seriesCount),
      instance_count: countValue(change.instanceCount),
      size_bytes: countValue(change.sizeBytes),
    },
    version: change.version,
  });
}

export async function applySeries(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'series'>): Promise<void> {
  await applyLatest(tx, numbers, {
    table: 'series',
    key: { tenant: change.tenant, series_uid: textValue(change.seriesUid) },
    cells: {
      study_no: await studyNumber(tx, change.tenant, change.studyUid),
      modality: optional(change.modality, textValue),
      series_number: optional(change.seriesNumber, timeValue),
      description: optional(change.description, textValue),
      body_part: optional(change.bodyPart, textValue),
      series_date: optional(change.seriesDate, textValue),
      series_time: optional(change.seriesTime, textValue),
      instance_count: countValue(change.instanceCount),
      size_bytes: countValue(change.sizeBytes),
    },
    version: change.version,
  });
}

export async function applyDocument(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'document'>): Promise<void> {
  const { tenant, patient, studyUid } = change;
  await applyLatest(tx, numbers, {
    table: 'documents',
    key: { tenant, family: change.family, number: countValue(change.number) },
    cells: {
      entry_id: bytesOfId(change.entryId),
      title: optional(change.title, textValue),
      document_type: optional(change.documentType, textValue),
      patient_no: patient === undefined ? null : await patientNumber(tx, { tenant, ...patient }),
      study_no: studyUid === undefined ? null : await studyNumber(tx, tenant, studyUid),
      created_ms: timeValue(change.createdMs),
      state: change.state === 'live' ? 0 : 2,
    },
    version: change.version,
  });
}
