// Runs the tests of tools/stele_read.py, the reader that lies on every medium, with whatever python3 is here.
//
// The Zstandard frames come from node:zlib, the reference encoder, at every level: the reader's own decompressor was
// written from RFC 8878 and must read them all.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';

const root = path.join(import.meta.dirname, '..');
const versionText = `import sys, hashlib; sys.exit(not (sys.version_info >= (3, 9) and hasattr(hashlib, 'scrypt')))`;
const pythonMissing = spawnSync('python3', ['-c', versionText]).status !== 0;

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

test('the one-file reader in Python passes its tests', {
  skip: pythonMissing ? 'there is no python3 of version 3.9 or later with scrypt here' : false,
}, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'stele-zstd-'));
  try {
    writeZstdCases(folder);
    const child = spawn('python3', ['-B', '-m', 'unittest', 'discover', '-s', 'tests/python'], {
      cwd: root,
      env: { ...process.env, STELE_ZSTD_CASES: folder, PYTHONIOENCODING: 'utf-8' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let report = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      report += text;
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    assert.equal(code, 0, report);
    assert.match(report, /^Ran [1-9]\d* tests/m);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
