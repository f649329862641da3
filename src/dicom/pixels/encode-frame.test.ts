// Encoders against our own decoders: lossless means every bit that was allocated, for every kind of frame a syntax can hold.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FrameKind, syntheticFrame } from '../../../tests/support/synthetic-pixels.ts';
import { bytesEqual } from '../../base/index.ts';
import { decodeFrame } from './decode-frame.ts';
import { encodeFrame } from './encode-frame.ts';
import type { ImageShape, PlainFrame } from './image-shape.ts';
import { encodableSyntaxes as to } from './pixel-syntax.ts';
import { interleave } from './sample-layout.ts';

const everySyntax = Object.values(to);
const names = Object.fromEntries(Object.entries(to).map(([name, uid]) => [uid, name]));

/** Through the encoder and back; `expected` is what must come out, or undefined where the syntax cannot hold the frame. */
function check(frame: PlainFrame, syntax: string, expected: PlainFrame | undefined): void {
  const coded = encodeFrame(frame, syntax);
  if (expected === undefined) {
    assert.equal(coded, undefined, 'not to be encoded');
    return;
  }
  assert.ok(coded !== undefined, 'encoded');
  const back = decodeFrame({ syntax, ...coded });
  assert.ok(back !== undefined, 'decoded');
  assert.ok(bytesEqual(back.bytes, expected.bytes), 'the same samples');
  assert.deepEqual(back.shape, expected.shape);
}

const kinds: readonly FrameKind[] = ['disc', 'noise', 'flat', 'sparse'];
const sizes = [
  [1, 1],
  [1, 9],
  [7, 1],
  [33, 21],
  [130, 67],
] as const;

for (const syntax of everySyntax) {
  test(`${names[syntax]}: grey and colour frames of eight and sixteen bits come back`, () => {
    for (const [columns, rows] of sizes) {
      for (const kind of kinds) {
        for (const bits of [8, 12, 16]) {
          for (const signed of [false, true]) {
            const frame = syntheticFrame({ columns, rows, bits, signed, kind });
            check(frame, syntax, frame);
          }
        }
        for (const bits of [8, 16]) {
          const frame = syntheticFrame({ columns, rows, bits, components: 3, kind });
          check(frame, syntax, frame);
        }
      }
    }
  });

  test(`${names[syntax]}: bits above those stored come back`, () => {
    // An overlay of old in the highest bits, as the standard once had it.
    const frame = syntheticFrame({ columns: 40, rows: 30, bits: 12 });
    for (let k = 1; k < frame.bytes.length; k += 26) frame.bytes[k] = (frame.bytes[k] as number) | 0x80;
    check(frame, syntax, frame);
    const signed = syntheticFrame({ columns: 40, rows: 30, bits: 12, signed: true });
    for (let k = 1; k < signed.bytes.length; k += 26) signed.bytes[k] = (signed.bytes[k] as number) ^ 0x40;
    check(signed, syntax, signed);
    const shifted = syntheticFrame({ columns: 40, rows: 30, bits: 16 });
    const inTheMiddle = { bytes: shifted.bytes, shape: { ...shifted.shape, bitsStored: 10, highBit: 13 } };
    check(inTheMiddle, syntax, inTheMiddle);
  });

  test(`${names[syntax]}: planes come back side by side, or as planes where the syntax is native`, () => {
    const sideBySide = syntheticFrame({ columns: 17, rows: 9, bits: 8, components: 3 });
    const planes = new Uint8Array(sideBySide.bytes.length);
    sideBySide.bytes.forEach((byte, k) => {
      planes[(k % 3) * 17 * 9 + Math.floor(k / 3)] = byte;
    });
    const planar: PlainFrame = { shape: { ...sideBySide.shape, planarConfiguration: 1 }, bytes: planes };
    assert.deepEqual(interleave(planar).bytes, sideBySide.bytes);
    const isNative = !syntax.includes('.4.') && syntax !== to.rle;
    check(planar, syntax, isNative ? planar : sideBySide);
  });
}

const codecs = [to.rle, to.jpegLossless, to.jpegLs, to.jpeg2000, to.htj2k] as const;

test('chroma of every second pixel is repeated where a syntax holds only whole pixels', () => {
  const shape: ImageShape = {
    ...syntheticFrame({ columns: 5, rows: 2, bits: 8, components: 3 }).shape,
    photometricInterpretation: 'YBR_FULL_422',
  };
  const row = [10, 11, 100, 200, 12, 13, 101, 201, 14, 0, 102, 202];
  const frame = { shape, bytes: Uint8Array.from([...row, ...row]) };
  const whole = [10, 100, 200, 11, 100, 200, 12, 101, 201, 13, 101, 201, 14, 102, 202];
  const expected = {
    shape: { ...shape, photometricInterpretation: 'YBR_FULL' },
    bytes: Uint8Array.from([...whole, ...whole]),
  };
  for (const syntax of codecs) check(frame, syntax, expected);
  for (const syntax of [to.explicitLittle, to.deflatedFrame]) check(frame, syntax, frame);
});

test('frames of single bits come back from the syntaxes that can hold them', () => {
  const shape: ImageShape = {
    ...syntheticFrame({ columns: 19, rows: 11, bits: 8 }).shape,
    bitsAllocated: 1,
    bitsStored: 1,
    highBit: 0,
  };
  const bytes = Uint8Array.from({ length: 27 }, (_, k) => (k * 37) & 255);
  bytes[26] = (bytes[26] as number) & 1; // 209 bits
  const frame = { shape, bytes };
  for (const syntax of [to.explicitLittle, to.rle, to.deflatedFrame, to.jpeg2000, to.htj2k])
    check(frame, syntax, frame);
  for (const syntax of [to.jpegLossless, to.jpegLs]) check(frame, syntax, undefined);
});

test('wide samples are held by the syntaxes that have room for them, and refused by the others', () => {
  const frame = syntheticFrame({ columns: 20, rows: 14, bits: 32 });
  for (const syntax of [to.explicitLittle, to.explicitBig, to.rle, to.deflatedFrame]) check(frame, syntax, frame);
  for (const syntax of [to.jpegLossless, to.jpegLs, to.jpeg2000, to.htj2k]) check(frame, syntax, undefined);
  const shorter = syntheticFrame({ columns: 20, rows: 14, bits: 24, signed: false });
  for (const syntax of [to.rle, to.jpeg2000, to.htj2k]) check(shorter, syntax, shorter);
  const floating = { shape: { ...frame.shape, floatingPoint: true }, bytes: frame.bytes };
  check(floating, to.explicitLittle, floating);
  for (const syntax of codecs) check(floating, syntax, undefined);
});

test('what is not written here is not guessed', () => {
  const frame = syntheticFrame({ columns: 8, rows: 8, bits: 8 });
  for (const syntax of ['1.2.840.10008.1.2.4.50', '1.2.840.10008.1.2.4.100', '1.2.3', ''])
    check(frame, syntax, undefined);
});

test('colour that was not RGB is coded without a transform and keeps its name', () => {
  const frame = syntheticFrame({
    columns: 30,
    rows: 20,
    bits: 8,
    components: 3,
    photometricInterpretation: 'YBR_FULL',
  });
  for (const syntax of codecs) check(frame, syntax, frame);
  const rgb = syntheticFrame({ columns: 30, rows: 20, bits: 8, components: 3 });
  assert.equal(encodeFrame(rgb, to.jpeg2000)?.shape.photometricInterpretation, 'YBR_RCT');
  assert.equal(encodeFrame(rgb, to.jpegLs)?.shape.photometricInterpretation, 'RGB');
});

test('any samples of any size come back from every codec', () => {
  const size = fc.integer({ min: 1, max: 70 });
  const frame = fc
    .tuple(size, size, fc.constantFrom(8, 16), fc.constantFrom(1, 3), fc.boolean(), fc.nat(1000))
    .map(([columns, rows, bits, components, signed, seed]) =>
      syntheticFrame({
        columns,
        rows,
        bits,
        components: components as 1 | 3,
        signed: signed && components === 1,
        kind: 'noise',
        seed,
      }),
    );
  const runsOf = fc.array(fc.tuple(fc.nat(5000), fc.nat(300), fc.nat(255)), { maxLength: 12 });
  fc.assert(
    fc.property(frame, runsOf, fc.constantFrom(...codecs), (plain, runs, syntax) => {
      // Stretches of one value in the noise: runs, empty blocks, and their ends.
      for (const [start, length, value] of runs) plain.bytes.fill(value, start, start + length);
      check(plain, syntax, plain);
    }),
    { numRuns: 400 },
  );
});
