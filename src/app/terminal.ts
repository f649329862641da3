// What a command says and asks: lines, bytes, progress, secrets. One interface, for a terminal here and for one at the other end of a socket.
//
// Invariants: results go to standard output and everything else to standard error, so that a pipe carries results alone; progress is one
// changing line on a terminal and a plain line every few seconds elsewhere; a secret is never echoed and never taken from the arguments.

import fs from 'node:fs';
import { ArchiveError } from '../base/index.ts';

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
  secret(prompt: string): Promise<string>;
}

const plainProgressMs = 5000;
const secretCharactersMax = 1024;

export class ProcessTerminal implements Terminal {
  readonly cwd = process.cwd();
  readonly env = process.env;
  readonly #abort = new AbortController();
  readonly #changing = process.stderr.isTTY === true;
  #progressAtMs = Number.NEGATIVE_INFINITY;
  #progressShown = false;

  constructor() {
    // Whoever reads our output may go (`stele ls | head`): no more is said then, and that is no failure.
    for (const stream of [process.stdout, process.stderr]) {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE') throw error;
        this.#abort.abort();
      });
    }
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
    return new Promise((resolve) => {
      process.stdout.write(bytes, () => resolve());
    });
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
      new ArchiveError('ARGUMENT_INVALID', 'a passphrase is needed and there is no terminal to ask on', {
        hint: 'use --passphrase-file FILE, or set STELE_PASSPHRASE',
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
      for (const character of data.toString('utf8')) {
        if (character === '\r' || character === '\n') return end(() => resolve(text));
        if (character === '\u0003' || character === '\u0004') {
          return end(() => reject(new ArchiveError('ARGUMENT_INVALID', 'no passphrase was given')));
        }
        if (character === '\u007f' || character === '\b') text = text.replace(/.$/u, '');
        else if (character >= ' ' && text.length < secretCharactersMax) text += character;
      }
    };
    stdin.on('data', take);
    stdin.resume();
  });
}

export type SecretSource = { readonly prompt: string; readonly file: string | undefined; readonly twice: boolean };

/** A passphrase from a file, the environment or the terminal, in this order. */
export async function readSecret(terminal: Terminal, source: SecretSource): Promise<string> {
  if (source.file !== undefined) {
    let text: string;
    try {
      text = fs.readFileSync(source.file, 'utf8');
    } catch (error) {
      throw new ArchiveError('FILE_MISSING', `${source.file} cannot be read`, { cause: error });
    }
    return checked(text.replace(/\r?\n$/, ''));
  }
  const given = terminal.env['STELE_PASSPHRASE'];
  if (given !== undefined && given !== '') return checked(given);
  const text = checked(await terminal.secret(`${source.prompt}: `));
  if (source.twice && (await terminal.secret(`${source.prompt} again: `)) !== text) {
    throw new ArchiveError('ARGUMENT_INVALID', 'the two are not the same');
  }
  return text;
}

function checked(text: string): string {
  if (text === '' || text.length > secretCharactersMax) {
    throw new ArchiveError('ARGUMENT_INVALID', `a passphrase has 1 to ${secretCharactersMax} characters`);
  }
  return text;
}
