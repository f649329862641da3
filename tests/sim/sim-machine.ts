// SimMachine: several simulated disks in one machine, so that one power cut stops them all at one step.
//
// Invariants: steps of all disks are numbered together, from 1, in the order they happen; a crash at step n lets that step's effect happen
// unsynced and stops every disk; a machine that was cut off can be started again any number of times, each start an outcome of its own.
// Left out: the database, which lies on a disk of its own (sim-database.ts).

import { SeededRandom } from '../../src/base/index.ts';
import { SimDisk, type SimRebootOptions, type SimStep } from '../../src/disk/index.ts';

export type MachineStep = SimStep & { readonly disk: number; readonly at: number };

export type SimMachineOptions = {
  readonly disks: number;
  readonly seed: number;
  /** Calls under way at once finish in an order drawn by chance. */
  readonly turnsMax?: number;
};

export class SimMachine {
  readonly disks: SimDisk[];
  /** Called at each step of any disk, before its effect. */
  onStep: ((step: MachineStep) => void) | undefined;
  crashAt = Number.POSITIVE_INFINITY;
  #steps = 0;
  #crashed = false;

  private constructor(make: (onStep: (disk: number) => (step: SimStep) => void) => SimDisk[]) {
    this.disks = make((disk) => (step) => this.#step(disk, step));
  }

  static make(options: SimMachineOptions): SimMachine {
    return new SimMachine((onStep) =>
      Array.from(
        { length: options.disks },
        (_, disk) =>
          new SimDisk({
            random: new SeededRandom(options.seed * 31 + disk),
            label: `disk ${disk}`,
            turnsMax: options.turnsMax ?? 1,
            onStep: onStep(disk),
          }),
      ),
    );
  }

  get steps(): number {
    return this.#steps;
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  /** Power is gone at this very moment, between two steps. */
  crash(): void {
    this.#crashed = true;
    for (const disk of this.disks) stop(disk);
  }

  /** The machine after a power cut, one outcome of those that are possible. */
  reboot(survive: 'none' | 'all' | 'random', seed: number): SimMachine {
    return this.#again((disk, options) => disk.reboot({ ...options, survive }), seed);
  }

  /** The process died and the machine did not: what was written is there, synced or not. This machine is not used again. */
  restart(seed: number): SimMachine {
    return this.#again((disk, options) => disk.restart(options), seed);
  }

  #again(
    next: (disk: SimDisk, options: Pick<SimRebootOptions, 'random' | 'onStep'>) => SimDisk,
    seed: number,
  ): SimMachine {
    return new SimMachine((onStep) =>
      this.disks.map((disk, number) =>
        next(disk, { random: new SeededRandom(seed * 31 + number), onStep: onStep(number) }),
      ),
    );
  }

  #step(disk: number, step: SimStep): void {
    this.#steps += 1;
    this.onStep?.({ ...step, disk, at: this.#steps });
    if (this.#steps >= this.crashAt && !this.#crashed) this.crash();
  }
}

/** A disk that is rebooted is dead; the state it would start with is asked for again when it is wanted. */
function stop(disk: SimDisk): void {
  disk.reboot({ survive: 'none', random: new SeededRandom(1) });
}
