// Groups of a batch: made when they are first heard of, with the span of times they were written in.
//
// Invariants: first and last writing are the least and greatest over every object entry applied, losers included, and a family the
// least bytes named, so the order of arrival does not matter; a group that is only referred to has no writing yet.

import type { KeyGroup } from '../base/index.ts';
import { hexOf } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import type { CatalogChange } from './changes.ts';
import type { NumbersTx } from './numbers.ts';
import { groupMapKey } from './numbers.ts';
import { groupIdBytes, hybridValue } from './storable.ts';

/** First writing of a group that was never written to: later than every time. */
const never = (1n << 63n) - 1n;

type GroupNews = { group: KeyGroup; first: bigint; last: bigint; family: Uint8Array | undefined };

function gather(changes: readonly CatalogChange[]): Map<string, GroupNews> {
  const news = new Map<string, GroupNews>();
  let recent: { group: KeyGroup; of: GroupNews } | undefined;
  const of = (group: KeyGroup): GroupNews => {
    if (recent?.group === group) return recent.of;
    const key = groupMapKey(group);
    let known = news.get(key);
    if (known === undefined) {
      known = { group, first: never, last: 0n, family: undefined };
      news.set(key, known);
    }
    recent = { group, of: known };
    return known;
  };
  for (const change of changes) {
    switch (change.kind) {
      case 'object': {
        const group = of(change.group);
        const time = hybridValue(change.version.time);
        if (time < group.first) group.first = time;
        if (time > group.last) group.last = time;
        break;
      }
      case 'group': {
        const group = of(change.group);
        if (group.family === undefined || Buffer.compare(change.family, group.family) < 0) group.family = change.family;
        break;
      }
      case 'reencoded':
      case 'shred':
      case 'study':
        of(change.group);
        break;
      case 'bucket':
      case 'site':
      case 'export':
      case 'patient':
      case 'series':
      case 'document':
        break;
    }
  }
  return news;
}

const insertGroup = `INSERT INTO key_groups
  (group_no, group_id, tenant, year, first_hybrid, last_hybrid, settled_hybrid, family) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;

const extendGroup = `UPDATE key_groups SET
    first_hybrid = CASE WHEN ? < first_hybrid THEN ? ELSE first_hybrid END,
    last_hybrid = CASE WHEN ? > last_hybrid THEN ? ELSE last_hybrid END
  WHERE group_no = ?`;

const nameFamily = 'UPDATE key_groups SET family = ? WHERE group_no = ? AND (family IS NULL OR family > ?)';

/** Gives every group of the batch its number and its times. */
export async function applyGroups(tx: SqlTx, numbers: NumbersTx, changes: readonly CatalogChange[]): Promise<void> {
  const news = gather(changes);
  if (news.size === 0) return;
  const found = await numbers.findGroups([...news.values()].map((each) => each.group));
  let next = 0;
  const fresh: SqlValue[][] = [];
  const extended: SqlValue[][] = [];
  const families: SqlValue[][] = [];
  for (const [key, { group, first, last, family }] of news) {
    const known = found.get(key);
    if (known === undefined) {
      if (next === 0) next = await numbers.nextGroupNumber();
      fresh.push([next, groupIdBytes(group.group), group.tenant, group.year, first, last, 0, family ?? null]);
      numbers.keepGroup(key, { no: next, family: family === undefined ? undefined : hexOf(family) });
      next += 1;
      continue;
    }
    if (last > 0n) extended.push([first, first, last, last, known.no]);
    if (family !== undefined && known.family !== hexOf(family)) {
      families.push([family, known.no, family]);
      // What is remembered may now be the greater one; forgetting it costs a statement, not an error.
      numbers.keepGroup(key, { no: known.no, family: undefined });
    }
  }
  await tx.many(insertGroup, fresh);
  await tx.many(extendGroup, extended);
  await tx.many(nameFamily, families);
}
