// Part 10 files as tests of pixels need them: the Image Pixel module and the pixel data, native or in fragments; and the writing of such a file, for foreign decoders.
//
// Owns: just enough parsing for files in explicit and implicit little endian, explicit big endian, deflated and encapsulated syntaxes, apart from the product's own reader so that
// one can be held against the other. Leaves out on purpose: everything else of DICOM. What it does not understand yields undefined, never an error.

import { inflateRawSync } from 'node:zlib';
import type { ImageShape, LookupTable } from '../../src/dicom/pixels/image-shape.ts';
import { lookupTableOf } from '../../src/dicom/pixels/lookup-table.ts';

export type PixelFile = {
  readonly syntax: string;
  readonly shape: ImageShape;
  readonly frameCount: number;
  /** Native pixel data, all frames together; or the items of encapsulated pixel data, the offset table first. */
  readonly native: Uint8Array | undefined;
  /** VR of the pixel data: OB or OW; empty where the syntax is implicit. */
  readonly form: string;
  readonly items: readonly Uint8Array[];
  readonly extendedOffsets: Uint8Array | undefined;
  readonly extendedLengths: Uint8Array | undefined;
  /** Single values of group 0028 and others, as the file has them. */
  readonly text: ReadonlyMap<number, string>;
};

const longForms = new Set(['OB', 'OW', 'OF', 'OD', 'OL', 'OV', 'SQ', 'UC', 'UN', 'UR', 'UT', 'SV', 'UV']);
const lengthUndefined = 0xffff_ffff;

type Cursor = { bytes: Buffer; at: number; explicit: boolean; bigEndian: boolean };
type Head = { tag: number; form: string; length: number };

const u16 = (c: Cursor, at: number): number => (c.bigEndian ? c.bytes.readUInt16BE(at) : c.bytes.readUInt16LE(at));
const u32 = (c: Cursor, at: number): number => (c.bigEndian ? c.bytes.readUInt32BE(at) : c.bytes.readUInt32LE(at));

function readHead(c: Cursor): Head {
  const tag = u16(c, c.at) * 65_536 + u16(c, c.at + 2);
  if (!c.explicit || Math.floor(tag / 65_536) === 0xfffe) {
    c.at += 8;
    return { tag, form: '', length: u32(c, c.at - 4) };
  }
  const form = c.bytes.toString('latin1', c.at + 4, c.at + 6);
  c.at += longForms.has(form) ? 12 : 8;
  return { tag, form, length: longForms.has(form) ? u32(c, c.at - 4) : u16(c, c.at - 2) };
}

function skipUndefined(c: Cursor): void {
  for (;;) {
    const { tag, length } = readHead(c);
    if (tag === 0xfffe_e0dd || tag === 0xfffe_e00d) return;
    if (length === lengthUndefined) skipUndefined(c);
    else c.at += length;
  }
}

function readItems(c: Cursor): Uint8Array[] {
  const items: Uint8Array[] = [];
  while (c.at + 8 <= c.bytes.length) {
    const { tag, length } = readHead(c);
    if (tag !== 0xfffe_e000) break;
    items.push(new Uint8Array(c.bytes.subarray(c.at, c.at + length)));
    c.at += length;
  }
  return items;
}

export function readPixelFile(file: Buffer): PixelFile | undefined {
  try {
    return parse(file);
  } catch {
    return undefined;
  }
}

function parse(file: Buffer): PixelFile | undefined {
  const hasPreamble = file.toString('latin1', 128, 132) === 'DICM';
  const c: Cursor = { bytes: file, at: hasPreamble ? 132 : 0, explicit: true, bigEndian: false };
  let syntax = '1.2.840.10008.1.2';
  while (c.at < file.length && u16(c, c.at) === 2) {
    const { tag, length } = readHead(c);
    if (tag === 0x0002_0010) syntax = file.toString('latin1', c.at, c.at + length).replace(/[\0 ]+$/, '');
    c.at += length;
  }
  if (syntax === '1.2.840.10008.1.2.1.99') Object.assign(c, { bytes: inflateRawSync(file.subarray(c.at)), at: 0 });
  c.explicit = syntax !== '1.2.840.10008.1.2';
  c.bigEndian = syntax === '1.2.840.10008.1.2.2';
  const values = new Map<number, Buffer>();
  let pixels: { native: Uint8Array | undefined; items: Uint8Array[]; tag: number; form: string } | undefined;
  while (c.at + 8 <= c.bytes.length) {
    const { tag, form, length } = readHead(c);
    if (tag === 0x7fe0_0010 || tag === 0x7fe0_0008 || tag === 0x7fe0_0009) {
      if (length === lengthUndefined) pixels = { native: undefined, items: readItems(c), tag, form };
      else pixels = { native: new Uint8Array(c.bytes.subarray(c.at, c.at + length)), items: [], tag, form };
      break;
    }
    if (length === lengthUndefined) skipUndefined(c);
    else {
      values.set(tag, c.bytes.subarray(c.at, c.at + length));
      c.at += length;
    }
  }
  if (pixels === undefined) return undefined;
  const word = (tag: number, fallback: number): number => {
    const value = values.get(tag);
    return value === undefined || value.length < 2 ? fallback : u16({ ...c, bytes: value }, 0);
  };
  const text = (tag: number): string =>
    values
      .get(tag)
      ?.toString('latin1')
      .replace(/[\0 ]+$/, '') ?? '';
  const bitsAllocated = pixels.tag === 0x7fe0_0009 ? 64 : word(0x0028_0100, pixels.tag === 0x7fe0_0008 ? 32 : 16);
  const palette = paletteOf(values, c);
  const shape: ImageShape = {
    rows: word(0x0028_0010, 0),
    columns: word(0x0028_0011, 0),
    samplesPerPixel: word(0x0028_0002, 1),
    bitsAllocated,
    bitsStored: word(0x0028_0101, bitsAllocated),
    highBit: word(0x0028_0102, bitsAllocated - 1),
    pixelRepresentation: word(0x0028_0103, 0) === 1 ? 1 : 0,
    photometricInterpretation: text(0x0028_0004),
    planarConfiguration: word(0x0028_0006, 0) === 1 ? 1 : 0,
    ...(pixels.tag === 0x7fe0_0010 ? {} : { floatingPoint: true }),
    ...(palette === undefined ? {} : { palette }),
  };
  return {
    syntax,
    shape,
    frameCount: Number.parseInt(text(0x0028_0008), 10) || 1,
    native: pixels.native,
    form: pixels.form,
    items: pixels.items,
    extendedOffsets: values.get(0x7fe0_0001),
    extendedLengths: values.get(0x7fe0_0002),
    text: new Map([...values].filter(([, v]) => v.length < 200).map(([tag]) => [tag, text(tag)])),
  };
}

function paletteOf(values: Map<number, Buffer>, c: Cursor): ImageShape['palette'] {
  const table = (n: number): LookupTable | undefined => {
    const descriptor = values.get(0x0028_1100 + n);
    const segmented = values.get(0x0028_1220 + n);
    const data = values.get(0x0028_1200 + n) ?? segmented;
    if (descriptor === undefined || data === undefined) return undefined;
    const at = { ...c, bytes: descriptor };
    const words = [u16(at, 0), u16(at, 2), u16(at, 4)] as const;
    return lookupTableOf({ descriptor: words, data, isSegmented: data === segmented, bigEndian: c.bigEndian });
  };
  const [red, green, blue] = [table(1), table(2), table(3)];
  return red === undefined || green === undefined || blue === undefined ? undefined : { red, green, blue };
}

/** A Part 10 file of one image: enough of it for decoders to accept. `items` are fragments behind an empty offset table; `native` is plain pixel data. */
export function writePixelFile(options: {
  readonly syntax: string;
  readonly shape: ImageShape;
  readonly frameCount?: number;
  readonly native?: Uint8Array;
  readonly items?: readonly Uint8Array[];
}): Buffer {
  const { shape, syntax } = options;
  const parts: Buffer[] = [];
  const element = (to: Buffer[], tag: number, form: string, value: Uint8Array | string): void => {
    const padded = typeof value === 'string' ? Buffer.from(value, 'latin1') : Buffer.from(value);
    const even =
      padded.length % 2 === 0
        ? padded
        : Buffer.concat([padded, Buffer.from([form === 'UI' || form === 'OB' ? 0 : 32])]);
    const head = Buffer.alloc(longForms.has(form) ? 12 : 8);
    head.writeUInt16LE(tag >>> 16, 0);
    head.writeUInt16LE(tag & 0xffff, 2);
    head.write(form, 4, 'latin1');
    if (longForms.has(form)) head.writeUInt32LE(even.length, 8);
    else head.writeUInt16LE(even.length, 6);
    to.push(head, even);
  };
  const us = (value: number): Buffer => Buffer.from([value & 255, value >> 8]);
  const meta: Buffer[] = [];
  element(meta, 0x0002_0001, 'OB', Buffer.from([0, 1]));
  element(meta, 0x0002_0002, 'UI', '1.2.840.10008.5.1.4.1.1.7');
  element(meta, 0x0002_0003, 'UI', '2.25.1');
  element(meta, 0x0002_0010, 'UI', syntax);
  element(meta, 0x0002_0012, 'UI', '2.25.2');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(meta.reduce((sum, part) => sum + part.length, 0));
  element(parts, 0x0002_0000, 'UL', length);
  parts.push(...meta);
  element(parts, 0x0008_0016, 'UI', '1.2.840.10008.5.1.4.1.1.7');
  element(parts, 0x0008_0018, 'UI', '2.25.1');
  element(parts, 0x0028_0002, 'US', us(shape.samplesPerPixel));
  element(parts, 0x0028_0004, 'CS', shape.photometricInterpretation);
  if (shape.samplesPerPixel > 1) element(parts, 0x0028_0006, 'US', us(shape.planarConfiguration ?? 0));
  if ((options.frameCount ?? 1) > 1) element(parts, 0x0028_0008, 'IS', String(options.frameCount));
  element(parts, 0x0028_0010, 'US', us(shape.rows));
  element(parts, 0x0028_0011, 'US', us(shape.columns));
  element(parts, 0x0028_0100, 'US', us(shape.bitsAllocated));
  element(parts, 0x0028_0101, 'US', us(shape.bitsStored));
  element(parts, 0x0028_0102, 'US', us(shape.highBit));
  element(parts, 0x0028_0103, 'US', us(shape.pixelRepresentation));
  if (options.native !== undefined) {
    element(parts, 0x7fe0_0010, shape.bitsAllocated > 8 ? 'OW' : 'OB', options.native);
  } else {
    parts.push(Buffer.from('e07f1000', 'hex'), Buffer.from('OB\0\0', 'latin1'), Buffer.alloc(4, 0xff));
    for (const item of [new Uint8Array(0), ...(options.items ?? [])]) {
      const head = Buffer.from('feff00e000000000', 'hex');
      head.writeUInt32LE(item.length + (item.length & 1), 4);
      parts.push(head, Buffer.from(item), Buffer.alloc(item.length & 1));
    }
    parts.push(Buffer.from('feffdde000000000', 'hex'));
  }
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), ...parts]);
}
