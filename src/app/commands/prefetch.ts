// prefetch: older studies of a patient brought to where a new one is to be read, by rules.

import { ArchiveError, defaultTenant } from '../../base/index.ts';
import { type PriorRule, type PriorWish, usualPriorRule } from '../../policy/index.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { tableText } from '../say-sizes.ts';

export const prefetch = defineCommand({
  name: 'prefetch',
  usage: '--patient ID [--issuer NAME] [--modality CT] [--body-part CHEST] [--to TITLE] [--plan]',
  says: 'send older studies of a patient to where a new one is to be read',
  details: `What goes is decided by the rules of "stele prefetch list"; without any, by the usual one: the newest three of the last five years of the same modality and
body part. What the destination holds already is not sent again. The same can be asked for with POST /api/prefetch.`,
  args: { least: 0, most: 0 },
  flags: {
    patient: { type: 'string', value: 'ID', says: 'Patient ID of the order' },
    issuer: { type: 'string', value: 'NAME', says: 'issuer of the Patient ID (default any)' },
    modality: { type: 'string', value: 'CODE', says: 'modality that was ordered' },
    'body-part': { type: 'string', value: 'CODE', says: 'body part that was ordered' },
    study: { type: 'string', value: 'UID', says: 'the study that was ordered, which is no prior' },
    to: { type: 'string', value: 'TITLE', says: 'where it will be read (default where the rules say)' },
    plan: { type: 'boolean', says: 'only say what would go' },
  },
  where: 'archive',
  run: async (run) => {
    const { flags, terminal, json } = run;
    const patientId = textFlag(flags, 'patient');
    if (patientId === undefined) throw new ArchiveError('ARGUMENT_INVALID', '--patient ID is needed');
    const { archive } = await run.running();
    const order = {
      tenant: defaultTenant,
      patientId,
      issuer: textFlag(flags, 'issuer'),
      modality: textFlag(flags, 'modality'),
      bodyPart: textFlag(flags, 'body-part'),
      study: textFlag(flags, 'study'),
      to: textFlag(flags, 'to'),
    };
    const found =
      flags['plan'] === true
        ? (await archive.prefetch.plan(order)).map((each) => ({ ...each, state: 'planned' as const }))
        : await archive.prefetch.ask(order);
    if (json) for (const each of found) terminal.out(JSON.stringify(each));
    else
      for (const line of tableText(
        found.map(({ study, to, rule, state }) => [study, to ?? 'nowhere', `by ${rule}`, state]),
      ))
        terminal.out(line);
    if (found.length === 0) terminal.note('no older study is wanted');
    return 0;
  },
});

export const prefetchSet = defineCommand({
  name: 'prefetch set',
  usage: 'RULE [TITLE] [--modality M,...] [--body-part P,...] [...]',
  says: 'make a rule that chooses older studies for orders, or change one',
  details: `What is not named stays as it was; the value any takes a condition back. Rules add up, in the order of their names; once there is one, the usual rule is
out of force.`,
  args: { least: 1, most: 2 },
  flags: {
    modality: { type: 'string', value: 'M,...', says: 'orders that it is for, by modality (default any)' },
    'body-part': { type: 'string', value: 'P,...', says: 'orders that it is for, by body part (default any)' },
    takes: { type: 'string', value: 'M,...', says: 'modalities that it takes: same, any or a list (default same)' },
    parts: { type: 'string', value: 'P,...', says: 'body parts that it takes: same, any or a list (default same)' },
    newest: { type: 'string', value: 'N', says: `how many studies (default ${usualPriorRule.newest})` },
    years: { type: 'string', value: 'N', says: `how far back (default ${usualPriorRule.years})` },
    off: { type: 'boolean', says: 'it takes nothing for now' },
    on: { type: 'boolean', says: 'it takes again' },
  },
  where: 'archive',
  run: async (run) => {
    const [name = '', title] = run.args;
    const { archive } = await run.running();
    const before = (await archive.prefetch.rules()).find((each) => each.name === name) ?? usualPriorRule;
    const rule: PriorRule = {
      name,
      modalities: listOf(run, 'modality') ?? before.modalities,
      bodyParts: listOf(run, 'body-part') ?? before.bodyParts,
      priorModalities: wishOf(run, 'takes') ?? before.priorModalities,
      priorBodyParts: wishOf(run, 'parts') ?? before.priorBodyParts,
      newest: numberOf(run, 'newest') ?? before.newest,
      years: numberOf(run, 'years') ?? before.years,
      to: title === 'any' ? undefined : (title ?? before.to),
      enabled: run.flags['off'] === true ? false : run.flags['on'] === true || before.enabled,
    };
    await archive.prefetch.setRule(rule);
    run.terminal.out(run.json ? JSON.stringify(rule) : lineOf(rule).join('  '));
    return 0;
  },
});

export const prefetchList = defineCommand({
  name: 'prefetch list',
  usage: '',
  says: 'list the rules that choose older studies for orders',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const own = await (await running()).archive.prefetch.rules();
    const rules = own.length === 0 ? [usualPriorRule] : own;
    if (json) for (const rule of rules) terminal.out(JSON.stringify(rule));
    else for (const line of tableText(rules.map(lineOf))) terminal.out(line);
    return 0;
  },
});

export const prefetchRemove = defineCommand({
  name: 'prefetch remove',
  usage: 'RULE',
  says: 'remove a rule that chooses older studies; what it had asked for is still sent',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const [name = ''] = args;
    await (await running()).archive.prefetch.removeRule(name);
    terminal.out(json ? JSON.stringify({ name, removed: true }) : `${name} is removed`);
    return 0;
  },
});

function lineOf(rule: PriorRule): string[] {
  const any = (values: readonly string[], what: string): string =>
    values.length === 0 ? `any ${what}` : values.join(' ');
  const wish = (value: PriorWish, what: string): string =>
    typeof value === 'string' ? `${value} ${what}` : value.join(' ');
  return [
    rule.name,
    `for ${any(rule.modalities, 'modality')}, ${any(rule.bodyParts, 'body part')}`,
    `takes ${wish(rule.priorModalities, 'modality')}, ${wish(rule.priorBodyParts, 'body part')}`,
    `newest ${rule.newest} of ${rule.years} years`,
    rule.to === undefined ? '' : `to ${rule.to}`,
    rule.enabled ? '' : 'off',
  ];
}

function listOf(run: CommandRun, name: string): readonly string[] | undefined {
  const text = textFlag(run.flags, name);
  if (text === 'any') return [];
  return text
    ?.split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

function wishOf(run: CommandRun, name: string): PriorWish | undefined {
  const text = textFlag(run.flags, name);
  return text === 'any' || text === 'same' ? text : listOf(run, name);
}

function numberOf(run: CommandRun, name: string): number | undefined {
  const text = textFlag(run.flags, name);
  if (text !== undefined && !/^\d{1,4}$/.test(text))
    throw new ArchiveError('ARGUMENT_INVALID', `--${name} is a number`);
  return text === undefined ? undefined : Number(text);
}
