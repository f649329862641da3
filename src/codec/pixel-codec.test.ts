import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { frameKinds, syntheticFrame } from '../../tests/support/synthetic-frames.ts';
import { SeededRandom } from '../base/index.ts';
import { CodecFault } from './codec-fault.ts';
import { decodePixelBest, encodePixelBest } from './pixel-best.ts';
import { decodePixelFast, encodePixelFast } from './pixel-fast.ts';
import type { PixelShape } from './pixel-shape.ts';

type Codec = {
  readonly encode: (plain: Uint8Array, shape: PixelShape) => Uint8Array;
  readonly decode: (stored: Uint8Array, plainSizeBytes: number) => Uint8Array;
};

const codecs: Record<string, Codec> = {
  fast: { encode: encodePixelFast, decode: decodePixelFast },
  best: { encode: encodePixelBest, decode: decodePixelBest },
};

function checkRoundTrip(codec: Codec, plain: Uint8Array, shape: PixelShape): Uint8Array {
  const before = Buffer.from(plain);
  const stored = codec.encode(plain, shape);
  assert.ok(stored.length <= plain.length + 1, `${stored.length} bytes for ${plain.length}`);
  assert.ok(before.equals(codec.decode(stored, plain.length)), 'not bit-exact');
  assert.ok(before.equals(plain), 'the input was changed');
  return stored;
}

const anyKind = fc.constantFrom(...frameKinds);
const anySide = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 70 }));
const anySeed = fc.nat({ max: 0xffff });
const anyClaim: fc.Arbitrary<PixelShape> = fc.record({
  rows: fc.oneof(fc.nat({ max: 70 }), fc.constantFrom(0, -1, 65535, 2 ** 31, Number.NaN, 1.5)),
  columns: fc.oneof(fc.nat({ max: 70 }), fc.constantFrom(0, -1, 65535, 2 ** 31, Number.NaN, 1.5)),
  samplesPerPixel: fc.constantFrom(0, 1, 2, 3, 4, 5, 255),
  bitsAllocated: fc.constantFrom(8, 16),
  planar: fc.boolean(),
});

/** Samples by simple rules that go to extremes: all depths, steps of every height, flat parts, repeats and specks. */
function extremeSamples(count: number, columns: number, wide: boolean, rule: number, seed: number): Uint8Array {
  const random = new SeededRandom(seed);
  const top = wide ? 0xffff : 0xff;
  const amplitude = 2 ** random.below(wide ? 16 : 8);
  const base = random.below(top + 1);
  const period = 1 + random.below(40);
  const few = Array.from({ length: 1 + random.below(6) }, () => random.below(top + 1));
  const pick = (k: number): number => few[k % few.length] ?? 0;
  const samples = wide ? new Uint16Array(count) : new Uint8Array(count);
  const rules: ((k: number, row: number, column: number) => number)[] = [
    () => base + random.below(amplitude + 1),
    () => (random.below(100) < period ? random.below(top + 1) : base),
    (_, row, column) => pick(Math.floor(row / period) * 7 + Math.floor(column / period) * 3),
    (_, row, column) => base + ((row * column) >> 3) + random.below(1 + (amplitude >> 3)),
    (k, row) => (random.below(50) === 0 ? pick(k) : row > 0 ? (samples[k - columns] ?? 0) : base),
    (_, __, column) => (column > columns / 2 ? base : base + random.below(amplitude)),
    (_, row, column) => row * amplitude + column,
    (k) =>
      random.below(200) === 0 ? random.below(top + 1) : k > 0 ? (samples[k - 1] ?? 0) + random.below(3) - 1 : base,
  ];
  const sampleAt = rules[rule % rules.length];
  for (let k = 0; k < count; k++) samples[k] = sampleAt?.(k, Math.floor(k / columns), k % columns) ?? 0;
  return new Uint8Array(samples.buffer);
}

for (const [name, codec] of Object.entries(codecs)) {
  test(`${name}: samples that go to extremes come back bit for bit`, () => {
    const anyFrame = fc.record({
      rows: fc.integer({ min: 1, max: 90 }),
      columns: fc.integer({ min: 1, max: 140 }),
      samplesPerPixel: fc.constantFrom(1, 1, 2, 3, 4),
      bitsAllocated: fc.constantFrom(8, 16, 16),
      planar: fc.boolean(),
    });
    fc.assert(
      fc.property(anyFrame, fc.nat({ max: 7 }), anySeed, (shape, rule, seed) => {
        const across = shape.columns * (shape.planar ? 1 : shape.samplesPerPixel);
        const count = shape.rows * shape.columns * shape.samplesPerPixel;
        checkRoundTrip(codec, extremeSamples(count, across, shape.bitsAllocated === 16, rule, seed), shape);
      }),
      { numRuns: 300 },
    );
  });

  test(`${name}: frames of every kind and size come back bit for bit`, () => {
    fc.assert(
      fc.property(anyKind, anySide, anySide, anySeed, (kind, rows, columns, seed) => {
        const { bytes, shape } = syntheticFrame(kind, rows, columns, seed);
        checkRoundTrip(codec, bytes, shape);
      }),
      { numRuns: 150 },
    );
  });

  test(`${name}: a claim that lies costs size, never a bit`, () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(anyKind, anySide, anySide, anySeed, fc.nat({ max: 7 })).map(([kind, rows, columns, seed, cut]) => {
        const { bytes } = syntheticFrame(kind, rows, columns, seed);
        return bytes.subarray(0, Math.max(0, bytes.length - cut));
      }),
    );
    fc.assert(
      fc.property(anyBytes, anyClaim, (plain, claim) => void checkRoundTrip(codec, plain, claim)),
      { numRuns: 200 },
    );
  });

  test(`${name}: larger frames of every kind come back bit for bit, and pictures shrink`, () => {
    for (const kind of frameKinds) {
      const { bytes, shape } = syntheticFrame(kind, 200, 203, 5);
      const stored = checkRoundTrip(codec, bytes, shape);
      if (kind !== 'noise') assert.ok(stored.length * 2 < bytes.length, `${kind}: ${stored.length} of ${bytes.length}`);
    }
  });

  test(`${name}: values at the ends of the range and violent changes come back bit for bit`, () => {
    const check = (value: (k: number) => number): void => {
      const words = Uint16Array.from({ length: 64 * 64 }, (_, k) => value(k));
      const shape = { rows: 64, columns: 64, samplesPerPixel: 1, bitsAllocated: 16, planar: false } as const;
      checkRoundTrip(codec, new Uint8Array(words.buffer), shape);
    };
    check((k) => (k % 2 === 0 ? 0 : 0xffff));
    check((k) => (k % 3 === 0 ? 0x7fff : 0x8000));
    check((k) => (k * 40503) & 0xffff);
    check((k) => ((k >> 6) % 2 === 0 ? 0xffff : k));
    check((k) => (k === 2080 ? 0x8000 : 0));
    check((k) => ((k >> 6) * 0x8000 + (k & 63)) & 0xffff);
  });

  test(`${name}: a damaged payload ends in CodecFault or in bytes of the promised length`, () => {
    const frames = frameKinds.map((kind) => syntheticFrame(kind, 41, 37, 9));
    const payloads = frames.map(({ bytes, shape }) => ({
      stored: codec.encode(bytes, shape),
      sizeBytes: bytes.length,
    }));
    const tryDecode = (stored: Uint8Array, sizeBytes: number): void => {
      try {
        assert.equal(codec.decode(stored, sizeBytes).length, sizeBytes);
      } catch (error) {
        assert.ok(error instanceof CodecFault, String(error));
      }
    };
    fc.assert(
      fc.property(
        fc.constantFrom(...payloads),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 4 }),
        fc.option(fc.nat()),
        fc.option(fc.nat({ max: 1 << 20 })),
        ({ stored, sizeBytes }, flips, cut, otherSize) => {
          const bad = stored.slice();
          // Most flips near the front, where the structure is.
          for (const [at, mask] of flips) {
            const place = at % (at % 2 === 0 ? Math.min(bad.length, 120) : bad.length);
            bad[place] = (bad[place] ?? 0) ^ mask;
          }
          tryDecode(cut === null ? bad : bad.subarray(0, cut % (bad.length + 1)), otherSize ?? sizeBytes);
        },
      ),
      { numRuns: 400 },
    );
    tryDecode(new Uint8Array(), 0);
    tryDecode(Uint8Array.of(2, 1, 1, 255, 255, 255, 255, 255, 255, 0, 0), 1 << 20);
    tryDecode(Uint8Array.of(9), 10);
  });

  test(`${name}: bytes of noise under a pixel head are refused or bounded`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 400 }), fc.integer({ min: 1, max: 40 }), (noise, side) => {
        const bad = noise.slice();
        bad.set([2, 1, 1, side, 0, 0, 0, side, 0, 0, 0]);
        try {
          codec.decode(bad, side * side * 2);
        } catch (error) {
          assert.ok(error instanceof CodecFault, String(error));
        }
      }),
      { numRuns: 200 },
    );
  });
}
