// SharedMemory: page-aligned memory that the main thread, every codec worker and the kernel see at one address, in pieces that are lent and given back.
//
//   slots    1 MiB and a little: plain bytes of one chunk on their way into a record, or a record that was read, on its way back
//   regions  8 MiB and a little: one group of records as it will lie on the medium
//
// A record that goes from a slot into a region is read once and written once: nothing is moved between threads, copied on the main thread, or allocated,
// and a region is written past the page cache from where it is. Buffers of their own cost a record of 512 KB 0.5 ms more: the kernel clears their
// pages, messages move them, the collector looks for them.
//
// Invariants: a piece has one borrower at a time and is given back once; the last one given back is lent first, so that what is touched
// stays as small and warm as the work allows; whoever gets none does without, so nobody waits and nothing depends on it.
// Left out on purpose: who may write where in a piece that is lent (its borrower says so).

import { assert } from '../base/index.ts';
import { chunkSizeBytesMax } from '../format/index.ts';
import { Gates, gatesBytes } from './gates.ts';

const mebibyte = 1024 * 1024;
const wasmPageBytes = 64 * 1024;

/** One chunk, or the record that was made of it. */
export const sharedSlotBytes = chunkSizeBytesMax + wasmPageBytes;

export type SharedSizes = {
  readonly slots: number;
  readonly regions: number;
  readonly regionBytes: number;
};

/**
 * Slots for the bytes in flight of one stream (16 MiB), and as many for what is read. A region takes a group of 8 MiB, a header's block before it, padding and a commit record behind;
 * two streams that are busy have one that is filled and one that is written. Memory is taken only as far as pieces are used.
 */
export const sharedSizes: SharedSizes = {
  slots: 32,
  regions: 4,
  regionBytes: 8 * mebibyte + 2 * wasmPageBytes,
};

/** Where bytes lie in the memory: what a message says instead of carrying them. */
export type Place = { readonly offset: number; readonly length: number };

const { WebAssembly: wasm } = globalThis as unknown as {
  WebAssembly: {
    Memory: new (size: { initial: number; maximum: number; shared: true }) => { readonly buffer: SharedArrayBuffer };
  };
};

export class SharedMemory {
  readonly buffer: SharedArrayBuffer;
  readonly sizes: SharedSizes;
  readonly gates: Gates;
  readonly #all: Uint8Array;
  readonly #slots: Uint8Array[];
  readonly #regions: Uint8Array[];

  /** In this buffer, which should be page-aligned: then regions are written past the page cache without a copy. */
  constructor(buffer: SharedArrayBuffer, sizes: SharedSizes) {
    const { slots, regions, regionBytes } = sizes;
    assert(buffer.byteLength >= sharedBytes(sizes), 'the pieces fit the memory');
    this.buffer = buffer;
    this.sizes = sizes;
    this.#all = new Uint8Array(buffer);
    const cut = (base: number, count: number, sizeBytes: number): Uint8Array[] =>
      Array.from(
        { length: count },
        (_, index) => new Uint8Array(buffer, base + index * sizeBytes, sizeBytes),
      ).reverse();
    this.#regions = cut(0, regions, regionBytes);
    this.#slots = cut(regions * regionBytes, slots, sharedSlotBytes);
    this.gates = new Gates(gateWords(buffer));
  }

  /** Undefined where the process may not reserve it (a tight limit of address space). */
  static open(sizes: SharedSizes = sharedSizes): SharedMemory | undefined {
    const pages = Math.ceil(sharedBytes(sizes) / wasmPageBytes);
    try {
      return new SharedMemory(new wasm.Memory({ initial: pages, maximum: pages, shared: true }).buffer, sizes);
    } catch {
      return undefined;
    }
  }

  /** `kept`: so many stay for those in more of a hurry. */
  takeSlot(kept = 0): Uint8Array | undefined {
    return this.#slots.length > kept ? this.#slots.pop() : undefined;
  }

  giveSlot(slot: Uint8Array): void {
    assert(slot.buffer === this.buffer && slot.byteLength === sharedSlotBytes, 'a whole slot is given back');
    assert(this.#slots.length < this.sizes.slots, 'a slot is given back once');
    this.#slots.push(slot);
  }

  /** `kept`: as in `takeSlot`. */
  takeRegion(kept = 0): Uint8Array | undefined {
    return this.#regions.length > kept ? this.#regions.pop() : undefined;
  }

  giveRegion(region: Uint8Array): void {
    assert(
      region.buffer === this.buffer && region.byteLength === this.sizes.regionBytes,
      'a whole region is given back',
    );
    assert(this.#regions.length < this.sizes.regions, 'a region is given back once');
    this.#regions.push(region);
  }

  /** Undefined for bytes that lie elsewhere. */
  placeOf(bytes: Uint8Array): Place | undefined {
    return bytes.buffer === this.buffer ? { offset: bytes.byteOffset, length: bytes.byteLength } : undefined;
  }

  at({ offset, length }: Place): Uint8Array {
    return this.#all.subarray(offset, offset + length);
  }
}

/** All the pieces together. */
export function sharedBytes({ slots, regions, regionBytes }: SharedSizes): number {
  return slots * sharedSlotBytes + regions * regionBytes + gatesBytes;
}

/** At the end, also as a worker finds them. */
export function gateWords(buffer: SharedArrayBuffer): Int32Array {
  return new Int32Array(buffer, buffer.byteLength - gatesBytes, gatesBytes / Int32Array.BYTES_PER_ELEMENT);
}

assert(sharedSizes.regionBytes % wasmPageBytes === 0, 'regions are whole pages');
