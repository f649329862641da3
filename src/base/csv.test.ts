import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CsvReader, csvLine, readCsv } from './csv.ts';
import { isArchiveError } from './errors.ts';

const rowsOf = (text: string): unknown => readCsv(text).map(({ number, values }) => [number, ...values.values()]);

function inPieces(text: string, size: number): unknown {
  const reader = new CsvReader();
  const rows: unknown[] = [];
  const take = (found: ReturnType<CsvReader['push']>): void => {
    for (const { number, values } of found) rows.push([number, ...values.values()]);
  };
  for (let at = 0; at < text.length; at += size) take(reader.push(text.slice(at, at + size)));
  take(reader.end());
  return rows;
}

test('fields come with or without quotes, by comma, semicolon or tab, whatever ends the lines', () => {
  const expected = [
    [2, 'A1', 'x, "y"'],
    [4, 'A2', ''],
  ];
  for (const end of ['\n', '\r\n'])
    assert.deepEqual(rowsOf(`\uFEFFAccession No,Note${end}A1,"x, ""y"""${end}${end}A2${end}`), expected);
  assert.deepEqual(rowsOf('a;b\n1;"two\nlines"\n3;4'), [
    [2, '1', 'two\nlines'],
    [4, '3', '4'],
  ]);
  assert.deepEqual(rowsOf('a\tb\n1\t2\t\n'.replace('2\t', '2')), [[2, '1', '2']]);
  assert.deepEqual([...(readCsv('检查号, Patient_ID\n1,2')[0]?.values.keys() ?? [])], ['检查号', 'patientid']);
});

test('what is no such table is refused with its line and nothing of its content', () => {
  for (const [text, line] of [
    ['', 'names'],
    [',,\n1', 'names'],
    ['a,a\n1,2', 'one name'],
    ['a,b\n1,2,3', 'line 2'],
    ['a,b\n1,"secret', 'line 2'],
    ['a,b\n"secret"x,2', 'line 2'],
  ] as const)
    assert.throws(
      () => readCsv(text),
      (error) =>
        isArchiveError(error, 'ARGUMENT_INVALID') && error.message.includes(line) && !/secret/.test(error.message),
    );
  const endless = new CsvReader();
  assert.throws(
    () => {
      for (let count = 0; count < 100; count += 1) for (const _ of endless.push(`a\n"${'x'.repeat(100_000)}`));
    },
    (error) => isArchiveError(error, 'ARGUMENT_INVALID'),
  );
});

test('what was written is read, and the pieces make no difference', () => {
  const field = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', '张', ';') });
  const table = fc.array(fc.tuple(field, field), { maxLength: 8 });
  const cases = fc.property(table, fc.integer({ min: 1, max: 9 }), (rows, size) => {
    const text = ['one,two', ...rows.map((row) => csvLine(row))].join('\n');
    const expected = rows
      .map((row) => row.map((each) => each.trim()))
      .filter((_, index) => rows[index]?.some((each) => each !== ''));
    const found = rowsOf(text) as unknown[][];
    assert.deepEqual(
      found.map(([, ...values]) => values),
      expected,
    );
    assert.deepEqual(inPieces(text, size), found);
  });
  fc.assert(cases, { numRuns: 300 });
});
