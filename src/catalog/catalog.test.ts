import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { type PostgresStart, startPostgres } from '../../tests/support/postgres.ts';
import { migrate, openPostgres, openSql, openSqlite, type Sql } from '../sql/index.ts';
import { catalogConformance } from './catalog-conformance.ts';
import { catalogMigrations } from './migrations.ts';

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

catalogConformance(
  'SQLite',
  async () => migrated(await openSqlite({ path: path.join(folder, `${(count += 1)}.db`) })),
  {
    runs: 50,
  },
);

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
  catalogConformance('PostgreSQL', openEmpty, { runs: 5 });
});
