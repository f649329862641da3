// Native frames: where they lie, byte orders, odd widths; and shapes that no image can have.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { syntheticShape } from '../../../tests/support/synthetic-pixels.ts';
import { isArchiveError } from '../../base/index.ts';
import { decodeFrame } from './decode-frame.ts';
import { checkShape, frameBytesOf, type ImageShape } from './image-shape.ts';
import { alignNativeFrame, BitJoiner, nativeFrameRange, packBits, unpackBits } from './native.ts';

const big = '1.2.840.10008.1.2.2';
const little = '1.2.840.10008.1.2.1';
const grey8 = syntheticShape({ columns: 3, rows: 1, bits: 8 });
const grey16 = syntheticShape({ columns: 2, rows: 1, bits: 16 });
const bits = { ...syntheticShape({ columns: 5, rows: 3, bits: 8 }), bitsAllocated: 1, bitsStored: 1, highBit: 0 };

function check(
  syntax: string,
  shape: ImageShape,
  bytes: readonly number[],
  expected: readonly number[],
  inWords?: boolean,
): void {
  const frame = decodeFrame({ syntax, shape, bytes: Uint8Array.from(bytes), inWords });
  assert.deepEqual([...(frame?.bytes ?? [])], expected);
}

test('bytes change places in big endian, by sample or by word', () => {
  check(little, grey16, [1, 2, 3, 4], [1, 2, 3, 4]);
  check(big, grey16, [1, 2, 3, 4], [2, 1, 4, 3]);
  check(big, { ...grey16, columns: 1, bitsAllocated: 32, bitsStored: 32, highBit: 31 }, [1, 2, 3, 4], [4, 3, 2, 1]);
  check(big, grey8, [1, 2, 3, 4], [2, 1, 4]);
  check(big, grey8, [1, 2, 3], [1, 2, 3], false);
  check('1.2.840.113619.5.2', grey16, [1, 2, 3, 4], [2, 1, 4, 3]);
});

test('two samples in three bytes become two words', () => {
  const shape = { ...grey16, columns: 3, bitsAllocated: 12, bitsStored: 12, highBit: 11 };
  const frame = decodeFrame({ syntax: little, shape, bytes: Uint8Array.of(0x34, 0x62, 0x45, 0xbc, 0x0a) });
  assert.deepEqual([...(frame?.bytes ?? [])], [0x34, 0x02, 0x56, 0x04, 0xbc, 0x0a]);
  assert.equal(frame?.shape.bitsAllocated, 16);
});

test('frames of single bits are found where they begin within a byte', () => {
  const samples = Array.from({ length: 45 }, (_, k) => ((k * 7) % 3 === 0 ? 1 : 0));
  const packed = packBits(Uint8Array.from(samples));
  for (let frame = 0; frame < 3; frame++) {
    const { offset, sizeBytes, skipBits } = nativeFrameRange(bits, frame);
    const aligned = alignNativeFrame(packed.subarray(offset, offset + sizeBytes), bits, skipBits);
    assert.equal(aligned.byteLength, 2);
    assert.deepEqual([...unpackBits(aligned, 15)], samples.slice(frame * 15, frame * 15 + 15));
    assert.equal((aligned[1] as number) & 0x80, 0, 'no bit of the next frame');
  }
  assert.deepEqual(nativeFrameRange(grey16, 5), { offset: 20, sizeBytes: 4, skipBits: 0 });
});

test('a frame that lacks bytes is refused', () => {
  const isMalformed = (error: unknown): boolean => isArchiveError(error, 'DICOM_MALFORMED');
  assert.throws(() => decodeFrame({ syntax: little, shape: grey16, bytes: new Uint8Array(3) }), isMalformed);
  assert.throws(() => decodeFrame({ syntax: big, shape: grey8, bytes: new Uint8Array(3), inWords: true }), isMalformed);
  assert.throws(() => alignNativeFrame(new Uint8Array(1), bits, 0), isMalformed);
});

test('syntaxes that are not decoded here are said to be so', () => {
  for (const syntax of ['1.2.840.10008.1.2.4.100', '1.2.840.10008.1.2.4.94', '1.2.3', 'toString', '']) {
    assert.equal(decodeFrame({ syntax, shape: grey8, bytes: new Uint8Array(100) }), undefined);
  }
});

test('shapes that no image has are refused', () => {
  const wrong: Partial<ImageShape>[] = [
    { rows: 0 },
    { columns: 65_536 },
    { rows: 1.5 },
    { samplesPerPixel: 0 },
    { samplesPerPixel: 5 },
    { bitsAllocated: 10 },
    { bitsStored: 0 },
    { bitsStored: 17 },
    { highBit: 16 },
    { highBit: 3 },
    { rows: Number.NaN },
    { floatingPoint: true },
    { photometricInterpretation: 'YBR_FULL_422' },
  ];
  for (const change of wrong) {
    assert.throws(
      () => checkShape({ ...grey16, ...change }),
      (error) => isArchiveError(error, 'DICOM_MALFORMED'),
      JSON.stringify(change),
    );
  }
  const large = { ...grey16, rows: 65_535, columns: 65_535 };
  assert.throws(
    () => checkShape(large),
    (error) => isArchiveError(error, 'LIMIT_EXCEEDED'),
  );
});

test('a frame with halved chroma has two samples a pixel', () => {
  const shape = {
    ...syntheticShape({ columns: 5, rows: 3, bits: 8, components: 3 }),
    photometricInterpretation: 'YBR_FULL_422',
  };
  assert.equal(frameBytesOf(shape), 3 * 6 * 2);
  assert.equal(frameBytesOf(bits), 2);
});

test('frames of single bits are joined without a gap, whatever their number of bits', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 9 }),
      fc.infiniteStream(fc.nat(1)),
      (bits, count, stream) => {
        const samples = Uint8Array.from({ length: bits * count }, () => stream.next().value ?? 0);
        const joiner = new BitJoiner(bits);
        const pieces = Array.from({ length: count }, (_, k) =>
          joiner.push(packBits(samples.subarray(k * bits, (k + 1) * bits))),
        );
        assert.deepEqual(Buffer.concat([...pieces, joiner.end()]), Buffer.from(packBits(samples)));
      },
    ),
  );
});
