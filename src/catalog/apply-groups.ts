// Groups of a batch: made when they are first heard of, with the span of times they were written in.
//
// Invariants: first writing is the least creation of any object, which entries written anew repeat; last writing the greatest time of any object
// entry applied, losers included; a family the least bytes named. So the order of arrival does not matter, nor which of an object's entries are
// still there; a group that is only referred to has no writing yet.

import type { KeyGroup } from '../base/index.ts';
import { assert, defined, hexOf, hybridOfMs } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import type { CatalogChange, ObjectChange } from './changes.ts';
import type { NumbersTx } from './numbers.ts';
import { groupMapKey } from './numbers.ts';
import { groupIdBytes, hybridValue } from './storable.ts';

/** First writing of a group that was never written to: later than every time. */
const never = (1n << 63n) - 1n;

/** A creation that no clock of ours gives is counted as the latest that a hybrid time can be. */
const createdMsMax = 2 ** 46;

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
  const write = (change: ObjectChange): void => {
    const group = of(change.group);
    const time = hybridValue(change.version.time);
    const made = hybridOfMs(Math.min(Math.max(0, change.createdMs), createdMsMax));
    if (made < group.first) group.first = made;
    if (time > group.last) group.last = time;
  };
  for (const change of changes) {
    switch (change.kind) {
      case 'object':
        write(change);
        break;
      case 'bundle':
        for (const { object } of change.members) write(object);
        break;
      case 'group': {
        const group = of(change.group);
        if (group.family === undefined || Buffer.compare(change.family, group.family) < 0) group.family = change.family;
        break;
      }
      case 'reencoded':
      case 'shred':
      case 'study':
      case 'amendment':
      case 'withdrawal':
        of(change.group);
        break;
      case 'compared':
      case 'quality':
      case 'series-device':
      case 'bucket':
      case 'site':
      case 'export':
      case 'release':
      case 'patient':
      case 'series':
      case 'instance':
      case 'rejection':
      case 'document':
        break;
    }
  }
  return news;
}

const insertGroup = `INSERT INTO key_groups
  (group_no, group_id, tenant, year, first_hybrid, last_hybrid, settled_hybrid, family) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (group_id, year, tenant) DO NOTHING`;

const extendGroup = `UPDATE key_groups SET
    first_hybrid = CASE WHEN ? < first_hybrid THEN ? ELSE first_hybrid END,
    last_hybrid = CASE WHEN ? > last_hybrid THEN ? ELSE last_hybrid END
  WHERE group_no = ?`;

const nameFamily = 'UPDATE key_groups SET family = ? WHERE group_no = ? AND (family IS NULL OR family > ?)';

/** Gives every group of the batch its number and its times. */
export async function applyGroups(tx: SqlTx, numbers: NumbersTx, changes: readonly CatalogChange[]): Promise<void> {
  const news = gather(changes);
  const unknown = [...news].filter(([key]) => numbers.knownGroup(key) === undefined);
  const inserted = await insertGroups(
    tx,
    numbers,
    unknown.map(([key, group]) => ({ key, ...group })),
  );
  const extended: SqlValue[][] = [];
  const families: SqlValue[][] = [];
  for (const [key, { first, last, family }] of news) {
    if (inserted.has(key)) continue;
    const known = defined(numbers.knownGroup(key), 'a group of the batch has a number');
    if (last > 0n) extended.push([first, first, last, last, known.no]);
    if (family !== undefined && known.family !== hexOf(family)) {
      families.push([family, known.no, family]);
      // What is remembered may now be the greater one; forgetting it costs a statement, not an error.
      numbers.keepGroup(key, { no: known.no, family: undefined });
    }
  }
  await tx.many(extendGroup, extended);
  await tx.many(nameFamily, families);
}

/**
 * Inserts groups that are not remembered, nearly always new; when fewer rows went in than were given, looks up which were there.
 * Afterwards all have their numbers; gives the new ones, whose rows are as they should be.
 */
async function insertGroups(
  tx: SqlTx,
  numbers: NumbersTx,
  groups: readonly (GroupNews & { readonly key: string })[],
): Promise<ReadonlySet<string>> {
  if (groups.length === 0) return new Set();
  const base = await numbers.nextGroupNumber();
  const rows = groups.map(({ group, first, last, family }, index): SqlValue[] => [
    base + index,
    groupIdBytes(group.group),
    group.tenant,
    group.year,
    first,
    last,
    0,
    family ?? null,
  ]);
  const { changes: inserted } = await tx.many(insertGroup, rows);
  const there = inserted === groups.length ? undefined : await numbers.findGroups(groups.map((each) => each.group));
  const fresh = new Set<string>();
  for (const [index, { key, family }] of groups.entries()) {
    const known = there?.get(key);
    const no = known?.no ?? base + index;
    assert(there === undefined || known !== undefined, 'a group that was inserted is there');
    numbers.keepGroup(
      key,
      no < base ? defined(known, 'an older group was looked up') : { no, family: family && hexOf(family) },
    );
    if (no >= base) fresh.add(key);
  }
  return fresh;
}
