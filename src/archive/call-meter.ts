// How many calls there were of each action, through which door, with what result, and how long they took: for metrics.
//
// Invariants: bounded by the table of actions, the doors and the registry of errors; a call costs two look-ups in maps; no label holds what a caller sent.

import type { Action } from './rights.ts';

/** Upper ends of the classes of duration, in seconds; longer ones are in none. */
export const durationClasses = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const;

export type CallCounts = {
  readonly action: Action;
  readonly door: string;
  readonly results: Readonly<Record<string, number>>;
  /** Of calls that end once; those that answer piece by piece are counted only. */
  readonly timed: number;
  readonly seconds: number;
  /** How many took at most so long, one for each class. */
  readonly atMost: readonly number[];
};

class Counts {
  readonly results = new Map<string, number>();
  timed = 0;
  seconds = 0;
  readonly inClass = new Array<number>(durationClasses.length).fill(0);
}

export class CallMeter {
  readonly #counts = new Map<Action, Map<string, Counts>>();

  /** `tookMs` undefined: it is counted and not timed. */
  count(action: Action, door: string, result: string, tookMs: number | undefined): void {
    let doors = this.#counts.get(action);
    if (doors === undefined) this.#counts.set(action, (doors = new Map<string, Counts>()));
    let counts = doors.get(door);
    if (counts === undefined) doors.set(door, (counts = new Counts()));
    counts.results.set(result, (counts.results.get(result) ?? 0) + 1);
    if (tookMs === undefined) return;
    const seconds = tookMs / 1000;
    counts.timed += 1;
    counts.seconds += seconds;
    const found = durationClasses.findIndex((end) => seconds <= end);
    if (found >= 0) counts.inClass[found] = (counts.inClass[found] ?? 0) + 1;
  }

  counts(): CallCounts[] {
    return [...this.#counts].flatMap(([action, doors]) =>
      [...doors].map(([door, { results, timed, seconds, inClass }]) => {
        let sum = 0;
        const atMost = inClass.map((each) => (sum += each));
        return { action, door, results: Object.fromEntries(results), timed, seconds, atMost };
      }),
    );
  }
}
