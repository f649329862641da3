// Records of a pack copied as they are into another stream, those that are still wanted.
//
// Invariants: a record is the same bytes wherever it lies; what belongs to a shredded group stays behind; an entry is wanted while it is the one that
// counts, events always, and what cannot be read is kept for a version that can. A copy that is repeated changes nothing.

import { isArchiveError, sameRecord } from '../base/index.ts';
import type { Catalog } from '../catalog/index.ts';
import { decodeFact, type IndexRow, isFactKind, type PackClassName, recordKind } from '../format/index.ts';
import type { KeySource } from '../keys/index.ts';
import type { FoundRecord, Pace, Vault } from '../vault/index.ts';

export type CopyParts = {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly keys: Pick<KeySource, 'contains'>;
  readonly pace: Pace;
};

const copyBytesMax = 8 * 1024 * 1024;
const copyRecordsMax = 1024;

/** The bytes that were copied. RECORD_LOST, COPIES_TOO_FEW, CLOSED. */
export async function copyRecords(
  rows: AsyncIterable<IndexRow>,
  stream: PackClassName,
  wanted: (row: IndexRow, read: () => Promise<FoundRecord>) => Promise<boolean>,
  { vault, keys, pace }: CopyParts,
): Promise<number> {
  let batch: FoundRecord[] = [];
  let batchBytes = 0;
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await vault.copyRecords(stream, batch);
    batch = [];
    batchBytes = 0;
  };
  for await (const row of rows) {
    if (!keys.contains(row.group)) continue;
    let record: FoundRecord | undefined;
    const read = async (): Promise<FoundRecord> => (record ??= await vault.read(row.id));
    if (!(await wanted(row, read))) continue;
    batch.push(await read());
    batchBytes += row.sizeBytes;
    bytes += row.sizeBytes;
    await pace(row.sizeBytes);
    if (batchBytes >= copyBytesMax || batch.length >= copyRecordsMax) await flush();
  }
  await flush();
  return bytes;
}

/** Whether a fact still says something: an entry or a site row that was replaced does not. */
export async function factIsWanted(
  row: IndexRow,
  read: () => Promise<FoundRecord>,
  { vault, catalog }: CopyParts,
): Promise<boolean> {
  // Of instances that a bundle tells no entry is wanted, nor a bundle none of whose members count.
  if (row.kind === recordKind.bundle) return catalog.bundles.counts(row.id);
  if (row.kind !== recordKind.entry && row.kind !== recordKind.site) return isFactKind(row.kind);
  try {
    const fact = decodeFact(await vault.openFact(await read()));
    const object = fact.type === 'object' ? await catalog.objects.version(fact.id, fact) : undefined;
    if (object?.bundle !== undefined) return false;
    const counts =
      fact.type === 'object'
        ? object?.version.record
        : fact.type === 'site'
          ? await catalog.site.recordOf(fact.table, fact.key)
          : undefined;
    return counts === undefined || sameRecord(counts, row.id);
  } catch (error) {
    const isUnread = (['RECORD_CORRUPT', 'PACK_NEWER', 'CODEC_UNKNOWN'] as const).some((code) =>
      isArchiveError(error, code),
    );
    if (isUnread) return true;
    throw error;
  }
}
