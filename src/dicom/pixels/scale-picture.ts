// A picture at another size: areas are averaged where it becomes smaller, neighbours blended where it becomes larger, each direction by itself.
//
// Rows are pulled from the source one after the other and at most two are held, so memory is that of the result.

import type { PictureSource } from './picture-source.ts';

/** A part of the source; its sides may be flipped. */
export type SourceArea = {
  readonly x: number;
  readonly y: number;
  readonly columns: number;
  readonly rows: number;
  readonly flippedAcross?: boolean | undefined;
  readonly flippedDown?: boolean | undefined;
};

export type Raster = {
  readonly rows: number;
  readonly columns: number;
  readonly channels: 1 | 3;
  readonly levels: Uint8Array | Uint16Array;
};

/** Which places of the source make one place of the result: `weights[k]` of place `first + k`; they sum to one. */
type Mix = { readonly first: number; readonly weights: Float32Array };

function mixesOf(from: { readonly start: number; readonly count: number }, count: number, isFlipped: boolean): Mix[] {
  const step = from.count / count;
  const mixes = Array.from({ length: count }, (_, k) =>
    step >= 1 ? averageOf(k, step, from) : blendOf(k, step, from),
  );
  return isFlipped ? mixes.reverse() : mixes;
}

function averageOf(k: number, step: number, { start, count }: { readonly start: number; readonly count: number }): Mix {
  const begin = k * step;
  const end = Math.min(count, begin + step);
  const first = Math.min(count - 1, Math.floor(begin + 1e-9));
  const last = Math.max(first, Math.min(count - 1, Math.ceil(end - 1e-9) - 1));
  const weights = new Float32Array(last - first + 1);
  for (let place = first; place <= last; place++) {
    weights[place - first] = (Math.min(end, place + 1) - Math.max(begin, place)) / (end - begin);
  }
  return { first: start + first, weights };
}

function blendOf(k: number, step: number, { start, count }: { readonly start: number; readonly count: number }): Mix {
  const middle = Math.min(count - 1, Math.max(0, (k + 0.5) * step - 0.5));
  const first = Math.min(Math.max(0, count - 2), Math.floor(middle));
  const second = middle - first;
  return { first: start + first, weights: count === 1 ? Float32Array.of(1) : Float32Array.of(1 - second, second) };
}

export function scalePicture(
  source: PictureSource,
  area: SourceArea,
  size: { readonly rows: number; readonly columns: number },
  most: 255 | 65_535,
): Raster {
  const { channels } = source;
  const { rows, columns } = size;
  const make = (count: number): Uint8Array | Uint16Array =>
    most === 255 ? new Uint8Array(count) : new Uint16Array(count);
  const levels = make(rows * columns * channels);
  const isAsItIs =
    rows === area.rows && columns === area.columns && area.flippedAcross !== true && area.flippedDown !== true;
  if (isAsItIs && area.x === 0 && area.y === 0 && columns === source.columns) {
    for (let row = 0; row < rows; row++) {
      source.readRow(row, levels.subarray(row * columns * channels, (row + 1) * columns * channels));
    }
    return { rows, columns, channels, levels };
  }
  const across = mixesOf({ start: area.x, count: area.columns }, columns, area.flippedAcross === true);
  const down = mixesOf({ start: area.y, count: area.rows }, rows, area.flippedDown === true);
  const sourceRow = make(source.columns * channels);
  const narrowed = new NarrowedRows((row, to) => {
    source.readRow(row, sourceRow);
    mixRow(sourceRow, across, channels, to);
  }, columns * channels);
  const sums = new Float32Array(columns * channels);
  down.forEach(({ first, weights }, row) => {
    sums.fill(0);
    weights.forEach((weight, k) => {
      const values = narrowed.get(first + k);
      for (let place = 0; place < sums.length; place++) {
        sums[place] = (sums[place] as number) + weight * (values[place] as number);
      }
    });
    const start = row * columns * channels;
    for (let place = 0; place < sums.length; place++) levels[start + place] = (sums[place] as number) + 0.5;
  });
  return { rows, columns, channels, levels };
}

function mixRow(row: Uint8Array | Uint16Array, across: readonly Mix[], channels: number, to: Float32Array): void {
  let place = 0;
  for (const { first, weights } of across) {
    for (let channel = 0; channel < channels; channel++, place++) {
      let sum = 0;
      let from = first * channels + channel;
      for (let k = 0; k < weights.length; k++, from += channels) sum += (weights[k] as number) * (row[from] as number);
      to[place] = sum;
    }
  }
}

/** The last two rows asked for: neighbours in the result share them. */
class NarrowedRows {
  readonly #make: (row: number, to: Float32Array) => void;
  readonly #held: { row: number; readonly values: Float32Array }[];

  constructor(make: (row: number, to: Float32Array) => void, count: number) {
    this.#make = make;
    this.#held = [0, 1].map(() => ({ row: -1, values: new Float32Array(count) }));
  }

  get(row: number): Float32Array {
    const found = this.#held.find((each) => each.row === row);
    if (found !== undefined) return found.values;
    const oldest = this.#held.shift() as { row: number; readonly values: Float32Array };
    oldest.row = row;
    this.#make(row, oldest.values);
    this.#held.push(oldest);
    return oldest.values;
  }
}
