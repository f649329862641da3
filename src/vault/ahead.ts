// What a source gives, some items ahead of whoever takes them, so that reading, workers and the taker are busy at once.
//
// Invariants: the order is the source's; at most `limit` items wait; an error comes where it happened; a taker who stops ends the source.

import { assert } from '../base/index.ts';

export async function* ahead<T>(source: AsyncGenerator<T, void, undefined>, limit: number): AsyncGenerator<T> {
  assert(limit >= 1, 'something is taken ahead');
  const waiting: Promise<IteratorResult<T, void>>[] = [];
  try {
    for (;;) {
      // A generator does what it is asked one after another, so several asks at once are so many items ahead.
      while (waiting.length < limit) {
        const next = source.next();
        next.catch(() => undefined);
        waiting.push(next);
      }
      const item = await (waiting.shift() as Promise<IteratorResult<T, void>>);
      if (item.done === true) return;
      yield item.value;
    }
  } finally {
    await source.return();
  }
}
