// A new copy of a pack or footer file, made from all the copies there are.
//
// Invariants: copies of a pack are the same bytes, so what is rotten in one is taken from another, stretch by stretch; the new copy gets its
// name only after every byte of it was read back from the medium and verified, or found to lack only what every copy lacks; the copies it is made from are not changed. Repair never
// makes it worse.

import { ArchiveError, type PackId } from '../base/index.ts';
import type { DiskFile } from '../disk/index.ts';
import { blockSizeBytes } from '../format/index.ts';
import { PackCopy } from './pack-copy.ts';
import { writePart } from './part-file.ts';
import { footerFolder, footerPath, partPath, sealedFolder, sealedPath } from './paths.ts';
import type { PlacementKind } from './register.ts';
import type { StoreDisk } from './store-disk.ts';
import { type Problem, type ProblemKind, problemsMax, verifyCopy } from './verify-pack.ts';

const windowBytes = 4 * 1024 * 1024;

/** What costs single records and leaves the pack a pack. */
const recordDamage: ReadonlySet<ProblemKind> = new Set<ProblemKind>(['record', 'padding', 'group', 'root']);

export type RestoreOptions = {
  readonly pack: PackId;
  readonly kind: PlacementKind;
  readonly target: StoreDisk;
  /** Open for reading, the likeliest to be whole first. The target's own bad copy may be among them. */
  readonly sources: readonly DiskFile[];
  readonly pace: (bytes: number) => Promise<void>;
};

/** `problems`: what no source could give. `placed`: the copy is in place, whole or as good as can be. */
export async function restoreCopy(
  options: RestoreOptions,
): Promise<{ readonly problems: readonly Problem[]; readonly placed: boolean }> {
  const { pack, kind, target, sources, pace } = options;
  const path = kind === 'pack' ? sealedPath(pack) : footerPath(pack);
  const part = partPath(pack, kind);
  await target.disk.makeFolder(kind === 'pack' ? sealedFolder(pack) : footerFolder(pack));
  const sizeBytes = await sizeOf(sources, kind);
  const { problems, unread } = await writePart(target.disk, part, (file) =>
    fillFrom(file, { kind, sources, sizeBytes, pace }),
  );
  // With records that no source has, it is still at least as good as each of them: what another loss would cost is saved now. Not so when
  // something could not be read at all: a medium may give tomorrow what it refuses today.
  const better = unread === 0 && problems.every((problem) => recordDamage.has(problem.what));
  const placed = problems.length === 0 || better;
  if (placed) await target.disk.rename(part, path);
  else await target.disk.remove(part);
  return { problems, placed };
}

async function fillFrom(
  file: DiskFile,
  {
    kind,
    sources,
    sizeBytes,
    pace,
  }: Pick<RestoreOptions, 'kind' | 'sources' | 'pace'> & { readonly sizeBytes: number },
): Promise<{ problems: readonly Problem[]; unread: number }> {
  const unread = await patch({ to: file, sources, offset: 0, sizeBytes, from: 0, pace });
  let problems = await verified(file, { kind, pace });
  // Each source is asked twice: what stood in for a stretch that the first could not read may be rotten where the first is not.
  const rounds = sources.length === 1 ? 1 : 2 * sources.length;
  let best = { from: 0, count: problems.length };
  const patchFrom = async (from: number): Promise<void> => {
    for (const { offset, sizeBytes: length } of patchable(problems, sizeBytes))
      await patch({ to: file, sources, offset, sizeBytes: length, from, pace });
    problems = await verified(file, { kind, pace });
    if (problems.length < best.count) best = { from, count: problems.length };
  };
  for (let round = 1; round < rounds && problems.length > 0; round += 1) await patchFrom(round % sources.length);
  // What nobody has whole is taken from whoever has most of it.
  if (problems.length > best.count) await patchFrom(best.from);
  return { problems, unread };
}

async function verified(
  file: DiskFile,
  { kind, pace }: { kind: PlacementKind; pace: RestoreOptions['pace'] },
): Promise<readonly Problem[]> {
  await file.sync();
  return (await verifyCopy({ file, kind, pace })).problems;
}

/** As long as a copy says whose locator is whole: one that was cut short or has something behind it does not count. */
async function sizeOf(sources: readonly DiskFile[], kind: PlacementKind): Promise<number> {
  let greatest = 0;
  for (const source of sources) {
    const sizeBytes = await source.sizeBytes().catch(() => 0);
    const locator = await new PackCopy(source, kind).locator().catch(() => undefined);
    if (locator !== undefined) return sizeBytes;
    greatest = Math.max(greatest, sizeBytes);
  }
  if (greatest === 0) throw new ArchiveError('RECORD_LOST', 'no copy is left to restore from');
  return greatest;
}

/** A group or a root that fails because of a record is right again when the record is; without one, the whole is fetched again. */
function patchable(problems: readonly Problem[], sizeBytes: number): readonly Problem[] {
  const whole: Problem = { what: 'root', offset: 0, sizeBytes };
  if (problems.length >= problemsMax) return [whole];
  const exact = problems.filter((problem) => problem.what !== 'root' && problem.what !== 'group');
  const overlaps = (group: Problem): boolean =>
    exact.some((each) => each.offset < group.offset + group.sizeBytes && each.offset + each.sizeBytes > group.offset);
  const groups = problems.filter((problem) => problem.what === 'group' && !overlaps(problem));
  const chosen = [...exact, ...groups].filter((problem) => problem.sizeBytes > 0);
  return chosen.length === 0 ? [whole] : chosen;
}

type PatchOptions = {
  readonly to: DiskFile;
  readonly sources: readonly DiskFile[];
  readonly offset: number;
  readonly sizeBytes: number;
  /** The source that is asked first. */
  readonly from: number;
  readonly pace: (bytes: number) => Promise<void>;
};

/** Copies a stretch, window by window, and a window that the first source cannot read block by block from whichever can. How many blocks nobody can read. */
async function patch(options: PatchOptions): Promise<number> {
  const { to, sources, sizeBytes, from, pace } = options;
  let unread = 0;
  for (let done = 0; done < sizeBytes; ) {
    const offset = options.offset + done;
    const length = Math.min(windowBytes, sizeBytes - done);
    const window = await readFrom([sources[from] as DiskFile], offset, length);
    if (window === undefined) {
      const whole = new Uint8Array(length);
      for (let at = 0; at < length; ) {
        const piece = Math.min(blockSizeBytes - ((offset + at) % blockSizeBytes), length - at);
        const order = [...sources.slice(from), ...sources.slice(0, from)];
        const block = await readFrom(order, offset + at, piece);
        // Nobody can read it: zeros stand in, and the verification names what they cost.
        if (block === undefined) unread += 1;
        else whole.set(block, at);
        at += piece;
      }
      await to.write(offset, [whole]);
    } else {
      await to.write(offset, [window]);
    }
    await pace(length);
    done += length;
  }
  return unread;
}

async function readFrom(sources: readonly DiskFile[], offset: number, length: number): Promise<Uint8Array | undefined> {
  for (const source of sources) {
    const bytes = await source.read(offset, length).catch(() => undefined);
    if (bytes !== undefined && bytes.byteLength === length) return bytes;
  }
  return undefined;
}
