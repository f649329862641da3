// Which device a header is of, and how its texts are read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tenantId } from '../base/index.ts';
import { deviceIdOf } from '../catalog/index.ts';
import { DataSet, parseCharacterSet, tagOfKeyword, tags } from '../dicom/index.ts';
import type { ReadAs } from '../format/index.ts';
import { deviceOf } from './device-of.ts';
import { TextReading } from './text-reading.ts';

const sender = { tenant: tenantId(1), source: 'CT1AE' };

function headerOf(
  texts: Readonly<Record<string, string>>,
  sent = 'ISO_IR 6',
  declared: readonly string[] = [],
): DataSet {
  const header = new DataSet();
  if (declared.length > 0) header.setString(tags.SpecificCharacterSet, declared);
  for (const [keyword, text] of Object.entries(texts))
    assert.ok(header.setText(tagOfKeyword(keyword) ?? 0, text, parseCharacterSet([sent])), keyword);
  return header;
}

function check(
  texts: Readonly<Record<string, string>>,
  expected: readonly [string, string, string],
  sent?: string,
): void {
  const { maker, model, station } = deviceOf(headerOf(texts, sent));
  assert.deepEqual([maker, model, station], expected);
}

test('a device is named by maker, model and station, without regard to case and blanks', () => {
  check({ Manufacturer: 'Acme  Corp ', ManufacturerModelName: 'Scan 7', StationName: 'ct1' }, [
    'ACME CORP',
    'SCAN 7',
    'CT1',
  ]);
  check({ DeviceSerialNumber: '4711' }, ['', '', '4711']);
  check({ StationName: 'CT1', DeviceSerialNumber: '4711' }, ['', '', 'CT1']);
  check({ Manufacturer: '东软' }, ['?', '', ''], 'GB18030');
  check({ Manufacturer: 'x'.repeat(200) }, ['X'.repeat(64), '', '']);
});

const read = (texts: TextReading, name: string, sent: string, declared: readonly string[] = []): ReadAs =>
  texts.read(headerOf({ PatientName: name, StationName: 'CT1' }, sent, declared), sender).readAs;

test('texts are read as declared, as they are, or as somebody said', () => {
  const texts = new TextReading();
  const told = ({ how, read: terms }: ReadAs): string => `${how} ${terms.join('\\')}`;
  assert.equal(told(read(texts, 'ZHANG^SAN', 'ISO_IR 6')), 'plain ');
  assert.equal(told(read(texts, '张三', 'GB18030', ['GB18030'])), 'declared GB18030');
  assert.equal(told(read(texts, '张三', 'GB18030', ['ISO_IR 100'])), 'text GB18030');
  assert.equal(told(read(texts, '张三', 'ISO_IR 192')), 'text ISO_IR 192');
  const setting = { terms: ['GBK'], declared: ['ISO_IR 100'], who: 'a', why: 'b', atMs: 1, done: true };
  texts.use({ ...setting, device: idOf(texts) });
  assert.equal(told(read(texts, '张三', 'GB18030', ['ISO_IR 100'])), 'setting GBK');
  assert.equal(
    told(read(texts, '张三', 'GB18030', ['GB18030'])),
    'declared GB18030',
    'the setting is for another declaration',
  );
  texts.use({ ...setting, device: idOf(texts), terms: [] });
  assert.equal(told(read(texts, '张三', 'GB18030', ['ISO_IR 100'])), 'text GB18030', 'it was taken back');
});

/** The id under which a setting of the device is looked for. */
function idOf(texts: TextReading): string {
  const { maker, model, station } = read(texts, 'A', 'ISO_IR 6');
  return deviceIdOf({ ...sender, maker, model, station });
}

test('what is in doubt is settled by what the device sends otherwise, and by nothing that another one sends', () => {
  const [texts, ambiguous] = [new TextReading(), '魏蔚'];
  assert.equal(read(texts, ambiguous, 'GB18030').how, 'unsure');
  const surely = read(texts, '欧阳修', 'GB18030');
  for (let count = 0; count < 40; count += 1) texts.learn({ ...sender, source: 'OTHER' }, surely);
  assert.equal(read(texts, ambiguous, 'GB18030').how, 'unsure');
  for (let count = 0; count < 40; count += 1) texts.learn(sender, surely);
  assert.equal(read(texts, ambiguous, 'GB18030').how, 'text');
});
