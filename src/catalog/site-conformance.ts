// What the catalog must do on every database with rows that come one by one (site tables, buckets, exports, releases, documents): a part of the catalog's one suite.

import assert from 'node:assert/strict';
import { isArchiveError, type PackId, utf8Bytes } from '../base/index.ts';
import type { CatalogChange } from './changes.ts';
import type { DeclareTest } from './trial-catalog.ts';
import { object, tenant, versionAt } from './trial-objects.ts';

export function testSite(it: DeclareTest): void {
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
}
