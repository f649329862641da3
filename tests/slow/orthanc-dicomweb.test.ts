// Orthanc with its DICOMweb plugin as our client: it stores to us, asks us, and takes back what it stored.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { freePort } from '../support/dicom-peers.ts';
import { authorization, fileOf, openWebHouse, type WebHouse } from '../support/dicomweb-rig.ts';
import { makeInstance } from '../support/made-instance.ts';

const plugin = ['/usr/share/orthanc/plugins', '/usr/lib/orthanc']
  .map((folder) => path.join(folder, 'libOrthancDicomWeb.so'))
  .find((file) => existsSync(file));
const hasOrthanc = spawnSync('sh', ['-c', 'command -v Orthanc']).status === 0;
const skip = plugin !== undefined && hasOrthanc ? false : 'needs Orthanc with its DICOMweb plugin';

const study = '1.2.826.0.1.3680043.99.51';
const series = `${study}.1`;
let house: WebHouse;
let folder: string;
let orthanc: ChildProcess;
let root: string;

before(async () => {
  if (skip !== false) return;
  house = await openWebHouse();
  folder = mkdtempSync(path.join(tmpdir(), 'stele-orthanc-web-'));
  const [httpPort, dicomPort] = [await freePort(), await freePort()];
  const [user, password] = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString().split(':');
  mkdirSync(path.join(folder, 'storage'));
  const configuration = {
    Name: 'ORTHANC',
    StorageDirectory: path.join(folder, 'storage'),
    IndexDirectory: path.join(folder, 'storage'),
    HttpPort: httpPort,
    DicomPort: dicomPort,
    AuthenticationEnabled: false,
    RemoteAccessAllowed: false,
    Plugins: [plugin],
    DicomWeb: { Enable: true, Root: '/dicom-web/', Servers: { stele: [`${house.root}/`, user, password] } },
  };
  const file = path.join(folder, 'orthanc.json');
  writeFileSync(file, JSON.stringify(configuration));
  orthanc = spawn('Orthanc', [file], { stdio: 'ignore', env: { ...process.env, TCP_NODELAY: '1' } });
  root = `http://127.0.0.1:${httpPort}`;
  for (let left = 100; left > 0; left -= 1) {
    if ((await fetch(`${root}/system`).catch(() => undefined))?.status === 200) break;
    await systemClock.wait(100);
  }
});
after(async () => {
  if (skip !== false) return;
  const gone = once(orthanc, 'exit');
  orthanc.kill('SIGKILL');
  await gone;
  await house.close();
  rmSync(folder, { recursive: true, force: true });
});

async function post(route: string, body: string | Uint8Array): Promise<string> {
  const answer = await fetch(`${root}${route}`, { method: 'POST', body: body as string });
  const text = await answer.text();
  assert.equal(answer.status, 200, `${route}: ${text}`);
  return text;
}

async function instances(): Promise<readonly string[]> {
  return (await (await fetch(`${root}/instances`)).json()) as string[];
}

const asked = (uri: string, headers: Readonly<Record<string, string>> = {}): Promise<string> =>
  post('/dicom-web/servers/stele/get', JSON.stringify({ Uri: uri, HttpHeaders: headers }));

test('Orthanc stores to us by STOW-RS', { skip }, async () => {
  for (const number of [1, 2, 3])
    await post('/instances', fileOf(makeInstance({ study, number }), `${series}.${number}`));
  const resources = await instances();
  assert.equal(resources.length, 3);
  await post('/dicom-web/servers/stele/stow', JSON.stringify({ Resources: resources, Synchronous: true }));
  const found = (await (await house.get('/instances')).json()) as unknown[];
  assert.equal(found.length, 3);
});

test('Orthanc asks us by QIDO-RS and WADO-RS', { skip }, async () => {
  const studies = JSON.parse(await asked('/studies', { Accept: 'application/dicom+json' })) as unknown[];
  assert.equal(studies.length, 1);
  assert.match(await asked('/studies', { Accept: 'application/dicom+xml' }), /<NativeDicomModel/);
  assert.match(await asked(`/studies/${study}/metadata`, { Accept: 'application/json' }), /"7FE00010"/);
  const qido = await post(
    '/dicom-web/servers/stele/qido',
    JSON.stringify({ Uri: '/studies', Arguments: { '00100020': 'P0001' } }),
  );
  assert.match(qido, new RegExp(study.replaceAll('.', '\\.')));
});

test('Orthanc takes back what it stored, as it was', { skip }, async () => {
  for (const instance of await instances()) await fetch(`${root}/instances/${instance}`, { method: 'DELETE' });
  assert.equal((await instances()).length, 0);
  const places = [{ Study: study }, { Study: study, Series: series, Instance: `${series}.2` }];
  for (const place of places)
    await post('/dicom-web/servers/stele/retrieve', JSON.stringify({ Resources: [place], Synchronous: true }));
  const back = await instances();
  assert.equal(back.length, 3);
  const pixels = await Promise.all(
    back.map(async (each) => Buffer.from(await (await fetch(`${root}/instances/${each}/frames/0/raw`)).arrayBuffer())),
  );
  const sent = Buffer.from(makeInstance({ study, number: 1 }).subarray(-512));
  assert.ok(pixels.every((each) => each.equals(sent)));
  assert.deepEqual(house.faults, []);
});
