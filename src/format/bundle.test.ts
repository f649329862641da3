// Bundles: members come back as their own entries would say them, in few bytes, and noise is never more than an ArchiveError.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { ArchiveError, hexOf, type RecordId, sha256, utf8Bytes, type WriterId } from '../base/index.ts';
import { type Bundle, type BundledEntry, type BundleMember, decodeBundle, encodeBundle } from './bundle.ts';
import { decodeFact, encodeObjectEntry } from './facts.ts';

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const recordId: fc.Arbitrary<RecordId> = fc.record({
  writer: bytesOf(16).map((bytes) => hexOf(bytes) as WriterId),
  sequence: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
});
const safe = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });
const uid = fc.array(fc.nat(99), { minLength: 1, maxLength: 8 }).map((parts) => parts.join('.'));
const number = maybe(fc.oneof(fc.integer().map(String), fc.constantFrom('', ' 7', '007', 'x')));
const attributes = fc.dictionary(fc.constantFrom('PatientName', 'StudyDate', 'Modality'), fc.string(), {
  noNullPrototype: true,
});

const dicom = fc.record({
  study: fc.constant('1.2.3'),
  series: fc.constant('1.2.3.4'),
  instance: uid,
  class: uid,
  syntax: uid,
  number,
  headBytes: safe,
  frames: maybe(fc.nat()),
  shape: maybe(
    fc.record({
      rows: fc.nat(9),
      columns: fc.nat(9),
      samplesPerPixel: fc.nat(3),
      bitsAllocated: fc.nat(16),
      planar: fc.boolean(),
    }),
  ),
  rank: fc.integer({ min: -2, max: 2 }),
  source: maybe(fc.string()),
  about: fc.record({ patient: maybe(attributes), study: maybe(attributes), series: maybe(attributes) }),
  odd: maybe(fc.array(fc.string(), { minLength: 1, maxLength: 2 })),
  rejects: maybe(fc.record({ code: fc.string(), instances: fc.array(uid, { maxLength: 3 }) })),
});

const entry: fc.Arbitrary<BundledEntry> = fc
  .record({
    type: fc.constant('object' as const),
    id: bytesOf(16).map(hexOf),
    bucket: fc.constantFrom('dicom', 'other'),
    ownKey: maybe(fc.uint8Array({ minLength: 1, maxLength: 20 })),
    sizeBytes: safe,
    digest: bytesOf(32),
    ref: recordId,
    first: maybe(recordId),
    createdMs: safe,
    state: fc.constant('live' as const),
    mode: maybe(fc.nat()),
    mtimeMs: maybe(safe),
    contentType: maybe(fc.string()),
    meta: fc.constant(undefined),
    dicom,
  })
  .map(({ ownKey, ...each }) => ({
    ...each,
    key: ownKey ?? utf8Bytes(`${each.dicom.study}/${each.dicom.series}/${each.dicom.instance}`),
  }));

const member: fc.Arbitrary<BundleMember> = fc.record({
  entry,
  said: fc.record({ record: recordId, hybrid: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  from: recordId,
  textBytes: fc.nat(),
});

const content = fc.record({ ref: recordId, sizeBytes: fc.nat() });

const bundle: fc.Arbitrary<Bundle> = fc.record({
  study: fc.constant('1.2.3'),
  series: fc.constant('1.2.3.4'),
  generation: fc.integer({ min: 1, max: 1000 }),
  supersedes: fc.array(recordId, { maxLength: 3 }),
  headers: maybe(content),
  thumbnail: maybe(content),
  members: fc.array(member, { minLength: 1, maxLength: 12 }),
});

function jsonOf(plain: Uint8Array): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(plain)) as Record<string, unknown>;
}

function decode(plain: Uint8Array): Bundle {
  const fact = decodeFact(plain);
  assert.equal(fact.type, 'bundle');
  return decodeBundle(fact.json);
}

/** Without members that are undefined, and bytes as hex. */
function told(value: unknown): unknown {
  if (value instanceof Uint8Array) return hexOf(value);
  if (Array.isArray(value)) return value.map(told);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .map(([key, each]) => [key, told(each)]),
  );
}

test('the members of a bundle say what their entries say', () => {
  fc.assert(
    fc.property(bundle, (each) => {
      const plain = encodeBundle(each);
      assert.ok(plain !== undefined);
      const members = each.members.map(({ entry: said, ...more }) => {
        const alone = decodeFact(encodeObjectEntry(said)) as BundledEntry;
        const isFirst = alone.first?.writer === alone.ref.writer && alone.first.sequence === alone.ref.sequence;
        return { ...more, entry: isFirst ? { ...alone, first: undefined } : alone };
      });
      assert.deepEqual(told(decode(plain)), told({ ...each, members }));
    }),
  );
});

test('a bundle with anything in it changed is another bundle or RECORD_CORRUPT', () => {
  const noise = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.constant(null),
    fc.array(fc.integer(), { maxLength: 3 }),
    fc.object(),
  );
  fc.assert(
    fc.property(bundle, fc.nat(), noise, (each, where, value) => {
      const json = jsonOf(encodeBundle(each) as Uint8Array);
      const columns = json.columns as Record<string, Record<string, unknown>>;
      const places: [Record<string, unknown>, string][] = [
        ...Object.keys(json).map((name): [Record<string, unknown>, string] => [json, name]),
        ...Object.entries(columns).flatMap(([name, column]) => [
          [columns as Record<string, unknown>, name] as [Record<string, unknown>, string],
          ...Object.keys(column).map((part): [Record<string, unknown>, string] => [column, part]),
        ]),
      ].filter(([, name]) => name !== 'type' && name !== 'v');
      const [holder, name] = places[where % places.length] as [Record<string, unknown>, string];
      holder[name] = value;
      try {
        decodeBundle(json);
      } catch (error) {
        assert.ok(error instanceof ArchiveError, String(error));
        assert.equal(error.code, 'RECORD_CORRUPT');
      }
    }),
  );
});

function slice(index: number): BundleMember {
  const writer = '0123456789abcdef0123456789abcdef' as WriterId;
  const at = BigInt(index);
  const random = sha256(utf8Bytes(`slice ${index}`));
  return {
    entry: {
      type: 'object',
      id: `0190aabbccdd${hexOf(random).slice(0, 20)}`,
      bucket: 'dicom',
      key: utf8Bytes(`1.2.3/1.2.3.4/1.2.3.4.${index + 1}`),
      sizeBytes: 526_000 + (index % 7) * 2,
      digest: sha256(random),
      ref: { writer, sequence: 9000n + at * 3n },
      first: { writer, sequence: 8998n + at * 3n },
      createdMs: 1_700_000_000_000 + index * 13 + ((random[0] as number) % 5),
      state: 'live',
      mode: undefined,
      mtimeMs: undefined,
      contentType: 'application/dicom',
      meta: undefined,
      dicom: {
        study: '1.2.3',
        series: '1.2.3.4',
        instance: `1.2.3.4.${index + 1}`,
        class: '1.2.840.10008.5.1.4.1.1.2',
        syntax: '1.2.840.10008.1.2.1',
        number: String(index + 1),
        headBytes: 1800 + (index % 5) * 2,
        frames: undefined,
        shape: { rows: 512, columns: 512, samplesPerPixel: 1, bitsAllocated: 16, planar: false },
        rank: 0,
        source: 'CT1',
        about: index === 0 ? { patient: { PatientID: '1' }, study: { StudyDate: '20260101' }, series: {} } : {},
      },
    },
    said: {
      record: { writer, sequence: 5n + at * 4n },
      hybrid: (BigInt(1_700_000_000_000 + index * 13) << 16n) | BigInt((random[1] as number) % 3),
    },
    from: { writer, sequence: 4n + at * 4n },
    textBytes: 4000 + (index % 11),
  };
}

const big: Bundle = {
  study: '1.2.3',
  series: '1.2.3.4',
  generation: 1,
  supersedes: [],
  headers: undefined,
  thumbnail: undefined,
  members: Array.from({ length: 2000 }, (_, index) => slice(index)),
};

test('an instance of an ordinary series takes less than 60 bytes', () => {
  const plain = encodeBundle(big) as Uint8Array;
  const bytes = zstdCompressSync(plain).byteLength / big.members.length;
  assert.ok(bytes < 60, `${bytes} bytes an instance`);
});

test('what does not fit a record is not made', () => {
  const long = 'x'.repeat(2000);
  const members = Array.from({ length: 1000 }, (_, index) => {
    const each = slice(index);
    return { ...each, entry: { ...each.entry, dicom: { ...each.entry.dicom, source: `${long}${index}` } } };
  });
  assert.equal(encodeBundle({ ...big, members }), undefined);
});
