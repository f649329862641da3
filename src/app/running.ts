// A start: everything constructed and brought to where it may serve, in one order; and the stop that undoes it.
//
// Order: lock the data folder and every disk; recognise or make the archive; the keyring; the database and its migrations; recovery (only tails, or
// everything when the database is new, was left half filled, is older than the disks or of another edition of `project`); what the database
// knows and no disk holds is told exactly; unfinished shreddings; the papers on the disks. Nothing is served before its end.
// This is the only file that constructs the rooms.

import fs from 'node:fs';
import path from 'node:path';
import {
  Accounts,
  Applier,
  Archive,
  archiveMigrations,
  KeyKeeper,
  Objects,
  projectVersion,
  readNote,
  type StartNotes,
  writeKeyring,
  writeNote,
} from '../archive/index.ts';
import {
  ArchiveError,
  type ArchiveId,
  archiveId,
  type Clock,
  defaultTenant,
  HybridClock,
  type Random,
  recordIdText,
  systemClock,
  systemRandom,
  systemTenant,
  utf8Bytes,
  utf8Text,
} from '../base/index.ts';
import { Catalog, catalogMigrations } from '../catalog/index.ts';
import { type CipherNumber, CodecPool, cipherNumber } from '../codec/index.ts';
import {
  decodeKeyring,
  importExport,
  Keyring,
  keyringFileBytesMax,
  LiveKeyring,
  newestKeyring,
} from '../keys/index.ts';
import { clearTables, migrate, openSql, type Sql } from '../sql/index.ts';
import {
  identityPath,
  keyringPath,
  markPath,
  type RecoveryReport,
  type StorageClass,
  Vault,
  type VaultEvent,
  vaultMigrations,
  vaultTables,
} from '../vault/index.ts';
import { allDisks, DataFolder } from './data-folder.ts';
import {
  archiveOf,
  diskNotes,
  isDefaultDisk,
  joinOrEnrol,
  type OpenDisk,
  openDisk,
  putPapers,
  randomId,
} from './open-disks.ts';
import type { DiskSetting, Settings } from './settings.ts';
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
  /** An export for an archive none of whose disks has a keyring. */
  readonly keyExport?: { readonly bytes: Uint8Array; readonly passphrase: string } | undefined;
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
  readonly close: () => Promise<void>;
};

const ciphers: Readonly<Record<Settings['cipher'], CipherNumber>> = {
  'aes-256-gcm': cipherNumber.aes256Gcm,
  sm4: cipherNumber.sm4CtrHmacSm3,
};

/** Everything that has to be let go of again, last taken first. */
class Undo {
  readonly #steps: (() => Promise<void>)[] = [];

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) await step();
  }
}

/** DATA_LOCKED, DATA_FOREIGN, DISK_*, KEYRING_CORRUPT, KEY_MISSING, DATABASE_*, CLOCK_AHEAD. On an error nothing is held. */
export async function start(options: StartOptions): Promise<Running> {
  const undo = new Undo();
  try {
    return await startWith(options, undo);
  } catch (error) {
    await undo.run();
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
  const { disks, archive, isNew } = await takeDisks(
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

  const sql = await openSql(settings.databaseUrl ?? data.databaseFile);
  undo.add(() => sql.close());
  await migrate(sql, [...vaultMigrations, ...catalogMigrations, ...archiveMigrations]);
  const everything = await mustReadEverything(sql, archive, stores, options.rebuild !== undefined, random);

  const catalog = new Catalog(sql);
  if (everything.clear) {
    // Noted first: a crash on the way makes the next start do it all again.
    await writeNote(sql, 'complete', '');
    await catalog.clear();
    await sql.transaction((tx) => clearTables(tx, vaultTables));
  }
  const applier = new Applier(catalog);
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
  const report = await vault.recover((facts) => applier.take(facts, (record) => vault.openFact(record)), {
    everything: everything.read,
    fromMedia: options.rebuild?.fromMedia ?? false,
    ...(options.rebuild === undefined ? {} : { onPack: options.rebuild.onPack }),
  });
  hybrid.observe(report.hybridGreatest, options.acceptClock === true ? 'accept' : 'check');
  await applier.reached(report.writers);
  if (everything.read) await writeNote(sql, 'complete', String(projectVersion));
  await sql.checkpoint();
  const notes = await startNotes(report, catalog, vault, sql, disks);

  const objects = new Objects({ vault, catalog, clock, random });
  const accounts = new Accounts({ vault, catalog, clock, random });
  const keys = new KeyKeeper({ live, vault, catalog, clock, random, mayShred: async () => undefined });
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
  const upkeep = new Upkeep({ vault, catalog, keys: live, sql, clock, settings, say });
  const archiveFacade = new Archive({
    id: archive,
    vault,
    catalog,
    applier,
    objects,
    accounts,
    keys,
    clock,
    copies: settings.copies,
    startedMs: clock.monotonicMs(),
    disks: () => diskNotes(disks),
    startNotes: notes,
    settle: (pace, how) => upkeep.settleAll(pace, how),
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
    close: async () => {
      await upkeep.stop();
      await vault.close();
      await sql.checkpoint().catch(() => undefined);
      await undo.run();
    },
  };
}

/** A look without leaving a trace: a mistyped folder must not become an archive. */
function anythingIsThere(settings: Settings): boolean {
  const places = [
    path.join(settings.data, 'archive.json'),
    ...settings.disks.map((disk) => path.join(disk.path, identityPath)),
  ];
  return places.some((place) => fs.existsSync(place));
}

function noArchive(settings: Settings): ArchiveError {
  return new ArchiveError('NOT_FOUND', `there is no archive in ${settings.data}`, {
    hint: 'check --data and --config; stele serve and stele put begin a new one',
  });
}

type TakeParts = { readonly clock: Clock; readonly random: Random; readonly say: Say; readonly create: boolean };

async function takeDisks(
  data: DataFolder,
  settings: Settings,
  parts: TakeParts,
  undo: Undo,
): Promise<{ disks: OpenDisk[]; archive: ArchiveId; isNew: boolean }> {
  const noted = await data.archive();
  const disks: OpenDisk[] = [];
  for (const setting of allDisks(settings, await data.addedDisks())) {
    const each = await openDisk(setting, { make: noted?.state !== 'complete' && isDefaultDisk(setting, data) });
    if (each.lock !== undefined) undo.add(() => each.lock?.release() ?? Promise.resolve());
    disks.push(each);
  }
  const found = await archiveOf(disks);
  if (noted !== undefined && found !== undefined && noted.archive !== found) {
    throw new ArchiveError('DATA_FOREIGN', 'the disks belong to another archive than the data folder');
  }
  const isNew = noted === undefined ? found === undefined : noted.state === 'new';
  const archive = found ?? noted?.archive ?? archiveId(randomId(parts.random));
  if (isNew) {
    if (!parts.create) throw noArchive(settings);
    const absent = disks.find((each) => each.disk === undefined);
    if (absent !== undefined) {
      throw new ArchiveError(
        'DISK_MISSING',
        `disk ${absent.label} is not there (${absent.reason ?? 'DISK_MISSING'}), and a new archive begins with all of its disks`,
        {
          hint: 'make the folder, or correct the configuration',
        },
      );
    }
    await data.setArchive({ archive, state: 'new' });
    parts.say(`setting up a new archive on ${disks.length === 1 ? 'one disk' : `${disks.length} disks`}`);
  } else if (noted === undefined) await data.setArchive({ archive, state: 'complete' });
  for (const each of disks)
    await joinOrEnrol(each, { archive, enrol: isNew, clock: parts.clock, random: parts.random });
  for (const each of disks)
    if (each.store === undefined) parts.say(`disk ${each.label} is missing: ${each.reason ?? 'DISK_MISSING'}`);
  return { disks, archive, isNew };
}

async function takeNewDisk(
  setting: DiskSetting,
  parts: {
    data: DataFolder;
    settings: Settings;
    disks: OpenDisk[];
    archive: ArchiveId;
    clock: Clock;
    random: Random;
    undo: Undo;
  },
): Promise<void> {
  const { data, disks } = parts;
  const before = disks.findIndex((each) => each.path === setting.path);
  if (disks.some((each) => each.path !== setting.path && each.label === setting.label)) {
    throw new ArchiveError('ARGUMENT_INVALID', `there is a disk labelled "${setting.label}" already`, {
      hint: 'choose another with --label',
    });
  }
  if (before >= 0 && disks[before]?.store !== undefined)
    throw new ArchiveError('FILE_EXISTS', `disk ${setting.label} belongs to the archive already`);
  const old = disks[before];
  const each = old?.disk === undefined ? await openDisk(setting, { make: false }) : old;
  if (each.disk === undefined)
    throw new ArchiveError('DISK_MISSING', `disk ${setting.label} cannot be used: ${each.reason ?? 'DISK_MISSING'}`, {
      hint: 'make the folder first',
    });
  if (each !== old) parts.undo.add(() => each.lock?.release() ?? Promise.resolve());
  await joinOrEnrol(each, { archive: parts.archive, enrol: true, clock: parts.clock, random: parts.random });
  if (before >= 0) disks[before] = each;
  else {
    disks.push(each);
    if (!parts.settings.disks.some((known) => known.path === setting.path))
      await data.setAddedDisks([...(await data.addedDisks()), setting]);
  }
}

async function takeKeyring(
  stores: Vault['shelf']['stores'],
  parts: {
    archive: ArchiveId;
    isNew: boolean;
    random: Random;
    settings: Settings;
    keyExport: StartOptions['keyExport'];
    say: Say;
  },
): Promise<LiveKeyring> {
  const { archive, random, say } = parts;
  const cipher = ciphers[parts.settings.cipher];
  const candidates = [];
  for (const store of stores)
    candidates.push({ place: store, bytes: await store.disk.readWhole(keyringPath, keyringFileBytesMax) });
  const choice = await newestKeyring(candidates, { archive }).catch((error: unknown) => {
    if (parts.keyExport !== undefined && error instanceof ArchiveError && error.code === 'KEYRING_CORRUPT')
      return undefined;
    throw error;
  });
  let ring = choice?.ring;
  let stale = [...(choice?.stale ?? []), ...(choice?.corrupt ?? [])];
  for (const store of choice?.corrupt ?? [])
    say(`the keyring on disk ${store.disk.label} was damaged and is written again`);
  if (ring === undefined && parts.isNew) {
    ring = Keyring.empty(archive)
      .withTenant(systemTenant, { cipher, random })
      .withTenant(defaultTenant, { cipher, random });
    stale = [...stores];
  }
  if (ring === undefined && parts.keyExport !== undefined) {
    const exported = await decodeKeyring(parts.keyExport.bytes, parts.keyExport.passphrase);
    ring = importExport(Keyring.empty(archive), exported.ring, { mode: 'missing' }).ring;
    stale = [...stores];
  }
  if (ring === undefined) throw new ArchiveError('KEY_MISSING', 'no disk of this archive holds a keyring');
  if (stale.length > 0) await writeKeyring(stale, ring);
  return new LiveKeyring(ring);
}

/** `read`: every pack on every disk is looked at. `clear`: what the database holds goes first. */
async function mustReadEverything(
  sql: Sql,
  archive: ArchiveId,
  stores: Vault['shelf']['stores'],
  rebuild: boolean,
  random: Random,
): Promise<{ read: boolean; clear: boolean }> {
  const owner = await readNote(sql, 'archive');
  if (owner !== undefined && owner !== archive) {
    throw new ArchiveError('DATA_FOREIGN', 'the database belongs to another archive');
  }
  if (owner === undefined) {
    await writeNote(sql, 'archive', archive);
    await writeNote(sql, 'database', randomId(random));
    return { read: true, clear: false };
  }
  const complete = await readNote(sql, 'complete');
  if (rebuild || complete !== String(projectVersion)) return { read: true, clear: rebuild || (complete ?? '') !== '' };
  const database = await readNote(sql, 'database');
  const seals = await sealsOf(sql);
  for (const store of stores) {
    const mark = await readMark(store.disk);
    // Another database worked on these disks since, or this one is a copy of an earlier day.
    if (mark !== undefined && (mark.database !== database || mark.seals > seals)) return { read: true, clear: false };
  }
  return { read: false, clear: false };
}

async function sealsOf(sql: Sql): Promise<number> {
  const row = await sql.one<{ value: number }>("SELECT value FROM vault_counters WHERE name = 'seals'");
  return Number(row?.value ?? 0);
}

async function readMark(disk: {
  readWhole(path: string, max: number): Promise<Uint8Array | undefined>;
}): Promise<{ database: string; seals: number } | undefined> {
  try {
    const bytes = await disk.readWhole(markPath, 4096);
    const json = JSON.parse(bytes === undefined ? '' : (utf8Text(bytes) ?? '')) as {
      database?: unknown;
      seals?: unknown;
    };
    return typeof json.database === 'string' && typeof json.seals === 'number'
      ? { database: json.database, seals: json.seals }
      : undefined;
  } catch {
    return undefined; // A hint only: what it would have said is found by looking.
  }
}

const lossesNamedMax = 1000;

async function startNotes(
  report: RecoveryReport,
  catalog: Catalog,
  vault: Vault,
  sql: Sql,
  disks: readonly OpenDisk[],
): Promise<StartNotes> {
  const losses = report.losses.map((loss) =>
    JSON.stringify(loss, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  );
  const missing = disks.some((each) => each.store === undefined);
  for (const { writer, sequence } of await catalog.allApplied()) {
    if (losses.length >= lossesNamedMax) break;
    if ((await vault.register.packsOfRecord({ writer, sequence })).length > 0) continue;
    const released = await sql.one<{ value: string }>('SELECT value FROM archive_notes WHERE name = ?', [
      `released/${writer}`,
    ]);
    if (released !== undefined && BigInt(released.value) >= sequence) continue;
    const found = report.writers.get(writer) ?? 0n;
    const first = recordIdText({ writer, sequence: found + 1n });
    const where = missing ? 'they may lie on a disk that is not attached' : 'no disk holds them';
    losses.push(`CATALOG_AHEAD: records ${first} to ${sequence} were acknowledged, and ${where}`);
  }
  const unreadable = report.unreadable.map(({ pack, reason }) => `pack ${pack}: ${reason.code}: ${reason.message}`);
  return { recoveredPacks: report.packCount, recoveredFacts: report.factCount, losses, unreadable };
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
