// Reading what nobody meant to be read: cut short anywhere, bits flipped, noise, limits. It ends, in a data set or a DicomError, and the same in any pieces.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { DicomBytes, fileHead, forms } from '../../../tests/support/dicom-bytes.ts';
import { concatBytes, hexOf } from '../../base/index.ts';
import type { DataSet } from './data-set.ts';
import { DicomError } from './dicom-error.ts';
import { Part10Reader } from './part10-reader.ts';
import { DataSetReader } from './reader.ts';
import type { ReaderLimits } from './reader-limits.ts';
import {
  deflatedLittle,
  explicitBig,
  explicitLittle,
  implicitLittle,
  type TransferSyntax,
  transferSyntaxOf,
} from './transfer-syntax.ts';

const jpeg = transferSyntaxOf('1.2.840.10008.1.2.4.50');

/** A bit of everything: all forms of sequences, private and unknown elements, bulk, fragments, padding. */
function sample(form: (typeof forms)[keyof typeof forms]): Uint8Array {
  const code = new DicomBytes(form).element(0x0008_0100, 'SH', '121').element(0x0008_0104, 'LO', 'Befund').bytes;
  const unknown = new DicomBytes(forms.implicit).item().element(0x0028_0010, 'US', [9]).itemEnd().sequenceEnd().bytes;
  const stream = new DicomBytes(form)
    .element(0x0008_0000, 'UL', Uint8Array.of(12, 0, 0, 0))
    .element(0x0008_0005, 'CS', '\\ISO 2022 IR 58')
    .element(0x0008_0018, 'UI', '1.2.3\0')
    .head(0x0008_1110, 'SQ', code.length + 8)
    .item(code.length)
    .raw(code)
    .element(0x0009_0010, 'LO', 'ACME')
    .element(0x0009_1001, 'OB', Uint8Array.of(1, 2, 3))
    .head(0x0009_1002, 'UN')
    .raw(unknown)
    .element(0x0010_0010, 'PN', 'Wang^XiaoDong')
    .element(0x0018_9810, 'US', [0xffff])
    .element(0x0028_0103, 'US', [1])
    .element(0x0028_0106, 'US', [0xffff])
    .head(0x0040_0275, 'SQ')
    .item()
    .raw(code)
    .head(0x0040_0008, 'SQ')
    .item(0)
    .sequenceEnd()
    .itemEnd()
    .sequenceEnd()
    .element(0x0042_0011, 'OB', new Uint8Array(600).fill(0x31))
    .element(0x0040_a040, 'CS', 'TEXT');
  return stream.bytes;
}

function withPixels(form: (typeof forms)[keyof typeof forms]): Uint8Array {
  const header = new DicomBytes(form).element(0x0010_0020, 'LO', 'P-1').element(0x0028_0100, 'US', [16]);
  return header.element(0x7fe0_0010, 'OW', new Uint8Array(50)).element(0xfffc_fffc, 'OB', new Uint8Array(8)).bytes;
}

function withFragments(): Uint8Array {
  return new DicomBytes()
    .element(0x0010_0020, 'LO', 'P-1')
    .head(0x7fe0_0010, 'OB')
    .item(4)
    .u32(0)
    .item(10)
    .raw(new Uint8Array(10).fill(9))
    .item(6)
    .raw(new Uint8Array(6).fill(8))
    .sequenceEnd().bytes;
}

/** Everything that a reader tells, as a text to compare. */
function snapshot(dataSet: DataSet): unknown {
  return dataSet.elements.map((element) => {
    const head = `${element.tag.toString(16)} ${element.vr}`;
    switch (element.kind) {
      case 'bytes':
        return `${head} ${hexOf(element.bytes)}`;
      case 'items':
        return [head, element.definedLength, element.items.map((item) => [item.definedLength, snapshot(item)])];
      case 'bulk':
        return [head, element.definedLength, element.reference];
      case 'fragments': {
        const places = Array.from({ length: element.fragments.count }, (_, index) => [
          element.fragments.offsetAt(index),
          element.fragments.sizeAt(index),
        ]);
        return [head, element.reference, hexOf(element.offsetTable), places];
      }
    }
  });
}

type Told = Pick<DataSetReader, 'dataSet' | 'oddities' | 'offset' | 'state'>;

function outcome(reader: Told & { push(piece: Uint8Array): void; finish(): DataSet }, pieces: Uint8Array[]): unknown {
  let failure: unknown;
  try {
    for (const piece of pieces) {
      const own = Uint8Array.from(piece);
      reader.push(own);
      own.fill(0xee);
    }
    reader.finish();
  } catch (error) {
    assert.ok(error instanceof DicomError, `nothing else is thrown: ${error instanceof Error ? error.stack : ''}`);
    failure = [error.code, error.fault, error.offset];
  }
  return JSON.stringify([failure, reader.state, snapshot(reader.dataSet), reader.oddities]);
}

const small: Partial<ReaderLimits> = {
  depthMax: 10,
  elementsMax: 200,
  itemsMax: 50,
  fragmentsMax: 50,
  headerBytesMax: 8192,
  inflatedBytesMax: 100_000,
};

const samples: [string, TransferSyntax, Uint8Array][] = [
  ['implicit', implicitLittle, sample(forms.implicit)],
  ['explicit', explicitLittle, sample(forms.explicit)],
  ['big', explicitBig, sample(forms.big)],
  ['implicit pixels', implicitLittle, withPixels(forms.implicit)],
  ['big pixels', explicitBig, withPixels(forms.big)],
  ['fragments', jpeg, withFragments()],
  ['deflated', deflatedLittle, new Uint8Array(deflateRawSync(sample(forms.explicit)))],
];

function readAs(syntax: TransferSyntax, pieces: Uint8Array[]): unknown {
  return outcome(new DataSetReader({ syntax, limits: small, bulkBytesMin: 500 }), pieces);
}

function readFile(pieces: Uint8Array[]): unknown {
  return outcome(new Part10Reader({ limits: small, bulkBytesMin: 500 }), pieces);
}

function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((each) => each % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...places, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : places[index - 1], end));
}

for (const [name, syntax, bytes] of samples) {
  test(`pieces make no difference: ${name}`, () => {
    const whole = readAs(syntax, [bytes]);
    assert.equal(
      readAs(
        syntax,
        Array.from(bytes, (_, index) => bytes.subarray(index, index + 1)),
      ),
      whole,
    );
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 8 }), (cuts) => {
        assert.equal(readAs(syntax, cut(bytes, cuts)), whole);
      }),
      { numRuns: 200 },
    );
    const file = concatBytes([fileHead(syntax.uid), bytes]);
    const wholeFile = readFile([file]);
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 8 }), (cuts) => {
        assert.equal(readFile(cut(file, cuts)), wholeFile);
      }),
      { numRuns: 100 },
    );
  });

  test(`a stream cut short anywhere ends in an error, unless it ends between two elements: ${name}`, () => {
    let good = 0;
    for (let end = 0; end < bytes.length; end++) {
      const told = readAs(syntax, [bytes.subarray(0, end)]) as string;
      if (told.startsWith('[null')) good += 1;
      else assert.match(told, /^\[\["DICOM_MALFORMED","truncated",\d+\],"failed"/);
    }
    assert.ok(good <= 16, `${good} places where a data set may end`);
  });

  test(`flipped bits end in a data set or an error, the same in any pieces: ${name}`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(bytes.length * 8 - 1), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(), { maxLength: 4 }),
        (bits, cuts) => {
          const flipped = Uint8Array.from(bytes);
          for (const bit of bits) flipped[bit >> 3]! ^= 1 << (bit & 7);
          assert.equal(readAs(syntax, cut(flipped, cuts)), readAs(syntax, [flipped]));
        },
      ),
      { numRuns: 1500 },
    );
  });
}

test('noise ends in a data set or an error, as a data set and as a file', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    // Noise that looks like DICOM now and then.
    fc
      .array(
        fc.oneof(
          fc.constantFrom([8, 0, 5, 0], [0xfe, 0xff, 0, 0xe0], [0xfe, 0xff, 0x0d, 0xe0], [0xfe, 0xff, 0xdd, 0xe0]),
          fc.constantFrom([0x53, 0x51, 0, 0], [0x55, 0x4e, 0, 0], [0x4f, 0x42, 0, 0], [0xff, 0xff, 0xff, 0xff]),
          fc.constantFrom([0xe0, 0x7f, 0x10, 0], [2, 0, 0x10, 0], [0, 0, 0, 0], [4, 0, 0, 0], [0x43, 0x53, 2, 0]),
          fc.array(fc.nat(255), { minLength: 1, maxLength: 4 }),
        ),
        { maxLength: 40 },
      )
      .map((parts) => Uint8Array.from(parts.flat())),
  );
  fc.assert(
    fc.property(noise, fc.array(fc.nat(), { maxLength: 4 }), (bytes, cuts) => {
      for (const syntax of [implicitLittle, explicitLittle, explicitBig, deflatedLittle, jpeg]) {
        assert.equal(readAs(syntax, cut(bytes, cuts)), readAs(syntax, [bytes]));
      }
      assert.equal(readFile(cut(bytes, cuts)), readFile([bytes]));
      const file = concatBytes([fileHead(explicitLittle.uid), bytes]);
      assert.equal(readFile(cut(file, cuts)), readFile([file]));
    }),
    { numRuns: 2000 },
  );
});

function limitMet(stream: Uint8Array, limits: Partial<ReaderLimits>, syntax = explicitLittle): unknown {
  const reader = new DataSetReader({ syntax, limits });
  try {
    reader.push(stream);
    reader.finish();
  } catch (error) {
    assert.ok(error instanceof DicomError);
    assert.equal(error.code, 'LIMIT_EXCEEDED');
    assert.throws(() => reader.push(new Uint8Array(1)), error);
    return /limit (\w+)/.exec(error.message)?.[1];
  }
  return undefined;
}

test('every limit is met by its name, and what is at the limit passes', () => {
  const nested = (levels: number): Uint8Array =>
    levels === 0
      ? new Uint8Array(0)
      : new DicomBytes()
          .head(0x0040_a730, 'SQ')
          .item()
          .raw(nested(levels - 1))
          .itemEnd()
          .sequenceEnd().bytes;
  const items = (count: number): Uint8Array =>
    new DicomBytes()
      .head(0x0040_a730, 'SQ', count * 8)
      .raw(concatBytes(Array.from({ length: count }, () => new DicomBytes().item(0).bytes))).bytes;
  const elements = (count: number): Uint8Array =>
    concatBytes(
      Array.from({ length: count }, (_, index) => new DicomBytes().element(0x0009_1000 + index, 'SH', 'a').bytes),
    );
  const fragments = (count: number): Uint8Array =>
    new DicomBytes()
      .head(0x7fe0_0010, 'OB')
      .raw(concatBytes(Array.from({ length: count + 1 }, () => new DicomBytes().item(0).bytes)))
      .sequenceEnd().bytes;
  const check = (
    name: keyof ReaderLimits,
    build: (count: number) => Uint8Array,
    limit: number,
    syntax?: TransferSyntax,
  ) => {
    assert.equal(limitMet(build(limit), { [name]: limit }, syntax), undefined);
    assert.equal(limitMet(build(limit + 1), { [name]: limit }, syntax), name);
  };
  check('depthMax', (count) => nested(count - 1), 8);
  check('itemsMax', items, 20);
  check('elementsMax', elements, 20);
  check('fragmentsMax', fragments, 20, jpeg);
  check('valueBytesMax', (count) => new DicomBytes().element(0x0042_0011, 'OB', new Uint8Array(count)).bytes, 70_000);
  check('inflatedBytesMax', (count) => deflateRawSync(elementOf(count)), 50_000, deflatedLittle);
  assert.equal(limitMet(elements(2000), { headerBytesMax: 20_000 }), undefined);
  assert.equal(limitMet(elements(2001), { headerBytesMax: 20_000 }), 'headerBytesMax');
});

function elementOf(sizeBytes: number): Uint8Array {
  return new DicomBytes().element(0x0042_0011, 'OB', new Uint8Array(sizeBytes - 12)).bytes;
}

test('nothing but the limits bounds how deep a stream goes, so a hostile one does not crash', () => {
  const head = new DicomBytes().head(0x0040_a730, 'SQ').item().bytes;
  const deep = concatBytes(Array.from({ length: 50_000 }, () => head));
  assert.equal(limitMet(deep, {}), 'depthMax');
  const reader = new DataSetReader({ syntax: explicitLittle, limits: { depthMax: 1_000_000 } });
  reader.push(deep);
  assert.throws(() => reader.finish(), { code: 'DICOM_MALFORMED', fault: 'truncated', offset: deep.length });
});

test('a stream of gigabytes passes in the memory of its header', () => {
  const reader = new DataSetReader({ syntax: explicitLittle });
  reader.push(new DicomBytes().element(0x0010_0020, 'LO', 'P-1').head(0x7fe0_0010, 'OW', 3_000_000_000).bytes);
  const piece = new Uint8Array(1_000_000);
  for (let k = 0; k < 3000; k++) reader.push(piece);
  reader.finish();
  const element = reader.dataSet.element(0x0010_0020);
  assert.ok(element?.kind === 'bytes' && element.store.bytes.length < 10_000);
});
