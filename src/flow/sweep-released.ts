// Packs that were released and are there again: their disk was away, or a power cut came between the event and the files, or a database was made anew.
//
// Invariants: a pack goes only when the event `released` is known, every pack that it names has as many good copies on the disks that are here as packs
// are to have, each read back from its medium (or was released itself, into packs of which the same holds), and nothing live has content in it alone.
// What is not known to have been released is told and never touched.

import type { PackId, RecordId } from '../base/index.ts';
import type { Catalog, RangeCursor } from '../catalog/index.ts';
import { type Pace, type Run, sealedPath, type Vault } from '../vault/index.ts';

export type SweepParts = {
  readonly vault: Vault;
  readonly catalog: Catalog;
  /** Copies that packs are to have. */
  readonly copies: number;
  readonly pace: Pace;
  readonly onRelease: (runs: readonly Run[]) => Promise<void>;
};

/** `kept`: released, but what it was released into is not all here. `unknown`: no event tells of it, or something live needs it. */
export type Swept = { readonly pack: PackId; readonly outcome: 'removed' | 'kept' | 'unknown' };

const packsPage = 64;
const chainPacksMax = 10_000;

/** Safe to repeat. CLOSED when `pace` says to stop. */
export async function* sweepReleased(parts: SweepParts): AsyncGenerator<Swept> {
  const { vault, catalog } = parts;
  for await (const { pack, runs } of vault.care.unknownPacks()) {
    const into = (await catalog.releases.of([pack])).get(pack);
    if (into === undefined) yield { pack, outcome: 'unknown' };
    else yield await sweep(pack, { into, runs: runs ?? [] }, parts);
  }
  let after: PackId | undefined;
  for (let more = true; more; ) {
    const page = (await vault.register.packsAfter(after, packsPage)).map((facts) => facts.pack);
    const removed = new Set<PackId>();
    for (const [pack, into] of await catalog.releases.of(page)) {
      const swept = await sweep(pack, { into, runs: await vault.register.runsOf(pack) }, parts);
      // One that cannot go yet is a pack like any other.
      if (swept.outcome !== 'removed') continue;
      removed.add(pack);
      yield swept;
    }
    // The next page begins behind a pack that is still there.
    after = page.findLast((pack) => !removed.has(pack)) ?? after;
    more = page.length === packsPage;
  }
}

async function sweep(
  pack: PackId,
  { into, runs }: { into: readonly PackId[]; runs: readonly Run[] },
  parts: SweepParts,
): Promise<Swept> {
  if (await isNeeded(pack, runs, parts)) return { pack, outcome: 'unknown' };
  if (!(await hold(into, new Set([pack]), parts))) return { pack, outcome: 'kept' };
  await parts.onRelease(runs);
  await parts.vault.care.release(pack);
  return { pack, outcome: 'removed' };
}

/** Whether something live has content in these runs that no other pack holds. */
async function isNeeded(pack: PackId, runs: readonly Run[], { vault, catalog, pace }: SweepParts): Promise<boolean> {
  for (const run of runs) {
    let after: RangeCursor | undefined;
    do {
      await pace(0);
      const page = await catalog.objects.inRange(run, { after, limit: 500 });
      for (const { ref } of page.rows) if (ref !== undefined && (await isAlone(ref, pack, vault))) return true;
      after = page.next;
    } while (after !== undefined);
    for await (const { ref } of catalog.bundles.inRange(run))
      if (ref !== undefined && (await isAlone(ref, pack, vault))) return true;
  }
  return false;
}

async function isAlone(ref: RecordId, pack: PackId, vault: Vault): Promise<boolean> {
  return !(await vault.register.packsOfRecord(ref)).some((each) => each !== pack);
}

/** Whether all of these packs are there, read back, or went into packs that are. */
async function hold(packs: readonly PackId[], seen: Set<PackId>, parts: SweepParts): Promise<boolean> {
  for (const pack of packs) {
    if (seen.has(pack)) continue;
    if (seen.size >= chainPacksMax) return false;
    seen.add(pack);
    const known = await parts.vault.register.pack(pack);
    if (known !== undefined) {
      if (!(await isThere(pack, parts))) return false;
      continue;
    }
    const further = (await parts.catalog.releases.of([pack])).get(pack);
    if (further === undefined || !(await hold(further, seen, parts))) return false;
  }
  return true;
}

async function isThere(pack: PackId, { vault, copies, pace }: SweepParts): Promise<boolean> {
  // What it lacks may lie in the very pack that is to go.
  if (await vault.losses.isKnown(pack)) return false;
  let good = 0;
  for (const placement of await vault.register.placementsOf(pack)) {
    const store = vault.shelf.store(placement.disk);
    if (placement.kind !== 'pack' || store === undefined || store.state === 'missing') continue;
    const file = await store.disk.stat(sealedPath(pack)).catch(() => undefined);
    const isProven = placement.state === 'good' && placement.verifiedMs > 0 && file !== undefined;
    const report = isProven ? undefined : await vault.care.verifyPlacement(placement, pace);
    if (report === undefined || (report.problems.length === 0 && !report.gone)) good += 1;
  }
  return good >= copies;
}
