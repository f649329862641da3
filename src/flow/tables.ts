// The tables of flow: notes on packs that could not be moved, and how far a look over all packs has come.
//
// Invariant: caches: without any note the same packs are looked at again, and nothing is done otherwise.

import { defineMigration, defineTable } from '../sql/index.ts';

export const flowTables = [
  defineTable({
    name: 'flow_troubles',
    room: 'flow',
    // Found again by trying.
    class: 'cache',
    columns: { pack_id: 'bytes', until_ms: 'integer', code: 'text' },
    dump: '',
  }),
  defineTable({
    name: 'flow_notes',
    room: 'flow',
    // Found again by looking from the beginning.
    class: 'cache',
    columns: { name: 'text', value: 'text' },
    dump: '',
  }),
];

export const flowMigrations = [
  defineMigration({
    room: 'flow',
    number: 1,
    name: 'packs in trouble, and how far looks have come',
    statements: [
      `CREATE TABLE flow_troubles (
        pack_id BLOB NOT NULL PRIMARY KEY, until_ms INTEGER NOT NULL, code TEXT NOT NULL) STRICT, WITHOUT ROWID`,
      'CREATE TABLE flow_notes (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID',
    ],
  }),
];
