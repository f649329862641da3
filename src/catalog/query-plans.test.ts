import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { SeededRandom, utf8Bytes, writerId } from '../base/index.ts';
import { migrate, openSqlite, type Sql, type SqlIntegers, type SqlValue } from '../sql/index.ts';
import { Catalog } from './catalog.ts';
import { catalogMigrations } from './migrations.ts';
import type { Search, SearchField } from './search-pieces.ts';
import { trialAmendment } from './trial-amendments.ts';
import { TrialChanges, trialGroup, trialKeys } from './trial-changes.ts';

/** The same database; keeps the text of every question asked. */
function listening(sql: Sql, asked: Map<string, readonly SqlValue[]>): Sql {
  const note = (text: string, values: readonly SqlValue[] = []): void => void asked.set(text, values);
  return {
    dialect: sql.dialect,
    query: <Tables>() => sql.query<Tables>(),
    all: <Row>(text: string, values?: readonly SqlValue[], integers?: SqlIntegers) => {
      note(text, values);
      return sql.all<Row>(text, values, integers);
    },
    one: <Row>(text: string, values?: readonly SqlValue[], integers?: SqlIntegers) => {
      note(text, values);
      return sql.one<Row>(text, values, integers);
    },
    run: (text, values) => sql.run(text, values),
    many: (text, rows) => sql.many(text, rows),
    transaction: (work) => sql.transaction(work),
    filling: (work) => sql.filling(work),
    checkpoint: () => sql.checkpoint(),
    check: () => sql.check(),
    close: () => sql.close(),
  };
}

test('questions about objects and groups read an index in its order, never the whole table', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'stele-plans-'));
  const sql = await openSqlite({ path: path.join(folder, 'a.db') });
  try {
    await migrate(sql, catalogMigrations);
    const asked = new Map<string, readonly SqlValue[]>();
    const catalog = new Catalog(listening(sql, asked));
    await catalog.applyBatch(new TrialChanges(new SeededRandom(5)).some(300), []);

    const name = { tenant: trialGroup(1, 0).tenant, bucket: 'alpha', key: trialKeys[2] ?? utf8Bytes('a') };
    const listed = { ...name, limit: 2, prefix: utf8Bytes('a') };
    await catalog.objects.newest(name);
    await catalog.objects.version('00'.repeat(16));
    await catalog.objects.withContent(trialGroup(1, 0), new Uint8Array(32).fill(1));
    const page = await catalog.objects.ofGroup(trialGroup(1, 0), { limit: 1 });
    await catalog.objects.ofGroup(trialGroup(1, 0), { limit: 1, after: page.next });
    const range = { writer: writerId('a1'.repeat(16)), first: 1n, last: 5000n };
    const found = await catalog.objects.inRange(range, { limit: 1 });
    await catalog.objects.inRange(range, { limit: 1, after: found.next });
    const list = await catalog.listing.list(listed);
    await catalog.listing.list({ ...listed, after: list.next });
    const versions = await catalog.listing.versions(listed);
    await catalog.listing.versions({ ...listed, after: versions.next });
    await catalog.groups.ofFamily(name.tenant, Uint8Array.of(1));
    await catalog.groups.toSettle({ quietBefore: 1n << 50n, ranges: [range], limit: 5 });

    for (const table of ['objects', 'studies']) asked.set(`DELETE FROM ${table} WHERE group_no = ?`, [1]);
    asked.set('DELETE FROM documents WHERE entry_id IN (SELECT entry_id FROM objects WHERE group_no = ?)', [1]);
    asked.set('DELETE FROM series WHERE study_no IN (SELECT study_no FROM studies WHERE group_no = ?)', [1]);

    assert.ok(asked.size >= 12, 'the questions were heard');
    for (const [text, values] of asked) {
      const plan = await sql.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`, values);
      const steps = plan.map((step) => step.detail).join('; ');
      assert.doesNotMatch(
        steps,
        /\bSCAN (o|g|objects|key_groups|studies|series|documents)\b(?! USING INDEX key_groups_unsettled)/,
        `${text}\n${steps}`,
      );
      // A few rows of one name that are equally old may be sorted; more than the last terms of an order may not.
      // The groups of one family are one, or a few after shredding.
      if (!text.includes('g.family = ?'))
        assert.doesNotMatch(steps, /USE TEMP B-TREE FOR ORDER BY/, `${text}\n${steps}`);
    }
  } finally {
    await sql.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test('questions by patient id and accession number, former ones too, and what an amendment touches, look rows up', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'stele-plans-'));
  const sql = await openSqlite({ path: path.join(folder, 'a.db') });
  try {
    await migrate(sql, catalogMigrations);
    const asked = new Map<string, readonly SqlValue[]>();
    const catalog = new Catalog(listening(sql, asked));
    const { tenant } = trialGroup(1, 0);
    const random = new SeededRandom(6);
    const trial = new TrialChanges(random);
    await catalog.applyBatch(
      Array.from({ length: 200 }, (_, index) =>
        index % 3 === 0 ? trialAmendment(random, trial.version(), tenant, trialGroup) : trial.other(),
      ),
      [],
    );
    const equals = (field: SearchField, value: string): Search => ({
      tenant,
      conditions: [{ field, match: { kind: 'equals', values: [value] } }],
    });
    const like = (field: SearchField, pattern: string): Search => ({
      tenant,
      conditions: [{ field, match: { kind: 'like', pattern } }],
    });
    for (const id of ['P0', 'P1', 'P2', 'A0', 'A1']) {
      await catalog.search.studies(equals('patientId', id), { limit: 5 });
      await catalog.search.studies(equals('accession', id), { limit: 5 });
      await catalog.search.patients(equals('patientId', id), { limit: 5 });
      await catalog.amendments.patients({ tenant, patientId: id, issuer: '' });
      await catalog.amendments.historyOfPatient({ tenant, patientId: id, issuer: '' });
    }
    await catalog.search.studies(like('patientId', 'P*'), { limit: 5 });
    for (const study of ['1.2.0', '1.2.1', '1.2.2']) {
      await catalog.amendments.ofStudy(tenant, study);
      await catalog.amendments.historyOfStudy(tenant, study);
    }
    assert.ok(asked.size >= 12, 'the questions were heard');
    for (const [text, values] of asked) {
      // A pattern walks along the dates of studies, as it always did.
      if (text.includes('LIKE ?') && text.includes('FROM studies s')) continue;
      const plan = await sql.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`, values);
      const steps = plan.map((step) => step.detail).join('; ');
      assert.doesNotMatch(steps, /\bSCAN (s|p|a|x|studies|patients|amendments)\b(?! USING)/, `${text}\n${steps}`);
    }
  } finally {
    await sql.close();
    await rm(folder, { recursive: true, force: true });
  }
});
