import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { type PostgresStart, startPostgres } from '../../tests/support/postgres.ts';
import { SeededRandom } from '../base/index.ts';
import { dumpTables, migrate, openPostgres, openSql, openSqlite, type Sql, type TableClass } from '../sql/index.ts';
import { Catalog } from './catalog.ts';
import { catalogConformance, checkOrderOfArrival } from './catalog-conformance.ts';
import { catalogMigrations } from './migrations.ts';
import { catalogTables } from './tables.ts';
import type { OpenEmpty } from './trial-catalog.ts';
import { TrialChanges } from './trial-changes.ts';

let folder = '';
let count = 0;

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'stele-catalog-'));
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function migrated(sql: Sql): Promise<Sql> {
  await migrate(sql, catalogMigrations);
  return sql;
}

/** The property that rebuild rests on; a failure prints the seed that replays it. */
function anyOrder(label: string, openEmpty: OpenEmpty, runs: number): void {
  test(`${label}: any order of arrival, with repeats, ends in the same tables`, async () => {
    const cases = fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 60 }), (seed, size) =>
      checkOrderOfArrival(openEmpty, seed, size),
    );
    await fc.assert(cases, { numRuns: runs });
  });
}

const openFile: OpenEmpty = async () => migrated(await openSqlite({ path: path.join(folder, `${(count += 1)}.db`) }));

catalogConformance('SQLite', openFile);
anyOrder('SQLite', openFile, 50);

const server: PostgresStart = await startPostgres();

describe('with a PostgreSQL server', { skip: 'skip' in server ? server.skip : false }, () => {
  if ('skip' in server) return;
  const schemas: string[] = [];

  after(async () => {
    const sql = await openSql(server.url);
    for (const schema of schemas) await sql.run(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await sql.close();
    await server.stop();
  });

  const openEmpty = async (): Promise<Sql> => {
    const schema = `stele_catalog_${process.pid}_${(count += 1)}`;
    schemas.push(schema);
    return await migrated(await openPostgres({ url: server.url, schema, connectionsMax: 2 }));
  };
  catalogConformance('PostgreSQL', openEmpty);
  anyOrder('PostgreSQL', openEmpty, 5);

  test('PostgreSQL: two machines that apply at once end in the same tables as one', async () => {
    const changes = new TrialChanges(new SeededRandom(21)).some(200);
    const classes: TableClass[] = ['fact', 'site', 'cache'];
    const alone = await openEmpty();
    await new Catalog(alone).applyBatch(changes, []);
    const first = await openEmpty();
    const second = await openPostgres({ url: server.url, schema: schemas[schemas.length - 1] as string });
    const [one, two] = [new Catalog(first), new Catalog(second)];
    const batches = Array.from({ length: 20 }, (_, index) => changes.slice(10 * index, 10 * index + 10));
    await Promise.all(batches.map((batch, index) => (index % 2 === 0 ? one : two).applyBatch(batch, [])));
    assert.deepEqual(await dumpTables(second, catalogTables, classes), await dumpTables(alone, catalogTables, classes));
    for (const sql of [alone, first, second]) await sql.close();
  });
});
