// DICOMweb over HTTP, as browsers and proxies see it: where links lead, which pages may ask, which methods there are.

import assert from 'node:assert/strict';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { after, before, test } from 'node:test';
import { settingsOfText } from '../src/app/settings-file.ts';
import { ArchiveError } from '../src/base/index.ts';
import { BaseUrl } from '../src/doors/dicomweb/base-url.ts';
import { authorization, openWebHouse, type WebHouse } from './support/dicomweb-rig.ts';
import { makeInstance } from './support/made-instance.ts';

const study = '1.2.826.0.1.3680043.99.87';
const houses = new Map<string, WebHouse>();
before(async () => {
  houses.set('open', await openWebHouse());
  houses.set('proxied', await openWebHouse({ proxies: ['127.0.0.0/8'] }));
  houses.set('public', await openWebHouse({ publicUrl: 'https://pacs.example/stele/', proxies: ['127.0.0.1'] }));
  for (const house of houses.values()) await house.store(makeInstance({ study }));
});
after(async () => {
  for (const house of houses.values()) await house.close();
});

async function linkFrom(name: string, headers: Record<string, string>): Promise<string> {
  const port = houses.get(name)?.port ?? 0;
  const asked = { port, host: '127.0.0.1', path: '/dicom-web/studies', headers: { authorization, ...headers } };
  const response = await new Promise<IncomingMessage>((resolve) => httpRequest(asked, resolve).end());
  const pieces: Uint8Array[] = [];
  for await (const piece of response as AsyncIterable<Uint8Array>) pieces.push(piece);
  const [first] = JSON.parse(Buffer.concat(pieces).toString()) as Record<string, { Value?: string[] }>[];
  return (first?.['00081190']?.Value?.[0] ?? '').replace(`/dicom-web/studies/${study}`, '');
}

test('links lead where the client is, past the proxies that are named', async () => {
  const cases: [string, Record<string, string>, string][] = [
    ['open', { host: 'pacs' }, 'http://pacs'],
    ['open', { host: 'pacs', forwarded: 'host=evil.example;proto=https' }, 'http://pacs'],
    ['open', { host: 'pacs', 'x-forwarded-host': 'evil.example' }, 'http://pacs'],
    ['proxied', { host: 'pacs' }, 'http://pacs'],
    [
      'proxied',
      { host: 'pacs', forwarded: 'for=10.0.0.9; host="pacs.example:8443"; proto=https, for=x' },
      'https://pacs.example:8443',
    ],
    ['proxied', { 'x-forwarded-host': 'pacs.example, inner', 'x-forwarded-proto': 'https' }, 'https://pacs.example'],
    ['proxied', { 'x-forwarded-host': 'pacs.example', 'x-forwarded-port': '8080' }, 'http://pacs.example:8080'],
    ['proxied', { 'x-forwarded-host': 'pacs.example', 'x-forwarded-prefix': '/stele/' }, 'http://pacs.example/stele'],
    ['proxied', { host: 'pacs', forwarded: 'host="a b<c>";proto=gopher' }, 'http://pacs'],
    ['proxied', { host: 'pacs', 'x-forwarded-prefix': '/../"' }, 'http://pacs'],
    ['public', { host: 'pacs', forwarded: 'host=other.example' }, 'https://pacs.example/stele'],
  ];
  for (const [name, headers, expected] of cases)
    assert.equal(await linkFrom(name, headers), expected, JSON.stringify(headers));
});

test('a proxy that is no address is no setting', () => {
  for (const proxy of ['nginx', '10.0.0.0/33', '::1/129', '10.0.0.0/x', '10.0.0.1/8/8'])
    assert.throws(
      () => new BaseUrl({ proxies: [proxy] }),
      (error) => error instanceof ArchiveError && error.code === 'CONFIG_INVALID',
    );
});

test('each resource tells its methods, to pages and to anyone', async () => {
  const { root } = houses.get('open') ?? assert.fail();
  const cases: [string, string][] = [
    ['/studies', 'GET, HEAD, POST, OPTIONS'],
    [`/studies/${study}`, 'GET, HEAD, POST, DELETE, OPTIONS'],
    [`/studies/${study}/metadata`, 'GET, HEAD, OPTIONS'],
    [`/studies/${study}/series`, 'GET, HEAD, OPTIONS'],
  ];
  for (const [path, methods] of cases) {
    const told = await fetch(`${root}${path}`, { method: 'OPTIONS' });
    assert.equal(told.status, 204);
    assert.equal(told.headers.get('allow'), methods, path);
    const refused = await fetch(`${root}${path}`, { method: 'PUT', headers: { authorization } });
    assert.equal(refused.status, 405);
    assert.equal(refused.headers.get('allow'), methods);
    assert.equal(refused.headers.get('content-type'), 'application/json');
  }
});

test('the settings are lists in the file, checked one by one', () => {
  const read = (text: string): unknown => settingsOfText(text, '/etc/stele.yaml');
  assert.deepEqual(
    read('dicomweb_cors_origins: ["https://a.example", "http://b:3000"]\ntrusted_proxies: 10.0.0.5, fd00::/8'),
    {
      dicomwebCorsOrigins: ['https://a.example', 'http://b:3000'],
      trustedProxies: ['10.0.0.5', 'fd00::/8'],
    },
  );
  assert.deepEqual(read('public_url: https://pacs.example/stele\ndicomweb_cors_origins: []'), {
    publicUrl: 'https://pacs.example/stele',
    dicomwebCorsOrigins: [],
  });
  for (const text of [
    'public_url: pacs',
    'dicomweb_cors_origins: [https://a/b]',
    'trusted_proxies: [nginx]',
    'trusted_proxies: {a: 1}',
  ])
    assert.throws(() => read(text), /stele\.yaml:1: /, text);
});
