// Questions about documents: the versions of one, and those of a patient.
//
// Invariant: a list has a limit; deleted versions are not in it.

import type { TenantId } from '../base/index.ts';
import { idOfBytes } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import type { PatientKey } from './changes.ts';
import { textValue } from './storable.ts';

export type DocumentRow = {
  readonly number: number;
  readonly entryId: string;
  readonly title: string | undefined;
  readonly documentType: string | undefined;
  readonly createdMs: number;
};

const documentsMax = 1000;

type SelectedDocument = {
  number: number;
  entry_id: Uint8Array;
  title: string | null;
  document_type: string | null;
  created_ms: number;
};

export class DocumentQueries {
  readonly #sql: SqlTx;

  constructor(sql: SqlTx) {
    this.#sql = sql;
  }

  /** The versions of a document that were not deleted, newest first. */
  async ofFamily(tenant: TenantId, family: Uint8Array): Promise<DocumentRow[]> {
    const rows = await this.#sql.all<SelectedDocument>(
      `SELECT number, entry_id, title, document_type, created_ms FROM documents
        WHERE tenant = ? AND family = ? AND state = 0 ORDER BY number DESC LIMIT ?`,
      [tenant, family, documentsMax],
    );
    return rows.map(documentOf);
  }

  /** Documents of a patient, newest first. */
  async ofPatient(key: PatientKey): Promise<DocumentRow[]> {
    const rows = await this.#sql.all<SelectedDocument>(
      `SELECT d.number, d.entry_id, d.title, d.document_type, d.created_ms
        FROM patients p JOIN documents d ON d.patient_no = p.patient_no
        WHERE p.tenant = ? AND p.patient_id = ? AND p.issuer = ? AND d.state = 0
        ORDER BY d.created_ms DESC, d.document_no DESC LIMIT ?`,
      [key.tenant, textValue(key.patientId), textValue(key.issuer), documentsMax],
    );
    return rows.map(documentOf);
  }
}

function documentOf(row: SelectedDocument): DocumentRow {
  return {
    number: row.number,
    entryId: idOfBytes(row.entry_id),
    title: row.title ?? undefined,
    documentType: row.document_type ?? undefined,
    createdMs: row.created_ms,
  };
}
