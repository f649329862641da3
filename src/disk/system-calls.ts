// The file system calls that RealDisk makes, as promises over plain descriptors.
//
// Plain descriptors and callbacks, not FileHandle: no object that the garbage collector may close, and about 10 us less
// a call.
// Invariants: `readFull` and `writeFull` finish what the kernel cut short; no call is repeated after an error.

import fs from 'node:fs';

function call<T>(start: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null) resolve(value);
      else reject(error);
    });
  });
}

function act(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

export const openFd = (path: string, flags: number): Promise<number> =>
  call((done) => fs.open(path, flags, 0o600, done));
export const closeFd = (fd: number): Promise<void> => act((done) => fs.close(fd, (error) => done(error ?? null)));
export const syncData = (fd: number): Promise<void> => act((done) => fs.fdatasync(fd, done));
export const syncAll = (fd: number): Promise<void> => act((done) => fs.fsync(fd, done));
export const truncateFd = (fd: number, sizeBytes: number): Promise<void> =>
  act((done) => fs.ftruncate(fd, sizeBytes, done));
export const statFd = (fd: number): Promise<fs.Stats> => call((done) => fs.fstat(fd, done));
export const statPath = (path: string): Promise<fs.Stats> => call((done) => fs.stat(path, done));
export const statFileSystem = (path: string): Promise<fs.StatsFs> => call((done) => fs.statfs(path, done));
export const listNames = (path: string): Promise<string[]> => call((done) => fs.readdir(path, done));
export const makeOneFolder = (path: string): Promise<void> => act((done) => fs.mkdir(path, 0o700, done));
export const renamePath = (from: string, to: string): Promise<void> => act((done) => fs.rename(from, to, done));
export const unlinkPath = (path: string): Promise<void> => act((done) => fs.unlink(path, done));

export const readOnce = (fd: number, into: Uint8Array, offset: number): Promise<number> =>
  call((done) => fs.read(fd, into, 0, into.byteLength, offset, done));

/** Reads until `into` is full or the file ends; how much there was. */
export async function readFull(fd: number, into: Uint8Array, offset: number): Promise<number> {
  let done = 0;
  while (done < into.byteLength) {
    const count = await readOnce(fd, done === 0 ? into : into.subarray(done), offset + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

export const writeOnce = (fd: number, bytes: Uint8Array, offset: number): Promise<number> =>
  call((done) => fs.write(fd, bytes, 0, bytes.byteLength, offset, done));

export async function writeFull(fd: number, bytes: Uint8Array, offset: number): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const count = await writeOnce(fd, done === 0 ? bytes : bytes.subarray(done), offset + done);
    if (count === 0) throw new Error('the kernel wrote nothing and named no error');
    done += count;
  }
}

/** Linux takes 1,024 parts a call. */
export const partsPerCallMax = 1024;

export async function writePartsFull(fd: number, parts: readonly Uint8Array[], offset: number): Promise<void> {
  let at = offset;
  for (let first = 0; first < parts.length; first += partsPerCallMax) {
    const slice = parts.length <= partsPerCallMax ? parts : parts.slice(first, first + partsPerCallMax);
    let count = await call<number>((done) => fs.writev(fd, slice as Uint8Array[], at, done));
    at += count;
    // A short write is rare (a full disk, a signal): the rest goes part by part, and then names the error.
    for (const part of slice) {
      if (count >= part.byteLength) {
        count -= part.byteLength;
        continue;
      }
      const rest = part.subarray(count);
      count = 0;
      await writeFull(fd, rest, at);
      at += rest.byteLength;
    }
  }
}
