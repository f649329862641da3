// The write that is its own sync fails in the middle of a vault's life: what was acknowledged is read back, the group goes whole into a new pack, and
// the broken file is never written again.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type RecordId, SeededRandom } from '../../src/base/index.ts';
import { type Disk, openRealDisk, SimDisk } from '../../src/disk/index.ts';
import { recordKind } from '../../src/format/index.ts';
import { openFolder, type Vault } from '../../src/vault/index.ts';
import { limitFileSize } from '../support/file-size-limit.ts';
import { openRig, rigGroup } from '../support/vault-rig.ts';

const random = new SeededRandom(5);
const partBytes = 100_000;

type Stored = { readonly ref: RecordId; readonly bytes: Uint8Array };

async function store(vault: Vault): Promise<Stored> {
  const bytes = random.bytes(partBytes);
  const writer = vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'raw' }) });
  await writer.write(bytes.slice());
  const { ref } = await writer.finish(() => [{ kind: recordKind.entry, group: rigGroup, plain: new Uint8Array(10) }]);
  assert.ok(ref !== undefined);
  return { ref, bytes };
}

async function checkRead(vault: Vault, stored: readonly Stored[]): Promise<void> {
  for (const { ref, bytes } of stored) {
    const parts: Uint8Array[] = [];
    for await (const part of vault.contents.read(ref)) parts.push(part.slice());
    assert.ok(Buffer.from(bytes).equals(Buffer.concat(parts)), 'what was acknowledged comes back');
  }
}

/** `breakAt` makes the next durable write behind this offset fail; `mend` makes the disk well again. */
async function checkLife(disk: Disk, breakAt: (offset: number) => void, mend: () => void): Promise<void> {
  const { vault, events } = await openRig({ disks: [disk] });
  const stored: Stored[] = [];
  while ((vault.livePacks()[0]?.sizeBytes ?? 0) < 1024 * 1024) stored.push(await store(vault));
  const [broken] = vault.livePacks();
  assert.ok(broken !== undefined);
  breakAt(broken.sizeBytes);
  stored.push(...(await Promise.all(Array.from({ length: 4 }, () => store(vault)))));
  assert.deepEqual(
    events
      .filter((event) => event.kind === 'mirror-failed')
      .map((event) => event.kind === 'mirror-failed' && event.code),
    ['DISK_IO'],
    'the disk failed once',
  );
  assert.ok(
    vault.livePacks().some((pack) => pack.pack !== broken.pack && pack.recordCount > 0),
    'the stream goes on in a new pack',
  );
  await checkRead(vault, stored);
  mend();
  await vault.sealOpen('all');
  assert.deepEqual(await disk.list(openFolder), [], 'the broken pack is sealed from what was acknowledged');
  const kept = (await vault.register.pack(broken.pack))?.recordCount ?? 0;
  assert.equal(kept, broken.recordCount, 'all that was acknowledged of it, and no more');
  await checkRead(vault, stored);
  for await (const report of vault.care.verifyAll(async () => undefined)) assert.deepEqual(report.problems, []);
  stored.push(await store(vault));
  await vault.close();
  const again = await openRig({ disks: [disk], everything: true });
  assert.deepEqual(again.report.losses, []);
  assert.deepEqual(again.report.unreadable, []);
  await checkRead(again.vault, stored);
  await again.vault.close();
}

test('a failed write that is its own sync costs nothing that was acknowledged (simulated)', async () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const disk = new SimDisk({ random: new SeededRandom(seed) });
    const fault = { kind: 'io' } as const;
    await checkLife(
      disk,
      () => disk.fail({ step: disk.steps() + 1, ...fault }),
      () => undefined,
    );
  }
});

test('a failed write that is its own sync costs nothing that was acknowledged (a real disk)', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'stele-durable-'));
  t.after(async () => {
    limitFileSize(undefined);
    await rm(folder, { recursive: true, force: true });
  });
  if (!limitFileSize(undefined)) return t.skip('needs prlimit');
  await checkLife(await openRealDisk({ folder, label: 'test' }), limitFileSize, () => limitFileSize(undefined));
});
