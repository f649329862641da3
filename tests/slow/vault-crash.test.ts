// A power cut at every step of a life, the states of disks and database taken in turn, and recovery cut off as well.

import { test } from 'node:test';
import { cutsOf, sweepCuts } from '../sim/crash-sweep.ts';

test('a power cut at every step of a life on two disks', async () => {
  await sweepCuts({ life: { seed: 11, disks: 2 }, cuts: cutsOf({ first: 1, stride: 1 }), states: 'one' });
});

test('a power cut at every step of a life on one disk', async () => {
  await sweepCuts({ life: { seed: 12, disks: 1 }, cuts: cutsOf({ first: 1, stride: 1 }), states: 'one' });
});

test('every state of disks and database after cuts spread over a life, calls finishing in any order', async () => {
  const life = { seed: 13, disks: 2, turnsMax: 5 };
  await sweepCuts({ life, cuts: cutsOf({ first: 7, stride: 37 }), states: 'all' });
});

test('recovery cut off at its steps, and begun anew', async () => {
  const life = { seed: 14, disks: 2, cipher: 0 };
  await sweepCuts({ life, cuts: cutsOf({ first: 9, stride: 41 }), states: 'one', recoverCuts: 8 });
});
