// Questions about objects: by name, by version, by content, by where the content lies, by group.
//
// Invariants: a page has at most `rowsPerPageMax` rows and says where the next one begins; a cursor stays valid while rows come and
// go. Left out on purpose: listings by prefix and folder (object-listing.ts).

import type { KeyGroup, TenantId, WriterId } from '../base/index.ts';
import { assert, bytesEqual, bytesOfId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { stateNumbers } from './apply-objects.ts';
import { instanceUidOfKey } from './instance-bucket.ts';
import type { Numbers } from './numbers.ts';
import type { ObjectRow } from './object-rows.ts';
import { compareNewest, newestFirst, selectObjects, settledObject } from './object-rows.ts';
import type { SettledSeries } from './settled-series.ts';
import { digestValue, sequenceValue } from './storable.ts';

export const rowsPerPageMax = 1000;

export type Page<Row, Cursor> = { readonly rows: Row[]; readonly next: Cursor | undefined };

/** Where a page by reference goes on. */
export type RangeCursor = { readonly span: number; readonly firstSequence: bigint; readonly objectNo: number };

/** Where a page of a group goes on. */
export type ContentCursor = { readonly digestHead: Uint8Array; readonly objectNo: number };

/** A run of one writer's records, both ends included. */
export type SequenceRange = { readonly writer: WriterId; readonly first: bigint; readonly last: bigint };

export type Totals = { readonly versions: number; readonly bytes: number; readonly markers: number };

export function pageLimit(limit: number): number {
  assert(Number.isInteger(limit) && limit >= 1, 'a page has rows');
  return Math.min(limit, rowsPerPageMax);
}

export class ObjectQueries {
  readonly #sql: SqlTx;
  readonly #numbers: Numbers;
  readonly #settled: SettledSeries;

  constructor(sql: SqlTx, numbers: Numbers, settled: SettledSeries) {
    this.#sql = sql;
    this.#numbers = numbers;
    this.#settled = settled;
  }

  /** What a name means now: its newest version that was not deleted, which may be a deletion marker. */
  async newest(name: { tenant: TenantId; bucket: string; key: Uint8Array }): Promise<ObjectRow | undefined> {
    const bucketNo = await this.#numbers.bucket(this.#sql, name.tenant, name.bucket);
    if (bucketNo === undefined) return undefined;
    const rest = `WHERE o.bucket_no = ? AND o.key = ? AND o.state < 2 ORDER BY ${newestFirst} LIMIT 1`;
    const [row] = await selectObjects(this.#sql, rest, [bucketNo, name.key]);
    const uid = instanceUidOfKey(name.bucket, name.key);
    if (uid === undefined) return row;
    const settled = (await this.#settledWith(uid)).filter(
      (each) => each.group.tenant === name.tenant && bytesEqual(each.key, name.key),
    );
    return [...(row === undefined ? [] : [row]), ...settled].sort(compareNewest)[0];
  }

  async #settledWith(instanceUid: string): Promise<ObjectRow[]> {
    return (await this.#settled.withUids(this.#sql, [instanceUid])).map(settledObject);
  }

  /** The live object of a name; undefined when there is none or a deletion marker hides it. */
  async live(name: { tenant: TenantId; bucket: string; key: Uint8Array }): Promise<ObjectRow | undefined> {
    const row = await this.newest(name);
    return row?.state === 'live' ? row : undefined;
  }

  /** One version, deleted ones included. Settled instances are found by what they are called: by name or by instance UID. */
  async version(
    id: string,
    called?: { readonly bucket: string; readonly key: Uint8Array } | { readonly instanceUid: string },
  ): Promise<ObjectRow | undefined> {
    const [row] = await selectObjects(this.#sql, 'WHERE o.entry_id = ?', [bytesOfId(id)]);
    if (row !== undefined || called === undefined) return row;
    const uid = 'instanceUid' in called ? called.instanceUid : instanceUidOfKey(called.bucket, called.key);
    return uid === undefined ? undefined : (await this.#settledWith(uid)).find((each) => each.id === id);
  }

  /** Live objects of a group with this content, first stored first: for puts that repeat themselves. */
  async withContent(group: KeyGroup, digest: Uint8Array, limit = 1): Promise<ObjectRow[]> {
    const groupNo = await this.#numbers.group(this.#sql, group);
    if (groupNo === undefined) return [];
    const rest = `WHERE o.group_no = ? AND substr(o.digest, 1, 8) = ? AND o.digest = ? AND o.state = ${stateNumbers.live}
      ORDER BY o.object_no LIMIT ?`;
    const whole = digestValue(digest);
    return await selectObjects(this.#sql, rest, [groupNo, whole.subarray(0, 8), whole, pageLimit(limit)]);
  }

  /**
   * Objects not deleted that have content in a run of records: whose interval [first sequence, reference] meets it. The order is by
   * span, then first sequence; an object whose content is moved while pages are read may be seen once more or not again.
   */
  async inRange(
    range: SequenceRange,
    options: { after?: RangeCursor | undefined; limit: number },
  ): Promise<Page<ObjectRow, RangeCursor>> {
    const limit = pageLimit(options.limit);
    const writerNo = await this.#numbers.writer(this.#sql, range.writer);
    const rows: ObjectRow[] = [];
    if (writerNo === undefined) return { rows, next: undefined };
    const last = sequenceValue(range.last);
    const first = sequenceValue(range.first);
    let after = options.after;
    for (let span = await this.#nextSpan(writerNo, after?.span ?? 0); span !== undefined; ) {
      // Content of this span begins at most 2^span - 1 before its reference.
      const earliest = Math.max(0, first - (2 ** span - 1));
      const from = after !== undefined && after.span === span ? Number(after.firstSequence) : earliest;
      const fromNo = after !== undefined && after.span === span ? after.objectNo : 0;
      const rest = `WHERE o.ref_writer_no = ? AND o.span = ? AND o.first_seq >= ? AND o.first_seq <= ?
          AND o.ref_seq >= ? AND o.state < 2 AND (o.first_seq > ? OR o.object_no > ?)
        ORDER BY o.first_seq, o.object_no LIMIT ?`;
      const values = [writerNo, span, from, last, first, from, fromNo, limit - rows.length];
      rows.push(...(await selectObjects(this.#sql, rest, values)));
      if (rows.length >= limit) {
        const end = rows[rows.length - 1];
        assert(end?.firstSequence !== undefined, 'a row found by its reference has one');
        return { rows, next: { span, firstSequence: end.firstSequence, objectNo: end.objectNo } };
      }
      after = undefined;
      span = await this.#nextSpan(writerNo, span + 1);
    }
    return { rows, next: undefined };
  }

  /** The least span from `span` on that any content of the writer has. */
  async #nextSpan(writerNo: number, span: number): Promise<number | undefined> {
    const statement = 'SELECT min(span) AS span FROM objects WHERE ref_writer_no = ? AND span >= ?';
    const row = await this.#sql.one<{ span: number | null }>(statement, [writerNo, span]);
    return row?.span ?? undefined;
  }

  /** Objects of a group that have a digest, whatever their state, in an order by content. */
  async ofGroup(
    group: KeyGroup,
    options: { after?: ContentCursor | undefined; limit: number },
  ): Promise<Page<ObjectRow, ContentCursor>> {
    const limit = pageLimit(options.limit);
    const groupNo = await this.#numbers.group(this.#sql, group);
    if (groupNo === undefined) return { rows: [], next: undefined };
    const order = 'ORDER BY substr(o.digest, 1, 8), o.object_no LIMIT ?';
    const { after } = options;
    const rows =
      after === undefined
        ? await selectObjects(this.#sql, `WHERE o.group_no = ? AND o.digest IS NOT NULL ${order}`, [groupNo, limit])
        : await selectObjects(
            this.#sql,
            `WHERE o.group_no = ? AND o.digest IS NOT NULL AND (substr(o.digest, 1, 8), o.object_no) > (?, ?) ${order}`,
            [groupNo, after.digestHead, after.objectNo, limit],
          );
    const end = rows.length < limit ? undefined : rows[rows.length - 1];
    if (end?.digest === undefined) return { rows, next: undefined };
    return { rows, next: { digestHead: end.digest.subarray(0, 8), objectNo: end.objectNo } };
  }

  /** Live versions, their bytes, and deletion markers; of a bucket, of a tenant, or of all. Kept, not counted. */
  async totals(of: { tenant?: TenantId | undefined; bucket?: string | undefined } = {}): Promise<Totals> {
    assert(of.bucket === undefined || of.tenant !== undefined, 'a bucket belongs to a tenant');
    const sums = `SELECT coalesce(sum(t.versions), 0) AS versions, coalesce(sum(t.bytes), 0) AS bytes,
      coalesce(sum(t.markers), 0) AS markers FROM bucket_totals t JOIN buckets b ON b.bucket_no = t.bucket_no`;
    const values: (number | string)[] = [];
    let where = '';
    if (of.tenant !== undefined) {
      where = ' WHERE b.tenant = ?';
      values.push(of.tenant);
    }
    if (of.bucket !== undefined) {
      where += ' AND b.name = ?';
      values.push(of.bucket);
    }
    const row = await this.#sql.one<Totals>(sums + where, values);
    return { versions: row?.versions ?? 0, bytes: row?.bytes ?? 0, markers: row?.markers ?? 0 };
  }
}
