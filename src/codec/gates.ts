// Gates: where a record is to be written may change as long as no worker has begun to make it.
//
//   two 32-bit words a gate in the shared memory: its state, and the offset that counts once the record was moved
//
// Invariants: exactly one side wins: either the worker begins at the offset that `move` set last, or `move` says that it came too late; a gate belongs to
// one work at a time.

import { assert, defined } from '../base/index.ts';

const state = { open: 0, begun: 1, moved: 2, locked: 3 } as const;

export const gatesMax = 256;
const wordsOfGate = 2;
export const gatesBytes = gatesMax * wordsOfGate * Int32Array.BYTES_PER_ELEMENT;

export class Gates {
  readonly #words: Int32Array;
  readonly #free: number[] = Array.from({ length: gatesMax }, (_, gate) => gate);

  constructor(words: Int32Array) {
    assert(words.length === gatesMax * wordsOfGate, 'a gate has two words');
    this.#words = words;
  }

  /** Undefined when all are taken: then a record stays where it was to be. */
  take(): number | undefined {
    const gate = this.#free.pop();
    if (gate !== undefined) Atomics.store(this.#words, gate * wordsOfGate, state.open);
    return gate;
  }

  give(gate: number): void {
    assert(!this.#free.includes(gate), 'a gate is given back once');
    this.#free.push(gate);
  }

  /** Whether the record is written there; false when a worker has begun. */
  move(gate: number, offset: number): boolean {
    const at = gate * wordsOfGate;
    const before = Atomics.load(this.#words, at);
    if (before === state.begun || Atomics.compareExchange(this.#words, at, before, state.locked) !== before)
      return false;
    Atomics.store(this.#words, at + 1, offset);
    Atomics.store(this.#words, at, state.moved);
    Atomics.notify(this.#words, at);
    return true;
  }
}

/** For a worker that begins: the offset to write at, which is `offset` unless the record was moved. */
export function passGate(words: Int32Array, gate: number, offset: number): number {
  const at = gate * wordsOfGate;
  for (;;) {
    const now = Atomics.load(words, at);
    if (now === state.locked) Atomics.wait(words, at, state.locked, 1);
    else if (Atomics.compareExchange(words, at, now, state.begun) === now)
      return now === state.moved ? defined(words[at + 1], 'a gate that is there') : offset;
  }
}
