// Quality cases of series, and how objects of one instance UID differ.
//
// Invariants: a case is one kind of trouble in one series; it tells the earliest and the latest object with that trouble, so neither order nor repetition of what comes leaves
// a trace; what people decided on it is a latest-wins part of the same row, which may be there before the trouble is. An object that came beside another one waits
// for a comparison until one is told. Which differences are trouble is decided here, in one place.
// Left out on purpose: comparing.

import { bytesOfId, hexOf, sha256, utf8Bytes } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { seriesNumber } from './apply-studies.ts';
import type { ChangeOf, InstanceChange } from './changes.ts';
import { applyLatest } from './latest-rows.ts';
import type { NumbersTx } from './numbers.ts';
import { optional, textValue, timeValue } from './storable.ts';

/** What an instance's entry says when its UID was known with other bytes: no case yet, a comparison is due. */
export const besideAnother = 'other-bytes';

type SeriesKey = { readonly tenant: number; readonly studyUid: string; readonly seriesUid: string };

/** Trouble of one kind with one object. */
type Trouble = SeriesKey & {
  readonly kind: string;
  readonly source: string | undefined;
  readonly createdMs: number;
  readonly id: string;
};

/** The same for the same trouble in every archive that reads the same packs. */
export function caseIdOf({ tenant, studyUid, seriesUid }: SeriesKey, kind: string): string {
  return hexOf(sha256(utf8Bytes(`${tenant}/${studyUid}/${seriesUid}/${kind}`))).slice(0, 16);
}

/** What instances of a batch say was odd about them, and which of them must be compared. */
export async function applyOddities(tx: SqlTx, numbers: NumbersTx, changes: readonly InstanceChange[]): Promise<void> {
  const troubles: Trouble[] = [];
  for (const change of changes) {
    const { odd, source, ...rest } = change;
    for (const kind of odd ?? []) {
      if (kind === besideAnother) await applyWaiting(tx, numbers, change);
      else troubles.push({ ...rest, kind, source });
    }
  }
  await applyTroubles(tx, numbers, troubles);
}

async function applyWaiting(tx: SqlTx, numbers: NumbersTx, change: InstanceChange): Promise<void> {
  const { no } = await seriesNumber(tx, numbers, change);
  await tx.run(
    `INSERT INTO comparisons (entry_id, series_no, instance_uid, source, created_ms, hybrid, rec_writer_no, rec_seq)
      VALUES (?, ?, ?, ?, ?, 0, 0, 0) ON CONFLICT (entry_id) DO NOTHING`,
    [
      bytesOfId(change.id),
      no,
      textValue(change.instanceUid),
      optional(change.source, textValue),
      timeValue(change.createdMs),
    ],
  );
}

export async function applyCompared(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'compared'>): Promise<void> {
  const { no } = await seriesNumber(tx, numbers, change);
  const cells = {
    series_no: no,
    instance_uid: textValue(change.instanceUid),
    source: optional(change.source, textValue),
    created_ms: timeValue(change.createdMs),
    with_entry: bytesOfId(change.with),
    difference: change.difference,
    identity: textValue(change.identity.join('\\')),
    paths: textValue(change.paths.join('\\')),
  };
  const key = { entry_id: bytesOfId(change.id) };
  await applyLatest(tx, numbers, { table: 'comparisons', key, cells, version: change.version });
  const { kind: _, ...rest } = change;
  const kinds: string[] = [];
  if (change.difference === 'pixels') kinds.push('other-pixels');
  if (change.difference === 'undecided') kinds.push('other-undecided');
  if (change.identity.length > 0) kinds.push('other-identity');
  const troubles = kinds.map((kind) => ({ ...rest, kind }));
  await applyTroubles(tx, numbers, troubles);
}

const isEarlier = `quality_cases.first_ms IS NULL OR excluded.first_ms < quality_cases.first_ms
  OR (excluded.first_ms = quality_cases.first_ms AND excluded.first_entry < quality_cases.first_entry)`;
const insertCase = `INSERT INTO quality_cases
    (series_no, kind, case_id, source, first_ms, first_entry, last_ms, hybrid, rec_writer_no, rec_seq)
  VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0) ON CONFLICT (series_no, kind) DO UPDATE SET
    source = CASE WHEN ${isEarlier} THEN excluded.source ELSE quality_cases.source END,
    first_ms = CASE WHEN ${isEarlier} THEN excluded.first_ms ELSE quality_cases.first_ms END,
    first_entry = CASE WHEN ${isEarlier} THEN excluded.first_entry ELSE quality_cases.first_entry END,
    last_ms = CASE WHEN quality_cases.last_ms IS NULL OR excluded.last_ms > quality_cases.last_ms
      THEN excluded.last_ms ELSE quality_cases.last_ms END`;

/** Each kind of each series once, with its earliest and its latest object. */
export async function applyTroubles(tx: SqlTx, numbers: NumbersTx, troubles: readonly Trouble[]): Promise<void> {
  const merged = new Map<string, { first: Trouble; lastMs: number }>();
  for (const trouble of troubles) {
    const id = caseIdOf(trouble, trouble.kind);
    const known = merged.get(id);
    const first = known === undefined || comesBefore(trouble, known.first) ? trouble : known.first;
    merged.set(id, { first, lastMs: Math.max(known?.lastMs ?? trouble.createdMs, trouble.createdMs) });
  }
  const rows: SqlValue[][] = [];
  for (const [id, { first, lastMs }] of merged) {
    const { no } = await seriesNumber(tx, numbers, first);
    const { kind, source, createdMs } = first;
    rows.push([
      no,
      textValue(kind),
      id,
      optional(source, textValue),
      timeValue(createdMs),
      bytesOfId(first.id),
      timeValue(lastMs),
    ]);
  }
  await tx.many(insertCase, rows);
}

function comesBefore(one: Trouble, other: Trouble): boolean {
  return one.createdMs < other.createdMs || (one.createdMs === other.createdMs && one.id < other.id);
}

export async function applyQuality(tx: SqlTx, numbers: NumbersTx, change: ChangeOf<'quality'>): Promise<void> {
  const { no } = await seriesNumber(tx, numbers, change);
  await applyLatest(tx, numbers, {
    table: 'quality_cases',
    key: { series_no: no, kind: textValue(change.caseKind) },
    cells: {
      case_id: caseIdOf(change, change.caseKind),
      state: change.state,
      decided_ms: timeValue(change.atMs),
      decided_by: textValue(change.who),
      decided_why: textValue(change.why),
    },
    version: change.version,
  });
}
