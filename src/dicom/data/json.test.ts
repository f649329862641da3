// DICOM JSON: written as PS3.18 has it, read back to the same data set, and refused where it is none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DicomBytes, forms } from '../../../tests/support/dicom-bytes.ts';
import { isArchiveError } from '../../base/index.ts';
import { parseCharacterSet } from '../text/character-set.ts';
import { DataSet, type ElementPath, ItemsElement } from './data-set.ts';
import { bytesElement } from './element.ts';
import { dataSetOfJson } from './json-reader.ts';
import { type JsonOptions, JsonWriter, jsonOfDataSet } from './json-writer.ts';
import { DataSetReader } from './reader.ts';
import { tags } from './tag.ts';
import { explicitLittle, implicitLittle } from './transfer-syntax.ts';
import type { Vr } from './vr.ts';

type Json = Record<string, { vr: string; Value?: unknown[]; InlineBinary?: string; BulkDataURI?: string }>;

function textOf(dataSet: DataSet, options?: JsonOptions): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(jsonOfDataSet(dataSet, options));
}

function jsonOf(dataSet: DataSet, options?: JsonOptions): Json {
  return JSON.parse(textOf(dataSet, options)) as Json;
}

function one(vr: Vr, value: string | Uint8Array, tag = 0x0009_1001): DataSet {
  const bytes = typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'latin1')) : value;
  return new DataSet([bytesElement(tag, vr, bytes)]);
}

test('values are written in the JSON types of their VRs', () => {
  const check = (vr: Vr, value: string | Uint8Array, expected: string): void =>
    assert.equal(textOf(one(vr, value)), `{"00091001":{"vr":"${vr}"${expected}}}`);
  check('LO', ' Kopf \\ CT ', ',"Value":["Kopf","CT"]');
  check('LO', 'a "b" \\\\c', ',"Value":["a \\"b\\"",null,"c"]');
  check('LO', '', '');
  check('LO', '   ', '');
  check('ST', ' a\\b\tc\r\n', ',"Value":[" a\\\\b\\tc\\r\\n"]');
  check('UI', '1.2.3\0', ',"Value":["1.2.3"]');
  check('UR', 'http://x/y?z ', ',"Value":["http://x/y?z"]');
  check('DA', '20240101', ',"Value":["20240101"]');
  check('PN', 'Zhang^San', ',"Value":[{"Alphabetic":"Zhang^San"}]');
  check('PN', 'A^B==C\\=D', ',"Value":[{"Alphabetic":"A^B","Phonetic":"C"},{"Ideographic":"D"}]');
  check('PN', 'A=B=C=D', ',"Value":[{"Alphabetic":"A","Ideographic":"B","Phonetic":"C"}]');
  check('AT', Uint8Array.of(0x10, 0, 0x20, 0, 0xe0, 0x7f, 0x10, 0), ',"Value":["00100020","7FE00010"]');
  check('US', Uint8Array.of(1, 2), ',"Value":[513]');
  check('US', Uint8Array.of(1, 0, 0xff, 0xff), ',"Value":[1,65535]');
  check('SL', Uint8Array.of(0xff, 0xff, 0xff, 0xff), ',"Value":[-1]');
  check('UL', Uint8Array.of(0xff, 0xff, 0xff, 0xff), ',"Value":[4294967295]');
  check('FD', new Uint8Array(Float64Array.of(1.5, -0.25e-7).buffer), ',"Value":[1.5,-2.5e-8]');
  check(
    'FL',
    new Uint8Array(Float32Array.of(Number.NaN, 1, Number.NEGATIVE_INFINITY).buffer),
    ',"Value":["NaN",1,"-Infinity"]',
  );
  check('SV', new Uint8Array(BigInt64Array.of(-7n, -(2n ** 62n)).buffer), ',"Value":[-7,"-4611686018427387904"]');
  check('OB', Uint8Array.of(1, 2, 3, 4), ',"InlineBinary":"AQIDBA=="');
  check('UN', '', '');
});

test('decimal strings are copied digit by digit where JSON has the same form', () => {
  const check = (vr: Vr, value: string, expected: string): void =>
    assert.equal(textOf(one(vr, value)), `{"00091001":{"vr":"${vr}","Value":[${expected}]}}`);
  check('DS', '1.50000\\-0.0\\ 12 ', '1.50000,-0.0,12');
  check('DS', '0.12345678901234567890', '0.12345678901234567890');
  check('DS', '+1.5\\.5\\5.\\007\\1e3\\-1.5E-2', '1.5,0.5,5,7,1000,-0.015');
  check('DS', 'x\\1,5\\1e999\\\\NaN', '"x","1,5","1e999",null,"NaN"');
  check('DS', '1'.repeat(400), `"${'1'.repeat(400)}"`);
  check('IS', '12\\-3\\+4\\007', '12,-3,4,7');
  check('IS', '2147483647\\2147483648\\1.5\\12345678901', '2147483647,"2147483648","1.5","12345678901"');
});

test('attributes are in the order of their tags, once each, without group lengths', () => {
  const stream = new DicomBytes()
    .element(0x0010_0020, 'LO', 'P-1')
    .element(0x0008_0000, 'UL', Uint8Array.of(1, 0, 0, 0))
    .element(0x0008_0060, 'CS', 'CT')
    .element(0x0010_0020, 'LO', 'P-2');
  const reader = new DataSetReader({ syntax: explicitLittle });
  reader.push(stream.bytes);
  assert.equal(
    textOf(reader.finish()),
    '{"00080060":{"vr":"CS","Value":["CT"]},"00100020":{"vr":"LO","Value":["P-1"]}}',
  );
});

test('sequences nest, empty ones have no Value and empty items are empty objects', () => {
  const dataSet = new DataSet();
  dataSet.setItems(0x0040_0275, []);
  dataSet.setItems(0x0040_a730, [new DataSet(), one('LO', 'x')]);
  assert.equal(
    textOf(dataSet),
    '{"00400275":{"vr":"SQ"},"0040A730":{"vr":"SQ","Value":[{},{"00091001":{"vr":"LO","Value":["x"]}}]}}',
  );
  assert.equal(textOf(new DataSet()), '{}');
});

test('all text comes out in UTF-8 and the character set says so, items with one of their own too', () => {
  const gb = parseCharacterSet(['GB18030']);
  const latin = new DataSet();
  latin.setString(tags.SpecificCharacterSet, 'ISO_IR 100');
  latin.setBytes(0x0008_0104, 'LO', new Uint8Array(Buffer.from('Schädel', 'latin1')));
  const dataSet = new DataSet();
  dataSet.setString(tags.SpecificCharacterSet, 'GB18030');
  dataSet.setText(tags.PatientName, 'Zhang^San=张^三', gb);
  dataSet.setItems(0x0040_a730, [latin]);
  const json = jsonOf(dataSet);
  assert.deepEqual(json['00080005']?.Value, ['ISO_IR 192']);
  assert.deepEqual(json['00100010']?.Value, [{ Alphabetic: 'Zhang^San', Ideographic: '张^三' }]);
  const item = json['0040A730']?.Value?.[0] as Json;
  assert.deepEqual(item['00080104']?.Value, ['Schädel']);
  assert.deepEqual(item['00080005']?.Value, ['ISO_IR 192']);
});

test('a corrected character set takes the place of the one that is said, or is said where none was', () => {
  const gb = parseCharacterSet(['GB18030']);
  const dataSet = new DataSet();
  dataSet.setString(tags.ImageType, 'ORIGINAL');
  dataSet.setText(tags.PatientName, '张三', gb);
  const json = jsonOf(dataSet, { characterSet: gb });
  assert.deepEqual(json['00100010']?.Value, [{ Alphabetic: '张三' }]);
  assert.deepEqual(Object.keys(json), ['00080005', '00080008', '00100010']);
  dataSet.setString(tags.SpecificCharacterSet, 'ISO_IR 100');
  assert.deepEqual(jsonOf(dataSet, { characterSet: gb })['00100010']?.Value, [{ Alphabetic: '张三' }]);
  assert.notDeepEqual(jsonOf(dataSet)['00100010']?.Value, [{ Alphabetic: '张三' }]);
});

test('bytes that are no text are replaced, and what comes out is JSON all the same', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('LO', 'PN', 'LT', 'UI', 'DS', 'IS', 'UR', 'UC', 'CS', 'AS') as fc.Arbitrary<Vr>,
      fc.uint8Array({ maxLength: 60 }),
      fc.constantFrom([], ['ISO_IR 192'], ['GB18030'], ['', 'ISO 2022 IR 87'], ['ISO_IR 100']),
      (vr, bytes, terms) => {
        jsonOf(one(vr, bytes), { characterSet: parseCharacterSet(terms) });
      },
    ),
    { numRuns: 2000 },
  );
});

test('large binary values and what was passed over become references', () => {
  const stream = new DicomBytes()
    .element(0x0009_1001, 'OB', new Uint8Array(2000))
    .element(0x0009_1002, 'OB', new Uint8Array(10))
    .head(0x0040_a730, 'SQ')
    .item()
    .itemEnd()
    .item()
    .element(0x0042_0011, 'OB', new Uint8Array(5000))
    .itemEnd()
    .sequenceEnd()
    .element(0x7fe0_0010, 'OW', new Uint8Array(8));
  const reader = new DataSetReader({ syntax: explicitLittle, bulkBytesMin: 4000 });
  reader.push(stream.bytes);
  const dataSet = reader.finish();
  const paths: ElementPath[] = [];
  const bulkUri = (path: ElementPath): string => {
    paths.push(path);
    return `bulk/${path.join('.')}`;
  };
  const json = jsonOf(dataSet, { bulkUri });
  assert.equal(json['00091001']?.BulkDataURI, `bulk/${0x0009_1001}`);
  assert.equal(json['00091002']?.InlineBinary?.length, 16);
  assert.deepEqual(json['7FE00010'], { vr: 'OW', BulkDataURI: `bulk/${0x7fe0_0010}` });
  assert.deepEqual(paths, [[0x0009_1001], [0x0040_a730, 1, 0x0042_0011], [0x7fe0_0010]]);
  const without = jsonOf(dataSet);
  assert.equal(without['00091001']?.InlineBinary?.length, 2668);
  assert.deepEqual(without['7FE00010'], { vr: 'OW' });
});

test('attributes can be left out of the outermost data set', () => {
  const dataSet = one('LO', 'x');
  dataSet.setString(tags.Modality, 'CT');
  assert.deepEqual(Object.keys(jsonOf(dataSet, { leaveOut: (tag) => tag === tags.Modality })), ['00091001']);
});

test('what came as UN is written as the dictionary knows it, unknown VRs as UN', () => {
  const stream = new DicomBytes()
    .element(0x0009_1001, 'UN', 'ab')
    .element(0x0010_0020, 'UN', 'P-1')
    .raw(new DicomBytes().tag(0x0011_1001).raw(Buffer.from('"\\')).u16(2).raw([5, 6]).bytes);
  const reader = new DataSetReader({ syntax: explicitLittle });
  reader.push(stream.bytes);
  assert.equal(
    textOf(reader.finish()),
    '{"00091001":{"vr":"UN","InlineBinary":"YWI="},"00100020":{"vr":"LO","Value":["P-1"]},"00111001":{"vr":"UN","InlineBinary":"BQY="}}',
  );
});

test('a private sequence of unknown VR is a sequence', () => {
  const stream = new DicomBytes(forms.implicit)
    .head(0x0009_1002, 'SQ')
    .item()
    .element(0x0028_0010, 'US', [7])
    .itemEnd();
  const reader = new DataSetReader({ syntax: implicitLittle });
  reader.push(stream.sequenceEnd().bytes);
  assert.equal(textOf(reader.finish()), '{"00091002":{"vr":"SQ","Value":[{"00280010":{"vr":"US","Value":[7]}}]}}');
});

test('many data sets are written into one array', () => {
  const writer = new JsonWriter();
  writer.raw('[');
  writer.write(one('LO', 'a'));
  writer.raw(',');
  const first = writer.take();
  assert.equal(writer.sizeBytes, 0);
  writer.write(one('LO', 'b'));
  writer.raw(']');
  const whole = JSON.parse(Buffer.concat([first, writer.take()]).toString()) as Json[];
  assert.deepEqual(
    whole.map((each) => each['00091001']?.Value),
    [['a'], ['b']],
  );
});

test('JSON is read to the data set that it says', () => {
  const dataSet = dataSetOfJson({
    '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Zhang^San', Ideographic: '张^三' }, null, { Phonetic: 'p' }] },
    '00080060': { vr: 'CS', Value: ['CT', 'MR'] },
    '00180050': { vr: 'DS', Value: [1.5, '2.50', null] },
    '00200013': { vr: 'IS', Value: [7] },
    '00280010': { vr: 'US', Value: [512] },
    '00189182': { vr: 'FD', Value: [1.25, 'NaN'] },
    '00091001': { vr: 'UV', Value: ['18446744073709551615', 5] },
    '00720026': { vr: 'AT', Value: ['00100020'] },
    '00420011': { vr: 'OB', InlineBinary: 'AQID' },
    '0040A730': { vr: 'SQ', Value: [{ '00080005': { vr: 'CS', Value: ['ISO_IR 100'] } }, null] },
    '00100020': { vr: 'LO' },
    '00081030': { Value: ['x'] },
  });
  const utf8 = parseCharacterSet(['ISO_IR 192']);
  assert.deepEqual(dataSet.texts(tags.PatientName, utf8), ['Zhang^San=张^三', '', '==p']);
  assert.deepEqual(dataSet.strings(tags.SpecificCharacterSet), ['ISO_IR 192']);
  assert.deepEqual(dataSet.strings(tags.Modality), ['CT', 'MR']);
  assert.deepEqual(dataSet.strings(tags.SliceThickness), ['1.5', '2.50', '']);
  assert.equal(dataSet.number(tags.InstanceNumber), 7);
  assert.equal(dataSet.number(tags.Rows), 512);
  assert.deepEqual(dataSet.numbers(0x0018_9182), [1.25, Number.NaN]);
  assert.deepEqual(dataSet.bigints(0x0009_1001), [2n ** 64n - 1n, 5n]);
  assert.deepEqual(dataSet.strings(0x0072_0026), ['00100020']);
  assert.deepEqual([...(dataSet.bytes(0x0042_0011) ?? [])], [1, 2, 3, 0]);
  assert.deepEqual(
    dataSet.items(tags.ContentSequence).map((item) => item.elements.length),
    [0, 0],
  );
  assert.ok(dataSet.has(tags.PatientID) && dataSet.string(tags.PatientID) === undefined);
  assert.equal(dataSet.string(tags.StudyDescription), 'x');
  const order = dataSet.elements.map((element) => element.tag);
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
});

test('references are resolved by who reads', () => {
  const asked: unknown[] = [];
  const json = { '0040A730': { vr: 'SQ', Value: [{ '7FE00010': { vr: 'OW', BulkDataURI: 'part:1' } }] } };
  const dataSet = dataSetOfJson(json, {
    bulkElement: (uri, tag, vr, path) => {
      asked.push([uri, tag, vr, path]);
      return bytesElement(tag, vr, Uint8Array.of(1, 2));
    },
  });
  assert.deepEqual(asked, [['part:1', tags.PixelData, 'OW', [tags.ContentSequence, 0, tags.PixelData]]]);
  assert.equal(dataSet.items(tags.ContentSequence)[0]?.bytes(tags.PixelData)?.length, 2);
});

test('what is not of the model is refused with the way to it and no value', () => {
  const fails = (json: unknown, place = ''): void => {
    assert.throws(
      () => dataSetOfJson(json),
      (error) =>
        isArchiveError(error, 'DICOM_MALFORMED') && error.message.includes(place) && !error.message.includes('Geheim'),
      JSON.stringify(json),
    );
  };
  for (const json of [null, 1, 'Geheim', [], { x: {} }, { '0010002': {} }, { FFFEE000: { vr: 'LO' } }]) fails(json);
  for (const attribute of [
    null,
    [],
    'Geheim',
    { vr: 'ZZ' },
    { vr: 1 },
    { vr: 'LO', Value: 'Geheim' },
    { vr: 'LO', Value: [1] },
    { vr: 'LO', Value: [{}] },
    { vr: 'LT', Value: ['a', 'b'] },
    { vr: 'CS', Value: ['Geheim ü'] },
    { vr: 'PN', Value: [5] },
    { vr: 'PN', Value: [{ Alphabetic: 5 }] },
    { vr: 'LO', Value: ['\ud800'] },
    { vr: 'US', Value: [70_000] },
    { vr: 'US', Value: [-1] },
    { vr: 'US', Value: [1.5] },
    { vr: 'US', Value: ['Geheim'] },
    { vr: 'US', Value: [null] },
    { vr: 'IS', Value: [3e9] },
    { vr: 'DS', Value: [true] },
    { vr: 'FD', Value: ['Geheim'] },
    { vr: 'SV', Value: [1.5] },
    { vr: 'UV', Value: [-1] },
    { vr: 'UV', Value: ['18446744073709551616'] },
    { vr: 'AT', Value: ['Geheim'] },
    { vr: 'OB', Value: [1] },
    { vr: 'OB', InlineBinary: 'Geheim!' },
    { vr: 'OB', InlineBinary: 5 },
    { vr: 'SQ', InlineBinary: 'AAAA' },
    { vr: 'SQ', Value: ['Geheim'] },
    { vr: 'OB', InlineBinary: 'AAAA', BulkDataURI: 'Geheim' },
    { vr: 'OB', BulkDataURI: 'Geheim' },
  ]) {
    fails({ '00091001': attribute }, '00091001');
    fails({ '0040A730': { vr: 'SQ', Value: [{}, { '00091001': attribute }] } }, '0040A730/1/00091001');
  }
  let deep: unknown = {};
  for (let level = 0; level < 100; level++) deep = { '0040A730': { vr: 'SQ', Value: [deep] } };
  assert.throws(() => dataSetOfJson(deep), { code: 'LIMIT_EXCEEDED' });
});

test('what is written is read back as the same data set', () => {
  const text = fc
    .string({ unit: 'grapheme', maxLength: 10 })
    .map((each) => each.replace(/[\\=\0\s\u001b]/g, '').trim());
  const utf8 = parseCharacterSet(['ISO_IR 192']);
  const value = fc.oneof(
    fc.tuple(fc.constant<Vr>('LO'), fc.array(text, { minLength: 1, maxLength: 3 })),
    fc.tuple(fc.constant<Vr>('PN'), fc.array(text, { minLength: 1, maxLength: 2 })),
    fc.tuple(fc.constant<Vr>('UT'), fc.array(text, { minLength: 1, maxLength: 1 })),
  );
  fc.assert(
    fc.property(fc.array(value, { maxLength: 5 }), fc.uint8Array({ maxLength: 8 }), (texts, bytes) => {
      const dataSet = new DataSet();
      dataSet.setString(tags.SpecificCharacterSet, 'ISO_IR 192');
      for (const [index, [vr, values]] of texts.entries()) dataSet.setText(0x0009_1000 + index, values, utf8, vr);
      dataSet.setBytes(0x0009_2000, 'OW', bytes.length % 2 === 0 ? bytes : bytes.subarray(1));
      dataSet.set(new ItemsElement(0x0040_a730, 'SQ', [one('FD', new Uint8Array(16).fill(7))]));
      const again = dataSetOfJson(JSON.parse(textOf(dataSet)));
      again.setString(tags.SpecificCharacterSet, 'ISO_IR 192');
      for (const [index, [, values]] of texts.entries()) {
        const expected = values.every((each) => each === '') && values.length === 1 ? [] : values;
        assert.deepEqual(again.texts(0x0009_1000 + index, utf8), expected);
      }
      assert.deepEqual(again.bytes(0x0009_2000), dataSet.bytes(0x0009_2000));
      assert.equal(textOf(again), textOf(dataSet));
    }),
    { numRuns: 300 },
  );
});
