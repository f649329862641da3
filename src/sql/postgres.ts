// PostgreSQL: a pool of connections, prepared statements, pipelining.
//
// Invariants: sessions run with synchronous_commit=off (packs are the truth and replay what a crash of the server takes back), and
// `checkpoint` commits once with it on, which makes everything before durable, other sessions' commits included; isolation is READ
// COMMITTED, so a transaction that reads to decide takes a `lock` first; text and bytes compare by bytes (migrations see to it).
// Integers, counts and sums come back as SQLite gives them, and truth values as 0 and 1.
// Left out on purpose: poolers that hand one transaction to another session between statements (prepared statements need one).

import { createHash } from 'node:crypto';
import pg from 'pg';
import { ArchiveError, assert } from '../base/index.ts';
import { type InsertShape, insertShape } from './insert-shape.ts';
import { columnsOf, insertOfArrays, numbered } from './postgres-statements.ts';
import type { QueryBuilder } from './query-builder.ts';
import { queryBuilder } from './query-builder.ts';
import type { Sql, SqlIntegers, SqlTransaction, SqlTx, SqlValue } from './sql.ts';
import { pieces, rowsPerStatementMax, statementsKeptMax } from './sql.ts';
import { postgresError } from './sql-errors.ts';
import { Turns } from './turns.ts';

export type PostgresOptions = {
  readonly url: string;
  /** The schema our tables lie in; made when it is missing. Default: the role's own. */
  readonly schema?: string;
  readonly connectionsMax?: number;
};

const connectionsDefault = 10;
const connectMsMax = 10_000;
/** Statements sent ahead of their answers. */
const pipelineMax = 256;

const int8 = 20;
const int2 = 21;
const int4 = 23;
const boolean = 16;
const bytea = 17;
const numeric = 1700;

type Parser = (text: string) => unknown;

function safeInteger(text: string): number {
  const value = Number(text);
  assert(Number.isSafeInteger(value), 'an integer beyond 2^53 is read as bigint');
  return value;
}

function parsers(integer: Parser): pg.CustomTypesConfig {
  const own: Record<number, Parser> = {
    [int8]: integer,
    [int2]: integer,
    [int4]: integer,
    [numeric]: integer,
    [boolean]: (text) => integer(text === 't' ? '1' : '0'),
    [bytea]: (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex')),
  };
  return { getTypeParser: ((oid: number) => own[oid] ?? String) as pg.CustomTypesConfig['getTypeParser'] };
}

const types: Record<SqlIntegers, pg.CustomTypesConfig> = { number: parsers(safeInteger), bigint: parsers(BigInt) };

/** What is the same on every connection. Names for prepared statements: our own texts are few; what comes beyond the limit is parsed each time. */
class SessionMemory {
  readonly #names = new Map<string, string>();
  /** Types of the columns that INSERTs name. */
  readonly columnTypes = new Map<string, readonly string[]>();

  nameOf(text: string): string | undefined {
    let name = this.#names.get(text);
    if (name === undefined && this.#names.size < statementsKeptMax) {
      name = `s${this.#names.size}`;
      this.#names.set(text, name);
    }
    return name;
  }
}

type Runner = pg.Pool | pg.PoolClient;

/** Statements on one connection or on any of the pool. */
class PostgresRunner {
  readonly #runner: () => Runner;
  readonly #session: SessionMemory;

  constructor(runner: () => Runner, session: SessionMemory) {
    this.#runner = runner;
    this.#session = session;
  }

  async send(
    text: string,
    values: readonly (SqlValue | SqlValue[])[],
    integers: SqlIntegers,
    keep = true,
  ): Promise<pg.QueryResult> {
    const name = keep ? this.#session.nameOf(text) : undefined;
    const query = { text, values: values as unknown[], types: types[integers] };
    try {
      return await this.#runner().query(name === undefined ? query : { ...query, name });
    } catch (error) {
      throw postgresError(error, text);
    }
  }

  async all<Row>(text: string, values: readonly SqlValue[], integers: SqlIntegers): Promise<Row[]> {
    return (await this.send(numbered(text), values, integers)).rows as Row[];
  }

  async run(text: string, values: readonly SqlValue[]): Promise<{ changes: number }> {
    return { changes: (await this.send(numbered(text), values, 'number')).rowCount ?? 0 };
  }

  async compiled(text: string, values: readonly SqlValue[]): Promise<{ rows: unknown[]; changes: number }> {
    const { rows, rowCount } = await this.send(text, values, 'number', false);
    return { rows, changes: rowCount ?? 0 };
  }

  async many(text: string, rows: readonly (readonly SqlValue[])[]): Promise<{ changes: number }> {
    if (rows.length === 0) return { changes: 0 };
    const shape = insertShape(text);
    const types = shape === undefined ? undefined : await this.#columnTypes(shape);
    if (shape === undefined || types === undefined) return await this.#sendAll(numbered(text), rows);
    const insert = insertOfArrays(shape, types);
    const columns = pieces(rows, rowsPerStatementMax).map((piece) => columnsOf(piece, types.length));
    return await this.#sendAll(insert, columns);
  }

  /** One statement over many sets of values, sent ahead of the answers. */
  async #sendAll(text: string, all: readonly (readonly (SqlValue | SqlValue[])[])[]): Promise<{ changes: number }> {
    let changes = 0;
    for (const window of pieces(all, pipelineMax)) {
      // All settled, not the first failure: an answer must not arrive after the transaction was given back.
      const results = await Promise.allSettled(window.map((values) => this.send(text, values, 'number')));
      for (const result of results) {
        if (result.status === 'rejected') throw postgresError(result.reason, text);
        changes += result.value.rowCount ?? 0;
      }
    }
    return { changes };
  }

  /** The types of an INSERT's columns, asked once; undefined when the table or a column is not there (the INSERT will say so). */
  async #columnTypes(shape: InsertShape): Promise<readonly string[] | undefined> {
    const key = `${shape.table} ${shape.columns.join(' ')}`;
    const known = this.#session.columnTypes.get(key);
    if (known !== undefined) return known;
    const rows = await this.all<{ name: string; type: string }>(
      `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
        WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped`,
      [shape.table],
      'number',
    );
    const types = shape.columns.map((column) => rows.find((row) => row.name === column)?.type);
    if (types.some((type) => type === undefined)) return undefined;
    this.#session.columnTypes.set(key, types as string[]);
    return types as string[];
  }
}

/** What a transaction and the database itself take alike. */
class PostgresStatements implements SqlTx {
  readonly dialect = 'postgres';
  readonly #runner: PostgresRunner;
  #builder: QueryBuilder<unknown> | undefined;

  constructor(runner: PostgresRunner) {
    this.#runner = runner;
  }

  query<Tables>(): QueryBuilder<Tables> {
    this.#builder ??= queryBuilder('postgres', (text, values) => this.#runner.compiled(text, values));
    return this.#builder as QueryBuilder<Tables>;
  }

  async all<Row>(text: string, values: readonly SqlValue[] = [], integers: SqlIntegers = 'number'): Promise<Row[]> {
    return await this.#runner.all<Row>(text, values, integers);
  }

  async one<Row>(
    text: string,
    values: readonly SqlValue[] = [],
    integers: SqlIntegers = 'number',
  ): Promise<Row | undefined> {
    return (await this.#runner.all<Row>(text, values, integers))[0];
  }

  async run(text: string, values: readonly SqlValue[] = []): Promise<{ changes: number }> {
    return await this.#runner.run(text, values);
  }

  async many(text: string, rows: readonly (readonly SqlValue[])[]): Promise<{ changes: number }> {
    return await this.#runner.many(text, rows);
  }
}

class PostgresTransaction extends PostgresStatements implements SqlTransaction {
  readonly #lockSpace: string;
  readonly #open: { is: boolean };

  constructor(client: pg.PoolClient, session: SessionMemory, lockSpace: string) {
    const open = { is: true };
    super(
      new PostgresRunner(() => {
        assert(open.is, 'a transaction is not used after its end');
        return client;
      }, session),
    );
    this.#open = open;
    this.#lockSpace = lockSpace;
  }

  end(): void {
    this.#open.is = false;
  }

  async lock(name: string): Promise<void> {
    assert(name !== '', 'a lock has a name');
    const key = createHash('sha256').update(`${this.#lockSpace}/${name}`).digest().readBigInt64BE(0);
    await this.all('SELECT pg_advisory_xact_lock(?)', [key]);
  }
}

class PostgresSql extends PostgresStatements implements Sql {
  readonly #pool: pg.Pool;
  readonly #lockSpace: string;
  readonly #session: SessionMemory;
  readonly #turns: Turns;
  readonly #open: { is: boolean };

  constructor(pool: pg.Pool, lockSpace: string) {
    const open = { is: true };
    const session = new SessionMemory();
    const turns = new Turns();
    super(
      new PostgresRunner(() => {
        refuseClosed(open);
        turns.refuseWithin('a statement');
        return pool;
      }, session),
    );
    this.#pool = pool;
    this.#lockSpace = lockSpace;
    this.#session = session;
    this.#turns = turns;
    this.#open = open;
  }

  override async many(text: string, rows: readonly (readonly SqlValue[])[]): Promise<{ changes: number }> {
    return await this.transaction((tx) => tx.many(text, rows));
  }

  async transaction<T>(work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    return await this.#turns.beside('a transaction', async () => {
      refuseClosed(this.#open);
      const client = await this.#pool.connect().catch((error: unknown) => {
        throw postgresError(error, 'connecting');
      });
      const tx = new PostgresTransaction(client, this.#session, this.#lockSpace);
      let broken: Error | undefined;
      try {
        await command(client, 'BEGIN');
        const result = await work(tx);
        tx.end();
        // A statement failed and its error was swallowed: the server answers COMMIT by taking everything back.
        if ((await command(client, 'COMMIT')) !== 'COMMIT') {
          throw new ArchiveError('DATABASE_FAILED', 'a transaction with a failed statement cannot commit');
        }
        return result;
      } catch (error) {
        tx.end();
        await command(client, 'ROLLBACK').catch((fault: unknown) => {
          broken = postgresError(fault, 'ROLLBACK');
        });
        throw error;
      } finally {
        client.release(broken);
      }
    });
  }

  filling<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  async check(): Promise<'good' | 'damaged'> {
    await this.all('SELECT 1 AS one');
    return 'good';
  }

  async checkpoint(): Promise<void> {
    await this.transaction(async (tx) => {
      await tx.run('SET LOCAL synchronous_commit = on');
      // A commit is only synced when it wrote something.
      await tx.all("SELECT 1 AS done FROM pg_logical_emit_message(true, 'stele', 'checkpoint')");
    });
  }

  async close(): Promise<void> {
    if (!this.#open.is) return;
    this.#open.is = false;
    await this.#pool.end();
  }
}

function refuseClosed(open: { readonly is: boolean }): void {
  if (!open.is) throw new ArchiveError('CLOSED', 'the database is closed');
}

async function command(client: pg.PoolClient, text: string): Promise<string> {
  try {
    return (await client.query(text)).command;
  } catch (error) {
    throw postgresError(error, text);
  }
}

/** Opens a pool and looks whether the server answers. Errors: DATABASE_FAILED, BUSY (no connection left). */
export async function openPostgres(options: PostgresOptions): Promise<Sql> {
  const { schema } = options;
  assert(
    schema === undefined || /^[a-z_][a-z0-9_]{0,62}$/.test(schema),
    'a schema name is lower case with underscores',
  );
  const session = ['-c synchronous_commit=off', ...(schema === undefined ? [] : [`-c search_path=${schema}`])];
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connectionsMax ?? connectionsDefault,
    connectionTimeoutMillis: connectMsMax,
    options: session.join(' '),
    pipeline: true,
  } as pg.PoolConfig);
  // An idle connection that breaks is replaced at the next statement, which reports if the server is gone.
  pool.on('error', () => undefined);
  try {
    await pool.query(schema === undefined ? 'SELECT 1' : `CREATE SCHEMA IF NOT EXISTS ${schema}`);
  } catch (error) {
    await pool.end();
    throw postgresError(error, 'opening the database');
  }
  return new PostgresSql(pool, schema ?? '');
}
