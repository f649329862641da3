import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../base/index.ts';
import { Pace, parseHours, parseRate } from './pace.ts';

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const at = (hour: number): ManualClock => new ManualClock(new Date(2026, 0, 5, hour).getTime());
const hourMs = 3_600_000;

test('outside its hours it waits for them, over midnight too, and whoever stops it ends the wait', async () => {
  const clock = at(19);
  const stop = new AbortController();
  const pace = new Pace({ hours: parseHours('20-6') }, clock, stop.signal);
  let opened = 0;
  const open = (): Promise<void> =>
    pace.open().then(() => {
      opened += 1;
    });
  void open();
  clock.advance(hourMs - 1);
  await turns();
  assert.equal(opened, 0, '19:59');
  clock.advance(30_000);
  await turns();
  assert.equal(opened, 1, '20:00');
  clock.advance(9 * hourMs);
  await open();
  assert.equal(opened, 2, '05:00 is night still');
  clock.advance(hourMs);
  const late = open();
  await turns();
  assert.equal(opened, 2, '06:00');
  stop.abort();
  await late;
  for (const hour of [0, 3, 5, 20, 23])
    assert.equal(new Pace({ hours: { from: 20, to: 6 } }, at(hour), stop.signal).isOpen, true);
  for (const hour of [6, 12, 19])
    assert.equal(new Pace({ hours: { from: 20, to: 6 } }, at(hour), stop.signal).isOpen, false);
  for (const hour of [8, 15])
    assert.equal(new Pace({ hours: { from: 8, to: 16 } }, at(hour), stop.signal).isOpen, true);
});

test('bytes are taken no faster than the rate, a second of it ahead at most', async () => {
  const clock = at(12);
  const pace = new Pace({ bytesPerSecond: parseRate('1MB') }, clock, new AbortController().signal);
  let taken = 0;
  const taking = (async () => {
    for (let piece = 0; piece < 40; piece += 1) {
      await pace.take(250_000);
      taken += 250_000;
    }
  })();
  await turns();
  assert.equal(taken, 1_000_000, 'what a second allows comes at once');
  for (let second = 1; second <= 9; second += 1) {
    for (let part = 0; part < 4; part += 1) {
      clock.advance(250);
      await turns();
    }
    assert.ok(taken <= (second + 1) * 1_000_000, `${taken} after ${second} s`);
    assert.ok(taken >= second * 1_000_000, `${taken} after ${second} s`);
  }
  await taking;
});

test('hours and rates that are none are refused', () => {
  for (const text of ['', '25-3', '3', '5-5', 'a-b']) assert.throws(() => parseHours(text));
  for (const text of ['', '10', 'fast', '1B', '-5MB']) assert.throws(() => parseRate(text));
  assert.deepEqual(parseHours('8-24'), { from: 8, to: 24 });
  assert.equal(parseRate('1.5MiB'), 1.5 * 1024 * 1024);
});
