// One bit flipped anywhere in a sealed pack: every 4 KiB of it, every byte of the fields of its header and locator, and closely through its footer.
//
// With a second copy nothing is lost, the one bad copy is named, and repair makes it the same to the byte. With one copy, and the database made again from
// that pack alone, a flip costs at most the one record that it hits, and never the start.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PackId, SeededRandom } from '../../src/base/index.ts';
import type { SimDisk } from '../../src/disk/index.ts';
import { blockSizeBytes, decodeLocator, type IndexRow, type Locator } from '../../src/format/index.ts';
import { sealedPath } from '../../src/vault/index.ts';
import { Ledger, SimArchive } from '../sim/sim-archive.ts';
import { SimDatabase, type SimSnapshot } from '../sim/sim-database.ts';
import { SimMachine } from '../sim/sim-machine.ts';

type Sealed = {
  readonly machine: SimMachine;
  readonly ledger: Ledger;
  readonly database: SimSnapshot;
  readonly pack: PackId;
  readonly rows: readonly IndexRow[];
  readonly locator: Locator;
  readonly sizeBytes: number;
};

/** One sealed pack with contents of one record and of several. */
async function sealOne(disks: number, seed: number): Promise<Sealed> {
  const machine = SimMachine.make({ disks, seed });
  const random = new SeededRandom(seed);
  const ledger = new Ledger();
  const database = await SimDatabase.make();
  const archive = await SimArchive.open({ disks: machine.disks, database, seed });
  for (let number = 0; number < 14; number += 1) {
    const parts = number % 3 === 0 ? [random.bytes(60_000), random.bytes(9000)] : [random.bytes(4000 + number * 700)];
    await ledger.store(archive, `content ${number}`, parts);
  }
  await archive.vault.sealOpen('all');
  const [pack] = await archive.packs();
  assert.ok(pack !== undefined);
  const rows: IndexRow[] = [];
  for await (const row of archive.vault.care.rowsOf(pack)) rows.push(row);
  await archive.vault.close();
  const snapshot = database.snapshot('committed');
  await database.close();
  const bytes = (machine.disks[0] as SimDisk).mediaBytes(sealedPath(pack));
  const locator = decodeLocator(bytes.slice(bytes.byteLength - blockSizeBytes));
  assert.ok(locator !== undefined);
  return { machine, ledger, database: snapshot, pack, rows, locator, sizeBytes: bytes.byteLength };
}

function placesOf({ sizeBytes, locator }: Sealed, random: SeededRandom): number[] {
  const places: number[] = [];
  for (let block = 0; block < sizeBytes; block += blockSizeBytes) places.push(block + random.below(blockSizeBytes));
  // Fields stand at the beginning of header and locator, the checksum at the end; between them are zeros.
  for (let byte = 0; byte < blockSizeBytes; byte += byte < 320 || byte >= blockSizeBytes - 8 ? 1 : 8)
    places.push(byte, sizeBytes - blockSizeBytes + byte);
  const footerEnd = locator.footerOffset + locator.footerSizeBytes;
  for (let byte = locator.footerOffset; byte < footerEnd; byte += 1 + random.below(64)) places.push(byte);
  return places;
}

/** A part of the places in each test, so that several run side by side. */
const shares = 4;

for (let share = 0; share < shares; share += 1) {
  test(`two copies: a flipped bit is found, nothing is lost, and repair makes the copy whole (${share + 1} of ${shares})`, async () => {
    const sealed = await sealOne(2, 3);
    const random = new SeededRandom(share);
    const path = sealedPath(sealed.pack);
    const whole = Buffer.from((sealed.machine.disks[0] as SimDisk).mediaBytes(path));
    for (const [number, place] of placesOf(sealed, new SeededRandom(1)).entries()) {
      if (number % shares !== share) continue;
      const said = `a flip at ${place}`;
      const machine = sealed.machine.reboot('none', number);
      const disk = machine.disks[0] as SimDisk;
      disk.flipBit(path, place, random.below(8));
      const database = await sealed.database.open();
      const archive = await SimArchive.open({ disks: machine.disks, database, seed: number });
      await sealed.ledger.check(archive);
      const bad = await archive.badCopies();
      // Reading may have mended what it met already.
      assert.ok(bad.length <= 1, `${said}: ${bad.join(' ')}`);
      const mended = archive.events.some((event) => event.kind === 'bad-copy' && event.mended);
      assert.ok(bad.length === 1 || mended, `${said} is found`);
      await archive.repair();
      assert.deepEqual(await archive.badCopies(), [], said);
      assert.ok(whole.equals(disk.mediaBytes(path)), `${said}: whole again`);
      await archive.vault.close();
      await database.close();
    }
    sealed.database.drop();
  });

  test(`one copy: a flipped bit costs the record that it hits at most, also when the database is gone (${share + 1} of ${shares})`, async () => {
    const sealed = await sealOne(1, 4);
    const random = new SeededRandom(share);
    const path = sealedPath(sealed.pack);
    for (const [number, place] of placesOf(sealed, new SeededRandom(2)).entries()) {
      if (number % shares !== share) continue;
      const machine = sealed.machine.reboot('none', number);
      const disk = machine.disks[0] as SimDisk;
      disk.flipBit(path, place, random.below(8));
      const isContent = sealed.rows.some(
        (row) => row.kind <= 2 && place >= row.offset && place < row.offset + row.sizeBytes,
      );
      await checkAlone(sealed, machine, { number, said: `a flip at ${place}`, lostMax: isContent ? 1 : 0 });
    }
    sealed.database.drop();
  });
}

async function checkAlone(
  { ledger }: Sealed,
  machine: SimMachine,
  { number, said, lostMax }: { number: number; said: string; lostMax: number },
): Promise<void> {
  const database = await SimDatabase.make();
  try {
    const archive = await SimArchive.open({
      disks: machine.disks,
      database,
      seed: number,
      everything: true,
      fromMedia: true,
    });
    assert.deepEqual(archive.report?.unreadable, [], said);
    const known = await archive.known();
    let lost = 0;
    for (const name of ledger.acknowledged) {
      const stored = known.get(name);
      assert.ok(stored !== undefined, `${said}: ${name} is known`);
      try {
        const bytes = await archive.load(stored);
        assert.ok(Buffer.from(ledger.contents.get(name) as Uint8Array).equals(bytes), `${said}: ${name}`);
      } catch (error) {
        const { code } = error as { code?: string };
        assert.ok(code === 'RECORD_LOST' || code === 'RECORD_UNKNOWN', `${said}: ${name}: ${String(error)}`);
        lost += 1;
      }
    }
    assert.ok(lost <= lostMax, `${said}: ${lost} contents are lost`);
    await archive.vault.close();
  } finally {
    await database.close();
  }
}

test('a pack cut short anywhere gives back all that lies before the cut', async () => {
  const sealed = await sealOne(1, 5);
  const path = sealedPath(sealed.pack);
  for (let cut = 0; cut < sealed.sizeBytes; cut += 3 * blockSizeBytes + 1000) {
    const machine = sealed.machine.reboot('none', cut);
    (machine.disks[0] as SimDisk).truncateMedia(path, cut);
    const database = await SimDatabase.make();
    const archive = await SimArchive.open({
      disks: machine.disks,
      database,
      seed: cut,
      everything: true,
      fromMedia: true,
    });
    const known = await archive.known();
    let whole = 0;
    for (const [name, stored] of known) {
      const bytes = await archive.load(stored).catch((error: unknown) => {
        // The footer beside the pack knows what lay behind the cut.
        assert.equal((error as { code?: string }).code, 'RECORD_LOST', `cut at ${cut}: ${name}`);
        return undefined;
      });
      if (bytes === undefined) continue;
      assert.ok(Buffer.from(sealed.ledger.contents.get(name) as Uint8Array).equals(bytes), `cut at ${cut}: ${name}`);
      whole += 1;
    }
    // An entry lies behind its content, and each was a group of its own.
    const entries = sealed.rows.filter((row) => row.kind === 3 && row.offset + row.sizeBytes + blockSizeBytes <= cut);
    assert.ok(whole >= entries.length, `cut at ${cut}: ${whole} of ${entries.length}`);
    await archive.vault.close();
    await database.close();
  }
  sealed.database.drop();
});
