// One open file of a simulated disk: each call a step (a write that is cut short, two), with the faults that can happen
// to it.
//
// Invariants: a sync covers the writes that had resolved before it was called and no others, however the calls
// interleave; what a fault leaves is what Linux leaves: after a failed sync the cache reads well and the medium holds
// any mixture.

import { assert, concatBytes, isArchiveError } from '../base/index.ts';
import { type DiskFile, type OpenMode, readSizeBytesMax, type UncachedRead } from './disk.ts';
import { closedFile, type DiskAction, poisonedFile, tooLarge } from './disk-errors.ts';
import type { FileHealth } from './file-health.ts';
import type { SimInode } from './sim-inode.ts';
import { isCrash, type SimWorld } from './sim-world.ts';

export type SimFileParts = {
  readonly path: string;
  readonly mode: OpenMode;
  readonly world: SimWorld;
  readonly inode: SimInode;
  readonly health: FileHealth;
  readonly onClose: () => void;
};

export class SimFile implements DiskFile {
  readonly path: string;
  readonly #mode: OpenMode;
  readonly #world: SimWorld;
  readonly #inode: SimInode;
  readonly #health: FileHealth;
  readonly #onClose: () => void;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(parts: SimFileParts) {
    this.path = parts.path;
    this.#mode = parts.mode;
    this.#world = parts.world;
    this.#inode = parts.inode;
    this.#health = parts.health;
    this.#onClose = parts.onClose;
  }

  read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    return this.#use('read', (at) => {
      checkRead(at, offset, length);
      this.#world.begin('read', at);
      const bytes = this.#inode.read(offset, length);
      this.#world.end();
      if (into === undefined || into.byteLength < length) return bytes;
      into.set(bytes);
      return into.subarray(0, bytes.byteLength);
    });
  }

  readUncached(offset: number, length: number): Promise<UncachedRead> {
    return this.#use('read', (at) => {
      checkRead(at, offset, length);
      this.#world.begin('readUncached', at);
      const bytes = this.#inode.readUncached(offset, length);
      this.#world.end();
      return { bytes, cached: false };
    });
  }

  async write(offset: number, parts: readonly Uint8Array[]): Promise<void> {
    assert(this.#mode !== 'read', 'a file is written only when it was opened for it');
    assert(Number.isSafeInteger(offset) && offset >= 0, 'a write begins inside the file');
    return this.#use('write', (at) => this.#writeAll(at, offset, parts));
  }

  #writeAll(at: DiskAction, offset: number, parts: readonly Uint8Array[]): void {
    this.#checkHealthy(at);
    const bytes = concatBytes(parts);
    let done = 0;
    while (done < bytes.byteLength) done += this.#writeStep(at, offset + done, bytes.subarray(done));
  }

  /** How much of it was written. */
  #writeStep(at: DiskAction, offset: number, bytes: Uint8Array): number {
    const fault = this.#world.beginOrFault('write', at);
    const room = this.#world.roomFor(this.#inode, offset, bytes.byteLength);
    let count = room;
    if (fault === 'io' || fault === 'full') count = Math.min(room, this.#world.random.below(bytes.byteLength + 1));
    if (fault === 'short') count = Math.min(room, Math.max(1, Math.floor(bytes.byteLength / 2)));
    if (count > 0) {
      const sequence = this.#world.nextSequence();
      this.#inode.write(offset, bytes.subarray(0, count), sequence);
      this.#inode.modifiedStep = sequence;
    }
    if (fault === 'misdirected' || fault === 'lost' || fault === 'flipped') {
      this.#world.doom(fault, this.#inode, offset, count);
    }
    this.#world.end();
    if (fault === 'io' || fault === 'full' || fault === 'readOnly') throw this.#world.errorOf(fault, at);
    if (room < bytes.byteLength && fault !== 'short') throw this.#world.errorOf('full', at);
    return count;
  }

  sync(): Promise<void> {
    // Now, not when the sync gets its turn: a write that nobody waited for is not promised.
    const covered = this.#world.machine.sequence;
    return this.#use('sync', (at) => {
      this.#checkHealthy(at);
      try {
        this.#world.begin('sync', at);
      } catch (error) {
        if (!isCrash(error)) this.#poison();
        throw error;
      }
      this.#world.end();
      this.#inode.sync(covered);
    });
  }

  /** What a failed sync leaves: pages marked clean, written or not, and nobody who may try again. */
  #poison(): void {
    this.#inode.failSync(this.#world.random);
    this.#health.poisoned = true;
  }

  /** In two steps, so that a power cut comes between; but who hears of an error cannot tell whether it was the sync's. */
  async writeDurably(offset: number, parts: readonly Uint8Array[]): Promise<void> {
    assert(this.#mode !== 'read', 'a file is written only when it was opened for it');
    await this.#use('write', (at) => {
      this.#checkHealthy(at);
      try {
        this.#writeAll(at, offset, parts);
      } catch (error) {
        if (!isCrash(error) && !isArchiveError(error, 'DISK_FULL')) this.#poison();
        throw error;
      }
    });
    await this.sync();
  }

  async truncate(sizeBytes: number): Promise<void> {
    assert(this.#mode !== 'read', 'a file is cut only when it was opened for it');
    assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, 'a file has a size');
    return this.#use('truncate', (at) => {
      this.#checkHealthy(at);
      this.#world.begin('truncate', at);
      const sequence = this.#world.nextSequence();
      this.#inode.truncate(sizeBytes, sequence);
      this.#inode.modifiedStep = sequence;
      this.#world.end();
    });
  }

  sizeBytes(): Promise<number> {
    return this.#use('measure', (at) => {
      this.#world.begin('look', at);
      this.#world.end();
      return this.#inode.sizeBytes;
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    this.#onClose();
  }

  #checkHealthy(at: DiskAction): void {
    if (this.#health.poisoned) throw poisonedFile(at);
  }

  async #use<T>(action: string, work: (at: DiskAction) => T): Promise<T> {
    const at = { label: this.#world.label, action, path: this.path };
    if (this.#closing !== undefined) throw closedFile(at);
    const turn = this.#world.turn();
    const running = turn.then(() => work(at));
    this.#underWay.add(running);
    try {
      return await running;
    } catch (error) {
      throw this.#world.asSeen(error, at);
    } finally {
      this.#underWay.delete(running);
    }
  }
}

function checkRead(at: DiskAction, offset: number, length: number): void {
  assert(Number.isSafeInteger(offset) && offset >= 0 && length >= 0, 'a read lies inside the file');
  if (length > readSizeBytesMax) throw tooLarge(at, length, readSizeBytesMax);
}
