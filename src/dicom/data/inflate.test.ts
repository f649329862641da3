// The inflater against Node's own zlib: same bytes for any input, in any pieces, and a clean end for broken input.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { concatBytes, SeededRandom } from '../../base/index.ts';
import { Inflater, type InflateState } from './inflate.ts';

type Inflated = { readonly bytes: Uint8Array; readonly state: InflateState };

function inflate(deflated: Uint8Array, pieceBytes: number, limit = 1 << 30): Inflated {
  const parts: Uint8Array[] = [];
  const inflater = new Inflater((bytes) => parts.push(bytes.slice()) > 0, limit);
  for (let at = 0; at < deflated.length; at += pieceBytes) {
    // Each piece is wiped after its push, as a caller may do who reads into the same buffer again.
    const piece = Uint8Array.from(deflated.subarray(at, at + pieceBytes));
    inflater.push(piece);
    piece.fill(0xaa);
  }
  return { bytes: concatBytes(parts), state: inflater.state };
}

/** Bytes that deflate well, badly and over long distances. */
function material(seed: number, sizeBytes: number): Uint8Array {
  const random = new SeededRandom(seed);
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; ) {
    const run = Math.min(sizeBytes - at, 1 + random.below(5000));
    const kind = random.below(3);
    if (kind === 0) bytes.set(random.bytes(run), at);
    else if (kind === 1) bytes.fill(random.below(256), at, at + run);
    else for (let k = at; k < at + run; k++) bytes[k] = bytes[Math.max(0, k - 30_000)] ?? 0;
    at += run;
  }
  return bytes;
}

test('what zlib deflates comes back, at every level and strategy', () => {
  const { constants } = zlib;
  const strategies = [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE];
  for (const [seed, sizeBytes] of [0, 1, 100, 70_000, 400_000].entries()) {
    const plain = material(seed, sizeBytes);
    for (const level of [0, 1, 6, 9]) {
      for (const strategy of strategies) {
        const deflated = zlib.deflateRawSync(plain, { level, strategy });
        for (const pieceBytes of [deflated.length + 1, 4096, 777]) {
          const { bytes, state } = inflate(deflated, pieceBytes);
          assert.equal(state, 'ended');
          assert.ok(
            Buffer.compare(bytes, plain) === 0,
            `level ${level}, strategy ${strategy}, pieces of ${pieceBytes}`,
          );
        }
      }
    }
  }
});

test('pieces of single bytes make no difference', () => {
  const plain = material(7, 20_000);
  for (const level of [0, 6]) {
    const { bytes, state } = inflate(zlib.deflateRawSync(plain, { level }), 1);
    assert.equal(state, 'ended');
    assert.ok(Buffer.compare(bytes, plain) === 0);
  }
});

test('padding behind the end is ignored', () => {
  const plain = material(8, 3000);
  const { bytes, state } = inflate(concatBytes([zlib.deflateRawSync(plain), new Uint8Array(5)]), 100);
  assert.equal(state, 'ended');
  assert.ok(Buffer.compare(bytes, plain) === 0);
});

test('a zlib head in front is passed over', () => {
  const plain = material(9, 3000);
  for (const level of [1, 6, 9]) {
    for (const pieceBytes of [1, 3, 10_000]) {
      const { bytes, state } = inflate(zlib.deflateSync(plain, { level }), pieceBytes);
      assert.equal(state, 'ended');
      assert.ok(Buffer.compare(bytes, plain) === 0);
    }
  }
});

test('a bomb stops at the limit', () => {
  const bomb = zlib.deflateRawSync(new Uint8Array(50_000_000));
  const { bytes, state } = inflate(bomb, 10_000, 1_000_000);
  assert.equal(state, 'limit');
  assert.ok(bytes.length <= 1_000_000 + 100_000);
  const stored = zlib.deflateRawSync(new Uint8Array(200_000), { level: 0 });
  assert.equal(inflate(stored, 10_000, 100_000).state, 'limit');
  assert.equal(inflate(zlib.deflateRawSync(new Uint8Array(1000)), 10_000, 1000).state, 'ended');
});

test('inflating stops when nobody wants more', () => {
  let taken = 0;
  const inflater = new Inflater((bytes) => {
    taken += bytes.length;
    return taken < 100_000;
  }, 1 << 30);
  inflater.push(zlib.deflateRawSync(new Uint8Array(50_000_000)));
  assert.equal(inflater.state, 'ended');
  assert.ok(taken < 300_000, `${taken}`);
});

test('a stream that is cut short stays open and gives what is certain', () => {
  const plain = material(10, 5000);
  const deflated = zlib.deflateRawSync(plain);
  for (let end = 0; end < deflated.length; end += 7) {
    const { bytes, state } = inflate(deflated.subarray(0, end), 64);
    assert.equal(state, 'open');
    assert.ok(Buffer.compare(bytes, plain.subarray(0, bytes.length)) === 0);
  }
});

test('any bytes come to an end, and zlib agrees with what came out', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 50 }), (input, pieceBytes) => {
      const { bytes, state } = inflate(input, pieceBytes, 1_000_000);
      if (state !== 'ended' || isZlib(input)) return;
      assert.ok(Buffer.compare(bytes, zlib.inflateRawSync(input, { maxOutputLength: 2_000_000 })) === 0);
    }),
    { numRuns: 3000 },
  );
});

test('flipped bits are a fault or other bytes, the same in any pieces', () => {
  const deflated = zlib.deflateRawSync(material(11, 4000), { level: 6 });
  fc.assert(
    fc.property(fc.nat(deflated.length * 8 - 1), fc.integer({ min: 1, max: 300 }), (bit, pieceBytes) => {
      const flipped = Uint8Array.from(deflated);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const whole = inflate(flipped, flipped.length, 1_000_000);
      const inPieces = inflate(flipped, pieceBytes, 1_000_000);
      assert.equal(inPieces.state, whole.state);
      assert.ok(Buffer.compare(inPieces.bytes, whole.bytes) === 0);
    }),
    { numRuns: 500 },
  );
});

function isZlib(input: Uint8Array): boolean {
  return input[0] === 0x78;
}
