// The simulated disk's names: what the running system sees, what the medium holds, and the changes in between.
//
// Invariants: a change of a name is durable once its folder is synced, and not before, whatever happens to the file;
// changes that were not synced survive a power cut in any combination; a rename within a folder is one change, between
// folders it may survive by its new name alone, by both names, or not at all, never by neither; what lies under a
// folder whose own name was lost is lost.
// Left out: moving and removing folders, which no Disk can do.

import { defined, type Random } from '../base/index.ts';
import { folderOf, nameOf } from './disk-path.ts';
import type { SimInode, SimSurvival } from './sim-inode.ts';

type Node = SimInode | 'folder';
type Folders = Map<string, Map<string, Node>>;
type Assignment = { readonly folder: string; readonly name: string; readonly node: Node | undefined };

/**
 * The assignments survive a power cut together, except that `after` may be missing (the old name of a rename between
 * folders).
 */
type Change = { now: Assignment[]; after: Assignment[] };

export class SimNames {
  readonly #seen: Folders;
  readonly #media: Folders;
  #unsynced: Change[] = [];

  constructor(media: Folders = new Map([['', new Map()]])) {
    this.#media = media;
    this.#seen = copyFolders(media);
  }

  file(path: string): SimInode | undefined {
    const node = this.#seen.get(folderOf(path))?.get(nameOf(path));
    return node === 'folder' ? undefined : node;
  }

  isFolder(path: string): boolean {
    return this.#seen.has(path);
  }

  namesIn(folder: string): string[] {
    return [...(this.#seen.get(folder)?.keys() ?? [])].sort();
  }

  filePaths(): string[] {
    const paths: string[] = [];
    for (const [folder, nodes] of this.#seen) {
      for (const [name, node] of nodes) if (node !== 'folder') paths.push(folder === '' ? name : `${folder}/${name}`);
    }
    return paths.sort();
  }

  files(): Set<SimInode> {
    const found = new Set<SimInode>();
    for (const nodes of this.#seen.values()) for (const node of nodes.values()) if (node !== 'folder') found.add(node);
    return found;
  }

  makeFolder(path: string): void {
    this.#seen.set(path, new Map());
    this.#change({ now: [assignmentOf(path, 'folder')], after: [] });
  }

  link(path: string, inode: SimInode): void {
    this.#change({ now: [assignmentOf(path, inode)], after: [] });
  }

  unlink(path: string): void {
    this.#change({ now: [assignmentOf(path, undefined)], after: [] });
  }

  rename(from: string, to: string): void {
    const inode = defined(this.file(from), 'the file to rename was found');
    const removal = assignmentOf(from, undefined);
    const addition = assignmentOf(to, inode);
    // The removal comes first: when both are one name, it is there afterwards.
    if (removal.folder === addition.folder) this.#change({ now: [removal, addition], after: [] });
    else this.#change({ now: [addition], after: [removal] });
  }

  syncFolder(folder: string): void {
    for (const change of this.#unsynced) {
      if (change.now.some((each) => each.folder === folder)) {
        for (const each of change.now) assign(this.#media, each);
        change.now = [];
      }
      if (change.after.some((each) => each.folder === folder)) {
        // A removal is never durable without the new name.
        for (const each of [...change.now, ...change.after]) assign(this.#media, each);
        change.now = [];
        change.after = [];
      }
    }
    this.#unsynced = this.#unsynced.filter((change) => change.now.length + change.after.length > 0);
  }

  /** The names found after a power cut, each file passed once through `settle`. */
  afterCrash(survive: SimSurvival, random: Random, settle: (inode: SimInode) => SimInode): SimNames {
    const left = copyFolders(this.#media);
    const whole: SimSurvival[] = ['none', 'all', 'random', 'random'];
    const way = survive === 'random' ? (whole[random.below(whole.length)] ?? 'random') : survive;
    for (const change of this.#unsynced) {
      const kept = way === 'all' ? 2 : way === 'none' ? 0 : random.below(3);
      if (kept >= 1) for (const each of change.now) assign(left, each);
      // What is left of a change whose new name is durable already may go either way on its own.
      if (kept === 2) for (const each of change.after) assign(left, each);
    }
    return new SimNames(reachable(left, settle));
  }

  #change(change: Change): void {
    for (const each of [...change.now, ...change.after]) assign(this.#seen, each);
    this.#unsynced.push(change);
  }
}

function assignmentOf(path: string, node: Node | undefined): Assignment {
  return { folder: folderOf(path), name: nameOf(path), node };
}

function assign(folders: Folders, { folder, name, node }: Assignment): void {
  let nodes = folders.get(folder);
  if (nodes === undefined) {
    // On the medium a folder's entries may be durable before its own name is.
    nodes = new Map();
    folders.set(folder, nodes);
  }
  if (node === undefined) nodes.delete(name);
  else nodes.set(name, node);
}

function copyFolders(folders: Folders): Folders {
  return new Map([...folders].map(([folder, nodes]) => [folder, new Map(nodes)]));
}

function reachable(folders: Folders, settle: (inode: SimInode) => SimInode): Folders {
  const settled = new Map<SimInode, SimInode>();
  const found: Folders = new Map();
  const visit = (folder: string): void => {
    const nodes = new Map<string, Node>();
    found.set(folder, nodes);
    for (const [name, node] of folders.get(folder) ?? []) {
      if (node === 'folder') {
        nodes.set(name, node);
        visit(folder === '' ? name : `${folder}/${name}`);
        continue;
      }
      const after = settled.get(node) ?? settle(node);
      settled.set(node, after);
      nodes.set(name, after);
    }
  };
  visit('');
  return found;
}
