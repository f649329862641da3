// DICOM pixels against other people's programs: real files decoded as DCMTK and OpenJPEG decode them, our streams read by them, our pictures held against theirs.
//
// Real files lie in ../shared/data/dicom. What a reference itself does not read is listed with the reason, or held against the same picture in another file.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { bytesEqual, isArchiveError } from '../../src/base/index.ts';
import {
  alignNativeFrame,
  decodeFrame,
  encodableSyntaxes,
  encodeFrame,
  nativeFrameRange,
  type PlainFrame,
  pixelCodingOf,
  planFrames,
  renderFrame,
} from '../../src/dicom/index.ts';
import { codestreamOf } from '../../src/dicom/pixels/jpeg2000-stream.ts';
import { type PixelFile, readPixelFile, writePixelFile } from '../support/pixel-file.ts';
import { syntheticFrame, syntheticShape } from '../support/synthetic-pixels.ts';

const data = path.resolve(import.meta.dirname, '../../../shared/data/dicom');
const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const needsDcmtk = has('dcmdjpeg') ? false : 'needs DCMTK';
const needsOpenjpeg = spawnSync('opj_decompress', ['-h']).error === undefined ? false : 'needs libopenjp2-tools';
const needsData = existsSync(data) ? false : 'no data at ../shared/data/dicom';

const aside = mkdtempSync(path.join(tmpdir(), 'stele-pixels-'));
after(() => rmSync(aside, { recursive: true, force: true }));
const file = (name: string): string => path.join(aside, name);

/** Files whose reference is the same picture in another file: DCMTK 3.6.7 knows no single bits in these syntaxes, and takes 32 bits in big endian for pairs of words. */
const twins: Readonly<Record<string, string>> = {
  'rtdose_expb.dcm': 'rtdose.dcm',
  'rtdose_expb_1frame.dcm': 'rtdose_1frame.dcm',
  'liver_expb.dcm': 'liver.dcm',
  'liver_expb_1frame.dcm': 'liver_1frame.dcm',
  'liver_rle.dcm': 'liver.dcm',
  'liver_j2k.dcm': 'liver.dcm',
  'liver_deflate.dcm': 'liver.dcm',
  'liver_nonbyte_aligned_rle.dcm': 'liver_nonbyte_aligned.dcm',
  'liver_nonbyte_aligned_j2k.dcm': 'liver_nonbyte_aligned.dcm',
  'liver_nonbyte_aligned_deflate.dcm': 'liver_nonbyte_aligned.dcm',
};
/** What must come of files that are broken on purpose. */
const broken: Readonly<Record<string, 'refused' | 'undecodable'>> = {
  'MR_truncated.dcm': 'refused', // fewer bytes than pixels
  'JPEG2000-embedded-sequence-delimiter.dcm': 'undecodable', // its header claims an extension of Part 2
};
/** DCMTK refuses 7 bits a sample, which JPEG-LS has. */
const unreadable = new Set(['JLSL_08_07_0_1F.dcm']);

const folders = ['syntaxes', 'more-syntaxes'];

function findFile(name: string): string | undefined {
  return folders.map((folder) => path.join(data, folder, name)).find((each) => existsSync(each));
}

/** Coded or native frames, each by itself. */
function framesOf(pixels: PixelFile): Uint8Array[] {
  const { shape, frameCount, native, items } = pixels;
  if (native !== undefined) {
    // A big-endian frame in words needs the word of its last byte; bits are aligned in the order they are read.
    return Array.from({ length: frameCount }, (_, frame) => {
      const { offset, sizeBytes, skipBits } = nativeFrameRange(shape, frame);
      if (shape.bitsAllocated === 1)
        return alignNativeFrame(native.subarray(offset, offset + sizeBytes), shape, skipBits);
      return native.subarray(offset, offset + sizeBytes + (sizeBytes & 1));
    });
  }
  let offset = 0;
  const fragments = items.slice(1).map(({ byteLength }) => {
    const span = { offset: offset + 8, sizeBytes: byteLength };
    offset += 8 + byteLength;
    return span;
  });
  const spans = planFrames({ frameCount, fragments, basicOffsets: items[0] }, (fragment) => ({
    head: items[fragment + 1]?.subarray(0, 16) ?? new Uint8Array(0),
    tail: items[fragment + 1]?.subarray(-16) ?? new Uint8Array(0),
  }));
  return spans.map(({ first, end }) => new Uint8Array(Buffer.concat(items.slice(first + 1, end + 1))));
}

function decodeAll(pixels: PixelFile): PlainFrame[] | 'refused' | 'undecodable' {
  try {
    const { syntax, shape, form } = pixels;
    const frames = framesOf(pixels).map((bytes) => decodeFrame({ syntax, shape, bytes, inWords: form !== 'OB' }));
    return frames.some((frame) => frame === undefined) ? 'undecodable' : (frames as PlainFrame[]);
  } catch (error) {
    if (isArchiveError(error, 'DICOM_MALFORMED')) return 'refused';
    throw error;
  }
}

/** Samples in the order they stand in the planes of a reference, or as ours stand. */
function planesOf({ shape, bytes }: PlainFrame): Uint8Array {
  const { samplesPerPixel: count, bitsAllocated } = shape;
  const width = bitsAllocated / 8;
  const pixels = shape.rows * shape.columns;
  const out = new Uint8Array(bytes.length);
  for (let k = 0; k < bytes.length; k++) {
    const sample = Math.floor(k / width);
    out[((sample % count) * pixels + Math.floor(sample / count)) * width + (k % width)] = bytes[k] as number;
  }
  return out;
}

/** The same samples, as far as bits are stored; each at most `slack` off. */
function assertSame(ours: Uint8Array, theirs: Uint8Array, shape: PlainFrame['shape'], slack: number): void {
  const width = shape.bitsAllocated / 8;
  assert.ok(theirs.length >= ours.length, 'as many samples');
  if (slack === 0 && (width !== 2 || shape.bitsStored === 16)) {
    assert.ok(bytesEqual(ours, theirs.subarray(0, ours.length)), 'the same bytes');
    return;
  }
  const mask = 2 ** shape.bitsStored - 1;
  const sampleAt = (bytes: Uint8Array, k: number): number =>
    width === 1 ? (bytes[k] as number) : ((bytes[2 * k] as number) | ((bytes[2 * k + 1] as number) << 8)) & mask;
  for (let k = 0; k < ours.length / width; k++) {
    const off = Math.abs(sampleAt(ours, k) - sampleAt(theirs, k));
    if (off > slack) assert.fail(`sample ${k} is off by ${off}`);
  }
}

const decoders = {
  jpeg: 'dcmdjpeg',
  jpegLs: 'dcmdjpls',
  rle: 'dcmdrle',
  native: 'dcmconv',
  nativeBigEndian: 'dcmconv',
} as const;

/** All frames as DCMTK gives them, native in little endian. */
function decodeByDcmtk(program: string, source: string): PixelFile {
  rmSync(file('back.dcm'), { force: true });
  // A file that is cut or padded is a warning to some of them, and an answer all the same.
  const how = program === 'dcmconv' ? ['+te', source] : [source];
  spawnSync(program, [...how, file('back.dcm')]);
  const back = readPixelFile(readFileSync(file('back.dcm')));
  assert.ok(back?.native !== undefined, `${program} decodes it`);
  return back;
}

function compareWithDcmtk(program: string, source: string, frames: readonly PlainFrame[]): void {
  const { native, shape } = decodeByDcmtk(program, source);
  assert.ok(native !== undefined);
  let at = 0;
  for (const frame of frames) {
    const theirs = native.subarray(at, at + frame.bytes.length);
    const isPlanar = shape.planarConfiguration === 1 && frame.shape.planarConfiguration !== 1;
    assertSame(isPlanar ? planesOf(frame) : frame.bytes, theirs, frame.shape, 0);
    at += frame.bytes.length;
  }
}

function compareWithOpenjpeg(pixels: PixelFile, frames: readonly PlainFrame[]): void {
  const isLossy = /\.(91|93|203)$/.test(pixels.syntax);
  framesOf(pixels).forEach((bytes, k) => {
    const frame = frames[k] as PlainFrame;
    writeFileSync(file('frame.j2k'), codestreamOf(bytes));
    rmSync(file('frame.rawl'), { force: true });
    execFileSync('opj_decompress', ['-i', file('frame.j2k'), '-o', file('frame.rawl')], { stdio: 'pipe' });
    // The sign is carried up by us alone: compared are the bits that the stream speaks of (SIZ, at its first component).
    const bitsStored = Math.min(frame.shape.bitsStored, ((codestreamOf(bytes)[42] ?? 0) & 0x7f) + 1);
    // The irreversible wavelet is of floating point, whose last step is anyone's.
    assertSame(planesOf(frame), readFileSync(file('frame.rawl')), { ...frame.shape, bitsStored }, isLossy ? 1 : 0);
  });
}

const names = needsData === false ? folders.flatMap((folder) => readdirSync(path.join(data, folder))) : [];

for (const name of names) {
  const source = findFile(name) as string;
  const pixels = readPixelFile(readFileSync(source));
  if (pixels === undefined || pixels.shape.rows === 0) continue;
  const coding = pixelCodingOf(pixels.syntax);
  test(`${name}: the pixels are those that others see`, (t) => {
    const frames = decodeAll(pixels);
    const expected = broken[name];
    if (expected !== undefined) {
      assert.equal(frames, expected);
      return;
    }
    assert.ok(typeof frames !== 'string', typeof frames === 'string' ? frames : 'decoded');
    const twin = twins[name];
    if (twin !== undefined) {
      const other = readPixelFile(readFileSync(findFile(twin) as string));
      const theirs = other === undefined ? 'refused' : decodeAll(other);
      assert.ok(typeof theirs !== 'string');
      assert.deepEqual(
        frames.map(({ bytes }) => Buffer.from(bytes)),
        theirs.slice(0, frames.length).map(({ bytes }) => Buffer.from(bytes)),
      );
      return;
    }
    if (unreadable.has(name)) return;
    if (coding === 'jpeg2000') {
      if (needsOpenjpeg !== false) t.skip(needsOpenjpeg);
      else compareWithOpenjpeg(pixels, frames);
      return;
    }
    assert.ok(coding !== undefined && coding !== 'deflatedFrame');
    if (needsDcmtk !== false) {
      t.skip(needsDcmtk);
      return;
    }
    // DCMTK leaves the bytes of a frame of single bits where they are; ours are aligned.
    if (pixels.shape.bitsAllocated === 1 && pixels.frameCount > 1) return;
    compareWithDcmtk(decoders[coding], source, frames);
  });
}

test('real frames come back from every lossless syntax', { skip: needsData }, () => {
  let count = 0;
  for (const name of names) {
    const pixels = readPixelFile(readFileSync(findFile(name) as string));
    if (pixels === undefined || pixels.shape.rows === 0) continue;
    const frames = decodeAll(pixels);
    if (typeof frames === 'string') continue;
    const [frame] = frames as [PlainFrame];
    for (const syntax of Object.values(encodableSyntaxes)) {
      const coded = encodeFrame(frame, syntax);
      if (coded === undefined) continue;
      const back = decodeFrame({ syntax, ...coded });
      assert.ok(back !== undefined, `${name} as ${syntax}`);
      // Chroma of every second pixel and planes change their layout; their samples are looked at in the tests beside the code.
      const keepsLayout = back.shape.photometricInterpretation === frame.shape.photometricInterpretation;
      if (keepsLayout && frame.shape.planarConfiguration !== 1) {
        assert.ok(bytesEqual(back.bytes, frame.bytes.subarray(0, back.bytes.length)), `${name} as ${syntax}`);
      }
      count += 1;
    }
  }
  assert.ok(count > 500, `${count} frames`);
});

const pictures = [
  { columns: 131, rows: 77, bits: 8 },
  { columns: 131, rows: 77, bits: 12 },
  { columns: 131, rows: 77, bits: 16 },
  { columns: 131, rows: 77, bits: 16, signed: true },
  { columns: 131, rows: 77, bits: 8, components: 3 },
  { columns: 64, rows: 64, bits: 16, kind: 'noise' },
  { columns: 64, rows: 64, bits: 8, kind: 'noise', components: 3 },
  { columns: 1, rows: 1, bits: 8 },
] as const;

for (const [syntax, program] of [
  [encodableSyntaxes.rle, 'dcmdrle'],
  [encodableSyntaxes.jpegLossless, 'dcmdjpeg'],
  [encodableSyntaxes.jpegLosslessFirstOrder, 'dcmdjpeg'],
  [encodableSyntaxes.jpegLs, 'dcmdjpls'],
] as const) {
  test(`${program} reads what we write as ${syntax}`, { skip: needsDcmtk }, () => {
    for (const picture of pictures) {
      const frame = syntheticFrame(picture);
      const coded = encodeFrame(frame, syntax);
      assert.ok(coded !== undefined);
      writeFileSync(file('ours.dcm'), writePixelFile({ syntax, shape: coded.shape, items: [coded.bytes] }));
      compareWithDcmtk(program, file('ours.dcm'), [frame]);
    }
  });
}

for (const syntax of [encodableSyntaxes.jpeg2000, encodableSyntaxes.htj2k]) {
  test(`OpenJPEG reads what we write as ${syntax}`, { skip: needsOpenjpeg }, () => {
    for (const picture of pictures) {
      const frame = syntheticFrame(picture);
      const coded = encodeFrame(frame, syntax);
      assert.ok(coded !== undefined);
      writeFileSync(file('frame.j2k'), coded.bytes);
      execFileSync('opj_decompress', ['-i', file('frame.j2k'), '-o', file('frame.rawl')], { stdio: 'pipe' });
      assertSame(planesOf(frame), readFileSync(file('frame.rawl')), frame.shape, 0);
    }
  });
}

/** Levels of a binary PGM or PPM of eight bits. */
function readPnm(name: string): Uint8Array {
  const bytes = readFileSync(file(name));
  const head = /^P[56]\s+(?:#.*\s+)*\d+\s+\d+\s+255\s/.exec(bytes.toString('latin1', 0, 200));
  assert.ok(head !== null, 'a picture of eight bits');
  return bytes.subarray(head[0].length);
}

test('windows show what DCMTK shows, within a level', { skip: needsDcmtk }, () => {
  const columns = 256;
  const values = Int16Array.from({ length: columns * 16 }, (_, k) => k - 2048);
  const shape = syntheticShape({ columns, rows: 16, bits: 16, signed: true });
  const bytes = new Uint8Array(values.buffer);
  writeFileSync(file('ramp.dcm'), writePixelFile({ syntax: encodableSyntaxes.explicitLittle, shape, native: bytes }));
  for (const [center, width] of [
    [40, 400],
    [0, 4096],
    [-600, 1500],
    [100, 1],
    [7.5, 33],
  ] as const) {
    execFileSync('dcmj2pnm', ['+Ww', String(center), String(width), '+op', file('ramp.dcm'), file('ramp.pgm')], {
      stdio: 'pipe',
    });
    const theirs = readPnm('ramp.pgm');
    // A picture of quality 100 is read by what is at hand.
    const picture = renderFrame(
      { shape, bytes },
      { voi: { kind: 'window', center, width }, format: { kind: 'jpeg', quality: 100 } },
    );
    assert.ok(picture !== undefined);
    const grey = syntheticShape({ columns, rows: 16, bits: 8 });
    const ours = decodeFrame({ syntax: '1.2.840.10008.1.2.4.50', shape: grey, bytes: picture.bytes });
    assert.ok(ours !== undefined);
    // One level of rounding, and what JPEG adds at the edges of a window of one value.
    assertSame(ours.bytes, theirs, grey, width === 1 ? 6 : 2);
  }
});
