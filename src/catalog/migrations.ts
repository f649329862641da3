// The catalog's tables as they come to be: text that never changes once released; a change is a new migration.
//
// The search for studies by name: a key's row repeats the date of its patient's newest study, so that of all patients a name may mean the hundred that were
// here last are found without a look at their studies; `studies_by_date` holds the patient, so that a walk along the dates needs no study's row.
//
// What amendments (merges, moves, corrections) make of a patient or study is in its row, so that searching costs nothing more; what headers said is kept
// beside it, in `said`, where it differs. `root_no` is who a patient is in the end; a key of a name stands for that patient.
//
// Instances are counted per series: `shown` is 1 for the one of an instance UID that counts, and the counts of series and study are of those.
//
// A settled instance has no row: bundles hold a series' instances together, each packed in one blob, and `settled_uids` leads from the first 8 bytes of the hash of
// an instance UID to its series. It is the one table that keeps something for every settled instance, so it has nothing more than that.
//
// Why the indexes of `objects` are what they are, since each costs every put:
// - entry_id: an entry that comes again meets its row.
// - (bucket_no, key, created_ms, hybrid): what a name means, and listings in order. Deleted versions leave it.
// - (group_no, first 8 bytes of the digest): has this group this content? Eight bytes tell; the row confirms. Also all of a group.
// - (ref_writer_no, span, first_seq): whose content lies in a run of sequences. Content is an interval [first_seq, ref_seq];
//   `span` is the bit length of ref_seq - first_seq, so that for one span a short range of first_seq holds all candidates.

import { defineMigration } from '../sql/index.ts';

const version = 'hybrid INTEGER NOT NULL, rec_writer_no INTEGER NOT NULL, rec_seq INTEGER NOT NULL';

export const catalogMigrations = [
  defineMigration({
    room: 'catalog',
    number: 1,
    name: 'writers, groups, buckets, objects, site rows, keys, studies and documents',
    statements: [
      `CREATE TABLE writers (
        writer_no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, applied INTEGER NOT NULL
      ) STRICT`,

      `CREATE TABLE key_groups (
        group_no INTEGER PRIMARY KEY, group_id BLOB NOT NULL, tenant INTEGER NOT NULL, year INTEGER NOT NULL,
        first_hybrid INTEGER NOT NULL, last_hybrid INTEGER NOT NULL, settled_hybrid INTEGER NOT NULL, family BLOB
      ) STRICT`,
      'CREATE UNIQUE INDEX key_groups_by_id ON key_groups (group_id, year, tenant)',
      'CREATE INDEX key_groups_by_family ON key_groups (tenant, family) WHERE family IS NOT NULL',
      'CREATE INDEX key_groups_unsettled ON key_groups (last_hybrid, group_no) WHERE last_hybrid > settled_hybrid',

      `CREATE TABLE buckets (
        bucket_no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, name TEXT NOT NULL, state INTEGER NOT NULL,
        created_ms INTEGER NOT NULL, meta TEXT, ${version}
      ) STRICT`,
      'CREATE UNIQUE INDEX buckets_by_name ON buckets (tenant, name)',
      `CREATE TABLE bucket_totals (
        bucket_no INTEGER PRIMARY KEY, versions INTEGER NOT NULL, bytes INTEGER NOT NULL, markers INTEGER NOT NULL
      ) STRICT`,

      `CREATE TABLE objects (
        object_no INTEGER PRIMARY KEY, entry_id BLOB NOT NULL, bucket_no INTEGER NOT NULL, group_no INTEGER NOT NULL,
        state INTEGER NOT NULL, created_ms INTEGER NOT NULL, size_bytes INTEGER NOT NULL, ${version},
        ref_writer_no INTEGER, ref_seq INTEGER, first_seq INTEGER, span INTEGER,
        mode INTEGER, mtime_ms INTEGER, content_type TEXT, meta TEXT, digest BLOB, key BLOB NOT NULL
      ) STRICT`,
      'CREATE UNIQUE INDEX objects_by_entry ON objects (entry_id)',
      'CREATE INDEX objects_by_name ON objects (bucket_no, key, created_ms DESC, hybrid DESC) WHERE state < 2',
      'CREATE INDEX objects_by_content ON objects (group_no, substr(digest, 1, 8))',
      'CREATE INDEX objects_by_ref ON objects (ref_writer_no, span, first_seq) WHERE ref_writer_no IS NOT NULL',

      `CREATE TABLE moves (
        from_writer_no INTEGER NOT NULL, from_seq INTEGER NOT NULL,
        to_writer_no INTEGER NOT NULL, to_seq INTEGER NOT NULL, to_first_seq INTEGER NOT NULL, ${version},
        PRIMARY KEY (from_writer_no, from_seq)
      ) WITHOUT ROWID, STRICT`,

      `CREATE TABLE site_rows (
        name TEXT NOT NULL, key TEXT NOT NULL, body TEXT, ${version}, PRIMARY KEY (name, key)
      ) WITHOUT ROWID, STRICT`,
      `CREATE TABLE exports (
        number INTEGER NOT NULL, generation INTEGER NOT NULL, created_ms INTEGER NOT NULL, ${version}, PRIMARY KEY (number)
      ) WITHOUT ROWID, STRICT`,
      `CREATE TABLE shreds (
        group_no INTEGER NOT NULL, generation INTEGER NOT NULL, ${version}, PRIMARY KEY (group_no)
      ) WITHOUT ROWID, STRICT`,

      `CREATE TABLE patients (
        patient_no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, patient_id TEXT NOT NULL, issuer TEXT NOT NULL,
        name TEXT, search TEXT, birth_date TEXT, sex TEXT, ${version}
      ) STRICT`,
      'CREATE UNIQUE INDEX patients_by_id ON patients (tenant, patient_id, issuer)',

      `CREATE TABLE studies (
        study_no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, study_uid TEXT NOT NULL, group_no INTEGER, patient_no INTEGER,
        accession TEXT, study_id TEXT, study_date TEXT NOT NULL, study_time TEXT, description TEXT, referrer TEXT,
        modalities TEXT, search TEXT, series_count INTEGER NOT NULL, instance_count INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL, ${version}
      ) STRICT`,
      'CREATE UNIQUE INDEX studies_by_uid ON studies (tenant, study_uid)',
      'CREATE INDEX studies_by_group ON studies (group_no)',
      'CREATE INDEX studies_by_patient ON studies (patient_no, study_date)',
      'CREATE INDEX studies_by_date ON studies (tenant, study_date, study_no)',
      'CREATE INDEX studies_by_accession ON studies (tenant, accession) WHERE accession IS NOT NULL',

      `CREATE TABLE series (
        series_no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, series_uid TEXT NOT NULL, study_no INTEGER NOT NULL,
        modality TEXT, series_number INTEGER, description TEXT, body_part TEXT, series_date TEXT, series_time TEXT,
        instance_count INTEGER NOT NULL, size_bytes INTEGER NOT NULL, ${version}
      ) STRICT`,
      'CREATE UNIQUE INDEX series_by_uid ON series (tenant, series_uid)',
      'CREATE INDEX series_by_study ON series (study_no)',

      `CREATE TABLE documents (
        document_no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, family BLOB NOT NULL, number INTEGER NOT NULL,
        entry_id BLOB NOT NULL, title TEXT, document_type TEXT, patient_no INTEGER, study_no INTEGER,
        created_ms INTEGER NOT NULL, state INTEGER NOT NULL, ${version}
      ) STRICT`,
      'CREATE UNIQUE INDEX documents_by_family ON documents (tenant, family, number)',
      'CREATE INDEX documents_by_entry ON documents (entry_id)',
      'CREATE INDEX documents_by_patient ON documents (patient_no, created_ms) WHERE patient_no IS NOT NULL',
    ],
  }),
  defineMigration({
    room: 'catalog',
    number: 2,
    name: 'instances, names of patients, modalities of studies',
    statements: [
      'ALTER TABLE patients DROP COLUMN search',
      `CREATE TABLE patient_keys (
        tenant INTEGER NOT NULL, key TEXT NOT NULL, patient_no INTEGER NOT NULL, newest_date TEXT NOT NULL,
        PRIMARY KEY (tenant, key, patient_no)
      ) WITHOUT ROWID, STRICT`,
      'CREATE INDEX patient_keys_by_patient ON patient_keys (patient_no)',

      'ALTER TABLE studies ADD COLUMN more TEXT',
      'DROP INDEX studies_by_date',
      'CREATE INDEX studies_by_date ON studies (tenant, study_date, study_no, patient_no)',
      `CREATE TABLE study_modalities (
        tenant INTEGER NOT NULL, modality TEXT NOT NULL, study_date TEXT NOT NULL, study_no INTEGER NOT NULL,
        PRIMARY KEY (tenant, modality, study_date, study_no)
      ) WITHOUT ROWID, STRICT`,
      'CREATE INDEX study_modalities_by_study ON study_modalities (study_no)',

      'ALTER TABLE series ADD COLUMN more TEXT',
      'DROP INDEX series_by_uid',
      'DROP INDEX series_by_study',
      'CREATE UNIQUE INDEX series_by_study ON series (study_no, series_uid)',
      'CREATE INDEX series_by_uid ON series (tenant, series_uid)',

      `CREATE TABLE instances (
        instance_no INTEGER PRIMARY KEY, entry_id BLOB NOT NULL, tenant INTEGER NOT NULL, series_no INTEGER NOT NULL,
        instance_uid TEXT NOT NULL, class_uid TEXT NOT NULL, syntax_uid TEXT NOT NULL, instance_number INTEGER, frames INTEGER,
        pixel_rows INTEGER, pixel_columns INTEGER, bits_allocated INTEGER, size_bytes INTEGER NOT NULL,
        head_bytes INTEGER NOT NULL, created_ms INTEGER NOT NULL, item_rank INTEGER NOT NULL, shown INTEGER NOT NULL, state INTEGER NOT NULL, ${version}
      ) STRICT`,
      `CREATE TABLE rejections (
        tenant INTEGER NOT NULL, instance_uid TEXT NOT NULL, note_uid TEXT NOT NULL, code TEXT NOT NULL,
        PRIMARY KEY (tenant, instance_uid, note_uid)
      ) WITHOUT ROWID, STRICT`,
      `CREATE TABLE quality_cases (
        series_no INTEGER NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (series_no, kind)
      ) WITHOUT ROWID, STRICT`,
      'CREATE UNIQUE INDEX instances_by_entry ON instances (entry_id)',
      'CREATE INDEX instances_by_uid ON instances (tenant, instance_uid)',
      'CREATE INDEX instances_by_series ON instances (series_no, shown, instance_no)',
    ],
  }),
  defineMigration({
    room: 'catalog',
    number: 3,
    name: 'moves name their group, so that they go with it; packs that were released',
    statements: [
      'ALTER TABLE moves ADD COLUMN group_no INTEGER NOT NULL DEFAULT 0',
      'CREATE INDEX moves_by_group ON moves (group_no)',
      `CREATE TABLE releases (
        pack_id BLOB NOT NULL, into_packs BLOB NOT NULL, ${version}, PRIMARY KEY (pack_id)
      ) WITHOUT ROWID, STRICT`,
    ],
  }),
  defineMigration({
    room: 'catalog',
    number: 4,
    name: 'quality cases that people decide on, comparisons, devices and how their texts are read',
    statements: [
      'DROP TABLE quality_cases',
      `CREATE TABLE quality_cases (
        series_no INTEGER NOT NULL, kind TEXT NOT NULL, case_id TEXT NOT NULL, source TEXT, first_ms INTEGER, first_entry BLOB,
        last_ms INTEGER, state TEXT, decided_ms INTEGER, decided_by TEXT, decided_why TEXT, ${version},
        PRIMARY KEY (series_no, kind)
      ) WITHOUT ROWID, STRICT`,
      'CREATE INDEX quality_cases_by_id ON quality_cases (case_id)',
      'CREATE INDEX quality_cases_by_time ON quality_cases (last_ms, case_id) WHERE last_ms IS NOT NULL',
      `CREATE TABLE comparisons (
        entry_id BLOB NOT NULL, series_no INTEGER NOT NULL, instance_uid TEXT NOT NULL, source TEXT, created_ms INTEGER NOT NULL,
        with_entry BLOB, difference TEXT, identity TEXT, paths TEXT, ${version}, PRIMARY KEY (entry_id)
      ) WITHOUT ROWID, STRICT`,
      'CREATE INDEX comparisons_by_series ON comparisons (series_no)',
      'CREATE INDEX comparisons_waiting ON comparisons (created_ms, entry_id) WHERE difference IS NULL',
      `CREATE TABLE devices (
        device_no INTEGER PRIMARY KEY, device_id TEXT NOT NULL, tenant INTEGER NOT NULL, source TEXT NOT NULL, maker TEXT NOT NULL,
        model TEXT NOT NULL, station TEXT NOT NULL
      ) STRICT`,
      'CREATE UNIQUE INDEX devices_by_id ON devices (device_id)',
      `CREATE TABLE series_devices (
        series_no INTEGER NOT NULL, device_no INTEGER NOT NULL, how TEXT NOT NULL, declared TEXT NOT NULL, read_as TEXT NOT NULL,
        ${version}, PRIMARY KEY (series_no)
      ) WITHOUT ROWID, STRICT`,
      'CREATE INDEX series_devices_by_device ON series_devices (device_no, hybrid, series_no)',
      `CREATE TABLE device_habits (
        device_no INTEGER NOT NULL, how TEXT NOT NULL, declared TEXT NOT NULL, read_as TEXT NOT NULL, series_count INTEGER NOT NULL,
        PRIMARY KEY (device_no, how, declared, read_as)
      ) WITHOUT ROWID, STRICT`,
    ],
  }),
  defineMigration({
    room: 'catalog',
    number: 5,
    name: 'amendments: merges, moves and corrections, and what headers said before them',
    statements: [
      `CREATE TABLE amendments (
        amendment_no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, amendment_id BLOB NOT NULL, type TEXT NOT NULL, group_no INTEGER NOT NULL,
        study_uid TEXT, patient_no INTEGER, target_no INTEGER, body TEXT NOT NULL, name_keys TEXT NOT NULL, search TEXT, ${version}
      ) STRICT`,
      'CREATE UNIQUE INDEX amendments_by_id ON amendments (tenant, amendment_id)',
      'CREATE INDEX amendments_by_study ON amendments (tenant, study_uid) WHERE study_uid IS NOT NULL',
      'CREATE INDEX amendments_by_patient ON amendments (patient_no) WHERE patient_no IS NOT NULL',
      'CREATE INDEX amendments_by_target ON amendments (target_no) WHERE target_no IS NOT NULL',
      'CREATE INDEX amendments_by_group ON amendments (group_no)',
      `CREATE TABLE withdrawals (
        tenant INTEGER NOT NULL, amendment_id BLOB NOT NULL, group_no INTEGER NOT NULL, body TEXT NOT NULL, ${version},
        PRIMARY KEY (tenant, amendment_id)
      ) WITHOUT ROWID, STRICT`,
      'CREATE INDEX withdrawals_by_group ON withdrawals (group_no)',

      'ALTER TABLE patients ADD COLUMN root_no INTEGER',
      'ALTER TABLE patients ADD COLUMN said TEXT',
      'CREATE INDEX patients_merged ON patients (root_no) WHERE root_no IS NOT NULL',
      `CREATE TABLE patient_name_keys (
        tenant INTEGER NOT NULL, key TEXT NOT NULL, patient_no INTEGER NOT NULL, amendment_no INTEGER NOT NULL, root_no INTEGER NOT NULL,
        newest_date TEXT NOT NULL, PRIMARY KEY (tenant, key, patient_no, amendment_no)
      ) WITHOUT ROWID, STRICT`,
      `INSERT INTO patient_name_keys (tenant, key, patient_no, amendment_no, root_no, newest_date)
        SELECT tenant, key, patient_no, 0, patient_no, newest_date FROM patient_keys`,
      'DROP TABLE patient_keys',
      'ALTER TABLE patient_name_keys RENAME TO patient_keys',
      'CREATE INDEX patient_keys_by_root ON patient_keys (root_no)',
      'CREATE INDEX patient_keys_amended ON patient_keys (amendment_no) WHERE amendment_no > 0',
      `CREATE TABLE patient_names (
        root_no INTEGER NOT NULL, patient_no INTEGER NOT NULL, amendment_no INTEGER NOT NULL, name TEXT NOT NULL,
        PRIMARY KEY (root_no, patient_no, amendment_no)
      ) WITHOUT ROWID, STRICT`,
      'CREATE INDEX patient_names_amended ON patient_names (amendment_no)',
      'CREATE INDEX patient_names_by_patient ON patient_names (patient_no)',

      'ALTER TABLE studies ADD COLUMN said_patient_no INTEGER',
      'UPDATE studies SET said_patient_no = patient_no',
      'ALTER TABLE studies ADD COLUMN said TEXT',
      'ALTER TABLE studies ADD COLUMN overlay TEXT',
      'ALTER TABLE studies ADD COLUMN amended TEXT',
      'CREATE INDEX studies_by_said ON studies (said_patient_no) WHERE said_patient_no <> patient_no',
      `CREATE TABLE study_patients (
        study_no INTEGER NOT NULL, patient_no INTEGER NOT NULL, PRIMARY KEY (study_no, patient_no)
      ) WITHOUT ROWID, STRICT`,
      'CREATE INDEX study_patients_by_patient ON study_patients (patient_no)',
      `CREATE TABLE study_accessions (
        tenant INTEGER NOT NULL, accession TEXT NOT NULL, study_no INTEGER NOT NULL, PRIMARY KEY (tenant, accession, study_no)
      ) WITHOUT ROWID, STRICT`,
      'CREATE INDEX study_accessions_by_study ON study_accessions (study_no)',
    ],
  }),
  defineMigration({
    room: 'catalog',
    number: 6,
    name: 'bundles: settled instances without rows of their own',
    statements: [
      `CREATE TABLE bundles (
        bundle_no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, group_no INTEGER NOT NULL, series_no INTEGER NOT NULL, bucket_no INTEGER NOT NULL,
        names BLOB NOT NULL, classes TEXT NOT NULL, generation INTEGER NOT NULL,
        headers_writer_no INTEGER, headers_seq INTEGER, headers_bytes INTEGER,
        picture_writer_no INTEGER, picture_seq INTEGER, picture_bytes INTEGER,
        member_count INTEGER NOT NULL, size_bytes INTEGER NOT NULL, gone TEXT NOT NULL, hidden TEXT NOT NULL, ${version}, body BLOB NOT NULL
      ) STRICT`,
      'CREATE UNIQUE INDEX bundles_by_record ON bundles (rec_writer_no, rec_seq)',
      'CREATE INDEX bundles_by_series ON bundles (series_no, bundle_no)',
      'CREATE INDEX bundles_by_group ON bundles (group_no)',
      'CREATE INDEX bundles_by_names ON bundles (bucket_no, names, bundle_no)',
      `CREATE TABLE settled_uids (
        uid_hash INTEGER NOT NULL, series_no INTEGER NOT NULL, PRIMARY KEY (uid_hash, series_no)
      ) WITHOUT ROWID, STRICT`,
    ],
  }),
];
