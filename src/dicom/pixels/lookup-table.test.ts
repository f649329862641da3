// Lookup tables from data sets: words, bytes, segments, and what is wrong with some.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isArchiveError } from '../../base/index.ts';
import { type LookupTableValues, lookupTableOf } from './lookup-table.ts';

function check(values: LookupTableValues, entries: readonly number[], first = values.descriptor[1]): void {
  const table = lookupTableOf(values);
  assert.deepEqual([...table.entries], entries);
  assert.equal(table.first, first);
}

const words = (...values: number[]): Uint8Array => new Uint8Array(Uint16Array.from(values).buffer);

test('entries are words, or bytes where there is no room for words', () => {
  check({ descriptor: [3, 10, 16], data: words(1, 500, 65_535) }, [1, 500, 65_535]);
  check({ descriptor: [3, 0, 8], data: Uint8Array.of(1, 2, 3, 0) }, [1, 2, 3]);
  check({ descriptor: [2, 0, 16], data: Uint8Array.of(1, 2, 3, 4), bigEndian: true }, [0x0102, 0x0304]);
  assert.equal(lookupTableOf({ descriptor: [0, 0, 16], data: new Uint8Array(131_072) }).entries.length, 65_536);
});

test('the first value has the sign of the values that are looked up', () => {
  check({ descriptor: [1, 65_000, 16], data: words(7), signed: true }, [7], 65_000 - 65_536);
  check({ descriptor: [1, 65_000, 16], data: words(7) }, [7], 65_000);
});

test('segments are drawn out', () => {
  // Two entries as they are, three more up to 30, then the first two segments again.
  const data = words(0, 2, 5, 6, 1, 3, 30, 2, 2, 0, 0);
  check({ descriptor: [10, 0, 16], data, isSegmented: true }, [5, 6, 14, 22, 30, 5, 6, 14, 22, 30]);
  const narrow = Uint8Array.of(0, 1, 10, 1, 2, 20, 2, 2, 0, 0, 0, 0);
  check({ descriptor: [6, 0, 8], data: narrow, isSegmented: true }, [10, 15, 20, 10, 15, 20]);
});

test('tables that say other than they have are refused', () => {
  const isMalformed = (error: unknown): boolean => isArchiveError(error, 'DICOM_MALFORMED');
  const wrong: LookupTableValues[] = [
    { descriptor: [4, 0, 16], data: Uint8Array.of(1, 2, 3) },
    { descriptor: [4, 0, 0], data: words(1, 2, 3, 4) },
    { descriptor: [4, 0, 40], data: words(1, 2, 3, 4) },
    { descriptor: [4, 0, 16], data: words(1, 2, 9), isSegmented: true },
    { descriptor: [4, 0, 16], data: words(0, 9, 1, 2), isSegmented: true },
    { descriptor: [4, 0, 16], data: words(0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9), isSegmented: true },
    { descriptor: [4, 0, 16], data: words(0, 1, 1, 2, 9, 3, 0), isSegmented: true },
    { descriptor: [4, 0, 16], data: words(7, 1, 1), isSegmented: true },
    { descriptor: [70_000, 0, 16], data: words(1) },
  ];
  for (const values of wrong) assert.throws(() => lookupTableOf(values), isMalformed);
});

test('any segments end in a table of the length that was said, or in an error of ours', () => {
  const data = fc.uint8Array({ maxLength: 60 }).map((bytes) => bytes.map((byte) => (byte < 200 ? byte % 4 : byte)));
  fc.assert(
    fc.property(data, fc.constantFrom(8, 16), fc.integer({ min: 0, max: 300 }), (bytes, bits, count) => {
      try {
        const { entries } = lookupTableOf({ descriptor: [count, 0, bits], data: bytes, isSegmented: true });
        assert.equal(entries.length, count === 0 ? 65_536 : count);
      } catch (error) {
        assert.ok(isArchiveError(error, 'DICOM_MALFORMED'));
      }
    }),
  );
});
