// A Disk on a folder of a real file system.
//
// Invariants: every name this disk made, or opened for writing, is durable (its folder synced) before the caller hears
// of it; the root is the folder that was opened, recognised by device and inode: when it is gone, or an unmounted disk
// left an empty folder in its place, nothing is created there and everything missing is DISK_MISSING.
// Left out: which disk this is (the vault keeps an identity file), and Windows' and other systems' ways past the page
// cache.

import fs from 'node:fs';
import path from 'node:path';
import { ArchiveError, assert } from '../base/index.ts';
import {
  type Disk,
  type DiskFile,
  type DiskLock,
  type DiskSpace,
  type FileFacts,
  filesOpenMaxDefault,
  type OpenMode,
} from './disk.ts';
import { diskError, errnoOf, missingDisk, poisonedFile, tooLarge, tooManyOpen } from './disk-errors.ts';
import { checkFolder, checkPath, folderOf, foldersDownTo, isReservedName, writingSuffix } from './disk-path.ts';
import { FileHealths } from './file-health.ts';
import { lockFolder } from './lock.ts';
import { PathQueue } from './path-queue.ts';
import { RealFile } from './real-file.ts';
import * as calls from './system-calls.ts';

export type RealDiskOptions = {
  /** The root: a folder that exists. */
  readonly folder: string;
  /** For messages; the folder when left out. */
  readonly label?: string;
  readonly filesOpenMax?: number;
  /** 'never' keeps every write and read in the page cache: for file systems that are slow or wrong with O_DIRECT. */
  readonly direct?: 'auto' | 'never';
};

type RootIdentity = { readonly device: number; readonly inode: number };

/** File systems that let us open with O_DIRECT and then answer from memory: tmpfs, ramfs, ZFS, FUSE. */
const cachingFileSystems = new Set([0x01021994, 0x858458f6, 0x2fc12fc1, 0x65735546]);

/** DISK_MISSING when the folder is not there: whoever sets up a disk makes its folder. */
export async function openRealDisk(options: RealDiskOptions): Promise<RealDisk> {
  const folder = path.resolve(options.folder);
  const label = options.label ?? folder;
  const at = { label, action: 'open the disk' };
  try {
    const root = await calls.statPath(folder);
    if (!root.isDirectory()) throw new ArchiveError('DISK_MISSING', `disk ${label}: not a folder`);
    const { type } = await calls.statFileSystem(folder);
    const wanted = options.direct !== 'never' && process.platform === 'linux';
    return new RealDisk({
      folder,
      label,
      identity: { device: root.dev, inode: root.ino },
      direct: wanted && !cachingFileSystems.has(type),
      filesOpenMax: options.filesOpenMax ?? filesOpenMaxDefault,
    });
  } catch (error) {
    throw errnoOf(error) === 'ENOENT' ? missingDisk(at) : diskError(error, at);
  }
}

type RealDiskParts = {
  readonly folder: string;
  readonly label: string;
  readonly identity: RootIdentity;
  readonly direct: boolean;
  readonly filesOpenMax: number;
};

export class RealDisk implements Disk {
  readonly label: string;
  readonly #folder: string;
  readonly #identity: RootIdentity;
  readonly #direct: boolean;
  readonly #filesOpenMax: number;
  readonly #healths = new FileHealths();
  /** Folders whose own name is durable. */
  readonly #foldersMade = new Set<string>();
  /** Folders whose entries, as this process found them, are durable. */
  readonly #foldersSynced = new Set<string>();
  readonly #replacing = new PathQueue();
  #filesOpen = 0;

  /** See openRealDisk. */
  constructor(parts: RealDiskParts) {
    assert(parts.filesOpenMax > 0, 'a disk allows open files');
    this.label = parts.label;
    this.#folder = parts.folder;
    this.#identity = parts.identity;
    this.#direct = parts.direct;
    this.#filesOpenMax = parts.filesOpenMax;
  }

  async open(name: string, mode: OpenMode): Promise<DiskFile> {
    checkPath(name);
    return this.#try(`open for ${mode}`, name, async (at) => {
      if (mode === 'write' && this.#healths.isPoisoned(name)) throw poisonedFile(at);
      if (this.#filesOpen >= this.#filesOpenMax) throw tooManyOpen(at, this.#filesOpenMax);
      this.#filesOpen += 1;
      try {
        return await this.#open(name, mode);
      } catch (error) {
        this.#filesOpen -= 1;
        throw error;
      }
    });
  }

  async #open(name: string, mode: OpenMode): Promise<RealFile> {
    const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_DIRECT } = fs.constants;
    if (mode === 'create') await this.#checkRoot();
    const access = mode === 'read' ? O_RDONLY : O_RDWR;
    const fd = await calls.openFd(this.#full(name), mode === 'create' ? access | O_CREAT | O_EXCL : access);
    try {
      if (!(await calls.statFd(fd)).isFile())
        throw new ArchiveError('DISK_IO', `disk ${this.label}: ${name} is no file`);
      // A file that is opened for writing may have been made by a process that died before it synced the folder.
      if (mode === 'create') await this.#syncFolder(folderOf(name));
      else if (mode === 'write') await this.#syncFolderOnce(folderOf(name));
    } catch (error) {
      await calls.closeFd(fd).catch(() => undefined);
      throw error;
    }
    if (mode === 'create') this.#healths.removed(name);
    const health = this.#healths.take(name);
    return new RealFile({
      path: name,
      label: this.label,
      mode,
      fd,
      health,
      directFlags: this.#direct ? access | O_DIRECT : undefined,
      onClose: () => {
        this.#filesOpen -= 1;
        this.#healths.give(health);
      },
    });
  }

  async stat(name: string): Promise<FileFacts | undefined> {
    checkPath(name);
    return this.#try('stat', name, async () => {
      const facts = await this.#orAbsent(calls.statPath(this.#full(name)));
      return facts?.isFile() === true ? { sizeBytes: facts.size, modifiedMs: facts.mtimeMs } : undefined;
    });
  }

  async list(folder: string): Promise<string[]> {
    checkFolder(folder);
    return this.#try('list', folder, async () => {
      const names = (await this.#orAbsent(calls.listNames(this.#full(folder)))) ?? [];
      return names.filter((name) => !isReservedName(name)).sort();
    });
  }

  async makeFolder(folder: string): Promise<void> {
    checkPath(folder);
    return this.#try('make the folder', folder, async () => {
      await this.#checkRoot();
      for (const each of foldersDownTo(folder)) {
        if (this.#foldersMade.has(each)) continue;
        try {
          await calls.makeOneFolder(this.#full(each));
        } catch (error) {
          // One that is there may come from a process that died before the sync: it is synced all the same.
          if (errnoOf(error) !== 'EEXIST') throw error;
          if (!(await calls.statPath(this.#full(each))).isDirectory()) throw error;
        }
        await this.#syncFolder(folderOf(each));
        this.#foldersMade.add(each);
      }
    });
  }

  async rename(from: string, to: string): Promise<void> {
    checkPath(from);
    checkPath(to);
    return this.#try('rename', from, async () => {
      await this.#checkRoot();
      const facts = await calls.statPath(this.#full(from));
      if (!facts.isFile()) throw new ArchiveError('FILE_MISSING', `disk ${this.label}: rename: ${from} is no file`);
      await calls.renamePath(this.#full(from), this.#full(to));
      this.#healths.renamed(from, to);
      await this.#syncFolder(folderOf(to));
      if (folderOf(from) !== folderOf(to)) await this.#syncFolder(folderOf(from));
    });
  }

  async remove(name: string): Promise<void> {
    checkPath(name);
    return this.#try('remove', name, async () => {
      await this.#orAbsent(calls.unlinkPath(this.#full(name)));
      this.#healths.removed(name);
      // Also when it was absent: a remove that failed in its sync, or died before it, is finished by a repeat.
      await this.#orAbsent(this.#syncFolder(folderOf(name)));
    });
  }

  async readWhole(name: string, sizeBytesMax: number): Promise<Uint8Array | undefined> {
    checkPath(name);
    return this.#try('read', name, async (at) => {
      const fd = await this.#orAbsent(calls.openFd(this.#full(name), fs.constants.O_RDONLY));
      if (fd === undefined) return undefined;
      try {
        const { size } = await calls.statFd(fd);
        if (size > sizeBytesMax) throw tooLarge(at, size, sizeBytesMax);
        const bytes = new Uint8Array(size);
        const count = await calls.readFull(fd, bytes, 0);
        return count === size ? bytes : bytes.slice(0, count);
      } finally {
        await calls.closeFd(fd).catch(() => undefined);
      }
    });
  }

  async writeWhole(name: string, bytes: Uint8Array): Promise<void> {
    checkPath(name);
    return this.#replacing.run(name, () => this.#try('replace', name, () => this.#replace(name, bytes)));
  }

  async #replace(name: string, bytes: Uint8Array): Promise<void> {
    await this.#checkRoot();
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = fs.constants;
    const temporary = `${this.#full(name)}${writingSuffix}`;
    const fd = await calls.openFd(temporary, O_WRONLY | O_CREAT | O_TRUNC | (O_NOFOLLOW ?? 0));
    try {
      try {
        await calls.writeFull(fd, bytes, 0);
        await calls.syncAll(fd);
      } finally {
        await calls.closeFd(fd).catch(() => undefined);
      }
      await calls.renamePath(temporary, this.#full(name));
    } catch (error) {
      await calls.unlinkPath(temporary).catch(() => undefined); // what stays is taken over by the next one
      throw error;
    }
    this.#healths.removed(name);
    await this.#syncFolder(folderOf(name));
  }

  space(): Promise<DiskSpace> {
    return this.#try('measure', '', async () => {
      await this.#checkRoot();
      const facts = await calls.statFileSystem(this.#folder);
      return { freeBytes: facts.bavail * facts.bsize, totalBytes: facts.blocks * facts.bsize };
    });
  }

  lock(): Promise<DiskLock> {
    return this.#try('lock', '', async () => {
      await this.#checkRoot();
      return lockFolder(this.#folder, this.label);
    });
  }

  #full(name: string): string {
    return name === '' ? this.#folder : `${this.#folder}/${name}`;
  }

  /** Runs `work`; a file that is missing together with the root is a missing disk. */
  async #try<T>(
    action: string,
    name: string,
    work: (at: { label: string; action: string; path: string }) => Promise<T>,
  ): Promise<T> {
    const at = { label: this.label, action, path: name };
    try {
      return await work(at);
    } catch (error) {
      if (isAbsence(error) && !(await this.#rootIsThere())) throw missingDisk(at);
      throw diskError(error, at);
    }
  }

  /** Undefined when what was asked for is absent and the root is not. */
  async #orAbsent<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      if (isAbsence(error) && (await this.#rootIsThere())) return undefined;
      throw error;
    }
  }

  async #rootIsThere(): Promise<boolean> {
    try {
      const root = await calls.statPath(this.#folder);
      return root.dev === this.#identity.device && root.ino === this.#identity.inode;
    } catch {
      return false;
    }
  }

  async #checkRoot(): Promise<void> {
    if (!(await this.#rootIsThere())) throw missingDisk({ label: this.label, action: 'find the disk' });
  }

  async #syncFolderOnce(folder: string): Promise<void> {
    if (this.#foldersSynced.has(folder)) return;
    await this.#syncFolder(folder);
    this.#foldersSynced.add(folder);
  }

  async #syncFolder(folder: string): Promise<void> {
    if (process.platform === 'win32') return; // Windows has no such call: NTFS journals names by itself
    const fd = await calls.openFd(this.#full(folder), fs.constants.O_RDONLY);
    try {
      await calls.syncAll(fd);
    } catch (error) {
      // Some network file systems know no sync of a folder; they make names durable with the call itself, or not at
      // all.
      if (errnoOf(error) !== 'EINVAL' && errnoOf(error) !== 'ENOTSUP') throw error;
    } finally {
      await calls.closeFd(fd).catch(() => undefined);
    }
  }
}

function isAbsence(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}
