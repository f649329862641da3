// The RFC 6962 tree over a pack's leaves (FORMAT.md 2.4): its root and the proof that one leaf is in it.
//
// Invariant: memory is one hash a level; the leaves themselves are the caller's.

import { assert, bytesEqual, sha256 } from '../base/index.ts';

/** The prefix of a node and room for its children, filled anew for each: one call costs a third of three updates. */
const nodeInput = new Uint8Array(65);
nodeInput[0] = 1;

function nodeOf(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput.set(left, 1);
  nodeInput.set(right, 33);
  return sha256(nodeInput);
}

/** Takes leaves in order and gives the root at any time. */
export class MerkleRoot {
  /** Roots of the complete subtrees so far, largest first; their sizes are the bits of `#count`. */
  readonly #complete: Uint8Array[] = [];
  #count = 0;

  add(leaf: Uint8Array): void {
    assert(leaf.byteLength === 32, 'a leaf has 32 bytes');
    let node = leaf;
    for (let bits = this.#count; (bits & 1) === 1; bits >>>= 1) node = nodeOf(this.#complete.pop() as Uint8Array, node);
    this.#complete.push(node);
    this.#count += 1;
  }

  root(): Uint8Array {
    let root: Uint8Array | undefined;
    for (let index = this.#complete.length - 1; index >= 0; index -= 1) {
      const left = this.#complete[index] as Uint8Array;
      root = root === undefined ? left : nodeOf(left, root);
    }
    return root ?? sha256(new Uint8Array(0));
  }
}

function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

function rootOf(leaves: readonly Uint8Array[], from: number, to: number): Uint8Array {
  const tree = new MerkleRoot();
  for (let index = from; index < to; index += 1) tree.add(leaves[index] as Uint8Array);
  return tree.root();
}

/** The siblings on the way from leaf `index` to the root, nearest first. */
export function inclusionProof(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  assert(index >= 0 && index < leaves.length, 'a proof is of a leaf that is there');
  const proof: Uint8Array[] = [];
  let from = 0;
  let to = leaves.length;
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      proof.push(rootOf(leaves, middle, to));
      to = middle;
    } else {
      proof.push(rootOf(leaves, from, middle));
      from = middle;
    }
  }
  return proof.reverse();
}

/** Whether `proof` leads from this leaf, at this place among `count`, to `root`. */
export function checkInclusion(options: {
  leaf: Uint8Array;
  index: number;
  count: number;
  proof: readonly Uint8Array[];
  root: Uint8Array;
}): boolean {
  const sides: ('left' | 'right')[] = [];
  let from = 0;
  let to = options.count;
  if (options.index < 0 || options.index >= options.count) return false;
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (options.index < middle) {
      sides.push('right');
      to = middle;
    } else {
      sides.push('left');
      from = middle;
    }
  }
  if (sides.length !== options.proof.length) return false;
  let node = options.leaf;
  sides.reverse().forEach((side, index) => {
    const sibling = options.proof[index] as Uint8Array;
    node = side === 'left' ? nodeOf(sibling, node) : nodeOf(node, sibling);
  });
  return bytesEqual(node, options.root);
}
