// The catalog's tables declared: their class, their columns now, and how each is told without numbers of this database.
//
// Invariants: fact and site tables come back from packs alone; the totals come back from `objects`. The order is the one to fill
// and to clear them in. A dump names writers, groups, buckets, patients and studies by their natural keys.
// Left out on purpose: how tables come to be (migrations.ts).

import type { ColumnKind, TableDeclaration } from '../sql/index.ts';
import { defineTable } from '../sql/index.ts';

const version = { hybrid: 'hybrid', rec_writer_no: 'integer', rec_seq: 'integer' } as const satisfies Record<
  string,
  ColumnKind
>;

const room = 'catalog';

/** The columns of a version and the join that names its writer; a stub's version, which nobody wrote, has none. */
const told = (alias: string): string => `${alias}.hybrid, vw.id AS rec_writer, ${alias}.rec_seq`;
const toldFrom = (alias: string): string => `LEFT JOIN writers vw ON vw.writer_no = ${alias}.rec_writer_no`;

export const catalogTables: readonly TableDeclaration[] = [
  defineTable({
    name: 'writers',
    room,
    // Numbers for writer ids, which every other dump tells, and how far this database has come with each: a writer whose packs were all released is
    // remembered here alone, and nothing needs it.
    class: 'cache',
    columns: { writer_no: 'integer', id: 'bytes', applied: 'integer' },
    dump: 'SELECT id, applied FROM writers',
  }),
  defineTable({
    name: 'key_groups',
    room,
    class: 'fact',
    columns: {
      group_no: 'integer',
      group_id: 'bytes',
      tenant: 'integer',
      year: 'integer',
      first_hybrid: 'hybrid',
      last_hybrid: 'hybrid',
      settled_hybrid: 'hybrid',
      family: 'bytes',
    },
    dump: 'SELECT tenant, year, group_id, first_hybrid, last_hybrid, settled_hybrid, family FROM key_groups',
  }),
  defineTable({
    name: 'buckets',
    room,
    class: 'fact',
    columns: {
      bucket_no: 'integer',
      tenant: 'integer',
      name: 'text',
      state: 'integer',
      created_ms: 'integer',
      meta: 'text',
      ...version,
    },
    // A bucket that nobody made is a number for objects to name it by, and stays when they go.
    dump: `SELECT b.tenant, b.name, b.state, b.created_ms, b.meta, ${told('b')} FROM buckets b ${toldFrom('b')} WHERE b.hybrid > 0`,
  }),
  defineTable({
    name: 'bucket_totals',
    room,
    class: 'cache',
    columns: { bucket_no: 'integer', versions: 'integer', bytes: 'integer', markers: 'integer' },
    dump: `SELECT b.tenant, b.name, t.versions, t.bytes, t.markers
      FROM bucket_totals t JOIN buckets b ON b.bucket_no = t.bucket_no`,
  }),
  defineTable({
    name: 'objects',
    room,
    class: 'fact',
    columns: {
      object_no: 'integer',
      entry_id: 'bytes',
      bucket_no: 'integer',
      group_no: 'integer',
      state: 'integer',
      created_ms: 'integer',
      size_bytes: 'integer',
      ...version,
      ref_writer_no: 'integer',
      ref_seq: 'integer',
      first_seq: 'integer',
      span: 'integer',
      mode: 'integer',
      mtime_ms: 'integer',
      content_type: 'text',
      meta: 'text',
      digest: 'bytes',
      key: 'bytes',
    },
    dump: `SELECT o.entry_id, b.tenant AS bucket_tenant, b.name AS bucket, o.key, g.tenant, g.year, g.group_id, o.state,
        o.created_ms, o.size_bytes, o.digest, rw.id AS ref_writer, o.ref_seq, o.first_seq, o.span, o.mode, o.mtime_ms,
        o.content_type, o.meta, ${told('o')}
      FROM objects o JOIN buckets b ON b.bucket_no = o.bucket_no JOIN key_groups g ON g.group_no = o.group_no
      LEFT JOIN writers rw ON rw.writer_no = o.ref_writer_no ${toldFrom('o')}`,
  }),
  defineTable({
    name: 'moves',
    room,
    class: 'fact',
    columns: {
      from_writer_no: 'integer',
      from_seq: 'integer',
      to_writer_no: 'integer',
      to_seq: 'integer',
      to_first_seq: 'integer',
      ...version,
      group_no: 'integer',
    },
    // Links may be longer or shorter depending on the order of arrival; where they end does not depend on it.
    dump: `WITH RECURSIVE path (writer_no, seq, at_writer_no, at_seq, first_seq) AS (
        SELECT from_writer_no, from_seq, to_writer_no, to_seq, to_first_seq FROM moves
        UNION ALL
        SELECT p.writer_no, p.seq, m.to_writer_no, m.to_seq, m.to_first_seq
        FROM path p JOIN moves m ON m.from_writer_no = p.at_writer_no AND m.from_seq = p.at_seq
      )
      SELECT fw.id AS from_writer, p.seq AS from_seq, tw.id AS to_writer, p.at_seq AS to_seq, p.first_seq
      FROM path p JOIN writers fw ON fw.writer_no = p.writer_no JOIN writers tw ON tw.writer_no = p.at_writer_no
      WHERE NOT EXISTS (SELECT 1 FROM moves m WHERE m.from_writer_no = p.at_writer_no AND m.from_seq = p.at_seq)`,
  }),
  defineTable({
    name: 'site_rows',
    room,
    class: 'site',
    columns: { name: 'text', key: 'text', body: 'text', ...version },
    dump: `SELECT s.name, s.key, s.body, ${told('s')} FROM site_rows s ${toldFrom('s')}`,
  }),
  defineTable({
    name: 'exports',
    room,
    class: 'fact',
    columns: { number: 'integer', generation: 'integer', created_ms: 'integer', ...version },
    dump: `SELECT e.number, e.generation, e.created_ms, ${told('e')} FROM exports e ${toldFrom('e')}`,
  }),
  defineTable({
    name: 'shreds',
    room,
    class: 'fact',
    columns: { group_no: 'integer', generation: 'integer', ...version },
    dump: `SELECT g.tenant, g.year, g.group_id, s.generation, ${told('s')}
      FROM shreds s JOIN key_groups g ON g.group_no = s.group_no ${toldFrom('s')}`,
  }),
  defineTable({
    name: 'releases',
    room,
    class: 'fact',
    columns: { pack_id: 'bytes', into_packs: 'bytes', ...version },
    dump: `SELECT r.pack_id, r.into_packs, ${told('r')} FROM releases r ${toldFrom('r')}`,
  }),
  defineTable({
    name: 'patients',
    room,
    class: 'fact',
    columns: {
      patient_no: 'integer',
      tenant: 'integer',
      patient_id: 'text',
      issuer: 'text',
      name: 'text',
      birth_date: 'text',
      sex: 'text',
      root_no: 'integer',
      said: 'text',
      ...version,
    },
    dump: `SELECT p.tenant, p.patient_id, p.issuer, p.name, p.birth_date, p.sex, r.patient_id AS root_id, r.issuer AS root_issuer,
        p.said, ${told('p')}
      FROM patients p LEFT JOIN patients r ON r.patient_no = p.root_no ${toldFrom('p')}`,
  }),
  defineTable({
    name: 'patient_keys',
    room,
    class: 'fact',
    columns: {
      tenant: 'integer',
      key: 'text',
      patient_no: 'integer',
      amendment_no: 'integer',
      root_no: 'integer',
      newest_date: 'text',
    },
    dump: `SELECT k.tenant, k.key, k.newest_date, p.patient_id, p.issuer, r.patient_id AS root_id, r.issuer AS root_issuer, a.amendment_id
      FROM patient_keys k JOIN patients p ON p.patient_no = k.patient_no JOIN patients r ON r.patient_no = k.root_no
      LEFT JOIN amendments a ON a.amendment_no = k.amendment_no`,
  }),
  defineTable({
    name: 'patient_names',
    room,
    class: 'fact',
    columns: { root_no: 'integer', patient_no: 'integer', amendment_no: 'integer', name: 'text' },
    dump: `SELECT p.tenant, p.patient_id, p.issuer, r.patient_id AS root_id, r.issuer AS root_issuer, a.amendment_id, n.name
      FROM patient_names n JOIN patients p ON p.patient_no = n.patient_no JOIN patients r ON r.patient_no = n.root_no
      LEFT JOIN amendments a ON a.amendment_no = n.amendment_no`,
  }),
  defineTable({
    name: 'studies',
    room,
    class: 'fact',
    columns: {
      study_no: 'integer',
      tenant: 'integer',
      study_uid: 'text',
      group_no: 'integer',
      patient_no: 'integer',
      accession: 'text',
      study_id: 'text',
      study_date: 'text',
      study_time: 'text',
      description: 'text',
      referrer: 'text',
      modalities: 'text',
      search: 'text',
      more: 'text',
      series_count: 'integer',
      instance_count: 'integer',
      size_bytes: 'integer',
      said_patient_no: 'integer',
      said: 'text',
      overlay: 'text',
      amended: 'text',
      ...version,
    },
    dump: `SELECT s.tenant, s.study_uid, g.year, g.group_id, p.patient_id, p.issuer, s.accession, s.study_id, s.study_date,
        s.study_time, s.description, s.referrer, s.modalities, s.search, s.more, s.series_count, s.instance_count,
        s.size_bytes, d.patient_id AS said_id, d.issuer AS said_issuer, s.said, s.overlay, s.amended, ${told('s')}
      FROM studies s LEFT JOIN key_groups g ON g.group_no = s.group_no
      LEFT JOIN patients p ON p.patient_no = s.patient_no LEFT JOIN patients d ON d.patient_no = s.said_patient_no
      ${toldFrom('s')}`,
  }),
  defineTable({
    name: 'study_patients',
    room,
    class: 'fact',
    columns: { study_no: 'integer', patient_no: 'integer' },
    dump: `SELECT s.tenant, s.study_uid, p.patient_id, p.issuer FROM study_patients x
      JOIN studies s ON s.study_no = x.study_no JOIN patients p ON p.patient_no = x.patient_no`,
  }),
  defineTable({
    name: 'study_accessions',
    room,
    class: 'fact',
    columns: { tenant: 'integer', accession: 'text', study_no: 'integer' },
    dump: `SELECT x.tenant, x.accession, s.study_uid FROM study_accessions x JOIN studies s ON s.study_no = x.study_no`,
  }),
  defineTable({
    name: 'amendments',
    room,
    class: 'fact',
    columns: {
      amendment_no: 'integer',
      tenant: 'integer',
      amendment_id: 'bytes',
      type: 'text',
      group_no: 'integer',
      study_uid: 'text',
      patient_no: 'integer',
      target_no: 'integer',
      body: 'text',
      name_keys: 'text',
      search: 'text',
      ...version,
    },
    dump: `SELECT a.tenant, a.amendment_id, a.type, g.year, g.group_id, a.study_uid, p.patient_id, p.issuer, t.patient_id AS target_id,
        t.issuer AS target_issuer, a.body, a.name_keys, a.search, ${told('a')}
      FROM amendments a JOIN key_groups g ON g.group_no = a.group_no LEFT JOIN patients p ON p.patient_no = a.patient_no
      LEFT JOIN patients t ON t.patient_no = a.target_no ${toldFrom('a')}`,
  }),
  defineTable({
    name: 'withdrawals',
    room,
    class: 'fact',
    columns: { tenant: 'integer', amendment_id: 'bytes', group_no: 'integer', body: 'text', ...version },
    dump: `SELECT x.tenant, x.amendment_id, g.year, g.group_id, x.body, ${told('x')}
      FROM withdrawals x JOIN key_groups g ON g.group_no = x.group_no ${toldFrom('x')}`,
  }),
  defineTable({
    name: 'study_modalities',
    room,
    class: 'fact',
    columns: { tenant: 'integer', modality: 'text', study_date: 'text', study_no: 'integer' },
    dump: `SELECT m.tenant, m.modality, m.study_date, s.study_uid FROM study_modalities m JOIN studies s ON s.study_no = m.study_no`,
  }),
  defineTable({
    name: 'series',
    room,
    class: 'fact',
    columns: {
      series_no: 'integer',
      tenant: 'integer',
      series_uid: 'text',
      study_no: 'integer',
      modality: 'text',
      series_number: 'integer',
      description: 'text',
      body_part: 'text',
      series_date: 'text',
      series_time: 'text',
      more: 'text',
      instance_count: 'integer',
      size_bytes: 'integer',
      ...version,
    },
    dump: `SELECT e.tenant, e.series_uid, s.study_uid, e.modality, e.series_number, e.description, e.body_part, e.series_date,
        e.series_time, e.more, e.instance_count, e.size_bytes, ${told('e')}
      FROM series e JOIN studies s ON s.study_no = e.study_no ${toldFrom('e')}`,
  }),
  defineTable({
    name: 'instances',
    room,
    class: 'fact',
    columns: {
      instance_no: 'integer',
      entry_id: 'bytes',
      tenant: 'integer',
      series_no: 'integer',
      instance_uid: 'text',
      class_uid: 'text',
      syntax_uid: 'text',
      instance_number: 'integer',
      frames: 'integer',
      pixel_rows: 'integer',
      pixel_columns: 'integer',
      bits_allocated: 'integer',
      size_bytes: 'integer',
      head_bytes: 'integer',
      created_ms: 'integer',
      item_rank: 'integer',
      shown: 'integer',
      state: 'integer',
      ...version,
    },
    dump: `SELECT i.entry_id, i.tenant, s.study_uid, e.series_uid, i.instance_uid, i.class_uid, i.syntax_uid, i.instance_number,
        i.frames, i.pixel_rows, i.pixel_columns, i.bits_allocated, i.size_bytes, i.head_bytes, i.created_ms, i.item_rank, i.shown, i.state, ${told('i')}
      FROM instances i JOIN series e ON e.series_no = i.series_no JOIN studies s ON s.study_no = e.study_no
      ${toldFrom('i')}`,
  }),
  defineTable({
    name: 'bundles',
    room,
    class: 'fact',
    columns: {
      bundle_no: 'integer',
      tenant: 'integer',
      group_no: 'integer',
      series_no: 'integer',
      bucket_no: 'integer',
      names: 'bytes',
      classes: 'text',
      generation: 'integer',
      headers_writer_no: 'integer',
      headers_seq: 'integer',
      headers_bytes: 'integer',
      picture_writer_no: 'integer',
      picture_seq: 'integer',
      picture_bytes: 'integer',
      member_count: 'integer',
      size_bytes: 'integer',
      gone: 'text',
      hidden: 'text',
      ...version,
      body: 'bytes',
    },
    // A bundle none of whose members count any more is remembered only so that it is not taken in again.
    dump: `SELECT b.tenant, g.year, g.group_id, s.study_uid, e.series_uid, k.name AS bucket, b.classes, b.generation,
        hw.id AS headers_writer, b.headers_seq, b.headers_bytes, pw.id AS picture_writer, b.picture_seq, b.picture_bytes,
        b.member_count, b.size_bytes, b.gone, b.hidden, b.body, ${told('b')}
      FROM bundles b JOIN key_groups g ON g.group_no = b.group_no JOIN series e ON e.series_no = b.series_no
      JOIN studies s ON s.study_no = e.study_no JOIN buckets k ON k.bucket_no = b.bucket_no
      LEFT JOIN writers hw ON hw.writer_no = b.headers_writer_no LEFT JOIN writers pw ON pw.writer_no = b.picture_writer_no
      ${toldFrom('b')} WHERE b.member_count > 0`,
  }),
  defineTable({
    name: 'settled_uids',
    room,
    // Leads from instance UIDs to series whose bundles tell them.
    class: 'cache',
    columns: { uid_hash: 'integer', series_no: 'integer' },
    // What once was settled and is a row again may be named still: that costs a look and nothing else.
    dump: '',
  }),
  defineTable({
    name: 'rejections',
    room,
    class: 'fact',
    columns: { tenant: 'integer', instance_uid: 'text', note_uid: 'text', code: 'text' },
    dump: 'SELECT tenant, instance_uid, note_uid, code FROM rejections',
  }),
  defineTable({
    name: 'quality_cases',
    room,
    class: 'fact',
    columns: {
      series_no: 'integer',
      kind: 'text',
      case_id: 'text',
      source: 'text',
      first_ms: 'integer',
      first_entry: 'bytes',
      last_ms: 'integer',
      state: 'text',
      decided_ms: 'integer',
      decided_by: 'text',
      decided_why: 'text',
      ...version,
    },
    dump: `SELECT e.tenant, s.study_uid, e.series_uid, q.kind, q.case_id, q.source, q.first_ms, q.first_entry, q.last_ms, q.state,
        q.decided_ms, q.decided_by, q.decided_why, ${told('q')} FROM quality_cases q
      JOIN series e ON e.series_no = q.series_no JOIN studies s ON s.study_no = e.study_no ${toldFrom('q')}`,
  }),
  defineTable({
    name: 'comparisons',
    room,
    class: 'fact',
    columns: {
      entry_id: 'bytes',
      series_no: 'integer',
      instance_uid: 'text',
      source: 'text',
      created_ms: 'integer',
      with_entry: 'bytes',
      difference: 'text',
      identity: 'text',
      paths: 'text',
      ...version,
    },
    dump: `SELECT c.entry_id, e.tenant, s.study_uid, e.series_uid, c.instance_uid, c.source, c.created_ms, c.with_entry, c.difference,
        c.identity, c.paths, ${told('c')} FROM comparisons c
      JOIN series e ON e.series_no = c.series_no JOIN studies s ON s.study_no = e.study_no ${toldFrom('c')}`,
  }),
  defineTable({
    name: 'devices',
    room,
    class: 'fact',
    columns: {
      device_no: 'integer',
      device_id: 'text',
      tenant: 'integer',
      source: 'text',
      maker: 'text',
      model: 'text',
      station: 'text',
    },
    dump: 'SELECT device_id, tenant, source, maker, model, station FROM devices',
  }),
  defineTable({
    name: 'series_devices',
    room,
    class: 'fact',
    columns: {
      series_no: 'integer',
      device_no: 'integer',
      how: 'text',
      declared: 'text',
      read_as: 'text',
      ...version,
    },
    dump: `SELECT e.tenant, s.study_uid, e.series_uid, d.device_id, x.how, x.declared, x.read_as, ${told('x')} FROM series_devices x
      JOIN devices d ON d.device_no = x.device_no
      JOIN series e ON e.series_no = x.series_no JOIN studies s ON s.study_no = e.study_no ${toldFrom('x')}`,
  }),
  defineTable({
    name: 'device_habits',
    room,
    class: 'fact',
    columns: { device_no: 'integer', how: 'text', declared: 'text', read_as: 'text', series_count: 'integer' },
    dump: `SELECT d.device_id, h.how, h.declared, h.read_as, h.series_count FROM device_habits h
      JOIN devices d ON d.device_no = h.device_no`,
  }),
  defineTable({
    name: 'documents',
    room,
    class: 'fact',
    columns: {
      document_no: 'integer',
      tenant: 'integer',
      family: 'bytes',
      number: 'integer',
      entry_id: 'bytes',
      title: 'text',
      document_type: 'text',
      patient_no: 'integer',
      study_no: 'integer',
      created_ms: 'integer',
      state: 'integer',
      ...version,
    },
    dump: `SELECT d.tenant, d.family, d.number, d.entry_id, d.title, d.document_type, p.patient_id, p.issuer, s.study_uid,
        d.created_ms, d.state, ${told('d')}
      FROM documents d LEFT JOIN patients p ON p.patient_no = d.patient_no
      LEFT JOIN studies s ON s.study_no = d.study_no ${toldFrom('d')}`,
  }),
];
