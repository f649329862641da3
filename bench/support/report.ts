// What a bench says: one row a figure, with what was asked and what a peer did in the same run; printed as a table, kept as JSON.

import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

export type BenchRow = {
  readonly bench: string;
  readonly case: string;
  readonly figure: number;
  readonly unit: string;
  /** The peer measured in the same run, and its figure in the same unit. */
  readonly peer?: string;
  readonly peerFigure?: number;
  /** What is asked: of the ratio to the peer where there is one, else of the figure. */
  readonly asked?: number;
  readonly askedOf?: 'ratio' | 'figure';
  /** `less`: the figure is to be at most what is asked. */
  readonly better?: 'more' | 'less';
  readonly note?: string;
};

export function ratioOf(row: BenchRow): number | undefined {
  return row.peerFigure === undefined || row.peerFigure === 0 ? undefined : row.figure / row.peerFigure;
}

export function isMet(row: BenchRow): boolean | undefined {
  if (row.asked === undefined) return undefined;
  const value = (row.askedOf ?? 'figure') === 'ratio' ? ratioOf(row) : row.figure;
  if (value === undefined) return undefined;
  return row.better === 'less' ? value <= row.asked : value >= row.asked;
}

function shown(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

export function printRows(rows: readonly BenchRow[]): void {
  const table = rows.map((row) => {
    const ratio = ratioOf(row);
    const met = isMet(row);
    return [
      row.bench,
      row.case,
      `${shown(row.figure)} ${row.unit}`,
      row.peer === undefined ? '' : `${row.peer}: ${shown(row.peerFigure ?? 0)}`,
      ratio === undefined ? '' : `${ratio.toFixed(2)}x`,
      row.asked === undefined
        ? ''
        : `${row.better === 'less' ? '<=' : '>='} ${shown(row.asked)}${row.askedOf === 'ratio' ? 'x' : ''}`,
      met === undefined ? '' : met ? 'met' : 'MISSED',
      row.note ?? '',
    ];
  });
  const head = ['bench', 'case', 'figure', 'peer', 'ratio', 'asked', '', ''];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...table.map((line) => (line[column] as string).length)),
  );
  for (const line of [head, ...table]) {
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('  ')
        .trimEnd(),
    );
  }
}

/** Prints the rows, and writes them where `--json FILE` says. */
export function report(rows: readonly BenchRow[], argv: readonly string[] = process.argv.slice(2)): void {
  printRows(rows);
  const at = argv.indexOf('--json');
  const file = at < 0 ? undefined : argv[at + 1];
  if (file !== undefined) saveRows(rows, file);
}

export function saveRows(rows: readonly BenchRow[], file: string): void {
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    date: new Date().toISOString(),
  };
  writeFileSync(file, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function option(name: string, fallback: number, argv: readonly string[] = process.argv.slice(2)): number {
  const at = argv.indexOf(`--${name}`);
  const value = at < 0 ? Number.NaN : Number(argv[at + 1]);
  return Number.isFinite(value) ? value : fallback;
}
