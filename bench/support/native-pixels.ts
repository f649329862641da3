// Finds native (uncompressed) pixel frames in Part 10 files, for benches and tests of the pixel codecs only.
// Owns: just enough parsing to reach (7FE0,0010) in explicit and implicit little endian and explicit big endian files.
// Leaves out on purpose: everything else of DICOM. A file it does not understand yields null, never an error.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

export type NativeFrame = {
  bytes: Uint8Array;
  rows: number;
  columns: number;
  samplesPerPixel: number;
  bitsAllocated: 8 | 16;
  bitsStored: number;
  planar: boolean;
  signed: boolean;
  bigEndian: boolean;
};

export type NativeSeries = { name: string; frames: NativeFrame[] };

const longForms = new Set(['OB', 'OW', 'OF', 'OD', 'OL', 'OV', 'SQ', 'UC', 'UN', 'UR', 'UT', 'SV', 'UV']);
const lengthUndefined = 0xffffffff;

type Cursor = { bytes: Buffer; at: number; explicit: boolean; bigEndian: boolean };
type Head = { tag: number; length: number };

function u16(c: Cursor, at: number): number {
  return c.bigEndian ? c.bytes.readUInt16BE(at) : c.bytes.readUInt16LE(at);
}

function u32(c: Cursor, at: number): number {
  return c.bigEndian ? c.bytes.readUInt32BE(at) : c.bytes.readUInt32LE(at);
}

function readHead(c: Cursor): Head {
  const tag = u16(c, c.at) * 65536 + u16(c, c.at + 2);
  const item = Math.floor(tag / 65536) === 0xfffe;
  if (!c.explicit || item) {
    c.at += 8;
    return { tag, length: u32(c, c.at - 4) };
  }
  const form = c.bytes.toString('latin1', c.at + 4, c.at + 6);
  if (longForms.has(form)) {
    c.at += 12;
    return { tag, length: u32(c, c.at - 4) };
  }
  c.at += 8;
  return { tag, length: u16(c, c.at - 2) };
}

/** Skips what has no stated length: items until the sequence delimiter, elements until the item delimiter. */
function skipUndefined(c: Cursor): void {
  for (;;) {
    const head = readHead(c);
    if (head.tag === 0xfffee0dd || head.tag === 0xfffee00d) return;
    if (head.length === lengthUndefined) skipUndefined(c);
    else c.at += head.length;
  }
}

export function readNativeFrames(file: Buffer): NativeFrame[] | null {
  try {
    return parse(file);
  } catch {
    return null;
  }
}

function parse(file: Buffer): NativeFrame[] | null {
  if (file.toString('latin1', 128, 132) !== 'DICM') return null;
  const c: Cursor = { bytes: file, at: 132, explicit: true, bigEndian: false };
  let syntax = '1.2.840.10008.1.2';
  while (c.at < file.length && u16(c, c.at) === 2) {
    const head = readHead(c);
    if (head.tag === 0x00020010) syntax = file.toString('latin1', c.at, c.at + head.length).replace(/[\0 ]+$/, '');
    c.at += head.length;
  }
  if (syntax === '1.2.840.10008.1.2') c.explicit = false;
  else if (syntax === '1.2.840.10008.1.2.2') c.bigEndian = true;
  else if (syntax !== '1.2.840.10008.1.2.1') return null;
  const found = new Map<number, number>();
  let frameCount = 1;
  while (c.at + 8 <= file.length) {
    const head = readHead(c);
    if (head.tag === 0x7fe00010) return cutFrames(c, head.length, found, frameCount);
    if (head.length === lengthUndefined) {
      skipUndefined(c);
      continue;
    }
    if (head.tag === 0x00280008)
      frameCount = Number.parseInt(file.toString('latin1', c.at, c.at + head.length), 10) || 1;
    else if (head.tag >>> 16 === 0x0028 && head.length === 2) found.set(head.tag, u16(c, c.at));
    c.at += head.length;
  }
  return null;
}

function cutFrames(c: Cursor, length: number, found: Map<number, number>, frameCount: number): NativeFrame[] | null {
  const rows = found.get(0x00280010) ?? 0;
  const columns = found.get(0x00280011) ?? 0;
  const samplesPerPixel = found.get(0x00280002) ?? 1;
  const bitsAllocated = found.get(0x00280100);
  if (length === lengthUndefined || (bitsAllocated !== 8 && bitsAllocated !== 16)) return null;
  const frameBytes = rows * columns * samplesPerPixel * (bitsAllocated / 8);
  if (frameBytes === 0) return null;
  const frames: NativeFrame[] = [];
  for (let index = 0; index < frameCount; index++) {
    const start = c.at + index * frameBytes;
    if (start + frameBytes > Math.min(c.bytes.length, c.at + length)) break;
    frames.push({
      bytes: new Uint8Array(c.bytes.subarray(start, start + frameBytes)),
      rows,
      columns,
      samplesPerPixel,
      bitsAllocated,
      bitsStored: found.get(0x00280101) ?? bitsAllocated,
      planar: found.get(0x00280006) === 1,
      signed: found.get(0x00280103) === 1,
      bigEndian: c.bigEndian,
    });
  }
  return frames.length > 0 ? frames : null;
}

function walk(folder: string): string[] {
  const out: string[] = [];
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) out.push(...walk(path));
    else out.push(path);
  }
  return out;
}

/** Every native series under a folder: whole folders ending in `-<count>` as one series, other files one by one. */
export function findNativeSeries(root: string): NativeSeries[] {
  const series = new Map<string, NativeFrame[]>();
  for (const path of walk(root)) {
    const frames = readNativeFrames(readFileSync(path));
    if (frames === null) continue;
    const parts = relative(root, path).split(/[\\/]/);
    const whole = /-\d+$/.test(parts[0] ?? '');
    const name = whole || parts[0] === 'dicomdir' ? parts.slice(0, whole ? 1 : -1).join('/') : parts.join('/');
    series.set(name, [...(series.get(name) ?? []), ...frames]);
  }
  return [...series].map(([name, frames]) => ({ name, frames }));
}
