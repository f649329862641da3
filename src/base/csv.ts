// CSV as databases and RIS write it: fields in quotes or not, commas, semicolons or tabs, with a line of names at the top; read piece by piece.
//
// Invariants: what is held is the record under way, within a limit, whatever the length of the list; the pieces make no difference to what is read; a list that is not such a
// table is ARGUMENT_INVALID with the number of the line, never its content: names of patients stand there.
// Left out on purpose: character sets (text comes decoded), and what columns mean.

import { ArchiveError } from './errors.ts';

export type CsvRow = { readonly number: number; readonly values: ReadonlyMap<string, string> };

const rowsMax = 5_000_000;
const recordCharsMax = 1024 * 1024;

/** Names of columns are compared without case, blanks, dashes, dots and underscores. */
export function columnName(text: string): string {
  return text.toLowerCase().replace(/[\s_.-]/g, '');
}

/** A whole list that is in memory. */
export function readCsv(text: string): CsvRow[] {
  const reader = new CsvReader();
  return [...reader.push(text), ...reader.end()];
}

type CsvRecord = { readonly fields: readonly string[]; readonly next: number; readonly lines: number };

export class CsvReader {
  #rest = '';
  #begun = false;
  #separator = ',';
  #names: readonly string[] | undefined;
  #line = 1;
  #rows = 0;

  /** Names of the columns, once their line came. */
  get names(): readonly string[] | undefined {
    return this.#names;
  }

  /** The rows that are whole now. */
  *push(text: string): Generator<CsvRow> {
    this.#rest += text;
    yield* this.#records(false);
  }

  /** What is left; a list without a line of names is ARGUMENT_INVALID. */
  *end(): Generator<CsvRow> {
    yield* this.#records(true);
    if (this.#names === undefined)
      throw new ArchiveError('ARGUMENT_INVALID', 'the list has no line of names at its top');
  }

  *#records(isEnd: boolean): Generator<CsvRow> {
    if (!this.#begun && this.#rest !== '') {
      if (this.#rest.startsWith('\uFEFF')) this.#rest = this.#rest.slice(1);
      this.#begun = true;
    }
    if (this.#names === undefined && !isEnd && !this.#rest.includes('\n')) return this.#check(this.#rest.length);
    if (this.#names === undefined) this.#separator = separatorOf(this.#rest);
    let at = 0;
    while (at < this.#rest.length) {
      const record = parseRecord(this.#rest, at, { separator: this.#separator, isEnd, line: this.#line });
      if (record === undefined) break;
      at = record.next;
      const number = this.#line;
      this.#line += record.lines;
      const row = this.#take(record.fields, number);
      if (row !== undefined) yield row;
    }
    this.#rest = this.#rest.slice(at);
    this.#check(this.#rest.length);
  }

  #check(chars: number): void {
    if (chars > recordCharsMax)
      throw new ArchiveError(
        'ARGUMENT_INVALID',
        `line ${this.#line} of the list goes on beyond ${recordCharsMax} characters: is a quote not closed?`,
      );
  }

  #take(fields: readonly string[], number: number): CsvRow | undefined {
    if (this.#names === undefined) {
      const names = fields.map(columnName);
      if (names.every((name) => name === ''))
        throw new ArchiveError('ARGUMENT_INVALID', 'the list has no line of names at its top');
      if (new Set(names).size < names.length)
        throw new ArchiveError('ARGUMENT_INVALID', 'two columns of the list have one name');
      this.#names = names;
      return undefined;
    }
    if (fields.every((field) => field === '')) return undefined;
    if (fields.length > this.#names.length)
      throw new ArchiveError('ARGUMENT_INVALID', `line ${number} of the list has more fields than its first line`);
    this.#rows += 1;
    if (this.#rows > rowsMax) throw new ArchiveError('LIMIT_EXCEEDED', `a list has at most ${rowsMax} lines`);
    return { number, values: new Map(this.#names.map((name, index) => [name, (fields[index] ?? '').trim()])) };
  }
}

/** The one of which there are most in the first line. */
function separatorOf(text: string): string {
  const line = text.slice(0, text.search(/\r?\n|$/));
  const count = (character: string): number => line.split(character).length;
  return [',', ';', '\t'].toSorted((one, other) => count(other) - count(one))[0] ?? ',';
}

/** undefined: its end did not come yet. */
function parseRecord(
  text: string,
  from: number,
  { separator, isEnd, line }: { readonly separator: string; readonly isEnd: boolean; readonly line: number },
): CsvRecord | undefined {
  const fields: string[] = [];
  let at = from;
  let lines = 1;
  for (;;) {
    if (text[at] === '"') {
      const quoted = parseQuoted(text, at, isEnd);
      if (quoted === undefined) {
        if (!isEnd) return undefined;
        throw new ArchiveError('ARGUMENT_INVALID', `a quote of line ${line} of the list is not closed`);
      }
      fields.push(quoted.field);
      lines += quoted.field.split('\n').length - 1;
      at = quoted.next;
    } else {
      let end = at;
      while (end < text.length && text[end] !== separator && text[end] !== '\n') end += 1;
      fields.push(text.slice(at, end).replace(/\r$/, ''));
      at = end;
    }
    if (text[at] === '\r') at += 1;
    if (at >= text.length) return isEnd ? { fields, next: at, lines } : undefined;
    if (text[at] === '\n') return { fields, next: at + 1, lines };
    if (text[at] !== separator)
      throw new ArchiveError('ARGUMENT_INVALID', `line ${line} of the list goes on after a closing quote`);
    at += 1;
  }
}

function parseQuoted(text: string, from: number, isEnd: boolean): { field: string; next: number } | undefined {
  let field = '';
  for (let at = from + 1; ; ) {
    const close = text.indexOf('"', at);
    // The next piece may begin with the second one of two quotes that stand for one.
    if (close < 0 || (close + 1 === text.length && !isEnd)) return undefined;
    field += text.slice(at, close);
    if (text[close + 1] !== '"') return { field, next: close + 1 };
    field += '"';
    at = close + 2;
  }
}

/** A row as it is written in a list. */
export function csvLine(fields: readonly (string | number | undefined)[]): string {
  return fields
    .map((field) => {
      const text = String(field ?? '');
      return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    })
    .join(',');
}
