import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergePacksMin, planMerge, type SmallPack, smallBelowBytes } from './plan-merge.ts';

const full = 400;

function check(sizes: readonly number[], expected: number): void {
  const small: SmallPack[] = sizes.map((sizeBytes, index) => ({ pack: `p${index}`, sizeBytes }));
  const plan = planMerge(small, full);
  assert.deepEqual(
    plan,
    small.slice(0, expected).map((each) => each.pack),
  );
}

test('small packs are merged when they are many, or fill a pack, and not before', () => {
  check([], 0);
  check(new Array<number>(mergePacksMin - 1).fill(1), 0);
  check(new Array<number>(mergePacksMin).fill(1), mergePacksMin);
  check([100, 100, 100], 0);
  check([100, 100, 100, 1], 4);
  check([100, 100, 100, 100, 1], 4);
});

test('what comes of a merge is at most a full pack', () => {
  check(new Array<number>(100).fill(30), 13);
});

test('a quarter of a full pack is not small', () => {
  assert.equal(smallBelowBytes(400), 100);
  assert.throws(() => planMerge([{ pack: 'p', sizeBytes: 101 }], full));
});
