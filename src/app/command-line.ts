// From arguments to an exit code: the whole command line but the process itself.
//
// Invariants: 0 done, 1 failed, 2 misused; an error is one line with its code and what to do, and a stack only with STELE_DEBUG=1; a command
// that needs the archive runs in the server when one holds the data, and here otherwise.

import path from 'node:path';
import { ArchiveError, AssertionFault, isArchiveError } from '../base/index.ts';
import { commandHelp, overview, type ParsedCommand, parseCommand, secretFileOf } from './command.ts';
import { commands } from './command-list.ts';
import { runInServer } from './control-client.ts';
import { errorLine, exitCodeOf } from './error-line.ts';
import { readFile } from './named-files.ts';
import { runHere } from './run-here.ts';
import { loadSettings } from './settings-file.ts';
import type { OwnTerminal, Terminal } from './terminal.ts';
import { versionText } from './version.ts';

export type Outcome = {
  readonly exit: number;
  /** A mistake of ours was met: what it left behind would keep the process. */
  readonly broken: boolean;
};

const secretFileBytesMax = 64 * 1024;

export async function runCommandLine(argv: readonly string[], terminal: OwnTerminal): Promise<Outcome> {
  const fail = (error: unknown): Outcome => {
    terminal.progressDone();
    const json = argv.includes('--json');
    terminal.note(errorLine(error, { json, debug: terminal.env['STELE_DEBUG'] === '1' }));
    return { exit: exitCodeOf(error), broken: error instanceof AssertionFault };
  };
  try {
    const exit = await run(argv, terminal);
    const output = await terminal.output();
    return output instanceof ArchiveError ? fail(output) : { exit, broken: false };
  } catch (error) {
    const output = await terminal.output();
    // Whoever took the first bytes of an object and left wanted no more.
    if (output === 'unread' && isArchiveError(error, 'CLOSED')) return { exit: exitCodeOf(error), broken: false };
    return fail(output instanceof ArchiveError ? output : error);
  }
}

async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first, ...rest] = argv;
  if (first === 'help' && rest.length > 0) return run([...rest, '--help'], terminal);
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    terminal.out(overview(commands));
    return first === undefined ? 2 : 0;
  }
  if (first === '--version') {
    terminal.out(versionText());
    return 0;
  }
  const parsed = parseCommand(commands, argv);
  const { command, args, flags } = parsed;
  if (flags['help'] === true) {
    terminal.out(commandHelp(command));
    return 0;
  }
  const { settings } = loadSettings({
    cwd: terminal.cwd,
    env: terminal.env,
    file: flags['config'] as string | undefined,
    data: flags['data'] as string | undefined,
  });
  const secret = secretOf(parsed, terminal);
  if (command.where === 'archive') {
    const code = await runInServer({ data: settings.data, argv, secret, terminal });
    if (code !== undefined) return code;
  }
  return await runHere({ command, args, flags, secret, settings, terminal });
}

/** What the file of a flag holds, or the environment; undefined: the person is asked. FILE_MISSING, ACCESS_DENIED, ARGUMENT_INVALID. */
function secretOf(parsed: ParsedCommand, terminal: Terminal): string | undefined {
  const file = secretFileOf(parsed);
  if (file !== undefined) {
    const limits = { sizeBytesMax: secretFileBytesMax, pipes: true };
    const bytes = readFile(path.resolve(terminal.cwd, file), file, limits);
    return bytes.toString('utf8').replace(/\r?\n$/, '');
  }
  const given = terminal.env['STELE_PASSPHRASE'];
  return given === undefined || given === '' ? undefined : given;
}
