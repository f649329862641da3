import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../base/index.ts';
import { LoginLimits } from './login-limits.ts';

const minute = 60_000;

function failTimes(limits: LoginLimits, times: number, name: string, address: string): void {
  for (let round = 0; round < times; round += 1) limits.failed({ name, address });
}

test('five wrong ones hold an account at an address for a quarter of an hour, and nobody else', () => {
  const clock = new ManualClock(0);
  const limits = new LoginLimits(clock);
  failTimes(limits, 4, 'a', '10.0.0.1');
  assert.equal(limits.heldMs({ name: 'a', address: '10.0.0.1' }), 0);
  limits.failed({ name: 'a', address: '10.0.0.1' });
  assert.equal(limits.heldMs({ name: 'a', address: '10.0.0.1' }), 15 * minute);
  assert.equal(limits.heldMs({ name: 'a', address: '10.0.0.2' }), 0);
  assert.equal(limits.heldMs({ name: 'b', address: '10.0.0.1' }), 0);
  clock.advance(15 * minute);
  assert.equal(limits.heldMs({ name: 'a', address: '10.0.0.1' }), 0);
});

test('wrong ones long apart hold nobody, and a right one is a new beginning', () => {
  const clock = new ManualClock(0);
  const limits = new LoginLimits(clock);
  for (let round = 0; round < 20; round += 1) {
    limits.failed({ name: 'a', address: '10.0.0.1' });
    clock.advance(8 * minute);
  }
  failTimes(limits, 3, 'a', '10.0.0.1');
  limits.succeeded({ name: 'a', address: '10.0.0.1' });
  failTimes(limits, 4, 'a', '10.0.0.1');
  assert.equal(limits.heldMs({ name: 'a', address: '10.0.0.1' }), 0);
});

test('a stranger with many addresses or many names keeps nobody out who logs in where they always do', () => {
  const limits = new LoginLimits(new ManualClock(0));
  const home = { name: 'doctor', address: '10.0.0.1' };
  limits.succeeded(home);
  for (let index = 0; index < 10_000; index += 1)
    limits.failed({ name: 'doctor', address: `172.16.${index >> 8}.${index & 255}` });
  for (let index = 0; index < 100; index += 1) limits.failed({ name: `n${index}`, address: '10.0.0.1' });
  assert.equal(limits.heldMs(home), 0);
  assert.ok(limits.heldMs({ name: 'doctor', address: '192.168.0.9' }) > 0, 'an address that nobody knows is held');
  assert.ok(limits.heldMs({ name: 'n7', address: '10.0.0.1' }) > 0, 'an account that nobody knows there is held');
});

test('an IPv6 network is one address, and an IPv4 address is itself however it is written', () => {
  const limits = new LoginLimits(new ManualClock(0));
  for (let index = 0; index < 5; index += 1) limits.failed({ name: 'a', address: `2001:db8::${index}` });
  assert.ok(limits.heldMs({ name: 'a', address: '2001:db8:0:0:ffff::1' }) > 0);
  assert.equal(limits.heldMs({ name: 'a', address: '2001:db8:0:1::1' }), 0);
  failTimes(limits, 5, 'b', '::ffff:10.0.0.1');
  assert.ok(limits.heldMs({ name: 'b', address: '10.0.0.1' }) > 0);
});
