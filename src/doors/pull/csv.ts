// CSV as databases write it: fields in quotes or not, commas, semicolons or tabs, with a line of names at the top.
//
// Invariants: a file that is not such a table is ARGUMENT_INVALID with the number of the line, never its content: names of patients stand there.

import { ArchiveError } from '../../base/index.ts';

export type CsvRow = { readonly number: number; readonly values: ReadonlyMap<string, string> };

const rowsMax = 5_000_000;

/** Names of columns are compared without case, spaces, dashes and underscores. */
export function columnName(text: string): string {
  return text.toLowerCase().replace(/[\s_.-]/g, '');
}

export function readCsv(text: string): CsvRow[] {
  const plain = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const end = plain.search(/\r?\n|$/);
  const separator =
    [',', ';', '\t'].toSorted(
      (one, other) => countOf(plain.slice(0, end), other) - countOf(plain.slice(0, end), one),
    )[0] ?? ',';
  const [head, ...lines] = splitCsv(plain, separator);
  const names = (head?.fields ?? []).map(columnName);
  if (names.length === 0 || names.every((name) => name === ''))
    throw new ArchiveError('ARGUMENT_INVALID', 'the list has no line of names at its top');
  if (new Set(names).size < names.length)
    throw new ArchiveError('ARGUMENT_INVALID', 'two columns of the list have one name');
  return lines
    .filter(({ fields }) => fields.some((field) => field !== ''))
    .map(({ fields, number }) => {
      if (fields.length > names.length)
        throw new ArchiveError('ARGUMENT_INVALID', `line ${number} of the list has more fields than its first line`);
      return { number, values: new Map(names.map((name, index) => [name, (fields[index] ?? '').trim()])) };
    });
}

function countOf(text: string, character: string): number {
  return text.split(character).length;
}

type Line = { readonly fields: readonly string[]; readonly number: number };

function splitCsv(text: string, separator: string): Line[] {
  const lines: Line[] = [];
  let fields: string[] = [];
  let [at, number, begunAt] = [0, 1, 1];
  const endLine = (): void => {
    lines.push({ fields, number: begunAt });
    if (lines.length > rowsMax) throw new ArchiveError('LIMIT_EXCEEDED', `a list has at most ${rowsMax} lines`);
    fields = [];
    number += 1;
    begunAt = number;
  };
  while (at < text.length) {
    if (text[at] === '"') {
      let field = '';
      for (at += 1; ; at += 2) {
        const close = text.indexOf('"', at);
        if (close < 0)
          throw new ArchiveError('ARGUMENT_INVALID', `a quote of line ${begunAt} of the list is not closed`);
        field += text.slice(at, close);
        at = close;
        if (text[close + 1] !== '"') break;
        field += '"';
      }
      at += 1;
      number += countOf(field, '\n') - 1;
      fields.push(field);
      if (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r')
        throw new ArchiveError('ARGUMENT_INVALID', `line ${begunAt} of the list goes on after a closing quote`);
    } else {
      let end = at;
      while (end < text.length && text[end] !== separator && text[end] !== '\n') end += 1;
      fields.push(text.slice(at, end).replace(/\r$/, ''));
      at = end;
    }
    if (text[at] === '\r') at += 1;
    if (at >= text.length) break;
    if (text[at] === separator && at + 1 === text.length) fields.push('');
    if (text[at] === '\n') endLine();
    at += 1;
  }
  if (fields.length > 0) endLine();
  return lines;
}
