/*
 * Made testdata/pixels, once: coded frames of other people's encoders, of pictures made by rule, that every later version must decode to the same pixels.
 *
 *   node scripts/make-pixel-golden.ts FOLDER
 *
 * Needs, from Debian: dcmtk (JPEG of 8 and 12 bits, lossless JPEG, JPEG-LS, RLE), libjpeg-turbo-progs (progressive, restart intervals), libopenjp2-tools (JPEG 2000), openjph-tools
 * (HTJ2K). FOLDER must not exist. Keeps: what each stream decodes to was checked when it was made, against the picture where coding loses nothing, else against
 * another decoder: equal for JPEG and JPEG-LS, at most one step off for JPEG 2000 with the irreversible wavelet, whose arithmetic is not fixed.
 * `index.json` names every stream: transfer syntax, shape, and the SHA-256 of its plain samples.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { decodeFrame } from '../src/dicom/pixels/decode-frame.ts';
import type { ImageShape, PlainFrame } from '../src/dicom/pixels/image-shape.ts';
import { readPixelFile, writePixelFile } from '../tests/support/pixel-file.ts';
import { type SyntheticPixels, syntheticFrame } from '../tests/support/synthetic-pixels.ts';

const target = process.argv[2];
if (target === undefined || existsSync(target)) {
  console.error('make-pixel-golden: give a folder that does not exist yet');
  process.exit(2);
}
mkdirSync(target, { recursive: true });
const aside = mkdtempSync(path.join(tmpdir(), 'stele-pixels-'));
const file = (name: string): string => path.join(aside, name);
const run = (program: string, ...args: string[]): void => {
  execFileSync(program, args, { stdio: 'pipe' });
};

export type GoldenStream = { name: string; syntax: string; shape: ImageShape; sha256: string };
const streams: GoldenStream[] = [];
const uid = (last: string): string => `1.2.840.10008.1.2.${last}`;

function keep(
  name: string,
  syntax: string,
  shape: ImageShape,
  stream: Uint8Array,
  expected: Uint8Array,
  slack = 0,
): void {
  const plain = decodeFrame({ syntax, shape, bytes: stream });
  if (plain === undefined) throw new Error(`${name}: not decoded`);
  if (plain.bytes.length !== expected.length)
    throw new Error(`${name}: ${plain.bytes.length} bytes, not ${expected.length}`);
  const width = shape.bitsAllocated / 8;
  const mask = 2 ** shape.bitsStored - 1;
  const sampleAt = (bytes: Uint8Array, k: number): number =>
    width === 1 ? (bytes[k] as number) : ((bytes[2 * k] as number) | ((bytes[2 * k + 1] as number) << 8)) & mask;
  for (let k = 0; k < expected.length / width; k++) {
    const off = Math.abs(sampleAt(plain.bytes, k) - sampleAt(expected, k));
    if (off > slack) throw new Error(`${name}: sample ${k} is off by ${off}`);
  }
  writeFileSync(path.join(target as string, name), stream);
  streams.push({ name, syntax, shape, sha256: createHash('sha256').update(plain.bytes).digest('hex') });
}

/** Through a tool of DCMTK and back through another: what that gives is expected. */
function dcmtk(
  name: string,
  picture: SyntheticPixels,
  syntax: string,
  encode: readonly string[],
  decoder: string,
): void {
  const frame = syntheticFrame(picture);
  writeFileSync(file('in.dcm'), writePixelFile({ syntax: uid('1'), shape: frame.shape, native: frame.bytes }));
  const [program = '', ...args] = encode;
  run(program, ...args, file('in.dcm'), file('out.dcm'));
  run(decoder, file('out.dcm'), file('back.dcm'));
  const coded = readPixelFile(readFileSync(file('out.dcm')));
  const back = readPixelFile(readFileSync(file('back.dcm')));
  if (coded === undefined || back?.native === undefined || coded.syntax !== syntax)
    throw new Error(`${name}: unreadable`);
  const expected = sideBySide({ shape: back.shape, bytes: back.native });
  keep(name, syntax, coded.shape, Buffer.concat(coded.items.slice(1)), expected.subarray(0, frame.bytes.length));
}

function sideBySide({ shape, bytes }: PlainFrame): Uint8Array {
  if (shape.samplesPerPixel === 1 || shape.planarConfiguration !== 1) return bytes;
  const pixels = shape.rows * shape.columns;
  const width = shape.bitsAllocated / 8;
  const out = new Uint8Array(pixels * shape.samplesPerPixel * width);
  for (let k = 0; k < out.length; k++) {
    const sample = Math.floor(k / width);
    const from = (sample % shape.samplesPerPixel) * pixels + Math.floor(sample / shape.samplesPerPixel);
    out[k] = bytes[from * width + (k % width)] as number;
  }
  return out;
}

/** Binary PGM or PPM of a frame of up to 16 unsigned bits. */
function writePnm({ shape, bytes }: PlainFrame, name: string): void {
  const body = Buffer.from(bytes);
  if (shape.bitsAllocated === 16) body.swap16();
  const kind = shape.samplesPerPixel === 1 ? 'P5' : 'P6';
  writeFileSync(
    file(name),
    Buffer.concat([Buffer.from(`${kind}\n${shape.columns} ${shape.rows}\n${2 ** shape.bitsStored - 1}\n`), body]),
  );
}

function readPnm(name: string): Uint8Array {
  const bytes = readFileSync(file(name));
  const head = /^P[56]\s+\d+\s+\d+\s+(\d+)\s/.exec(bytes.toString('latin1', 0, 64));
  if (head === null) throw new Error('no PNM');
  const body = Buffer.from(bytes.subarray(head[0].length));
  return Number(head[1]) > 255 ? body.swap16() : body;
}

function libjpeg(name: string, picture: SyntheticPixels, args: readonly string[]): void {
  const frame = syntheticFrame(picture);
  writePnm(frame, 'in.pnm');
  run('cjpeg', ...args, '-outfile', file('out.jpg'), file('in.pnm'));
  run('djpeg', '-dct', 'int', '-pnm', '-outfile', file('back.pnm'), file('out.jpg'));
  const shape =
    frame.shape.samplesPerPixel === 1 ? frame.shape : { ...frame.shape, photometricInterpretation: 'YBR_FULL_422' };
  const syntax = args.includes('-progressive') ? uid('4.55') : uid('4.50');
  keep(name, syntax, shape, readFileSync(file('out.jpg')), readPnm('back.pnm'));
}

/** `lossy`: held against OpenJPEG's own decoder. */
function openjpeg(name: string, picture: SyntheticPixels, args: readonly string[], lossy = false): void {
  const frame = syntheticFrame(picture);
  const { rows, columns, samplesPerPixel, bitsStored, pixelRepresentation } = frame.shape;
  writeFileSync(file('in.rawl'), planes(frame));
  const format = [columns, rows, samplesPerPixel, bitsStored, pixelRepresentation === 1 ? 's' : 'u'].join(',');
  run('opj_compress', '-i', file('in.rawl'), '-o', file('out.j2k'), '-F', format, ...args);
  keepWavelet(name, frame, args.includes('-mct') ? 'RGB' : undefined, lossy);
}

function keepWavelet(
  name: string,
  frame: PlainFrame,
  photometric: string | undefined,
  lossy: boolean,
  syntax?: string,
): void {
  const { shape } = frame;
  run('opj_decompress', '-i', file('out.j2k'), '-o', file('back.rawl'));
  const expected = lossy ? fromPlanes(readFileSync(file('back.rawl')), shape) : frame.bytes;
  const isColour = shape.samplesPerPixel === 3;
  const said = isColour ? (photometric ?? (lossy ? 'YBR_ICT' : 'YBR_RCT')) : shape.photometricInterpretation;
  const coded = { ...shape, photometricInterpretation: said };
  keep(name, syntax ?? uid(lossy ? '4.91' : '4.90'), coded, readFileSync(file('out.j2k')), expected, lossy ? 1 : 0);
}

function planes({ shape, bytes }: PlainFrame): Uint8Array {
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

function fromPlanes(bytes: Uint8Array, shape: ImageShape): Uint8Array {
  return sideBySide({ shape: { ...shape, planarConfiguration: 1 }, bytes });
}

function openjph(name: string, picture: SyntheticPixels, args: readonly string[], lossy = false): void {
  const frame = syntheticFrame(picture);
  writePnm(frame, frame.shape.samplesPerPixel === 1 ? 'in.pgm' : 'in.ppm');
  const input = file(frame.shape.samplesPerPixel === 1 ? 'in.pgm' : 'in.ppm');
  run('ojph_compress', '-i', input, '-o', file('out.j2k'), '-reversible', lossy ? 'false' : 'true', ...args);
  const plainColour = args.join(' ').includes('-colour_trans false');
  keepWavelet(name, frame, plainColour ? 'RGB' : undefined, lossy, uid(lossy ? '4.203' : '4.201'));
}

const grey8 = { columns: 53, rows: 41, bits: 8 } as const;
const grey12 = { columns: 53, rows: 41, bits: 12 } as const;
const grey16 = { columns: 53, rows: 41, bits: 16 } as const;
const rgb8 = { columns: 53, rows: 41, bits: 8, components: 3 } as const;
const signed16 = { ...grey16, signed: true } as const;

dcmtk('jpeg-baseline-grey.jpg', grey8, uid('4.50'), ['dcmcjpeg', '+eb', '+un'], 'dcmdjpeg');
dcmtk('jpeg-baseline-422.jpg', rgb8, uid('4.50'), ['dcmcjpeg', '+eb', '+s2', '+un'], 'dcmdjpeg');
dcmtk('jpeg-baseline-420.jpg', rgb8, uid('4.50'), ['dcmcjpeg', '+eb', '+n1', '+un'], 'dcmdjpeg');
dcmtk('jpeg-baseline-444.jpg', rgb8, uid('4.50'), ['dcmcjpeg', '+eb', '+s4', '+un'], 'dcmdjpeg');
dcmtk('jpeg-baseline-rgb.jpg', rgb8, uid('4.50'), ['dcmcjpeg', '+eb', '+cr', '+un'], 'dcmdjpeg');
dcmtk('jpeg-extended-12.jpg', grey12, uid('4.51'), ['dcmcjpeg', '+ee', '+un'], 'dcmdjpeg');
dcmtk('jpeg-extended-12-coarse.jpg', grey12, uid('4.51'), ['dcmcjpeg', '+ee', '+q', '30', '+un'], 'dcmdjpeg');
dcmtk('jpeg-progressive-12.jpg', grey12, uid('4.55'), ['dcmcjpeg', '+ep', '+un'], 'dcmdjpeg');
dcmtk('jpeg-spectral-8.jpg', rgb8, uid('4.53'), ['dcmcjpeg', '+es', '+un'], 'dcmdjpeg');
for (const [name, picture] of [
  ['8', grey8],
  ['12', grey12],
  ['16', grey16],
  ['16-signed', signed16],
  ['rgb', rgb8],
] as const) {
  dcmtk(`jpeg-lossless-sv1-${name}.jpg`, picture, uid('4.70'), ['dcmcjpeg', '+e1', '+un'], 'dcmdjpeg');
}
for (const predictor of [2, 3, 4, 5, 6, 7]) {
  const args = ['dcmcjpeg', '+el', '+sv', String(predictor), '+un'];
  dcmtk(
    `jpeg-lossless-predictor-${predictor}.jpg`,
    predictor % 2 === 0 ? grey16 : grey12,
    uid('4.57'),
    args,
    'dcmdjpeg',
  );
}
dcmtk(
  'jpeg-lossless-point-transform.jpg',
  grey12,
  uid('4.57'),
  ['dcmcjpeg', '+el', '+sv', '4', '+pt', '2', '+un'],
  'dcmdjpeg',
);
dcmtk('jpeg-lossless-noise.jpg', { ...grey16, kind: 'noise' }, uid('4.70'), ['dcmcjpeg', '+e1', '+un'], 'dcmdjpeg');
libjpeg('jpeg-restart-grey.jpg', grey8, ['-restart', '2B', '-grayscale']);
libjpeg('jpeg-restart-420.jpg', rgb8, ['-restart', '1', '-sample', '2x2']);
libjpeg('jpeg-progressive-grey.jpg', grey8, ['-progressive', '-grayscale']);
libjpeg('jpeg-progressive-420.jpg', rgb8, ['-progressive', '-sample', '2x2']);
libjpeg('jpeg-progressive-444-restart.jpg', rgb8, ['-progressive', '-sample', '1x1', '-restart', '1']);
for (const [name, picture] of [
  ['8', grey8],
  ['12', grey12],
  ['16', grey16],
  ['16-signed', signed16],
  ['flat', { ...grey12, kind: 'flat' }],
  ['noise', { ...grey8, kind: 'noise' }],
] as const) {
  dcmtk(`jls-${name}.jls`, picture, uid('4.80'), ['dcmcjpls', '+un'], 'dcmdjpls');
}
for (const interleave of ['il', 'is', 'in'])
  dcmtk(`jls-rgb-${interleave}.jls`, rgb8, uid('4.80'), ['dcmcjpls', `+${interleave}`, '+un'], 'dcmdjpls');
dcmtk('jls-near-1.jls', grey12, uid('4.81'), ['dcmcjpls', '+en', '+md', '1', '+un'], 'dcmdjpls');
dcmtk('jls-near-5-rgb.jls', rgb8, uid('4.81'), ['dcmcjpls', '+en', '+md', '5', '+is', '+un'], 'dcmdjpls');
dcmtk(
  'jls-thresholds.jls',
  grey8,
  uid('4.80'),
  ['dcmcjpls', '+pc', '+t1', '4', '+t2', '9', '+t3', '30', '+rs', '31', '+un'],
  'dcmdjpls',
);
for (const [name, picture] of [
  ['8', grey8],
  ['16', grey16],
  ['rgb', rgb8],
] as const) {
  dcmtk(`rle-${name}.rle`, picture, uid('5'), ['dcmcrle', '+un'], 'dcmdrle');
}
openjpeg('j2k-8.j2k', grey8, []);
openjpeg('j2k-12.j2k', grey12, []);
openjpeg('j2k-16-signed.j2k', signed16, []);
openjpeg('j2k-rgb.j2k', rgb8, []);
openjpeg('j2k-rgb-untransformed.j2k', rgb8, ['-mct', '0']);
openjpeg('j2k-rgb16.j2k', { ...rgb8, bits: 16 }, []);
openjpeg('j2k-noise.j2k', { ...grey16, kind: 'noise' }, []);
openjpeg('j2k-flat.j2k', { ...grey8, kind: 'flat' }, []);
openjpeg('j2k-irreversible.j2k', grey12, ['-I', '-r', '8'], true);
openjpeg('j2k-irreversible-rgb.j2k', rgb8, ['-I', '-r', '10'], true);
openjpeg('j2k-layers.j2k', grey12, ['-r', '20,8,1']);
openjpeg('j2k-tiles.j2k', grey12, ['-t', '24,16', '-n', '3']);
openjpeg('j2k-tiles-offset.j2k', { columns: 40, rows: 33, bits: 8 }, [
  '-d',
  '5,3',
  '-t',
  '16,16',
  '-T',
  '2,1',
  '-n',
  '3',
]);
openjpeg('j2k-tile-parts.j2k', rgb8, ['-t', '32,32', '-n', '3', '-TP', 'R', '-p', 'RPCL']);
openjpeg('j2k-small-blocks.j2k', grey12, ['-b', '8,4', '-n', '4', '-SOP', '-EPH']);
openjpeg('j2k-region.j2k', rgb8, ['-ROI', 'c=0,U=8']);
openjpeg('j2k-single-level.j2k', grey8, ['-n', '1']);
for (const order of ['LRCP', 'RLCP', 'RPCL', 'PCRL', 'CPRL']) {
  openjpeg(`j2k-order-${order.toLowerCase()}.j2k`, rgb8, [
    '-p',
    order,
    '-n',
    '3',
    '-c',
    '[16,16],[8,8]',
    '-b',
    '8,8',
    '-r',
    '6,1',
  ]);
}
openjpeg('j2k-progression-changes.j2k', rgb8, ['-n', '3', '-r', '6,1', '-POC', 'T1=0,0,2,2,3,LRCP/T1=2,0,2,3,3,RLCP']);
for (const mode of [1, 2, 4, 8, 16, 32, 5, 63])
  openjpeg(`j2k-mode-${mode}.j2k`, { ...grey16, columns: 70 }, ['-M', String(mode)]);
openjph('htj2k-8.j2k', grey8, []);
openjph('htj2k-16.j2k', grey16, []);
openjph('htj2k-12-noise.j2k', { ...grey12, kind: 'noise' }, []);
openjph('htj2k-sparse.j2k', { ...grey12, kind: 'sparse' }, []);
openjph('htj2k-rgb.j2k', rgb8, []);
openjph('htj2k-rgb-untransformed.j2k', rgb8, ['-colour_trans', 'false']);
openjph('htj2k-irreversible.j2k', grey8, ['-qstep', '0.01'], true);
openjph('htj2k-irreversible-rgb.j2k', rgb8, ['-qstep', '0.005'], true);
openjph('htj2k-tiles-precincts.j2k', grey12, [
  '-tile_size',
  '{32,32}',
  '-precincts',
  '{16,16},{32,32}',
  '-num_decomps',
  '2',
  '-prog_order',
  'PCRL',
  '-block_size',
  '{16,32}',
]);

// No tool at hand writes blocks of three passes: this stream came from our encoder, altered for it once. OpenJPEG decodes it to the same picture.
const threePasses = 'htj2k-three-passes.j2k';
const threePassesStream = readFileSync(path.resolve(import.meta.dirname, '../testdata/pixels', threePasses));
const threePassesFrame = syntheticFrame(grey12);
keep(threePasses, uid('4.201'), threePassesFrame.shape, threePassesStream, threePassesFrame.bytes);

writeFileSync(path.join(target, 'index.json'), `${JSON.stringify(streams, undefined, 1)}\n`);
rmSync(aside, { recursive: true });
console.log(`${streams.length} streams`);
