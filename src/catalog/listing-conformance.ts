// What listings of the catalog must say on every database: a part of the catalog's one suite.

import assert from 'node:assert/strict';
import { hexOf, SeededRandom, utf8Bytes } from '../base/index.ts';
import type { Catalog } from './catalog.ts';
import type { CatalogChange, ObjectChange } from './changes.ts';
import type { ListCursor, Listed, ListOptions } from './object-listing.ts';
import type { DeclareTest } from './trial-catalog.ts';
import { TrialChanges, trialKeys } from './trial-changes.ts';
import { marker, object, tenant, versionAt } from './trial-objects.ts';
import { laterVersion } from './versions.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

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

export function testListing(it: DeclareTest): void {
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

  it('names that the trial uses are all different', async () => {
    assert.equal(new Set(trialKeys.map(hexOf)).size, trialKeys.length);
  });
}
