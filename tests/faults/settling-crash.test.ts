// Power cuts while instances settle into bundles: a sample of the cuts of tests/slow/settling-crash.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sweepSettling } from '../sim/settling-life.ts';

test('after a power cut at a step of settling, every instance is found once and settling goes on to its end', async () => {
  assert.ok((await sweepSettling({ seed: 5, stride: 41 })) > 5);
});
