// Stray copies: files in the open folder of a pack that is sealed elsewhere. A mirror that failed leaves one, or a disk that was away when its pack
// was sealed, or a crash that let one copy get its footer and not the other.
//
// Invariants: all copies of a pack are the same bytes, so a stray is never sealed by itself while a sealed copy is at hand; it is removed only when
// its disk has a whole copy in its place; until then what it holds helps to restore others.

import type { PackId } from '../base/index.ts';
import type { DiskFile } from '../disk/index.ts';
import type { Losses } from './losses.ts';
import { openPath, sealedPath } from './paths.ts';
import type { Register } from './register.ts';
import { restoreCopy } from './restore-copy.ts';
import type { Shelf } from './shelf.ts';
import type { StoreDisk } from './store-disk.ts';

export type StrayOptions = {
  readonly shelf: Shelf;
  readonly register: Register;
  readonly losses: Losses;
  readonly pack: PackId;
  readonly store: StoreDisk;
  readonly pace: (bytes: number) => Promise<void>;
};

/** Makes a whole copy on this disk from the sealed ones and what the stray holds, then removes the stray. False: no whole copy can be made. */
export async function replaceStray(options: StrayOptions): Promise<boolean> {
  const { shelf, register, losses, pack, store, pace } = options;
  const sources = await copiesOf(shelf, pack);
  if (sources.length === 0) return false;
  try {
    const stray = await store.disk.open(openPath(pack), 'read').catch(() => undefined);
    if (stray !== undefined) sources.push(stray);
    const { problems } = await restoreCopy({ pack, kind: 'pack', target: store, sources, pace });
    // What every copy lacks is known already, and keeps no stray.
    if ((await losses.newOf(pack, problems)).length > 0) return false;
  } finally {
    for (const source of sources) await source.close();
  }
  shelf.forget(store.id, pack);
  await register.place({ pack, disk: store.id, kind: 'pack', state: 'good', verifiedMs: 0 });
  await store.disk.remove(openPath(pack));
  return true;
}

/** The sealed copies that can be opened, wherever the register believes them to be. */
export async function copiesOf(shelf: Shelf, pack: PackId): Promise<DiskFile[]> {
  const files: DiskFile[] = [];
  for (const store of shelf.present()) {
    const file = await store.disk.open(sealedPath(pack), 'read').catch(() => undefined);
    if (file !== undefined) files.push(file);
  }
  return files;
}
