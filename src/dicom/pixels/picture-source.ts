// A plain frame as rows of what is shown: grey levels, or red, green and blue.
//
// Grey goes through modality, VOI and inversion; MONOCHROME1 is inverted. Palettes, RGB and all YBR kinds become RGB of eight bits. Rows are made when asked
// for, so that a picture that is scaled down never stands in memory at full size. Undefined: a photometric interpretation that is not known here.

import { automaticVoi, type Padding } from './automatic-voi.ts';
import { type Modality, modalityValue, type Voi, voiLevel } from './grey-levels.ts';
import {
  type ImageShape,
  isPlanar,
  isSubsampled,
  type LookupTable,
  type Palette,
  type PlainFrame,
} from './image-shape.ts';
import { expandSubsampled, interleave } from './sample-layout.ts';
import { type RawWords, readSamples, type Values } from './sample-reader.ts';

export type Shown = {
  readonly modality?: Modality | undefined;
  /** Absent: found from the values of the frame. */
  readonly voi?: Voi | undefined;
  /** Presentation LUT Shape INVERSE. */
  readonly inverted?: boolean | undefined;
  /** Values that are no part of the image; they are left out where a range is found from the values. */
  readonly padding?: Padding | undefined;
};

export type PictureSource = {
  readonly rows: number;
  readonly columns: number;
  readonly channels: 1 | 3;
  /** Writes the levels of one row, `channels` for each column, from 0 to `most`. */
  readRow(row: number, levels: Uint8Array | Uint16Array): void;
};

export function pictureOf(frame: PlainFrame, shown: Shown, most: 255 | 65_535): PictureSource | undefined {
  const { photometricInterpretation: said, samplesPerPixel } = frame.shape;
  if (samplesPerPixel === 1) {
    if (said === 'PALETTE COLOR') return palettePicture(frame, most);
    if (said !== 'MONOCHROME1' && said !== 'MONOCHROME2') return undefined;
    return frame.shape.palette === undefined
      ? greyPicture(frame, shown, most)
      : supplementedPicture(frame, shown, frame.shape.palette, most);
  }
  return samplesPerPixel === 3 ? colourPicture(frame, most) : undefined;
}

/** Levels by word where there are few enough different ones, else by value. */
type Grey =
  | { readonly kind: 'words'; readonly samples: RawWords; readonly table: Uint16Array }
  | { readonly kind: 'values'; readonly samples: Values; readonly levelOf: (value: number) => number };

function greyOf(frame: PlainFrame, shown: Shown, most: number): Grey | undefined {
  const samples = readSamples(frame);
  if (samples === undefined) return undefined;
  const toModality = modalityValue(shown.modality);
  const level = voiLevel(shown.voi ?? automaticVoi(samples, frame.shape, toModality, shown.padding));
  const isInverted = (frame.shape.photometricInterpretation === 'MONOCHROME1') !== (shown.inverted === true);
  const levelOf = (value: number): number => {
    const part = level(toModality(value));
    // What is no number (floating point has such) is shown as nothing.
    const inside = part > 0 ? Math.min(1, part) : 0;
    return Math.round((isInverted ? 1 - inside : inside) * most);
  };
  if (samples.kind === 'values') return { kind: 'values', samples, levelOf };
  const { count, meaning, words } = samples;
  const table = new Uint16Array(count);
  // A slice has some thousands of different values: to find which costs less than the levels of all 65,536. A large picture has no such gain.
  const counts = words.length < 8 * count && count > 256 ? samples.counts() : undefined;
  for (let word = 0; word < count; word++) {
    if (counts === undefined || counts[word] !== 0) table[word] = levelOf(meaning(word));
  }
  return { kind: 'words', samples, table };
}

function greyPicture(frame: PlainFrame, shown: Shown, most: number): PictureSource | undefined {
  const grey = greyOf(frame, shown, most);
  if (grey === undefined) return undefined;
  const { rows, columns } = frame.shape;
  const readRow: PictureSource['readRow'] = grey.kind === 'words' ? wordRows(grey, columns) : valueRows(grey, columns);
  return { rows, columns, channels: 1, readRow };
}

function wordRows({ samples, table }: Grey & { kind: 'words' }, columns: number): PictureSource['readRow'] {
  const { words } = samples;
  return (row, levels) => {
    const start = row * columns;
    for (let column = 0; column < columns; column++) levels[column] = table[words[start + column] as number] as number;
  };
}

function valueRows({ samples, levelOf }: Grey & { kind: 'values' }, columns: number): PictureSource['readRow'] {
  const { values } = samples;
  return (row, levels) => {
    const start = row * columns;
    for (let column = 0; column < columns; column++) levels[column] = levelOf(values[start + column] as number);
  };
}

/** Entries of a palette as levels of eight bits. Some writers give eight bits and call them sixteen. */
function paletteLevels({ bits, entries }: LookupTable): Uint8Array {
  const isNarrow = bits <= 8 || entries.every((entry) => entry < 256);
  return Uint8Array.from(entries, (entry) => (isNarrow ? entry : entry >> 8));
}

function paletteColour(
  palette: Palette,
  scale: number,
): (value: number, levels: Uint8Array | Uint16Array, to: number) => void {
  const tables = [palette.red, palette.green, palette.blue].map((table) => ({
    first: table.first,
    last: table.entries.length - 1,
    levels: paletteLevels(table),
  }));
  return (value, levels, to) => {
    for (let channel = 0; channel < 3; channel++) {
      const table = tables[channel] as (typeof tables)[number];
      const entry = Math.min(table.last, Math.max(0, value - table.first));
      levels[to + channel] = (table.levels[entry] as number) * scale;
    }
  };
}

function palettePicture(frame: PlainFrame, most: 255 | 65_535): PictureSource | undefined {
  const { rows, columns, palette } = frame.shape;
  const samples = readSamples(frame);
  if (palette === undefined || samples?.kind !== 'words') return undefined;
  const { words, meaning } = samples;
  const colour = paletteColour(palette, most / 255);
  return {
    rows,
    columns,
    channels: 3,
    readRow(row, levels) {
      for (let column = 0; column < columns; column++) {
        colour(meaning(words[row * columns + column] as number), levels, column * 3);
      }
    },
  };
}

/** Grey below the palette's first value, its colours from there on (Pixel Presentation COLOR, PS3.3, C.7.6.16). */
function supplementedPicture(
  frame: PlainFrame,
  shown: Shown,
  palette: Palette,
  most: 255 | 65_535,
): PictureSource | undefined {
  const grey = greyOf(frame, shown, most);
  if (grey?.kind !== 'words') return undefined;
  const { rows, columns } = frame.shape;
  const { words, meaning } = grey.samples;
  const colour = paletteColour(palette, most / 255);
  return {
    rows,
    columns,
    channels: 3,
    readRow(row, levels) {
      for (let column = 0; column < columns; column++) {
        const k = row * columns + column;
        const value = meaning(words[k] as number);
        if (value >= palette.red.first) colour(value, levels, column * 3);
        else levels.fill(grey.table[words[k] as number] as number, column * 3, column * 3 + 3);
      }
    },
  };
}

/** How three samples become red, green and blue between 0 and 255. */
type ToRgb = (a: number, b: number, c: number, to: Float32Array) => void;

const asRgb: ToRgb = (a, b, c, to) => {
  to[0] = a;
  to[1] = b;
  to[2] = c;
};

/** Full range (PS3.3, C.7.6.3.1.2). */
const fromFull: ToRgb = (y, cb, cr, to) => {
  to[0] = y + 1.402 * (cr - 128);
  to[1] = y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128);
  to[2] = y + 1.772 * (cb - 128);
};

/** Luma from 16 to 235, chroma from 16 to 240. */
const fromPartial: ToRgb = (y, cb, cr, to) => {
  const luma = 1.1644 * (y - 16);
  to[0] = luma + 1.596 * (cr - 128);
  to[1] = luma - 0.3917 * (cb - 128) - 0.8129 * (cr - 128);
  to[2] = luma + 2.0173 * (cb - 128);
};

function toRgbOf(shape: ImageShape): ToRgb | undefined {
  switch (shape.photometricInterpretation) {
    case 'RGB':
      return asRgb;
    case 'YBR_FULL':
    case 'YBR_FULL_422':
      return fromFull;
    case 'YBR_PARTIAL_422':
      return fromPartial;
    default:
      return undefined;
  }
}

function colourPicture(frame: PlainFrame, most: 255 | 65_535): PictureSource | undefined {
  const toRgb = toRgbOf(frame.shape);
  if (toRgb === undefined) return undefined;
  const whole = isSubsampled(frame.shape) ? expandSubsampled(frame) : isPlanar(frame.shape) ? interleave(frame) : frame;
  const samples = readSamples(whole);
  if (samples?.kind !== 'words') return undefined;
  const { rows, columns, bitsStored } = frame.shape;
  const { words, meaning, count } = samples;
  if (toRgb === asRgb && bitsStored === 8 && words instanceof Uint8Array && most === 255) {
    const readRow: PictureSource['readRow'] = (row, levels) =>
      levels.set(words.subarray(row * columns * 3, (row + 1) * columns * 3));
    return { rows, columns, channels: 3, readRow };
  }
  const scale = 255 / (2 ** bitsStored - 1);
  const table = Float32Array.from({ length: count }, (_, word) => meaning(word) * scale);
  const up = most / 255;
  const rgb = new Float32Array(3);
  return {
    rows,
    columns,
    channels: 3,
    readRow(row, levels) {
      let k = row * columns * 3;
      for (let to = 0; to < columns * 3; to += 3, k += 3) {
        toRgb(
          table[words[k] as number] as number,
          table[words[k + 1] as number] as number,
          table[words[k + 2] as number] as number,
          rgb,
        );
        for (let channel = 0; channel < 3; channel++) {
          const level = rgb[channel] as number;
          levels[to + channel] = level <= 0 ? 0 : level >= 255 ? most : Math.round(level * up);
        }
      }
    },
  };
}
