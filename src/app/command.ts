// What a command is: its words, its flags, its help, and what it needs; and how arguments become one.
//
// Invariants: an unknown flag, a missing or an extra argument is ARGUMENT_INVALID in one line before anything is opened; every command has
// --help, --json, --config and --data; help is made from the same table that is checked.

import { parseArgs } from 'node:util';
import { ArchiveError, assert } from '../base/index.ts';
import type { Running, StartOptions } from './running.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

export type FlagSpec = {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** Name of the value in the help. */
  readonly value?: string;
  /** It names a file that holds a secret: read where the person is, never by the server. */
  readonly secret?: true;
  readonly says: string;
};

export type Flags = Readonly<Record<string, string | boolean | undefined>>;

export type CommandRun = {
  readonly terminal: Terminal;
  readonly args: readonly string[];
  readonly flags: Flags;
  readonly json: boolean;
  /** A passphrase or password that was given in a file or in the environment. */
  readonly secret: string | undefined;
  readonly settings: Settings;
  /** The archive, opened here or the server's own. */
  readonly running: (more?: Pick<StartOptions, 'keyExport'>) => Promise<Running>;
  /** Closes the archive, makes the database again from the packs, opens it again. */
  readonly rebuild: (options: { fromMedia: boolean; onPack: (done: number) => void }) => Promise<RebuildReport>;
};

export type RebuildReport = {
  readonly packCount: number;
  readonly factCount: number;
  readonly losses: readonly string[];
};

export type Command = {
  /** One or two words. */
  readonly name: string;
  /** What follows the name, as the help shows it. */
  readonly usage: string;
  readonly says: string;
  readonly details?: string;
  readonly args: { readonly least: number; readonly most: number };
  readonly flags: Readonly<Record<string, FlagSpec>>;
  /** `archive`: runs in the server when there is one. `here`: always in this process. */
  readonly where: 'archive' | 'here';
  /** Whether it may begin a new archive where there is none. */
  readonly creates?: true;
  /** The exit code: 0 done, 1 failed. Errors that are thrown become their own line and code. */
  readonly run: (run: CommandRun) => Promise<number>;
};

export const commonFlags: Readonly<Record<string, FlagSpec>> = {
  help: { type: 'boolean', short: 'h', says: 'say how it is used' },
  json: { type: 'boolean', says: 'results as JSON, one value a line' },
  config: { type: 'string', value: 'FILE', says: 'configuration (default stele.yaml, when there is one)' },
  data: { type: 'string', value: 'FOLDER', says: 'data folder (default ./data)' },
};

export function defineCommand(command: Command): Command {
  assert(/^[a-z]+( [a-z]+)?$/.test(command.name), 'a command has one or two words');
  for (const flag of Object.keys(command.flags)) assert(!(flag in commonFlags), `--${flag} belongs to every command`);
  return command;
}

export type ParsedCommand = { readonly command: Command; readonly args: readonly string[]; readonly flags: Flags };

/** Finds the command and checks its arguments. ARGUMENT_INVALID. */
export function parseCommand(commands: readonly Command[], argv: readonly string[]): ParsedCommand {
  const [first = '', second = ''] = argv;
  const two = commands.find((each) => each.name === `${first} ${second}`);
  const command = two ?? commands.find((each) => each.name === first);
  if (command === undefined) {
    const rest = commands.filter((each) => each.name.startsWith(`${first} `)).map((each) => each.name.split(' ')[1]);
    const says = rest.length > 0 ? `${first} takes one of: ${rest.join(', ')}` : `"${first}" is no command`;
    throw new ArchiveError('ARGUMENT_INVALID', says, { hint: 'see: stele --help' });
  }
  const words = command.name.split(' ').length;
  const hint = `see: stele ${command.name} --help`;
  const options = { ...commonFlags, ...command.flags };
  let parsed: { values: Record<string, string | boolean | undefined>; positionals: string[] };
  try {
    parsed = parseArgs({
      args: argv.slice(words),
      options: Object.fromEntries(
        Object.entries(options).map(([name, { type, short }]) => [
          name,
          short === undefined ? { type } : { type, short },
        ]),
      ),
      allowPositionals: true,
      strict: true,
    }) as typeof parsed;
  } catch (error) {
    const says = (error instanceof Error ? error.message : '').split(/\. |\n/)[0] ?? 'the arguments cannot be read';
    throw new ArchiveError('ARGUMENT_INVALID', says, { hint });
  }
  const args = parsed.positionals;
  // An empty word is a variable that was not set: taken as a path it would mean the working folder.
  const empty = Object.entries(parsed.values).find(([, value]) => value === '');
  if (empty !== undefined) throw new ArchiveError('ARGUMENT_INVALID', `--${empty[0]} is empty`, { hint });
  if (args.includes('')) throw new ArchiveError('ARGUMENT_INVALID', 'an argument is empty', { hint });
  if (parsed.values['help'] !== true) {
    if (args.length < command.args.least)
      throw new ArchiveError('ARGUMENT_INVALID', `usage: stele ${command.name} ${command.usage}`, { hint });
    if (args.length > command.args.most) {
      throw new ArchiveError('ARGUMENT_INVALID', `"${args[command.args.most] ?? ''}" is one argument too many`, {
        hint,
      });
    }
  }
  return { command, args, flags: parsed.values };
}

/** The file of a command's secret, where one was named. */
export function secretFileOf({ command, flags }: ParsedCommand): string | undefined {
  const name = Object.keys(command.flags).find((each) => command.flags[each]?.secret === true);
  return name === undefined ? undefined : textFlag(flags, name);
}

export function textFlag(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  assert(typeof value !== 'boolean', 'a flag with a value is text');
  return value;
}

export function commandHelp(command: Command): string {
  const lines = [`usage: stele ${command.name} ${command.usage}`.trimEnd(), '', command.says];
  if (command.details !== undefined) lines.push('', command.details);
  lines.push('', 'flags:', ...flagLines(command.flags), ...flagLines(commonFlags));
  return lines.join('\n');
}

function flagLines(flags: Readonly<Record<string, FlagSpec>>): string[] {
  return Object.entries(flags).map(([name, flag]) => {
    const left = `${flag.short === undefined ? '    ' : `-${flag.short}, `}--${name}${flag.value === undefined ? '' : ` ${flag.value}`}`;
    return `  ${left.padEnd(28)} ${flag.says}`;
  });
}

export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((each) => each.name.length)) + 2;
  return [
    'usage: stele COMMAND [...]',
    '',
    ...commands.map((each) => `  ${each.name.padEnd(width)}${each.says}`),
    '',
    'stele COMMAND --help says more. Exit codes: 0 done, 1 failed, 2 misused.',
  ].join('\n');
}
