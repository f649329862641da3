// Questions about the bundles of a series: which there are, and whether one still tells anything.

import type { RecordId, TenantId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import type { Numbers } from './numbers.ts';
import type { SequenceRange } from './object-queries.ts';
import { type ObjectRow, settledObject } from './object-rows.ts';
import { membersOf, type SettledBundle, type SettledSeries } from './settled-series.ts';
import { sequenceValue, textValue } from './storable.ts';

/** A pack has no more records than half a million, and a bundle's content seldom lies in more than one. */
const recordsBeforeBundleMax = 524_288;

export type SeriesName = { readonly tenant: TenantId; readonly studyUid: string; readonly seriesUid: string };

export class BundleQueries {
  readonly #sql: SqlTx;
  readonly #numbers: Numbers;
  readonly #settled: SettledSeries;

  constructor(sql: SqlTx, numbers: Numbers, settled: SettledSeries) {
    this.#sql = sql;
    this.#numbers = numbers;
    this.#settled = settled;
  }

  /** Bundles that tell instances which count, the one known first first, one after the other. */
  ofSeries({ tenant, studyUid, seriesUid }: SeriesName): AsyncGenerator<SettledBundle> {
    const series = `b.series_no = (SELECT e.series_no FROM studies s JOIN series e ON e.study_no = s.study_no
      WHERE s.tenant = ? AND s.study_uid = ? AND e.series_uid = ?)`;
    const values = [tenant, textValue(studyUid), textValue(seriesUid)];
    return this.#settled.bundles(this.#sql, { where: series, values });
  }

  /**
   * Settled objects that have content in a run of records. Content goes before the bundle that first told it, by no more records than a bundle's
   * instances have; what was told again by a later bundle is found by that one only where they are as near.
   */
  async *inRange(range: SequenceRange): AsyncGenerator<ObjectRow> {
    const writerNo = await this.#numbers.writer(this.#sql, range.writer);
    if (writerNo === undefined) return;
    const values = [writerNo, sequenceValue(range.first), sequenceValue(range.last) + recordsBeforeBundleMax];
    const where = 'b.rec_writer_no = ? AND b.rec_seq >= ? AND b.rec_seq <= ?';
    for await (const bundle of this.#settled.bundles(this.#sql, { where, values })) {
      for (const member of membersOf(bundle)) {
        const row = settledObject(member);
        const { ref, firstSequence } = row;
        if (ref?.writer !== range.writer || firstSequence === undefined) continue;
        if (firstSequence <= range.last && ref.sequence >= range.first) yield row;
      }
    }
  }

  /** Whether a bundle tells an instance that counts; one that is not known is believed to. */
  async counts(record: RecordId): Promise<boolean> {
    const writerNo = await this.#numbers.writer(this.#sql, record.writer);
    if (writerNo === undefined) return true;
    const row = await this.#sql.one<{ count: number }>(
      'SELECT member_count AS count FROM bundles WHERE rec_writer_no = ? AND rec_seq = ?',
      [writerNo, sequenceValue(record.sequence)],
    );
    return row === undefined || row.count > 0;
  }
}
