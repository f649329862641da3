// Entries, events and site rows: round trips, unknown fields and types, and noise that is never more than an ArchiveError.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArchiveError, hexOf, utf8Bytes, type WriterId } from '../base/index.ts';
import {
  decodeFact,
  encodeEvent,
  encodeObjectEntry,
  encodeSiteRow,
  type FactEvent,
  type ObjectEntry,
} from './facts.ts';

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const recordId = fc.record({
  writer: bytesOf(16).map((bytes) => hexOf(bytes) as WriterId),
  sequence: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
});
const safe = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });

/** Bytes as hex, so that buffers of any kind compare. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hexOf(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

test('an object entry decodes to what was encoded, whatever its key is made of', () => {
  const entry: fc.Arbitrary<ObjectEntry> = fc.record({
    type: fc.constant('object' as const),
    id: bytesOf(16).map(hexOf),
    bucket: fc.string(),
    key: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.string({ unit: 'grapheme' }).map((text) => utf8Bytes(text)),
    ),
    sizeBytes: safe,
    digest: bytesOf(32),
    ref: maybe(recordId),
    first: maybe(recordId),
    createdMs: safe,
    state: fc.constantFrom('live' as const, 'marker' as const, 'deleted' as const),
    mode: maybe(fc.nat()),
    mtimeMs: maybe(safe),
    contentType: maybe(fc.string()),
    meta: maybe(
      fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        fc.string(),
        { noNullPrototype: true },
      ),
    ),
  });
  fc.assert(
    fc.property(entry, (each) => {
      assert.deepEqual(plain(decodeFact(encodeObjectEntry(each))), plain(each));
    }),
  );
});

test('a key that begins with a byte order mark keeps it', () => {
  const key = Uint8Array.of(0xef, 0xbb, 0xbf, 0x61);
  const entry = { ...objectEntry, key };
  const found = decodeFact(encodeObjectEntry(entry));
  assert.ok(found.type === 'object');
  assert.equal(hexOf(found.key), hexOf(key));
});

const objectEntry: ObjectEntry = {
  type: 'object',
  id: '00'.repeat(16),
  bucket: 'b',
  key: utf8Bytes('k'),
  sizeBytes: 0,
  digest: new Uint8Array(32),
  ref: undefined,
  first: undefined,
  createdMs: 0,
  state: 'live',
  mode: undefined,
  mtimeMs: undefined,
  contentType: undefined,
  meta: undefined,
};

test('every event decodes to what was encoded', () => {
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const pack = bytesOf(16).map(hexOf);
  const event: fc.Arbitrary<FactEvent> = fc.oneof(
    fc.record({
      type: fc.constant('reencoded' as const),
      pairs: fc.array(fc.record({ from: recordId, to: recordId, digest: bytesOf(32) }), { maxLength: 5 }),
    }),
    fc.record({
      type: fc.constant('shredded' as const),
      year: fc.nat({ max: 65535 }),
      group: u64,
      generation: u64,
    }),
    fc.record({ type: fc.constant('exported' as const), number: safe, generation: u64, createdMs: safe }),
    fc.record({ type: fc.constant('imported' as const), number: safe, generation: u64 }),
    fc.record({ type: fc.constant('released' as const), pack, into: fc.array(pack, { maxLength: 4 }) }),
  );
  fc.assert(
    fc.property(event, (each) => {
      assert.deepEqual(plain(decodeFact(encodeEvent(each))), plain(each));
    }),
  );
});

test('a site row decodes to what was encoded, also when it was removed', () => {
  for (const row of [{ name: 'x', count: 3 }, null]) {
    assert.deepEqual(decodeFact(encodeSiteRow({ type: 'site', table: 't', key: 'k', row })), {
      type: 'site',
      table: 't',
      key: 'k',
      row,
    });
  }
});

test('a type of a later version is passed over, a version of a later form is refused for that record', () => {
  assert.deepEqual(decodeFact(utf8Bytes('{"v":1,"type":"sealed"}')), { type: 'unknown', name: 'sealed' });
  assert.throws(() => decodeFact(utf8Bytes('{"v":2,"type":"object"}')), { code: 'PACK_NEWER' });
});

test('anything else is an ArchiveError that repeats none of it', () => {
  const secret = 'SECRET';
  const texts = fc.oneof(
    fc.json().map((json) => utf8Bytes(json)),
    fc.uint8Array({ maxLength: 100 }),
    fc
      .tuple(
        fc.constantFrom('object', 'reencoded', 'shredded', 'exported', 'imported', 'released', 'site'),
        fc.dictionary(
          fc.constantFrom(
            'id',
            'key',
            'key64',
            'bucket',
            'size',
            'sha256',
            'ref',
            'first',
            'created',
            'state',
            'pairs',
            'year',
            'group',
            'generation',
            'number',
            'pack',
            'into',
            'table',
            'row',
            'mtime',
            'meta',
          ),
          fc.oneof(fc.constant(secret), fc.constant('1'), fc.jsonValue()),
        ),
      )
      .map(([type, fields]) => utf8Bytes(JSON.stringify({ ...fields, v: 1, type }))),
  );
  fc.assert(
    fc.property(texts, (bytes) => {
      try {
        decodeFact(bytes);
      } catch (error) {
        assert.ok(error instanceof ArchiveError, `${String(error)} is no ArchiveError`);
        assert.ok(!error.message.includes(secret));
      }
    }),
    { numRuns: 3000 },
  );
});
