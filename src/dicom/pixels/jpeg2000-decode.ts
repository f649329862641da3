// JPEG 2000 frames to samples, through our own kernel: Part 1 and high throughput (ITU-T T.800 and T.814).
//
// What the stream says of its size, components and precision is held against the data set before memory is taken. Undefined where the stream uses what the
// kernel leaves out (kernel/j2k-header.c lists it). Colour: the stream's own component transform is undone, so that YBR_RCT and YBR_ICT become RGB (also where a stream called so has
// no transform: then it was RGB all along); components of any other name are what the data set calls them.

import type { ImageShape } from './image-shape.ts';
import { j2kKernel } from './j2k-kernel.ts';
import { pixelsBeyond } from './pixel-fault.ts';
import { codedBytesMax, instanceBytesMax } from './pixel-limits.ts';
import { checkAgainstShape, type Samples, sampleBytesOf } from './pixel-samples.ts';
import { kernelFault, kernelStatus } from './wasm-kernel.ts';

const mebibyte = 1024 * 1024;

/** The components' colours once the stream's own transform, where it has one, is undone. Two names speak of that transform, the others of what lies below it. */
function photometricOf({ samplesPerPixel, photometricInterpretation: said }: ImageShape): {
  photometricInterpretation?: string;
} {
  const isTransformed = samplesPerPixel === 3 && (said === 'YBR_RCT' || said === 'YBR_ICT');
  return isTransformed ? { photometricInterpretation: 'RGB' } : {};
}

/** Memory for the planes, one 32-bit word a sample, with the parts of tiles and blocks beside them. */
function arenaBytesOf(samples: number, codedBytes: number): number {
  return Math.ceil(samples * 4.25 + codedBytes / 2) + 4 * mebibyte;
}

export function decodeJpeg2000(stream: Uint8Array, shape: ImageShape): Samples | undefined {
  if (stream.byteLength > codedBytesMax) throw pixelsBeyond('coded bytes of a frame');
  const kernel = j2kKernel.begin();
  const input = j2kKernel.placeBytes(stream);
  const opened = j2kKernel.call(() => kernel.openStream(input, stream.byteLength));
  if (opened === kernelStatus.unsupported) return undefined;
  if (opened < 0) throw kernelFault(opened);
  const [columns = 0, rows = 0, components = 0, precision = 0, isSigned = 0] = j2kKernel.words(kernel.streamFacts(), 5);
  checkAgainstShape({ rows, columns, components, precision }, shape);
  const count = rows * columns * components;
  const sampleBytes = sampleBytesOf(precision);
  const out = j2kKernel.place(count * sampleBytes);
  let arenaBytes = arenaBytesOf(count, stream.byteLength);
  for (;;) {
    const arena = j2kKernel.place(arenaBytes);
    const status = j2kKernel.call(() => kernel.decodeStream(out, arena, arenaBytes));
    if (status === kernelStatus.unsupported) return undefined;
    if (status === 0) break;
    // Odd layouts (precincts of a few samples) take more than the usual: again with twice the room, while the limit allows it.
    if (status !== kernelStatus.arenaFull || arenaBytes * 2 > instanceBytesMax) throw kernelFault(status);
    j2kKernel.release(arena);
    arenaBytes *= 2;
  }
  return {
    rows,
    columns,
    components,
    precision,
    signed: isSigned === 1,
    sampleBytes,
    bytes: j2kKernel.bytes(out, count * sampleBytes).slice(),
    ...photometricOf(shape),
  };
}
