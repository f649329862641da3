// This thread's JPEG-LS kernel (kernel/jls*.c, built to kernel/jls.wasm by scripts/build-kernel.ts), and what it is told of a scan.

import { type KernelMemory, WasmKernel } from './wasm-kernel.ts';

type JlsExports = KernelMemory & {
  jlsScan(): number;
  decodeJls(input: number, end: number, out: number): number;
  encodeJls(samples: number, out: number, outBytes: number): number;
};

export const jlsKernel = new WasmKernel<JlsExports>(new URL('./kernel/jls.wasm', import.meta.url));

/** Parameters that a stream may set (T.87, C.2.4.1). */
export type JlsPresets = {
  readonly most: number;
  readonly thresholds: readonly [number, number, number];
  readonly reset: number;
};

type JlsScan = {
  readonly columns: number;
  readonly rows: number;
  readonly precision: number;
  /** Components of the frame, and those of this scan from `first` on. */
  readonly components: number;
  readonly count: number;
  readonly first: number;
  readonly interleave: number;
  readonly near: number;
  readonly presets: JlsPresets;
};

export function writeJlsScan(scan: JlsScan): void {
  const { columns, rows, precision, components, count, first, interleave, near, presets } = scan;
  const shape = [columns, rows, precision, components, count, first, interleave, near];
  const fields = [...shape, presets.most, ...presets.thresholds, presets.reset];
  jlsKernel.words(jlsKernel.exports.jlsScan(), fields.length).set(fields);
}

/** What holds where a stream sets nothing (T.87, C.2.4.1.1.1). */
export function usualPresets(most: number, near: number): JlsPresets {
  const within = (value: number, least: number): number => (value > most || value < least ? least : value);
  const wide = (Math.min(most, 4095) + 128) >> 8;
  const narrow = Math.floor(256 / (most + 1));
  const isWide = most >= 128;
  const first = isWide ? wide + 2 + 3 * near : Math.max(2, Math.floor(3 / narrow) + 3 * near);
  const second = isWide ? wide * 4 + 3 + 5 * near : Math.max(3, Math.floor(7 / narrow) + 5 * near);
  const third = isWide ? wide * 17 + 4 + 7 * near : Math.max(4, Math.floor(21 / narrow) + 7 * near);
  const threshold1 = within(first, near + 1);
  const threshold2 = within(second, threshold1);
  return { most, thresholds: [threshold1, threshold2, within(third, threshold2)], reset: 64 };
}
