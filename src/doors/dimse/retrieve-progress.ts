// How a retrieval goes: the four counts, and telling them to the asker while it runs.
//
// Invariant: while something is still to be sent the asker hears at least every `tellMs`, also while one large instance is on its way.

import type { Clock } from '../../base/index.ts';
import { dimseStatus, type IncomingMessage, statusClass } from '../../dicom/index.ts';

const tellMs = 4000;
const tellAtMostMs = 500;

export class RetrieveProgress {
  readonly #message: IncomingMessage;
  readonly #clock: Clock;
  readonly #total: number;
  readonly #stopping = new AbortController();
  readonly failedUids: string[] = [];
  #completed = 0;
  #warned = 0;
  #toldMs: number;

  constructor(message: IncomingMessage, total: number, clock: Clock) {
    this.#message = message;
    this.#total = total;
    this.#clock = clock;
    this.#toldMs = clock.monotonicMs() - tellMs;
    void this.#tellWhileSilent();
  }

  get counts(): { remaining: number; completed: number; failed: number; warning: number } {
    const failed = this.failedUids.length;
    const remaining = Math.max(0, this.#total - this.#completed - this.#warned - failed);
    return { remaining, completed: this.#completed, failed, warning: this.#warned };
  }

  /** One more was tried; without a status it could not be sent. */
  sent(instanceUid: string, status: number | undefined): void {
    const outcome = status === undefined ? 'failure' : statusClass(status);
    if (outcome === 'success') this.#completed += 1;
    else if (outcome === 'warning') this.#warned += 1;
    else this.failedUids.push(instanceUid);
  }

  /** Tells the counts unless that was done a moment ago. */
  async tellNowAndThen(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#toldMs >= tellAtMostMs) await this.#tell();
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #tell(): Promise<void> {
    this.#toldMs = this.#clock.monotonicMs();
    if (this.#message.isAnswered || this.#message.cancelled !== undefined) return;
    await this.#message.respond({ status: dimseStatus.pending, counts: this.counts });
  }

  async #tellWhileSilent(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#clock.wait(tellMs, signal);
      if (signal.aborted) return;
      // An association that broke says so to whoever sends.
      if (this.#clock.monotonicMs() - this.#toldMs >= tellMs) await this.#tell().catch(() => this.stop());
    }
  }
}
