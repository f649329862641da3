// Writing data sets: byte for byte what was read, the same content in every other syntax, and values streamed through.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { DicomBytes, forms, type StreamForm } from '../../../tests/support/dicom-bytes.ts';
import { concatBytes, hexOf } from '../../base/index.ts';
import { WordSwapper } from './byte-order.ts';
import { DataSet, type Element, ItemsElement } from './data-set.ts';
import { type BulkReference, bytesElement } from './element.ts';
import { encodeFileMeta } from './file-meta.ts';
import { Part10Reader } from './part10-reader.ts';
import { DataSetReader } from './reader.ts';
import { tags } from './tag.ts';
import {
  deflatedLittle,
  explicitBig,
  explicitLittle,
  implicitLittle,
  type TransferSyntax,
  transferSyntaxOf,
} from './transfer-syntax.ts';
import { isUid, type Uid } from './uid.ts';
import { encodeDataSet, isPlainTranscoding, planDataSet, streamDataSet } from './writer.ts';

const jpeg = transferSyntaxOf('1.2.840.10008.1.2.4.50');
const plainSyntaxes = [implicitLittle, explicitLittle, explicitBig, deflatedLittle];

function read(bytes: Uint8Array, syntax: TransferSyntax, bulkBytesMin?: number): DataSet {
  const reader = new DataSetReader({ syntax, bulkBytesMin });
  reader.push(bytes);
  return reader.finish();
}

function sourceOf(bytes: Uint8Array, pieceBytes = 7): (reference: BulkReference) => Uint8Array[] {
  return ({ offset, sizeBytes }) => {
    const value = bytes.subarray(offset, offset + sizeBytes);
    const count = Math.ceil(value.length / pieceBytes);
    return Array.from({ length: count }, (_, k) => value.subarray(k * pieceBytes, (k + 1) * pieceBytes));
  };
}

async function streamed(dataSet: DataSet, syntax: TransferSyntax, source: Uint8Array): Promise<Uint8Array> {
  return concatBytes(await Array.fromAsync(streamDataSet(dataSet, syntax, sourceOf(source))));
}

/** Sequences of all forms, an odd length, a foreign VR, private elements, a group length. */
function everything(form: StreamForm): Uint8Array {
  const code = new DicomBytes(form).element(0x0008_0100, 'SH', '12').element(0x0008_2112, 'SQ').bytes;
  const item = new DicomBytes(form).item(code.length).raw(code).bytes;
  const unknown = new DicomBytes(forms.implicit).item().element(0x0028_0010, 'US', [9]).itemEnd().sequenceEnd().bytes;
  const inGroup = new DicomBytes(form)
    .element(0x0009_0010, 'LO', 'ACME')
    .element(0x0009_1001, 'OB', new Uint8Array(3)).bytes;
  return new DicomBytes(form)
    .element(0x0008_0060, 'CS', 'CT')
    .head(0x0008_1110, 'SQ', item.length)
    .raw(item)
    .head(0x0008_1115, 'SQ')
    .raw(item)
    .item()
    .head(0x0008_1199, 'SQ')
    .sequenceEnd()
    .itemEnd()
    .sequenceEnd()
    .head(0x0009_0000, 'UL', 4)
    .u32(inGroup.length)
    .raw(inGroup)
    .head(0x0011_1002, 'UN')
    .raw(unknown)
    .element(0x0010_0010 + 0x0002_0000, 'PN', 'A^B')
    .element(
      0x0018_9182,
      'FD',
      new Uint8Array(16).map((_, k) => k),
    )
    .element(0x0028_0010, 'US', [513])
    .element(0x0028_1201, 'OW', [1, 2, 3])
    .element(
      0x0066_0023,
      'OL',
      new Uint8Array(8).map((_, k) => k),
    ).bytes;
}

test('what was read is written byte for byte in the same syntax', () => {
  for (const [form, syntax] of [
    [forms.implicit, implicitLittle],
    [forms.explicit, explicitLittle],
    [forms.big, explicitBig],
  ] as const) {
    const bytes = everything(form);
    assert.equal(hexOf(encodeDataSet(read(bytes, syntax), syntax)), hexOf(bytes));
  }
  const foreign = new DicomBytes().tag(0x0009_1001).raw(Buffer.from('ZZ')).u16(0).u32(2).raw([1, 2]);
  foreign.tag(0x0009_1002).raw(Buffer.from('??')).u16(2).raw([5, 6]);
  assert.equal(hexOf(encodeDataSet(read(foreign.bytes, explicitLittle), explicitLittle)), hexOf(foreign.bytes));
});

test('content is the same after any way through the plain syntaxes', () => {
  const dataSet = read(everything(forms.explicit), explicitLittle);
  for (const syntax of plainSyntaxes) {
    const there = read(encodeDataSet(dataSet, syntax), syntax);
    assert.ok(syntax === implicitLittle || there.equals(dataSet), syntax.name);
    const back = read(encodeDataSet(there, explicitBig), explicitBig);
    assert.ok(syntax === implicitLittle || back.equals(dataSet), syntax.name);
  }
});

test('a deflated data set has an even number of bytes and inflates to the explicit one', async () => {
  const dataSet = read(everything(forms.explicit), explicitLittle);
  for (const text of ['', 'a', 'ab', 'abc']) {
    dataSet.setString(tags.StudyID, text);
    const plain = encodeDataSet(dataSet, explicitLittle);
    for (const bytes of [encodeDataSet(dataSet, deflatedLittle), await streamed(dataSet, deflatedLittle, plain)]) {
      assert.equal(bytes.length % 2, 0);
      assert.equal(hexOf(inflateRawSync(bytes)), hexOf(plain));
    }
  }
});

test('an unknown private sequence becomes UN with its items left implicit', () => {
  const inner = new DicomBytes(forms.implicit).item().element(0x0028_0010, 'US', [7]).itemEnd().sequenceEnd().bytes;
  const dataSet = read(new DicomBytes(forms.implicit).head(0x0009_1002, 'SQ').raw(inner).bytes, implicitLittle);
  for (const form of [forms.explicit, forms.big]) {
    const syntax = form.bigEndian ? explicitBig : explicitLittle;
    const expected = new DicomBytes(form).head(0x0009_1002, 'UN').raw(inner).bytes;
    assert.equal(hexOf(encodeDataSet(dataSet, syntax)), hexOf(expected));
  }
});

test('a value too long for the short form of its VR becomes UN', () => {
  for (const syntax of [explicitLittle, explicitBig]) {
    for (const [count, vr] of [
      [32_767, 'US'],
      [32_768, 'UN'],
    ] as const) {
      const words = Uint8Array.from({ length: count * 2 }, (_, k) => (k % 2 === 0 ? 1 : 2));
      const dataSet = new DataSet([bytesElement(0x0028_1201, 'US', words)]);
      const bytes = encodeDataSet(dataSet, syntax);
      assert.equal(String.fromCharCode(bytes[4] as number, bytes[5] as number), vr);
      // What is unknown is little endian in every syntax, so nothing of it is swapped.
      const first = bytes[vr === 'US' ? 8 : 12];
      assert.equal(first, syntax.bigEndian && vr === 'US' ? 2 : 1);
    }
    assert.equal(
      encodeDataSet(new DataSet([bytesElement(0x0028_1201, 'US', new Uint8Array(70_000))]), implicitLittle).length,
      70_008,
    );
  }
});

test('group lengths are made right, on any level', () => {
  const item = new DataSet([bytesElement(0x0008_0000, 'UL', Uint8Array.of(99, 0, 0, 0))]);
  item.setString(0x0008_0100, 'AB');
  const dataSet = new DataSet([
    bytesElement(0x0008_0000, 'UL', Uint8Array.of(99, 0, 0, 0)),
    new ItemsElement(0x0008_1110, 'SQ', [item]),
    bytesElement(0x0010_0000, 'UL', Uint8Array.of(99, 0, 0, 0)),
    bytesElement(0x0010_0020, 'LO', new Uint8Array(2)),
  ]);
  for (const syntax of [implicitLittle, explicitLittle, explicitBig]) {
    const there = read(encodeDataSet(dataSet, syntax), syntax);
    const sequence = syntax.explicit ? 12 : 8;
    assert.equal(there.items(0x0008_1110)[0]?.number(0x0008_0000), 10);
    assert.equal(there.number(0x0008_0000), sequence + 8 + 12 + 10);
    assert.equal(there.number(0x0010_0000), 10);
  }
});

test('what was passed over is streamed from where it lies, with words swapped on the way', async () => {
  const pixels = Uint8Array.from({ length: 30 }, (_, k) => k);
  const build = (form: StreamForm, swapped: boolean): Uint8Array => {
    const words = swapped ? pixels.map((_, k) => pixels[k ^ 1] as number) : pixels;
    return new DicomBytes(form)
      .element(0x0028_0010, 'US', [3])
      .element(0x0028_0100, 'US', [16])
      .head(0x0040_0275, 'SQ')
      .item()
      .element(0x0042_0011, 'OB', pixels)
      .itemEnd()
      .sequenceEnd()
      .element(0x7fe0_0010, 'OW', words)
      .element(0xfffc_fffc, 'OB', Uint8Array.of(0, 0)).bytes;
  };
  const streams: [TransferSyntax, Uint8Array][] = [
    [implicitLittle, build(forms.implicit, false)],
    [explicitLittle, build(forms.explicit, false)],
    [explicitBig, build(forms.big, true)],
  ];
  for (const [from, source] of streams) {
    const dataSet = read(source, from, 8);
    assert.equal(planDataSet(dataSet, explicitLittle).sizeBytes, streams[1]?.[1].length);
    for (const [to, expected] of streams) {
      assert.equal(hexOf(await streamed(dataSet, to, source)), hexOf(expected), `${from.name} to ${to.name}`);
    }
  }
});

test('a header can be changed while the pixels behind it are streamed', async () => {
  const source = new DicomBytes()
    .element(0x0010_0020, 'LO', 'OLD')
    .element(0x7fe0_0010, 'OB', new Uint8Array(100_000)).bytes;
  const dataSet = read(source, explicitLittle);
  dataSet.setString(tags.PatientID, 'NEW-AND-LONGER');
  const written = await streamed(dataSet, explicitLittle, source);
  const expected = new DicomBytes()
    .element(0x0010_0020, 'LO', 'NEW-AND-LONGER')
    .element(0x7fe0_0010, 'OB', new Uint8Array(100_000));
  assert.equal(hexOf(written), hexOf(expected.bytes));
});

test('encapsulated pixels are streamed as the run they came in', async () => {
  const source = new DicomBytes()
    .element(0x0028_0008, 'IS', '2')
    .head(0x7fe0_0010, 'OB')
    .item(0)
    .item(4)
    .raw([1, 2, 3, 4])
    .sequenceEnd()
    .element(0xfffc_fffc, 'OB', Uint8Array.of(0, 0)).bytes;
  const dataSet = read(source, jpeg);
  assert.equal(hexOf(await streamed(dataSet, jpeg, source)), hexOf(source));
});

test('pixels of the other byte order than their syntax (GE) come out right, and go back as they were', async () => {
  const ge = transferSyntaxOf('1.2.840.113619.5.2');
  const build = (form: StreamForm, pixels: number[]): Uint8Array =>
    new DicomBytes(form).element(0x0028_0100, 'US', [16]).element(0x7fe0_0010, 'OW', Uint8Array.from(pixels)).bytes;
  const source = build(forms.implicit, [0, 1, 0, 2]);
  const dataSet = read(source, ge);
  assert.equal(hexOf(await streamed(dataSet, explicitLittle, source)), hexOf(build(forms.explicit, [1, 0, 2, 0])));
  assert.equal(hexOf(await streamed(dataSet, ge, source)), hexOf(source));
});

test('a source that gives fewer bytes than it said ends in an error, not in a data set', async () => {
  const source = new DicomBytes().element(0x7fe0_0010, 'OB', new Uint8Array(100)).bytes;
  const dataSet = read(source, explicitLittle);
  for (const syntax of [explicitLittle, deflatedLittle]) {
    const pieces = Array.fromAsync(streamDataSet(dataSet, syntax, () => [new Uint8Array(99)]));
    await assert.rejects(pieces, { code: 'DICOM_MALFORMED' });
  }
});

test('a sequence that was passed over is refused, since its inside was not read', () => {
  const source = new DicomBytes().head(0x5200_9230, 'SQ').item(0).sequenceEnd().bytes;
  const reader = new DataSetReader({ syntax: explicitLittle, passOver: new Set([0x5200_9230]) });
  reader.push(source);
  assert.throws(() => encodeDataSet(reader.finish(), explicitLittle), { code: 'DICOM_UNSUPPORTED' });
});

test('a stream that is given up closes what it reads from', async () => {
  let closed = false;
  async function* read100(): AsyncGenerator<Uint8Array> {
    try {
      for (let k = 0; k < 100; k++) yield new Uint8Array(100_000);
    } finally {
      closed = true;
    }
  }
  const source = new DicomBytes()
    .element(0x0010_0020, 'LO', 'P-1')
    .element(0x7fe0_0010, 'OB', new Uint8Array(10_000_000)).bytes;
  const dataSet = read(source, explicitLittle);
  for (const syntax of [explicitLittle, deflatedLittle]) {
    closed = false;
    let pieces = 0;
    for await (const piece of streamDataSet(dataSet, syntax, read100)) {
      pieces += piece.length > 0 ? 1 : 0;
      if (pieces === 3) break;
    }
    assert.ok(closed || pieces < 3, syntax.name);
  }
});

test('only what keeps its pixels is a plain transcoding', () => {
  assert.ok(isPlainTranscoding(implicitLittle, explicitBig) && isPlainTranscoding(explicitLittle, deflatedLittle));
  assert.ok(isPlainTranscoding(jpeg, jpeg) && !isPlainTranscoding(jpeg, explicitLittle));
  assert.ok(!isPlainTranscoding(explicitLittle, jpeg));
});

test('meta information is written as a file begins, and read back', () => {
  const head = encodeFileMeta({
    sopClassUid: '1.2.840.10008.5.1.4.1.1.2' as Uid,
    sopInstanceUid: '2.25.99' as Uid,
    syntaxUid: explicitLittle.uid,
    sourceAeTitle: 'CT1',
  });
  const reader = new Part10Reader();
  reader.push(concatBytes([head, everything(forms.explicit)]));
  const dataSet = reader.finish();
  assert.equal(reader.meta?.dataSetOffset, head.length);
  assert.equal(reader.meta?.syntax, explicitLittle);
  assert.equal(reader.meta?.guessed, false);
  const { dataSet: meta } = reader.meta ?? assert.fail();
  assert.equal(meta.uid(tags.MediaStorageSOPInstanceUID), '2.25.99');
  assert.equal(meta.number(tags.FileMetaInformationGroupLength), head.length - 144);
  assert.equal(meta.string(tags.SourceApplicationEntityTitle), 'CT1');
  assert.ok(isUid(meta.string(tags.ImplementationClassUID) ?? ''));
  assert.ok(!meta.has(tags.SendingApplicationEntityTitle));
  assert.equal(dataSet.string(tags.Modality), 'CT');
});

test('words that pieces cut in two are swapped all the same, and a rest is left as it is', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.constantFrom(1, 2, 4, 8),
      fc.array(fc.nat(60), { maxLength: 5 }),
      (bytes, wordBytes, cuts) => {
        const swapper = new WordSwapper(wordBytes as 1 | 2 | 4 | 8);
        const places = [0, ...cuts.map((each) => Math.min(each, bytes.length)).sort((a, b) => a - b), bytes.length];
        const parts = places.slice(1).map((end, k) => swapper.push(bytes.slice(places[k], end)));
        const out = concatBytes([...parts, swapper.finish()]);
        const whole = bytes.length - (bytes.length % wordBytes);
        const expected = Array.from(bytes, (byte, k) =>
          k < whole ? (bytes[k - (k % wordBytes) + wordBytes - 1 - (k % wordBytes)] as number) : byte,
        );
        assert.deepEqual([...out], expected);
      },
    ),
  );
});

const anyElement: fc.Memo<Element> = fc.memo((depth) => {
  const tag = fc.constantFrom(
    0x0008_0060,
    0x0009_1001,
    0x0010_0020,
    0x0028_0010,
    0x0040_a730,
    0x0042_0011,
    0x7001_1010,
  );
  const value = fc
    .tuple(tag, fc.constantFrom('LO', 'US', 'OW', 'FD', 'UN', 'OB', 'UT', 'AT', 'SV'), fc.uint8Array({ maxLength: 20 }))
    .map(([each, vr, bytes]) => bytesElement(each, vr as 'LO', bytes));
  if (depth <= 1) return value;
  const item = fc
    .tuple(fc.uniqueArray(anyElement(depth - 1), { selector: (each) => each.tag, maxLength: 4 }), fc.boolean())
    .map(
      ([elements, defined]) =>
        new DataSet(
          elements.sort((a, b) => a.tag - b.tag),
          defined,
        ),
    );
  const items = fc
    .tuple(fc.constantFrom(0x0008_1110, 0x0040_0275), fc.array(item, { maxLength: 3 }), fc.boolean())
    .map(([each, list, defined]) => new ItemsElement(each, 'SQ', list, defined));
  return fc.oneof({ weight: 2, arbitrary: value }, { weight: 1, arbitrary: items });
});

test('any data set is the same after writing and reading in every explicit syntax, and stays the same bytes', () => {
  const anyDataSet = fc
    .uniqueArray(anyElement(4), { selector: (each) => each.tag, maxLength: 6 })
    .map((elements) => new DataSet(elements.sort((a, b) => a.tag - b.tag)));
  fc.assert(
    fc.property(anyDataSet, (dataSet) => {
      for (const syntax of [explicitLittle, explicitBig, deflatedLittle]) {
        const bytes = encodeDataSet(dataSet, syntax);
        const there = read(bytes, syntax, Number.POSITIVE_INFINITY);
        assert.ok(there.equals(dataSet));
        assert.equal(hexOf(encodeDataSet(there, syntax)), hexOf(bytes));
      }
      const implicit = encodeDataSet(dataSet, implicitLittle);
      const there = read(implicit, implicitLittle, Number.POSITIVE_INFINITY);
      assert.equal(hexOf(encodeDataSet(there, implicitLittle)), hexOf(implicit));
    }),
    { numRuns: 300 },
  );
});
