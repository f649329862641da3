// Repair: bad copies mended from the others, missing ones made, footer files that are wanting written, until nothing is left that these disks allow.
//
// Invariants: what a copy is made of, and whether it is whole, restore-copy.ts says; a copy that lacks only what every copy lacks is as good as there can
// be, so it counts as good, and what it lacks is told once and kept as a known loss; nothing is called lost while a disk that is away may hold it.
// Memory is what could not be mended, within a named limit, and runs of record ids.

import { type DiskId, type PackId, type RecordId, toArchiveError } from '../base/index.ts';
import type { DiskFile } from '../disk/index.ts';
import type { IndexRow } from '../format/index.ts';
import { countOfRuns, type Losses } from './losses.ts';
import { PackCopy } from './pack-copy.ts';
import { footerCopies, writeFooterFile } from './pack-keeper.ts';
import { footerPath, openFolder, openPath, packOfName, packSuffix, sealedPath } from './paths.ts';
import type { RecordReader } from './record-reader.ts';
import type { Placement, PlacementKind, Register, Run } from './register.ts';
import { restoreCopy } from './restore-copy.ts';
import type { Shelf } from './shelf.ts';
import type { StoreDisk } from './store-disk.ts';
import { replaceStray } from './stray-copies.ts';
import { type Problem, verifyCopy } from './verify-pack.ts';

export type Pace = (bytes: number) => Promise<void>;

export type RepairReport = {
  readonly pack: PackId;
  readonly disk: DiskId | undefined;
  readonly kind: PlacementKind;
  /** `lost`: what no copy holds, named by id where anything still tells; the rest of the copy is as good as can be. */
  readonly outcome: 'mended' | 'lost' | 'failed';
  readonly lost: readonly Run[];
  readonly code: string | undefined;
};

export type RepairParts = {
  readonly shelf: Shelf;
  readonly register: Register;
  readonly losses: Losses;
  readonly reader: RecordReader;
  readonly nowMs: () => number;
  readonly isLive: (pack: PackId) => boolean;
  readonly copies: number;
  readonly rowsOf: (pack: PackId) => AsyncGenerator<IndexRow>;
  readonly pace: Pace;
};

const pageMax = 100;
/** Bad copies looked at in one repair, and packs left aside that could not be mended; the rest waits for the next. */
const badCopiesMax = 10_000;

export async function* repairCopies(parts: RepairParts): AsyncGenerator<RepairReport> {
  const { register, shelf, copies } = parts;
  yield* replaceStrays(parts);
  const leftAside = new Set<string>();
  for (const placement of await register.badPlacements(badCopiesMax)) {
    const store = shelf.store(placement.disk);
    if (store === undefined || store.state !== 'present') continue;
    const report = await restore(placement.pack, placement.kind, store, parts);
    // A disk that takes no copy may leave another that does.
    if (report === undefined || report.outcome === 'lost') leftAside.add(`${placement.pack}/${placement.kind}`);
    if (report !== undefined) yield report;
  }
  const present = shelf.writable();
  for (const [kind, wanted] of [
    ['pack', copies],
    ['footer', footerCopies],
  ] as const) {
    const asked = Math.min(wanted, present.length);
    for (;;) {
      const short = await shortOf(kind, { asked, leftAside }, parts);
      if (short.length === 0 || leftAside.size >= badCopiesMax) break;
      for (const pack of short) yield* makeCopies(pack, kind, { asked, leftAside }, parts);
    }
  }
  await register.checkpoint();
}

type Asked = { readonly asked: number; readonly leftAside: Set<string> };

async function shortOf(kind: PlacementKind, { asked, leftAside }: Asked, parts: RepairParts): Promise<PackId[]> {
  const disks = parts.shelf.present().map((store) => store.id);
  const packs = await parts.register.packsShortOf(asked, kind, disks, leftAside.size + pageMax);
  return packs.filter((pack) => !leftAside.has(`${pack}/${kind}`));
}

async function* makeCopies(
  pack: PackId,
  kind: PlacementKind,
  { asked, leftAside }: Asked,
  parts: RepairParts,
): AsyncGenerator<RepairReport> {
  for (let missing = asked - (await goodCount(pack, kind, parts)); missing > 0; missing -= 1) {
    const target = await targetFor(pack, kind, parts);
    if (target === undefined) break;
    const report = await restore(pack, kind, target, parts);
    if (report !== undefined) yield report;
  }
  if ((await goodCount(pack, kind, parts)) < asked) leftAside.add(`${pack}/${kind}`);
}

async function goodCount(pack: PackId, kind: PlacementKind, { register, shelf }: RepairParts): Promise<number> {
  const placements = await register.placementsOf(pack);
  return placements.filter(
    (each) => each.kind === kind && each.state === 'good' && (shelf.store(each.disk)?.state ?? 'missing') !== 'missing',
  ).length;
}

async function targetFor(
  pack: PackId,
  kind: PlacementKind,
  { register, shelf }: RepairParts,
): Promise<StoreDisk | undefined> {
  const taken = (await register.placementsOf(pack)).filter((each) => each.kind === kind).map((each) => each.disk);
  return shelf.writable().find((store) => !taken.includes(store.id));
}

/** undefined: nothing came of it that was not told before. */
async function restore(
  pack: PackId,
  kind: PlacementKind,
  target: StoreDisk,
  parts: RepairParts,
): Promise<RepairReport | undefined> {
  const { shelf, register, reader, nowMs, pace } = parts;
  const report = { pack, disk: target.id, kind, lost: [], code: undefined };
  const sources: DiskFile[] = [];
  try {
    if (kind === 'footer' && (await footerFromPack(pack, target, parts))) return { ...report, outcome: 'mended' };
    sources.push(...(await sourcesOf(pack, kind, parts)));
    if (sources.length === 0) return await noneLeft(pack, kind, target, parts);
    const { problems, placed } = await restoreCopy({ pack, kind, target, sources, pace });
    shelf.forget(target.id, pack);
    reader.forget(pack);
    if (problems.length > 0 && (await mayLieElsewhere(pack, kind, parts)))
      return { ...report, outcome: 'failed', code: 'DISK_MISSING' };
    const told = problems.length > 0 ? await tellLoss(pack, kind, problems, parts) : undefined;
    if (placed) await register.place({ pack, disk: target.id, kind, state: 'good', verifiedMs: nowMs() });
    if (told !== undefined) return { ...report, outcome: 'lost', lost: told, code: 'RECORD_LOST' };
    if (!placed) return undefined;
    await register.count('repaired_packs', 1);
    return { ...report, outcome: 'mended' };
  } catch (error) {
    return { ...report, outcome: 'failed', code: toArchiveError(error, 'INTERNAL', 'repair failed').code };
  } finally {
    for (const source of sources) await source.close();
  }
}

/** Every disk is asked, those believed good first: a power cut may have taken back what the register knew of a copy. */
async function sourcesOf(pack: PackId, kind: PlacementKind, { register, shelf }: RepairParts): Promise<DiskFile[]> {
  const good = (await register.placementsOf(pack)).filter((each) => each.kind === kind && each.state === 'good');
  const isGood = (store: StoreDisk): boolean => good.some((each) => each.disk === store.id);
  const path = kind === 'pack' ? sealedPath(pack) : footerPath(pack);
  const sources: DiskFile[] = [];
  const open = async (store: StoreDisk, from: string): Promise<void> => {
    const file = await store.disk.open(from, 'read').catch(() => undefined);
    if (file !== undefined) sources.push(file);
  };
  for (const store of [...shelf.present().filter(isGood), ...shelf.present().filter((each) => !isGood(each))])
    await open(store, path);
  if (kind === 'pack') for (const store of shelf.present()) await open(store, openPath(pack));
  return sources;
}

/** Nothing of a pack, or of its footer, is on the disks that are there. */
async function noneLeft(
  pack: PackId,
  kind: PlacementKind,
  target: StoreDisk,
  parts: RepairParts,
): Promise<RepairReport | undefined> {
  const report = { pack, disk: target.id, kind, lost: [] };
  if (await mayLieElsewhere(pack, kind, parts)) return { ...report, outcome: 'failed', code: 'DISK_MISSING' };
  if (kind === 'footer') return { ...report, outcome: 'lost', code: 'RECORD_LOST' };
  const facts = await parts.register.pack(pack);
  const whole: Problem = { what: 'unreadable', offset: 0, sizeBytes: facts?.sizeBytes ?? 0 };
  const told = await tellLoss(pack, kind, [whole], parts);
  return told === undefined ? undefined : { ...report, outcome: 'lost', lost: told, code: 'RECORD_LOST' };
}

/** Whether the register knows a good copy on a disk that is not here. */
async function mayLieElsewhere(pack: PackId, kind: PlacementKind, { register, shelf }: RepairParts): Promise<boolean> {
  const placements = await register.placementsOf(pack);
  return placements.some(
    (each) => each.kind === kind && each.state === 'good' && (shelf.store(each.disk)?.state ?? 'missing') === 'missing',
  );
}

/** Keeps what no copy gives as a known loss. The records it cost, when it was not known before. */
async function tellLoss(
  pack: PackId,
  kind: PlacementKind,
  problems: readonly Problem[],
  { losses, register, rowsOf, nowMs }: RepairParts,
): Promise<readonly Run[] | undefined> {
  if (kind === 'footer') return [];
  const fresh = await losses.newOf(pack, problems);
  if (fresh.length === 0) return undefined;
  const lost = await recordsIn(fresh, rowsOf(pack));
  await losses.note(pack, problems, lost, nowMs());
  await register.count('lost_records', countOfRuns(lost));
  return lost;
}

/** The records that these stretches of a pack cost; none when no footer is left to tell. */
async function recordsIn(problems: readonly Problem[], rows: AsyncGenerator<IndexRow>): Promise<Run[]> {
  const exact = problems.filter((problem) => problem.what === 'record' || problem.what === 'unreadable');
  const lost: Run[] = [];
  try {
    for await (const { id, offset, sizeBytes } of rows) {
      const end = offset + sizeBytes;
      if (exact.some((problem) => offset < problem.offset + problem.sizeBytes && end > problem.offset)) addTo(lost, id);
    }
  } catch (error) {
    toArchiveError(error, 'INTERNAL', 'an index could not be read');
  }
  return lost;
}

function addTo(runs: Run[], { writer, sequence }: RecordId): void {
  const last = runs.at(-1);
  if (last !== undefined && last.writer === writer && last.last + 1n === sequence)
    runs[runs.length - 1] = { ...last, last: sequence };
  else runs.push({ writer, first: sequence, last: sequence });
}

/** A footer file from a whole pack: shorter than copying another footer file, and right when there is none. */
async function footerFromPack(
  pack: PackId,
  target: StoreDisk,
  { register, shelf, nowMs }: RepairParts,
): Promise<boolean> {
  for (const placement of await register.placementsOf(pack)) {
    if (placement.kind !== 'pack' || placement.state !== 'good') continue;
    try {
      await shelf.withFile(placement.disk, pack, 'pack', async (file) => {
        const locator = await new PackCopy(file).locator();
        if (locator !== undefined) await writeFooterFile(target, file, locator);
      });
      shelf.forget(target.id, pack);
      const made: Placement = { pack, disk: target.id, kind: 'footer', state: 'good', verifiedMs: nowMs() };
      const verdict = await shelf.withFile(target.id, pack, 'footer', (file) =>
        verifyCopy({ file, kind: 'footer', pace: async () => undefined }),
      );
      if (verdict.problems.length > 0) continue;
      await register.place(made);
      return true;
    } catch {
      // The next copy, then other footer files.
    }
  }
  return false;
}

/** Copies that stayed behind in the open folders while others of their packs were sealed. */
async function* replaceStrays({ register, shelf, losses, isLive, pace }: RepairParts): AsyncGenerator<RepairReport> {
  for (const store of shelf.writable()) {
    for (const name of await store.disk.list(openFolder).catch(() => [])) {
      const pack = packOfName(name, packSuffix);
      if (pack === undefined || isLive(pack) || (await register.pack(pack)) === undefined) continue;
      const report = { pack, disk: store.id, kind: 'pack' as const, lost: [] };
      try {
        const replaced = await replaceStray({ shelf, register, losses, pack, store, pace });
        if (replaced) yield { ...report, outcome: 'mended', code: undefined };
      } catch (error) {
        yield { ...report, outcome: 'failed', code: toArchiveError(error, 'INTERNAL', 'repair failed').code };
      }
    }
  }
}
