// A walk reads every byte once, however records and groups lie to its windows, and the window always gives what the file has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRig, rigGroup } from '../../tests/support/vault-rig.ts';
import { SeededRandom } from '../base/index.ts';
import { type DiskFile, SimDisk } from '../disk/index.ts';
import { recordKind } from '../format/index.ts';
import { sealedPath } from './paths.ts';
import { verifyCopy } from './verify-pack.ts';
import { Window } from './walk.ts';

test('a window gives what the file has, at any offset and length', async () => {
  const random = new SeededRandom(3);
  const bytes = random.bytes(100_000);
  const window = new Window(async (offset, length) => bytes.slice(offset, offset + length), bytes.byteLength, 4096);
  let offset = 0;
  for (let turn = 0; turn < 3000; turn += 1) {
    offset = random.below(20) === 0 ? random.below(bytes.byteLength) : (offset + random.below(3000)) % bytes.byteLength;
    const length = 1 + random.below(9000);
    const found = await window.at(offset, length);
    assert.ok(found.byteLength >= Math.min(length, bytes.byteLength - offset));
    assert.ok(Buffer.from(bytes.subarray(offset, offset + found.byteLength)).equals(found));
  }
});

test('a window has nothing beyond the end, wherever the walk was before', async () => {
  const bytes = new SeededRandom(4).bytes(10_000);
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    assert.ok(offset >= 0 && length >= 0, 'what is read lies in the file');
    return bytes.slice(offset, offset + length);
  };
  const window = new Window(read, bytes.byteLength, 4096);
  for (const before of [undefined, 0, 9000])
    for (const offset of [10_000, 10_001, 12_288, 1e9]) {
      if (before !== undefined) await window.at(before, 500);
      assert.equal((await window.at(offset, 112)).byteLength, 0);
    }
});

test('verification reads every byte of a pack once', async () => {
  const random = new SeededRandom(5);
  const disk = new SimDisk({ random });
  const { vault } = await openRig({ disks: [disk] });
  for (let index = 0; index < 40; index += 1) {
    const writer = vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'raw' }) });
    await writer.write(random.bytes(300_000 + random.below(700_000)));
    await writer.finish(() => [{ kind: recordKind.entry, group: rigGroup, plain: random.bytes(300) }]);
  }
  await vault.sealOpen('all');
  const [facts] = await vault.register.packsAfter(undefined, 1);
  assert.ok(facts !== undefined);
  await vault.close();
  const file = await disk.open(sealedPath(facts.pack), 'read');
  let readBytes = 0;
  const counting: DiskFile = {
    path: file.path,
    read: (offset, length) => file.read(offset, length),
    readUncached: async (offset, length) => {
      const read = await file.readUncached(offset, length);
      readBytes += read.bytes.byteLength;
      return read;
    },
    write: () => Promise.reject(new Error('not written')),
    writeDurably: () => Promise.reject(new Error('not written')),
    truncate: () => Promise.reject(new Error('not cut')),
    sync: async () => undefined,
    sizeBytes: () => file.sizeBytes(),
    close: () => file.close(),
  };
  const verdict = await verifyCopy({ file: counting, kind: 'pack', pace: async () => undefined });
  assert.deepEqual(verdict.problems, []);
  // All but the locator, which is asked for by its place.
  assert.ok(readBytes <= facts.sizeBytes, `${readBytes} bytes were read of ${facts.sizeBytes}`);
  await file.close();
});
