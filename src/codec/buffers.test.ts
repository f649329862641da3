import assert from 'node:assert/strict';
import { test } from 'node:test';
import { releaseBytes, releaseOwn } from './buffers.ts';

test('bytes that fill a large buffer are given back, twice is once', () => {
  const bytes = new Uint8Array(100_000);
  releaseBytes(bytes);
  assert.equal(bytes.byteLength, 0);
  releaseBytes(bytes);
});

test('parts, small buffers, pools and the memory of WebAssembly stay', () => {
  const buffer = new Uint8Array(200_000);
  const memory = new Uint8Array(new WebAssembly.Memory({ initial: 2 }).buffer);
  const shared = new Uint8Array(new SharedArrayBuffer(100_000));
  const pooled = Buffer.allocUnsafe(100);
  const pool = new Uint8Array(pooled.buffer);
  const kept = [buffer.subarray(1), buffer.subarray(0, 150_000), new Uint8Array(1000), memory, shared, pooled, pool];
  const sizes = kept.map((bytes) => bytes.byteLength);
  for (const bytes of kept) releaseBytes(bytes);
  assert.deepEqual(
    kept.map((bytes) => bytes.byteLength),
    sizes,
  );
});

test('a buffer of our own is given back with the room behind the bytes', () => {
  const buffer = new Uint8Array(200_000);
  releaseOwn(buffer.subarray(0, 10));
  assert.equal(buffer.byteLength, 0);
});
