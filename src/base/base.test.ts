// Bytes, ids, budgets, clocks and randomness: the properties that rooms above rely on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  Budget,
  base64Of,
  bytesEqual,
  bytesOfBase64,
  bytesOfHex,
  concatBytes,
  defaultTenant,
  groupText,
  HybridClock,
  hexOf,
  hybridMs,
  hybridOfMs,
  isZero,
  ManualClock,
  parseGroupText,
  parseRecordIdText,
  recordIdText,
  roundUp,
  SeededRandom,
  setU64Number,
  systemRandom,
  u64Number,
  utf8Bytes,
  utf8Text,
  viewOf,
  writerId,
} from './index.ts';

const someBytes = fc.uint8Array({ maxLength: 300 });

test('hex and base64 bring bytes back', () => {
  fc.assert(
    fc.property(someBytes, (bytes) => {
      assert.ok(bytesEqual(bytesOfHex(hexOf(bytes)), bytes));
      assert.ok(bytesEqual(bytesOfBase64(base64Of(bytes)), bytes));
    }),
  );
});

test('text brings its bytes back exactly, a byte order mark included, or is no text', () => {
  fc.assert(
    fc.property(fc.oneof(someBytes, fc.constant(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41))), (bytes) => {
      const text = utf8Text(bytes);
      if (text !== undefined) assert.ok(bytesEqual(utf8Bytes(text), bytes));
    }),
  );
});

test('text of any length is the bytes that its encoder makes', () => {
  for (const piece of ['a', 'é', '碑', '🩻', '\ud800']) {
    for (const count of [0, 1, 5, 1365, 1366, 5000]) {
      const text = piece.repeat(count);
      assert.deepEqual(utf8Bytes(text), new TextEncoder().encode(text));
    }
  }
});

test('bytes are zero when each of them is', () => {
  fc.assert(
    fc.property(fc.nat({ max: 100 }), fc.nat({ max: 99 }), (count, place) => {
      const bytes = new Uint8Array(count);
      assert.ok(isZero(bytes));
      if (count === 0) return;
      bytes[place % count] = 1;
      assert.ok(!isZero(bytes));
      assert.ok(isZero(bytes.subarray(0, place % count)));
    }),
  );
});

test('parts are put together in order', () => {
  fc.assert(
    fc.property(fc.array(someBytes, { maxLength: 6 }), (parts) => {
      assert.ok(Buffer.concat(parts).equals(concatBytes(parts)));
    }),
  );
});

test('numbers up to 2^53 survive eight bytes, and lengths round up to their unit', () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (value) => {
      const view = viewOf(new Uint8Array(8));
      setU64Number(view, 0, value);
      assert.equal(u64Number(view, 0), value);
      assert.equal(view.getBigUint64(0, true), BigInt(value));
    }),
  );
  assert.deepEqual(
    [0, 1, 16, 17].map((value) => roundUp(value, 16)),
    [0, 16, 16, 32],
  );
});

test('ids bring their texts back, and what is no id is refused', () => {
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(
    fc.property(u64, fc.nat({ max: 65535 }), (value, year) => {
      const id = { writer: writerId('ab'.repeat(16)), sequence: value };
      assert.deepEqual(parseRecordIdText(recordIdText(id)), id);
      const group = { tenant: defaultTenant, year, group: value };
      assert.deepEqual(parseGroupText(groupText(group)), group);
    }),
  );
  for (const text of ['', 'x', `${'ab'.repeat(16)}`, `${'AB'.repeat(16)}.1`, `${'ab'.repeat(16)}.-1`])
    assert.equal(parseRecordIdText(text), undefined);
  assert.equal(parseRecordIdText(`${'ab'.repeat(16)}.${2n ** 64n}`), undefined, 'a sequence is a u64');
  assert.equal(parseGroupText('4294967296-1-0000000000000000'), undefined);
});

test('a budget serves in order, never gives more than it has, and lets the oversized through alone', async () => {
  const budget = new Budget('bytes', 10);
  const served: string[] = [];
  const take = async (name: string, amount: number): Promise<void> => {
    await budget.take(amount);
    served.push(name);
  };
  await take('a', 6);
  const waiting = [take('large', 50), take('b', 1), take('c', 4)];
  await Promise.resolve();
  assert.deepEqual(served, ['a'], 'a small one does not overtake a large one');
  budget.give(6);
  await waiting[0];
  assert.equal(budget.taken, 50);
  budget.give(50);
  await Promise.all(waiting);
  assert.deepEqual(served, ['a', 'large', 'b', 'c']);
  budget.give(5);
  assert.equal(budget.taken, 0);
});

test('hybrid time never goes back, whatever the wall clock does', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1e10, max: 1e10 }), { maxLength: 50 }), (jumps) => {
      const clock = new ManualClock(Date.UTC(2026, 0, 1));
      const hybrid = new HybridClock(clock);
      let before = hybrid.next();
      for (const jump of jumps) {
        clock.jumpTo(Math.max(0, clock.nowMs() + jump));
        const now = hybrid.next();
        assert.ok(now > before);
        assert.ok(hybridMs(now) >= Math.min(clock.nowMs(), hybridMs(before)));
        before = now;
      }
    }),
  );
});

test('a clock set back by years goes on from the greatest time seen, also across a restart', () => {
  const clock = new ManualClock(Date.UTC(2050, 5, 1));
  const last = new HybridClock(clock).next();
  clock.jumpTo(Date.UTC(2020, 0, 1));
  const again = new HybridClock(clock);
  assert.throws(() => again.observe(last), { code: 'CLOCK_AHEAD' });
  again.observe(last, 'accept');
  for (let count = 0; count < 70_000; count += 1) again.next();
  assert.ok(again.last() > last, 'a counter that runs over carries into the milliseconds');
  assert.ok(hybridMs(again.last()) - hybridMs(last) <= 2);
});

test('a time up to five minutes ahead is taken in, one further ahead is refused', () => {
  const clock = new ManualClock(1_000_000_000);
  const hybrid = new HybridClock(clock);
  hybrid.observe(hybridOfMs(1_000_000_000 + 5 * 60_000));
  assert.throws(() => hybrid.observe(hybridOfMs(1_000_000_001 + 5 * 60_000)), { code: 'CLOCK_AHEAD' });
});

test('a manual clock wakes whoever waited long enough, and nobody else', async () => {
  const clock = new ManualClock(0);
  const woken: number[] = [];
  const waits = [10, 20].map(async (ms) => {
    await clock.wait(ms);
    woken.push(ms);
  });
  clock.advance(15);
  await waits[0];
  assert.deepEqual(woken, [10]);
  clock.advance(5);
  await waits[1];
  assert.deepEqual(woken, [10, 20]);
});

test('a seeded source repeats itself, draws every value below its limit, and the system one never repeats', () => {
  assert.ok(bytesEqual(new SeededRandom(7).bytes(100), new SeededRandom(7).bytes(100)));
  const seen = new Set<number>();
  const random = new SeededRandom(8);
  for (let draw = 0; draw < 2000; draw += 1) seen.add(random.below(10));
  assert.equal(seen.size, 10);
  const nonces = new Set(Array.from({ length: 5000 }, () => hexOf(systemRandom.bytes(12))));
  assert.equal(nonces.size, 5000);
});
