// Statements as PostgreSQL takes them: $n for ?, and one statement over many rows as few statements.
//
// Invariants: a translated statement means the same; `manyPlan` keeps the order of rows, and joins them only where that cannot
// change the outcome (a plain INSERT, or one that skips conflicts; never DO UPDATE, which refuses to meet a row twice).

import { assert } from '../base/index.ts';
import type { SqlValue } from './sql.ts';
import { rowsPerStatementMax, statementsKeptMax } from './sql.ts';
import { StatementCache } from './statement-cache.ts';

function translate(statement: string): string {
  let count = 0;
  let out = '';
  let quoted = false;
  for (const char of statement) {
    if (char === "'") quoted = !quoted;
    if (char === '?' && !quoted) {
      count += 1;
      out += `$${count}`;
    } else out += char;
  }
  assert(!quoted, 'a quoted text in a statement ends');
  return out;
}

const translated = new StatementCache<string>(2 * statementsKeptMax, translate);

export function numbered(statement: string): string {
  return statement.includes('?') ? translated.get(statement) : statement;
}

export type PlannedStatement = { readonly text: string; readonly values: readonly SqlValue[] };

type InsertParts = { before: string; tuple: string; after: string } | undefined;

const insertForm = /^(\s*INSERT\s+INTO\b[^?]*\bVALUES\s*)(\(\s*\?(?:\s*,\s*\?)*\s*\))([^?]*)$/is;

const insertParts = new StatementCache<{ parts: InsertParts }>(statementsKeptMax, (statement) => {
  const match = insertForm.exec(statement);
  if (match === null || /\bDO\s+UPDATE\b|\bRETURNING\b/i.test(statement)) return { parts: undefined };
  const [, before = '', tuple = '', after = ''] = match;
  return { parts: { before, tuple, after } };
});

/** The statements, in order, that do `statement` for every row. */
export function manyPlan(statement: string, rows: readonly (readonly SqlValue[])[]): PlannedStatement[] {
  const { parts } = insertParts.get(statement);
  if (parts === undefined) {
    const text = numbered(statement);
    return rows.map((values) => ({ text, values }));
  }
  const plan: PlannedStatement[] = [];
  let size = rowsPerStatementMax;
  for (let offset = 0; offset < rows.length; offset += size) {
    while (size > rows.length - offset) size /= 2;
    const text = `${parts.before}${new Array<string>(size).fill(parts.tuple).join(', ')}${parts.after}`;
    plan.push({ text: numbered(text), values: rows.slice(offset, offset + size).flat() });
  }
  assert(plan.length <= rows.length, 'joining rows does not make more statements');
  return plan;
}
