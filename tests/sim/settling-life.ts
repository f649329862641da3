// A life of instances that settle and are cut off at any step: the real settler, vault and catalog on simulated disks.
//
// Invariants checked after each cut, in every state the database may be found in: every instance that was acknowledged is found once, with its own bytes, and what
// its bundle keeps of its header is its own; settling goes on to the same end, where no instance has a row and no ingest pack is left.

import assert from 'node:assert/strict';
import { project, readBundle } from '../../src/archive/index.ts';
import {
  ArchiveError,
  defaultTenant,
  HybridClock,
  hexOf,
  ManualClock,
  SeededRandom,
  sha256,
  utf8Bytes,
} from '../../src/base/index.ts';
import { Catalog, type CatalogChange, catalogMigrations } from '../../src/catalog/index.ts';
import { type Describe, FlowNotes, flowMigrations, Settler, sweepReleased } from '../../src/flow/index.ts';
import { encodeObjectEntry, recordKind } from '../../src/format/index.ts';
import { enrolDisk, joinDisk, type StoreDisk, Vault, vaultMigrations } from '../../src/vault/index.ts';
import { newInlinePool, rigArchive, rigGroup, rigKeys } from '../support/vault-rig.ts';
import { SimDatabase, type SimSnapshot } from './sim-database.ts';
import { SimMachine } from './sim-machine.ts';

const study = '1.2.3';
const headBytes = 100;
const migrations = [...vaultMigrations, ...catalogMigrations, ...flowMigrations];

/** The header's own bytes stand for its text. */
const describe: Describe = {
  headerText: () => {
    const pieces: Uint8Array[] = [];
    return {
      push: (bytes) => {
        pieces.push(bytes.slice());
      },
      end: () => Buffer.concat(pieces),
    };
  },
  thumbnail: async () => utf8Bytes('a picture'),
};

class SettlingHouse {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly #settler: Settler;
  readonly #clock: ManualClock;
  readonly #hybrid: HybridClock;
  #count = 0;

  private constructor(stores: StoreDisk[], database: SimDatabase, { seed, hour }: { seed: number; hour: number }) {
    const { sql } = database;
    this.#clock = new ManualClock(Date.UTC(2026, 0, 1, hour));
    this.#hybrid = new HybridClock(this.#clock);
    const storage = { copies: stores.length, whenFewer: 'accept' } as const;
    this.catalog = new Catalog(sql, readBundle);
    this.vault = new Vault({
      archive: rigArchive,
      stores,
      sql,
      keys: rigKeys,
      pool: newInlinePool(),
      clock: this.#clock,
      hybrid: this.#hybrid,
      random: new SeededRandom(seed),
      cipher: 1,
      classes: { ingest: storage, archive: storage, control: storage },
      limits: { packBytesMax: 512 * 1024, groupBytesMax: 64 * 1024, readAheadMax: 2 },
      onDurable: async (group) => {
        const applied = group.sequence === undefined ? [] : [{ writer: group.writer, sequence: group.sequence }];
        await this.catalog.applyBatch(
          group.facts.flatMap((fact) => project(fact)),
          applied,
        );
      },
      onEvent: () => undefined,
    });
    this.#settler = new Settler({
      vault: this.vault,
      catalog: this.catalog,
      keys: { contains: () => true },
      notes: new FlowNotes(sql),
      nowMs: () => this.#clock.nowMs(),
      quietMs: 0,
      roundBytesMax: 512 * 1024,
      pace: async () => undefined,
      describe,
      onRelease: async () => undefined,
    });
  }

  static async open(
    machine: SimMachine,
    database: SimDatabase,
    options: { seed: number; everything: boolean; hour: number },
  ): Promise<SettlingHouse> {
    const random = new SeededRandom(options.seed ^ 0x5a5a5a);
    const stores: StoreDisk[] = [];
    for (const disk of machine.disks)
      stores.push((await joinDisk(disk, rigArchive)) ?? (await enrolDisk(disk, rigArchive, random, 0)));
    const house = new SettlingHouse(stores, database, options);
    const report = await house.vault.recover(
      async (found) => {
        const changes: CatalogChange[] = [];
        for (const { id, group, hybrid, plain } of found) {
          if (plain instanceof ArchiveError) throw plain;
          changes.push(...project({ id, group, hybrid, plain: plain.slice() }));
        }
        await house.catalog.applyBatch(changes, []);
      },
      { everything: options.everything, fromMedia: false },
    );
    assert.deepEqual(report.losses, [], 'no loss is reported where none was');
    house.#hybrid.observe(report.hybridGreatest, 'accept');
    house.#hybrid.observe(await house.vault.register.hybridGreatest(), 'accept');
    // As upkeep does at every start: what was released and is there again goes.
    const sweep = { copies: stores.length, pace: async () => undefined, onRelease: async () => undefined };
    for await (const swept of sweepReleased({ vault: house.vault, catalog: house.catalog, ...sweep }))
      assert.equal(swept.outcome, 'removed');
    return house;
  }

  /** Durable and known when it resolves. */
  async store(series: number, bytes: Uint8Array): Promise<void> {
    this.#count += 1;
    const number = this.#count;
    const writer = this.vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'bytes', effort: 'fast' }) });
    await writer.write(bytes.subarray(0, headBytes));
    await writer.cut();
    await writer.write(bytes.subarray(headBytes));
    const [seriesUid, instance] = [`${study}.${series}`, `${study}.${series}.${number}`];
    await writer.finish((content) => [
      {
        kind: recordKind.entry,
        group: rigGroup,
        plain: encodeObjectEntry({
          type: 'object',
          id: hexOf(sha256(utf8Bytes(instance))).slice(0, 32),
          bucket: 'dicom',
          key: utf8Bytes(`${study}/${seriesUid}/${instance}`),
          sizeBytes: content.sizeBytes,
          digest: content.digest,
          ref: content.ref,
          first: content.first,
          createdMs: this.#clock.nowMs() + number,
          state: 'live',
          mode: undefined,
          mtimeMs: undefined,
          contentType: 'application/dicom',
          meta: undefined,
          dicom: {
            study,
            series: seriesUid,
            instance,
            class: '1.2.840.10008.5.1.4.1.1.2',
            syntax: '1.2.840.10008.1.2.1',
            number: String(number),
            headBytes,
            frames: undefined,
            shape: { rows: 1, columns: 1, samplesPerPixel: 1, bitsAllocated: 8, planar: false },
            rank: 0,
            source: undefined,
            about: { patient: { PatientID: 'p' }, study: {}, series: { Modality: 'CT' } },
          },
        }),
      },
    ]);
  }

  async settle(): Promise<void> {
    await this.vault.sealOpen('all');
    for (let rounds = 0; rounds < 20; rounds += 1) {
      const step = await this.#settler.step();
      for (const each of step.released) assert.ok(each.released, `a pack that was emptied goes: ${each.code}`);
      if (step.state === 'idle') return;
    }
    assert.fail('settling comes to an end');
  }

  /** Every instance once, with its bytes as they went in; one that was not acknowledged may be there, too. */
  async check(expected: readonly Uint8Array[], possible = expected): Promise<void> {
    const { rows } = await this.catalog.search.instances({ tenant: defaultTenant, conditions: [] }, { limit: 1000 });
    const found = new Set<string>();
    for (const instance of rows) {
      const row = await this.catalog.objects.version(instance.id, instance);
      assert.ok(row?.ref !== undefined, 'an instance that is found has content');
      const bytes = Buffer.concat(await Array.fromAsync(this.vault.contents.read(row.ref), (piece) => piece.slice()));
      found.add(bytes.toString('hex'));
      if (instance.text === undefined) continue;
      const { ref, at, sizeBytes } = instance.text;
      const text = await Array.fromAsync(this.vault.contents.read(ref, at, at + sizeBytes), (piece) => piece.slice());
      assert.ok(Buffer.concat(text).equals(bytes.subarray(0, headBytes)), 'a text is that of its instance');
    }
    assert.equal(rows.length, found.size, 'every instance is found, each once');
    assert.ok(rows.length <= possible.length, 'and no other');
    for (const bytes of expected)
      assert.ok(found.has(Buffer.from(bytes).toString('hex')), 'and comes back as it went in');
  }

  async checkSettled(database: SimDatabase): Promise<void> {
    for (const table of ['instances', 'objects']) {
      const row = await database.sql.one<{ count: number }>(`SELECT CAST(count(*) AS INTEGER) AS count FROM ${table}`);
      assert.equal(row?.count, 0, `nothing is left in ${table}`);
    }
    assert.deepEqual(await this.vault.register.packsAfter(undefined, 10, 'ingest'), [], 'no ingest pack is left');
  }
}

type Cut = {
  readonly machine: SimMachine;
  readonly committed: SimSnapshot;
  readonly durable: SimSnapshot;
  readonly begun: number;
  /** So many of the instances were acknowledged. */
  readonly stored: number;
};

/** Stores, settles, stores one more, late, and settles again, up to a step; the first instances are always stored. */
async function live(seed: number, made: readonly Uint8Array[], crashAt: number): Promise<Cut> {
  const machine = SimMachine.make({ disks: 2, seed });
  const database = await SimDatabase.make(migrations);
  const house = await SettlingHouse.open(machine, database, { seed: seed + 1, everything: false, hour: 0 });
  const early = made.slice(0, -1);
  for (const [index, bytes] of early.entries()) await house.store(index % 2, bytes);
  const begun = machine.steps;
  machine.crashAt = crashAt;
  let stored = early.length;
  try {
    await house.settle();
    await house.check(early);
    await house.store(0, made.at(-1) as Uint8Array);
    stored = made.length;
    await house.settle();
    await house.check(made);
    await house.checkSettled(database);
  } catch (error) {
    if (!machine.crashed) throw error;
  }
  const [committed, durable] = [database.snapshot('committed'), database.snapshot('durable')];
  await database.close();
  return { machine, committed, durable, begun, stored };
}

/** The number of cuts that were checked. Throws an Error that names seed and step. */
export async function sweepSettling(options: { readonly seed: number; readonly stride: number }): Promise<number> {
  const { seed, stride } = options;
  const random = new SeededRandom(seed);
  const made = Array.from({ length: 5 }, () => random.bytes(headBytes + 400 + (random.bytes(1)[0] as number)));
  const whole = await live(seed, made, Number.POSITIVE_INFINITY);
  const { steps } = whole.machine;
  let checked = 0;
  for (let step = whole.begun + 1 + (seed % stride); step <= steps; step += stride) {
    const cut = await live(seed, made, step);
    const state = (['committed', 'durable', 'missing'] as const)[checked % 3] ?? 'missing';
    const survive = (['none', 'random', 'all'] as const)[(checked >> 1) % 3] ?? 'none';
    try {
      const machine = cut.machine.reboot(survive, seed + step);
      const database = state === 'missing' ? await SimDatabase.make(migrations) : await cut[state].open();
      const house = await SettlingHouse.open(machine, database, {
        seed: seed * 131 + step,
        everything: state === 'missing',
        // A pack that could not be moved is left alone for a while, also one whose disk lost power.
        hour: 1,
      });
      await house.check(made.slice(0, cut.stored), made);
      await house.settle();
      await house.check(made.slice(0, cut.stored), made);
      await house.checkSettled(database);
      await house.vault.close();
      await database.close();
    } catch (cause) {
      const what = `seed ${seed}, cut at step ${step} of ${steps}, database ${state}, ${survive} of the unsynced survives`;
      throw new Error(what, { cause });
    }
    checked += 1;
    for (const snapshot of [cut.committed, cut.durable]) snapshot.drop();
  }
  for (const snapshot of [whole.committed, whole.durable]) snapshot.drop();
  return checked;
}
