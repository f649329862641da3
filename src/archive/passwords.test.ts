import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { test } from 'node:test';
import { isArchiveError, SeededRandom } from '../base/index.ts';
import { Passwords, weaknessOf } from './passwords.ts';

test('a password is weak or not', () => {
  const check = (password: string, isGood: boolean): void =>
    assert.equal(weaknessOf(password, 'alice') === undefined, isGood, password);
  check('Gr33n-tea', true);
  check('Gr33ntea', true);
  check('greentea', false);
  check('green tea on the shelf', true);
  check('碑刻不磨Aa', true);
  check('aaaaaaaaaaaaaaaaaaaa', false);
  check('Alice-2026!x', false);
  check('MyPassw0rd!', false);
});

test('what was kept is compared at the cost it was kept with, and known to be old', async () => {
  const passwords = new Passwords(new SeededRandom(1));
  const salt = Buffer.alloc(16, 7);
  const older = `scrypt$16384$8$1$${salt.toString('base64')}$${scryptSync('secret text', salt, 32).toString('base64')}`;
  assert.equal(await passwords.matches('secret text', older), true);
  assert.equal(await passwords.matches('secret texT', older), false);
  assert.equal(passwords.isOld(older), true);
  const kept = await passwords.keep('secret text');
  assert.equal(passwords.isOld(kept), false);
  assert.equal(await passwords.matches('secret text', kept), true);
});

test('nothing matches what is not there, or was not kept as it should be, nor costs more than it may', async () => {
  const passwords = new Passwords(new SeededRandom(1));
  for (const kept of [
    undefined,
    '',
    'scrypt$1$1',
    'scrypt$1048576$32$1$AAAA$AAAA',
    'scrypt$3$8$1$AAAA$AAAA',
    'plain$x',
  ])
    assert.equal(await passwords.matches('', kept), false, String(kept));
});

test('a name that nobody has takes as long as a wrong password, by processor time', async () => {
  const passwords = new Passwords(new SeededRandom(1));
  const kept = await passwords.keep('Gr33n-tea');
  const cost = async (against: string | undefined): Promise<number> => {
    const before = process.cpuUsage();
    for (let round = 0; round < 3; round += 1) await passwords.matches('wrong', against);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  await cost(kept);
  const [known, unknown] = [await cost(kept), await cost(undefined)];
  assert.ok(unknown > known / 2 && unknown < known * 2, `${known} and ${unknown} microseconds`);
});

test('more comparisons than may wait are refused', async () => {
  const passwords = new Passwords(new SeededRandom(1));
  const asked = Array.from({ length: 40 }, () => passwords.matches('x', undefined));
  const outcomes = await Promise.allSettled(asked);
  const refused = outcomes.filter((each) => each.status === 'rejected');
  assert.equal(refused.length, 6);
  assert.ok(refused.every(({ reason }) => isArchiveError(reason, 'BUSY')));
});
