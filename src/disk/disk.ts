// The Disk: one folder on one file system, and the only way that any room reads or writes files.
//
// Invariants every implementation keeps (disk-conformance.ts shows them): a path is relative to the disk's root,
// '/'-separated and made of plain segments; a method that says "durable" has resolved only after everything a power cut
// could take back was synced; a write is whole or an error; a failed sync poisons the file, since the kernel forgets
// dirty pages after telling us once; every failure is an ArchiveError that names the disk's label and our own path,
// never a byte of content.
// Left out on purpose: what the bytes mean, checksums (whoever reads a record checks it), moving or removing folders,
// symbolic links, and retries: a disk reports, the vault decides.
//
// Failures any method may report: DISK_MISSING (the root is gone), DISK_READ_ONLY (the file system or its rights
// refuse), DISK_FULL, BUSY (too many open files), DISK_IO (everything else), ARGUMENT_INVALID (a path that is not one).
// Others are named at the method.

export type OpenMode = 'read' | 'write' | 'create';

export interface Disk {
  /** For messages and the operator; holds no secret. */
  readonly label: string;

  /**
   * 'read' and 'write' open a file that is there (FILE_MISSING when it is not); 'write' also reads, and never shortens
   * the file. 'create' makes one that was not there (FILE_EXISTS when it was), readable and writable by its owner only.
   * Durable: the name, when 'create' or 'write' resolves - the folder is synced, so syncing the file is enough from
   * then on.
   * Safe to repeat: 'read' and 'write' are; a 'create' that failed may have left an empty file behind.
   * DISK_POISONED: 'write' on a file whose sync failed while this disk was open. BUSY: `filesOpenMax` files are open.
   */
  open(path: string, mode: OpenMode): Promise<DiskFile>;

  /** Of a file; undefined when there is none (a folder is not a file). */
  stat(path: string): Promise<FileFacts | undefined>;

  /**
   * Names of files and folders directly in `folder` ('' is the root), sorted by code unit; [] when the folder is
   * absent.
   */
  list(folder: string): Promise<string[]>;

  /** With its parents. Durable when it resolves; safe to repeat. */
  makeFolder(path: string): Promise<void>;

  /**
   * Of a file; replaces a file at `to`. Durable when it resolves: the folder of `to` is synced first, then that of
   * `from`. The bytes are as durable as they were: sync the file before. A power cut on the way leaves the old name,
   * the new one, or both; never neither. FILE_MISSING when `from` (a folder is not a file) or the folder of `to` is
   * absent, so a repeat after success says so.
   */
  rename(from: string, to: string): Promise<void>;

  /**
   * Of a file; one that is absent is fine. Durable when it resolves; safe to repeat. Files still open stay readable.
   */
  remove(path: string): Promise<void>;

  /** The whole file; undefined when absent; LIMIT_EXCEEDED when it is larger than `sizeBytesMax`. */
  readWhole(path: string, sizeBytesMax: number): Promise<Uint8Array | undefined>;

  /**
   * Replaces or makes a file in one stroke: after a crash it holds all of the old bytes or all of the new. Durable when
   * it resolves; safe to repeat. On an error either may be there. Calls for one path run in the order they were made.
   * FILE_MISSING when the folder is absent.
   */
  writeWhole(path: string, bytes: Uint8Array): Promise<void>;

  /** What this process may still use, and the size of the whole. */
  space(): Promise<DiskSpace>;

  /**
   * Takes the disk for this process: DATA_LOCKED, naming the holder's pid, while anyone (this process included) holds
   * it. The kernel lets go when the holder dies, however it dies; nothing is ever unlocked by hand. `release` is safe
   * to repeat.
   */
  lock(): Promise<DiskLock>;
}

export interface DiskFile {
  /** The path it was opened by; a rename does not change it. */
  readonly path: string;

  /**
   * A fresh buffer that the caller owns, or the beginning of `into` where that is given and long enough; shorter than
   * `length` only at the end of the file. May come from the page cache.
   */
  read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array>;

  /**
   * As `read`, past this machine's page cache: what a verification after a write must use. `cached` is true where the
   * file system gives no such way (memory file systems, ZFS, FUSE): then the bytes prove nothing about the medium.
   */
  readUncached(offset: number, length: number): Promise<UncachedRead>;

  /**
   * All the parts, one after another from `offset`, or an error; after an error any of these bytes may have changed.
   * Parts must not change until it resolves. Not durable: `sync` is. Writes of one file may run side by side where they
   * do not overlap; their order on the medium is open until a sync. A gap before `offset` reads as zeros. Safe to
   * repeat.
   */
  write(offset: number, parts: readonly Uint8Array[]): Promise<void>;

  /**
   * Durable: every write and truncate of this file that had resolved before the call. A failure poisons the file: this
   * and every later write, truncate, sync and open for writing is refused (DISK_POISONED after the first error),
   * because a repeated sync would succeed without having written anything. Reading goes on. Only a restart of the
   * process, which reads everything again, ends it.
   */
  sync(): Promise<void>;

  /**
   * `write` and then a `sync` of these bytes, in one call of the kernel where it can be one. Durable when it resolves; safe to
   * repeat. A failure that may have come from the sync poisons the file as `sync` does. Not for bytes that were written before
   * it: they may need a `sync` of their own.
   */
  writeDurably(offset: number, parts: readonly Uint8Array[]): Promise<void>;

  /** Shortens, or lengthens with zeros. Durable after the next `sync`. */
  truncate(sizeBytes: number): Promise<void>;

  sizeBytes(): Promise<number>;

  /**
   * Waits for what is under way, then closes. Safe to repeat, and never fails: what was not synced was never promised.
   * Later calls: CLOSED.
   */
  close(): Promise<void>;
}

export type FileFacts = { sizeBytes: number; modifiedMs: number };
export type DiskSpace = { freeBytes: number; totalBytes: number };
export type DiskLock = { release(): Promise<void> };
export type UncachedRead = { bytes: Uint8Array; cached: boolean };

/** The most that one read returns: far above a record, far below what could hurt the process. LIMIT_EXCEEDED beyond. */
export const readSizeBytesMax = 256 * 1024 * 1024;

/** Open DiskFiles of one disk: each takes up to three descriptors, of the usual 4,096 or more. BUSY beyond. */
export const filesOpenMaxDefault = 1000;
