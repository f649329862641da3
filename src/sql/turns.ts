// One at a time: whoever asks for a turn waits until those before have finished theirs.
//
// Invariant: first come, first served; a turn that throws ends like any other. A turn taken within a turn would wait for itself:
// it is refused as a mistake of ours, found by following the asynchronous context.

import { AsyncLocalStorage } from 'node:async_hooks';
import { assert } from '../base/index.ts';

export class Turns {
  readonly #within = new AsyncLocalStorage<{ open: boolean }>();
  #last: Promise<void> = Promise.resolve();

  /** Throws when the caller is inside a turn that has not ended. */
  refuseWithin(what: string): void {
    assert(this.#within.getStore()?.open !== true, `${what} inside a transaction: use the transaction's own object`);
  }

  async take<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.refuseWithin(what);
    const before = this.#last;
    const turn = { open: true };
    let end: () => void = () => undefined;
    this.#last = new Promise((resolve) => {
      end = resolve;
    });
    await before;
    try {
      return await this.#within.run(turn, work);
    } finally {
      turn.open = false;
      end();
    }
  }

  /** Runs `work` marked as inside a turn without waiting for others: for databases that run transactions side by side. */
  async beside<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.refuseWithin(what);
    const turn = { open: true };
    try {
      return await this.#within.run(turn, work);
    } finally {
      turn.open = false;
    }
  }
}
