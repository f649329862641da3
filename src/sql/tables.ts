// How a room declares its tables, so that rebuild, dumps and tests can walk all of them without knowing any.
//
// Invariants: every table belongs to one class: `fact` and `site` tables can be made again from packs alone, a `cache` table from
// the others; `dump` gives a table's whole content without surrogate numbers, so that two databases with the same content dump alike
// whatever the order they were filled in.
// Left out on purpose: making tables. Migrations are text that never changes; a declaration says what there is now, and a test
// compares the two on both databases.

import { assert, hexOf } from '../base/index.ts';
import type { SqlTx } from './sql.ts';

export type TableClass = 'fact' | 'site' | 'cache';

/** `hybrid` is an integer beyond 2^53: read its rows with bigints. */
export type ColumnKind = 'integer' | 'hybrid' | 'bytes' | 'text';

export type TableDeclaration = {
  readonly name: string;
  readonly room: string;
  readonly class: TableClass;
  readonly columns: Readonly<Record<string, ColumnKind>>;
  /** A SELECT over the whole table in natural keys. It may name other tables. Empty for a cache that is not compared. */
  readonly dump: string;
};

const tableName = /^[a-z][a-z0-9_]{1,40}$/;

export function defineTable(table: TableDeclaration): TableDeclaration {
  assert(tableName.test(table.name), `a table name is lower case with underscores: ${table.name}`);
  assert(Object.keys(table.columns).length > 0, `a table has columns: ${table.name}`);
  assert(table.class === 'cache' || table.dump !== '', `a ${table.class} table can be dumped: ${table.name}`);
  return Object.freeze({ ...table, columns: Object.freeze({ ...table.columns }) });
}

export type TableDump = Record<string, string[]>;

type DumpedValue = null | bigint | number | string | Uint8Array;

function dumpedText(value: DumpedValue): string | null {
  if (value === null || typeof value === 'string') return value;
  return value instanceof Uint8Array ? hexOf(value) : String(value);
}

/** Every row as one line of JSON, in order: equal content gives equal dumps. For tests and for comparing after a rebuild. */
export async function dumpTables(
  sql: SqlTx,
  tables: readonly TableDeclaration[],
  classes: readonly TableClass[],
): Promise<TableDump> {
  const dump: TableDump = {};
  for (const table of tables) {
    if (!classes.includes(table.class) || table.dump === '') continue;
    const rows = await sql.all<Record<string, DumpedValue>>(table.dump, [], 'bigint');
    const lines = rows.map((row) =>
      JSON.stringify(Object.fromEntries(Object.entries(row).map(([name, value]) => [name, dumpedText(value)]))),
    );
    dump[table.name] = lines.sort();
  }
  return dump;
}

/** Empties tables before they are filled again. In a transaction of the caller's, so that a crash leaves the old content. */
export async function clearTables(tx: SqlTx, tables: readonly TableDeclaration[]): Promise<void> {
  for (const table of tables) await tx.run(`DELETE FROM ${table.name}`);
}
