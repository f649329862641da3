/* Logging in at a browser: cookies, where a request comes from, and what is refused. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { systemClock, systemRandom } from '../src/base/index.ts';
import { type ConsoleDoor, openConsole } from '../src/doors/console/index.ts';
import { Stele } from './support/stele.ts';

const stele = new Stele();
const password = 'Gr33n-tea-pot';
let running: Running;
let door: ConsoleDoor;

before(async () => {
  running = await start({ settings: settingsOf([{ workers: 1 }], stele.folder), create: true, say: () => undefined });
  await running.archive.accounts.setUp({ name: 'admin', password });
  door = await openConsole({
    archive: () => running.archive,
    host: '127.0.0.1',
    port: 0,
    version: 'test',
    clock: systemClock,
    random: systemRandom,
    setupSecret: () => undefined,
    onSetUp: async () => undefined,
    onFault: () => undefined,
    identity: undefined,
    takes: undefined,
    authority: undefined,
    mounts: [],
  });
});

after(async () => {
  await door.close();
  await running.close();
  stele.remove();
});

function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${door.url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
}

function get(path: string, cookie: string): Promise<Response> {
  return fetch(`${door.url}${path}`, { headers: { cookie } });
}

async function logIn(): Promise<string> {
  const response = await post('/api/login', { user: 'admin', password });
  assert.equal(response.status, 200);
  const cookie = response.headers.get('set-cookie') ?? '';
  assert.match(cookie, /^stele_session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  return cookie.split(';', 1)[0] ?? '';
}

test('a log-in gives a cookie that says who one is, until the log-out', async () => {
  const cookie = await logIn();
  const who = (await (await get('/api/session', cookie)).json()) as { user: string; actions: string[] };
  assert.equal(who.user, 'admin');
  assert.ok(who.actions.includes('study.read') && !who.actions.includes('site.write'));
  assert.equal((await get('/api/status', cookie)).status, 200);
  const out = await post('/api/logout', {}, { cookie, origin: door.url });
  assert.equal(out.status, 204);
  assert.match(out.headers.get('set-cookie') ?? '', /Max-Age=0/);
  assert.equal((await get('/api/session', cookie)).status, 401);
  assert.equal((await get('/api/status', cookie)).status, 401);
});

test('a page of another site cannot do anything with the cookie', async () => {
  const cookie = await logIn();
  for (const headers of [{}, { origin: 'http://elsewhere.example' }, { origin: 'null' }])
    await post('/api/logout', {}, { cookie, ...headers });
  assert.equal((await get('/api/session', cookie)).status, 200, 'still logged in');
});

test('a planted cookie becomes nobody’s session, and a broken one is passed over', async () => {
  const planted = `stele_session=${'A'.repeat(43)}`;
  const response = await post('/api/login', { user: 'admin', password }, { cookie: planted });
  assert.ok(!(response.headers.get('set-cookie') ?? planted).includes('AAAA'));
  assert.equal((await get('/api/session', planted)).status, 401);
  for (const cookie of ['stele_session=', 'stele_session=../../x', `stele_session=${'A'.repeat(44)}`, 'x=y'])
    assert.equal((await get('/api/session', cookie)).status, 401, cookie);
});

test('a wrong name, a wrong password and a body in another form are refused, the first two alike', async () => {
  const answers = [
    await post('/api/login', { user: 'nobody', password }),
    await post('/api/login', { user: 'admin', password: 'wrong' }),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [401, 401],
  );
  assert.equal(await answers[0]?.text(), await answers[1]?.text());
  for (const body of [{}, { user: 'admin' }, { user: 1, password }, { user: 'admin', password, more: 'x' }, []])
    assert.equal((await post('/api/login', body)).status, 400);
  assert.equal((await post('/api/login', { user: 'admin', password: 'x'.repeat(70_000) })).status, 413);
  let status = 0;
  for (let round = 0; round < 6; round += 1) ({ status } = await post('/api/login', { user: 'guest', password: 'x' }));
  assert.equal(status, 429);
});

test('a second factor is begun, confirmed and asked for', async () => {
  const begun = await post('/api/factor', { user: 'admin', password });
  assert.match(((await begun.json()) as { url: string }).url, /^otpauth:\/\/totp\/Stele:admin\?secret=/);
  assert.equal((await post('/api/factor/confirm', { user: 'admin', password, code: '12345x' })).status, 401);
  assert.equal(
    (await post('/api/login', { user: 'admin', password })).status,
    200,
    'not asked for before it is confirmed',
  );
});
