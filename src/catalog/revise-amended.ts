// What amendments in force make of the rows of patients and studies, so that a search reads it like anything else.
//
// Invariants: a row is what headers said last, with the amendments in force applied to it; what was said is kept beside it where it differs, so asking again, in
// whatever order facts came, ends in the same rows. Names and numbers that were corrected still find what they named.
// Left out on purpose: data sets; whoever gives them out applies the same steps (resolve-amendments.ts).

import { defined, hexOf, sha256, utf8Bytes } from '../base/index.ts';
import type { AmendmentEvent } from '../format/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import { type InForce, inForce, linkedPatients, type PatientNumber, patientNames } from './amendment-rows.ts';
import { refreshPatient, refreshStudy } from './refresh-studies.ts';
import { patientText, rootsOf, stepsFor } from './resolve-amendments.ts';
import { textValue } from './storable.ts';

type Texts = Record<string, string | null>;

/** Columns of a patient, of a study, by keyword; attributes of a patient that a study's answers repeat. */
const patientFields = { PatientName: 'name', PatientBirthDate: 'birth_date', PatientSex: 'sex' } as const;
const studyFields = {
  StudyDate: 'study_date',
  StudyTime: 'study_time',
  AccessionNumber: 'accession',
  StudyID: 'study_id',
  StudyDescription: 'description',
  ReferringPhysicianName: 'referrer',
} as const;
const namingKeywords: ReadonlySet<string> = new Set(['PatientID', 'IssuerOfPatientID']);

type PatientRow = PatientNumber & { readonly rootNo: number | null; readonly described: boolean; readonly said: Texts };

/** The patient, everyone whom merges link with them, and their studies. For whoever changed an amendment of the patient, or what headers say. */
export async function revisePatient(tx: SqlTx, patientNo: number): Promise<void> {
  const linked = await linkedPatients(tx, [patientNo]);
  const list = await inForce(tx, { patients: linked });
  const rows = await readPatients(tx, linked);
  const rootOf = rootsOf(list.map((each) => each.event));
  const byName = new Map(rows.map((row) => [patientText(row), row.no]));
  for (const row of rows) {
    const rootNo = defined(byName.get(patientText(rootOf(row))), 'all that merges name have a row');
    await revisePatientRow(tx, row, rootNo, list);
  }
  for (const studyNo of await studiesOf(tx, linked)) await reviseStudy(tx, studyNo);
  for (const no of linked) await refreshPatient(tx, no);
}

async function readPatients(tx: SqlTx, numbers: readonly number[]): Promise<PatientRow[]> {
  const rows: PatientRow[] = [];
  for (const piece of pieces(numbers, inListMax)) {
    const found = await tx.all<{
      no: number;
      tenant: number;
      patient_id: string;
      issuer: string;
      name: string | null;
      birth_date: string | null;
      sex: string | null;
      root_no: number | null;
      said: string | null;
      rec_writer_no: number;
    }>(
      `SELECT patient_no AS no, tenant, patient_id, issuer, name, birth_date, sex, root_no, said, rec_writer_no
        FROM patients WHERE patient_no IN ${inList(piece.length)}`,
      inValues(piece),
    );
    for (const row of found)
      rows.push({
        no: row.no,
        tenant: row.tenant,
        patientId: row.patient_id,
        issuer: row.issuer,
        rootNo: row.root_no,
        described: row.rec_writer_no > 0,
        said: row.said === null ? { name: row.name, birth_date: row.birth_date, sex: row.sex } : parsed(row.said),
      });
  }
  return rows;
}

const parsed = (json: string): Texts => JSON.parse(json) as Texts;

async function revisePatientRow(tx: SqlTx, row: PatientRow, rootNo: number, list: readonly InForce[]): Promise<void> {
  const { no, said, tenant } = row;
  const telling = list.filter(({ event }) => tellsOf(event, row));
  const shown: Texts = { ...said };
  for (const { event } of telling) {
    // What another patient was merged into was known then; what headers say of it is known better.
    const known = event.type === 'merged' || event.type === 'moved';
    if (known && row.described) continue;
    for (const [keyword, column] of Object.entries(patientFields)) {
      const text = event.attributes[keyword];
      if (text !== undefined) shown[column] = textValue(text);
    }
  }
  await tx.run('UPDATE patients SET name = ?, birth_date = ?, sex = ?, root_no = ?, said = ? WHERE patient_no = ?', [
    shown['name'] ?? null,
    shown['birth_date'] ?? null,
    shown['sex'] ?? null,
    rootNo === no ? null : rootNo,
    telling.length === 0 ? null : JSON.stringify(said),
    no,
  ]);
  const before = row.rootNo ?? no;
  await tx.run('DELETE FROM patient_keys WHERE root_no = ? AND patient_no = ? AND amendment_no > 0', [before, no]);
  if (before !== rootNo)
    await tx.run('UPDATE patient_keys SET root_no = ? WHERE root_no = ? AND patient_no = ?', [rootNo, before, no]);
  await tx.run('DELETE FROM patient_names WHERE patient_no = ?', [no]);
  for (const each of telling) await putName(tx, { tenant, patientNo: no, rootNo }, each);
  const otherName = said['name'] ?? null;
  if (otherName !== null && (telling.length > 0 || rootNo !== no)) await tx.run(insertName, [rootNo, no, 0, otherName]);
}

/** Amendments that say what a patient is called. */
function tellsOf(event: AmendmentEvent, row: PatientNumber): boolean {
  const is = patientText(row);
  switch (event.type) {
    case 'merged':
      return patientText(event.into) === is;
    case 'moved':
      return patientText(event.to) === is;
    case 'corrected':
    case 'decoded':
      return event.patient !== undefined && patientText(event.patient) === is;
  }
}

const insertName = `INSERT INTO patient_names (root_no, patient_no, amendment_no, name) VALUES (?, ?, ?, ?)
  ON CONFLICT (root_no, patient_no, amendment_no) DO NOTHING`;
const insertKey = `INSERT INTO patient_keys (tenant, key, patient_no, amendment_no, root_no, newest_date) VALUES (?, ?, ?, ?, ?, '')
  ON CONFLICT (tenant, key, patient_no, amendment_no) DO NOTHING`;

type Named = { readonly tenant: number; readonly patientNo: number; readonly rootNo: number };

async function putName(
  tx: SqlTx,
  { tenant, patientNo, rootNo }: Named,
  { no, event, nameKeys }: InForce,
): Promise<void> {
  const name = event.attributes['PatientName'];
  if (name === undefined || name === '') return;
  await tx.run(insertName, [rootNo, patientNo, no, textValue(name)]);
  const keys = [...new Set(nameKeys.map(textValue))];
  await tx.many(
    insertKey,
    keys.map((key): SqlValue[] => [tenant, key, patientNo, no, rootNo]),
  );
}

async function studiesOf(tx: SqlTx, patients: readonly number[]): Promise<Set<number>> {
  const studies = new Set<number>();
  for (const piece of pieces(patients, inListMax)) {
    for (const statement of [
      'SELECT study_no AS no FROM studies WHERE patient_no IN',
      'SELECT study_no AS no FROM studies WHERE said_patient_no <> patient_no AND said_patient_no IN',
      'SELECT study_no AS no FROM study_patients WHERE patient_no IN',
    ])
      for (const { no } of await tx.all<{ no: number }>(`${statement} ${inList(piece.length)}`, inValues(piece)))
        studies.add(no);
  }
  return studies;
}

type StudyRow = {
  tenant: number;
  study_uid: string;
  patient_no: number | null;
  said_patient_no: number | null;
  said: string | null;
  accession: string | null;
  study_id: string | null;
  study_date: string;
  study_time: string | null;
  description: string | null;
  referrer: string | null;
  search: string | null;
  more: string | null;
};

const saidColumns = [...Object.values(studyFields), 'search', 'more'] as const;

/** A study that headers described. */
export async function reviseStudy(tx: SqlTx, studyNo: number): Promise<void> {
  const row = await tx.one<StudyRow>(
    `SELECT tenant, study_uid, patient_no, said_patient_no, said, ${saidColumns.join(', ')} FROM studies WHERE study_no = ?`,
    [studyNo],
  );
  if (row === undefined || row.said_patient_no === null) return;
  const { tenant, study_uid: uid } = row;
  const named = await patientsNamed(tx, studyNo, row.said_patient_no);
  const targets = await tx.all<{ no: number }>(
    "SELECT target_no AS no FROM amendments WHERE tenant = ? AND study_uid = ? AND type = 'moved'",
    [tenant, uid],
  );
  const linked = await linkedPatients(tx, [...named, ...targets.map((each) => each.no)]);
  const list = await inForce(tx, { patients: linked, study: { tenant, uid } });
  const names = await patientNames(tx, linked);
  const events = list.map((each) => each.event);
  const nameOf = (no: number): PatientNumber =>
    defined(
      names.find((each) => each.no === no),
      'a patient that a row names has a row',
    );
  const mine = stepsFor(events, { study: uid, patient: nameOf(row.said_patient_no) });
  // Of a study's rows the texts are those of whatever was read anew last.
  const decoded = events.findLast((event) => event.type === 'decoded' && event.study === uid);
  const concerning = new Set<AmendmentEvent>(events.filter((event) => event.type === 'decoded' && event.study === uid));
  for (const no of named)
    for (const { event } of stepsFor(events, { study: uid, patient: nameOf(no) }).steps) concerning.add(event);
  const patientNo = defined(
    names.find((each) => patientText(each) === patientText(mine.patient)),
    'a patient that an amendment names has a row',
  ).no;

  const said: Texts =
    row.said === null ? Object.fromEntries(saidColumns.map((column) => [column, row[column]])) : parsed(row.said);
  const changes = [...(decoded === undefined ? [] : [decoded]), ...mine.steps.map((step) => step.event)];
  const cells = amendedCells(said, changes, list);
  const overlay = overlayOf(changes);
  await tx.run(
    `UPDATE studies SET patient_no = ?, said = ?, overlay = ?, amended = ?, ${saidColumns.map((column) => `${column} = ?`).join(', ')}
      WHERE study_no = ?`,
    [
      patientNo,
      cells === undefined ? null : JSON.stringify(said),
      overlay,
      stampOf(concerning),
      ...saidColumns.map((column) => (cells ?? said)[column] ?? (column === 'study_date' ? '' : null)),
      studyNo,
    ],
  );
  await putAccessions(tx, { tenant, studyNo }, said['accession'] ?? null, changes, cells ?? said);
  for (const each of list) {
    const { event, no } = each;
    if (event.type !== 'corrected' && event.type !== 'decoded') continue;
    if (event.study !== uid) continue;
    // Where it names a patient itself, that one is found by it, too, whosever the study is.
    for (const table of ['patient_keys', 'patient_names'])
      await tx.run(
        `DELETE FROM ${table} WHERE amendment_no = ? AND patient_no <>
          coalesce((SELECT a.patient_no FROM amendments a WHERE a.amendment_no = ?), 0)`,
        [no, no],
      );
    await putName(tx, { tenant, patientNo, rootNo: patientNo }, each);
  }
  if ((cells ?? said)['study_date'] !== row.study_date) await refreshStudy(tx, studyNo);
  await refreshPatient(tx, patientNo);
  if (row.patient_no !== null && row.patient_no !== patientNo) await refreshPatient(tx, row.patient_no);
}

async function patientsNamed(tx: SqlTx, studyNo: number, saidPatientNo: number): Promise<Set<number>> {
  const rows = await tx.all<{ no: number }>('SELECT patient_no AS no FROM study_patients WHERE study_no = ?', [
    studyNo,
  ]);
  return new Set([saidPatientNo, ...rows.map((each) => each.no)]);
}

/** The cells of the row; undefined when they are what was said. */
function amendedCells(said: Texts, changes: readonly AmendmentEvent[], list: readonly InForce[]): Texts | undefined {
  const cells: Texts = { ...said };
  const more: Texts = parsed(said['more'] ?? '{}');
  let changed = false;
  for (const event of changes) {
    for (const [keyword, text] of Object.entries(event.attributes)) {
      if (keyword in patientFields || namingKeywords.has(keyword)) continue;
      changed = true;
      const value = textValue(text);
      if (keyword in studyFields) {
        const column = studyFields[keyword as keyof typeof studyFields];
        cells[column] = column === 'study_date' ? dateOf(value) : value === '' && column === 'accession' ? null : value;
      } else more[keyword] = value;
      if (keyword === 'StudyDescription') cells['search'] = list.find((each) => each.event === event)?.search ?? null;
    }
  }
  if (!changed) return undefined;
  cells['more'] = JSON.stringify(more);
  return cells;
}

function dateOf(text: string): string {
  return /^\d{8}$/.test(text) ? text : '';
}

/** What answers say of the patient of this one study. */
function overlayOf(changes: readonly AmendmentEvent[]): string | null {
  const overlay: Record<string, string> = {};
  for (const event of changes)
    for (const keyword of Object.keys(patientFields)) {
      const text = event.attributes[keyword];
      if (text !== undefined) overlay[keyword] = textValue(text);
    }
  return Object.keys(overlay).length === 0 ? null : JSON.stringify(overlay);
}

/** Changes when anything does that a data set of the study may be given out with. */
function stampOf(concerning: ReadonlySet<AmendmentEvent>): string | null {
  if (concerning.size === 0) return null;
  const ids = [...concerning].map((event) => event.id).sort();
  return hexOf(sha256(utf8Bytes(ids.join(',')))).slice(0, 16);
}

/** Numbers that the study had, or was said to have, before the one that its row shows. */
async function putAccessions(
  tx: SqlTx,
  { tenant, studyNo }: { readonly tenant: number; readonly studyNo: number },
  said: string | null,
  changes: readonly AmendmentEvent[],
  shown: Texts,
): Promise<void> {
  const others = new Set([said ?? '', ...changes.map((event) => textValue(event.attributes['AccessionNumber'] ?? ''))]);
  others.delete('');
  others.delete(shown['accession'] ?? '');
  await tx.run('DELETE FROM study_accessions WHERE study_no = ?', [studyNo]);
  await tx.many(
    'INSERT INTO study_accessions (tenant, accession, study_no) VALUES (?, ?, ?)',
    [...others].map((accession) => [tenant, accession, studyNo]),
  );
}
