// This thread's JPEG kernel (kernel/jpeg-*.c, built to kernel/jpeg.wasm by scripts/build-kernel.ts), and the structures it shares with us.

import { type KernelMemory, WasmKernel } from './wasm-kernel.ts';

type JpegExports = KernelMemory & {
  huffmanDefinition(): number;
  huffmanClear(): void;
  huffmanDefine(isAc: number, slot: number): number;
  jpegFrame(): number;
  jpegScan(): number;
  decodeScan(input: number, end: number): number;
  placeCoefficients(): void;
  writePixels(out: number, toRgb: number): void;
  losslessScan(): number;
  decodeLossless(input: number, end: number, out: number): number;
  encodePicture(): number;
  encodeTable(chroma: number, isAc: number): number;
  encodeBlockBytes(): number;
  encodeBegin(): number;
  encodeEnd(out: number): number;
  losslessPicture(): number;
  losslessTable(): number;
  losslessBegin(): number;
  losslessEnd(out: number): number;
};

export const jpegKernel = new WasmKernel<JpegExports>(new URL('./kernel/jpeg.wasm', import.meta.url));

/** Writes the fields of a structure of 32-bit words, in their order. */
export function writeWords(address: number, fields: readonly number[]): void {
  jpegKernel.words(address, fields.length).set(fields);
}

/** The fields of an array of four, one a component of a scan. */
export function padded(values: readonly number[]): number[] {
  return [...values, 0, 0, 0, 0].slice(0, 4);
}

/** Where the entropy-coded bytes of a scan lie in the kernel, up to the end of the whole stream. */
export type ScanPlace = { readonly input: number; readonly end: number };

type HuffmanDefinition = { readonly lengths: Uint8Array; readonly symbols: Uint8Array };

const lengthsAt = 257 * 4;
const symbolsAt = lengthsAt + 16;

/** The table that the encoder has fitted (CodeTable of kernel/jpeg-write.h). */
export function readCodeTable(address: number): HuffmanDefinition {
  const lengths = jpegKernel.bytes(address + lengthsAt, 16).slice();
  const count = lengths.reduce((sum, length) => sum + length, 0);
  return { lengths, symbols: jpegKernel.bytes(address + symbolsAt, count).slice() };
}
