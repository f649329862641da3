// Throttle: lets so many bytes a second through, and stops work that was told to stop.
//
// Invariants: over any longer stretch no more than the rate and one burst pass; without a limit it still gives way to whoever else waits, and still
// stops; a wait ends at once when the signal does.

import { ArchiveError, assert, type Clock } from '../base/index.ts';

export type ThrottleOptions = {
  readonly clock: Clock;
  /** 0: no limit. */
  readonly bytesPerSecond: number;
  readonly signal: AbortSignal;
};

/** What may pass at once after a pause. */
const burstMs = 250;

export class Throttle {
  readonly #options: ThrottleOptions;
  #freeAtMs = 0;

  constructor(options: ThrottleOptions) {
    assert(options.bytesPerSecond >= 0, 'a rate is not negative');
    this.#options = options;
  }

  /** Waits until so many bytes may have passed. CLOSED when it was told to stop. */
  readonly pace = async (bytes: number): Promise<void> => {
    const { clock, bytesPerSecond, signal } = this.#options;
    if (signal.aborted) throw stopped();
    if (bytesPerSecond === 0) return;
    const nowMs = clock.monotonicMs();
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs - burstMs) + (bytes / bytesPerSecond) * 1000;
    if (this.#freeAtMs > nowMs) await clock.wait(this.#freeAtMs - nowMs, signal);
    if (signal.aborted) throw stopped();
  };
}

function stopped(): ArchiveError {
  return new ArchiveError('CLOSED', 'the work was told to stop; it goes on where it was');
}
