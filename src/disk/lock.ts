// One process a disk: a lock that the kernel takes back when its holder dies.
//
// Node has no flock. What it has is node:sqlite, whose exclusive transaction is an fcntl lock on the database file:
// held across containers on one machine and over NFSv4, released by the kernel at death, and never left behind. The
// database stays empty. (An abstract socket would not be seen from another network namespace; a pid file must be judged
// stale by guessing.) This is the one use of SQLite outside src/sql: it is no database here.
//
// Invariants: nobody in this process opens the lock file but SQLite, since closing any descriptor of it would drop the
// lock (disk-path.ts reserves its name); two locks in one process conflict, although fcntl alone would grant both.
// Holder's facts lie in a second file, for messages only: no decision is ever taken on them.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ArchiveError } from '../base/index.ts';
import type { DiskLock } from './disk.ts';
import { diskError } from './disk-errors.ts';
import { lockHolderName, lockName } from './disk-path.ts';

type Holder = { pid: number; host: string; startedAt: string };

const holderSizeBytesMax = 4096;
/**
 * Locks of this process by real path. Also what keeps each database alive: one that the garbage collector closed would
 * have let the lock go, whether or not the caller kept what we gave him.
 */
const heldHere = new Map<string, DatabaseSync | 'being taken'>();

const sqliteBusy = 5;
const sqliteReadOnly = 8;
const sqliteFull = 13;

/** Synchronous, a few system calls, once a start. */
export function lockFolder(folder: string, label: string): DiskLock {
  const at = { label, action: 'lock' };
  let real: string;
  try {
    real = fs.realpathSync(folder);
    fs.accessSync(real, fs.constants.W_OK); // SQLite would only say that it cannot open
  } catch (error) {
    throw diskError(error, at);
  }
  if (heldHere.has(real)) throw lockedError(label, currentHolder());
  heldHere.set(real, 'being taken');
  try {
    const database = takeDatabaseLock(path.join(real, lockName), label, () => readHolder(real));
    heldHere.set(real, database);
    writeHolder(real);
    return { release: () => release(real, database) };
  } catch (error) {
    heldHere.delete(real);
    throw error;
  }
}

function takeDatabaseLock(file: string, label: string, holder: () => Holder | undefined): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
    fs.chmodSync(file, 0o600); // by path: a descriptor of ours must not be closed here
    // A journal would be a file that has to be written, and a full disk could not be locked, nor what it holds be read. (OFF is refused: node:sqlite
    // is defensive.)
    database.exec('PRAGMA journal_mode=MEMORY; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    const primary = sqliteCode(error);
    if (primary === sqliteBusy) throw lockedError(label, holder());
    if (primary === sqliteReadOnly) throw new ArchiveError('DISK_READ_ONLY', `disk ${label}: lock`, { cause: error });
    if (primary === sqliteFull) throw new ArchiveError('DISK_FULL', `disk ${label}: lock`, { cause: error });
    throw new ArchiveError(
      'DISK_IO',
      `disk ${label}: lock: ${primary === undefined ? 'failed' : `SQLite ${primary}`}`,
      {
        cause: error,
        hint: 'the folder must be writable, on a file system that can lock files (NFS: version 4)',
      },
    );
  }
}

/** The low byte of SQLite's extended code. */
function sqliteCode(error: unknown): number | undefined {
  if (error instanceof Error && 'errcode' in error && typeof error.errcode === 'number') return error.errcode & 0xff;
  return undefined;
}

function release(real: string, database: DatabaseSync): Promise<void> {
  if (database.isOpen) {
    // The facts go first: after the close they could be another holder's.
    forgetHolder(real);
    database.close();
    heldHere.delete(real);
  }
  return Promise.resolve();
}

function currentHolder(): Holder {
  return { pid: process.pid, host: os.hostname(), startedAt: new Date(performance.timeOrigin).toISOString() };
}

/** Information only: on a full disk there is none, and the lock holds all the same. */
function writeHolder(real: string): void {
  const file = path.join(real, lockHolderName);
  try {
    fs.writeFileSync(file, `${JSON.stringify(currentHolder())}\n`, { mode: 0o600 });
  } catch {
    forgetHolder(real);
  }
}

function forgetHolder(real: string): void {
  try {
    fs.rmSync(path.join(real, lockHolderName), { force: true });
  } catch {
    // On a disk that fails they stay; they only mislead a message, and the next holder writes its own.
  }
}

function readHolder(real: string): Holder | undefined {
  try {
    const text = fs.readFileSync(path.join(real, lockHolderName), 'utf8');
    if (text.length > holderSizeBytesMax) return undefined;
    const facts = JSON.parse(text) as Partial<Holder> | null;
    if (typeof facts?.pid !== 'number' || typeof facts.host !== 'string' || typeof facts.startedAt !== 'string')
      return undefined;
    return { pid: facts.pid, host: facts.host, startedAt: facts.startedAt };
  } catch {
    return undefined; // not written yet, or torn: the lock alone decides
  }
}

function lockedError(label: string, holder: Holder | undefined): ArchiveError {
  const who =
    holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}, started ${holder.startedAt}`;
  return new ArchiveError('DATA_LOCKED', `disk ${label}: held by ${who}`);
}
