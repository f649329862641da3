// Questions about the bundles of a series: which there are, and whether one still tells anything.

import type { RecordId, TenantId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import type { Numbers } from './numbers.ts';
import type { SettledBundle, SettledSeries } from './settled-series.ts';
import { sequenceValue, textValue } from './storable.ts';

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
