// audit: what was done, by whom; whether all of it is still there; and all of it as CSV.

import os from 'node:os';
import type { AuditFilter, ChainEnd, ChainedEvent } from '../../archive/index.ts';
import { ArchiveError } from '../../base/index.ts';
import { dicomAuditMessage } from '../../doors/audit-messages/index.ts';
import { type CommandRun, defineCommand, type Flags, textFlag } from '../command.ts';
import { tableText, timeText } from '../say-sizes.ts';

const pageRows = 1000;
const linesDefault = 100;

const filterFlags = {
  who: { type: 'string', value: 'WHO', says: 'of whom, such as user:NAME, entity:TITLE, operator:NAME' },
  action: { type: 'string', value: 'ACTION', says: 'of one action, such as study.read (docs/rights.md)' },
  study: { type: 'string', value: 'UID', says: 'on one study' },
  from: { type: 'string', value: 'TIME', says: 'from this time or day on, such as 2026-11-21 or 2026-11-21T08:00:00Z' },
  to: { type: 'string', value: 'TIME', says: 'before this time or day' },
  failed: { type: 'boolean', says: 'only what was refused or failed' },
} as const;

function timeFlag(flags: Flags, name: string): number | undefined {
  const text = textFlag(flags, name);
  if (text === undefined) return undefined;
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new ArchiveError('ARGUMENT_INVALID', `--${name} is a day or a time, such as 2026-11-21`);
  return ms;
}

function filterOf({ flags }: CommandRun): AuditFilter {
  return {
    who: textFlag(flags, 'who'),
    action: textFlag(flags, 'action'),
    study: textFlag(flags, 'study'),
    fromMs: timeFlag(flags, 'from'),
    toMs: timeFlag(flags, 'to'),
    failed: flags['failed'] === true ? true : undefined,
  };
}

/** Newest first, page by page. */
async function* eventsOf(run: CommandRun, most = Number.POSITIVE_INFINITY): AsyncGenerator<ChainedEvent> {
  const { audit } = (await run.running()).archive;
  const filter = filterOf(run);
  let left = most;
  let after: Parameters<typeof audit.list>[1]['after'];
  while (left > 0 && !run.terminal.signal.aborted) {
    const page = await audit.list(filter, { limit: Math.min(left, pageRows), after });
    yield* page.events;
    left -= page.events.length;
    if (page.next === undefined) return;
    after = page.next;
  }
}

export const auditList = defineCommand({
  name: 'audit list',
  usage: '[--who WHO] [--action ACTION] [--study UID] [--from TIME] [--to TIME] [--failed] [--limit N]',
  says: 'list what was done, newest first',
  args: { least: 0, most: 0 },
  flags: { ...filterFlags, limit: { type: 'string', value: 'N', says: `events at most (default ${linesDefault})` } },
  where: 'archive',
  run: async (run) => {
    const { flags, terminal, json } = run;
    const limit = textFlag(flags, 'limit') ?? String(linesDefault);
    if (!/^[1-9]\d{0,8}$/.test(limit)) throw new ArchiveError('ARGUMENT_INVALID', '--limit is a number of events');
    const rows: string[][] = [];
    for await (const event of eventsOf(run, Number(limit))) {
      if (json) terminal.out(JSON.stringify(event));
      else rows.push([timeText(event.atMs), event.who, event.from ?? '', event.action, event.result, aboutText(event)]);
      if (json) await terminal.room();
    }
    for (const line of tableText(rows)) terminal.out(line);
    return 0;
  },
});

function aboutText({ study, subject, count }: ChainedEvent): string {
  const what = [study, subject].filter((each) => each !== undefined).join(' ');
  return count === 1 ? what : `${what} x ${count}`.trim();
}

export const auditVerify = defineCommand({
  name: 'audit verify',
  usage: '[--end CHAIN:NUMBER:HASH]',
  says: 'read every event from the packs and say whether one is missing, changed or out of its place',
  details:
    'Ends with the last event as CHAIN:NUMBER:HASH. Written down where nobody who can write packs can write, and given with --end the next time, it shows\nalso that the events up to there were not all made anew.',
  args: { least: 0, most: 0 },
  flags: { end: { type: 'string', value: 'CHAIN:NUMBER:HASH', says: 'an end that was told before' } },
  where: 'archive',
  run: async ({ running, flags, terminal, json }) => {
    const end = textFlag(flags, 'end');
    const written = end === undefined ? [] : [endOf(end)];
    const { archive } = await running();
    const verdict = await archive.audit.verify(written, (done) => terminal.progress(`${done} packs`));
    terminal.progressDone();
    const { events, chains, problems, ends, closedRecords } = verdict;
    if (json) terminal.out(JSON.stringify(verdict));
    else {
      for (const { kind, chain, number, says } of problems)
        terminal.out(`${kind}: ${chain === '' ? '' : `chain ${chain}, event ${number}: `}${says}`);
      if (closedRecords > 0) terminal.out(`${closedRecords} records are of years whose key was destroyed`);
      terminal.out(`${events} events in ${chains} chains, ${problems.length} problems`);
      for (const each of ends) terminal.out(`end ${each.chain}:${each.number}:${each.hash}`);
    }
    return problems.length === 0 ? 0 : 1;
  },
});

function endOf(text: string): ChainEnd {
  const [, chain, number, hash] = /^([0-9a-f]{32}):([1-9]\d{0,14}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (chain === undefined || hash === undefined)
    throw new ArchiveError('ARGUMENT_INVALID', '--end is CHAIN:NUMBER:HASH, as a verification told it');
  return { chain, number: Number(number), hash };
}

const columns = [
  'time',
  'who',
  'from',
  'door',
  'action',
  'result',
  'tenant',
  'study',
  'subject',
  'count',
  'until',
  'number',
  'before',
] as const;

export const auditExport = defineCommand({
  name: 'audit export',
  usage: '[--who WHO] [--action ACTION] [--study UID] [--from TIME] [--to TIME] [--failed] [--json | --dicom]',
  says: 'write all events as CSV, newest first; with --json one object a line; with --dicom audit messages of PS3.15, one a line',
  args: { least: 0, most: 0 },
  flags: { ...filterFlags, dicom: { type: 'boolean', says: 'as DICOM audit messages in XML, one a line' } },
  where: 'archive',
  run: async (run) => {
    const { terminal, json, flags, settings } = run;
    const isDicom = flags['dicom'] === true;
    if (isDicom && json) throw new ArchiveError('ARGUMENT_INVALID', '--dicom and --json are two forms');
    const source = { title: settings.aet, host: os.hostname() };
    if (!json && !isDicom) terminal.out(columns.join(','));
    for await (const event of eventsOf(run)) {
      if (isDicom) terminal.out(dicomAuditMessage(event, source));
      else terminal.out(json ? JSON.stringify(event) : csvLine(event));
      await terminal.room();
    }
    return 0;
  },
});

function csvLine(event: ChainedEvent): string {
  const isoOf = (ms: number | undefined): string => (ms === undefined ? '' : new Date(ms).toISOString());
  const { who, from, door, action, result, tenant, study, subject, count, number, before } = event;
  const cells = [isoOf(event.atMs), who, from, door, action, result, tenant, study, subject, count];
  return [...cells, isoOf(event.untilMs), number, before].map(csvCell).join(',');
}

/** A spreadsheet takes what begins so for a formula: what a caller called itself must not become one. */
const formulaStart = /^[=+\-@\t\r]/;

function csvCell(value: string | number | undefined): string {
  const text = value === undefined ? '' : String(value);
  const safe = typeof value === 'string' && formulaStart.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
