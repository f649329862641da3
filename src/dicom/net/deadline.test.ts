import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../base/index.ts';
import { Deadline } from './deadline.ts';

function rig(): { clock: ManualClock; deadline: Deadline; due: () => number; advance: (ms: number) => Promise<void> } {
  const clock = new ManualClock(0);
  let count = 0;
  const deadline = new Deadline(clock, () => {
    count += 1;
  });
  const advance = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await new Promise(setImmediate);
  };
  return { clock, deadline, due: () => count, advance };
}

test('it is due once, when its time has come', async () => {
  const { deadline, due, advance } = rig();
  deadline.set(100);
  await advance(99);
  assert.equal(due(), 0);
  await advance(1);
  assert.equal(due(), 1);
  await advance(1000);
  assert.equal(due(), 1);
});

test('moved later or nearer it is due then, and cleared or closed never', async () => {
  const { deadline, due, advance } = rig();
  deadline.set(100);
  await advance(50);
  deadline.set(100);
  await advance(60);
  assert.equal(due(), 0);
  await advance(40);
  assert.equal(due(), 1);
  deadline.set(1000);
  deadline.set(10);
  await advance(10);
  assert.equal(due(), 2);
  deadline.set(10);
  deadline.clear();
  await advance(1000);
  deadline.set(10);
  deadline.close();
  await advance(1000);
  assert.equal(due(), 2);
  deadline.set(5);
  await advance(5);
  assert.equal(due(), 3);
});
