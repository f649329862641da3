// SimArchive: a vault on a simulated machine, and the little of an archive that it takes to know what was stored.
//
// It plays the archive's part: facts go into a table of the vault's database in `onDurable`, and again when recovery hands them on; a `released` event
// that recovery finds is carried out again. What was promised to whom is not known here but in `Ledger`, which no crash touches.

import assert from 'node:assert/strict';
import {
  ArchiveError,
  type Clock,
  defaultTenant,
  HybridClock,
  ManualClock,
  type PackId,
  parseRecordIdText,
  type RecordId,
  recordIdText,
  SeededRandom,
  sha256,
  utf8Bytes,
} from '../../src/base/index.ts';
import type { Disk } from '../../src/disk/index.ts';
import { decodeFact, encodeEvent, isFactKind, recordKind } from '../../src/format/index.ts';
import {
  type DurableFact,
  enrolDisk,
  joinDisk,
  type RecoveryReport,
  type RepairReport,
  type StorageClass,
  type StoreDisk,
  Vault,
  type VaultEvent,
  type VaultLimits,
} from '../../src/vault/index.ts';
import { newInlinePool, rigArchive, rigGroup, rigKeys } from '../support/vault-rig.ts';
import type { SimDatabase } from './sim-database.ts';

export type SimArchiveOptions = {
  readonly disks: readonly Disk[];
  readonly database: SimDatabase;
  /** Differs from one start to the next: writers and packs are named from it. */
  readonly seed: number;
  readonly everything?: boolean;
  readonly fromMedia?: boolean;
  readonly storage?: StorageClass;
  readonly cipher?: number;
  readonly limits?: Partial<VaultLimits>;
  readonly clock?: Clock;
};

export type Stored = { readonly name: string; readonly ref: string | undefined; readonly sha256: string };

export const noPace = async (): Promise<void> => undefined;
const control = { tenant: defaultTenant, year: 0, group: 0n };

export class SimArchive {
  readonly vault: Vault;
  readonly events: VaultEvent[] = [];
  readonly hybrid: HybridClock;
  readonly #options: SimArchiveOptions;
  report: RecoveryReport | undefined;
  facts = 0;

  private constructor(options: SimArchiveOptions, stores: StoreDisk[]) {
    const clock = options.clock ?? new ManualClock(Date.UTC(2026, 0, 1));
    const storage = options.storage ?? { copies: options.disks.length, whenFewer: 'accept' };
    this.#options = options;
    this.hybrid = new HybridClock(clock);
    this.vault = new Vault({
      archive: rigArchive,
      stores,
      sql: options.database.sql,
      keys: rigKeys,
      pool: newInlinePool(),
      clock,
      hybrid: this.hybrid,
      random: new SeededRandom(options.seed),
      cipher: options.cipher ?? 1,
      classes: { ingest: storage, archive: storage, control: storage },
      limits: options.limits ?? {},
      onDurable: (group) => this.#apply(group.facts.map((fact) => ({ id: fact.id, plain: fact.plain }))),
      onEvent: (event) => this.events.push(event),
    });
  }

  static async open(options: SimArchiveOptions): Promise<SimArchive> {
    const random = new SeededRandom(options.seed ^ 0x5a5a5a);
    const stores: StoreDisk[] = [];
    for (const disk of options.disks) {
      stores.push((await joinDisk(disk, rigArchive)) ?? (await enrolDisk(disk, rigArchive, random, 0)));
    }
    const archive = new SimArchive(options, stores);
    await archive.#recover();
    return archive;
  }

  async #recover(): Promise<void> {
    const { everything = false, fromMedia = false } = this.#options;
    this.report = await this.vault.recover(
      async (found) => {
        const facts: { id: RecordId; plain: Uint8Array }[] = [];
        for (const { id, plain } of found) {
          if (plain instanceof ArchiveError) throw plain;
          facts.push({ id, plain: plain.slice() });
        }
        await this.#apply(facts);
      },
      { everything, fromMedia },
    );
    this.hybrid.observe(this.report.hybridGreatest, 'accept');
    this.hybrid.observe(await this.vault.register.hybridGreatest(), 'accept');
    for (const { pack, into } of await this.#released()) await this.#releaseAgain(pack, into);
  }

  async #apply(facts: readonly { id: RecordId; plain: Uint8Array }[]): Promise<void> {
    this.facts += facts.length;
    await this.#options.database.sql.transaction(async (tx) => {
      for (const { id, plain } of facts)
        await tx.run(
          'INSERT INTO sim_facts (id, plain) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET plain = excluded.plain',
          [recordIdText(id), plain],
        );
    });
  }

  /** Content of several chunks where `cuts` says so; durable and known by `name` when it resolves. */
  async store(name: string, parts: readonly Uint8Array[]): Promise<void> {
    const writer = this.vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'bytes', effort: 'fast' }) });
    for (const [number, part] of parts.entries()) {
      if (number > 0) await writer.cut();
      await writer.write(part);
    }
    await writer.finish((content) => [
      {
        kind: recordKind.entry,
        group: rigGroup,
        plain: utf8Bytes(
          JSON.stringify({
            v: 1,
            type: 'sim',
            name,
            ref: content.ref === undefined ? undefined : recordIdText(content.ref),
            sha256: Buffer.from(content.digest).toString('hex'),
          }),
        ),
      },
    ]);
  }

  /** What the database knows, by name. */
  async known(): Promise<Map<string, Stored>> {
    const rows = await this.#options.database.sql.all<{ plain: Uint8Array }>('SELECT plain FROM sim_facts');
    const found = new Map<string, Stored>();
    for (const { plain } of rows) {
      const json = JSON.parse(Buffer.from(plain).toString()) as Stored & { type: string };
      if (json.type === 'sim') found.set(json.name, json);
    }
    return found;
  }

  async load(stored: Stored, from = 0, to = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
    if (stored.ref === undefined) return new Uint8Array(0);
    const id = parseRecordIdText(stored.ref);
    assert.ok(id !== undefined, 'a reference is a record id');
    const parts: Uint8Array[] = [];
    for await (const part of this.vault.contents.read(id, from, to)) parts.push(part);
    const bytes = Buffer.concat(parts);
    if (from === 0 && to === Number.POSITIVE_INFINITY)
      assert.equal(Buffer.from(sha256(bytes)).toString('hex'), stored.sha256, `${stored.name} is what its entry says`);
    return bytes;
  }

  /** Copies all of a sealed ingest pack into archive packs, reads it back there, and lets it go. */
  async settle(pack: PackId): Promise<void> {
    const { vault } = this;
    const batch = [];
    for await (const row of vault.care.rowsOf(pack)) batch.push(await vault.read(row.id));
    for (let from = 0; from < batch.length; from += 16) {
      const records = batch.slice(from, from + 16);
      const facts: DurableFact[] = [];
      for (const { head, body } of records) {
        if (!isFactKind(head.kind)) continue;
        const plain = await vault.openFact({ head, body });
        facts.push({ id: head.id, kind: head.kind, group: head.group, hybrid: head.hybrid, plain: plain.slice() });
      }
      await vault.copyRecords('archive', records, facts);
    }
    const into = vault
      .livePacks()
      .filter((live) => live.class === 'archive')
      .map((live) => live.pack);
    await vault.sealOpen('all');
    for await (const report of vault.care.verifyAll(noPace, into)) {
      if (report.problems.length > 0 || report.gone) return;
    }
    // A pack is let go only when what it held can be had from elsewhere.
    for (const archive of into) if ((await vault.register.pack(archive)) === undefined) return;
    await vault.say('control', [
      { kind: recordKind.event, group: control, plain: encodeEvent({ type: 'released', pack, into }) },
    ]);
    await vault.care.release(pack);
  }

  async #released(): Promise<{ pack: PackId; into: readonly PackId[] }[]> {
    const rows = await this.#options.database.sql.all<{ plain: Uint8Array }>('SELECT plain FROM sim_facts');
    const packs = [];
    for (const { plain } of rows) {
      const fact = decodeFact(plain);
      if (fact.type === 'released') packs.push({ pack: fact.pack as PackId, into: fact.into as PackId[] });
    }
    return packs;
  }

  /** A database may know of a release that the disks do not: what it says lies elsewhere is looked for before anything goes. */
  async #releaseAgain(pack: PackId, into: readonly PackId[]): Promise<void> {
    const { register, care } = this.vault;
    if ((await register.pack(pack)) === undefined) return;
    for (const each of into) {
      let good = 0;
      for await (const report of care.verifyAll(noPace, [each])) if (!report.gone && report.kind === 'pack') good += 1;
      if (good === 0) return;
    }
    await care.release(pack);
  }

  async repair(): Promise<RepairReport[]> {
    const reports: RepairReport[] = [];
    for await (const report of this.vault.care.repair(noPace)) reports.push(report);
    return reports;
  }

  /** Copies that are not good, of all there are. */
  async badCopies(): Promise<string[]> {
    const bad: string[] = [];
    for await (const report of this.vault.care.verifyAll(noPace)) {
      if (report.gone || report.problems.length > 0)
        bad.push(
          `${report.pack}/${report.kind}/${report.disk}: ${report.gone ? 'gone' : JSON.stringify(report.problems)}`,
        );
    }
    return bad;
  }

  async packs(): Promise<PackId[]> {
    return (await this.vault.register.packsAfter(undefined, 1000)).map((pack) => pack.pack);
  }
}

/** What was asked of an archive and what it answered; the only judge after a crash. */
export class Ledger {
  readonly contents = new Map<string, Uint8Array>();
  readonly acknowledged = new Set<string>();

  async store(archive: SimArchive, name: string, parts: readonly Uint8Array[]): Promise<void> {
    this.contents.set(name, Buffer.concat(parts));
    await archive.store(name, parts);
    this.acknowledged.add(name);
  }

  /** Acknowledged: there and identical. Otherwise absent or whole. */
  async check(archive: SimArchive): Promise<void> {
    const known = await archive.known();
    for (const name of this.acknowledged) assert.ok(known.has(name), `${name} was acknowledged and is not known`);
    for (const [name, stored] of known) {
      const bytes = this.contents.get(name);
      assert.ok(bytes !== undefined, `nobody stored ${name}`);
      const found = await archive.load(stored).catch((cause: unknown) => {
        const promised = this.acknowledged.has(name) ? 'was acknowledged' : 'is known';
        throw new Error(`${name} ${promised} and cannot be read`, { cause });
      });
      assert.ok(Buffer.from(bytes).equals(found), `${name} comes back as it went in`);
    }
  }
}
