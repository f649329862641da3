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
});

test('small control packs are written into one when there are enough, and a large one stays until they have grown like it', () => {
  const mib = 1024 * 1024;
  const check = (sizes: readonly number[], expected: number): void =>
    assert.equal(planControl(sizes.map((size) => ({ sizeBytes: size * mib }))).length, expected, String(sizes));
  const small = [1, 1, 1, 1, 1, 1, 1];
  check(small, 0);
  check([...small, 1], 8);
  check([...small, 100], 0);
  check([100, ...small, 1], 8);
  check([8, ...small, 1], 9);
  check([100, 60, 30, 8, ...small], 8);
});

test('what is written again stays in proportion to what is kept, however long packs come', () => {
  let packs: { sizeBytes: number }[] = [];
  let written = 0;
  const count = 4000;
  for (let index = 0; index < count; index += 1) {
    packs.push({ sizeBytes: 1024 * 1024 });
    const chosen = planControl(packs);
    const sizeBytes = chosen.reduce((sum, each) => sum + each.sizeBytes, 0);
    if (chosen.length === 0) continue;
    written += sizeBytes;
    packs = [...packs.filter((each) => !chosen.includes(each)), { sizeBytes }];
  }
  const kept = packs.reduce((sum, each) => sum + each.sizeBytes, 0);
  assert.equal(kept, count * 1024 * 1024);
  assert.ok(written < 12 * kept, `${written / kept} times`);
  assert.ok(packs.length < 40, `${packs.length} packs`);
});
