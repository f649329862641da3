// What the catalog must do with objects on every database: a part of the catalog's one suite.

import assert from 'node:assert/strict';
import { SeededRandom, systemTenant, utf8Bytes } from '../base/index.ts';
import type { Catalog } from './catalog.ts';
import type { DeclareTest } from './trial-catalog.ts';
import { trialGroup } from './trial-changes.ts';
import { digest, group, marker, nextVersion, object, second, tenant, versionAt, writer } from './trial-objects.ts';

export function testObjects(it: DeclareTest): void {
  const live = async (catalog: Catalog, name: string): Promise<string | undefined> =>
    (await catalog.objects.live({ tenant, bucket: 'main', key: utf8Bytes(name) }))?.id;

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
    await catalog.applyBatch([{ ...hiding, state: 'deleted', version: nextVersion() }], []);
    assert.equal(await live(catalog, 'file'), two.id);
    assert.equal(await live(catalog, 'fil'), undefined);
  });

  it('an older entry for a version changes nothing', async (catalog) => {
    const later = object({ sizeBytes: 7 });
    const earlier = { ...later, sizeBytes: 1, version: versionAt(Number(later.version.time) - 1) };
    await catalog.applyBatch([later], []);
    await catalog.applyBatch([earlier], []);
    assert.equal((await catalog.objects.version(later.id))?.sizeBytes, 7);
    const tied = { ...later, sizeBytes: 9, version: { ...later.version, record: { writer: second, sequence: 1n } } };
    await catalog.applyBatch([tied], []);
    assert.equal((await catalog.objects.version(later.id))?.sizeBytes, second > writer ? 9 : 7);
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
}
