// What the catalog must do with key groups on every database, their settling and their shredding: a part of the catalog's one suite.

import assert from 'node:assert/strict';
import { type KeyGroup, type RecordId, tenantId, utf8Bytes } from '../base/index.ts';
import { dumpTables } from '../sql/index.ts';
import type { CatalogChange, ObjectChange } from './changes.ts';
import { catalogTables } from './tables.ts';
import type { DeclareTest } from './trial-catalog.ts';
import { trialGroup } from './trial-changes.ts';
import { digest, group, object, reencoded, tenant, versionAt, writer } from './trial-objects.ts';

export function testGroups(it: DeclareTest): void {
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
}
