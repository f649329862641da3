// Power cuts: a sample of the cuts of tests/slow/vault-crash.test.ts, spread over a whole life, every state of disks and database in turn.

import { test } from 'node:test';
import { cutsOf, sweepCuts } from '../sim/crash-sweep.ts';

test('after a power cut at a step of a life, what was acknowledged is there and nothing is half there', async () => {
  await sweepCuts({ life: { seed: 1, disks: 2 }, cuts: cutsOf({ first: 3, stride: 29 }), states: 'one' });
});

test('a recovery that is cut off itself is begun anew and ends the same', async () => {
  await sweepCuts({
    life: { seed: 2, disks: 2 },
    cuts: cutsOf({ first: 40, stride: 60 }),
    states: 'one',
    recoverCuts: 3,
  });
});

test('one disk keeps its promises alone', async () => {
  await sweepCuts({ life: { seed: 3, disks: 1 }, cuts: cutsOf({ first: 5, stride: 31 }), states: 'one' });
});
