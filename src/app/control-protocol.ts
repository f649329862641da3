// The words that pass between a command line and the server that holds the data: one JSON value a line, on a Unix socket.
//
// Invariants: the socket's file is the owner's alone (mode 0600), so whoever can connect could as well read the packs and the keyring; the
// command runs in the server, with the server's rights and the asker's working folder; a line has a limit, and a line that is
// not understood ends the connection.
// Left out on purpose: any use of it from another machine.

import fs from 'node:fs';
import type { Socket } from 'node:net';
import path from 'node:path';
import { ArchiveError } from '../base/index.ts';
import type { ErrorFacts } from './error-line.ts';

export const controlVersion = 1;
const lineBytesMax = 16 * 1024 * 1024;
/** Bytes of a result in one line: with base64 far below the limit of a line. */
export const pieceBytesMax = 512 * 1024;

export type ToServer =
  | {
      readonly type: 'run';
      readonly version: number;
      readonly argv: readonly string[];
      readonly cwd: string;
      readonly passphrase?: string | undefined;
    }
  | { readonly type: 'answer'; readonly text: string | undefined }
  | { readonly type: 'stop' };

export type ToClient =
  | { readonly type: 'out' | 'note' | 'progress'; readonly line: string }
  | { readonly type: 'bytes'; readonly base64: string }
  | { readonly type: 'ask'; readonly prompt: string }
  | { readonly type: 'end'; readonly exit: number; readonly error?: ErrorFacts | undefined };

export const socketName = 'control.sock';
/** A path in a Unix socket's address is at most some 100 bytes. */
const socketPathBytesMax = 100;

export type ControlPath = { readonly file: string; readonly release: () => void };

/**
 * The socket's path for bind or connect. One that is too long is named through its folder's descriptor, which `release` closes; FILE_MISSING when
 * there is no such folder.
 */
export function controlPath(data: string): ControlPath {
  const file = path.join(data, socketName);
  if (Buffer.byteLength(file) <= socketPathBytesMax) return { file, release: () => undefined };
  try {
    const fd = fs.openSync(data, fs.constants.O_RDONLY);
    return { file: `/proc/self/fd/${fd}/${socketName}`, release: () => fs.closeSync(fd) };
  } catch (error) {
    throw new ArchiveError('FILE_MISSING', 'the data folder is not there', { cause: error });
  }
}

export class LineSocket<Incoming, Outgoing> {
  readonly #socket: Socket;
  #rest = '';
  readonly #lines: Incoming[] = [];
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', () => this.#end());
    socket.on('close', () => this.#end());
  }

  /** The next value; undefined when the other side has gone. */
  async next(): Promise<Incoming | undefined> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves when there is room for more. */
  send(value: Outgoing): Promise<void> {
    if (this.#ended) return Promise.resolve();
    const room = this.#socket.write(`${JSON.stringify(value)}\n`);
    if (room) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  close(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    this.#rest += text;
    if (this.#rest.length > lineBytesMax) {
      this.#socket.destroy();
      return;
    }
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      try {
        this.#lines.push(JSON.parse(line) as Incoming);
      } catch {
        this.#socket.destroy();
        return;
      }
    }
    this.#wake?.();
  }

  #end(): void {
    this.#ended = true;
    this.#wake?.();
  }
}

export function protocolFault(): ArchiveError {
  return new ArchiveError('CLOSED', 'the server went away before the command ended', {
    hint: 'look at its log, then try again',
  });
}
