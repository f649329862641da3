// Listings: the names of a bucket in the order of their bytes, by prefix, with folders, in pages.
//
// Invariants: a folder is what follows the prefix up to and with the first delimiter; it is listed once, where its first name would
// stand, and only when something under it is listed. A name is listed when its newest version is live; `versions` lists all that
// were not deleted, newest first. A call looks at no more than `rowsReadMax` rows: in a bucket full of markers a page may be short,
// even empty, and still say where to go on.
// How: rows come in the order of the index; past a name's further versions and past a folder's further names it jumps.

import type { TenantId } from '../base/index.ts';
import { bytesOfId, concatBytes, emptyBytes } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { instanceBucket } from './instance-bucket.ts';
import type { Numbers } from './numbers.ts';
import { pageLimit } from './object-queries.ts';
import type { ObjectRow } from './object-rows.ts';
import { newestFirst, selectObjects } from './object-rows.ts';
import { JoinedScan } from './settled-listing.ts';
import type { SettledSeries } from './settled-series.ts';

export type Listed =
  | { readonly kind: 'object'; readonly row: ObjectRow; readonly newest: boolean }
  | { readonly kind: 'folder'; readonly prefix: Uint8Array };

/** After a name (all its versions), after one version of it, or after a folder and all under it. */
export type ListCursor = {
  readonly key: Uint8Array;
  readonly id?: string | undefined;
  readonly folder?: boolean | undefined;
};

export type ListOptions = {
  readonly tenant: TenantId;
  readonly bucket: string;
  readonly prefix?: Uint8Array | undefined;
  readonly delimiter?: Uint8Array | undefined;
  readonly after?: ListCursor | undefined;
  readonly limit: number;
};

export type Listing = { readonly items: Listed[]; readonly next: ListCursor | undefined };

export const rowsReadMax = 20_000;
const rowsPerReadMin = 16;
const rowsPerReadMax = 256;

/** The least bytes greater than all that begin with `prefix`; undefined when there are none. */
export function afterPrefix(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.byteLength;
  while (length > 0 && prefix[length - 1] === 0xff) length -= 1;
  if (length === 0) return undefined;
  const next = prefix.slice(0, length);
  next[length - 1] = (next[length - 1] as number) + 1;
  return next;
}

/** The folder that a name lies in, below the prefix. */
function folderOf(key: Uint8Array, prefix: Uint8Array, delimiter: Uint8Array | undefined): Uint8Array | undefined {
  if (delimiter === undefined || delimiter.byteLength === 0) return undefined;
  const at = Buffer.from(key.buffer, key.byteOffset, key.byteLength).indexOf(delimiter, prefix.byteLength);
  return at < 0 ? undefined : key.slice(0, at + delimiter.byteLength);
}

const zeroByte = Uint8Array.of(0);

/** Rows of a bucket in order, a read at a time, with jumps. */
class RowScan {
  readonly #sql: SqlTx;
  readonly #bucketNo: number;
  readonly #end: Uint8Array | undefined;
  #from: Uint8Array;
  #rows: ObjectRow[] = [];
  #at = 0;
  #exhausted = false;
  #rowsRead = 0;
  /** Reads grow while nothing is jumped over. */
  #size = rowsPerReadMin;

  constructor(sql: SqlTx, bucketNo: number, bounds: { from: Uint8Array; end: Uint8Array | undefined }) {
    this.#sql = sql;
    this.#bucketNo = bucketNo;
    this.#from = bounds.from;
    this.#end = bounds.end;
  }

  get rowsRead(): number {
    return this.#rowsRead;
  }

  /** Goes on with names not less than `key`. */
  jump(key: Uint8Array | undefined): void {
    if (key === undefined) {
      this.#exhausted = true;
      this.#rows = [];
      this.#at = 0;
      return;
    }
    const before = this.#at;
    for (; this.#at < this.#rows.length; this.#at += 1) {
      if (Buffer.compare((this.#rows[this.#at] as ObjectRow).key, key) >= 0) return;
    }
    this.#from = key;
    if (this.#at > before) this.#size = rowsPerReadMin;
  }

  async next(): Promise<ObjectRow | undefined> {
    const row = this.#rows[this.#at];
    if (row !== undefined) {
      this.#at += 1;
      return row;
    }
    if (this.#exhausted) return undefined;
    await this.#read();
    const first = this.#rows[0];
    this.#at = first === undefined ? 0 : 1;
    return first;
  }

  async #read(): Promise<void> {
    const last = this.#rows[this.#rows.length - 1];
    const resumes = last !== undefined && Buffer.compare(last.key, this.#from) >= 0;
    // The rest of the last name first: its further versions, in the order of the index.
    this.#rows = resumes ? await this.#olderThan(last) : [];
    if (resumes && this.#rows.length === 0) this.#from = concatBytes([last.key, zeroByte]);
    if (this.#rows.length > 0) {
      this.#rowsRead += this.#rows.length;
      return;
    }
    const end = this.#end === undefined ? '' : 'AND o.key < ?';
    const values: SqlValue[] = [this.#bucketNo, this.#from];
    if (this.#end !== undefined) values.push(this.#end);
    const rest = `WHERE o.bucket_no = ? AND o.key >= ? ${end} AND o.state < 2 ORDER BY o.key, ${newestFirst} LIMIT ?`;
    this.#rows = await selectObjects(this.#sql, rest, [...values, this.#size]);
    this.#exhausted = this.#rows.length < this.#size;
    this.#rowsRead += this.#rows.length;
    this.#size = Math.min(2 * this.#size, rowsPerReadMax);
  }

  #olderThan(row: ObjectRow): Promise<ObjectRow[]> {
    return selectOlder(this.#sql, this.#bucketNo, row, rowsPerReadMax);
  }
}

function selectOlder(sql: SqlTx, bucketNo: number, row: ObjectRow, limit: number): Promise<ObjectRow[]> {
  const rest = `WHERE o.bucket_no = ? AND o.key = ? AND o.state < 2 AND o.created_ms <= ?
      AND (o.created_ms < ? OR o.hybrid < ? OR (o.hybrid = ? AND o.entry_id < ?))
    ORDER BY ${newestFirst} LIMIT ?`;
  const { createdMs, version, id } = row;
  const values = [createdMs, createdMs, version.time, version.time, bytesOfId(id), limit];
  return selectObjects(sql, rest, [bucketNo, row.key, ...values]);
}

export class ObjectListing {
  readonly #sql: SqlTx;
  readonly #numbers: Numbers;
  readonly #settled: SettledSeries;

  constructor(sql: SqlTx, numbers: Numbers, settled: SettledSeries) {
    this.#sql = sql;
    this.#numbers = numbers;
    this.#settled = settled;
  }

  /** Names whose newest version is live, and folders. */
  list(options: ListOptions): Promise<Listing> {
    return this.#walk(options, 'newest');
  }

  /** Every version and marker that was not deleted, and folders. */
  versions(options: ListOptions): Promise<Listing> {
    return this.#walk(options, 'all');
  }

  async #walk(options: ListOptions, which: 'newest' | 'all'): Promise<Listing> {
    const limit = pageLimit(options.limit);
    const bucketNo = await this.#numbers.bucket(this.#sql, options.tenant, options.bucket);
    const items: Listed[] = [];
    if (bucketNo === undefined) return { items, next: undefined };
    const prefix = options.prefix ?? emptyBytes;
    const { after } = options;
    const bounds = { from: startOf(prefix, after), end: afterPrefix(prefix) };
    const rows = new RowScan(this.#sql, bucketNo, bounds);
    const isJoined = options.bucket === instanceBucket;
    const scan = isJoined ? new JoinedScan(rows, this.#sql, this.#settled, { bucketNo, ...bounds }) : rows;
    let lastKey: Uint8Array | undefined;
    let cursor: ListCursor | undefined;

    if (which === 'all' && after?.id !== undefined) {
      const [marked] = await selectObjects(this.#sql, 'WHERE o.entry_id = ? AND o.bucket_no = ?', [
        bytesOfId(after.id),
        bucketNo,
      ]);
      const older = marked === undefined ? [] : await selectOlder(this.#sql, bucketNo, marked, limit + 1);
      for (const row of older) {
        if (items.length >= limit) return { items, next: cursor };
        items.push({ kind: 'object', row, newest: false });
        cursor = { key: row.key, id: row.id };
      }
    }

    for (let row = await scan.next(); row !== undefined; row = await scan.next()) {
      if (items.length >= limit || scan.rowsRead >= rowsReadMax) return { items, next: cursor ?? after };
      const first = lastKey === undefined || Buffer.compare(lastKey, row.key) !== 0;
      lastKey = row.key;
      const listed = which === 'all' || (first && row.state === 'live');
      const folder = folderOf(row.key, prefix, options.delimiter);
      if (folder !== undefined && listed) {
        items.push({ kind: 'folder', prefix: folder });
        cursor = { key: folder, folder: true };
        scan.jump(afterPrefix(folder));
        continue;
      }
      if (listed) items.push({ kind: 'object', row, newest: first });
      cursor = which === 'all' ? { key: row.key, id: row.id } : { key: row.key };
      if (which === 'newest') scan.jump(concatBytes([row.key, zeroByte]));
    }
    return { items, next: undefined };
  }
}

/** The first name to look at. */
function startOf(prefix: Uint8Array, after: ListCursor | undefined): Uint8Array {
  if (after === undefined || Buffer.compare(after.key, prefix) < 0) return prefix;
  // Nothing sorts after a folder of 0xff bytes alone; its own names then come again, and end at the prefix's bound.
  if (after.folder === true) return afterPrefix(after.key) ?? concatBytes([after.key, zeroByte]);
  return concatBytes([after.key, zeroByte]);
}
