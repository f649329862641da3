// Owns: the way between the bytes of a frame and its components' planes in the kernel's memory, and the head of a payload that tells of it. Shared by
// both pixel codecs of version 2.
//
// Head, little-endian:
//   u8 mode
//   u8 flags    1 wide (16-bit samples), 2 big-endian, 4 flipped (samples xor 0x8000), 8 decorrelated, 16 planar
//   u8 samples  1..4
//   u32 rows, u32 columns
//
// Invariant: what a head that was read says fits the promised length, so whoever goes by it stays within the regions made for it.

import { CodecFault } from './codec-fault.ts';
import type { KernelExports } from './pixel-kernel.ts';
import { columnsMax, type PixelLayout, pixelBytesMax, samplesMax } from './pixel-shape.ts';

const flag = { wide: 1, bigEndian: 2, flipped: 4, decorrelated: 8, planar: 16 } as const;
const flagsAll = 31;
export const headBytes = 11;

/** A frame's planes: where each begins, and how far its rows lie apart. */
export type Planes = { readonly at: readonly number[]; readonly stride: number };

/** How bytes became planes, and become bytes again. */
export type PlaneForm = { readonly layout: PixelLayout; readonly flags: number };

/** The bytes at `from` become planes; says how. `flips`: whether 16-bit samples may be turned so that what looks unsigned does not jump. */
export function readPlanes(
  exports: KernelExports,
  from: number,
  layout: PixelLayout,
  planes: Planes,
  flips: boolean,
): PlaneForm {
  const { rows, columns, samples, wide, planar } = layout;
  let flags = (wide ? flag.wide : 0) | (planar ? flag.planar : 0);
  if (wide) {
    const look = exports.lookAtWords(from, rows * columns * samples, planar ? 1 : samples);
    if ((look & 1) !== 0) flags |= flag.bigEndian;
    if (flips && (look & 2) !== 0) flags |= flag.flipped;
  }
  const [red = 0, green = 0, blue = 0] = planes.at;
  const { stride } = planes;
  if (isRgb(layout)) exports.readRgb(from, red, green, blue, rows, columns, stride);
  else if (red !== from || !isPlain({ layout, flags })) {
    eachPlane(planes, { layout, flags }, from, (...place) => {
      exports.readSamples(...place);
    });
  }
  if (samples === 3) {
    const alone = exports.roughness(red, rows, columns, stride) + exports.roughness(blue, rows, columns, stride);
    const beside =
      exports.roughnessBeside(red, green, rows, columns, stride) +
      exports.roughnessBeside(blue, green, rows, columns, stride);
    if (beside < alone) {
      flags |= flag.decorrelated;
      exports.subtractPlane(red, green, rows, columns, stride);
      exports.subtractPlane(blue, green, rows, columns, stride);
    }
  }
  return { layout, flags };
}

/** The planes become the bytes at `to`. */
export function writePlanes(exports: KernelExports, to: number, form: PlaneForm, planes: Planes): void {
  const { rows, columns } = form.layout;
  const [red = 0, green = 0, blue = 0] = planes.at;
  const { stride } = planes;
  if ((form.flags & flag.decorrelated) !== 0) {
    exports.addPlane(red, green, rows, columns, stride);
    exports.addPlane(blue, green, rows, columns, stride);
  }
  if (isRgb(form.layout)) exports.writeRgb(to, red, green, blue, rows, columns, stride);
  else if (red !== to || !isPlain(form)) {
    eachPlane(planes, form, to, (...place) => {
      exports.writeSamples(...place);
    });
  }
}

function isRgb({ samples, wide, planar }: PixelLayout): boolean {
  return samples === 3 && !wide && !planar;
}

type Move = (
  bytes: number,
  plane: number,
  rows: number,
  columns: number,
  stride: number,
  step: number,
  wide: number,
  bigEndian: number,
  flip: number,
) => void;

function eachPlane({ at, stride }: Planes, { layout, flags }: PlaneForm, bytes: number, move: Move): void {
  const { rows, columns, samples, wide, planar } = layout;
  const width = wide ? 2 : 1;
  const apart = planar ? rows * columns * width : width;
  const step = planar ? 1 : samples;
  const bigEndian = (flags & flag.bigEndian) === 0 ? 0 : 1;
  const flip = (flags & flag.flipped) === 0 ? 0 : 0x8000;
  for (const [index, plane] of at.entries()) {
    move(bytes + index * apart, plane, rows, columns, stride, step, Number(wide), bigEndian, flip);
  }
}

/** Whether the bytes of a plane are the plane; then, where both lie in one place, there is nothing to read or write. */
function isPlain({ layout, flags }: PlaneForm): boolean {
  return layout.samples === 1 && layout.wide && (flags & (flag.bigEndian | flag.flipped)) === 0;
}

export function writeHead(out: Uint8Array, mode: number, { layout, flags }: PlaneForm): void {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  out.set([mode, flags, layout.samples]);
  view.setUint32(3, layout.rows, true);
  view.setUint32(7, layout.columns, true);
}

/** Throws CodecFault where the head does not fit the promised length. */
export function readHead(stored: Uint8Array, plainSizeBytes: number): PlaneForm {
  if (stored.length < headBytes || plainSizeBytes > pixelBytesMax) throw new CodecFault('head cut short');
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const flags = view.getUint8(1);
  const samples = view.getUint8(2);
  const rows = view.getUint32(3, true);
  const columns = view.getUint32(7, true);
  const wide = (flags & flag.wide) !== 0;
  const tailBytes = plainSizeBytes - rows * columns * samples * (wide ? 2 : 1);
  const isOdd = (flags & ~flagsAll) !== 0 || ((flags & flag.decorrelated) !== 0 && samples !== 3);
  const sizeFits = samples >= 1 && samples <= samplesMax && rows >= 1 && columns >= 1 && columns <= columnsMax;
  if (isOdd || !sizeFits || tailBytes < 0 || tailBytes > stored.length - headBytes) {
    throw new CodecFault('head does not fit the promised length');
  }
  return { flags, layout: { rows, columns, samples, wide, planar: (flags & flag.planar) !== 0, tailBytes } };
}
