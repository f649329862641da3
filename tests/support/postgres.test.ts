/*
 * The PostgreSQL of the contract suite answers, is empty, and is gone after its end.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { startPostgres } from './postgres.ts';

test('a PostgreSQL for tests starts, answers and is gone after stop', async (t) => {
  const server = await startPostgres();
  if ('skip' in server) {
    t.skip(server.skip);
    return;
  }
  t.after(() => server.stop());
  const client = new pg.Client(server.url);
  await client.connect();
  const answer = await client.query<{ version: string; encoding: string }>(
    "select version(), current_setting('server_encoding') as encoding",
  );
  assert.match(answer.rows[0]?.version ?? '', /^PostgreSQL \d+/);
  assert.equal(answer.rows[0]?.encoding, 'UTF8');
  await client.end();
  await server.stop();
  await assert.rejects(new pg.Client(server.url).connect(), /ECONNREFUSED/);
});
