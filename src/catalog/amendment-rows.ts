// Rows of amendments read back as what they say, those in force, and how far a merge reaches.
//
// Invariants: what is in force comes in the order of versions, which is the same in every archive; an amendment that was withdrawn is not among it,
// whichever of the two came first.

import { hexOf } from '../base/index.ts';
import { type AmendmentEvent, amendmentOfJson, isAmendmentType, type PatientName } from '../format/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';

/** An amendment in force. */
export type InForce = {
  readonly no: number;
  readonly event: AmendmentEvent;
  readonly nameKeys: readonly string[];
  readonly search: string | undefined;
};

type SelectedAmendment = {
  amendment_no: bigint;
  type: string;
  body: string;
  name_keys: string;
  search: string | null;
  hybrid: bigint;
  writer: Uint8Array | null;
  rec_seq: bigint;
};

/** What `amendmentJson` made. */
export function eventOf(type: string, body: string): AmendmentEvent | undefined {
  if (!isAmendmentType(type)) return undefined;
  const event = amendmentOfJson(type, JSON.parse(body) as Record<string, unknown>);
  return event.type === 'withdrawn' || event.type === 'originals' ? undefined : event;
}

async function inForceWhere(tx: SqlTx, where: string, values: readonly SqlValue[]): Promise<SelectedAmendment[]> {
  return tx.all<SelectedAmendment>(
    `SELECT a.amendment_no, a.type, a.body, a.name_keys, a.search, a.hybrid, w.id AS writer, a.rec_seq
      FROM amendments a LEFT JOIN writers w ON w.writer_no = a.rec_writer_no
      WHERE ${where} AND NOT EXISTS (
        SELECT 1 FROM withdrawals x WHERE x.tenant = a.tenant AND x.amendment_id = a.amendment_id)`,
    values,
    'bigint',
  );
}

/** What is in force of these patients and of this study, in the order of versions. */
export async function inForce(
  tx: SqlTx,
  about: { readonly patients: readonly number[]; readonly study?: { readonly tenant: number; readonly uid: string } },
): Promise<InForce[]> {
  const rows = new Map<bigint, SelectedAmendment>();
  const take = async (where: string, values: readonly SqlValue[]): Promise<void> => {
    for (const row of await inForceWhere(tx, where, values)) rows.set(row.amendment_no, row);
  };
  for (const piece of pieces(about.patients, inListMax)) {
    await take(`a.patient_no IN ${inList(piece.length)}`, inValues(piece));
    await take(`a.target_no IN ${inList(piece.length)}`, inValues(piece));
  }
  const { study } = about;
  if (study !== undefined) await take('a.tenant = ? AND a.study_uid = ?', [study.tenant, study.uid]);
  return [...rows.values()].sort(byVersion).flatMap((row) => {
    const event = eventOf(row.type, row.body);
    const nameKeys = JSON.parse(row.name_keys) as string[];
    return event === undefined
      ? []
      : [{ no: Number(row.amendment_no), event, nameKeys, search: row.search ?? undefined }];
  });
}

function byVersion(one: SelectedAmendment, other: SelectedAmendment): number {
  if (one.hybrid !== other.hybrid) return one.hybrid < other.hybrid ? -1 : 1;
  const [mine, theirs] = [one.writer, other.writer].map((id) => (id === null ? '' : hexOf(id)));
  if (mine !== theirs) return (mine ?? '') < (theirs ?? '') ? -1 : 1;
  return one.rec_seq < other.rec_seq ? -1 : 1;
}

/** These patients and all that merges, withdrawn ones too, link with them. */
export async function linkedPatients(tx: SqlTx, seeds: readonly number[]): Promise<number[]> {
  const found = new Set(seeds);
  for (let fresh = [...found]; fresh.length > 0; ) {
    const next: number[] = [];
    for (const piece of pieces(fresh, inListMax)) {
      for (const [from, to] of [
        ['patient_no', 'target_no'],
        ['target_no', 'patient_no'],
      ] as const) {
        const rows = await tx.all<{ no: number }>(
          `SELECT ${to} AS no FROM amendments WHERE type = 'merged' AND ${from} IN ${inList(piece.length)}`,
          inValues(piece),
        );
        for (const { no } of rows) {
          if (found.has(no)) continue;
          found.add(no);
          next.push(no);
        }
      }
    }
    fresh = next;
  }
  return [...found];
}

export type PatientNumber = PatientName & { readonly no: number; readonly tenant: number };

export async function patientNames(tx: SqlTx, numbers: readonly number[]): Promise<PatientNumber[]> {
  const names: PatientNumber[] = [];
  for (const piece of pieces(numbers, inListMax)) {
    const rows = await tx.all<{ no: number; tenant: number; patient_id: string; issuer: string }>(
      `SELECT patient_no AS no, tenant, patient_id, issuer FROM patients WHERE patient_no IN ${inList(piece.length)}`,
      inValues(piece),
    );
    for (const { no, tenant, patient_id, issuer } of rows) names.push({ no, tenant, patientId: patient_id, issuer });
  }
  return names;
}
