// Questions about devices: which there are, how texts of their series were read, and which series one made.

import type { HybridTime, TenantId } from '../base/index.ts';
import { tenantId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { hybridValue, textValue } from './storable.ts';

type ReadHow = 'plain' | 'declared' | 'text' | 'unsure' | 'setting';

/** Series of a device whose texts were read in one set. Texts of several values of (0008,0005) are joined by a backslash. */
export type DeviceHabit = {
  readonly how: ReadHow;
  readonly declared: string;
  readonly read: string;
  readonly seriesCount: number;
};

export type Device = {
  /** 12 hex digits, the same after a rebuild. */
  readonly id: string;
  readonly tenant: TenantId;
  readonly source: string;
  readonly maker: string;
  readonly model: string;
  readonly station: string;
  readonly habits: readonly DeviceHabit[];
};

export type SeriesRead = {
  readonly tenant: TenantId;
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly how: ReadHow;
  readonly declared: string;
  readonly read: string;
};

export type SeriesReadCursor = { readonly hybrid: HybridTime; readonly seriesNo: bigint };

type SelectedDevice = {
  device_id: string;
  tenant: number;
  source: string;
  maker: string;
  model: string;
  station: string;
  how: string;
  declared: string;
  read_as: string;
  series_count: number;
};

type SelectedSeries = {
  tenant: bigint;
  study_uid: string;
  series_uid: string;
  how: string;
  declared: string;
  read_as: string;
  hybrid: bigint;
  series_no: bigint;
};

/** Habits listed in one call: some five of each device. */
const habitsMax = 50_000;

export class DeviceQueries {
  readonly #sql: SqlTx;

  constructor(sql: SqlTx) {
    this.#sql = sql;
  }

  /** Devices with their habits, those with the most series of one kind first where there are too many for one list. */
  async list(): Promise<Device[]> {
    const rows = await this.#sql.all<SelectedDevice>(
      `SELECT d.device_id, d.tenant, d.source, d.maker, d.model, d.station, h.how, h.declared, h.read_as, h.series_count
        FROM devices d JOIN device_habits h ON h.device_no = d.device_no
        ORDER BY h.series_count DESC, d.device_id, h.how, h.declared, h.read_as LIMIT ?`,
      [habitsMax],
    );
    const devices = new Map<string, Device & { habits: DeviceHabit[] }>();
    for (const row of rows) {
      const { source, maker, model, station } = row;
      const name = { id: row.device_id, tenant: tenantId(row.tenant), source, maker, model, station };
      const device = devices.get(row.device_id) ?? { ...name, habits: [] };
      devices.set(row.device_id, device);
      const { declared, read_as: read, series_count: seriesCount } = row;
      device.habits.push({ how: row.how as ReadHow, declared, read, seriesCount });
    }
    return [...devices.values()].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
  }

  /** Series of a device, in the order in which they were last told, up to a time. */
  async seriesOf(
    id: string,
    page: { readonly after?: SeriesReadCursor | undefined; readonly before: HybridTime; readonly limit: number },
  ): Promise<{ rows: SeriesRead[]; next: SeriesReadCursor | undefined }> {
    const after = page.after ?? { hybrid: -1n, seriesNo: 0n };
    const found = await this.#sql.all<SelectedSeries>(
      `SELECT e.tenant, s.study_uid, e.series_uid, x.how, x.declared, x.read_as, x.hybrid, x.series_no
        FROM devices d JOIN series_devices x ON x.device_no = d.device_no
        JOIN series e ON e.series_no = x.series_no JOIN studies s ON s.study_no = e.study_no
        WHERE d.device_id = ? AND x.hybrid < ? AND (x.hybrid > ? OR (x.hybrid = ? AND x.series_no > ?))
        ORDER BY x.hybrid, x.series_no LIMIT ?`,
      [id, hybridValue(page.before), after.hybrid, after.hybrid, after.seriesNo, page.limit],
      'bigint',
    );
    const last = found.at(-1);
    const next =
      last === undefined || found.length < page.limit ? undefined : { hybrid: last.hybrid, seriesNo: last.series_no };
    return { rows: found.map(seriesReadOf), next };
  }

  /** How the texts of a series were read; undefined when nothing was said of it. */
  async ofSeries(tenant: TenantId, studyUid: string, seriesUid: string): Promise<SeriesRead | undefined> {
    const row = await this.#sql.one<SelectedSeries>(
      `SELECT e.tenant, s.study_uid, e.series_uid, x.how, x.declared, x.read_as, x.hybrid, x.series_no
        FROM studies s JOIN series e ON e.study_no = s.study_no JOIN series_devices x ON x.series_no = e.series_no
        WHERE s.tenant = ? AND s.study_uid = ? AND e.series_uid = ?`,
      [tenant, textValue(studyUid), textValue(seriesUid)],
      'bigint',
    );
    return row === undefined ? undefined : seriesReadOf(row);
  }
}

function nameOf({ source, maker, model, station, id }: Device): string {
  return [source, maker, model, station, id].join('\n');
}

function seriesReadOf(row: SelectedSeries): SeriesRead {
  return {
    tenant: tenantId(Number(row.tenant)),
    studyUid: row.study_uid,
    seriesUid: row.series_uid,
    how: row.how as ReadHow,
    declared: row.declared,
    read: row.read_as,
  };
}
