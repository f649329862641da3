// An archive in a folder of its own, and its command line: within this process, which is quick, or as a process, which can be killed.

import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runCommandLine } from '../../src/app/command-line.ts';
import type { OutputState, OwnTerminal } from '../../src/app/terminal.ts';

export type Ran = {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly bytes: Buffer;
  /** What was said of how far the work had come. */
  readonly progress: readonly string[];
};

const root = path.resolve(import.meta.dirname, '..', '..');
const mainFile = path.join(root, 'src', 'app', 'main.ts');

class CapturedTerminal implements OwnTerminal {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly outLines: string[] = [];
  readonly errLines: string[] = [];
  readonly pieces: Uint8Array[] = [];
  readonly progressLines: string[] = [];

  constructor(cwd: string, env: Record<string, string | undefined>, signal: AbortSignal) {
    this.cwd = cwd;
    this.env = env;
    this.signal = signal;
  }

  out(line: string): void {
    this.outLines.push(line);
  }

  bytes(bytes: Uint8Array): Promise<void> {
    this.pieces.push(bytes.slice());
    return Promise.resolve();
  }

  note(line: string): void {
    this.errLines.push(line);
  }

  progress(line: string): void {
    this.progressLines.push(line);
  }

  progressDone(): void {}

  room(): Promise<void> {
    return Promise.resolve();
  }

  output(): Promise<OutputState> {
    return Promise.resolve('written');
  }

  secret(): Promise<string> {
    return Promise.reject(new Error('nobody sits there'));
  }
}

export class Stele {
  readonly folder: string;
  readonly env: Record<string, string | undefined>;
  readonly #children = new Set<ChildProcess>();

  constructor(env: Record<string, string | undefined> = {}) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'stele-'));
    this.env = { STELE_PASSPHRASE: 'a passphrase', STELE_HTTP_PORT: '0', STELE_DICOM_PORT: '0', ...env };
  }

  path(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  /** Writes a file, with its folders. */
  file(name: string, content: Uint8Array | string): string {
    const file = this.path(name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
    return file;
  }

  /** A command within this process. */
  async run(...argv: string[]): Promise<Ran> {
    return this.runUntil(new AbortController().signal, ...argv);
  }

  async runUntil(signal: AbortSignal, ...argv: string[]): Promise<Ran> {
    const terminal = new CapturedTerminal(this.folder, this.env, signal);
    const { exit } = await runCommandLine(argv, terminal);
    const lines = (each: string[]): string => each.map((line) => `${line}\n`).join('');
    return {
      code: exit,
      out: lines(terminal.outLines),
      err: lines(terminal.errLines),
      bytes: Buffer.concat(terminal.pieces),
      progress: terminal.progressLines,
    };
  }

  /** As `run`; throws, saying why, when the command did not end well. */
  async done(...argv: string[]): Promise<Ran> {
    const ran = await this.run(...argv);
    if (ran.code !== 0) throw new Error(`stele ${argv.join(' ')}: exit ${ran.code}\n${ran.out}${ran.err}`);
    return ran;
  }

  /** What was stored under a name. */
  async content(name: string): Promise<Buffer> {
    return (await this.done('get', name)).bytes;
  }

  /** A command as a process. */
  spawn(...argv: string[]): ChildProcess {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', mainFile, ...argv], {
      cwd: this.folder,
      env: { ...process.env, ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    return child;
  }

  async serve(...argv: string[]): Promise<Server> {
    const child = this.spawn('serve', ...argv);
    const server = new Server(this, child);
    await server.ready;
    return server;
  }

  packs(place = 'data/disk/packs'): string[] {
    const folder = this.path(place);
    if (!fs.existsSync(folder)) return [];
    return fs
      .readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.pack'))
      .map((name) => path.join(folder, name))
      .sort();
  }

  /** A test that failed half-way may have left a server. */
  remove(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

export class Server {
  readonly #child: ChildProcess;
  readonly #stele: Stele;
  out = '';
  err = '';
  readonly ready: Promise<void>;
  readonly exited: Promise<number | string>;

  constructor(stele: Stele, child: ChildProcess) {
    this.#stele = stele;
    this.#child = child;
    this.exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal ?? 'unknown')));
    child.stderr?.on('data', (data: Buffer) => {
      this.err += data.toString('utf8');
    });
    this.ready = new Promise((resolve, reject) => {
      child.stdout?.on('data', (data: Buffer) => {
        this.out += data.toString('utf8');
        if (this.out.includes('serving')) resolve();
      });
      void this.exited.then((code) => reject(new Error(`the server ended (${code}): ${this.err}`)));
    });
  }

  get url(): string {
    const endpoints = JSON.parse(fs.readFileSync(this.#stele.path('data', 'endpoints.json'), 'utf8')) as {
      http: string;
    };
    return endpoints.http;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.#child.kill(signal);
    return this.exited;
  }
}

/** Bytes that no codec shortens, the same for the same seed. */
export function noise(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = seed >>> 0 || 1;
  for (let index = 0; index < sizeBytes; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
