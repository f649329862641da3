// Reading a record: what is said when no copy of it is good, and how a rotten mirror of an open pack is passed over.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRig, rigGroup } from '../../tests/support/vault-rig.ts';
import { type RecordId, SeededRandom } from '../base/index.ts';
import { SimDisk } from '../disk/index.ts';
import { openFolder } from './paths.ts';

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
