// PhaseDisk: a disk that tells by name what the vault is about to do, or has just done, so that a process can be killed there.
//
// A phase is 'before' or 'after' a named act; the names follow the files, so product code holds no hook. A phase that the vault no longer passes is
// never told, and the tests that wait for it fail.

import type { Disk, DiskFile, OpenMode } from '../../src/disk/index.ts';

export const acts = [
  'identity write',
  'pack create',
  'first group write',
  'first group sync',
  'later group write',
  'later group sync',
  'footer sync',
  'footer file create',
  'footer file sync',
  'footer file rename',
  'pack move',
  'pack remove',
  'footer file remove',
  'copy create',
  'copy sync',
  'copy rename',
] as const;
export type Act = (typeof acts)[number];
export type Phase = `${'before' | 'after'} ${Act}`;

export function phaseDisk(disk: Disk, onPhase: (phase: Phase) => void): Disk {
  const around = async <T>(act: Act | undefined, work: () => Promise<T>): Promise<T> => {
    if (act !== undefined) onPhase(`before ${act}`);
    const result = await work();
    if (act !== undefined) onPhase(`after ${act}`);
    return result;
  };
  return {
    label: disk.label,
    open: async (path, mode) => fileWith(await around(createOf(path, mode), () => disk.open(path, mode)), path, around),
    rename: (from, to) => around(renameOf(from), () => disk.rename(from, to)),
    remove: (path) => around(removeOf(path), () => disk.remove(path)),
    writeWhole: (path, bytes) =>
      around(path === 'stele-disk.json' ? 'identity write' : undefined, () => disk.writeWhole(path, bytes)),
    stat: (path) => disk.stat(path),
    list: (folder) => disk.list(folder),
    makeFolder: (path) => disk.makeFolder(path),
    readWhole: (path, sizeBytesMax) => disk.readWhole(path, sizeBytesMax),
    space: () => disk.space(),
    lock: () => disk.lock(),
  };
}

function createOf(path: string, mode: OpenMode): Act | undefined {
  if (mode !== 'create') return undefined;
  if (path.endsWith('.foot.part')) return 'footer file create';
  return path.endsWith('.pack.part') ? 'copy create' : 'pack create';
}

function renameOf(from: string): Act {
  if (from.endsWith('.foot.part')) return 'footer file rename';
  return from.endsWith('.pack.part') ? 'copy rename' : 'pack move';
}

function removeOf(path: string): Act | undefined {
  if (path.startsWith('packs/')) return 'pack remove';
  return path.startsWith('footers/') && path.endsWith('.foot') ? 'footer file remove' : undefined;
}

type Around = <T>(act: Act | undefined, work: () => Promise<T>) => Promise<T>;

/** Of an open pack the first write is its first group, one after a cut is its footer, any other a later group. */
function fileWith(file: DiskFile, path: string, around: Around): DiskFile {
  let writes = 0;
  let isCut = false;
  const isPack = path.startsWith('open/') && path.endsWith('.pack');
  const actOf = (what: 'write' | 'sync'): Act | undefined => {
    if (path.endsWith('.part') && what === 'sync')
      return path.endsWith('.foot.part') ? 'footer file sync' : 'copy sync';
    if (!isPack) return undefined;
    if (isCut) return what === 'sync' ? 'footer sync' : undefined;
    return writes <= 1 ? `first group ${what}` : `later group ${what}`;
  };
  const write: DiskFile['write'] = (offset, parts) => {
    writes += 1;
    return around(actOf('write'), () => file.write(offset, parts));
  };
  const sync: DiskFile['sync'] = () => around(actOf('sync'), () => file.sync());
  return {
    path: file.path,
    read: (offset, length) => file.read(offset, length),
    readUncached: (offset, length) => file.readUncached(offset, length),
    write,
    sync,
    writeDurably: async (offset, parts) => {
      await write(offset, parts);
      await sync();
    },
    truncate: (sizeBytes) => {
      isCut = true;
      return file.truncate(sizeBytes);
    },
    sizeBytes: () => file.sizeBytes(),
    close: () => file.close(),
  };
}
