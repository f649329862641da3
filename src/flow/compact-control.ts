// Control packs are small and many: what still counts in them is written into one.
//
// Invariants: every event is kept, and of site rows the one that counts, which the catalog knows; a record that lies in several packs is written
// once. Memory is a page of each pack's index, whatever the packs hold.

import type { HybridTime } from '../base/index.ts';
import { compareRecordIds, type IndexRow } from '../format/index.ts';
import { planControl } from '../policy/index.ts';
import type { PackFacts } from '../vault/index.ts';
import { type CopyParts, copyRecords, factIsWanted } from './copy-records.ts';
import type { Emptied } from './release-packs.ts';

/** The packs that were emptied into the control stream; none while they are few. */
export async function compactControl(
  packs: readonly PackFacts[],
  movedAfter: HybridTime,
  parts: CopyParts,
): Promise<Emptied[]> {
  const chosen = planControl(packs);
  if (chosen.length === 0) return [];
  const rows = mergeById(chosen.map(({ pack }) => parts.vault.care.rowsOf(pack)));
  await copyRecords(rows, 'control', (row, read) => factIsWanted(row, read, parts), parts);
  return chosen.map((facts) => ({ facts, objects: 0, bytes: 0, contents: [], blocked: undefined, movedAfter }));
}

/** Rows of several indexes, each in the order of ids, in that order together, each id once. */
export async function* mergeById(sources: readonly AsyncGenerator<IndexRow>[]): AsyncGenerator<IndexRow> {
  const heads: { row: IndexRow; source: AsyncGenerator<IndexRow> }[] = [];
  const advance = async (source: AsyncGenerator<IndexRow>): Promise<void> => {
    const next = await source.next();
    if (next.done !== true) heads.push({ row: next.value, source });
  };
  try {
    for (const source of sources) await advance(source);
    let last: IndexRow | undefined;
    while (heads.length > 0) {
      let least = 0;
      for (let index = 1; index < heads.length; index += 1) {
        if (compareRecordIds((heads[index] as Head).row.id, (heads[least] as Head).row.id) < 0) least = index;
      }
      const [{ row, source }] = heads.splice(least, 1) as [Head];
      if (last === undefined || compareRecordIds(last.id, row.id) !== 0) yield row;
      last = row;
      await advance(source);
    }
  } finally {
    for (const source of sources) await source.return(undefined);
  }
}

type Head = { readonly row: IndexRow; readonly source: AsyncGenerator<IndexRow> };
