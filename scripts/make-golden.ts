/*
 * Made testdata/packs/v1, once: packs of format version 1 that every later version must read.
 *
 *   node scripts/make-golden.ts FOLDER
 *
 * Keeps: ids, nonces, times and keys come from fixed seeds, and FOLDER must not exist, so that released bytes are never made anew in place of the
 * old ones. Holds an ingest pack, an archive pack, one under SM4, one without encryption, a tree of chunk lists of two levels, and an open pack
 * whose last group is torn. Leaves out on purpose: pixels (docs/formats have vectors of their own).
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ManualClock, type RecordId, SeededRandom, utf8Bytes } from '../src/base/index.ts';
import { SimDisk } from '../src/disk/index.ts';
import { encodeChunkList, encodeObjectEntry, isFactKind, type ListChild, recordKind } from '../src/format/index.ts';
import type { Content, Draft } from '../src/vault/index.ts';
import { type Golden, type GoldenObject, goldenKeys, goldenRoot } from '../tests/support/golden-disk.ts';
import { openRig, type Rig, rigArchive, rigGroup } from '../tests/support/vault-rig.ts';

const bucket = 'golden';
const hint = { kind: 'bytes', effort: 'fast' } as const;
const target = process.argv[2];
if (target === undefined || existsSync(target)) {
  console.error('make-golden: give a folder that does not exist yet');
  process.exit(2);
}

const disk = new SimDisk({ random: new SeededRandom(1) });
const clock = new ManualClock(Date.UTC(2026, 0, 1));
const random = new SeededRandom(2026);
const objects: GoldenObject[] = [];
const packs: Golden['packs'][number][] = [];
let ids = 0;

function entryOf(key: string, content: Content): { kind: number; group: typeof rigGroup; plain: Uint8Array } {
  ids += 1;
  const plain = encodeObjectEntry({
    type: 'object',
    id: ids.toString(16).padStart(32, '0'),
    bucket,
    key: utf8Bytes(key),
    sizeBytes: content.sizeBytes,
    digest: content.digest,
    ref: content.ref,
    first: content.first,
    createdMs: clock.nowMs(),
    state: 'live',
    mode: 0o640,
    mtimeMs: clock.nowMs() - 1000,
    contentType: 'application/octet-stream',
    meta: { made: 'once' },
  });
  return { kind: recordKind.entry, group: rigGroup, plain };
}

function note(key: string, bytes: Uint8Array, text?: string): void {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  objects.push({ key, sizeBytes: bytes.byteLength, sha256, ...(text === undefined ? {} : { text }) });
}

async function store(rig: Rig, key: string, parts: readonly Uint8Array[]): Promise<void> {
  clock.advance(1000);
  const writer = rig.vault.contentWriter('ingest', rigGroup, { hintAt: () => hint });
  for (const [number, part] of parts.entries()) {
    if (number > 0) await writer.cut();
    await writer.write(part);
  }
  await writer.finish((content) => [entryOf(key, content)]);
}

async function storeText(rig: Rig, key: string, text: string): Promise<void> {
  await store(rig, key, [utf8Bytes(text)]);
  note(key, utf8Bytes(text), text);
}

async function storeNoise(rig: Rig, key: string, sizes: readonly number[]): Promise<void> {
  const parts = sizes.map((size) => random.bytes(size));
  await store(rig, key, parts);
  note(key, Buffer.concat(parts));
}

/** Content under a list of lists, which by the usual way takes more than 8,192 chunks. */
async function storeTree(rig: Rig, key: string): Promise<void> {
  const chunks = [500, 1, 700, 300].map((size) => random.bytes(size));
  const whole = Buffer.concat(chunks);
  const digest = createHash('sha256').update(whole).digest();
  await rig.vault.stream('ingest').append(whole.byteLength, (nextId) => {
    const made: Draft[] = chunks.map((plain) => ({
      id: nextId(),
      kind: recordKind.chunk,
      group: rigGroup,
      plain,
      hint,
    }));
    const listOver = (level: number, children: ListChild[], topmost?: Uint8Array): Draft => {
      const sizeBytes = children.reduce((sum, child) => sum + child.sizeBytes, 0);
      const plain = encodeChunkList({ level, sizeBytes, digest: topmost, children });
      return { id: nextId(), kind: recordKind.chunkList, group: rigGroup, plain: new Uint8Array(plain), hint };
    };
    const childOf = (draft: { id: RecordId; plain: Uint8Array }): ListChild => ({
      id: draft.id,
      sizeBytes: draft.plain.byteLength,
    });
    const [a, b, c, d] = made.map(childOf) as [ListChild, ListChild, ListChild, ListChild];
    const left = listOver(1, [a, b]);
    const right = listOver(1, [c, d]);
    const top = listOver(
      2,
      [
        { id: left.id, sizeBytes: 501 },
        { id: right.id, sizeBytes: 1000 },
      ],
      digest,
    );
    const content: Content = { ref: top.id, first: a.id, sizeBytes: whole.byteLength, digest };
    return [...made, left, right, top, { id: nextId(), ...entryOf(key, content), hint }];
  });
  note(key, whole);
}

const open = (seed: number, cipher: number): Promise<Rig> =>
  openRig({ disks: [disk], random: new SeededRandom(seed), clock, cipher, keys: goldenKeys });

async function closeSealed(rig: Rig): Promise<void> {
  await rig.vault.sealOpen('all');
  for (const each of await rig.vault.register.packsAfter(undefined, 100))
    packs.push({ pack: each.pack, class: each.class, records: each.recordCount });
  await rig.vault.close();
}

const aes = await open(101, 1);
await storeText(aes, 'text.txt', 'An inscription is read for as long as the stone stands.\n');
await storeText(aes, 'names/王小明 石碑.txt', '碑\n');
await storeText(aes, 'empty', '');
await storeNoise(aes, 'chunks.bin', [4000, 1, 60_000]);
await storeTree(aes, 'tree.bin');
await aes.vault.sealOpen('all');
const [ingest] = await aes.vault.register.packsAfter(undefined, 1);
if (ingest === undefined) throw new Error('the ingest pack was sealed');
const records = [];
for await (const row of aes.vault.care.rowsOf(ingest.pack)) records.push(await aes.vault.read(row.id));
await aes.vault.copyRecords(
  'archive',
  records.filter((record) => !isFactKind(record.head.kind)),
);
await closeSealed(aes);

const sm4 = await open(102, 2);
await storeText(sm4, 'sm4.txt', 'SM4-CTR with HMAC-SM3\n');
await storeNoise(sm4, 'sm4.bin', [3000, 3000]);
await closeSealed(sm4);

const clear = await open(103, 0);
await storeText(clear, 'clear.txt', 'not encrypted\n');
await storeNoise(clear, 'clear.bin', [5000]);
await closeSealed(clear);

const torn = await open(104, 1);
await storeText(torn, 'open.txt', 'in a pack whose writer died\n');
await storeNoise(torn, 'open.bin', [9000]);
const [live] = torn.vault.livePacks();
if (live === undefined) throw new Error('a pack is open');
await store(torn, 'torn.bin', [random.bytes(20_000)]);
await torn.vault.close();
disk.truncateMedia(`open/${live.pack}.pack`, live.sizeBytes + 12_345);

for (const file of disk.paths()) {
  await mkdir(path.dirname(path.join(target, 'disk', file)), { recursive: true });
  await writeFile(path.join(target, 'disk', file), disk.mediaBytes(file));
}
const keyring = {
  format: 'stele-keyring',
  version: 1,
  archive: rigArchive,
  generation: '1',
  tenants: [{ tenant: 1, cipher: 1, nodes: [{ depth: 0, path: '', key: goldenRoot.toString('base64') }] }],
};
await writeFile(path.join(target, 'disk', 'keyring.json'), `${JSON.stringify(keyring)}\n`);
const golden: Golden = { bucket, objects, absent: ['torn.bin'], packs };
await writeFile(path.join(target, 'expected.json'), `${JSON.stringify(golden, undefined, 2)}\n`);
console.log(`${objects.length} objects, ${packs.length} sealed packs`);
