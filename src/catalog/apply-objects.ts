// Objects of a batch: the hot path of every put.
//
// Invariants: one row an entry, the latest wins; the totals of a bucket are at every commit what its rows add up to. In a usual
// batch every entry is new: one look-up and one insert a row, each a prepared statement over many rows.
// Left out on purpose: which of several versions of a name is newest; that is a question (object-queries.ts), not a fact.

import { bytesOfId, hexOf } from '../base/index.ts';
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

const insertObject = `INSERT INTO objects (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
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
  const latest = latestOf(changes, (change) => change.id);
  const found = await findRows(tx, latest);
  const counted = found.size === 0 ? latest : await winners(numbers, latest, found);
  const places = await movedPlaces(
    tx,
    numbers,
    counted.map((change) =>
      change.ref === undefined ? undefined : placeOf(numbers, change.ref, change.firstSequence),
    ),
  );
  const fresh: SqlValue[][] = [];
  const replaced: SqlValue[][] = [];
  const totals = new TotalsNews();
  for (const [index, change] of counted.entries()) {
    const row = rowOf(numbers, change, places[index]);
    const old = found.get(change.id);
    totals.add(row[0] as number, row[2] as number, change.sizeBytes, 1);
    if (old === undefined) {
      fresh.push(row);
      continue;
    }
    totals.add(Number(old.bucket_no), Number(old.state), Number(old.size_bytes), -1);
    row.push(old.object_no);
    replaced.push(row);
  }
  await tx.many(insertObject, fresh);
  await tx.many(updateObject, replaced);
  await totals.apply(tx);
}

async function winners(
  numbers: NumbersTx,
  latest: readonly ObjectChange[],
  found: ReadonlyMap<string, FoundRow>,
): Promise<ObjectChange[]> {
  const counted: ObjectChange[] = [];
  for (const change of latest) {
    const row = found.get(change.id);
    if (row === undefined || (await replaces(change.version, row, (no) => numbers.writerOf(no)))) counted.push(change);
  }
  return counted;
}
