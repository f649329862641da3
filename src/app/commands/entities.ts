// ae: the table of application entities, and whom we turned away.

import {
  type ApplicationEntity,
  type EntityRight,
  entityRights,
  plainEntity,
  type WhenKnown,
} from '../../archive/index.ts';
import { ArchiveError, tenantId } from '../../base/index.ts';
import { objectKinds } from '../../dicom/index.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { tableText, timeText } from '../say-sizes.ts';

const numberFlag = (run: CommandRun, name: string): number | undefined => {
  const text = textFlag(run.flags, name);
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new ArchiveError('ARGUMENT_INVALID', `--${name} is a number`);
  return Number(text);
};

const listFlag = (run: CommandRun, name: string): readonly string[] | undefined =>
  textFlag(run.flags, name)
    ?.split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');

function rightsOf(run: CommandRun): readonly EntityRight[] | undefined {
  const wanted = listFlag(run, 'may');
  const unknown = wanted?.find((each) => !entityRights.some((right) => right === each));
  if (unknown !== undefined)
    throw new ArchiveError('ARGUMENT_INVALID', `--may lists some of ${entityRights.join(', ')}`);
  return wanted === undefined ? undefined : entityRights.filter((right) => wanted.includes(right));
}

/** Kinds of objects of which the last counts. */
function lastKindsOf(run: CommandRun): WhenKnown | undefined {
  const wanted = listFlag(run, 'last');
  if (wanted === undefined) return undefined;
  if (run.flags['latest'] === true) throw new ArchiveError('ARGUMENT_INVALID', 'either --latest or --last');
  if (wanted.length === 1 && wanted[0] === 'none') return 'first';
  if (wanted.length === 1 && wanted[0] === 'all') return 'last';
  const unknown = wanted.find((each) => !objectKinds.some((kind) => kind === each));
  if (unknown !== undefined || wanted.length === 0)
    throw new ArchiveError('ARGUMENT_INVALID', `--last lists some of ${objectKinds.join(', ')}, or says all or none`);
  return objectKinds.filter((kind) => wanted.includes(kind));
}

/** HOST:PORT, the host in brackets where it has colons itself. */
function placeOf(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'an address is HOST:PORT');
  return { host, port: Number(match?.[3]) };
}

export const aeSet = defineCommand({
  name: 'ae set',
  usage: 'TITLE [HOST:PORT] [--from ADDRESS,...] [--may RIGHT,...] [...]',
  says: 'admit an application entity, or change what it may',
  details: `What is not named stays as it was. Rights: ${entityRights.join(', ')} (at first all).`,
  args: { least: 1, most: 2 },
  flags: {
    from: { type: 'string', value: 'ADDRESS,...', says: 'addresses it may call from (at first any)' },
    may: { type: 'string', value: 'RIGHT,...', says: 'what it may do' },
    associations: { type: 'string', value: 'N', says: 'associations at once' },
    matches: { type: 'string', value: 'N', says: 'matches of a query before it is told that there are too many' },
    tenant: { type: 'string', value: 'N', says: 'tenant it works in' },
    issuer: { type: 'string', value: 'NAME', says: 'issuer of patient ids that name none' },
    charset: { type: 'string', value: 'TERMS', says: 'Specific Character Set of answers to it' },
    syntaxes: { type: 'string', value: 'UID,...', says: 'transfer syntaxes to accept from it, best first' },
    latest: { type: 'boolean', says: 'of other bytes under a known instance UID the last that it sends is shown' },
    last: {
      type: 'string',
      value: 'KIND,...',
      says: `the same for some kinds alone: ${objectKinds.join(', ')}; or all, or none`,
    },
    tls: { type: 'boolean', says: 'it is called over TLS' },
  },
  where: 'archive',
  run: async (run) => {
    const [title = '', address] = run.args;
    const { archive } = await run.running();
    const before = (await archive.entities.get(title)) ?? plainEntity(title);
    const place = address === undefined ? { host: before.host, port: before.port } : placeOf(address);
    const tenant = numberFlag(run, 'tenant');
    const entity: ApplicationEntity = {
      ...before,
      ...place,
      from: listFlag(run, 'from') ?? before.from,
      may: rightsOf(run) ?? before.may,
      associationsMax: numberFlag(run, 'associations') ?? before.associationsMax,
      matchesMax: numberFlag(run, 'matches') ?? before.matchesMax,
      tenant: tenant === undefined ? before.tenant : tenantId(tenant),
      issuer: textFlag(run.flags, 'issuer') ?? before.issuer,
      charset: textFlag(run.flags, 'charset') ?? before.charset,
      syntaxes: listFlag(run, 'syntaxes') ?? before.syntaxes,
      whenKnown: run.flags['latest'] === true ? 'last' : (lastKindsOf(run) ?? before.whenKnown),
      tls: run.flags['tls'] === true || before.tls,
    };
    await archive.entities.set(entity);
    run.terminal.out(run.json ? JSON.stringify(entity) : `${title} is admitted`);
    return 0;
  },
});

export const aeList = defineCommand({
  name: 'ae list',
  usage: '',
  says: 'list the application entities that are admitted',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const { archive } = await running();
    const entities = await archive.entities.list();
    if (json) for (const entity of entities) terminal.out(JSON.stringify(entity));
    else
      for (const line of tableText(
        entities.map((each) => [
          each.title,
          each.host === undefined ? '' : `${each.host}:${each.port ?? ''}${each.tls ? ' tls' : ''}`,
          each.from.length === 0 ? 'from anywhere' : `from ${each.from.join(' ')}`,
          each.may.join(' '),
        ]),
      ))
        terminal.out(line);
    return 0;
  },
});

export const aeRemove = defineCommand({
  name: 'ae remove',
  usage: 'TITLE',
  says: 'turn an application entity away from now on',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const [title = ''] = args;
    const { archive } = await running();
    await archive.entities.remove(title);
    terminal.out(json ? JSON.stringify({ title, removed: true }) : `${title} is not admitted any more`);
    return 0;
  },
});

export const aeRefused = defineCommand({
  name: 'ae refused',
  usage: '',
  says: 'list callers that were turned away, and why',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const { archive } = await running();
    const refusals = await archive.entities.refusals();
    if (json) for (const refusal of refusals) terminal.out(JSON.stringify(refusal));
    else
      for (const line of tableText(
        refusals.map((each) => [
          each.calling,
          each.address,
          `called ${each.called}`,
          each.reason,
          `${each.count} times`,
          `last ${timeText(each.lastMs)}`,
        ]),
      ))
        terminal.out(line);
    return 0;
  },
});
