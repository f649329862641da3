// The words that pass between a command line and the server that holds the data: one JSON value a line, on a Unix socket. A line
// {"type":"bytes","sizeBytes":N} is followed by N bytes of a result as they are.
//
// Invariants: the socket's file is the owner's alone (mode 0600), so whoever can connect could as well read the packs and the keyring; the
// command runs in the server, with the server's rights and the asker's working folder; a line has a limit, and a line that is
// not understood ends the connection; neither side holds more than a few lines that the other sent and it did not take yet.
// Left out on purpose: any use of it from another machine.

import fs from 'node:fs';
import type { Socket } from 'node:net';
import path from 'node:path';
import { ArchiveError } from '../base/index.ts';
import type { ErrorFacts } from './error-line.ts';

export const controlVersion = 2;
const lineBytesMax = 16 * 1024 * 1024;

export type ToServer =
  | {
      readonly type: 'run';
      readonly version: number;
      readonly argv: readonly string[];
      readonly cwd: string;
      /** A passphrase or password given in a file or in the environment. */
      readonly secret?: string | undefined;
    }
  | { readonly type: 'answer'; readonly text: string | undefined }
  | { readonly type: 'stop' };

export type ToClient =
  | { readonly type: 'out' | 'note' | 'progress'; readonly line: string }
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
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

/** Lines that came and were not taken yet: beyond these the other side waits. */
const linesWaitingMax = 64;
const newline = 0x0a;

export class LineSocket<Incoming extends object, Outgoing extends object> {
  readonly #socket: Socket;
  /** The beginning of a line whose end did not come yet. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  /** Bytes of a result that are still to come. */
  #bytesLeft = 0;
  readonly #lines: Incoming[] = [];
  #wake: (() => void) | undefined;
  #drained: Promise<void> | undefined;
  #ended = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data: Buffer) => this.#take(data));
    socket.on('error', () => this.#end());
    socket.on('close', () => this.#end());
  }

  /** The next value; undefined when the other side has gone. */
  async next(): Promise<Incoming | undefined> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) {
        if (this.#lines.length === 0) this.#socket.resume();
        return line;
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves when there is room for more. */
  send(value: Outgoing): Promise<void> {
    if (this.#ended) return Promise.resolve();
    if (this.#socket.write(`${JSON.stringify(value)}\n`)) return Promise.resolve();
    this.#drained ??= new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        this.#drained = undefined;
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
    return this.#drained;
  }

  /** Resolves when the bytes have gone, and are the caller's again. */
  sendBytes(bytes: Uint8Array): Promise<void> {
    if (this.#ended) return Promise.resolve();
    this.#socket.write(`${JSON.stringify({ type: 'bytes', sizeBytes: bytes.byteLength })}\n`);
    // Called with an error as well, when the other side goes.
    return new Promise((resolve) => {
      this.#socket.write(bytes, () => resolve());
    });
  }

  /** Whether what was sent waits for the other side to read. */
  get isBehind(): boolean {
    return this.#drained !== undefined;
  }

  close(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(data: Buffer): void {
    for (let from = 0; from < data.byteLength; ) {
      if (this.#bytesLeft > 0) {
        const bytes = data.subarray(from, from + this.#bytesLeft);
        this.#bytesLeft -= bytes.byteLength;
        from += bytes.byteLength;
        this.#lines.push({ type: 'bytes', bytes } as object as Incoming);
        continue;
      }
      const end = data.indexOf(newline, from);
      const piece = data.subarray(from, end < 0 ? data.byteLength : end);
      from += piece.byteLength + 1;
      this.#begun.push(piece);
      this.#begunBytes += piece.byteLength;
      if (this.#begunBytes > lineBytesMax) return this.destroy();
      if (end >= 0 && !this.#takeLine()) return this.destroy();
    }
    if (this.#lines.length > linesWaitingMax) this.#socket.pause();
    this.#wake?.();
  }

  /** False: the line cannot be understood. */
  #takeLine(): boolean {
    const value = parsed(Buffer.concat(this.#begun).toString('utf8'));
    this.#begun = [];
    this.#begunBytes = 0;
    if (value === undefined) return false;
    const { type, sizeBytes } = value as { type?: unknown; sizeBytes?: unknown };
    if (type === 'bytes') {
      this.#bytesLeft = Number(sizeBytes);
      return Number.isSafeInteger(sizeBytes) && this.#bytesLeft >= 0;
    }
    this.#lines.push(value as Incoming);
    return true;
  }

  #end(): void {
    this.#ended = true;
    this.#wake?.();
  }
}

function parsed(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the first line of a client is one: what came from a socket is checked before it is believed. */
export function isRun(line: unknown): line is Extract<ToServer, { type: 'run' }> {
  const { type, argv, cwd, secret } = line as Record<string, unknown>;
  return (
    type === 'run' &&
    Array.isArray(argv) &&
    argv.every((each) => typeof each === 'string') &&
    typeof cwd === 'string' &&
    (secret === undefined || typeof secret === 'string')
  );
}

export function protocolFault(): ArchiveError {
  return new ArchiveError('CLOSED', 'the server went away before the command ended', {
    hint: 'look at its log, then try again',
  });
}
