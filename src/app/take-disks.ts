// The disks of a start, of `disk add` and of `disk retire`: which there are, whether they make an archive, and how one joins or leaves.
//
// Invariants: a command that only looks leaves no trace where there is no archive; a new archive begins with all of its disks; a disk leaves
// only when every pack on it has a good copy elsewhere, and stays out when it is listed again.

import fs from 'node:fs';
import path from 'node:path';
import {
  ArchiveError,
  type ArchiveId,
  archiveId,
  type Clock,
  type DiskId,
  type PackId,
  type Random,
} from '../base/index.ts';
import { identityPath, keyringPath, type StoreDisk, type Vault } from '../vault/index.ts';
import { allDisks, checkCopies, type DataFolder } from './data-folder.ts';
import { archiveOf, isDefaultDisk, joinOrEnrol, type OpenDisk, openDisk, randomId } from './open-disks.ts';
import { sizeText } from './say-sizes.ts';
import type { DiskSetting, Settings } from './settings.ts';
import type { Undo } from './undo.ts';

/** A look without leaving a trace: a mistyped folder must not become an archive. */
export function anythingIsThere(settings: Settings): boolean {
  const places = [
    path.join(settings.data, 'archive.json'),
    ...settings.disks.map((disk) => path.join(disk.path, identityPath)),
  ];
  return places.some((place) => fs.existsSync(place));
}

export function noArchive(settings: Settings): ArchiveError {
  return new ArchiveError('NOT_FOUND', `there is no archive in ${settings.data}`, {
    hint: 'check --data and --config; stele serve and stele put begin a new one',
  });
}

type TakeParts = {
  readonly clock: Clock;
  readonly random: Random;
  readonly say: (line: string) => void;
  readonly create: boolean;
};

export async function takeDisks(
  data: DataFolder,
  settings: Settings,
  parts: TakeParts,
  undo: Undo,
): Promise<{ disks: OpenDisk[]; archive: ArchiveId; isNew: boolean; isNewlyNamed: boolean }> {
  const file = await data.archive();
  const noted = file === 'damaged' ? undefined : file;
  const disks: OpenDisk[] = [];
  const listed = allDisks(settings, await data.addedDisks());
  checkCopies(settings, listed.length);
  for (const setting of listed) {
    const make = (file === undefined || noted?.state === 'new') && isDefaultDisk(setting, data);
    const each = await openDisk(setting, { make });
    if (each.lock !== undefined) undo.add(() => each.lock?.release() ?? Promise.resolve());
    disks.push(each);
  }
  const found = await archiveOf(disks);
  if (noted !== undefined && found !== undefined && noted.archive !== found) {
    throw new ArchiveError('DATA_FOREIGN', 'the disks belong to another archive than the data folder', {
      hint: 'check the configuration; if these are its disks, remove archive.json: it is written again',
    });
  }
  if (file === 'damaged' && found === undefined)
    throw new ArchiveError(
      'DATA_FOREIGN',
      'archive.json of the data folder is damaged, and no disk that is there knows more',
      {
        hint: 'attach the disks of this archive, or restore that file',
      },
    );
  const isNew = noted === undefined ? found === undefined : noted.state === 'new';
  const archive = found ?? noted?.archive ?? archiveId(randomId(parts.random));
  if (isNew) {
    if (!parts.create) throw noArchive(settings);
    const absent = disks.find((each) => each.reason !== undefined);
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
  } else if (noted === undefined) {
    if (file === 'damaged') parts.say('archive.json of the data folder was damaged and is written again');
    await data.setArchive({ archive, state: 'complete' });
  }
  const retired = await data.retiredDisks();
  const known = await data.knownDisks();
  for (const each of disks)
    await joinOrEnrol(each, {
      retired,
      known,
      archive,
      enrol: isNew,
      clock: parts.clock,
      random: parts.random,
    });
  for (const each of disks)
    if (each.store === undefined) parts.say(`disk ${each.label} is missing: ${each.reason ?? 'DISK_MISSING'}`);
    else if (each.store.readOnly) parts.say(`disk ${each.label} cannot be written, and is read only`);
  for (const each of disks)
    if (each.isUnsigned === true && each.store !== undefined)
      parts.say(`stele-disk.json on disk ${each.label} is damaged; what else is on it is ours: run: stele repair`);
  const isNewlyNamed = await noteDisks(disks, known, data);
  return { disks, archive, isNew, isNewlyNamed };
}

/** Notes which disk is where. Whether one got a new name, so that what the database knows of it is not found under that. */
async function noteDisks(
  disks: readonly OpenDisk[],
  known: ReadonlyMap<string, DiskId>,
  data: DataFolder,
): Promise<boolean> {
  const now = new Map(known);
  for (const { path: place, store } of disks) if (store !== undefined) now.set(place, store.id);
  const isNewlyNamed = disks.some(
    (each) => each.isUnsigned === true && each.store !== undefined && known.get(each.path) !== each.store.id,
  );
  if ([...now].some(([place, id]) => known.get(place) !== id)) await data.setKnownDisks(now);
  return isNewlyNamed;
}

export async function takeNewDisk(
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
  const each = old?.lock === undefined ? await openDisk(setting, { make: false }) : old;
  if (each.disk === undefined || each.reason === 'DISK_READ_ONLY')
    throw new ArchiveError('DISK_MISSING', `disk ${setting.label} cannot be used: ${each.reason ?? 'DISK_MISSING'}`, {
      hint: 'make the folder first',
    });
  if (each !== old) parts.undo.add(() => each.lock?.release() ?? Promise.resolve());
  await joinOrEnrol(each, {
    archive: parts.archive,
    enrol: true,
    retired: [],
    known: new Map(),
    clock: parts.clock,
    random: parts.random,
  });
  if (before >= 0) disks[before] = each;
  else {
    disks.push(each);
    if (!parts.settings.disks.some((known) => known.path === setting.path))
      await data.setAddedDisks([...(await data.addedDisks()), setting]);
  }
}

/** Why a disk cannot leave, with the steps that let it. */
async function notElsewhere(
  label: string,
  alone: { packCount: number; sizeBytes: number },
  archive: { others: readonly StoreDisk[]; copies: number },
): Promise<ArchiveError> {
  const { others, copies } = archive;
  let freeBytes = 0;
  for (const { disk } of others) freeBytes += (await disk.space().catch(() => ({ freeBytes: 0 }))).freeBytes;
  const held = `${alone.packCount} packs, ${sizeText(alone.sizeBytes)}`;
  const steps: string[] = [];
  if (others.length === 0 || freeBytes < alone.sizeBytes) steps.push('add a disk (stele disk add FOLDER)');
  if (copies < 2) steps.push('set copies: 2 in the configuration');
  steps.push('run: stele repair', `run: stele disk retire ${label}`);
  if (copies < 2) steps.push('set copies: 1 again');
  const free = others.length === 0 ? 'there is no other disk' : `the other disks have ${sizeText(freeBytes)} free`;
  return new ArchiveError('COPIES_TOO_FEW', `disk ${label} holds what no other disk has (${held}); ${free}`, {
    hint: steps.join(', then '),
  });
}

const packsPage = 100;

/** Lets a disk go: its packs must all have a good copy elsewhere. Nothing is erased but the keyring. NOT_FOUND, COPIES_TOO_FEW. */
export async function retireDisk(
  label: string,
  parts: { data: DataFolder; disks: OpenDisk[]; vault: Vault; copies: number },
): Promise<void> {
  const { data, disks, vault, copies } = parts;
  const each = disks.find((disk) => disk.label === label);
  if (each === undefined)
    throw new ArchiveError('NOT_FOUND', 'there is no such disk', { hint: 'see: stele disk list' });
  const { store } = each;
  if (store === undefined)
    throw new ArchiveError('DISK_MISSING', `disk ${label} is not attached`, {
      hint: 'take it out of the configuration; stele repair makes its copies again',
    });
  const before = store.state;
  // Nothing new goes there from now on, and what is open there is sealed first.
  store.state = 'failing';
  try {
    await vault.sealOpen('all');
    const others = vault.shelf.present().filter((other) => other !== store);
    const alone = await vault.register.shortfall(
      1,
      others.map((other) => other.id),
    );
    if (others.length === 0 || alone.packCount > 0) throw await notElsewhere(label, alone, { others, copies });
  } catch (error) {
    store.state = before;
    throw error;
  }
  await data.setRetiredDisks([...(await data.retiredDisks()), store.id]);
  await data.setAddedDisks((await data.addedDisks()).filter((disk) => disk.path !== each.path));
  for (let after: PackId | undefined, more = true; more; ) {
    const page = await vault.register.packsAfter(after, packsPage);
    for (const { pack } of page)
      for (const kind of ['pack', 'footer'] as const) await vault.register.unplace(pack, store.id, kind);
    after = page.at(-1)?.pack;
    more = page.length === packsPage;
  }
  await store.disk.remove(keyringPath);
  vault.shelf.stores.splice(vault.shelf.stores.indexOf(store), 1);
  each.store = undefined;
  each.reason = 'retired: take it out of the configuration';
}
