// A bounded cache that forgets what was used longest ago.

import { assert } from '../base/index.ts';

export class Recent<K, V> {
  readonly #limit: number;
  readonly #drop: ((value: V) => void) | undefined;
  readonly #values = new Map<K, V>();

  constructor(limit: number, drop?: (value: V) => void) {
    assert(limit > 0, 'a cache holds something');
    this.#limit = limit;
    this.#drop = drop;
  }

  get(key: K): V | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.delete(key);
    this.#values.set(key, value);
    for (const [oldest, dropped] of this.#values) {
      if (this.#values.size <= this.#limit) break;
      this.#values.delete(oldest);
      this.#drop?.(dropped);
    }
  }

  delete(key: K): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#values.delete(key);
    this.#drop?.(value);
  }

  deleteWhere(matches: (key: K) => boolean): void {
    for (const key of this.#values.keys()) if (matches(key)) this.delete(key);
  }

  clear(): void {
    for (const key of this.#values.keys()) this.delete(key);
  }
}
