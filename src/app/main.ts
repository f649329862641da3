// The command line's entry: arguments to a command, its outcome to an exit code and, when it failed, one line.
//
// Invariants: 0 done, 1 failed, 2 misused; an error is one line with its code and what to do, and a stack only with STELE_DEBUG=1; a command
// that needs the archive runs in the server when one holds the data, and here otherwise.

import { ArchiveError } from '../base/index.ts';
import { commandHelp, overview, parseCommand } from './command.ts';
import { commands } from './command-list.ts';
import { runInServer } from './control-client.ts';
import { errorLine, exitCodeOf } from './error-line.ts';
import { runHere } from './run-here.ts';
import { loadSettings } from './settings-file.ts';
import { ProcessTerminal } from './terminal.ts';
import { versionText } from './version.ts';

async function main(argv: readonly string[], terminal: ProcessTerminal): Promise<number> {
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
  const source = {
    cwd: terminal.cwd,
    env: terminal.env,
    file: flags['config'] as string | undefined,
    data: flags['data'] as string | undefined,
  };
  const { settings } = loadSettings(source);
  if (command.where === 'archive') {
    const code = await runInServer({ data: settings.data, argv, terminal });
    if (code !== undefined) return code;
  }
  return runHere({ command, args, flags, settings, terminal });
}

const terminal = new ProcessTerminal();
const argv = process.argv.slice(2);
// `serve` minds its own signals. Any other command is let finish its step when asked to stop, and stopped at the second time.
if (argv[0] !== 'serve') {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      terminal.abort();
      process.once(signal, () => process.exit(1));
    });
  }
}
try {
  process.exitCode = await main(argv, terminal);
} catch (error) {
  terminal.progressDone();
  const json = argv.includes('--json');
  process.stderr.write(`${errorLine(error, { json, debug: process.env['STELE_DEBUG'] === '1' })}\n`);
  process.exitCode = exitCodeOf(error);
  // A mistake of ours may have left work behind that would keep the process: what is acknowledged is durable already.
  if (!(error instanceof ArchiveError)) process.exit(1);
}
