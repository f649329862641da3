// From arguments to an exit code: the whole command line but the process itself.
//
// Invariants: 0 done, 1 failed, 2 misused; an error is one line with its code and what to do, and a stack only with STELE_DEBUG=1; a command
// that needs the archive runs in the server when one holds the data, and here otherwise.

import { AssertionFault } from '../base/index.ts';
import { commandHelp, overview, parseCommand } from './command.ts';
import { commands } from './command-list.ts';
import { runInServer } from './control-client.ts';
import { errorLine, exitCodeOf } from './error-line.ts';
import { runHere } from './run-here.ts';
import { loadSettings } from './settings-file.ts';
import type { Terminal } from './terminal.ts';
import { versionText } from './version.ts';

export type Outcome = {
  readonly exit: number;
  /** A mistake of ours was met: what it left behind would keep the process. */
  readonly broken: boolean;
};

export async function runCommandLine(argv: readonly string[], terminal: Terminal): Promise<Outcome> {
  try {
    return { exit: await run(argv, terminal), broken: false };
  } catch (error) {
    terminal.progressDone();
    const json = argv.includes('--json');
    terminal.note(errorLine(error, { json, debug: terminal.env['STELE_DEBUG'] === '1' }));
    return { exit: exitCodeOf(error), broken: error instanceof AssertionFault };
  }
}

async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first] = argv;
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    terminal.out(overview(commands));
    return first === undefined ? 2 : 0;
  }
  if (first === '--version') {
    terminal.out(versionText());
    return 0;
  }
  const { command, args, flags } = parseCommand(commands, argv);
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
  if (command.where === 'archive') {
    const code = await runInServer({ data: settings.data, argv, terminal });
    if (code !== undefined) return code;
  }
  return await runHere({ command, args, flags, settings, terminal });
}
