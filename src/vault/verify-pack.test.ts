// Verification of a sealed pack: a flip of any single byte is found, wherever it lies, and what is found is told where it is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRig, rigGroup } from '../../tests/support/vault-rig.ts';
import { SeededRandom } from '../base/index.ts';
import { type DiskFile, SimDisk } from '../disk/index.ts';
import { recordKind } from '../format/index.ts';
import { footerPath, sealedPath } from './paths.ts';
import { verifyCopy } from './verify-pack.ts';

/** A file whose bytes are these. */
function fileOf(bytes: Uint8Array): DiskFile {
  const read = async (offset: number, length: number): Promise<Uint8Array> => bytes.slice(offset, offset + length);
  return {
    path: 'bytes',
    read,
    readUncached: async (offset, length) => ({ bytes: await read(offset, length), cached: false }),
    write: () => Promise.reject(new Error('not written')),
    writeDurably: () => Promise.reject(new Error('not written')),
    truncate: () => Promise.reject(new Error('not cut')),
    sync: async () => undefined,
    sizeBytes: async () => bytes.byteLength,
    close: async () => undefined,
  };
}

async function smallPack(): Promise<{ pack: Uint8Array; footer: Uint8Array; footerEnd: number }> {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const { vault } = await openRig({ disks: [disk] });
  const random = new SeededRandom(2);
  for (const sizeBytes of [100, 333]) {
    const writer = vault.contentWriter('ingest', rigGroup, { hintAt: () => ({ kind: 'raw' }) });
    await writer.write(random.bytes(sizeBytes));
    await writer.finish(() => [{ kind: recordKind.entry, group: rigGroup, plain: random.bytes(21) }]);
  }
  await vault.sealOpen('all');
  const [facts] = await vault.register.packsAfter(undefined, 1);
  assert.ok(facts !== undefined);
  await vault.close();
  const [pack, footer] = [disk.mediaBytes(sealedPath(facts.pack)), disk.mediaBytes(footerPath(facts.pack))];
  return { pack, footer, footerEnd: pack.findLastIndex((byte, at) => at < pack.byteLength - 4096 && byte !== 0) + 1 };
}

async function problemsOf(bytes: Uint8Array, kind: 'pack' | 'footer'): Promise<readonly { offset: number }[]> {
  return (await verifyCopy({ file: fileOf(bytes), kind, pace: async () => undefined })).problems;
}

test('a flip of any byte of a small pack or footer file is found', async () => {
  const { pack, footer, footerEnd } = await smallPack();
  assert.deepEqual(await problemsOf(pack, 'pack'), []);
  assert.deepEqual(await problemsOf(footer, 'footer'), []);
  const random = new SeededRandom(3);
  const check = async (bytes: Uint8Array, kind: 'pack' | 'footer', at: number): Promise<void> => {
    const before = bytes[at] as number;
    bytes[at] = before ^ (1 << random.below(8));
    assert.notDeepEqual(await problemsOf(bytes, kind), [], `byte ${at} of the ${kind}`);
    bytes[at] = before;
  };
  // Each byte that says something, and of long stretches of zeros one here and there.
  const isQuiet = (bytes: Uint8Array, at: number): boolean => bytes[at] === 0 && at % 61 !== 0;
  for (let at = 0; at < footerEnd; at += 1) if (!isQuiet(pack, at)) await check(pack, 'pack', at);
  for (let at = footerEnd; at < pack.byteLength - 4096; at += 40_961) await check(pack, 'pack', at);
  for (let at = pack.byteLength - 4096; at < pack.byteLength; at += 1)
    if (!isQuiet(pack, at)) await check(pack, 'pack', at);
  for (let at = 0; at < footer.byteLength; at += 1) if (!isQuiet(footer, at)) await check(footer, 'footer', at);
});

test('a pack that is cut short or has something behind it is not good', async () => {
  const { pack } = await smallPack();
  for (const cut of [1, 4096, 8192, pack.byteLength - 10])
    assert.notDeepEqual(await problemsOf(pack.subarray(0, pack.byteLength - cut), 'pack'), [], `${cut} bytes fewer`);
  const longer = new Uint8Array(pack.byteLength + 4096);
  longer.set(pack);
  assert.notDeepEqual(await problemsOf(longer, 'pack'), []);
});
