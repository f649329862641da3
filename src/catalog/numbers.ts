// Numbers of this database for writers, groups and buckets: small in every row, found fast while a batch is applied.
//
// Invariants: a number, once committed, means the same for ever, so it may be remembered; what a transaction draws is remembered
// only after its commit; numbers are drawn under the catalog's lock, as the greatest plus one. At most `numbersKeptMax` are
// remembered of each kind.
// Left out on purpose: patients and studies (few in a batch, looked up each time). A series' number is kept: every instance asks for it.

import type { KeyGroup, WriterId } from '../base/index.ts';
import { assert, bytesOfId, defined, hexOf, idOfBytes, writerId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import { groupIdBytes, groupIdOf, textValue } from './storable.ts';

export const numbersKeptMax = 65_536;

export type SeriesNumber = { readonly no: number; readonly studyNo: number };

export type GroupNumber = { readonly no: number; readonly family: string | undefined };

/** The group's natural key as a map's key. */
export function groupMapKey(group: KeyGroup): string {
  return `${group.tenant}.${group.year}.${group.group}`;
}

export function bucketMapKey(tenant: number, name: string): string {
  return `${tenant}/${name}`;
}

/**
 * A bounded memory in two generations: when the younger is full the older is dropped. (Deleting the oldest of one Map again and
 * again would make each look for the first key step over all the deleted ones.)
 */
class Remembered<V> {
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  get(key: string): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  set(key: string, value: V): void {
    if (this.#young.size >= numbersKeptMax / 2) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}

/** What is remembered between transactions. */
export class Numbers {
  readonly writers = new Remembered<number>();
  readonly writerIds = new Remembered<WriterId>();
  readonly groups = new Remembered<GroupNumber>();
  readonly buckets = new Remembered<number>();
  readonly series = new Remembered<SeriesNumber>();

  forget(): void {
    for (const kept of [this.writers, this.writerIds, this.groups, this.buckets, this.series]) kept.clear();
  }

  /** Outside transactions: the number of a writer that has one. */
  async writer(sql: SqlTx, id: WriterId): Promise<number | undefined> {
    const known = this.writers.get(id);
    if (known !== undefined) return known;
    const row = await sql.one<{ no: number }>('SELECT writer_no AS no FROM writers WHERE id = ?', [bytesOfId(id)]);
    if (row !== undefined) this.writers.set(id, row.no);
    return row?.no;
  }

  async bucket(sql: SqlTx, tenant: number, name: string): Promise<number | undefined> {
    const key = bucketMapKey(tenant, name);
    const known = this.buckets.get(key);
    if (known !== undefined) return known;
    const statement = 'SELECT bucket_no AS no FROM buckets WHERE tenant = ? AND name = ?';
    const row = await sql.one<{ no: number }>(statement, [tenant, textValue(name)]);
    if (row !== undefined) this.buckets.set(key, row.no);
    return row?.no;
  }

  async group(sql: SqlTx, group: KeyGroup): Promise<number | undefined> {
    const known = this.groups.get(groupMapKey(group));
    if (known !== undefined) return known.no;
    const statement = 'SELECT group_no AS no FROM key_groups WHERE group_id = ? AND year = ? AND tenant = ?';
    const row = await sql.one<{ no: number }>(statement, [groupIdBytes(group.group), group.year, group.tenant]);
    return row?.no;
  }
}

/** The numbers as one transaction sees and draws them. */
export class NumbersTx {
  readonly #tx: SqlTx;
  readonly #kept: Numbers;
  readonly #writers = new Map<string, number>();
  readonly #writerIds = new Map<string, WriterId>();
  readonly #groups = new Map<string, GroupNumber>();
  readonly #buckets = new Map<string, number>();
  readonly #series = new Map<string, SeriesNumber>();

  constructor(tx: SqlTx, kept: Numbers) {
    this.#tx = tx;
    this.#kept = kept;
  }

  /** After the commit. */
  remember(): void {
    for (const [key, value] of this.#writers) this.#kept.writers.set(key, value);
    for (const [key, value] of this.#writerIds) this.#kept.writerIds.set(key, value);
    for (const [key, value] of this.#groups) this.#kept.groups.set(key, value);
    for (const [key, value] of this.#buckets) this.#kept.buckets.set(key, value);
    for (const [key, value] of this.#series) this.#kept.series.set(key, value);
  }

  // Neighbours in a batch mostly share writer, group and bucket: the last answer is tried first.
  #lastWriter: { id: WriterId; no: number } | undefined;
  #lastGroup: { group: KeyGroup; no: number } | undefined;
  #lastBucket: { tenant: number; name: string; no: number } | undefined;

  /** The number of a writer that `drawWriters` has seen. */
  writer(id: WriterId): number {
    if (this.#lastWriter?.id === id) return this.#lastWriter.no;
    const no = defined(this.#writers.get(id) ?? this.#kept.writers.get(id), 'a writer of the batch has a number');
    this.#lastWriter = { id, no };
    return no;
  }

  group(group: KeyGroup): number {
    if (this.#lastGroup?.group === group) return this.#lastGroup.no;
    const key = groupMapKey(group);
    const { no } = defined(this.#groups.get(key) ?? this.#kept.groups.get(key), 'a group of the batch has a number');
    this.#lastGroup = { group, no };
    return no;
  }

  bucket(tenant: number, name: string): number {
    const last = this.#lastBucket;
    if (last !== undefined && last.name === name && last.tenant === tenant) return last.no;
    const key = bucketMapKey(tenant, name);
    const no = defined(this.#buckets.get(key) ?? this.#kept.buckets.get(key), 'a bucket of the batch has a number');
    this.#lastBucket = { tenant, name, no };
    return no;
  }

  async writerOf(no: number): Promise<WriterId> {
    const key = String(no);
    const known = this.#writerIds.get(key) ?? this.#kept.writerIds.get(key);
    if (known !== undefined) return known;
    const row = await this.#tx.one<{ id: Uint8Array }>('SELECT id FROM writers WHERE writer_no = ?', [no]);
    const id = writerId(idOfBytes(defined(row, 'a writer named by a row is there').id));
    this.#writerIds.set(key, id);
    return id;
  }

  async #nextNumber(table: string, column: string): Promise<number> {
    const row = await this.#tx.one<{ last: number | null }>(`SELECT max(${column}) AS last FROM ${table}`);
    return (row?.last ?? 0) + 1;
  }

  async drawWriters(ids: Iterable<WriterId>): Promise<void> {
    for (const id of ids) {
      if (this.#writers.has(id) || this.#kept.writers.has(id)) continue;
      const statement = 'SELECT writer_no AS no FROM writers WHERE id = ?';
      let no = (await this.#tx.one<{ no: number }>(statement, [bytesOfId(id)]))?.no;
      if (no === undefined) {
        no = await this.#nextNumber('writers', 'writer_no');
        await this.#tx.run('INSERT INTO writers (writer_no, id, applied) VALUES (?, ?, 0)', [no, bytesOfId(id)]);
      }
      assert(no >= 1, 'number 0 stands for no writer');
      this.#writers.set(id, no);
    }
  }

  async drawBuckets(wanted: Iterable<{ readonly tenant: number; readonly name: string }>): Promise<void> {
    for (const { tenant, name } of wanted) {
      const key = bucketMapKey(tenant, name);
      if (this.#buckets.has(key) || this.#kept.buckets.has(key)) continue;
      const statement = 'SELECT bucket_no AS no FROM buckets WHERE tenant = ? AND name = ?';
      let no = (await this.#tx.one<{ no: number }>(statement, [tenant, textValue(name)]))?.no;
      if (no === undefined) {
        no = await this.#nextNumber('buckets', 'bucket_no');
        const columns = 'bucket_no, tenant, name, state, created_ms, hybrid, rec_writer_no, rec_seq';
        const insert = `INSERT INTO buckets (${columns}) VALUES (?, ?, ?, 0, 0, 0, 0, 0)`;
        await this.#tx.run(insert, [no, tenant, textValue(name)]);
        await this.#tx.run('INSERT INTO bucket_totals (bucket_no, versions, bytes, markers) VALUES (?, 0, 0, 0)', [no]);
      }
      this.#buckets.set(key, no);
    }
  }

  knownGroup(key: string): GroupNumber | undefined {
    return this.#groups.get(key) ?? this.#kept.groups.get(key);
  }

  /** Looks up groups that are in the database. */
  async findGroups(groups: readonly KeyGroup[]): Promise<Map<string, GroupNumber>> {
    const found = new Map<string, GroupNumber>();
    for (const piece of pieces(groups, inListMax)) {
      const rows = await this.#tx.all<{
        group_no: number;
        group_id: Uint8Array;
        tenant: number;
        year: number;
        family: Uint8Array | null;
      }>(
        `SELECT group_no, group_id, tenant, year, family FROM key_groups WHERE group_id IN ${inList(piece.length)}`,
        inValues(piece.map((group) => groupIdBytes(group.group))),
      );
      // Groups of other years and tenants may share the id: they come along and do no harm.
      for (const row of rows) {
        const number = { no: row.group_no, family: row.family === null ? undefined : hexOf(row.family) };
        found.set(`${row.tenant}.${row.year}.${groupIdOf(row.group_id)}`, number);
      }
    }
    return found;
  }

  /** Numbers of groups that are in the database. */
  async recallGroups(groups: readonly KeyGroup[]): Promise<void> {
    const unknown = new Map<string, KeyGroup>();
    for (const group of groups) {
      const key = groupMapKey(group);
      if (this.knownGroup(key) === undefined) unknown.set(key, group);
    }
    for (const [key, number] of await this.findGroups([...unknown.values()])) this.keepGroup(key, number);
  }

  nextGroupNumber(): Promise<number> {
    return this.#nextNumber('key_groups', 'group_no');
  }

  keepGroup(key: string, number: GroupNumber): void {
    this.#groups.set(key, number);
  }

  #amended: boolean | undefined;

  /** Whether there is any amendment at all: most houses have few, and what none concerns need not ask further. */
  async hasAmendments(): Promise<boolean> {
    this.#amended ??= (await this.#tx.one('SELECT 1 AS there FROM amendments LIMIT 1')) !== undefined;
    return this.#amended;
  }

  noteAmendment(): void {
    this.#amended = true;
  }

  knownSeries(name: string): SeriesNumber | undefined {
    return this.#series.get(name) ?? this.#kept.series.get(name);
  }

  keepSeries(name: string, number: SeriesNumber): void {
    this.#series.set(name, number);
  }
}
