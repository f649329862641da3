/*
 * The archive as a whole within this process, where clocks can be set and crashes placed: what the command line cannot reach.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { type Running, type StartOptions, start } from '../src/app/running.ts';
import { type SettingValues, settingsOf } from '../src/app/settings.ts';
import type { Principal } from '../src/archive/index.ts';
import { type Clock, defaultTenant, hexOf, isArchiveError, ManualClock, utf8Bytes } from '../src/base/index.ts';
import { encodeEvent, recordKind } from '../src/format/index.ts';
import { noise, Stele } from './support/stele.ts';

const archives: Stele[] = [];
after(() => {
  for (const each of archives) each.remove();
});

class House {
  readonly stele = new Stele();
  readonly said: string[] = [];
  readonly #values: SettingValues;

  constructor(values: SettingValues = {}) {
    archives.push(this.stele);
    this.#values = values;
  }

  open(more: Partial<StartOptions> = {}): Promise<Running> {
    const settings = settingsOf([{ workers: 1, ...this.#values }], this.stele.folder);
    return start({ settings, create: true, say: (line) => this.said.push(line), ...more });
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const nameOf = (key: string): { tenant: typeof defaultTenant; bucket: string; key: Uint8Array } => ({
  tenant: defaultTenant,
  bucket: 'files',
  key: utf8Bytes(key),
});

async function putText(running: Running, key: string, text: string): Promise<string> {
  return (await running.archive.objects.put(nameOf(key), once(utf8Bytes(text)))).id;
}

async function textOf(running: Running, key: string): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const piece of running.archive.objects.read(await running.archive.objects.find(nameOf(key))))
    parts.push(piece);
  return Buffer.concat(parts).toString('utf8');
}

const noon = Date.UTC(2030, 5, 1, 12);

test('of two versions the later put is the newer, also when the clock was set back between them', async () => {
  const house = new House();
  const clock = new ManualClock(noon);
  let running = await house.open({ clock });
  await putText(running, 'a', 'first');
  clock.jumpTo(noon - 3 * 86_400_000);
  await putText(running, 'a', 'second');
  assert.equal(await textOf(running, 'a'), 'second');
  await running.close();
  await assert.rejects(
    house.open({ clock }),
    (error) => isArchiveError(error, 'CLOCK_AHEAD'),
    'a start asks an operator',
  );
  running = await house.open({ clock, acceptClock: true });
  await putText(running, 'a', 'third');
  assert.equal(await textOf(running, 'a'), 'third');
  await running.close();
});

test('writers of one new name at once agree on one group, and each name has its own', async () => {
  const house = new House();
  const running = await house.open();
  await Promise.all(Array.from({ length: 20 }, (_, index) => putText(running, `k${index % 2}`, `text ${index}`)));
  const groups = new Map<string, Set<string>>();
  const page = await running.archive.objects.versions({ tenant: defaultTenant, bucket: 'files', limit: 100 });
  for (const item of page.items) {
    if (item.kind !== 'object') continue;
    const key = hexOf(item.row.key);
    groups.set(key, (groups.get(key) ?? new Set()).add(String(item.row.group.group)));
  }
  assert.equal(page.items.length, 20);
  assert.deepEqual(
    [...groups.values()].map((each) => each.size),
    [1, 1],
  );
  assert.notDeepEqual([...(groups.get(hexOf(utf8Bytes('k0'))) ?? [])], [...(groups.get(hexOf(utf8Bytes('k1'))) ?? [])]);
  await running.close();
});

test('a shredding that a crash cut short between its event and the keyring is finished by the next start', async () => {
  const house = new House();
  let running = await house.open();
  await putText(running, 'a', 'secret');
  const { group } = await running.archive.objects.find(nameOf('a'));
  const generation = (await running.archive.keys.status()).generation + 1n;
  const plain = encodeEvent({ type: 'shredded', year: group.year, group: group.group, generation });
  await running.vault.say('control', [
    { kind: recordKind.event, group: { tenant: group.tenant, year: 0, group: 0n }, plain },
  ]);
  await running.close();
  const keyring = house.stele.path('data/disk/keyring.json');
  const before = fs.readFileSync(keyring, 'utf8');
  running = await house.open();
  assert.ok(house.said.some((line) => line.includes('finished the shredding of 1 groups')));
  assert.notEqual(fs.readFileSync(keyring, 'utf8'), before);
  await assert.rejects(running.archive.objects.find(nameOf('a')), (error) => isArchiveError(error, 'NOT_FOUND'));
  assert.deepEqual(
    (await running.archive.keys.status()).shredded.map((each) => each.openedBy),
    [[]],
  );
  await running.close();
});

test('after a change that did not reach the catalog nothing later does, and a restart brings all of it', async () => {
  const house = new House();
  let running = await house.open();
  await putText(running, 'before', '1');
  // From here on the database refuses: what is durable in packs must not be overtaken in the catalog.
  await running.sql.run("CREATE TRIGGER refuse BEFORE INSERT ON objects BEGIN SELECT RAISE(ABORT, 'no'); END");
  await assert.rejects(putText(running, 'during', '2'), (error) => isArchiveError(error, 'DATABASE_FAILED'));
  await running.sql.run('DROP TRIGGER refuse');
  await assert.rejects(putText(running, 'after', '3'), (error) => isArchiveError(error, 'DATABASE_FAILED'));
  assert.equal((await running.archive.status()).health, 'failing');
  await running.close();
  running = await house.open();
  for (const [key, text] of [
    ['before', '1'],
    ['during', '2'],
    ['after', '3'],
  ] as const)
    assert.equal(await textOf(running, key), text);
  assert.equal((await running.archive.status()).health, 'good');
  await running.close();
});

const never = new AbortController().signal;
const settleAll = async (running: Running): Promise<number> => {
  let released = 0;
  for await (const each of running.archive.settle(async () => undefined, { all: true, signal: never }))
    released += each.released ? 1 : 0;
  return released;
};

test('control packs that are mostly superseded are written anew, and users, tokens and exports stay', async () => {
  const house = new House();
  for (let round = 0; round < 9; round += 1) {
    const running = await house.open();
    await running.archive.accounts.setUser({ name: 'admin', password: `password ${round}`, fresh: round === 0 });
    if (round === 4) await running.archive.keys.makeExport('a passphrase');
    await running.close();
  }
  let running = await house.open();
  const control = async (): Promise<number | undefined> =>
    (await running.archive.status()).packs.find((each) => each.class === 'control')?.sealed;
  assert.equal(await control(), 9);
  assert.equal(await settleAll(running), 9);
  await running.vault.sealOpen('all');
  assert.ok(((await control()) ?? 9) <= 2);
  await running.close();
  running = await house.open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  const caller = (password: string): Promise<Principal | undefined> =>
    running.archive.accounts.callerOf(`Basic ${Buffer.from(`admin:${password}`).toString('base64')}`, { door: 'test' });
  assert.equal((await caller('password 8'))?.name, 'admin');
  assert.equal(await caller('password 7'), undefined);
  assert.equal((await running.archive.keys.status()).exports.length, 1);
  await running.close();
});

test('settling that is stopped in the middle loses nothing and goes on', async () => {
  const house = new House({ packSizeBytes: 4 * 1024 * 1024 });
  let running = await house.open();
  for (let file = 0; file < 12; file += 1)
    await running.archive.objects.put(nameOf(`f${file}`), once(noise(900_000, file + 1)));
  for (let stopAfter = 1; stopAfter < 12; stopAfter += 3) {
    let pieces = 0;
    const run = async (): Promise<void> => {
      const pace = async (): Promise<void> => {
        pieces += 1;
        if (pieces > stopAfter) throw new Error('the process ends here');
      };
      for await (const _each of running.archive.settle(pace, { all: true, signal: never }));
    };
    await assert.rejects(run());
    await running.close();
    running = await house.open();
  }
  await settleAll(running);
  const { packs } = await running.archive.status();
  assert.equal(packs.find((each) => each.class === 'ingest')?.sealed, 0);
  await running.close();
  running = await house.open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  for (let file = 0; file < 12; file += 1) {
    const parts: Uint8Array[] = [];
    for await (const piece of running.archive.objects.read(await running.archive.objects.find(nameOf(`f${file}`))))
      parts.push(piece);
    assert.ok(Buffer.concat(parts).equals(noise(900_000, file + 1)));
  }
  await running.close();
});

test('an archive pack of which most was shredded is written anew without it', async () => {
  const house = new House();
  const running = await house.open();
  await running.archive.objects.put(nameOf('large'), once(noise(2_000_000)));
  await putText(running, 'small', 'stays');
  await settleAll(running);
  const archived = async (): Promise<number> =>
    (await running.archive.status()).packs.find((each) => each.class === 'archive')?.bytes ?? 0;
  const before = await archived();
  await running.archive.keys.shred((await running.archive.objects.find(nameOf('large'))).group);
  await settleAll(running);
  assert.ok((await archived()) < before);
  assert.equal(await textOf(running, 'small'), 'stays');
  await running.close();
});

test('the background seals, settles and reads back by itself', async () => {
  const house = new House({ settleSeconds: 0, packAgeSeconds: 1 });
  const running = await house.open();
  await putText(running, 'a', 'text');
  const settled = new Promise<void>((resolve) => {
    const look = async (): Promise<void> => {
      const packs = (await running.archive.status()).packs;
      const of = (name: string): { open: number; sealed: number } | undefined =>
        packs.find((each) => each.class === name);
      if (of('ingest')?.open === 0 && of('ingest')?.sealed === 0 && (of('archive')?.sealed ?? 0) > 0) resolve();
      else setTimeout(() => void look(), 50);
    };
    void look();
  });
  running.upkeep.start();
  await settled;
  assert.equal(await textOf(running, 'a'), 'text');
  await running.close();
  assert.deepEqual(
    house.said.filter((line) => line.includes('upkeep')),
    [],
  );
});

test('a start on a disk in use takes nothing; a new data folder takes up the archive of its disks', async () => {
  const house = new House();
  const running = await house.open();
  await assert.rejects(house.open(), (error) => isArchiveError(error, 'DATA_LOCKED'));
  await putText(running, 'a', 'x');
  await running.close();
  const again = await house.open();
  assert.equal(await textOf(again, 'a'), 'x');
  await again.close();
  const clock: Clock = new ManualClock(Date.now());
  const other = new House({ disks: [{ path: path.join(house.stele.folder, 'data/disk'), label: 'stolen' }] });
  fs.mkdirSync(path.join(other.stele.folder, 'data'), { recursive: true });
  const taken = await other.open({ clock });
  assert.equal(taken.archive.id, again.archive.id, 'a new data folder takes up the archive of its disks');
  assert.equal(await textOf(taken, 'a'), 'x');
  await taken.close();
});
