// The catalog: one object over an open database, through which changes go in and questions are answered.
//
// Invariants: `applyBatch` is the only way in; what it applied is visible to every question asked after it resolves. The tables can
// be lost at any time without losing a fact: packs hold them all.
// Left out on purpose: reading packs, rights, and writing facts down; the archive does that and applies what it wrote.

import type { KeyGroup, WriterId } from '../base/index.ts';
import { bytesOfId, idOfBytes, writerId } from '../base/index.ts';
import type { Sql } from '../sql/index.ts';
import { clearTables } from '../sql/index.ts';
import { AmendmentQueries } from './amendment-queries.ts';
import { applyChanges } from './apply.ts';
import { BundleQueries } from './bundle-queries.ts';
import type { AppliedSequence, CatalogChange } from './changes.ts';
import { ContentQueries } from './content-queries.ts';
import { DeviceQueries } from './device-queries.ts';
import { DocumentQueries } from './document-queries.ts';
import { forgetGroup } from './forget-group.ts';
import { GroupQueries } from './group-queries.ts';
import { InstanceQueries } from './instance-queries.ts';
import { Numbers, NumbersTx } from './numbers.ts';
import { ObjectListing } from './object-listing.ts';
import { ObjectQueries } from './object-queries.ts';
import { QualityQueries } from './quality-queries.ts';
import { ReleaseQueries } from './release-queries.ts';
import { type ReadBundle, SettledSeries } from './settled-series.ts';
import { SiteQueries } from './site-queries.ts';
import { StudySearch } from './study-search.ts';
import { catalogTables } from './tables.ts';

export class Catalog {
  readonly #sql: Sql;
  readonly #numbers = new Numbers();
  readonly #settled: SettledSeries;
  readonly objects: ObjectQueries;
  readonly contents: ContentQueries;
  readonly listing: ObjectListing;
  readonly groups: GroupQueries;
  readonly site: SiteQueries;
  readonly search: StudySearch;
  readonly instances: InstanceQueries;
  readonly bundles: BundleQueries;
  readonly quality: QualityQueries;
  readonly devices: DeviceQueries;
  readonly amendments: AmendmentQueries;
  readonly documents: DocumentQueries;
  readonly releases: ReleaseQueries;

  /** `read` says what bundles' plain bytes mean; without it there are none. */
  constructor(sql: Sql, read?: ReadBundle) {
    this.#sql = sql;
    this.#settled = new SettledSeries(read);
    this.objects = new ObjectQueries(sql, this.#numbers, this.#settled);
    this.contents = new ContentQueries(sql, this.#settled);
    this.listing = new ObjectListing(sql, this.#numbers, this.#settled);
    this.groups = new GroupQueries(sql, this.#numbers);
    this.site = new SiteQueries(sql);
    this.search = new StudySearch(sql, this.#settled);
    this.instances = new InstanceQueries(sql, this.#settled);
    this.bundles = new BundleQueries(sql, this.#numbers, this.#settled);
    this.quality = new QualityQueries(sql);
    this.devices = new DeviceQueries(sql);
    this.amendments = new AmendmentQueries(sql);
    this.documents = new DocumentQueries(sql);
    this.releases = new ReleaseQueries(sql);
  }

  /**
   * Applies changes and notes that all records of these writers up to these sequences are in, in one transaction. Committed when it
   * resolves (durable after the next checkpoint). Safe to repeat, in any order. On an error nothing of it was applied; RECORD_CORRUPT
   * when a change carries what no writer makes.
   */
  async applyBatch(changes: readonly CatalogChange[], applied: readonly AppliedSequence[]): Promise<void> {
    const numbers = await this.#sql.transaction(async (tx) => {
      await tx.lock('catalog');
      const drawn = new NumbersTx(tx, this.#numbers);
      await applyChanges(tx, { numbers: drawn, settled: this.#settled }, changes, applied);
      return drawn;
    });
    numbers.remember();
  }

  /** The sequence up to which a writer's records are in; 0 when none is. */
  async applied(writer: WriterId): Promise<bigint> {
    const row = await this.#sql.one<{ applied: bigint }>(
      'SELECT applied FROM writers WHERE id = ?',
      [bytesOfId(writer)],
      'bigint',
    );
    return row?.applied ?? 0n;
  }

  /** Writers with records that are in, in the order of their numbers, behind this one; a number stays with its writer. */
  async appliedAfter(number: number, limit: number): Promise<(AppliedSequence & { readonly number: number })[]> {
    const rows = await this.#sql.all<{ writer_no: bigint; id: Uint8Array; applied: bigint }>(
      'SELECT writer_no, id, applied FROM writers WHERE writer_no > ? AND applied > 0 ORDER BY writer_no LIMIT ?',
      [number, limit],
      'bigint',
    );
    return rows.map((row) => ({
      number: Number(row.writer_no),
      writer: writerId(idOfBytes(row.id)),
      sequence: row.applied,
    }));
  }

  /** Takes a shredded group's names out of the tables. Committed when it resolves; safe to repeat. The number of objects that went. */
  async forgetGroup(group: KeyGroup): Promise<number> {
    const count = await this.#sql.transaction(async (tx) => {
      await tx.lock('catalog');
      return await forgetGroup(tx, group, this.#settled);
    });
    // What is remembered of the group's family is no longer so.
    this.#numbers.forget();
    this.#settled.forget();
    return count;
  }

  /** Empties every table of the catalog, before it is filled from packs. No other machine may use it meanwhile. */
  async clear(): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await tx.lock('catalog');
      await clearTables(tx, catalogTables);
    });
    this.#numbers.forget();
    this.#settled.forget();
  }
}
