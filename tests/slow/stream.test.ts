// Bounded memory: content far larger than memory's share goes in and comes out in one stream, in a process of its own.
// STELE_STREAM_BYTES asks for another length than 2 GB.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const sizeBytes = Number(process.env['STELE_STREAM_BYTES'] ?? 2e9);
const residentBytesMax = 300e6;

test('a stream of gigabytes is written and read in less than 300 MB of memory', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stele-stream-'));
  try {
    const child = join(import.meta.dirname, 'stream-child.ts');
    const argv = ['--disable-warning=ExperimentalWarning', child, folder, String(sizeBytes)];
    const { stdout } = await promisify(execFile)(process.execPath, argv);
    const peaks = JSON.parse(stdout) as { writtenPeakBytes: number; readPeakBytes: number };
    assert.ok(peaks.writtenPeakBytes < residentBytesMax, `writing took ${peaks.writtenPeakBytes} bytes`);
    assert.ok(peaks.readPeakBytes < residentBytesMax, `reading took ${peaks.readPeakBytes} bytes`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
