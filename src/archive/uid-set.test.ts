import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UidSet } from './uid-set.ts';

test('a set has what was put in and nothing else, and counts each once', () => {
  const cases = fc.property(fc.array(fc.string(), { maxLength: 3000 }), fc.array(fc.string()), (names, others) => {
    const [set, model] = [new UidSet(), new Set(names)];
    for (const name of names) set.add(name);
    assert.equal(set.count, model.size);
    for (const name of [...names, ...others]) assert.equal(set.has(name), model.has(name));
  });
  fc.assert(cases, { numRuns: 50 });
});
