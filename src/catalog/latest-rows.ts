// A row found by its natural key: inserted, replaced by what is later, or made as a stub because something refers to it.
//
// Invariants: latest wins; a stub has version zero and loses to every fact, so the order of arrival leaves no trace.

import { assert } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import type { Version } from './changes.ts';
import type { NumbersTx } from './numbers.ts';
import { hybridValue, sequenceValue } from './storable.ts';
import type { RowVersion } from './versions.ts';
import { replaces, stubVersion } from './versions.ts';

export type Cells = Readonly<Record<string, SqlValue>>;

/** Inserts or replaces the row of a natural key, unless what is there is later; whether it did. */
export async function applyLatest(
  tx: SqlTx,
  numbers: NumbersTx,
  change: {
    readonly table: string;
    readonly key: Cells;
    readonly cells: Cells;
    /** Cells that are what they are when the row is made and belong to the catalog from then on. */
    readonly counted?: readonly string[];
    readonly version: Version;
  },
): Promise<boolean> {
  const { table, key, version } = change;
  const keyNames = Object.keys(key);
  const keyValues = Object.values(key);
  const where = keyNames.map((name) => `${name} = ?`).join(' AND ');
  const found = await tx.one<RowVersion>(
    `SELECT hybrid, rec_writer_no, rec_seq FROM ${table} WHERE ${where}`,
    keyValues,
    'bigint',
  );
  if (found !== undefined && !(await replaces(version, found, (no) => numbers.writerOf(no)))) return false;
  const cells: Cells = {
    ...change.cells,
    hybrid: hybridValue(version.time),
    rec_writer_no: numbers.writer(version.record.writer),
    rec_seq: sequenceValue(version.record.sequence),
  };
  const names = Object.keys(cells);
  if (found === undefined) {
    const all = [...keyNames, ...names];
    const marks = all.map(() => '?').join(', ');
    await tx.run(`INSERT INTO ${table} (${all.join(', ')}) VALUES (${marks})`, [...keyValues, ...Object.values(cells)]);
    return true;
  }
  const said = names.filter((name) => change.counted?.includes(name) !== true);
  const { changes } = await tx.run(
    `UPDATE ${table} SET ${said.map((name) => `${name} = ?`).join(', ')} WHERE ${where}`,
    [...said.map((name) => cells[name] ?? null), ...keyValues],
  );
  assert(changes === 1, 'a natural key names one row');
  return true;
}

/** The number of a row by its natural key; the row is made, of version zero, when it is not there. */
export async function numberOrStub(
  tx: SqlTx,
  table: string,
  column: string,
  key: Cells,
  cells: Cells,
): Promise<number> {
  const names = Object.keys(key);
  const where = names.map((name) => `${name} = ?`).join(' AND ');
  const select = `SELECT ${column} AS no FROM ${table} WHERE ${where}`;
  const found = await tx.one<{ no: number }>(select, Object.values(key));
  if (found !== undefined) return found.no;
  const all: Cells = { ...key, ...cells, ...stubVersion };
  const marks = Object.keys(all).map(() => '?');
  const insert = `INSERT INTO ${table} (${Object.keys(all).join(', ')}) VALUES (${marks.join(', ')})`;
  await tx.run(insert, Object.values(all));
  const made = await tx.one<{ no: number }>(select, Object.values(key));
  assert(made !== undefined, 'a stub just made is there');
  return made.no;
}
