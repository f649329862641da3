// What counts as a difference between two headers, and what does not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bytesElement,
  DataSet,
  DataSetReader,
  encodeDataSet,
  explicitBig,
  explicitLittle,
  ItemsElement,
  implicitLittle,
  parseCharacterSet,
  samePersonName,
  type TransferSyntax,
  tags,
} from '../dicom/index.ts';
import { headerDifference, identityDifference } from './header-difference.ts';

function made(change: (dataSet: DataSet) => void = () => undefined): DataSet {
  const dataSet = new DataSet();
  dataSet.setString(tags.SOPInstanceUID, '1.2.3');
  dataSet.setString(tags.Modality, 'CT');
  dataSet.setString(tags.PatientName, 'ZHANG^SAN');
  dataSet.setString(tags.PatientID, 'P1');
  dataSet.setString(tags.PatientBirthDate, '19700101');
  dataSet.setNumber(tags.Rows, 7);
  const item = new DataSet();
  item.setString(tags.ScheduledProcedureStepID, 'S1');
  dataSet.set(new ItemsElement(tags.RequestAttributesSequence, 'SQ', [item], false));
  dataSet.setBytes(0x0009_0010, 'LO', Buffer.from('OURS'));
  dataSet.setBytes(0x0009_1001, 'LO', Buffer.from('private'));
  change(dataSet);
  return dataSet;
}

function through(dataSet: DataSet, syntax: TransferSyntax): DataSet {
  const reader = new DataSetReader({ syntax });
  reader.push(encodeDataSet(dataSet, syntax));
  return reader.finish();
}

function check(one: DataSet, other: DataSet, expected: readonly string[], sameSyntax = true): void {
  assert.deepEqual(headerDifference(one, other, { sameSyntax }).paths, expected);
  assert.deepEqual(headerDifference(other, one, { sameSyntax }).paths, expected);
}

test('the same attributes are the same in every syntax, with lengths or without, padded or not', () => {
  const one = made();
  for (const syntax of [implicitLittle, explicitLittle, explicitBig]) check(one, through(one, syntax), [], false);
  check(
    one,
    made((each) => each.setBytes(tags.PatientID, 'LO', Buffer.from('P1  '))),
    [],
  );
  check(
    one,
    made((each) => each.setNumber(0x0008_0000, 99, 'UL')),
    [],
  );
  check(
    one,
    made((each) => each.setBytes(tags.DataSetTrailingPadding, 'OB', new Uint8Array(8))),
    [],
  );
});

test('what differs is named by its way, within items too, and never by its value', () => {
  const one = made();
  check(
    one,
    made((each) => each.setString(tags.Modality, 'MR')),
    ['00080060'],
  );
  check(
    one,
    made((each) => each.remove(0x0009_1001)),
    ['00091001'],
  );
  check(
    one,
    made((each) => each.setNumber(tags.Rows, 8)),
    ['00280010'],
  );
  check(
    one,
    made((each) => each.items(tags.RequestAttributesSequence)[0]?.setString(tags.ScheduledProcedureStepID, 'S2')),
    ['00400275/0/00400009'],
  );
  check(
    one,
    made((each) => each.setItems(tags.RequestAttributesSequence, [])),
    ['00400275'],
  );
});

test('what decoding and encoding pixels changes is passed over between syntaxes alone', () => {
  const other = made((each) => each.setString(tags.PhotometricInterpretation, 'YBR_FULL'));
  check(made(), other, ['00280004'], true);
  check(made(), other, [], false);
});

test('whose an instance is differs by what it reads as, not by how it is written', () => {
  const identity = (one: DataSet, other: DataSet): string[] =>
    identityDifference(
      { dataSet: one, set: one.characterSet() },
      { dataSet: other, set: other.characterSet() },
      samePersonName,
    );
  assert.deepEqual(identity(made(), made()), []);
  assert.deepEqual(
    identity(
      made(),
      made((each) => each.setString(tags.Modality, 'MR')),
    ),
    [],
  );
  assert.deepEqual(
    identity(
      made(),
      made((each) => each.setString(tags.PatientName, 'ZHANG^SAN^^^')),
    ),
    [],
  );
  assert.deepEqual(
    identity(
      made(),
      made((each) => each.setString(tags.PatientBirthDate, '1970.01.01')),
    ),
    [],
  );
  assert.deepEqual(
    identity(
      made(),
      made((each) => each.setString(tags.PatientID, 'P2')),
    ),
    ['PatientID'],
  );
  assert.deepEqual(
    identity(
      made(),
      made((each) => each.setString(tags.PatientName, 'LI^SI')),
    ),
    ['PatientName'],
  );
  assert.deepEqual(
    identity(
      made(),
      made((each) => each.setString(tags.StudyInstanceUID, '1.9')),
    ),
    ['StudyInstanceUID'],
  );
  const named = (terms: string, declared: string): DataSet =>
    made((each) => {
      each.setString(tags.SpecificCharacterSet, declared);
      each.setText(tags.PatientName, '张^三', parseCharacterSet([terms]));
    });
  assert.deepEqual(identity(named('GB18030', 'GB18030'), named('ISO_IR 192', 'ISO_IR 192')), []);
  assert.deepEqual(identity(named('GB18030', 'GB18030'), named('GB18030', 'ISO_IR 100')), [], 'one of them misread');
});

test('long values of one size are given back to be compared', () => {
  const long = made((each) => each.set(bytesElement(0x0042_0011, 'OB', new Uint8Array(70_000))));
  const read = through(long, explicitLittle);
  const { paths, long: pairs } = headerDifference(read, through(long, explicitLittle), { sameSyntax: true });
  assert.deepEqual([paths, pairs.map((each) => each.path)], [[], ['00420011']]);
});
