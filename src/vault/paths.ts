// Where packs lie on a disk (FORMAT.md 8). Folders are a convenience: a pack says in its header who it is.

import { isHex128, type PackId, packId } from '../base/index.ts';

export const identityPath = 'stele-disk.json';
export const keyringPath = 'keyring.json';
export const markPath = 'catalog-mark.json';
export const openFolder = 'open';
export const packsFolder = 'packs';
export const footersFolder = 'footers';

export const packSuffix = '.pack';
export const footerSuffix = '.foot';
/** A copy under way: never read, removed at the next start. All lie in the open folder, where a start looks. */
export const partSuffix = '.part';

export function partPath(pack: PackId, kind: 'pack' | 'footer'): string {
  return `${openFolder}/${pack}${kind === 'pack' ? packSuffix : footerSuffix}${partSuffix}`;
}

export function openPath(pack: PackId): string {
  return `${openFolder}/${pack}${packSuffix}`;
}

export function sealedFolder(pack: PackId): string {
  return `${packsFolder}/${pack.slice(0, 2)}`;
}

export function sealedPath(pack: PackId): string {
  return `${sealedFolder(pack)}/${pack}${packSuffix}`;
}

export function footerFolder(pack: PackId): string {
  return `${footersFolder}/${pack.slice(0, 2)}`;
}

export function footerPath(pack: PackId): string {
  return `${footerFolder(pack)}/${pack}${footerSuffix}`;
}

/** The pack that a file of this name claims to be. */
export function packOfName(name: string, suffix: string): PackId | undefined {
  if (!name.endsWith(suffix)) return undefined;
  const stem = name.slice(0, -suffix.length);
  return isHex128(stem) ? packId(stem) : undefined;
}
