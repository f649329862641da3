/*
 * Whole studies on their way out of the archive: every instance byte for byte and in its order, many at once, before and after settling.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import type { SentInstance } from '../src/archive/index.ts';
import { defaultTenant } from '../src/base/index.ts';
import { DataSetReader, tags, transferSyntaxOf } from '../src/dicom/index.ts';
import { explicitLittleEndian, implicitLittleEndian, makeInstance } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const stele = new Stele();
after(() => stele.remove());
const study = '1.2.826.0.1.3680043.99.31';

async function open(): Promise<Running> {
  return start({
    settings: settingsOf([{ workers: 1, settleSeconds: 0 }], stele.folder),
    create: true,
    say: () => undefined,
  });
}

/** Small ones, one of several chunks, one longer than any stretch, and one without pixels. */
const sides = [16, 16, 128, 16, 512, 900, 16, 128, 300, 16];
const dataSets = sides.map((side, index) =>
  makeInstance({ study, number: index + 1, rows: side, columns: side, ...(index === 3 ? { pixels: null } : {}) }),
);

async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function instancesOf(running: Running): Promise<SentInstance[]> {
  const conditions = [{ field: 'studyUid' as const, match: { kind: 'equals' as const, values: [study] } }];
  const found: SentInstance[] = [];
  for await (const each of running.archive.studies.instances({ tenant: defaultTenant, conditions })) found.push(each);
  return found;
}

/** By instance UID the bytes, and the number of batches that they came in. */
async function takeAll(
  running: Running,
  takes: readonly string[],
): Promise<{ readonly given: Map<string, Buffer | undefined>; readonly batches: number }> {
  const given = new Map<string, Buffer | undefined>();
  let batches = 0;
  for await (const batch of running.archive.instances.outgoing(await instancesOf(running), () => takes)) {
    batches += 1;
    for (const { instance, output } of batch) {
      const pieces: Uint8Array[] = [];
      if (output !== undefined) for await (const piece of output.pieces) pieces.push(piece.slice());
      given.set(instance.instanceUid, output === undefined ? undefined : Buffer.concat(pieces));
    }
  }
  return { given, batches };
}

const asStored = new Map(dataSets.map((bytes, index) => [`${study}.1.${index + 1}`, Buffer.from(bytes)]));

test('a study leaves whole and in few batches, before and after it has settled', async () => {
  const running = await open();
  for (const bytes of dataSets)
    await running.archive.instances.store({ tenant: defaultTenant, syntax: explicitLittleEndian }, inOnePiece(bytes));
  const fresh = await takeAll(running, [explicitLittleEndian]);
  assert.deepEqual(fresh.given, asStored);
  assert.ok(fresh.batches < dataSets.length, `${fresh.batches} batches`);
  const signal = new AbortController().signal;
  for await (const report of running.archive.settle(async () => undefined, { all: true, signal })) assert.ok(report);
  const settled = await takeAll(running, [explicitLittleEndian]);
  assert.deepEqual(settled.given, asStored);
  // Where its records lie is known once one of them was read.
  assert.ok((await takeAll(running, [explicitLittleEndian])).batches < dataSets.length);
  await running.close();
});

test('what leaves in another syntax comes in the same order, with the same pixels', async () => {
  const running = await open();
  const { given } = await takeAll(running, [implicitLittleEndian]);
  assert.deepEqual([...given.keys()], [...asStored.keys()]);
  for (const [uid, bytes] of given) {
    const reader = new DataSetReader({
      syntax: transferSyntaxOf(implicitLittleEndian),
      bulkBytesMin: Number.POSITIVE_INFINITY,
    });
    reader.push(bytes ?? Buffer.alloc(0));
    const made = reader.finish();
    assert.equal(made.string(tags.SOPInstanceUID), uid);
    const stored = new DataSetReader({
      syntax: transferSyntaxOf(explicitLittleEndian),
      bulkBytesMin: Number.POSITIVE_INFINITY,
    });
    stored.push(asStored.get(uid) as Buffer);
    assert.deepEqual(made.bytes(tags.PixelData), stored.finish().bytes(tags.PixelData));
  }
  await running.close();
});

test('who stops in the middle leaves nothing open, and may ask again', async () => {
  const running = await open();
  for (let round = 0; round < 20; round += 1) {
    for await (const batch of running.archive.instances.outgoing(await instancesOf(running), () => [
      explicitLittleEndian,
    ])) {
      assert.ok(batch.length > 0);
      break;
    }
  }
  assert.deepEqual((await takeAll(running, [explicitLittleEndian])).given, asStored);
  await running.close();
});
