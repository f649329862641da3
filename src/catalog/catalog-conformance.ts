// What the catalog must do on every database: one suite, run for SQLite always and for PostgreSQL where a server can be had.
//
// Here: the tables as a whole, batches, and the order of arrival; the parts by subject lie beside it. Left out on purpose: speed (bench/).

import assert from 'node:assert/strict';
import { isArchiveError, SeededRandom } from '../base/index.ts';
import { dumpTables, type Sql } from '../sql/index.ts';
import { Catalog } from './catalog.ts';
import type { CatalogChange } from './changes.ts';
import { testGroups } from './group-conformance.ts';
import { testListing } from './listing-conformance.ts';
import { testObjects } from './object-conformance.ts';
import { testSite } from './site-conformance.ts';
import { testStudies } from './study-conformance.ts';
import { catalogTables } from './tables.ts';
import { declareOn, type OpenEmpty } from './trial-catalog.ts';
import { shuffled, TrialChanges, trialGroup } from './trial-changes.ts';
import { object, second, writer } from './trial-objects.ts';

/** Each test gets an empty, migrated database from the factory and closes it. */
export function catalogConformance(label: string, openEmpty: OpenEmpty): void {
  const it = declareOn(label, openEmpty);

  it('tables have the columns that are declared, and no others', async (_catalog, sql) => {
    for (const table of catalogTables) {
      const kinds = await columnsOf(sql, table.name);
      const declared = Object.entries(table.columns).map(([name, kind]) => [
        name,
        kind === 'hybrid' ? 'integer' : kind,
      ]);
      assert.deepEqual(kinds, Object.fromEntries(declared), table.name);
    }
  });

  it('the applied sequence of a writer only goes forward', async (catalog) => {
    assert.equal(await catalog.applied(writer), 0n);
    await catalog.applyBatch(
      [],
      [
        { writer, sequence: 2n ** 40n },
        { writer: second, sequence: 3n },
      ],
    );
    await catalog.applyBatch([object()], [{ writer, sequence: 7n }]);
    assert.equal(await catalog.applied(writer), 2n ** 40n);
    const all = await catalog.appliedAfter(0, 10);
    assert.deepEqual(await catalog.appliedAfter(all[0]?.number ?? 0, 10), all.slice(1));
    assert.deepEqual(
      new Map(all.map((each) => [each.writer, each.sequence])),
      new Map([
        [writer, 2n ** 40n],
        [second, 3n],
      ]),
    );
  });

  it('a batch that fails leaves nothing, and the next one works', async (catalog) => {
    const fine = object({ bucket: 'fresh', group: trialGroup(1, 3) });
    const wrong = object({ version: { time: 1n << 63n, record: { writer: second, sequence: 1n } } });
    const failed = catalog.applyBatch([fine, wrong], [{ writer, sequence: 9n }]);
    await assert.rejects(failed, (error) => isArchiveError(error, 'RECORD_CORRUPT'));
    assert.equal(await catalog.objects.version(fine.id), undefined);
    assert.equal(await catalog.applied(writer), 0n);
    await catalog.applyBatch([fine], []);
    assert.equal((await catalog.objects.version(fine.id))?.bucket, 'fresh');
  });

  it('clearing and filling again ends in the same tables', async (catalog, sql) => {
    const changes = new TrialChanges(new SeededRandom(3)).some(120);
    await catalog.applyBatch(changes, [{ writer, sequence: 9n }]);
    const before = await dumpTables(sql, catalogTables, ['fact', 'site', 'cache']);
    await catalog.clear();
    assert.equal(await catalog.applied(writer), 0n);
    await catalog.applyBatch(shuffled(new SeededRandom(4), changes), [{ writer, sequence: 9n }]);
    assert.deepEqual(await dumpTables(sql, catalogTables, ['fact', 'site', 'cache']), before);
  });

  testObjects(it);
  testListing(it);
  testGroups(it);
  testSite(it);
  testStudies(it);
}

/** Applies `count` changes as they come, then mixed, repeated and cut into batches, and compares every table. */
export async function checkOrderOfArrival(openEmpty: OpenEmpty, seed: number, count: number): Promise<void> {
  const random = new SeededRandom(seed);
  const changes = new TrialChanges(random).some(count);
  const mixed = shuffled(random, changes);
  const batches: CatalogChange[][] = [];
  for (let offset = 0; offset < mixed.length; ) {
    const length = 1 + random.below(12);
    batches.push(mixed.slice(offset, offset + length));
    offset += length;
  }
  assert.deepEqual(await dumpAfter(openEmpty, batches), await dumpAfter(openEmpty, [changes]));
}

async function dumpAfter(openEmpty: OpenEmpty, batches: readonly (readonly CatalogChange[])[]): Promise<unknown> {
  const sql = await openEmpty();
  try {
    const catalog = new Catalog(sql);
    for (const batch of batches) await catalog.applyBatch(batch, []);
    return await dumpTables(sql, catalogTables, ['fact', 'site', 'cache']);
  } finally {
    await sql.close();
  }
}

async function columnsOf(sql: Sql, table: string): Promise<Record<string, string>> {
  const kinds: Record<string, string> = {
    INTEGER: 'integer',
    BLOB: 'bytes',
    TEXT: 'text',
    bigint: 'integer',
    bytea: 'bytes',
  };
  const rows =
    sql.dialect === 'sqlite'
      ? await sql.all<{ name: string; type: string }>(`SELECT name, type FROM pragma_table_info('${table}')`)
      : await sql.all<{ name: string; type: string }>(
          `SELECT column_name AS name, data_type AS type FROM information_schema.columns
            WHERE table_schema = current_schema() AND table_name = ?`,
          [table],
        );
  return Object.fromEntries(rows.map((row) => [row.name, kinds[row.type] ?? row.type]));
}
