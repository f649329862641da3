import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import {
  type FrameKind,
  frameKinds,
  type SyntheticFrame,
  syntheticFrame,
} from '../../tests/support/synthetic-frames.ts';
import { SeededRandom } from '../base/index.ts';
import { CodecFault } from './codec-fault.ts';
import { decodePixelBest, encodePixelBest } from './pixel-best.ts';
import { decodePixelBest1 } from './pixel-best-1.ts';
import { decodePixelFast, encodePixelFast } from './pixel-fast.ts';
import { decodePixelFast1 } from './pixel-fast-1.ts';

// A golden file is a payload that a released encoder made of syntheticFrame(kind, rows, columns, seed); its name says which:
// pixel-<codec>-v<version>-<kind>-<rows>x<columns>-<seed>.bin. New encoders may write other bytes, but these are read for ever.
// To add some: node src/codec/pixel-golden.test.ts --write (existing files are never replaced).

const folder = path.resolve(import.meta.dirname, '../../testdata/codec');
const pattern = /^pixel-(fast-v1|fast-v2|best-v1|best-v2)-([a-z0-9-]+)-(\d+)x(\d+)-(\d+)\.bin$/;

const decoders: Record<string, (stored: Uint8Array, plainSizeBytes: number) => Uint8Array> = {
  'fast-v1': decodePixelFast1,
  'fast-v2': decodePixelFast,
  'best-v1': decodePixelBest1,
  'best-v2': decodePixelBest,
};

type Golden = { file: string; codec: string; stored: Uint8Array; frame: SyntheticFrame };

function readGolden(): Golden[] {
  return readdirSync(folder)
    .filter((file) => file.startsWith('pixel-'))
    .map((file) => {
      const [, codec = '', kind = '', rows = '', columns = '', seed = ''] = pattern.exec(file) ?? [];
      assert.ok((frameKinds as readonly string[]).includes(kind), `${file}: not a name of a golden file`);
      const frame = syntheticFrame(kind as FrameKind, Number(rows), Number(columns), Number(seed));
      return { file, codec, stored: readFileSync(path.join(folder, file)), frame };
    });
}

function writeGolden(): void {
  const write = (
    codec: string,
    encode: typeof encodePixelFast,
    kind: FrameKind,
    rows: number,
    columns: number,
  ): void => {
    const { bytes, shape } = syntheticFrame(kind, rows, columns, 1);
    const file = path.join(folder, `pixel-${codec}-${kind}-${rows}x${columns}-1.bin`);
    writeFileSync(file, encode(bytes, shape), { flag: 'wx' });
  };
  for (const [codec, encode] of [
    ['fast-v2', encodePixelFast],
    ['best-v2', encodePixelBest],
  ] as const) {
    for (const kind of frameKinds) write(codec, encode, kind, kind === 'noise' ? 9 : 75, kind === 'noise' ? 13 : 70);
    write(codec, encode, 'disc12', 190, 180);
    write(codec, encode, 'disc12', 1, 40);
    write(codec, encode, 'padded', 130, 150);
    write(codec, encode, 'boxes', 90, 140);
  }
}

if (process.argv.includes('--write')) writeGolden();

test('golden payloads decode to the frames they were made of', () => {
  const all = readGolden();
  assert.ok(all.length >= 60, `${all.length} golden files`);
  for (const { file, codec, stored, frame } of all) {
    const decode = decoders[codec];
    assert.ok(decode !== undefined, file);
    assert.ok(Buffer.from(frame.bytes).equals(decode(stored, frame.bytes.length)), file);
  }
});

test('damaged golden payloads end in CodecFault or in bytes of the promised length', () => {
  const random = new SeededRandom(11);
  for (const { file, codec, stored, frame } of readGolden()) {
    const decode = decoders[codec];
    assert.ok(decode !== undefined, file);
    for (let k = 0; k < 12; k++) {
      const bad = stored.slice(0, k % 4 === 0 ? random.below(stored.length + 1) : stored.length);
      // Most damage near the front, where the structure is.
      const place = random.below(k % 3 === 0 ? bad.length + 1 : Math.min(bad.length, 100) + 1);
      if (place < bad.length) bad[place] = (bad[place] ?? 0) ^ (1 + random.below(255));
      try {
        assert.equal(decode(bad, frame.bytes.length).length, frame.bytes.length, file);
      } catch (error) {
        assert.ok(error instanceof CodecFault, `${file}: ${String(error)}`);
      }
    }
  }
});

/** Decodes every listed payload with the Python reader; answers with one line per file: its name and whether the bytes agree. */
const pythonScript = `
import sys, json
sys.path.insert(0, sys.argv[1])
import stele_read
for case in json.load(open(sys.argv[2])):
    payload, plain = open(case['payload'], 'rb').read(), open(case['plain'], 'rb').read()
    name, version = case['codec'].split('-v')
    decode = stele_read.PIXEL_CODECS[{'fast': 3, 'best': 4}[name], int(version)]
    print(case['name'], decode(payload, len(plain), stele_read.zstd_decompress_plain) == plain)
`;

const python = spawnSync('python3', ['--version']).status === 0;

test('the Python reader decodes what we encode', { skip: python ? false : 'no python3' }, () => {
  const aside = mkdtempSync(path.join(tmpdir(), 'stele-pixels-'));
  try {
    const cases: { name: string; codec: string; payload: string; plain: string }[] = [];
    const add = (name: string, codec: string, stored: Uint8Array, plain: Uint8Array): void => {
      const at = path.join(aside, `${cases.length}`);
      writeFileSync(`${at}.payload`, stored);
      writeFileSync(`${at}.plain`, plain);
      cases.push({ name, codec, payload: `${at}.payload`, plain: `${at}.plain` });
    };
    for (const { file, codec, stored, frame } of readGolden()) {
      if (frame.bytes.length < 20_000) add(file, codec, stored, frame.bytes);
    }
    for (const [index, kind] of frameKinds.entries()) {
      // Sizes on both sides of what eight rows and two segments fill, and a claim that leaves a tail.
      const { bytes, shape } = syntheticFrame(kind, 31 + index, (index % 2 === 0 ? 40 : 90) - index, 100 + index);
      const odd = bytes.subarray(0, bytes.length - (index % 3));
      add(`fast ${kind}`, 'fast-v2', encodePixelFast(odd, shape), odd);
      add(`best ${kind}`, 'best-v2', encodePixelBest(odd, shape), odd);
    }
    writeFileSync(path.join(aside, 'cases.json'), JSON.stringify(cases));
    const tools = path.resolve(import.meta.dirname, '../../tools');
    const { stdout, stderr } = spawnSync('python3', ['-c', pythonScript, tools, path.join(aside, 'cases.json')], {
      encoding: 'utf8',
    });
    assert.deepEqual(
      stdout.trim().split('\n'),
      cases.map(({ name }) => `${name} True`),
      stderr,
    );
  } finally {
    rmSync(aside, { recursive: true });
  }
});
