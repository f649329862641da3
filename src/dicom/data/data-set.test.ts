// DataSet: values out of it and into it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hexOf } from '../../base/index.ts';
import { parseCharacterSet } from '../text/character-set.ts';
import { DataSet } from './data-set.ts';
import { bytesElement } from './element.ts';
import { tags } from './tag.ts';
import { decimalText, parseDecimal } from './values.ts';
import type { Vr } from './vr.ts';

const ascii = parseCharacterSet([]);

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

function withValue(vr: Vr, value: string | Uint8Array, tag = 0x0009_1001): DataSet {
  return new DataSet([bytesElement(tag, vr, typeof value === 'string' ? bytesOf(value) : value)]);
}

test('padding is taken off by the rule of the VR, values are cut at backslashes', () => {
  const check = (vr: Vr, value: string, expected: string[]): void => {
    assert.deepEqual(withValue(vr, value).strings(0x0009_1001), expected);
    assert.deepEqual(withValue(vr, value).texts(0x0009_1001, ascii), expected);
  };
  check('CS', ' A \\B ', ['A', 'B']);
  check('LO', ' A', ['A']);
  check('LT', ' A\\B \r\n ', [' A\\B \r\n']);
  check('UC', ' A \\B ', [' A', 'B']);
  check('UI', '1.2\\1.3\0', ['1.2', '1.3']);
  check('UI', '1.2 ', ['1.2']);
  check('DA', '20240101', ['20240101']);
  check('PN', 'A^B\\\\C^D', ['A^B', '', 'C^D']);
  check('UR', 'http://a\\b ', ['http://a\\b']);
  check('SH', '', []);
  check('SH', '  ', []);
  check('SH', '\\', ['', '']);
});

test('the first value is undefined where there is none', () => {
  assert.equal(new DataSet().string(tags.PatientID), undefined);
  assert.equal(withValue('LO', '').string(0x0009_1001), undefined);
  assert.equal(withValue('LO', '\\B').string(0x0009_1001), undefined);
  assert.equal(withValue('LO', 'A\\B').string(0x0009_1001), 'A');
});

test('numbers are read from every VR that holds them', () => {
  const check = (vr: Vr, value: string | Uint8Array, expected: number[]): void =>
    assert.deepEqual(withValue(vr, value).numbers(0x0009_1001), expected, vr);
  check('DS', '1.5\\-2e3\\+.5\\ 7 ', [1.5, -2000, 0.5, 7]);
  check('DS', '1,5\\x\\0x10\\1e999\\3', [3]);
  check('IS', '12\\-3 ', [12, -3]);
  check('US', Uint8Array.of(1, 0, 0xff, 0xff), [1, 65535]);
  check('SS', Uint8Array.of(0xff, 0xff), [-1]);
  check('UL', Uint8Array.of(0xff, 0xff, 0xff, 0xff), [0xffff_ffff]);
  check('SL', Uint8Array.of(0xff, 0xff, 0xff, 0xff), [-1]);
  check('FL', new Uint8Array(Float32Array.of(1.5).buffer), [1.5]);
  check('FD', new Uint8Array(Float64Array.of(Math.PI).buffer), [Math.PI]);
  check('SV', new Uint8Array(BigInt64Array.of(-5n).buffer), [-5]);
  check('UV', new Uint8Array(BigUint64Array.of(5n).buffer), [5]);
  check('AT', Uint8Array.of(0x10, 0, 0x20, 0), [0x0010_0020]);
  check('OW', Uint8Array.of(1, 0, 2, 0), [1, 2]);
  check('US', Uint8Array.of(1, 0, 7), [1]);
  check('LO', '12', []);
  assert.deepEqual(withValue('UV', new Uint8Array(BigUint64Array.of(2n ** 64n - 1n).buffer)).bigints(0x0009_1001), [
    2n ** 64n - 1n,
  ]);
});

test('what is no decimal string is no number', () => {
  for (const text of ['', ' ', '1 2', '--1', '1e', 'NaN', 'Infinity', '0x1'])
    assert.equal(parseDecimal(text), undefined);
  assert.equal(parseDecimal('-.5E-3'), -0.0005);
});

test('decimal strings have at most 16 characters and are as close as that allows', () => {
  const check = (value: number, expected: string): void => assert.equal(decimalText(value), expected);
  check(0.1, '0.1');
  check(-1234567, '-1234567');
  check(Math.PI, '3.14159265358979');
  check(-Math.PI, '-3.1415926535898');
  check(1e300, '1e+300');
  check(1.23456789012345e-200, '1.23456789e-200');
  for (const value of [Math.PI * 1e-7, -Math.E * 1e22, 1 / 3, Number.MAX_VALUE, Number.MIN_VALUE]) {
    const text = decimalText(value);
    assert.ok(text.length <= 16 && Math.abs(Number(text) - value) <= Math.abs(value) * 1e-8, text);
  }
});

test('values that are set take their place in the order of tags', () => {
  const dataSet = new DataSet();
  dataSet.setString(tags.StudyInstanceUID, '1.2.3');
  dataSet.setString(tags.Modality, 'CT');
  dataSet.setNumber(tags.Rows, 512);
  dataSet.setNumber(tags.SliceThickness, [1.5, 2]);
  dataSet.setNumber(tags.InstanceNumber, 7);
  dataSet.setString(0x0008_2112, 'x', 'LO');
  dataSet.setString(0x0072_0026, '00100020');
  dataSet.setItems(tags.RequestAttributesSequence, [new DataSet()]);
  assert.ok(dataSet.setText(tags.PatientName, 'A^B', ascii));
  const order = dataSet.elements.map((element) => element.tag);
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
  assert.equal(hexOf(dataSet.bytes(tags.StudyInstanceUID) ?? new Uint8Array()), '312e322e3300');
  assert.equal(hexOf(dataSet.bytes(0x0072_0026) ?? new Uint8Array()), '10002000');
  assert.equal(dataSet.string(tags.SliceThickness), '1.5');
  assert.equal(dataSet.string(tags.InstanceNumber), '7');
  dataSet.setString(tags.Modality, 'MR');
  assert.equal(dataSet.string(tags.Modality), 'MR');
  assert.equal(dataSet.elements.length, 9);
  assert.ok(dataSet.remove(tags.Modality) && !dataSet.remove(tags.Modality) && !dataSet.has(tags.Modality));
});

test('of a tag that is there twice none is left behind when it is set or removed', () => {
  const twice = (): DataSet =>
    new DataSet([
      bytesElement(tags.PatientID, 'LO', bytesOf('P-1 ')),
      bytesElement(tags.Modality, 'CS', bytesOf('CT')),
      bytesElement(tags.PatientID, 'LO', bytesOf('P-2 ')),
    ]);
  const changed = twice();
  changed.setString(tags.PatientID, 'NEW');
  assert.deepEqual(
    changed.elements.map(({ tag }) => tag),
    [tags.PatientID, tags.Modality],
  );
  assert.equal(changed.string(tags.PatientID), 'NEW');
  assert.equal(changed.string(tags.Modality), 'CT');
  const removed = twice();
  assert.ok(removed.remove(tags.PatientID) && !removed.has(tags.PatientID));
  assert.equal(removed.elements.length, 1);
});

test('texts are read and written through a character set, or not at all', () => {
  const gb = parseCharacterSet(['GB18030']);
  const dataSet = new DataSet();
  assert.equal(dataSet.setText(tags.PatientName, 'Zhang^San=张^三', ascii), false);
  assert.ok(!dataSet.has(tags.PatientName));
  assert.ok(dataSet.setText(tags.PatientName, ['Zhang^San=张^三', 'B'], gb));
  assert.deepEqual(dataSet.texts(tags.PatientName, gb), ['Zhang^San=张^三', 'B']);
  assert.equal(dataSet.text(tags.PatientName, gb), 'Zhang^San=张^三');
  dataSet.setString(tags.SpecificCharacterSet, 'GB18030');
  assert.deepEqual(dataSet.characterSet().terms, ['GB18030']);
  assert.equal(new DataSet().characterSet(gb), gb);
});

test('a backslash within a character of two bytes separates nothing', () => {
  const gbk = parseCharacterSet(['GBK']);
  // 0x8B5C is one character whose second byte is a backslash.
  const dataSet = withValue('LO', Uint8Array.of(0x8b, 0x5c, 0x41, 0x20));
  assert.equal(dataSet.texts(0x0009_1001, gbk).length, 1);
});

test('a copy shares no items with what it was copied from', () => {
  const item = new DataSet();
  item.setString(0x0008_0100, 'a');
  const first = new DataSet();
  first.setItems(tags.RequestAttributesSequence, [item]);
  const second = first.copy();
  assert.ok(second.equals(first));
  second.items(tags.RequestAttributesSequence)[0]?.setString(0x0008_0100, 'b');
  assert.equal(item.string(0x0008_0100), 'a');
  assert.ok(!second.equals(first));
});

test('holders are all data sets at the end of a path, whatever the item', () => {
  const leaf = (value: string): DataSet => {
    const dataSet = new DataSet();
    dataSet.setString(0x0008_0100, value);
    return dataSet;
  };
  const root = new DataSet();
  root.setItems(tags.RequestAttributesSequence, [leaf('a'), new DataSet(), leaf('c')]);
  const found = [...root.holders([tags.RequestAttributesSequence, 0x0008_0100])].map((each) =>
    each.string(0x0008_0100),
  );
  assert.deepEqual(found, ['a', undefined, 'c']);
  assert.deepEqual([...root.holders([tags.PatientID])], [root]);
  assert.deepEqual([...root.holders([tags.ContentSequence, tags.PatientID])], []);
});
