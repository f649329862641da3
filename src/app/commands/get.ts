// get: an object's bytes back, whole, in part, or everything under a prefix as files.
//
// Invariants: a file is written beside its name and gets the name only when it is whole and its digest agreed, so a failed get leaves nothing that
// looks like the object; nothing is written outside the folder that was named, whatever the keys say; what is there is not replaced
// unless told to.

import fs from 'node:fs';
import path from 'node:path';
import type { Archive } from '../../archive/index.ts';
import { ArchiveError, defaultTenant, utf8Bytes } from '../../base/index.ts';
import type { ListCursor, ObjectRow } from '../../catalog/index.ts';
import { releaseBytes } from '../../codec/index.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { errorLine } from '../error-line.ts';
import { findObject, keyText, splitName } from '../object-names.ts';
import { sizeText } from '../say-sizes.ts';
import type { Terminal } from '../terminal.ts';

const pageRows = 500;

export const get = defineCommand({
  name: 'get',
  usage: 'BUCKET/KEY [-o OUT] [--range FROM-TO] [--version ID]',
  says: 'bring an object back, to a file or to standard output',
  details: `BUCKET/PREFIX/ with a slash at its end brings back everything under it, into the folder -o OUT.
--range counts bytes from 0, both ends included: 0-99 are the first hundred, 100- all after them, --range=-100 the last hundred.`,
  args: { least: 1, most: 1 },
  flags: {
    output: { type: 'string', short: 'o', value: 'OUT', says: 'file, or folder to put it in; "-" for standard output' },
    range: { type: 'string', value: 'FROM-TO', says: 'only these bytes' },
    version: { type: 'string', value: 'ID', says: 'this version instead of the newest' },
    force: { type: 'boolean', short: 'f', says: 'replace files that are there' },
  },
  where: 'archive',
  run: getObjects,
});

async function getObjects(run: CommandRun): Promise<number> {
  const { terminal, args, flags } = run;
  const [text = ''] = args;
  const out = textFlag(flags, 'output');
  const range = textFlag(flags, 'range');
  const { archive } = await run.running();
  if (text.endsWith('/')) {
    if (range !== undefined) throw new ArchiveError('ARGUMENT_INVALID', '--range is for one object');
    return getFolder(run, archive, text, path.resolve(terminal.cwd, out ?? '.'));
  }
  const { row } = await findObject(archive, text, textFlag(flags, 'version'));
  const bounds = range === undefined ? undefined : rangeOf(range, row.sizeBytes);
  const bytes = archive.objects.read(row, bounds);
  if (out === undefined || out === '-') {
    for await (const piece of bytes) {
      if (terminal.signal.aborted) throw stopped();
      await terminal.bytes(piece);
    }
    return 0;
  }
  const file = targetOf(path.resolve(terminal.cwd, out), row);
  await writeFile(file, bytes, { row, whole: bounds === undefined, force: flags['force'] === true, terminal });
  if (run.json) terminal.out(JSON.stringify({ file, version: row.id, size: row.sizeBytes }));
  return 0;
}

function stopped(): ArchiveError {
  return new ArchiveError('CLOSED', 'stopped before the end', { hint: 'get it again' });
}

/** A folder that is there takes the object under its own last name. */
function targetOf(out: string, row: ObjectRow): string {
  if (fs.statSync(out, { throwIfNoEntry: false })?.isDirectory() !== true) return out;
  const name = keyText(row.key).split('/').at(-1) ?? '';
  if (!isPlainSegment(name))
    throw new ArchiveError('ARGUMENT_INVALID', 'the last part of the key is no file name', {
      hint: 'name the file with -o',
    });
  return path.join(out, name);
}

/** FROM-TO, both included, as HTTP counts. ARGUMENT_INVALID when nothing of it is there. */
export function rangeOf(text: string, sizeBytes: number): { from: number; to: number } {
  const match = /^(\d{0,15})-(\d{0,15})$/.exec(text);
  const [, first = '', last = ''] = match ?? [];
  if (match === null || (first === '' && last === ''))
    throw new ArchiveError('ARGUMENT_INVALID', '--range is FROM-TO, FROM- or -COUNT');
  const from = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const to = first === '' || last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  if (from >= to) throw new ArchiveError('ARGUMENT_INVALID', `there are no such bytes: the object has ${sizeBytes}`);
  return { from, to };
}

type WriteOptions = {
  readonly row: ObjectRow;
  readonly whole: boolean;
  readonly force: boolean;
  readonly terminal: Terminal;
};

async function writeFile(
  file: string | Buffer,
  bytes: AsyncIterable<Uint8Array>,
  options: WriteOptions,
): Promise<void> {
  const { row, whole, force, terminal } = options;
  const shown = file.toString();
  if (!force && fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined)
    throw new ArchiveError('FILE_EXISTS', `${shown} is there already`);
  const part = Buffer.concat([Buffer.from(file), Buffer.from(`.${row.id.slice(0, 8)}.part`)]);
  try {
    const handle = await fs.promises.open(part, 'wx', 0o600);
    try {
      let done = 0;
      for await (const piece of bytes) {
        if (terminal.signal.aborted) throw stopped();
        await handle.writeFile(piece);
        done += piece.byteLength;
        // A large object would otherwise fill the memory with pieces that are only waiting for a collection.
        releaseBytes(piece);
        terminal.progress(`${sizeText(done)} of ${sizeText(row.sizeBytes)}`);
      }
      // Rights that were stored, as far as they are this user's to give; never setuid.
      await handle.chmod(whole ? ((row.mode ?? 0o644) & 0o777) | 0o200 : 0o644);
      if (whole && row.mtimeMs !== undefined) await handle.utimes(new Date(), new Date(row.mtimeMs));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.promises.rename(part, file);
  } catch (error) {
    await fs.promises.rm(part, { force: true }).catch(() => undefined);
    if (error instanceof ArchiveError) throw error;
    throw outputFault(error as NodeJS.ErrnoException, shown);
  }
  terminal.progressDone();
}

function outputFault(error: NodeJS.ErrnoException, shown: string): ArchiveError {
  const codes: Readonly<
    Record<string, 'FILE_MISSING' | 'FILE_EXISTS' | 'ACCESS_DENIED' | 'DISK_FULL' | 'DISK_READ_ONLY'>
  > = {
    ENOENT: 'FILE_MISSING',
    EEXIST: 'FILE_EXISTS',
    EACCES: 'ACCESS_DENIED',
    EPERM: 'ACCESS_DENIED',
    ENOSPC: 'DISK_FULL',
    EDQUOT: 'DISK_FULL',
    EROFS: 'DISK_READ_ONLY',
  };
  return new ArchiveError(
    codes[error.code ?? ''] ?? 'DISK_IO',
    `${shown} cannot be written (${error.code ?? 'unknown'})`,
    {
      cause: error,
      hint: 'choose another place with -o',
    },
  );
}

async function getFolder(run: CommandRun, archive: Archive, text: string, folder: string): Promise<number> {
  const { terminal, flags } = run;
  const { bucket, rest } = splitName(text);
  const prefix = utf8Bytes(rest);
  let after: ListCursor | undefined;
  let done = 0;
  let bytes = 0;
  let failed = 0;
  do {
    const page = await archive.objects.list({ tenant: defaultTenant, bucket, prefix, after, limit: pageRows });
    for (const item of page.items) {
      if (item.kind !== 'object') continue;
      if (terminal.signal.aborted) throw stopped();
      const { row } = item;
      try {
        const file = placeBelow(folder, row.key.subarray(prefix.byteLength));
        await fs.promises.mkdir(folderOfFile(file), { recursive: true });
        await writeFile(file, archive.objects.read(row), {
          row,
          whole: true,
          force: flags['force'] === true,
          terminal,
        });
        done += 1;
        bytes += row.sizeBytes;
      } catch (error) {
        if (!(error instanceof ArchiveError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
        failed += 1;
        const known =
          error instanceof ArchiveError ? error : outputFault(error as NodeJS.ErrnoException, keyText(row.key));
        terminal.note(`${errorLine(known, { json: run.json, debug: false })} [${bucket}/${keyText(row.key)}]`);
      }
    }
    after = page.next;
  } while (after !== undefined);
  if (done + failed === 0) throw new ArchiveError('NOT_FOUND', 'nothing is stored under this prefix');
  if (run.json) terminal.out(JSON.stringify({ summary: { files: done, bytes, failed } }));
  else terminal.out(`${done} files, ${sizeText(bytes)}${failed > 0 ? `, ${failed} failed` : ''}`);
  return failed > 0 ? 1 : 0;
}

function isPlainSegment(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
}

/** The file for a key below a folder, as bytes: names need not be text. ARGUMENT_INVALID for a key that leads elsewhere. */
function placeBelow(folder: string, key: Uint8Array): Buffer {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  const segments = bytes.toString('latin1').split('/');
  if (!segments.every(isPlainSegment))
    throw new ArchiveError('ARGUMENT_INVALID', 'a key is no path of files', { hint: 'get it by itself with -o FILE' });
  return Buffer.concat([Buffer.from(`${folder}/`), bytes]);
}

function folderOfFile(file: Buffer): Buffer {
  return file.subarray(0, file.lastIndexOf('/'));
}
