// Pulling out of other people's archives: DCMTK's dcmqrscp and Orthanc, where they are installed.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { findDcmtk, freePort, part10File } from '../support/dicom-peers.ts';
import { ctImageStorage, explicitLittleEndian, makeInstance } from '../support/made-instance.ts';
import { Stele } from '../support/stele.ts';

const dcmtk = findDcmtk();
const orthanc = ['Orthanc', '/usr/sbin/Orthanc'].find((name) => spawnSync(name, ['--version']).status === 0);

const closing: (() => void)[] = [];
after(() => {
  for (const close of closing.reverse()) close();
});

const root = '1.2.826.0.1.3680043.99.71';
const counts = { studies: 3, instances: 9 };

/** Three studies on three days, as files. */
function writeFiles(stele: Stele): string[] {
  return Array.from({ length: counts.instances }, (_, index) => {
    const study = `${root}.${index % counts.studies}`;
    const instance = `${study}.1.${index}`;
    const data = makeInstance({
      study,
      series: `${study}.1`,
      instance,
      number: index,
      studyDate: `2024010${1 + (index % counts.studies)}`,
      patientId: `P${index % counts.studies}`,
    });
    const names = { sopClass: ctImageStorage, sopInstance: instance, transferSyntax: explicitLittleEndian };
    return stele.file(`files/${index}.dcm`, part10File(data, names));
  });
}

function listen(file: string, args: readonly string[], cwd: string): ChildProcess {
  const child = spawn(file, args, { cwd, stdio: 'ignore', env: { ...process.env, TCP_NODELAY: '1' } });
  closing.push(() => child.kill('SIGKILL'));
  return child;
}

async function fillPeer(port: number, title: string, files: readonly string[]): Promise<void> {
  assert.ok(dcmtk !== undefined);
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const { code } = await dcmtk.run('echoscu', ['-aec', title, '127.0.0.1', String(port)]);
    if (code === 0) break;
  }
  const { code, output } = await dcmtk.run('storescu', ['-aec', title, '127.0.0.1', String(port), ...files]);
  assert.equal(code, 0, output);
}

async function pullFrom(title: string, port: number, how: '--get' | '--move', own: number): Promise<void> {
  const stele = new Stele({ STELE_DICOM_PORT: String(own) });
  closing.push(() => stele.remove());
  await stele.done('put', stele.file('x', 'x'));
  await stele.done('ae', 'set', title, `127.0.0.1:${port}`);
  const pulled = await stele.run('pull', title, how, '--json');
  const last = pulled.out.trim().split('\n').at(-1) ?? '{}';
  const { tally } = JSON.parse(last) as { tally?: Record<string, number> };
  assert.deepEqual(
    [tally?.['studies'], tally?.['stored'], tally?.['missing']],
    [counts.studies, counts.instances, 0],
    pulled.out + pulled.err,
  );
  const again = await stele.done('pull', title, how, '--json', '--new');
  assert.match(again.out, new RegExp(`"here":${counts.instances}`));
  const { report } = JSON.parse((await stele.run('pull', 'report', '--json')).out) as { report: { complete: boolean } };
  assert.equal(report.complete, true);
}

test('everything comes out of dcmqrscp, by C-GET and by C-MOVE', async (t) => {
  if (dcmtk === undefined) return t.skip('needs DCMTK');
  const stele = new Stele();
  closing.push(() => stele.remove());
  const [port, own] = [await freePort(), await freePort()];
  fs.mkdirSync(stele.path('db'));
  const config = stele.file(
    'dcmqrscp.cfg',
    [
      'NetworkTCPPort = 104',
      'MaxPDUSize = 16384',
      'MaxAssociations = 16',
      'HostTable BEGIN',
      `stele = (STELE, 127.0.0.1, ${own})`,
      'HostTable END',
      'VendorTable BEGIN',
      'VendorTable END',
      'AETable BEGIN',
      `OLD ${stele.path('db')} RW (500, 1024mb) ANY`,
      'AETable END',
      '',
    ].join('\n'),
  );
  listen('dcmqrscp', ['-c', config, String(port)], stele.folder);
  await fillPeer(port, 'OLD', writeFiles(stele));
  await pullFrom('OLD', port, '--get', await freePort());
  await pullFrom('OLD', port, '--move', own);
});

test('everything comes out of Orthanc, by C-GET and by C-MOVE', async (t) => {
  if (dcmtk === undefined || orthanc === undefined) return t.skip('needs DCMTK and Orthanc');
  const stele = new Stele();
  closing.push(() => stele.remove());
  const [port, http, own] = [await freePort(), await freePort(), await freePort()];
  const config = stele.file(
    'orthanc.json',
    JSON.stringify({
      Name: 'OLD',
      DicomAet: 'OLD',
      DicomPort: port,
      HttpPort: http,
      StorageDirectory: path.join(stele.folder, 'orthanc'),
      IndexDirectory: path.join(stele.folder, 'orthanc'),
      DicomAlwaysAllowGet: true,
      DicomAlwaysAllowFind: true,
      DicomAlwaysAllowMove: true,
      DicomAlwaysAllowStore: true,
      DicomModalities: { stele: ['STELE', '127.0.0.1', own] },
      Plugins: [],
    }),
  );
  listen(orthanc, [config], stele.folder);
  await fillPeer(port, 'OLD', writeFiles(stele));
  await pullFrom('OLD', port, '--get', await freePort());
  await pullFrom('OLD', port, '--move', own);
});
