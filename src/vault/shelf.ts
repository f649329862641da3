// The shelf: the archive's disks, and files of packs held open for reading.
//
// Invariants: at most `readFilesMax` files are held; one in use is closed only when its last user is done; a disk whose identity is gone is
// `missing` from that moment, and nothing is written to it.

import { ArchiveError, type DiskId, isArchiveError, type PackId } from '../base/index.ts';
import type { DiskFile } from '../disk/index.ts';
import { Recent } from './cache.ts';
import { footerPath, sealedPath } from './paths.ts';
import type { PlacementKind } from './register.ts';
import type { StoreDisk } from './store-disk.ts';

type Held = { readonly file: Promise<DiskFile>; users: number; dropped: boolean };

export class Shelf {
  readonly stores: StoreDisk[];
  readonly #files: Recent<string, Held>;

  constructor(stores: readonly StoreDisk[], readFilesMax: number) {
    this.stores = [...stores];
    this.#files = new Recent(readFilesMax, (held) => {
      held.dropped = true;
      closeWhenUnused(held);
    });
  }

  store(disk: DiskId): StoreDisk | undefined {
    return this.stores.find((store) => store.id === disk);
  }

  present(): StoreDisk[] {
    return this.stores.filter((store) => store.state !== 'missing');
  }

  writable(): StoreDisk[] {
    return this.stores.filter((store) => store.state === 'present');
  }

  /** Lends the file of a sealed pack, or of its footer, to `work`. DISK_MISSING, FILE_MISSING. */
  async withFile<T>(disk: DiskId, pack: PackId, kind: PlacementKind, work: (file: DiskFile) => Promise<T>): Promise<T> {
    const store = this.store(disk);
    if (store === undefined || store.state === 'missing')
      throw new ArchiveError('DISK_MISSING', 'a disk of this archive is not attached');
    const path = kind === 'pack' ? sealedPath(pack) : footerPath(pack);
    const key = `${disk}/${path}`;
    let held = this.#files.get(key);
    if (held === undefined) {
      held = { file: store.disk.open(path, 'read'), users: 0, dropped: false };
      this.#files.set(key, held);
    }
    held.users += 1;
    try {
      return await work(await held.file);
    } catch (error) {
      if (isArchiveError(error, 'DISK_MISSING')) store.state = 'missing';
      this.#files.delete(key);
      throw error;
    } finally {
      held.users -= 1;
      if (held.dropped) closeWhenUnused(held);
    }
  }

  /** After a file was replaced or removed: the next reader opens it anew. */
  forget(disk: DiskId, pack: PackId): void {
    this.#files.delete(`${disk}/${sealedPath(pack)}`);
    this.#files.delete(`${disk}/${footerPath(pack)}`);
  }

  close(): void {
    this.#files.clear();
  }
}

function closeWhenUnused(held: Held): void {
  if (held.users > 0) return;
  // Closing never fails, and a file that never opened needs none.
  void held.file.then(
    (file) => file.close(),
    () => undefined,
  );
}
