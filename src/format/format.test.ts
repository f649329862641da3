// Bytes and values: what is encoded decodes to the same, what is damaged is found, and nothing but an ArchiveError comes of noise.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ArchiveError,
  archiveId,
  bytesEqual,
  hexOf,
  packId,
  type RecordId,
  sha256,
  tenantId,
  type WriterId,
  writerId,
} from '../base/index.ts';
import { decodeChunkList, encodeChunkList, listLevelMax } from './chunk-list.ts';
import { decodeCommit, encodeCommit, groupPaddingBytes } from './commit.ts';
import { associatedData, associatedDataOf, decodeHead, encodeHead, type HeadFields, leafOf } from './head.ts';
import { decodeHeader, encodeHeader } from './header.ts';
import { compareRecordIds, decodeIndexRow, encodeIndexRow, findIndexRow, type IndexRow } from './index-rows.ts';
import { decodeLocator, encodeLocator, type Locator } from './locator.ts';
import {
  blockSizeBytes,
  bodySizeBytesMax,
  chunkSizeBytesMax,
  commitSizeBytes,
  headSizeBytes,
  indexRecordsMax,
  indexRowBytes,
  indexRowsMax,
  packAlignBytes,
  packClassNames,
} from './numbers.ts';

/** As decoders make them: plain objects. */
const record = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const hex128 = bytesOf(16).map(hexOf);
const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const recordId: fc.Arbitrary<RecordId> = record({ writer: hex128.map(writerId), sequence: u64 });
const group = record({ tenant: u32.map(tenantId), year: u16, group: u64 });
const className = fc.constantFrom(...packClassNames);

const headFields: fc.Arbitrary<HeadFields> = record({
  kind: u16,
  codec: u16,
  codecVersion: u16,
  cipher: u16,
  group,
  id: recordId,
  hybrid: u64,
  plainSizeBytes: fc.integer({ min: 0, max: chunkSizeBytesMax }),
  bodySizeBytes: fc.integer({ min: 0, max: bodySizeBytesMax }),
  nonce: fc.uint8Array({ maxLength: 32 }),
});

/** Only what a decoder may throw at bytes from a medium. */
function throwsOnlyArchiveErrors(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof ArchiveError, `${String(error)} is no ArchiveError`);
  }
}

function flippedBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
}

test('a head decodes to what was encoded, at any offset, and authenticates the same data', () => {
  fc.assert(
    fc.property(headFields, bytesOf(32), fc.integer({ min: 0, max: 50 }), (fields, digest, offset) => {
      const bytes = encodeHead(fields, digest);
      const padded = new Uint8Array(offset + bytes.byteLength + 7);
      padded.set(bytes, offset);
      const head = decodeHead(padded, offset);
      assert.ok(head !== undefined && head !== 'short');
      const { bodyDigest, bytes: own, understood, nonce, ...rest } = head;
      assert.deepEqual({ ...rest, nonce: Buffer.from(nonce) }, { ...fields, nonce: Buffer.from(fields.nonce) });
      assert.ok(bytesEqual(bodyDigest, digest) && bytesEqual(own, bytes) && understood);
      assert.ok(bytesEqual(associatedDataOf(head), associatedData(fields)));
      assert.ok(bytesEqual(leafOf(own), leafOf(bytes)));
    }),
  );
});

test('a head with any bit flipped is none, or asks for more bytes', () => {
  const fields = fc.sample(headFields, { numRuns: 1, seed: 5 })[0] as HeadFields;
  const bytes = encodeHead(fields, sha256(new Uint8Array(1)));
  for (let bit = 0; bit < bytes.byteLength * 8; bit += 1) {
    const head = decodeHead(flippedBit(bytes, bit));
    assert.ok(head === undefined || head === 'short', `bit ${bit}`);
  }
});

test('a head cut short says so or is none', () => {
  const fields = { ...(fc.sample(headFields, { numRuns: 1, seed: 6 })[0] as HeadFields), nonce: new Uint8Array(12) };
  const bytes = encodeHead(fields, sha256(new Uint8Array(1)));
  for (let length = 0; length < bytes.byteLength; length += 1) {
    assert.equal(decodeHead(bytes.subarray(0, length)), 'short');
  }
});

test('a pack header decodes to what was encoded, and any flipped bit is an ArchiveError', () => {
  fc.assert(
    fc.property(className, hex128, hex128, hex128, u64, (name, pack, writer, archive, created) => {
      const header = {
        class: name,
        pack: packId(pack),
        writer: writerId(writer),
        archive: archiveId(archive),
        created,
      };
      assert.deepEqual(decodeHeader(encodeHeader(header)), header);
    }),
    { numRuns: 30 },
  );
  const ids = { pack: packId('ab'.repeat(16)), writer: writerId('cd'.repeat(16)), archive: archiveId('ef'.repeat(16)) };
  const bytes = encodeHeader({ class: 'ingest', ...ids, created: 77n });
  for (let bit = 0; bit < bytes.byteLength * 8; bit += 1) {
    assert.throws(() => decodeHeader(flippedBit(bytes, bit)), ArchiveError, `bit ${bit}`);
  }
});

test('a commit record decodes to what was encoded, and any flipped bit makes it none', () => {
  const commit = {
    writer: 'ab'.repeat(16) as WriterId,
    hybrid: 5n,
    number: 3,
    recordCount: 9,
    inFooter: false,
    groupOffset: 8192,
    previousCommitOffset: 8000,
    recordCountSoFar: 40,
    leavesDigest: sha256(new Uint8Array(3)),
  };
  for (const each of [commit, { ...commit, inFooter: true, previousCommitOffset: undefined }]) {
    const bytes = encodeCommit(each);
    const found = decodeCommit(bytes);
    assert.ok(found !== undefined);
    assert.deepEqual(
      { ...found, leavesDigest: hexOf(found.leavesDigest) },
      { ...each, leavesDigest: hexOf(each.leavesDigest) },
    );
    for (let bit = 0; bit < bytes.byteLength * 8; bit += 1)
      assert.equal(decodeCommit(flippedBit(bytes, bit)), undefined);
  }
});

test('a group of any length is padded so that its commit record ends a block', () => {
  fc.assert(
    fc.property(fc.integer({ min: 16, max: 1 << 24 }), (units) => {
      const padding = groupPaddingBytes(units);
      assert.equal((units + padding + commitSizeBytes) % blockSizeBytes, 0);
      assert.ok(padding < blockSizeBytes);
    }),
  );
});

const row: fc.Arbitrary<IndexRow> = record({
  id: recordId,
  offset: fc.integer({ min: 0, max: 0xfff_ffff }).map((units) => units * 16),
  sizeBytes: u32,
  kind: u16,
  group,
  hybrid: u64,
  plainSizeBytes: u32,
  codec: u16,
  cipher: u16,
  leaf: bytesOf(32),
});

test('index rows decode to what was encoded, and a record is found among sorted ones', () => {
  fc.assert(
    fc.property(fc.uniqueArray(row, { maxLength: 40, selector: ({ id }) => `${id.writer}.${id.sequence}` }), (rows) => {
      rows.sort((a, b) => compareRecordIds(a.id, b.id));
      const bytes = new Uint8Array(rows.length * indexRowBytes);
      rows.forEach((each, index) => {
        encodeIndexRow(each, bytes, index * indexRowBytes);
      });
      rows.forEach((each, index) => {
        const decoded = decodeIndexRow(bytes, index);
        assert.deepEqual({ ...decoded, leaf: hexOf(decoded.leaf) }, { ...each, leaf: hexOf(each.leaf) });
        assert.equal(findIndexRow(bytes, each.id)?.offset, each.offset);
      });
      assert.equal(findIndexRow(bytes, { writer: 'f'.repeat(32) as WriterId, sequence: 0n }), undefined);
    }),
  );
});

const locator: fc.Arbitrary<Locator> = record({
  class: className,
  pack: hex128.map(packId),
  footerOffset: fc.constant(8192),
  footerSizeBytes: fc.integer({ min: 0, max: 100 }).map((blocks) => blocks * blockSizeBytes),
  recordCount: fc.nat(),
  factCount: fc.nat(),
  packSizeBytes: fc.integer({ min: 1, max: 4095 }).map((units) => units * packAlignBytes),
  sealed: u64,
  hybridLeast: u64,
  hybridGreatest: u64,
  footerDigest: bytesOf(32),
  root: bytesOf(32),
  index: fc.array(
    record({
      first: recordId,
      offset: fc.nat(),
      sizeBytes: fc.nat(),
      rowCount: fc.integer({ min: 0, max: indexRowsMax }),
    }),
    { maxLength: indexRecordsMax },
  ),
});

test('a locator decodes to what was encoded', () => {
  fc.assert(
    fc.property(locator, (each) => {
      const found = decodeLocator(encodeLocator(each));
      assert.ok(found !== undefined);
      const plain = (value: Locator): unknown => ({
        ...value,
        footerDigest: hexOf(value.footerDigest),
        root: hexOf(value.root),
      });
      assert.deepEqual(plain(found), plain(each));
    }),
  );
});

test('a locator with any bit flipped is none or an ArchiveError', () => {
  const bytes = encodeLocator(fc.sample(locator, { numRuns: 1, seed: 3 })[0] as Locator);
  for (let bit = 0; bit < bytes.byteLength * 8; bit += 1) {
    let found: Locator | undefined;
    throwsOnlyArchiveErrors(() => {
      found = decodeLocator(flippedBit(bytes, bit));
    });
    assert.equal(found, undefined, `bit ${bit}`);
  }
});

test('a chunk list decodes to what was encoded', () => {
  const child = record({ id: recordId, sizeBytes: fc.integer({ min: 1, max: 2 ** 40 }) });
  const children = fc.array(child, { minLength: 1, maxLength: 50 });
  const digest = fc.option(
    bytesOf(32).filter((bytes) => bytes.some((byte) => byte !== 0)),
    { nil: undefined },
  );
  fc.assert(
    fc.property(children, fc.integer({ min: 1, max: listLevelMax }), digest, (each, level, topmost) => {
      const sizeBytes = each.reduce((sum, one) => sum + one.sizeBytes, 0);
      const list = decodeChunkList(encodeChunkList({ level, sizeBytes, digest: topmost, children: each }));
      assert.deepEqual(list.children, each);
      assert.deepEqual([list.level, list.sizeBytes], [level, sizeBytes]);
      assert.equal(list.digest && hexOf(list.digest), topmost && hexOf(topmost));
    }),
  );
});

test('decoders answer noise with nothing or an ArchiveError', () => {
  const decoders: ((bytes: Uint8Array) => unknown)[] = [
    (bytes) => decodeHead(bytes),
    decodeHeader,
    decodeLocator,
    decodeCommit,
    decodeChunkList,
  ];
  const blocks = [headSizeBytes, commitSizeBytes, blockSizeBytes];
  const starts = [
    encodeHead(fc.sample(headFields, { numRuns: 1, seed: 8 })[0] as HeadFields, sha256(new Uint8Array(0))),
    encodeLocator(fc.sample(locator, { numRuns: 1, seed: 9 })[0] as Locator),
    new Uint8Array(0),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...starts),
      fc.integer({ min: 0, max: 40 }),
      fc.uint8Array({ maxLength: blockSizeBytes }),
      fc.constantFrom(...blocks, 0),
      (start, keep, noise, length) => {
        const whole = Buffer.concat([start.subarray(0, keep), noise]);
        const bytes = new Uint8Array(length === 0 ? whole.byteLength : length);
        bytes.set(whole.subarray(0, bytes.byteLength));
        for (const decode of decoders) throwsOnlyArchiveErrors(() => decode(bytes));
      },
    ),
    { numRuns: 500 },
  );
});
