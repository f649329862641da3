// What a simulated disk and its open files share: the names, the steps, and the state of the medium as a whole.
//
// Invariants: every effect lies between `begin` and `end` of one step and is synchronous, so nothing comes between; an
// effect happens a turn of the queue after the call at the earliest, as a real one does, so who does not wait for a
// write is not covered by a sync.

import { type ArchiveError, assert, type Random, roundUp } from '../base/index.ts';
import { type DiskAction, diskError, missingDisk } from './disk-errors.ts';
import { type SimFate, type SimInode, SimMediumError, simPageBytes } from './sim-inode.ts';
import type { SimNames } from './sim-names.ts';
import { SimCrash, type SimFaultKind, type SimStepKind, type SimSteps } from './sim-steps.ts';

export const simCapacityBytesDefault = 1024 ** 4;

/** The medium and the kernel's view of it; outlives a process, not a power cut. */
export type SimMachine = {
  names: SimNames;
  sequence: number;
  missing: boolean;
  readOnly: boolean;
  capacityBytes: number;
};

/** Whoever needs one names an errno, so that the twin and the real disk share one table. */
const errnoOfFault = {
  io: 'EIO',
  full: 'ENOSPC',
  readOnly: 'EROFS',
  missing: 'ENODEV',
} as const;

export class SimWorld {
  readonly label: string;
  readonly machine: SimMachine;
  readonly steps: SimSteps;
  readonly random: Random;
  readonly #turnsMax: number;

  constructor(parts: { label: string; machine: SimMachine; steps: SimSteps; random: Random; turnsMax: number }) {
    this.label = parts.label;
    this.machine = parts.machine;
    this.steps = parts.steps;
    this.random = parts.random;
    this.#turnsMax = parts.turnsMax;
  }

  get names(): SimNames {
    return this.machine.names;
  }

  /** One turn of the microtask queue, or a few by chance when the disk was asked to shuffle calls under way. */
  async turn(): Promise<void> {
    const turns = this.#turnsMax <= 1 ? 1 : 1 + this.random.below(this.#turnsMax);
    for (let index = 0; index < turns; index += 1) await Promise.resolve();
  }

  /** Begins a step that has no way to go half wrong: a fault is an error before anything happened. */
  begin(kind: SimStepKind, at: DiskAction): void {
    const fault = this.beginOrFault(kind, at);
    if (fault !== undefined) throw this.errorOf(fault, at);
  }

  /** Begins a step; the caller decides what a fault does to it. */
  beginOrFault(kind: SimStepKind, at: DiskAction): SimFaultKind | undefined {
    const fault = this.steps.begin(kind, at.path ?? '');
    if (this.machine.missing || fault === 'missing') throw missingDisk(at);
    const changes = kind === 'write' || kind === 'truncate' || kind === 'entry';
    if (this.machine.readOnly && changes) throw this.errorOf('readOnly', at);
    return fault;
  }

  end(): void {
    this.steps.end();
  }

  errorOf(fault: SimFaultKind, at: DiskAction): ArchiveError {
    assert(fault in errnoOfFault, 'only these faults are errors');
    return diskError(simError(errnoOfFault[fault as keyof typeof errnoOfFault]), at);
  }

  /** Anything thrown inside an operation, as the caller of the disk sees it. */
  asSeen(error: unknown, at: DiskAction): unknown {
    if (error instanceof SimMediumError) return this.errorOf('io', at);
    return error;
  }

  nextSequence(): number {
    this.machine.sequence += 1;
    return this.machine.sequence;
  }

  usedBytes(): number {
    let sum = 0;
    for (const inode of this.names.files()) sum += roundUp(inode.sizeBytes, simPageBytes);
    return sum;
  }

  /** How much of a write from `offset` still fits. */
  roomFor(inode: SimInode, offset: number, length: number): number {
    const held = roundUp(inode.sizeBytes, simPageBytes);
    const growth = roundUp(offset + length, simPageBytes) - held;
    if (growth <= 0 || this.machine.capacityBytes === simCapacityBytesDefault) return length;
    const free = this.machine.capacityBytes - this.usedBytes();
    if (growth <= free) return length;
    return Math.max(0, Math.min(length, held + Math.max(0, free) - offset));
  }

  /** Gives the pages of this write a fate on their way to the medium. */
  doom(kind: 'misdirected' | 'lost' | 'flipped', inode: SimInode, offset: number, length: number): void {
    if (length === 0) return;
    if (kind === 'flipped') {
      const pages = Math.floor((offset + length - 1) / simPageBytes) - Math.floor(offset / simPageBytes) + 1;
      const chosen = this.random.below(pages);
      const bit = this.random.below(simPageBytes * 8);
      inode.doom(offset, length, (index) => (index === chosen ? { kind, bit } : undefined));
      return;
    }
    const victim = kind === 'misdirected' ? this.#victim(inode, Math.floor(offset / simPageBytes)) : undefined;
    inode.doom(offset, length, (index): SimFate => {
      const page = victim === undefined ? 0 : victim.page + index;
      if (victim === undefined || page >= victim.inode.mediaPages()) return { kind: 'lost' };
      return { kind: 'misdirected', inode: victim.inode, page };
    });
  }

  /** A place on the medium that holds something else; none on a disk that holds nothing. */
  #victim(inode: SimInode, firstPage: number): { inode: SimInode; page: number } | undefined {
    const others = [...this.names.files()].filter((each) => each.mediaPages() > (each === inode ? 1 : 0));
    const chosen = others[this.random.below(Math.max(1, others.length))];
    if (chosen === undefined) return undefined;
    const page = this.random.below(chosen.mediaPages());
    return chosen === inode && page === firstPage ? { inode, page: page === 0 ? 1 : 0 } : { inode: chosen, page };
  }
}

/** An error as the kernel's would look. */
export function simError(errno: string): Error {
  return Object.assign(new Error(`simulated ${errno}`), { code: errno });
}

export function isCrash(error: unknown): boolean {
  return error instanceof SimCrash;
}
