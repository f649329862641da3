// A sealed pack, told by its footer: its runs, and its facts by a careful walk.
//
// Invariants: damage anywhere in the footer is PACK_CORRUPT, so that another copy is asked; facts already handed on by then were whole, and handing
// them on again changes nothing.
// Left out on purpose: the quick way to the facts (fact-windows.ts), and what becomes of packs without a whole footer (recovery.ts).

import { ArchiveError } from '../base/index.ts';
import { addRunsOfRows, isFactKind, type Locator } from '../format/index.ts';
import type { FoundFact } from './fact-windows.ts';
import type { PackCopy, ReadRecord } from './pack-copy.ts';
import type { Run } from './register.ts';
import { Window, walkRecords } from './walk.ts';

/** Which sequences of which writers the pack holds. PACK_CORRUPT. */
export async function runsOfPack(copy: PackCopy, locator: Locator): Promise<Run[]> {
  const runs: Run[] = [];
  for (const place of locator.index) addRunsOfRows(await copy.indexRows(locator, place), runs);
  return runs;
}

export type FactTaker = {
  /** Opens a record that was read and held against its digest. */
  readonly open: (record: ReadRecord) => Promise<FoundFact>;
  readonly give: (facts: readonly FoundFact[]) => Promise<void>;
};

export const factBatchMax = 1024;

/** Hands on every fact of the pack. PACK_CORRUPT. */
export async function walkFacts(copy: PackCopy, locator: Locator, taker: FactTaker): Promise<void> {
  const from = copy.offsetInFile(locator, locator.footerOffset);
  const to = from + locator.footerSizeBytes;
  const window = new Window((offset, length) => copy.file.read(offset, length), to);
  let batch: FoundFact[] = [];
  let count = 0;
  for await (const each of walkRecords({ window, from, to, bodies: (head) => isFactKind(head.kind) })) {
    if (each.kind === 'damage' || (each.kind === 'record' && !each.bodyGood)) {
      throw new ArchiveError('PACK_CORRUPT', `the footer of pack ${locator.pack} is damaged`);
    }
    if (each.kind !== 'record' || !isFactKind(each.head.kind)) continue;
    batch.push(await taker.open({ head: each.head, body: each.body }));
    count += 1;
    if (batch.length < factBatchMax) continue;
    await taker.give(batch);
    batch = [];
  }
  if (count !== locator.factCount)
    throw new ArchiveError('PACK_CORRUPT', `the footer of pack ${locator.pack} lacks records`);
  await taker.give(batch);
}
