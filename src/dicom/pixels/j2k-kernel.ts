// This thread's JPEG 2000 kernel (kernel/j2k-*.c, built to kernel/j2k.wasm by scripts/build-kernel.ts).

import { type KernelMemory, WasmKernel } from './wasm-kernel.ts';

type J2kExports = KernelMemory & {
  openStream(input: number, sizeBytes: number): number;
  streamFacts(): number;
  decodeStream(out: number, arena: number, arenaBytes: number): number;
  encodeImage(): number;
  encodeStream(samples: number, out: number, outBytes: number, arena: number, arenaBytes: number): number;
};

export const j2kKernel = new WasmKernel<J2kExports>(new URL('./kernel/j2k.wasm', import.meta.url));
