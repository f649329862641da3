/*
 * Other people's DICOM programs for tests: DCMTK's tools and pynetdicom's applications, where they are installed.
 *
 * What has to be known:
 * - pynetdicom's applications carry the names of DCMTK's tools, so a tool counts as DCMTK's when it says so.
 * - Debian's DCMTK leaves Nagle's algorithm on unless TCP_NODELAY is set in its environment.
 * - None of them takes port 0; a free port is picked here, and a program that listens is waited for by calling it.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { concatBytes } from '../../src/base/index.ts';
import { elementBytes } from './made-instance.ts';

export type Finished = { readonly code: number; readonly output: string };
export type Listening = { readonly port: number; output: () => string; stop: () => Promise<void> };

const env = { ...process.env, TCP_NODELAY: '1' };
const outputBytesMax = 64 * 1024 * 1024;

export type PeerTools = {
  /** Runs a tool to its end. */
  readonly run: (tool: string, args: readonly string[], cwd?: string) => Promise<Finished>;
  /** Starts one that listens; `args` gets the port that was picked. */
  readonly listen: (tool: string, args: (port: number) => readonly string[]) => Promise<Listening>;
};

/** A word before which tools are called, and what comes between it and their arguments. */
type Launch = (tool: string) => { readonly file: string; readonly first: readonly string[] };

export function findDcmtk(): PeerTools | undefined {
  for (const folder of ['', '/usr/bin/']) {
    const said = spawnSync(`${folder}storescu`, ['--version'], { encoding: 'utf8' });
    if (said.stdout?.includes('$dcmtk') === true) return toolsBy((tool) => ({ file: `${folder}${tool}`, first: [] }));
  }
  return undefined;
}

export function findPynetdicom(): PeerTools | undefined {
  const found = spawnSync('python3', ['-c', 'import pynetdicom']);
  return found.status === 0 ? toolsBy((tool) => ({ file: 'python3', first: ['-m', 'pynetdicom', tool] })) : undefined;
}

function toolsBy(launch: Launch): PeerTools {
  return {
    run: (tool, args, cwd) => {
      const { file, first } = launch(tool);
      return new Promise((resolve) => {
        execFile(file, [...first, ...args], { env, cwd, maxBuffer: outputBytesMax }, (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
          resolve({ code, output: `${stdout}${stderr}` });
        });
      });
    },
    listen: async (tool, args) => {
      const port = await freePort();
      const { file, first } = launch(tool);
      const child = spawn(file, [...first, ...args(port)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output = `${output}${text}`.slice(-100_000);
        });
      }
      await answering(port, child, () => output);
      return { port, output: () => output, stop: () => stop(child) };
    },
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

const attemptsMax = 400;
const attemptMs = 25;

async function answering(port: number, child: ChildProcess, output: () => string): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`the peer ended before it listened: ${output()}`);
    const socket = net.connect(port, '127.0.0.1');
    const isUp = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, attemptMs));
  }
  throw new Error('the peer does not listen');
}

/** A Part 10 file around a data set. */
export function part10File(
  dataSet: Uint8Array,
  names: { readonly sopClass: string; readonly sopInstance: string; readonly transferSyntax: string },
): Uint8Array {
  const rest = concatBytes([
    elementBytes(0x0002_0001, 'OB', Uint8Array.of(0, 1)),
    elementBytes(0x0002_0002, 'UI', names.sopClass),
    elementBytes(0x0002_0003, 'UI', names.sopInstance),
    elementBytes(0x0002_0010, 'UI', names.transferSyntax),
    elementBytes(0x0002_0012, 'UI', '1.2.826.0.1.3680043.99'),
  ]);
  const length = elementBytes(0x0002_0000, 'UL', rest.byteLength);
  return concatBytes([new Uint8Array(128), Buffer.from('DICM'), length, rest, dataSet]);
}
