// Archive: the facade that every door calls. One object that has the nouns (objects, instances, studies, entities, accounts, keys) and what is told of the
// whole.
//
// Invariants: doors know nothing below it; everything it promises is durable when it resolves; after `close` everything is CLOSED.
// Left out on purpose: constructing the rooms below (app does), and deciding when upkeep runs (flow and app).

import { type ArchiveId, type Clock, type DiskId, type PackId, type RecordId } from '../base/index.ts';
import type { Catalog, ObjectRow } from '../catalog/index.ts';
import type { Swept } from '../flow/index.ts';
import type { PackClassName } from '../format/index.ts';
import type { CopyReport, KnownLoss, Pace, PlacementKind, RepairReport, StoreDisk, Vault } from '../vault/index.ts';
import type { Accounts } from './accounts.ts';
import type { Alarms, Findings } from './alarms.ts';
import type { Amendments } from './amendments.ts';
import type { ApplicationEntities } from './application-entities.ts';
import type { Applier } from './applier.ts';
import type { AuditLog } from './audit-log.ts';
import type { CallCounts, CallMeter } from './call-meter.ts';
import type { Commitments } from './commitments.ts';
import type { Devices } from './devices.ts';
import type { Forwarding } from './forwarding.ts';
import type { Instances } from './instances.ts';
import type { KeyKeeper, KeyStatus } from './key-keeper.ts';
import type { Objects } from './objects.ts';
import type { Prefetch } from './prefetch.ts';
import type { ProcedureSteps } from './procedure-steps.ts';
import type { QualityCases } from './quality-cases.ts';
import type { Reconciliation } from './reconciliation.ts';
import type { Studies } from './studies.ts';

export type DiskNote = {
  readonly label: string;
  readonly path: string;
  readonly id: DiskId | undefined;
  readonly state: StoreDisk['state'];
  readonly reason: string | undefined;
  /** Its own word on what it is was damaged. */
  readonly isUnsigned: boolean;
};

/** What a start found wrong and could not mend; kept until the next start. */
export type StartNotes = {
  readonly recoveredPacks: number;
  readonly recoveredFacts: number;
  readonly losses: readonly string[];
  readonly unreadable: readonly string[];
};

export type ArchiveParts = {
  readonly id: ArchiveId;
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly applier: Applier;
  readonly objects: Objects;
  readonly instances: Instances;
  readonly studies: Studies;
  readonly entities: ApplicationEntities;
  readonly commitments: Commitments;
  readonly forwarding: Forwarding;
  readonly prefetch: Prefetch;
  readonly steps: ProcedureSteps;
  readonly alarms: Alarms;
  readonly quality: QualityCases;
  readonly amendments: Amendments;
  readonly devices: Devices;
  readonly reconciliation: Reconciliation;
  readonly accounts: Accounts;
  readonly audit: AuditLog;
  readonly keys: KeyKeeper;
  readonly clock: Clock;
  readonly copies: number;
  readonly startedMs: number;
  readonly disks: () => readonly DiskNote[];
  readonly startNotes: StartNotes;
  readonly meter: CallMeter;
  readonly settle: (pace: Pace, options: { all: boolean; signal: AbortSignal }) => AsyncIterable<SettleReport>;
  readonly sweep: (pace: Pace) => AsyncIterable<Swept>;
  /** Writes anew what disks say of themselves where that was damaged; their labels. */
  readonly signDisks: () => Promise<readonly string[]>;
};

export type SettleReport = {
  readonly pack: PackId;
  readonly class: PackClassName;
  readonly movedObjects: number;
  readonly movedBytes: number;
  readonly released: boolean;
  /** Why it was not released. */
  readonly code: string | undefined;
};

/** What a disk says of itself was damaged, and was written anew. */
export type SignReport = { readonly kind: 'disk'; readonly label: string };

/** A pack that was released, or that nobody knows, found on a disk. */
export type SweepReport = Swept & { readonly kind: 'released' };

export type Whereabouts = {
  readonly pack: PackId;
  readonly records: number;
  readonly sealed: boolean;
  readonly copies: readonly {
    readonly disk: DiskId;
    readonly label: string;
    readonly kind: PlacementKind;
    readonly state: 'good' | 'bad' | 'open' | 'missing';
    readonly verifiedMs: number;
  }[];
};

export type Health = 'good' | 'degraded' | 'failing';

export type ArchiveStatus = {
  readonly archive: ArchiveId;
  readonly health: Health;
  readonly problems: readonly string[];
  readonly uptimeSeconds: number;
  readonly objects: { readonly versions: number; readonly bytes: number; readonly markers: number };
  readonly packs: readonly {
    readonly class: PackClassName;
    readonly open: number;
    readonly sealed: number;
    readonly bytes: number;
    readonly records: number;
  }[];
  readonly disks: readonly (DiskNote & {
    readonly freeBytes: number | undefined;
    readonly totalBytes: number | undefined;
    readonly packs: number;
    readonly badPacks: number;
    readonly leastVerifiedMs: number | undefined;
  })[];
  readonly keys: KeyStatus;
  readonly counters: {
    readonly repairedRecords: number;
    readonly repairedPacks: number;
    readonly lostRecords: number;
    readonly seals: number;
  };
  readonly start: StartNotes;
  readonly findings: Findings;
  /** Since the start. */
  readonly calls: readonly CallCounts[];
};

const lossesToldMax = 100;

function knownLossLine({ pack, recordCount, records, foundMs }: KnownLoss): string {
  const count = recordCount > 0 ? `${recordCount} records` : 'bytes of which no record is known';
  const ids = records === '' ? '' : ` (${records})`;
  return `known loss: no copy of pack ${pack} holds ${count}${ids}, found ${new Date(foundMs).toISOString()}`;
}

export class Archive {
  readonly id: ArchiveId;
  readonly objects: Objects;
  readonly instances: Instances;
  readonly studies: Studies;
  readonly entities: ApplicationEntities;
  readonly commitments: Commitments;
  readonly forwarding: Forwarding;
  readonly prefetch: Prefetch;
  readonly steps: ProcedureSteps;
  readonly alarms: Alarms;
  readonly quality: QualityCases;
  readonly amendments: Amendments;
  readonly devices: Devices;
  readonly reconciliation: Reconciliation;
  readonly accounts: Accounts;
  readonly audit: AuditLog;
  readonly keys: KeyKeeper;
  readonly #parts: ArchiveParts;

  constructor(parts: ArchiveParts) {
    this.id = parts.id;
    this.objects = parts.objects;
    this.instances = parts.instances;
    this.studies = parts.studies;
    this.entities = parts.entities;
    this.commitments = parts.commitments;
    this.forwarding = parts.forwarding;
    this.prefetch = parts.prefetch;
    this.steps = parts.steps;
    this.alarms = parts.alarms;
    this.quality = parts.quality;
    this.amendments = parts.amendments;
    this.devices = parts.devices;
    this.reconciliation = parts.reconciliation;
    this.accounts = parts.accounts;
    this.audit = parts.audit;
    this.keys = parts.keys;
    this.#parts = parts;
  }

  /** Where the content of an object lies: packs, and the disks that hold them. */
  async where(row: ObjectRow): Promise<Whereabouts[]> {
    const { vault } = this.#parts;
    if (row.ref === undefined) return [];
    const counts = new Map<PackId, number>();
    for await (const { id } of vault.contents.records(row.ref)) {
      for (const pack of await this.#packsOf(id)) counts.set(pack, (counts.get(pack) ?? 0) + 1);
    }
    const found: Whereabouts[] = [];
    for (const [pack, records] of counts) found.push(await this.#whereIsPack(pack, records));
    return found;
  }

  async #packsOf(id: RecordId): Promise<PackId[]> {
    const known = await this.#parts.vault.register.packsOfRecord(id);
    if (known.length > 0) return known;
    return [(await this.#parts.vault.read(id)).pack];
  }

  async #whereIsPack(pack: PackId, records: number): Promise<Whereabouts> {
    const { vault } = this.#parts;
    const label = (disk: DiskId): string =>
      this.#parts.disks().find((each) => each.id === disk)?.label ?? 'not attached';
    const live = vault.livePacks().find((each) => each.pack === pack);
    if (live !== undefined) {
      const copies = live.disks.map((disk) => ({
        disk,
        label: label(disk),
        kind: 'pack' as const,
        state: 'open' as const,
        verifiedMs: 0,
      }));
      return { pack, records, sealed: false, copies };
    }
    const copies = (await vault.register.placementsOf(pack)).map(({ disk, kind, state, verifiedMs }) => {
      const store = vault.shelf.store(disk);
      const missing = store === undefined || store.state === 'missing';
      return { disk, label: label(disk), kind, state: missing ? ('missing' as const) : state, verifiedMs };
    });
    return { pack, records, sealed: true, copies };
  }

  /** Reads copies back from their media. `packs` undefined: all. */
  verify(pace: Pace, packs?: readonly PackId[]): AsyncGenerator<CopyReport> {
    return this.#parts.vault.care.verifyAll(pace, packs);
  }

  /** Reads back copies that were last read before a time, the longest ago first. */
  async *verifySince(beforeMs: number, pace: Pace): AsyncGenerator<CopyReport> {
    for (;;) {
      const report = await this.#parts.vault.care.verifyNext(beforeMs, pace);
      if (report === undefined || report.gone) return;
      yield report;
    }
  }

  /** Signs disks, lets go of what was released and is there again, then mends copies and makes missing ones. */
  async *repair(pace: Pace): AsyncGenerator<RepairReport | SweepReport | SignReport> {
    for (const label of await this.#parts.signDisks()) yield { kind: 'disk', label };
    for await (const swept of this.#parts.sweep(pace)) yield { kind: 'released', ...swept };
    yield* this.#parts.vault.care.repair(pace);
    await this.keys.renew(this.#parts.vault.shelf.present());
  }

  /** Seals what is open, then settles everything that may. */
  settle(pace: Pace, options: { all: boolean; signal: AbortSignal }): AsyncIterable<SettleReport> {
    return this.#parts.settle(pace, options);
  }

  async sealOpen(which: 'old' | 'all'): Promise<void> {
    await this.#parts.vault.sealOpen(which);
  }

  /** The label of a disk. */
  diskLabel(disk: DiskId | undefined): string {
    return this.#parts.disks().find((each) => each.id === disk)?.label ?? 'not attached';
  }

  async status(): Promise<ArchiveStatus> {
    const { vault, catalog, clock } = this.#parts;
    const totals = await vault.register.totals();
    const live = vault.livePacks();
    const classes: PackClassName[] = ['ingest', 'archive', 'control'];
    const packs = classes.map((name) => {
      const sealed = totals.classes.find((each) => each.class === name);
      const open = live.filter((each) => each.class === name);
      return {
        class: name,
        open: open.length,
        sealed: sealed?.packCount ?? 0,
        bytes: (sealed?.sizeBytes ?? 0) + open.reduce((sum, each) => sum + each.sizeBytes, 0),
        records: (sealed?.recordCount ?? 0) + open.reduce((sum, each) => sum + each.recordCount, 0),
      };
    });
    const disks: ArchiveStatus['disks'][number][] = [];
    for (const note of this.#parts.disks()) {
      const store = note.id === undefined ? undefined : vault.shelf.store(note.id);
      const space = await store?.disk.space().catch(() => undefined);
      if (store !== undefined && space === undefined) store.state = 'missing';
      const mine = totals.disks.filter((each) => each.disk === note.id && each.kind === 'pack');
      disks.push({
        ...note,
        state: store?.state ?? note.state,
        reason: store === undefined ? note.reason : store.fault,
        freeBytes: space?.freeBytes,
        totalBytes: space?.totalBytes,
        packs: mine.reduce((sum, each) => sum + each.packCount, 0),
        badPacks: mine.filter((each) => each.state === 'bad').reduce((sum, each) => sum + each.packCount, 0),
        leastVerifiedMs: mine.length === 0 ? undefined : Math.min(...mine.map((each) => each.leastVerifiedMs)),
      });
    }
    const keys = await this.keys.status();
    const problems = await this.#problems(disks, keys);
    return {
      archive: this.id,
      health: problems.health,
      problems: problems.lines,
      uptimeSeconds: Math.floor((clock.monotonicMs() - this.#parts.startedMs) / 1000),
      objects: await catalog.objects.totals(),
      packs,
      disks,
      keys,
      counters: {
        repairedRecords: await vault.register.counter('repaired_records'),
        repairedPacks: await vault.register.counter('repaired_packs'),
        lostRecords: await vault.register.counter('lost_records'),
        seals: await vault.register.counter('seals'),
      },
      start: this.#parts.startNotes,
      findings: problems.findings,
      calls: this.#parts.meter.counts(),
    };
  }

  async #problems(
    disks: ArchiveStatus['disks'],
    keys: KeyStatus,
  ): Promise<{ health: Health; lines: string[]; findings: Findings }> {
    const { vault, applier, startNotes, copies } = this.#parts;
    const lines: string[] = [];
    for (const disk of disks) {
      if (disk.state === 'missing')
        lines.push(`disk ${disk.label} is missing${why(disk)}: attach it, or run: stele repair`);
      if (disk.isUnsigned) lines.push(`stele-disk.json on disk ${disk.label} is damaged: run: stele repair`);
      if (disk.state === 'failing')
        lines.push(`disk ${disk.label} takes no new data${why(disk)}: ${failingHint(disk)}, then run: stele repair`);
      else if (isNearlyFull(disk))
        lines.push(`disk ${disk.label} is nearly full: free some space, or run: stele disk add`);
      if (disk.badPacks > 0) lines.push(`disk ${disk.label} holds ${disk.badPacks} damaged packs: run: stele repair`);
    }
    const present = vault.shelf.present().map((store) => store.id);
    const short = await vault.register.packsShortOf(copies, 'pack', present, 1);
    if (short.length > 0)
      lines.push(`some packs have fewer than ${copies} copies on the disks that are here: run: stele repair`);
    if (applier.passedOverCount > 0)
      lines.push(
        `${applier.passedOverCount} entries could not be read at the start, such as ${applier.passedOver[0]?.record ?? ''}`,
      );
    for (const loss of startNotes.losses) lines.push(`lost: ${loss}`);
    for (const loss of await vault.losses.list(lossesToldMax)) lines.push(knownLossLine(loss));
    for (const each of startNotes.unreadable) lines.push(`unreadable: ${each}`);
    const failing = lines.length > 0 && (vault.shelf.writable().length === 0 || applier.failure !== undefined);
    if (applier.failure !== undefined)
      lines.push(`the catalog takes no more changes (${applier.failure.code}): restart`);
    // A warning about keys asks for an action, and is no sign of ill health.
    const health = failing || applier.failure !== undefined ? 'failing' : lines.length > 0 ? 'degraded' : 'good';
    const findings = {
      hasFewCopies: short.length > 0,
      unreadableEntries: applier.passedOverCount,
      isCatalogStopped: applier.failure !== undefined,
    };
    return { health, lines: [...lines, ...keys.warnings], findings };
  }
}

type DiskStatus = ArchiveStatus['disks'][number];

function why({ reason }: DiskStatus): string {
  return reason === undefined ? '' : ` (${reason})`;
}

function failingHint({ reason }: DiskStatus): string {
  if (reason === 'DISK_FULL') return 'free some space or add a disk';
  return reason === 'DISK_READ_ONLY' ? 'make it writable and start again' : 'check it';
}

/** Less than a twentieth of a disk and less than a pack of the usual size: told before a write is refused. */
function isNearlyFull({ freeBytes, totalBytes }: DiskStatus): boolean {
  if (freeBytes === undefined || totalBytes === undefined) return false;
  return freeBytes < Math.min(totalBytes / 20, 1024 ** 3);
}
