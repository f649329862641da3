// Failing disks: a sample of tests/slow/vault-io.test.ts: each way of failing, once and for good, at steps spread over a life.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultKinds, sweepFaults } from '../sim/fault-scenario.ts';

for (const kind of faultKinds) {
  test(`one of two disks fails (${kind}): what was acknowledged stays readable, refusals make sense`, async () => {
    const runs = await sweepFaults({ seed: 1, disks: 2, kind, first: 5, stride: 71 });
    assert.ok(runs > 2, 'the sweep met the fault');
  });
}

test('an only disk fails: what was acknowledged is there when the disk is well again', async () => {
  for (const kind of ['io', 'full', 'missing'] as const)
    await sweepFaults({ seed: 2, disks: 1, kind, first: 6, stride: 53 });
});
