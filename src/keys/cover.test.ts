import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hexOf, isArchiveError, SeededRandom } from '../base/index.ts';
import { keyBelow } from '../codec/index.ts';
import {
  type Cover,
  type CoverNode,
  compareRoots,
  coverOf,
  held,
  heldAbove,
  nodesOf,
  pathOf,
  shredPath,
} from './cover.ts';

const random = new SeededRandom(42);
const root = random.bytes(32);

function keyIn(cover: Cover, path: Uint8Array): string | undefined {
  const above = heldAbove(cover, path);
  return above === undefined ? undefined : hexOf(keyBelow(above.key, path, above.depth, path.length));
}

const groups = fc.record({
  year: fc.constantFrom(1999, 2025, 2026),
  // Close together and far apart: neighbours share all but the last bits of their paths.
  group: fc.oneof(fc.bigInt(0n, 15n), fc.bigInt(0n, (1n << 64n) - 1n)),
});

test('the path of a group is its year and its number, most significant bits first', () => {
  const path = [...pathOf(0x8001, 0x8000_0000_0000_0005n)].join('');
  assert.equal(path, `1000000000000001${'1'.padEnd(61, '0')}101`);
  assert.equal(path.length, 80);
});

test('after any shreds the rest has the keys of the root, the shredded none, and no node lies below another', () => {
  fc.assert(
    fc.property(fc.array(groups, { maxLength: 8 }), fc.array(groups, { maxLength: 8 }), (shredded, others) => {
      const paths = shredded.map((each) => pathOf(each.year, each.group));
      let cover: Cover = held(root);
      for (const path of paths) cover = shredPath(cover, path);
      const gone = new Set(paths.map((path) => path.join('')));
      for (const path of [...paths, ...others.map((each) => pathOf(each.year, each.group))]) {
        const expected = gone.has(path.join('')) ? undefined : hexOf(keyBelow(root, path, 0, path.length));
        assert.equal(keyIn(cover, path), expected);
      }
      const nodes = nodesOf(cover);
      for (const node of nodes) {
        assert.equal(node.path.length, node.depth);
        // Undeliverable: none of the nodes held lies on the path of a shredded group.
        for (const path of gone) assert.ok(!path.startsWith(node.path));
        assert.ok(nodes.every((each) => each === node || !each.path.startsWith(node.path)));
      }
      assert.deepEqual(nodesOf(coverOf(nodes)), nodes);
    }),
    { numRuns: 60 },
  );
});

test('shredding leaves the siblings along the path, and shredding again changes nothing', () => {
  const path = pathOf(2026, 77n);
  const once = shredPath(held(root), path);
  assert.equal(nodesOf(once).length, 80);
  assert.equal(shredPath(once, path), once);
  // The neighbour's key was a node of its own: 79 are left, and the fork above them is gone.
  assert.equal(nodesOf(shredPath(once, pathOf(2026, 76n))).length, 79);
});

test('what stays is shared, not copied', () => {
  const once = shredPath(held(root), pathOf(1, 0n));
  const twice = shredPath(once, pathOf(0x8000, 0n));
  assert.ok(once?.kind === 'fork' && twice?.kind === 'fork');
  assert.equal(twice.zero, once.zero);
  assert.notEqual(twice.one, once.one);
});

test('nodes that overlap or do not fit the tree are KEYRING_CORRUPT', () => {
  const node = (path: string, depth = path.length, key = root): CoverNode => ({ depth, path, key });
  const corrupt = (nodes: CoverNode[]): void =>
    assert.throws(
      () => coverOf(nodes),
      (error) => isArchiveError(error, 'KEYRING_CORRUPT'),
    );
  corrupt([node('01'), node('01')]);
  corrupt([node('01'), node('0')]);
  corrupt([node('0'), node('01')]);
  corrupt([node(''), node('')]);
  corrupt([node('01', 3)]);
  corrupt([node('0x')]);
  corrupt([node('0'.repeat(81))]);
  corrupt([node('0', 1, root.subarray(1))]);
  assert.equal(coverOf([]), undefined);
});

test('covers of one root are told from covers of two', () => {
  const shredded = shredPath(held(root), pathOf(2026, 5n));
  const more = shredPath(shredded, pathOf(3, 1n));
  const other = held(random.bytes(32));
  assert.equal(compareRoots(held(root), shredded), 'same');
  assert.equal(compareRoots(more, shredded), 'same');
  assert.equal(compareRoots(other, shredded), 'different');
  assert.equal(compareRoots(more, shredPath(other, pathOf(2026, 5n))), 'different');
  assert.equal(compareRoots(undefined, other), 'unknown');
});
