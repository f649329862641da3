// What the Image Pixel module says of a frame, as plain values, and what follows from it.
//
// Invariants: a shape that `checkShape` passed has whole numbers within limits, and its native frame has a size within limits. The photometric
// interpretation is a free word, since objects carry retired and misspelt ones: decoding does not need it, rendering answers `undefined` for what it does not know.

import { malformedPixels, pixelsBeyond } from './pixel-fault.ts';
import { frameBytesMax, samplesPerPixelMax, sideMax, tableEntriesMax } from './pixel-limits.ts';

/** A lookup table as DICOM describes it: `first` is the first value mapped, `bits` the width of an entry. */
export type LookupTable = {
  readonly first: number;
  readonly bits: number;
  readonly entries: Uint16Array;
};

export type Palette = { readonly red: LookupTable; readonly green: LookupTable; readonly blue: LookupTable };

export type ImageShape = {
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  /** 0 unsigned, 1 two's complement. */
  readonly pixelRepresentation: 0 | 1;
  readonly photometricInterpretation: string;
  /** 0 or absent: samples of a pixel side by side; 1: component after component. */
  readonly planarConfiguration?: 0 | 1 | undefined;
  /** The frame is of Float or Double Float Pixel Data. */
  readonly floatingPoint?: boolean | undefined;
  readonly palette?: Palette | undefined;
};

/** A frame that is plain: native, little-endian, samples side by side unless it came as native planes. */
export type PlainFrame = { readonly shape: ImageShape; readonly bytes: Uint8Array };

const bitsAllowed: ReadonlySet<number> = new Set([1, 8, 12, 16, 24, 32, 64]);

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

/** Throws DICOM_MALFORMED for what no image can be, LIMIT_EXCEEDED for what is too large here. */
export function checkShape(shape: ImageShape): void {
  const { rows, columns, samplesPerPixel, bitsAllocated, bitsStored, highBit, pixelRepresentation } = shape;
  if (!isWhole(rows, 1, sideMax) || !isWhole(columns, 1, sideMax)) throw malformedPixels('rows or columns');
  if (!isWhole(samplesPerPixel, 1, samplesPerPixelMax)) throw malformedPixels('samples per pixel');
  if (!bitsAllowed.has(bitsAllocated)) throw malformedPixels('bits allocated');
  if (!isWhole(bitsStored, 1, bitsAllocated)) throw malformedPixels('bits stored');
  if (!isWhole(highBit, bitsStored - 1, bitsAllocated - 1)) throw malformedPixels('high bit');
  if (pixelRepresentation !== 0 && pixelRepresentation !== 1) throw malformedPixels('pixel representation');
  if (shape.planarConfiguration !== undefined && !isWhole(shape.planarConfiguration, 0, 1)) {
    throw malformedPixels('planar configuration');
  }
  if (shape.floatingPoint === true && bitsAllocated !== 32 && bitsAllocated !== 64) {
    throw malformedPixels('floating point of this width');
  }
  if (isSubsampled(shape) && (samplesPerPixel !== 3 || bitsAllocated < 8)) {
    throw malformedPixels('chroma is halved, but the pixels are not three samples of bytes');
  }
  if (frameBitsOf(shape) > frameBytesMax * 8) throw pixelsBeyond('bytes of a frame');
  for (const table of Object.values(shape.palette ?? {})) checkTable(table);
}

function checkTable({ first, bits, entries }: LookupTable): void {
  const isFine = isWhole(first, -32_768, 65_535) && isWhole(bits, 8, 16) && isWhole(entries.length, 1, tableEntriesMax);
  if (!isFine) throw malformedPixels('a lookup table');
}

/** Whether a native frame of this shape holds two chroma samples for every second pixel. */
export function isSubsampled({ photometricInterpretation }: ImageShape): boolean {
  return photometricInterpretation === 'YBR_FULL_422' || photometricInterpretation === 'YBR_PARTIAL_422';
}

export function isPlanar({ planarConfiguration, samplesPerPixel }: ImageShape): boolean {
  return planarConfiguration === 1 && samplesPerPixel > 1;
}

/** Bits of one native frame. Frames of single bits follow one another without a gap; all others fill whole bytes. */
export function frameBitsOf(shape: ImageShape): number {
  const { rows, columns, samplesPerPixel, bitsAllocated } = shape;
  // Of each two pixels of a row: two luma samples and two of chroma. An odd last column has a partner that is not shown.
  if (isSubsampled(shape)) return rows * (columns + (columns & 1)) * 2 * bitsAllocated;
  return rows * columns * samplesPerPixel * bitsAllocated;
}

/** Whole bytes that hold one native frame by itself. */
export function frameBytesOf(shape: ImageShape): number {
  return Math.ceil(frameBitsOf(shape) / 8);
}

/**
 * The shape of the same image with its samples side by side, which is how every decoder of streams gives them: chroma then has its full size, whatever the
 * data set called it.
 */
export function decodedShape(shape: ImageShape, photometricInterpretation?: string): ImageShape {
  const said = photometricInterpretation ?? (isSubsampled(shape) ? 'YBR_FULL' : shape.photometricInterpretation);
  const planar = shape.samplesPerPixel > 1 ? { planarConfiguration: 0 as const } : {};
  return { ...shape, photometricInterpretation: said, ...planar };
}
