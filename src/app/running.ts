// A start: everything constructed and brought to where it may serve, in one order; and the stop that undoes it.
//
// Order: lock the data folder and every disk; recognise or make the archive; the keyring; the database and its migrations; recovery (only tails, or
// everything when the database is new, was left half filled, is older than the disks or of another edition of `project`); what the database
// knows and no disk holds is told exactly; unfinished shreddings; the papers on the disks. Nothing is served before its end.
// This is the only file that constructs the rooms.

import {
  Accounts,
  Alarms,
  Amendments,
  ApplicationEntities,
  Applier,
  type Archive,
  Audit,
  AuditIndex,
  AuditLog,
  archiveMigrations,
  auditTable,
  CallMeter,
  Commitments,
  Devices,
  Forwarding,
  Instances,
  KeyKeeper,
  Objects,
  Prefetch,
  ProcedureSteps,
  projectVersion,
  QualityCases,
  Reconciliation,
  readBundle,
  readNote,
  readTexts,
  type StartNotes,
  Studies,
  WholeArchive,
  writeKeyring,
  writeNote,
} from '../archive/index.ts';
import {
  ArchiveError,
  type Clock,
  HybridClock,
  type KeyGroup,
  type Random,
  systemClock,
  systemRandom,
  systemTenant,
  toArchiveError,
  utf8Bytes,
} from '../base/index.ts';
import { Catalog, catalogMigrations } from '../catalog/index.ts';
import { CodecPool, cipherNumber } from '../codec/index.ts';
import { flowMigrations, flowTables } from '../flow/index.ts';
import { clearTables, migrate, openSql, type Sql } from '../sql/index.ts';
import {
  markPath,
  type RecoveryReport,
  type StorageClass,
  Vault,
  type VaultEvent,
  vaultMigrations,
  vaultTables,
} from '../vault/index.ts';
import { DataFolder } from './data-folder.ts';
import { mustReadEverything, startNotes } from './database-state.ts';
import { diskNotes, type OpenDisk, putPapers, signDisks } from './open-disks.ts';
import type { DiskSetting, Settings } from './settings.ts';
import { anythingIsThere, noArchive, retireDisk, takeDisks, takeNewDisk } from './take-disks.ts';
import { ciphers, type KeyExport, takeKeyring } from './take-keyring.ts';
import { Undo } from './undo.ts';
import { Upkeep } from './upkeep.ts';

export type Say = (line: string) => void;

export type StartOptions = {
  readonly settings: Settings;
  /** What a person should know, in lines without names of patients or objects. */
  readonly say: Say;
  /** Whether a new archive may be made where there is none. */
  readonly create: boolean;
  readonly acceptClock?: boolean;
  /** Makes the database again from the packs. */
  readonly rebuild?: { readonly fromMedia: boolean; readonly onPack: (done: number) => void } | undefined;
  /** Whether a few events of the audit are left for whoever opens the archive next, instead of a pack of their own. */
  readonly carriesAudit?: boolean;
  /** An export for an archive none of whose disks has a keyring. */
  readonly keyExport?: KeyExport | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
};

export type Running = {
  readonly archive: Archive;
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly sql: Sql;
  readonly data: DataFolder;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly report: RecoveryReport;
  readonly notes: StartNotes;
  readonly upkeep: Upkeep;
  /** Makes an empty folder a disk of the archive, now and for later starts. */
  readonly addDisk: (setting: DiskSetting) => Promise<void>;
  /** Lets a disk go, when every pack on it has a good copy elsewhere. */
  readonly retireDisk: (label: string) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** DATA_LOCKED, DATA_FOREIGN, DISK_*, KEYRING_CORRUPT, KEY_MISSING, DATABASE_*, CLOCK_AHEAD. On an error nothing is held. */
export async function start(options: StartOptions): Promise<Running> {
  const undo = new Undo();
  try {
    return await startWith(options, undo);
  } catch (error) {
    // What made it fail is told, and not what failed after it.
    await undo.run().catch(() => undefined);
    throw error;
  }
}

async function startWith(options: StartOptions, undo: Undo): Promise<Running> {
  const { settings, say } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  if (!options.create && !anythingIsThere(settings)) throw noArchive(settings);
  const data = await DataFolder.open(settings.data);
  undo.add(() => data.close());
  const { disks, archive, isNew, isNewlyNamed } = await takeDisks(
    data,
    settings,
    { clock, random, say, create: options.create },
    undo,
  );
  const stores = disks.flatMap((each) => (each.store === undefined ? [] : [each.store]));
  if (stores.length === 0) {
    throw new ArchiveError(
      'DISK_MISSING',
      `no disk of this archive is attached (${disks.map((each) => `${each.label}: ${each.reason ?? 'DISK_MISSING'}`).join(', ')})`,
    );
  }
  const live = await takeKeyring(stores, { archive, isNew, random, settings, keyExport: options.keyExport, say });
  if (isNew) await data.setArchive({ archive, state: 'complete' });

  // A rebuild leans on nothing of the old database, which may be what is damaged.
  const isAside = options.rebuild !== undefined && settings.databaseUrl === undefined;
  const old = isAside ? data.setDatabaseAside() : undefined;
  undo.add(async () => old?.bringBack());
  const sql = await openSql(settings.databaseUrl ?? data.databaseFile);
  undo.add(() => sql.close());
  await migrate(sql, [...vaultMigrations, ...catalogMigrations, ...flowMigrations, ...archiveMigrations]);
  const found = await mustReadEverything(sql, archive, stores, options.rebuild !== undefined, random);
  // A disk that had to be given a new name holds copies that are known under another.
  const everything = { ...found, read: found.read || isNewlyNamed };

  const catalog = new Catalog(sql, readBundle);
  if (everything.clear) {
    // Noted first: a crash on the way makes the next start do it all again.
    await writeNote(sql, 'complete', '');
    await writeNote(sql, 'writers_checked', '0');
    await catalog.clear();
    await sql.transaction((tx) => clearTables(tx, [...vaultTables, ...flowTables, auditTable]));
  }
  const auditIndex = new AuditIndex(sql);
  const applier = new Applier(catalog, auditIndex);
  const hybrid = new HybridClock(clock);
  const pool = new CodecPool(settings.workers === 0 ? {} : { workers: settings.workers });
  undo.add(() => pool.close());
  const copies: StorageClass = { copies: settings.copies, whenFewer: settings.whenFewer };
  let onEvent = (_event: VaultEvent): void => undefined;
  const vault = new Vault({
    archive,
    stores,
    sql,
    keys: live,
    pool,
    clock,
    hybrid,
    random,
    cipher: settings.encryption ? ciphers[settings.cipher] : cipherNumber.none,
    classes: { ingest: copies, archive: copies, control: copies },
    limits: { packBytesMax: settings.packSizeBytes, packAgeMsMax: settings.packAgeSeconds * 1000 },
    onDurable: (group, stream) => applier.apply(group, stream),
    onEvent: (event) => onEvent(event),
  });
  undo.add(() => vault.close());
  hybrid.observe(await vault.register.hybridGreatest(), options.acceptClock === true ? 'accept' : 'check');
  const recover = (): Promise<RecoveryReport> =>
    vault.recover((facts) => applier.take(facts), {
      everything: everything.read,
      applied: (writer) => catalog.applied(writer),
      fromMedia: options.rebuild?.fromMedia ?? false,
      ...(options.rebuild === undefined ? {} : { onPack: options.rebuild.onPack }),
    });
  const report = await (everything.read ? sql.filling(recover) : recover());
  hybrid.observe(report.hybridGreatest, options.acceptClock === true ? 'accept' : 'check');
  await applier.reached(report.writers);
  if (everything.read) await writeNote(sql, 'complete', String(projectVersion));
  await sql.checkpoint();
  const notes = await startNotes(report, { catalog, vault, sql, disks });

  const audit = new Audit({
    vault,
    index: auditIndex,
    clock,
    random,
    carried: { load: () => data.carriedEvents(), keep: (events) => data.carryEvents(events) },
    isCarrying: options.carriesAudit === true,
  });
  const objects = new Objects({ vault, catalog, clock, random });
  const accounts = new Accounts({ vault, catalog, clock, random });
  const forwarding = new Forwarding({ catalog, accounts, clock });
  const entities = new ApplicationEntities({ accounts, catalog, sql, clock });
  const alarms = new Alarms({ accounts, catalog, entities, forwarding, sql, clock });
  const texts = await readTexts(catalog);
  const instances = new Instances({
    texts,
    vault,
    catalog,
    clock,
    random,
    onStored: async (stored, how) => {
      if (how.source !== undefined) alarms.arrived(how.source);
      await forwarding.note(stored, how);
    },
  });
  const commitments = new Commitments({ vault, catalog, accounts, clock, copies: settings.copies });
  const keys = new KeyKeeper({ live, vault, catalog, clock, random, mayShred });
  const finished = await keys.finish();
  if (finished > 0) say(`finished the shredding of ${finished} groups that a crash had interrupted`);
  for (const store of stores)
    await putPapers(store).catch(() => say(`FORMAT.md could not be put on disk ${store.disk.label}`));

  const mark = async (): Promise<void> => {
    const seals = await vault.register.counter('seals');
    const bytes = utf8Bytes(`${JSON.stringify({ database: await readNote(sql, 'database'), seals })}\n`);
    for (const store of vault.shelf.writable()) await store.disk.writeWhole(markPath, bytes).catch(() => undefined);
  };
  await mark();
  onEvent = (event) => {
    const line = eventLine(event, disks);
    if (line !== undefined) say(line);
    if (event.kind === 'pack-sealed') void mark().catch(() => undefined);
  };
  const quality = new QualityCases({ vault, catalog, instances, clock });
  const devices = new Devices({ vault, catalog, accounts, instances, texts, clock });
  const repairTexts = (signal: AbortSignal): Promise<'busy' | 'idle'> => devices.repairNext(signal);
  const compare = (signal: AbortSignal): Promise<'busy' | 'idle'> => quality.compareNext(signal);
  const upkeep = new Upkeep({ vault, catalog, keys: live, sql, clock, settings, say, compare, repairTexts });
  if (options.rebuild !== undefined && report.packCount === 0 && notes.unreadable.length > 0) {
    throw new ArchiveError('PACK_CORRUPT', `none of the packs can be read: ${notes.unreadable[0] ?? ''}`);
  }
  old?.letGo();
  const steps = new ProcedureSteps({ catalog, accounts });
  const archiveFacade = new WholeArchive({
    id: archive,
    vault,
    catalog,
    applier,
    objects,
    instances,
    studies: new Studies(
      catalog,
      (instance) => instances.headerToSearch(instance),
      (tenant, study) => steps.completeness(tenant, study),
    ),
    entities,
    commitments,
    forwarding,
    alarms,
    quality,
    prefetch: new Prefetch({ catalog, accounts, entities, forwarding, clock }),
    steps,
    amendments: new Amendments({
      vault,
      catalog,
      clock,
      random,
      readHeader: (instance) => instances.storedHeader(instance),
      onAmended: (tenant, patient) => forwarding.amended(tenant, patient),
    }),
    devices,
    reconciliation: new Reconciliation({ catalog, steps }),
    accounts,
    audit: new AuditLog({ audit, index: auditIndex, vault }),
    keys,
    teller: audit,
    meter: new CallMeter(),
    clock,
    copies: settings.copies,
    startedMs: clock.monotonicMs(),
    disks: () => diskNotes(disks),
    startNotes: notes,
    settle: (pace, how) => upkeep.settleAll(pace, how),
    sweep: (pace) => upkeep.sweepAll(pace),
    signDisks: () => signDisks(disks, archive, clock.nowMs()),
  });
  const addDisk = async (setting: DiskSetting): Promise<void> => {
    await takeNewDisk(setting, { data, settings, disks, archive, clock, random, undo });
    const added = disks.find((each) => each.path === setting.path)?.store;
    if (added === undefined) throw new ArchiveError('DISK_MISSING', `disk ${setting.label} could not be set up`);
    await writeKeyring([added], live.ring);
    await putPapers(added);
    if (!vault.shelf.stores.includes(added)) vault.shelf.stores.push(added);
  };
  return {
    archive: archiveFacade,
    vault,
    catalog,
    sql,
    data,
    settings,
    clock,
    report,
    notes,
    upkeep,
    addDisk,
    retireDisk: (label) => retireDisk(label, { data, disks, vault, copies: settings.copies }),
    close: async () => {
      try {
        await upkeep.stop();
        await audit.close().catch((error: unknown) => {
          const { code } = toArchiveError(error, 'INTERNAL', '');
          say(`the last events of the audit could not be written (${code})`);
        });
        await vault.close();
        await sql.checkpoint().catch(() => undefined);
      } finally {
        await undo.run();
      }
    },
  };
}

/** What the archive knows of itself, its audit above all, is nobody's to destroy. ACCESS_DENIED. */
async function mayShred({ tenant }: KeyGroup): Promise<void> {
  if (tenant === systemTenant)
    throw new ArchiveError('ACCESS_DENIED', 'what the archive knows of itself is not shredded', {
      hint: 'shred groups of a tenant',
    });
}

function eventLine(event: VaultEvent, disks: readonly OpenDisk[]): string | undefined {
  const label = (disk: string): string => disks.find((each) => each.store?.id === disk)?.label ?? disk;
  switch (event.kind) {
    case 'mirror-failed':
      return `disk ${label(event.disk)} failed to take data (${event.code})`;
    case 'bad-copy':
      return `a damaged copy in pack ${event.pack} on disk ${label(event.disk)} ${event.mended ? 'was mended' : 'was passed over'}`;
    case 'seal-failed':
      return `pack ${event.pack} could not be sealed (${event.code}); it is tried again`;
    case 'degraded':
      return `new ${event.class} data has only ${event.copies} copies`;
    case 'pack-sealed':
      return undefined;
  }
}
