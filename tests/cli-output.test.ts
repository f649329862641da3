/*
 * Where the words of a command go: an output that is full, a reader that leaves, a client of the server that never reads or says nothing of sense. One
 * line at most, never a stack, and nobody else is held up.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { noise, Stele } from './support/stele.ts';

const archives: Stele[] = [];
after(() => {
  for (const each of archives) each.remove();
});

function newArchive(): Stele {
  const stele = new Stele();
  archives.push(stele);
  return stele;
}

const mainFile = path.resolve(import.meta.dirname, '..', 'src', 'app', 'main.ts');

type Ended = { readonly code: number | null; readonly err: string };

/** A command as a process with an output of our choice. */
function start(stele: Stele, argv: readonly string[], stdout: number | 'pipe', env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', mainFile, ...argv], {
    cwd: stele.folder,
    env: { ...process.env, ...stele.env, ...env },
    stdio: ['ignore', stdout, 'pipe'],
  });
  let err = '';
  child.stderr?.on('data', (data: Buffer) => {
    err += data.toString('utf8');
  });
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, err })));
  return { child, ended };
}

test('an output that is full is told in one line', async () => {
  const stele = newArchive();
  stele.file('f', noise(3_000_000));
  await stele.done('put', 'f');
  const full = fs.openSync('/dev/full', 'w');
  for (const argv of [['--help'], ['ls', '-r', 'files/'], ['get', 'files/f'], ['status', '--json'], ['put', 'f']]) {
    const { code, err } = await start(stele, argv, full).ended;
    assert.equal(code, 1, argv.join(' '));
    assert.match(err, /^(stele: |\{"error":\{"code":")DISK_FULL.*ENOSPC.*\n$/, argv.join(' '));
  }
  fs.closeSync(full);
});

test('a reader who had enough hears nothing more', async () => {
  const stele = newArchive();
  stele.file('f', noise(6_000_000));
  await stele.done('put', 'f');
  for (const served of [false, true]) {
    const server = served ? await stele.serve() : undefined;
    const { child, ended } = start(stele, ['get', 'files/f'], 'pipe');
    child.stdout?.once('data', () => child.stdout?.destroy());
    assert.equal((await ended).err, '', served ? 'through the server' : 'by itself');
    await server?.stop();
  }
});

test('what nobody caught is one line', async () => {
  const stele = newArchive();
  const late = encodeURIComponent("setTimeout(() => { throw new Error('two\\nlines'); }, 300);");
  const server = start(stele, ['serve'], 'pipe', { NODE_OPTIONS: `--import=data:text/javascript,${late}` });
  const { code, err } = await server.ended;
  assert.equal(code, 1);
  assert.match(err, /stele: INTERNAL: [^\n]*\n$/);
  assert.doesNotMatch(err, / {4}at |two/);
});

function connect(stele: Stele): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(stele.path('data', 'control.sock'));
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

async function answerTo(stele: Stele, text: string): Promise<string> {
  const socket = await connect(stele);
  let said = '';
  socket.on('data', (data: Buffer) => {
    said += data.toString('utf8');
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.write(text);
  await closed;
  return said;
}

test('clients that say nothing of sense are answered or left, and clients that are deaf or dumb hold up no stop', async () => {
  const stele = newArchive();
  for (let index = 0; index < 600; index += 1) stele.file(`in/${'long name '.repeat(20)}${index}`, '');
  await stele.done('put', '-q', 'in');
  const server = await stele.serve();
  const run = (argv: unknown, version = 2): string =>
    `${JSON.stringify({ type: 'run', version, argv, cwd: stele.folder })}\n`;
  for (const text of ['null\n', 'garbage\n', '[]\n', run('ls'), run([1]), run(['ls'], 99), '{"type":"answer"}\n'])
    assert.match(await answerTo(stele, text), /^$|ARGUMENT_INVALID/, text);
  assert.match(await answerTo(stele, run(['serve'])), /ARGUMENT_INVALID: |does not run in the server/);
  // Deaf: asks for much and reads nothing of it. Dumb: says nothing.
  const deaf = await connect(stele);
  for (let turn = 0; turn < 20; turn += 1) {
    const more = await connect(stele);
    more.pause();
    more.write(run(['ls', '-r', 'files/', '--json']));
  }
  deaf.pause();
  deaf.write(run(['ls', '-r', 'files/', '--json']));
  await connect(stele);
  assert.equal((await stele.done('ls', '-r', 'files/')).out.trim().split('\n').length, 600, 'others are served');
  const startedMs = performance.now();
  assert.equal(await server.stop(), 0);
  assert.ok(performance.now() - startedMs < 8000);
  assert.doesNotMatch(server.err, /Warning|INTERNAL/);
});
