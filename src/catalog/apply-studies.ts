// Patients, studies and series as rows: described by facts, or stubs because something refers to them.
//
// Invariants: latest wins by the natural key (a series by its study and UID: two studies that carry one series UID keep a series each); how many
// series a study has, and of which modalities, follows from the rows of its series whenever one appears or changes; a patient's search keys are
// those of its latest name.

import type { SqlTx } from '../sql/index.ts';
import type { ChangeOf, PatientKey } from './changes.ts';
import { applyLatest, type Cells, numberOrStub } from './latest-rows.ts';
import type { NumbersTx, SeriesNumber } from './numbers.ts';
import { newestDate, refreshPatient, refreshStudy } from './refresh-studies.ts';
import { revisePatient, reviseStudy } from './revise-amended.ts';
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
      said: null,
    },
    version: change.version,
  });
  if (!won) return;
  const patientNo = await patientNumber(tx, change);
  const found = await tx.one<{ root_no: number | null }>('SELECT root_no FROM patients WHERE patient_no = ?', [
    patientNo,
  ]);
  const rootNo = found?.root_no ?? patientNo;
  await tx.run('DELETE FROM patient_keys WHERE root_no = ? AND patient_no = ? AND amendment_no = 0', [
    rootNo,
    patientNo,
  ]);
  const keys = [...new Set(change.nameKeys.map(textValue))];
  const newest = await newestDate(tx, rootNo);
  await tx.many(
    'INSERT INTO patient_keys (tenant, key, patient_no, amendment_no, root_no, newest_date) VALUES (?, ?, ?, 0, ?, ?)',
    keys.map((key) => [change.tenant, key, patientNo, rootNo, newest]),
  );
  if (await numbers.hasAmendments()) await revisePatient(tx, patientNo);
}

/** The patients that data sets of a study name, where they do not agree. */
const insertSaid =
  'INSERT INTO study_patients (study_no, patient_no) VALUES (?, ?) ON CONFLICT (study_no, patient_no) DO NOTHING';

export async function applyStudy(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'study'>): Promise<void> {
  const patientNo = await patientNumber(tx, { tenant: change.tenant, ...change.patient });
  const patientOf = 'SELECT patient_no, said_patient_no AS said FROM studies WHERE tenant = ? AND study_uid = ?';
  const before = await tx.one<{ patient_no: number | null; said: number | null }>(patientOf, [
    change.tenant,
    textValue(change.studyUid),
  ]);
  const won = await applyLatest(tx, numbers, {
    table: 'studies',
    key: studyCells(change.tenant, change.studyUid),
    cells: {
      ...uncounted,
      series_count: 0,
      group_no: numbers.group(change.group),
      patient_no: patientNo,
      said_patient_no: patientNo,
      said: null,
      overlay: null,
      amended: null,
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
  const studyNo = await studyNumber(tx, change.tenant, change.studyUid);
  if (before !== undefined && before.said !== null && before.said !== patientNo)
    await tx.many(insertSaid, [
      [studyNo, before.said],
      [studyNo, patientNo],
    ]);
  if (won) {
    await refreshStudy(tx, studyNo);
    await refreshPatient(tx, patientNo);
  }
  if (await numbers.hasAmendments()) await reviseStudy(tx, studyNo);
  if (!won) return;
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
