// SmallJobs: what happens to records too small to send to a worker one by one. A few in a turn of the event loop are made at once; when many come
// together (a group of writers woken by one commit), the rest go to the workers in batches, and the main thread is free for the network.
//
// Invariants: a job never waits longer than the turn it came in before it is on its way; a batch keeps to two named limits; each job gets its own result, also
// when another of its batch failed.
//
// Measured with 64 callers of 4 KB records, AES-256-GCM, on a busy machine of two cores; records a second and microseconds of the main thread each:
//   noise: all at once 15,700, 38 us; one worker 17,100, 15 us; two workers, 256 callers 30,000, 8 us
//   text:  all at once  9,500, 83 us; one worker  8,900, 21 us
// and with the vault's append around it, on the same machine at rest, 64 writers of noise: all at once 16,000 to 20,000 with 54 us of processor time a
// record, in batches 14,000 with 96 us. So a group of usual size is made at once, and batches are for storms.

import { defined } from '../base/index.ts';
import type { Order } from './pool-messages.ts';

/** Made at once in one turn. A lone caller never waits for a worker. */
export const inlinePerTurnMax = 64;
export const batchJobsMax = 32;

type Waiting<Done> = {
  readonly order: Order;
  readonly resolve: (done: Done) => void;
  readonly reject: (error: unknown) => void;
};

export class SmallJobs<Done> {
  readonly #send: (orders: readonly Order[]) => Promise<readonly Done[]>;
  #waiting: Waiting<Done>[] = [];
  #inlineCount = 0;
  #turnEnds = false;

  constructor(send: (orders: readonly Order[]) => Promise<readonly Done[]>) {
    this.#send = send;
  }

  /** Whether the caller does this one itself. */
  takesInline(): boolean {
    if (this.#inlineCount >= inlinePerTurnMax) return false;
    this.#inlineCount += 1;
    this.#awaitTurn();
    return true;
  }

  add(order: Order): Promise<Done> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ order, resolve, reject });
      this.#awaitTurn();
      if (this.#waiting.length >= batchJobsMax) this.flush();
    });
  }

  flush(): void {
    const batch = this.#waiting;
    if (batch.length === 0) return;
    this.#waiting = [];
    this.#send(batch.map((each) => each.order)).then(
      (done) => {
        batch.forEach((each, index) => each.resolve(defined(done[index], 'every work has a result')));
      },
      (error: unknown) => {
        for (const each of batch) each.reject(error);
      },
    );
  }

  #awaitTurn(): void {
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    setImmediate(() => {
      this.#turnEnds = false;
      this.#inlineCount = 0;
      this.flush();
    });
  }
}
