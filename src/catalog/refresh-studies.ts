// What rows of patients and studies repeat of the rows below them: the newest date, the number of series, the modalities.
//
// Invariant: asked for again, it is the same: everything follows from the rows that are there.

import type { SqlTx } from '../sql/index.ts';
import { textValue } from './storable.ts';

export async function newestDate(tx: SqlTx, patientNo: number): Promise<string> {
  const statement = 'SELECT study_date FROM studies WHERE patient_no = ? ORDER BY study_date DESC LIMIT 1';
  return (await tx.one<{ study_date: string }>(statement, [patientNo]))?.study_date ?? '';
}

/** The keys of a patient tell the date of the newest study. */
export async function refreshPatient(tx: SqlTx, patientNo: number): Promise<void> {
  const newest = await newestDate(tx, patientNo);
  const statement = 'UPDATE patient_keys SET newest_date = ? WHERE root_no = ? AND newest_date <> ?';
  await tx.run(statement, [newest, patientNo, newest]);
}

/** Several values in one text, each between separators, so that one is found by `%\one\%`. */
export function listText(values: readonly string[]): string {
  return values.length === 0 ? '' : `\\${values.map(textValue).join('\\')}\\`;
}

export function listOfText(text: string): string[] {
  return text === '' ? [] : text.slice(1, -1).split('\\');
}

/** What a study's row says of its series, from their rows. */
export async function refreshStudy(tx: SqlTx, studyNo: number): Promise<void> {
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
