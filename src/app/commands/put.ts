// put: files and folders into the archive.
//
// Invariants: what is listed as stored is durable; relative paths, modes and times of folders are kept; what is not a regular file is named and
// left out, and the exit code says so when it was asked for by name; what should have been read and could not is named and counts as failed, a
// folder as well as a file; a file that changes while it is read is stored as what was read and named; memory is bounded by the number of
// files under way, whatever their size.

import fs from 'node:fs';
import path from 'node:path';
import { checkName } from '../../archive/index.ts';
import { ArchiveError, Budget, concatBytes, defaultTenant, hexOf, utf8Bytes } from '../../base/index.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { allDisks } from '../data-folder.ts';
import { errorFacts, errorLine } from '../error-line.ts';
import { inParallel } from '../in-parallel.ts';
import { fileFault, lookAt, withoutLinks } from '../named-files.ts';
import { defaultBucket, keyText, splitName } from '../object-names.ts';
import { sizeText } from '../say-sizes.ts';

/** Many small files share one group commit; large ones wait for each other by what they hold in memory. */
const filesAtOnce = 32;
const bytesAtOnce = 32 * 1024 * 1024;
const bytesOfFileMax = 8 * 1024 * 1024;
const pieceBytes = 1024 * 1024;
const emptyReadBytes = 16 * 1024;

type Task = { readonly file: Buffer; readonly key: Uint8Array };
type Tally = { stored: number; same: number; bytes: number; failed: number; passedOver: number };

export const put = defineCommand({
  name: 'put',
  usage: 'FILE|FOLDER... [--to BUCKET/PREFIX]',
  says: 'store files and folders',
  details: `A file is stored as BUCKET/PREFIX/NAME, a folder with all below it as BUCKET/PREFIX/FOLDER/...; the default bucket is "${defaultBucket}".
What is stored already under its name is not stored again. Symbolic links, sockets and devices are named and left out.`,
  args: { least: 1, most: 10_000 },
  flags: {
    to: { type: 'string', value: 'BUCKET/PREFIX', says: `where to (default ${defaultBucket}/)` },
    quiet: { type: 'boolean', short: 'q', says: 'only the summary' },
  },
  where: 'archive',
  creates: true,
  run: putFiles,
});

async function putFiles(run: CommandRun): Promise<number> {
  const { terminal, args, flags, json } = run;
  const { bucket, rest } = splitName(textFlag(flags, 'to') ?? defaultBucket);
  const prefix = rest === '' || rest.endsWith('/') ? rest : `${rest}/`;
  checkName({ tenant: defaultTenant, bucket, key: utf8Bytes(`${prefix}x`) });
  checkArgs(args, terminal.cwd);
  const { archive, data } = await run.running();
  const own = ownFolders([
    run.settings.data,
    ...allDisks(run.settings, await data.addedDisks()).map((disk) => disk.path),
  ]);
  const tally: Tally = { stored: 0, same: 0, bytes: 0, failed: 0, passedOver: 0 };
  let readBytes = 0;
  const progress = (): void => terminal.progress(`${tally.stored + tally.same} files, ${sizeText(readBytes)}`);
  const fail = (name: string, error: ArchiveError): void => {
    tally.failed += 1;
    if (json) terminal.out(JSON.stringify({ name, result: 'failed', error: errorFacts(error) }));
    else terminal.note(`${errorLine(error, { json: false, debug: false })} [${name}]`);
  };
  const budget = new Budget('bytes of files under way', bytesAtOnce);
  const putOne = async ({ file, key }: Task): Promise<void> => {
    const name = `${bucket}/${keyText(key)}`;
    try {
      const handle = await fs.promises.open(
        file,
        fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK,
      );
      let taken = 0;
      try {
        const before = await handle.stat();
        taken = Math.min(before.size, bytesOfFileMax);
        await budget.take(taken);
        const again = (): AsyncIterable<Uint8Array> => piecesOf(handle, before.size, terminal.signal, () => undefined);
        const content = piecesOf(handle, before.size, terminal.signal, (bytes) => {
          readBytes += bytes;
          progress();
        });
        const result = await archive.objects.put(
          {
            tenant: defaultTenant,
            bucket,
            key,
            sizeBytes: before.size,
            again,
            mode: before.mode & 0o7777,
            mtimeMs: Math.floor(before.mtimeMs),
          },
          content,
        );
        tally[result.kind === 'stored' ? 'stored' : 'same'] += 1;
        tally.bytes += result.sizeBytes;
        if (json)
          terminal.out(
            JSON.stringify({
              name,
              version: result.id,
              size: result.sizeBytes,
              sha256: hexOf(result.digest),
              result: result.kind,
            }),
          );
        else if (result.kind === 'stored' && flags['quiet'] !== true)
          terminal.out(`${name}  ${sizeText(result.sizeBytes)}`);
        const after = await handle.stat();
        if (after.mtimeMs !== before.mtimeMs || after.size !== result.sizeBytes)
          terminal.note(`stele: ${name} changed while it was read: stored as it was read`);
      } finally {
        budget.give(taken);
        await handle.close();
      }
    } catch (error) {
      const known = fileFault(error, 'a file cannot be read');
      if (!(known instanceof ArchiveError) || stopsAll(known)) throw known;
      fail(name, known);
    }
    progress();
    await terminal.room();
  };
  const walk: Walk = {
    cwd: terminal.cwd,
    prefix,
    own,
    leftOut: (line) => {
      tally.passedOver += 1;
      terminal.note(`stele: left out: ${line}`);
    },
    failed: (key, error) => fail(`${bucket}/${keyText(key)}`, error),
  };
  await inParallel(tasksOf(args, walk), putOne, { atOnce: filesAtOnce, signal: terminal.signal });
  terminal.progressDone();
  const stopped = terminal.signal.aborted;
  const summary = { ...tally, stopped };
  if (json) terminal.out(JSON.stringify({ summary }));
  else {
    const parts = [`${tally.stored} stored`, `${tally.same} there already`, sizeText(tally.bytes)];
    if (tally.passedOver > 0) parts.push(`${tally.passedOver} left out`);
    if (tally.failed > 0) parts.push(`${tally.failed} failed`);
    if (stopped) parts.push('stopped before the end');
    terminal.out(parts.join(', '));
  }
  return tally.failed > 0 || stopped ? 1 : 0;
}

/** Each leads somewhere, and no two would be stored under one name. FILE_MISSING, ACCESS_DENIED, ARGUMENT_INVALID. */
function checkArgs(args: readonly string[], cwd: string): void {
  const named = new Map<string, string>();
  for (const arg of args) {
    const file = path.resolve(cwd, arg);
    if (lookAt(file, arg, { follow: false }) === undefined) {
      // Node hands arguments over as text: one that is none cannot be found by it.
      const hint = arg.includes('\ufffd') ? 'its name is no text: put the folder that it lies in' : 'check the path';
      throw new ArchiveError('FILE_MISSING', `${arg} is not there`, { hint });
    }
    const name = path.basename(file);
    const other = named.get(name);
    if (other !== undefined && other !== file)
      throw new ArchiveError('ARGUMENT_INVALID', `${arg} and another are both named "${name}"`, {
        hint: 'put them one after the other, with --to',
      });
    named.set(name, file);
  }
}

/** What no later file would fare better with. */
function stopsAll(error: ArchiveError): boolean {
  return ['COPIES_TOO_FEW', 'DATABASE_FAILED', 'CLOSED', 'DISK_FULL', 'KEY_MISSING'].includes(error.code);
}

/** Up to the length that the file had when it was opened: one that grows as fast as it is read would never end. */
async function* piecesOf(
  handle: fs.promises.FileHandle,
  sizeBytes: number,
  signal: AbortSignal,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  // One buffer for the whole file: whoever takes a piece copies it before asking for the next.
  const buffer = new Uint8Array(sizeBytes === 0 ? emptyReadBytes : Math.min(pieceBytes, sizeBytes));
  // What says that it has no length (files of the kernel) is read to its end.
  const end = sizeBytes === 0 ? Number.POSITIVE_INFINITY : sizeBytes;
  for (let offset = 0; offset < end; ) {
    if (signal.aborted)
      throw new ArchiveError('CLOSED', 'stopped before the file was read to its end', { hint: 'put it again' });
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.byteLength, end - offset), offset);
    if (bytesRead === 0) return;
    offset += bytesRead;
    onRead(bytesRead);
    yield buffer.subarray(0, bytesRead);
  }
}

type Walk = {
  readonly cwd: string;
  readonly prefix: string;
  readonly leftOut: (line: string) => void;
  readonly failed: (key: Uint8Array, error: ArchiveError) => void;
  /** Folders of the archive itself, which would grow while they are read. */
  readonly own: ReadonlySet<string>;
};

function idOf(facts: fs.Stats): string {
  return `${facts.dev}:${facts.ino}`;
}

function ownFolders(folders: readonly string[]): ReadonlySet<string> {
  const found = folders.map((folder) => lookAt(folder, folder, { follow: true }));
  return new Set(found.flatMap((facts) => (facts === undefined ? [] : [idOf(facts)])));
}

/** The regular files that arguments stand for, with their keys, folder by folder. */
async function* tasksOf(args: readonly string[], walk: Walk): AsyncGenerator<Task> {
  for (const arg of args) {
    const file = path.resolve(walk.cwd, arg);
    // A folder named by a link is meant; links within folders are left out.
    const facts = lookAt(file, arg, { follow: true });
    if (facts === undefined) throw new ArchiveError('FILE_MISSING', `${arg} leads nowhere`);
    const name = path.basename(file);
    if (facts.isDirectory()) {
      yield* tasksBelow(Buffer.from(file), utf8Bytes(`${walk.prefix}${name === '' ? '' : `${name}/`}`), walk);
    } else if (facts.isFile()) {
      yield { file: Buffer.from(withoutLinks(file, arg)), key: utf8Bytes(`${walk.prefix}${name}`) };
    } else throw new ArchiveError('ARGUMENT_INVALID', `${arg} is neither a file nor a folder`);
  }
}

const slash = Buffer.from('/');

async function* tasksBelow(folder: Buffer, prefix: Uint8Array, walk: Walk): AsyncGenerator<Task> {
  let entries: fs.Dirent<Buffer>[];
  try {
    if (walk.own.has(idOf(await fs.promises.stat(folder)))) {
      walk.leftOut(`${keyText(prefix)} (the archive itself)`);
      return;
    }
    entries = await fs.promises.readdir(folder, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    const fault = fileFault(error, 'a folder cannot be listed');
    if (!(fault instanceof ArchiveError)) throw fault;
    walk.failed(prefix, fault);
    return;
  }
  entries.sort((a, b) => Buffer.compare(a.name, b.name));
  for (const entry of entries) {
    const file = Buffer.concat([folder, slash, entry.name]);
    const key = concatBytes([prefix, entry.name]);
    if (entry.isDirectory()) yield* tasksBelow(file, concatBytes([key, slash]), walk);
    else if (entry.isFile()) yield { file, key };
    else walk.leftOut(`${keyText(key)} (${kindOf(entry)})`);
  }
}

function kindOf(entry: fs.Dirent<Buffer>): string {
  if (entry.isSymbolicLink()) return 'a symbolic link';
  if (entry.isSocket()) return 'a socket';
  return entry.isFIFO() ? 'a pipe' : 'no regular file';
}
