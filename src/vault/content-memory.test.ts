import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom, sha256 } from '../base/index.ts';
import { SharedMemory, type SharedSizes, sharedBytes } from '../codec/index.ts';
import { chunkSizeBytesMax } from '../format/index.ts';
import { ContentMemory, type Plain } from './content-memory.ts';

const sizes: SharedSizes = { slots: 2, regions: 0, regionBytes: 4096 };
const source = new SeededRandom(6).bytes(3 * chunkSizeBytesMax);

function newMemory(slots = sizes.slots): SharedMemory {
  return new SharedMemory(new SharedArrayBuffer(sharedBytes({ ...sizes, slots })), { ...sizes, slots });
}

function freeSlots(memory: SharedMemory): number {
  const taken: Uint8Array[] = [];
  for (let slot = memory.takeSlot(); slot !== undefined; slot = memory.takeSlot()) taken.push(slot);
  for (const slot of taken) memory.giveSlot(slot);
  return taken.length;
}

type Run = { readonly chunks: Plain[]; readonly digest: Uint8Array; readonly digestedElsewhere: number };

/** Writes pieces, cutting after those that say so, and checks nothing yet. */
async function run(
  memory: SharedMemory | undefined,
  pieces: readonly { sizeBytes: number; cut: boolean }[],
): Promise<Run> {
  let digestedElsewhere = 0;
  const content = new ContentMemory({
    memory,
    kept: 0,
    digest: async (bytes) => {
      digestedElsewhere += bytes.byteLength;
      return sha256(bytes);
    },
  });
  const chunks: Plain[] = [];
  let offset = 0;
  for (const { sizeBytes, cut } of pieces) {
    const piece = source.subarray(offset, offset + sizeBytes);
    offset += piece.byteLength;
    for (let from = 0; from < piece.byteLength; ) {
      const count = content.add(piece, from);
      if (count === 0) chunks.push(content.take({ last: false }));
      from += count;
    }
    if (cut && content.chunkBytes > 0) chunks.push(content.take({ last: false }));
  }
  if (content.chunkBytes > 0) chunks.push(content.take({ last: true }));
  const digest = await content.digest();
  content.close();
  content.close();
  return { chunks, digest, digestedElsewhere };
}

const bytesOf = (chunks: readonly Plain[]): Buffer => Buffer.concat(chunks.map(({ bytes }) => bytes));

test('whatever comes in pieces and cuts goes out in chunks, with its digest, and leaves no slot behind', async () => {
  const piece = fc.record({
    sizeBytes: fc.oneof(fc.nat(200), fc.nat(100_000), fc.nat(900_000), fc.constant(chunkSizeBytesMax)),
    cut: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.nat(2), async (pieces, slots) => {
      const memory = slots === 0 ? undefined : newMemory(slots);
      const total = Math.min(
        source.byteLength,
        pieces.reduce((sum, each) => sum + each.sizeBytes, 0),
      );
      const { chunks, digest } = await run(memory, pieces);
      assert.ok(bytesOf(chunks).equals(source.subarray(0, total)));
      assert.ok(chunks.every(({ bytes }) => bytes.byteLength > 0 && bytes.byteLength <= chunkSizeBytesMax));
      assert.deepEqual(Buffer.from(digest), Buffer.from(sha256(source.subarray(0, total))));
      for (const { release } of chunks) release?.();
      if (memory !== undefined) assert.equal(freeSlots(memory), slots);
    }),
    { numRuns: 60 },
  );
});

test('a header and the pixels behind it lie in one slot, and are digested in one piece elsewhere', async () => {
  const memory = newMemory();
  const { chunks, digestedElsewhere } = await run(memory, [
    { sizeBytes: 3000, cut: true },
    { sizeBytes: 300_000, cut: true },
    { sizeBytes: 300_000, cut: false },
  ]);
  assert.equal(digestedElsewhere, 603_000);
  assert.equal(freeSlots(memory), 1, 'the chunks are still in use');
  for (const { release } of chunks) release?.();
  assert.equal(freeSlots(memory), 2);
});

test('content of several chunks, and content that finds no slot, is digested as it comes', async () => {
  const long = await run(newMemory(), [{ sizeBytes: 2_500_000, cut: false }]);
  assert.deepEqual([long.digestedElsewhere, long.chunks.length], [0, 3]);
  const none = await run(newMemory(0), [{ sizeBytes: 500_000, cut: false }]);
  assert.equal(none.digestedElsewhere, 0);
  const small = await run(newMemory(), [{ sizeBytes: 5000, cut: false }]);
  assert.equal(small.digestedElsewhere, 0);
});
