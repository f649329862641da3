// A few random lives with fixed seeds, for every build; `npm run sim` lives as many others as one likes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomLife } from '../sim/random-life.ts';

for (const seed of [8812, 8813]) {
  test(`life ${seed} keeps every promise`, async () => {
    const { stored } = await new RandomLife(seed).live(90);
    assert.ok(stored > 20, 'a life that stored next to nothing shows nothing');
  });
}

test('the same seed is the same life', async () => {
  const [one, two] = [await new RandomLife(77).live(30), await new RandomLife(77).live(30)];
  assert.deepEqual([one.steps, [...one.acts]], [two.steps, [...two.acts]]);
});
