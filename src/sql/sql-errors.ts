// A database's own errors, turned into ours.
//
// Invariant: no value of a statement is repeated. Drivers put values into their messages (PostgreSQL: "Key (name)=(...) already
// exists"), and those may be patients'; so neither their message nor their error object goes further, only the result code, the
// names of table and constraint, and the statement's own text, in which values are placeholders.

import { ArchiveError, AssertionFault } from '../base/index.ts';

const statementTextMax = 300;

/** What is safe to keep of the failure: goes along as the cause. */
function cause(code: string, statement: string): Error {
  const text = statement.replace(/\s+/g, ' ').trim();
  return new Error(`${code}: ${text.length > statementTextMax ? `${text.slice(0, statementTextMax)} ...` : text}`);
}

const rebuildHint = 'the file is damaged, or no database of ours; packs are not touched, run: stele rebuild';

type SqliteFault = { code?: unknown; errcode?: unknown; errstr?: unknown };

// https://www.sqlite.org/rescode.html: primary codes, the low byte of the extended ones.
const sqliteBusy = 5;
const sqliteLocked = 6;
const sqliteReadOnly = 8;
const sqliteIo = 10;
const sqliteCorrupt = 11;
const sqliteFull = 13;
const sqliteCannotOpen = 14;
const sqliteNotDatabase = 26;
/** The index of the log could not be made as long as it has to be. */
const sqliteIoShmSize = 4874;

export function sqliteError(error: unknown, statement: string): Error {
  if (error instanceof ArchiveError || error instanceof AssertionFault) return error;
  const fault = error as SqliteFault;
  if (fault.code !== 'ERR_SQLITE_ERROR' || typeof fault.errcode !== 'number') {
    // A value that cannot be bound, an integer too large for a number: our own mistakes.
    return new AssertionFault(
      `a statement was used wrongly (${String(fault.code)}): ${statement.slice(0, statementTextMax)}`,
    );
  }
  const options = { cause: cause(`SQLite ${fault.errcode} ${String(fault.errstr)}`, statement) };
  switch (fault.errcode === sqliteIoShmSize ? sqliteFull : fault.errcode & 0xff) {
    case sqliteFull:
      return new ArchiveError('DISK_FULL', 'no space is left for the database', options);
    case sqliteReadOnly:
    case sqliteCannotOpen:
      return new ArchiveError('DISK_READ_ONLY', 'the database cannot be opened for writing', {
        ...options,
        hint: 'make its folder exist and writable',
      });
    case sqliteNotDatabase:
    case sqliteCorrupt:
      return new ArchiveError('DATABASE_FAILED', 'the database file cannot be read', { ...options, hint: rebuildHint });
    case sqliteBusy:
    case sqliteLocked:
      return new ArchiveError('BUSY', 'another process holds the database', options);
    case sqliteIo:
      return new ArchiveError('DISK_IO', 'the disk of the database failed', options);
    default:
      return new ArchiveError('DATABASE_FAILED', `the database refused a statement (SQLite ${fault.errcode})`, options);
  }
}

type PostgresFault = { code?: unknown; table?: unknown; constraint?: unknown; errno?: unknown };

export function postgresError(error: unknown, statement: string): Error {
  if (error instanceof ArchiveError || error instanceof AssertionFault) return error;
  const fault = error as PostgresFault;
  const code = typeof fault.code === 'string' ? fault.code : 'unknown';
  const names = [fault.table, fault.constraint].filter((name) => typeof name === 'string').join(' ');
  const options = { cause: cause(`PostgreSQL ${code}${names === '' ? '' : ` ${names}`}`, statement) };
  // https://www.postgresql.org/docs/current/errcodes-appendix.html
  if (code === '53100') return new ArchiveError('DISK_FULL', 'no space is left for the database', options);
  if (code === '25006') return new ArchiveError('DISK_READ_ONLY', 'the database only reads', options);
  if (code === '40001' || code === '40P01' || code === '55P03' || code === '53300') {
    return new ArchiveError('BUSY', `the database is busy (PostgreSQL ${code})`, options);
  }
  if (code === 'ERR_INVALID_URL') {
    return new ArchiveError('CONFIG_INVALID', 'database_url is no address', { hint: 'correct it', ...options });
  }
  const failed = (says: string, hint: string): ArchiveError =>
    new ArchiveError('DATABASE_FAILED', `${says} (PostgreSQL ${code})`, { ...options, hint });
  if (code.startsWith('28'))
    return failed('the database refuses the login', 'correct user and password in database_url');
  if (code === '3D000') return failed('there is no such database', 'make it, or correct database_url');
  if (isConnectionCode(code)) return failed('the database cannot be reached', 'start it, or correct database_url');
  return new ArchiveError('DATABASE_FAILED', `the database failed (PostgreSQL ${code})`, options);
}

/** Of the system, of the server while it starts or stops, and of a connection that broke. */
function isConnectionCode(code: string): boolean {
  return /^(E[A-Z]+|08...|57P0[1-5])$/.test(code);
}
