// Programs that a DICOM bench runs: our own server, Orthanc, and DCMTK's storescu as the client of both.
//
// Invariants: every program is ended by its id when the bench ends; all of them run with TCP_NODELAY=1, since DCMTK as Debian builds it leaves Nagle on and
// then sends twenty objects a second to any server.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join, resolve } from 'node:path';

const mainFile = resolve(import.meta.dirname, '..', '..', 'src', 'app', 'main.ts');
const startMsMax = 30_000;

export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

export type Peer = {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly title: string;
  readonly http: string;
  /** Of the process, since it began: seconds of user and system time. */
  readonly cpuSeconds: () => number;
  readonly residentBytes: () => number;
  readonly stop: () => Promise<void>;
};

function environment(noDelay: boolean): NodeJS.ProcessEnv {
  const env = { ...process.env };
  delete env['TCP_NODELAY'];
  return noDelay ? { ...env, TCP_NODELAY: '1' } : env;
}

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function until(ready: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = Date.now() + startMsMax;
  while (!(await ready())) {
    if (Date.now() > endMs) throw new Error(`${what} did not come up`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}

const ticksPerSecond = 100;

function peerOf(child: ChildProcess, facts: Omit<Peer, 'cpuSeconds' | 'residentBytes' | 'stop' | 'host'>): Peer {
  const pid = child.pid ?? 0;
  return {
    ...facts,
    host: '127.0.0.1',
    cpuSeconds: () => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    },
    residentBytes: () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024,
    stop: async () => {
      if (child.exitCode !== null) return;
      const gone = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await gone;
    },
  };
}

export const adminPassword = 'a long bench password';

/** Our own server, encryption on, one copy, in a folder. */
export async function startStele(folder: string, env: Record<string, string> = {}): Promise<Peer> {
  mkdirSync(folder, { recursive: true });
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', mainFile, 'serve'], {
    env: {
      ...environment(true),
      STELE_DATA: folder,
      STELE_HTTP_PORT: '0',
      STELE_DICOM_PORT: '0',
      STELE_ADMIN_PASSWORD: adminPassword,
      ...env,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const file = join(folder, 'endpoints.json');
  await until(() => existsSync(file) || child.exitCode !== null, 'our server');
  const endpoints = JSON.parse(readFileSync(file, 'utf8')) as { http: string; dicom: string; aet: string };
  const port = Number(endpoints.dicom.split(':').at(-1));
  return peerOf(child, { name: 'Stele', port, title: endpoints.aet, http: endpoints.http });
}

/** What DCMTK's programs are to be run with. */
export function noDelayEnvironment(): NodeJS.ProcessEnv {
  return environment(true);
}

/** Tells our running server where a title listens. */
export function admitMoves(folder: string, title: string, port: number): void {
  const args = ['--disable-warning=ExperimentalWarning', mainFile, 'ae', 'set', title, `127.0.0.1:${port}`];
  const set = spawnSync(process.execPath, args, { env: { ...environment(true), STELE_DATA: folder } });
  if (set.status !== 0) throw new Error(`ae set ended with ${set.status}: ${set.stderr.toString()}`);
}

/** Orthanc as Debian configures it: SQLite, no compression, one sync a file (SyncStorageArea), DICOMweb where its plugin is installed. `titles`: where others listen. */
export async function startOrthanc(folder: string, titles: Readonly<Record<string, number>> = {}): Promise<Peer> {
  mkdirSync(folder, { recursive: true });
  const [dicomPort, httpPort] = [await freePort(), await freePort()];
  const plugin = '/usr/share/orthanc/plugins/libOrthancDicomWeb.so';
  const configuration = join(folder, 'orthanc.json');
  writeFileSync(
    configuration,
    JSON.stringify({
      Name: 'peer',
      StorageDirectory: join(folder, 'storage'),
      IndexDirectory: join(folder, 'storage'),
      DicomAet: 'ORTHANC',
      DicomPort: dicomPort,
      HttpPort: httpPort,
      RemoteAccessAllowed: true,
      AuthenticationEnabled: false,
      DicomAlwaysAllowStore: true,
      DicomAlwaysAllowFind: true,
      DicomAlwaysAllowGet: true,
      DicomAlwaysAllowMove: true,
      DicomModalities: Object.fromEntries(
        Object.entries(titles).map(([title, port]) => [title, [title, '127.0.0.1', port]]),
      ),
      StorageCompression: false,
      Plugins: existsSync(plugin) ? [plugin] : [],
      DicomWeb: { Enable: true, Root: '/dicom-web/' },
    }),
  );
  const child = spawn('Orthanc', [configuration], { env: environment(true), stdio: 'ignore' });
  await until(async () => (await answers(dicomPort)) && (await answers(httpPort)), 'Orthanc');
  return peerOf(child, {
    name: 'Orthanc',
    port: dicomPort,
    title: 'ORTHANC',
    http: `http://127.0.0.1:${httpPort}`,
  });
}

/** Sends folders of files with DCMTK's storescu, one association a folder, all at once; seconds until the last has ended. */
export async function storescu(peer: Peer, folders: readonly string[], noDelay = true): Promise<number> {
  const started = process.hrtime.bigint();
  await Promise.all(
    folders.map(
      (folder) =>
        new Promise<void>((done, failed) => {
          const args = ['-aet', 'BENCH', '-aec', peer.title, '+sd', peer.host, String(peer.port), folder];
          const child = spawn('storescu', args, { env: environment(noDelay), stdio: ['ignore', 'ignore', 'inherit'] });
          child.once('error', failed);
          child.once('exit', (code) => (code === 0 ? done() : failed(new Error(`storescu ended with ${code}`))));
        }),
    ),
  );
  return Number(process.hrtime.bigint() - started) / 1e9;
}
