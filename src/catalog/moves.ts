// Content that was re-encoded: from which reference to which, and the objects that follow.
//
// Invariants: an object's reference is always where its chain of moves ends, whichever of entry and event came first, in whatever
// order. References joined by moves are one class; the class ends at the target with the greatest version, then reference (two
// settled the same content at once: the later counts). A member of a class that is not its end has one row here, linking towards the end; the row
// that links to the end carries the version of the event that made the end. Each target is named by one event only.
// Left out on purpose: the copies themselves, which are the vault's.

import type { RecordId, WriterId } from '../base/index.ts';
import { assert } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import type { ChangeOf, ReencodedPair, Version } from './changes.ts';
import type { NumbersTx } from './numbers.ts';
import { hybridValue, sequenceValue } from './storable.ts';
import { laterVersion } from './versions.ts';

/** Where content is: its writer's number, the reference, the first sequence used. */
export type Place = { readonly writerNo: number; readonly seq: number; readonly firstSeq: number };

/** The version of an event, and its writer as rows name it. */
type Stamp = { readonly version: Version; readonly writerNo: number };

/** An end of a chain; `stamp` is absent for a reference that nothing moved to. */
type End = { readonly place: Place; readonly stamp: Stamp | undefined };

type MoveRow = {
  to_writer_no: bigint;
  to_seq: bigint;
  to_first_seq: bigint;
  hybrid: bigint;
  rec_writer_no: bigint;
  rec_seq: bigint;
};

const chainLengthMax = 10_000;

const selectMove = `SELECT to_writer_no, to_seq, to_first_seq, hybrid, rec_writer_no, rec_seq
  FROM moves WHERE from_writer_no = ? AND from_seq = ?`;

/** The bit length of what the content spans: objects of one span are found by a short range of first sequences. */
export function spanOf(place: Place): number {
  assert(place.firstSeq <= place.seq, 'content begins before it ends');
  let span = 0;
  for (let rest = place.seq - place.firstSeq; rest >= 1; rest /= 2) span += 1;
  return span;
}

/** Where the chain from a place ends. */
async function endOf(tx: SqlTx, numbers: NumbersTx, start: Place): Promise<End> {
  let end: End = { place: start, stamp: undefined };
  for (let length = 0; length < chainLengthMax; length += 1) {
    const row = await tx.one<MoveRow>(selectMove, [end.place.writerNo, end.place.seq], 'bigint');
    if (row === undefined) return end;
    const writerNo = Number(row.rec_writer_no);
    const record = { writer: await numbers.writerOf(writerNo), sequence: row.rec_seq };
    end = {
      place: { writerNo: Number(row.to_writer_no), seq: Number(row.to_seq), firstSeq: Number(row.to_first_seq) },
      stamp: { version: { time: row.hybrid, record }, writerNo },
    };
  }
  assert(false, 'a chain of moves has an end');
}

const samePlace = (a: Place, b: Place): boolean => a.writerNo === b.writerNo && a.seq === b.seq;

const link = `INSERT INTO moves
    (from_writer_no, from_seq, to_writer_no, to_seq, to_first_seq, hybrid, rec_writer_no, rec_seq, group_no)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (from_writer_no, from_seq) DO UPDATE SET to_writer_no = excluded.to_writer_no, to_seq = excluded.to_seq,
    to_first_seq = excluded.to_first_seq, hybrid = excluded.hybrid, rec_writer_no = excluded.rec_writer_no,
    rec_seq = excluded.rec_seq`;

function linkRow(from: Place, to: Place, { version, writerNo }: Stamp, groupNo: number): SqlValue[] {
  const seq = sequenceValue(version.record.sequence);
  return [from.writerNo, from.seq, to.writerNo, to.seq, to.firstSeq, hybridValue(version.time), writerNo, seq, groupNo];
}

const followContent = `UPDATE objects SET ref_writer_no = ?, ref_seq = ?, first_seq = ?, span = ?
  WHERE group_no = ? AND substr(digest, 1, 8) = ? AND digest = ? AND ref_writer_no = ? AND ref_seq = ?`;

export function placeOf(numbers: NumbersTx, ref: RecordId, firstSequence: bigint | undefined): Place {
  const seq = sequenceValue(ref.sequence);
  return {
    writerNo: numbers.writer(ref.writer),
    seq,
    firstSeq: Math.min(seq, sequenceValue(firstSequence ?? ref.sequence)),
  };
}

/** Whether the first end is the later one; of two that one event made, the greater reference. */
async function outranks(numbers: NumbersTx, a: Place, aStamp: Stamp, b: Place, bStamp: Stamp): Promise<boolean> {
  if (laterVersion(aStamp.version, bStamp.version)) return true;
  if (laterVersion(bStamp.version, aStamp.version)) return false;
  const [aWriter, bWriter] = [await numbers.writerOf(a.writerNo), await numbers.writerOf(b.writerNo)];
  return aWriter === bWriter ? a.seq > b.seq : aWriter > bWriter;
}

/** Joins two chains at a pair; gives the end that was left and the end that stands, when objects have to follow. */
async function joinPair(
  tx: SqlTx,
  numbers: NumbersTx,
  pair: ReencodedPair,
  { version, groupNo }: { version: Version; groupNo: number },
): Promise<{ left: Place; stands: Place } | undefined> {
  const from = placeOf(numbers, pair.from, undefined);
  const to = placeOf(numbers, pair.to, pair.toFirstSequence);
  const fromEnd = await endOf(tx, numbers, from);
  const toEnd = await endOf(tx, numbers, to);
  if (samePlace(fromEnd.place, toEnd.place)) return undefined;
  // What nothing moved to before is, as the target of this event, of this event's version.
  const toStamp = toEnd.stamp ?? { version, writerNo: numbers.writer(version.record.writer) };
  const fromStands =
    fromEnd.stamp !== undefined && (await outranks(numbers, fromEnd.place, fromEnd.stamp, toEnd.place, toStamp));
  const left = fromStands ? toEnd.place : fromEnd.place;
  const stands = fromStands ? fromEnd.place : toEnd.place;
  await tx.run(link, linkRow(left, stands, fromStands ? (fromEnd.stamp ?? toStamp) : toStamp, groupNo));
  return { left, stands };
}

export async function applyReencoded(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'reencoded'>): Promise<void> {
  const groupNo = numbers.group(change.group);
  for (const pair of change.pairs) {
    const joined = await joinPair(tx, numbers, pair, { version: change.version, groupNo });
    if (joined === undefined) continue;
    const { left, stands } = joined;
    const to = [stands.writerNo, stands.seq, stands.firstSeq, spanOf(stands)];
    const digest = pair.digest;
    await tx.run(followContent, [...to, groupNo, digest.subarray(0, 8), digest, left.writerNo, left.seq]);
  }
  if (change.settledThrough === undefined) return;
  const through = hybridValue(change.settledThrough);
  await tx.run('UPDATE key_groups SET settled_hybrid = ? WHERE group_no = ? AND settled_hybrid < ?', [
    through,
    groupNo,
    through,
  ]);
}

/** Writers a re-encoding names. */
export function* writersOfReencoded(change: ChangeOf<'reencoded'>): Generator<WriterId> {
  for (const pair of change.pairs) {
    yield pair.from.writer;
    yield pair.to.writer;
  }
}

/** Whether anything in a writer's run of sequences ever moved: seldom so for what was just written. */
async function anyMoved(tx: SqlTx, writerNo: number, firstSeq: number, lastSeq: number): Promise<boolean> {
  const statement = 'SELECT 1 AS moved FROM moves WHERE from_writer_no = ? AND from_seq BETWEEN ? AND ? LIMIT 1';
  return (await tx.one(statement, [writerNo, firstSeq, lastSeq])) !== undefined;
}

/** The places of a batch after the moves that were applied before it: same order, same length. */
export async function movedPlaces(
  tx: SqlTx,
  numbers: NumbersTx,
  places: readonly (Place | undefined)[],
): Promise<(Place | undefined)[]> {
  const runs = new Map<number, { first: number; last: number }>();
  for (const place of places) {
    if (place === undefined) continue;
    const run = runs.get(place.writerNo);
    if (run === undefined) runs.set(place.writerNo, { first: place.seq, last: place.seq });
    else {
      if (place.seq < run.first) run.first = place.seq;
      if (place.seq > run.last) run.last = place.seq;
    }
  }
  const moved = new Set<number>();
  for (const [writerNo, run] of runs) if (await anyMoved(tx, writerNo, run.first, run.last)) moved.add(writerNo);
  if (moved.size === 0) return places.slice();
  const out: (Place | undefined)[] = [];
  for (const place of places) {
    out.push(place === undefined || !moved.has(place.writerNo) ? place : (await endOf(tx, numbers, place)).place);
  }
  return out;
}
