import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { hexOf, SeededRandom } from '../base/index.ts';
import { childKey, keyBelow, keysBelow, keysOfWalks, walkBytes, writeWalk } from './key-walk.ts';

const random = new SeededRandom(41);

function childByNode(key: Uint8Array, bit: number): Uint8Array {
  return createHmac('sha256', key).update('stele/1/node').update(Uint8Array.of(bit)).digest();
}

test('a step down is the HMAC-SHA256 that node:crypto computes', () => {
  const keys = [
    new Uint8Array(32),
    new Uint8Array(32).fill(255),
    ...Array.from({ length: 200 }, () => random.bytes(32)),
  ];
  for (const key of keys) {
    for (const bit of [0, 1] as const) assert.equal(hexOf(childKey(key, bit)), hexOf(childByNode(key, bit)));
  }
});

test('eighty steps are eighty times one step, and the key given is left as it was', () => {
  const root = random.bytes(32);
  const before = hexOf(root);
  const path = Uint8Array.from({ length: 80 }, () => random.below(2));
  const expected = path.reduce<Uint8Array>((key, bit) => childByNode(key, bit), root);
  assert.equal(hexOf(keyBelow(root, path, 0, 80)), hexOf(expected));
  assert.equal(hexOf(keyBelow(keyBelow(root, path, 0, 28), path, 28, 80)), hexOf(expected));
  assert.equal(hexOf(keyBelow(root, path, 5, 5)), before);
  assert.equal(hexOf(root), before);
});

test('a key in the middle of a larger buffer is read where it lies', () => {
  const buffer = random.bytes(100);
  const key = buffer.subarray(7, 39);
  assert.equal(hexOf(childKey(key, 1)), hexOf(childByNode(key, 1)));
});

test('any number of walks side by side end where each ends alone', () => {
  for (const count of [0, 1, 2, 3, 4, 5, 17]) {
    const walks = Array.from({ length: count }, () => ({
      key: random.bytes(32),
      path: Uint8Array.from({ length: 80 }, () => random.below(2)),
    }));
    for (const [from, to] of [
      [0, 80],
      [28, 80],
      [79, 80],
      [3, 3],
    ] as const) {
      assert.deepEqual(
        keysBelow(walks, from, to).map(hexOf),
        walks.map(({ key, path }) => hexOf(keyBelow(key, path, from, to))),
      );
    }
  }
});

test('walks that are sent end where they would end here, and leave nothing behind', () => {
  for (const steps of [0, 1, 52, 64]) {
    const walks = Array.from({ length: 6 }, () => ({
      key: random.bytes(32),
      path: Uint8Array.from({ length: 80 }, () => random.below(2)),
    }));
    const sent = {
      bytes: new Uint8Array(walks.length * walkBytes),
      ciphers: new Uint8Array(walks.length).fill(1),
      steps,
    };
    for (const [index, each] of walks.entries()) writeWalk(sent, index, each);
    assert.deepEqual(
      keysOfWalks(sent).map(hexOf),
      walks.map(({ key, path }) => hexOf(keyBelow(key, path, 80 - steps, 80))),
    );
    assert.ok(sent.bytes.every((byte) => byte === 0));
  }
});
