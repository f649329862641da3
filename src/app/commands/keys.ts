// keys: exports, imports, shredding and what stands of the keyring.
//
// Invariants: a passphrase comes from a terminal, a file or the environment and never from the arguments; an export is written beside its name and gets
// it when it is whole; a shredding asks for the word, since nothing brings a key back but an older export.

import fs from 'node:fs';
import path from 'node:path';
import { ArchiveError, groupText, type KeyGroup, parseGroupText } from '../../base/index.ts';
import { defineCommand } from '../command.ts';
import { fileFault, lookAt, readFile } from '../named-files.ts';
import { findObject } from '../object-names.ts';
import { timeText } from '../say-sizes.ts';
import { readSecret } from '../terminal.ts';
import { jsonText } from './status.ts';

const exportBytesMax = 256 * 1024 * 1024;
const passphraseFlag = {
  type: 'string',
  value: 'FILE',
  secret: true,
  says: 'file that holds the passphrase (else STELE_PASSPHRASE, else asked)',
} as const;

export const keysExport = defineCommand({
  name: 'keys export',
  usage: 'FILE',
  says: 'write a numbered copy of the keyring, under a passphrase',
  details:
    'Keep it away from the disks. It opens everything stored before and after it, until the keys of an archive are drawn anew.',
  args: { least: 1, most: 1 },
  flags: {
    'passphrase-file': passphraseFlag,
    force: { type: 'boolean', short: 'f', says: 'replace a file that is there' },
  },
  where: 'archive',
  run: async (run) => {
    const { args, flags, terminal, json } = run;
    const file = path.resolve(terminal.cwd, args[0] ?? '');
    const there = lookAt(file, file, { follow: true });
    if (there !== undefined && flags['force'] !== true)
      throw new ArchiveError('FILE_EXISTS', `${file} is there already`);
    if (there !== undefined && !there.isFile()) throw new ArchiveError('ARGUMENT_INVALID', `${file} is no file`);
    const folder = path.dirname(file);
    if (lookAt(folder, folder, { follow: true })?.isDirectory() !== true)
      throw new ArchiveError('FILE_MISSING', `the folder of ${file} is not there`);
    const passphrase = await readSecret(terminal, {
      prompt: 'passphrase for the export',
      given: run.secret,
      twice: true,
    });
    const { archive } = await run.running();
    const { facts, bytes } = await archive.keys.makeExport(passphrase);
    writeSecretFile(file, bytes);
    terminal.out(
      json ? jsonText({ file, ...facts }) : `export ${facts.number} of generation ${facts.generation} is in ${file}`,
    );
    return 0;
  },
});

function writeSecretFile(file: string, bytes: Uint8Array): void {
  const part = `${file}.part`;
  try {
    fs.rmSync(part, { force: true });
    const fd = fs.openSync(part, 'wx', 0o600);
    try {
      fs.writeFileSync(fd, bytes);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(part, file);
  } catch (error) {
    try {
      fs.rmSync(part, { force: true });
    } catch {
      // What could not be written may not be removable either; the error below says why.
    }
    throw fileFault(error, `${file} cannot be written`, 'choose another place');
  }
}

export const keysImport = defineCommand({
  name: 'keys import',
  usage: 'FILE',
  says: 'take keys from an export, for tenants that have none',
  details:
    '--replace takes all keys of the export, and so brings back groups that were shredded after it was made; run stele rebuild to see them again.',
  args: { least: 1, most: 1 },
  flags: {
    'passphrase-file': passphraseFlag,
    replace: { type: 'boolean', says: 'also keys that are there, and those that were shredded' },
  },
  where: 'archive',
  run: async (run) => {
    const { args, flags, terminal, json } = run;
    const file = path.resolve(terminal.cwd, args[0] ?? '');
    const bytes = readFile(file, file, { sizeBytesMax: exportBytesMax, pipes: false });
    const passphrase = await readSecret(terminal, {
      prompt: 'passphrase of the export',
      given: run.secret,
      twice: false,
    });
    // An archive whose keyrings are lost cannot be opened without it.
    const { archive } = await run.running({ keyExport: { bytes, passphrase } });
    const mode = flags['replace'] === true ? 'replace' : 'missing';
    const { changed, generation } = await archive.keys.takeExport(bytes, passphrase, mode);
    // What was shredded left the catalog, and is known again only when its entries are read anew.
    const rebuildNeeded = changed && mode === 'replace';
    if (json) terminal.out(jsonText({ changed, generation, rebuildNeeded }));
    else {
      terminal.out(
        changed ? `the keyring is now of generation ${generation}` : 'the export holds nothing that the keyring lacks',
      );
      if (rebuildNeeded) terminal.out('! what these keys open is not listed until the next: stele rebuild');
    }
    return 0;
  },
});

export const keysStatus = defineCommand({
  name: 'keys status',
  usage: '',
  says: 'list exports, shredded groups, and the exports that could still open them',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const { archive } = await running();
    const found = await archive.keys.status();
    if (json) {
      terminal.out(jsonText(found));
      return 0;
    }
    terminal.out(`keyring of generation ${found.generation}, tenants ${found.tenants.join(', ')}`);
    for (const each of found.exports)
      terminal.out(`export ${each.number}  ${timeText(each.createdMs)}  generation ${each.generation}`);
    for (const each of found.shredded) {
      terminal.out(
        `shredded ${each.group}  ${each.openedBy.length === 0 ? 'no export opens it' : `exports that could open it: ${each.openedBy.join(', ')}`}`,
      );
    }
    for (const warning of found.warnings) terminal.out(`! ${warning}`);
    return 0;
  },
});

export const keysShred = defineCommand({
  name: 'keys shred',
  usage: 'GROUP|BUCKET/KEY --yes',
  says: 'destroy the key of a group: nothing of it can be read again',
  details:
    'A group is an object with all its versions. Exports made before could still open it: keys status names them.',
  args: { least: 1, most: 1 },
  flags: { yes: { type: 'boolean', says: 'without it nothing is destroyed' } },
  where: 'archive',
  run: async (run) => {
    const { args, flags, terminal, json } = run;
    const [text = ''] = args;
    const { archive } = await run.running();
    const group: KeyGroup = parseGroupText(text) ?? (await findObject(archive, text)).row.group;
    if (flags['yes'] !== true) {
      throw new ArchiveError('ARGUMENT_INVALID', `this destroys group ${groupText(group)} for ever`, {
        hint: 'add --yes if that is what is wanted',
      });
    }
    const { generation, openedBy } = await archive.keys.shred(group);
    if (json) terminal.out(jsonText({ group: groupText(group), generation, openedBy }));
    else {
      terminal.out(`group ${groupText(group)} is shredded; the keyring is now of generation ${generation}`);
      if (openedBy.length > 0) terminal.out(`! exports ${openedBy.join(', ')} could still open it: destroy them`);
    }
    return 0;
  },
});
