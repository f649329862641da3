// get: an object's bytes back, whole, in part, or everything under a prefix as files.
//
// Invariants: a file is written beside its name and gets the name only when it is whole and its digest agreed, so a failed get leaves nothing that
// looks like the object; nothing is written outside the folder that was named, whatever the keys say; what is there is not replaced
// unless told to, and never what is no regular file: bytes are written into a pipe or a device, which stays what it is.

import fs from 'node:fs';
import path from 'node:path';
import type { Archive } from '../../archive/index.ts';
import {
  ArchiveError,
  Budget,
  bytesEqual,
  defaultTenant,
  emptyBytes,
  hexOf,
  systemRandom,
  utf8Bytes,
} from '../../base/index.ts';
import type { ListCursor, ObjectRow } from '../../catalog/index.ts';
import { releaseBytes } from '../../codec/index.ts';
import { AmendedObjects, type OriginalsAsked } from '../amended-objects.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { errorFacts, errorLine } from '../error-line.ts';
import { inParallel } from '../in-parallel.ts';
import { fileFault, lookAt, meansFolder } from '../named-files.ts';
import { findObject, keyText, splitName, withBucket } from '../object-names.ts';
import { sizeText } from '../say-sizes.ts';
import type { Terminal } from '../terminal.ts';
import { reasonOf } from './amendments.ts';

const pageRows = 500;
/** Small files wait for their syncs together; large ones for each other by what they hold in memory. */
const filesAtOnce = 16;
const bytesAtOnce = 16 * 1024 * 1024;
const bytesOfFileMax = 8 * 1024 * 1024;

export const get = defineCommand({
  name: 'get',
  usage: 'BUCKET/KEY [-o OUT] [--range FROM-TO] [--version ID]',
  says: 'bring an object back, to a file or to standard output',
  details: `BUCKET/PREFIX/ with a slash at its end brings back everything under it, into the folder -o OUT.
DICOM instances come as everything leaves, with what amends their study applied.
--range counts bytes from 0, both ends included: 0-99 are the first hundred, 100- all after them, --range=-100 the last hundred.`,
  args: { least: 1, most: 1 },
  flags: {
    output: { type: 'string', short: 'o', value: 'OUT', says: 'file, or folder to put it in; "-" for standard output' },
    range: { type: 'string', value: 'FROM-TO', says: 'only these bytes' },
    version: { type: 'string', value: 'ID', says: 'this version instead of the newest' },
    force: { type: 'boolean', short: 'f', says: 'replace files that are there' },
    original: { type: 'boolean', says: 'DICOM instances as they were received, amendments left aside; needs --why' },
    why: { type: 'string', value: 'TEXT', says: 'with --original: the reason, which is kept' },
    by: { type: 'string', value: 'NAME', says: 'with --original: on whose behalf' },
  },
  where: 'archive',
  run: getObjects,
});

async function getObjects(run: CommandRun): Promise<number> {
  const { terminal, args, flags } = run;
  const out = textFlag(flags, 'output');
  const range = textFlag(flags, 'range');
  const version = textFlag(flags, 'version');
  const { archive, catalog } = await run.running();
  const text = await withBucket(catalog, args[0] ?? '');
  if (text.endsWith('/')) {
    if (range !== undefined) throw new ArchiveError('ARGUMENT_INVALID', '--range is for one object');
    if (version !== undefined) throw new ArchiveError('ARGUMENT_INVALID', '--version is for one object');
    return getFolder(run, archive, text, path.resolve(terminal.cwd, out ?? '.'));
  }
  const { name, row } = await findObject(archive, text, version);
  const corrected = await new AmendedObjects(archive, originalsOf(flags)).corrected(name.bucket, row);
  if (corrected !== undefined && range !== undefined)
    throw new ArchiveError(
      'ARGUMENT_INVALID',
      '--range is for bytes as they are stored, and this instance is amended',
      {
        hint: 'get all of it, or its original: --original --why TEXT',
      },
    );
  const bounds = range === undefined ? undefined : rangeOf(range, row.sizeBytes);
  const bytes = corrected ?? archive.objects.read(row, bounds);
  if (out === undefined || out === '-' || out === '/dev/stdout') {
    for await (const piece of bytes) {
      if (terminal.signal.aborted) throw stopped();
      await terminal.bytes(piece);
      releaseBytes(piece);
    }
    return 0;
  }
  const whole = bounds === undefined;
  const sizeBytes = bounds === undefined ? row.sizeBytes : bounds.to - bounds.from;
  const target = targetOf(out, terminal.cwd, row);
  const write = { row, whole, force: flags['force'] === true, signal: terminal.signal };
  await writeTarget(target, bytes, {
    ...write,
    onBytes: (done) => terminal.progress(`${sizeText(done)} of ${sizeText(sizeBytes)}`),
  });
  terminal.progressDone();
  if (run.json) terminal.out(JSON.stringify({ file: target.file, version: row.id, size: sizeBytes }));
  return 0;
}

/** Who asks for originals; undefined: nobody does. */
function originalsOf(flags: CommandRun['flags']): OriginalsAsked {
  return flags['original'] === true ? reasonOf(flags) : undefined;
}

function stopped(): ArchiveError {
  return new ArchiveError('CLOSED', 'stopped before the end', { hint: 'get it again' });
}

/** `file`: gets the name when it is whole. `stream`: a pipe or a device, which takes bytes as they come. */
type Target = { readonly kind: 'file' | 'stream'; readonly file: string };

/** A folder takes the object under its own last name. FILE_MISSING, ACCESS_DENIED, ARGUMENT_INVALID. */
function targetOf(out: string, cwd: string, row: ObjectRow): Target {
  const file = path.resolve(cwd, out);
  const facts = lookAt(file, out, { follow: true });
  if (facts?.isDirectory() === true || (facts === undefined && meansFolder(out))) {
    const name = keyText(row.key).split('/').at(-1) ?? '';
    if (!isPlainSegment(name))
      throw new ArchiveError('ARGUMENT_INVALID', 'the last part of the key is no file name', {
        hint: 'name the file with -o',
      });
    if (facts === undefined) makeFolder(file, out);
    return { kind: 'file', file: path.join(file, name) };
  }
  if (facts !== undefined && meansFolder(out)) throw new ArchiveError('ARGUMENT_INVALID', `${out} is no folder`);
  if (facts?.isFIFO() === true || facts?.isCharacterDevice() === true) return { kind: 'stream', file };
  if (facts !== undefined && !facts.isFile())
    throw new ArchiveError('ARGUMENT_INVALID', `${out} is no file that could be written`, {
      hint: 'choose another place with -o',
    });
  return { kind: 'file', file };
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
  readonly signal: AbortSignal;
  /** Told how many were written so far. */
  readonly onBytes: (done: number) => void;
};

async function writeTarget(target: Target, bytes: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<void> {
  if (target.kind === 'file') return writeFile(Buffer.from(target.file), bytes, options);
  try {
    const handle = await fs.promises.open(target.file, 'w');
    try {
      await writeAll(handle, bytes, options);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw outputFault(error, target.file);
  }
}

async function writeAll(
  handle: fs.promises.FileHandle,
  bytes: AsyncIterable<Uint8Array>,
  { signal, onBytes }: WriteOptions,
): Promise<void> {
  let done = 0;
  for await (const piece of bytes) {
    if (signal.aborted) throw stopped();
    await handle.writeFile(piece);
    done += piece.byteLength;
    // A large object would otherwise fill the memory with pieces that are only waiting for a collection.
    releaseBytes(piece);
    onBytes(done);
  }
}

/** Node takes a number below 0 for now, and no date holds every time that a file may have. */
function fileTime(ms: number): Date | number {
  return ms < 0 ? new Date(ms) : ms / 1000;
}

const partNameBytes = 8;

async function writeFile(file: Buffer, bytes: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<void> {
  const { row, whole, force } = options;
  const shown = keyText(file);
  const there = lookAt(file, shown, { follow: false });
  if (!force && there !== undefined) throw new ArchiveError('FILE_EXISTS', `${shown} is there already`);
  if (there !== undefined && !there.isFile() && !there.isSymbolicLink())
    throw new ArchiveError('FILE_EXISTS', `${shown} is there and is no file`, { hint: 'choose another path' });
  // A name of its own: as long as names may be, and never met by what a get that was killed left behind.
  const part = Buffer.concat([
    folderOfFile(file),
    Buffer.from(`/.stele-${hexOf(systemRandom.bytes(partNameBytes))}.part`),
  ]);
  try {
    const handle = await fs.promises.open(part, 'wx', 0o600);
    try {
      await writeAll(handle, bytes, options);
      // Rights that were stored, as far as they are this user's to give; never setuid.
      await handle.chmod(whole ? ((row.mode ?? 0o644) & 0o777) | 0o200 : 0o644);
      if (whole && row.mtimeMs !== undefined) await handle.utimes(new Date(), fileTime(row.mtimeMs));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.promises.rename(part, file);
  } catch (error) {
    await fs.promises.rm(part, { force: true }).catch(() => undefined);
    throw outputFault(error, shown);
  }
}

function outputFault(error: unknown, shown: string): unknown {
  return fileFault(error, `${shown} cannot be written`, 'choose another place with -o');
}

type Found = { readonly row: ObjectRow; readonly file: Buffer | ArchiveError };

/** What is under a prefix, with the files that it becomes. */
async function* below(
  archive: Archive,
  place: { bucket: string; prefix: Uint8Array; folder: string },
): AsyncGenerator<Found> {
  const { bucket, prefix, folder } = place;
  let after: ListCursor | undefined;
  do {
    const page = await archive.objects.list({ tenant: defaultTenant, bucket, prefix, after, limit: pageRows });
    for (const item of page.items) {
      if (item.kind === 'object')
        yield { row: item.row, file: placeBelow(folder, item.row.key.subarray(prefix.byteLength)) };
    }
    after = page.next;
  } while (after !== undefined);
}

async function getFolder(run: CommandRun, archive: Archive, text: string, folder: string): Promise<number> {
  const { terminal, flags } = run;
  const { bucket, rest } = splitName(text);
  if (lookAt(folder, folder, { follow: true })?.isDirectory() === false)
    throw new ArchiveError('ARGUMENT_INVALID', `${folder} is no folder`, { hint: 'choose another place with -o' });
  const tally = { files: 0, bytes: 0, failed: 0 };
  let written = 0;
  const amended = new AmendedObjects(archive, originalsOf(flags));
  const budget = new Budget('bytes of files under way', bytesAtOnce);
  let madeFolder: Uint8Array = emptyBytes;
  const getOne = async ({ row, file }: Found): Promise<void> => {
    if (terminal.signal.aborted) throw stopped();
    const taken = Math.min(row.sizeBytes, bytesOfFileMax);
    await budget.take(taken);
    try {
      if (file instanceof ArchiveError) throw file;
      const parent = folderOfFile(file);
      if (!bytesEqual(parent, madeFolder)) makeFolder(parent, keyText(file));
      madeFolder = parent;
      let before = 0;
      await writeFile(file, (await amended.corrected(bucket, row)) ?? archive.objects.read(row), {
        row,
        whole: true,
        force: flags['force'] === true,
        signal: terminal.signal,
        onBytes: (done) => {
          written += done - before;
          before = done;
          terminal.progress(`${tally.files} files, ${sizeText(written)}`);
        },
      });
      tally.files += 1;
      tally.bytes += row.sizeBytes;
    } catch (error) {
      if (!(error instanceof ArchiveError) || error.code === 'CLOSED') throw error;
      tally.failed += 1;
      sayFailure(terminal, run.json, error, `${bucket}/${keyText(row.key)}`);
    } finally {
      budget.give(taken);
    }
    await terminal.room();
  };
  const found = below(archive, { bucket, prefix: utf8Bytes(rest), folder });
  await inParallel(found, getOne, { atOnce: filesAtOnce, signal: terminal.signal });
  terminal.progressDone();
  if (terminal.signal.aborted) throw stopped();
  const { files, bytes, failed } = tally;
  if (files + failed === 0) throw new ArchiveError('NOT_FOUND', 'nothing is stored under this prefix');
  if (run.json) terminal.out(JSON.stringify({ summary: tally }));
  else terminal.out(`${files} files, ${sizeText(bytes)}${failed > 0 ? `, ${failed} failed` : ''}`);
  return failed > 0 ? 1 : 0;
}

function sayFailure(terminal: Terminal, json: boolean, error: ArchiveError, name: string): void {
  if (json) terminal.out(JSON.stringify({ name, result: 'failed', error: errorFacts(error) }));
  else terminal.note(`${errorLine(error, { json, debug: false })} [${name}]`);
}

function makeFolder(folder: string | Buffer, shown: string): void {
  try {
    fs.mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw outputFault(error, shown);
  }
}

function isPlainSegment(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
}

/** The file for a key below a folder, as bytes: names need not be text. ARGUMENT_INVALID, as a value, for a key that leads elsewhere. */
function placeBelow(folder: string, key: Uint8Array): Buffer | ArchiveError {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  const segments = bytes.toString('latin1').split('/');
  if (!segments.every(isPlainSegment))
    return new ArchiveError('ARGUMENT_INVALID', 'a key is no path of files', { hint: 'get it by itself with -o FILE' });
  return Buffer.concat([Buffer.from(`${folder}/`), bytes]);
}

function folderOfFile(file: Buffer): Buffer {
  return file.subarray(0, file.lastIndexOf('/'));
}
