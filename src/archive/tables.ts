// The archive's own tables: notes that a start needs to know whether this database fits these disks, and callers that were turned away.
//
// Invariant: a cache: without any note a start looks at every pack and is right, only slower.

import { defineMigration, defineTable, type SqlTx } from '../sql/index.ts';

/** What was audited, to be searched; emptied before it is filled from packs. */
export const auditTable = defineTable({
  name: 'audit_events',
  room: 'archive',
  class: 'cache',
  columns: {
    event_no: 'integer',
    chain: 'bytes',
    number: 'integer',
    digest: 'bytes',
    hybrid: 'hybrid',
    at_ms: 'integer',
    who: 'text',
    action: 'text',
    failed: 'integer',
    study_uid: 'text',
    body: 'text',
  },
  dump: 'SELECT chain, number, digest, hybrid, at_ms, who, action, failed, study_uid, body FROM audit_events',
});

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
  auditTable,
  defineTable({
    name: 'alarm_outbox',
    room: 'archive',
    class: 'cache',
    columns: {
      id: 'integer',
      target: 'text',
      notice: 'text',
      created_ms: 'integer',
      due_ms: 'integer',
      tries: 'integer',
    },
    dump: '',
  }),
  defineTable({
    name: 'disk_days',
    room: 'archive',
    class: 'cache',
    columns: { label: 'text', day: 'integer', at_ms: 'integer', free_bytes: 'integer' },
    dump: '',
  }),
  defineTable({
    name: 'peer_hours',
    room: 'archive',
    class: 'cache',
    columns: { title: 'text', week: 'integer', hour: 'integer', last_ms: 'integer' },
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
  defineMigration({
    room: 'archive',
    number: 3,
    name: 'what was audited',
    statements: [
      `CREATE TABLE audit_events (
        event_no INTEGER PRIMARY KEY, chain BLOB NOT NULL, number INTEGER NOT NULL, digest BLOB NOT NULL, hybrid INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, failed INTEGER NOT NULL, study_uid TEXT, body TEXT NOT NULL
      ) STRICT`,
      'CREATE UNIQUE INDEX audit_events_by_place ON audit_events (chain, number, digest)',
      'CREATE INDEX audit_events_by_hybrid ON audit_events (hybrid, number)',
      'CREATE INDEX audit_events_by_time ON audit_events (at_ms, event_no)',
      'CREATE INDEX audit_events_by_who ON audit_events (who, at_ms, event_no)',
      'CREATE INDEX audit_events_by_study ON audit_events (study_uid, at_ms, event_no) WHERE study_uid IS NOT NULL',
    ],
  }),
  defineMigration({
    room: 'archive',
    number: 4,
    name: 'alarms on their way, room on disks by day, hours in which peers send',
    statements: [
      `CREATE TABLE alarm_outbox (
        id INTEGER PRIMARY KEY, target TEXT NOT NULL, notice TEXT NOT NULL, created_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL,
        tries INTEGER NOT NULL
      ) STRICT`,
      `CREATE TABLE disk_days (
        label TEXT NOT NULL, day INTEGER NOT NULL, at_ms INTEGER NOT NULL, free_bytes INTEGER NOT NULL, PRIMARY KEY (label, day)
      ) STRICT, WITHOUT ROWID`,
      `CREATE TABLE peer_hours (
        title TEXT NOT NULL, week INTEGER NOT NULL, hour INTEGER NOT NULL, last_ms INTEGER NOT NULL, PRIMARY KEY (title, week, hour)
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
