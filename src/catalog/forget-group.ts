// A group whose key was destroyed leaves the catalog: its names must not outlive its bytes.
//
// Invariants: what stays is what a rebuild would find, since neither entries nor events of the group can be opened any more: the group's number and
// id, and that it was shredded. Buckets' totals follow. Safe to repeat.

import type { KeyGroup } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { forgetSeriesDevices } from './apply-devices.ts';
import { stateNumbers } from './apply-objects.ts';
import { refreshPatient } from './refresh-studies.ts';
import { revisePatient } from './revise-amended.ts';
import { type SettledSeries, uidHash } from './settled-series.ts';
import { groupIdBytes } from './storable.ts';

/** First writing of a group that was never written to: later than every time. */
const never = (1n << 63n) - 1n;

type Sum = { bucket_no: number; versions: number; bytes: number; markers: number };

/** The number of objects that were forgotten. */
export async function forgetGroup(tx: SqlTx, group: KeyGroup, known: SettledSeries): Promise<number> {
  const found = await tx.one<{ no: number }>(
    'SELECT group_no AS no FROM key_groups WHERE group_id = ? AND year = ? AND tenant = ?',
    [groupIdBytes(group.group), group.year, group.tenant],
  );
  if (found === undefined) return 0;
  const sums = await tx.all<Sum>(
    `SELECT bucket_no, coalesce(sum(CASE WHEN state = ${stateNumbers.live} THEN 1 ELSE 0 END), 0) AS versions,
      CAST(coalesce(sum(CASE WHEN state = ${stateNumbers.live} THEN size_bytes ELSE 0 END), 0) AS BIGINT) AS bytes,
      coalesce(sum(CASE WHEN state = ${stateNumbers.marker} THEN 1 ELSE 0 END), 0) AS markers
      FROM objects WHERE group_no = ? GROUP BY bucket_no`,
    [found.no],
  );
  for (const { bucket_no, versions, bytes, markers } of [...sums, ...(await settledSums(tx, found.no))]) {
    await tx.run(
      'UPDATE bucket_totals SET versions = versions - ?, bytes = bytes - ?, markers = markers - ? WHERE bucket_no = ?',
      [Number(versions), Number(bytes), Number(markers), bucket_no],
    );
  }
  await tx.run('DELETE FROM documents WHERE entry_id IN (SELECT entry_id FROM objects WHERE group_no = ?)', [found.no]);
  const studies = 'SELECT study_no FROM studies WHERE group_no = ?';
  const patients = await tx.all<{ patient_no: number | null }>(
    `SELECT patient_no FROM studies WHERE group_no = ? UNION SELECT said_patient_no FROM studies WHERE group_no = ?
      UNION SELECT patient_no FROM study_patients WHERE study_no IN (${studies})
      UNION SELECT target_no FROM amendments WHERE group_no = ?`,
    [found.no, found.no, found.no, found.no],
  );
  const settled = await forgetBundles(tx, found.no, known);
  await tx.run(
    `DELETE FROM instances WHERE series_no IN (SELECT series_no FROM series WHERE study_no IN (${studies}))`,
    [found.no],
  );
  await tx.run(
    `DELETE FROM comparisons WHERE series_no IN (SELECT series_no FROM series WHERE study_no IN (${studies}))`,
    [found.no],
  );
  await forgetSeriesDevices(tx, found.no);
  await tx.run(
    `DELETE FROM quality_cases WHERE series_no IN (SELECT series_no FROM series WHERE study_no IN (${studies}))`,
    [found.no],
  );
  await tx.run(`DELETE FROM study_modalities WHERE study_no IN (${studies})`, [found.no]);
  await tx.run('DELETE FROM series WHERE study_no IN (SELECT study_no FROM studies WHERE group_no = ?)', [found.no]);
  await tx.run(`DELETE FROM study_patients WHERE study_no IN (${studies})`, [found.no]);
  await tx.run(`DELETE FROM study_accessions WHERE study_no IN (${studies})`, [found.no]);
  await tx.run('DELETE FROM studies WHERE group_no = ?', [found.no]);
  for (const table of ['patient_keys', 'patient_names'])
    await tx.run(
      `DELETE FROM ${table} WHERE amendment_no IN (SELECT amendment_no FROM amendments WHERE group_no = ?)`,
      [found.no],
    );
  await tx.run('DELETE FROM amendments WHERE group_no = ?', [found.no]);
  await tx.run('DELETE FROM withdrawals WHERE group_no = ?', [found.no]);
  for (const { patient_no } of patients) if (patient_no !== null) await forgetPatient(tx, patient_no);
  await tx.run('DELETE FROM moves WHERE group_no = ?', [found.no]);
  const { changes } = await tx.run('DELETE FROM objects WHERE group_no = ?', [found.no]);
  await tx.run(
    'UPDATE key_groups SET first_hybrid = ?, last_hybrid = 0, settled_hybrid = 0, family = NULL WHERE group_no = ?',
    [never, found.no],
  );
  return changes + settled;
}

/** What settled instances of a group come to. */
async function settledSums(tx: SqlTx, groupNo: number): Promise<Sum[]> {
  return tx.all<Sum>(
    `SELECT bucket_no, CAST(sum(member_count) AS INTEGER) AS versions, CAST(sum(size_bytes) AS BIGINT) AS bytes, 0 AS markers
      FROM bundles WHERE group_no = ? GROUP BY bucket_no`,
    [groupNo],
  );
}

/** The number of members that went. */
async function forgetBundles(tx: SqlTx, groupNo: number, known: SettledSeries): Promise<number> {
  let count = 0;
  for await (const bundle of known.bundles(tx, { where: 'b.group_no = ?', values: [groupNo] })) {
    count += bundle.members.length - bundle.gone.size;
    await tx.many(
      'DELETE FROM settled_uids WHERE uid_hash = ? AND series_no = ?',
      bundle.members.map(({ instance }) => [uidHash(instance.instanceUid), bundle.seriesNo]),
    );
  }
  await tx.run('DELETE FROM bundles WHERE group_no = ?', [groupNo]);
  return count;
}

/** A patient nothing is left of. Where something is, what is known of the patient was said by that too. */
async function forgetPatient(tx: SqlTx, patientNo: number): Promise<void> {
  const left = await tx.one(
    `SELECT 1 AS there WHERE EXISTS (SELECT 1 FROM studies WHERE patient_no = ? AND said_patient_no = patient_no)
      OR EXISTS (SELECT 1 FROM studies WHERE said_patient_no = ? AND said_patient_no <> patient_no)
      OR EXISTS (SELECT 1 FROM study_patients WHERE patient_no = ?)
      OR EXISTS (SELECT 1 FROM documents WHERE patient_no = ?)`,
    [patientNo, patientNo, patientNo, patientNo],
  );
  if (left !== undefined) {
    await refreshPatient(tx, patientNo);
    return;
  }
  const amended = await tx.one(
    `SELECT 1 AS there WHERE EXISTS (SELECT 1 FROM amendments WHERE patient_no = ?)
      OR EXISTS (SELECT 1 FROM amendments WHERE target_no = ?)`,
    [patientNo, patientNo],
  );
  const root = await tx.one<{ no: number | null }>('SELECT root_no AS no FROM patients WHERE patient_no = ?', [
    patientNo,
  ]);
  await tx.run('DELETE FROM patient_keys WHERE root_no = ? AND patient_no = ?', [root?.no ?? patientNo, patientNo]);
  await tx.run('DELETE FROM patient_names WHERE patient_no = ?', [patientNo]);
  if (amended === undefined) {
    await tx.run('DELETE FROM patients WHERE patient_no = ?', [patientNo]);
    return;
  }
  // No header that can still be read describes the patient; amendments name them all the same.
  await tx.run(
    `UPDATE patients SET name = NULL, birth_date = NULL, sex = NULL, said = NULL, hybrid = 0, rec_writer_no = 0, rec_seq = 0
      WHERE patient_no = ?`,
    [patientNo],
  );
  await revisePatient(tx, patientNo);
}
