import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFault, SeededRandom, tenantId, writerId } from '../base/index.ts';
import {
  cipherKeys,
  type MakeJob,
  makeRecord,
  makeRecordInto,
  SharedMemory,
  sharedBytes,
  spanBytesMax,
} from '../codec/index.ts';
import { blockSizeBytes, commitSizeBytes, decodeHead } from '../format/index.ts';
import { GroupImage, type Reservation } from './group-image.ts';
import { type MadeRecord, madeRecord, spanOf } from './record.ts';

const random = new SeededRandom(4);
const sizes = { slots: 0, regions: 1, regionBytes: 64 * 1024 };
const commit = new Uint8Array(commitSizeBytes).fill(0xcc);

function newImage(groupBytesMax = 32 * 1024): { image: GroupImage; memory: SharedMemory } {
  const memory = new SharedMemory(new SharedArrayBuffer(sharedBytes(sizes)), sizes);
  const image = GroupImage.take(memory, groupBytesMax);
  assert.ok(image !== undefined);
  return { image, memory };
}

const stays = (): boolean => false;

let sequence = 0n;
function jobOf(plain: Uint8Array): MakeJob {
  sequence += 1n;
  return {
    fields: {
      kind: 1,
      group: { tenant: tenantId(1), year: 2026, group: 3n },
      id: { writer: writerId('0f'.repeat(16)), sequence },
      hybrid: 99n,
    },
    plain,
    hint: { kind: 'bytes', effort: 'fast' },
    keys: cipherKeys(new Uint8Array(32).fill(1), 1),
    nonce: random.bytes(12),
  };
}

function outside(plain: Uint8Array): MadeRecord {
  const { fields, head, body } = makeRecord(jobOf(plain));
  return madeRecord(fields, head, body);
}

function placed(image: GroupImage, memory: SharedMemory, plain: Uint8Array): MadeRecord {
  const job = jobOf(plain);
  const reserved = image.reserve(spanBytesMax(plain.byteLength, job.keys, job.nonce), stays);
  assert.ok(reserved !== undefined);
  const { fields, head, body } = makeRecordInto(job, memory.at(reserved.place));
  image.finish(reserved.reservation);
  return madeRecord(fields, head, body);
}

/** Sequences of the records in these bytes, one behind the other, and where they end. */
function sequencesIn(bytes: Uint8Array): { sequences: bigint[]; end: number } {
  const sequences: bigint[] = [];
  let end = 0;
  for (;;) {
    const head = decodeHead(bytes, end);
    if (head === undefined || head === 'short') return { sequences, end };
    sequences.push(head.id.sequence);
    end += spanOf({ head: head.bytes, body: new Uint8Array(head.bodySizeBytes) });
  }
}

test('records made in place, records that shrank and records from elsewhere become one run that ends in the commit record', () => {
  const { image, memory } = newImage();
  const small = outside(random.bytes(100));
  const packed = placed(image, memory, new Uint8Array(5000));
  const noise = placed(image, memory, random.bytes(5000));
  const ordered = image.compose([small, packed, noise]);
  assert.deepEqual(
    ordered?.map((record) => record.id.sequence),
    [packed, noise, small].map((record) => record.id.sequence),
  );
  const bytes = image.bytes(commit, undefined);
  const { sequences, end } = sequencesIn(bytes);
  assert.deepEqual(
    sequences,
    ordered?.map((record) => record.id.sequence),
  );
  assert.equal(bytes.byteLength % blockSizeBytes, 0);
  assert.deepEqual([...bytes.subarray(-commitSizeBytes)], [...commit]);
  assert.ok(
    bytes.subarray(end, -commitSizeBytes).every((value) => value === 0),
    'nothing of what lay there before',
  );
  const withHeader = image.bytes(commit, new Uint8Array(blockSizeBytes).fill(0x11));
  assert.ok(withHeader.subarray(0, blockSizeBytes).every((value) => value === 0x11));
  assert.deepEqual(Buffer.from(withHeader.subarray(blockSizeBytes)), Buffer.from(bytes));
});

test('a record that is left for later keeps its bytes when the others move over them', () => {
  const { image, memory } = newImage();
  const packed = placed(image, memory, new Uint8Array(5000));
  const later = placed(image, memory, random.bytes(300));
  const noise = placed(image, memory, random.bytes(9000));
  const body = Buffer.from(later.body);
  assert.ok(image.holds(later));
  const kept = image.takeOut(later);
  assert.ok(!image.holds(kept));
  image.compose([packed, noise]);
  assert.deepEqual(Buffer.from(kept.body), body);
});

test('there are no more places than a group may have bytes, and what does not fit is not put together', () => {
  const { image } = newImage(16 * 1024);
  const reserved = image.reserve(16 * 1024, stays);
  assert.ok(reserved !== undefined);
  assert.equal(image.reserve(16, stays), undefined);
  image.finish(reserved.reservation);
  const many = Array.from({ length: 70 }, () => outside(random.bytes(1000)));
  assert.equal(image.compose(many), undefined);
});

test('a region is put together and given back only when nobody writes into it', async () => {
  const { image, memory } = newImage();
  const reserved = [1000, 1000].map((spanBytes) => image.reserve(spanBytes, stays));
  assert.throws(() => image.giveBack(), AssertionFault);
  assert.throws(() => image.compose([]), AssertionFault);
  const finished = image.finished();
  for (const each of reserved) image.finish(each?.reservation as Reservation);
  await finished;
  image.giveBack();
  assert.ok(GroupImage.take(memory, 1000) !== undefined);
});

test('a record that nobody has begun with goes on to the next image while there is room in it', () => {
  const memory = new SharedMemory(new SharedArrayBuffer(sharedBytes({ ...sizes, regions: 2 })), {
    ...sizes,
    regions: 2,
  });
  const first = GroupImage.take(memory, 8192) as GroupImage;
  const second = GroupImage.take(memory, 8192) as GroupImage;
  const movedTo: (number | undefined)[] = [undefined, undefined, undefined, undefined];
  const reserved = [5000, 100, 3000, 92].map((spanBytes, index) =>
    first.reserve(spanBytes, (to) => {
      if (index === 1) return false;
      movedTo[index] = to.offset;
      return true;
    }),
  );
  second.reserve(4000, stays);
  first.handOn(() => second);
  const base = second.reserve(100, stays)?.place.offset as number;
  assert.deepEqual(movedTo, [undefined, undefined, base - 3092, base - 92]);
  for (const each of reserved) each?.reservation.image.finish(each.reservation);
  first.giveBack();
  assert.throws(() => second.giveBack(), AssertionFault);
});
