// Settled instances in the order of their names, and both kinds of names in one order.
//
// Invariants: a series' names stand together, since all begin with its two UIDs and slashes; rows are read before bundles, and bundles are looked at again after
// each read of rows, so that what settles meanwhile is met as one or the other, or as both, and then given once.

import { utf8Bytes } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { compareNewest, type ObjectRow, settledObject } from './object-rows.ts';
import { membersOf, type SettledSeries } from './settled-series.ts';

type Bounds = { readonly from: Uint8Array; readonly end: Uint8Array | undefined };

const slash = utf8Bytes('/')[0] as number;

/** Up to and with the second slash: where all names of a series begin. */
function seriesNames(key: Uint8Array): Uint8Array {
  const first = key.indexOf(slash);
  const second = first < 0 ? -1 : key.indexOf(slash, first + 1);
  return second < 0 ? key : key.slice(0, second + 1);
}

const byName = (a: ObjectRow, b: ObjectRow): number => Buffer.compare(a.key, b.key) || compareNewest(a, b);

/** Settled instances of a bucket by name, a series at a time. */
class SettledScan {
  readonly #sql: SqlTx;
  readonly #settled: SettledSeries;
  readonly #bucketNo: number;
  readonly #end: Uint8Array | undefined;
  #from: Uint8Array;
  #rows: ObjectRow[] = [];
  /** Where the next series is looked for. */
  #names: Uint8Array | undefined;

  constructor(sql: SqlTx, settled: SettledSeries, bucketNo: number, bounds: Bounds) {
    this.#sql = sql;
    this.#settled = settled;
    this.#bucketNo = bucketNo;
    this.#end = bounds.end;
    this.#from = bounds.from;
    this.#names = seriesNames(bounds.from);
  }

  /** Looks again from a name on; undefined: there is nothing behind it. */
  jump(key: Uint8Array | undefined): void {
    this.#rows = [];
    this.#names = key === undefined ? undefined : seriesNames(key);
    if (key !== undefined) this.#from = key;
  }

  async next(): Promise<ObjectRow | undefined> {
    while (this.#rows.length === 0) {
      if (this.#names === undefined) return undefined;
      await this.#readSeries(this.#names);
    }
    return this.#rows.shift();
  }

  async #readSeries(from: Uint8Array): Promise<void> {
    const end = this.#end === undefined ? '' : 'AND names < ?';
    const values: SqlValue[] = [this.#bucketNo, from, ...(this.#end === undefined ? [] : [this.#end])];
    const found = await this.#sql.one<{ names: Uint8Array }>(
      `SELECT names FROM bundles WHERE bucket_no = ? AND names >= ? ${end} AND member_count > 0 ORDER BY names LIMIT 1`,
      values,
    );
    this.#names = undefined;
    if (found === undefined) return;
    const { names } = found;
    const range = { where: 'b.bucket_no = ? AND b.names = ?', values: [this.#bucketNo, names] };
    for await (const bundle of this.#settled.bundles(this.#sql, range)) {
      for (const member of membersOf(bundle)) {
        const row = settledObject(member);
        const isIn = Buffer.compare(row.key, this.#from) >= 0;
        if (isIn && (this.#end === undefined || Buffer.compare(row.key, this.#end) < 0)) this.#rows.push(row);
      }
    }
    this.#rows.sort(byName);
    // Behind every name of this series.
    this.#names = new Uint8Array([...names, 0xff]);
  }
}

type Scan = {
  readonly rowsRead: number;
  next(): Promise<ObjectRow | undefined>;
  jump(key: Uint8Array | undefined): void;
};

/** Rows and settled instances in one order. */
export class JoinedScan {
  readonly #rows: Scan;
  readonly #settled: SettledScan;
  readonly #bounds: Bounds;
  #row: ObjectRow | undefined;
  #member: ObjectRow | undefined;
  #last: ObjectRow | undefined;
  #rowsSeen = 0;
  #given = 0;
  #isRead = false;

  constructor(rows: Scan, sql: SqlTx, settled: SettledSeries, { bucketNo, ...bounds }: Bounds & { bucketNo: number }) {
    this.#rows = rows;
    this.#settled = new SettledScan(sql, settled, bucketNo, bounds);
    this.#bounds = bounds;
  }

  get rowsRead(): number {
    return this.#rows.rowsRead + this.#given;
  }

  jump(key: Uint8Array | undefined): void {
    const isBehind = (row: ObjectRow | undefined): boolean =>
      row !== undefined && key !== undefined && Buffer.compare(row.key, key) >= 0;
    this.#rows.jump(key);
    if (!isBehind(this.#row)) this.#row = undefined;
    if (isBehind(this.#member)) return;
    this.#member = undefined;
    this.#settled.jump(key);
  }

  async next(): Promise<ObjectRow | undefined> {
    this.#row ??= await this.#rows.next();
    if (!this.#isRead || this.#rows.rowsRead !== this.#rowsSeen) {
      this.#isRead = true;
      this.#rowsSeen = this.#rows.rowsRead;
      this.#settled.jump(this.#last?.key ?? this.#bounds.from);
      this.#member = undefined;
    }
    this.#member ??= await this.#settled.next();
    // What was given already comes again when bundles are looked at again.
    while (this.#member !== undefined && this.#last !== undefined && byName(this.#member, this.#last) <= 0)
      this.#member = await this.#settled.next();
    const [row, member] = [this.#row, this.#member];
    const isSame = row !== undefined && row.id === member?.id;
    if (isSame) this.#member = undefined;
    const isRow = row !== undefined && (isSame || member === undefined || byName(row, member) < 0);
    if (isRow) this.#row = undefined;
    else {
      this.#member = undefined;
      this.#given += 1;
    }
    this.#last = (isRow ? row : member) ?? this.#last;
    return isRow ? row : member;
  }
}
