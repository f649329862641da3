// Upkeep: what is done without being asked, one bounded unit at a time.

import type { SettleReport } from '../archive/index.ts';
import type { Clock } from '../base/index.ts';
import type { Catalog } from '../catalog/index.ts';
import type { Sql } from '../sql/index.ts';
import type { Pace, Vault } from '../vault/index.ts';
import type { Settings } from './settings.ts';

export type UpkeepParts = {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly sql: Sql;
  readonly clock: Clock;
  readonly settings: Settings;
};

export async function* settleAll(
  _parts: UpkeepParts,
  _pace: Pace,
  _how: { all: boolean; signal: AbortSignal },
): AsyncGenerator<SettleReport> {
  // Nothing yet.
}
