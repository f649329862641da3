// A tenant's cover of its key tree (FORMAT.md 4.1): which nodes are held, where a group hangs, and what is left when a group is shredded.
//
// Invariants: no held node lies below another; a cover is never changed, shredding gives a new one that shares what stays; what was shredded cannot be
// derived from what is left, for every node on its path is gone and only siblings are held.
// A cover is a binary tree of three things: a held key, a fork of two covers, or nothing (all below is shredded).
// Left out on purpose: tenants, generations and files (keyring.ts, keyring-file.ts).

import { ArchiveError, assert } from '../base/index.ts';
import { childKey, keyBelow, keySizeBytes } from '../codec/index.ts';

export const treeDepth = 80;
export const yearBits = 16;
const groupBits = 64;

assert(yearBits + groupBits === treeDepth, 'a path is a year and a group');

export type Fork = { readonly kind: 'fork'; readonly zero: Cover; readonly one: Cover };
export type Held = { readonly kind: 'held'; readonly key: Uint8Array };
export type Cover = Held | Fork | undefined;

/** One node of a cover as files write it. */
export type CoverNode = { readonly depth: number; readonly path: string; readonly key: Uint8Array };

/** The bits from the root to a group: the year's, then the group's, each from its most significant. */
export function pathOf(year: number, group: bigint): Uint8Array {
  assert(Number.isInteger(year) && year >= 0 && year < 2 ** yearBits, 'a key year is a u16');
  assert(group >= 0n && group < 1n << 64n, 'a group is a u64');
  const path = new Uint8Array(treeDepth);
  for (let bit = 0; bit < yearBits; bit += 1) path[bit] = (year >>> (yearBits - 1 - bit)) & 1;
  const high = Number(group >> 32n);
  const low = Number(group & 0xffff_ffffn);
  for (let bit = 0; bit < 32; bit += 1) {
    path[yearBits + bit] = (high >>> (31 - bit)) & 1;
    path[yearBits + 32 + bit] = (low >>> (31 - bit)) & 1;
  }
  return path;
}

export function held(key: Uint8Array): Held {
  assert(key.byteLength === keySizeBytes, 'the key of a node has 32 bytes');
  return { kind: 'held', key };
}

/** The held node at or above the end of this path, and how deep it lies; undefined when the path was shredded. */
export function heldAbove(cover: Cover, path: Uint8Array): { depth: number; key: Uint8Array } | undefined {
  let at = cover;
  let depth = 0;
  while (at !== undefined && at.kind === 'fork') {
    assert(depth < path.length, 'a path of a group reaches a held node or nothing');
    at = path[depth] === 0 ? at.zero : at.one;
    depth += 1;
  }
  return at === undefined ? undefined : { depth, key: at.key };
}

/** The cover without anything at or below this path. The same cover when nothing is held there. */
export function shredPath(cover: Cover, path: Uint8Array, depth = 0): Cover {
  if (cover === undefined || depth === path.length) return undefined;
  const bit = path[depth] === 0 ? 0 : 1;
  // A held node becomes its two children; the walk goes on into one of them, the other is the sibling that stays.
  const zero = cover.kind === 'fork' ? cover.zero : held(childKey(cover.key, 0));
  const one = cover.kind === 'fork' ? cover.one : held(childKey(cover.key, 1));
  const below = bit === 0 ? zero : one;
  const left = shredPath(below, path, depth + 1);
  if (left === below && cover.kind === 'fork') return cover;
  const sibling = bit === 0 ? one : zero;
  if (left === undefined && sibling === undefined) return undefined;
  return bit === 0 ? { kind: 'fork', zero: left, one: sibling } : { kind: 'fork', zero: sibling, one: left };
}

/** In the order of their paths. */
export function nodesOf(cover: Cover): CoverNode[] {
  const nodes: CoverNode[] = [];
  const walk = (at: Cover, path: string): void => {
    if (at === undefined) return;
    if (at.kind === 'held') {
      nodes.push({ depth: path.length, path, key: at.key });
      return;
    }
    walk(at.zero, `${path}0`);
    walk(at.one, `${path}1`);
  };
  walk(cover, '');
  return nodes;
}

/** KEYRING_CORRUPT for nodes that overlap or do not fit the tree. */
export function coverOf(nodes: readonly CoverNode[]): Cover {
  let cover: Cover;
  for (const node of nodes) {
    const good = node.path.length === node.depth && node.depth <= treeDepth && /^[01]*$/.test(node.path);
    if (!good || node.key.byteLength !== keySizeBytes) throw corrupt('a node that is not one of the tree');
    cover = insert(cover, node, 0);
  }
  return cover;
}

function insert(cover: Cover, node: CoverNode, depth: number): Cover {
  if (depth === node.depth) {
    if (cover !== undefined) throw corrupt('a node above another');
    return held(node.key);
  }
  if (cover?.kind === 'held') throw corrupt('a node below another');
  const zero = cover?.zero;
  const one = cover?.one;
  return node.path[depth] === '0'
    ? { kind: 'fork', zero: insert(zero, node, depth + 1), one }
    : { kind: 'fork', zero, one: insert(one, node, depth + 1) };
}

function corrupt(what: string): ArchiveError {
  return new ArchiveError('KEYRING_CORRUPT', `a keyring holds ${what}`);
}

/**
 * Whether two covers come of one root, as far as a node that both can derive tells. `unknown`: they have no such node in common.
 */
export function compareRoots(a: Cover, b: Cover): 'same' | 'different' | 'unknown' {
  if (a === undefined || b === undefined) return 'unknown';
  if (a.kind === 'held') return compareBelow(a.key, b);
  if (b.kind === 'held') return compareBelow(b.key, a);
  const zero = compareRoots(a.zero, b.zero);
  return zero === 'unknown' ? compareRoots(a.one, b.one) : zero;
}

function compareBelow(key: Uint8Array, cover: Fork | Held): 'same' | 'different' {
  let at: Cover = cover;
  const bits: number[] = [];
  while (at?.kind === 'fork') {
    const goesToZero: boolean = at.zero !== undefined;
    bits.push(goesToZero ? 0 : 1);
    at = goesToZero ? at.zero : at.one;
  }
  assert(at !== undefined, 'a fork holds something on one side');
  const derived = keyBelow(key, Uint8Array.from(bits), 0, bits.length);
  return Buffer.compare(derived, at.key) === 0 ? 'same' : 'different';
}
