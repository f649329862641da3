// pull, pull web, pull folder, pull stop, pull status: everything out of another archive or off its disks, resumable.
//
// Invariants: credentials of a source are given anew each time and kept nowhere; as of begin-pull.ts.

import path from 'node:path';
import { ArchiveError, defaultTenant, systemClock } from '../../base/index.ts';
import { openAssociation } from '../../dicom/index.ts';
import { openDimse } from '../../doors/dimse/index.ts';
import { runFolderPull, runPull, runWebPull, sourceName, sourceUrl } from '../../doors/pull/index.ts';
import {
  askedFlags,
  commonPullFlags,
  partsOf,
  placeText,
  readAsked,
  readLists,
  sayPlan,
  takeJob,
  tallyText,
  tell,
} from '../begin-pull.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { allDisks } from '../data-folder.ts';
import { readDicomTls } from '../dicom-tls.ts';
import { readFile } from '../named-files.ts';
import { findJob, jobStore, stateOf, whileRunning } from '../pull-jobs.ts';
import { openTree } from '../pull-tree.ts';
import type { Running } from '../running.ts';
import { tableText, timeText } from '../say-sizes.ts';

const filesAtOnce = 8;
const pemBytesMax = 1024 * 1024;

export const pull = defineCommand({
  name: 'pull',
  usage: 'TITLE [--from YYYYMMDD] [--to YYYYMMDD] [--modality CT] [--get | --move] [...]',
  says: 'pull everything out of another archive of the AE table, newest first',
  details: `Asked day by day with C-FIND and fetched with C-GET, or with C-MOVE to this archive's title where the source knows no C-GET. What is here already
is compared by UID and not fetched again. ^C or "stele pull stop" stops it; the same command goes on where it stood. Then: stele pull report.`,
  args: { least: 1, most: 1 },
  flags: {
    get: { type: 'boolean', says: 'with C-GET alone' },
    move: { type: 'boolean', says: 'with C-MOVE to our own title, which the source must know' },
    ...askedFlags,
    ...commonPullFlags,
  },
  where: 'archive',
  run: pullEntity,
});

async function pullEntity(run: CommandRun): Promise<number> {
  const { flags, args, settings } = run;
  const [title = ''] = args;
  const { atOnce, ...asked } = readAsked(run);
  if (flags['get'] === true && flags['move'] === true)
    throw new ArchiveError('ARGUMENT_INVALID', 'either --get or --move');
  const how = flags['get'] === true ? 'get' : flags['move'] === true ? 'move' : 'either';
  const lists = readLists(run);
  const running = await run.running();
  const entity = await running.archive.entities.get(title);
  if (entity?.host === undefined || entity.port === undefined)
    throw new ArchiveError('NOT_FOUND', 'the table does not say where this application entity listens', {
      hint: 'see: stele ae list; use: stele ae set TITLE HOST:PORT',
    });
  const known = { ...entity, host: entity.host, port: entity.port };
  const peer = { entity: known, title: settings.aet, tlsClient: readDicomTls(settings).client };
  if (flags['plan'] === true) {
    const words = { source: { kind: 'entity' as const, title, how }, ...asked } as const;
    return sayPlan(run, running, words, (job, parts) => runPull(job, { ...parts, ...peer }));
  }
  const job = await takeJob(run, running, lists, {
    source: { kind: 'entity', title, how },
    ...asked,
    tenant: entity.tenant ?? defaultTenant,
  });
  return whileRunning(job.id, async () => {
    const door = how === 'get' ? undefined : await openDoorWhereNone(running);
    try {
      const parts = partsOf(run, running, atOnce);
      return tell(run, await runPull(job, { ...parts, ...peer }));
    } finally {
      await door?.close();
    }
  });
}

export const pullWeb = defineCommand({
  name: 'pull web',
  usage: 'URL [--from YYYYMMDD] [--to YYYYMMDD] [--modality CT] [--credential FILE [--user NAME]] [...]',
  says: 'pull everything out of another archive that speaks DICOMweb, newest first',
  details: `URL is where DICOMweb begins, such as https://old/dicom-web. Asked day by day with QIDO-RS and fetched with WADO-RS, as it is stored there. What is here
already is compared by UID and not fetched again. ^C or "stele pull stop" stops it; the same command goes on where it stood. Then: stele pull report.`,
  args: { least: 1, most: 1 },
  flags: {
    credential: {
      type: 'string',
      value: 'FILE',
      secret: true,
      says: 'file that holds the token, or with --user the password',
    },
    user: { type: 'string', value: 'NAME', says: 'user of the source (Basic); without it the credential is a token' },
    ca: { type: 'string', value: 'FILE', says: 'authorities that sign the certificate of the source (PEM)' },
    issuer: { type: 'string', value: 'NAME', says: 'issuer of patient ids that name none' },
    ...askedFlags,
    ...commonPullFlags,
  },
  where: 'archive',
  creates: true,
  run: pullWebSource,
});

async function pullWebSource(run: CommandRun): Promise<number> {
  const { args, flags, terminal } = run;
  const { atOnce, ...asked } = readAsked(run);
  const url = sourceUrl(args[0] ?? '');
  const user = textFlag(flags, 'user');
  const credential = textFlag(flags, 'credential') === undefined ? undefined : run.secret;
  if (user !== undefined && credential === undefined)
    throw new ArchiveError('ARGUMENT_INVALID', '--user needs --credential FILE with its password');
  if (user?.includes(':') === true) throw new ArchiveError('ARGUMENT_INVALID', 'the name of a user holds no colon');
  const authorization =
    credential === undefined
      ? undefined
      : user === undefined
        ? `Bearer ${credential}`
        : `Basic ${Buffer.from(`${user}:${credential}`).toString('base64')}`;
  if (authorization !== undefined && !/^[\x20-\x7e]+$/.test(authorization))
    throw new ArchiveError('ARGUMENT_INVALID', 'a token is of ASCII characters');
  if (authorization !== undefined && url.startsWith('http:'))
    terminal.note('the credential goes over the line in the clear: the source is asked over http');
  const caFile = textFlag(flags, 'ca');
  const pem = { sizeBytesMax: pemBytesMax, pipes: false };
  const ca = caFile === undefined ? undefined : readFile(path.resolve(terminal.cwd, caFile), '--ca', pem);
  const lists = readLists(run);
  const running = await run.running();
  const words = { source: { kind: 'web' as const, url }, ...asked };
  const web = { source: { url, authorization, ca }, tenant: defaultTenant, issuer: textFlag(flags, 'issuer') };
  if (flags['plan'] === true)
    return sayPlan(run, running, words, (job, parts) => runWebPull(job, { ...parts, ...web }));
  const job = await takeJob(run, running, lists, { ...words, tenant: defaultTenant });
  const parts = { ...partsOf(run, running, atOnce), ...web };
  return whileRunning(job.id, async () => tell(run, await runWebPull(job, parts)));
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
          sourceName(job.source),
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
