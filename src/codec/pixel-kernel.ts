// Owns: this thread's instance of the pixel kernel, and where things lie in its memory. Every thread that imports this has its own;
// calls are synchronous and never overlap, so one region per purpose is enough.
//
// The kernel (kernel/*.c, built to kernel/pixel.wasm by scripts/build-kernel.ts) imports nothing and allocates nothing. Should it
// fault on damaged bytes, the fault is a WebAssembly trap, which decoders turn into CodecFault; its memory holds no state between calls,
// but a trap leaves its stack where it stood, so the instance is dropped then.

import { readFileSync } from 'node:fs';

export type KernelExports = {
  readonly memory: WebAssembly.Memory;
  readonly __heap_base: WebAssembly.Global;
  strideOf(columns: number): number;
  planeBytes(rows: number, columns: number): number;
  bestEncodeBytes(rows: number, columns: number): number;
  bestEncodeMax(rows: number, columns: number): number;
  bestEncode(plane: number, rows: number, columns: number, out: number, work: number): number;
  bestDecodeBytes(rows: number, columns: number): number;
  bestDecode(input: number, sizeBytes: number, plane: number, rows: number, columns: number, work: number): number;
  bestDecode1Bytes(columns: number): number;
  bestDecode1(input: number, sizeBytes: number, plane: number, rows: number, columns: number, work: number): number;
  packMax(count: number): number;
  pack(plane: number, count: number, period: number, out: number): number;
  unpack(input: number, sizeBytes: number, plane: number, count: number, period: number): number;
  fastDecode1Bytes(rowSamples: number): number;
  fastDecode1(
    input: number,
    sizeBytes: number,
    rows: number,
    rowSamples: number,
    apart: number,
    wide: number,
    bigEndian: number,
    out: number,
    work: number,
  ): number;
  lookAtWords(input: number, count: number, step: number): number;
  readSamples(
    input: number,
    plane: number,
    rows: number,
    columns: number,
    stride: number,
    step: number,
    wide: number,
    bigEndian: number,
    flip: number,
  ): void;
  writeSamples(
    out: number,
    plane: number,
    rows: number,
    columns: number,
    stride: number,
    step: number,
    wide: number,
    bigEndian: number,
    flip: number,
  ): void;
  readRgb(input: number, red: number, green: number, blue: number, rows: number, columns: number, stride: number): void;
  writeRgb(out: number, red: number, green: number, blue: number, rows: number, columns: number, stride: number): void;
  subtractPlane(plane: number, other: number, rows: number, columns: number, stride: number): void;
  addPlane(plane: number, other: number, rows: number, columns: number, stride: number): void;
  roughness(plane: number, rows: number, columns: number, stride: number): number;
  roughnessBeside(plane: number, other: number, rows: number, columns: number, stride: number): number;
};

const pageBytes = 65536;
const alignBytes = 256;
/** Memory is kept between calls up to this; after a larger call the instance is dropped, so that one odd input costs nothing later. */
const keptBytesMax = 64 * 1024 * 1024;

let compiled: WebAssembly.Module | undefined;
let instance: KernelExports | undefined;

export function kernel(): KernelExports {
  if (instance !== undefined && instance.memory.buffer.byteLength <= keptBytesMax) return instance;
  compiled ??= new WebAssembly.Module(readFileSync(new URL('./kernel/pixel.wasm', import.meta.url)));
  instance = new WebAssembly.Instance(compiled, {}).exports as unknown as KernelExports;
  return instance;
}

/** To be called after a trap: the next call gets a new instance. */
export function dropKernel(): void {
  instance = undefined;
}

/** Addresses of regions of the given sizes, one after the other; memory grows to hold them. Views made before are stale afterwards. */
export function placeRegions(exports: KernelExports, sizes: readonly number[]): number[] {
  let at = aligned(exports.__heap_base.value);
  const addresses = sizes.map((size) => {
    const address = at;
    at = aligned(at + size);
    return address;
  });
  const missing = at - exports.memory.buffer.byteLength;
  if (missing > 0) exports.memory.grow(Math.ceil(missing / pageBytes));
  return addresses;
}

function aligned(address: number): number {
  return Math.ceil(address / alignBytes) * alignBytes;
}
