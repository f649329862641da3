import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isArchiveError, SeededRandom, utf8Bytes } from '../base/index.ts';
import { chunkSizeBytesMax } from '../format/index.ts';
import { type CodecHint, codecNumber, decodePacked, encodePlain } from './codec.ts';

const random = new SeededRandom(17);
const text = utf8Bytes('{"v":1,"type":"object","bucket":"reports"}'.repeat(100));

function check(plain: Uint8Array, hint: CodecHint, codec: number): void {
  const made = encodePlain(plain, hint);
  assert.equal(made.codec, codec);
  assert.ok(made.packed.byteLength <= plain.byteLength);
  const { codecVersion, packed } = made;
  const again = decodePacked({ codec, codecVersion, plainSizeBytes: plain.byteLength }, packed);
  assert.deepEqual(Buffer.from(again), Buffer.from(plain));
}

test('bytes that shrink are packed, all others are stored as they are', () => {
  check(text, { kind: 'bytes', effort: 'fast' }, codecNumber.zstd);
  check(text, { kind: 'bytes', effort: 'best' }, codecNumber.zstd);
  check(text, { kind: 'raw' }, codecNumber.none);
  check(random.bytes(5000), { kind: 'bytes', effort: 'fast' }, codecNumber.none);
  check(random.bytes(5000), { kind: 'bytes', effort: 'best' }, codecNumber.none);
  check(new Uint8Array(0), { kind: 'bytes', effort: 'fast' }, codecNumber.none);
  check(new Uint8Array(chunkSizeBytesMax), { kind: 'bytes', effort: 'fast' }, codecNumber.zstd);
});

/** A slope with a little noise, 12 bits in 16, as a scanner gives it. */
function slice(rows: number, columns: number): Uint8Array {
  const words = Uint16Array.from({ length: rows * columns }, (_, at) => {
    const row = Math.floor(at / columns);
    return 1000 + row * 3 + (at % columns) * 2 + random.below(8);
  });
  return new Uint8Array(words.buffer);
}

const shape = { rows: 64, columns: 96, samplesPerPixel: 1, bitsAllocated: 16, planar: false } as const;

test('pixels are packed by the codec of the effort, and a wrong claim loses nothing', () => {
  const plain = slice(64, 96);
  check(plain, { kind: 'pixels', shape, effort: 'fast' }, codecNumber.pixelFast);
  check(plain, { kind: 'pixels', shape, effort: 'best' }, codecNumber.pixelBest);
  check(random.bytes(64 * 96 * 2), { kind: 'pixels', shape, effort: 'fast' }, codecNumber.none);
  check(random.bytes(64 * 96 * 2), { kind: 'pixels', shape, effort: 'best' }, codecNumber.none);
  for (const effort of ['fast', 'best'] as const) {
    for (const columns of [0, 1, 7, 97, 60_000]) {
      const hint: CodecHint = { kind: 'pixels', shape: { ...shape, columns }, effort };
      const { codec, codecVersion, packed } = encodePlain(plain, hint);
      const again = decodePacked({ codec, codecVersion, plainSizeBytes: plain.byteLength }, packed);
      assert.deepEqual(Buffer.from(again), Buffer.from(plain));
    }
  }
});

test('pixels that do not decode are CODEC_FAULT', () => {
  for (const codec of [codecNumber.pixelFast, codecNumber.pixelBest]) {
    for (const codecVersion of [1, 2]) checkFails({ codec, codecVersion, plainSizeBytes: 100 }, 'CODEC_FAULT');
  }
});

function checkFails(
  fields: { codec: number; codecVersion: number; plainSizeBytes: number },
  code: 'CODEC_UNKNOWN' | 'CODEC_FAULT',
): void {
  assert.throws(
    () => decodePacked(fields, text),
    (error) => isArchiveError(error, code),
  );
}

test('a codec or version that is not in the registry is CODEC_UNKNOWN', () => {
  checkFails({ codec: 2, codecVersion: 1, plainSizeBytes: 10 }, 'CODEC_UNKNOWN');
  checkFails({ codec: 99, codecVersion: 0, plainSizeBytes: 10 }, 'CODEC_UNKNOWN');
  checkFails({ codec: codecNumber.zstd, codecVersion: 2, plainSizeBytes: 10 }, 'CODEC_UNKNOWN');
  checkFails({ codec: codecNumber.none, codecVersion: 1, plainSizeBytes: text.byteLength }, 'CODEC_UNKNOWN');
  checkFails({ codec: codecNumber.pixelBest, codecVersion: 3, plainSizeBytes: text.byteLength }, 'CODEC_UNKNOWN');
});

test('bytes that do not decode to the promised length are CODEC_FAULT', () => {
  checkFails({ codec: codecNumber.none, codecVersion: 0, plainSizeBytes: text.byteLength + 1 }, 'CODEC_FAULT');
  checkFails({ codec: codecNumber.none, codecVersion: 0, plainSizeBytes: text.byteLength - 1 }, 'CODEC_FAULT');
  checkFails({ codec: codecNumber.zstd, codecVersion: 1, plainSizeBytes: text.byteLength }, 'CODEC_FAULT');
  checkFails({ codec: codecNumber.zstd, codecVersion: 1, plainSizeBytes: chunkSizeBytesMax + 1 }, 'CODEC_FAULT');
});
