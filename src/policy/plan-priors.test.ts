import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Prior, type PriorOrder, type PriorRule, planPriors, usualPriorRule } from './plan-priors.ts';

const nowMs = Date.UTC(2026, 5, 15);
const prior = (study: string, date: string | undefined, more: Partial<Prior> = {}): Prior => ({
  study,
  date,
  modalities: ['CT'],
  bodyParts: ['CHEST'],
  description: undefined,
  ...more,
});
const priors: readonly Prior[] = [
  prior('old', '20200101'),
  prior('newest', '20260601'),
  prior('second', '20250601'),
  prior('third', '20240601'),
  prior('fourth', '20230601'),
  prior('head', '20260101', { bodyParts: ['HEAD'] }),
  prior('named', '20251201', { bodyParts: [], description: 'Follow-up Chest CT' }),
  prior('mr', '20260301', { modalities: ['MR', 'SR'] }),
  prior('undated', undefined),
];
const order: PriorOrder = { modality: 'CT', bodyPart: 'Chest', study: undefined, to: 'READ' };

function check(asked: Partial<PriorOrder>, rules: readonly Partial<PriorRule>[], expected: readonly string[]): void {
  const plan = planPriors({
    order: { ...order, ...asked },
    rules: rules.map((rule) => ({ ...usualPriorRule, ...rule })),
    priors,
    nowMs,
  });
  assert.deepEqual(
    plan.map(({ study, rule, to }) => `${study} ${rule} ${to ?? '-'}`),
    expected,
  );
}

test('without rules the three newest of the last five years go, of the same modality and body part', () => {
  check({}, [], ['newest usual READ', 'named usual READ', 'second usual READ']);
  check({ study: 'newest', to: undefined }, [], ['named usual -', 'second usual -', 'third usual -']);
  check({ bodyPart: undefined, modality: undefined }, [], ['newest usual READ', 'mr usual READ', 'head usual READ']);
});

test('a rule is for some orders, takes some studies, so many and so old, and says where they go', () => {
  check({}, [{ modalities: ['MR'] }], []);
  check({}, [{ bodyParts: ['HEAD'] }], []);
  check({}, [{ enabled: false }], []);
  check({}, [{ newest: 1 }], ['newest usual READ']);
  check({}, [{ newest: 9, years: 1 }], ['newest usual READ', 'named usual READ']);
  check(
    {},
    [{ newest: 9, years: 30 }],
    [
      'newest usual READ',
      'named usual READ',
      'second usual READ',
      'third usual READ',
      'fourth usual READ',
      'old usual READ',
    ],
  );
  check({}, [{ priorModalities: ['MR'], newest: 9 }], ['mr usual READ']);
  check({}, [{ priorModalities: 'any', priorBodyParts: ['HEAD'] }], ['head usual READ']);
  check({ to: undefined }, [{ newest: 1, to: 'WARD' }], ['newest usual WARD']);
});

test('several rules add up, and a study that two of them take goes once', () => {
  check(
    {},
    [
      { name: 'a', newest: 1 },
      { name: 'b', priorModalities: ['MR'] },
      { name: 'c', newest: 2 },
    ],
    ['newest a READ', 'mr b READ', 'named c READ'],
  );
});
