// The archive's own tables: notes that a start needs to know whether this database fits these disks, and callers that were turned away.
//
// Invariant: a cache: without any note a start looks at every pack and is right, only slower.

import { defineMigration, defineTable, type SqlTx } from '../sql/index.ts';

export const archiveTables = [
  defineTable({
    name: 'archive_notes',
    room: 'archive',
    class: 'cache',
    columns: { name: 'text', value: 'text' },
    dump: '',
  }),
  defineTable({
    name: 'refused_callers',
    room: 'archive',
    class: 'cache',
    columns: {
      calling: 'text',
      called: 'text',
      address: 'text',
      reason: 'text',
      count: 'integer',
      first_ms: 'integer',
      last_ms: 'integer',
    },
    dump: '',
  }),
];

export const archiveMigrations = [
  defineMigration({
    room: 'archive',
    number: 1,
    name: 'notes of the database itself',
    statements: [
      'CREATE TABLE archive_notes (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID',
    ],
  }),
  defineMigration({
    room: 'archive',
    number: 2,
    name: 'callers that were turned away',
    statements: [
      `CREATE TABLE refused_callers (
        calling TEXT NOT NULL, called TEXT NOT NULL, address TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
        first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, PRIMARY KEY (calling, called, address)
      ) STRICT, WITHOUT ROWID`,
    ],
  }),
];

/**
 * `archive`: whose database this is. `database`: which one, drawn when it was made. `complete`: everything on the disks was applied, by this
 * version of `project`. `writers_checked`: writers up to this number are of earlier starts and were compared with the disks.
 */
export type NoteName = 'archive' | 'database' | 'complete' | 'writers_checked';

export async function readNote(sql: SqlTx, name: NoteName): Promise<string | undefined> {
  return (await sql.one<{ value: string }>('SELECT value FROM archive_notes WHERE name = ?', [name]))?.value;
}

export async function writeNote(sql: SqlTx, name: NoteName, value: string): Promise<void> {
  await sql.run(
    'INSERT INTO archive_notes (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    [name, value],
  );
}
