// The pixel codecs against what lies outside the sources: the compiler that built their kernel, and real slices.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { findNativeSeries } from '../bench/support/native-pixels.ts';
import { findCompiler, kernelIsCurrent, kernels } from '../scripts/build-kernel.ts';
import { decodePixelBest, encodePixelBest } from '../src/codec/pixel-best.ts';
import { decodePixelFast, encodePixelFast } from '../src/codec/pixel-fast.ts';

for (const kernel of kernels) {
  const { command, version } = kernel.compiler;
  const found = findCompiler(kernel.compiler);
  const skip = found === version ? false : `built by ${command} ${version}, here is ${found ?? 'none'}`;
  test(`the committed ${kernel.file} is what its sources give`, { skip }, () => {
    assert.ok(kernelIsCurrent(kernel), `run node scripts/build-kernel.ts ${kernel.file}`);
  });
}

const dataFolder = path.resolve(import.meta.dirname, '../../shared/data/dicom');
const dataReason = existsSync(dataFolder) ? false : 'no data at ../shared/data/dicom';

test('real slices come back bit for bit', { skip: dataReason }, () => {
  for (const { name, frames } of findNativeSeries(dataFolder)) {
    const frame = frames[frames.length >> 1];
    assert.ok(frame !== undefined, name);
    const plain = Buffer.from(frame.bytes);
    assert.ok(plain.equals(decodePixelFast(encodePixelFast(plain, frame), plain.length)), `fast: ${name}`);
    assert.ok(plain.equals(decodePixelBest(encodePixelBest(plain, frame), plain.length)), `best: ${name}`);
  }
});
