// sql: an open database, statements and transactions on it, migrations and declared tables; the same on SQLite and PostgreSQL.
//
// `openSqlite`, `openPostgres`, `openSql` -> Sql. What resolves is committed; `Sql.checkpoint()` makes it durable. Errors are
// DATABASE_FAILED, DATABASE_NEWER, DISK_FULL, DISK_READ_ONLY, DISK_IO, BUSY and CLOSED, and repeat no value of a statement.

export type { Migration } from './migrations.ts';
export { defineMigration, migrate } from './migrations.ts';
export { isPostgresUrl, openSql } from './open-sql.ts';
export type { PostgresOptions } from './postgres.ts';
export { openPostgres } from './postgres.ts';
export type { QueryBuilder } from './query-builder.ts';
export { rawSql } from './query-builder.ts';
export type { Sql, SqlIntegers, SqlTransaction, SqlTx, SqlValue } from './sql.ts';
export { inList, inListMax, inValues, pieces } from './sql.ts';
export type { SqliteOptions } from './sqlite.ts';
export { openSqlite } from './sqlite.ts';
export type { ColumnKind, TableClass, TableDeclaration, TableDump } from './tables.ts';
export { clearTables, defineTable, dumpTables } from './tables.ts';
