/* The whole archive on PostgreSQL instead of the embedded database: the same commands, the same answers. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { openSql } from '../src/sql/index.ts';
import { startPostgres } from './support/postgres.ts';
import { noise, Stele } from './support/stele.ts';

const server = await startPostgres();

describe('with a PostgreSQL server', { skip: 'skip' in server ? server.skip : false }, () => {
  if ('skip' in server) return;
  const database = `stele_cli_${process.pid}`;
  const url = new URL(server.url);
  url.pathname = `/${database}`;
  const stele = new Stele({ STELE_DATABASE_URL: url.href });
  const foreign = new Stele({ STELE_DATABASE_URL: url.href });

  after(async () => {
    stele.remove();
    foreign.remove();
    const sql = await openSql(server.url);
    await sql.run(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    await sql.close();
    await server.stop();
  });

  test('content goes in, comes out, settles, and is found again after a rebuild', async () => {
    const admin = await openSql(server.url);
    await admin.run(`CREATE DATABASE ${database}`);
    await admin.close();
    stele.file('in/a', noise(2_000_000));
    stele.file('in/b', 'b');
    await stele.done('put', 'in');
    stele.file('in/b', 'newer');
    await stele.done('put', 'in');
    await stele.done('user', 'add', 'admin');
    await stele.done('settle', '--all');
    const listed = (await stele.done('ls', '-r', '--versions', 'files/')).out;
    await stele.done('rebuild');
    assert.equal((await stele.done('ls', '-r', '--versions', 'files/')).out, listed);
    assert.ok((await stele.content('files/in/a')).equals(noise(2_000_000)));
    assert.equal((await stele.content('files/in/b')).toString(), 'newer');
    await stele.done('keys', 'shred', 'files/in/b', '--yes');
    assert.equal((await stele.run('get', 'files/in/b')).code, 1);
    assert.match((await stele.done('status')).out, /: good\n/);
  });

  test('a database of another archive is refused', async () => {
    foreign.file('x', 'x');
    const ran = await foreign.run('put', 'x');
    assert.equal(ran.code, 1);
    assert.match(ran.err, /DATA_FOREIGN: the database belongs to another archive/);
  });
});
