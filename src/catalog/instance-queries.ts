// Questions about instances by their UID: every object that claims it, and the one that is shown.
//
// Left out on purpose: searching by anything else (study-search.ts).

import type { TenantId } from '../base/index.ts';
import { hexOf, idOfBytes } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { textValue } from './storable.ts';

/** An object that claims an instance UID. */
export type InstanceClaim = {
  readonly id: string;
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly classUid: string;
  readonly syntaxUid: string;
  readonly rank: number;
  readonly shown: boolean;
  readonly sizeBytes: number;
  /** SHA-256 of the data set, in hex. */
  readonly digest: string;
};

const claimsMax = 1000;
const classesMax = 1000;

type SelectedClaim = {
  entry_id: Uint8Array;
  study_uid: string;
  series_uid: string;
  class_uid: string;
  syntax_uid: string;
  item_rank: number;
  shown: number;
  size_bytes: number;
  digest: Uint8Array | null;
};

export class InstanceQueries {
  readonly #sql: SqlTx;

  constructor(sql: SqlTx) {
    this.#sql = sql;
  }

  /** The live objects that claim this UID, the shown one first. */
  async claims(tenant: TenantId, instanceUid: string): Promise<InstanceClaim[]> {
    // Nearly always there is none, and the index alone tells.
    const known = 'SELECT 1 AS there FROM instances WHERE tenant = ? AND instance_uid = ? LIMIT 1';
    if ((await this.#sql.one(known, [tenant, textValue(instanceUid)])) === undefined) return [];
    const rows = await this.#sql.all<SelectedClaim>(
      `SELECT i.entry_id, s.study_uid, e.series_uid, i.class_uid, i.syntax_uid, i.item_rank, i.shown, i.size_bytes, o.digest
        FROM instances i JOIN series e ON e.series_no = i.series_no JOIN studies s ON s.study_no = e.study_no
        JOIN objects o ON o.entry_id = i.entry_id
        WHERE i.tenant = ? AND i.instance_uid = ? AND i.state = 0
        ORDER BY i.shown DESC, i.item_rank DESC, i.created_ms, i.entry_id LIMIT ?`,
      [tenant, textValue(instanceUid), claimsMax],
    );
    return rows.map((row) => ({
      id: idOfBytes(row.entry_id),
      studyUid: row.study_uid,
      seriesUid: row.series_uid,
      classUid: row.class_uid,
      syntaxUid: row.syntax_uid,
      rank: row.item_rank,
      shown: row.shown === 1,
      sizeBytes: row.size_bytes,
      digest: hexOf(row.digest ?? new Uint8Array(0)),
    }));
  }

  /** The SOP classes of what is shown of a study. */
  async classesOfStudy(tenant: TenantId, studyUid: string): Promise<string[]> {
    const rows = await this.#sql.all<{ class_uid: string }>(
      `SELECT DISTINCT i.class_uid FROM studies s JOIN series e ON e.study_no = s.study_no
          JOIN instances i ON i.series_no = e.series_no AND i.shown = 1
        WHERE s.tenant = ? AND s.study_uid = ? ORDER BY i.class_uid LIMIT ?`,
      [tenant, textValue(studyUid), classesMax],
    );
    return rows.map((row) => row.class_uid);
  }
}
