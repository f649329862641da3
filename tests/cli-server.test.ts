/*
 * The server as a process: its contract with scripts, and that a kill at any moment loses nothing acknowledged.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { after, test } from 'node:test';
import { noise, Stele } from './support/stele.ts';

const archives: Stele[] = [];
after(() => {
  for (const each of archives) each.remove();
});

function newArchive(env: Record<string, string> = {}): Stele {
  const stele = new Stele(env);
  archives.push(stele);
  return stele;
}

const basic = (password: string): { authorization: string } => ({
  authorization: `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`,
});

test('serve answers, says where, runs commands, and stops clean', async () => {
  const stele = newArchive({ STELE_ADMIN_PASSWORD: 'admin password' });
  const server = await stele.serve();
  assert.match(server.out, /^stele: serving http http:\/\/127\.0\.0\.1:\d+ dicom 127\.0\.0\.1:\d+ aet STELE\n/);
  const get = (page: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${server.url}${page}`, { headers });
  assert.deepEqual(await (await get('/healthz')).json(), { health: 'good' });
  assert.match(await (await get('/metrics')).text(), /^stele_health 0$/m);
  const home = await get('/');
  assert.match(await home.text(), /碑/);
  assert.match(home.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  assert.equal((await get('/api/openapi.json')).status, 200);
  assert.equal((await get('/api/status')).status, 401);
  assert.equal((await get('/api/status', basic('wrong password'))).status, 401);
  assert.equal((await get('/api/status', basic('admin password'))).status, 200);
  assert.equal((await get('/nothing')).status, 404);
  assert.equal((await get('/setup')).status, 404, 'there is a user');

  stele.file('in/a', noise(2_000_000));
  assert.match((await stele.done('put', 'in')).out, /1 stored/);
  assert.ok((await stele.content('files/in/a')).equals(noise(2_000_000)));
  await stele.done('get', 'files/in/a', '-o', 'out');
  assert.match((await stele.run('get', 'files/none')).err, /^stele: NOT_FOUND/);
  assert.equal((await stele.run('get', 'files/none')).code, 1);
  assert.equal((await stele.run('put', '--nope', 'x')).code, 2);
  await stele.done('keys', 'export', 'export.json');
  await stele.done('user', 'add', 'reader', '--role', 'reader');
  const token = (await stele.done('token', 'create', 'tool')).out.trim();
  assert.equal((await get('/api/status', { authorization: `Bearer ${token}` })).status, 200);
  await stele.done('token', 'revoke', 'tool');
  assert.equal((await get('/api/status', { authorization: `Bearer ${token}` })).status, 401);
  await stele.done('rebuild');
  await stele.done('settle', '--all');
  assert.ok((await stele.content('files/in/a')).equals(noise(2_000_000)));

  const second = stele.spawn('serve');
  let said = '';
  second.stderr?.on('data', (data: Buffer) => {
    said += data.toString('utf8');
  });
  assert.equal(await new Promise((resolve) => second.on('close', resolve)), 1);
  assert.match(said, /^stele: DATA_LOCKED: .*held by process \d+[^\n]*\n$/);

  assert.equal(fs.statSync(stele.path('data/control.sock')).mode & 0o777, 0o600);
  const startedMs = performance.now();
  assert.equal(await server.stop(), 0);
  assert.ok(performance.now() - startedMs < 10_000);
  for (const name of ['endpoints.json', 'control.sock'])
    assert.ok(!fs.existsSync(stele.path('data', name)), `${name} is gone`);
  assert.ok((await stele.content('files/in/a')).equals(noise(2_000_000)), 'without the server');
});

test('a request that never ends holds up no stop, and one that is none is answered in our form', async () => {
  const stele = newArchive({ STELE_ADMIN_PASSWORD: 'admin password' });
  const server = await stele.serve();
  const { port, hostname } = new URL(server.url);
  for (const begun of [
    'GET / HTTP/1.1\r\nHost: x\r\n',
    'POST /api/setup HTTP/1.1\r\nHost: x\r\ncontent-length: 9\r\n\r\n{',
  ]) {
    const socket = net.connect(Number(port), hostname);
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) => socket.write(begun, () => resolve()));
  }
  const bad = await fetch(`${server.url}/%ff`);
  assert.equal(bad.status, 400);
  assert.equal(((await bad.json()) as { error: { code: string } }).error.code, 'ARGUMENT_INVALID');
  const startedMs = performance.now();
  assert.equal(await server.stop(), 0);
  assert.ok(performance.now() - startedMs < 8000);
  assert.match(server.err, /stopped\n$/);
  assert.ok(!fs.existsSync(stele.path('data', 'endpoints.json')));
});

test('a first start prints a link that works once', async () => {
  const stele = newArchive();
  const first = await stele.serve();
  const link = /http:\S+\/setup#(\S+)/.exec(first.out);
  await first.stop();
  const server = await stele.serve();
  assert.ok(server.out.includes(`#${link?.[1] ?? 'none'}`), 'a restart before it was used prints the same secret');
  const post = (secret: string): Promise<Response> =>
    fetch(`${server.url}/api/setup`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ secret, user: 'admin', password: 'good password' }),
    });
  const pageIn = async (page: string, language: string): Promise<string> =>
    (await fetch(`${server.url}${page}`, { headers: { 'accept-language': language } })).text();
  assert.match(await pageIn('/setup', 'zh-CN,zh;q=0.9,en;q=0.8'), /<html lang="zh-CN">[\s\S]*设置首个用户/);
  assert.match(await pageIn('/setup?lang=en', 'zh-CN'), /<html lang="en">[\s\S]*Set up the first user/);
  assert.match(await pageIn('/', 'fr, en;q=0.5, zh;q=0.7'), /<html lang="zh-CN">[\s\S]*尚无用户/);
  assert.match(await pageIn('/', ''), /No user yet/);
  assert.equal((await post('wrong')).status, 403);
  const both = await Promise.all([post(link?.[1] ?? ''), post(link?.[1] ?? '')]);
  assert.deepEqual(
    both.map((answer) => answer.status).sort((a, b) => a - b),
    [201, 403],
  );
  assert.doesNotMatch(await pageIn('/', ''), /No user yet/);
  assert.match(await pageIn('/setup', 'zh'), /设置已完成/);
  assert.equal((await post(link?.[1] ?? '')).status, 403);
  assert.equal((await fetch(`${server.url}/api/status`, { headers: basic('good password') })).status, 200);
  assert.equal(await server.stop(), 0);
});

test('the link of a first start ends with the first user, also one made by command', async () => {
  const stele = newArchive();
  const server = await stele.serve();
  const secret = /#(\S+)/.exec(server.out)?.[1];
  await stele.done('user', 'add', 'admin');
  const late = await fetch(`${server.url}/api/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ secret, user: 'second', password: 'good password' }),
  });
  assert.equal(late.status, 403);
  assert.equal((await stele.done('user', 'list')).out, 'admin  admin\n');
  assert.equal(await server.stop(), 0);
});

test('a killed server loses nothing that was acknowledged', async () => {
  const stele = newArchive({ STELE_ADMIN_PASSWORD: 'admin password' });
  const acknowledged: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const server = await stele.serve();
    assert.equal(server.err.includes('!'), false, server.err);
    for (let file = 0; file < 4; file += 1) {
      const name = `r${round}f${file}`;
      stele.file(name, noise(700_000 * (file + 1), round * 10 + file + 1));
      await stele.done('put', name);
      acknowledged.push(name);
    }
    // One is under way when the end comes: it may be there or not, but never half.
    stele.file(`last${round}`, noise(20_000_000, round + 1));
    const last = stele.run('put', `last${round}`);
    assert.equal(await server.stop('SIGKILL'), 'SIGKILL');
    if ((await last).code === 0) acknowledged.push(`last${round}`);
  }
  for (const name of acknowledged)
    assert.ok((await stele.content(`files/${name}`)).equals(fs.readFileSync(stele.path(name))), name);
  for (let round = 0; round < 3; round += 1) {
    const there = await stele.run('get', `files/last${round}`);
    if (there.code === 0) assert.ok(there.bytes.equals(fs.readFileSync(stele.path(`last${round}`))));
    else assert.match(there.err, /NOT_FOUND/);
  }
  assert.match((await stele.done('verify')).out, /all good/);
  assert.match((await stele.done('status')).out, /: good\n/);
});

test('a full disk and one that cannot be written refuse in one line, and what is stored stays readable', {
  skip: process.getuid?.() !== 0 ? 'mounting needs root' : false,
}, async (t) => {
  const stele = newArchive();
  stele.file('a', 'kept');
  fs.mkdirSync(stele.path('small'));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', stele.path('small')]).status !== 0) {
    t.skip('no tmpfs can be mounted here');
    return;
  }
  try {
    stele.file('stele.yaml', 'disks:\n  - path: small\n');
    await stele.done('put', 'a');
    stele.file('large', noise(16_000_000));
    const full = await stele.run('put', 'large');
    assert.equal(full.code, 1);
    assert.match(full.err, /\nstele: DISK_FULL: [^\n]*\(small: DISK_FULL\)[^\n]*\n$/);
    assert.equal((await stele.content('files/a')).toString(), 'kept');
    assert.match((await stele.run('get', 'files/large')).err, /NOT_FOUND/);
    // Not a byte is left: what is stored is read all the same.
    fs.writeFileSync(stele.path('small/filler'), '');
    spawnSync('dd', ['if=/dev/zero', `of=${stele.path('small/filler')}`, 'bs=4k']);
    assert.equal((await stele.content('files/a')).toString(), 'kept');
    assert.match((await stele.done('status')).out, /: degraded\n[\s\S]*! disk small is nearly full: free some space/);
    const unsettled = await stele.run('settle', '--all');
    assert.equal(unsettled.code, 1);
    assert.match(unsettled.out + unsettled.err, /DISK_FULL/);
    fs.rmSync(stele.path('small/filler'));
    // A file that is being closed by another thread still counts as open.
    for (let turn = 0; spawnSync('mount', ['-o', 'remount,ro', stele.path('small')]).status !== 0; turn += 1) {
      assert.ok(turn < 100, 'it can be mounted to be read alone');
      await new Promise((resolve) => setImmediate(resolve));
    }
    const readOnly = await stele.run('put', 'a', '--to', 'other');
    assert.equal(readOnly.code, 1);
    assert.equal(readOnly.err.trim().split('\n').at(-1)?.startsWith('stele: '), true);
    assert.equal((await stele.content('files/a')).toString(), 'kept');
    assert.match((await stele.run('status')).out, /: failing\n[\s\S]*! disk small takes no new data/);
  } finally {
    spawnSync('umount', ['-l', stele.path('small')]);
  }
});
