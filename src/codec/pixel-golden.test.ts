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
import { decodePixelBest, encodePixelBest } from './pixel-best.ts';
import { decodePixelFast, encodePixelFast } from './pixel-fast.ts';

// A golden file is a payload that a released encoder made of syntheticFrame(kind, rows, columns, seed); its name says which:
// pixel-<codec>-v1-<kind>-<rows>x<columns>-<seed>.bin. New encoders may write other bytes, but these are read for ever.
// To add some: node src/codec/pixel-golden.test.ts --write (existing files are never replaced).

const folder = path.resolve(import.meta.dirname, '../../testdata/codec');
const pattern = /^pixel-(fast|best)-v1-([a-z0-9-]+)-(\d+)x(\d+)-(\d+)\.bin$/;

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
    const file = path.join(folder, `pixel-${codec}-v1-${kind}-${rows}x${columns}-1.bin`);
    writeFileSync(file, encode(bytes, shape), { flag: 'wx' });
  };
  for (const [codec, encode] of [
    ['fast', encodePixelFast],
    ['best', encodePixelBest],
  ] as const) {
    for (const kind of frameKinds) write(codec, encode, kind, kind === 'noise' ? 9 : 75, kind === 'noise' ? 13 : 70);
    write(codec, encode, 'disc12', 190, 180);
    write(codec, encode, 'disc12', 1, 40);
  }
}

if (process.argv.includes('--write')) writeGolden();

test('golden payloads decode to the frames they were made of', () => {
  const all = readGolden();
  assert.ok(all.length >= 26, `${all.length} golden files`);
  for (const { file, codec, stored, frame } of all) {
    const decode = codec === 'fast' ? decodePixelFast : decodePixelBest;
    assert.ok(Buffer.from(frame.bytes).equals(decode(stored, frame.bytes.length)), file);
  }
});

/** Decodes every listed payload with the Python reader; answers with one line per file: its name and whether the bytes agree. */
const pythonScript = `
import sys, json
sys.path.insert(0, sys.argv[1])
import stele_read
for case in json.load(open(sys.argv[2])):
    payload, plain = open(case['payload'], 'rb').read(), open(case['plain'], 'rb').read()
    decode = getattr(stele_read, 'decode_pixel_' + case['codec'])
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
      // Sizes on both sides of a group of eight rows, and a claim that leaves a tail.
      const { bytes, shape } = syntheticFrame(kind, 31 + index, 40 - index, 100 + index);
      const odd = bytes.subarray(0, bytes.length - (index % 3));
      add(`fast ${kind}`, 'fast', encodePixelFast(odd, shape), odd);
      add(`best ${kind}`, 'best', encodePixelBest(odd, shape), odd);
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
