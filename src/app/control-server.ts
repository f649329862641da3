// The server's side of commands: takes them from the Unix socket, runs them on the archive it holds, streams what they say.
//
// Invariants: only the owner can connect (the folder of the socket and its mode); a bounded number of commands at a time; a client that goes
// away stops its command at the next step; one that does not read holds up its own command and nothing else; one command's failure is its own.

import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { ArchiveError } from '../base/index.ts';
import { type Command, type CommandRun, parseCommand } from './command.ts';
import {
  controlPath,
  controlVersion,
  isRun,
  LineSocket,
  socketName,
  type ToClient,
  type ToServer,
} from './control-protocol.ts';
import { errorFacts, exitCodeOf } from './error-line.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

const commandsMax = 64;
/** At a stop, what a command has left to say, to a client that may not listen. */
const lastWordsMs = 1000;

export type ControlServerOptions = {
  readonly settings: Settings;
  readonly commands: readonly Command[];
  readonly running: CommandRun['running'];
  readonly rebuild: CommandRun['rebuild'];
  readonly onFault: (error: unknown) => void;
};

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #server: net.Server;
  readonly #running = new Map<LineSocket<ToServer, ToClient>, AbortController>();
  readonly #connected = new Set<LineSocket<ToServer, ToClient>>();

  private constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#server = net.createServer((socket) => {
      const lines = new LineSocket<ToServer, ToClient>(socket);
      this.#connected.add(lines);
      socket.once('close', () => this.#connected.delete(lines));
      this.#serve(lines).catch((error: unknown) => {
        lines.destroy();
        options.onFault(error);
      });
    });
  }

  /** Listens, replacing what a server that died left behind: the data folder's lock says that none is alive. */
  static async listen(options: ControlServerOptions): Promise<ControlServer> {
    const { file, release } = controlPath(options.settings.data);
    fs.rmSync(file, { force: true });
    const control = new ControlServer(options);
    const before = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        control.#server.once('error', reject);
        control.#server.listen(file, resolve);
      });
    } finally {
      process.umask(before);
      release();
    }
    return control;
  }

  /** Stops what runs at its next step, and listening. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const abort of this.#running.values()) abort.abort();
    for (const lines of this.#connected) if (!this.#running.has(lines)) lines.destroy();
    const late = setTimeout(() => {
      for (const lines of this.#connected) lines.destroy();
    }, lastWordsMs);
    await closed;
    clearTimeout(late);
    fs.rmSync(path.join(this.#options.settings.data, socketName), { force: true });
  }

  async #serve(lines: LineSocket<ToServer, ToClient>): Promise<void> {
    const first = await lines.next();
    if (first === undefined) return;
    const known = isRun(first) && first.version === controlVersion;
    if (!known || this.#running.size >= commandsMax) {
      const error = known
        ? new ArchiveError('BUSY', `${commandsMax} commands are running`)
        : new ArchiveError('ARGUMENT_INVALID', 'the server is of another version than this command', {
            hint: 'restart the server',
          });
      await lines.send({ type: 'end', exit: exitCodeOf(error), error: errorFacts(error) });
      lines.close();
      return;
    }
    const abort = new AbortController();
    this.#running.set(lines, abort);
    const answers = new Answers();
    // What the client says meanwhile: answers, a wish to stop, or nothing any more.
    const listening = (async () => {
      for (;;) {
        const message = await lines.next();
        if (message?.type === 'answer') answers.give(message.text);
        else if (message === undefined || message.type === 'stop') {
          abort.abort();
          answers.give(undefined);
          if (message === undefined) return;
        }
      }
    })();
    try {
      const terminal = new RemoteTerminal(lines, first.cwd, abort.signal, answers);
      const exit = await this.#run(first.argv, first.secret, terminal);
      await terminal.room();
      await lines.send({ type: 'end', exit });
    } catch (error) {
      if (!(error instanceof ArchiveError)) this.#options.onFault(error);
      await lines.send({ type: 'end', exit: exitCodeOf(error), error: errorFacts(error) });
    } finally {
      lines.close();
      this.#running.delete(lines);
      await listening;
    }
  }

  #run(argv: readonly string[], secret: string | undefined, terminal: Terminal): Promise<number> {
    const { settings, running, rebuild } = this.#options;
    const { command, args, flags } = parseCommand(this.#options.commands, argv);
    if (command.where !== 'archive')
      throw new ArchiveError('ARGUMENT_INVALID', `${command.name} does not run in the server`);
    return command.run({ terminal, args, flags, json: flags['json'] === true, secret, settings, running, rebuild });
  }
}

class Answers {
  readonly #given: (string | undefined)[] = [];
  #wake: (() => void) | undefined;

  give(text: string | undefined): void {
    this.#given.push(text);
    this.#wake?.();
  }

  async next(): Promise<string | undefined> {
    while (this.#given.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#given.shift();
  }
}

class RemoteTerminal implements Terminal {
  readonly cwd: string;
  /** What the asker's environment says was made of its arguments already. */
  readonly env = {};
  readonly signal: AbortSignal;
  readonly #lines: LineSocket<ToServer, ToClient>;
  readonly #answers: Answers;
  #last: Promise<void> = Promise.resolve();
  #progressAtMs = 0;

  constructor(lines: LineSocket<ToServer, ToClient>, cwd: string, signal: AbortSignal, answers: Answers) {
    this.#lines = lines;
    this.cwd = cwd;
    this.signal = signal;
    this.#answers = answers;
  }

  out(line: string): void {
    this.#last = this.#lines.send({ type: 'out', line });
  }

  bytes(bytes: Uint8Array): Promise<void> {
    return this.#lines.sendBytes(bytes);
  }

  note(line: string): void {
    this.#last = this.#lines.send({ type: 'note', line });
  }

  progress(line: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#progressAtMs < 100 || this.#lines.isBehind) return;
    this.#progressAtMs = nowMs;
    this.#last = this.#lines.send({ type: 'progress', line });
  }

  progressDone(): void {
    // The client ends its changing line by itself when a plain one comes.
  }

  async secret(prompt: string): Promise<string> {
    await this.#lines.send({ type: 'ask', prompt });
    const text = await this.#answers.next();
    if (text === undefined)
      throw new ArchiveError('ARGUMENT_INVALID', 'no passphrase or password was given', {
        hint: 'use --passphrase-file or --password-file, or set STELE_PASSPHRASE',
      });
    return text;
  }

  room(): Promise<void> {
    return this.#last;
  }
}
