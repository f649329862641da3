// A vault on disks of the test's choosing, with keys and codecs that need no worker: for tests and simulations of the vault alone.
//
// The rig plays the archive's part: it applies facts to a plain map, as a catalog would, and can lose that map or keep an older one.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ArchiveError,
  type ArchiveId,
  archiveId,
  type Clock,
  HybridClock,
  type KeyGroup,
  ManualClock,
  type Random,
  recordIdText,
  SeededRandom,
  sha256,
  tenantId,
} from '../../src/base/index.ts';
import {
  type CipherKeys,
  type CodecPool,
  cipherKeys,
  type MakeJob,
  makeRecord,
  makeRecordInto,
  noWalks,
  type OpenManyJob,
  openMany,
  openRecord,
  type RecordBytes,
  SharedMemory,
  type SharedSizes,
  sharedBytes,
  spanBytesMax,
} from '../../src/codec/index.ts';
import type { Disk } from '../../src/disk/index.ts';
import type { GroupCipher, KeySource, ManyGroupKeys } from '../../src/keys/index.ts';
import { migrate, openSqlite, type Sql } from '../../src/sql/index.ts';
import {
  enrolDisk,
  joinDisk,
  type RecoveryReport,
  type StorageClass,
  type StoreDisk,
  Vault,
  type VaultEvent,
  type VaultLimits,
  vaultMigrations,
} from '../../src/vault/index.ts';

export const rigArchive: ArchiveId = archiveId('a1'.repeat(16));
export const rigGroup: KeyGroup = { tenant: tenantId(1), year: 2026, group: 77n };

const keysKnown = new Map<string, CipherKeys>();

/** A key for each group, from its name: no tree, nothing to lose. Those that were asked for are kept, as a keyring keeps them. */
export const rigKeys = {
  groupKeys(group: KeyGroup, cipher: number) {
    const name = `${group.tenant}/${group.year}/${group.group}`;
    let keys = keysKnown.get(`${name}/${cipher}`);
    if (keys === undefined) {
      keys = cipherKeys(createHash('sha256').update(name).digest(), cipher);
      keysKnown.set(`${name}/${cipher}`, keys);
    }
    return keys;
  },
  manyGroupKeys(groups: readonly GroupCipher[]): ManyGroupKeys {
    const keys = groups.map(({ group, cipher }) => rigKeys.groupKeys(group, cipher));
    return { keys, walks: noWalks, places: keys.map((_, place) => place) };
  },
} as KeySource;

/** Little memory, so that some groups find none and some are too long for it. */
const rigSizes: SharedSizes = { slots: 1, regions: 3, regionBytes: 128 * 1024 };

/** Does at once what a pool does in its workers, in the same places. */
export function newInlinePool(): CodecPool {
  const memory = new SharedMemory(new SharedArrayBuffer(sharedBytes(rigSizes)), rigSizes);
  const make = (job: MakeJob): RecordBytes => {
    const place = job.room?.(spanBytesMax(job.plain.byteLength, job.keys, job.nonce), () => false);
    return place === undefined ? makeRecord(job) : makeRecordInto(job, memory.at(place));
  };
  return {
    memory,
    make,
    open: openRecord,
    openMany: async (job: OpenManyJob) => openMany(job),
    digest: sha256,
  } as unknown as CodecPool;
}

let databaseFolder: string | undefined;
let databaseCount = 0;

/** A path for a database that goes when the process does. */
export function newDatabasePath(): string {
  if (databaseFolder === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'stele-rig-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    databaseFolder = folder;
  }
  databaseCount += 1;
  return join(databaseFolder, `${databaseCount}.sqlite`);
}

export type RigOptions = {
  readonly disks: readonly Disk[];
  readonly sql?: Sql;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly limits?: Partial<VaultLimits>;
  readonly storage?: StorageClass;
  readonly everything?: boolean;
  readonly fromMedia?: boolean;
  readonly cipher?: number;
  readonly keys?: KeySource;
  /** The greatest sequence of a writer that was acknowledged, as the catalog knows it. */
  readonly sequences?: (writer: string) => Promise<bigint>;
  readonly pool?: CodecPool;
  /** What was applied before, as a catalog that survived. */
  readonly applied?: Map<string, Uint8Array>;
  /** Waited for before a durable group's facts are applied: a slow catalog. */
  readonly beforeApply?: () => Promise<void>;
};

export type Rig = {
  readonly vault: Vault;
  readonly sql: Sql;
  readonly applied: Map<string, Uint8Array>;
  /** Codes of facts that recovery found and could not open. */
  readonly unopened: string[];
  readonly events: VaultEvent[];
  readonly report: RecoveryReport;
  readonly stores: StoreDisk[];
};

export async function openRig(options: RigOptions): Promise<Rig> {
  const clock = options.clock ?? new ManualClock(Date.UTC(2026, 0, 1));
  const random = options.random ?? new SeededRandom(1);
  const hybrid = new HybridClock(clock);
  const sql = options.sql ?? (await openSqlite({ path: newDatabasePath() }));
  await migrate(sql, vaultMigrations);
  const stores: StoreDisk[] = [];
  for (const disk of options.disks) {
    stores.push((await joinDisk(disk, rigArchive)) ?? (await enrolDisk(disk, rigArchive, random, clock.nowMs())));
  }
  const applied = options.applied ?? new Map<string, Uint8Array>();
  const events: VaultEvent[] = [];
  const unopened: string[] = [];
  const storage = options.storage ?? { copies: options.disks.length, whenFewer: 'refuse' };
  const vault = new Vault({
    archive: rigArchive,
    stores,
    sql,
    keys: options.keys ?? rigKeys,
    pool: options.pool ?? newInlinePool(),
    clock,
    hybrid,
    random,
    cipher: options.cipher ?? 1,
    classes: { ingest: storage, archive: storage, control: storage },
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    onDurable: async (group) => {
      await options.beforeApply?.();
      for (const fact of group.facts) applied.set(recordIdText(fact.id), fact.plain.slice());
    },
    onEvent: (event) => events.push(event),
  });
  const report = await vault.recover(
    async (facts) => {
      for (const { id, plain } of facts) {
        if (plain instanceof ArchiveError) unopened.push(plain.code);
        else applied.set(recordIdText(id), plain.slice());
      }
    },
    {
      everything: options.everything ?? false,
      fromMedia: options.fromMedia ?? false,
      ...(options.sequences === undefined ? {} : { applied: options.sequences }),
    },
  );
  return { vault, sql, applied, unopened, events, report, stores };
}
