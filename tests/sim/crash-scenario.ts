// A life of a vault that is cut off at every step: content is put, sealed, settled and let go, a mirror is lost and made again.
//
// Invariants checked after each cut, in every state the disks and the database may be found in: acknowledged => readable and identical;
// unacknowledged => absent or whole; no loss reported; a second recovery finds nothing to do; repair makes every copy that was asked for,
// verification finds all of them good, and then any one disk may go.

import assert from 'node:assert/strict';
import { SeededRandom } from '../../src/base/index.ts';
import { openFolder } from '../../src/vault/index.ts';
import { Ledger, SimArchive } from './sim-archive.ts';
import { SimDatabase, type SimSnapshot } from './sim-database.ts';
import { SimMachine } from './sim-machine.ts';

export type LifeOptions = {
  readonly seed: number;
  readonly disks: number;
  readonly cipher?: number;
  readonly turnsMax?: number;
};

/** How a life's database is found after the cut. */
export const databaseStates = ['committed', 'durable', 'missing', 'older', 'ahead'] as const;
export type DatabaseState = (typeof databaseStates)[number];

export type Cut = {
  readonly machine: SimMachine;
  readonly ledger: Ledger;
  readonly committed: SimSnapshot;
  readonly durable: SimSnapshot;
  readonly older: SimSnapshot;
  /** A file was taken away behind the vault's back, so verification has something to find. */
  readonly damaged: boolean;
};

const limits = { packBytesMax: 512 * 1024, groupBytesMax: 64 * 1024, readAheadMax: 2 };

/** Runs a life up to the step, or to its end. */
export async function live(options: LifeOptions, crashAt = Number.POSITIVE_INFINITY): Promise<Cut> {
  const random = new SeededRandom(options.seed);
  const machine = SimMachine.make({ disks: options.disks, seed: options.seed, turnsMax: options.turnsMax ?? 1 });
  machine.crashAt = crashAt;
  const database = await SimDatabase.make();
  const ledger = new Ledger();
  let older = database.snapshot('committed');
  const notes = { damaged: false };
  const stages = stagesOf(machine, database, ledger, random, options, notes);
  try {
    for (const [number, stage] of stages.entries()) {
      await stage();
      if (number !== 1) continue;
      older.drop();
      older = database.snapshot('committed');
    }
  } catch (error) {
    if (!machine.crashed) throw error;
  }
  const committed = database.snapshot('committed');
  const durable = database.snapshot('durable');
  await database.close();
  return { machine, ledger, committed, durable, older, ...notes };
}

function stagesOf(
  machine: SimMachine,
  database: SimDatabase,
  ledger: Ledger,
  random: SeededRandom,
  options: LifeOptions,
  notes: { damaged: boolean },
): (() => Promise<void>)[] {
  let archive: SimArchive | undefined;
  const open = async (seed: number): Promise<SimArchive> =>
    SimArchive.open({ disks: machine.disks, database, seed, limits, cipher: options.cipher ?? 1 });
  const one = (): SimArchive => {
    assert.ok(archive !== undefined);
    return archive;
  };
  return [
    async () => {
      archive = await open(options.seed + 1);
      await ledger.store(archive, 'small', [random.bytes(300)]);
    },
    async () => {
      await Promise.all([
        ledger.store(one(), 'chunks', [random.bytes(5000), random.bytes(9000), random.bytes(70)]),
        ledger.store(one(), 'empty', []),
        ledger.store(one(), 'beside', [new Uint8Array(20_000)]),
      ]);
    },
    async () => one().vault.sealOpen('all'),
    async () => {
      await ledger.store(one(), 'second', [random.bytes(1000)]);
      const [first] = await one().packs();
      assert.ok(first !== undefined);
      await one().settle(first);
    },
    async () => {
      await ledger.store(one(), 'third', [random.bytes(100), random.bytes(200)]);
      await one().vault.close();
      archive = await open(options.seed + 2);
      await ledger.store(one(), 'after a start', [random.bytes(2000)]);
    },
    async () => {
      // A mirror's pack is gone, as after a hand that slipped; repair makes it again.
      const last = (await one().packs()).at(-1);
      assert.ok(last !== undefined);
      if (options.disks > 1) {
        notes.damaged = true;
        await machine.disks[0]?.remove(`packs/${last.slice(0, 2)}/${last}.pack`);
        assert.notDeepEqual(await one().badCopies(), []);
      }
      await one().repair();
      await ledger.store(one(), 'last', [random.bytes(50)]);
      await one().vault.close({ seal: true });
    },
  ];
}

export type AfterOptions = {
  readonly cut: Cut;
  readonly life: LifeOptions;
  readonly state: DatabaseState;
  readonly survive: 'none' | 'all' | 'random';
  readonly seed: number;
  /** The database at the end of the same life without a cut. */
  readonly ahead: SimSnapshot;
  /** Recovery itself is cut off at these of its steps, one after another, and begun anew. */
  readonly recoverCuts?: readonly number[];
};

async function databaseOf(options: AfterOptions): Promise<SimDatabase> {
  const { cut, state, ahead } = options;
  switch (state) {
    case 'missing':
      return SimDatabase.make();
    case 'ahead':
      return ahead.open();
    default:
      return cut[state].open();
  }
}

/** Starts the cut-off machine in one state and checks every promise. Gives the steps that recovery took. */
export async function checkAfter(options: AfterOptions): Promise<number> {
  const { cut, life, state, seed } = options;
  const everything = state === 'missing' || state === 'older' || state === 'ahead';
  const cipher = life.cipher ?? 1;
  let machine = cut.machine.reboot(options.survive, seed);
  let database = await databaseOf(options);
  let starts = 0;
  const open = async (
    on: SimMachine,
    more: { everything?: boolean; disks?: SimMachine['disks'] } = {},
  ): Promise<SimArchive> => {
    starts += 1;
    const disks = more.disks ?? on.disks;
    const storage = { copies: life.disks, whenFewer: 'accept' } as const;
    return SimArchive.open({
      disks,
      database,
      seed: seed * 131 + starts * 7 + 3,
      limits,
      cipher,
      storage,
      everything: more.everything ?? everything,
    });
  };
  for (const step of options.recoverCuts ?? []) {
    machine.crashAt = step;
    const done = await open(machine).then(
      () => true,
      (error: unknown) => {
        if (!machine.crashed) throw error;
        return false;
      },
    );
    if (done && !machine.crashed) machine.crash();
    const left = database.snapshot(step % 2 === 0 ? 'committed' : 'durable');
    await database.close();
    machine = machine.reboot('random', seed + step);
    database = await left.open();
    left.drop();
  }
  const first = await open(machine);
  const steps = machine.steps;
  await checkWhole(first, cut.ledger, state);
  await first.vault.close();

  // Found in order: nothing to do, nothing to say, nothing written.
  let writes = 0;
  machine.onStep = (step) => {
    if (['write', 'truncate', 'entry'].includes(step.kind)) writes += 1;
  };
  const second = await open(machine, { everything: false });
  assert.equal(second.report?.packCount, 0, 'a second recovery finds no pack to seal');
  assert.equal(second.report?.factCount, 0, 'a second recovery finds no fact to hand on');
  assert.equal(writes, 0, 'a second recovery writes nothing');
  machine.onStep = undefined;
  for (const disk of machine.disks) assert.deepEqual(await disk.list(openFolder), [], 'the open folder is empty');
  await checkWhole(second, cut.ledger, state);
  if (state !== 'ahead') {
    const found = await second.badCopies();
    if (!cut.damaged) assert.deepEqual(found, [], 'verification finds nothing wrong');
    const reports = await second.repair();
    assert.deepEqual(
      reports.filter((report) => report.outcome !== 'mended'),
      [],
      'repair mends all',
    );
    assert.deepEqual(await second.badCopies(), [], 'every copy is good');
    for (const pack of await second.packs()) {
      const good = (await second.vault.register.placementsOf(pack)).filter(
        (each) => each.kind === 'pack' && each.state === 'good',
      );
      assert.equal(good.length, life.disks, 'every pack has the copies that were asked for');
    }
  }
  await second.vault.close();
  machine.crash();
  if (state !== 'ahead') {
    for (let lost = 0; lost < life.disks && life.disks > 1; lost += 1) {
      const left = machine.reboot('none', seed + lost);
      const alone = await open(left, { everything: false, disks: left.disks.filter((_, disk) => disk !== lost) });
      await cut.ledger.check(alone);
      await alone.vault.close();
    }
  }
  await database.close();
  return steps;
}

async function checkWhole(archive: SimArchive, ledger: Ledger, state: DatabaseState): Promise<void> {
  assert.deepEqual(archive.report?.losses, [], 'no loss is reported where none was');
  assert.deepEqual(archive.report?.unreadable, [], 'no pack is unreadable');
  if (state !== 'ahead') return ledger.check(archive);
  // What the database knows beyond the packs was never promised at the time of the cut; what was, is there.
  const known = await archive.known();
  for (const name of ledger.acknowledged) {
    const stored = known.get(name);
    const bytes = ledger.contents.get(name);
    assert.ok(stored !== undefined && bytes !== undefined, `${name} was acknowledged and is not known`);
    assert.ok(Buffer.from(bytes).equals(await archive.load(stored)), `${name} comes back as it went in`);
  }
}

/** The state a cut was checked in, for whoever must replay it. */
export function describeCut(options: {
  seed: number;
  step: number;
  steps: number;
  state: string;
  survive: string;
}): string {
  return `seed ${options.seed}, cut at step ${options.step} of ${options.steps}, database ${options.state}, ${options.survive} of the unsynced survives`;
}
