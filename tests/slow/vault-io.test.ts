// Each way of failing, once and for good, at steps close together, until the life passes untouched.

import { test } from 'node:test';
import { faultKinds, sweepFaults } from '../sim/fault-scenario.ts';

for (const kind of faultKinds) {
  test(`one of two disks fails (${kind})`, async () => {
    await sweepFaults({ seed: 21, disks: 2, kind, first: 1, stride: 2 });
  });
}

for (const kind of ['io', 'full', 'readOnly', 'missing'] as const) {
  test(`an only disk fails (${kind})`, async () => {
    await sweepFaults({ seed: 22, disks: 1, kind, first: 1, stride: 2 });
  });
}
