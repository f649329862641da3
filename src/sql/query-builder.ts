// Kysely over our own connections: it builds and types statements, and runs them through `SqlTx` like any other.
//
// Invariants: one path for errors, statement caches and transactions; Kysely opens no connection and no transaction of its own.
// Left out on purpose: its migrations, introspection and streaming.

import type {
  CompiledQuery,
  DatabaseConnection,
  DatabaseIntrospector,
  DialectAdapter,
  Driver,
  QueryCompiler,
  QueryResult,
} from 'kysely';
import { Kysely, PostgresAdapter, PostgresQueryCompiler, SqliteAdapter, SqliteQueryCompiler, sql } from 'kysely';
import { AssertionFault } from '../base/index.ts';
import type { SqlValue } from './sql-value.ts';

/** Builds and types statements over declared tables. */
export type QueryBuilder<Tables> = Kysely<Tables>;

/** A piece of a statement for the query builder; what stands in `${}` travels as a value. */
export const rawSql = sql;

/** Runs a statement as the dialect writes it ($1 on PostgreSQL), giving rows and how many were changed. */
export type CompiledRunner = (
  statement: string,
  values: readonly SqlValue[],
) => Promise<{ rows: unknown[]; changes: number }>;

const refuse = (what: string) => (): Promise<never> =>
  Promise.reject(new AssertionFault(`${what} belongs to Sql, not to the query builder`));

class RunnerConnection implements DatabaseConnection {
  readonly #run: CompiledRunner;

  constructor(run: CompiledRunner) {
    this.#run = run;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes } = await this.#run(query.sql, query.parameters as readonly SqlValue[]);
    return { rows: rows as R[], numAffectedRows: BigInt(changes) };
  }

  streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new AssertionFault('a query is paged by its caller, not streamed');
  }
}

function runnerDriver(run: CompiledRunner): Driver {
  const connection = new RunnerConnection(run);
  return {
    init: async () => undefined,
    acquireConnection: async () => connection,
    beginTransaction: refuse('a transaction'),
    commitTransaction: refuse('a transaction'),
    rollbackTransaction: refuse('a transaction'),
    releaseConnection: async () => undefined,
    destroy: async () => undefined,
  };
}

export function queryBuilder(dialect: 'sqlite' | 'postgres', run: CompiledRunner): QueryBuilder<unknown> {
  const sqlite = dialect === 'sqlite';
  return new Kysely<unknown>({
    dialect: {
      createAdapter: (): DialectAdapter => (sqlite ? new SqliteAdapter() : new PostgresAdapter()),
      createDriver: () => runnerDriver(run),
      createIntrospector: (): DatabaseIntrospector => {
        throw new AssertionFault('tables are declared, not introspected');
      },
      createQueryCompiler: (): QueryCompiler => (sqlite ? new SqliteQueryCompiler() : new PostgresQueryCompiler()),
    },
  });
}
