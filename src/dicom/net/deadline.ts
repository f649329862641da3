// Deadline: one moment, moved often, after which something is done once. Cheap to move later, which is what happens with every PDU.
//
// Invariants: nothing happens while no moment is set, or after `close`; at most one wait of the clock is under way, and it is begun anew only when the
// moment moves nearer.

import { type Clock, defined } from '../../base/index.ts';

export class Deadline {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #dueMs: number | undefined;
  #wait: { readonly untilMs: number; readonly abort: AbortController } | undefined;

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Due in `ms` from now, whatever was set before. */
  set(ms: number): void {
    const dueMs = this.#clock.monotonicMs() + ms;
    this.#dueMs = dueMs;
    if (this.#wait !== undefined && this.#wait.untilMs <= dueMs) return;
    this.#wait?.abort.abort();
    this.#begin();
  }

  clear(): void {
    this.#dueMs = undefined;
  }

  /** As `clear`, and lets a process end that waits for nothing else. */
  close(): void {
    this.#dueMs = undefined;
    const wait = this.#wait;
    this.#wait = undefined;
    wait?.abort.abort();
  }

  #begin(): void {
    const abort = new AbortController();
    const untilMs = defined(this.#dueMs, 'a wait has a moment to wait for');
    const wait = { untilMs, abort };
    this.#wait = wait;
    this.#clock.wait(Math.max(0, untilMs - this.#clock.monotonicMs()), abort.signal).then(
      () => {
        if (this.#wait === wait) this.#awake();
      },
      () => undefined,
    );
  }

  #awake(): void {
    this.#wait = undefined;
    if (this.#dueMs === undefined) return;
    if (this.#dueMs > this.#clock.monotonicMs()) {
      this.#begin();
      return;
    }
    this.#dueMs = undefined;
    this.#onDue();
  }
}
