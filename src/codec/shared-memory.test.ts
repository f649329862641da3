import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFault } from '../base/index.ts';
import { SharedMemory, sharedBytes, sharedSlotBytes } from './shared-memory.ts';

const sizes = { slots: 2, regions: 2, regionBytes: 8192 };
const newMemory = (): SharedMemory => new SharedMemory(new SharedArrayBuffer(sharedBytes(sizes)), sizes);

test('pieces do not overlap, and who comes when all are lent goes without', () => {
  const memory = newMemory();
  const pieces = [memory.takeSlot(), memory.takeRegion(), memory.takeSlot(), memory.takeRegion()];
  assert.equal(memory.takeSlot(), undefined);
  assert.equal(memory.takeRegion(), undefined);
  pieces.forEach((piece, index) => piece?.fill(index + 1));
  pieces.forEach((piece, index) => assert.ok(piece?.every((value) => value === index + 1)));
});

test('the piece that was given back last is lent first, and one is given back once', () => {
  const memory = newMemory();
  const [first, second] = [memory.takeSlot() as Uint8Array, memory.takeSlot() as Uint8Array];
  memory.giveSlot(second);
  memory.giveSlot(first);
  assert.equal(memory.takeSlot(), first);
  memory.giveSlot(first);
  assert.throws(() => memory.giveSlot(first), AssertionFault);
  assert.throws(() => memory.giveSlot(new Uint8Array(sharedSlotBytes)), AssertionFault);
  assert.throws(() => memory.giveRegion(second), AssertionFault);
});

test('who is in no hurry leaves some for the others', () => {
  const memory = newMemory();
  assert.ok(memory.takeSlot(1) !== undefined);
  assert.equal(memory.takeSlot(1), undefined);
  assert.ok(memory.takeSlot() !== undefined);
  assert.ok(memory.takeRegion(1) !== undefined);
  assert.equal(memory.takeRegion(1), undefined);
});

test('bytes in the memory are named by their place, others are not', () => {
  const memory = newMemory();
  const slot = memory.takeSlot() as Uint8Array;
  slot.set([1, 2, 3], 500);
  const place = memory.placeOf(slot.subarray(500, 503));
  assert.ok(place !== undefined);
  assert.deepEqual([...memory.at(place)], [1, 2, 3]);
  assert.equal(memory.placeOf(new Uint8Array(3)), undefined);
});

test('the memory of a process is page-aligned and has room for regions and slots', () => {
  const memory = SharedMemory.open();
  assert.ok(memory !== undefined);
  const region = memory.takeRegion();
  assert.equal(region?.byteOffset, 0);
  assert.equal((memory.takeRegion()?.byteOffset ?? 1) % 4096, 0);
});
