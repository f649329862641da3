// Reconciling: every pack and footer file on every disk is looked at, those that the register does not know are registered, and their facts handed on.
//
// Invariants: a pack is registered after its facts were handed on, so a crash between makes it be read again; of a pack one whole footer is enough,
// wherever it lies; facts are read quickly (fact-windows.ts) from the first footer, and when anything about it is unsure the pack's copies are walked
// one after the other; memory is the names of some packs, and a few stretches of footers read ahead.
// Left out on purpose: packs whose footer is gone; whoever calls salvages them.

import { ArchiveError, type ErrorCode, isArchiveError, type PackId } from '../base/index.ts';
import type { DiskFile } from '../disk/index.ts';
import type { Locator } from '../format/index.ts';
import { type FactTaker, runsOfPack, walkFacts } from './adopt-pack.ts';
import { ahead } from './ahead.ts';
import { type FactWindow, type FactWorks, factWindows } from './fact-windows.ts';
import { PackCopy } from './pack-copy.ts';
import { type FoundFile, type ListFolder, packsOnDisks } from './packs-on-disks.ts';
import { type Placement, packFactsOf, type Register, type Run } from './register.ts';
import type { Shelf } from './shelf.ts';

export type ReconcileParts = {
  readonly shelf: Shelf;
  readonly register: Register;
  readonly works: FactWorks;
  readonly taker: FactTaker;
  readonly list: ListFolder;
  readonly onAdopted: (locator: Locator) => void;
  readonly onUnreadable: (pack: PackId, error: unknown) => void;
  /** No copy has a whole footer. `runs`: the records it holds, where an index still tells. */
  readonly salvage: (pack: PackId, found: readonly FoundFile[], runs: readonly Run[]) => Promise<void>;
};

/** Stretches and packs that are read while the facts before them are handed on. */
const aheadMax = 6;

/** Failures of one copy that another may not have. */
const copyFaults: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'PACK_CORRUPT',
  'PACK_TRUNCATED',
  'RECORD_CORRUPT',
  'CODEC_FAULT',
  'DISK_IO',
  'DISK_MISSING',
  'FILE_MISSING',
]);

function isCopyFault(error: unknown): boolean {
  return error instanceof ArchiveError && copyFaults.has(error.code);
}

type OpenedFile = FoundFile & { readonly file: DiskFile; readonly locator: Locator | undefined };

type PackAtHand = {
  readonly pack: PackId;
  readonly found: readonly FoundFile[];
  readonly isKnown: boolean;
  readonly files: OpenedFile[];
  readonly placements: Omit<Placement, 'pack'>[];
  /** Some copy was written by a newer version. */
  newer: ArchiveError | undefined;
  /** What is read quickly, until something about it is unsure. */
  quick: { readonly locator: Locator; readonly runs: readonly Run[]; given: number } | undefined;
};

type Step =
  | { readonly kind: 'facts'; readonly at: PackAtHand; readonly window: FactWindow }
  | { readonly kind: 'end'; readonly at: PackAtHand };

/** Every pack on every disk that is there. `onPack` is told how many were looked at. */
export async function reconcilePacks(parts: ReconcileParts, onPack: (done: number) => void): Promise<void> {
  let done = 0;
  for await (const step of ahead(stepsOf(parts), aheadMax)) {
    const { at } = step;
    if (step.kind === 'facts') {
      await giveWindow(at, step.window, parts);
      continue;
    }
    try {
      if (at.isKnown) await placeCopies(at, parts.register);
      else await adopt(at, parts);
    } catch (error) {
      parts.onUnreadable(at.pack, error);
    } finally {
      await closeFiles(at);
    }
    done += 1;
    onPack(done);
  }
  await parts.register.checkpoint();
}

async function* stepsOf(parts: ReconcileParts): AsyncGenerator<Step, void, undefined> {
  const open = new Set<PackAtHand>();
  try {
    for await (const { pack, found } of packsOnDisks(parts.shelf, parts.list)) {
      const at = await openPack(pack, found, parts.register);
      open.add(at);
      for await (const window of quickWindows(at, parts.works)) yield { kind: 'facts', at, window };
      yield { kind: 'end', at };
      open.delete(at);
    }
  } finally {
    for (const at of open) await closeFiles(at);
  }
}

async function openPack(pack: PackId, found: readonly FoundFile[], register: Register): Promise<PackAtHand> {
  const isKnown = (await register.pack(pack)) !== undefined;
  const at: PackAtHand = { pack, found, isKnown, files: [], placements: [], newer: undefined, quick: undefined };
  for (const each of found) {
    const file = await each.store.disk.open(each.path, 'read').catch(() => undefined);
    if (file === undefined) continue;
    const locator = await new PackCopy(file, each.kind).locator().catch((error: unknown) => {
      if (isArchiveError(error, 'PACK_NEWER')) at.newer = error;
      return undefined;
    });
    at.files.push({ ...each, file, locator });
    const state = locator?.pack === pack ? 'good' : 'bad';
    at.placements.push({ disk: each.store.id, kind: each.kind, state, verifiedMs: 0 });
  }
  return at;
}

/** Copies whose locator is whole, footer files first. */
function candidates(at: PackAtHand): { copy: PackCopy; locator: Locator }[] {
  const rows = [];
  for (const kind of ['footer', 'pack'] as const) {
    for (const { file, locator, ...each } of at.files)
      if (each.kind === kind && locator?.pack === at.pack) rows.push({ copy: new PackCopy(file, kind), locator });
  }
  return rows;
}

async function* quickWindows(at: PackAtHand, works: FactWorks): AsyncGenerator<FactWindow> {
  const [first] = at.isKnown ? [] : candidates(at);
  if (first === undefined) return;
  const { copy, locator } = first;
  try {
    at.quick = { locator, runs: await runsOfPack(copy, locator), given: 0 };
    for await (const window of factWindows(copy, locator, works)) {
      yield window;
      if (at.quick === undefined) return;
    }
  } catch (error) {
    if (!isCopyFault(error)) throw error;
    at.quick = undefined;
  }
}

async function giveWindow(at: PackAtHand, { opened }: FactWindow, { taker }: ReconcileParts): Promise<void> {
  const facts = at.quick === undefined ? 'unsure' : await opened;
  if (facts === 'unsure' || at.quick === undefined) {
    at.quick = undefined;
    return;
  }
  await taker.give(facts);
  at.quick.given += facts.length;
}

async function placeCopies({ pack, placements }: PackAtHand, register: Register): Promise<void> {
  const known = await register.placementsOf(pack);
  for (const placement of placements) {
    const before = known.find((each) => each.disk === placement.disk && each.kind === placement.kind);
    if (before === undefined) await register.place({ ...placement, pack });
  }
}

async function adopt(at: PackAtHand, parts: ReconcileParts): Promise<void> {
  const { quick, placements } = at;
  const note = async (locator: Locator, runs: readonly Run[]): Promise<void> => {
    await parts.register.registerPack(packFactsOf(locator), runs, placements);
    await parts.register.count('seals', 1);
    parts.onAdopted(locator);
  };
  if (quick !== undefined && quick.given === quick.locator.factCount) return note(quick.locator, quick.runs);
  let named: readonly Run[] = quick?.runs ?? [];
  for (const { copy, locator } of candidates(at)) {
    try {
      const runs = await runsOfPack(copy, locator);
      named = runs;
      await walkFacts(copy, locator, parts.taker);
      return await note(locator, runs);
    } catch (error) {
      if (!isCopyFault(error)) throw error;
    }
  }
  if (at.newer !== undefined) throw at.newer;
  await closeFiles(at);
  await parts.salvage(at.pack, at.found, named);
}

async function closeFiles(at: PackAtHand): Promise<void> {
  for (const each of at.files.splice(0)) await each.file.close();
}
