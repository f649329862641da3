import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isArchiveError } from '../base/index.ts';
import {
  checkRule,
  type ForwardFacts,
  type ForwardRule,
  hoursOf,
  rowOfRule,
  ruleOfRow,
  takesSeries,
} from './forward-rules.ts';

const plain: ForwardRule = {
  name: 'night',
  from: [],
  modalities: [],
  description: undefined,
  hours: [],
  to: 'OTHER',
  what: 'instances',
  once: false,
  quietSeconds: 30,
  enabled: true,
};
const facts: ForwardFacts = { source: 'CT1', modality: 'CT', description: 'Chest CT', hour: 12 };

test('a rule takes what answers each of its questions', () => {
  const check = (rule: Partial<ForwardRule>, known: Partial<ForwardFacts>, expected: boolean): void =>
    assert.equal(takesSeries({ ...plain, ...rule }, { ...facts, ...known }), expected, JSON.stringify([rule, known]));
  check({}, {}, true);
  check({ enabled: false }, {}, false);
  check({}, { source: 'OTHER' }, false);
  check({}, { source: undefined }, true);
  check({ from: ['CT1', 'CT2'] }, {}, true);
  check({ from: ['CT2'] }, {}, false);
  check({ from: ['CT2'] }, { source: undefined }, false);
  check({ modalities: ['MR', 'CT'] }, {}, true);
  check({ modalities: ['MR'] }, {}, false);
  check({ modalities: ['MR'] }, { modality: undefined }, false);
  check({ hours: [11, 12] }, {}, true);
  check({ hours: [11, 12] }, { hour: 13 }, false);
  check({ description: 'chest*' }, {}, true);
  check({ description: '*ct' }, {}, true);
  check({ description: 'c?est ct' }, {}, true);
  check({ description: 'chest' }, {}, false);
  check({ description: '*head*' }, {}, false);
  check({ description: '*胸部*' }, { description: '胸部 CT' }, true);
  check({ description: '*' }, { description: undefined }, true);
  check({ description: '?*' }, { description: undefined }, false);
  check({ description: '*a*a*b' }, { description: 'a'.repeat(10_000) }, false);
});

test('hours are read as people write them, past midnight too', () => {
  assert.deepEqual(hoursOf('22-1'), [0, 1, 22, 23]);
  assert.deepEqual(hoursOf('12, 7-8'), [7, 8, 12]);
  for (const wrong of ['', '24', 'noon', '1-', '5-99'])
    assert.throws(
      () => hoursOf(wrong),
      (error) => isArchiveError(error, 'ARGUMENT_INVALID'),
    );
});

test('a rule is kept as it was set, and a wrong one is refused', () => {
  for (const rule of [
    plain,
    { ...plain, description: 'x*', from: ['A'], modalities: ['CT'], hours: [1], enabled: false },
  ]) {
    checkRule(rule);
    assert.deepEqual(ruleOfRow(rowOfRule(rule)), rule);
  }
  assert.equal(ruleOfRow({ name: 'x' }), undefined);
  for (const wrong of [
    { name: '' },
    { name: 'a b' },
    { modalities: ['ct'] },
    { quietSeconds: -1 },
    { description: 'x'.repeat(300) },
  ])
    assert.throws(
      () => checkRule({ ...plain, ...wrong }),
      (error) => isArchiveError(error, 'ARGUMENT_INVALID'),
    );
});
