// Patients, studies and series as rows: described by facts, or stubs because something refers to them.
//
// Invariants: latest wins by the natural key (a series by its study and UID: two studies that carry one series UID keep a series each); how many
// series a study has, and of which modalities, follows from the rows of its series whenever one appears or changes; a patient's search keys are
// those of its latest name.

import type { SqlTx } from '../sql/index.ts';
import type { ChangeOf, PatientKey } from './changes.ts';
import { applyLatest, type Cells, numberOrStub } from './latest-rows.ts';
import type { NumbersTx, SeriesNumber } from './numbers.ts';
import { jsonValue, optional, textValue, timeValue } from './storable.ts';

const patientCells = (key: PatientKey): Cells => ({
  tenant: key.tenant,
  patient_id: textValue(key.patientId),
  issuer: textValue(key.issuer),
});

const studyCells = (tenant: number, studyUid: string): Cells => ({ tenant, study_uid: textValue(studyUid) });

/** A study that is only referred to. No date is '', which sorts before every date. */
const undescribed: Cells = { study_date: '', series_count: 0, instance_count: 0, size_bytes: 0 };
const uncounted: Cells = { instance_count: 0, size_bytes: 0 };

export const patientNumber = (tx: SqlTx, key: PatientKey): Promise<number> =>
  numberOrStub(tx, 'patients', 'patient_no', patientCells(key), {});

export const studyNumber = (tx: SqlTx, tenant: number, studyUid: string): Promise<number> =>
  numberOrStub(tx, 'studies', 'study_no', studyCells(tenant, studyUid), undescribed);

export async function applyPatient(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'patient'>): Promise<void> {
  const won = await applyLatest(tx, numbers, {
    table: 'patients',
    key: patientCells(change),
    cells: {
      name: optional(change.name, textValue),
      birth_date: optional(change.birthDate, textValue),
      sex: optional(change.sex, textValue),
    },
    version: change.version,
  });
  if (!won) return;
  const patientNo = await patientNumber(tx, change);
  await tx.run('DELETE FROM patient_keys WHERE patient_no = ?', [patientNo]);
  const keys = [...new Set(change.nameKeys.map(textValue))];
  const newest = await newestDate(tx, patientNo);
  await tx.many(
    'INSERT INTO patient_keys (tenant, key, patient_no, newest_date) VALUES (?, ?, ?, ?)',
    keys.map((key) => [change.tenant, key, patientNo, newest]),
  );
}

async function newestDate(tx: SqlTx, patientNo: number): Promise<string> {
  const statement = 'SELECT study_date FROM studies WHERE patient_no = ? ORDER BY study_date DESC LIMIT 1';
  return (await tx.one<{ study_date: string }>(statement, [patientNo]))?.study_date ?? '';
}

/** The keys of a patient tell the date of the newest study. */
export async function refreshPatient(tx: SqlTx, patientNo: number): Promise<void> {
  const newest = await newestDate(tx, patientNo);
  const statement = 'UPDATE patient_keys SET newest_date = ? WHERE patient_no = ? AND newest_date <> ?';
  await tx.run(statement, [newest, patientNo, newest]);
}

/** Several values in one text, each between separators, so that one is found by `%\one\%`. */
export function listText(values: readonly string[]): string {
  return values.length === 0 ? '' : `\\${values.map(textValue).join('\\')}\\`;
}

export function listOfText(text: string): string[] {
  return text === '' ? [] : text.slice(1, -1).split('\\');
}

export async function applyStudy(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'study'>): Promise<void> {
  const patientNo = await patientNumber(tx, { tenant: change.tenant, ...change.patient });
  const patientOf = 'SELECT patient_no FROM studies WHERE tenant = ? AND study_uid = ?';
  const before = await tx.one<{ patient_no: number | null }>(patientOf, [change.tenant, textValue(change.studyUid)]);
  const won = await applyLatest(tx, numbers, {
    table: 'studies',
    key: studyCells(change.tenant, change.studyUid),
    cells: {
      ...uncounted,
      series_count: 0,
      group_no: numbers.group(change.group),
      patient_no: patientNo,
      accession: optional(change.accession, textValue),
      study_id: optional(change.studyId, textValue),
      study_date: textValue(change.studyDate ?? ''),
      study_time: optional(change.studyTime, textValue),
      description: optional(change.description, textValue),
      referrer: optional(change.referrer, textValue),
      search: optional(change.search, textValue),
      more: optional(change.more, jsonValue),
    },
    counted: ['instance_count', 'size_bytes', 'series_count'],
    version: change.version,
  });
  if (!won) return;
  await refreshStudy(tx, await studyNumber(tx, change.tenant, change.studyUid));
  await refreshPatient(tx, patientNo);
  // It was another patient's until now.
  const left = before?.patient_no ?? patientNo;
  if (left !== patientNo) await refreshPatient(tx, left);
}

export async function applySeries(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'series'>): Promise<void> {
  const studyNo = await studyNumber(tx, change.tenant, change.studyUid);
  const won = await applyLatest(tx, numbers, {
    table: 'series',
    key: { study_no: studyNo, series_uid: textValue(change.seriesUid) },
    cells: {
      ...uncounted,
      tenant: change.tenant,
      modality: optional(change.modality, textValue),
      series_number: optional(change.seriesNumber, timeValue),
      description: optional(change.description, textValue),
      body_part: optional(change.bodyPart, textValue),
      series_date: optional(change.seriesDate, textValue),
      series_time: optional(change.seriesTime, textValue),
      more: optional(change.more, jsonValue),
    },
    counted: ['instance_count', 'size_bytes'],
    version: change.version,
  });
  if (won) await refreshStudy(tx, studyNo);
}

/** The series an instance belongs to; made, of version zero, when it is not there. */
export async function seriesNumber(
  tx: SqlTx,
  numbers: NumbersTx,
  key: { readonly tenant: number; readonly studyUid: string; readonly seriesUid: string },
): Promise<SeriesNumber> {
  const name = `${key.tenant}/${key.studyUid}/${key.seriesUid}`;
  const known = numbers.knownSeries(name);
  if (known !== undefined) return known;
  const studyNo = await studyNumber(tx, key.tenant, key.studyUid);
  const cells: Cells = { study_no: studyNo, series_uid: textValue(key.seriesUid) };
  const find = 'SELECT series_no AS no FROM series WHERE study_no = ? AND series_uid = ?';
  let no = (await tx.one<{ no: number }>(find, Object.values(cells)))?.no;
  if (no === undefined) {
    no = await numberOrStub(tx, 'series', 'series_no', cells, { tenant: key.tenant, ...uncounted });
    await refreshStudy(tx, studyNo);
  }
  const number = { no, studyNo };
  numbers.keepSeries(name, number);
  return number;
}

/** What a study's row says of its series, from their rows. */
async function refreshStudy(tx: SqlTx, studyNo: number): Promise<void> {
  const rows = await tx.all<{ modality: string | null; count: number }>(
    'SELECT modality, CAST(count(*) AS INTEGER) AS count FROM series WHERE study_no = ? GROUP BY modality ORDER BY modality',
    [studyNo],
  );
  const modalities = rows.flatMap((row) => (row.modality === null || row.modality === '' ? [] : [row.modality]));
  const count = rows.reduce((sum, row) => sum + Number(row.count), 0);
  await tx.run('UPDATE studies SET series_count = ?, modalities = ? WHERE study_no = ?', [
    count,
    listText(modalities),
    studyNo,
  ]);
  await tx.run('DELETE FROM study_modalities WHERE study_no = ?', [studyNo]);
  await tx.many(
    `INSERT INTO study_modalities (tenant, modality, study_date, study_no)
      SELECT tenant, ?, study_date, study_no FROM studies WHERE study_no = ? AND patient_no IS NOT NULL`,
    modalities.map((modality) => [modality, studyNo]),
  );
}
