// What columns of RIS lists are called, and what their values mean.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isArchiveError, readCsv } from '../base/index.ts';
import { type RisColumn, RisListReader, type RisStudy } from './ris-list.ts';

function read(text: string, wanted: Partial<Record<RisColumn, string>> = {}): RisStudy[] {
  const rows = readCsv(text);
  const reader = new RisListReader([...(rows[0]?.values.keys() ?? [])], wanted);
  return rows.map((row) => reader.read(row));
}

function check(text: string, expected: Partial<RisStudy>): void {
  const [row] = read(text);
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(row?.[name as keyof RisStudy], value, name);
}

test('columns are found by English and Chinese names, however they are written', () => {
  const expected = { accession: 'A1', patientId: 'P1', date: '20240229', modality: 'CT', images: 7, sex: 'F' as const };
  check('Accession_Number,Patient ID,Study Date,MODALITY,Images,Sex\nA1,P1,2024-02-29,ct,7,F', expected);
  check('检查号;患者ID;检查日期;设备类型;图像数;性别\nA1;P1;2024/2/29 10:11;CT;7;女', expected);
  check('登记号\t病人编号\t检查时间\t检查类型\t影像数量\t性别\nA1\tP1\t2024年2月29日\tCT\t7\t女性', expected);
  check('study uid,姓名,出生日期\n1.2.3,张三,1970.1.2', { study: '1.2.3', patientName: '张三', birthDate: '19700102' });
  const [named] = read('影像号,检查号\nX1,A1', { accession: '影像号' });
  assert.equal(named?.accession, 'X1', 'what somebody says counts more');
});

test('what people say for a modality is its code, and what says nothing is left out', () => {
  for (const [said, code] of [
    ['核磁共振', 'MR'],
    ['MRI', 'MR'],
    ['彩超', 'US'],
    ['DR', 'DR'],
    ['PET/CT', 'PT'],
    ['院外会诊', undefined],
  ] as const)
    check(`检查号,模态\nA1,${said}`, { modality: code });
  check('accession,sex,date,birthdate\nA1,?,soon,', { sex: undefined, date: undefined, birthDate: undefined });
});

test('a list or a row that cannot be compared is refused by its line', () => {
  for (const [text, says] of [
    ['patientid\nP1', 'needs a column'],
    ['accession,patientid\n,P1', 'line 2'],
    ['study\nabc', 'line 2'],
    ['accession,images\nA1,\nA2,many', 'line 3'],
  ] as const) {
    assert.throws(
      () => read(text),
      (error) => isArchiveError(error, 'ARGUMENT_INVALID') && error.message.includes(says),
    );
  }
  assert.throws(
    () => read('accession\nA1', { patientId: 'nowhere' }),
    (error) => isArchiveError(error, 'ARGUMENT_INVALID'),
  );
});
