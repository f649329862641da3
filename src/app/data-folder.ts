// The data folder: whose it is, which disks were added to it, where the server answers; and the lock that makes one process its owner.
//
// Invariants: the folder is locked before anything in it is read to be changed; `archive.json` is written before the first disk is enrolled and
// completed after the last, so a first start that died goes on where it was; a folder that once had an archive never starts a new one by itself.
// Layout: archive.json, disks.json, known-disks.json, catalog.sqlite, endpoints.json, control.sock, setup.json, audit.json, and `disk/` unless disks are configured.

import fs from 'node:fs';
import path from 'node:path';
import type { AuditEvent } from '../archive/index.ts';
import { ArchiveError, type ArchiveId, archiveId, type DiskId, isHex128, utf8Bytes, utf8Text } from '../base/index.ts';
import { type DiskLock, openRealDisk, type RealDisk } from '../disk/index.ts';
import type { DiskSetting, Settings } from './settings.ts';

export type ArchiveFile = {
  readonly archive: ArchiveId;
  /** `new`: some disk may not be enrolled yet. */
  readonly state: 'new' | 'complete';
};

const fileSizeBytesMax = 1024 * 1024;

export class DataFolder {
  readonly folder: string;
  readonly #disk: RealDisk;
  readonly #lock: DiskLock;

  private constructor(folder: string, disk: RealDisk, lock: DiskLock) {
    this.folder = folder;
    this.#disk = disk;
    this.#lock = lock;
  }

  /** Makes the folder when it is not there, and locks it. DATA_LOCKED, DISK_READ_ONLY. */
  static async open(folder: string): Promise<DataFolder> {
    try {
      fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      const known =
        code === 'ENOSPC' || code === 'EDQUOT'
          ? 'DISK_FULL'
          : code === 'EEXIST' || code === 'ENOTDIR'
            ? 'DISK_MISSING'
            : 'DISK_READ_ONLY';
      throw new ArchiveError(known, `the data folder ${folder} cannot be made (${code})`, { cause: error });
    }
    const disk = await openRealDisk({ folder, label: folder });
    return new DataFolder(folder, disk, await disk.lock());
  }

  get databaseFile(): string {
    return path.join(this.folder, 'catalog.sqlite');
  }

  /**
   * Sets the embedded database aside, whole or damaged, so that one can be made from nothing: `bringBack` undoes it, `letGo` makes it final; whichever
   * comes first counts. What a crash leaves aside goes with the next `letGo`.
   */
  setDatabaseAside(): { readonly bringBack: () => void; readonly letGo: () => void } {
    const aside = `${this.databaseFile}.aside`;
    const parts = ['', '-wal', '-shm'];
    const remove = (file: string): void => {
      for (const part of parts) fs.rmSync(`${file}${part}`, { force: true });
    };
    const move = (from: string, to: string, order: readonly string[]): void => {
      for (const part of order) if (fs.existsSync(`${from}${part}`)) fs.renameSync(`${from}${part}`, `${to}${part}`);
    };
    remove(aside);
    // The file goes first and comes back last: it never lies in its place without its log, which would make it an older one.
    move(this.databaseFile, aside, parts);
    let isOpen = true;
    return {
      bringBack: () => {
        if (!isOpen) return;
        isOpen = false;
        if (!fs.existsSync(aside)) return;
        remove(this.databaseFile);
        move(aside, this.databaseFile, parts.toReversed());
      },
      letGo: () => {
        isOpen = false;
        remove(aside);
      },
    };
  }

  /** `damaged`: it is there and says nothing; the disks know the archive as well. */
  async archive(): Promise<ArchiveFile | 'damaged' | undefined> {
    const json = await this.#read('archive.json');
    if (json === undefined || json === 'damaged') return json;
    const { archive, state } = json;
    if (typeof archive !== 'string' || !isHex128(archive)) return 'damaged';
    return { archive: archiveId(archive), state: state === 'new' ? 'new' : 'complete' };
  }

  async setArchive(file: ArchiveFile): Promise<void> {
    await this.#write('archive.json', { format: 'stele-archive', version: 1, ...file });
  }

  /** Disks added by `stele disk add`, beside those that are configured. */
  async addedDisks(): Promise<DiskSetting[]> {
    const json = await this.#disksFile();
    return json === undefined ? [] : disksIn(json);
  }

  async setAddedDisks(disks: readonly DiskSetting[]): Promise<void> {
    await this.#write('disks.json', { disks, retired: await this.retiredDisks() });
  }

  /** Ids of the disks at their paths, as the last start met them: a disk whose own word is damaged is recognised by it. */
  async knownDisks(): Promise<ReadonlyMap<string, DiskId>> {
    const json = await this.#read('known-disks.json');
    const known = new Map<string, DiskId>();
    if (json === undefined || json === 'damaged') return known;
    for (const [place, id] of Object.entries(json['disks'] ?? {}))
      if (typeof id === 'string' && isHex128(id)) known.set(place, id as DiskId);
    return known;
  }

  async setKnownDisks(known: ReadonlyMap<string, DiskId>): Promise<void> {
    await this.#write('known-disks.json', { disks: Object.fromEntries(known) });
  }

  /** Ids of disks that left the archive: they do not come back by being listed. */
  async retiredDisks(): Promise<string[]> {
    const json = await this.#disksFile();
    return Array.isArray(json?.['retired']) ? (json['retired'] as unknown[]).map(String) : [];
  }

  async setRetiredDisks(retired: readonly string[]): Promise<void> {
    await this.#write('disks.json', { disks: await this.addedDisks(), retired });
  }

  async #disksFile(): Promise<Record<string, unknown> | undefined> {
    const json = await this.#read('disks.json');
    if (json !== 'damaged') return json;
    throw new ArchiveError('DATA_FOREIGN', 'disks.json of the data folder is damaged', {
      hint: 'restore that file, or remove it and list its disks in the configuration',
    });
  }

  /** The link of a first start, kept so that a restart before it was used shows the same; one that is damaged is as good as none. */
  async setupSecret(): Promise<string | undefined> {
    const json = await this.#read('setup.json');
    return json !== 'damaged' && typeof json?.['secret'] === 'string' ? json['secret'] : undefined;
  }

  async setSetupSecret(secret: string | undefined): Promise<void> {
    if (secret === undefined) await this.#disk.remove('setup.json');
    else await this.#write('setup.json', { secret });
  }

  /** What was audited and is still to be written to a pack. A damaged file tells nothing. */
  async carriedEvents(): Promise<readonly AuditEvent[]> {
    const json = await this.#read('audit.json');
    if (json === undefined || json === 'damaged' || !Array.isArray(json['events'])) return [];
    return json['events'] as AuditEvent[];
  }

  async carryEvents(events: readonly AuditEvent[]): Promise<void> {
    if (events.length === 0) await this.#disk.remove('audit.json');
    else await this.#write('audit.json', { events });
  }

  /** Where the doors answer: there when all of them do, gone after a clean stop. */
  async setEndpoints(endpoints: Readonly<Record<string, string>> | undefined): Promise<void> {
    if (endpoints === undefined) await this.#disk.remove('endpoints.json');
    else await this.#write('endpoints.json', endpoints);
  }

  async close(): Promise<void> {
    await this.#lock.release();
  }

  async #read(name: string): Promise<Record<string, unknown> | 'damaged' | undefined> {
    const bytes = await this.#disk.readWhole(name, fileSizeBytesMax);
    if (bytes === undefined) return undefined;
    try {
      const json: unknown = JSON.parse(utf8Text(bytes) ?? '');
      return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : 'damaged';
    } catch {
      return 'damaged';
    }
  }

  async #write(name: string, json: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#disk.writeWhole(name, utf8Bytes(`${JSON.stringify(json)}\n`));
  }
}

/** The disks of the configuration, then those that were added. */
export function allDisks(settings: Settings, added: readonly DiskSetting[]): DiskSetting[] {
  const disks = [...settings.disks];
  for (const disk of added) if (!disks.some((each) => each.path === disk.path)) disks.push(disk);
  return disks;
}

/** CONFIG_INVALID when more copies are asked for than there are disks. */
export function checkCopies({ copies, whenFewer }: Settings, diskCount: number): void {
  if (copies <= diskCount || whenFewer !== 'refuse') return;
  throw new ArchiveError('CONFIG_INVALID', `copies is ${copies} and there are ${diskCount} disks`, {
    hint: 'list more disks, ask for fewer copies, or set when_fewer: accept',
  });
}

/** The disks that were added to the archive in this folder, without taking it: for a look at the configuration. */
export function peekAddedDisks(folder: string): DiskSetting[] {
  try {
    const json: unknown = JSON.parse(fs.readFileSync(path.join(folder, 'disks.json'), 'utf8'));
    return typeof json === 'object' && json !== null ? disksIn(json as Record<string, unknown>) : [];
  } catch {
    // There is none, or it is damaged; the start says so.
    return [];
  }
}

function disksIn(json: Readonly<Record<string, unknown>>): DiskSetting[] {
  if (!Array.isArray(json['disks'])) return [];
  return (json['disks'] as DiskSetting[]).filter(
    (each) => typeof each.path === 'string' && typeof each.label === 'string',
  );
}
