// disk, config, version: what the archive stands on.

import path from 'node:path';
import { ArchiveError } from '../../base/index.ts';
import { defineCommand, textFlag } from '../command.ts';
import { allDisks, checkCopies, peekAddedDisks } from '../data-folder.ts';
import { lookAt } from '../named-files.ts';
import { sizeText, tableText } from '../say-sizes.ts';
import { type DiskSetting, settingSpecs } from '../settings.ts';
import { versionText } from '../version.ts';

export const diskList = defineCommand({
  name: 'disk list',
  usage: '',
  says: 'list the disks of the archive',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const { archive } = await running();
    const { disks } = await archive.status();
    if (json) for (const disk of disks) terminal.out(JSON.stringify(disk));
    else {
      const rows = disks.map((each) => [
        each.label,
        each.state + (each.reason === undefined ? '' : ` (${each.reason})`),
        `${each.packs} packs`,
        each.freeBytes === undefined ? '' : `${sizeText(each.freeBytes)} of ${sizeText(each.totalBytes ?? 0)} free`,
        each.path,
      ]);
      for (const line of tableText(rows)) terminal.out(line);
    }
    return 0;
  },
});

export const diskAdd = defineCommand({
  name: 'disk add',
  usage: 'FOLDER [--label LABEL]',
  says: 'make an empty folder a disk of the archive',
  details:
    'Packs are written to it from now on; stele repair brings copies of older ones onto it where they have too few.',
  args: { least: 1, most: 1 },
  flags: { label: { type: 'string', value: 'LABEL', says: "name for messages (default the folder's)" } },
  where: 'archive',
  run: async (run) => {
    const { args, flags, terminal, json } = run;
    const folder = path.resolve(terminal.cwd, args[0] ?? '');
    if (lookAt(folder, folder, { follow: true })?.isDirectory() !== true) {
      throw new ArchiveError('FILE_MISSING', `${folder} is no folder`, {
        hint: 'make it first; a mount point must be mounted',
      });
    }
    const label = textFlag(flags, 'label') ?? path.basename(folder);
    const running = await run.running();
    await running.addDisk({ path: folder, label });
    terminal.out(
      json
        ? JSON.stringify({ disk: label, path: folder })
        : `disk ${label} belongs to the archive now; run: stele repair`,
    );
    return 0;
  },
});

export const diskRetire = defineCommand({
  name: 'disk retire',
  usage: 'LABEL',
  says: 'let a disk go, when all it holds is on others',
  details:
    'Its packs stay on it, without the keyring. Take it out of the configuration; stele repair then makes the copies it held again.',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async (run) => {
    const { args, terminal, json } = run;
    const [label = ''] = args;
    const running = await run.running();
    await running.retireDisk(label);
    terminal.out(
      json ? JSON.stringify({ disk: label, retired: true }) : `disk ${label} left the archive; run: stele repair`,
    );
    return 0;
  },
});

export const configCheck = defineCommand({
  name: 'config check',
  usage: '',
  says: 'check the configuration and show what is in force',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'here',
  run: async ({ settings, terminal, json }) => {
    checkCopies(settings, allDisks(settings, peekAddedDisks(settings.data)).length);
    // A URL may hold a password.
    const shown = { ...settings, databaseUrl: settings.databaseUrl?.replace(/\/\/[^@/]*@/, '//...@') };
    if (json) {
      terminal.out(JSON.stringify(shown));
      return 0;
    }
    const rows = settingSpecs.map((spec) => {
      const value = shown[spec.field];
      const text = Array.isArray(value)
        ? value
            .map((each: string | DiskSetting) => (typeof each === 'string' ? each : `${each.label}: ${each.path}`))
            .join(', ')
        : String((value as string | number | boolean | undefined) ?? '');
      return [spec.name, text, `(${spec.says})`];
    });
    for (const line of tableText(rows)) terminal.out(line);
    return 0;
  },
});

export const version = defineCommand({
  name: 'version',
  usage: '',
  says: 'say which version this is',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'here',
  run: async ({ terminal, json }) => {
    terminal.out(json ? JSON.stringify({ version: versionText() }) : versionText());
    return 0;
  },
});
