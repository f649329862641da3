// Questions about amendments: what is in force of a study's data sets, and the history of a study or a patient, withdrawn ones too.
//
// Left out on purpose: what they do to a data set, and who may make them.

import { bytesOfId, type KeyGroup, type TenantId, tenantId } from '../base/index.ts';
import {
  type AmendmentEvent,
  type AmendmentFact,
  amendmentOfJson,
  isAmendmentType,
  type PatientName,
} from '../format/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import { inForce, linkedPatients, patientNames } from './amendment-rows.ts';
import type { PatientKey } from './changes.ts';
import { rootsOf } from './resolve-amendments.ts';
import { groupIdOf, textValue } from './storable.ts';

/** What amends the data sets of a study, in the order of versions, and whom they name. */
export type StudyAmendments = { readonly patient: PatientName; readonly list: readonly AmendmentEvent[] };

export type AmendmentRow = {
  readonly said: AmendmentFact;
  readonly group: KeyGroup;
  readonly withdrawn: { readonly by: string; readonly why: string; readonly createdMs: number } | undefined;
};

/** A patient as headers name them, and who they are in the end. */
export type KnownPatient = {
  readonly patient: PatientName;
  readonly root: PatientName;
  /** What headers say, without amendments. */
  readonly said: Readonly<Record<string, string>>;
  /** What is shown. */
  readonly shown: Readonly<Record<string, string>>;
  /** Described by a header. */
  readonly described: boolean;
  readonly studies: number;
};

/** Amendments listed in one history. */
const historyMax = 1000;

type SelectedRow = {
  type: string;
  body: string;
  withdrawal: string | null;
  group_id: Uint8Array;
  tenant: number;
  year: number;
};

const rowColumns = `a.type, a.body, x.body AS withdrawal, g.group_id, g.tenant, g.year
  FROM amendments a JOIN key_groups g ON g.group_no = a.group_no
  LEFT JOIN withdrawals x ON x.tenant = a.tenant AND x.amendment_id = a.amendment_id`;

const patientFields = { name: 'PatientName', birth_date: 'PatientBirthDate', sex: 'PatientSex' } as const;

export class AmendmentQueries {
  readonly #sql: SqlTx;

  constructor(sql: SqlTx) {
    this.#sql = sql;
  }

  /** undefined: no such study is described. */
  async ofStudy(tenant: TenantId, study: string): Promise<StudyAmendments | undefined> {
    const row = await this.#sql.one<{ study_no: number; said_patient_no: number | null }>(
      'SELECT study_no, said_patient_no FROM studies WHERE tenant = ? AND study_uid = ?',
      [tenant, textValue(study)],
    );
    if (row === undefined || row.said_patient_no === null) return undefined;
    const named = await this.#sql.all<{ no: number }>(
      `SELECT patient_no AS no FROM study_patients WHERE study_no = ?
        UNION SELECT target_no AS no FROM amendments WHERE tenant = ? AND study_uid = ? AND type = 'moved'`,
      [row.study_no, tenant, textValue(study)],
    );
    const linked = await linkedPatients(this.#sql, [row.said_patient_no, ...named.map((each) => each.no)]);
    const list = await inForce(this.#sql, { patients: linked, study: { tenant, uid: textValue(study) } });
    const [patient] = await patientNames(this.#sql, [row.said_patient_no]);
    if (patient === undefined) return undefined;
    const { patientId, issuer } = patient;
    return { patient: { patientId, issuer }, list: list.map((each) => each.event) };
  }

  /** Everything that was said of a study itself, in the order in which it was. */
  async historyOfStudy(tenant: TenantId, study: string): Promise<AmendmentRow[]> {
    return this.#rows('a.tenant = ? AND a.study_uid = ?', [tenant, textValue(study)]);
  }

  /** Everything that was said of these patients and of those that merges link with them. */
  async historyOfPatient(key: PatientKey): Promise<AmendmentRow[]> {
    const found = await this.#numberOf(key);
    if (found === undefined) return [];
    const rows: AmendmentRow[] = [];
    for (const piece of pieces(await linkedPatients(this.#sql, [found]), inListMax))
      rows.push(
        ...(await this.#rows(
          `a.type IN ('merged', 'corrected') AND a.patient_no IN ${inList(piece.length)}`,
          inValues(piece),
        )),
      );
    return rows;
  }

  /** One by its id. */
  async one(tenant: TenantId, id: string): Promise<AmendmentRow | undefined> {
    const [row] = await this.#rows('a.tenant = ? AND a.amendment_id = ?', [tenant, bytesOfId(id)]);
    return row;
  }

  async #rows(where: string, values: readonly SqlValue[]): Promise<AmendmentRow[]> {
    const rows = await this.#sql.all<SelectedRow>(
      `SELECT ${rowColumns} WHERE ${where} ORDER BY a.hybrid, a.amendment_id LIMIT ${historyMax}`,
      values,
    );
    return rows.flatMap((row) => {
      const said = factOf(row.type, row.body);
      if (said === undefined) return [];
      const withdrawal = row.withdrawal === null ? undefined : factOf('withdrawn', row.withdrawal);
      return [
        {
          said,
          group: { tenant: tenantId(row.tenant), year: row.year, group: groupIdOf(row.group_id) },
          withdrawn: withdrawal && { by: withdrawal.by, why: withdrawal.why, createdMs: withdrawal.createdMs },
        },
      ];
    });
  }

  async #numberOf({ tenant, patientId, issuer }: PatientKey): Promise<number | undefined> {
    const statement = 'SELECT patient_no AS no FROM patients WHERE tenant = ? AND patient_id = ? AND issuer = ?';
    return (await this.#sql.one<{ no: number }>(statement, [tenant, textValue(patientId), textValue(issuer)]))?.no;
  }

  /** Those that have this id, of whatever issuer; described ones, and ones that an amendment names. */
  async withId(tenant: TenantId, patientId: string): Promise<PatientName[]> {
    const rows = await this.#sql.all<{ issuer: string }>(
      'SELECT issuer FROM patients WHERE tenant = ? AND patient_id = ? ORDER BY issuer LIMIT 100',
      [tenant, textValue(patientId)],
    );
    return rows.map(({ issuer }) => ({ patientId, issuer }));
  }

  /** The patient and everybody whom merges make one with them. */
  async patients(key: PatientKey): Promise<KnownPatient[]> {
    const no = await this.#numberOf(key);
    if (no === undefined) return [];
    const linked = await linkedPatients(this.#sql, [no]);
    const list = await inForce(this.#sql, { patients: linked });
    const rootOf = rootsOf(list.map((each) => each.event));
    const known: KnownPatient[] = [];
    for (const piece of pieces(linked, inListMax)) {
      const rows = await this.#sql.all<PatientCells>(
        `SELECT p.patient_id, p.issuer, p.name, p.birth_date, p.sex, p.said, p.rec_writer_no,
            CAST((SELECT count(*) FROM studies s WHERE s.patient_no = p.patient_no) AS INTEGER) AS studies
          FROM patients p WHERE p.patient_no IN ${inList(piece.length)}`,
        inValues(piece),
      );
      for (const row of rows) {
        const patient = { patientId: row.patient_id, issuer: row.issuer };
        const shown = attributesOf(row);
        const said = row.said === null ? shown : attributesOf(JSON.parse(row.said) as PatientTexts);
        const root = rootOf(patient);
        known.push({ patient, root, said, shown, described: row.rec_writer_no > 0, studies: row.studies });
      }
    }
    return known;
  }
}

type PatientTexts = { readonly name: string | null; readonly birth_date: string | null; readonly sex: string | null };
type PatientCells = PatientTexts & {
  readonly patient_id: string;
  readonly issuer: string;
  readonly said: string | null;
  readonly rec_writer_no: number;
  readonly studies: number;
};

function attributesOf(row: PatientTexts): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [column, keyword] of Object.entries(patientFields)) {
    const text = row[column as keyof PatientTexts];
    if (text !== null && text !== undefined) attributes[keyword] = text;
  }
  return attributes;
}

function factOf(type: string, body: string): AmendmentFact | undefined {
  return isAmendmentType(type) ? amendmentOfJson(type, JSON.parse(body) as Record<string, unknown>) : undefined;
}
