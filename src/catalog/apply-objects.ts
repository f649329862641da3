// Objects of a batch: the hot path of every put.
//
// Invariants: one row an entry, the latest wins; the totals of a bucket are at every commit what its rows add up to. In a usual
// batch every entry is new: one insert a row that passes over what is there, and no look-up. Only when fewer rows went in than were
// given is it looked at which entries met a row, of before or of the same batch.
// Left out on purpose: which of several versions of a name is newest; that is a question (object-queries.ts), not a fact.

import { bytesOfId, defined, hexOf } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import type { ObjectChange, ObjectState } from './changes.ts';
import type { Place } from './moves.ts';
import { movedPlaces, placeOf, spanOf } from './moves.ts';
import type { NumbersTx } from './numbers.ts';
import {
  countValue,
  digestValue,
  hybridValue,
  jsonValue,
  optional,
  sequenceValue,
  textValue,
  timeValue,
} from './storable.ts';
import type { RowVersion } from './versions.ts';
import { latestOf, replaces } from './versions.ts';

export const stateNumbers = { live: 0, marker: 1, deleted: 2 } as const satisfies Record<ObjectState, number>;
export const stateNames: readonly ObjectState[] = ['live', 'marker', 'deleted'];

const columns = [
  'bucket_no',
  'group_no',
  'state',
  'created_ms',
  'size_bytes',
  'hybrid',
  'rec_writer_no',
  'rec_seq',
  'ref_writer_no',
  'ref_seq',
  'first_seq',
  'span',
  'mode',
  'mtime_ms',
  'content_type',
  'meta',
  'digest',
  'key',
  'entry_id',
];

const insertObject = `INSERT INTO objects (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
  ON CONFLICT (entry_id) DO NOTHING`;
const updateObject = `UPDATE objects SET ${columns.map((name) => `${name} = ?`).join(', ')} WHERE object_no = ?`;

type FoundRow = RowVersion & {
  object_no: bigint;
  entry_id: Uint8Array;
  bucket_no: bigint;
  state: bigint;
  size_bytes: bigint;
};

async function findRows(tx: SqlTx, changes: readonly ObjectChange[]): Promise<Map<string, FoundRow>> {
  const found = new Map<string, FoundRow>();
  for (const piece of pieces(changes, inListMax)) {
    const rows = await tx.all<FoundRow>(
      `SELECT object_no, entry_id, bucket_no, state, size_bytes, hybrid, rec_writer_no, rec_seq
        FROM objects WHERE entry_id IN ${inList(piece.length)}`,
      inValues(piece.map((change) => bytesOfId(change.id))),
      'bigint',
    );
    for (const row of rows) found.set(hexOf(row.entry_id), row);
  }
  return found;
}

function rowOf(numbers: NumbersTx, change: ObjectChange, place: Place | undefined): SqlValue[] {
  return [
    numbers.bucket(change.group.tenant, change.bucket),
    numbers.group(change.group),
    stateNumbers[change.state],
    timeValue(change.createdMs),
    countValue(change.sizeBytes),
    hybridValue(change.version.time),
    numbers.writer(change.version.record.writer),
    sequenceValue(change.version.record.sequence),
    place === undefined ? null : place.writerNo,
    place === undefined ? null : place.seq,
    place === undefined ? null : place.firstSeq,
    place === undefined ? null : spanOf(place),
    optional(change.mode, countValue),
    optional(change.mtimeMs, timeValue),
    optional(change.contentType, textValue),
    optional(change.meta, jsonValue),
    optional(change.digest, digestValue),
    change.key,
    bytesOfId(change.id),
  ];
}

/** What a batch adds to the totals of buckets. */
class TotalsNews {
  readonly #news = new Map<number, { versions: number; bytes: number; markers: number }>();

  add(bucketNo: number, state: number, sizeBytes: number, sign: 1 | -1): void {
    let news = this.#news.get(bucketNo);
    if (news === undefined) {
      news = { versions: 0, bytes: 0, markers: 0 };
      this.#news.set(bucketNo, news);
    }
    if (state === stateNumbers.live) {
      news.versions += sign;
      news.bytes += sign * sizeBytes;
    }
    if (state === stateNumbers.marker) news.markers += sign;
  }

  async apply(tx: SqlTx): Promise<void> {
    await tx.many(
      `UPDATE bucket_totals SET versions = versions + ?, bytes = bytes + ?, markers = markers + ? WHERE bucket_no = ?`,
      [...this.#news].map(([bucketNo, news]) => [news.versions, news.bytes, news.markers, bucketNo]),
    );
  }
}

/** Writes the objects of a batch. Writers, groups and buckets have their numbers already. */
export async function applyObjects(tx: SqlTx, numbers: NumbersTx, changes: readonly ObjectChange[]): Promise<void> {
  if (changes.length === 0) return;
  const before = await tx.one<{ last: number | null }>('SELECT max(object_no) AS last FROM objects');
  const rows = await rowsOf(tx, numbers, changes);
  const { changes: inserted } = await tx.many(insertObject, rows);
  const totals = new TotalsNews();
  if (inserted === changes.length) {
    for (const row of rows) totals.add(row[0] as number, row[2] as number, row[4] as number, 1);
  } else {
    await applyMet(tx, numbers, changes, { lastBefore: before?.last ?? 0, totals });
  }
  await totals.apply(tx);
}

async function rowsOf(tx: SqlTx, numbers: NumbersTx, changes: readonly ObjectChange[]): Promise<SqlValue[][]> {
  const places = await movedPlaces(
    tx,
    numbers,
    changes.map((change) =>
      change.ref === undefined ? undefined : placeOf(numbers, change.ref, change.firstSequence),
    ),
  );
  return changes.map((change, index) => rowOf(numbers, change, places[index]));
}

/** After the inserts: entries that met a row replace it when they are later. A number above `lastBefore` is of this batch. */
async function applyMet(
  tx: SqlTx,
  numbers: NumbersTx,
  changes: readonly ObjectChange[],
  batch: { readonly lastBefore: number; readonly totals: TotalsNews },
): Promise<void> {
  const latest = latestOf(changes, (change) => change.id);
  const found = await findRows(tx, latest);
  const winners: ObjectChange[] = [];
  for (const change of latest) {
    const row = defined(found.get(change.id), 'an entry of the batch has a row');
    const wins = await replaces(change.version, row, (no) => numbers.writerOf(no));
    if (wins) winners.push(change);
    const [bucketNo, state, sizeBytes] = [Number(row.bucket_no), Number(row.state), Number(row.size_bytes)];
    const fresh = Number(row.object_no) > batch.lastBefore;
    if (fresh && !wins) batch.totals.add(bucketNo, state, sizeBytes, 1);
    if (!fresh && wins) batch.totals.add(bucketNo, state, sizeBytes, -1);
  }
  const rows = await rowsOf(tx, numbers, winners);
  for (const [index, row] of rows.entries()) {
    batch.totals.add(row[0] as number, row[2] as number, row[4] as number, 1);
    row.push(defined(found.get((winners[index] as ObjectChange).id), 'a winner has a row').object_no);
  }
  await tx.many(updateObject, rows);
}

/** Counts objects that come to be known without a row. */
export async function countObjects(tx: SqlTx, numbers: NumbersTx, changes: readonly ObjectChange[]): Promise<void> {
  const totals = new TotalsNews();
  for (const { group, bucket, state, sizeBytes } of changes)
    totals.add(numbers.bucket(group.tenant, bucket), stateNumbers[state], countValue(sizeBytes), 1);
  await totals.apply(tx);
}

/** Rows again for objects that are counted already. */
export async function restoreObjects(tx: SqlTx, numbers: NumbersTx, changes: readonly ObjectChange[]): Promise<void> {
  await tx.many(
    insertObject,
    changes.map((change) =>
      rowOf(numbers, change, change.ref === undefined ? undefined : placeOf(numbers, change.ref, change.firstSequence)),
    ),
  );
}
