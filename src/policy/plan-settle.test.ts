import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMostlyDead, type PackFacts, patience, planControl, planSettle, type SettlePlan } from './plan-settle.ts';

const quietMs = 1000;

function check(pack: PackFacts, nowMs: number, expected: SettlePlan): void {
  assert.deepEqual(planSettle(pack, { quietMs }, nowMs), expected);
}

const group = (name: string, lastMs: number): { name: string; lastMs: number } => ({ name, lastMs });

test('a pack settles when every group in it has been quiet', () => {
  check({ sealedMs: 0, groups: [group('a', 0), group('b', 500)] }, 1500, { kind: 'settle', groups: ['a', 'b'] });
  check({ sealedMs: 0, groups: [group('a', 0), group('b', 500)] }, 1499, { kind: 'wait', untilMs: 1500 });
});

test('a pack in which nothing lives settles when it has been sealed for as long', () => {
  check({ sealedMs: 0, groups: [] }, 999, { kind: 'wait', untilMs: 1000 });
  check({ sealedMs: 0, groups: [] }, 1000, { kind: 'settle', groups: [] });
});

test('a group that is never quiet does not hold its pack for ever', () => {
  const busy = { sealedMs: 0, groups: [group('a', patience * quietMs - 1)] };
  check(busy, patience * quietMs - 1, { kind: 'wait', untilMs: patience * quietMs });
  check(busy, patience * quietMs, { kind: 'settle', groups: ['a'] });
});

test('a clock that was set back makes a pack wait, not fail', () => {
  check({ sealedMs: 5000, groups: [group('a', 5000)] }, 0, { kind: 'wait', untilMs: 6000 });
});

test('a pack is repacked when more of it is dead than alive', () => {
  assert.equal(isMostlyDead({ liveBytes: 10, deadBytes: 11 }), true);
  assert.equal(isMostlyDead({ liveBytes: 10, deadBytes: 10 }), false);
  assert.equal(planControl(1), false);
  assert.equal(planControl(8), true);
});
