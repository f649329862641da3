// Forwarding to other people's archives: DCMTK's storescp and Orthanc, late, killed and back again.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { type Running, start } from '../../src/app/running.ts';
import { settingsOf } from '../../src/app/settings.ts';
import { type ForwardRule, plainEntity } from '../../src/archive/index.ts';
import { defaultTenant, systemClock } from '../../src/base/index.ts';
import { openDimse } from '../../src/doors/dimse/index.ts';
import { findDcmtk, freePort } from '../support/dicom-peers.ts';
import { explicitLittleEndian, makeInstance } from '../support/made-instance.ts';
import { Stele } from '../support/stele.ts';

const dcmtk = findDcmtk();
const orthanc = ['Orthanc', '/usr/sbin/Orthanc'].find((name) => spawnSync(name, ['--version']).status === 0);
const study = '1.2.826.0.1.3680043.99.73';
const closing: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

const rule: ForwardRule = {
  name: 'on',
  from: [],
  modalities: [],
  description: undefined,
  hours: [],
  to: 'THERE',
  what: 'instances',
  once: false,
  quietSeconds: 0,
  enabled: true,
};

async function openHouse(port: number): Promise<Running['archive']> {
  const stele = new Stele();
  const running = await start({
    settings: settingsOf([{ workers: 1 }], stele.folder),
    create: true,
    say: () => undefined,
  });
  const { archive } = running;
  await archive.entities.set({ ...plainEntity('THERE'), host: '127.0.0.1', port });
  await archive.forwarding.setRule(rule);
  const door = await openDimse({
    archive: () => archive,
    host: '127.0.0.1',
    port: 0,
    title: 'STELE',
    tlsClient: {},
    clock: systemClock,
    onFault: () => undefined,
  });
  closing.push(async () => {
    await door.close();
    await running.close();
    stele.remove();
  });
  return archive;
}

async function store(archive: Running['archive'], from: number, count: number): Promise<void> {
  for (let number = from; number < from + count; number += 1)
    await archive.instances.store(
      { tenant: defaultTenant, syntax: explicitLittleEndian, source: 'CT1' },
      (async function* () {
        yield makeInstance({ study, number, patientName: 'Li^Si', rows: 256, columns: 256 });
      })(),
    );
}

function listen(file: string, args: readonly string[], cwd: string): ChildProcess {
  const child = spawn(file, args, { cwd, stdio: 'ignore', env: { ...process.env, TCP_NODELAY: '1' } });
  closing.push(() => {
    child.kill('SIGKILL');
  });
  return child;
}

/** Asks for another try again and again, as a person would, until nothing waits. */
async function untilSent(archive: Running['archive'], holds: () => boolean = () => false): Promise<void> {
  for (let turn = 0; !holds(); turn += 1) {
    const waiting = await Array.fromAsync(archive.forwarding.queue());
    if (waiting.length === 0) return;
    if (turn % 500 === 499) await archive.forwarding.retry();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('storescp gets everything once, though it comes late and is killed in the middle', async (t) => {
  if (dcmtk === undefined) return t.skip('needs DCMTK');
  const folder = new Stele();
  closing.push(() => folder.remove());
  const port = await freePort();
  const got = folder.path('got');
  fs.mkdirSync(got);
  const listening = (): ChildProcess => listen('storescp', ['-od', got, '-aet', 'THERE', String(port)], folder.folder);
  const archive = await openHouse(port);
  await store(archive, 1, 40);
  let peer = listening();
  const has = (): number => fs.readdirSync(got).length;
  await untilSent(archive, () => has() >= 10);
  peer.kill('SIGKILL');
  peer = listening();
  await store(archive, 41, 5);
  await untilSent(archive);
  assert.equal(has(), 45);
  const [holding] = await Array.fromAsync(archive.forwarding.ledger());
  assert.deepEqual([holding?.instances, holding?.to], [45, 'THERE']);
});

test('a study that is corrected after Orthanc got it is there as it was corrected', async (t) => {
  if (dcmtk === undefined || orthanc === undefined) return t.skip('needs DCMTK and Orthanc');
  const folder = new Stele();
  closing.push(() => folder.remove());
  const [port, http] = [await freePort(), await freePort()];
  const config = folder.file(
    'orthanc.json',
    JSON.stringify({
      DicomAet: 'THERE',
      DicomPort: port,
      HttpPort: http,
      StorageDirectory: path.join(folder.folder, 'orthanc'),
      IndexDirectory: path.join(folder.folder, 'orthanc'),
      DicomAlwaysAllowStore: true,
      DicomAlwaysAllowFind: true,
      OverwriteInstances: true,
      AuthenticationEnabled: false,
      Plugins: [],
    }),
  );
  listen(orthanc, [config], folder.folder);
  const archive = await openHouse(port);
  await store(archive, 1, 3);
  await untilSent(archive);
  const nameThere = async (): Promise<string> => {
    const ids = (await (await fetch(`http://127.0.0.1:${http}/instances`)).json()) as string[];
    const tags = (await (await fetch(`http://127.0.0.1:${http}/instances/${ids[0]}/simplified-tags`)).json()) as {
      PatientName: string;
    };
    return `${ids.length} ${tags.PatientName}`;
  };
  assert.equal(await nameThere(), '3 Li^Si');
  const [before] = await Array.fromAsync(archive.forwarding.ledger());
  await archive.amendments.correctStudy({
    tenant: defaultTenant,
    by: 'somebody',
    why: 'a test',
    study,
    attributes: { PatientName: 'Wang^Wu' },
  });
  await untilSent(archive);
  assert.equal(await nameThere(), '3 Wang^Wu');
  const [standing] = await Array.fromAsync(archive.forwarding.standings());
  assert.deepEqual([standing?.state, standing?.holding.version], ['current', (before?.version ?? 0) + 1]);
});
