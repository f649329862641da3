// SQLite, embedded: one connection that writes, one that only reads, in one process.
//
// Invariants: WAL with synchronous=NORMAL, so a commit costs no sync and a crash of the machine may take back the newest commits,
// in order and whole (packs are the truth and replay them); transactions run one after another, BEGIN IMMEDIATE; reads outside a
// transaction go to the second connection, which sees only what was committed; the WAL is carried over and synced by `checkpoint`,
// which also runs by itself when the WAL has grown beyond `walPagesMax`.
// Left out on purpose: in-memory databases (the second connection would see uncommitted rows), extensions, and threads: a statement
// runs on the caller's thread, so callers keep batches bounded.

import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { ArchiveError, AssertionFault, assert } from '../base/index.ts';
import { checkSqlite } from './check-sqlite.ts';
import { insertOfRows, insertShape } from './insert-shape.ts';
import type { QueryBuilder } from './query-builder.ts';
import { queryBuilder } from './query-builder.ts';
import type { Sql, SqlIntegers, SqlTransaction, SqlValue } from './sql.ts';
import { statementsKeptMax } from './sql.ts';
import { sqliteError } from './sql-errors.ts';
import { StatementCache } from './statement-cache.ts';
import { Turns } from './turns.ts';

export type SqliteOptions = {
  readonly path: string;
  /** Page cache of the writing connection; the reading one has a quarter of it. */
  readonly cacheBytes?: number;
};

const cacheBytesDefault = 64 * 1024 * 1024;
const pageBytes = 4096;
const busyTimeoutMs = 2000;
/** 32 MiB of WAL before it is carried over: what a start after a crash reads again. Pages that many commits write are carried over once. */
const walPagesMax = 8192;
/** Asking how long the WAL is takes longer than a small commit's own work, so it is asked after so many changed rows, or so many commits. */
const changesBetweenLooks = 256;
const commitsBetweenLooks = 32;
/** 256 MiB while a database is filled: much of what is written is written again soon, and each carrying over waits for the disk twice. */
const fillingWalPagesMax = 65_536;

/** V8 keeps arrays up to this size inside its own heap. */
const bytesOnHeapMax = 64;

/**
 * A value as it is bound quickest. Binding a small array moves it out of V8's heap, 1.2 us each; a copy in Node's pool of buffers is
 * outside already and costs a tenth of that, and what is a part of a larger buffer is outside anyway.
 */
function bound(value: SqlValue): SqlValue {
  const isOnHeap = value instanceof Uint8Array && value.byteLength > 0 && value.buffer.byteLength <= bytesOnHeapMax;
  return isOnHeap ? Buffer.from(value) : value;
}

/** The values of some rows, one behind the other. */
function boundRows(rows: readonly (readonly SqlValue[])[], from: number, to: number): SqlValue[] {
  const values: SqlValue[] = [];
  for (let row = from; row < to; row += 1)
    for (const value of rows[row] as readonly SqlValue[]) values.push(bound(value));
  return values;
}

/** Rows that `many` inserts with one call, as many as there are: 5.5 us a row of 19 columns with four indexes become 4.4 with 16 and 4.1 with 64. */
const rowsTogether = [64, 16] as const;
const rowsTogetherMin = 16;

class SqliteConnection {
  readonly #db: DatabaseSync;
  #changes = 0;
  readonly #plain: StatementCache<StatementSync>;
  readonly #bigints: StatementCache<StatementSync>;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#plain = new StatementCache(statementsKeptMax, (text) => db.prepare(text));
    this.#bigints = new StatementCache(statementsKeptMax, (text) => {
      const statement = db.prepare(text);
      statement.setReadBigInts(true);
      return statement;
    });
  }

  /** Rows changed so far. */
  get changes(): number {
    return this.#changes;
  }

  #counted(changes: number): number {
    this.#changes += changes;
    return changes;
  }

  all(text: string, values: readonly SqlValue[], integers: SqlIntegers): unknown[] {
    try {
      const statement = integers === 'bigint' ? this.#bigints.get(text) : this.#plain.get(text);
      return statement.all(...values.map(bound));
    } catch (error) {
      throw sqliteError(error, text);
    }
  }

  one(text: string, values: readonly SqlValue[], integers: SqlIntegers): unknown {
    try {
      const statement = integers === 'bigint' ? this.#bigints.get(text) : this.#plain.get(text);
      return statement.get(...values.map(bound));
    } catch (error) {
      throw sqliteError(error, text);
    }
  }

  run(text: string, values: readonly SqlValue[]): number {
    try {
      return this.#counted(Number(this.#plain.get(text).run(...values.map(bound)).changes));
    } catch (error) {
      throw sqliteError(error, text);
    }
  }

  many(text: string, rows: readonly (readonly SqlValue[])[]): number {
    try {
      let changes = 0;
      let done = 0;
      const shape = rows.length < rowsTogetherMin ? undefined : insertShape(text);
      for (const count of shape === undefined ? [] : rowsTogether) {
        if (shape === undefined || done + count > rows.length) continue;
        const statement = this.#plain.get(insertOfRows(shape, count));
        for (; done + count <= rows.length; done += count)
          changes += Number(statement.run(...boundRows(rows, done, done + count)).changes);
      }
      const statement = this.#plain.get(text);
      for (; done < rows.length; done += 1)
        changes += Number(statement.run(...boundRows(rows, done, done + 1)).changes);
      return this.#counted(changes);
    } catch (error) {
      throw sqliteError(error, text);
    }
  }

  /** A statement of the query builder: rows when it gives some, else the count of changes. */
  compiled(text: string, values: readonly SqlValue[]): { rows: unknown[]; changes: number } {
    try {
      const statement = this.#plain.get(text);
      if (statement.columns().length > 0) return { rows: statement.all(...values.map(bound)), changes: 0 };
      return { rows: [], changes: this.#counted(Number(statement.run(...values.map(bound)).changes)) };
    } catch (error) {
      throw sqliteError(error, text);
    }
  }

  exec(text: string): void {
    try {
      this.#db.exec(text);
    } catch (error) {
      throw sqliteError(error, text);
    }
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  close(): void {
    this.#plain.clear();
    this.#bigints.clear();
    this.#db.close();
  }
}

const doomed = (): ArchiveError =>
  new ArchiveError('DATABASE_FAILED', 'a transaction with a failed statement cannot go on');

class SqliteTransaction implements SqlTransaction {
  readonly dialect = 'sqlite';
  readonly #connection: SqliteConnection;
  #builder: QueryBuilder<unknown> | undefined;
  #open = true;
  #doomed = false;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
  }

  /** Runs a statement; one that fails dooms the transaction, as it does on PostgreSQL. */
  #do<T>(work: (writer: SqliteConnection) => T): T {
    assert(this.#open, 'a transaction is not used after its end');
    if (this.#doomed) throw doomed();
    try {
      return work(this.#connection);
    } catch (error) {
      this.#doomed = true;
      throw error;
    }
  }

  get isDoomed(): boolean {
    return this.#doomed;
  }

  end(): void {
    this.#open = false;
  }

  query<Tables>(): QueryBuilder<Tables> {
    this.#builder ??= queryBuilder('sqlite', async (text, values) =>
      this.#do((writer) => writer.compiled(text, values)),
    );
    return this.#builder as QueryBuilder<Tables>;
  }

  async all<Row>(text: string, values: readonly SqlValue[] = [], integers: SqlIntegers = 'number'): Promise<Row[]> {
    return this.#do((writer) => writer.all(text, values, integers)) as Row[];
  }

  async one<Row>(
    text: string,
    values: readonly SqlValue[] = [],
    integers: SqlIntegers = 'number',
  ): Promise<Row | undefined> {
    return this.#do((writer) => writer.one(text, values, integers)) as Row | undefined;
  }

  async run(text: string, values: readonly SqlValue[] = []): Promise<{ changes: number }> {
    return { changes: this.#do((writer) => writer.run(text, values)) };
  }

  async many(text: string, rows: readonly (readonly SqlValue[])[]): Promise<{ changes: number }> {
    return { changes: this.#do((writer) => writer.many(text, rows)) };
  }

  async lock(name: string): Promise<void> {
    assert(name !== '' && this.#open, 'a lock has a name and a transaction');
  }
}

class SqliteSql implements Sql {
  readonly dialect = 'sqlite';
  readonly #path: string;
  readonly #writer: SqliteConnection;
  readonly #reader: SqliteConnection;
  readonly #turns = new Turns();
  #builder: QueryBuilder<unknown> | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #walPagesMax = walPagesMax;
  #commitsUnseen = 0;
  #changesSeen = 0;

  constructor(path: string, writer: SqliteConnection, reader: SqliteConnection) {
    this.#path = path;
    this.#writer = writer;
    this.#reader = reader;
  }

  #read(): SqliteConnection {
    if (this.#state === 'closed') throw new ArchiveError('CLOSED', 'the database is closed');
    this.#turns.refuseWithin('a read');
    return this.#reader;
  }

  query<Tables>(): QueryBuilder<Tables> {
    this.#builder ??= queryBuilder('sqlite', async (text, values) =>
      /^\s*(select|with)\b/i.test(text)
        ? this.#read().compiled(text, values)
        : await this.#alone('a statement', (writer) => writer.compiled(text, values)),
    );
    return this.#builder as QueryBuilder<Tables>;
  }

  async all<Row>(text: string, values: readonly SqlValue[] = [], integers: SqlIntegers = 'number'): Promise<Row[]> {
    return this.#read().all(text, values, integers) as Row[];
  }

  async one<Row>(
    text: string,
    values: readonly SqlValue[] = [],
    integers: SqlIntegers = 'number',
  ): Promise<Row | undefined> {
    return this.#read().one(text, values, integers) as Row | undefined;
  }

  async run(text: string, values: readonly SqlValue[] = []): Promise<{ changes: number }> {
    return await this.#alone('a statement', (writer) => ({ changes: writer.run(text, values) }));
  }

  async many(text: string, rows: readonly (readonly SqlValue[])[]): Promise<{ changes: number }> {
    return await this.transaction((tx) => tx.many(text, rows));
  }

  /** A single statement that commits by itself, between transactions. */
  async #alone<T>(what: string, work: (writer: SqliteConnection) => T): Promise<T> {
    return await this.#turns.take(what, async () => {
      this.#refuseClosed();
      const result = work(this.#writer);
      this.#boundLog();
      return result;
    });
  }

  #refuseClosed(): void {
    if (this.#state !== 'open') throw new ArchiveError('CLOSED', 'the database is closed');
  }

  async transaction<T>(work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    return await this.#turns.take('a transaction', async () => {
      this.#refuseClosed();
      this.#writer.exec('BEGIN IMMEDIATE');
      const tx = new SqliteTransaction(this.#writer);
      try {
        const result = await work(tx);
        tx.end();
        if (tx.isDoomed) throw doomed();
        this.#writer.exec('COMMIT');
        this.#boundLog();
        return result;
      } catch (error) {
        tx.end();
        // A full disk or a failed write ends the transaction by itself.
        if (this.#writer.inTransaction) this.#writer.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /**
   * After every commit, within its turn: copies a grown WAL into the database file, both synced. What has been committed stays committed:
   * a failure here is not the commit's, the next one tries again, and `checkpoint` reports it.
   */
  #boundLog(): void {
    this.#commitsUnseen += 1;
    const { changes } = this.#writer;
    if (this.#commitsUnseen < commitsBetweenLooks && changes - this.#changesSeen < changesBetweenLooks) return;
    this.#commitsUnseen = 0;
    this.#changesSeen = changes;
    try {
      const { log } = this.#writer.one('PRAGMA wal_checkpoint(NOOP)', [], 'number') as { log: number };
      if (log >= this.#walPagesMax) this.#writer.all('PRAGMA wal_checkpoint(PASSIVE)', [], 'number');
    } catch {
      return;
    }
  }

  async filling<T>(work: () => Promise<T>): Promise<T> {
    this.#walPagesMax = fillingWalPagesMax;
    try {
      return await work();
    } finally {
      this.#walPagesMax = walPagesMax;
    }
  }

  async checkpoint(): Promise<void> {
    await this.#turns.take('a checkpoint', async () => {
      this.#refuseClosed();
      this.#writer.all('PRAGMA wal_checkpoint(PASSIVE)', [], 'number');
    });
  }

  async check(): Promise<'good' | 'damaged'> {
    this.#refuseClosed();
    return await checkSqlite(this.#path);
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    await this.#turns.take('closing', async () => {
      this.#state = 'closed';
      this.#reader.close();
      this.#writer.close();
    });
  }
}

function connect(path: string, options: { readOnly: boolean; cacheBytes: number }): SqliteConnection {
  let db: DatabaseSync;
  try {
    db = new DatabaseSync(path, {
      readOnly: options.readOnly,
      timeout: busyTimeoutMs,
      enableForeignKeyConstraints: false,
    });
  } catch (error) {
    throw sqliteError(error, 'opening the database');
  }
  const connection = new SqliteConnection(db);
  try {
    if (!options.readOnly) {
      connection.exec(`PRAGMA page_size=${pageBytes}`);
      connection.exec('PRAGMA journal_mode=WAL');
      connection.exec('PRAGMA synchronous=NORMAL');
      connection.exec('PRAGMA wal_autocheckpoint=0');
      connection.exec(`PRAGMA journal_size_limit=${walPagesMax * pageBytes}`);
    }
    connection.exec(`PRAGMA cache_size=-${Math.floor(options.cacheBytes / 1024)}`);
    connection.exec('PRAGMA temp_store=MEMORY');
    // The first look at the file: one that is no database says so here, not at somebody's first statement.
    connection.all('SELECT count(*) AS tables FROM sqlite_schema', [], 'number');
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Opens or makes the database file. The folder must exist. Errors: DATABASE_FAILED (not a database), DISK_FULL, DISK_READ_ONLY. */
export async function openSqlite(options: SqliteOptions): Promise<Sql> {
  if (options.path === ':memory:' || options.path === '') {
    throw new AssertionFault('a database lies in a file: the reading connection must see the same one');
  }
  const cacheBytes = options.cacheBytes ?? cacheBytesDefault;
  assert(cacheBytes >= 1024 * 1024, 'a page cache has at least 1 MiB');
  const writer = connect(options.path, { readOnly: false, cacheBytes });
  try {
    const reader = connect(options.path, { readOnly: true, cacheBytes: cacheBytes / 4 });
    return new SqliteSql(options.path, writer, reader);
  } catch (error) {
    writer.close();
    throw error;
  }
}
