import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { isArchiveError, ManualClock, SeededRandom } from '../../base/index.ts';
import { type SettingValues, settingsOf } from '../settings.ts';
import { addressBytes, type Identity, makeAuthority, makeServerIdentity } from './certificate.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { planHttp } from './http-transport.ts';

const folders: string[] = [];
const dayMs = 86_400_000;
const beginMs = Date.UTC(2026, 0, 1);
after(() => {
  for (const folder of folders) fs.rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'stele-tls-'));
  folders.push(folder);
  return folder;
}

function keeperIn(
  folder: string,
  clock = new ManualClock(beginMs),
  more: { names?: string[]; given?: { cert: string; key: string } } = {},
): CertificateKeeper {
  const random = new SeededRandom(fs.readdirSync(folder).length + clock.nowMs());
  return new CertificateKeeper({ folder, given: more.given, names: more.names ?? ['pacs.example'], clock, random });
}

const serial = Uint8Array.from({ length: 16 }, (_, index) => 255 - index);
const times = (fromMs: number, days: number): { fromMs: number; untilMs: number } => ({
  fromMs,
  untilMs: fromMs + days * dayMs,
});

test('a certificate is one that others read: names, times, who signed, what it is for', () => {
  const authority = { ...makeAuthority('Authority 碑', times(beginMs, 8000), serial), name: 'Authority 碑' };
  const names = ['pacs.example', '10.1.2.3', 'fd00::12:3', '::1', 'x'];
  const server = makeServerIdentity(authority, names, times(beginMs, 9000), Uint8Array.of(0x80, 1, 2, 3));
  const [root, leaf] = [new X509Certificate(authority.cert), new X509Certificate(server.cert)];
  assert.equal(root.ca, true);
  assert.equal(leaf.ca, false);
  assert.ok(root.verify(root.publicKey) && leaf.verify(root.publicKey) && leaf.checkIssued(root));
  assert.equal(root.subject, 'CN=Authority 碑');
  assert.equal(Date.parse(leaf.validFrom), beginMs);
  // Beyond 2049 a time has another form.
  assert.equal(Date.parse(leaf.validTo), beginMs + 9000 * dayMs);
  assert.ok(Date.parse(leaf.validTo) > Date.UTC(2050, 0, 1));
  assert.equal(leaf.checkHost('pacs.example'), 'pacs.example');
  assert.equal(leaf.checkHost('other.example'), undefined);
  for (const address of ['10.1.2.3', 'fd00::12:3', '::1']) assert.equal(leaf.checkIP(address), address);
  assert.equal(leaf.checkIP('10.1.2.4'), undefined);
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  assert.match(leaf.serialNumber, /^[4-7]/);
});

test('an address in a certificate is its bytes', () => {
  assert.deepEqual([...addressBytes('192.168.0.255')], [192, 168, 0, 255]);
  assert.deepEqual([...addressBytes('::')], new Array(16).fill(0));
  assert.equal(Buffer.from(addressBytes('2001:db8::ff00:42:8329')).toString('hex'), '20010db8000000000000ff0000428329');
  assert.equal(Buffer.from(addressBytes('::ffff:10.0.0.1')).toString('hex'), '00000000000000000000ffff0a000001');
  assert.equal(Buffer.from(addressBytes('1:2:3:4:5:6:7:8')).toString('hex'), '00010002000300040005000600070008');
});

test('who trusts the authority connects by every name, and nobody else does', async () => {
  const folder = newFolder();
  const keeper = keeperIn(folder, new ManualClock(Date.now()));
  const identity = keeper.renew() as Identity;
  const server = createServer(identity, (socket) => socket.end('hello'));
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const answer = (servername: string, ca: string | undefined): Promise<string> =>
    new Promise((resolve) => {
      const socket: TLSSocket = connect({ host: '127.0.0.1', port, servername, ...(ca === undefined ? {} : { ca }) });
      socket.on('data', (bytes: Buffer) => resolve(bytes.toString()));
      socket.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? 'error'));
    });
  try {
    for (const name of ['pacs.example', 'localhost']) assert.equal(await answer(name, keeper.authority), 'hello');
    assert.equal(await answer('other.example', keeper.authority), 'ERR_TLS_CERT_ALTNAME_INVALID');
    assert.notEqual(await answer('localhost', undefined), 'hello');
  } finally {
    server.close();
  }
});

test('what is made lasts, is made anew a month before its end, and the authority stays', () => {
  const folder = newFolder();
  const first = keeperIn(folder).renew() as Identity;
  assert.ok((fs.statSync(path.join(folder, 'tls', 'server.key')).mode & 0o077) === 0);
  assert.ok((fs.statSync(path.join(folder, 'tls', 'ca.key')).mode & 0o077) === 0);
  // Another start shows the same; one who runs is not told of it twice.
  const clock = new ManualClock(beginMs);
  const keeper = keeperIn(folder, clock);
  assert.deepEqual(keeper.renew(), first);
  const authority = keeper.authority;
  clock.advance(360 * dayMs);
  assert.equal(keeper.renew(), undefined);
  clock.advance(8 * dayMs);
  const second = keeper.renew() as Identity;
  assert.notEqual(second.cert, first.cert);
  assert.equal(keeper.authority, authority);
  assert.ok(Date.parse(new X509Certificate(second.cert).validTo) > beginMs + 700 * dayMs);
  // Another name makes another certificate; so does a damaged file.
  const named = keeperIn(folder, clock, { names: ['new.example'] }).renew() as Identity;
  assert.equal(new X509Certificate(named.cert).checkHost('new.example'), 'new.example');
  fs.writeFileSync(path.join(folder, 'tls', 'server.crt'), 'damaged');
  const mended = keeperIn(folder, clock, { names: ['new.example'] });
  assert.ok(mended.renew() !== undefined);
  assert.equal(mended.authority, authority);
  // An authority near its end makes way.
  clock.advance(19 * 365 * dayMs);
  assert.ok(mended.renew() !== undefined);
  assert.notEqual(mended.authority, authority);
});

test('what the operator gives is shown as it is, and again when it was renewed', () => {
  const folder = newFolder();
  const made = keeperIn(folder).renew() as Identity;
  const given = { cert: path.join(folder, 'own.crt'), key: path.join(folder, 'own.key') };
  const fault = (): unknown => {
    try {
      return keeperIn(folder, undefined, { given }).renew();
    } catch (error) {
      return error;
    }
  };
  assert.ok(isArchiveError(fault(), 'CONFIG_INVALID'));
  fs.writeFileSync(given.cert, made.cert);
  fs.writeFileSync(given.key, 'no key');
  assert.ok(isArchiveError(fault(), 'CONFIG_INVALID'));
  fs.writeFileSync(given.key, made.key);
  const keeper = keeperIn(folder, undefined, { given });
  assert.deepEqual(keeper.renew(), made);
  assert.equal(keeper.authority, undefined);
  assert.equal(keeper.renew(), undefined);
  const other = keeperIn(newFolder()).renew() as Identity;
  fs.writeFileSync(given.cert, other.cert);
  fs.writeFileSync(given.key, other.key);
  assert.deepEqual(keeper.renew(), other);
});

test('OpenSSL takes the chain', (t) => {
  if (spawnSync('openssl', ['version']).status !== 0) return t.skip('needs openssl');
  const folder = newFolder();
  const keeper = keeperIn(folder, new ManualClock(Date.now()));
  keeper.renew();
  const [authority, server] = ['ca.crt', 'server.crt'].map((name) => path.join(folder, 'tls', name)) as [
    string,
    string,
  ];
  const options = ['-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'pacs.example', '-CAfile', authority];
  const checked = spawnSync('openssl', ['verify', ...options, server], { encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stderr);
});

test('HTTP is plain on this machine alone, unless the operator says otherwise', () => {
  const plan = (values: SettingValues): string => {
    try {
      const { tls, takes, warning } = planHttp(settingsOf([values], '/tmp'));
      return `${tls ? 'tls' : 'plain'}${takes === undefined ? '' : ' proxied'}${warning === undefined ? '' : ' warned'}`;
    } catch (error) {
      return isArchiveError(error, 'CONFIG_INVALID') ? 'refused' : String(error);
    }
  };
  const identity = { httpTlsCert: '/a', httpTlsKey: '/b' };
  const cases: [SettingValues, string][] = [
    [{}, 'plain'],
    [{ host: '::1' }, 'plain'],
    [{ host: 'localhost' }, 'plain'],
    [{ host: '0.0.0.0' }, 'tls'],
    [{ host: '127.0.0.1.example' }, 'tls'],
    [{ host: 'pacs.example' }, 'tls'],
    [{ host: '0.0.0.0', httpTls: 'off' }, 'plain warned'],
    [{ httpTls: 'off' }, 'plain'],
    [{ httpTls: 'on' }, 'tls'],
    [{ host: '0.0.0.0', httpTls: 'proxy', trustedProxies: ['10.0.0.5'] }, 'plain proxied'],
    [{ httpTls: 'proxy', trustedProxies: ['10.0.0.0/99'] }, 'refused'],
    [identity, 'tls'],
    [{ ...identity, httpTls: 'off' }, 'refused'],
    [{ httpTlsCert: '/a' }, 'refused'],
  ];
  for (const [values, expected] of cases) assert.equal(plan(values), expected, JSON.stringify(values));
  const { takes } = planHttp(settingsOf([{ httpTls: 'proxy', trustedProxies: ['10.0.0.0/24', 'fd00::5'] }], '/tmp'));
  for (const address of ['10.0.0.77', '::ffff:10.0.0.1', 'fd00::5', '127.0.0.1', '::1'])
    assert.equal(takes?.(address), true, address);
  for (const address of ['10.0.1.1', 'fd00::6', undefined, 'nonsense']) assert.equal(takes?.(address), false);
});
