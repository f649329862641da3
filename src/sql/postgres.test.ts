import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type PostgresStart, startPostgres } from '../../tests/support/postgres.ts';
import { isArchiveError } from '../base/index.ts';
import { insertShape } from './insert-shape.ts';
import { openSql } from './open-sql.ts';
import { openPostgres } from './postgres.ts';
import { numbered } from './postgres-statements.ts';
import { sqlConformance } from './sql-conformance.ts';

const server: PostgresStart = await startPostgres();

describe('with a PostgreSQL server', { skip: 'skip' in server ? server.skip : false }, () => {
  if ('skip' in server) return;
  let count = 0;
  const schemas: string[] = [];
  const newSchema = (): string => {
    const schema = `stele_sql_${process.pid}_${(count += 1)}`;
    schemas.push(schema);
    return schema;
  };

  before(async () => {
    assert.equal(await openSql(server.url).then((sql) => sql.close()), undefined);
  });

  after(async () => {
    const sql = await openSql(server.url);
    for (const schema of schemas) await sql.run(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await sql.close();
    await server.stop();
  });

  sqlConformance('PostgreSQL', () => openPostgres({ url: server.url, schema: newSchema() }));

  test('a lock holds across connections', async () => {
    const schema = newSchema();
    const [one, two] = [
      await openPostgres({ url: server.url, schema }),
      await openPostgres({ url: server.url, schema }),
    ];
    await one.run('CREATE TABLE t (a bigint)');
    const add = (sql: typeof one): Promise<void> =>
      sql.transaction(async (tx) => {
        await tx.lock('t');
        const row = await tx.one<{ n: number }>('SELECT count(*) AS n FROM t');
        await tx.run('INSERT INTO t (a) VALUES (?)', [row?.n ?? 0]);
      });
    await Promise.all(Array.from({ length: 12 }, (_, index) => add(index % 2 === 0 ? one : two)));
    const rows = await one.all<{ a: number }>('SELECT a FROM t ORDER BY a');
    assert.deepEqual(
      rows.map((row) => row.a),
      Array.from({ length: 12 }, (_, index) => index),
    );
    await one.close();
    await two.close();
  });
});

test('a server that does not answer is a failure without its password', async () => {
  const error: unknown = await openSql('postgres://u:hidden@127.0.0.1:1/x').catch((caught: unknown) => caught);
  assert.ok(isArchiveError(error, 'DATABASE_FAILED'));
  assert.ok(!`${error.message} ${error.hint} ${String(error.cause)}`.includes('hidden'));
});

test('placeholders are numbered, except within a quoted text', () => {
  assert.equal(numbered("SELECT ? , '?' , ?"), "SELECT $1 , '?' , $2");
});

test('many rows join into one statement, where that changes nothing', () => {
  const check = (statement: string, expected: string[] | undefined): void => {
    assert.deepEqual(insertShape(statement)?.columns, expected);
  };
  check('INSERT INTO t (a, b) VALUES (?, ?)', ['a', 'b']);
  check('INSERT INTO t (a) VALUES (?) ON CONFLICT (a) DO NOTHING', ['a']);
  check('INSERT INTO t (a) VALUES (?) ON CONFLICT (a) DO UPDATE SET a = excluded.a', undefined);
  check('INSERT INTO t (a) VALUES (?) RETURNING a', undefined);
  check('INSERT INTO t (a, b) VALUES (?, 0)', undefined);
  check('UPDATE t SET a = 1 WHERE a = ?', undefined);
});
