// Runs the tests of tools/stele_read.py, the reader that lies on every medium, with whatever python3 is here, and has it read what the
// vault writes.
//
// The pixels come from this archive's own encoders; the Zstandard frames come from node:zlib, the reference encoder, at every level: the reader's own decompressor was
// written from RFC 8878 and must read them all.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import { hexOf, SeededRandom, utf8Bytes } from '../src/base/index.ts';
import { encodePlain, type PixelShape } from '../src/codec/index.ts';
import { openRealDisk } from '../src/disk/index.ts';
import { encodeObjectEntry, recordKind } from '../src/format/index.ts';
import { openRig, type Rig, rigArchive, rigGroup } from './support/vault-rig.ts';

const root = path.join(import.meta.dirname, '..');
const versionText = `import sys, hashlib; sys.exit(not (sys.version_info >= (3, 9) and hasattr(hashlib, 'scrypt')))`;
const pythonMissing = spawnSync('python3', ['-c', versionText]).status !== 0;

const skip = pythonMissing ? 'there is no python3 of version 3.9 or later with scrypt here' : false;

async function python(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; report: string }> {
  const child = spawn('python3', args, {
    cwd: root,
    env: { ...process.env, ...env, PYTHONIOENCODING: 'utf-8' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let report = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      report += text;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, report };
}

/** The same noise in every run: SHA-256 of a counter. */
function noise(sizeBytes: number): Buffer {
  const blocks: Buffer[] = [];
  for (let i = 0; i * 32 < sizeBytes; i++) blocks.push(createHash('sha256').update(`noise ${i}`).digest());
  return Buffer.concat(blocks).subarray(0, sizeBytes);
}

/** Twelve-bit samples of a smooth field with some noise: what a slice of pixels looks like to a compressor. */
function samples(count: number): Buffer {
  const out = Buffer.alloc(2 * count);
  const grain = noise(count);
  for (let i = 0; i < count; i++) {
    const value = 1000 + 800 * Math.sin(i / 97) + 60 * Math.cos(i / 7) + (grain[i] ?? 0) / 16;
    out.writeUInt16LE(Math.round(value), 2 * i);
  }
  return out;
}

/** What exercises each way of a block: literals of every kind, short and long matches, repeats of what came long before. */
function zstdTexts(): Record<string, Buffer> {
  const source = readFileSync(path.join(root, 'FORMAT.md'));
  const grain = noise(70_000);
  const skewed = Buffer.from(grain.map((byte) => (byte < 200 ? 65 + (byte % 3) : byte)));
  const far = Buffer.concat([grain, Buffer.alloc(150_000, 'stele '), grain, grain.subarray(100, 60_000)]);
  return {
    empty: Buffer.alloc(0),
    one: Buffer.from('x'),
    short: Buffer.from('one short line of text, one short line of text'),
    text: source,
    zeros: Buffer.alloc(300_000),
    noise: grain,
    skewed,
    far,
    samples: samples(60_000),
    json: Buffer.from(
      JSON.stringify(Array.from({ length: 2_000 }, (_, i) => ({ id: i, name: `patient ${i * 7919}` }))),
    ),
    period: Buffer.concat([Buffer.alloc(99_999, 'abcdefg'), grain.subarray(0, 333), Buffer.alloc(5_000, 'ab')]),
  };
}

function writeZstdCases(folder: string): void {
  for (const [name, plain] of Object.entries(zstdTexts())) {
    writeFileSync(path.join(folder, `${name}.plain`), plain);
    for (const level of [-7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]) {
      // Odd levels without a declared size and with a checksum: the frame header has all its forms.
      const params = {
        [constants.ZSTD_c_compressionLevel]: level,
        [constants.ZSTD_c_contentSizeFlag]: level % 2 === 0 ? 1 : 0,
        [constants.ZSTD_c_checksumFlag]: level % 2 === 0 ? 0 : 1,
      };
      writeFileSync(path.join(folder, `${name}.${level}.zst`), zstdCompressSync(plain, { params }));
    }
  }
}

type PixelCase = { name: string; shape: PixelShape; plain: Buffer };

/** Frames of every layout: a smooth field with grain, a flat part and an edge, from 12-bit samples down to bytes. */
function pixelCases(): PixelCase[] {
  const cases: PixelCase[] = [];
  const grain = noise(300_000);
  const add = (
    name: string,
    rows: number,
    columns: number,
    samplesPerPixel: number,
    rest: Partial<PixelCase['shape']>,
  ) => {
    const shape = { rows, columns, samplesPerPixel, bitsAllocated: 16, planar: false, ...rest } as const;
    const width = shape.bitsAllocated / 8;
    const plain = Buffer.alloc(rows * columns * samplesPerPixel * width);
    for (let i = 0; i < rows * columns * samplesPerPixel; i++) {
      const pixel = shape.planar ? i % (rows * columns) : Math.floor(i / samplesPerPixel);
      const [x, y] = [pixel % columns, Math.floor(pixel / columns)];
      const smooth = 120 + 60 * Math.sin(x / 9) + 40 * Math.cos(y / 5) + (grain[i % grain.length] ?? 0) / 32;
      const drawn = ((x >> 3) ^ (y >> 4)) & 1 ? 200 : 30;
      const shaded = y > (rows * 2) / 3 ? 17 : x > columns / 2 ? smooth : smooth / 3;
      const value = name === 'drawing' ? drawn : shaded;
      if (width === 1) plain.writeUInt8(Math.round(value) & 255, i);
      else if (name.includes('big')) plain.writeUInt16BE(Math.round(value * 12), 2 * i);
      else if (name.includes('signed')) plain.writeInt16LE(Math.round(value * 40) - 4000, 2 * i);
      else plain.writeUInt16LE(Math.round(name.includes('sparse') ? Math.round(value) * 64 : value * 12), 2 * i);
    }
    cases.push({ name, shape, plain });
  };
  add('slice', 96, 80, 1, {});
  add('signed', 33, 70, 1, {});
  add('big', 40, 64, 1, {});
  add('sparse', 64, 64, 1, {});
  add('bytes', 61, 47, 1, { bitsAllocated: 8 });
  add('colour', 30, 50, 3, { bitsAllocated: 8 });
  add('planar', 30, 50, 3, { bitsAllocated: 8, planar: true });
  add('colour16', 20, 40, 3, {});
  add('four', 17, 24, 4, { bitsAllocated: 8 });
  add('drawing', 120, 160, 1, { bitsAllocated: 8 });
  add('narrow', 50, 8, 1, {});
  add('low', 1, 200, 1, {});
  const shape = { rows: 30, columns: 40, samplesPerPixel: 1, bitsAllocated: 16, planar: false } as const;
  cases.push({ name: 'noise', shape, plain: grain.subarray(0, 2_400) });
  cases.push({ name: 'flat', shape: { ...shape, rows: 100 }, plain: Buffer.alloc(8_000, 7) });
  cases.push({ name: 'empty', shape, plain: Buffer.alloc(0) });
  const slice = cases[0]?.plain ?? Buffer.alloc(0);
  cases.push({ name: 'tail', shape: { ...shape, columns: 80 }, plain: slice.subarray(0, 9_999) });
  cases.push({ name: 'lie', shape: { ...shape, columns: 77 }, plain: slice.subarray(1, 9_001) });
  return cases;
}

/** <name>.plain beside <name>.<codec>.<version>.px, as the archive's encoders write them. */
function writePixelCases(folder: string): void {
  for (const { name, shape, plain } of pixelCases()) {
    writeFileSync(path.join(folder, `${name}.plain`), plain);
    for (const effort of ['fast', 'best'] as const) {
      const { codec, codecVersion, packed } = encodePlain(plain, { kind: 'pixels', shape, effort });
      if (codec === 3 || codec === 4) writeFileSync(path.join(folder, `${name}.${codec}.${codecVersion}.px`), packed);
    }
  }
}

test('the one-file reader in Python passes its tests', { skip }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'stele-zstd-'));
  try {
    writeZstdCases(folder);
    const pixels = path.join(folder, 'pixels');
    mkdirSync(pixels);
    writePixelCases(pixels);
    const { code, report } = await python(['-B', '-m', 'unittest', 'discover', '-s', 'tests/python'], {
      STELE_ZSTD_CASES: folder,
      STELE_PIXEL_CASES: pixels,
    });
    assert.equal(code, 0, report);
    assert.match(report, /^Ran [1-9]\d* tests/m);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function store(rig: Rig, key: string, bytes: Uint8Array, id: string): Promise<void> {
  const writer = rig.vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'bytes', effort: 'fast' }) });
  if (bytes.byteLength > 0) await writer.write(bytes);
  await writer.finish((known) => {
    const plain = encodeObjectEntry({
      type: 'object',
      id,
      bucket: 'b',
      key: utf8Bytes(key),
      sizeBytes: bytes.byteLength,
      digest: createHash('sha256').update(bytes).digest(),
      ref: known.ref,
      first: known.first,
      createdMs: 1_700_000_000_000,
      state: 'live',
      mode: 0o640,
      mtimeMs: 1_600_000_000_123,
      contentType: undefined,
      meta: undefined,
    });
    return [{ kind: recordKind.entry, group: rigGroup, plain }];
  });
}

/** A keyring that holds nothing but the key the rig gives its one group, at the bottom of the tree. */
function rigKeyring(): string {
  const { tenant, year, group } = rigGroup;
  const key = createHash('sha256').update(`${tenant}/${year}/${group}`).digest('base64');
  const path = year.toString(2).padStart(16, '0') + group.toString(2).padStart(64, '0');
  const nodes = [{ depth: 80, path, key }];
  const tenants = [{ tenant, cipher: 1, nodes }];
  return JSON.stringify({ format: 'stele-keyring', version: 1, archive: rigArchive, generation: '1', tenants });
}

for (const cipher of [0, 1, 2]) {
  test(`what the vault writes under cipher ${cipher}, sealed and open, the reader brings back`, { skip }, async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'stele-reader-'));
    try {
      const random = new SeededRandom(8812 + cipher);
      const objects = new Map<string, Uint8Array>([
        ['empty', new Uint8Array(0)],
        ['检查/small', utf8Bytes('an inscription')],
        ['large', random.bytes(2 * 1024 * 1024 + 17)],
        ['dense', utf8Bytes('inscription '.repeat(30_000))],
      ]);
      writeFileSync(path.join(folder, 'keys.json'), rigKeyring());
      for (const state of ['sealed', 'open']) {
        const disk = path.join(folder, state);
        mkdirSync(disk);
        const rig = await openRig({ disks: [await openRealDisk({ label: state, folder: disk })], cipher });
        for (const [key, bytes] of objects) await store(rig, key, bytes, hexOf(random.bytes(16)));
        await rig.vault.close({ seal: state === 'sealed' });

        const reader = path.join(root, 'tools', 'stele_read.py');
        const verified = await python(['-B', reader, 'verify', disk]);
        assert.equal(verified.code, 0, verified.report);
        const out = path.join(folder, `out-${state}`);
        const keys = path.join(folder, 'keys.json');
        const extracted = await python(['-B', reader, 'extract', disk, '--keys', keys, '--out', out]);
        assert.equal(extracted.code, 0, extracted.report);
        for (const [key, bytes] of objects) assert.ok(readFileSync(path.join(out, '1', 'b', key)).equals(bytes), key);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
