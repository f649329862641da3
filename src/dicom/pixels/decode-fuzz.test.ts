// What damaged streams do to the decoders: flipped bits, bytes cut off or put in, headers that lie. A frame of the right size, `undefined`, or one of two errors may come of it, in a
// short time; nothing else, and never a frame that looks whole where bytes are missing.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { readGoldenStreams } from '../../../tests/support/golden-pixels.ts';
import { isArchiveError } from '../../base/index.ts';
import { decodeFrame } from './decode-frame.ts';
import { frameBytesOf, type ImageShape, type PlainFrame } from './image-shape.ts';

const streams = readGoldenStreams();
/** Far beyond what any of these small frames takes on a busy machine. */
const decodeMsMax = 20_000;

type Outcome = PlainFrame | 'undecodable' | 'refused';

function decodeDamaged(syntax: string, shape: ImageShape, bytes: Uint8Array): Outcome {
  const startedMs = performance.now();
  try {
    const frame = decodeFrame({ syntax, shape, bytes });
    if (frame === undefined) return 'undecodable';
    assert.equal(frame.bytes.byteLength, frameBytesOf(frame.shape), 'a frame has its size');
    return frame;
  } catch (error) {
    if (isArchiveError(error, 'DICOM_MALFORMED') || isArchiveError(error, 'LIMIT_EXCEEDED')) return 'refused';
    throw error;
  } finally {
    assert.ok(performance.now() - startedMs < decodeMsMax, 'a damaged stream takes no longer than a whole one');
  }
}

const anyStream = fc.constantFrom(...streams);
const runs = { numRuns: 1500, endOnFailure: true } as const;

test('flipped bits end in a frame of the right size or in an error of ours', () => {
  const flips = fc.array(fc.tuple(fc.nat(1_000_000), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(anyStream, flips, ({ syntax, shape, bytes }, places) => {
      const damaged = bytes.slice();
      for (const [place, mask] of places) {
        const at = place % damaged.length;
        damaged[at] = (damaged[at] as number) ^ mask;
      }
      decodeDamaged(syntax, shape, damaged);
    }),
    runs,
  );
});

test('flipped bits in a header end in a frame of the right size or in an error of ours', () => {
  const flips = fc.array(fc.tuple(fc.nat(150), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(anyStream, flips, ({ syntax, shape, bytes }, places) => {
      const damaged = bytes.slice();
      for (const [place, mask] of places) {
        const at = place % Math.min(damaged.length, 150);
        damaged[at] = (damaged[at] as number) ^ mask;
      }
      decodeDamaged(syntax, shape, damaged);
    }),
    runs,
  );
});

test('a stream that was cut off gives its whole frame or none', () => {
  fc.assert(
    fc.property(anyStream, fc.double({ min: 0, max: 1, noNaN: true }), ({ syntax, shape, bytes, sha256 }, part) => {
      const outcome = decodeDamaged(syntax, shape, bytes.subarray(0, Math.floor(bytes.length * part)));
      if (typeof outcome === 'string') return;
      assert.equal(createHash('sha256').update(outcome.bytes).digest('hex'), sha256);
    }),
    runs,
  );
});

test('the last bytes of a stream may be missing only where they hold no pixels', () => {
  for (const { name, syntax, shape, bytes, sha256 } of streams) {
    for (let missing = 1; missing <= Math.min(40, bytes.length - 1); missing++) {
      const outcome = decodeDamaged(syntax, shape, bytes.subarray(0, bytes.length - missing));
      if (typeof outcome === 'string') continue;
      assert.equal(createHash('sha256').update(outcome.bytes).digest('hex'), sha256, `${name}, ${missing} missing`);
    }
  }
});

test('noise is refused, whatever it is called', () => {
  fc.assert(
    fc.property(anyStream, fc.uint8Array({ maxLength: 400 }), ({ syntax, shape }, bytes) => {
      const outcome = decodeDamaged(syntax, shape, bytes);
      assert.ok(syntax.endsWith('.5') || typeof outcome === 'string', 'noise is no picture');
    }),
    { numRuns: 500 },
  );
});

test('streams put together of two end in a frame of the right size or in an error of ours', () => {
  const cut = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(anyStream, anyStream, cut, cut, (first, second, from, to) => {
      const head = first.bytes.subarray(0, Math.floor(first.bytes.length * from));
      const tail = second.bytes.subarray(Math.floor(second.bytes.length * to));
      decodeDamaged(first.syntax, first.shape, Buffer.concat([head, tail]));
    }),
    runs,
  );
});

test('a data set that lies about the frame is found out', () => {
  for (const { name, syntax, shape, bytes } of streams) {
    const lies: ImageShape[] = [
      { ...shape, rows: shape.rows + 1 },
      { ...shape, columns: shape.columns - 1 },
      { ...shape, rows: 65_535, columns: 60_000 },
      { ...shape, samplesPerPixel: shape.samplesPerPixel === 1 ? 3 : 1 },
    ];
    if (shape.bitsAllocated === 16) lies.push({ ...shape, bitsAllocated: 8, bitsStored: 8, highBit: 7 });
    for (const lie of lies) {
      const outcome = decodeDamaged(syntax, lie, bytes);
      // RLE knows no rows: one more than there are is missing, one less is not looked at.
      const isUnseen = syntax.endsWith('.2.5') && lie.columns === shape.columns - 1;
      if (!isUnseen)
        assert.equal(outcome, 'refused', `${name} as ${lie.columns} x ${lie.rows} x ${lie.samplesPerPixel}`);
    }
  }
});
