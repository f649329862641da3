// A batch of changes, applied in one transaction with the sequences it brings the catalog to.
//
// Invariants: all or nothing; whatever the order of changes and batches, and however often one comes, the tables end the same.
// References are resolved first (writers, groups, buckets get their numbers), then rows are decided on; re-encodings come after
// objects, though either order would do. One batch at a time in the whole archive: the catalog's lock.

import type { WriterId } from '../base/index.ts';
import { assert, never } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { applyAmendment, applyWithdrawal } from './apply-amendments.ts';
import { BundleBatch, writersOfBundle } from './apply-bundles.ts';
import { applySeriesDevice } from './apply-devices.ts';
import { applyGroups } from './apply-groups.ts';
import { applyInstances } from './apply-instances.ts';
import { applyObjects } from './apply-objects.ts';
import { applyCompared, applyQuality } from './apply-quality.ts';
import { applyRejections } from './apply-rejections.ts';
import { applyBucket, applyDocument, applyExport, applyRelease, applyShred, applySite } from './apply-rows.ts';
import { applyPatient, applySeries, applyStudy } from './apply-studies.ts';
import type { AppliedSequence, CatalogChange, ObjectChange } from './changes.ts';
import { applyReencoded, writersOfReencoded } from './moves.ts';
import type { NumbersTx } from './numbers.ts';
import { bucketMapKey } from './numbers.ts';
import type { SettledSeries } from './settled-series.ts';
import { sequenceValue } from './storable.ts';

/** Changes in one batch: bounds the time that others wait for the catalog. */
export const changesPerBatchMax = 4096;

function writersOf(changes: readonly CatalogChange[], applied: readonly AppliedSequence[]): Set<WriterId> {
  const writers = new Set<WriterId>();
  let recent: WriterId | undefined;
  const add = (writer: WriterId): void => {
    if (writer === recent) return;
    recent = writer;
    writers.add(writer);
  };
  for (const { writer } of applied) add(writer);
  for (const change of changes) {
    if (change.kind !== 'group') add(change.version.record.writer);
    if (change.kind === 'object' && change.ref !== undefined) add(change.ref.writer);
    if (change.kind === 'bundle') for (const writer of writersOfBundle(change)) add(writer);
    if (change.kind === 'reencoded') for (const writer of writersOfReencoded(change)) add(writer);
  }
  return writers;
}

function bucketsOf(changes: readonly CatalogChange[]): Iterable<{ tenant: number; name: string }> {
  const buckets = new Map<string, { tenant: number; name: string }>();
  let recent: ObjectChange | undefined;
  for (const change of changes) {
    if (change.kind === 'object') {
      if (recent?.bucket === change.bucket && recent.group.tenant === change.group.tenant) continue;
      recent = change;
      const bucket = { tenant: change.group.tenant, name: change.bucket };
      buckets.set(bucketMapKey(bucket.tenant, bucket.name), bucket);
    }
    if (change.kind === 'bucket') buckets.set(bucketMapKey(change.tenant, change.name), change);
  }
  return buckets.values();
}

export async function applyChanges(
  tx: SqlTx,
  known: { readonly numbers: NumbersTx; readonly settled: SettledSeries },
  changes: readonly CatalogChange[],
  applied: readonly AppliedSequence[],
): Promise<void> {
  const { numbers, settled } = known;
  assert(changes.length <= changesPerBatchMax, `a batch has at most ${changesPerBatchMax} changes`);
  await numbers.drawWriters(writersOf(changes, applied));
  await numbers.drawBuckets(bucketsOf(changes));
  await applyGroups(tx, numbers, changes);
  const bundles = new BundleBatch(tx, numbers, settled);
  const told = await bundles.begin(changes);
  await applyObjects(tx, numbers, [...changes.filter((change) => change.kind === 'object'), ...told.objects]);
  for (const change of changes) {
    const applying = applyRow(tx, numbers, change);
    if (applying !== undefined) await applying;
  }
  const rejections = changes.filter((change) => change.kind === 'rejection');
  await applyRejections(tx, rejections);
  const instances = [...changes.filter((change) => change.kind === 'instance'), ...told.instances];
  if (instances.length + rejections.length > 0) await applyInstances(tx, numbers, instances, rejections);
  await bundles.end();
  for (const { writer, sequence } of applied) {
    const value = sequenceValue(sequence);
    const statement = 'UPDATE writers SET applied = ? WHERE writer_no = ? AND applied < ?';
    await tx.run(statement, [value, numbers.writer(writer), value]);
  }
}

/** Everything but objects, groups, instances, bundles and rejections, which go together. */
function applyRow(tx: SqlTx, numbers: NumbersTx, change: CatalogChange): Promise<void> | undefined {
  switch (change.kind) {
    case 'object':
    case 'group':
    case 'instance':
    case 'bundle':
    case 'rejection':
      return undefined;
    case 'reencoded':
      return applyReencoded(tx, numbers, change);
    case 'bucket':
      return applyBucket(tx, numbers, change);
    case 'site':
      return applySite(tx, numbers, change);
    case 'export':
      return applyExport(tx, numbers, change);
    case 'shred':
      return applyShred(tx, numbers, change);
    case 'release':
      return applyRelease(tx, numbers, change);
    case 'patient':
      return applyPatient(tx, numbers, change);
    case 'study':
      return applyStudy(tx, numbers, change);
    case 'series':
      return applySeries(tx, numbers, change);
    case 'compared':
      return applyCompared(tx, numbers, change);
    case 'quality':
      return applyQuality(tx, numbers, change);
    case 'series-device':
      return applySeriesDevice(tx, numbers, change);
    case 'document':
      return applyDocument(tx, numbers, change);
    case 'amendment':
      return applyAmendment(tx, numbers, change);
    case 'withdrawal':
      return applyWithdrawal(tx, numbers, change);
    default:
      return never(change, 'a kind of change');
  }
}
