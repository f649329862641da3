import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { AssertionFault, isArchiveError } from '../base/index.ts';
import { openSql } from './open-sql.ts';
import { sqlConformance } from './sql-conformance.ts';
import { openSqlite } from './sqlite.ts';

let folder = '';
let count = 0;

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'stele-sqlite-'));
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

const newPath = (): string => path.join(folder, `${(count += 1)}.db`);

sqlConformance('SQLite', () => openSqlite({ path: newPath() }));

test('a file that is no database is refused with a hint to rebuild', async () => {
  const file = newPath();
  await writeFile(file, 'this is somebody else’s file, longer than the header of a database. '.repeat(200));
  const error: unknown = await openSql(file).catch((caught: unknown) => caught);
  assert.ok(isArchiveError(error, 'DATABASE_FAILED'));
  assert.match(error.hint, /stele rebuild/);
});

test('a check reads the whole file, and finds a page that is not what it was', async () => {
  const file = newPath();
  const sql = await openSql(file);
  await sql.run('CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT) STRICT');
  const rows = Array.from({ length: 5000 }, (_, index) => [index, `text ${index}`]);
  await sql.many('INSERT INTO t (a, b) VALUES (?, ?)', rows);
  assert.equal(await sql.check(), 'good');
  await sql.close();
  const bytes = await readFile(file);
  bytes.fill(0xa5, bytes.byteLength - 8192, bytes.byteLength - 4096);
  await writeFile(file, bytes);
  const again = await openSql(file);
  assert.equal(await again.check(), 'damaged');
  await again.close();
});

test('a missing folder is an error with a hint, not a crash', async () => {
  const opened = openSql(path.join(folder, 'missing', 'a.db'));
  await assert.rejects(opened, (error) => isArchiveError(error, 'DISK_READ_ONLY'));
});

test('a database in memory is refused', async () => {
  await assert.rejects(openSqlite({ path: ':memory:' }), AssertionFault);
});

test('what was committed is there after opening again', async () => {
  const file = newPath();
  const sql = await openSql(file);
  await sql.run('CREATE TABLE t (a INTEGER) STRICT');
  await sql.run('INSERT INTO t (a) VALUES (?)', [1]);
  await sql.close();
  const again = await openSql(file);
  assert.equal((await again.all('SELECT a FROM t')).length, 1);
  await again.close();
});

test('the write-ahead log is carried over before it grows without bound', async () => {
  const file = newPath();
  const sql = await openSql(file);
  await sql.run('CREATE TABLE t (a BLOB) STRICT');
  const rows = Array.from({ length: 1024 }, (_, index) => [new Uint8Array(4000).fill(index)]);
  for (let turn = 0; turn < 20; turn += 1) await sql.many('INSERT INTO t (a) VALUES (?)', rows);
  const log = await stat(`${file}-wal`);
  assert.ok(log.size < 40 * 1024 * 1024, `the log has ${log.size} bytes after 80 MiB of writes`);
  await sql.checkpoint();
  assert.ok((await stat(file)).size > 80 * 1024 * 1024);
  await sql.close();
});

test('closing while others write loses nothing that was committed', async () => {
  const file = newPath();
  const sql = await openSqlite({ path: file });
  await sql.run('CREATE TABLE t (a BLOB) STRICT');
  const rows = Array.from({ length: 6000 }, () => [new Uint8Array(4000)]);
  const writing = sql.many('INSERT INTO t (a) VALUES (?)', rows);
  const more = sql.many('INSERT INTO t (a) VALUES (?)', rows);
  await writing;
  const closing = sql.close();
  await more.catch((error: unknown) => assert.ok(isArchiveError(error, 'CLOSED')));
  await closing;
  const again = await openSql(file);
  const [found] = await again.all<{ n: number }>('SELECT count(*) AS n FROM t');
  assert.ok(found?.n === 6000 || found?.n === 12_000);
  await again.close();
  await assert.rejects(stat(`${file}-wal`));
});

test('a full disk is told as such, leaves nothing, and what fits goes on', async () => {
  const sql = await openSqlite({ path: newPath() });
  await sql.run('CREATE TABLE t (a BLOB) STRICT');
  await sql.run('PRAGMA max_page_count=40');
  const rows = Array.from({ length: 100 }, () => [new Uint8Array(4000)]);
  await assert.rejects(sql.many('INSERT INTO t (a) VALUES (?)', rows), (error) => isArchiveError(error, 'DISK_FULL'));
  await sql.many('INSERT INTO t (a) VALUES (?)', rows.slice(0, 5));
  assert.equal((await sql.one<{ n: number }>('SELECT count(*) AS n FROM t'))?.n, 5);
  await sql.close();
});
