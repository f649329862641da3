// StoreDisk: a disk that belongs to this archive, by the identity file on it, and whether it can be used now.
//
// Invariants: a disk whose identity names another archive is refused (DATA_FOREIGN); a folder without identity becomes a member only when
// the caller says so (a mount point whose disk is not mounted looks like an empty folder, and must not be filled).

import {
  ArchiveError,
  type ArchiveId,
  type DiskId,
  type ErrorCode,
  hexOf,
  isHex128,
  type Random,
  utf8Bytes,
  utf8Text,
} from '../base/index.ts';
import type { Disk } from '../disk/index.ts';
import { footersFolder, identityPath, openFolder, packsFolder } from './paths.ts';

export type StoreDisk = {
  readonly id: DiskId;
  readonly disk: Disk;
  /** `failing`: takes no new packs until it is looked at again; what it holds is still read. */
  state: 'present' | 'failing' | 'missing';
  /** It could not be locked for writing at the start, and takes nothing until the next one. */
  readonly readOnly: boolean;
  /** Failures to write in a row, since the last success. */
  failureCount: number;
  /** Why it takes nothing, where that is known. */
  fault: ErrorCode | undefined;
};

type Identity = { readonly archive: ArchiveId; readonly disk: DiskId };

const identitySizeBytesMax = 64 * 1024;

export async function readIdentity(disk: Disk): Promise<Identity | undefined> {
  const bytes = await disk.readWhole(identityPath, identitySizeBytesMax);
  if (bytes === undefined) return undefined;
  const fault = (): ArchiveError =>
    new ArchiveError('DATA_FOREIGN', `${disk.label}: ${identityPath} is not in its form`, {
      hint: 'restore that file from a copy, or check that the folder is the right one',
    });
  let json: { format?: unknown; version?: unknown; archive?: unknown; disk?: unknown };
  try {
    json = JSON.parse(utf8Text(bytes) ?? '') as typeof json;
  } catch {
    throw fault();
  }
  if (json.format !== 'stele-disk') throw fault();
  if (typeof json.version !== 'number' || json.version > 1) {
    throw new ArchiveError('PACK_NEWER', `${disk.label}: the disk was set up by a newer version`);
  }
  if (typeof json.archive !== 'string' || typeof json.disk !== 'string') throw fault();
  if (!isHex128(json.archive) || !isHex128(json.disk)) throw fault();
  return { archive: json.archive as ArchiveId, disk: json.disk as DiskId };
}

/** Makes this empty folder a disk of the archive. Durable; safe to repeat until the identity is written. */
export async function enrolDisk(disk: Disk, archive: ArchiveId, random: Random, createdMs: number): Promise<StoreDisk> {
  await disk.makeFolder(openFolder);
  await disk.makeFolder(packsFolder);
  await disk.makeFolder(footersFolder);
  const id = hexOf(random.bytes(16)) as DiskId;
  const json = { format: 'stele-disk', version: 1, archive, disk: id, created: new Date(createdMs).toISOString() };
  await disk.writeWhole(identityPath, utf8Bytes(`${JSON.stringify(json)}\n`));
  return { id, disk, state: 'present', readOnly: false, failureCount: 0, fault: undefined };
}

/** The disk as a member of `archive`; undefined when it has no identity yet. */
export async function joinDisk(
  disk: Disk,
  archive: ArchiveId,
  { readOnly }: { readOnly: boolean } = { readOnly: false },
): Promise<StoreDisk | undefined> {
  const identity = await readIdentity(disk);
  if (identity === undefined) return undefined;
  if (identity.archive !== archive) {
    throw new ArchiveError('DATA_FOREIGN', `${disk.label} belongs to another archive`);
  }
  const state = readOnly ? 'failing' : 'present';
  const fault = readOnly ? 'DISK_READ_ONLY' : undefined;
  return { id: identity.disk, disk, state, readOnly, failureCount: 0, fault };
}

/** Present disks, the one with most free space first. */
export async function byFreeSpace(stores: readonly StoreDisk[]): Promise<StoreDisk[]> {
  const sized = await Promise.all(
    stores
      .filter((store) => store.state === 'present')
      .map(async (store) => {
        try {
          return { store, freeBytes: (await store.disk.space()).freeBytes };
        } catch {
          return { store, freeBytes: -1 };
        }
      }),
  );
  return sized.sort((a, b) => b.freeBytes - a.freeBytes).map((each) => each.store);
}
