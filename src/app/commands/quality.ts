// quality: what is odd about series, how objects of one instance UID differ, and what people decided.

import { qualityKinds, qualityKindText } from '../../archive/index.ts';
import { ArchiveError, defaultTenant, systemClock } from '../../base/index.ts';
import type { Compared, QualityCase } from '../../catalog/index.ts';
import { type Command, type CommandRun, defineCommand, type FlagSpec, textFlag } from '../command.ts';
import { timeText } from '../say-sizes.ts';

const dayMs = 86_400_000;
const casesClosedMax = 100_000;

const filterFlags: Readonly<Record<string, FlagSpec>> = {
  kind: { type: 'string', value: 'KIND,...', says: 'cases of these kinds' },
  source: { type: 'string', value: 'TITLE', says: 'cases that began with what this application entity sent' },
  since: { type: 'string', value: 'YYYYMMDD|DAYS', says: 'trouble on this day or later, or in the last so many days' },
  study: { type: 'string', value: 'UID', says: 'cases of this study' },
};

type Filter = {
  readonly kinds?: readonly string[];
  readonly source?: string;
  readonly sinceMs?: number;
  readonly studyUid?: string;
};

function filterOf({ flags }: CommandRun): Filter {
  const [kind, source, since, studyUid] = ['kind', 'source', 'since', 'study'].map((name) => textFlag(flags, name));
  const kinds = kind?.split(',').filter((each) => each !== '');
  const unknown = kinds?.find((each) => !qualityKinds.includes(each));
  if (unknown !== undefined)
    throw new ArchiveError('ARGUMENT_INVALID', `--kind lists some of ${qualityKinds.join(', ')}`);
  return {
    ...(kinds === undefined ? {} : { kinds }),
    ...(source === undefined ? {} : { source }),
    ...(since === undefined ? {} : { sinceMs: sinceOf(since) }),
    ...(studyUid === undefined ? {} : { studyUid }),
  };
}

function sinceOf(text: string): number {
  const day = /^(\d{4})-?(\d\d)-?(\d\d)$/.exec(text);
  if (day !== null) {
    const [year, month, date] = day.slice(1).map(Number) as [number, number, number];
    const atMs = new Date(year, month - 1, date).getTime();
    if (new Date(atMs).getDate() === date && new Date(atMs).getMonth() === month - 1) return atMs;
  }
  if (/^\d{1,5}$/.test(text)) return systemClock.nowMs() - Number(text) * dayMs;
  throw new ArchiveError('ARGUMENT_INVALID', '--since is a day, YYYYMMDD, or a number of days');
}

function caseLine({ id, kind, state, source, studyUid, seriesUid, lastMs }: QualityCase): string {
  return [id, state, kind, source ?? 'unknown', studyUid, seriesUid, timeText(lastMs)].join('  ');
}

const qualityList = defineCommand({
  name: 'quality list',
  usage: '[--kind KIND,...] [--source TITLE] [--since YYYYMMDD] [--study UID] [--closed | --all]',
  says: 'list quality cases, the latest trouble first',
  details: 'A case is one kind of trouble in one series. A closed one is open again when the same trouble comes again.',
  args: { least: 0, most: 0 },
  flags: {
    ...filterFlags,
    closed: { type: 'boolean', says: 'cases that were closed' },
    all: { type: 'boolean', says: 'cases that are open and cases that were closed' },
  },
  where: 'archive',
  run: async (run) => {
    const { flags, terminal, json } = run;
    if (flags['closed'] === true && flags['all'] === true)
      throw new ArchiveError('ARGUMENT_INVALID', 'either --closed or --all');
    const state = flags['all'] === true ? {} : ({ state: flags['closed'] === true ? 'closed' : 'open' } as const);
    const filter = { ...filterOf(run), ...state };
    const { archive } = await run.running();
    for await (const each of archive.quality.list(filter)) {
      terminal.out(json ? JSON.stringify(each) : caseLine(each));
      await terminal.room();
    }
    return 0;
  },
});

const differenceTexts = {
  syntax: 'the same pixels and attributes, encoded otherwise',
  header: 'the same pixels, other attributes',
  pixels: 'other pixels',
  undecided: 'pixels that cannot be decoded here',
} as const;

function besideLines(each: Compared): string[] {
  const { id, instanceUid, source, createdMs, difference, identity, paths } = each;
  const says = difference === undefined ? 'not compared yet' : differenceTexts[difference];
  return [
    `  ${instanceUid}`,
    `    came again ${timeText(createdMs)} from ${source ?? 'unknown'} as object ${id}: ${says}`,
    ...(each.with === undefined ? [] : [`    compared with object ${each.with}`]),
    ...(identity.length === 0 ? [] : [`    whose it is differs: ${identity.join(' ')}`]),
    ...(paths.length === 0 ? [] : [`    attributes that differ: ${paths.join(' ')}`]),
  ];
}

const qualityShow = defineCommand({
  name: 'quality show',
  usage: 'CASE | UID',
  says: 'say what a quality case is about, or how objects of one instance UID differ',
  details:
    'Names of attributes are shown, and no values. The beginning of the id of a case is enough; a SOP Instance UID is told whether there is a case or not.',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async (run) => {
    const { terminal, json, args } = run;
    const { archive } = await run.running();
    if (args[0]?.includes('.') === true)
      return showInstance(run, await archive.quality.ofInstance(defaultTenant, args[0]));
    const shown = await archive.quality.show(args[0] ?? '');
    if (json) {
      terminal.out(JSON.stringify({ ...shown.case, beside: shown.beside }));
      return 0;
    }
    const { kind, decided, firstMs, firstEntry, source } = shown.case;
    terminal.out(caseLine(shown.case));
    terminal.out(qualityKindText(kind));
    terminal.out(`first ${timeText(firstMs)} from ${source ?? 'unknown'} with object ${firstEntry}`);
    if (decided !== undefined)
      terminal.out(`${decided.state} ${timeText(decided.atMs)} by ${decided.who}: ${decided.why}`);
    for (const each of shown.beside) for (const line of besideLines(each)) terminal.out(line);
    return 0;
  },
});

function showInstance({ terminal, json }: CommandRun, beside: readonly Compared[]): number {
  if (beside.length === 0)
    throw new ArchiveError('NOT_FOUND', 'nothing came beside another object of this instance UID');
  for (const each of beside) for (const line of json ? [JSON.stringify(each)] : besideLines(each)) terminal.out(line);
  return 0;
}

function decide(state: 'open' | 'closed'): Command['run'] {
  return async (run) => {
    const { flags, terminal, json, args } = run;
    const [why, who] = [textFlag(flags, 'why'), textFlag(flags, 'by') ?? 'operator'];
    if (why === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'say why: --why TEXT');
    const filter = filterOf(run);
    if (args.length > 0 === Object.keys(filter).length > 0)
      throw new ArchiveError('ARGUMENT_INVALID', 'name cases by their ids, or say which by flags');
    const { quality } = (await run.running()).archive;
    const ids = [...args];
    if (args.length === 0)
      for await (const each of quality.list({ ...filter, state: state === 'closed' ? 'open' : 'closed' })) {
        ids.push(each.id);
        if (ids.length > casesClosedMax)
          throw new ArchiveError('LIMIT_EXCEEDED', `at most ${casesClosedMax} cases are decided on at once`);
      }
    for (const id of ids) {
      const decided = await quality.decide(id, { state, who, why });
      terminal.out(json ? JSON.stringify(decided) : caseLine(decided));
      await terminal.room();
    }
    return 0;
  };
}

const decisionFlags: Readonly<Record<string, FlagSpec>> = {
  why: { type: 'string', value: 'TEXT', says: 'the reason, kept with the case' },
  by: { type: 'string', value: 'NAME', says: 'who decides (operator)' },
  ...filterFlags,
};

const qualityClose = defineCommand({
  name: 'quality close',
  usage: 'CASE ... --why TEXT [--by NAME] | --kind KIND ... --why TEXT',
  says: 'close quality cases, by their ids or all that are open and meet the flags',
  args: { least: 0, most: 1000 },
  flags: decisionFlags,
  where: 'archive',
  run: decide('closed'),
});

const qualityReopen = defineCommand({
  name: 'quality reopen',
  usage: 'CASE ... --why TEXT [--by NAME] | --kind KIND ... --why TEXT',
  says: 'open quality cases again that were closed',
  args: { least: 0, most: 1000 },
  flags: decisionFlags,
  where: 'archive',
  run: decide('open'),
});

const qualityCompare = defineCommand({
  name: 'quality compare',
  usage: '',
  says: 'compare at once what came under a known instance UID and waits for it',
  details: 'A server does it by itself, in the background.',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const { quality } = (await running()).archive;
    let compared = 0;
    let failed = 0;
    for await (const { code } of quality.compareAll(terminal.signal)) {
      if (code === undefined) compared += 1;
      else {
        failed += 1;
        terminal.note(`an object could not be compared (${code})`);
      }
      terminal.progress(`${compared} compared`);
    }
    terminal.progressDone();
    terminal.out(json ? JSON.stringify({ compared, failed }) : `${compared} compared, ${failed} could not be`);
    return failed === 0 ? 0 : 1;
  },
});

export const qualityCommands: readonly Command[] = [
  qualityList,
  qualityShow,
  qualityClose,
  qualityReopen,
  qualityCompare,
];
