// reconcile: a RIS's list of studies against what is here.
//
// Invariants: the list is read piece by piece, twice where its character set has to be found out; the exit code says whether anything differs.

import path from 'node:path';
import {
  type Discrepancy,
  type DiscrepancyKind,
  discrepancyKinds,
  type ReconciliationSummary,
  type RisColumn,
  RisListReader,
  type RisStudy,
  risColumnNames,
} from '../../archive/index.ts';
import { ArchiveError, CsvReader, csvLine, defaultTenant } from '../../base/index.ts';
import { isDay } from '../../doors/pull/index.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { filePieces } from '../named-files.ts';

export const reconcile = defineCommand({
  name: 'reconcile',
  usage: 'FILE.csv [--from YYYYMMDD] [--to YYYYMMDD] [--modality CODE,...] [--ignore KIND,...] [--csv]',
  says: 'compare a list of the RIS with what is here: missing, unknown, other patients, other counts',
  details: `Columns are found by their names, English or Chinese: study UID (检查UID) or accession number (检查号); and where there are, patient id (患者ID), name (姓名), birth date, sex, date
(检查日期), modality (设备类型) and images (图像数). UTF-8 or GB18030, by comma, semicolon or tab. Studies here that the list does not know are looked for from its first day to its last.
Kinds: missing, unknown, uid, patient, count, steps (more was performed than is here), date, modality. Exit code 0: nothing differs; 1: something does.`,
  args: { least: 1, most: 1 },
  flags: {
    from: { type: 'string', value: 'YYYYMMDD', says: 'studies here of this day and later should be in the list' },
    to: { type: 'string', value: 'YYYYMMDD', says: 'studies here of this day and earlier should be in the list' },
    modality: { type: 'string', value: 'CODE,...', says: 'studies here with one of these should be in the list (any)' },
    ignore: { type: 'string', value: 'KIND,...', says: 'differences that do not count' },
    columns: { type: 'string', value: 'NAME=COLUMN,...', says: `which column is which: ${risColumnNames.join(', ')}` },
    charset: { type: 'string', value: 'NAME', says: 'character set of the file, such as gb18030 (found out)' },
    csv: { type: 'boolean', says: 'what differs as CSV' },
  },
  where: 'archive',
  run: async (run) => {
    const { flags, terminal, json } = run;
    if (flags['csv'] === true && json) throw new ArchiveError('ARGUMENT_INVALID', 'either --csv or --json');
    const [from, to] = [dayFlag(run, 'from'), dayFlag(run, 'to')];
    const ignore = kindsOf(run);
    const modalities = textFlag(flags, 'modality')?.toUpperCase().split(',');
    const list = risStudies(run);
    const { archive } = await run.running();
    const options = { tenant: defaultTenant, from, to, modalities, ignore };
    if (flags['csv'] === true) terminal.out(csvLine(csvHead));
    let differs = false;
    for await (const each of archive.reconciliation.compare(list, options)) {
      if (each.kind !== 'summary') differs = true;
      if (json) terminal.out(JSON.stringify(each));
      else if (flags['csv'] === true) {
        if (each.kind !== 'summary') for (const line of csvLines(each)) terminal.out(line);
      } else for (const line of textLines(each)) terminal.out(line);
      await terminal.room();
    }
    return differs ? 1 : 0;
  },
});

function dayFlag({ flags }: CommandRun, name: string): string | undefined {
  const day = textFlag(flags, name)?.replaceAll('-', '');
  if (day !== undefined && !isDay(day)) throw new ArchiveError('ARGUMENT_INVALID', `--${name} is a day, YYYYMMDD`);
  return day;
}

function kindsOf({ flags }: CommandRun): DiscrepancyKind[] {
  const wanted = textFlag(flags, 'ignore')?.split(',') ?? [];
  if (wanted.some((each) => !discrepancyKinds.some((kind) => kind === each)))
    throw new ArchiveError('ARGUMENT_INVALID', `--ignore lists some of ${discrepancyKinds.join(', ')}`);
  return discrepancyKinds.filter((kind) => wanted.includes(kind));
}

function columnsOf({ flags }: CommandRun): Partial<Record<RisColumn, string>> {
  const columns: Partial<Record<RisColumn, string>> = {};
  for (const pair of textFlag(flags, 'columns')?.split(',') ?? []) {
    const [name = '', column = ''] = pair.split('=');
    const known = risColumnNames.find((each) => each.toLowerCase() === name.trim().toLowerCase());
    if (known === undefined || column.trim() === '')
      throw new ArchiveError('ARGUMENT_INVALID', `--columns says NAME=COLUMN, of ${risColumnNames.join(', ')}`);
    columns[known] = column;
  }
  return columns;
}

async function* risStudies(run: CommandRun): AsyncGenerator<RisStudy> {
  const file = path.resolve(run.terminal.cwd, run.args[0] ?? '');
  const wanted = columnsOf(run);
  const decoder = decoderOf(textFlag(run.flags, 'charset') ?? (await charsetOf(file)));
  const csv = new CsvReader();
  let reader: RisListReader | undefined;
  const read = function* (rows: Iterable<Parameters<RisListReader['read']>[0]>): Generator<RisStudy> {
    for (const row of rows) {
      reader ??= new RisListReader(csv.names ?? [], wanted);
      yield reader.read(row);
    }
  };
  for await (const piece of filePieces(file, 'the list'))
    yield* read(csv.push(decoder.decode(piece, { stream: true })));
  yield* read(csv.push(decoder.decode()));
  yield* read(csv.end());
  // A list without rows still has columns to be right.
  reader ??= new RisListReader(csv.names ?? [], wanted);
}

function decoderOf(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset);
  } catch {
    throw new ArchiveError('ARGUMENT_INVALID', '--charset names no character set that is known here');
  }
}

/** UTF-16 and UTF-8 say so or are seen; whatever else is in a Chinese hospital is GB18030 or a part of it. A list is long enough to tell. */
async function charsetOf(file: string): Promise<string> {
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  let isFirst = true;
  try {
    for await (const piece of filePieces(file, 'the list')) {
      if (isFirst && piece[0] === 0xff && piece[1] === 0xfe) return 'utf-16le';
      if (isFirst && piece[0] === 0xfe && piece[1] === 0xff) return 'utf-16be';
      isFirst = false;
      utf8.decode(piece, { stream: true });
    }
    utf8.decode();
    return 'utf-8';
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    return 'gb18030';
  }
}

const csvHead = ['kind', 'line', 'study', 'accession', 'patientId', 'date', 'what', 'list', 'here'];

function csvLines({ kind, line, study, accession, patientId, date, differs }: Discrepancy): string[] {
  const about = [kind, line, study, accession, patientId, date];
  if (differs.length === 0) return [csvLine([...about, '', '', ''])];
  return differs.map(({ what, list, here }) => csvLine([...about, what, list, here]));
}

function textLines(each: Discrepancy | ReconciliationSummary): string[] {
  if (each.kind === 'summary') {
    const { lines, matched, here, found, from, to } = each;
    const days = from === undefined && to === undefined ? '' : ` of ${from ?? 'the first'} to ${to ?? 'the last'}`;
    const counts = Object.entries(found).flatMap(([kind, count]) => (count === 0 ? [] : [`${count} ${kind}`]));
    const says = counts.length === 0 ? 'nothing differs' : counts.join(', ');
    return [`${lines} lines, ${matched} studies of them here; ${here} studies here${days}: ${says}`];
  }
  const { kind, line, study, accession, patientId, date, differs } = each;
  const about = [kind, line === undefined ? 'not in the list' : `line ${line}`, study, accession, patientId, date];
  const says = differs.map(({ what, list, here }) =>
    list === '' ? `${what} ${here}` : `${what} ${list}, here ${here}`,
  );
  return [[...about, ...says].filter((word) => word !== undefined && word !== '').join('  ')];
}
