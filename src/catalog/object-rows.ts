// An object's row, read back in natural keys.
//
// Invariants: what a change said is what a row says, except the reference, which has followed the moves since. One SELECT list for
// every question, so that a row always means the same.

import type { KeyGroup, RecordId } from '../base/index.ts';
import { defined, idOfBytes, tenantId, writerId } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { stateNames } from './apply-objects.ts';
import type { JsonObject, ObjectState, Version } from './changes.ts';
import type { SettledMember } from './settled-series.ts';
import { groupIdOf } from './storable.ts';

/** One version of an object, as the catalog knows it. */
export type ObjectRow = {
  /** A number of this database, for paging only: another database gives another. */
  readonly objectNo: number;
  readonly id: string;
  readonly group: KeyGroup;
  readonly bucket: string;
  readonly key: Uint8Array;
  readonly state: ObjectState;
  readonly createdMs: number;
  readonly sizeBytes: number;
  readonly digest: Uint8Array | undefined;
  /** Where the content is now. Absent for content of no bytes. */
  readonly ref: RecordId | undefined;
  readonly firstSequence: bigint | undefined;
  readonly mode: number | undefined;
  readonly mtimeMs: number | undefined;
  readonly contentType: string | undefined;
  readonly meta: JsonObject | undefined;
  readonly version: Version;
  /** The bundle that tells it, when it is settled: the record of the version itself need not be there any more. */
  readonly bundle?: RecordId | undefined;
};

type SelectedRow = {
  object_no: bigint;
  entry_id: Uint8Array;
  bucket: string;
  key: Uint8Array;
  tenant: bigint;
  year: bigint;
  group_id: Uint8Array;
  state: bigint;
  created_ms: bigint;
  size_bytes: bigint;
  digest: Uint8Array | null;
  ref_writer: Uint8Array | null;
  ref_seq: bigint | null;
  first_seq: bigint | null;
  mode: bigint | null;
  mtime_ms: bigint | null;
  content_type: string | null;
  meta: string | null;
  hybrid: bigint;
  rec_writer: Uint8Array;
  rec_seq: bigint;
};

const select = `SELECT o.object_no, o.entry_id, b.name AS bucket, o.key, g.tenant, g.year, g.group_id, o.state, o.created_ms,
    o.size_bytes, o.digest, rw.id AS ref_writer, o.ref_seq, o.first_seq, o.mode, o.mtime_ms, o.content_type, o.meta,
    o.hybrid, vw.id AS rec_writer, o.rec_seq
  FROM objects o JOIN buckets b ON b.bucket_no = o.bucket_no JOIN key_groups g ON g.group_no = o.group_no
    JOIN writers vw ON vw.writer_no = o.rec_writer_no LEFT JOIN writers rw ON rw.writer_no = o.ref_writer_no`;

/** Newest first among the versions of one name: the order of the index, and the id where two times are equal. */
export const newestFirst = 'o.created_ms DESC, o.hybrid DESC, o.entry_id DESC';

const numberOf = (value: bigint | null): number | undefined => (value === null ? undefined : Number(value));

function rowOf(row: SelectedRow): ObjectRow {
  const refWriter = row.ref_writer === null ? undefined : writerId(idOfBytes(row.ref_writer));
  return {
    objectNo: Number(row.object_no),
    id: idOfBytes(row.entry_id),
    group: { tenant: tenantId(Number(row.tenant)), year: Number(row.year), group: groupIdOf(row.group_id) },
    bucket: row.bucket,
    key: row.key,
    state: defined(stateNames[Number(row.state)], 'a state has a name'),
    createdMs: Number(row.created_ms),
    sizeBytes: Number(row.size_bytes),
    digest: row.digest ?? undefined,
    ref: refWriter === undefined ? undefined : { writer: refWriter, sequence: row.ref_seq ?? 0n },
    firstSequence: row.first_seq ?? undefined,
    mode: numberOf(row.mode),
    mtimeMs: numberOf(row.mtime_ms),
    contentType: row.content_type ?? undefined,
    meta: row.meta === null ? undefined : (JSON.parse(row.meta) as JsonObject),
    version: { time: row.hybrid, record: { writer: writerId(idOfBytes(row.rec_writer)), sequence: row.rec_seq } },
  };
}

/** Rows of `objects o` by a condition, its order and its limit. */
export async function selectObjects(sql: SqlTx, rest: string, values: readonly SqlValue[]): Promise<ObjectRow[]> {
  return (await sql.all<SelectedRow>(`${select} ${rest}`, values, 'bigint')).map(rowOf);
}

/** A settled object as a row would tell it. */
export function settledObject({ bundle, member }: SettledMember): ObjectRow {
  const { kind: _, ...object } = member.object;
  return {
    ...object,
    objectNo: 0,
    digest: object.digest,
    ref: object.ref,
    firstSequence: object.firstSequence ?? object.ref?.sequence,
    mode: object.mode,
    mtimeMs: object.mtimeMs,
    contentType: object.contentType,
    meta: object.meta,
    bundle: bundle.record,
  };
}

/** Newest first among the versions of one name, as `newestFirst` has it. */
export function compareNewest(a: ObjectRow, b: ObjectRow): number {
  if (a.createdMs !== b.createdMs) return b.createdMs - a.createdMs;
  if (a.version.time !== b.version.time) return a.version.time > b.version.time ? -1 : 1;
  return a.id > b.id ? -1 : 1;
}
