/*
 * Settling over many rounds and starts: small packs become few, what could not be moved is left alone for a while, and nothing is lost on the way.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Running, start } from '../src/app/running.ts';
import { type SettingValues, settingsOf } from '../src/app/settings.ts';
import type { SettleReport } from '../src/archive/index.ts';
import {
  defaultTenant,
  hexOf,
  type KeyGroup,
  ManualClock,
  sha256,
  systemRandom,
  utf8Bytes,
} from '../src/base/index.ts';
import { FlowNotes, flowTables } from '../src/flow/index.ts';
import { encodeObjectEntry, recordKind } from '../src/format/index.ts';
import { mergePacksMin } from '../src/policy/index.ts';
import { Stele } from './support/stele.ts';

const archives: Stele[] = [];
after(() => {
  for (const each of archives) each.remove();
});

const noPace = async (): Promise<void> => undefined;
const signal = new AbortController().signal;

class House {
  readonly stele = new Stele();
  readonly clock = new ManualClock(Date.UTC(2030, 5, 1));
  readonly #values: SettingValues;

  constructor(values: SettingValues = {}) {
    archives.push(this.stele);
    this.#values = values;
  }

  open(): Promise<Running> {
    const settings = settingsOf([{ workers: 1, ...this.#values }], this.stele.folder);
    return start({ settings, create: true, say: () => undefined, clock: this.clock });
  }
}

const nameOf = (key: string): { tenant: typeof defaultTenant; bucket: string; key: Uint8Array } => ({
  tenant: defaultTenant,
  bucket: 'files',
  key: utf8Bytes(key),
});

async function put(running: Running, key: string, text: string): Promise<void> {
  await running.archive.objects.put(
    nameOf(key),
    (async function* once() {
      yield utf8Bytes(text);
    })(),
  );
}

async function textOf(running: Running, key: string): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const piece of running.archive.objects.read(await running.archive.objects.find(nameOf(key))))
    parts.push(piece);
  return Buffer.concat(parts).toString('utf8');
}

async function settle(running: Running, all = true): Promise<SettleReport[]> {
  const reports: SettleReport[] = [];
  for await (const report of running.archive.settle(noPace, { all, signal })) reports.push(report);
  return reports;
}

async function sealed(running: Running, name: 'ingest' | 'archive' | 'control'): Promise<number> {
  return (await running.archive.status()).packs.find((each) => each.class === name)?.sealed ?? 0;
}

test('many small archive packs become one, which holds all that they held', async () => {
  const house = new House({ packSizeBytes: 64 * 1024 * 1024 });
  const running = await house.open();
  let greatest = 0;
  for (let round = 0; round < mergePacksMin + 3; round += 1) {
    await put(running, `k${round % 9}`, `text ${round}`);
    await settle(running);
    greatest = Math.max(greatest, await sealed(running, 'archive'));
  }
  assert.equal(greatest, mergePacksMin - 1, 'a round after the sixteenth merges');
  assert.equal(await sealed(running, 'archive'), 4);
  for (let key = 0; key < 9; key += 1) {
    const newest = [key, key + 9, key + 18].filter((round) => round < mergePacksMin + 3).at(-1);
    assert.equal(await textOf(running, `k${key}`), `text ${newest}`);
  }
  const listed = await running.archive.objects.versions({ tenant: defaultTenant, bucket: 'files', limit: 100 });
  assert.equal(listed.items.length, mergePacksMin + 3);
  for await (const report of running.archive.verify(noPace)) assert.deepEqual(report.problems, []);
  await running.close();
  const again = await house.open();
  assert.deepEqual(again.notes.losses, []);
  assert.equal(await textOf(again, 'k1'), 'text 10');
  await again.close();
});

test('control packs are compacted: every event stays, and of a site row what counts', async () => {
  const house = new House();
  let running = await house.open();
  for (const fresh of [true, false])
    await running.archive.accounts.setUser({ name: 'admin', password: 'a long passphrase', fresh });
  for (let round = 0; round < 10; round += 1) {
    await running.archive.keys.makeExport('a passphrase');
    await running.vault.sealOpen('all');
  }
  await settle(running);
  assert.ok((await sealed(running, 'control')) <= 2);
  await running.close();
  running = await start({
    settings: settingsOf([{ workers: 1 }], house.stele.folder),
    create: false,
    say: () => undefined,
    clock: house.clock,
    rebuild: { fromMedia: false, onPack: () => undefined },
  });
  assert.equal((await running.archive.keys.status()).exports.length, 10);
  await running.close();
});

test('a pack that could not be moved is left alone for a while, also after a restart', async () => {
  const house = new House();
  let running = await house.open();
  await put(running, 'a', 'content');
  await running.vault.sealOpen('all');
  const [pack] = await running.vault.register.packsAfter(undefined, 1, 'ingest');
  assert.ok(pack !== undefined);
  const notes = new FlowNotes(running.sql);
  await notes.trouble(pack.pack, house.clock.nowMs() + 60_000, 'RECORD_LOST');
  assert.deepEqual(await settle(running), []);
  await running.close();
  running = await house.open();
  assert.deepEqual(await settle(running), []);
  house.clock.jumpTo(house.clock.nowMs() + 60_001);
  assert.deepEqual(
    (await settle(running)).map((each) => each.pack),
    [pack.pack],
  );
  assert.deepEqual(await running.sql.all('SELECT pack_id FROM flow_troubles'), []);
  await running.close();
});

test('the tables of flow have the columns that are declared', async () => {
  const running = await new House().open();
  for (const table of flowTables) {
    const rows = await running.sql.all<{ name: string }>(`SELECT name FROM pragma_table_info('${table.name}')`);
    assert.deepEqual(
      rows.map((row) => row.name),
      Object.keys(table.columns),
    );
  }
  await running.close();
});

test('a group of many thousand objects is moved, and its links are found again by a rebuild', async () => {
  const house = new House();
  let running = await house.open();
  const count = 7200;
  const group: KeyGroup = { tenant: defaultTenant, year: 2030, group: 5n };
  await running.vault.stream('ingest').append(count, (nextId) =>
    Array.from({ length: count }, (_, index) => {
      const ref = nextId();
      const hint = { kind: 'raw' } as const;
      const content = utf8Bytes(`content ${index}`);
      const plain = encodeObjectEntry({
        type: 'object',
        id: hexOf(systemRandom.bytes(16)),
        bucket: 'files',
        key: utf8Bytes(`slice ${index}`),
        sizeBytes: content.byteLength,
        digest: sha256(content),
        ref,
        first: undefined,
        createdMs: house.clock.nowMs() + index,
        state: 'live',
        mode: undefined,
        mtimeMs: undefined,
        contentType: undefined,
        meta: undefined,
      });
      return [
        { id: ref, kind: recordKind.chunk, group, plain: content, hint },
        { id: nextId(), kind: recordKind.entry, group, plain, hint },
      ];
    }).flat(),
  );
  const reports = await settle(running);
  assert.deepEqual(
    reports.map((each) => [each.movedObjects, each.released]),
    [[count, true]],
  );
  assert.equal(await textOf(running, 'slice 7199'), 'content 7199');
  await running.close();
  running = await house.open();
  assert.equal(await textOf(running, 'slice 0'), 'content 0');
  await running.close();
});
