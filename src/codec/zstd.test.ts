import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { concatBytes, isArchiveError, SeededRandom, utf8Bytes } from '../base/index.ts';
import { chunkSizeBytesMax } from '../format/index.ts';
import { looksIncompressible, packZstd, unpackZstd } from './zstd.ts';

const random = new SeededRandom(311);
const noise = random.bytes(chunkSizeBytesMax);
const text = utf8Bytes('OBX|1|TX|CT^Chest||No focal consolidation. Heart size normal.||||||F\r'.repeat(16_000));

function ramp(sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, index) => index);
}

test('what was packed unpacks to the same bytes, with either effort', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }),
    fc.nat({ max: 60_000 }).map((at) => text.subarray(at, at + (at % 5000))),
    fc.nat({ max: 60_000 }).map((at) => noise.subarray(at, at + (at % 5000))),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fc.constantFrom('fast', 'best'), (pieces, effort) => {
      const plain = concatBytes(pieces);
      const packed = packZstd(plain, effort);
      if (packed === undefined) return;
      assert.ok(packed.byteLength < plain.byteLength);
      assert.deepEqual(Buffer.from(unpackZstd(packed, plain.byteLength)), Buffer.from(plain));
    }),
    { numRuns: 60 },
  );
});

test('noise is not tried, and everything that shrinks is', () => {
  const check = (plain: Uint8Array, expected: boolean): void => assert.equal(looksIncompressible(plain), expected);
  check(noise, true);
  check(noise.subarray(0, 4096), true);
  check(noise.subarray(77, 512 * 1024), true);
  check(text.subarray(0, chunkSizeBytesMax), false);
  check(text.subarray(0, 4096), false);
  check(ramp(65_536), false);
  check(new Uint8Array(65_536), false);
  // Half noise and half text, in either order, and a tenth of text.
  check(concatBytes([noise.subarray(0, 65_536), text.subarray(0, 65_536)]), false);
  check(concatBytes([text.subarray(0, 65_536), noise.subarray(0, 65_536)]), false);
  check(concatBytes([noise.subarray(0, 90_000), text.subarray(0, 10_000)]), false);
  // Blocks of noise that come again, as in the image of a disk.
  check(concatBytes(Array.from({ length: 16 }, () => noise.subarray(0, 4096))), false);
  // A short header before noise: a JPEG.
  check(concatBytes([text.subarray(0, 700), noise.subarray(0, 200_000)]), true);
  // Base64 of noise: 6 bits a byte.
  check(utf8Bytes(Buffer.from(noise.subarray(0, 30_000)).toString('base64')), false);
});

test('bytes that would save less than a sixty-fourth are left as they are', () => {
  assert.equal(packZstd(noise.subarray(0, 100_000), 'best'), undefined);
  assert.equal(packZstd(noise.subarray(0, 900), 'fast'), undefined);
  assert.equal(packZstd(new Uint8Array(20), 'fast'), undefined);
  assert.ok((packZstd(new Uint8Array(200), 'fast') as Uint8Array).byteLength < 40);
});

test('a frame that is cut, changed, longer or shorter than promised is CODEC_FAULT', () => {
  const plain = text.subarray(0, 50_000);
  const packed = packZstd(plain, 'fast') as Uint8Array;
  const fails = (bytes: Uint8Array, sizeBytes: number): void =>
    assert.throws(
      () => unpackZstd(bytes, sizeBytes),
      (error) => isArchiveError(error, 'CODEC_FAULT'),
    );
  fails(packed, plain.byteLength - 1);
  fails(packed, plain.byteLength + 1);
  fails(packed, 0);
  fails(packed.subarray(0, packed.byteLength - 1), plain.byteLength);
  fails(packed.subarray(0, 0), plain.byteLength);
  fails(concatBytes([packed, packed]), plain.byteLength);
  fails(concatBytes([packed, Uint8Array.of(1, 2, 3)]), plain.byteLength);
  fails(noise.subarray(0, 5000), plain.byteLength);
  for (let at = 0; at < packed.byteLength; at += 7) {
    const changed = packed.slice();
    changed[at] = (changed[at] as number) ^ 0x10;
    try {
      assert.equal(unpackZstd(changed, plain.byteLength).byteLength, plain.byteLength);
    } catch (error) {
      assert.ok(isArchiveError(error, 'CODEC_FAULT'));
    }
  }
});

test('a small frame that would unpack to much more is stopped at the promised length', () => {
  const bomb = zstdCompressSync(new Uint8Array(64 * 1024 * 1024));
  assert.ok(bomb.byteLength < 10_000);
  assert.throws(
    () => unpackZstd(bomb, 4096),
    (error) => isArchiveError(error, 'CODEC_FAULT'),
  );
  const wide = zstdCompressSync(new Uint8Array(1000), { params: { [constants.ZSTD_c_windowLog]: 27 } });
  assert.equal(unpackZstd(wide, 1000).byteLength, 1000);
});

test('what does not shrink leaves no memory behind', () => {
  const plain = new SeededRandom(11).bytes(1024 * 1024);
  const before = process.memoryUsage().arrayBuffers;
  for (let turn = 0; turn < 30; turn += 1) assert.equal(packZstd(plain, 'best'), undefined);
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024);
});
