// A random life of a vault against a ledger of what was promised: puts, reads, seals, power cuts, restarts, older databases, a disk that goes
// and comes back as it was, rot on one medium, verification, repair, release. One seed, one life.
//
// Invariants: at most one disk is away or rotten at a time, and repair ends before the next is touched: that is the budget of two copies. Within it
// nothing acknowledged is ever unreadable and no loss is ever reported. Time jumps in both directions between starts.

import assert from 'node:assert/strict';
import { ManualClock, SeededRandom } from '../../src/base/index.ts';
import { openFolder } from '../../src/vault/index.ts';
import { Ledger, SimArchive } from './sim-archive.ts';
import { SimDatabase, type SimSnapshot } from './sim-database.ts';
import { SimMachine } from './sim-machine.ts';

export type LifeReport = {
  readonly seed: number;
  readonly steps: number;
  readonly acts: Map<string, number>;
  readonly stored: number;
};

const disks = 2;
const limits = {
  packBytesMax: 256 * 1024,
  groupBytesMax: 64 * 1024,
  readAheadMax: 2,
  readFilesMax: 3,
  indexPagesMax: 2,
};

export class RandomLife {
  readonly acts = new Map<string, number>();
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #ledger = new Ledger();
  readonly #clock = new ManualClock(Date.UTC(2026, 0, 1));
  readonly #trace: string[] = [];
  #machine: SimMachine;
  #database: SimDatabase | undefined;
  #archive: SimArchive | undefined;
  #older: SimSnapshot | undefined;
  #away: number | undefined;
  /** Every pack has two good copies, as far as anybody was told. */
  #isWhole = true;
  #count = 0;
  #starts = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new SeededRandom(seed);
    this.#machine = SimMachine.make({ disks, seed, turnsMax: 1 + (seed % 4) });
  }

  /** Lives for so many acts; throws an Error that tells the seed and the last acts when a promise is broken. */
  async live(acts: number): Promise<LifeReport> {
    try {
      this.#database = await SimDatabase.make();
      await this.#open(false);
      for (let act = 0; act < acts; act += 1) await this.#act();
      await this.#bringBack();
      await this.#repair();
      assert.deepEqual(await this.#one().badCopies(), [], 'every copy is good at the end');
      await this.#ledger.check(this.#one());
      await this.#one().vault.close({ seal: true });
      for (const disk of this.#machine.disks) assert.deepEqual(await disk.list(openFolder), []);
      await this.#database.close();
    } catch (cause) {
      throw new Error(`seed ${this.#seed} after: ${this.#trace.slice(-25).join(' ')}`, { cause });
    }
    const stored = this.#ledger.acknowledged.size;
    return { seed: this.#seed, steps: this.#machine.steps, acts: this.acts, stored };
  }

  /** The disks at the end, for readers other than ours. */
  get machine(): SimMachine {
    return this.#machine;
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  #one(): SimArchive {
    assert.ok(this.#archive !== undefined);
    return this.#archive;
  }

  #data(): SimDatabase {
    assert.ok(this.#database !== undefined);
    return this.#database;
  }

  async #open(everything: boolean): Promise<void> {
    this.#starts += 1;
    this.#clock.jumpTo(this.#clock.nowMs() + (this.#random.below(7) - 3) * 20_000);
    const away = this.#away;
    this.#archive = await SimArchive.open({
      disks: this.#machine.disks.filter((_, disk) => disk !== away),
      database: this.#data(),
      seed: this.#seed * 100_003 + this.#starts,
      everything,
      limits,
      clock: this.#clock,
      storage: { copies: disks, whenFewer: 'accept' },
    });
    assert.deepEqual(this.#archive.report?.losses, [], 'no loss is reported where none was');
    assert.deepEqual(this.#archive.report?.unreadable, [], 'no pack is unreadable');
  }

  async #act(): Promise<void> {
    const table: [number, string, () => Promise<void>][] = [
      [30, 'put', () => this.#put()],
      [8, 'puts', async () => void (await Promise.all([this.#put(), this.#put(), this.#put()]))],
      [14, 'get', () => this.#get()],
      [8, 'seal', () => this.#one().vault.sealOpen('all')],
      [8, 'cut', () => this.#cut()],
      [5, 'restart', () => this.#restart()],
      [4, 'settle', () => this.#settle()],
      [4, 'remember', () => this.#remember()],
      [3, 'lose', () => this.#lose()],
      [4, 'return', () => this.#bringBack()],
      [4, 'rot', () => this.#rot()],
      [3, 'verify', async () => void (await this.#one().badCopies())],
      [3, 'repair', () => this.#repair()],
      [3, 'check', () => this.#ledger.check(this.#one())],
    ];
    const sum = table.reduce((total, [weight]) => total + weight, 0);
    let draw = this.#random.below(sum);
    for (const [weight, name, act] of table) {
      draw -= weight;
      if (draw >= 0) continue;
      this.#trace.push(name);
      this.acts.set(name, (this.acts.get(name) ?? 0) + 1);
      await act();
      return;
    }
  }

  async #put(): Promise<void> {
    this.#count += 1;
    const name = `content ${this.#count}`;
    const parts = Array.from({ length: this.#random.below(4) }, () =>
      this.#random.bytes(1 + this.#random.below(30_000)),
    );
    await this.#ledger.store(this.#one(), name, parts);
  }

  async #get(): Promise<void> {
    const names = [...this.#ledger.acknowledged];
    const name = names[this.#random.below(names.length)];
    if (name === undefined) return;
    const stored = (await this.#one().known()).get(name);
    const bytes = this.#ledger.contents.get(name);
    assert.ok(stored !== undefined && bytes !== undefined, `${name} is known`);
    const from = this.#random.below(bytes.byteLength + 1);
    const to = from + this.#random.below(bytes.byteLength - from + 1);
    const found = await this.#one().load(stored, from, to);
    assert.ok(Buffer.from(bytes.subarray(from, to)).equals(found), `${name} from ${from} to ${to} is what was stored`);
  }

  /** Power goes while work is under way; then the database is found in one of the states it may be in. */
  async #cut(): Promise<void> {
    this.#machine.crashAt = this.#machine.steps + 1 + this.#random.below(90);
    await this.#untilCrash(async () => {
      await Promise.all([this.#put(), this.#put()]);
      await this.#one().vault.sealOpen('all');
      await this.#settle();
      await this.#put();
    });
    await this.#afterCut();
    // Recovery may be cut off as well.
    for (let again = 0; again < 3 && this.#random.below(3) === 0; again += 1) {
      this.#trace.push('cut-recovery');
      this.#machine.crashAt = this.#machine.steps + 1 + this.#random.below(60);
      const everything = this.#random.below(2) === 0;
      await this.#untilCrash(() => this.#open(everything || this.#mustLook));
      await this.#afterCut();
    }
    await this.#open(this.#mustLook || this.#random.below(4) === 0);
    this.#mustLook = false;
    this.#isWhole = false;
  }

  /** The database is older than a checkpoint, so all disks are looked at until a start has done so. */
  #mustLook = false;

  async #untilCrash(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#machine.crashed) throw error;
    }
    if (!this.#machine.crashed) this.#machine.crash();
  }

  async #afterCut(): Promise<void> {
    const old = this.#data();
    const state =
      (['committed', 'durable', 'durable', 'missing', 'older'] as const)[this.#random.below(5)] ?? 'durable';
    this.#trace.push(`(${state})`);
    this.#mustLook ||= state === 'missing' || state === 'older';
    if (state === 'committed' || state === 'durable') {
      const left = old.snapshot(state);
      this.#database = await left.open();
      left.drop();
    } else if (state === 'older' && this.#older !== undefined) {
      this.#database = await this.#older.open();
    } else {
      this.#database = await SimDatabase.make();
    }
    await old.close();
    this.#machine = this.#machine.reboot('random', this.#random.u32());
  }

  async #restart(): Promise<void> {
    await this.#one().vault.close({ seal: this.#random.below(2) === 0 });
    this.#machine = this.#machine.restart(this.#random.u32());
    await this.#open(this.#random.below(4) === 0);
  }

  async #remember(): Promise<void> {
    this.#older?.drop();
    this.#older = this.#data().snapshot('committed');
  }

  async #settle(): Promise<void> {
    const archive = this.#one();
    const oldest = (await archive.vault.register.packsAfter(undefined, 1, 'ingest'))[0];
    if (oldest !== undefined) await archive.settle(oldest.pack);
  }

  async #lose(): Promise<void> {
    if (this.#away !== undefined) return;
    await this.#repair();
    await this.#one().vault.close();
    this.#away = this.#random.below(disks);
    await this.#open(this.#random.below(4) === 0);
  }

  async #bringBack(): Promise<void> {
    if (this.#away === undefined) return;
    await this.#one().vault.close();
    this.#away = undefined;
    await this.#open(this.#random.below(2) === 0);
    this.#isWhole = false;
    await this.#repair();
  }

  /** A few bits of one disk's sealed packs and footers; the cache that hid them is dropped. */
  async #rot(): Promise<void> {
    if (this.#away !== undefined) return;
    await this.#repair();
    const disk = this.#machine.disks[this.#random.below(disks)];
    assert.ok(disk !== undefined);
    const files = disk.paths().filter((path) => path.startsWith('packs/') || path.startsWith('footers/'));
    for (let flips = this.#random.below(6); flips > 0 && files.length > 0; flips -= 1) {
      const path = files[this.#random.below(files.length)] as string;
      const sizeBytes = disk.mediaBytes(path).byteLength;
      if (this.#random.below(4) === 0) disk.makeUnreadable(path, this.#random.below(sizeBytes));
      else disk.flipBit(path, this.#random.below(Math.min(sizeBytes, 60_000)));
    }
    disk.dropCache();
    this.#isWhole = false;
  }

  async #repair(): Promise<void> {
    if (this.#away !== undefined || this.#isWhole) return;
    const archive = this.#one();
    await archive.vault.sealOpen('all');
    await archive.badCopies();
    const reports = await archive.repair();
    assert.deepEqual(
      reports.filter((report) => report.outcome !== 'mended'),
      [],
      'repair mends all',
    );
    this.#isWhole = true;
  }
}
