// Power cuts at every thirteenth step of settling, under several seeds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sweepSettling } from '../sim/settling-life.ts';

for (const seed of [11, 12]) {
  test(`settling that is cut off anywhere loses no instance and tells none twice, seed ${seed}`, async () => {
    assert.ok((await sweepSettling({ seed, stride: 13 })) > 30);
  });
}
