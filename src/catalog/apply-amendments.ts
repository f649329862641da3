// Amendments and their withdrawals as rows, and what follows from them in the rows of patients and studies.
//
// Invariants: latest wins by tenant and id; the patients that an amendment names have rows from then on, also when it was withdrawn before it came, so the
// order of arrival leaves no trace; an event of one tenant never touches another's.

import { bytesOfId } from '../base/index.ts';
import { amendmentJson, type PatientName } from '../format/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { patientNumber } from './apply-studies.ts';
import type { ChangeOf } from './changes.ts';
import { applyLatest } from './latest-rows.ts';
import type { NumbersTx } from './numbers.ts';
import { revisePatient, reviseStudy } from './revise-amended.ts';
import { optional, textValue } from './storable.ts';

type Scope = {
  readonly study: string | undefined;
  readonly patient: PatientName | undefined;
  readonly target: PatientName | undefined;
};

function scopeOf(said: ChangeOf<'amendment'>['said']): Scope {
  switch (said.type) {
    case 'merged':
      return { study: undefined, patient: said.from, target: said.into };
    case 'moved':
      return { study: said.study, patient: undefined, target: said.to };
    case 'corrected':
    case 'decoded':
      return { study: said.study, patient: said.patient, target: undefined };
    case 'originals':
      return { study: said.study, patient: undefined, target: undefined };
  }
}

export async function applyAmendment(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'amendment'>): Promise<void> {
  const { tenant, said, version } = change;
  const scope = scopeOf(said);
  const numberOf = async (patient: PatientName | undefined): Promise<number | null> =>
    patient === undefined ? null : patientNumber(tx, { tenant, ...patient });
  const [patientNo, targetNo] = [await numberOf(scope.patient), await numberOf(scope.target)];
  numbers.noteAmendment();
  const won = await applyLatest(tx, numbers, {
    table: 'amendments',
    key: { tenant, amendment_id: bytesOfId(said.id) },
    cells: {
      type: said.type,
      group_no: numbers.group(change.group),
      study_uid: optional(scope.study, textValue),
      patient_no: patientNo,
      target_no: targetNo,
      body: textValue(JSON.stringify(amendmentJson(said))),
      name_keys: JSON.stringify(change.nameKeys),
      search: optional(change.search, textValue),
    },
    version,
  });
  if (won) await revise(tx, { tenant, study: scope.study, patients: [patientNo, targetNo] });
}

export async function applyWithdrawal(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'withdrawal'>): Promise<void> {
  const { tenant, said, version } = change;
  const id = bytesOfId(said.amendment);
  const won = await applyLatest(tx, numbers, {
    table: 'withdrawals',
    key: { tenant, amendment_id: id },
    cells: { group_no: numbers.group(change.group), body: textValue(JSON.stringify(amendmentJson(said))) },
    version,
  });
  if (!won) return;
  const found = await tx.one<{ no: number; study: string | null; patient: number | null; target: number | null }>(
    `SELECT amendment_no AS no, study_uid AS study, patient_no AS patient, target_no AS target FROM amendments
      WHERE tenant = ? AND amendment_id = ?`,
    [tenant, id],
  );
  if (found === undefined) return;
  await tx.run('DELETE FROM patient_keys WHERE amendment_no = ?', [found.no]);
  await tx.run('DELETE FROM patient_names WHERE amendment_no = ?', [found.no]);
  await revise(tx, { tenant, study: found.study ?? undefined, patients: [found.patient, found.target] });
}

async function revise(
  tx: SqlTx,
  about: { readonly tenant: number; readonly study: string | undefined; readonly patients: readonly (number | null)[] },
): Promise<void> {
  for (const no of about.patients) if (no !== null) await revisePatient(tx, no);
  if (about.study === undefined) return;
  const statement = 'SELECT study_no AS no FROM studies WHERE tenant = ? AND study_uid = ?';
  const study = await tx.one<{ no: number }>(statement, [about.tenant, textValue(about.study)]);
  if (study !== undefined) await reviseStudy(tx, study.no);
}
