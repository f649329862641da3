// A named limit on something counted (bytes in flight, open files): take before, give back after, wait in order when none is left.
//
// Invariants: what is taken is given back exactly once; waiters are served first come, first served, so a large one is not starved
// by small ones; something larger than the whole limit is let through alone rather than never.

import { assert } from './assert.ts';

export class Budget {
  readonly name: string;
  readonly limit: number;
  #taken = 0;
  #waiting: { amount: number; wake: () => void }[] = [];

  constructor(name: string, limit: number) {
    assert(limit > 0, 'a budget allows something');
    this.name = name;
    this.limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  get hasWaiters(): boolean {
    return this.#waiting.length > 0;
  }

  take(amount: number): Promise<void> | undefined {
    assert(amount >= 0, 'a budget is taken from, not added to');
    if (this.#waiting.length === 0 && this.#fits(amount)) {
      this.#taken += amount;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push({ amount, wake: resolve }));
  }

  give(amount: number): void {
    this.#taken -= amount;
    assert(this.#taken >= 0, 'a budget never gets back more than it gave');
    let next = this.#waiting[0];
    while (next !== undefined && this.#fits(next.amount)) {
      this.#waiting.shift();
      this.#taken += next.amount;
      next.wake();
      next = this.#waiting[0];
    }
  }

  #fits(amount: number): boolean {
    return this.#taken === 0 || this.#taken + amount <= this.limit;
  }
}
