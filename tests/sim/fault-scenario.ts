// A life of a vault in which one disk fails at its n-th step, once or from then on, in one of the ways a disk can fail.
//
// Invariants checked: what was acknowledged is readable at once from the other disk and after a start with the disk well again; every refusal is
// an ArchiveError that says something of disks; nothing hangs; after repair and verification every copy is good; what failed silently
// (a lost, misdirected or flipped write) is found by verification and mended from the mirror.

import assert from 'node:assert/strict';
import { type ErrorCode, isArchiveError, SeededRandom } from '../../src/base/index.ts';
import type { SimFaultKind } from '../../src/disk/index.ts';
import { Ledger, SimArchive } from './sim-archive.ts';
import { SimDatabase } from './sim-database.ts';
import { SimMachine } from './sim-machine.ts';

export const faultKinds: readonly SimFaultKind[] = [
  'io',
  'full',
  'readOnly',
  'missing',
  'short',
  'misdirected',
  'lost',
  'flipped',
];

/** The disk takes the write, says that all is well, and has something else. */
const silentKinds: ReadonlySet<SimFaultKind> = new Set<SimFaultKind>(['misdirected', 'lost', 'flipped']);

/** What a caller may be told when a disk fails. */
const sensibleCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'DISK_IO',
  'DISK_FULL',
  'DISK_READ_ONLY',
  'DISK_MISSING',
  'DISK_POISONED',
  'COPIES_TOO_FEW',
  'DATA_FOREIGN',
]);

export type FaultRun = {
  readonly seed: number;
  readonly disks: number;
  readonly kind: SimFaultKind;
  readonly persistent: boolean;
  /** Of the first disk, from 1. */
  readonly step: number;
};

const limits = { packBytesMax: 512 * 1024, groupBytesMax: 64 * 1024, readAheadMax: 2 };

/** Whether the fault was met: false once `step` lies beyond the end of the life, which then passed untouched. */
export async function runWithFault(run: FaultRun): Promise<boolean> {
  const random = new SeededRandom(run.seed);
  let machine = SimMachine.make({ disks: run.disks, seed: run.seed });
  const disk = machine.disks[0];
  assert.ok(disk !== undefined);
  disk.fail({ step: run.step, kind: run.kind, persistent: run.persistent });
  const database = await SimDatabase.make();
  const ledger = new Ledger();
  const open = (seed: number): Promise<SimArchive> =>
    SimArchive.open({
      disks: machine.disks,
      database,
      seed,
      limits,
      storage: { copies: run.disks, whenFewer: run.disks > 1 ? 'accept' : 'refuse' },
    });
  const archive = await tolerate(() => open(run.seed + 1));
  if (archive !== undefined) {
    const store = (name: string, parts: Uint8Array[]): Promise<unknown> =>
      tolerate(() => ledger.store(archive, name, parts));
    await store('small', [random.bytes(300)]);
    await Promise.all([
      store('chunks', [random.bytes(5000), random.bytes(9000), random.bytes(70)]),
      store('beside', [new Uint8Array(20_000)]),
    ]);
    await tolerate(() => archive.vault.sealOpen('all'));
    await store('second', [random.bytes(1000)]);
    if (run.disks > 1) await ledger.check(archive);
    await tolerate(() => archive.vault.sealOpen('all'));
    if (run.disks > 1) await ledger.check(archive);
    await tolerate(() => archive.badCopies());
    await tolerate(() => archive.repair());
    await store('last', [random.bytes(50), random.bytes(60)]);
    if (run.disks > 1) await ledger.check(archive);
    await archive.vault.close();
  }
  const met = disk.steps() >= run.step;
  // A machine that is started again has a disk that is well; a silent fault has left its mark on the medium.
  for (const each of machine.disks) {
    each.setMissing(false);
    each.dropCache();
  }
  machine = machine.restart(run.seed + 9);
  const after = await open(run.seed + 5).catch((error: unknown) => {
    const refused = isArchiveError(error, 'DATA_FOREIGN') || isArchiveError(error, 'PACK_NEWER');
    if (!refused || !silentKinds.has(run.kind)) throw error;
    return undefined;
  });
  if (after === undefined) {
    // The disk's own identity was hit: the disk is refused, and the others have everything.
    machine.disks.shift();
    if (run.disks > 1) {
      const without = await open(run.seed + 5);
      await ledger.check(without);
      await without.vault.close();
    }
    await database.close();
    return met;
  }
  if (!silentKinds.has(run.kind)) {
    assert.deepEqual(after.report?.losses, [], 'no loss is reported where none was');
    assert.deepEqual(after.report?.unreadable, [], 'no pack is unreadable');
  }
  // With one disk that lies there is nothing to keep a promise with; what must hold is that nobody is told a lie.
  if (run.disks > 1 || !silentKinds.has(run.kind)) {
    await ledger.check(after);
    await after.badCopies();
    const reports = await after.repair();
    assert.deepEqual(
      reports.filter((report) => report.outcome !== 'mended'),
      [],
      'repair mends all',
    );
    assert.deepEqual(await after.badCopies(), [], 'every copy is good');
    await ledger.check(after);
  }
  await after.vault.close();
  await database.close();
  return met;
}

/** Runs what a failing disk may refuse; the refusal must make sense. */
async function tolerate<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isArchiveError(error)) throw error;
    assert.ok(sensibleCodes.has(error.code), `${error.code} tells of a disk: ${error.message}`);
    return undefined;
  }
}

/** Fails one step after another, once and from then on, until a life passes untouched. How many lives that took. */
export async function sweepFaults(options: {
  readonly seed: number;
  readonly disks: number;
  readonly kind: SimFaultKind;
  readonly first: number;
  readonly stride: number;
}): Promise<number> {
  const { seed, disks, kind } = options;
  let runs = 0;
  for (const persistent of kind === 'short' ? [false] : [false, true]) {
    for (let step = options.first; ; step += options.stride) {
      runs += 1;
      try {
        if (!(await runWithFault({ seed, disks, kind, persistent, step }))) break;
      } catch (cause) {
        const how = persistent ? 'from then on' : 'once';
        throw new Error(`seed ${seed}: ${kind} at step ${step} of one of ${disks} disks, ${how}`, { cause });
      }
    }
  }
  return runs;
}
