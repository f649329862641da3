// Reading a record: what is said when no copy of it is good, and how a rotten mirror of an open pack is passed over.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRig, rigGroup } from '../../tests/support/vault-rig.ts';
import { type DiskId, type RecordId, SeededRandom } from '../base/index.ts';
import { CodecPool } from '../codec/index.ts';
import { SimDisk } from '../disk/index.ts';
import { openFolder, sealedPath } from './paths.ts';

async function openPackOnTwo(): Promise<{ disks: SimDisk[]; rig: Awaited<ReturnType<typeof openRig>>; ref: RecordId }> {
  const disks = [1, 2].map((seed) => new SimDisk({ random: new SeededRandom(seed) }));
  const rig = await openRig({ disks });
  const writer = rig.vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'raw' }) });
  await writer.write(new SeededRandom(3).bytes(1000));
  const { ref } = await writer.finish(() => []);
  assert.ok(ref !== undefined);
  return { disks, rig, ref };
}

async function rot(disk: SimDisk): Promise<void> {
  const [name] = await disk.list(openFolder);
  disk.flipBit(`${openFolder}/${name}`, 4096 + 300);
  disk.dropCache();
}

test('a record of an open pack is read from the mirror that is good', async () => {
  const { disks, rig, ref } = await openPackOnTwo();
  await rot(disks[0] as SimDisk);
  assert.equal((await rig.vault.open(ref)).plain.byteLength, 1000);
  await rig.vault.close();
});

test('a record of an open pack that no mirror has is lost, and not unknown', async () => {
  const { disks, rig, ref } = await openPackOnTwo();
  for (const disk of disks) await rot(disk);
  await assert.rejects(rig.vault.open(ref), { code: 'RECORD_LOST' });
  await assert.rejects(rig.vault.open({ ...ref, sequence: 999n }), { code: 'RECORD_UNKNOWN' });
  await rig.vault.close();
});

/** Content of three chunks, of which the middle one rots on a disk once the pack is sealed. */
async function sealedOnTwo(cipher: number): Promise<{
  disks: SimDisk[];
  rig: Awaited<ReturnType<typeof openRig>>;
  pool: CodecPool;
  ids: RecordId[];
  plains: Uint8Array[];
  rotMiddle: (disk: SimDisk) => Promise<void>;
}> {
  const disks = [1, 2].map((seed) => new SimDisk({ random: new SeededRandom(seed) }));
  const pool = new CodecPool({ workers: 2 });
  const rig = await openRig({ disks, pool, cipher });
  const random = new SeededRandom(3);
  const ids: RecordId[] = [];
  const plains = Array.from({ length: 3 }, () => random.bytes(200_000));
  for (const plain of plains) {
    const writer = rig.vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'raw' }) });
    await writer.write(plain);
    ids.push((await writer.finish(() => [])).ref as RecordId);
  }
  await rig.vault.sealOpen('all');
  const [pack] = await rig.vault.register.packsAfter(undefined, 1);
  assert.ok(pack !== undefined);
  const rotMiddle = async (disk: SimDisk): Promise<void> => {
    for await (const row of rig.vault.care.rowsOf(pack.pack)) {
      if (row.id.sequence === (ids[1] as RecordId).sequence) disk.flipBit(sealedPath(pack.pack), row.offset + 100_000);
    }
    disk.dropCache();
  };
  return { disks, rig, pool, ids, plains, rotMiddle };
}

for (const cipher of [0, 1, 2]) {
  test(`large records are read again and again, and whichever copy rots is mended (cipher ${cipher})`, async () => {
    const { disks, rig, pool, ids, plains, rotMiddle } = await sealedOnTwo(cipher);
    const check = async (): Promise<void> => {
      const opened = await Promise.all([...ids, ...ids].map((id) => rig.vault.open(id)));
      opened.forEach(({ plain }, index) =>
        assert.deepEqual(Buffer.from(plain), Buffer.from(plains[index % plains.length] as Uint8Array)),
      );
    };
    await check();
    for (const disk of disks) {
      await rotMiddle(disk);
      await check();
    }
    assert.ok((await rig.vault.register.counter('repaired_records')) >= 1);
    assert.deepEqual(Buffer.from((await rig.vault.read(ids[1] as RecordId)).body).byteLength >= 200_000, true);
    await rig.vault.close();
    await pool.close();
  });
}

test('a pack that moved to another disk is found there, wherever it was read before', async () => {
  const { disks, rig, pool, ids, plains } = await sealedOnTwo(1);
  await rig.vault.open(ids[0] as RecordId);
  const [pack] = await rig.vault.register.packsAfter(undefined, 1);
  assert.ok(pack !== undefined);
  await (disks[0] as SimDisk).remove(sealedPath(pack.pack));
  rig.vault.shelf.forget(rig.stores[0]?.id as DiskId, pack.pack);
  assert.deepEqual(Buffer.from((await rig.vault.open(ids[0] as RecordId)).plain), Buffer.from(plains[0] as Uint8Array));
  await rig.vault.close();
  await pool.close();
});
