// What a command says and asks: lines, bytes, progress, secrets. One interface, for a terminal here and for one at the other end of a socket.
//
// Invariants: results go to standard output and everything else to standard error, so that a pipe carries results alone; progress is one
// changing line on a terminal and a plain line every few seconds elsewhere; a secret is never echoed and never taken from the arguments; an
// output that cannot be written ends the command with one line, and a standard error that cannot be written ends nothing.

import { ArchiveError } from '../base/index.ts';
import { fileFault, systemCode } from './named-files.ts';

export interface Terminal {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends when whoever asked has gone or pressed ^C. */
  readonly signal: AbortSignal;
  /** A line of the result. */
  out(line: string): void;
  /** Bytes of the result; resolves when there is room for more. */
  bytes(bytes: Uint8Array): Promise<void>;
  /** A line for the person: warnings, what is being done. */
  note(line: string): void;
  /** How far the work has come. */
  progress(line: string): void;
  /** Ends the changing line, if there is one. */
  progressDone(): void;
  /** Resolves when what was said has gone on its way; who says much waits for it, or memory would hold what nobody reads. */
  room(): Promise<void>;
  secret(prompt: string): Promise<string>;
}

/** What became of the output: all written; its reader went away while bytes were given out; or it could not be written. */
export type OutputState = 'written' | 'unread' | ArchiveError;

/** The terminal of a process: the only one who knows what became of its output. */
export interface OwnTerminal extends Terminal {
  /** Resolves when everything was written, or could not be. */
  output(): Promise<OutputState>;
}

const plainProgressMs = 5000;
const secretCharactersMax = 1024;

export class ProcessTerminal implements OwnTerminal {
  readonly cwd = process.cwd();
  readonly env = process.env;
  readonly #abort = new AbortController();
  readonly #changing = process.stderr.isTTY === true;
  #progressAtMs = Number.NEGATIVE_INFINITY;
  #progressShown = false;
  #givesBytes = false;
  #output: OutputState = 'written';

  constructor() {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      // Whoever reads our output may go (`stele ls | head`): no more is said then.
      if (systemCode(error) === 'EPIPE') {
        if (this.#givesBytes) this.#output = 'unread';
      } else if (this.#output === 'written') {
        const fault = fileFault(error, 'standard output cannot be written', 'send it elsewhere');
        this.#output = fault instanceof ArchiveError ? fault : new ArchiveError('DISK_IO', 'standard output is broken');
      }
      this.#abort.abort();
    });
    // Nobody is left to tell.
    process.stderr.on('error', () => undefined);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  abort(): void {
    this.#abort.abort();
  }

  out(line: string): void {
    this.progressDone();
    process.stdout.write(`${line}\n`);
  }

  bytes(bytes: Uint8Array): Promise<void> {
    this.#givesBytes = true;
    return new Promise((resolve) => {
      process.stdout.write(bytes, () => resolve());
    });
  }

  room(): Promise<void> {
    if (process.stdout.writableLength === 0) return Promise.resolve();
    return new Promise((resolve) => {
      process.stdout.write('', () => resolve());
    });
  }

  async output(): Promise<OutputState> {
    if (this.#output === 'written') {
      // An error of a write that is done reaches its listener after the callback.
      await new Promise<void>((resolve) => {
        process.stdout.write('', () => setImmediate(resolve));
      });
    }
    return this.#output;
  }

  note(line: string): void {
    this.progressDone();
    process.stderr.write(`${line}\n`);
  }

  progress(line: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#progressAtMs < (this.#changing ? 100 : plainProgressMs)) return;
    // In a pipe the first word comes after a while: short work then says only its result.
    if (!this.#changing && this.#progressAtMs === Number.NEGATIVE_INFINITY) {
      this.#progressAtMs = nowMs;
      return;
    }
    this.#progressAtMs = nowMs;
    if (this.#changing) {
      process.stderr.write(`\r\x1b[K${line.slice(0, Math.max(20, (process.stderr.columns ?? 80) - 1))}`);
      this.#progressShown = true;
    } else process.stderr.write(`${line}\n`);
  }

  progressDone(): void {
    if (!this.#progressShown) return;
    this.#progressShown = false;
    process.stderr.write('\r\x1b[K');
  }

  secret(prompt: string): Promise<string> {
    this.progressDone();
    return askSecret(prompt);
  }
}

/** Reads a line without echo. ARGUMENT_INVALID when nobody sits there. */
function askSecret(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  if (stdin.isTTY !== true) {
    return Promise.reject(
      new ArchiveError('ARGUMENT_INVALID', 'a passphrase or password is needed and there is no terminal to ask on', {
        hint: 'use --passphrase-file or --password-file, or set STELE_PASSPHRASE',
      }),
    );
  }
  return new Promise((resolve, reject) => {
    stderr.write(prompt);
    stdin.setRawMode(true);
    let text = '';
    const end = (finish: () => void): void => {
      stdin.setRawMode(false);
      stdin.pause();
      stdin.off('data', take);
      stderr.write('\n');
      finish();
    };
    const take = (data: Buffer): void => {
      const typed = data.toString('utf8');
      let taken = 0;
      for (const character of typed) {
        taken += character.length;
        if (character === '\r' || character === '\n') {
          end(() => resolve(text));
          // What was typed ahead answers the next question.
          if (taken < typed.length) stdin.unshift(Buffer.from(typed.slice(taken)));
          return;
        }
        if (character === '\u0003' || character === '\u0004') {
          return end(() => reject(new ArchiveError('CLOSED', 'stopped at the question', { hint: 'run it again' })));
        }
        if (character === '\u007f' || character === '\b') text = text.replace(/.$/u, '');
        else if (character >= ' ' && text.length < secretCharactersMax) text += character;
      }
    };
    stdin.on('data', take);
    stdin.resume();
  });
}

export type SecretSource = {
  readonly prompt: string;
  /** What was given beside the arguments: in a file that a flag named, or in the environment. */
  readonly given: string | undefined;
  readonly twice: boolean;
};

/** A passphrase as it was given, or from the terminal. ARGUMENT_INVALID. */
export async function readSecret(terminal: Terminal, source: SecretSource): Promise<string> {
  if (source.given !== undefined) return checked(source.given);
  const text = checked(await terminal.secret(`${source.prompt}: `));
  if (source.twice && (await terminal.secret(`${source.prompt} again: `)) !== text) {
    throw new ArchiveError('ARGUMENT_INVALID', 'the two are not the same');
  }
  return text;
}

function checked(text: string): string {
  if (text === '' || text.length > secretCharactersMax) {
    throw new ArchiveError('ARGUMENT_INVALID', `a passphrase or password has 1 to ${secretCharactersMax} characters`);
  }
  return text;
}
