// Several files at a time: many small ones then share what each would wait for alone.
//
// Invariant: no more than so many are under way; the first failure that is thrown ends the rest, and is known when all have ended.

import { assert } from '../base/index.ts';

export type Parallel = { readonly atOnce: number; readonly signal: AbortSignal };

export async function inParallel<T>(
  tasks: AsyncIterable<T>,
  work: (task: T) => Promise<void>,
  { atOnce, signal }: Parallel,
): Promise<void> {
  const under = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  for await (const task of tasks) {
    if (failure !== undefined || signal.aborted) break;
    const mine: Promise<void> = work(task)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => under.delete(mine));
    under.add(mine);
    assert(under.size <= atOnce, 'what is under way is bounded');
    if (under.size === atOnce) await Promise.race(under);
  }
  await Promise.all(under);
  if (failure !== undefined) throw (failure as { error: unknown }).error;
}
