// The atlas of losses over two copies: within what the copies allow, everything is mended; beyond it, the loss is told exactly, record by record,
// and all else stays readable.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PackId, recordIdText, SeededRandom } from '../../src/base/index.ts';
import type { SimDisk } from '../../src/disk/index.ts';
import type { IndexRow } from '../../src/format/index.ts';
import { type Run, sealedPath } from '../../src/vault/index.ts';
import { Ledger, SimArchive } from '../sim/sim-archive.ts';
import { SimDatabase } from '../sim/sim-database.ts';
import { SimMachine } from '../sim/sim-machine.ts';

type Atlas = {
  readonly archive: SimArchive;
  readonly ledger: Ledger;
  readonly disks: readonly [SimDisk, SimDisk];
  readonly pack: PackId;
  readonly rows: readonly IndexRow[];
  readonly random: SeededRandom;
};

/** One sealed pack on two disks: twelve contents of three records each. */
async function makeAtlas(seed: number): Promise<Atlas> {
  const machine = SimMachine.make({ disks: 2, seed });
  const random = new SeededRandom(seed);
  const ledger = new Ledger();
  const archive = await SimArchive.open({
    disks: machine.disks,
    database: await SimDatabase.make(),
    seed,
    limits: { indexPagesMax: 1 },
  });
  for (let number = 0; number < 12; number += 1) {
    const parts = number % 2 === 0 ? [random.bytes(3000)] : [random.bytes(2000), random.bytes(900)];
    await ledger.store(archive, `content ${number}`, parts);
  }
  await archive.vault.sealOpen('all');
  const [pack] = await archive.packs();
  assert.ok(pack !== undefined);
  const rows: IndexRow[] = [];
  for await (const row of archive.vault.care.rowsOf(pack)) rows.push(row);
  return { archive, ledger, disks: machine.disks as unknown as readonly [SimDisk, SimDisk], pack, rows, random };
}

function idsOf(runs: readonly Run[]): string[] {
  const ids: string[] = [];
  for (const { writer, first, last } of runs)
    for (let sequence = first; sequence <= last; sequence += 1n) ids.push(recordIdText({ writer, sequence }));
  return ids;
}

/** Rots this record on this disk: a bit of head or body, or a sector that cannot be read. */
function rot(atlas: Atlas, disk: 0 | 1, row: IndexRow): void {
  const path = sealedPath(atlas.pack);
  const way = atlas.random.below(3);
  const at = way === 0 ? atlas.random.below(128) : atlas.random.below(row.sizeBytes);
  atlas.disks[disk].flipBit(path, row.offset + at);
  atlas.disks[disk].dropCache();
}

test('records rotten on either disk, but none on both, are all mended', async () => {
  for (let seed = 1; seed <= 12; seed += 1) {
    const atlas = await makeAtlas(seed);
    const { archive, rows } = atlas;
    for (const row of rows) {
      const side = atlas.random.below(4);
      if (side < 2) rot(atlas, side as 0 | 1, row);
    }
    // Header, locator and footers too, each on one disk.
    const path = sealedPath(atlas.pack);
    const sizeBytes = atlas.disks[0].mediaBytes(path).byteLength;
    atlas.disks[seed % 2 === 0 ? 0 : 1].flipBit(path, atlas.random.below(4096));
    atlas.disks[seed % 3 === 0 ? 0 : 1].flipBit(path, sizeBytes - 1 - atlas.random.below(4096));
    for (const disk of atlas.disks) disk.dropCache();
    assert.notDeepEqual(await archive.badCopies(), [], `seed ${seed}: rot is found`);
    const reports = await archive.repair();
    assert.deepEqual(
      reports.filter((report) => report.outcome !== 'mended'),
      [],
      `seed ${seed}`,
    );
    assert.deepEqual(await archive.badCopies(), [], `seed ${seed}: all is good again`);
    await atlas.ledger.check(archive);
    await archive.vault.close();
  }
});

test('reading mends what it meets, from the other disk, and says so', async () => {
  const atlas = await makeAtlas(31);
  const chunks = atlas.rows.filter((row) => row.kind === 1);
  for (const [number, row] of chunks.entries()) rot(atlas, number % 2 === 0 ? 0 : 1, row);
  await atlas.ledger.check(atlas.archive);
  const mended = atlas.archive.events.filter((event) => event.kind === 'bad-copy' && event.mended).length;
  assert.ok(mended > 0 && mended <= chunks.length);
  await atlas.archive.vault.close();
});

test('a record rotten on both disks is lost by name, and nothing else is', async () => {
  for (let seed = 41; seed <= 50; seed += 1) {
    const atlas = await makeAtlas(seed);
    const { archive, rows, ledger } = atlas;
    const lost = rows.filter((row) => row.kind === 1 && atlas.random.below(5) === 0);
    for (const row of lost) {
      rot(atlas, 0, row);
      rot(atlas, 1, row);
    }
    await archive.badCopies();
    const reports = await archive.repair();
    const named = new Set(reports.flatMap((report) => idsOf(report.lost)));
    assert.deepEqual([...named].sort(), lost.map((row) => recordIdText(row.id)).sort(), `seed ${seed}`);
    let gone = 0;
    for (const [name, stored] of await archive.known()) {
      try {
        const bytes = await archive.load(stored);
        assert.ok(Buffer.from(ledger.contents.get(name) as Uint8Array).equals(bytes));
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'RECORD_LOST', `${name}: ${String(error)}`);
        gone += 1;
      }
    }
    assert.ok(
      gone <= lost.length && (lost.length === 0) === (gone === 0),
      `seed ${seed}: no more is lost than was rotten`,
    );
    await archive.vault.close();
  }
});

test('a record that is lost on both disks does not keep the others from being mended', async () => {
  const atlas = await makeAtlas(71);
  const { archive, rows, ledger } = atlas;
  const [first, second, third] = rows.filter((row) => row.kind === 1);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  for (const disk of [0, 1] as const) rot(atlas, disk, first);
  rot(atlas, 0, second);
  rot(atlas, 1, third);
  await archive.badCopies();
  await archive.repair();
  await archive.vault.close();
  // Either disk alone now has all but the one record.
  const lost = new Set<string>();
  for (const disk of atlas.disks) {
    const alone = await SimArchive.open({
      disks: [disk],
      database: await SimDatabase.make(),
      seed: 72,
      everything: true,
    });
    for (const [name, stored] of await alone.known()) {
      const bytes = await alone.load(stored).catch(() => undefined);
      if (bytes === undefined) lost.add(name);
      else assert.ok(Buffer.from(ledger.contents.get(name) as Uint8Array).equals(bytes));
    }
    await alone.vault.close();
  }
  assert.equal(lost.size, 1);
});

test('with both copies of a pack gone, the footer still names every record that is lost', async () => {
  const atlas = await makeAtlas(61);
  for (const disk of atlas.disks) await disk.remove(sealedPath(atlas.pack));
  await atlas.archive.badCopies();
  const reports = await atlas.archive.repair();
  const lost = reports.find((report) => report.outcome === 'lost');
  assert.deepEqual(idsOf(lost?.lost ?? []).sort(), atlas.rows.map((row) => recordIdText(row.id)).sort());
  await atlas.archive.vault.close();
});
