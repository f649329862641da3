// One open file of a real file system: how bytes reach it fast, and how an error is never lost.
//
// Invariants: descriptors close only when nothing uses them (a reused number would send a write into another file); one
// sync runs at a time, because the kernel reports a failed write-back once a descriptor, and of two syncs side by side
// the second would hear "fine"; after a failed sync nothing is written again.
//
// How to write, measured (ext4 on a virtio disk, 2 cores; 8 MiB groups in 512 KiB parts, each followed by fdatasync;
// CPU a group):
//   writev through the page cache                      1,150-1,250 MB/s   3.3 ms
//   the same, file lengthened 64 MiB ahead             1,380 MB/s         2.6 ms   (its size then lies after a crash: not done)
//   the same with O_DSYNC instead of fdatasync         1,190 MB/s         2.9 ms
//   copied to aligned memory, O_DIRECT, one write      1,680-1,750 MB/s   1.5 ms
//   the same in 2 MiB slices side by side              1,800-2,000 MB/s   1.8 ms   <- writes of 1 MiB and more, when aligned
//   from memory that is aligned already, no copy       1,800-2,500 MB/s   0.5 ms   <- one part in shared memory, from 64 KiB
// In parts of 1 KiB the cached way drops to 820-990 MB/s, the direct one to 1,400-1,700. Lengthening ahead gains the
// direct one nothing. 4 KiB + fdatasync takes 0.15-0.2 ms either way, 256 KiB 0.37 ms; so small writes stay in the page
// cache, where the next read finds them. The price of the direct way: its bytes are not in the cache, and the first
// read after it comes from the disk (1,300 MB/s here). Gathering small parts into one buffer before a cached write was
// slower at every size (256 KiB in 4 KiB parts: 130-200 us against 50-90). Without a copy the direct way is the cheaper one from 4 KiB on (64 KiB and
// fdatasync: 0.115 ms, 74 us of CPU against 0.144 and 99; 512 KiB: 0.24 ms, 74 us against 0.36 and 180); below 64 KiB the next read counts for more.
// With O_DSYNC the write is its own sync, one wait and two wake-ups less: 40 to 80 us of CPU, and beside other work a quarter of the time.

import fs from 'node:fs';
import { assert } from '../base/index.ts';
import {
  directBuffersReady,
  directSlotBytes,
  directUnitBytes,
  giveDirectSlot,
  takeDirectSlot,
} from './direct-buffers.ts';
import type { DiskFile, OpenMode, UncachedRead } from './disk.ts';
import { readSizeBytesMax } from './disk.ts';
import { closedFile, diskError, errnoOf, poisonedFile, tooLarge } from './disk-errors.ts';
import type { FileHealth } from './file-health.ts';
import { PartReader } from './part-reader.ts';
import {
  closeFd,
  openFd,
  readFull,
  readOnce,
  statFd,
  syncData,
  truncateFd,
  writeFull,
  writeOnce,
  writePartsFull,
} from './system-calls.ts';

/** From here on a direct write wins (256 KiB: equal; 1 MiB: 0.74 ms against 0.95). */
const directWriteBytesMin = 1024 * 1024;
/** The same where nothing needs to be copied. */
const directInPlaceBytesMin = 64 * 1024;
/** Longer ones go in slices side by side, and one sync for all of them is cheaper than one each. */
const writeThroughBytesMax = directSlotBytes + directSlotBytes / 4;

export type RealFileParts = {
  readonly path: string;
  readonly label: string;
  readonly mode: OpenMode;
  readonly fd: number;
  readonly health: FileHealth;
  /**
   * How to open the same file past the page cache: flags without access mode, or undefined where there is no such way.
   */
  readonly directFlags: number | undefined;
  readonly onClose: () => void;
};

export class RealFile implements DiskFile {
  readonly path: string;
  readonly #label: string;
  readonly #mode: OpenMode;
  readonly #fd: number;
  readonly #health: FileHealth;
  readonly #directFlags: number | undefined;
  readonly #onClose: () => void;
  #direct: Promise<number | undefined> | undefined;
  #through: Promise<number | undefined> | undefined;
  #users = 0;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #syncRunning: Promise<void> | undefined;
  #syncNext: Promise<void> | undefined;

  constructor(parts: RealFileParts) {
    this.path = parts.path;
    this.#label = parts.label;
    this.#mode = parts.mode;
    this.#fd = parts.fd;
    this.#health = parts.health;
    this.#directFlags = parts.directFlags;
    this.#onClose = parts.onClose;
  }

  read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    return this.#use('read', () => this.#readCached(offset, length, into));
  }

  readUncached(offset: number, length: number): Promise<UncachedRead> {
    return this.#use('read', async () => {
      const fd = await this.#directFd();
      if (fd !== undefined) {
        try {
          return { bytes: await this.#readDirect(fd, offset, length), cached: false };
        } catch (error) {
          if (errnoOf(error) !== 'EINVAL') throw error; // larger sectors than ours, or a file system that only let us open
        }
      }
      return { bytes: await this.#readCached(offset, length), cached: true };
    });
  }

  async write(offset: number, parts: readonly Uint8Array[]): Promise<void> {
    assert(this.#mode !== 'read', 'a file is written only when it was opened for it');
    assert(Number.isSafeInteger(offset) && offset >= 0, 'a write begins inside the file');
    return this.#use('write', async () => {
      this.#checkHealthy('write');
      let sizeBytes = 0;
      for (const part of parts) sizeBytes += part.byteLength;
      if (sizeBytes === 0) return;
      const aligned = offset % directUnitBytes === 0 && sizeBytes % directUnitBytes === 0;
      const inPlace = alignedPart(offset, parts);
      const bytesMin = inPlace === undefined ? directWriteBytesMin : directInPlaceBytesMin;
      const direct = aligned && sizeBytes >= bytesMin ? await this.#directFd() : undefined;
      if (direct === undefined) await this.#writeCached(offset, parts);
      else if (inPlace === undefined) await this.#writeDirect(direct, offset, parts, sizeBytes);
      else await this.#writeInPlace(direct, offset, inPlace);
    });
  }

  async writeDurably(offset: number, parts: readonly Uint8Array[]): Promise<void> {
    assert(this.#mode !== 'read', 'a file is written only when it was opened for it');
    const inPlace = alignedPart(offset, parts);
    const isOneCall =
      inPlace !== undefined &&
      inPlace.byteLength >= directInPlaceBytesMin &&
      inPlace.byteLength <= writeThroughBytesMax &&
      (await this.#use('write', () => this.#writeThrough(offset, inPlace)));
    if (isOneCall) return;
    await this.write(offset, parts);
    await this.sync();
  }

  /** Whether all of it is durable; if not, and it was no error, it is to be written and synced. */
  async #writeThrough(offset: number, bytes: Uint8Array): Promise<boolean> {
    this.#checkHealthy('write');
    const fd = await this.#throughFd();
    if (fd === undefined) return false;
    try {
      if ((await writeOnce(fd, bytes, offset)) < bytes.byteLength) return false;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EINVAL') return false;
      // Nothing of it is on the medium when there is no room; whatever else failed may have been the sync.
      if (errno !== 'ENOSPC' && errno !== 'EDQUOT') this.#health.poisoned = true;
      throw error;
    }
    this.#checkHealthy('write');
    return true;
  }

  sync(): Promise<void> {
    return this.#use('sync', () => {
      this.#checkHealthy('sync');
      const running = this.#syncRunning;
      if (running === undefined && this.#syncNext === undefined) return this.#startSync();
      // A sync under way may have passed our bytes already; the one after it serves all who came meanwhile.
      const startNext = (): Promise<void> => this.#startSync();
      this.#syncNext ??= (running ?? Promise.resolve()).then(startNext, startNext);
      return this.#syncNext;
    });
  }

  async truncate(sizeBytes: number): Promise<void> {
    assert(this.#mode !== 'read', 'a file is cut only when it was opened for it');
    assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, 'a file has a size');
    return this.#use('truncate', () => {
      this.#checkHealthy('truncate');
      return truncateFd(this.#fd, sizeBytes);
    });
  }

  sizeBytes(): Promise<number> {
    return this.#use('measure', async () => (await statFd(this.#fd)).size);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#users > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    // An error here speaks of bytes that nobody asked to keep: they were never synced.
    for (const fd of [await this.#direct, await this.#through])
      if (fd !== undefined) await closeFd(fd).catch(() => undefined);
    await closeFd(this.#fd).catch(() => undefined);
    this.#onClose();
  }

  async #use<T>(action: string, work: () => Promise<T>): Promise<T> {
    const at = { label: this.#label, action, path: this.path };
    if (this.#closing !== undefined) throw closedFile(at);
    this.#users += 1;
    try {
      return await work();
    } catch (error) {
      throw diskError(error, at);
    } finally {
      this.#users -= 1;
      if (this.#users === 0) this.#idle?.();
    }
  }

  #checkHealthy(action: string): void {
    if (this.#health.poisoned) throw poisonedFile({ label: this.#label, action, path: this.path });
  }

  #startSync(): Promise<void> {
    this.#syncNext = undefined;
    this.#syncRunning = this.#syncOnce().finally(() => (this.#syncRunning = undefined));
    return this.#syncRunning;
  }

  async #syncOnce(): Promise<void> {
    this.#checkHealthy('sync');
    try {
      await syncData(this.#fd);
    } catch (error) {
      this.#health.poisoned = true;
      throw error;
    }
    // Someone else's descriptor of this file may have been told meanwhile what ours was not.
    this.#checkHealthy('sync');
  }

  async #readCached(offset: number, length: number, given?: Uint8Array): Promise<Uint8Array> {
    this.#checkRead(offset, length);
    const lent = given !== undefined && given.byteLength >= length;
    const into = lent ? given.subarray(0, length) : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    const count = await readFull(this.#fd, into, offset);
    if (count === length) return into;
    return lent ? into.subarray(0, count) : into.slice(0, count);
  }

  async #readDirect(fd: number, offset: number, length: number): Promise<Uint8Array> {
    this.#checkRead(offset, length);
    const into = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    let done = 0;
    while (done < length) {
      const slot = await takeDirectSlot();
      try {
        const start = offset + done;
        const skip = start % directUnitBytes;
        const wanted = Math.min(length - done, directSlotBytes - skip);
        const span = Math.ceil((skip + wanted) / directUnitBytes) * directUnitBytes;
        const got = await readOnce(fd, slot.subarray(0, span), start - skip);
        const count = Math.min(wanted, got - skip);
        if (count <= 0) break;
        into.set(slot.subarray(skip, skip + count), done);
        done += count;
        // Short but whole units: the kernel stopped early, go on. A broken unit is the end of the file.
        if (count < wanted && got % directUnitBytes !== 0) break;
      } finally {
        giveDirectSlot(slot);
      }
    }
    return done === length ? into : into.slice(0, done);
  }

  #checkRead(offset: number, length: number): void {
    assert(Number.isSafeInteger(offset) && offset >= 0 && length >= 0, 'a read lies inside the file');
    if (length > readSizeBytesMax) {
      throw tooLarge({ label: this.#label, action: 'read', path: this.path }, length, readSizeBytesMax);
    }
  }

  #writeCached(offset: number, parts: readonly Uint8Array[]): Promise<void> {
    const only = parts.length === 1 ? parts[0] : undefined;
    return only === undefined ? writePartsFull(this.#fd, parts, offset) : writeFull(this.#fd, only, offset);
  }

  /** Copies into slots and writes each as soon as it is full. Every slot comes back before an error is told. */
  async #writeDirect(fd: number, offset: number, parts: readonly Uint8Array[], sizeBytes: number): Promise<void> {
    const writes: Promise<void>[] = [];
    const reader = new PartReader(parts);
    for (let at = offset; at < offset + sizeBytes; ) {
      const slot = await takeDirectSlot();
      const filled = reader.fill(slot);
      writes.push(this.#writeSlot(fd, slot, filled, at));
      at += filled;
    }
    await allDone(writes);
  }

  async #writeSlot(fd: number, slot: Uint8Array, sizeBytes: number, offset: number): Promise<void> {
    try {
      await this.#writeAligned(fd, slot.subarray(0, sizeBytes), offset);
    } finally {
      giveDirectSlot(slot);
    }
  }

  /** In equal slices side by side, about as large as a slot. Every write has ended before an error is told. */
  async #writeInPlace(fd: number, offset: number, bytes: Uint8Array): Promise<void> {
    const slices = Math.max(1, Math.round(bytes.byteLength / directSlotBytes));
    const sliceBytes = Math.ceil(bytes.byteLength / slices / directUnitBytes) * directUnitBytes;
    const writes: Promise<void>[] = [];
    for (let done = 0; done < bytes.byteLength; done += sliceBytes)
      writes.push(this.#writeAligned(fd, bytes.subarray(done, done + sliceBytes), offset + done));
    await allDone(writes);
  }

  async #writeAligned(fd: number, bytes: Uint8Array, offset: number): Promise<void> {
    let done = 0;
    try {
      done = await writeOnce(fd, bytes, offset);
    } catch (error) {
      if (errnoOf(error) !== 'EINVAL') throw error;
    }
    // Refused or cut short, at any byte: the page cache takes the rest, or names the error.
    if (done < bytes.byteLength) await writeFull(this.#fd, bytes.subarray(done), offset + done);
  }

  /**
   * The same file, opened once more with O_DIRECT when first needed. By descriptor, not by path: the file may have been
   * renamed or removed since. Undefined where the file system refuses, for good.
   */
  #directFd(): Promise<number | undefined> {
    const flags = this.#directFlags;
    if (flags === undefined || !directBuffersReady()) return Promise.resolve(undefined);
    this.#direct ??= openFd(`/proc/self/fd/${this.#fd}`, flags).catch(() => undefined);
    return this.#direct;
  }

  /** The same, and each write waits for the medium (O_DSYNC). */
  #throughFd(): Promise<number | undefined> {
    const flags = this.#directFlags;
    if (flags === undefined) return Promise.resolve(undefined);
    this.#through ??= openFd(`/proc/self/fd/${this.#fd}`, flags | fs.constants.O_DSYNC).catch(() => undefined);
    return this.#through;
  }
}

/** The only part, where it is whole blocks in memory that is likely to be page-aligned; if it is not, the kernel refuses and the page cache takes it. */
function alignedPart(offset: number, parts: readonly Uint8Array[]): Uint8Array | undefined {
  const [part] = parts;
  if (part === undefined || parts.length > 1 || !(part.buffer instanceof SharedArrayBuffer)) return undefined;
  const isAligned = [offset, part.byteOffset, part.byteLength].every((each) => each % directUnitBytes === 0);
  return isAligned ? part : undefined;
}

async function allDone(writes: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(writes);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
