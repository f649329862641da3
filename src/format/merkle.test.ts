// The tree over leaves against the definition of RFC 6962, and proofs that hold for one leaf at one place only.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, hexOf, sha256 } from '../base/index.ts';
import { checkInclusion, inclusionProof, MerkleRoot } from './merkle.ts';

/** MTH(D[n]) of RFC 6962, 2.1, word for word. */
function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array(0));
  if (leaves.length === 1) return leaves[0] as Uint8Array;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(
    concatBytes([Uint8Array.of(1), rootByDefinition(leaves.slice(0, k)), rootByDefinition(leaves.slice(k))]),
  );
}

const leavesOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => sha256(Uint8Array.of(index & 0xff, index >> 8)));

test('the root is the one of the definition, for every small count and some large ones', () => {
  for (const count of [...Array.from({ length: 70 }, (_, index) => index), 127, 128, 129, 1000]) {
    const tree = new MerkleRoot();
    const leaves = leavesOf(count);
    for (const leaf of leaves) tree.add(leaf);
    assert.equal(hexOf(tree.root()), hexOf(rootByDefinition(leaves)), `${count} leaves`);
  }
});

test('a proof holds for its leaf at its place, and for no other leaf, place, count or root', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(), fc.nat(), (count, pick, other) => {
      const leaves = leavesOf(count);
      const root = rootByDefinition(leaves);
      const index = pick % count;
      const leaf = leaves[index] as Uint8Array;
      const proof = inclusionProof(leaves, index);
      assert.ok(checkInclusion({ leaf, index, count, proof, root }));
      assert.ok(!checkInclusion({ leaf: sha256(leaf), index, count, proof, root }));
      assert.ok(!checkInclusion({ leaf, index, count, proof: [...proof, leaf], root }));
      assert.ok(!checkInclusion({ leaf, index, count, proof, root: sha256(root) }));
      assert.ok(!checkInclusion({ leaf, index: count, count, proof, root }));
      const elsewhere = other % count;
      if (elsewhere !== index) assert.ok(!checkInclusion({ leaf, index: elsewhere, count, proof, root }));
    }),
  );
});
