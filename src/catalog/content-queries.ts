// Where contents lie: what a reader of many objects asks, and nothing else of them.

import { bytesOfId, idOfBytes, type KeyGroup, type RecordId, tenantId, writerId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import { stateNumbers } from './apply-objects.ts';
import type { SettledSeries } from './settled-series.ts';
import { groupIdOf } from './storable.ts';

/** What an object holds. */
export type ObjectContent = {
  readonly ref: RecordId;
  /** Of its first record; its reference is the last. */
  readonly firstSequence: bigint;
  readonly sizeBytes: number;
  readonly group: KeyGroup;
};

type SelectedContent = {
  entry_id: Uint8Array;
  size_bytes: bigint;
  ref_seq: bigint;
  first_seq: bigint;
  ref_writer: Uint8Array;
  tenant: bigint;
  year: bigint;
  group_id: Uint8Array;
};

function contentOf(row: SelectedContent): ObjectContent {
  return {
    ref: { writer: writerId(idOfBytes(row.ref_writer)), sequence: row.ref_seq },
    firstSequence: row.first_seq,
    sizeBytes: Number(row.size_bytes),
    group: { tenant: tenantId(Number(row.tenant)), year: Number(row.year), group: groupIdOf(row.group_id) },
  };
}

export class ContentQueries {
  readonly #sql: SqlTx;

  readonly #settled: SettledSeries;

  constructor(sql: SqlTx, settled: SettledSeries) {
    this.#sql = sql;
    this.#settled = settled;
  }

  /** Of live objects of instances, by their ids, whether they have rows or are settled; what has no bytes is not among them. */
  async ofInstances(
    instances: readonly { readonly id: string; readonly instanceUid: string }[],
  ): Promise<Map<string, ObjectContent>> {
    const found = await this.#ofRows(instances.map(({ id }) => id));
    const left = instances.filter(({ id }) => !found.has(id));
    if (left.length === 0) return found;
    const wanted = new Set(left.map(({ id }) => id));
    const uids = left.map(({ instanceUid }) => instanceUid);
    for (const { member } of await this.#settled.withUids(this.#sql, uids)) {
      const { id, ref, firstSequence, sizeBytes, group } = member.object;
      if (wanted.has(id) && ref !== undefined)
        found.set(id, { ref, firstSequence: firstSequence ?? ref.sequence, sizeBytes, group });
    }
    return found;
  }

  async #ofRows(ids: readonly string[]): Promise<Map<string, ObjectContent>> {
    const found = new Map<string, ObjectContent>();
    for (const piece of pieces(ids, inListMax)) {
      const rows = await this.#sql.all<SelectedContent>(
        `SELECT o.entry_id, o.size_bytes, o.ref_seq, o.first_seq, rw.id AS ref_writer, g.tenant, g.year, g.group_id
          FROM objects o JOIN key_groups g ON g.group_no = o.group_no JOIN writers rw ON rw.writer_no = o.ref_writer_no
          WHERE o.state = ${stateNumbers.live} AND o.entry_id IN ${inList(piece.length)}`,
        inValues(piece.map((id) => bytesOfId(id))),
        'bigint',
      );
      for (const row of rows) found.set(idOfBytes(row.entry_id), contentOf(row));
    }
    return found;
  }
}
