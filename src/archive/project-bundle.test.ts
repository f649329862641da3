// Settled instances in the catalog: whatever comes first, and however often, tables end the same and every question is answered as if nothing had settled.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import {
  defaultTenant,
  type HybridTime,
  hexOf,
  type KeyGroup,
  type RecordId,
  sha256,
  utf8Bytes,
  type WriterId,
} from '../base/index.ts';
import { Catalog, type CatalogChange, catalogMigrations, catalogTables } from '../catalog/index.ts';
import {
  type Bundle,
  type BundledEntry,
  type BundleMember,
  encodeBundle,
  encodeEvent,
  encodeObjectEntry,
} from '../format/index.ts';
import { dumpTables, migrate, openSqlite, type Sql } from '../sql/index.ts';
import { instanceKey } from './instance-names.ts';
import { project, readBundle } from './project.ts';

let folder = '';
let count = 0;

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'stele-bundles-'));
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

const group: KeyGroup = { tenant: defaultTenant, year: 2026, group: 7n };
const ingest = 'a'.repeat(32) as WriterId;
const archive = 'b'.repeat(32) as WriterId;
const study = '1.2.3';

type Fact = { readonly id: RecordId; readonly hybrid: HybridTime; readonly plain: Uint8Array };

const at = (tick: number): HybridTime => (BigInt(1_000_000 + tick) << 16n) as HybridTime;
const recordOf = (writer: WriterId, sequence: number): RecordId => ({ writer, sequence: BigInt(sequence) });

/** Instance `index` of a series; some share an instance UID. */
function entryOf(series: number, index: number, ref: RecordId): BundledEntry {
  const instance = `${study}.${series}.${index % 5}`;
  const seriesUid = `${study}.${series}`;
  const rank = index < 5 ? 0 : -1;
  const id = hexOf(sha256(utf8Bytes(`${series}/${index}`))).slice(0, 32);
  return {
    type: 'object',
    id,
    bucket: 'dicom',
    key: instanceKey({ study, series: seriesUid, instance }, rank, id),
    sizeBytes: 1000 + index,
    digest: sha256(utf8Bytes(`content ${series}/${index}`)),
    ref,
    first: undefined,
    createdMs: 1_000_000 + series * 10 + index,
    state: 'live',
    mode: undefined,
    mtimeMs: undefined,
    contentType: 'application/dicom',
    meta: undefined,
    dicom: {
      study,
      series: seriesUid,
      instance,
      class: index % 2 === 0 ? '1.2.840.10008.5.1.4.1.1.2' : '1.2.840.10008.5.1.4.1.1.4',
      syntax: '1.2.840.10008.1.2.1',
      number: String(index),
      headBytes: 500,
      frames: undefined,
      shape: undefined,
      rank,
      source: 'CT',
      about:
        index === 0
          ? {
              patient: { PatientID: 'p', PatientName: 'A^B' },
              study: { StudyDate: '20260101' },
              series: { Modality: 'CT' },
            }
          : {},
      ...(index === 3 ? { odd: ['uid-form'] } : {}),
    },
  };
}

const said = (series: number, index: number): { record: RecordId; hybrid: HybridTime } => ({
  record: recordOf(ingest, series * 100 + index * 2 + 2),
  hybrid: at(series * 100 + index),
});

function entryFact(series: number, index: number): Fact {
  const { record, hybrid } = said(series, index);
  const entry = entryOf(series, index, recordOf(ingest, series * 100 + index * 2 + 1));
  return { id: record, hybrid, plain: encodeObjectEntry(entry) };
}

function memberOf(series: number, index: number, tick: number): BundleMember {
  return {
    entry: entryOf(series, index, recordOf(archive, tick * 100 + index)),
    said: said(series, index),
    from: recordOf(ingest, series * 100 + index * 2 + 1),
    textBytes: 10 + index,
  };
}

function bundleFact(series: number, indices: readonly number[], tick: number): Fact {
  const bundle: Bundle = {
    study,
    series: `${study}.${series}`,
    generation: tick,
    supersedes: [],
    headers: { ref: recordOf(archive, tick * 100 + 50), sizeBytes: 1000 },
    thumbnail: undefined,
    members: indices.map((index) => memberOf(series, index, tick)),
  };
  return { id: recordOf(archive, tick * 100 + 99), hybrid: at(5000 + tick), plain: encodeBundle(bundle) as Uint8Array };
}

function rejectedFact(series: number, index: number, tick: number): Fact {
  const instances = [`${study}.${series}.${index % 5}`];
  const plain = encodeEvent({ type: 'rejected', id: 'c'.repeat(32), code: '113001', instances });
  return { id: recordOf(ingest, 900 + tick), hybrid: at(6000 + tick), plain };
}

/** A later entry of the same object. */
function laterFact(series: number, index: number, tick: number): Fact {
  const entry = { ...entryOf(series, index, recordOf(ingest, 2000 + tick)), state: 'deleted' as const };
  return { id: recordOf(ingest, 2100 + tick), hybrid: at(7000 + tick), plain: encodeObjectEntry(entry) };
}

const changesOf = (fact: Fact): CatalogChange[] => project({ ...fact, group });

async function withCatalog<T>(work: (catalog: Catalog, sql: Sql) => Promise<T>): Promise<T> {
  const sql = await openSqlite({ path: path.join(folder, `${(count += 1)}.db`) });
  try {
    await migrate(sql, catalogMigrations);
    return await work(new Catalog(sql, readBundle), sql);
  } finally {
    await sql.close();
  }
}

/** Which fact: its kind, series, instance, and when. Of one record there is one content. */
type Which = {
  readonly what: 'entry' | 'bundle' | 'rejected' | 'later';
  readonly s: number;
  readonly i: number;
  readonly t: number;
};

function factOf({ what, s, i, t }: Which): Fact {
  switch (what) {
    case 'entry':
      return entryFact(s, i);
    case 'bundle':
      return bundleFact(s, t < 5 ? [0, 1, 2, 3, 4] : t < 8 ? [2, 5, 6, 7] : [t - 2], t * 2 + s);
    case 'rejected':
      return rejectedFact(s, i, s * 10 + i);
    case 'later':
      return laterFact(s, i, s * 10 + i);
  }
}

const anyFact: fc.Arbitrary<Which> = fc.record({
  what: fc.constantFrom('entry', 'entry', 'entry', 'bundle', 'bundle', 'rejected', 'later'),
  s: fc.constantFrom(1, 2),
  i: fc.nat({ max: 7 }),
  t: fc.integer({ min: 1, max: 9 }),
});

async function dumpAfter(batches: readonly (readonly Which[])[]): Promise<unknown> {
  return withCatalog(async (catalog, sql) => {
    for (const batch of batches) await catalog.applyBatch(batch.map(factOf).flatMap(changesOf), []);
    return dumpTables(sql, catalogTables, ['fact', 'site']);
  });
}

test('whatever the order of entries, bundles, rejections and later entries, the tables end the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyFact, { minLength: 1, maxLength: 14 }).chain((facts) =>
        fc.record({
          facts: fc.constant(facts),
          shuffled: fc.shuffledSubarray(facts, { minLength: facts.length, maxLength: facts.length }),
          cut: fc.nat({ max: facts.length }),
        }),
      ),
      async ({ facts, shuffled, cut }) => {
        const alone = await dumpAfter(facts.map((fact) => [fact]));
        assert.deepEqual(await dumpAfter([shuffled]), alone);
        assert.deepEqual(await dumpAfter([shuffled.slice(0, cut), shuffled.slice(cut), facts]), alone);
      },
    ),
    { numRuns: 20 },
  );
});

/** All that the catalog answers about instances, without what tells rows from members. */
async function answers(catalog: Catalog): Promise<unknown> {
  const search = { tenant: defaultTenant, conditions: [] };
  const plain = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (key, each: unknown) => {
        if (['text', 'picture', 'objectNo', 'bundle', 'ref', 'firstSequence'].includes(key)) return undefined;
        return typeof each === 'bigint' ? String(each) : each;
      }),
    );
  const claims: unknown[] = [];
  const objects: unknown[] = [];
  for (const one of [1, 2]) {
    for (let each = 0; each < 8; each += 1) {
      const entry = entryOf(one, each, recordOf(archive, 1));
      claims.push(await catalog.instances.claims(defaultTenant, entry.dicom.instance));
      objects.push(await catalog.objects.version(entry.id, entry));
      objects.push(await catalog.objects.newest({ tenant: defaultTenant, bucket: entry.bucket, key: entry.key }));
    }
  }
  const equals = (field: 'instanceUid' | 'classUid' | 'instanceNumber', ...values: string[]) => ({
    ...search,
    conditions: [{ field, match: { kind: 'equals' as const, values } }],
  });
  const asked = [
    search,
    equals('instanceUid', `${study}.1.1`, `${study}.2.4`),
    equals('classUid', '1.2.840.10008.5.1.4.1.1.4'),
    equals('instanceNumber', '3'),
    { ...search, conditions: [{ field: 'instanceUid' as const, match: { kind: 'like' as const, pattern: '*.2.?' } }] },
  ];
  const found: unknown[] = [];
  for (const each of asked) {
    const rows: unknown[] = [];
    let after: Parameters<Catalog['search']['instances']>[1]['after'];
    do {
      const page = await catalog.search.instances(each, { limit: 3, after });
      rows.push(...page.rows);
      after = page.next;
    } while (after !== undefined);
    found.push(rows, (await catalog.search.series(each, { limit: 100 })).rows);
    found.push((await catalog.search.studies(each, { limit: 100 })).rows);
    found.push((await catalog.search.patients(each, { limit: 100 })).rows);
  }
  const listed: unknown[] = [];
  for (const prefix of ['', `${study}/${study}.1/`, `${study}/${study}.2/${study}.2.3`]) {
    for (const delimiter of [undefined, utf8Bytes('/')]) {
      let after: Parameters<Catalog['listing']['list']>[0]['after'];
      do {
        const options = {
          tenant: defaultTenant,
          bucket: 'dicom',
          prefix: utf8Bytes(prefix),
          delimiter,
          after,
          limit: 3,
        };
        const page = await catalog.listing.list(options);
        listed.push(page.items.map((item) => (item.kind === 'object' ? hexOf(item.row.key) : hexOf(item.prefix))));
        after = page.next;
      } while (after !== undefined);
    }
  }
  return plain({
    claims,
    objects,
    found,
    listed,
    classes: await catalog.instances.classesOfStudy(defaultTenant, study),
    totals: await catalog.objects.totals(),
  });
}

test('every question is answered as if nothing had settled', async () => {
  const entries = [1, 2].flatMap((one) => Array.from({ length: 8 }, (_, each) => entryFact(one, each)));
  const later = [rejectedFact(1, 1, 1), laterFact(2, 2, 2)];
  const bundles = [
    bundleFact(1, [0, 1, 2, 3, 5], 1),
    bundleFact(2, [0, 1, 2, 3, 4, 5, 6, 7], 2),
    bundleFact(1, [4, 7], 3),
  ];
  const unsettled = await withCatalog(async (catalog) => {
    await catalog.applyBatch([...entries, ...later].flatMap(changesOf), []);
    return answers(catalog);
  });
  for (const order of [
    [...entries, ...later, ...bundles],
    [...bundles, ...later, ...entries],
    [...entries, ...bundles, ...later],
  ]) {
    const settled = await withCatalog(async (catalog) => {
      for (const fact of order) await catalog.applyBatch(changesOf(fact), []);
      return answers(catalog);
    });
    assert.deepEqual(settled, unsettled);
  }
});

test('a settled instance keeps no row, and its series is found by a hash that may lead astray', async () => {
  await withCatalog(async (catalog, sql) => {
    const entries = Array.from({ length: 5 }, (_, each) => entryFact(1, each));
    await catalog.applyBatch([...entries, entryFact(2, 0), bundleFact(2, [0], 3)].flatMap(changesOf), []);
    await catalog.applyBatch(changesOf(bundleFact(1, [0, 1, 2, 3, 4], 1)), []);
    for (const table of ['objects', 'instances', 'moves']) {
      assert.equal((await sql.one<{ count: number }>(`SELECT count(*) AS count FROM ${table}`))?.count, 0);
    }
    // As if every UID of one series had the hash of one of the other.
    await sql.run(
      `INSERT INTO settled_uids (uid_hash, series_no) SELECT uid_hash, (SELECT max(series_no) FROM series) FROM settled_uids
        WHERE series_no = (SELECT min(series_no) FROM series)`,
    );
    const claims = await catalog.instances.claims(defaultTenant, `${study}.1.2`);
    assert.deepEqual(
      claims.map((each) => [each.seriesUid, each.shown]),
      [[`${study}.1`, true]],
    );
  });
});

test('a group that was shredded takes its bundles with it', async () => {
  await withCatalog(async (catalog, sql) => {
    await catalog.applyBatch([bundleFact(1, [0, 1, 2], 1), bundleFact(2, [0, 6], 2)].flatMap(changesOf), []);
    assert.equal(await catalog.forgetGroup(group), 5);
    for (const table of ['bundles', 'settled_uids', 'series', 'studies']) {
      assert.equal((await sql.one<{ count: number }>(`SELECT count(*) AS count FROM ${table}`))?.count, 0);
    }
    assert.deepEqual(await catalog.objects.totals(), { versions: 0, bytes: 0, markers: 0 });
  });
});
