// The door to a database: what a statement takes and gives back, the same on SQLite and on PostgreSQL.
//
// Invariants: placeholders are `?` and values never become part of a statement's text, so no patient's name can reach a log
// through one; a read outside a transaction sees only what was committed; within a transaction it sees what the transaction wrote.
// Left out on purpose: connections (sqlite.ts, postgres.ts), and any table: rooms above declare theirs.

import { assert } from '../base/index.ts';
import type { QueryBuilder } from './query-builder.ts';
import type { SqlValue } from './sql-value.ts';

export type { SqlValue };

/**
 * How integers come back. `number` refuses one beyond 2^53 instead of rounding it; ask for `bigint` where a hybrid time or a
 * sequence may be in the row, and every integer of the row is a bigint.
 */
export type SqlIntegers = 'number' | 'bigint';

/** Statements on one connection: the body of a transaction, or single statements that commit by themselves. */
export interface SqlTx {
  readonly dialect: 'sqlite' | 'postgres';

  /** The query builder, for statements put together at run time. Integers come back as numbers. It does not open transactions. */
  query<Tables>(): QueryBuilder<Tables>;

  /** The rows of a statement. Column names are as selected; blobs are Uint8Array. */
  all<Row>(statement: string, values?: readonly SqlValue[], integers?: SqlIntegers): Promise<Row[]>;

  /** The first row, or undefined. The statement itself says `LIMIT 1` where more could match. */
  one<Row>(statement: string, values?: readonly SqlValue[], integers?: SqlIntegers): Promise<Row | undefined>;

  run(statement: string, values?: readonly SqlValue[]): Promise<{ changes: number }>;

  /**
   * One statement over many rows, as if run row by row in order, all or none; the changes of all rows together.
   * On PostgreSQL `INSERT INTO t (...) VALUES (?, ..., ?)` travels as arrays of columns, anything else row by row down the pipeline.
   */
  many(statement: string, rows: readonly (readonly SqlValue[])[]): Promise<{ changes: number }>;
}

/** The body of a transaction. Unusable once the transaction ended. */
export interface SqlTransaction extends SqlTx {
  /**
   * Keeps every other transaction that asks for the same name waiting until this one ends, on every machine: for a decision that
   * must still hold at the commit. On SQLite transactions are one after another anyway. Take names in a fixed order.
   */
  lock(name: string): Promise<void>;
}

/** An open database. */
export interface Sql extends SqlTx {
  /**
   * Commits when `work` resolves, takes everything back when it throws, and passes its error on. Never retried. One after another
   * on SQLite (others wait their turn, reads do not). Within `work` only `tx` may be used: this object refuses, since it would
   * wait for itself. Committed when it resolves; durable after the next `checkpoint` (PostgreSQL: by its synchronous_commit).
   */
  transaction<T>(work: (tx: SqlTransaction) => Promise<T>): Promise<T>;

  /** Runs `work`, which writes much that would only be made again after a crash: what it commits becomes durable in larger steps. */
  filling<T>(work: () => Promise<T>): Promise<T>;

  /** Everything committed before the call is durable when it resolves. Safe to repeat and to call at any time outside a transaction. */
  checkpoint(): Promise<void>;

  /**
   * Reads the whole of the database's file and says whether it is as it should be; others go on meanwhile. PostgreSQL minds its own files: there it
   * only answers that it is there.
   */
  check(): Promise<'good' | 'damaged'>;

  /** Waits for the transaction under way, then closes. Safe to repeat. */
  close(): Promise<void>;
}

/** Prepared statements kept on a connection; beyond it the one unused for longest goes. */
export const statementsKeptMax = 256;
/** Rows that `many` sends to PostgreSQL in one statement. */
export const rowsPerStatementMax = 512;
/** Values of one `IN (...)`: a statement stays small, and few sizes of it are prepared. */
export const inListMax = 256;

/**
 * `(?, ?, ?)` for an IN list, rounded up to a power of two so that few statements are prepared; `inValues` fills it.
 * An empty list is a mistake of the caller: it has nothing to ask.
 */
export function inList(count: number): string {
  return `(${new Array<string>(inListSize(count)).fill('?').join(', ')})`;
}

/** The values for `inList`, the last one repeated up to its size. */
export function inValues<V extends SqlValue>(values: readonly V[]): V[] {
  const filled = values.slice();
  const last = filled[filled.length - 1] as V;
  const size = inListSize(values.length);
  while (filled.length < size) filled.push(last);
  return filled;
}

function inListSize(count: number): number {
  assert(count >= 1 && count <= inListMax, `an IN list has 1 to ${inListMax} values`);
  let size = 1;
  while (size < count) size *= 2;
  return size;
}

/** Cuts a list into pieces of at most `size`. */
export function pieces<T>(list: readonly T[], size: number): (readonly T[])[] {
  assert(size >= 1, 'a piece holds something');
  if (list.length <= size) return list.length === 0 ? [] : [list];
  const out: (readonly T[])[] = [];
  for (let offset = 0; offset < list.length; offset += size) out.push(list.slice(offset, offset + size));
  return out;
}
