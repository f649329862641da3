// Sweeps of power cuts over a life (crash-scenario.ts): which cuts, in which states, and what to say when one breaks a promise.

import { checkAfter, databaseStates, describeCut, type LifeOptions, live } from './crash-scenario.ts';

export type SweepOptions = {
  readonly life: LifeOptions;
  readonly cuts: (steps: number) => number[];
  /** Every state of the database and of the unsynced bytes at each cut, or one of each in turn. */
  readonly states: 'all' | 'one';
  /** So many cuts of each recovery, spread over its steps. */
  readonly recoverCuts?: number;
};

const survivals = ['none', 'random', 'all', 'random'] as const;

export function cutsOf(options: { first: number; stride: number }): (steps: number) => number[] {
  return (steps) => {
    const cuts: number[] = [];
    for (let step = options.first; step <= steps; step += options.stride) cuts.push(step);
    return cuts;
  };
}

/** How many cuts were checked. Throws an Error that names seed, step and state. */
export async function sweepCuts(options: SweepOptions): Promise<number> {
  const { life } = options;
  const whole = await live(life);
  const { steps } = whole.machine;
  let checked = 0;
  for (const [number, step] of options.cuts(steps).entries()) {
    const cut = await live(life, step);
    for (const [index, state] of databaseStates.entries()) {
      for (const [choice, survive] of survivals.entries()) {
        const isTurn = index === number % databaseStates.length && choice === number % survivals.length;
        if (options.states === 'one' && !isTurn) continue;
        const seed = step * 17 + index * 5 + choice;
        const after = { cut, life, state, survive, seed, ahead: whole.committed };
        try {
          const recovery = await checkAfter(after);
          checked += 1;
          const cuts = options.recoverCuts ?? 0;
          for (let turn = 1; turn <= cuts; turn += 1) {
            const at = Math.max(1, Math.floor((recovery * turn) / (cuts + 1)));
            await checkAfter({ ...after, recoverCuts: [at, Math.max(1, Math.floor(at / 2))] });
            checked += 1;
          }
        } catch (cause) {
          throw new Error(describeCut({ seed: life.seed, step, steps, state, survive }), { cause });
        }
      }
    }
    for (const snapshot of [cut.committed, cut.durable, cut.older]) snapshot.drop();
  }
  for (const snapshot of [whole.committed, whole.durable, whole.older]) snapshot.drop();
  return checked;
}
