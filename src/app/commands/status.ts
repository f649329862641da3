// status, verify, repair, settle, rebuild: how the archive is, and its upkeep by hand.
//
// Invariants: what was found bad is named exactly (pack, disk, kind, offset), and then the exit code is 1; long work says how far it has come.

import type { ArchiveStatus, SweepReport } from '../../archive/index.ts';
import { ArchiveError, isHex128, packId } from '../../base/index.ts';
import { type CopyReport, countOfRuns, type Pace, type RepairReport, recordRunsText } from '../../vault/index.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { sizeText, tableText, timeText } from '../say-sizes.ts';
import { countOpenSteps, type OpenSteps } from './steps.ts';

export const status = defineCommand({
  name: 'status',
  usage: '',
  says: 'say how the archive is: health, packs, disks, keys',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const { archive } = await running();
    const found = await archive.status();
    const steps = await countOpenSteps(archive);
    if (json) terminal.out(jsonText({ ...found, steps }));
    else for (const line of [...statusLines(found), ...stepLines(steps)]) terminal.out(line);
    return found.health === 'failing' ? 1 : 0;
  },
});

function stepLines({ inProgress, short, isAll }: OpenSteps): string[] {
  if (inProgress + short === 0) return [];
  const more = isAll ? '' : ', or more';
  return [
    `studies: ${inProgress} steps in progress, ${short} with less here than they name${more}: see stele steps --open`,
  ];
}

export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_name, each: unknown) => (typeof each === 'bigint' ? String(each) : each));
}

function statusLines(found: ArchiveStatus): string[] {
  const lines = [
    `archive ${found.archive}: ${found.health}`,
    `objects: ${found.objects.versions} versions, ${sizeText(found.objects.bytes)}${found.objects.markers > 0 ? `, ${found.objects.markers} deletion markers` : ''}`,
    'packs:',
    ...tableText(
      found.packs.map((each) => [
        '',
        each.class,
        `${each.sealed} sealed`,
        `${each.open} open`,
        `${each.records} records`,
        sizeText(each.bytes),
      ]),
    ),
    'disks:',
    ...tableText(
      found.disks.map((each) => [
        '',
        each.label,
        each.state,
        `${each.packs} packs`,
        each.freeBytes === undefined ? '' : `${sizeText(each.freeBytes)} free`,
        each.leastVerifiedMs === undefined
          ? ''
          : each.leastVerifiedMs === 0
            ? 'not all read back yet'
            : `all read back since ${timeText(each.leastVerifiedMs)}`,
      ]),
    ),
    `keys: generation ${found.keys.generation}, ${found.keys.exports.length} exports, ${found.keys.shredded.length} groups shredded`,
  ];
  const { repairedRecords, repairedPacks, lostRecords } = found.counters;
  if (repairedRecords + repairedPacks > 0)
    lines.push(`repaired: ${repairedRecords} records, ${repairedPacks} copies of packs`);
  if (lostRecords > 0) lines.push(`lost: ${lostRecords} records`);
  for (const problem of found.problems) lines.push(`! ${problem}`);
  return lines;
}

/** Counts what was read; no faster than the person's machine can. */
function counting(run: CommandRun, word: string): { pace: Pace; done: () => number } {
  let bytes = 0;
  const pace = async (more: number): Promise<void> => {
    bytes += more;
    run.terminal.progress(`${word} ${sizeText(bytes)}`);
    if (run.terminal.signal.aborted)
      throw new ArchiveError('CLOSED', 'stopped before the end', { hint: 'run it again' });
  };
  return { pace, done: () => bytes };
}

export const verify = defineCommand({
  name: 'verify',
  usage: '[PACK...] [--repair] [--since DAYS]',
  says: 'read every copy back from its medium and check every byte, and the database',
  args: { least: 0, most: 10_000 },
  flags: {
    repair: { type: 'boolean', says: 'mend what is bad, then verify that' },
    all: { type: 'boolean', says: 'all packs, which is what happens without any' },
    since: { type: 'string', value: 'DAYS', says: 'only copies that were not read back in these days' },
  },
  where: 'archive',
  run: async (run) => {
    const { args, flags, terminal, json } = run;
    const since = textFlag(flags, 'since');
    if (since !== undefined && !/^\d{1,5}$/.test(since))
      throw new ArchiveError('ARGUMENT_INVALID', '--since is a number of days');
    for (const arg of args)
      if (!isHex128(arg)) throw new ArchiveError('ARGUMENT_INVALID', `"${arg}" is no pack: 32 hex digits`);
    if (since !== undefined && args.length > 0)
      throw new ArchiveError('ARGUMENT_INVALID', '--since is for all packs, not for some');
    const { archive, clock, sql } = await run.running();
    await archive.sealOpen('all');
    const { pace, done } = counting(run, 'read back');
    const reports =
      since === undefined
        ? archive.verify(pace, args.length === 0 ? undefined : args.map(packId))
        : archive.verifySince(clock.nowMs() - Number(since) * 86_400_000, pace);
    let copies = 0;
    let bad = 0;
    let cached = false;
    for await (const report of reports) {
      copies += 1;
      cached ||= report.cached;
      if (report.problems.length > 0 || report.gone) bad += 1;
      if (json) terminal.out(jsonText({ ...report, disk: archive.diskLabel(report.disk) }));
      else for (const line of copyLines(report, archive.diskLabel(report.disk))) terminal.out(line);
      await terminal.room();
    }
    if (args.length > 0 && copies === 0)
      throw new ArchiveError('NOT_FOUND', 'there is no such pack', { hint: 'see: stele where KEY' });
    if (cached) terminal.note('stele: this file system has no way past its cache: the medium itself was not proven');
    let left = bad;
    if (bad > 0 && flags['repair'] === true) left = await repairAll(run);
    const isAll = args.length === 0 && since === undefined;
    const database = isAll ? await sql.check() : undefined;
    if (json) terminal.out(JSON.stringify({ summary: { copies, bad, left, bytes: done(), database } }));
    else
      terminal.out(
        `${copies} copies, ${sizeText(done())} read back, ${bad === 0 ? 'all good' : `${bad} bad`}${bad > 0 && flags['repair'] === true ? `, ${left} left bad` : ''}`,
      );
    if (left > 0)
      throw new ArchiveError('PACK_CORRUPT', `${left} of ${copies} copies are not whole`, {
        hint: flags['repair'] === true ? restoreHint : 'run: stele verify --repair',
      });
    if (database === 'damaged')
      throw new ArchiveError('DATABASE_FAILED', 'the database is damaged, the packs are not', {
        hint: 'run: stele rebuild',
      });
    return 0;
  },
});

/** For what no copy on these disks can mend. */
const restoreHint =
  'attach the disks that are away or restore a medium, free space where it is told, then run: stele repair';

function copyLines(report: CopyReport, label: string): string[] {
  const what = `${report.kind === 'pack' ? 'pack' : 'footer of'} ${report.pack} on ${label}`;
  if (report.gone) return [`${what}: missing`];
  return report.problems.slice(0, 20).map((each) => `${what}: ${each.what} at ${each.offset}, ${each.sizeBytes} bytes`);
}

/** The number of copies that are still bad. */
async function repairAll(run: CommandRun): Promise<number> {
  const { terminal, json } = run;
  const { archive } = await run.running();
  const { pace } = counting(run, 'repair: read and written');
  let mended = 0;
  let left = 0;
  for await (const report of archive.repair(pace)) {
    if (report.kind === 'disk') {
      mended += 1;
      terminal.out(json ? jsonText({ disk: report }) : `disk ${report.label}: its stele-disk.json is written anew`);
      continue;
    }
    if (report.kind === 'released') {
      if (report.outcome === 'unknown') left += 1;
      terminal.out(json ? jsonText({ released: report }) : releasedLine(report));
      continue;
    }
    if (report.outcome === 'mended') mended += 1;
    else left += 1;
    const label = archive.diskLabel(report.disk);
    if (json)
      terminal.out(
        jsonText({
          repair: {
            ...report,
            disk: label,
            lost: { count: countOfRuns(report.lost), records: recordRunsText(report.lost) },
          },
        }),
      );
    else for (const line of repairLines(report, label)) terminal.out(line);
    await terminal.room();
  }
  if (json) terminal.out(JSON.stringify({ repaired: { mended, left } }));
  else
    terminal.out(
      mended + left === 0 ? 'nothing to repair' : `${mended} copies mended${left > 0 ? `, ${left} not` : ''}`,
    );
  return left;
}

function releasedLine({ pack, outcome }: SweepReport): string {
  switch (outcome) {
    case 'removed':
      return `pack ${pack}: it was released while its disk was away, and is removed`;
    case 'kept':
      return `pack ${pack}: it was released, and is kept until the packs that hold its content are all here`;
    case 'unknown':
      return `pack ${pack}: the database does not know it; run: stele rebuild`;
  }
}

function repairLines(report: RepairReport, label: string): string[] {
  const what = `${report.kind === 'pack' ? 'pack' : 'footer of'} ${report.pack}`;
  if (report.outcome === 'mended') return [`${what}: a whole copy is on ${label}`];
  const count = countOfRuns(report.lost);
  const lost = count === 0 ? [] : [`  lost ${count} records: ${recordRunsText(report.lost)}`];
  return [`${what}: ${report.outcome} on ${label} (${report.code ?? 'unknown'})`, ...lost];
}

export const repair = defineCommand({
  name: 'repair',
  usage: '',
  says: 'mend bad copies and make missing ones on the disks that are there',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async (run) => {
    const left = await repairAll(run);
    if (left > 0) throw new ArchiveError('PACK_CORRUPT', `${left} copies could not be mended`, { hint: restoreHint });
    return 0;
  },
});

export const settle = defineCommand({
  name: 'settle',
  usage: '[--all]',
  says: 'move what has been quiet from ingest packs into archive packs, now',
  args: { least: 0, most: 0 },
  flags: { all: { type: 'boolean', says: 'also what was written a moment ago' } },
  where: 'archive',
  run: async (run) => {
    const { terminal, flags, json } = run;
    const { archive } = await run.running();
    const { pace } = counting(run, 'settled');
    let packs = 0;
    let objects = 0;
    let bytes = 0;
    let left = 0;
    for await (const report of archive.settle(pace, { all: flags['all'] === true, signal: terminal.signal })) {
      if (report.released) packs += 1;
      else left += 1;
      objects += report.movedObjects;
      bytes += report.movedBytes;
      if (json) terminal.out(jsonText(report));
      else if (!report.released)
        terminal.out(`! pack ${report.pack} could not be settled (${report.code ?? 'unknown'}); it is kept`);
    }
    if (json) terminal.out(JSON.stringify({ summary: { packs, objects, bytes, left } }));
    else terminal.out(`${objects} objects settled, ${sizeText(bytes)}; ${packs} packs released`);
    if (left > 0)
      throw new ArchiveError('BUSY', `${left} packs could not be settled and are kept`, {
        hint: 'the lines before say why; it is tried again by itself',
      });
    return 0;
  },
});

export const rebuild = defineCommand({
  name: 'rebuild',
  usage: '[--from-media]',
  says: 'make the database again from the packs',
  details:
    'Reads the footers of all packs on all disks. --from-media also walks packs whose footers are lost, record by record.',
  args: { least: 0, most: 0 },
  flags: { 'from-media': { type: 'boolean', says: 'walk packs whose footers are lost' } },
  where: 'archive',
  run: async (run) => {
    const { terminal, flags, json } = run;
    const report = await run.rebuild({
      fromMedia: flags['from-media'] === true,
      onPack: (done) => terminal.progress(`${done} packs read`),
    });
    terminal.progressDone();
    if (json) terminal.out(JSON.stringify({ packs: report.packCount, facts: report.factCount, losses: report.losses }));
    else {
      for (const loss of report.losses) terminal.out(`! ${loss}`);
      terminal.out(`${report.packCount} packs, ${report.factCount} entries and events`);
    }
    if (report.losses.length > 0)
      throw new ArchiveError(
        'PACK_CORRUPT',
        `the database is made again, with ${report.losses.length} losses or unreadable packs`,
        {
          hint:
            flags['from-media'] === true
              ? restoreHint
              : 'the lines before say which; where a footer is gone, run: stele rebuild --from-media',
        },
      );
    return 0;
  },
});
