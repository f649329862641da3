// The simulated disk's clock of steps: counts every one, stops the world at one, and makes chosen ones fail.
//
// Invariants: steps are numbered from 1 in the order they happen; after a crash nothing happens any more, every further
// step throws; a fault fires at the first step from its number on to which its kind can happen, once, or at each of
// them when it is persistent.

/** What a power cut looks like to the code above. No ArchiveError: nobody should handle it and carry on. */
export class SimCrash extends Error {
  constructor(step: number) {
    super(`simulated crash at step ${step}`);
    this.name = 'SimCrash';
  }
}

/**
 * 'entry' makes, moves or removes a name; 'syncFolder' makes such changes durable; 'look' reads names, facts or space,
 * or takes the lock.
 */
export type SimStepKind = 'read' | 'readUncached' | 'write' | 'truncate' | 'sync' | 'entry' | 'syncFolder' | 'look';
export type SimStep = { readonly number: number; readonly kind: SimStepKind; readonly path: string };

/**
 * io           EIO. On a write, some of the bytes may have changed; on a sync, dirty pages are marked clean, written or not.
 * full         ENOSPC. On a write, some of the bytes were written.
 * readOnly     EROFS.
 * missing      the medium is gone (persistent: and stays so).
 * short        the kernel writes less than it was given; the disk goes on with the rest in a further step.
 * misdirected  the write and its sync succeed, and the bytes land on another place of the medium.
 * lost         the write and its sync succeed, and the medium keeps what it had.
 * flipped      the write and its sync succeed, and one bit on the medium is wrong.
 */
export type SimFaultKind = 'io' | 'full' | 'readOnly' | 'missing' | 'short' | 'misdirected' | 'lost' | 'flipped';
export type SimFault = { readonly step: number; readonly kind: SimFaultKind; readonly persistent?: boolean };

const changes: readonly SimStepKind[] = ['write', 'truncate', 'entry'];
const anything: readonly SimStepKind[] = [...changes, 'read', 'readUncached', 'sync', 'syncFolder', 'look'];
const happensTo: Readonly<Record<SimFaultKind, readonly SimStepKind[]>> = {
  io: anything,
  full: changes,
  readOnly: changes,
  missing: anything,
  short: ['write'],
  misdirected: ['write'],
  lost: ['write'],
  flipped: ['write'],
};

export type SimStepsOptions = {
  /** Step n takes place half-way (its effect may or may not survive), then everything throws SimCrash. */
  readonly crashAt?: number;
  readonly failAt?: SimFault | readonly SimFault[];
  /** Called at the start of each step; may change the disk (flip a bit, remove the medium). */
  readonly onStep?: (step: SimStep) => void;
};

export class SimSteps {
  readonly #crashAt: number;
  readonly #onStep: ((step: SimStep) => void) | undefined;
  #faults: SimFault[];
  #count = 0;
  #crashed = false;

  constructor(options: SimStepsOptions) {
    this.#crashAt = options.crashAt ?? Number.POSITIVE_INFINITY;
    this.#onStep = options.onStep;
    const faults = options.failAt ?? [];
    this.#faults = 'kind' in faults ? [faults] : [...faults];
  }

  get count(): number {
    return this.#count;
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  addFault(fault: SimFault): void {
    this.#faults.push(fault);
  }

  /** Counts the step; the fault that hits it, if any. Its effect follows, then `end`. */
  begin(kind: SimStepKind, path: string): SimFaultKind | undefined {
    if (this.#crashed) throw new SimCrash(this.#count);
    this.#count += 1;
    this.#onStep?.({ number: this.#count, kind, path });
    const index = this.#faults.findIndex((fault) => this.#count >= fault.step && happensTo[fault.kind].includes(kind));
    const fault = this.#faults[index];
    if (fault !== undefined && fault.persistent !== true) this.#faults.splice(index, 1);
    return fault?.kind;
  }

  /** The world ends here when the step was the chosen one. What the step did stays unsynced. */
  end(): void {
    if (this.#count >= this.#crashAt) this.stop();
    if (this.#crashed) throw new SimCrash(this.#count);
  }

  stop(): void {
    this.#crashed = true;
  }
}
