// Plain frames made by rule and seed, for the tests, benches and golden files of DICOM pixels. The same arguments give the same bytes for ever, since golden files were made from
// them; integer arithmetic only, so that no machine differs.

import { SeededRandom } from '../../src/base/index.ts';
import type { ImageShape, PlainFrame } from '../../src/dicom/pixels/image-shape.ts';

export type FrameKind = 'disc' | 'noise' | 'flat' | 'sparse';

export type SyntheticPixels = {
  readonly columns: number;
  readonly rows: number;
  /** Bits stored; the least of 8, 16 and 32 that hold them are allocated. */
  readonly bits: number;
  readonly components?: 1 | 3 | 4;
  readonly signed?: boolean;
  readonly kind?: FrameKind;
  readonly photometricInterpretation?: string;
  readonly seed?: number;
};

export function syntheticShape(options: SyntheticPixels): ImageShape {
  const { columns, rows, bits, components = 1 } = options;
  return {
    rows,
    columns,
    samplesPerPixel: components,
    bitsAllocated: bits <= 8 ? 8 : bits <= 16 ? 16 : 32,
    bitsStored: bits,
    highBit: bits - 1,
    pixelRepresentation: options.signed === true ? 1 : 0,
    photometricInterpretation: options.photometricInterpretation ?? (components === 1 ? 'MONOCHROME2' : 'RGB'),
    ...(components > 1 ? { planarConfiguration: 0 } : {}),
  };
}

export function syntheticFrame(options: SyntheticPixels): PlainFrame {
  const { columns, rows, bits, components = 1, signed = false, kind = 'disc', seed = 1 } = options;
  const shape = syntheticShape(options);
  const width = shape.bitsAllocated / 8;
  const bytes = new Uint8Array(rows * columns * components * width);
  const grain = new SeededRandom(seed).bytes(4096);
  const noise = kind === 'noise' ? new SeededRandom(seed + 1).bytes(rows * columns * components * 4) : grain;
  const span = 2 ** bits;
  const radius = Math.max(1, Math.min(rows, columns) >> 1);
  const sampleAt = (row: number, column: number, component: number): number => {
    const k = (row * columns + column) * components + component;
    const speck = (grain[(row * 61 + column * 17 + component * 7 + ((row * column) >> 3)) % 4096] ?? 0) / 256;
    switch (kind) {
      case 'flat':
        return Math.floor(span / 3);
      case 'noise': {
        const word = ((noise[4 * k] ?? 0) | ((noise[4 * k + 1] ?? 0) << 8)) + (noise[4 * k + 2] ?? 0) * 65_536;
        return word % span;
      }
      case 'sparse':
        return speck > 0.97 ? span - 1 : 0;
      case 'disc': {
        const y = row - (rows >> 1);
        const x = column - (columns >> 1);
        const far = Math.min(1024, Math.floor(((x * x + y * y) * 1024) / (radius * radius)));
        const shade = far > 900 ? Math.floor(speck * 20) : 700 - (far >> 1) + component * 60 + Math.floor(speck * 64);
        return Math.min(span - 1, Math.floor((shade * span) / 1024));
      }
    }
  };
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let component = 0; component < components; component++, at += width) {
        const value = sampleAt(row, column, component) - (signed ? span / 2 : 0);
        if (width === 1) view.setUint8(at, value & 255);
        else if (width === 2) view.setUint16(at, value & 0xffff, true);
        else view.setUint32(at, value >>> 0, true);
      }
    }
  }
  return { shape, bytes };
}
