// The program: arguments and signals of the process, and its exit code.
//
// `serve` minds its own signals. Any other command is let finish its step when it is asked to stop, and ends at once when it is asked again.
// What nobody caught is a mistake of ours: one line, and the process ends, since nobody knows what it left behind.

import { runCommandLine } from './command-line.ts';
import { errorLine } from './error-line.ts';
import { ProcessTerminal } from './terminal.ts';

const terminal = new ProcessTerminal();
const argv = process.argv.slice(2);
process.on('uncaughtException', (error) => {
  const debug = terminal.env['STELE_DEBUG'] === '1';
  terminal.note(errorLine(error, { json: argv.includes('--json'), debug }));
  process.exit(1);
});
if (argv[0] !== 'serve') {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      terminal.abort();
      process.once(signal, () => process.exit(1));
    });
  }
}
const { exit, broken } = await runCommandLine(argv, terminal);
process.exitCode = exit;
if (broken) process.exit(exit);
