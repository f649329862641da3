// Comparing frames: the same samples in any two syntaxes are the same, and one sample that differs makes them differ.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { syntheticFrame } from '../../../tests/support/synthetic-pixels.ts';
import { compareFrames } from './compare-frames.ts';
import { encodeFrame } from './encode-frame.ts';
import type { PlainFrame } from './image-shape.ts';
import { PixelPool } from './pixel-pool.ts';
import { encodableSyntaxes as to } from './pixel-syntax.ts';

const syntaxes = Object.values(to);

function coded(frame: PlainFrame, syntax: string): { syntax: string; shape: PlainFrame['shape']; bytes: Uint8Array } {
  const encoded = encodeFrame({ shape: frame.shape, bytes: frame.bytes.slice() }, syntax);
  return encoded === undefined ? { syntax: to.explicitLittle, ...frame } : { syntax, ...encoded };
}

const frames = fc.record({
  columns: fc.integer({ min: 1, max: 40 }),
  rows: fc.integer({ min: 1, max: 30 }),
  bits: fc.constantFrom(8, 12, 16),
  kind: fc.constantFrom('disc', 'noise', 'flat', 'sparse'),
});

test('the same samples are the same in every pair of syntaxes', () => {
  const cases = fc.property(frames, fc.constantFrom(...syntaxes), fc.constantFrom(...syntaxes), (made, one, other) => {
    const frame = syntheticFrame(made);
    assert.equal(compareFrames(coded(frame, one), coded(frame, other)), 'same');
  });
  fc.assert(cases, { numRuns: 150 });
});

test('one bit of one sample makes frames differ, whatever their syntaxes', () => {
  const cases = fc.property(
    frames,
    fc.constantFrom(...syntaxes),
    fc.constantFrom(...syntaxes),
    fc.nat(),
    (made, one, other, place) => {
      const frame = syntheticFrame(made);
      const bytes = frame.bytes.slice();
      const sample = (place % (bytes.byteLength / (frame.shape.bitsAllocated / 8))) * (frame.shape.bitsAllocated / 8);
      bytes[sample] = (bytes[sample] ?? 0) ^ 1;
      const changed = { shape: frame.shape, bytes };
      assert.equal(compareFrames(coded(frame, one), coded(changed, other)), 'differ');
    },
  );
  fc.assert(cases, { numRuns: 150 });
});

test('bits beyond those stored and the order of planes show nothing; another size or another polarity does', () => {
  const frame = syntheticFrame({ columns: 9, rows: 7, bits: 12 });
  const withOverlay = frame.bytes.slice();
  withOverlay[1] = (withOverlay[1] ?? 0) | 0x80;
  const plain = { syntax: to.explicitLittle, ...frame };
  assert.equal(compareFrames(plain, { ...plain, bytes: withOverlay }), 'same');
  const turned = { ...frame.shape, rows: frame.shape.columns, columns: frame.shape.rows };
  assert.equal(compareFrames(plain, { ...plain, shape: turned }), 'differ');
  const inverse = { ...frame.shape, photometricInterpretation: 'MONOCHROME1' };
  assert.equal(compareFrames(plain, { ...plain, shape: inverse }), 'differ');
  const colour = syntheticFrame({ columns: 5, rows: 4, bits: 8, components: 3 });
  const planes = Uint8Array.from(
    { length: 60 },
    (_, index) => colour.bytes[(index % 20) * 3 + Math.floor(index / 20)] ?? 0,
  );
  const planar = { ...colour.shape, planarConfiguration: 1 as const };
  const side = { syntax: to.explicitLittle, ...colour };
  assert.equal(compareFrames(side, { syntax: to.explicitLittle, shape: planar, bytes: planes }), 'same');
});

test('what cannot be decoded here, or compared without loss, is not decided', () => {
  const frame = syntheticFrame({ columns: 5, rows: 4, bits: 8, components: 3 });
  const plain = { syntax: to.explicitLittle, ...frame };
  assert.equal(compareFrames(plain, { ...plain, syntax: '1.2.3.4' }), undefined);
  const other = { ...frame.shape, photometricInterpretation: 'YBR_FULL' };
  assert.equal(compareFrames(plain, { ...plain, shape: other }), undefined);
});

test('a pool compares beside the main thread, also a frame with itself', async () => {
  const pool = new PixelPool({ workers: 1 });
  const frame = syntheticFrame({ columns: 64, rows: 64, bits: 12 });
  const plain = { syntax: to.explicitLittle, ...frame };
  assert.equal(await pool.compare({ ...plain, bytes: frame.bytes.slice() }, coded(frame, to.jpegLs)), 'same');
  const bytes = frame.bytes.slice();
  assert.equal(await pool.compare({ ...plain, bytes }, { ...plain, bytes }, { canWait: true }), 'same');
  await pool.close();
});
