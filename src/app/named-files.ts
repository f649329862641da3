// Files that a person names on the command line: looked at and read, and what is wrong with the name said with one code for each reason.
//
// Invariants: whatever the system says of a path becomes an ArchiveError here, never a mistake of ours; what is read whole is a regular file
// (or, where asked for, a pipe) within a limit, so that a device or an endless file cannot hold up who reads it.

import fs from 'node:fs';
import path from 'node:path';
import { ArchiveError, type ErrorCode } from '../base/index.ts';

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'FILE_MISSING',
  ENOTDIR: 'FILE_MISSING',
  ELOOP: 'FILE_MISSING',
  ENAMETOOLONG: 'FILE_MISSING',
  EEXIST: 'FILE_EXISTS',
  EISDIR: 'ARGUMENT_INVALID',
  EACCES: 'ACCESS_DENIED',
  EPERM: 'ACCESS_DENIED',
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EROFS: 'DISK_READ_ONLY',
};

const hints: Partial<Record<ErrorCode, string>> = {
  ACCESS_DENIED: 'the user that the archive runs as needs the right',
  ARGUMENT_INVALID: 'name a file, not a folder',
  DISK_IO: 'check the file and the medium it lies on',
};

export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** What the system said of a path; `says` is a sentence about it. An error without a system's code passes through. */
export function fileFault(error: unknown, says: string, hint?: string): unknown {
  const code = systemCode(error);
  if (error instanceof ArchiveError || code === undefined) return error;
  const known = codes[code] ?? 'DISK_IO';
  const advice = hint ?? hints[known];
  return new ArchiveError(known, `${says} (${code})`, {
    cause: error,
    ...(advice === undefined ? {} : { hint: advice }),
  });
}

/** What lies at a path, links followed or not; undefined when there is nothing. FILE_MISSING, ACCESS_DENIED. */
export function lookAt(file: string | Buffer, shown: string, how: { follow: boolean }): fs.Stats | undefined {
  try {
    return how.follow ? fs.statSync(file) : fs.lstatSync(file);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw fileFault(error, `${shown} cannot be looked at`);
  }
}

/** The same file without links on the way. FILE_MISSING, ACCESS_DENIED. */
export function withoutLinks(file: string, shown: string): string {
  try {
    return fs.realpathSync(file);
  } catch (error) {
    throw fileFault(error, `${shown} cannot be looked at`);
  }
}

/** The content of a regular file. FILE_MISSING, ACCESS_DENIED, ARGUMENT_INVALID for a folder or a device, LIMIT_EXCEEDED. */
export function readFile(file: string, shown: string, limits: { sizeBytesMax: number; pipes: boolean }): Buffer {
  const facts = lookAt(file, shown, { follow: true });
  if (facts === undefined) throw new ArchiveError('FILE_MISSING', `${shown} is not there`);
  if (!facts.isFile() && !(limits.pipes && facts.isFIFO())) {
    throw new ArchiveError('ARGUMENT_INVALID', `${shown} is no file`, { hint: 'name a regular file' });
  }
  try {
    const fd = fs.openSync(file, 'r');
    try {
      return readUpTo(fd, shown, limits.sizeBytesMax);
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    throw fileFault(error, `${shown} cannot be read`);
  }
}

const pieceBytes = 64 * 1024;

/** A regular file piece by piece; each is the caller's until it asks for the next. FILE_MISSING, ACCESS_DENIED, ARGUMENT_INVALID, DISK_IO. */
export async function* filePieces(file: string, shown: string): AsyncGenerator<Uint8Array> {
  const facts = lookAt(file, shown, { follow: true });
  if (facts === undefined) throw new ArchiveError('FILE_MISSING', `${shown} is not there`);
  if (!facts.isFile())
    throw new ArchiveError('ARGUMENT_INVALID', `${shown} is no file`, { hint: 'name a regular file' });
  let handle: fs.promises.FileHandle | undefined;
  try {
    handle = await fs.promises.open(file, 'r');
    const piece = Buffer.allocUnsafe(pieceBytes);
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, pieceBytes, null);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
    }
  } catch (error) {
    throw fileFault(error, `${shown} cannot be read`);
  } finally {
    await handle?.close();
  }
}

function readUpTo(fd: number, shown: string, sizeBytesMax: number): Buffer {
  const pieces: Buffer[] = [];
  for (let sizeBytes = 0; ; ) {
    const piece = Buffer.allocUnsafe(pieceBytes);
    const count = fs.readSync(fd, piece, 0, pieceBytes, null);
    if (count === 0) return Buffer.concat(pieces);
    sizeBytes += count;
    if (sizeBytes > sizeBytesMax)
      throw new ArchiveError('LIMIT_EXCEEDED', `${shown} is longer than ${sizeBytesMax} bytes`);
    pieces.push(piece.subarray(0, count));
  }
}

/** A path as a person gave it: one that ends in a slash means a folder. */
export function meansFolder(text: string): boolean {
  return text.endsWith('/') || (path.sep === '\\' && text.endsWith('\\'));
}
