// Samples to JPEG 2000 codestreams without loss, of either kind (Part 1, and high throughput), through our own kernel.

import { assert } from '../../base/index.ts';
import { j2kKernel } from './j2k-kernel.ts';
import { instanceBytesMax } from './pixel-limits.ts';
import type { Samples } from './pixel-samples.ts';
import { kernelFault, kernelStatus } from './wasm-kernel.ts';

const mebibyte = 1024 * 1024;

/** The most bits of a sample whose bands, with their guard bits, stay within the kernel's words. */
export const jpeg2000PrecisionMax = 26;

/** `toYcc`: three components go through the reversible transform. `highThroughput`: blocks of Part 15. Resolutions come one after the other (RPCL). */
export function encodeJpeg2000(
  samples: Samples,
  { toYcc, highThroughput }: { readonly toYcc: boolean; readonly highThroughput: boolean },
): Uint8Array {
  const { rows, columns, components, precision, signed, bytes } = samples;
  assert(precision >= 1 && precision <= jpeg2000PrecisionMax, 'the kernel codes up to 26 bits');
  assert(!toYcc || components === 3, 'the transform is of three components');
  const kernel = j2kKernel.begin();
  const input = j2kKernel.placeBytes(bytes);
  const count = rows * columns * components;
  // Noise grows by a few bytes a block; headers and tables by a few hundred.
  let outBytes = bytes.byteLength + Math.ceil(bytes.byteLength / 8) + 65_536;
  let arenaBytes = count * 4 + outBytes + 4 * mebibyte;
  for (;;) {
    const flags = [signed, toYcc, highThroughput].map(Number);
    j2kKernel.words(kernel.encodeImage(), 7).set([columns, rows, components, precision, ...flags]);
    const out = j2kKernel.place(outBytes);
    const arena = j2kKernel.place(arenaBytes);
    const size = j2kKernel.call(() => kernel.encodeStream(input, out, outBytes, arena, arenaBytes));
    if (size >= 0) return j2kKernel.bytes(out, size).slice();
    if (size !== kernelStatus.arenaFull || arenaBytes * 2 > instanceBytesMax) throw kernelFault(size);
    j2kKernel.release(out);
    outBytes *= 2;
    arenaBytes *= 2;
  }
}
