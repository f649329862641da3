// Devices, the series that they made, and the character sets in which texts of these were read.
//
// Invariants: a device is named by who sends for it and by what its series say of it, and never changes; a series is of one device, the latest word counts; how many
// series of a device were read in which set is at every commit what the rows of its series say; a device without a series is not there.

import { hexOf, sha256, utf8Bytes } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { seriesNumber } from './apply-studies.ts';
import type { ChangeOf } from './changes.ts';
import { applyLatest } from './latest-rows.ts';
import type { NumbersTx } from './numbers.ts';
import { textValue } from './storable.ts';

export type DeviceName = {
  readonly tenant: number;
  /** Who brings what it makes: an application entity or a door; empty where nobody said. */
  readonly source: string;
  readonly maker: string;
  readonly model: string;
  readonly station: string;
};

/** The same for the same device in every archive that reads the same packs. */
export function deviceIdOf({ tenant, source, maker, model, station }: DeviceName): string {
  return hexOf(sha256(utf8Bytes(JSON.stringify([tenant, source, maker, model, station])))).slice(0, 12);
}

type Habit = { readonly device_no: number; readonly how: string; readonly declared: string; readonly read_as: string };

export async function applySeriesDevice(
  tx: SqlTx,
  numbers: NumbersTx,
  change: ChangeOf<'series-device'>,
): Promise<void> {
  const { no } = await seriesNumber(tx, numbers, change);
  const device = await deviceNumber(tx, change);
  const before = await tx.one<Habit>(
    'SELECT device_no, how, declared, read_as FROM series_devices WHERE series_no = ?',
    [no],
  );
  const now: Habit = {
    device_no: device,
    how: change.how,
    declared: textValue(change.declared.join('\\')),
    read_as: textValue(change.read.join('\\')),
  };
  const won = await applyLatest(tx, numbers, {
    table: 'series_devices',
    key: { series_no: no },
    cells: now,
    version: change.version,
  });
  if (won) {
    if (before !== undefined) await count(tx, before, -1);
    await count(tx, now, 1);
  }
  // A new series of a device leaves nothing unused, and most are that.
  if (!won || before !== undefined) await dropUnused(tx, [device, ...(before === undefined ? [] : [before.device_no])]);
}

async function deviceNumber(tx: SqlTx, change: DeviceName): Promise<number> {
  const { tenant } = change;
  const [source, maker, model, station] = [change.source, change.maker, change.model, change.station].map(textValue);
  const id = deviceIdOf(change);
  const find = 'SELECT device_no AS no FROM devices WHERE device_id = ?';
  const known = (await tx.one<{ no: number }>(find, [id]))?.no;
  if (known !== undefined) return known;
  const values: SqlValue[] = [id, tenant, source ?? '', maker ?? '', model ?? '', station ?? ''];
  await tx.run(
    'INSERT INTO devices (device_id, tenant, source, maker, model, station) VALUES (?, ?, ?, ?, ?, ?)',
    values,
  );
  return (await tx.one<{ no: number }>(find, [id]))?.no ?? 0;
}

async function count(tx: SqlTx, { device_no, how, declared, read_as }: Habit, sign: 1 | -1): Promise<void> {
  await tx.run(
    `INSERT INTO device_habits (device_no, how, declared, read_as, series_count) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (device_no, how, declared, read_as)
      DO UPDATE SET series_count = device_habits.series_count + excluded.series_count`,
    [device_no, how, declared, read_as, sign],
  );
}

async function dropUnused(tx: SqlTx, devices: readonly number[]): Promise<void> {
  for (const no of new Set(devices)) {
    await tx.run('DELETE FROM device_habits WHERE device_no = ? AND series_count = 0', [no]);
    await tx.run(
      'DELETE FROM devices WHERE device_no = ? AND NOT EXISTS (SELECT 1 FROM device_habits h WHERE h.device_no = ?)',
      [no, no],
    );
  }
}

/** The series of a group's studies made by no device any more, before their rows go. */
export async function forgetSeriesDevices(tx: SqlTx, groupNo: number): Promise<void> {
  const series = `SELECT e.series_no FROM series e JOIN studies s ON s.study_no = e.study_no WHERE s.group_no = ?`;
  const rows = await tx.all<Habit>(
    `SELECT device_no, how, declared, read_as FROM series_devices WHERE series_no IN (${series})`,
    [groupNo],
  );
  await tx.run(`DELETE FROM series_devices WHERE series_no IN (${series})`, [groupNo]);
  for (const row of rows) await count(tx, row, -1);
  await dropUnused(
    tx,
    rows.map((row) => row.device_no),
  );
}
