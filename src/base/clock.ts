// Time: the wall clock as a parameter, and the hybrid logical time that orders every record.
//
// Invariants: a hybrid time is a u64, 48 bits of milliseconds then 16 bits of counter; it never goes back within a process, also
// when the wall clock does; times read from packs are taken in (`observe`) before new ones are given out, so order survives restarts.
// A time further ahead of the wall clock than `hybridAheadMsMax` is refused, and an operator decides.

import { assert } from './assert.ts';
import { ArchiveError } from './errors.ts';

export interface Clock {
  /** Wall time, milliseconds since 1970. May jump in either direction. */
  nowMs(): number;
  /** Milliseconds that only go forward; for durations and throttles. */
  monotonicMs(): number;
  /** Resolves after `ms` of this clock. `signal` ends it early, without an error. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

export const hybridAheadMsMax = 5 * 60 * 1000;

export type HybridTime = bigint;

export function hybridMs(time: HybridTime): number {
  return Number(time >> 16n);
}

export function hybridOfMs(ms: number): HybridTime {
  assert(Number.isSafeInteger(ms) && ms >= 0, 'a time in milliseconds is a safe integer');
  return BigInt(ms) << 16n;
}

export class HybridClock {
  readonly #clock: Clock;
  #last: HybridTime = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A time after every one given out or observed. */
  next(): HybridTime {
    const wall = hybridOfMs(Math.max(0, Math.floor(this.#clock.nowMs())));
    this.#last = wall > this.#last ? wall : this.#last + 1n;
    return this.#last;
  }

  /** Takes in a time found in a pack. Refuses one too far ahead, unless the operator accepted it. */
  observe(time: HybridTime, accept: 'check' | 'accept' = 'check'): void {
    if (accept === 'check' && hybridMs(time) > this.#clock.nowMs() + hybridAheadMsMax) {
      const minutes = Math.round((hybridMs(time) - this.#clock.nowMs()) / 60_000);
      throw new ArchiveError('CLOCK_AHEAD', `a record is dated ${minutes} minutes ahead of this machine's clock`);
    }
    if (time > this.#last) this.#last = time;
  }

  last(): HybridTime {
    return this.#last;
  }
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  wait: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done);
    }),
};

/** A clock that moves only when it is told to: tests and decades in seconds. */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #waiting: { atMs: number; wake: () => void }[] = [];

  constructor(wallMs: number) {
    this.#wallMs = wallMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (ms <= 0 || signal?.aborted === true) return resolve();
      this.#waiting.push({ atMs: this.#monotonicMs + ms, wake: resolve });
      signal?.addEventListener('abort', () => resolve());
    });
  }

  /** Moves both clocks forward and wakes whoever waited that long. */
  advance(ms: number): void {
    assert(ms >= 0, 'time advances');
    this.#wallMs += ms;
    this.#monotonicMs += ms;
    const due = this.#waiting.filter((each) => each.atMs <= this.#monotonicMs);
    this.#waiting = this.#waiting.filter((each) => each.atMs > this.#monotonicMs);
    for (const each of due) each.wake();
  }

  /** The wall clock jumps; monotonic time does not. */
  jumpTo(wallMs: number): void {
    this.#wallMs = wallMs;
  }
}
