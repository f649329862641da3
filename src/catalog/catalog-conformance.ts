// What the catalog must do on every database: one suite, run for SQLite always and for PostgreSQL where a server can be had.
//
// Each test gets an empty, migrated database from the factory and closes it. Left out on purpose: speed (bench/).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  hexOf,
  isArchiveError,
  type KeyGroup,
  type PackId,
  type RecordId,
  SeededRandom,
  systemTenant,
  tenantId,
  utf8Bytes,
} from '../base/index.ts';
import type { Sql } from '../sql/index.ts';
import { dumpTables } from '../sql/index.ts';
import { Catalog } from './catalog.ts';
import type { CatalogChange, ObjectChange, Version } from './changes.ts';
import type { ListCursor, Listed, ListOptions } from './object-listing.ts';
import { testStudies } from './study-conformance.ts';
import { catalogTables } from './tables.ts';
import { shuffled, TrialChanges, trialGroup, trialKeys, trialWriters } from './trial-changes.ts';
import { laterVersion } from './versions.ts';

export type OpenEmpty = () => Promise<Sql>;

const tenant = tenantId(1);
const group = trialGroup(1, 0);
const [writer = 'none' as never, second = 'none' as never] = trialWriters;
const digest = (value: number): Uint8Array => new Uint8Array(32).fill(value);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

function versionAt(time: number, sequence = time): Version {
  return { time: BigInt(time), record: { writer, sequence: BigInt(sequence) } };
}

let drawn = 0;

function object(change: Partial<ObjectChange> & { name?: string } = {}): ObjectChange {
  drawn += 1;
  const { name = 'file', ...rest } = change;
  return {
    kind: 'object',
    version: versionAt(drawn),
    id: drawn.toString(16).padStart(32, '0'),
    group,
    bucket: 'main',
    key: utf8Bytes(name),
    state: 'live',
    createdMs: drawn,
    sizeBytes: 10,
    digest: digest(1),
    ref: { writer, sequence: BigInt(drawn) },
    ...rest,
  };
}

const marker = (name: string): ObjectChange =>
  object({ name, state: 'marker', digest: undefined, ref: undefined, sizeBytes: 0 });

function reencoded(version: Version, ...pairs: [number, number, number?][]): CatalogChange {
  const at = (sequence: number) => ({ writer, sequence: BigInt(sequence) });
  return {
    kind: 'reencoded',
    version,
    group,
    pairs: pairs.map(([from, to, first]) => ({
      from: at(from),
      to: at(to),
      toFirstSequence: first === undefined ? undefined : BigInt(first),
      digest: digest(1),
    })),
  };
}

/** What a listing must say, found by looking at every change. */
function listedNaively(changes: readonly CatalogChange[], options: Omit<ListOptions, 'limit'>): string[] {
  const rows = new Map<string, ObjectChange>();
  for (const change of changes) {
    if (change.kind !== 'object') continue;
    const known = rows.get(change.id);
    if (known === undefined || laterVersion(change.version, known.version)) rows.set(change.id, change);
  }
  const newest = new Map<string, ObjectChange>();
  const isNewer = (a: ObjectChange, b: ObjectChange): boolean => {
    if (a.createdMs !== b.createdMs) return a.createdMs > b.createdMs;
    return a.version.time === b.version.time ? a.id > b.id : a.version.time > b.version.time;
  };
  for (const row of rows.values()) {
    if (row.group.tenant !== options.tenant || row.bucket !== options.bucket || row.state === 'deleted') continue;
    const key = text(row.key);
    const known = newest.get(key);
    if (known === undefined || isNewer(row, known)) newest.set(key, row);
  }
  const prefix = text(options.prefix ?? new Uint8Array(0));
  const items = new Set<string>();
  for (const key of [...newest.keys()].sort()) {
    if (!key.startsWith(prefix) || newest.get(key)?.state !== 'live') continue;
    const at = options.delimiter === undefined ? -1 : key.indexOf(text(options.delimiter), prefix.length);
    items.add(at < 0 ? `object ${key}` : `folder ${key.slice(0, at + 1)}`);
  }
  return [...items];
}

const itemText = (item: Listed): string =>
  item.kind === 'folder' ? `folder ${text(item.prefix)}` : `object ${text(item.row.key)}`;

async function listPages(catalog: Catalog, options: ListOptions): Promise<string[]> {
  const items: string[] = [];
  let after: ListCursor | undefined;
  do {
    const page = await catalog.listing.list({ ...options, after });
    assert.ok(page.items.length <= options.limit);
    items.push(...page.items.map(itemText));
    after = page.next;
  } while (after !== undefined);
  return items;
}

export function catalogConformance(label: string, openEmpty: OpenEmpty): void {
  const it = (behaviour: string, work: (catalog: Catalog, sql: Sql) => Promise<void>): void => {
    void test(`${label}: ${behaviour}`, async () => {
      const sql = await openEmpty();
      try {
        await work(new Catalog(sql), sql);
      } finally {
        await sql.close();
      }
    });
  };
  const live = async (catalog: Catalog, name: string): Promise<string | undefined> =>
    (await catalog.objects.live({ tenant, bucket: 'main', key: utf8Bytes(name) }))?.id;

  it('tables have the columns that are declared, and no others', async (_catalog, sql) => {
    for (const table of catalogTables) {
      const kinds = await columnsOf(sql, table.name);
      const declared = Object.entries(table.columns).map(([name, kind]) => [
        name,
        kind === 'hybrid' ? 'integer' : kind,
      ]);
      assert.deepEqual(kinds, Object.fromEntries(declared), table.name);
    }
  });

  it('an object comes back as it was applied', async (catalog) => {
    const full = object({
      firstSequence: 1n,
      mode: 0o755,
      mtimeMs: -5,
      contentType: 'a/b',
      meta: { x: '1', y: [true, null] },
    });
    const empty = object({ ref: undefined, sizeBytes: 0 });
    await catalog.applyBatch([full, empty], []);
    const { objectNo: _, ...row } = (await catalog.objects.version(full.id)) ?? { objectNo: 0 };
    const { kind: _kind, ...expected } = full;
    assert.deepEqual(row, expected);
    const emptyRow = await catalog.objects.version(empty.id);
    assert.equal(emptyRow?.ref, undefined);
    assert.equal(emptyRow?.mode, undefined);
  });

  it('the newest version that was not deleted is what a name means', async (catalog) => {
    const [one, two] = [object(), object()];
    await catalog.applyBatch([two, one], []);
    assert.equal(await live(catalog, 'file'), two.id);
    const hiding = marker('file');
    await catalog.applyBatch([hiding], []);
    assert.equal(await live(catalog, 'file'), undefined);
    assert.equal((await catalog.objects.newest({ tenant, bucket: 'main', key: utf8Bytes('file') }))?.state, 'marker');
    drawn += 1;
    await catalog.applyBatch([{ ...hiding, state: 'deleted', version: versionAt(drawn) }], []);
    assert.equal(await live(catalog, 'file'), two.id);
    assert.equal(await live(catalog, 'fil'), undefined);
  });

  it('an older entry for a version changes nothing', async (catalog) => {
    const later = object({ sizeBytes: 7 });
    const earlier = { ...later, sizeBytes: 1, version: versionAt(drawn - 1) };
    await catalog.applyBatch([later], []);
    await catalog.applyBatch([earlier], []);
    assert.equal((await catalog.objects.version(later.id))?.sizeBytes, 7);
    const tied = { ...later, sizeBytes: 9, version: { ...later.version, record: { writer: second, sequence: 1n } } };
    await catalog.applyBatch([tied], []);
    assert.equal((await catalog.objects.version(later.id))?.sizeBytes, second > writer ? 9 : 7);
  });

  it('the applied sequence of a writer only goes forward', async (catalog) => {
    assert.equal(await catalog.applied(writer), 0n);
    await catalog.applyBatch(
      [],
      [
        { writer, sequence: 2n ** 40n },
        { writer: second, sequence: 3n },
      ],
    );
    await catalog.applyBatch([object()], [{ writer, sequence: 7n }]);
    assert.equal(await catalog.applied(writer), 2n ** 40n);
    const all = await catalog.appliedAfter(0, 10);
    assert.deepEqual(await catalog.appliedAfter(all[0]?.number ?? 0, 10), all.slice(1));
    assert.deepEqual(
      new Map(all.map((each) => [each.writer, each.sequence])),
      new Map([
        [writer, 2n ** 40n],
        [second, 3n],
      ]),
    );
  });

  it('a batch that fails leaves nothing, and the next one works', async (catalog) => {
    const fine = object({ bucket: 'fresh', group: trialGroup(1, 3) });
    const wrong = object({ version: { time: 1n << 63n, record: { writer: second, sequence: 1n } } });
    const failed = catalog.applyBatch([fine, wrong], [{ writer, sequence: 9n }]);
    await assert.rejects(failed, (error) => isArchiveError(error, 'RECORD_CORRUPT'));
    assert.equal(await catalog.objects.version(fine.id), undefined);
    assert.equal(await catalog.applied(writer), 0n);
    await catalog.applyBatch([fine], []);
    assert.equal((await catalog.objects.version(fine.id))?.bucket, 'fresh');
  });

  it('content is found again within its group only', async (catalog) => {
    const [one, two] = [object({ digest: digest(5) }), object({ digest: digest(5), group: trialGroup(1, 1) })];
    const gone = object({ digest: digest(5), state: 'deleted' });
    await catalog.applyBatch([gone, one, two], []);
    assert.deepEqual(
      (await catalog.objects.withContent(group, digest(5), 9)).map((row) => row.id),
      [one.id],
    );
    assert.deepEqual(await catalog.objects.withContent(group, digest(6)), []);
    const sameHead = digest(5);
    sameHead[20] = 0;
    assert.deepEqual(await catalog.objects.withContent(group, sameHead), []);
  });

  it('a re-encoding moves objects, whichever came first', async (catalog) => {
    const one = object({ ref: { writer, sequence: 100n } });
    const at = async (): Promise<unknown> => (await catalog.objects.version(one.id))?.ref?.sequence;
    await catalog.applyBatch([reencoded(versionAt(900), [200, 300, 290])], []);
    await catalog.applyBatch([one], []);
    assert.equal(await at(), 100n);
    await catalog.applyBatch([reencoded(versionAt(800), [100, 200])], []);
    assert.equal(await at(), 300n);
    assert.equal((await catalog.objects.version(one.id))?.firstSequence, 290n);
    const late = object({ ref: { writer, sequence: 200n } });
    await catalog.applyBatch([late], []);
    assert.equal((await catalog.objects.version(late.id))?.ref?.sequence, 300n);
  });

  it('of two re-encodings of one content the later counts, in either order', async (catalog) => {
    for (const [base, order] of [
      [1000, [0, 1]],
      [2000, [1, 0]],
    ] as const) {
      const one = object({ ref: { writer, sequence: BigInt(base) } });
      const both = [
        reencoded(versionAt(base + 1), [base, base + 10]),
        reencoded(versionAt(base + 2), [base, base + 20]),
      ];
      await catalog.applyBatch([one], []);
      for (const index of order) await catalog.applyBatch([both[index] as CatalogChange], []);
      assert.equal((await catalog.objects.version(one.id))?.ref?.sequence, BigInt(base + 20));
    }
  });

  it('objects are found by the run of records that holds their content', async (catalog) => {
    const random = new SeededRandom(7);
    const objects = Array.from({ length: 300 }, () => {
      const last = 1 + random.below(2000);
      const first = Math.max(1, last - (random.below(3) === 0 ? random.below(500) : 0));
      return object({ ref: { writer, sequence: BigInt(last) }, firstSequence: BigInt(first) });
    });
    await catalog.applyBatch(objects, []);
    for (const [first, last] of [
      [1, 1],
      [400, 460],
      [1, 3000],
      [1999, 2100],
      [2001, 2100],
    ] as const) {
      const expected = objects.filter(
        (each) => Number(each.firstSequence) <= last && Number(each.ref?.sequence) >= first,
      );
      const found: string[] = [];
      let after;
      do {
        const range = { writer, first: BigInt(first), last: BigInt(last) };
        const page = await catalog.objects.inRange(range, { after, limit: 7 });
        found.push(...page.rows.map((row) => row.id));
        after = page.next;
      } while (after !== undefined);
      assert.deepEqual(found.sort(), expected.map((each) => each.id).sort(), `${first} to ${last}`);
    }
  });

  it('the objects of a group come in pages', async (catalog) => {
    const objects = Array.from({ length: 25 }, (_, index) => object({ digest: digest(index % 4) }));
    await catalog.applyBatch([...objects, marker('x'), object({ group: trialGroup(1, 1) })], []);
    const found: string[] = [];
    let after;
    do {
      const page = await catalog.objects.ofGroup(group, { after, limit: 4 });
      found.push(...page.rows.map((row) => row.id));
      after = page.next;
    } while (after !== undefined);
    assert.deepEqual(found.sort(), objects.map((each) => each.id).sort());
  });

  it('totals follow what is put, replaced and deleted', async (catalog) => {
    const [one, two] = [object({ sizeBytes: 100 }), object({ sizeBytes: 20, bucket: 'other' })];
    await catalog.applyBatch([one, two, marker('file')], []);
    assert.deepEqual(
      { ...(await catalog.objects.totals({ tenant, bucket: 'main' })) },
      { versions: 1, bytes: 100, markers: 1 },
    );
    await catalog.applyBatch([{ ...one, state: 'deleted', version: versionAt(5000) }], []);
    assert.deepEqual({ ...(await catalog.objects.totals({ tenant })) }, { versions: 1, bytes: 20, markers: 1 });
    assert.deepEqual(
      { ...(await catalog.objects.totals({ tenant: systemTenant })) },
      { versions: 0, bytes: 0, markers: 0 },
    );
  });

  it('a forgotten group leaves no object and no total, and its shredding stays', async (catalog) => {
    const gone = object({ group: trialGroup(1, 1), sizeBytes: 5 });
    const kept = object({ sizeBytes: 7 });
    await catalog.applyBatch([gone, kept], []);
    await catalog.applyBatch([{ kind: 'shred', version: versionAt(9000), group: gone.group, generation: 1n }], []);
    assert.equal(await catalog.forgetGroup(gone.group), 1);
    assert.equal(await catalog.forgetGroup(gone.group), 0);
    assert.equal(await catalog.objects.version(gone.id), undefined);
    assert.deepEqual({ ...(await catalog.objects.totals()) }, { versions: 1, bytes: 7, markers: 0 });
    assert.equal((await catalog.groups.shreds()).length, 1);
  });

  it('with a forgotten group go the moves of its content, and the bucket that nobody made is no fact', async (catalog, sql) => {
    const own = trialGroup(1, 7);
    const [kept, gone] = [object(), object({ group: own, bucket: 'only-here' })];
    const moved = (group: KeyGroup, from: RecordId, to: number): CatalogChange => ({
      kind: 'reencoded',
      version: versionAt(8000 + to),
      group,
      pairs: [{ from, to: { writer, sequence: BigInt(to) }, digest: digest(1) }],
    });
    const before = [kept, moved(group, kept.ref as RecordId, 7000)];
    await catalog.applyBatch(before, []);
    const shred: CatalogChange = { kind: 'shred', version: versionAt(9000), group: own, generation: 1n };
    const batch = [gone, moved(own, gone.ref as RecordId, 7001), shred];
    await catalog.applyBatch(batch, []);
    assert.equal(await catalog.forgetGroup(own), 1);
    const found = await dumpTables(sql, catalogTables, ['fact', 'site']);
    await catalog.clear();
    await catalog.applyBatch([...before, shred], []);
    assert.deepEqual(await dumpTables(sql, catalogTables, ['fact', 'site']), found);
  });

  it('a release is known by its pack, the latest that was said of it', async (catalog) => {
    const [pack, other, into] = ['0a', '0b', '0c'].map((digits) => digits.repeat(16) as PackId);
    const packs = [pack, other, into] as [PackId, PackId, PackId];
    const said = (time: number, list: readonly string[]): CatalogChange => ({
      kind: 'release',
      version: versionAt(time),
      pack: packs[0],
      into: list,
    });
    await catalog.applyBatch([said(20, [packs[1], packs[2]]), said(10, [])], []);
    assert.deepEqual(await catalog.releases.of(packs), new Map([[packs[0], [packs[1], packs[2]]]]));
    assert.deepEqual(await catalog.releases.of([]), new Map());
  });

  it('a family has its oldest group that was not shredded', async (catalog) => {
    const family = utf8Bytes('family');
    const [older, newer] = [trialGroup(1, 1), trialGroup(1, 2)];
    const named = (of: typeof older): CatalogChange => ({ kind: 'group', group: of, family });
    await catalog.applyBatch([object({ group: older }), object({ group: newer }), named(newer), named(older)], []);
    assert.deepEqual(await catalog.groups.ofFamily(tenant, family), older);
    await catalog.applyBatch([{ kind: 'shred', version: versionAt(6000), group: older, generation: 3n }], []);
    assert.deepEqual(await catalog.groups.ofFamily(tenant, family), newer);
    assert.equal(await catalog.groups.ofFamily(tenantId(2), family), undefined);
    assert.deepEqual(await catalog.groups.shreds(), [{ group: older, generation: 3n }]);
    assert.equal((await catalog.groups.shredded(newer))?.generation, undefined);
  });

  it('groups wait to be settled from a write until they are settled, and are given out when quiet', async (catalog) => {
    const written = (index: number, time: number, sequence: number): ObjectChange =>
      object({ group: trialGroup(1, index), version: versionAt(time), ref: { writer, sequence: BigInt(sequence) } });
    await catalog.applyBatch([written(0, 100, 1), written(1, 300, 50), written(2, 200, 60)], []);
    const waiting = async (quietBefore: bigint, range?: [bigint, bigint]): Promise<bigint[]> => {
      const found: bigint[] = [];
      const ranges = range === undefined ? undefined : [{ writer, first: range[0], last: range[1] }];
      let after;
      do {
        const page = await catalog.groups.toSettle({ quietBefore, ranges, after, limit: 1 });
        found.push(...page.rows.map((row) => row.group.group - group.group));
        after = page.next;
      } while (after !== undefined);
      return found;
    };
    assert.deepEqual(await waiting(1000n), [0n, 2n, 1n]);
    assert.deepEqual(await waiting(201n), [0n, 2n]);
    assert.deepEqual(await waiting(1000n, [40n, 55n]), [1n]);
    const settled = { kind: 'reencoded', version: versionAt(400), group: trialGroup(1, 1), pairs: [] } as const;
    await catalog.applyBatch([{ ...settled, settledThrough: 300n }], []);
    assert.deepEqual(await waiting(1000n), [0n, 2n]);
    await catalog.applyBatch([written(1, 500, 70)], []);
    assert.deepEqual(await waiting(1000n), [0n, 2n, 1n]);
  });

  it('site tables give the latest row, and none once it was removed', async (catalog) => {
    const site = (
      table: string,
      key: string,
      time: number,
      row: Record<string, string | number> | null,
    ): CatalogChange => ({
      kind: 'site',
      version: versionAt(time),
      table,
      key,
      row,
    });
    const user = { tenant: 1, passwordHash: 'h', role: 'reader' };
    await catalog.applyBatch(
      [site('users', 'b', 2, user), site('users', 'a', 1, user), site('users', 'c', 3, user)],
      [],
    );
    await catalog.applyBatch([site('users', 'b', 5, null), site('users', 'b', 4, user)], []);
    assert.deepEqual(
      (await catalog.site.users.list()).map((each) => each.key),
      ['a', 'c'],
    );
    assert.equal(await catalog.site.users.get('b'), undefined);
    assert.deepEqual(await catalog.site.users.get('a'), { ...user, disabled: false });
    await catalog.applyBatch([site('tokens', 't', 6, { user: 'a' }), site('settings', 's', 7, { value: 1 })], []);
    await assert.rejects(catalog.site.tokens.get('t'), (error) => isArchiveError(error, 'RECORD_CORRUPT'));
    assert.deepEqual(await catalog.site.settings.get('s'), { value: 1 });
  });

  it('rows of a site table are gone through by the beginning of their keys, over any number of pages', async (catalog) => {
    const keys = Array.from({ length: 1203 }, (_, index) => `${index % 3 === 0 ? 'A' : 'a_'}/${index}`);
    const changes = keys.map((key, index): CatalogChange => {
      return { kind: 'site', version: versionAt(index + 1), table: 'trial', key, row: { index } };
    });
    await catalog.applyBatch(changes, []);
    const table = catalog.site.table('trial', (row) => row['index']);
    const found = async (prefix?: string): Promise<string[]> =>
      (await Array.fromAsync(table.each(prefix))).map((each) => each.key);
    const sorted = keys.toSorted();
    assert.deepEqual(await found(), sorted);
    for (const prefix of ['A/', 'a_/', 'a_/12', 'b']) {
      const wanted = sorted.filter((key) => key.startsWith(prefix));
      assert.deepEqual(await found(prefix), wanted);
    }
  });

  it('buckets and exports are listed', async (catalog) => {
    const made = { kind: 'bucket', tenant, createdMs: 5, meta: { versioning: true } } as const;
    await catalog.applyBatch(
      [object({ bucket: 'implied' }), { ...made, version: versionAt(1), name: 'made', state: 'live' }],
      [],
    );
    await catalog.applyBatch([{ ...made, version: versionAt(2), name: 'gone', state: 'deleted' }], []);
    assert.deepEqual(
      (await catalog.site.buckets(tenant)).map((each) => each.name),
      ['implied', 'made'],
    );
    assert.deepEqual((await catalog.site.bucket(tenant, 'made'))?.meta, { versioning: true });
    assert.equal(await catalog.site.bucket(tenant, 'gone'), undefined);
    const exported = { kind: 'export', version: versionAt(3), number: 1n, generation: 2n, createdMs: 9 } as const;
    await catalog.applyBatch([exported], []);
    assert.deepEqual(await catalog.site.exports(), [{ number: 1n, generation: 2n, createdMs: 9 }]);
  });

  testStudies(it);

  it('documents are found by family and by patient', async (catalog) => {
    const family = utf8Bytes('report');
    const patient = { patientId: 'P', issuer: '' };
    const common = { kind: 'document', tenant, family, patient, entryId: 'cd'.repeat(16), state: 'live' } as const;
    const versions = [1, 2].map((number) => ({ ...common, version: versionAt(number), number, createdMs: number }));
    await catalog.applyBatch(versions, []);
    assert.deepEqual(
      (await catalog.documents.ofFamily(tenant, family)).map((each) => each.number),
      [2, 1],
    );
    assert.deepEqual((await catalog.documents.ofPatient({ tenant, ...patient })).length, 2);
  });

  it('listing says what looking at every row says, at every page size', async (catalog) => {
    const trial = new TrialChanges(new SeededRandom(11));
    const changes = Array.from({ length: 300 }, () => trial.object());
    await catalog.applyBatch(changes, []);
    for (const prefix of [undefined, 'a', 'a/', '中', 'none']) {
      for (const delimiter of [undefined, '/']) {
        const options = {
          tenant,
          bucket: 'alpha',
          prefix: prefix === undefined ? undefined : utf8Bytes(prefix),
          delimiter: delimiter === undefined ? undefined : utf8Bytes(delimiter),
        };
        const expected = listedNaively(changes, options);
        for (const limit of [1, 3, 1000]) assert.deepEqual(await listPages(catalog, { ...options, limit }), expected);
      }
    }
  });

  it('every version is listed once, newest first, at every page size', async (catalog) => {
    const changes = [1, 2, 3, 4, 5, 6, 7].flatMap(() => [object({ name: 'b' }), object({ name: 'a' }), marker('c')]);
    const tied = [
      object({ name: 'a', createdMs: 1, version: versionAt(1) }),
      object({ name: 'a', createdMs: 1, version: versionAt(1, 2) }),
    ];
    await catalog.applyBatch([...changes, ...tied], []);
    const whole = await catalog.listing.versions({ tenant, bucket: 'main', limit: 1000 });
    const ids = whole.items.map((item) => (item.kind === 'object' ? item.row.id : ''));
    assert.equal(new Set(ids).size, 23);
    assert.equal(whole.items.filter((item) => item.kind === 'object' && item.newest).length, 3);
    for (const limit of [1, 2, 8]) {
      const paged: string[] = [];
      let after: ListCursor | undefined;
      do {
        const page = await catalog.listing.versions({ tenant, bucket: 'main', limit, after });
        paged.push(...page.items.map((item) => (item.kind === 'object' ? item.row.id : '')));
        after = page.next;
      } while (after !== undefined);
      assert.deepEqual(paged, ids, `pages of ${limit}`);
    }
  });

  it('a bucket full of markers lists in bounded steps', async (catalog) => {
    const names = Array.from({ length: 600 }, (_, index) => marker(`m${String(index).padStart(4, '0')}`));
    await catalog.applyBatch([...names, object({ name: 'z' })], []);
    assert.deepEqual(await listPages(catalog, { tenant, bucket: 'main', limit: 5 }), ['object z']);
  });

  it('clearing and filling again ends in the same tables', async (catalog, sql) => {
    const changes = new TrialChanges(new SeededRandom(3)).some(120);
    await catalog.applyBatch(changes, [{ writer, sequence: 9n }]);
    const before = await dumpTables(sql, catalogTables, ['fact', 'site', 'cache']);
    await catalog.clear();
    assert.equal(await catalog.applied(writer), 0n);
    await catalog.applyBatch(shuffled(new SeededRandom(4), changes), [{ writer, sequence: 9n }]);
    assert.deepEqual(await dumpTables(sql, catalogTables, ['fact', 'site', 'cache']), before);
  });

  it('names that the trial uses are all different', async () => {
    assert.equal(new Set(trialKeys.map(hexOf)).size, trialKeys.length);
  });
}

/** Applies `count` changes as they come, then mixed, repeated and cut into batches, and compares every table. */
export async function checkOrderOfArrival(openEmpty: OpenEmpty, seed: number, count: number): Promise<void> {
  const random = new SeededRandom(seed);
  const changes = new TrialChanges(random).some(count);
  const mixed = shuffled(random, changes);
  const batches: CatalogChange[][] = [];
  for (let offset = 0; offset < mixed.length; ) {
    const length = 1 + random.below(12);
    batches.push(mixed.slice(offset, offset + length));
    offset += length;
  }
  assert.deepEqual(await dumpAfter(openEmpty, batches), await dumpAfter(openEmpty, [changes]));
}

async function dumpAfter(openEmpty: OpenEmpty, batches: readonly (readonly CatalogChange[])[]): Promise<unknown> {
  const sql = await openEmpty();
  try {
    const catalog = new Catalog(sql);
    for (const batch of batches) await catalog.applyBatch(batch, []);
    return await dumpTables(sql, catalogTables, ['fact', 'site', 'cache']);
  } finally {
    await sql.close();
  }
}

async function columnsOf(sql: Sql, table: string): Promise<Record<string, string>> {
  const kinds: Record<string, string> = {
    INTEGER: 'integer',
    BLOB: 'bytes',
    TEXT: 'text',
    bigint: 'integer',
    bytea: 'bytes',
  };
  const rows =
    sql.dialect === 'sqlite'
      ? await sql.all<{ name: string; type: string }>(`SELECT name, type FROM pragma_table_info('${table}')`)
      : await sql.all<{ name: string; type: string }>(
          `SELECT column_name AS name, data_type AS type FROM information_schema.columns
            WHERE table_schema = current_schema() AND table_name = ?`,
          [table],
        );
  return Object.fromEntries(rows.map((row) => [row.name, kinds[row.type] ?? row.type]));
}
