// Disks at a start: opened, locked, recognised, enrolled when they may be; the papers that lie on each.
//
// Invariants: a folder without an identity joins only a new archive, or by `disk add`, and only when it is empty, since the mount point of a
// disk that is not mounted looks just so; a disk of another archive stops the start; one that is missing is named and the rest go on; one that
// cannot be written is read, without a lock, which would be a write; one whose word on what it is was damaged is recognised by its packs and its keyring.

import fs from 'node:fs';
import path from 'node:path';
import type { DiskNote } from '../archive/index.ts';
import {
  ArchiveError,
  type ArchiveId,
  type Clock,
  type DiskId,
  hexOf,
  isArchiveError,
  type Random,
  toArchiveError,
} from '../base/index.ts';
import { type Disk, type DiskLock, openRealDisk } from '../disk/index.ts';
import { decodeKeyring, keyringFileBytesMax } from '../keys/index.ts';
import {
  archiveOfPacks,
  enrolDisk,
  identityPath,
  joinDisk,
  keyringPath,
  readIdentity,
  type StoreDisk,
  writeIdentity,
} from '../vault/index.ts';
import type { DataFolder } from './data-folder.ts';
import type { DiskSetting } from './settings.ts';
import { programFolder } from './version.ts';

export type OpenDisk = DiskSetting & {
  readonly disk: Disk | undefined;
  /** undefined with a disk: it cannot be written, or is not ours. */
  readonly lock: DiskLock | undefined;
  store: StoreDisk | undefined;
  /** Its own word on what it is was damaged; a repair writes it anew. */
  isUnsigned?: boolean;
  /** Why it is not there. */
  reason: string | undefined;
};

/** Opens and locks one disk. What is not there, or cannot be written, is noted; what another process holds is thrown. */
export async function openDisk(setting: DiskSetting, options: { make: boolean }): Promise<OpenDisk> {
  try {
    if (options.make) fs.mkdirSync(setting.path, { recursive: true, mode: 0o700 });
    const disk = await openRealDisk({ folder: setting.path, label: setting.label });
    const open = { ...setting, disk, store: undefined };
    // Nothing is written into a folder of somebody else's, not even a lock: it can be no disk of ours.
    if (await isSomebodyElses(disk)) return { ...open, lock: undefined, reason: undefined };
    const lock = await disk.lock().catch((error: unknown) => {
      if (isArchiveError(error, 'DISK_READ_ONLY')) return undefined;
      throw error;
    });
    return { ...open, lock, reason: lock === undefined ? 'DISK_READ_ONLY' : undefined };
  } catch (error) {
    const fault = toArchiveError(error, 'DISK_READ_ONLY', `disk ${setting.label} cannot be made`);
    if (fault.code === 'DATA_LOCKED') throw fault;
    return { ...setting, disk: undefined, lock: undefined, store: undefined, reason: fault.code };
  }
}

/** What an enrolment that died may have left, and what a file system has by itself. */
const oursBeforeIdentity = ['open', 'packs', 'footers', 'keyring.json', 'FORMAT.md', 'lost+found'];

async function isSomebodyElses(disk: Disk): Promise<boolean> {
  if ((await disk.stat(identityPath)) !== undefined) return false;
  return (await disk.list('')).some((name) => !oursBeforeIdentity.includes(name));
}

/**
 * The archive that these disks belong to; undefined when none has an identity. A disk whose identity is damaged is asked for its packs and its keyring.
 * DATA_FOREIGN when they do not agree.
 */
export async function archiveOf(disks: readonly OpenDisk[]): Promise<ArchiveId | undefined> {
  let archive: ArchiveId | undefined;
  for (const each of disks) {
    if (each.disk === undefined) continue;
    const identity = await readIdentity(each.disk);
    if (identity === undefined) continue;
    each.isUnsigned = identity === 'damaged';
    const own = identity === 'damaged' ? await archiveOfContent(each.disk) : identity.archive;
    if (own === undefined) continue;
    if (archive !== undefined && own !== archive) {
      throw new ArchiveError('DATA_FOREIGN', `disk ${each.label} belongs to another archive than the others`);
    }
    archive = own;
  }
  return archive;
}

async function archiveOfContent(disk: Disk): Promise<ArchiveId | undefined> {
  const archive = await archiveOfPacks(disk);
  if (archive !== undefined) return archive;
  const bytes = await disk.readWhole(keyringPath, keyringFileBytesMax).catch(() => undefined);
  const ring = bytes === undefined ? undefined : await decodeKeyring(bytes).catch(() => undefined);
  return ring?.ring.archive;
}

export type JoinOptions = {
  readonly archive: ArchiveId;
  /** Whether folders without an identity become disks of the archive. */
  readonly enrol: boolean;
  /** Ids of disks that left the archive. */
  readonly retired: readonly string[];
  /** Ids by path, as an earlier start met them. */
  readonly known: ReadonlyMap<string, DiskId>;
  readonly random: Random;
  readonly clock: Clock;
};

/** Makes the disk a member, or notes why it is none. DATA_FOREIGN. */
export async function joinOrEnrol(each: OpenDisk, options: JoinOptions): Promise<void> {
  if (each.disk === undefined) return;
  try {
    const known = each.isUnsigned === true ? await recognised(each.disk, each.path, options) : undefined;
    if (each.isUnsigned === true && known === undefined && !options.enrol) {
      each.reason = 'its stele-disk.json is damaged, and nothing else on it says whose it is';
      return;
    }
    each.store = await joinDisk(each.disk, options.archive, { readOnly: each.lock === undefined, known });
    if (each.store !== undefined && options.retired.includes(each.store.id)) {
      each.store = undefined;
      each.reason = 'retired: take it out of the configuration';
      return;
    }
    if (each.store === undefined && options.enrol) {
      if (await isSomebodyElses(each.disk)) {
        throw new ArchiveError('DATA_FOREIGN', `disk ${each.label} is not empty and was not set up for this archive`, {
          hint: 'give it an empty folder',
        });
      }
      if (each.lock === undefined) return;
      each.store = await enrolDisk(each.disk, options.archive, options.random, options.clock.nowMs());
    }
    if (each.store === undefined) each.reason ??= 'not set up: is it mounted? if it is new: stele disk add';
  } catch (error) {
    if (isArchiveError(error, 'DATA_FOREIGN') || isArchiveError(error, 'PACK_NEWER')) throw error;
    each.reason = toArchiveError(error, 'DISK_IO', 'the disk cannot be read').code;
  }
}

/** The id of a disk that is ours by what lies on it: the one it had, or a new one where that is forgotten. undefined: nothing says that it is ours. */
async function recognised(disk: Disk, place: string, options: JoinOptions): Promise<DiskId | undefined> {
  if ((await archiveOfContent(disk)) !== options.archive) return undefined;
  return options.known.get(place) ?? (randomId(options.random) as DiskId);
}

/** Writes the identity of disks whose own was damaged. The labels of those that have one again. */
export async function signDisks(disks: readonly OpenDisk[], archive: ArchiveId, nowMs: number): Promise<string[]> {
  const signed: string[] = [];
  for (const each of disks) {
    if (each.isUnsigned !== true || each.disk === undefined || each.store?.state !== 'present') continue;
    await writeIdentity(each.disk, { archive, disk: each.store.id }, nowMs);
    each.isUnsigned = false;
    signed.push(each.label);
  }
  return signed;
}

export function diskNotes(disks: readonly OpenDisk[]): DiskNote[] {
  return disks.map((each) => ({
    label: each.label,
    path: each.path,
    id: each.store?.id,
    state: each.store?.state ?? 'missing',
    reason: each.store === undefined ? (each.reason ?? 'DISK_MISSING') : undefined,
    isUnsigned: each.isUnsigned === true,
  }));
}

/** FORMAT.md, the pages on codecs and the reader in Python lie on every disk: whoever finds it needs nothing else. */
export async function putPapers(store: StoreDisk): Promise<void> {
  for (const { name, file } of papers()) {
    const bytes = fs.readFileSync(file);
    const there = await store.disk.readWhole(name, 64 * 1024 * 1024).catch(() => undefined);
    if (there !== undefined && Buffer.compare(there, bytes) === 0) continue;
    if (name.includes('/')) await store.disk.makeFolder(path.posix.dirname(name));
    await store.disk.writeWhole(name, bytes);
  }
}

function papers(): { name: string; file: string }[] {
  const list = [
    { name: 'FORMAT.md', file: path.join(programFolder, 'FORMAT.md') },
    { name: 'stele_read.py', file: path.join(programFolder, 'tools', 'stele_read.py') },
  ];
  const pages = path.join(programFolder, 'docs', 'formats');
  const names = fs.existsSync(pages) ? fs.readdirSync(pages).filter((name) => name.endsWith('.md')) : [];
  for (const name of names) list.push({ name: `docs/formats/${name}`, file: path.join(pages, name) });
  return list.filter((each) => fs.existsSync(each.file));
}

/** For a new archive, or a new database. */
export function randomId(random: Random): string {
  return hexOf(random.bytes(16));
}

export function isDefaultDisk(setting: DiskSetting, data: DataFolder): boolean {
  return path.dirname(setting.path) === data.folder;
}
