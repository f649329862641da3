// forward: rules that send studies on, what waits to be sent, and who holds what.

import { type ForwardRule, type Holding, hoursOf, quietSecondsDefault, type Standing } from '../../archive/index.ts';
import { ArchiveError } from '../../base/index.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { tableText, timeText } from '../say-sizes.ts';

/** What is listed; `any` takes back what was. */
const listFlag = (run: CommandRun, name: string): readonly string[] | undefined => {
  const text = textFlag(run.flags, name);
  if (text === 'any') return [];
  return text
    ?.split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
};

function quietOf(run: CommandRun): number | undefined {
  const text = textFlag(run.flags, 'quiet');
  if (text !== undefined && !/^\d{1,6}$/.test(text))
    throw new ArchiveError('ARGUMENT_INVALID', '--quiet is a number of seconds');
  return text === undefined ? undefined : Number(text);
}

/** One of two flags, or as it was. ARGUMENT_INVALID for both. */
function either(run: CommandRun, { yes, no }: { yes: string; no: string }, before: boolean): boolean {
  const [isYes, isNo] = [run.flags[yes] === true, run.flags[no] === true];
  if (isYes && isNo) throw new ArchiveError('ARGUMENT_INVALID', `either --${yes} or --${no}`);
  return isYes || (before && !isNo);
}

export const forwardSet = defineCommand({
  name: 'forward set',
  usage: 'RULE [TITLE] [--from TITLE,...] [--modality M,...] [...]',
  says: 'make a rule that sends what comes on to an application entity, or change one',
  details:
    'What is not named stays as it was; the value any takes a condition back. A series goes when all conditions hold.',
  args: { least: 1, most: 2 },
  flags: {
    from: { type: 'string', value: 'TITLE,...', says: 'AE titles that it takes from' },
    modality: { type: 'string', value: 'M,...', says: 'modalities that it takes' },
    description: { type: 'string', value: 'PATTERN', says: 'what the study description looks like, with * and ?' },
    hours: { type: 'string', value: 'H-H,...', says: 'hours of the day in which it takes what arrives, such as 18-7' },
    quiet: {
      type: 'string',
      value: 'SECONDS',
      says: `how long a study is quiet before it goes (${quietSecondsDefault})`,
    },
    notice: { type: 'boolean', says: 'it sends no instances, only the notice that they are available here' },
    instances: { type: 'boolean', says: 'it sends instances (the default)' },
    once: { type: 'boolean', says: 'what was sent is not sent again when it is corrected or replaced later' },
    again: { type: 'boolean', says: 'what was corrected or replaced is sent again (the default)' },
    off: { type: 'boolean', says: 'it takes nothing for now' },
    on: { type: 'boolean', says: 'it takes again' },
  },
  where: 'archive',
  run: async (run) => {
    const [name = '', title] = run.args;
    const { archive } = await run.running();
    const { forwarding, entities } = archive;
    const before = (await forwarding.rules()).find((each) => each.name === name);
    const to = title ?? before?.to;
    if (to === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'a new rule needs the AE title that it sends to');
    if ((await entities.get(to))?.host === undefined)
      throw new ArchiveError('NOT_FOUND', 'the table does not say where this application entity listens', {
        hint: 'use: stele ae set TITLE HOST:PORT',
      });
    const description = textFlag(run.flags, 'description');
    const hours = textFlag(run.flags, 'hours');
    const rule: ForwardRule = {
      name,
      to: to.trim(),
      what: either(run, { yes: 'notice', no: 'instances' }, before?.what === 'notice') ? 'notice' : 'instances',
      once: either(run, { yes: 'once', no: 'again' }, before?.once ?? false),
      from: listFlag(run, 'from') ?? before?.from ?? [],
      modalities: listFlag(run, 'modality') ?? before?.modalities ?? [],
      description: description === 'any' ? undefined : (description ?? before?.description),
      hours: hours === 'any' ? [] : hours === undefined ? (before?.hours ?? []) : hoursOf(hours),
      quietSeconds: quietOf(run) ?? before?.quietSeconds ?? quietSecondsDefault,
      enabled: either(run, { yes: 'on', no: 'off' }, before?.enabled ?? true),
    };
    await forwarding.setRule(rule);
    run.terminal.out(
      run.json ? JSON.stringify(rule) : `${name} sends to ${rule.to}${rule.enabled ? '' : ', and is off'}`,
    );
    return 0;
  },
});

export const forwardList = defineCommand({
  name: 'forward list',
  usage: '',
  says: 'list the rules that send on',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const rules = await (await running()).archive.forwarding.rules();
    const any = (values: readonly (string | number)[], what: string): string =>
      values.length === 0 ? `any ${what}` : values.join(' ');
    if (json) for (const rule of rules) terminal.out(JSON.stringify(rule));
    else
      for (const line of tableText(
        rules.map((rule) => [
          rule.name,
          `${rule.what} to ${rule.to}`,
          `from ${any(rule.from, 'title')}`,
          any(rule.modalities, 'modality'),
          rule.description ?? 'any description',
          any(rule.hours, 'hour'),
          `quiet ${rule.quietSeconds} s`,
          rule.once ? 'once' : '',
          rule.enabled ? '' : 'off',
        ]),
      ))
        terminal.out(line);
    return 0;
  },
});

export const forwardRemove = defineCommand({
  name: 'forward remove',
  usage: 'RULE',
  says: 'remove a rule; what it has queued is still sent',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const [name = ''] = args;
    await (await running()).archive.forwarding.removeRule(name);
    terminal.out(json ? JSON.stringify({ name, removed: true }) : `${name} is removed`);
    return 0;
  },
});

export const forwardQueue = defineCommand({
  name: 'forward queue',
  usage: '',
  says: 'list what waits to be sent on, and why it was not yet',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const { archive } = await running();
    for await (const forward of archive.forwarding.queue()) {
      const { to, what, study, tries, givenUp, nextMs, lastError } = forward;
      const when = givenUp ? 'given up' : `next ${timeText(nextMs)}`;
      const line = `${to}  ${what}  ${study}  ${tries} tries  ${when}${lastError === undefined ? '' : `  ${lastError}`}`;
      terminal.out(json ? JSON.stringify(forward) : line);
      await terminal.room();
    }
    return 0;
  },
});

export const forwardLedger = defineCommand({
  name: 'forward ledger',
  usage: '[TITLE] [--stale]',
  says: 'list who holds which version of which study, or was told of it',
  details: `A version counts the contents that a destination was given. The digest is SHA-256 of the SOP Instance UIDs, sorted, with a line feed between them. --stale
compares with what is here now, and lists what is older; stele forward update sends that again.`,
  args: { least: 0, most: 1 },
  flags: { stale: { type: 'boolean', says: 'only what is older than what is here' } },
  where: 'archive',
  run: async ({ running, args, flags, terminal, json }) => {
    const { archive } = await running();
    const say = async (holding: Holding, more: Partial<Standing>, text: string): Promise<void> => {
      const { to, what, study, instances, version, digest, sentMs } = holding;
      const line = `${to}  ${what}  ${study}  version ${version}  ${instances} instances  ${digest}  ${timeText(sentMs)}`;
      terminal.out(json ? JSON.stringify({ ...holding, ...more }) : `${line}${text}`);
      await terminal.room();
    };
    if (flags['stale'] !== true) {
      for await (const holding of archive.forwarding.ledger(args[0])) await say(holding, {}, '');
      return 0;
    }
    for await (const { holding, state, added, changed } of archive.forwarding.standings(args[0])) {
      if (state === 'current') continue;
      await say(holding, { state, added, changed }, `  ${added} came since${changed ? ', and some is changed' : ''}`);
    }
    return 0;
  },
});

export const forwardUpdate = defineCommand({
  name: 'forward update',
  usage: '[TITLE]',
  says: 'send again what a destination, or any, holds in an older version',
  args: { least: 0, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const studies = await (await running()).archive.forwarding.sendOlder(args[0]);
    terminal.out(json ? JSON.stringify({ studies }) : `${studies} studies are sent again`);
    return 0;
  },
});

export const forwardRetry = defineCommand({
  name: 'forward retry',
  usage: '[TITLE]',
  says: 'send what waits now, what was given up too',
  args: { least: 0, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const studies = await (await running()).archive.forwarding.retry(args[0]);
    terminal.out(json ? JSON.stringify({ studies }) : `${studies} studies are sent again`);
    return 0;
  },
});

export const forwardDrop = defineCommand({
  name: 'forward drop',
  usage: 'TITLE',
  says: 'send nothing of what waits for an application entity',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const studies = await (await running()).archive.forwarding.drop(args[0] ?? '');
    terminal.out(json ? JSON.stringify({ studies }) : `${studies} studies are not sent`);
    return 0;
  },
});
