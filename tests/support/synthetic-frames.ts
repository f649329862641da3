// Frames made by rule and seed, for the tests and golden files of the pixel codecs. Owns: what each kind looks like; the same name, size and
// seed give the same bytes for ever, since golden files were made from them. Integer arithmetic only, so that no machine differs.

import { SeededRandom } from '../../src/base/index.ts';
import type { PixelShape } from '../../src/codec/pixel-shape.ts';

export const frameKinds = [
  'constant',
  'gradient',
  'disc12',
  'disc-signed',
  'noise',
  'sparse',
  'drawing8',
  'rgb',
  'rgb-planar',
  'rgb16',
  'big-endian',
  'padded',
  'boxes',
] as const;
export type FrameKind = (typeof frameKinds)[number];

export type SyntheticFrame = { readonly bytes: Uint8Array; readonly shape: PixelShape };

type Sample = (row: number, column: number, component: number) => number;

/** A bright disc with soft shading and grain on a dark ground: what a slice of a scanner looks like to a codec. */
function disc(rows: number, columns: number, random: SeededRandom): Sample {
  const grain = random.bytes(4096);
  const radius = Math.max(1, Math.min(rows, columns) >> 1);
  return (row, column) => {
    const y = row - (rows >> 1);
    const x = column - (columns >> 1);
    const far = Math.floor(((x * x + y * y) * 1024) / (radius * radius));
    const speck = (grain[(row * 61 + column * 17 + ((row * column) >> 3)) % 4096] ?? 0) & 31;
    return far > 900 ? speck >> 3 : 1000 + speck - (far >> 1) + ((x * y) >> 6);
  };
}

/** A round field of view, and one value around it, as scanners send it. */
function padded(rows: number, columns: number, shaded: Sample): Sample {
  return (row, column, component) => {
    const y = 2 * row - rows;
    const x = 2 * column - columns;
    return y * y * columns * columns + x * x * rows * rows > rows * rows * columns * columns
      ? -2000
      : shaded(row, column, component) - 1024;
  };
}

/** A screen: boxes over each other in a few colours, and a column of strokes. */
function boxes(rows: number, columns: number, random: SeededRandom): Sample {
  const drawn = Array.from({ length: 9 }, () => ({
    top: random.below(rows),
    left: random.below(columns),
    high: 1 + random.below(rows),
    wide: 1 + random.below(columns),
    colour: random.bytes(3),
  }));
  const strokes = random.bytes(64);
  return (row, column, component) => {
    if (column < 8) return ((strokes[row % 64] ?? 0) >> column) & 1 ? 250 : 5;
    const box = drawn.findLast(
      ({ top, left, high, wide }) => row >= top && row < top + high && column >= left && column < left + wide,
    );
    return box?.colour[component] ?? 40;
  };
}

function sampleOf(kind: FrameKind, rows: number, columns: number, random: SeededRandom): Sample {
  const shaded = disc(rows, columns, random);
  switch (kind) {
    case 'constant':
      return () => 77;
    case 'gradient':
      return (row, column) => row * 3 + column * 5;
    case 'noise': {
      const noise = random.bytes(rows * columns * 2);
      return (row, column) => {
        const at = 2 * (row * columns + column);
        return (noise[at] ?? 0) | ((noise[at + 1] ?? 0) << 8);
      };
    }
    case 'sparse':
      return (row, column) => (shaded(row, column, 0) >> 4) * 173;
    case 'drawing8':
      return (row, column) => ((row >> 3) % 3 === 0 && (column >> 4) % 2 === 0 ? 200 : 16);
    case 'disc-signed':
      return (row, column) => shaded(row, column, 0) - 1024;
    case 'rgb':
    case 'rgb-planar':
      return (row, column, component) => (shaded(row, column, 0) >> 3) + ((row * (component + 1)) >> 4);
    case 'rgb16':
      return (row, column, component) => shaded(row, column, 0) * 9 + component * 40 + ((column * component) >> 2);
    case 'padded':
      return padded(rows, columns, shaded);
    case 'boxes':
      return boxes(rows, columns, random);
    default:
      return shaded;
  }
}

export function syntheticFrame(kind: FrameKind, rows: number, columns: number, seed: number): SyntheticFrame {
  const colour = kind.startsWith('rgb') || kind === 'boxes';
  const samplesPerPixel = colour ? 3 : 1;
  const planar = kind === 'rgb-planar';
  const bitsAllocated = kind === 'drawing8' || kind === 'rgb' || kind === 'boxes' || planar ? 8 : 16;
  const sample = sampleOf(kind, rows, columns, new SeededRandom(seed));
  const values: number[] = [];
  if (planar) {
    for (let k = 0; k < 3; k++)
      for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) values.push(sample(r, c, k));
  } else {
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) for (let k = 0; k < samplesPerPixel; k++) values.push(sample(r, c, k));
  }
  const bytes = new Uint8Array(values.length * (bitsAllocated / 8));
  const view = new DataView(bytes.buffer);
  for (const [k, value] of values.entries()) {
    if (bitsAllocated === 8) view.setUint8(k, value & 0xff);
    else view.setUint16(2 * k, value & 0xffff, kind !== 'big-endian');
  }
  return { bytes, shape: { rows, columns, samplesPerPixel, bitsAllocated, planar } };
}
