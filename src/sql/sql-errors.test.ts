import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArchiveError, AssertionFault, type ErrorCode } from '../base/index.ts';
import { postgresError, sqliteError } from './sql-errors.ts';

test('result codes of SQLite become our codes, extended ones by their primary', () => {
  const check = (errcode: number, expected: ErrorCode): void => {
    const error = sqliteError({ code: 'ERR_SQLITE_ERROR', errcode, errstr: 'said' }, 'SELECT 1');
    assert.ok(error instanceof ArchiveError);
    assert.equal(error.code, expected);
  };
  check(13, 'DISK_FULL');
  check(8, 'DISK_READ_ONLY');
  check(8 | (6 << 8), 'DISK_READ_ONLY');
  check(14, 'DISK_READ_ONLY');
  check(5, 'BUSY');
  check(6, 'BUSY');
  check(10 | (13 << 8), 'DISK_IO');
  check(10 | (19 << 8), 'DISK_FULL');
  check(11, 'DATABASE_FAILED');
  check(26, 'DATABASE_FAILED');
  check(1, 'DATABASE_FAILED');
});

test('result codes of PostgreSQL become our codes', () => {
  const check = (code: string, expected: ErrorCode): void => {
    const error = postgresError({ code, table: 't', message: 'value Secret' }, 'SELECT 1');
    assert.ok(error instanceof ArchiveError);
    assert.equal(error.code, expected);
    assert.ok(!`${error.message} ${String(error.cause)}`.includes('Secret'));
  };
  check('53100', 'DISK_FULL');
  check('25006', 'DISK_READ_ONLY');
  check('40P01', 'BUSY');
  check('53300', 'BUSY');
  check('23505', 'DATABASE_FAILED');
  check('ECONNREFUSED', 'DATABASE_FAILED');
  check('ERR_INVALID_URL', 'CONFIG_INVALID');
});

test('a database that cannot be reached or refuses the login says what to look at', () => {
  const check = (code: string, says: RegExp): void => {
    const error = postgresError({ code }, 'connecting');
    assert.ok(error instanceof ArchiveError);
    assert.match(`${error.message} (${error.hint})`, says);
  };
  check('ECONNREFUSED', /cannot be reached .*ECONNREFUSED.*database_url/);
  check('57P03', /cannot be reached/);
  check('08006', /cannot be reached/);
  check('28P01', /refuses the login .*user and password/);
  check('3D000', /no such database/);
  check('42P01', /failed .*stele rebuild/);
});

test('a statement used wrongly is a mistake of ours', () => {
  const error = sqliteError(Object.assign(new TypeError('bind Secret'), { code: 'ERR_INVALID_ARG_TYPE' }), 'SELECT ?');
  assert.ok(error instanceof AssertionFault);
  assert.ok(!error.message.includes('Secret'));
});
