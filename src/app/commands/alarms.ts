// alarm: what is wrong, who sees to it, and who is told.

import {
  type AlarmLanguage,
  type AlarmState,
  type AlarmTarget,
  alarmLanguages,
  alarmText,
  type TargetForm,
  targetForms,
} from '../../archive/index.ts';
import { ArchiveError } from '../../base/index.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { tableText, timeText } from '../say-sizes.ts';

function choice<Value extends string>(run: CommandRun, name: string, choices: readonly Value[], before: Value): Value {
  const text = textFlag(run.flags, name);
  if (text === undefined) return before;
  const known = choices.find((each) => each === text);
  if (known === undefined) throw new ArchiveError('ARGUMENT_INVALID', `--${name} is one of ${choices.join(', ')}`);
  return known;
}

/** Without the password that it may hold. */
function shownUrl(url: string): string {
  const shown = new URL(url);
  if (shown.password !== '') shown.password = '***';
  if (shown.protocol.startsWith('http')) shown.search = shown.search === '' ? '' : '?***';
  return shown.href;
}

function alarmRow(state: AlarmState, language: AlarmLanguage): string[] {
  const { cause, subject, weight, sinceMs, goneMs, takenBy } = state;
  const about = takenBy === undefined ? '' : `taken up by ${takenBy}`;
  return [
    weight,
    subject === '' ? cause : `${cause}/${subject}`,
    `since ${timeText(sinceMs)}`,
    goneMs === undefined ? about : 'just over',
    alarmText(state, language),
  ];
}

export const alarmList = defineCommand({
  name: 'alarm list',
  usage: '',
  says: 'list what is wrong',
  args: { least: 0, most: 0 },
  flags: { language: { type: 'string', value: 'en|zh', says: 'in which language' } },
  where: 'archive',
  run: async (run) => {
    const { archive } = await run.running();
    const language = choice(run, 'language', alarmLanguages, 'en');
    const found = await archive.alarms.list();
    if (run.json)
      for (const each of found) run.terminal.out(JSON.stringify({ ...each, says: alarmText(each, language) }));
    else if (found.length === 0) run.terminal.out('no alarm');
    else for (const line of tableText(found.map((each) => alarmRow(each, language)))) run.terminal.out(line);
    return 0;
  },
});

export const alarmTake = defineCommand({
  name: 'alarm take',
  usage: 'CAUSE[/SUBJECT] WHO',
  says: 'say who sees to an alarm: it is told no more until it is over',
  args: { least: 2, most: 2 },
  flags: {},
  where: 'archive',
  run: async ({ args, running, terminal }) => {
    const [name = '', who = ''] = args;
    const slash = name.indexOf('/');
    const [cause, subject] = slash < 0 ? [name, ''] : [name.slice(0, slash), name.slice(slash + 1)];
    const { archive } = await running();
    await archive.alarms.take(cause, subject, who);
    terminal.out(`${name} is taken up by ${who}`);
    return 0;
  },
});

export const alarmTest = defineCommand({
  name: 'alarm test',
  usage: 'TARGET',
  says: 'send a word to a target of alarms, within a minute, while the server runs',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ args: [name = ''], running, terminal }) => {
    const { archive } = await running();
    await archive.alarms.test(name);
    terminal.out(`a word to ${name} is on its way`);
    return 0;
  },
});

export const alarmTargetSet = defineCommand({
  name: 'alarm set',
  usage: 'TARGET [URL] [...]',
  says: 'say who is told of alarms: by mail, syslog, SNMP or a webhook',
  details:
    'URL: smtp[s]://USER:PASSWORD@HOST?from=A&to=B, syslog[+tcp|+tls]://HOST, snmp://COMMUNITY@HOST, https://... . What is not named stays as it was.',
  args: { least: 1, most: 2 },
  flags: {
    form: { type: 'string', value: targetForms.join('|'), says: 'what a webhook takes (json)' },
    secret: { type: 'string', value: 'TEXT', says: 'what requests to a webhook are signed with' },
    language: { type: 'string', value: 'en|zh', says: 'in which language it is told (en)' },
    least: { type: 'string', value: 'warning|severe', says: 'what is told at least (warning)' },
  },
  where: 'archive',
  run: async (run) => {
    const [name = '', url] = run.args;
    const { archive } = await run.running();
    const before = (await archive.alarms.targets()).find((each) => each.name === name);
    const target: AlarmTarget = {
      name,
      url: url ?? before?.url ?? '',
      form: choice<TargetForm>(run, 'form', targetForms, before?.form ?? 'json'),
      secret: textFlag(run.flags, 'secret') ?? before?.secret,
      language: choice(run, 'language', alarmLanguages, before?.language ?? 'en'),
      least: choice(run, 'least', ['warning', 'severe'] as const, before?.least ?? 'warning'),
    };
    await archive.alarms.setTarget(target);
    run.terminal.out(`${name} is told of alarms; try it: stele alarm test ${name}`);
    return 0;
  },
});

export const alarmTargetList = defineCommand({
  name: 'alarm targets',
  usage: '',
  says: 'list who is told of alarms',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const { archive } = await running();
    const targets = await archive.alarms.targets();
    const shown = targets.map(({ secret, ...each }) => ({
      ...each,
      url: shownUrl(each.url),
      signed: secret !== undefined,
    }));
    if (json) for (const each of shown) terminal.out(JSON.stringify(each));
    else if (shown.length === 0) terminal.out('nobody is told of alarms: stele alarm set TARGET URL');
    else
      for (const line of tableText(shown.map((each) => [each.name, each.url, each.form, each.language, each.least])))
        terminal.out(line);
    return 0;
  },
});

export const alarmTargetRemove = defineCommand({
  name: 'alarm remove',
  usage: 'TARGET',
  says: 'tell a target no more',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ args: [name = ''], running, terminal }) => {
    const { archive } = await running();
    await archive.alarms.removeTarget(name);
    terminal.out(`${name} is told no more`);
    return 0;
  },
});
