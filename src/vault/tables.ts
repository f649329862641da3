// The vault's tables. All are views of the disks: packs, runs and placements are found again by looking, scrubs and counters are notes.

import { defineMigration, defineTable } from '../sql/index.ts';

const packOf = 'JOIN vault_packs p ON p.pack_no = t.pack_no';
const diskOf = 'JOIN vault_disks d ON d.disk_no = t.disk_no';

export const vaultTables = [
  defineTable({
    name: 'vault_packs',
    room: 'vault',
    class: 'fact',
    columns: {
      pack_no: 'integer',
      pack_id: 'bytes',
      class: 'integer',
      size_bytes: 'integer',
      record_count: 'integer',
      fact_count: 'integer',
      created: 'hybrid',
      sealed: 'hybrid',
      hybrid_greatest: 'hybrid',
      root: 'bytes',
    },
    dump: 'SELECT pack_id, class, size_bytes, record_count, fact_count, created, sealed, hybrid_greatest, root FROM vault_packs',
  }),
  defineTable({
    name: 'vault_runs',
    room: 'vault',
    class: 'fact',
    columns: { writer_no: 'integer', seq_first: 'integer', seq_last: 'integer', pack_no: 'integer' },
    dump: `SELECT w.writer_id, t.seq_first, t.seq_last, p.pack_id FROM vault_runs t ${packOf} JOIN vault_writers w ON w.writer_no = t.writer_no`,
  }),
  defineTable({
    name: 'vault_writers',
    room: 'vault',
    // Numbers for writer ids, which the runs tell; of writers whose packs were all released the number stays.
    class: 'cache',
    columns: { writer_no: 'integer', writer_id: 'bytes' },
    dump: 'SELECT writer_id FROM vault_writers',
  }),
  defineTable({
    name: 'vault_disks',
    room: 'vault',
    // Numbers for disk ids, which the placements tell; those of disks that retired stay.
    class: 'cache',
    columns: { disk_no: 'integer', disk_id: 'bytes' },
    dump: 'SELECT disk_id FROM vault_disks',
  }),
  defineTable({
    name: 'vault_placements',
    room: 'vault',
    class: 'fact',
    columns: { pack_no: 'integer', disk_no: 'integer', kind: 'integer', state: 'integer', verified_ms: 'integer' },
    // When a copy was verified is a note of this database alone.
    dump: `SELECT p.pack_id, d.disk_id, t.kind, t.state FROM vault_placements t ${packOf} ${diskOf}`,
  }),
  defineTable({
    name: 'vault_scrubs',
    room: 'vault',
    class: 'cache',
    columns: { pack_no: 'integer', disk_no: 'integer', next_offset: 'integer' },
    dump: '',
  }),
  defineTable({
    name: 'vault_holes',
    room: 'vault',
    // Found again by verifying.
    class: 'cache',
    columns: { pack_no: 'integer', what: 'text', at_offset: 'integer', size_bytes: 'integer' },
    dump: '',
  }),
  defineTable({
    name: 'vault_losses',
    room: 'vault',
    class: 'cache',
    columns: { pack_no: 'integer', record_count: 'integer', records: 'text', found_ms: 'integer' },
    dump: '',
  }),
  defineTable({
    name: 'vault_counters',
    room: 'vault',
    class: 'cache',
    columns: { name: 'text', value: 'integer' },
    dump: '',
  }),
];

export const vaultMigrations = [
  defineMigration({
    room: 'vault',
    number: 1,
    name: 'packs, runs, placements, scrubs',
    statements: [
      `CREATE TABLE vault_packs (
        pack_no INTEGER PRIMARY KEY, pack_id BLOB NOT NULL UNIQUE, class INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
        record_count INTEGER NOT NULL, fact_count INTEGER NOT NULL, created INTEGER NOT NULL, sealed INTEGER NOT NULL,
        hybrid_greatest INTEGER NOT NULL, root BLOB NOT NULL) STRICT`,
      'CREATE TABLE vault_writers (writer_no INTEGER PRIMARY KEY, writer_id BLOB NOT NULL UNIQUE) STRICT',
      'CREATE TABLE vault_disks (disk_no INTEGER PRIMARY KEY, disk_id BLOB NOT NULL UNIQUE) STRICT',
      `CREATE TABLE vault_runs (
        writer_no INTEGER NOT NULL, seq_first INTEGER NOT NULL, seq_last INTEGER NOT NULL, pack_no INTEGER NOT NULL,
        PRIMARY KEY (writer_no, seq_first, pack_no)) STRICT, WITHOUT ROWID`,
      'CREATE INDEX vault_runs_by_pack ON vault_runs (pack_no)',
      `CREATE TABLE vault_placements (
        pack_no INTEGER NOT NULL, disk_no INTEGER NOT NULL, kind INTEGER NOT NULL, state INTEGER NOT NULL, verified_ms INTEGER NOT NULL,
        PRIMARY KEY (pack_no, disk_no, kind)) STRICT, WITHOUT ROWID`,
      'CREATE INDEX vault_placements_by_age ON vault_placements (kind, verified_ms, pack_no)',
      `CREATE TABLE vault_scrubs (
        pack_no INTEGER NOT NULL, disk_no INTEGER NOT NULL, next_offset INTEGER NOT NULL, PRIMARY KEY (pack_no, disk_no)) STRICT, WITHOUT ROWID`,
      'CREATE TABLE vault_counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID',
    ],
  }),
  defineMigration({
    room: 'vault',
    number: 2,
    name: 'known losses',
    statements: [
      `CREATE TABLE vault_holes (
        pack_no INTEGER NOT NULL, what TEXT NOT NULL, at_offset INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
        PRIMARY KEY (pack_no, what, at_offset, size_bytes)) STRICT, WITHOUT ROWID`,
      `CREATE TABLE vault_losses (
        pack_no INTEGER NOT NULL PRIMARY KEY, record_count INTEGER NOT NULL, records TEXT NOT NULL,
        found_ms INTEGER NOT NULL) STRICT`,
    ],
  }),
];
