// DICOM pixels: every codec both ways, pictures and thumbnails, one thread, against DCMTK where it is installed.
//
//   node bench/dicom-pixels.bench.ts [--json FILE] [--data FOLDER] [--quick]
//
// MB (10^6) of plain bytes per second of processor time. Frames: up to forty slices of ct-58 where the data is, else slices made by rule. DCMTK's figure is the user time of its
// program on one multi-frame file of the same frames, reading and writing it included; the time of its start, tried on a file of one pixel, is taken off.
// Rounds of ours and of the peer take turns; figures are medians.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  decodeFrame,
  encodableSyntaxes,
  encodeFrame,
  type ImageShape,
  type PlainFrame,
  renderFrame,
  renderThumbnail,
} from '../src/dicom/index.ts';
import { readPixelFile, writePixelFile } from '../tests/support/pixel-file.ts';
import { syntheticFrame } from '../tests/support/synthetic-pixels.ts';
import { findNativeSeries } from './support/native-pixels.ts';
import { type BenchRow, median, printRows, saveRows } from './support/report.ts';

const { values: options } = parseArgs({
  options: {
    json: { type: 'string' },
    data: { type: 'string', default: path.join(import.meta.dirname, '../../shared/data/dicom') },
    quick: { type: 'boolean', default: false },
  },
});

const framesMax = options.quick ? 8 : 40;
const rounds = options.quick ? 3 : 5;
const aside = mkdtempSync(path.join(tmpdir(), 'stele-bench-pixels-'));
const file = (name: string): string => path.join(aside, name);
const hasDcmtk = spawnSync('dcmdjpeg', ['--version']).error === undefined;

function slices(): { name: string; frames: PlainFrame[] } {
  const series = existsSync(options.data)
    ? findNativeSeries(options.data).find(({ name }) => name === 'ct-58')
    : undefined;
  if (series === undefined) {
    const frames = Array.from({ length: framesMax }, (_, seed) =>
      syntheticFrame({ columns: 512, rows: 512, bits: 12, seed }),
    );
    return { name: 'made slices', frames };
  }
  const frames = series.frames.slice(0, framesMax).map((frame) => {
    const shape: ImageShape = {
      rows: frame.rows,
      columns: frame.columns,
      samplesPerPixel: 1,
      bitsAllocated: frame.bitsAllocated,
      bitsStored: frame.bitsStored,
      highBit: frame.bitsStored - 1,
      pixelRepresentation: frame.signed ? 1 : 0,
      photometricInterpretation: 'MONOCHROME2',
    };
    return { shape, bytes: frame.bytes };
  });
  return { name: series.name, frames };
}

const { name, frames } = slices();
const [firstFrame] = frames as [PlainFrame];
const colour = Array.from({ length: options.quick ? 4 : 24 }, (_, seed) =>
  syntheticFrame({ columns: 640, rows: 480, bits: 8, components: 3, seed }),
);
const grey8 = Array.from({ length: options.quick ? 4 : 16 }, (_, seed) =>
  syntheticFrame({ columns: 512, rows: 512, bits: 8, seed }),
);
const grey12 = Array.from({ length: options.quick ? 4 : 16 }, (_, seed) =>
  syntheticFrame({ columns: 512, rows: 512, bits: 12, seed }),
);

const plainBytes = (of: readonly PlainFrame[]): number => of.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);

/** Microseconds of processor time. */
function timeOf(work: () => void): number {
  const begun = process.cpuUsage();
  work();
  return process.cpuUsage(begun).user;
}

/** User time of a program in microseconds; undefined where it fails. */
function timeOfProgram(program: string, ...args: string[]): number | undefined {
  const script = 'TIMEFORMAT=%U; time "$@"';
  const { status, stderr } = spawnSync('bash', ['-c', script, 'bash', program, ...args], { encoding: 'utf8' });
  const seconds = Number(stderr.trim().split('\n').at(-1));
  return status === 0 && Number.isFinite(seconds) ? seconds * 1e6 : undefined;
}

function multiFrame(of: readonly PlainFrame[], to: string): void {
  const native = Buffer.concat(of.map(({ bytes }) => bytes));
  const { shape } = of[0] as PlainFrame;
  writeFileSync(to, writePixelFile({ syntax: encodableSyntaxes.explicitLittle, shape, native, frameCount: of.length }));
}

const rows: BenchRow[] = [];

function row(what: string, sizeBytes: number, ours: readonly number[], peers: readonly number[], note?: string): void {
  const rate = (times: readonly number[]): number => sizeBytes / median(times);
  rows.push({
    bench: 'dicom-pixels',
    case: what,
    figure: rate(ours),
    unit: 'MB/s',
    ...(peers.length > 0 ? { peer: 'DCMTK', peerFigure: rate(peers) } : {}),
    ...(note === undefined ? {} : { note }),
  });
}

type Peer = { readonly encode: readonly [string, ...string[]]; readonly decode: string };

/** A codec both ways over the same frames, ours and the peer's taking turns. */
function measureCodec(title: string, of: readonly PlainFrame[], syntax: string, peer?: Peer): void {
  const coded = of.map((frame) => {
    const made = encodeFrame(frame, syntax);
    if (made === undefined) throw new Error(`${title}: not encoded`);
    return made;
  });
  const sizeBytes = plainBytes(of);
  const ratio = sizeBytes / coded.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  const times = {
    encode: [] as number[],
    decode: [] as number[],
    peerEncode: [] as number[],
    peerDecode: [] as number[],
  };
  const usesPeer = peer !== undefined && hasDcmtk;
  if (usesPeer) multiFrame(of, file('in.dcm'));
  const start = usesPeer ? startTime(peer) : 0;
  for (let round = 0; round < rounds; round++) {
    times.encode.push(timeOf(() => of.forEach((frame) => void encodeFrame(frame, syntax))));
    times.decode.push(timeOf(() => coded.forEach(({ shape, bytes }) => void decodeFrame({ syntax, shape, bytes }))));
    if (!usesPeer) continue;
    const [program, ...args] = peer.encode;
    const encoding = timeOfProgram(program, ...args, file('in.dcm'), file('out.dcm'));
    const decoding = timeOfProgram(peer.decode, file('out.dcm'), file('back.dcm'));
    if (encoding !== undefined) times.peerEncode.push(Math.max(1, encoding - start));
    if (decoding !== undefined) times.peerDecode.push(Math.max(1, decoding - start));
  }
  row(`${title}, encode`, sizeBytes, times.encode, times.peerEncode, `${ratio.toFixed(2)} : 1`);
  row(`${title}, decode`, sizeBytes, times.decode, times.peerDecode);
}

function startTime(peer: Peer): number {
  multiFrame([syntheticFrame({ columns: 1, rows: 1, bits: 8 })], file('one.dcm'));
  const [program, ...args] = peer.encode;
  return timeOfProgram(program, ...args, file('one.dcm'), file('one-out.dcm')) ?? 0;
}

/** Lossy streams that DCMTK wrote: decoding, ours and its own. */
function measureLossy(title: string, of: readonly PlainFrame[], syntax: string, how: string): void {
  if (!hasDcmtk) return;
  multiFrame(of, file('in.dcm'));
  if (timeOfProgram('dcmcjpeg', how, '+un', file('in.dcm'), file('out.dcm')) === undefined) return;
  const pixels = readPixelFile(readFileSync(file('out.dcm')));
  if (pixels === undefined) return;
  const start = startTime({ encode: ['dcmcjpeg', how, '+un'], decode: 'dcmdjpeg' });
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(
      timeOf(() => pixels.items.slice(1).forEach((bytes) => void decodeFrame({ syntax, shape: pixels.shape, bytes }))),
    );
    const time = timeOfProgram('dcmdjpeg', file('out.dcm'), file('back.dcm'));
    if (time !== undefined) theirs.push(Math.max(1, time - start));
  }
  row(`${title}, decode`, plainBytes(of), ours, theirs);
}

function measurePictures(title: string, of: readonly PlainFrame[], work: (frame: PlainFrame) => unknown): void {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(timeOf(() => of.forEach((frame) => void work(frame))));
  rows.push({
    bench: 'dicom-pixels',
    case: title,
    figure: median(times) / of.length / 1000,
    unit: 'ms a frame',
    better: 'less',
  });
}

const to = encodableSyntaxes;
const title = `${name}, ${firstFrame.shape.columns} x ${firstFrame.shape.rows}`;
measureCodec(`${title}: RLE`, frames, to.rle, { encode: ['dcmcrle'], decode: 'dcmdrle' });
measureCodec(`${title}: JPEG lossless .70`, frames, to.jpegLosslessFirstOrder, {
  encode: ['dcmcjpeg', '+e1'],
  decode: 'dcmdjpeg',
});
measureCodec(`${title}: JPEG-LS`, frames, to.jpegLs, { encode: ['dcmcjpls'], decode: 'dcmdjpls' });
measureCodec(`${title}: JPEG 2000`, frames.slice(0, Math.ceil(frames.length / 4)), to.jpeg2000);
measureCodec(`${title}: HTJ2K`, frames, to.htj2k);
measureCodec(`${title}: deflated`, frames.slice(0, Math.ceil(frames.length / 4)), to.deflatedFrame);
measureCodec('RGB, 640 x 480: RLE', colour, to.rle, { encode: ['dcmcrle'], decode: 'dcmdrle' });
measureCodec('RGB, 640 x 480: JPEG-LS', colour, to.jpegLs, { encode: ['dcmcjpls'], decode: 'dcmdjpls' });
measureCodec('RGB, 640 x 480: JPEG 2000', colour, to.jpeg2000);
measureCodec('RGB, 640 x 480: HTJ2K', colour, to.htj2k);
measureLossy('grey, 8 bits, 512 x 512: JPEG baseline', grey8, '1.2.840.10008.1.2.4.50', '+eb');
measureLossy('grey, 12 bits, 512 x 512: JPEG extended', grey12, '1.2.840.10008.1.2.4.51', '+ee');
measureLossy('RGB, 640 x 480: JPEG baseline 4:2:2', colour, '1.2.840.10008.1.2.4.50', '+eb');
measurePictures(`${title}: thumbnail`, frames, (frame) => renderThumbnail(frame));
measurePictures(`${title}: JPEG of quality 85`, frames, (frame) =>
  renderFrame(frame, { format: { kind: 'jpeg', quality: 85 } }),
);
measurePictures(`${title}: PNG`, frames.slice(0, 4), (frame) => renderFrame(frame, { format: { kind: 'png' } }));
measurePictures('RGB, 640 x 480: JPEG of quality 85', colour, (frame) =>
  renderFrame(frame, { format: { kind: 'jpeg', quality: 85 } }),
);

printRows(rows);
if (options.json !== undefined) saveRows(rows, options.json);
rmSync(aside, { recursive: true });
