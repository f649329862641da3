// One WebAssembly kernel of ours in this thread: its instance, and where things lie in its memory.
//
// Calls are synchronous and never overlap, so regions are laid out anew for every call, one after the other. A kernel imports nothing and keeps nothing
// between calls; after a trap (only damaged bytes should lead to one) its instance is dropped, for a trap leaves the stack where it stood. An instance
// whose memory grew beyond a limit is dropped as well: at the next start, or when its work is done and it is told so.

import { readFileSync } from 'node:fs';
import { assert } from '../../base/index.ts';
import { malformedPixels, pixelsBeyond } from './pixel-fault.ts';
import { instanceBytesMax, instanceKeptBytesMax } from './pixel-limits.ts';

export type KernelMemory = {
  readonly memory: WebAssembly.Memory;
  readonly __heap_base: WebAssembly.Global;
};

const pageBytes = 65_536;
const alignBytes = 64;

/** Why a kernel did not do it; the numbers are those of kernel/base.h. */
export const kernelStatus = { malformed: -1, short: -2, unsupported: -3, arenaFull: -4 } as const;

export class WasmKernel<Exports> {
  readonly #file: URL;
  #compiled: WebAssembly.Module | undefined;
  #instance: (Exports & KernelMemory) | undefined;
  #end = 0;

  constructor(file: URL) {
    this.#file = file;
  }

  /** A clean start: regions of earlier calls are gone. */
  begin(): Exports & KernelMemory {
    this.trim();
    this.#compiled ??= new WebAssembly.Module(readFileSync(this.#file));
    this.#instance ??= new WebAssembly.Instance(this.#compiled, {}).exports as unknown as Exports & KernelMemory;
    this.#end = this.#instance.__heap_base.value;
    return this.#instance;
  }

  /** The instance of the last start. */
  get exports(): Exports & KernelMemory {
    assert(this.#instance !== undefined, 'a kernel is used after a start');
    return this.#instance;
  }

  /** Gives back an instance whose memory grew beyond what is kept. What was placed in it is gone. */
  trim(): void {
    if (this.#instance !== undefined && this.#instance.memory.buffer.byteLength > instanceKeptBytesMax) {
      this.#instance = undefined;
    }
  }

  /** The address of so many bytes, not cleared. Views made before are stale afterwards. LIMIT_EXCEEDED beyond the limit of an instance. */
  place(sizeBytes: number): number {
    const instance = this.exports;
    assert(sizeBytes >= 0, 'a region has a size');
    const address = Math.ceil(this.#end / alignBytes) * alignBytes;
    const end = address + sizeBytes;
    if (end > instanceBytesMax) throw pixelsBeyond('memory of a codec');
    const missing = end - instance.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        instance.memory.grow(Math.ceil(missing / pageBytes));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        throw pixelsBeyond('memory of a codec');
      }
    }
    this.#end = end;
    return address;
  }

  /** Places a copy of these bytes, with room for a look beyond their end. */
  placeBytes(bytes: Uint8Array): number {
    const address = this.place(bytes.byteLength + 16);
    const memory = this.bytes(address, bytes.byteLength + 16);
    memory.set(bytes);
    memory.fill(0, bytes.byteLength);
    return address;
  }

  /** Gives back what was placed at `address` and after it. */
  release(address: number): void {
    assert(address <= this.#end, 'what is given back was placed');
    this.#end = address;
  }

  bytes(address: number, sizeBytes: number): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, address, sizeBytes);
  }

  words(address: number, count: number): Uint32Array {
    return new Uint32Array(this.exports.memory.buffer, address, count);
  }

  /** A call on bytes from outside: a trap is their fault. */
  call(run: () => number): number {
    try {
      return run();
    } catch (cause) {
      this.#instance = undefined;
      if (cause instanceof WebAssembly.RuntimeError) throw malformedPixels('the stream breaks its decoder', cause);
      throw cause;
    }
  }
}

/** The error of a status below zero that is no answer in itself. */
export function kernelFault(status: number): Error {
  if (status === kernelStatus.short) return malformedPixels('the stream ends before its pixels');
  if (status === kernelStatus.arenaFull) return pixelsBeyond('memory of a codec');
  return malformedPixels('the stream breaks the rules of its syntax');
}
