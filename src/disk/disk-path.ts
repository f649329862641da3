// Paths on a disk: what is one, its folder, and the few names the disk keeps for itself.
//
// Invariants: a checked path stays below the root by construction (no empty, '.' or '..' segment, no absolute path) and
// is spelled in characters that every file system and every other medium takes. A refused path is not repeated in the
// message: it may come from a peer.
// Left out: symbolic links inside the root. Only an operator can make one there, and then means it.

import { ArchiveError } from '../base/index.ts';

const segmentForm = /^[A-Za-z0-9_+=@-][A-Za-z0-9_.+=@-]*$/;
export const segmentBytesMax = 200; // of the usual 255, so that a suffix of ours fits
export const pathBytesMax = 1000;

/**
 * A file being replaced by writeWhole is written under its name and this; a crash may leave one, and the next
 * writeWhole takes it over.
 */
export const writingSuffix = '.writing';
export const lockName = 'stele.lock';
export const lockHolderName = 'stele.lock.json';

/** Names that no caller may use and that `list` leaves out. */
export function isReservedName(name: string): boolean {
  return (
    name === lockName || name === lockHolderName || name.startsWith(`${lockName}-`) || name.endsWith(writingSuffix)
  );
}

export function checkPath(path: string): void {
  if (!isPath(path)) throw new ArchiveError('ARGUMENT_INVALID', 'not a path on a disk: plain segments separated by /');
}

/** As checkPath, and '' for the root. */
export function checkFolder(path: string): void {
  if (path !== '') checkPath(path);
}

function isPath(path: string): boolean {
  if (path.length > pathBytesMax) return false;
  for (const segment of path.split('/')) {
    if (segment.length > segmentBytesMax || !segmentForm.test(segment) || isReservedName(segment)) return false;
  }
  return true;
}

/** '' for a path directly in the root. */
export function folderOf(path: string): string {
  const cut = path.lastIndexOf('/');
  return cut < 0 ? '' : path.slice(0, cut);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The folders from the top down to `folder` itself; none for the root. */
export function foldersDownTo(folder: string): string[] {
  if (folder === '') return [];
  const segments = folder.split('/');
  return segments.map((_, index) => segments.slice(0, index + 1).join('/'));
}
