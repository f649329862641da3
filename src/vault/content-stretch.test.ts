// Neighbours opened in one go: the same bytes as read one by one, nothing where something is wrong, and memory that comes back.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openRig, rigGroup, rigKeys } from '../../tests/support/vault-rig.ts';
import { ArchiveError, type KeyGroup, SeededRandom } from '../base/index.ts';
import { CodecPool, sharedSlotBytes } from '../codec/index.ts';
import { SimDisk } from '../disk/index.ts';
import type { KeySource } from '../keys/index.ts';
import type { WholeContent } from './content-stretch.ts';
import { openFolder } from './paths.ts';
import type { Vault } from './vault.ts';

const pool = new CodecPool({ workers: 1 });
after(() => pool.close());
const random = new SeededRandom(5);

type Rig = { readonly vault: Vault; readonly disk: SimDisk };

async function newRig(options: { cipher?: number; keys?: KeySource } = {}): Promise<Rig> {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const { vault } = await openRig({ disks: [disk], pool, ...options });
  return { vault, disk };
}

/** Content of these chunks. */
async function put(vault: Vault, chunks: readonly Uint8Array[], group: KeyGroup = rigGroup): Promise<WholeContent> {
  const writer = vault.contentWriter('ingest', group, { hintAt: () => ({ kind: 'bytes', effort: 'fast' }) });
  for (const chunk of chunks) {
    await writer.write(chunk);
    await writer.cut();
  }
  const { ref, first, sizeBytes } = await writer.finish(() => []);
  assert.ok(ref !== undefined && first !== undefined);
  return { ref, firstSequence: first.sequence, sizeBytes, group };
}

function freeSlots(): number {
  const taken: Uint8Array[] = [];
  for (let slot = pool.memory?.takeSlot(); slot !== undefined; slot = pool.memory?.takeSlot()) taken.push(slot);
  for (const slot of taken) pool.memory?.giveSlot(slot);
  return taken.length;
}

/** What each stretch gave, one list a stretch. */
async function openAll(vault: Vault, wanted: readonly WholeContent[]): Promise<(Buffer | undefined)[][]> {
  const given: (Buffer | undefined)[][] = [];
  for (let at = 0; at < wanted.length; ) {
    const stretch = vault.stretches.next(wanted.slice(at));
    const { contents, release } = await vault.stretches.open(stretch);
    given.push(contents.map((bytes) => (bytes === undefined ? undefined : Buffer.from(bytes))));
    release();
    at += contents.length;
  }
  return given;
}

const chunksOf: readonly (readonly Uint8Array[])[] = [
  [random.bytes(700)],
  [random.bytes(3000), random.bytes(90_000)],
  [new Uint8Array(200_000).fill(7)],
  [random.bytes(10), random.bytes(20), random.bytes(30)],
];
const plains = chunksOf.map((chunks) => Buffer.concat(chunks));

for (const state of ['open', 'sealed'] as const) {
  test(`neighbours of an ${state} pack come together, byte for byte, and their memory comes back`, async () => {
    const { vault } = await newRig();
    const before = freeSlots();
    const wanted: WholeContent[] = [];
    for (const chunks of chunksOf) wanted.push(await put(vault, chunks));
    if (state === 'sealed') {
      await vault.sealOpen('all');
      // Where its records lie is known once one of them was read.
      await vault.open((wanted[0] as WholeContent).ref);
    }
    assert.deepEqual(await openAll(vault, wanted), [plains]);
    assert.equal(freeSlots(), before);
    await vault.close();
  });
}

test('a stretch ends where memory does, and at another key group', async () => {
  const { vault } = await newRig();
  const other = { ...rigGroup, group: 78n };
  const halves = [random.bytes(sharedSlotBytes / 2), random.bytes(sharedSlotBytes / 2 - 8192), random.bytes(9000)];
  const wanted = [
    await put(vault, [halves[0] as Uint8Array]),
    await put(vault, [halves[1] as Uint8Array]),
    await put(vault, [halves[2] as Uint8Array]),
    await put(vault, [halves[2] as Uint8Array], other),
  ];
  const given = await openAll(vault, wanted);
  assert.deepEqual(
    given.map((each) => each.length),
    [2, 1, 1],
  );
  assert.deepEqual(
    given.flat(),
    [...halves, halves[2]].map((each) => Buffer.from(each as Uint8Array)),
  );
  await vault.close();
});

test('what is damaged is not given, and its neighbours are', async () => {
  const { vault, disk } = await newRig();
  const wanted: WholeContent[] = [];
  for (const chunks of chunksOf) wanted.push(await put(vault, chunks));
  const [name] = await disk.list(openFolder);
  // In the body of the second content's second chunk.
  disk.flipBit(`${openFolder}/${name}`, 4096 + 4096 * 3 + 50_000);
  disk.dropCache();
  const given = (await openAll(vault, wanted)).flat();
  assert.deepEqual(given, [plains[0], undefined, plains[2], plains[3]]);
  await vault.close();
});

test('content that is too long, without a cipher, or that lies where nobody knows is left to be read with care', async () => {
  const { vault } = await newRig();
  const long = await put(vault, [random.bytes(1_000_000), random.bytes(200_000)]);
  const strange = { ...long, ref: { ...long.ref, sequence: 9999n }, firstSequence: 9999n, sizeBytes: 5 };
  assert.deepEqual(await openAll(vault, [long, strange]), [[undefined], [undefined]]);
  await vault.close();
  const bare = await newRig({ cipher: 0 });
  assert.deepEqual(await openAll(bare.vault, [await put(bare.vault, [random.bytes(5000)])]), [[undefined]]);
  await bare.vault.close();
});

test('content whose length is not what was promised is not given', async () => {
  const { vault } = await newRig();
  const whole = await put(vault, [random.bytes(5000), random.bytes(6000)]);
  const lies = [10_999, 11_001, 5000].map((sizeBytes) => ({ ...whole, sizeBytes }));
  assert.deepEqual((await openAll(vault, lies)).flat(), [undefined, undefined, undefined]);
  await vault.close();
});

test('a key that is gone gives nothing, and holds no memory', async () => {
  let isGone = false;
  const keys = {
    ...rigKeys,
    groupKeys: (group: KeyGroup, cipher: number) => {
      if (isGone) throw new ArchiveError('KEY_SHREDDED', 'the key of this group was destroyed');
      return rigKeys.groupKeys(group, cipher);
    },
  } as KeySource;
  const { vault } = await newRig({ keys });
  const wanted = [await put(vault, [random.bytes(5000)])];
  const before = freeSlots();
  isGone = true;
  assert.deepEqual(await openAll(vault, wanted), [[undefined]]);
  assert.equal(freeSlots(), before);
  isGone = false;
  await vault.close();
});
