// Reading data sets: every form that the standard allows, the defects that are forgiven, and places told exactly.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { DicomBytes, forms, type StreamForm } from '../../../tests/support/dicom-bytes.ts';
import { concatBytes, hexOf } from '../../base/index.ts';
import { parseCharacterSet } from '../text/character-set.ts';
import type { DataSet, Element } from './data-set.ts';
import type { OddityKind } from './oddity.ts';
import { DataSetReader } from './reader.ts';
import type { ReaderOptions } from './reader-options.ts';
import { tags } from './tag.ts';
import {
  deflatedLittle,
  explicitBig,
  explicitLittle,
  implicitLittle,
  type TransferSyntax,
  transferSyntaxOf,
} from './transfer-syntax.ts';

const jpeg = transferSyntaxOf('1.2.840.10008.1.2.4.50');

function syntaxOf(form: StreamForm): TransferSyntax {
  return form.bigEndian ? explicitBig : form.explicit ? explicitLittle : implicitLittle;
}

type Options = Partial<ReaderOptions> & { readonly odd?: readonly OddityKind[] };

function read(stream: DicomBytes | Uint8Array, options: Options = {}): DataSetReader {
  const reader = new DataSetReader({ syntax: explicitLittle, ...options });
  reader.push(stream instanceof Uint8Array ? stream : stream.bytes);
  reader.finish();
  assert.deepEqual(
    reader.oddities.map((oddity) => oddity.kind),
    options.odd ?? [],
  );
  return reader;
}

function element(dataSet: DataSet, tag: number): Element {
  const found = dataSet.element(tag);
  assert.ok(found !== undefined, 'the element is there');
  return found;
}

for (const [name, form] of Object.entries(forms)) {
  const syntax = syntaxOf(form);

  test(`plain values are read in ${name} syntax`, () => {
    const stream = new DicomBytes(form)
      .element(0x0008_0005, 'CS', 'ISO_IR 192')
      .element(0x0008_0018, 'UI', '1.2.3\0')
      .element(0x0008_0060, 'CS', 'CT')
      .element(0x0010_0010, 'PN', 'Musterfrau^Erika')
      .element(0x0010_0020, 'LO')
      .element(0x0018_0050, 'DS', '1.25\\2.5')
      .element(0x0028_0010, 'US', [512])
      .element(0x0028_0011, 'US', [256]);
    const { dataSet } = read(stream, { syntax });
    assert.equal(dataSet.elements.length, 8);
    assert.equal(dataSet.uid(tags.SOPInstanceUID), '1.2.3');
    assert.equal(dataSet.string(tags.Modality), 'CT');
    assert.equal(dataSet.text(tags.PatientName, parseCharacterSet([])), 'Musterfrau^Erika');
    assert.equal(dataSet.string(tags.PatientID), undefined);
    assert.ok(dataSet.has(tags.PatientID));
    assert.ok(!dataSet.has(tags.StudyID));
    assert.deepEqual(dataSet.numbers(tags.SliceThickness), [1.25, 2.5]);
    assert.equal(dataSet.number(tags.Rows), 512);
    assert.equal(dataSet.number(tags.Columns), 256);
  });

  test(`sequences and items with and without lengths are read in ${name} syntax`, () => {
    const inner = new DicomBytes(form).element(0x0008_0100, 'SH', '121').bytes;
    const item = new DicomBytes(form).item(inner.length).raw(inner).bytes;
    const stream = new DicomBytes(form)
      .head(0x0008_1110, 'SQ', item.length * 2)
      .raw(item)
      .raw(item)
      .head(0x0008_1115, 'SQ')
      .raw(item)
      .item()
      .raw(inner)
      .itemEnd()
      .sequenceEnd()
      .head(0x0008_1140, 'SQ', inner.length + 16)
      .item()
      .raw(inner)
      .itemEnd()
      .head(0x0008_1199, 'SQ')
      .sequenceEnd()
      .head(0x0040_0275, 'SQ', 0)
      .head(0x0040_a730, 'SQ')
      .item()
      .head(0x0040_a730, 'SQ')
      .item()
      .head(0x0040_a730, 'SQ', item.length)
      .raw(item)
      .itemEnd()
      .sequenceEnd()
      .itemEnd()
      .sequenceEnd()
      .element(0x0040_a040, 'CS', 'TEXT');
    const { dataSet } = read(stream, { syntax, odd: ['tag-order'] });
    const counts = [0x0008_1110, 0x0008_1115, 0x0008_1140, 0x0008_1199, 0x0040_0275].map(
      (tag) => dataSet.items(tag).length,
    );
    assert.deepEqual(counts, [2, 2, 1, 0, 0]);
    assert.equal(dataSet.items(0x0008_1115)[1]?.string(0x0008_0100), '121');
    assert.deepEqual(
      dataSet.items(0x0008_1115).map((each) => each.definedLength),
      [true, false],
    );
    const path = [0x0040_a730, 0, 0x0040_a730, 0, 0x0040_a730, 0, 0x0008_0100];
    const found = dataSet.elementAt(path);
    assert.ok(found?.kind === 'bytes' && hexOf(found.bytes) === '31323120');
    assert.equal(dataSet.elementAt([0x0040_a730, 1, 0x0040_a730]), undefined);
    assert.equal(dataSet.string(tags.ValueType), 'TEXT');
  });

  test(`native pixel data is passed over, and its place told, in ${name} syntax`, () => {
    const before = new DicomBytes(form).element(0x0028_0010, 'US', [4]).bytes;
    const pixels = new Uint8Array(32).fill(7);
    const stream = new DicomBytes(form)
      .raw(before)
      .element(0x7fe0_0010, 'OW', pixels)
      .element(0xfffc_fffc, 'OB', new Uint8Array(20));
    const headBytes = form.explicit ? 12 : 8;
    const reader = read(stream, { syntax, baseOffset: 1000 });
    const valueOffset = 1000 + before.length + headBytes;
    assert.equal(reader.pixels?.elementOffset, 1000 + before.length);
    assert.equal(reader.pixels?.valueOffset, valueOffset);
    assert.equal(reader.pixels?.sizeBytes, 32);
    const found = element(reader.dataSet, tags.PixelData);
    assert.ok(found.kind === 'bulk');
    assert.deepEqual(found.reference, { offset: valueOffset, sizeBytes: 32, bigEndian: form.bigEndian });
    assert.equal(reader.dataSet.bytes(tags.DataSetTrailingPadding)?.length, 20);
    assert.equal(reader.offset, 1000 + stream.bytes.length);
  });
}

test('words of a big endian stream are little endian in memory', () => {
  const stream = new DicomBytes(forms.big)
    .element(0x0008_2112, 'AT', [0x0028, 0x0010])
    .element(0x0018_9182, 'FD', Uint8Array.of(0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18))
    .element(0x0028_0106, 'SS', [0xfff0])
    .element(0x0028_1201, 'OW', [0x0102, 0x0304])
    .element(0x0042_0011, 'OB', Uint8Array.of(1, 2, 3, 4));
  const { dataSet } = read(stream, { syntax: explicitBig });
  assert.deepEqual(dataSet.strings(0x0008_2112), ['00280010']);
  assert.equal(dataSet.number(0x0018_9182), Math.PI);
  assert.equal(dataSet.number(tags.SmallestImagePixelValue), -16);
  assert.equal(hexOf(dataSet.bytes(0x0028_1201) ?? new Uint8Array()), '02010403');
  assert.equal(hexOf(dataSet.bytes(0x0042_0011) ?? new Uint8Array()), '01020304');
});

test('encapsulated pixel data: offset table, fragments and the whole run are told exactly', () => {
  const stream = new DicomBytes()
    .element(0x0028_0008, 'IS', '2')
    .head(0x7fe0_0010, 'OB')
    .item(8)
    .u32(0)
    .u32(14)
    .item(6)
    .raw(new Uint8Array(6))
    .item(0)
    .item(100_001)
    .raw(new Uint8Array(100_001))
    .sequenceEnd()
    .element(0xfffc_fffc, 'OB', new Uint8Array(2));
  const reader = read(stream, { syntax: jpeg });
  const found = element(reader.dataSet, tags.PixelData);
  assert.ok(found.kind === 'fragments');
  const start = 10 + 12;
  assert.equal(hexOf(found.offsetTable), '000000000e000000');
  assert.equal(found.fragments.count, 3);
  const places = [0, 1, 2].map((index) => [found.fragments.offsetAt(index), found.fragments.sizeAt(index)]);
  assert.deepEqual(places, [
    [start + 16 + 8, 6],
    [start + 16 + 14 + 8, 0],
    [start + 16 + 14 + 8 + 8, 100_001],
  ]);
  assert.deepEqual(found.reference, {
    offset: start,
    sizeBytes: 16 + 14 + 8 + 8 + 100_001 + 8,
    bigEndian: false,
  });
  assert.equal(reader.pixels?.sizeBytes, undefined);
  assert.equal(reader.pixels?.fragments, found.fragments);
});

test('fragments are told while they come', () => {
  const reader = new DataSetReader({ syntax: jpeg });
  reader.push(new DicomBytes().element(0x0028_0008, 'IS', '2').head(0x7fe0_0010, 'OB').bytes);
  assert.ok(reader.headerDone);
  assert.equal(reader.pixels?.fragments?.count, 0);
  const table = (): Uint8Array | undefined => reader.pixels?.offsetTable;
  assert.equal(table(), undefined);
  reader.push(new DicomBytes().item(0).bytes);
  assert.equal(table()?.length, 0);
  reader.push(new DicomBytes().item(20).bytes);
  assert.equal(reader.pixels?.fragments?.count, 1);
  reader.push(new DicomBytes().raw(new Uint8Array(20)).sequenceEnd().bytes);
  reader.finish();
});

test('fragments of an icon within a sequence are places too', () => {
  const stream = new DicomBytes()
    .head(0x0088_0200, 'SQ')
    .item()
    .head(0x7fe0_0010, 'OB')
    .item(0)
    .item(4)
    .raw([1, 2, 3, 4])
    .sequenceEnd()
    .itemEnd()
    .sequenceEnd();
  const reader = read(stream, { syntax: jpeg });
  assert.equal(reader.pixels, undefined);
  const found = reader.dataSet.elementAt([0x0088_0200, 0, 0x7fe0_0010]);
  assert.ok(found?.kind === 'fragments' && found.fragments.count === 1);
  assert.equal(found.fragments.offsetAt(0), 12 + 8 + 12 + 8 + 8);
});

test('a native icon within a sequence is kept', () => {
  const stream = new DicomBytes()
    .head(0x0088_0200, 'SQ')
    .item()
    .element(0x7fe0_0010, 'OB', Uint8Array.of(1, 2))
    .itemEnd()
    .sequenceEnd();
  const found = read(stream).dataSet.elementAt([0x0088_0200, 0, 0x7fe0_0010]);
  assert.ok(found?.kind === 'bytes' && hexOf(found.bytes) === '0102');
});

test('values of a given size and more are passed over, others kept', () => {
  const stream = new DicomBytes()
    .element(0x0009_1001, 'OB', new Uint8Array(999))
    .element(0x0009_1002, 'OB', new Uint8Array(1000))
    .element(0x0009_1003, 'UT', 'x'.repeat(100_000))
    .element(0x0010_0020, 'LO', 'P-1');
  const { dataSet } = read(stream, { bulkBytesMin: 1000, odd: ['odd-length'] });
  assert.equal(element(dataSet, 0x0009_1001).kind, 'bytes');
  const second = element(dataSet, 0x0009_1002);
  assert.ok(second.kind === 'bulk');
  assert.deepEqual(second.reference, { offset: 12 + 999 + 12, sizeBytes: 1000, bigEndian: false });
  const third = element(dataSet, 0x0009_1003);
  assert.ok(third.kind === 'bulk' && third.reference.sizeBytes === 100_000);
  assert.equal(dataSet.string(tags.PatientID), 'P-1');
  const all = read(stream, { bulkBytesMin: Number.POSITIVE_INFINITY, odd: ['odd-length'] });
  assert.ok(all.dataSet.elements.every((each) => each.kind === 'bytes'));
});

test('extended offset tables are kept whatever their size', () => {
  const stream = new DicomBytes()
    .element(0x7fe0_0001, 'OV', new Uint8Array(80_000))
    .element(0x7fe0_0002, 'OV', new Uint8Array(80_000))
    .head(0x7fe0_0010, 'OB')
    .item(0)
    .sequenceEnd();
  const { dataSet } = read(stream, { syntax: jpeg, bulkBytesMin: 1000 });
  assert.equal(dataSet.bytes(tags.ExtendedOffsetTable)?.length, 80_000);
  assert.equal(dataSet.bytes(tags.ExtendedOffsetTableLengths)?.length, 80_000);
});

test('attributes that are asked to be passed over leave a place, sequences of either form too', () => {
  const content = new DicomBytes().item().element(0x0008_0100, 'SH', '12').itemEnd().bytes;
  const stream = new DicomBytes()
    .element(0x0010_0010, 'PN', 'A^B')
    .element(0x0010_0020, 'LO', 'P-1')
    .head(0x5200_9229, 'SQ', content.length)
    .raw(content)
    .head(0x5200_9230, 'SQ')
    .raw(content)
    .item()
    .head(0x0008_1115, 'SQ')
    .raw(content)
    .sequenceEnd()
    .element(0x0009_1001, 'OB', new Uint8Array(100_000))
    .itemEnd()
    .sequenceEnd()
    .element(0x5400_0100, 'LO', 'end');
  const asked = new Set([tags.PatientName, tags.PerFrameFunctionalGroupsSequence, tags.SharedFunctionalGroupsSequence]);
  const { dataSet } = read(stream, { passOver: asked });
  const name = element(dataSet, tags.PatientName);
  assert.ok(name.kind === 'bulk' && name.reference.offset === 8 && name.reference.sizeBytes === 4);
  assert.equal(dataSet.string(tags.PatientID), 'P-1');
  const shared = element(dataSet, tags.SharedFunctionalGroupsSequence);
  assert.ok(shared.kind === 'bulk' && shared.definedLength && shared.reference.sizeBytes === content.length);
  const frames = element(dataSet, tags.PerFrameFunctionalGroupsSequence);
  assert.ok(frames.kind === 'bulk' && !frames.definedLength && frames.vr === 'SQ');
  const { offset, sizeBytes } = frames.reference;
  assert.equal(hexOf(stream.bytes.slice(offset, offset + 4)), 'feff00e0');
  assert.equal(hexOf(stream.bytes.slice(offset + sizeBytes - 8, offset + sizeBytes)), 'feffdde000000000');
  assert.equal(dataSet.string(0x5400_0100), 'end');
});

test('reading stops before pixel data, also when nothing of it is there yet', () => {
  const header = new DicomBytes().element(0x0010_0020, 'LO', 'P-1').element(0x0028_0010, 'US', [4]).bytes;
  const reader = new DataSetReader({ syntax: explicitLittle, stopAt: 'pixels' });
  reader.push(header);
  assert.equal(reader.state, 'reading');
  assert.ok(!reader.headerDone);
  reader.push(new DicomBytes().head(0x7fe0_0010, 'OW', 1_000_000).bytes);
  assert.equal(reader.state, 'stopped');
  assert.ok(reader.headerDone);
  assert.equal(reader.offset, header.length);
  assert.equal(reader.pixels?.sizeBytes, 1_000_000);
  reader.push(new Uint8Array(100).fill(0xff));
  assert.equal(reader.finish().string(tags.PatientID), 'P-1');
});

test('reading stops before a given tag', () => {
  const stream = new DicomBytes()
    .element(0x0008_0018, 'UI', '1.2')
    .element(0x0010_0020, 'LO', 'P-1')
    .element(0x0020_000d, 'UI', '1.3')
    .raw([0xff, 0xff, 0xff]);
  const reader = new DataSetReader({ syntax: explicitLittle, stopAt: tags.PatientBirthDate });
  reader.push(stream.bytes);
  assert.equal(reader.state, 'stopped');
  assert.equal(reader.dataSet.elements.length, 2);
  assert.equal(reader.offset, 10 + 2 + 12);
});

test('a deflated data set is inflated as it comes', () => {
  const plain = new DicomBytes()
    .element(0x0010_0020, 'LO', 'P-1')
    .element(0x7fe0_0010, 'OW', new Uint8Array(300_000)).bytes;
  const deflated = deflateRawSync(plain);
  const reader = new DataSetReader({ syntax: deflatedLittle, baseOffset: 500 });
  for (let at = 0; at < deflated.length; at += 50) reader.push(deflated.subarray(at, at + 50));
  const dataSet = reader.finish();
  assert.equal(dataSet.string(tags.PatientID), 'P-1');
  assert.equal(reader.pixels?.valueOffset, 12 + 12);
});

test('private elements: the creator is text, others unknown where no VR travels with them', () => {
  const stream = new DicomBytes(forms.implicit)
    .element(0x0009_0000, 'UL', Uint8Array.of(4, 0, 0, 0))
    .element(0x0009_0010, 'LO', 'ACME 1.0')
    .element(0x0009_1001, 'DS', '1.5')
    .head(0x0009_1002, 'SQ')
    .item()
    .element(0x0008_0100, 'SH', '12')
    .itemEnd()
    .sequenceEnd();
  const { dataSet } = read(stream, { syntax: implicitLittle });
  assert.equal(dataSet.number(0x0009_0000), 4);
  assert.equal(dataSet.string(0x0009_0010), 'ACME 1.0');
  assert.deepEqual(
    dataSet.elements.map(({ vr }) => vr),
    ['UL', 'LO', 'UN', 'UN'],
  );
  assert.equal(dataSet.items(0x0009_1002)[0]?.string(0x0008_0100), '12');
});

test('UN of undefined length is read as implicit little endian, in either byte order', () => {
  for (const form of [forms.explicit, forms.big]) {
    const inner = new DicomBytes(forms.implicit).item().element(0x0028_0010, 'US', [9]).itemEnd().sequenceEnd().bytes;
    const stream = new DicomBytes(form).head(0x0009_1002, 'UN').raw(inner).element(0x0028_0010, 'US', [7]);
    const { dataSet } = read(stream, { syntax: syntaxOf(form) });
    assert.equal(dataSet.items(0x0009_1002)[0]?.number(tags.Rows), 9);
    assert.equal(dataSet.number(tags.Rows), 7);
  }
});

test('a known sequence that came as UN with a length is read, and anything else in UN stays bytes', () => {
  const content = new DicomBytes(forms.implicit).item(12).element(0x0008_1150, 'UI', '1.20').bytes;
  const broken = Uint8Array.from(content).fill(0xff, 4, 8);
  const stream = new DicomBytes()
    .element(0x0008_1110, 'UN', broken)
    .element(0x0008_1115, 'UN', content)
    .element(0x0009_1001, 'UN', content);
  const { dataSet } = read(stream, { odd: ['sequence-in-unknown'] });
  assert.equal(element(dataSet, 0x0008_1110).kind, 'bytes');
  assert.equal(dataSet.items(0x0008_1115)[0]?.string(0x0008_1150), '1.20');
  assert.equal(element(dataSet, 0x0009_1001).kind, 'bytes');
});

test('what only the dictionary calls a sequence stays bytes when it holds no items', () => {
  const stream = new DicomBytes(forms.implicit)
    .element(0x0040_a170, 'CS', 'CLASS')
    .element(0x0040_a730, 'CS', 'AB')
    .element(0x0042_0010, 'ST', 'title');
  const { dataSet } = read(stream, {
    syntax: implicitLittle,
    odd: ['sequence-without-items', 'sequence-without-items'],
  });
  assert.equal(element(dataSet, 0x0040_a170).vr, 'UN');
  assert.equal(hexOf(dataSet.bytes(0x0040_a730) ?? new Uint8Array()), '4142');
  assert.equal(dataSet.string(0x0042_0010), 'title');
});

test('an element of UN is read as the dictionary knows it', () => {
  const stream = new DicomBytes().element(0x0010_0020, 'UN', 'P-1').element(0x0028_0010, 'UN', [3]);
  const { dataSet } = read(stream);
  assert.equal(dataSet.string(tags.PatientID), 'P-1');
  assert.equal(dataSet.number(tags.Rows), 3);
  assert.equal(element(dataSet, tags.Rows).vr, 'UN');
});

test('US or SS follows Pixel Representation, also when that comes later or stands around', () => {
  const build = (sign: number): DicomBytes =>
    new DicomBytes(forms.implicit)
      .element(0x0018_9810, 'US', [0xffff])
      .element(0x0028_0103, 'US', [sign])
      .element(0x0028_0106, 'US', [0xfffe])
      .head(0x0028_3000, 'SQ')
      .item()
      .element(0x0028_3002, 'US', [1, 0xfff0, 16])
      .itemEnd()
      .item()
      .element(0x0028_0103, 'US', [1 - sign])
      .element(0x0028_3002, 'US', [1, 0xfff0, 16])
      .itemEnd()
      .sequenceEnd();
  for (const sign of [0, 1]) {
    const { dataSet } = read(build(sign), { syntax: implicitLittle });
    const own = sign === 1 ? 'SS' : 'US';
    const other = sign === 1 ? 'US' : 'SS';
    assert.equal(element(dataSet, 0x0018_9810).vr, own);
    assert.equal(element(dataSet, 0x0028_0106).vr, own);
    assert.equal(dataSet.items(0x0028_3000)[0]?.element(0x0028_3002)?.vr, own);
    assert.equal(dataSet.items(0x0028_3000)[1]?.element(0x0028_3002)?.vr, other);
  }
  const without = new DicomBytes(forms.implicit).element(0x0028_0106, 'US', [0xfffe]);
  assert.equal(read(without, { syntax: implicitLittle }).dataSet.number(0x0028_0106), 0xfffe);
});

test('OB or OW of implicit pixels and waveforms follows the bits allocated', () => {
  for (const [bits, vr] of [
    [8, 'OB'],
    [16, 'OW'],
  ] as const) {
    const stream = new DicomBytes(forms.implicit)
      .element(0x0028_0100, 'US', [bits])
      .head(0x5400_0100, 'SQ')
      .item()
      .element(0x5400_1004, 'US', [bits])
      .element(0x5400_1010, 'OW', new Uint8Array(4))
      .itemEnd()
      .sequenceEnd()
      .element(0x7fe0_0010, 'OW', new Uint8Array(4));
    const { dataSet } = read(stream, { syntax: implicitLittle });
    assert.equal(element(dataSet, tags.PixelData).vr, vr);
    assert.equal(dataSet.items(0x5400_0100)[0]?.element(0x5400_1010)?.vr, vr);
  }
});

test('elements without VR in an explicit stream are read and noted', () => {
  const implicitItem = new DicomBytes(forms.implicit).element(0x0008_0100, 'SH', '12').bytes;
  const stream = new DicomBytes()
    .element(0x0008_0060, 'CS', 'CT')
    .raw(new DicomBytes(forms.implicit).element(0x0010_0010, 'PN', 'A^B').bytes)
    .head(0x0040_0275, 'SQ')
    .item(implicitItem.length)
    .raw(implicitItem)
    .sequenceEnd();
  const { dataSet } = read(stream, { odd: ['implicit-in-explicit', 'implicit-in-explicit'] });
  assert.equal(dataSet.string(tags.PatientName), 'A^B');
  assert.equal(dataSet.items(0x0040_0275)[0]?.string(0x0008_0100), '12');
});

test('a whole data set in the other encoding than its syntax is read and noted once', () => {
  const build = (form: StreamForm): Uint8Array =>
    new DicomBytes(form).element(0x0008_0060, 'CS', 'CT').element(0x0010_0020, 'LO', 'P-1').bytes;
  const first = read(build(forms.implicit), { odd: ['implicit-in-explicit'] });
  assert.equal(first.dataSet.string(tags.PatientID), 'P-1');
  const second = read(build(forms.explicit), { syntax: implicitLittle, odd: ['explicit-in-implicit'] });
  assert.equal(second.dataSet.string(tags.PatientID), 'P-1');
});

test('unknown VRs: capital letters have the long form, others the short one', () => {
  const stream = new DicomBytes()
    .raw(new DicomBytes().tag(0x0009_1001).raw(Buffer.from('ZZ')).u16(0).u32(4).raw([1, 2, 3, 4]).bytes)
    .raw(new DicomBytes().tag(0x0009_1002).raw(Buffer.from('??')).u16(2).raw([5, 6]).bytes)
    .element(0x0010_0020, 'LO', 'P-1');
  const { dataSet } = read(stream, { odd: ['vr-unknown', 'vr-unknown'] });
  assert.equal(element(dataSet, 0x0009_1001).vr, 'ZZ');
  assert.equal(hexOf(dataSet.bytes(0x0009_1001) ?? new Uint8Array()), '01020304');
  assert.equal(element(dataSet, 0x0009_1002).vr, '??');
  assert.equal(hexOf(dataSet.bytes(0x0009_1002) ?? new Uint8Array()), '0506');
  assert.equal(dataSet.string(tags.PatientID), 'P-1');
});

test('small defects are forgiven and noted', () => {
  const item = new DicomBytes().element(0x0008_0100, 'SH', '12').bytes;
  const cases: [OddityKind[], DicomBytes][] = [
    [['odd-length'], new DicomBytes().element(0x0010_0020, 'LO', new Uint8Array(3).fill(0x41))],
    [['tag-order'], new DicomBytes().element(0x0010_0020, 'LO', 'P').element(0x0008_0060, 'CS', 'CT')],
    [['tag-repeated'], new DicomBytes().element(0x0010_0020, 'LO', 'P').element(0x0010_0020, 'LO', 'Q')],
    [['reserved-not-zero'], new DicomBytes().tag(0x0009_1001).raw(Buffer.from('OB')).u16(7).u32(2).raw([1, 2])],
    [['delimiter-length'], new DicomBytes().head(0x0040_0275, 'SQ').tag(0xfffe_e0dd).u32(5)],
    [['delimiter-length'], new DicomBytes().head(0x0040_0275, 'SQ').item().tag(0xfffe_e00d).u32(5).sequenceEnd()],
    [['delimiter-stray'], new DicomBytes().element(0x0010_0020, 'LO', 'P').sequenceEnd()],
    [['delimiter-stray'], new DicomBytes().head(0x0040_0275, 'SQ').itemEnd().sequenceEnd()],
    [
      ['delimiter-stray'],
      new DicomBytes()
        .head(0x0040_0275, 'SQ')
        .item(item.length + 8)
        .raw(item)
        .itemEnd()
        .sequenceEnd(),
    ],
    [['delimiter-missing'], new DicomBytes().head(0x0040_0275, 'SQ').item().raw(item).sequenceEnd()],
    [['delimiter-missing'], new DicomBytes().head(0x0040_0275, 'SQ').item().raw(item).item(0).sequenceEnd()],
    [
      ['delimiter-missing'],
      new DicomBytes()
        .head(0x0040_0275, 'SQ', item.length + 8)
        .item()
        .raw(item),
    ],
    [['zeros-after-end'], new DicomBytes().element(0x0010_0020, 'LO', 'P').raw(new Uint8Array(3))],
    [['zeros-after-end'], new DicomBytes().element(0x0010_0020, 'LO', 'P').raw(new Uint8Array(20_000))],
    [['pixels-form'], new DicomBytes().head(0x7fe0_0010, 'OB').item(0).sequenceEnd()],
  ];
  for (const [odd, stream] of cases) read(stream, { odd });
});

test('of a tag that is there twice the first is read, and out of order tags are found', () => {
  const stream = new DicomBytes()
    .element(0x0010_0020, 'LO', 'P-1')
    .element(0x0008_0060, 'CS', 'CT')
    .element(0x0010_0020, 'LO', 'P-2');
  const { dataSet } = read(stream, { odd: ['tag-order'] });
  assert.equal(dataSet.string(tags.PatientID), 'P-1');
  assert.equal(dataSet.string(tags.Modality), 'CT');
});

test('a command set begins with group 0000', () => {
  const stream = new DicomBytes(forms.implicit)
    .element(0x0000_0000, 'UL', Uint8Array.of(10, 0, 0, 0))
    .element(0x0000_0100, 'US', [0x30]);
  const { dataSet } = read(stream, { syntax: implicitLittle });
  assert.equal(dataSet.number(0x0000_0100), 0x30);
});

test('what was kept does not hang on the pieces it came in', () => {
  const piece = new DicomBytes().element(0x0010_0020, 'LO', 'P-1').bytes;
  const reader = new DataSetReader({ syntax: explicitLittle });
  reader.push(piece);
  piece.fill(0);
  assert.equal(reader.finish().string(tags.PatientID), 'P-1');
});

test('an empty stream is an empty data set', () => {
  assert.equal(read(concatBytes([])).dataSet.elements.length, 0);
});
