// Latest wins: which of two facts about one row counts.
//
// Invariants: a total order (hybrid time, then writer id, then sequence), the same in every archive that reads the same packs; so
// never by a writer's number, which is drawn here. A row made only because something refers to it (a stub) has version zero and
// loses to every fact.

import type { WriterId } from '../base/index.ts';
import type { Version } from './changes.ts';

/** A version as a row carries it. */
export type RowVersion = { readonly hybrid: bigint; readonly rec_writer_no: bigint; readonly rec_seq: bigint };

export const stubVersion = { hybrid: 0, rec_writer_no: 0, rec_seq: 0 } as const;

export function laterVersion(a: Version, b: Version): boolean {
  if (a.time !== b.time) return a.time > b.time;
  if (a.record.writer !== b.record.writer) return a.record.writer > b.record.writer;
  return a.record.sequence > b.record.sequence;
}

/** Whether a fact replaces the row. `writerOf` is asked only when two times are equal. */
export async function replaces(
  version: Version,
  row: RowVersion,
  writerOf: (writerNo: number) => Promise<WriterId>,
): Promise<boolean> {
  if (row.rec_writer_no === 0n) return true;
  if (version.time !== row.hybrid) return version.time > row.hybrid;
  const writer = await writerOf(Number(row.rec_writer_no));
  return laterVersion(version, { time: row.hybrid, record: { writer, sequence: row.rec_seq } });
}

/** One change a row, the latest, in the order in which rows first appear. */
export function latestOf<C extends { readonly version: Version }>(
  changes: readonly C[],
  keyOf: (change: C) => string,
): C[] {
  const latest = new Map<string, C>();
  for (const change of changes) {
    const key = keyOf(change);
    const known = latest.get(key);
    if (known === undefined || laterVersion(change.version, known.version)) latest.set(key, change);
  }
  return [...latest.values()];
}
