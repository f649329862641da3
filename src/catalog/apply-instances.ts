// Instances of a batch: which object is which SOP instance, and how many each series and study has.
//
// Invariants: one row an entry, the latest wins; of the live rows of one instance UID exactly one is shown, unless a note rejects the UID: the greatest
// rank, then the oldest, then the least entry id; the counts and sizes of series and studies are at every commit those of the shown rows. In a usual batch every instance
// is new: one look-up for all of them, one insert a row, one addition a series.
// Left out on purpose: whether a second object with a known UID is a case for somebody (apply-quality.ts).

import { assert, bytesOfId, hexOf } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import { applyOddities } from './apply-quality.ts';
import { rejectedOf } from './apply-rejections.ts';
import { seriesNumber } from './apply-studies.ts';
import type { InstanceChange, RejectionChange } from './changes.ts';
import type { NumbersTx, SeriesNumber } from './numbers.ts';
import { countValue, hybridValue, optional, sequenceValue, textValue, timeValue } from './storable.ts';
import { latestOf, replaces } from './versions.ts';

const columns = [
  'tenant',
  'series_no',
  'instance_uid',
  'class_uid',
  'syntax_uid',
  'instance_number',
  'frames',
  'pixel_rows',
  'pixel_columns',
  'bits_allocated',
  'size_bytes',
  'head_bytes',
  'created_ms',
  'item_rank',
  'shown',
  'state',
  'hybrid',
  'rec_writer_no',
  'rec_seq',
  'entry_id',
];

const insertInstance = `INSERT INTO instances (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
const updateInstance = `UPDATE instances SET ${columns.map((name) => `${name} = ?`).join(', ')} WHERE instance_no = ?`;

type FoundRow = {
  instance_no: bigint;
  entry_id: Uint8Array;
  series_no: bigint;
  study_no: bigint;
  instance_uid: string;
  size_bytes: bigint;
  created_ms: bigint;
  item_rank: bigint;
  shown: bigint;
  state: bigint;
  hybrid: bigint;
  rec_writer_no: bigint;
  rec_seq: bigint;
};

/** One of the rows of an instance UID, as far as it takes to say which is shown. */
type Rival = {
  readonly id: string;
  readonly series: SeriesNumber;
  readonly sizeBytes: number;
  readonly createdMs: number;
  readonly rank: number;
  readonly live: boolean;
};

/** What a batch adds to the counts of series and studies. */
class CountNews {
  readonly #series = new Map<number, { count: number; bytes: number }>();
  readonly #studies = new Map<number, { count: number; bytes: number }>();

  add(series: SeriesNumber, sizeBytes: number, sign: 1 | -1): void {
    for (const [map, no] of [
      [this.#series, series.no],
      [this.#studies, series.studyNo],
    ] as const) {
      const news = map.get(no) ?? { count: 0, bytes: 0 };
      map.set(no, news);
      news.count += sign;
      news.bytes += sign * sizeBytes;
    }
  }

  async apply(tx: SqlTx): Promise<void> {
    for (const [table, column, map] of [
      ['series', 'series_no', this.#series],
      ['studies', 'study_no', this.#studies],
    ] as const) {
      await tx.many(
        `UPDATE ${table} SET instance_count = instance_count + ?, size_bytes = size_bytes + ? WHERE ${column} = ?`,
        [...map]
          .filter(([, news]) => news.count !== 0 || news.bytes !== 0)
          .map(([no, news]) => [news.count, news.bytes, no]),
      );
    }
  }
}

function rowOf(numbers: NumbersTx, change: InstanceChange, seriesNo: number, shown: boolean): SqlValue[] {
  return [
    change.tenant,
    seriesNo,
    textValue(change.instanceUid),
    textValue(change.classUid),
    textValue(change.syntaxUid),
    optional(change.instanceNumber, timeValue),
    optional(change.frames, countValue),
    optional(change.rows, countValue),
    optional(change.columns, countValue),
    optional(change.bitsAllocated, countValue),
    countValue(change.sizeBytes),
    countValue(change.headBytes),
    timeValue(change.createdMs),
    timeValue(change.rank),
    shown ? 1 : 0,
    change.state === 'live' ? 0 : 2,
    hybridValue(change.version.time),
    numbers.writer(change.version.record.writer),
    sequenceValue(change.version.record.sequence),
    bytesOfId(change.id),
  ];
}

/** Writes the instances of a batch; patients, studies and series of the batch are in already, or become stubs. */
export async function applyInstances(
  tx: SqlTx,
  numbers: NumbersTx,
  changes: readonly InstanceChange[],
  rejections: readonly RejectionChange[],
): Promise<void> {
  const latest = latestOf(changes, (change) => change.id);
  const news = new CountNews();
  for (const tenant of new Set([...latest, ...rejections].map((change) => change.tenant))) {
    const mine = latest.filter((change) => change.tenant === tenant);
    const byUid = Map.groupBy(mine, (change) => textValue(change.instanceUid));
    // What is rejected now may have been shown until now.
    for (const rejection of rejections) {
      if (rejection.tenant !== tenant) continue;
      for (const uid of rejection.instanceUids.map(textValue)) if (!byUid.has(uid)) byUid.set(uid, []);
    }
    const uids = [...byUid.keys()];
    const found = await findRows(tx, tenant, uids);
    const rejected = await rejectedOf(tx, tenant, uids);
    const fresh: SqlValue[][] = [];
    for (const [uid, same] of byUid) {
      const rows = found.get(uid);
      const [only] = same;
      if (rows === undefined && same.length === 1 && only?.state === 'live' && !rejected.has(uid)) {
        const series = await seriesNumber(tx, numbers, only);
        fresh.push(rowOf(numbers, only, series.no, true));
        news.add(series, only.sizeBytes, 1);
      } else await applyRivals(tx, numbers, { changes: same, rows: rows ?? [], rejected: rejected.has(uid), news });
    }
    await tx.many(insertInstance, fresh);
  }
  await news.apply(tx);
  await applyOddities(tx, numbers, latest);
}

/** Counts instances that come to be known without a row, each the only one of its UID. */
export async function countInstances(tx: SqlTx, numbers: NumbersTx, changes: readonly InstanceChange[]): Promise<void> {
  const news = new CountNews();
  for (const change of changes) news.add(await seriesNumber(tx, numbers, change), countValue(change.sizeBytes), 1);
  await news.apply(tx);
}

/** Rows again for instances that are counted already. */
export async function restoreInstances(
  tx: SqlTx,
  numbers: NumbersTx,
  instances: readonly { readonly change: InstanceChange; readonly shown: boolean }[],
): Promise<void> {
  const rows: SqlValue[][] = [];
  for (const { change, shown } of instances) {
    const series = await seriesNumber(tx, numbers, change);
    rows.push(rowOf(numbers, change, series.no, shown));
  }
  await tx.many(insertInstance, rows);
}

async function findRows(tx: SqlTx, tenant: number, uids: readonly string[]): Promise<Map<string, FoundRow[]>> {
  const found = new Map<string, FoundRow[]>();
  for (const piece of pieces(uids, inListMax)) {
    const rows = await tx.all<FoundRow>(
      `SELECT i.instance_no, i.entry_id, i.series_no, e.study_no, i.instance_uid, i.size_bytes, i.created_ms, i.item_rank,
          i.shown, i.state, i.hybrid, i.rec_writer_no, i.rec_seq
        FROM instances i JOIN series e ON e.series_no = i.series_no
        WHERE i.tenant = ? AND i.instance_uid IN ${inList(piece.length)}`,
      [tenant, ...inValues(piece)],
      'bigint',
    );
    for (const row of rows) {
      const list = found.get(row.instance_uid) ?? [];
      found.set(row.instance_uid, list);
      list.push(row);
    }
  }
  return found;
}

/** Instances of one UID where there is more than one object, one that is no longer live, or a note that rejects them. */
async function applyRivals(
  tx: SqlTx,
  numbers: NumbersTx,
  about: {
    readonly changes: readonly InstanceChange[];
    readonly rows: readonly FoundRow[];
    readonly rejected: boolean;
    readonly news: CountNews;
  },
): Promise<void> {
  const { changes, rows, rejected, news } = about;
  const rivals = new Map<string, Rival>();
  const before = new Map(rows.map((row) => [hexOf(row.entry_id), row]));
  for (const [id, row] of before) rivals.set(id, rivalOfRow(row));
  const winners: InstanceChange[] = [];
  for (const change of changes) {
    const row = before.get(change.id);
    if (row !== undefined && !(await replaces(change.version, row, (no) => numbers.writerOf(no)))) continue;
    winners.push(change);
    const series = await seriesNumber(tx, numbers, change);
    rivals.set(change.id, {
      id: change.id,
      series,
      sizeBytes: change.sizeBytes,
      createdMs: change.createdMs,
      rank: change.rank,
      live: change.state === 'live',
    });
  }
  const shown = rejected ? undefined : shownOf([...rivals.values()]);
  for (const row of rows) {
    if (row.shown === 1n) {
      const { series, sizeBytes } = rivalOfRow(row);
      news.add(series, sizeBytes, -1);
    }
  }
  if (shown !== undefined) news.add(shown.series, shown.sizeBytes, 1);
  for (const change of winners) {
    const rival = rivals.get(change.id);
    assert(rival !== undefined, 'an instance that is written has a place among its rivals');
    const cells = rowOf(numbers, change, rival.series.no, shown?.id === change.id);
    const row = before.get(change.id);
    if (row === undefined) await tx.run(insertInstance, cells);
    else await tx.run(updateInstance, [...cells, row.instance_no]);
  }
  const written = new Set(winners.map((change) => change.id));
  for (const [id, row] of before) {
    const is = shown?.id === id ? 1 : 0;
    if (!written.has(id) && Number(row.shown) !== is)
      await tx.run('UPDATE instances SET shown = ? WHERE instance_no = ?', [is, row.instance_no]);
  }
}

function rivalOfRow(row: FoundRow): Rival {
  return {
    id: hexOf(row.entry_id),
    series: { no: Number(row.series_no), studyNo: Number(row.study_no) },
    sizeBytes: Number(row.size_bytes),
    createdMs: Number(row.created_ms),
    rank: Number(row.item_rank),
    live: row.state === 0n,
  };
}

function shownOf(rivals: readonly Rival[]): Rival | undefined {
  const order = (a: Rival, b: Rival): number => b.rank - a.rank || a.createdMs - b.createdMs || (a.id < b.id ? -1 : 1);
  return rivals.filter((rival) => rival.live).sort(order)[0];
}
