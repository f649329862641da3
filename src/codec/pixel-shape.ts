// Owns: what a caller claims about a frame, and the layout the codecs make of it. The claim is a hint and nothing else: it may
// lie about everything, so a layout is derived that always fits the bytes, and what it leaves over is a tail shorter than a row.
// The layout travels in the payload; decoders never see the claim.

export type PixelShape = {
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: number;
  readonly bitsAllocated: 8 | 16;
  readonly planar: boolean;
};

/** rows x columns pixels of `samples` components; `planar`: component after component. rows is 0 only when nothing fits. */
export type PixelLayout = {
  readonly rows: number;
  readonly columns: number;
  readonly samples: number;
  readonly wide: boolean;
  readonly planar: boolean;
  readonly tailBytes: number;
};

export const columnsMax = 65535;
export const samplesMax = 4;
/** More than this is not looked at as pixels. Callers cut frames into chunks of 1 MiB; the limit only bounds memory. */
export const pixelBytesMax = 64 * 1024 * 1024;
/** Narrower planes cost more in started rows than their columns tell. */
const columnsMin = 8;
const columnsGuessed = 512;

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

export function layOut(sizeBytes: number, shape: PixelShape): PixelLayout {
  const wide = shape.bitsAllocated === 16;
  const width = wide ? 2 : 1;
  const samples = isCount(shape.samplesPerPixel, samplesMax) ? shape.samplesPerPixel : 1;
  if (isCount(shape.columns, columnsMax) && shape.columns >= columnsMin) {
    const frameBytes = shape.rows * shape.columns * samples * width;
    if (samples > 1 && shape.planar && frameBytes === sizeBytes && shape.rows > 0) {
      return { rows: shape.rows, columns: shape.columns, samples, wide, planar: true, tailBytes: 0 };
    }
    // Planes one below the other, when the sum is wrong, are still rows of one component.
    const together = shape.planar ? 1 : samples;
    const rowBytes = shape.columns * together * width;
    const rows = Math.floor(sizeBytes / rowBytes);
    if (rows > 0)
      return {
        rows,
        columns: shape.columns,
        samples: together,
        wide,
        planar: false,
        tailBytes: sizeBytes - rows * rowBytes,
      };
  }
  const words = Math.floor(sizeBytes / width);
  const columns = Math.min(columnsGuessed, words);
  const rows = columns > 0 ? Math.floor(words / columns) : 0;
  return { rows, columns, samples: 1, wide, planar: false, tailBytes: sizeBytes - rows * columns * width };
}
