import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planContexts, providerRoles } from './plan-contexts.ts';

const implicit = '1.2.840.10008.1.2';
const explicit = '1.2.840.10008.1.2.1';
const jpegLs = '1.2.840.10008.1.2.4.80';
const jpeg = '1.2.840.10008.1.2.4.50';

function check(stored: string[], expected: string[][]): void {
  const plans = planContexts(stored.map((transferSyntax) => ({ abstractSyntax: '1.2.3', transferSyntax })));
  assert.deepEqual(
    plans.map((plan) => plan.map((each) => each.transferSyntaxes)),
    [expected],
  );
}

test('each stored syntax has a context of its own and an uncompressed one beside it', () => {
  check([implicit], [[implicit]]);
  check([explicit], [[explicit], [implicit]]);
  check([explicit, implicit], [[explicit], [implicit]]);
  check([jpegLs], [[jpegLs], [explicit, implicit]]);
  check([jpegLs, jpeg, jpegLs], [[jpegLs], [jpeg], [explicit, implicit]]);
  check([jpegLs, explicit], [[jpegLs], [explicit], [implicit]]);
});

test('nothing wanted is no association', () => {
  assert.deepEqual(planContexts([]), []);
});

test('an association holds at most 128 contexts, and all contexts of a SOP class', () => {
  const wanted = fc.array(
    fc.record({
      abstractSyntax: fc.nat(120).map((n) => `1.2.3.${n}`),
      transferSyntax: fc.oneof(
        fc.constantFrom(implicit, explicit),
        fc.nat(20).map((n) => `1.9.${n}`),
      ),
    }),
    { maxLength: 600 },
  );
  fc.assert(
    fc.property(wanted, (list) => {
      const plans = planContexts(list);
      const placeOf = new Map<string, number>();
      for (const [index, plan] of plans.entries()) {
        assert.ok(plan.length >= 1 && plan.length <= 128);
        assert.deepEqual(
          plan.map(({ id }) => id),
          plan.map((_, at) => at * 2 + 1),
        );
        for (const { abstractSyntax } of plan) {
          assert.equal(placeOf.get(abstractSyntax) ?? index, index);
          placeOf.set(abstractSyntax, index);
        }
      }
      for (const { abstractSyntax, transferSyntax } of list) {
        const plan = plans[placeOf.get(abstractSyntax) as number];
        const own = plan?.filter(
          (each) => each.abstractSyntax === abstractSyntax && each.transferSyntaxes[0] === transferSyntax,
        );
        assert.ok(own?.some((each) => each.transferSyntaxes.length === 1));
        assert.ok(
          plan?.some((each) => each.abstractSyntax === abstractSyntax && each.transferSyntaxes.includes(implicit)),
        );
      }
    }),
  );
});

test('who gets is provider of the storage classes that may come, each named once', () => {
  assert.deepEqual(providerRoles(['1.2', '1.3', '1.2']), [
    { sopClass: '1.2', scu: false, scp: true },
    { sopClass: '1.3', scu: false, scp: true },
  ]);
});

test('a class of more syntaxes than an association can propose is spread, each with a way to fall back', () => {
  const stored = Array.from({ length: 300 }, (_, index) => `1.9.${index}`);
  const plans = planContexts(stored.map((transferSyntax) => ({ abstractSyntax: '1.2.3', transferSyntax })));
  assert.deepEqual(
    plans.map((plan) => plan.length),
    [128, 128, 47],
  );
  for (const plan of plans) assert.deepEqual(plan.at(-1)?.transferSyntaxes, [explicit, implicit]);
});
