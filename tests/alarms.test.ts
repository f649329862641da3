// Alarms from outside: what is wrong reaches who is to be told, by every way, once, and across restarts.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import fs from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { makeAuthority, makeServerIdentity } from '../src/app/https/certificate.ts';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { type AlarmNotice, type AlarmTarget, background } from '../src/archive/index.ts';
import { isArchiveError, ManualClock } from '../src/base/index.ts';
import { sendNotice } from '../src/doors/alarms/alarm-door.ts';
import { noticeText } from '../src/doors/alarms/notice-text.ts';
import { trapMessages } from '../src/doors/alarms/snmp-trap.ts';
import { webhookRequest } from '../src/doors/alarms/webhook.ts';
import { Stele } from './support/stele.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const stele = new Stele();
const clock = new ManualClock(Date.UTC(2026, 0, 5, 9));
let running: Running;
const open = async (): Promise<void> => {
  const settings = settingsOf([{ workers: 1 }], stele.folder);
  running = await start({ settings, create: true, say: () => undefined, clock });
};
before(open);
after(async () => {
  await running.close();
  stele.remove();
});

const target = (name: string, url: string, more: Partial<AlarmTarget> = {}): AlarmTarget => ({
  name,
  url,
  form: 'json',
  secret: undefined,
  language: 'en',
  least: 'warning',
  ...more,
});

async function look(): Promise<void> {
  const archive = running.archive.as(background('alarms'));
  await archive.alarms.look(await archive.status(), undefined);
}

const causes = async (): Promise<string[]> => (await running.archive.alarms.list()).map((each) => each.cause);
/** What is due, all of it delivered. */
async function taken(): Promise<string[]> {
  const due = await running.archive.alarms.due();
  for (const each of due) await running.archive.alarms.delivered(each);
  return due.map(
    ({ target: { name }, notice }) => `${name} ${notice.kind} ${notice.begun.map((each) => each.cause).join()}`,
  );
}

test('what is wrong is queued for everyone who is to be told, once, and survives a restart', async () => {
  const { alarms } = running.archive;
  await alarms.setTarget(target('pager', 'snmp://public@127.0.0.1', { least: 'severe' }));
  await alarms.setTarget(target('mail', 'smtp://127.0.0.1?from=a@b&to=c@d'));
  await look();
  assert.deepEqual(await causes(), ['keyring-unexported']);
  // A warning is not for who is told of severe ones only.
  assert.deepEqual(await taken(), ['mail alarm keyring-unexported']);
  await look();
  assert.deepEqual(await taken(), []);
  await running.close();
  await open();
  await look();
  assert.deepEqual(await taken(), []);
  // Nobody answered: it is told again, until somebody takes it up.
  clock.advance(61 * 60_000);
  await look();
  assert.equal((await taken()).length, 1);
  await running.archive.alarms.take('keyring-unexported', '', 'li');
  clock.advance(6 * hourMs);
  await look();
  assert.deepEqual(await taken(), []);
  await assert.rejects(running.archive.alarms.take('disk-missing', 'x', 'li'), (error) =>
    isArchiveError(error, 'NOT_FOUND'),
  );
  // Once a day a word that telling works.
  clock.advance(20 * hourMs);
  await look();
  assert.deepEqual(await taken(), ['mail heartbeat ', 'pager heartbeat ']);
});

test('what is not taken is tried again, ever less often, becomes an alarm itself, and is given up after days', async () => {
  const { alarms } = running.archive;
  await alarms.test('mail');
  const tries: number[] = [];
  const beganMs = clock.nowMs();
  for (let minute = 0; minute < 4 * 60; minute += 1) {
    for (const each of await alarms.due()) {
      tries.push((clock.nowMs() - beganMs) / 60_000);
      await alarms.failed(each);
    }
    clock.advance(60_000);
  }
  assert.deepEqual(tries, [0, 1, 6, 21, 81, 141, 201]);
  await look();
  assert.ok((await causes()).includes('notice-failing'));
  clock.advance(4 * dayMs);
  await look();
  assert.equal((await alarms.due()).filter((each) => each.notice.kind === 'test').length, 0);
  await taken();
  clock.advance(hourMs);
  await look();
  clock.advance(hourMs);
  await look();
  assert.ok(!(await causes()).includes('notice-failing'));
  await alarms.removeTarget('mail');
  await alarms.removeTarget('pager');
  assert.deepEqual(await alarms.targets(), []);
});

test('a device that falls silent at hours when it always sends is told, when it is in the table', async () => {
  const { alarms, entities } = running.archive;
  const plain = { host: undefined, port: undefined, tls: false, from: [], may: ['store'], associationsMax: 4 } as const;
  const rest = {
    tenant: undefined,
    issuer: undefined,
    charset: undefined,
    syntaxes: [],
    whenKnown: 'first',
    matchesMax: 100,
  } as const;
  await entities.set({ title: 'CT1', ...plain, ...rest });
  for (let hour = 0; hour < 4 * 7 * 24; hour += 1) {
    alarms.arrived('CT1');
    alarms.arrived('STRANGER');
    await look();
    clock.advance(hourMs);
  }
  assert.ok(!(await causes()).includes('peer-silent'));
  clock.advance(5 * hourMs);
  await look();
  const silent = (await alarms.list()).filter((each) => each.cause === 'peer-silent');
  assert.deepEqual(
    silent.map((each) => each.subject),
    ['CT1'],
  );
  await taken();
});

test('targets are named and addressed, or refused', async () => {
  const { alarms } = running.archive;
  for (const wrong of [
    target('a b', 'snmp://x'),
    target('a', 'ftp://x'),
    target('a', 'nonsense'),
    target('a', 'smtp://mail.example'),
    target('', 'https://x'),
  ])
    await assert.rejects(alarms.setTarget(wrong), (error) => isArchiveError(error, 'ARGUMENT_INVALID'));
});

const state = { weight: 'severe', sinceMs: 0, toldMs: 0, tellings: 1, goneMs: undefined, takenBy: undefined } as const;
const notice: AlarmNotice = {
  kind: 'alarm',
  begun: [{ ...state, cause: 'disk-missing', subject: 'a\r\nb', facts: {} }],
  again: [],
  over: [{ ...state, weight: 'warning', cause: 'queue-stands', subject: 'PACS', facts: { count: 3, hours: 5 } }],
  open: 1,
};
const how = { site: 'archive1', clock };

test('a notice is lines of one line each, in both languages', () => {
  const english = noticeText(notice, 'archive1', 'en');
  assert.equal(
    english.subject,
    '[Stele archive1] ALARM: disk a  b is missing: attach it, or run stele repair and 1 more',
  );
  assert.equal(english.lines.length, 3);
  const chinese = noticeText(notice, '档案库', 'zh');
  assert.match(chinese.subject, /^\[Stele 档案库\] 严重告警: 磁盘 a {2}b 不在线/);
  assert.match(noticeText({ ...notice, kind: 'test', begun: [], over: [] }, 'x', 'zh').subject, /测试消息/);
  assert.match(
    noticeText({ ...notice, kind: 'heartbeat', begun: [], over: [], open: 0 }, 'x', 'en').subject,
    /no alarm is open/,
  );
});

test('mail goes out whole, with the words of a name encoded', async () => {
  const said: string[] = [];
  const server = net.createServer((socket) => {
    let inData = false;
    socket.write('220 mail ESMTP\r\n');
    let rest = '';
    socket.on('data', (bytes: Buffer) => {
      rest += bytes.toString();
      for (;;) {
        const end = rest.indexOf('\r\n');
        if (end < 0) return;
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        said.push(line);
        if (inData) {
          inData = line !== '.';
          if (!inData) socket.write('250 taken\r\n');
        } else if (line === 'DATA') {
          inData = true;
          socket.write('354 go on\r\n');
        } else if (line === 'QUIT') socket.end('221 bye\r\n');
        else socket.write(line.startsWith('EHLO') ? '250-mail\r\n250 8BITMIME\r\n' : '250 ok\r\n');
      }
    });
    socket.on('error', () => undefined);
  });
  const port = await listening(server);
  const mail = target('mail', `smtp://127.0.0.1:${port}?from=stele@example.com&to=it@example.com,duty@example.com`, {
    language: 'zh',
  });
  await sendNotice({ target: mail, notice }, how);
  server.close();
  assert.ok(said.includes('MAIL FROM:<stele@example.com>'));
  assert.deepEqual(
    said.filter((line) => line.startsWith('RCPT')),
    ['RCPT TO:<it@example.com>', 'RCPT TO:<duty@example.com>'],
  );
  assert.ok(said.some((line) => line.startsWith('Subject: =?UTF-8?')));
});

test('mail that is refused is a failure', async () => {
  const refusing = net.createServer((socket) => socket.end('554 no\r\n'));
  const port = await listening(refusing);
  const mail = (url: string): AlarmTarget => target('mail', `${url}?from=a@example.com&to=b@example.com`);
  await assert.rejects(sendNotice({ target: mail(`smtp://127.0.0.1:${port}`), notice }, how));
  refusing.close();
});

test('syslog takes it by datagram, by a counted stream, and over TLS when the certificate is good', async () => {
  const datagrams: string[] = [];
  const udp = createSocket('udp4');
  await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
  const got = new Promise<void>((resolve) => {
    udp.on('message', (message) => {
      datagrams.push(message.toString());
      if (datagrams.length === 3) resolve();
    });
  });
  await sendNotice({ target: target('log', `syslog://127.0.0.1:${udp.address().port}`), notice }, how);
  await got;
  udp.close();
  assert.match(
    datagrams[0] ?? '',
    /^<82>1 2026-\d\d-\d\dT[\d:.]+Z archive1 stele \d+ ALARM - \ufeffdisk a {2}b is missing/,
  );

  const received: Buffer[] = [];
  const whole = (server: net.Server): Promise<string> =>
    new Promise((resolve) => {
      server.on(
        server.listenerCount('secureConnection') > 0 ? 'secureConnection' : 'connection',
        (socket: net.Socket) => {
          socket.on('data', (bytes: Buffer) => received.push(bytes));
          socket.on('error', () => undefined);
          socket.on('end', () => resolve(Buffer.concat(received.splice(0)).toString()));
        },
      );
    });
  const tcp = net.createServer();
  const stream = whole(tcp);
  await sendNotice({ target: target('log', `syslog+tcp://127.0.0.1:${await listening(tcp)}`), notice }, how);
  const [counted] = /^(\d+) /.exec(await stream) ?? [];
  tcp.close();
  assert.equal(Number(counted), Buffer.byteLength(datagrams[0] ?? ''));

  const days = { fromMs: Date.now() - dayMs, untilMs: Date.now() + dayMs };
  const authority = { ...makeAuthority('test', days, Uint8Array.of(1)), name: 'test' };
  const identity = makeServerIdentity(authority, ['127.0.0.1'], days, Uint8Array.of(2));
  const tls = createTlsServer(identity, (socket) => {
    socket.on('data', (bytes: Buffer) => received.push(bytes));
    socket.on('error', () => undefined);
  });
  tls.on('tlsClientError', () => undefined);
  const port = await listening(tls);
  await assert.rejects(sendNotice({ target: target('log', `syslog+tls://127.0.0.1:${port}`), notice }, how));
  await sendNotice({ target: target('log', `syslog+tls://127.0.0.1:${port}?insecure=yes`), notice }, how);
  tls.close();
});

test('an SNMP trap is the bytes that RFC 3416 asks for', () => {
  const source = { host: 'archive1', processId: 4711, nowMs: Date.UTC(2026, 0, 5, 9, 30, 1, 250) };
  const parts = { ...source, community: 'public', uptimeSeconds: 12.5, requestId: 200 };
  const [first] = trapMessages({ subject: '', lines: ['hello'] }, 'severe', parts);
  const hex = Buffer.from(first ?? []).toString('hex');
  // Version 2c, the community, a trap with its number and no error.
  assert.match(hex, /^30[0-9a-f]{2,6}02010104067075626c6963a7[0-9a-f]{2,6}020200c8020100020100/);
  assert.ok(hex.includes('06082b06010201010300430204e2'), hex);
  // syslogMsgNotification, its severity, its time.
  assert.ok(hex.includes('060a2b06010603010104010006092b0601020181400001'), hex);
  assert.ok(hex.includes('040d07ea0105091e0103d0902b0000'), hex);
  assert.ok(hex.endsWith('040568656c6c6f'));
});

test('webhooks are spoken to as they ask, signed, and a refusal in the answer is a failure', async () => {
  const text = noticeText(notice, 's', 'zh');
  const nowMs = 1_700_000_000_000;
  const wecom = webhookRequest(target('w', 'https://hook.example/x?key=1', { form: 'wecom' }), notice, text, nowMs);
  assert.match((JSON.parse(wecom.body) as { text: { content: string } }).text.content, /严重告警/);
  const long = { ...text, lines: new Array<string>(500).fill('磁盘不在线') };
  const cut = webhookRequest(target('w', 'https://x', { form: 'wecom' }), notice, long, nowMs);
  assert.ok(Buffer.byteLength((JSON.parse(cut.body) as { text: { content: string } }).text.content) <= 2048);
  const dingtalk = new URL(
    webhookRequest(
      target('d', 'https://x/send?access_token=t', { form: 'dingtalk', secret: 'SEC1' }),
      notice,
      text,
      nowMs,
    ).url,
  );
  assert.equal(dingtalk.searchParams.get('timestamp'), String(nowMs));
  assert.equal(Buffer.from(dingtalk.searchParams.get('sign') ?? '', 'base64').byteLength, 32);

  const asked: { body: string; signature: unknown }[] = [];
  const answers = ['{"errcode":0}', '{"errcode":310000,"errmsg":"no"}'];
  const server = createHttpServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      asked.push({ body: Buffer.concat(pieces).toString(), signature: request.headers['x-stele-signature'] });
      if (request.url === '/gone') response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
      else response.end(answers.shift());
    });
  });
  const port = await listening(server);
  const hook = target('hook', `http://127.0.0.1:${port}/hook`, { secret: 's' });
  await sendNotice({ target: hook, notice }, how);
  assert.equal((JSON.parse(asked[0]?.body ?? '{}') as { level: string }).level, 'severe');
  assert.match(String(asked[0]?.signature), /^[0-9a-f]{64}$/);
  await assert.rejects(sendNotice({ target: hook, notice }, how), /refused/);
  await assert.rejects(sendNotice({ target: { ...hook, url: `http://127.0.0.1:${port}/gone` }, notice }, how));
  server.close();
});

test('the command line sets, tests and lists, and shows no password', async () => {
  const other = new Stele();
  try {
    await other.done('put', fs.mkdtempSync(other.path('x')));
    await other.done('alarm', 'set', 'mail', 'smtp://u:hidden@127.0.0.1:1?from=a@b&to=c@d', '--language', 'zh');
    await other.done('alarm', 'set', 'mail', '--least', 'severe');
    const listed = await other.done('alarm', 'targets');
    assert.match(listed.out, /mail\s+smtp:\/\/u:\*\*\*@127\.0\.0\.1:1.*zh\s+severe/);
    assert.ok(!listed.out.includes('hidden'));
    await other.done('alarm', 'test', 'mail');
    assert.match((await other.done('alarm', 'list')).out, /no alarm/);
    assert.equal((await other.run('alarm', 'take', 'disk-missing/x', 'li')).code, 1);
    assert.equal((await other.run('alarm', 'set', 'x', 'ftp://y')).code, 2);
    await other.done('alarm', 'remove', 'mail');
  } finally {
    other.remove();
  }
});

async function listening(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
