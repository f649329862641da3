// Questions about instances by their UID: every object that claims it, and the one that is shown.
//
// Left out on purpose: searching by anything else (study-search.ts).

import type { TenantId } from '../base/index.ts';
import { hexOf, idOfBytes } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { listOfText } from './refresh-studies.ts';
import { type SettledMember, type SettledSeries, uidHash } from './settled-series.ts';
import { textValue } from './storable.ts';

/** An object that claims an instance UID. */
export type InstanceClaim = {
  readonly id: string;
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly instanceUid: string;
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
  readonly #settled: SettledSeries;

  constructor(sql: SqlTx, settled: SettledSeries) {
    this.#sql = sql;
    this.#settled = settled;
  }

  /** The live objects that claim this UID, the shown one first. */
  async claims(tenant: TenantId, instanceUid: string): Promise<InstanceClaim[]> {
    // Nearly always there is none, and two indexes tell.
    const known = `SELECT 1 AS there FROM instances WHERE tenant = ? AND instance_uid = ?
      UNION ALL SELECT 1 AS there FROM settled_uids WHERE uid_hash = ? LIMIT 1`;
    const values = [tenant, textValue(instanceUid), uidHash(instanceUid)];
    if ((await this.#sql.one(known, values)) === undefined) return [];
    const rows = await this.#sql.all<SelectedClaim>(
      `SELECT i.entry_id, s.study_uid, e.series_uid, i.class_uid, i.syntax_uid, i.item_rank, i.shown, i.size_bytes, o.digest
        FROM instances i JOIN series e ON e.series_no = i.series_no JOIN studies s ON s.study_no = e.study_no
        JOIN objects o ON o.entry_id = i.entry_id
        WHERE i.tenant = ? AND i.instance_uid = ? AND i.state = 0
        ORDER BY i.shown DESC, i.item_rank DESC, i.created_ms, i.entry_id LIMIT ?`,
      [tenant, textValue(instanceUid), claimsMax],
    );
    const claims = rows.map((row) => ({
      id: idOfBytes(row.entry_id),
      studyUid: row.study_uid,
      seriesUid: row.series_uid,
      instanceUid,
      classUid: row.class_uid,
      syntaxUid: row.syntax_uid,
      rank: row.item_rank,
      shown: row.shown === 1,
      sizeBytes: row.size_bytes,
      digest: hexOf(row.digest ?? new Uint8Array(0)),
    }));
    // Rows before bundles: what settles between is told by both, and never by none.
    const settled = (await this.#settled.withUids(this.#sql, [instanceUid]))
      .filter(({ member }) => member.instance.tenant === tenant && !claims.some(({ id }) => id === member.object.id))
      .map(claimOf);
    return settled.length === 0 ? claims : [...claims, ...settled].sort(shownFirst);
  }

  /** The SOP classes of what is shown of a study. */
  async classesOfStudy(tenant: TenantId, studyUid: string): Promise<string[]> {
    const settled = await this.#sql.all<{ classes: string }>(
      `SELECT DISTINCT b.classes FROM studies s JOIN series e ON e.study_no = s.study_no
          JOIN bundles b ON b.series_no = e.series_no AND b.member_count > 0
        WHERE s.tenant = ? AND s.study_uid = ? ORDER BY b.classes LIMIT ?`,
      [tenant, textValue(studyUid), classesMax],
    );
    const rows = await this.#sql.all<{ class_uid: string }>(
      `SELECT DISTINCT i.class_uid FROM studies s JOIN series e ON e.study_no = s.study_no
          JOIN instances i ON i.series_no = e.series_no AND i.shown = 1
        WHERE s.tenant = ? AND s.study_uid = ? ORDER BY i.class_uid LIMIT ?`,
      [tenant, textValue(studyUid), classesMax],
    );
    return [
      ...new Set([...rows.map((row) => row.class_uid), ...settled.flatMap((row) => listOfText(row.classes))]),
    ].sort();
  }
}

function claimOf({ member, shown }: SettledMember): InstanceClaim {
  const { object, instance } = member;
  return {
    id: object.id,
    studyUid: instance.studyUid,
    seriesUid: instance.seriesUid,
    instanceUid: instance.instanceUid,
    classUid: instance.classUid,
    syntaxUid: instance.syntaxUid,
    rank: instance.rank,
    shown,
    sizeBytes: instance.sizeBytes,
    digest: hexOf(object.digest ?? new Uint8Array(0)),
  };
}

function shownFirst(a: InstanceClaim, b: InstanceClaim): number {
  return Number(b.shown) - Number(a.shown) || b.rank - a.rank || (a.id < b.id ? -1 : 1);
}
