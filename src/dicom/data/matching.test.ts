// Matching: what a key asks for, and what fits it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isArchiveError } from '../../base/index.ts';
import { parseCharacterSet } from '../text/character-set.ts';
import { DataSet } from './data-set.ts';
import {
  combinedRange,
  fitsCombined,
  fitsKeys,
  fitsName,
  fitsPattern,
  fitsTexts,
  keysOfIdentifier,
  parseMatch,
  type RangeMatch,
} from './matching.ts';
import { parseDate, parseDateTime, parseTime } from './moment.ts';
import { tags } from './tag.ts';
import type { Vr } from './vr.ts';

const ascii = parseCharacterSet([]);
const utf8 = parseCharacterSet(['ISO_IR 192']);

/** Whether values fit a key of a VR. */
function check(vr: Vr, key: string | string[], values: string | string[], expected: boolean): void {
  const match = parseMatch(vr, typeof key === 'string' ? [key] : key);
  assert.ok(match !== undefined, `${vr} ${JSON.stringify(key)}`);
  const list = typeof values === 'string' ? [values] : values;
  assert.equal(fitsTexts(match, list), expected, `${vr} ${JSON.stringify(key)} and ${JSON.stringify(values)}`);
}

test('an empty key and a star alone fit anything, two quotation marks only what is empty', () => {
  for (const key of ['', '*', '**']) {
    check('LO', key, [], true);
    check('LO', key, 'x', true);
    check('DA', key, [], true);
  }
  check('LO', '""', [], true);
  check('LO', '""', '', true);
  check('LO', '""', 'x', false);
});

test('a single value is matched whole, in its case', () => {
  check('LO', 'P-1', 'P-1', true);
  check('LO', 'P-1', ' P-1 ', true);
  check('LO', 'P-1', 'p-1', false);
  check('LO', 'P-1', 'P-12', false);
  check('LO', 'P-1', [], false);
  check('LO', 'P-1', ['P-0', 'P-1'], true);
  const match = parseMatch('LO', ['Kopf'], { caseless: true });
  assert.ok(match !== undefined && fitsTexts(match, ['KOPF']));
});

test('wildcards stand for any characters and for one', () => {
  check('LO', 'P*', 'P-1', true);
  check('LO', 'P*', 'XP', false);
  check('LO', '*1', 'P-1', true);
  check('LO', 'P?1', 'P-1', true);
  check('LO', 'P?1', 'P1', false);
  check('LO', '*-*', 'P-1', true);
  check('LO', '?', '张', true);
  check('LO', '??', '𠮷', false);
  check('CS', 'C?', 'CT', true);
  check('LO', 'a.c', 'abc', false);
  check('LO', ['A*', 'B*'], 'Bx', true);
});

test('UIDs are matched from a list, and never by wildcards', () => {
  check('UI', ['1.2', '1.3'], '1.3', true);
  check('UI', ['1.2', '1.3'], '1.4', false);
  check('UI', '1.*', '1.2', false);
});

test('names match in either case, in any group, whole or by groups', () => {
  check('PN', 'wang^xiaodong', 'Wang^XiaoDong=王^小东', true);
  check('PN', '王^小东', 'Wang^XiaoDong=王^小东', true);
  check('PN', '王*', 'Wang^XiaoDong=王^小东', true);
  check('PN', 'Wang^XiaoDong^^^', 'Wang^XiaoDong', true);
  check('PN', 'Wang', 'Wang^XiaoDong', false);
  check('PN', 'Wang^*=王^*', 'Wang^XiaoDong=王^小东', true);
  check('PN', 'Wang^*=李^*', 'Wang^XiaoDong=王^小东', false);
  check('PN', '=王^小东', 'X^Y=王^小东', true);
  check('PN', 'MÜLLER*', 'Müller^Eva', true);
  assert.ok(fitsName('Smith^John^^^ ', 'smith^john'));
});

test('numbers match by what they are worth', () => {
  check('IS', '7', '007', true);
  check('IS', '7', ' 7', true);
  check('DS', '1.50', '1.5', true);
  check('DS', '1e1', '10', true);
  check('IS', ['7', '8'], '8', true);
  check('IS', '7', '70', false);
  assert.equal(parseMatch('IS', ['x']), undefined);
});

test('dates match singly and in ranges open at either end', () => {
  check('DA', '20240115', '20240115', true);
  check('DA', '20240115', '20240116', false);
  check('DA', '20240101-20240131', '20240131', true);
  check('DA', '20240101-20240131', '20240201', false);
  check('DA', '20240101-', '20991231', true);
  check('DA', '-20240131', '19000101', true);
  check('DA', '-20240131', '20240201', false);
  check('DA', '2024.01.01-2024.01.31', '20240115', true);
  check('DA', '20240115', '2024.01.15', true);
  check('DA', '202401', '20240115', true);
  check('DA', '2023-2024', '20240115', true);
  check('DA', '20240115', 'gestern', false);
  for (const key of ['x', '-', '20241301', '20240132', '2024-x', '20240101-20240102-20240103', '20240101\\20240102']) {
    assert.equal(parseMatch('DA', [key]), undefined, key);
  }
});

test('a time said to the hour or minute means all of it', () => {
  check('TM', '10', '105959.999999', true);
  check('TM', '1030', '103059', true);
  check('TM', '1030', '1031', false);
  check('TM', '103000', '103000.5', true);
  check('TM', '103000.25', '103000.251', true);
  check('TM', '1030-1100', '110059', true);
  check('TM', '1030-', '235959', true);
  check('TM', '10:30:00', '103000', true);
  check('TM', '103000', '10:30:00', true);
  for (const key of ['24', '1060', '1', '103', '10300', 'x-y']) assert.equal(parseMatch('TM', [key]), undefined, key);
});

test('dates with times match in ranges, in UTC where both say their offset', () => {
  check('DT', '20240115', '20240115103000', true);
  check('DT', '2024', '20240630', true);
  check('DT', '20240115-20240116', '20240116235959', true);
  check('DT', '202401151030-', '20240115102959', false);
  check('DT', '20240115103000+0800', '20240115023000+0000', true);
  check('DT', '20240115103000+0800', '20240115103000+0000', false);
  check('DT', '20240115103000+0800', '20240115103000', true);
  check('DT', '20240115100000-0500-20240115110000-0500', '20240115153000+0000', true);
  check('DT', '20240115100000-0500-20240115110000-0500', '20240115163000+0000', false);
  check('DT', '-20240115', '20240101', true);
  const match = parseMatch('DT', ['20240115103000+0800']);
  assert.ok(match !== undefined && fitsTexts(match, ['20240115023000'], 0));
  assert.ok(match !== undefined && !fitsTexts(match, ['20240115103000'], 0));
});

test('moments span what is meant', () => {
  assert.deepEqual(parseDate('202402'), { from: '20240201', to: '20240231', offsetMinutes: undefined });
  assert.deepEqual(parseTime('23'), { from: '230000000000', to: '235960999999', offsetMinutes: undefined });
  assert.deepEqual(parseDateTime('20240115+0130'), {
    from: '20240115000000000000',
    to: '20240115235960999999',
    offsetMinutes: 90,
  });
  for (const text of ['', '202', '20240115T10', '20240115+9900', '2024011525'])
    assert.equal(parseDateTime(text), undefined);
});

test('a range of dates and one of times can be one range of both', () => {
  const range = (vr: Vr, key: string): RangeMatch => {
    const match = parseMatch(vr, [key]);
    assert.ok(match?.kind === 'range');
    return match;
  };
  const combined = combinedRange(range('DA', '20240101-20240102'), range('TM', '1000-0900'));
  assert.deepEqual([combined.from, combined.to], ['20240101100000000000', '20240102090060999999']);
  assert.ok(fitsCombined(combined, '20240101', '235959') && fitsCombined(combined, '20240102', '0800'));
  assert.ok(!fitsCombined(combined, '20240101', '0959') && !fitsCombined(combined, '20240102', '0901'));
  assert.ok(fitsCombined(combined, '20240102', '') && !fitsCombined(combined, '20240101', ''));
  assert.ok(!fitsCombined(combined, '', '1000'));
  const open = combinedRange(range('DA', '20240101-'), range('TM', '1000-'));
  assert.ok(fitsCombined(open, '20250101', '0000') && !fitsCombined(open, '20240101', '0900'));
});

function stored(): DataSet {
  const code = new DataSet();
  code.setString(tags.CodeValue, 'T-A0100');
  const request = new DataSet();
  request.setString(tags.RequestedProcedureID, 'R1');
  request.setItems(tags.ProcedureCodeSequence, [code]);
  const dataSet = new DataSet();
  dataSet.setString(tags.SpecificCharacterSet, 'ISO_IR 192');
  dataSet.setString(tags.StudyDate, '20240115');
  dataSet.setString(tags.Modality, 'CT');
  dataSet.setString(tags.AccessionNumber, '');
  dataSet.setText(tags.PatientName, 'Wang^XiaoDong=王^小东', utf8);
  dataSet.setNumber(tags.InstanceNumber, 7);
  dataSet.setNumber(tags.Rows, 512);
  dataSet.setItems(tags.RequestAttributesSequence, [new DataSet(), request]);
  return dataSet;
}

test('an identifier becomes keys, and a data set fits them or not', () => {
  const fits = (build: (identifier: DataSet) => void): boolean => {
    const identifier = new DataSet();
    identifier.setString(tags.QueryRetrieveLevel, 'STUDY');
    build(identifier);
    return fitsKeys(stored(), keysOfIdentifier(identifier, ascii));
  };
  assert.ok(fits(() => undefined));
  assert.ok(fits((key) => key.setString(tags.PatientID, '')));
  assert.ok(!fits((key) => key.setString(tags.PatientID, 'P-1')));
  assert.ok(fits((key) => key.setString(tags.StudyDate, '20240101-20240131', 'LO')));
  assert.ok(fits((key) => key.setString(tags.InstanceNumber, '07')));
  assert.ok(fits((key) => key.setNumber(tags.Rows, [256, 512])));
  assert.ok(!fits((key) => key.setNumber(tags.Rows, 256)));
  assert.ok(fits((key) => key.setString(tags.AccessionNumber, '""')));
  assert.ok(fits((key) => key.setString(tags.StudyID, '""')));
  assert.ok(!fits((key) => key.setString(tags.Modality, '""')));
  const inGb = (key: DataSet): void => {
    key.setString(tags.SpecificCharacterSet, 'GB18030');
    key.setText(tags.PatientName, '王*', parseCharacterSet(['GB18030']));
  };
  assert.ok(fits(inGb));
  const item = (code: string): DataSet => {
    const inner = new DataSet();
    inner.setString(tags.CodeValue, code);
    const outer = new DataSet();
    outer.setString(tags.RequestedProcedureID, 'R?');
    outer.setItems(tags.ProcedureCodeSequence, [inner]);
    return outer;
  };
  assert.ok(fits((key) => key.setItems(tags.RequestAttributesSequence, [item('T-*')])));
  assert.ok(!fits((key) => key.setItems(tags.RequestAttributesSequence, [item('M-*')])));
  assert.ok(fits((key) => key.setItems(tags.RequestAttributesSequence, [])));
  assert.ok(fits((key) => key.setItems(tags.RequestAttributesSequence, [new DataSet()])));
  assert.ok(!fits((key) => key.setItems(tags.ContentSequence, [item('T-*')])));
});

test('a key that its VR cannot have is refused by its tag, without its value', () => {
  const identifier = new DataSet();
  identifier.setString(tags.StudyDate, 'Geheim', 'LO');
  identifier.setString(tags.StudyDate, 'Geheim', 'DA');
  assert.throws(
    () => keysOfIdentifier(identifier, ascii),
    (error) =>
      isArchiveError(error, 'ARGUMENT_INVALID') &&
      error.message.includes('(0008,0020)') &&
      !error.message.includes('Geheim'),
  );
});

test('patterns match as a regular expression would, in bounded time', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
  fc.assert(
    fc.property(text, pattern, (each, wanted) => {
      const expression = new RegExp(`^${wanted.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      assert.equal(fitsPattern(each, wanted, false), expression.test(each));
    }),
    { numRuns: 2000 },
  );
  const started = process.cpuUsage();
  assert.ok(!fitsPattern('a'.repeat(10_000), `${'*a'.repeat(500)}b`, false));
  assert.ok(process.cpuUsage(started).user < 1_000_000);
});
