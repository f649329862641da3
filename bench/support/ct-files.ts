// CT files for benches: slices of 512 x 512 at 16 bits, each with a UID of its own. Pixels are those of ../shared/data where it lies, else a made phantom.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { encodeFileMeta, Part10Reader } from '../../src/dicom/index.ts';
import { ctImageStorage, explicitLittleEndian, makeInstance } from '../../tests/support/made-instance.ts';

const shared = resolve(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'dicom', 'ct-58');
const sliceBytes = 512 * 512 * 2;

function realSlices(): Uint8Array[] {
  if (!existsSync(shared)) return [];
  const slices: Uint8Array[] = [];
  for (const name of readdirSync(shared).sort()) {
    const bytes = readFileSync(join(shared, name));
    const reader = new Part10Reader();
    try {
      reader.push(bytes);
      reader.finish();
    } catch {
      continue;
    }
    const { pixels } = reader;
    if (pixels?.sizeBytes === sliceBytes)
      slices.push(bytes.subarray(pixels.valueOffset, pixels.valueOffset + sliceBytes));
  }
  return slices;
}

/** A round body of 12 bits with noise, as a scanner would see it; deterministic. */
function madeSlice(seed: number): Uint8Array {
  const words = new Uint16Array(512 * 512);
  let state = (seed + 1) * 2_654_435_761;
  for (let row = 0; row < 512; row += 1) {
    for (let column = 0; column < 512; column += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const inside = (row - 256) ** 2 + (column - 256) ** 2 < 200 ** 2;
      const tissue = 1040 + 30 * Math.sin(row / 17) + 20 * Math.cos(column / (11 + (seed % 5)));
      words[row * 512 + column] = inside ? tissue + (state >>> 27) : 0;
    }
  }
  return new Uint8Array(words.buffer);
}

/** Pixels of slices: real ones where there are some. */
export function ctSlices(): readonly Uint8Array[] {
  const real = realSlices();
  return real.length > 0 ? real : Array.from({ length: 8 }, (_, seed) => madeSlice(seed));
}

/** The middle of a slice, `side` by `side`. */
function cropped(slice: Uint8Array, side: number): Uint8Array {
  const edge = (512 - side) / 2;
  const rows = Array.from({ length: side }, (_, row) => {
    const from = ((edge + row) * 512 + edge) * 2;
    return slice.subarray(from, from + side * 2);
  });
  return Buffer.concat(rows);
}

/** Writes `count` files into a folder and gives their data sets' size. */
export function writeCtFiles(folder: string, count: number, study: string, side = 512): number {
  mkdirSync(folder, { recursive: true });
  const slices = ctSlices();
  let sizeBytes = 0;
  for (let number = 1; number <= count; number += 1) {
    const instance = `${study}.1.${number}`;
    const slice = slices[number % slices.length] ?? new Uint8Array(sliceBytes);
    const pixels = side === 512 ? slice : cropped(slice, side);
    const dataSet = makeInstance({ study, number, instance, rows: side, columns: side, pixels });
    const meta = encodeFileMeta({
      sopClassUid: ctImageStorage as never,
      sopInstanceUid: instance as never,
      syntaxUid: explicitLittleEndian as never,
    });
    writeFileSync(join(folder, `${String(number).padStart(6, '0')}.dcm`), Buffer.concat([meta, dataSet]));
    sizeBytes = dataSet.byteLength;
  }
  return sizeBytes;
}
