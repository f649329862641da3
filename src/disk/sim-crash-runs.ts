// Crash at every step: runs a scenario once to count its steps, then once for each step, and looks at what each crash
// may leave.
//
// Invariants: every run starts from an empty disk and a fresh scenario, so a failure is told by seed, step and what
// survived, and replays from them. Left out: failing I/O (use `failAt` in a loop of one's own; what must hold then
// differs by scenario).

import { SeededRandom } from '../base/index.ts';
import { SimDisk, type SimDiskOptions } from './sim-disk.ts';
import type { SimSurvival } from './sim-inode.ts';

export type CrashScenario = {
  /** Works on the disk and notes what was acknowledged. */
  act(disk: SimDisk): Promise<void>;
  /** Opens what the crash left and throws when a promise was broken. Called for several outcomes of one crash. */
  check(disk: SimDisk): Promise<void>;
};

export type CrashRunOptions = {
  readonly seed: number;
  readonly begin: () => CrashScenario;
  /** Random outcomes looked at for each step, besides 'none' and 'all'. */
  readonly outcomes?: number;
  readonly disk?: Omit<SimDiskOptions, 'random' | 'crashAt'>;
};

const outcomesDefault = 3;

/** How many steps the scenario has. Throws an Error that names seed, step and outcome when a check fails. */
export async function crashAtEveryStep(options: CrashRunOptions): Promise<number> {
  const makeDisk = (crashAt?: number): SimDisk => {
    const random = new SeededRandom(options.seed);
    return new SimDisk({ ...options.disk, random, ...(crashAt === undefined ? {} : { crashAt }) });
  };
  const whole = makeDisk();
  await options.begin().act(whole);
  const steps = whole.steps();
  const survivals: SimSurvival[] = [
    'none',
    'all',
    ...Array<SimSurvival>(options.outcomes ?? outcomesDefault).fill('random'),
  ];
  for (let step = 1; step <= steps; step += 1) {
    const disk = makeDisk(step);
    const scenario = options.begin();
    try {
      await scenario.act(disk);
    } catch (error) {
      if (!disk.crashed()) throw error;
    }
    for (const [index, survive] of survivals.entries()) {
      const random = new SeededRandom(options.seed * 1_000_003 + step * 101 + index);
      try {
        await scenario.check(disk.reboot({ survive, random }));
      } catch (error) {
        throw new Error(
          `seed ${options.seed}, crash at step ${step} of ${steps}, ${survive} survives (outcome ${index})`,
          {
            cause: error,
          },
        );
      }
    }
  }
  return steps;
}
