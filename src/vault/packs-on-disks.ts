// Files on the disks that by their names are packs, or the footers of packs.
//
// Invariant: what is held in memory is the names of a 256th of all packs: those of one folder on every disk.

import type { PackId } from '../base/index.ts';
import { footerSuffix, footersFolder, packOfName, packSuffix, packsFolder } from './paths.ts';
import type { Shelf } from './shelf.ts';
import type { StoreDisk } from './store-disk.ts';

/** A file on a disk that by its name is a pack, or the footer of one. */
export type FoundFile = { readonly store: StoreDisk; readonly kind: 'pack' | 'footer'; readonly path: string };

/** Names in a folder of a disk; a disk that cannot be listed is left aside. */
export type ListFolder = (store: StoreDisk, folder: string) => Promise<string[]>;

/** Every pack of which there is a file, in the order of ids. */
export async function* packsOnDisks(
  shelf: Shelf,
  list: ListFolder,
): AsyncGenerator<{ pack: PackId; found: FoundFile[] }> {
  for (let prefix = 0; prefix < 256; prefix += 1) {
    const digits = prefix.toString(16).padStart(2, '0');
    const packs = new Map<PackId, FoundFile[]>();
    for (const store of shelf.present()) {
      for (const [folder, suffix, kind] of [
        [packsFolder, packSuffix, 'pack'],
        [footersFolder, footerSuffix, 'footer'],
      ] as const) {
        for (const name of await list(store, `${folder}/${digits}`)) {
          const pack = packOfName(name, suffix);
          if (pack === undefined) continue;
          const found = packs.get(pack) ?? [];
          found.push({ store, kind, path: `${folder}/${digits}/${name}` });
          packs.set(pack, found);
        }
      }
    }
    for (const pack of [...packs.keys()].sort()) yield { pack, found: packs.get(pack) as FoundFile[] };
  }
}
