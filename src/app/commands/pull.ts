// pull, pull folder, pull stop, pull status: everything out of another archive or off its disks, resumable.
//
// Invariants: the same words again go on where the last pull of these words stood, unless --new is said; a list that is given is checked before anything is
// asked for. What a pull says names UIDs, days and counts, and no patient.

import path from 'node:path';
import type { Archive } from '../../archive/index.ts';
import { ArchiveError, defaultTenant, hexOf, sha256, systemClock, systemRandom, utf8Bytes } from '../../base/index.ts';
import { openAssociation } from '../../dicom/index.ts';
import { openDimse } from '../../doors/dimse/index.ts';
import {
  dayOfMs,
  emptyTally,
  isDay,
  type JobStore,
  jobToResume,
  type PullJob,
  parseHours,
  parseRate,
  putPart,
  type RunParts,
  readCorrections,
  readRisList,
  runFolderPull,
  runPull,
} from '../../doors/pull/index.ts';
import { type CommandRun, defineCommand, type FlagSpec, textFlag } from '../command.ts';
import { allDisks } from '../data-folder.ts';
import { readDicomTls } from '../dicom-tls.ts';
import { readFile } from '../named-files.ts';
import { findJob, jobStore, stateOf, whileRunning } from '../pull-jobs.ts';
import { openTree } from '../pull-tree.ts';
import type { Running } from '../running.ts';
import { sizeText, tableText, timeText } from '../say-sizes.ts';

const listBytesMax = 256 * 1024 * 1024;
const associationsDefault = 2;
const associationsMax = 16;
const filesAtOnce = 8;

const commonPullFlags: Readonly<Record<string, FlagSpec>> = {
  hours: { type: 'string', value: 'FROM-TO', says: 'work at these hours of the day alone, such as 20-6' },
  rate: { type: 'string', value: 'SIZE', says: 'take at most so much a second, such as 20MB' },
  ris: { type: 'string', value: 'FILE', says: 'list of the RIS (CSV) to compare with in the report' },
  corrections: {
    type: 'string',
    value: 'FILE',
    says: 'corrected demographics (CSV): checked and kept, not applied yet',
  },
  new: { type: 'boolean', says: 'begin anew, even if an earlier pull of these words is not done' },
};

export const pull = defineCommand({
  name: 'pull',
  usage: 'TITLE [--from YYYYMMDD] [--to YYYYMMDD] [--modality CT] [--get | --move] [...]',
  says: 'pull everything out of another archive of the AE table, newest first',
  details: `Asked day by day with C-FIND and fetched with C-GET, or with C-MOVE to this archive's title where the source knows no C-GET. What is here already
is compared by UID and not fetched again. ^C or "stele pull stop" stops it; the same command goes on where it stood. Then: stele pull report.`,
  args: { least: 1, most: 1 },
  flags: {
    from: { type: 'string', value: 'YYYYMMDD', says: 'studies of this day and later' },
    to: { type: 'string', value: 'YYYYMMDD', says: 'studies of this day and earlier' },
    modality: { type: 'string', value: 'CODE', says: 'studies with this modality' },
    get: { type: 'boolean', says: 'with C-GET alone' },
    move: { type: 'boolean', says: 'with C-MOVE to our own title, which the source must know' },
    associations: { type: 'string', value: 'N', says: `associations at a time (default ${associationsDefault})` },
    ...commonPullFlags,
  },
  where: 'archive',
  run: pullEntity,
});

async function pullEntity(run: CommandRun): Promise<number> {
  const { flags, args, settings } = run;
  const [title = ''] = args;
  const [from, to] = [dayFlag(run, 'from'), dayFlag(run, 'to')];
  if (from !== undefined && to !== undefined && from > to)
    throw new ArchiveError('ARGUMENT_INVALID', '--from is later than --to');
  if (flags['get'] === true && flags['move'] === true)
    throw new ArchiveError('ARGUMENT_INVALID', 'either --get or --move');
  const how = flags['get'] === true ? 'get' : flags['move'] === true ? 'move' : 'either';
  const atOnce = Number(textFlag(flags, 'associations') ?? associationsDefault);
  if (!Number.isInteger(atOnce) || atOnce < 1 || atOnce > associationsMax)
    throw new ArchiveError('ARGUMENT_INVALID', `--associations is a number from 1 to ${associationsMax}`);
  const lists = readLists(run);
  const modality = textFlag(flags, 'modality');
  const running = await run.running();
  const entity = await running.archive.entities.get(title);
  if (entity?.host === undefined || entity.port === undefined)
    throw new ArchiveError('NOT_FOUND', 'the table does not say where this application entity listens', {
      hint: 'see: stele ae list; use: stele ae set TITLE HOST:PORT',
    });
  const known = { ...entity, host: entity.host, port: entity.port };
  const job = await takeJob(run, running, lists, {
    source: { kind: 'entity', title, how },
    from,
    to,
    modality,
    tenant: entity.tenant ?? defaultTenant,
  });
  return whileRunning(job.id, async () => {
    const door = how === 'get' ? undefined : await openDoorWhereNone(running);
    try {
      const parts = partsOf(run, running, atOnce);
      return tell(
        run,
        await runPull(job, { ...parts, entity: known, title: settings.aet, tlsClient: readDicomTls(settings).client }),
      );
    } finally {
      await door?.close();
    }
  });
}

export const pullFolder = defineCommand({
  name: 'pull folder',
  usage: 'FOLDER [...]',
  says: 'pull every DICOM file below a folder, such as the disk of an old archive',
  details: `Files with and without a preamble, at any depth, in any folder; a DICOMDIR is compared with. What is no DICOM file is listed with the reason (stele
pull report JOB --files). Links are not followed. The same command goes on where it stood.`,
  args: { least: 1, most: 1 },
  flags: commonPullFlags,
  where: 'archive',
  creates: true,
  run: async (run) => {
    const folder = path.resolve(run.terminal.cwd, run.args[0] ?? '');
    const lists = readLists(run);
    const running = await run.running();
    const own = [
      run.settings.data,
      ...allDisks(run.settings, await running.data.addedDisks()).map((disk) => disk.path),
    ];
    const tree = openTree(folder, own);
    const none = { from: undefined, to: undefined, modality: undefined };
    const job = await takeJob(run, running, lists, {
      source: { kind: 'folder', path: folder },
      ...none,
      tenant: defaultTenant,
    });
    return whileRunning(job.id, async () =>
      tell(run, await runFolderPull(job, tree, partsOf(run, running, filesAtOnce))),
    );
  },
});

type Lists = { readonly corrections: string | undefined; readonly ris: string | undefined };

function readLists(run: CommandRun): Lists {
  const read = (name: string, check: (text: string) => readonly unknown[]): string | undefined => {
    const file = textFlag(run.flags, name);
    if (file === undefined) return undefined;
    const limits = { sizeBytesMax: listBytesMax, pipes: true };
    const text = readFile(path.resolve(run.terminal.cwd, file), `--${name}`, limits).toString('utf8');
    check(text);
    return text;
  };
  return { corrections: read('corrections', readCorrections), ris: read('ris', readRisList) };
}

type Wanted = Pick<PullJob, 'source' | 'from' | 'to' | 'modality'> & { readonly tenant: typeof defaultTenant };

/** The pull of the same words that is not done, or a new one; with the lists that were given now. */
async function takeJob(run: CommandRun, running: Running, lists: Lists, wanted: Wanted): Promise<PullJob> {
  const { archive } = running;
  const store = jobStore(running);
  const before = run.flags['new'] === true ? undefined : jobToResume(await store.list(), wanted);
  const nowMs = Math.floor(systemClock.nowMs());
  const { tenant, ...words } = wanted;
  const lastDay = wanted.to ?? dayOfMs(nowMs);
  const fresh: PullJob = {
    ...words,
    id: `${dayOfMs(nowMs)}-${hexOf(systemRandom.bytes(3))}`,
    lastDay,
    startedMs: nowMs,
    changedMs: nowMs,
    state: 'stopped',
    why: undefined,
    cursor: wanted.source.kind === 'folder' ? '' : 'later',
    parts: 0,
    tally: emptyTally,
    limits: [],
    corrections: undefined,
    ris: undefined,
  };
  const job = before === undefined ? fresh : { ...before, source: wanted.source };
  const kept: PullJob = { ...job, ...(await keepLists(archive, lists, { tenant, job: job.id })) };
  await store.askToStop(job.id, false);
  await store.write(kept);
  run.terminal.note(`pull ${job.id} ${before === undefined ? 'begins' : `goes on at ${placeText(before)}`}`);
  return kept;
}

async function keepLists(
  archive: Archive,
  lists: Lists,
  place: { readonly tenant: typeof defaultTenant; readonly job: string },
): Promise<Partial<Pick<PullJob, 'corrections' | 'ris'>>> {
  const kept: { corrections?: string; ris?: string } = {};
  for (const name of ['corrections', 'ris'] as const) {
    const text = lists[name];
    if (text === undefined) continue;
    await putPart({ archive, ...place }, `${name}.csv`, text);
    kept[name] = hexOf(sha256(utf8Bytes(text)));
  }
  return kept;
}

function partsOf(run: CommandRun, running: Running, atOnce: number): RunParts {
  const { flags, terminal } = run;
  const [hours, rate] = [textFlag(flags, 'hours'), textFlag(flags, 'rate')];
  const store: JobStore = jobStore(running);
  return {
    archive: running.archive,
    store,
    clock: systemClock,
    signal: terminal.signal,
    pace: {
      hours: hours === undefined ? undefined : parseHours(hours),
      bytesPerSecond: rate === undefined ? undefined : parseRate(rate),
    },
    atOnce,
    onProgress: (job) => terminal.progress(`${placeText(job)}: ${tallyText(job)}`),
    onNote: (line) => terminal.note(`pull: ${line}`),
  };
}

function tell(run: CommandRun, job: PullJob): number {
  const { terminal, json } = run;
  terminal.progressDone();
  const { tally } = job;
  const isGood = job.state === 'done' && tally.missing + tally.refused + tally.different + tally.doubts === 0;
  if (json) terminal.out(JSON.stringify({ job: job.id, state: job.state, cursor: shownCursor(job), tally }));
  else {
    terminal.out(
      `pull ${job.id} ${job.state}${job.state === 'done' ? '' : ` at ${placeText(job)}`}: ${tallyText(job)}`,
    );
    terminal.out(job.state === 'done' ? `see: stele pull report ${job.id}` : 'the same command goes on');
  }
  return isGood ? 0 : 1;
}

/** A path may be a name; who asks for the status sees where a folder stands by its count. */
function shownCursor(job: PullJob): string | null {
  return job.source.kind === 'folder' ? null : job.cursor;
}

function placeText(job: PullJob): string {
  if (job.source.kind === 'folder') return `file ${job.tally.instances + job.tally.passedOver}`;
  return /^\d{8}$/.test(job.cursor) ? `day ${job.cursor}` : job.cursor;
}

function tallyText({ tally }: PullJob): string {
  const parts = [`${tally.stored} stored`, `${tally.here} there already`, sizeText(tally.bytes)];
  if (tally.studies > 0) parts.unshift(`${tally.studies} studies`);
  for (const name of ['missing', 'refused', 'different'] as const)
    if (tally[name] > 0) parts.push(`${tally[name]} ${name}`);
  if (tally.passedOver > 0) parts.push(`${tally.passedOver} passed over`);
  if (tally.doubts > 0) parts.push(`${tally.doubts} in doubt`);
  return parts.join(', ');
}

function dayFlag(run: CommandRun, name: string): string | undefined {
  const day = textFlag(run.flags, name)?.replaceAll('-', '');
  if (day !== undefined && !isDay(day)) throw new ArchiveError('ARGUMENT_INVALID', `--${name} is a day, YYYYMMDD`);
  return day;
}

/** What a source moves to us comes by our own door: that of the server, or one for as long as this lasts. DATA_LOCKED when its port is taken. */
async function openDoorWhereNone({ archive, settings }: Running): Promise<{ close: () => Promise<void> } | undefined> {
  const { host, dicomPort, aet } = settings;
  const verification = { id: 1, abstractSyntax: '1.2.840.10008.1.1', transferSyntaxes: ['1.2.840.10008.1.2'] };
  if (dicomPort !== 0) {
    try {
      const own = await openAssociation({ host, port: dicomPort, calling: aet, called: aet, contexts: [verification] });
      await own.release();
      return undefined;
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
    }
  }
  return openDimse({
    archive: () => archive,
    host,
    port: dicomPort,
    title: aet,
    tlsClient: readDicomTls(settings).client,
    clock: systemClock,
    onFault: () => undefined,
  });
}

export const pullStatus = defineCommand({
  name: 'pull status',
  usage: '',
  says: 'list pulls, and how far they have come',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const jobs = (await jobStore(await running()).list()).toSorted((one, other) => other.startedMs - one.startedMs);
    if (json) for (const job of jobs) terminal.out(JSON.stringify({ ...job, state: stateOf(job) }));
    else
      for (const line of tableText(
        jobs.map((job) => [
          job.id,
          job.source.kind === 'entity' ? job.source.title : job.source.path,
          stateOf(job) + (job.why === undefined ? '' : ` (${job.why})`),
          timeText(job.changedMs),
          job.state === 'done' ? '' : placeText(job),
          tallyText(job),
        ]),
      ))
        terminal.out(line);
    return 0;
  },
});

export const pullStop = defineCommand({
  name: 'pull stop',
  usage: '[JOB]',
  says: 'stop a pull that runs in the server; the command that began it goes on with it later',
  args: { least: 0, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const store = jobStore(await running());
    const jobs = (await store.list()).filter((job) => args.length > 0 || stateOf(job) === 'running');
    const job = findJob(jobs, args[0]);
    const wasRunning = stateOf(job) === 'running';
    if (wasRunning) await store.askToStop(job.id, true);
    terminal.out(
      json
        ? JSON.stringify({ job: job.id, wasRunning })
        : `pull ${job.id} ${wasRunning ? 'stops after what it is at' : 'is not running'}`,
    );
    return 0;
  },
});
