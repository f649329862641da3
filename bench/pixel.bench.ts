// Pixel codecs against JPEG-LS (CharLS, WebAssembly build) on every native series found and on series made by rule (support/phantoms.ts), one core, in
// one process.
//
//   node bench/pixel.bench.ts [--json FILE] [--data FOLDER] [--seconds N] [--only PART]
//
// Ratio: plain bytes / payload bytes (CharLS: codestream bytes, no file around it). Speed: MB (10^6) of plain bytes per second of CPU
// time; each figure is the best of the rounds, in which the three codecs take turns frame by frame, so that a noisy machine slows all alike.
// Small frames are done several times in a turn, since the clock is coarse.
// CharLS gets what it does best: the fewest bits per sample that hold the data, sign folded away, components interleaved by sample.
// What cannot be measured fairly is left out: frames under 8 KB, and 16-bit colour for CharLS.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { decodePixelBest, encodePixelBest } from '../src/codec/pixel-best.ts';
import { decodePixelFast, encodePixelFast } from '../src/codec/pixel-fast.ts';
import { findNativeSeries, type NativeFrame, type NativeSeries } from './support/native-pixels.ts';
import { phantomSeries } from './support/phantoms.ts';
import { type BenchRow, saveRows } from './support/report.ts';

type CharlsBuffer = { set(bytes: Uint8Array): void; length: number };
type FrameInfo = { width: number; height: number; bitsPerSample: number; componentCount: number };
type CharlsEncoder = {
  getDecodedBuffer(info: FrameInfo): CharlsBuffer;
  getEncodedBuffer(): Uint8Array;
  setNearLossless(near: number): void;
  setInterleaveMode(mode: number): void;
  encode(): void;
  delete(): void;
};
type CharlsDecoder = {
  getEncodedBuffer(size: number): CharlsBuffer;
  getDecodedBuffer(): Uint8Array;
  decode(): void;
  delete(): void;
};
type Charls = { JpegLSEncoder: new () => CharlsEncoder; JpegLSDecoder: new () => CharlsDecoder };

type Codec = {
  name: string;
  encode(frame: NativeFrame): Uint8Array;
  decode(stored: Uint8Array, frame: NativeFrame): Uint8Array;
};
type Tally = { sizeBytes: number; encodeMs: number[]; decodeMs: number[] };
type Figures = { ratio: number; encodeMBs: number; decodeMBs: number };

const { values: options } = parseArgs({
  options: {
    json: { type: 'string' },
    data: { type: 'string', default: join(import.meta.dirname, '../../shared/data/dicom') },
    seconds: { type: 'string', default: '75' },
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
  },
});

const frameBytesMin = 8000;
const turnBytesMin = 65536;
const framesPerRoundMax = 24;
const roundsMax = 7;

async function loadCharls(): Promise<Charls> {
  const require = createRequire(import.meta.url);
  const make = require('@cornerstonejs/codec-charls/wasmjs') as () => Promise<Charls>;
  return make();
}

/** What CharLS is given: samples made non-negative and the least number of bits that holds them. */
type CharlsInput = { bytes: Uint8Array; bitsPerSample: number };

function prepareForCharls(frame: NativeFrame): CharlsInput {
  if (frame.bitsAllocated === 8) return { bytes: interleaved(frame), bitsPerSample: 8 };
  const count = frame.bytes.length >> 1;
  const view = new DataView(frame.bytes.buffer, frame.bytes.byteOffset, frame.bytes.byteLength);
  const words = Uint16Array.from({ length: count }, (_, k) => view.getUint16(2 * k, !frame.bigEndian));
  if (frame.signed) {
    let least = 32767;
    for (const word of words) least = Math.min(least, (word << 16) >> 16);
    for (const [k, word] of words.entries()) words[k] = ((word << 16) >> 16) - Math.min(0, least);
  }
  let greatest = 0;
  for (const word of words) greatest = Math.max(greatest, word);
  return { bytes: new Uint8Array(words.buffer), bitsPerSample: Math.max(9, 32 - Math.clz32(greatest)) };
}

function interleaved(frame: NativeFrame): Uint8Array {
  if (!frame.planar || frame.samplesPerPixel === 1) return frame.bytes;
  const count = frame.rows * frame.columns;
  const out = new Uint8Array(frame.bytes.length);
  for (let k = 0; k < out.length; k++) {
    out[k] = frame.bytes[(k % frame.samplesPerPixel) * count + Math.floor(k / frame.samplesPerPixel)] ?? 0;
  }
  return out;
}

function charlsCodec(charls: Charls): Codec {
  const prepared = new WeakMap<NativeFrame, CharlsInput>();
  const inputOf = (frame: NativeFrame): CharlsInput => {
    const input = prepared.get(frame) ?? prepareForCharls(frame);
    prepared.set(frame, input);
    return input;
  };
  return {
    name: 'charls',
    encode(frame) {
      const { bytes, bitsPerSample } = inputOf(frame);
      const encoder = new charls.JpegLSEncoder();
      const info = { width: frame.columns, height: frame.rows, bitsPerSample, componentCount: frame.samplesPerPixel };
      encoder.getDecodedBuffer(info).set(bytes);
      encoder.setNearLossless(0);
      if (frame.samplesPerPixel > 1) encoder.setInterleaveMode(2);
      encoder.encode();
      const out = encoder.getEncodedBuffer().slice();
      encoder.delete();
      return out;
    },
    decode(stored) {
      const decoder = new charls.JpegLSDecoder();
      decoder.getEncodedBuffer(stored.length).set(stored);
      decoder.decode();
      const out = decoder.getDecodedBuffer().slice();
      decoder.delete();
      return out;
    },
  };
}

const ours: Codec[] = [
  { name: 'fast', encode: (f) => encodePixelFast(f.bytes, f), decode: (s, f) => decodePixelFast(s, f.bytes.length) },
  { name: 'best', encode: (f) => encodePixelBest(f.bytes, f), decode: (s, f) => decodePixelBest(s, f.bytes.length) },
];

/** Of one time; all are done. */
function cpuMs(times: number, work: () => void): number {
  const before = process.cpuUsage();
  for (let k = 0; k < times; k++) work();
  const spent = process.cpuUsage(before);
  return (spent.user + spent.system) / 1000 / times;
}

/** Every k-th frame, so that a long series is seen from end to end. */
function spread(frames: NativeFrame[]): NativeFrame[] {
  const step = Math.ceil(frames.length / framesPerRoundMax);
  return frames.filter((_, index) => index % step === 0);
}

function measure(frames: NativeFrame[], codecs: Codec[], roundsMs: number): Map<string, Tally> {
  const tallies = new Map(codecs.map(({ name }) => [name, { sizeBytes: 0, encodeMs: [], decodeMs: [] } as Tally]));
  const endsAt = performance.now() + roundsMs;
  for (let round = 0; round < roundsMax && (round < 2 || performance.now() < endsAt); round++) {
    for (const tally of tallies.values()) {
      tally.sizeBytes = 0;
      tally.encodeMs.push(0);
      tally.decodeMs.push(0);
    }
    for (const frame of frames) {
      const times = Math.ceil(turnBytesMin / frame.bytes.length);
      for (const codec of codecs) {
        const tally = tallies.get(codec.name) as Tally;
        let stored: Uint8Array = new Uint8Array();
        let plain: Uint8Array = new Uint8Array();
        tally.encodeMs[round] = (tally.encodeMs[round] ?? 0) + cpuMs(times, () => void (stored = codec.encode(frame)));
        tally.decodeMs[round] =
          (tally.decodeMs[round] ?? 0) + cpuMs(times, () => void (plain = codec.decode(stored, frame)));
        tally.sizeBytes += stored.length;
        const mine = codec.name !== 'charls';
        if (mine && Buffer.compare(plain, frame.bytes) !== 0) throw new Error(`${codec.name} is not lossless`);
      }
    }
  }
  return tallies;
}

function figuresOf(tally: Tally, plainBytes: number): Figures {
  return {
    ratio: plainBytes / tally.sizeBytes,
    encodeMBs: plainBytes / 1000 / Math.min(...tally.encodeMs),
    decodeMBs: plainBytes / 1000 / Math.min(...tally.decodeMs),
  };
}

function cell(figures: Figures | undefined): string {
  if (figures === undefined) return '-'.padStart(6).padEnd(18);
  const { ratio, encodeMBs, decodeMBs } = figures;
  return `${ratio.toFixed(2).padStart(6)} ${encodeMBs.toFixed(0).padStart(5)} ${decodeMBs.toFixed(0).padStart(5)}`;
}

function against(mine: Figures | undefined, peer: Figures | undefined): string {
  if (mine === undefined || peer === undefined) return '-';
  const { ratio, encodeMBs, decodeMBs } = mine;
  const parts = [ratio / peer.ratio, encodeMBs / peer.encodeMBs, decodeMBs / peer.decodeMBs];
  return parts.map((value) => value.toFixed(2).padStart(5)).join(' ');
}

/** What is asked: the floors on ct-58, and on every series JPEG-LS's ratio at three times its speed. */
function rowsOf(series: string, fast?: Figures, best?: Figures, peer?: Figures): BenchRow[] {
  if (fast === undefined || best === undefined) return [];
  const rows: BenchRow[] = [];
  const row = (name: string, figure: number, unit: string, asked: number): void => {
    rows.push({ bench: 'pixel', case: `${series}: ${name}`, figure, unit, asked });
  };
  if (series === 'ct-58') {
    row('fast, ratio', fast.ratio, ': 1', 2.9);
    row('fast, encode', fast.encodeMBs, 'MB/s', 500);
    row('fast, decode', fast.decodeMBs, 'MB/s', 500);
    row('best, ratio', best.ratio, ': 1', 3.48);
  }
  if (peer === undefined) return rows;
  const against = (name: string, unit: string, asked: number, of: (figures: Figures) => number): void => {
    const pair = { figure: of(best), peer: 'CharLS', peerFigure: of(peer) };
    rows.push({ bench: 'pixel', case: `${series}: best, ${name}`, unit, asked, askedOf: 'ratio', ...pair });
  };
  against('ratio', ': 1', 1, (figures) => figures.ratio);
  against('encode', 'MB/s', 3, (figures) => figures.encodeMBs);
  against('decode', 'MB/s', 3, (figures) => figures.decodeMBs);
  return rows;
}

async function main(): Promise<void> {
  const found = existsSync(options.data) ? findNativeSeries(options.data) : [];
  if (found.length === 0) console.log(`no data at ${options.data}: only what is made by rule`);
  const large = (series: NativeSeries): boolean => (series.frames[0]?.bytes.length ?? 0) >= frameBytesMin;
  const all = [...found, ...phantomSeries()].filter((s) => large(s) && s.name.includes(options.only));
  const charls = charlsCodec(await loadCharls());
  const msEach = (Number(options.seconds) * 1000) / (all.length + 6);
  // Everything compiled and warm before anything counts.
  if (all[0] !== undefined) measure(spread(all[0].frames).slice(0, 8), [...ours, charls], 1000);
  console.log(
    'ratio, encode MB/s, decode MB/s of CPU time on one core; then best against CharLS: the quotients of the three',
  );
  console.log(
    `${'series'.padEnd(46)}${'fast'.padStart(12)}${'best'.padStart(19)}${'CharLS'.padStart(19)}${'best / CharLS'.padStart(20)}`,
  );
  const rows: BenchRow[] = [];
  for (const { name, frames } of all) {
    const colour16 = frames.some((f) => f.samplesPerPixel > 1 && f.bitsAllocated === 16);
    const taken = spread(frames);
    const plainBytes = taken.reduce((sum, f) => sum + f.bytes.length, 0);
    const weight = frames.length > 20 ? 3 : 1;
    const tallies = measure(taken, colour16 ? ours : [...ours, charls], msEach * weight);
    const figures = new Map([...tallies].map(([codec, tally]) => [codec, figuresOf(tally, plainBytes)]));
    const [fast, best, peer] = ['fast', 'best', 'charls'].map((codec) => figures.get(codec));
    console.log(`${name.padEnd(46)}${cell(fast)} |${cell(best)} |${cell(peer)} | ${against(best, peer)}`);
    rows.push(...rowsOf(name, fast, best, peer));
  }
  if (options.json !== undefined) saveRows(rows, options.json);
}

await main();
