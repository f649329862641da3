/* Log-ins: sessions, second factors, limits, tokens, as a door has them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { type Archive, absoluteMs, idleMs, type LogInOutcome, mayDo, operator, visitor } from '../src/archive/index.ts';
import { codeOfStep, stepAt } from '../src/archive/one-time-codes.ts';
import { isArchiveError, ManualClock, tenantId } from '../src/base/index.ts';
import { Stele } from './support/stele.ts';

const stele = new Stele();
const clock = new ManualClock(Date.UTC(2026, 10, 21));
const from = { door: 'test', address: '10.0.0.1' };
const good = 'Gr33n-tea-pot';
let running: Running;
let accounts: Archive['accounts'];

before(async () => {
  running = await start({
    settings: settingsOf([{ workers: 1 }], stele.folder),
    create: true,
    say: () => undefined,
    clock,
  });
  ({ accounts } = running.archive.as(operator('me')));
  await accounts.setUser({ name: 'alice', password: good, role: 'doctor', fresh: true });
  await accounts.changePassword({ name: 'alice', password: good, next: `${good}!`, from });
});

after(async () => {
  // What was audited waits for a clock that nobody moves: the close writes it.
  await running.close();
  stele.remove();
});

function logIn(
  password = `${good}!`,
  more: { code?: string; before?: string; address?: string; name?: string } = {},
): Promise<LogInOutcome> {
  const { address = from.address, name = 'alice', ...rest } = more;
  return running.archive.as(visitor(from)).accounts.logIn({ name, password, from: { door: 'test', address }, ...rest });
}

async function sessionOf(outcome: Promise<LogInOutcome>): Promise<string> {
  const told = await outcome;
  assert.equal(told.kind, 'in');
  return told.kind === 'in' ? told.session : '';
}

test('a session is its own at every log-in, and the one that was shown with it ends', async () => {
  const one = await sessionOf(logIn());
  const two = await sessionOf(logIn(undefined, { before: one }));
  assert.notEqual(one, two);
  assert.equal(await accounts.ofSession(one, from), undefined);
  const found = await accounts.ofSession(two, from);
  assert.equal(found?.name, 'alice');
  assert.ok(found !== undefined && mayDo(found.rights, 'study.read') && !mayDo(found.rights, 'study.store'));
  const planted = 'A'.repeat(43);
  const three = await sessionOf(logIn(undefined, { before: planted }));
  assert.notEqual(three, planted);
  assert.equal(await accounts.ofSession(planted, from), undefined);
  await accounts.logOut(three);
  assert.equal(await accounts.ofSession(three, from), undefined);
});

test('a session ends when nobody uses it, and after a day of work whatever happens', async () => {
  const left = await sessionOf(logIn());
  clock.advance(idleMs + 1);
  assert.equal(await accounts.ofSession(left, from), undefined);
  const used = await sessionOf(logIn());
  for (let passed = 0; passed + idleMs / 2 <= absoluteMs; passed += idleMs / 2) {
    assert.ok((await accounts.ofSession(used, from)) !== undefined);
    clock.advance(idleMs / 2);
  }
  clock.advance(1);
  assert.equal(await accounts.ofSession(used, from), undefined);
});

test('a change of a user ends their sessions; who is disabled is let in nowhere', async () => {
  const session = await sessionOf(logIn());
  await accounts.changeUser({ name: 'alice', disabled: true });
  assert.equal(await accounts.ofSession(session, from), undefined);
  assert.equal((await logIn()).kind, 'refused');
  await accounts.changeUser({ name: 'alice', disabled: false });
  assert.equal((await logIn()).kind, 'in');
});

test('a password that somebody else gave, or an old one, is changed before anything else is done', async () => {
  await accounts.setUser({ name: 'bob', password: good, role: 'reader', fresh: true });
  const told = await logIn(good, { name: 'bob' });
  assert.ok(told.kind === 'in' && told.mustChange === 'provisional');
  assert.equal(await accounts.ofSession(told.kind === 'in' ? told.session : '', from), undefined);
  const change = (password: string, next: string): Promise<string> =>
    accounts.changePassword({ name: 'bob', password, next, from });
  await assert.rejects(change(good, 'greentea'), (error) => isArchiveError(error, 'ARGUMENT_INVALID'));
  await assert.rejects(change(good, good), (error) => isArchiveError(error, 'ARGUMENT_INVALID'), 'the one before');
  assert.equal(await change('wrong-Pass-1', 'Another-one-2'), 'refused');
  assert.equal(await change(good, 'Another-one-2'), 'done');
  assert.ok((await logIn('Another-one-2', { name: 'bob' })).kind === 'in');
  clock.advance(91 * 86_400_000);
  const later = await logIn('Another-one-2', { name: 'bob' });
  assert.ok(later.kind === 'in' && later.mustChange === 'old');
});

test('a second factor is asked for once it was confirmed; a code and a recovery code count once', async () => {
  await accounts.setUser({ name: 'carol', password: 'x'.repeat(3) + good, role: 'security', fresh: true });
  const own = { name: 'carol', password: `xxx${good}`, from };
  const url = await accounts.beginFactor(own);
  const secret = decodeBase32(/secret=([A-Z2-7]+)/.exec(url ?? '')?.[1] ?? '');
  const codeNow = (): string => codeOfStep(secret, stepAt(clock.nowMs()));
  assert.equal((await logIn(own.password, { name: 'carol' })).kind, 'in', 'not before it is confirmed');
  assert.equal(await accounts.confirmFactor({ ...own, code: '000000' }), undefined);
  const recovery = await accounts.confirmFactor({ ...own, code: codeNow() });
  assert.equal(recovery?.length, 10);
  const withCode = async (code?: string): Promise<string> =>
    (await logIn(own.password, { name: 'carol', ...(code === undefined ? {} : { code }) })).kind;
  assert.equal(await withCode(), 'code-wanted');
  assert.equal(await withCode(codeNow()), 'refused', 'the code that confirmed it');
  clock.advance(30_000);
  const both = await Promise.all([withCode(codeNow()), withCode(codeNow())]);
  assert.deepEqual(both.sort(), ['in', 'refused'], 'of two who show one code at once, one is let in');
  assert.equal(await withCode(recovery?.[3]), 'in');
  assert.equal(await withCode(recovery?.[3]), 'refused');
  const basic = `Basic ${Buffer.from(`carol:${own.password}`).toString('base64')}`;
  assert.equal(await accounts.callerOf(basic, from), undefined, 'a password alone is not enough');
  await accounts.removeFactor('carol');
  assert.equal(await withCode(), 'in');
});

function decodeBase32(text: string): Uint8Array {
  let bits = '';
  for (const each of text) bits += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(each).toString(2).padStart(5, '0');
  return Uint8Array.from((bits.match(/.{8}/g) ?? []).map((each) => Number.parseInt(each, 2)));
}

test('ten thousand wrong passwords are held after the fifth, at hardly any cost, and keep nobody out elsewhere', async () => {
  await logIn();
  const wrong = { name: 'alice', password: 'wrong', from: { door: 'test', address: '10.6.6.6' } };
  const kinds = new Map<string, number>();
  const began = process.cpuUsage();
  for (let round = 0; round < 10_000; round += 1) {
    const { kind } = await accounts.logIn(wrong);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const { user } = process.cpuUsage(began);
  assert.deepEqual(Object.fromEntries(kinds), { refused: 5, held: 9995 });
  assert.ok(user < 20_000_000, `${user} microseconds`);
  assert.equal((await logIn()).kind, 'in');
  const unknown = await Promise.all(Array.from({ length: 6 }, () => accounts.logIn({ ...wrong, name: 'nobody' })));
  assert.ok(unknown.every(({ kind }) => kind === 'refused'));
  assert.equal((await accounts.logIn({ ...wrong, name: 'nobody' })).kind, 'held', 'a name that nobody has, too');
});

test('a token has at most what its user and its scopes have, and ends', async () => {
  const make = (more: object): Promise<string> => accounts.createToken({ user: 'alice', name: 'tool', ...more });
  const callerOf = (token: string): ReturnType<typeof accounts.callerOf> => accounts.callerOf(`Bearer ${token}`, from);
  const wide = await callerOf(await make({ role: 'admin' }));
  assert.ok(wide !== undefined && !mayDo(wide.rights, 'user.change') && mayDo(wide.rights, 'study.read'));
  const narrow = await callerOf(await make({ scopes: ['study.find', 'user.change'] }));
  assert.ok(narrow !== undefined);
  assert.deepEqual([...narrow.rights], ['study.find']);
  await assert.rejects(make({ scopes: ['everything'] }), (error) => isArchiveError(error, 'ARGUMENT_INVALID'));
  const short = await make({ days: 1 });
  assert.ok((await callerOf(short)) !== undefined);
  clock.advance(86_400_000);
  assert.equal(await callerOf(short), undefined);
  await accounts.changeUser({ name: 'alice', disabled: true });
  assert.equal(await callerOf(await make({}).catch(() => '')), undefined);
  await accounts.changeUser({ name: 'alice', disabled: false });
});

test('a user is let into the tenants that they are given', async () => {
  await accounts.changeUser({ name: 'alice', tenants: [tenantId(2), tenantId(3)] });
  const token = await accounts.createToken({ user: 'alice', name: 'tool' });
  const found = await accounts.callerOf(`Bearer ${token}`, from);
  assert.deepEqual([found?.tenant, [...(found?.tenants ?? [])]], [2, [2, 3]]);
});
