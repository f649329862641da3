// A command run in this process: on an archive opened for it, and closed after it.
//
// Invariants: the archive is opened when the command first asks for it, and only then; it is closed however the command ends, before the exit
// code is known; what the start has to say goes to standard error.

import { assert } from '../base/index.ts';
import { asOperator } from './as-operator.ts';
import type { Command, Flags, RebuildReport } from './command.ts';
import { type Running, type StartOptions, start } from './running.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

export type HereRun = {
  readonly command: Command;
  readonly args: readonly string[];
  readonly flags: Flags;
  readonly secret: string | undefined;
  readonly settings: Settings;
  readonly terminal: Terminal;
};

export async function runHere({ command, args, flags, secret, settings, terminal }: HereRun): Promise<number> {
  let running: Promise<Running> | undefined;
  const open = (more: Partial<StartOptions> = {}): Promise<Running> => {
    assert(running === undefined || Object.keys(more).length === 0, 'an archive is opened once');
    running ??= start({
      settings,
      create: command.creates === true,
      say: (line) => terminal.note(`stele: ${line}`),
      carriesAudit: true,
      ...more,
    });
    return running;
  };
  const close = async (): Promise<void> => {
    const opened = await running?.catch(() => undefined);
    running = undefined;
    await opened?.close();
  };
  try {
    return await command.run({
      terminal,
      args,
      flags,
      json: flags['json'] === true,
      secret,
      settings,
      running: async (more) => asOperator(await open(more)),
      rebuild: async (options) => {
        if (running !== undefined) await close();
        return rebuildReport(await open({ rebuild: options }));
      },
    });
  } finally {
    await close();
  }
}

export function rebuildReport(running: Running): RebuildReport {
  const { notes } = running;
  return {
    packCount: notes.recoveredPacks,
    factCount: notes.recoveredFacts,
    losses: [...notes.losses, ...notes.unreadable],
  };
}
