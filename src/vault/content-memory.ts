// ContentMemory: where content is gathered chunk by chunk, and digested.
//
// Content that fits a slot of the shared memory lies there from its first byte, cuts or not, so that a worker digests it in one piece while others pack its
// chunks. Content that is longer, or that found no slot, is digested here as it comes: it is one chain of hashes.
//
// Invariants: a slot is given back when its writer, every chunk in it and the digest are done with it, also when a writer is left in the middle and
// collected; what was cut off before there was a slot is copied into it, at most `prefixBytesMax`.
// Left out on purpose: what chunks become (content-writer.ts).

import { assert, copyBytes, emptyBytes, Sha256 } from '../base/index.ts';
import type { SharedMemory } from '../codec/index.ts';
import { chunkSizeBytesMax } from '../format/index.ts';

/** Chunks from here on are gathered in a slot, where one is free. */
const slotBytesMin = 64 * 1024;
const prefixBytesMax = 64 * 1024;

export type Plain = { readonly bytes: Uint8Array; readonly release: (() => void) | undefined };

export type ContentMemoryOptions = {
  readonly memory: SharedMemory | undefined;
  /** Slots that stay for others. */
  readonly kept: number;
  readonly digest: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
};

/** A slot with the number of those who need it. */
class LentSlot {
  readonly bytes: Uint8Array;
  readonly #memory: SharedMemory;
  #users = 1;

  constructor(memory: SharedMemory, bytes: Uint8Array) {
    this.#memory = memory;
    this.bytes = bytes;
  }

  hold(): void {
    assert(this.#users > 0, 'a slot is held by someone who holds it');
    this.#users += 1;
  }

  drop(): void {
    this.#users -= 1;
    assert(this.#users >= 0, 'a slot is dropped as often as it was held');
    if (this.#users === 0) this.#memory.giveSlot(this.bytes);
  }
}

type Hand = { slot: LentSlot | undefined };

const leftBehind = new FinalizationRegistry<Hand>((hand) => hand.slot?.drop());

export class ContentMemory {
  readonly #options: ContentMemoryOptions;
  readonly #hand: Hand = { slot: undefined };
  #buffer: Uint8Array = emptyBytes;
  /** The chunk at hand begins here in the buffer. */
  #begin = 0;
  #filled = 0;
  #digest = new Sha256();
  /** All content so far lies in the slot and is not digested yet. */
  #deferred = false;
  /** What was cut off so far, as long as it is little and all of the content. */
  #prefix: Uint8Array[] | undefined = [];
  #prefixBytes = 0;

  constructor(options: ContentMemoryOptions) {
    this.#options = options;
    leftBehind.register(this, this.#hand);
  }

  /** Of the chunk at hand. */
  get chunkBytes(): number {
    return this.#filled - this.#begin;
  }

  /** Copies as many of these bytes as the chunk at hand takes, and answers how many; none when it is full. */
  add(bytes: Uint8Array, from: number): number {
    const left = Math.min(bytes.byteLength - from, chunkSizeBytesMax - this.chunkBytes);
    if (left === 0) return 0;
    // Behind a whole chunk a slot's little rest is not worth a chunk's being torn.
    if (this.#filled === this.#buffer.byteLength || this.#begin >= chunkSizeBytesMax) this.#makeRoom(left);
    const count = Math.min(left, this.#buffer.byteLength - this.#filled);
    const added = bytes.subarray(from, from + count);
    copyBytes(added, this.#buffer.subarray(this.#filled));
    this.#filled += count;
    if (!this.#deferred) this.#digest.update(added);
    return count;
  }

  #makeRoom(more: number): void {
    const held = this.#buffer.subarray(this.#begin, this.#filled);
    const before = this.#hand.slot;
    if (this.#deferred) {
      this.#digest.update(this.#buffer.subarray(0, this.#filled));
      this.#deferred = false;
    }
    const wanted = Math.min(chunkSizeBytesMax, Math.max(held.byteLength + more, 2 * held.byteLength));
    const slot = wanted >= slotBytesMin ? this.#takeSlot() : undefined;
    this.#hand.slot = slot;
    this.#buffer = slot?.bytes ?? new Uint8Array(wanted);
    this.#begin = slot === undefined ? 0 : this.#putPrefix(slot);
    this.#buffer.set(held, this.#begin);
    this.#filled = this.#begin + held.byteLength;
    before?.drop();
  }

  #takeSlot(): LentSlot | undefined {
    const { memory, kept } = this.#options;
    const bytes = memory?.takeSlot(kept);
    return memory === undefined || bytes === undefined ? undefined : new LentSlot(memory, bytes);
  }

  /** Where all of the content is known, it lies in the slot from now on, and its digest can wait. */
  #putPrefix(slot: LentSlot): number {
    if (this.#prefix === undefined) return 0;
    let end = 0;
    for (const bytes of this.#prefix) {
      slot.bytes.set(bytes, end);
      end += bytes.byteLength;
    }
    this.#prefix = undefined;
    this.#deferred = true;
    this.#digest = new Sha256();
    return end;
  }

  /** The chunk at hand; the next one begins behind it. `last`: nothing comes after it. */
  take({ last }: { readonly last: boolean }): Plain {
    const bytes = this.#buffer.subarray(this.#begin, this.#filled);
    const { slot } = this.#hand;
    if (slot !== undefined) {
      this.#begin = this.#filled;
      slot.hold();
      return { bytes, release: () => slot.drop() };
    }
    if (!last) this.#keepPrefix(bytes);
    // A part of a buffer would be copied on its way to a worker, and keep the rest of it in memory until then.
    const whole = bytes.byteLength === this.#buffer.byteLength;
    this.#buffer = emptyBytes;
    this.#begin = 0;
    this.#filled = 0;
    return { bytes: whole ? bytes : bytes.slice(), release: undefined };
  }

  #keepPrefix(bytes: Uint8Array): void {
    this.#prefixBytes += bytes.byteLength;
    if (this.#prefixBytes <= prefixBytesMax) this.#prefix?.push(bytes.slice());
    else this.#prefix = undefined;
  }

  /** The digest of all content. To be asked once, when no more comes. */
  digest(): Uint8Array | Promise<Uint8Array> {
    const { slot } = this.#hand;
    if (!this.#deferred || slot === undefined) return this.#digest.digest();
    slot.hold();
    const digest = this.#options.digest(slot.bytes.subarray(0, this.#filled));
    if (digest instanceof Promise) return digest.finally(() => slot.drop());
    slot.drop();
    return digest;
  }

  /** Lets go of the memory; chunks that were taken keep theirs. Safe to repeat. */
  close(): void {
    this.#hand.slot?.drop();
    this.#hand.slot = undefined;
    this.#buffer = emptyBytes;
    this.#begin = 0;
    this.#filled = 0;
  }
}
