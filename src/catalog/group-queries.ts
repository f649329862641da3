// Questions about key groups: which group a family has, which wait to be settled, which were shredded.
//
// Invariants: a family's group is the oldest one that was not shredded, the same on every machine; a group waits for settling from
// its first write after it was last settled, and is given out when it has been quiet.
// Left out on purpose: when to settle (policy) and how (the vault).

import type { HybridTime, KeyGroup, TenantId } from '../base/index.ts';
import { assert, tenantId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import type { Numbers } from './numbers.ts';
import type { Page, SequenceRange } from './object-queries.ts';
import { pageLimit } from './object-queries.ts';
import { groupIdBytes, groupIdOf, hybridValue, sequenceValue } from './storable.ts';

export type GroupRow = {
  readonly group: KeyGroup;
  readonly family: Uint8Array | undefined;
  /** First and last writing; undefined while nothing was written to it. */
  readonly first: HybridTime | undefined;
  readonly last: HybridTime | undefined;
  readonly settledThrough: HybridTime | undefined;
};

export type GroupCursor = { readonly last: HybridTime; readonly groupNo: number };

export type ShredRow = { readonly group: KeyGroup; readonly generation: bigint };

/** Ranges asked about in one call. */
export const rangesMax = 64;

type SelectedGroup = {
  group_no: bigint;
  group_id: Uint8Array;
  tenant: bigint;
  year: bigint;
  first_hybrid: bigint;
  last_hybrid: bigint;
  settled_hybrid: bigint;
  family: Uint8Array | null;
};

const select = `SELECT g.group_no, g.group_id, g.tenant, g.year, g.first_hybrid, g.last_hybrid, g.settled_hybrid, g.family
  FROM key_groups g`;

function keyGroupOf(row: { tenant: bigint; year: bigint; group_id: Uint8Array }): KeyGroup {
  return { tenant: tenantId(Number(row.tenant)), year: Number(row.year), group: groupIdOf(row.group_id) };
}

function rowOf(row: SelectedGroup): GroupRow {
  const written = row.last_hybrid > 0n;
  return {
    group: keyGroupOf(row),
    family: row.family ?? undefined,
    first: written ? row.first_hybrid : undefined,
    last: written ? row.last_hybrid : undefined,
    settledThrough: row.settled_hybrid > 0n ? row.settled_hybrid : undefined,
  };
}

export class GroupQueries {
  readonly #sql: SqlTx;
  readonly #numbers: Numbers;

  constructor(sql: SqlTx, numbers: Numbers) {
    this.#sql = sql;
    this.#numbers = numbers;
  }

  async find(group: KeyGroup): Promise<GroupRow | undefined> {
    const row = await this.#sql.one<SelectedGroup>(
      `${select} WHERE g.group_id = ? AND g.year = ? AND g.tenant = ?`,
      [groupIdBytes(group.group), group.year, group.tenant],
      'bigint',
    );
    return row === undefined ? undefined : rowOf(row);
  }

  /** The group a family's next version goes to; undefined when it has none whose key is still there. */
  async ofFamily(tenant: TenantId, family: Uint8Array): Promise<KeyGroup | undefined> {
    const row = await this.#sql.one<SelectedGroup>(
      `${select} WHERE g.tenant = ? AND g.family = ? AND NOT EXISTS (SELECT 1 FROM shreds s WHERE s.group_no = g.group_no)
        ORDER BY g.first_hybrid, g.group_id LIMIT 1`,
      [tenant, family],
      'bigint',
    );
    return row === undefined ? undefined : keyGroupOf(row);
  }

  /**
   * Groups written to since they were settled, but not since `quietBefore`, longest quiet first; with `ranges`, those with content
   * there. A page may hold fewer than `limit` and still go on.
   */
  async toSettle(options: {
    quietBefore: HybridTime;
    ranges?: readonly SequenceRange[] | undefined;
    after?: GroupCursor | undefined;
    limit: number;
  }): Promise<Page<GroupRow, GroupCursor>> {
    const { after, ranges } = options;
    assert(ranges === undefined || (ranges.length > 0 && ranges.length <= rangesMax), `1 to ${rangesMax} ranges`);
    const limit = pageLimit(options.limit);
    const last = after?.last ?? 0n;
    const found = await this.#sql.all<SelectedGroup>(
      `${select} WHERE g.last_hybrid > g.settled_hybrid AND g.last_hybrid < ? AND g.last_hybrid >= ?
          AND (g.last_hybrid > ? OR g.group_no > ?)
        ORDER BY g.last_hybrid, g.group_no LIMIT ?`,
      [hybridValue(options.quietBefore), last, last, after?.groupNo ?? 0, limit],
      'bigint',
    );
    const rows: GroupRow[] = [];
    for (const row of found) {
      if (ranges === undefined || (await this.#hasContent(Number(row.group_no), ranges))) rows.push(rowOf(row));
    }
    const end = found.length < limit ? undefined : found[found.length - 1];
    return { rows, next: end === undefined ? undefined : { last: end.last_hybrid, groupNo: Number(end.group_no) } };
  }

  async #hasContent(groupNo: number, ranges: readonly SequenceRange[]): Promise<boolean> {
    for (const range of ranges) {
      const writerNo = await this.#numbers.writer(this.#sql, range.writer);
      if (writerNo === undefined) continue;
      const statement = `SELECT 1 AS there FROM objects WHERE group_no = ? AND digest IS NOT NULL AND ref_writer_no = ?
        AND ref_seq >= ? AND first_seq <= ? AND state < 2 LIMIT 1`;
      const values = [groupNo, writerNo, sequenceValue(range.first), sequenceValue(range.last)];
      if ((await this.#sql.one(statement, values)) !== undefined) return true;
    }
    return false;
  }

  async shredded(group: KeyGroup): Promise<ShredRow | undefined> {
    const groupNo = await this.#numbers.group(this.#sql, group);
    if (groupNo === undefined) return undefined;
    const statement = 'SELECT generation FROM shreds WHERE group_no = ?';
    const row = await this.#sql.one<{ generation: bigint }>(statement, [groupNo], 'bigint');
    return row === undefined ? undefined : { group, generation: row.generation };
  }

  async shredCount(): Promise<number> {
    const row = await this.#sql.one<{ shreds: number }>('SELECT count(*) AS shreds FROM shreds');
    return Number(row?.shreds ?? 0);
  }

  /** Every shredding, earliest generation first. */
  async shreds(): Promise<ShredRow[]> {
    const rows = await this.#sql.all<{ tenant: bigint; year: bigint; group_id: Uint8Array; generation: bigint }>(
      `SELECT g.tenant, g.year, g.group_id, s.generation FROM shreds s JOIN key_groups g ON g.group_no = s.group_no
        ORDER BY s.generation, g.tenant, g.year, g.group_id`,
      [],
      'bigint',
    );
    return rows.map((row) => ({ group: keyGroupOf(row), generation: row.generation }));
  }
}
