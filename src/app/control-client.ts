// A command that runs in the server which holds the data: sends its words, shows what comes back.
//
// Invariants: undefined when no server listens there, and then nothing was done; what the server says goes to the same streams as it would
// here; when the person presses ^C the server is told, and when the server goes away the command has failed.

import fs from 'node:fs';
import net from 'node:net';
import { ArchiveError, type ErrorCode } from '../base/index.ts';
import {
  controlPath,
  controlVersion,
  LineSocket,
  protocolFault,
  type ToClient,
  type ToServer,
} from './control-protocol.ts';
import type { Terminal } from './terminal.ts';

export type RemoteRun = {
  readonly data: string;
  readonly argv: readonly string[];
  readonly secret: string | undefined;
  readonly terminal: Terminal;
};

/** The exit code; undefined: no server holds the data. */
export async function runInServer({ data, argv, secret, terminal }: RemoteRun): Promise<number | undefined> {
  const socket = await reach(data);
  if (socket === undefined) return undefined;
  const lines = new LineSocket<ToClient, ToServer>(socket);
  const stop = (): void => void lines.send({ type: 'stop' });
  terminal.signal.addEventListener('abort', stop);
  try {
    await lines.send({ type: 'run', version: controlVersion, argv, cwd: terminal.cwd, secret });
    return await show(lines, terminal);
  } finally {
    terminal.signal.removeEventListener('abort', stop);
    lines.destroy();
  }
}

async function reach(data: string): Promise<net.Socket | undefined> {
  if (!fs.existsSync(data)) return undefined;
  const { file, release } = controlPath(data);
  try {
    return await connect(file);
  } finally {
    release();
  }
}

function connect(file: string): Promise<net.Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(file);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // A socket whose server died is a file that nobody listens at.
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ENOTDIR')
        return resolve(undefined);
      const code: ErrorCode = error.code === 'EACCES' || error.code === 'EPERM' ? 'ACCESS_DENIED' : 'DATA_LOCKED';
      reject(
        new ArchiveError(code, `the server that holds this data cannot be reached (${error.code ?? 'unknown'})`, {
          cause: error,
          hint: 'run this as the user that the server runs as',
        }),
      );
    });
  });
}

async function show(lines: LineSocket<ToClient, ToServer>, terminal: Terminal): Promise<number> {
  for (;;) {
    const message = await lines.next();
    if (message === undefined) throw protocolFault();
    switch (message.type) {
      case 'out':
        terminal.out(message.line);
        await terminal.room();
        break;
      case 'note':
        terminal.note(message.line);
        break;
      case 'progress':
        terminal.progress(message.line);
        break;
      case 'bytes':
        await terminal.bytes(message.bytes);
        break;
      case 'ask':
        await lines.send({ type: 'answer', text: await terminal.secret(message.prompt).catch(() => undefined) });
        break;
      case 'end': {
        terminal.progressDone();
        if (message.error !== undefined) {
          const { code, message: says, hint } = message.error;
          throw new ArchiveError(code, says, { hint });
        }
        return message.exit;
      }
    }
  }
}
