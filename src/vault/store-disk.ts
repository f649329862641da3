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
  sha256,
  utf8Bytes,
  utf8Text,
} from '../base/index.ts';
import type { Disk } from '../disk/index.ts';
import { blockSizeBytes, decodeHeader } from '../format/index.ts';
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

/**
 * undefined: there is none. `damaged`: there is a file, and it is not what was written; which archive the disk belongs to, its packs say. PACK_NEWER.
 */
export async function readIdentity(disk: Disk): Promise<Identity | 'damaged' | undefined> {
  const bytes = await disk.readWhole(identityPath, identitySizeBytesMax);
  if (bytes === undefined) return undefined;
  const text = utf8Text(bytes) ?? '';
  let json: { format?: unknown; version?: unknown; archive?: unknown; disk?: unknown; sha256?: unknown };
  try {
    json = JSON.parse(text) as typeof json;
  } catch {
    return 'damaged';
  }
  if (typeof json !== 'object' || json === null || json.format !== 'stele-disk') return 'damaged';
  const said = text.slice(0, text.lastIndexOf(digestField));
  const isProven = json.sha256 === digestText(said);
  if (typeof json.version === 'number' && json.version > 1) {
    // One bit makes a 1 a 3; what a later version wrote does not become ours by a number.
    const ours = said.replace(`"version":${json.version}`, '"version":1');
    if (!isProven && json.sha256 === digestText(ours)) return 'damaged';
    throw new ArchiveError('PACK_NEWER', `${disk.label}: the disk was set up by a newer version`);
  }
  if (json.sha256 !== undefined && !isProven) return 'damaged';
  if (json.version !== 1 || typeof json.archive !== 'string' || typeof json.disk !== 'string') return 'damaged';
  if (!isHex128(json.archive) || !isHex128(json.disk)) return 'damaged';
  return { archive: json.archive as ArchiveId, disk: json.disk as DiskId };
}

const digestField = ',"sha256":"';

function digestText(text: string): string {
  return hexOf(sha256(utf8Bytes(text)));
}

/** Writes the identity of a disk, anew where it was damaged. Durable; safe to repeat. */
export async function writeIdentity(disk: Disk, identity: Identity, createdMs: number): Promise<void> {
  const created = new Date(createdMs).toISOString();
  const text = JSON.stringify({ format: 'stele-disk', version: 1, ...identity, created }).slice(0, -1);
  await disk.writeWhole(identityPath, utf8Bytes(`${text}${digestField}${digestText(text)}"}\n`));
}

/** Packs looked at for the archive that they name. */
const headersReadMax = 64;

/** The archive that the packs on a disk belong to, by the first header that is whole; undefined when none tells. */
export async function archiveOfPacks(disk: Disk): Promise<ArchiveId | undefined> {
  const folders = [openFolder];
  for (const folder of [packsFolder, footersFolder])
    for (const name of await disk.list(folder)) folders.push(`${folder}/${name}`);
  let read = 0;
  for (const folder of folders) {
    for (const name of await disk.list(folder)) {
      if (read >= headersReadMax) return undefined;
      read += 1;
      const archive = await archiveOfHeader(disk, `${folder}/${name}`);
      if (archive !== undefined) return archive;
    }
  }
  return undefined;
}

async function archiveOfHeader(disk: Disk, path: string): Promise<ArchiveId | undefined> {
  try {
    const file = await disk.open(path, 'read');
    try {
      return decodeHeader(await file.read(0, blockSizeBytes)).archive;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof ArchiveError) return undefined;
    throw error;
  }
}

/** Makes this empty folder a disk of the archive. Durable; safe to repeat until the identity is written. */
export async function enrolDisk(disk: Disk, archive: ArchiveId, random: Random, createdMs: number): Promise<StoreDisk> {
  await disk.makeFolder(openFolder);
  await disk.makeFolder(packsFolder);
  await disk.makeFolder(footersFolder);
  const id = hexOf(random.bytes(16)) as DiskId;
  await writeIdentity(disk, { archive, disk: id }, createdMs);
  return { id, disk, state: 'present', readOnly: false, failureCount: 0, fault: undefined };
}

/**
 * The disk as a member of `archive`; undefined when it has no identity yet. `known`: the id of a disk whose identity is damaged, and which was
 * recognised otherwise.
 */
export async function joinDisk(
  disk: Disk,
  archive: ArchiveId,
  { readOnly, known }: { readOnly: boolean; known?: DiskId | undefined } = { readOnly: false },
): Promise<StoreDisk | undefined> {
  const read = await readIdentity(disk);
  if (read === undefined) return undefined;
  const identity = read === 'damaged' && known !== undefined ? { archive, disk: known } : read;
  if (identity === 'damaged') {
    throw new ArchiveError('DATA_FOREIGN', `${disk.label}: ${identityPath} is not in its form`, {
      hint: 'restore that file from a copy, or check that the folder is the right one',
    });
  }
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
