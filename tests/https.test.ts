// The server over HTTPS: what it shows, whom a browser may trust, and that nothing answers in the clear.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { after, test } from 'node:test';
import { Stele } from './support/stele.ts';

const archives: Stele[] = [];
after(() => {
  for (const each of archives) each.remove();
});

async function ask(
  url: string,
  options: RequestOptions,
): Promise<{ status: number; text: string; headers: IncomingMessage['headers'] }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, options, resolve).on('error', reject).end();
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of response as AsyncIterable<Uint8Array>) pieces.push(piece);
  return { status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString(), headers: response.headers };
}

test('every HTTP door answers over TLS with a certificate of our own authority, and not without', async () => {
  const stele = new Stele({ STELE_HTTP_TLS: 'on', STELE_ADMIN_PASSWORD: 'a long password' });
  archives.push(stele);
  const server = await stele.serve();
  assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
  const endpoints = JSON.parse(fs.readFileSync(stele.path('data', 'endpoints.json'), 'utf8')) as { http: string };
  assert.equal(endpoints.http, server.url);
  await assert.rejects(ask(`${server.url}/healthz`, {}), /certificate/);
  const ca = (await ask(`${server.url}/ca.crt`, { rejectUnauthorized: false })).text;
  assert.equal(ca, fs.readFileSync(stele.path('data', 'tls', 'ca.crt'), 'utf8'));
  const { port } = new URL(server.url);
  for (const name of ['127.0.0.1', 'localhost']) {
    const home = await ask(`https://${name}:${port}/`, { ca });
    assert.equal(home.status, 200);
    assert.equal(home.headers['x-frame-options'], 'DENY');
    // A browser that insists could not be let in by hand when our own authority is not trusted yet.
    assert.equal(home.headers['strict-transport-security'], undefined);
  }
  const authorization = `Basic ${Buffer.from('admin:a long password').toString('base64')}`;
  assert.equal((await ask(`${server.url}/dicom-web/studies`, { ca, headers: { authorization } })).status, 200);
  assert.equal((await ask(`${server.url}/api/status`, { ca, headers: { authorization } })).status, 200);
  await assert.rejects(
    new Promise((resolve, reject) => {
      plainRequest(`http://127.0.0.1:${port}/healthz`, resolve).on('error', reject).end();
    }),
  );
  await server.stop();
  // A second start shows the same authority.
  const again = await stele.serve();
  assert.equal((await ask(`${again.url}/healthz`, { ca })).status, 200);
  await again.stop();
});
