// A tree of files as a pull reads it: every entry below a folder in one order that is always the same, from any place on.
//
// Invariants: names are bytes of the file system, held as characters of one byte each, so that every name can be opened again and a place found again; no link
// is followed, so nothing outside the tree is read; what is no regular file is told and left out, the archive's own folders too.

import fs from 'node:fs';
import path from 'node:path';
import { ArchiveError } from '../base/index.ts';
import type { FileTree, TreeFile } from '../doors/pull/index.ts';
import { fileFault, lookAt, systemCode, withoutLinks } from './named-files.ts';

const pieceBytes = 256 * 1024;
const foldersDeepMax = 200;

/** FILE_MISSING, ACCESS_DENIED, ARGUMENT_INVALID for what is no folder. `own`: folders of the archive. */
export function openTree(folder: string, own: readonly string[]): FileTree {
  const facts = lookAt(folder, 'the folder', { follow: true });
  if (facts === undefined) throw new ArchiveError('FILE_MISSING', 'the folder is not there');
  if (!facts.isDirectory()) throw new ArchiveError('ARGUMENT_INVALID', 'that is no folder', { hint: 'name a folder' });
  const root = withoutLinks(folder, 'the folder');
  const apart = new Set(
    own.map((each) => (fs.existsSync(each) ? withoutLinks(each, 'a folder of the archive') : each)),
  );
  return {
    files: async function* (after) {
      yield* walk({ root: Buffer.from(root), apart }, [], after === '' ? [] : after.split('/'));
    },
  };
}

type Root = { readonly root: Buffer; readonly apart: ReadonlySet<string> };

/** Behind `after`, which is a place in this folder and below it; empty: all. */
async function* walk(root: Root, parents: readonly string[], after: readonly string[]): AsyncGenerator<TreeFile> {
  const [passed, ...below] = after;
  let names: Buffer[];
  try {
    names = await fs.promises.readdir(placeOf(root, parents), { encoding: 'buffer' });
  } catch (error) {
    yield leftOut(parents.join('/'), `the folder cannot be opened (${systemCode(error) ?? 'unknown'})`);
    return;
  }
  for (const bytes of names.toSorted((one, other) => Buffer.compare(one, other))) {
    const name = bytes.toString('latin1');
    const isOnTheWay = name === passed && below.length > 0;
    if (passed !== undefined && Buffer.compare(bytes, Buffer.from(passed, 'latin1')) <= 0 && !isOnTheWay) continue;
    const here = [...parents, name];
    const place = placeOf(root, here);
    const text = here.join('/');
    let facts: fs.Stats;
    try {
      facts = await fs.promises.lstat(place);
    } catch (error) {
      yield leftOut(text, `it cannot be looked at (${systemCode(error) ?? 'unknown'})`);
      continue;
    }
    if (facts.isDirectory()) {
      if (root.apart.has(place.toString())) yield leftOut(text, 'it is a folder of this archive');
      else if (here.length > foldersDeepMax) yield leftOut(text, `it is more than ${foldersDeepMax} folders deep`);
      else yield* walk(root, here, isOnTheWay ? below : []);
    } else if (!facts.isFile()) {
      yield leftOut(text, facts.isSymbolicLink() ? 'it is a link' : 'it is no regular file');
    } else yield { path: text, sizeBytes: facts.size, problem: undefined, read: () => piecesOf(place) };
  }
}

function placeOf({ root }: Root, names: readonly string[]): Buffer {
  return Buffer.concat([root, ...names.map((name) => Buffer.from(`${path.sep}${name}`, 'latin1'))]);
}

function leftOut(text: string, problem: string): TreeFile {
  return { path: text, sizeBytes: 0, problem, read: () => piecesOf(Buffer.alloc(0)) };
}

/** A piece is good until the next is asked for. */
async function* piecesOf(place: Buffer): AsyncGenerator<Uint8Array> {
  const flags = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;
  try {
    const handle = await fs.promises.open(place, flags);
    try {
      const piece = Buffer.allocUnsafe(pieceBytes);
      for (;;) {
        const { bytesRead } = await handle.read(piece, 0, pieceBytes, null);
        if (bytesRead === 0) return;
        yield piece.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileFault(error, 'a file cannot be read');
  }
}

/** A path of the tree as people read it. */
export function shownPath(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
