// Decades in seconds: the wall clock jumps both ways between starts and while running, and the order of records never does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  HybridClock,
  hybridMs,
  ManualClock,
  parseRecordIdText,
  type RecordId,
  SeededRandom,
} from '../../src/base/index.ts';
import { SimArchive } from '../sim/sim-archive.ts';
import { SimDatabase } from '../sim/sim-database.ts';
import { SimMachine } from '../sim/sim-machine.ts';

const yearMs = 365 * 24 * 3600 * 1000;

async function timeOf(archive: SimArchive, name: string): Promise<bigint> {
  const stored = (await archive.known()).get(name);
  const id = parseRecordIdText(stored?.ref ?? '');
  assert.ok(id !== undefined);
  return (await archive.vault.read(id as RecordId)).head.hybrid;
}

test('thirty years of starts with a clock that jumps: later content has the later time, and all of it is read', async () => {
  let machine = SimMachine.make({ disks: 1, seed: 1 });
  const random = new SeededRandom(1);
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  let database = await SimDatabase.make();
  let before = 0n;
  for (let year = 0; year < 30; year += 1) {
    const everything = year % 5 === 4;
    if (everything) {
      await database.close();
      database = await SimDatabase.make();
    }
    const archive = await SimArchive.open({ disks: machine.disks, database, seed: year + 1, clock, everything });
    for (let turn = 0; turn < 3; turn += 1) {
      await archive.store(`${year}/${turn}`, [random.bytes(100)]);
      const time = await timeOf(archive, `${year}/${turn}`);
      assert.ok(time > before, `year ${year}: order is kept`);
      before = time;
      clock.jumpTo(clock.nowMs() + (random.below(5) - 2) * 1000);
    }
    for (const stored of (await archive.known()).values()) await archive.load(stored);
    await archive.vault.close({ seal: year % 2 === 0 });
    machine = machine.restart(year);
    // A year goes by; every third time somebody sets the clock back by two.
    clock.jumpTo(clock.nowMs() + (year % 3 === 2 ? -2 : 1) * yearMs);
  }
  await database.close();
});

test('packs dated ahead of the clock are told, so that an operator decides before anything is written', async () => {
  const machine = SimMachine.make({ disks: 1, seed: 2 });
  const future = new ManualClock(Date.UTC(2056, 0, 1));
  const first = await SimArchive.open({
    disks: machine.disks,
    database: await SimDatabase.make(),
    seed: 1,
    clock: future,
  });
  await first.store('from the future', [new Uint8Array(10)]);
  await first.vault.close();
  const now = new ManualClock(Date.UTC(2026, 0, 1));
  const second = await SimArchive.open({
    disks: machine.restart(1).disks,
    database: await SimDatabase.make(),
    seed: 2,
    clock: now,
  });
  const greatest = second.report?.hybridGreatest ?? 0n;
  assert.ok(hybridMs(greatest) >= Date.UTC(2056, 0, 1));
  const kept = hybridMs(await second.vault.register.hybridGreatest());
  assert.ok(kept >= Date.UTC(2056, 0, 1), 'also at the start after, when no tail is left');
  assert.throws(() => new HybridClock(now).observe(greatest), { code: 'CLOCK_AHEAD' });
  await second.vault.close();
});

test('a pack is sealed by its age on the clock that only goes forward', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const machine = SimMachine.make({ disks: 1, seed: 3 });
  const limits = { packAgeMsMax: 60_000 };
  const archive = await SimArchive.open({
    disks: machine.disks,
    database: await SimDatabase.make(),
    seed: 1,
    clock,
    limits,
  });
  await archive.store('one', [new Uint8Array(10)]);
  clock.jumpTo(clock.nowMs() + yearMs);
  await archive.vault.sealOpen('old');
  assert.equal((await archive.packs()).length, 0, 'a wall clock that jumps seals nothing');
  clock.advance(60_000);
  await archive.vault.sealOpen('old');
  assert.equal((await archive.packs()).length, 1);
  await archive.vault.close();
});
