// Page-aligned memory for reads and writes past the page cache (O_DIRECT): a fixed set of slots, shared by every disk
// of the process.
//
// A Node Buffer has no alignment to rely on (O_DIRECT answers EINVAL); the memory of a WebAssembly.Memory is
// page-aligned. There is one such memory, not one a slot, since each reserves gigabytes of address space for its
// guards.
//
// Invariants: a slot has one user at a time; waiters are served first come, first served; nobody who waits for a slot
// holds one that only he could free (a writer's slots come back when the kernel is done), so waiting ends.

import { assert, defined } from '../base/index.ts';

/**
 * Offset, length and memory of a direct read or write are multiples of this: the page, and the largest sector of
 * today's disks.
 */
export const directUnitBytes = 4096;

/**
 * 2 MiB a slot: an 8 MiB group is four writes on libuv's four threads, copied while the one before is written (see
 * real-file.ts).
 */
export const directSlotBytes = 2 * 1024 * 1024;

/** 16 MiB in all: two groups of 8 MiB under way at once. */
export const directSlotCount = 8;

const wasmPageBytes = 65536;
assert(directSlotBytes % wasmPageBytes === 0 && directSlotBytes % directUnitBytes === 0, 'slots are whole pages');

type WasmMemory = { readonly buffer: ArrayBuffer };
const { WebAssembly: wasm } = globalThis as unknown as {
  WebAssembly: { Memory: new (size: { initial: number; maximum: number }) => WasmMemory };
};

let free: Uint8Array[] | undefined;
const waiting: ((slot: Uint8Array) => void)[] = [];

/**
 * False where the process may not reserve the memory (a tight address-space limit): then nothing goes past the cache.
 */
export function directBuffersReady(): boolean {
  if (free !== undefined) return true;
  const pages = (directSlotBytes * directSlotCount) / wasmPageBytes;
  try {
    const { buffer } = new wasm.Memory({ initial: pages, maximum: pages });
    free = Array.from(
      { length: directSlotCount },
      (_, index) => new Uint8Array(buffer, index * directSlotBytes, directSlotBytes),
    );
    return true;
  } catch {
    return false;
  }
}

export function takeDirectSlot(): Promise<Uint8Array> {
  const slots = defined(free, 'direct buffers are asked for after directBuffersReady');
  const slot = slots.pop();
  return slot === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(slot);
}

export function giveDirectSlot(slot: Uint8Array): void {
  assert(slot.byteLength === directSlotBytes, 'a whole slot is given back');
  const next = waiting.shift();
  if (next !== undefined) next(slot);
  else defined(free, 'a slot given back was taken').push(slot);
}
