// An INSERT of one row of placeholders, taken apart, so that a database may take many rows with one call.
//
// Invariant: rows are joined in their order, and only where that cannot change the outcome: a plain INSERT, or one that skips conflicts; never
// DO UPDATE, which on PostgreSQL refuses to meet a row twice.

import { assert } from '../base/index.ts';
import { statementsKeptMax } from './sql.ts';
import { StatementCache } from './statement-cache.ts';

export type InsertShape = { readonly table: string; readonly columns: readonly string[]; readonly after: string };

const insertForm = /^\s*INSERT\s+INTO\s+(\w+)\s*\(([\w\s,]+)\)\s*VALUES\s*\(\s*\?(?:\s*,\s*\?)*\s*\)([^?]*)$/i;

const insertShapes = new StatementCache<{ shape: InsertShape | undefined }>(statementsKeptMax, (statement) => {
  const match = insertForm.exec(statement);
  if (match === null || /\bDO\s+UPDATE\b|\bRETURNING\b/i.test(statement)) return { shape: undefined };
  const [, table = '', list = '', after = ''] = match;
  const columns = list.split(',').map((name) => name.trim());
  const marks = statement.split('?').length - 1;
  assert(columns.length === marks, 'an INSERT has a placeholder for every column it names');
  return { shape: { table, columns, after } };
});

/** The shape, when many rows of the statement may travel as one: then the outcome is the same. */
export function insertShape(statement: string): InsertShape | undefined {
  return insertShapes.get(statement).shape;
}

/** The same statement for so many rows, their values one row behind the other. */
export function insertOfRows({ table, columns, after }: InsertShape, count: number): string {
  const row = `(${columns.map(() => '?').join(', ')})`;
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${new Array<string>(count).fill(row).join(', ')}${after}`;
}
