// A new copy of a pack or footer file, made from all the copies there are.
//
// Invariants: copies of a pack are the same bytes, so what is rotten in one is taken from another, stretch by stretch; the new copy gets its
// name only after every byte of it was read back from the medium and verified; the copies it is made from are not changed. Repair never
// makes it worse.

import { ArchiveError, type PackId } from '../base/index.ts';
import type { DiskFile } from '../disk/index.ts';
import { footerFolder, footerPath, partSuffix, sealedFolder, sealedPath } from './paths.ts';
import type { PlacementKind } from './register.ts';
import type { StoreDisk } from './store-disk.ts';
import { type Problem, verifyCopy } from './verify-pack.ts';

const windowBytes = 4 * 1024 * 1024;

export type RestoreOptions = {
  readonly pack: PackId;
  readonly kind: PlacementKind;
  readonly target: StoreDisk;
  /** Open for reading, the likeliest to be whole first. The target's own bad copy may be among them. */
  readonly sources: readonly DiskFile[];
  readonly pace: (bytes: number) => Promise<void>;
};

/** Empty: the copy is whole and in place. Otherwise what no source could give; then nothing was replaced. */
export async function restoreCopy(options: RestoreOptions): Promise<readonly Problem[]> {
  const { pack, kind, target, sources } = options;
  const path = kind === 'pack' ? sealedPath(pack) : footerPath(pack);
  const part = `${path}${partSuffix}`;
  await target.disk.makeFolder(kind === 'pack' ? sealedFolder(pack) : footerFolder(pack));
  await target.disk.remove(part);
  const sizeBytes = await commonSize(sources);
  const file = await target.disk.open(part, 'create');
  let problems: readonly Problem[] = [];
  try {
    let next = 0;
    await patch(file, sources, 0, sizeBytes, next, options.pace);
    for (;;) {
      await file.sync();
      problems = (await verifyCopy({ file, kind, pace: options.pace })).problems;
      next += 1;
      if (problems.length === 0 || next >= sources.length) break;
      for (const problem of patchable(problems, sizeBytes)) {
        await patch(file, sources, problem.offset, problem.sizeBytes, next, options.pace);
      }
    }
  } finally {
    await file.close();
  }
  if (problems.length === 0) await target.disk.rename(part, path);
  else await target.disk.remove(part);
  return problems;
}

/** Copies agree on their length, unless one was cut short. */
async function commonSize(sources: readonly DiskFile[]): Promise<number> {
  const sizes = await Promise.all(sources.map((source) => source.sizeBytes()));
  const sizeBytes = Math.max(0, ...sizes);
  if (sizeBytes === 0) throw new ArchiveError('RECORD_LOST', 'no copy is left to restore from');
  return sizeBytes;
}

/** A group or a root that fails because of a record is right again when the record is; without one, the whole is fetched again. */
function patchable(problems: readonly Problem[], sizeBytes: number): readonly Problem[] {
  const exact = problems.filter((problem) => problem.what !== 'root' && problem.sizeBytes > 0);
  if (exact.some((problem) => problem.what === 'locator') || exact.length === 0)
    return [{ what: 'root', offset: 0, sizeBytes }];
  return exact;
}

/** Copies a stretch from source number `from`, or from the others where that one cannot be read. */
async function patch(
  to: DiskFile,
  sources: readonly DiskFile[],
  offset: number,
  sizeBytes: number,
  from: number,
  pace: (bytes: number) => Promise<void>,
): Promise<void> {
  for (let done = 0; done < sizeBytes; ) {
    const length = Math.min(windowBytes, sizeBytes - done);
    let bytes: Uint8Array | undefined;
    for (let turn = 0; turn < sources.length && bytes === undefined; turn += 1) {
      const source = sources[(from + turn) % sources.length] as DiskFile;
      bytes = await source.read(offset + done, length).catch(() => undefined);
      if (bytes !== undefined && bytes.byteLength < length) bytes = undefined;
    }
    // Nobody can read it: zeros stand in, and the verification names what they cost.
    await to.write(offset + done, [bytes ?? new Uint8Array(length)]);
    await pace(length);
    done += length;
  }
}
