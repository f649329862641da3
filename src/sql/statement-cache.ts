// A bounded store of things made from a statement's text: prepared statements, translated placeholders.
//
// Invariant: at most `limit` are kept; the one unused for longest goes first and is handed to `drop`.

import { assert } from '../base/index.ts';

export class StatementCache<V> {
  readonly #kept = new Map<string, V>();
  readonly #limit: number;
  readonly #make: (statement: string) => V;
  readonly #drop: (value: V) => void;

  constructor(limit: number, make: (statement: string) => V, drop: (value: V) => void = () => undefined) {
    assert(limit > 0, 'a cache keeps something');
    this.#limit = limit;
    this.#make = make;
    this.#drop = drop;
  }

  #newest = '';
  #newestValue: V | undefined;

  get(statement: string): V {
    // The same statement again, as in a loop over rows: no need to move it to the end.
    if (statement === this.#newest && this.#newestValue !== undefined) return this.#newestValue;
    let value = this.#kept.get(statement);
    if (value === undefined) {
      value = this.#make(statement);
      this.#evict();
    } else {
      this.#kept.delete(statement);
    }
    this.#kept.set(statement, value);
    this.#newest = statement;
    this.#newestValue = value;
    return value;
  }

  #evict(): void {
    if (this.#kept.size < this.#limit) return;
    for (const [oldest, value] of this.#kept) {
      this.#kept.delete(oldest);
      this.#drop(value);
      return;
    }
  }

  clear(): void {
    for (const value of this.#kept.values()) this.#drop(value);
    this.#kept.clear();
    this.#newest = '';
    this.#newestValue = undefined;
  }

  get size(): number {
    return this.#kept.size;
  }
}
