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
});

test('bytes that do not decode to the promised length are CODEC_FAULT', () => {
  checkFails({ codec: codecNumber.none, codecVersion: 0, plainSizeBytes: text.byteLength + 1 }, 'CODEC_FAULT');
  checkFails({ codec: codecNumber.none, codecVersion: 0, plainSizeBytes: text.byteLength - 1 }, 'CODEC_FAULT');
  checkFails({ codec: codecNumber.zstd, codecVersion: 1, plainSizeBytes: text.byteLength }, 'CODEC_FAULT');
  checkFails({ codec: codecNumber.zstd, codecVersion: 1, plainSizeBytes: chunkSizeBytesMax + 1 }, 'CODEC_FAULT');
});
