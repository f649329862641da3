// From the kernel's error numbers to our codes: one table for the real disk and its twin.
//
// Invariants: a message holds the disk's label, what was tried, our own path and the error's name; never content.
// ENOENT is decided by the caller, which alone can tell a missing file from a missing disk.

import { ArchiveError, AssertionFault, type ErrorCode } from '../base/index.ts';

const codeOfErrno: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EROFS: 'DISK_READ_ONLY',
  EACCES: 'DISK_READ_ONLY',
  EPERM: 'DISK_READ_ONLY',
  ENODEV: 'DISK_MISSING',
  ENXIO: 'DISK_MISSING',
  ESTALE: 'DISK_MISSING',
  ENOTCONN: 'DISK_MISSING',
  ENOENT: 'FILE_MISSING',
  ENOTDIR: 'FILE_MISSING', // a file where the path wants a folder
  EEXIST: 'FILE_EXISTS',
  EMFILE: 'BUSY',
  ENFILE: 'BUSY',
};

export type DiskAction = { readonly label: string; readonly action: string; readonly path?: string };

function textOf(at: DiskAction): string {
  return at.path === undefined || at.path === ''
    ? `disk ${at.label}: ${at.action}`
    : `disk ${at.label}: ${at.action} ${at.path}`;
}

export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** Anything thrown by the file system, as an ArchiveError; one that already is passes through. */
export function diskError(error: unknown, at: DiskAction): ArchiveError {
  if (error instanceof AssertionFault) throw error; // a mistake of ours is no failure of the disk
  if (error instanceof ArchiveError) return error;
  const errno = errnoOf(error);
  const code = (errno === undefined ? undefined : codeOfErrno[errno]) ?? 'DISK_IO';
  // The original message repeats absolute paths; its number is enough.
  return new ArchiveError(code, `${textOf(at)}: ${errno ?? 'failed'}`, { cause: error });
}

export function missingDisk(at: DiskAction): ArchiveError {
  return new ArchiveError('DISK_MISSING', `${textOf(at)}: the disk's folder is gone`);
}

export function poisonedFile(at: DiskAction): ArchiveError {
  return new ArchiveError('DISK_POISONED', `${textOf(at)}: a sync of this file failed before`);
}

export function closedFile(at: DiskAction): ArchiveError {
  return new ArchiveError('CLOSED', `${textOf(at)}: the file is closed`);
}

export function tooManyOpen(at: DiskAction, filesOpenMax: number): ArchiveError {
  return new ArchiveError('BUSY', `${textOf(at)}: ${filesOpenMax} files are open`);
}

export function tooLarge(at: DiskAction, sizeBytes: number, sizeBytesMax: number): ArchiveError {
  return new ArchiveError('LIMIT_EXCEEDED', `${textOf(at)}: ${sizeBytes} bytes, at most ${sizeBytesMax}`);
}
