// Pulling out of other people's archives: DCMTK's dcmqrscp, and Orthanc over DICOM and DICOMweb, where they are installed; also through kills of either side.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { findDcmtk, freePort, part10File } from '../support/dicom-peers.ts';
import { ctImageStorage, explicitLittleEndian, makeInstance } from '../support/made-instance.ts';
import { Stele } from '../support/stele.ts';

const dcmtk = findDcmtk();
const webPlugin = ['/usr/share/orthanc/plugins/libOrthancDicomWeb.so'].find((file) => fs.existsSync(file));
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

type Peer = { readonly port: number; readonly http: number; readonly start: () => ChildProcess };

/** Orthanc, with what it has in a folder of its own; `own` is where we take what it moves. */
async function orthancIn(stele: Stele, own: number): Promise<Peer> {
  const [port, http] = [await freePort(), await freePort()];
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
      AuthenticationEnabled: true,
      RegisteredUsers: { puller: 'a password' },
      Plugins: webPlugin === undefined ? [] : [webPlugin],
    }),
  );
  return { port, http, start: () => listen(orthanc ?? '', [config], stele.folder) };
}

test('everything comes out of Orthanc, by C-GET, by C-MOVE and over DICOMweb', async (t) => {
  if (dcmtk === undefined || orthanc === undefined) return t.skip('needs DCMTK and Orthanc');
  const stele = new Stele();
  closing.push(() => stele.remove());
  const own = await freePort();
  const peer = await orthancIn(stele, own);
  peer.start();
  await fillPeer(peer.port, 'OLD', writeFiles(stele));
  await pullFrom('OLD', peer.port, '--get', await freePort());
  await pullFrom('OLD', peer.port, '--move', own);
  if (webPlugin === undefined) return t.diagnostic('the part over DICOMweb needs orthanc-dicomweb');
  const into = new Stele();
  closing.push(() => into.remove());
  await into.done('put', into.file('x', 'x'));
  const url = `http://127.0.0.1:${peer.http}/dicom-web`;
  const words = ['pull', 'web', url, '--user', 'puller', '--credential', into.file('secret', 'a password'), '--json'];
  const pulled = await into.run(...words);
  assert.match(pulled.out, new RegExp(`"stored":${counts.instances},`), pulled.out + pulled.err);
  assert.match((await into.done(...words, '--new')).out, new RegExp(`"here":${counts.instances},`));
  const { report } = JSON.parse((await into.run('pull', 'report', '--json')).out) as { report: { complete: boolean } };
  assert.equal(report.complete, true);
  const refused = await into.run(
    'pull',
    'web',
    url,
    '--user',
    'puller',
    '--credential',
    into.file('no', 'wrong'),
    '--new',
  );
  assert.match(refused.err, /answered 401/);
});

/** Many studies, so that there is a middle to be killed in. */
function writeMany(stele: Stele, studies: number): string[] {
  return Array.from({ length: studies * 4 }, (_, index) => {
    const study = `${root}.5.${index >> 2}`;
    const instance = `${study}.1.${index & 3}`;
    const data = makeInstance({
      study,
      series: `${study}.1`,
      instance,
      number: index,
      studyDate: `202401${String(1 + (index >> 2)).padStart(2, '0')}`,
      rows: 128,
      columns: 128,
    });
    const names = { sopClass: ctImageStorage, sopInstance: instance, transferSyntax: explicitLittleEndian };
    return stele.file(`many/${index}.dcm`, part10File(data, names));
  });
}

/** Waits until a pull has stored something and is not done, by its packs: it says nothing while it works. */
async function untilInTheMiddle(into: Stele, child: ChildProcess): Promise<void> {
  const sizeOf = (): number => into.packs().reduce((sum, file) => sum + fs.statSync(file).size, 0);
  const before = sizeOf();
  while (child.exitCode === null && sizeOf() < before + 300_000) await new Promise((resolve) => setImmediate(resolve));
}

test('a pull from Orthanc that is killed, and one whose source is killed and comes back, end with everything', async (t) => {
  if (dcmtk === undefined || orthanc === undefined || webPlugin === undefined)
    return t.skip('needs DCMTK, Orthanc and orthanc-dicomweb');
  const stele = new Stele();
  closing.push(() => stele.remove());
  const peer = await orthancIn(stele, await freePort());
  let source = peer.start();
  await fillPeer(peer.port, 'OLD', writeMany(stele, 24));
  const url = `http://127.0.0.1:${peer.http}/dicom-web`;
  for (const how of ['dimse', 'web'] as const) {
    const into = new Stele();
    closing.push(() => into.remove());
    await into.done('put', into.file('x', 'x'));
    await into.done('ae', 'set', 'OLD', `127.0.0.1:${peer.port}`);
    const credential = into.file('secret', 'a password');
    const words =
      how === 'dimse'
        ? ['pull', 'OLD', '--get', '--json', '--associations', '1']
        : ['pull', 'web', url, '--user', 'puller', '--credential', credential, '--json', '--associations', '1'];
    const killed = into.spawn(...words);
    const gone = new Promise<void>((resolve) => killed.on('exit', () => resolve()));
    await untilInTheMiddle(into, killed);
    killed.kill('SIGKILL');
    await gone;
    const going = into.spawn(...words);
    let out = '';
    going.stdout?.on('data', (data: Buffer) => {
      out += data.toString('utf8');
    });
    const ended = new Promise<void>((resolve) => going.on('exit', () => resolve()));
    await untilInTheMiddle(into, going);
    const died = new Promise<void>((resolve) => source.on('exit', () => resolve()));
    source.kill('SIGKILL');
    await died;
    source = peer.start();
    await ended;
    // Whatever was too long gone stopped it: the same command goes on.
    const last = out.includes('"state":"done"') ? out : (await into.run(...words)).out;
    assert.match(last, /"state":"done"/, `${how}: ${out}`);
    const { report } = JSON.parse((await into.run('pull', 'report', '--json')).out) as {
      report: { complete: boolean; counts: Record<string, number> };
    };
    assert.deepEqual([report.complete, report.counts['arrived']], [true, 96], how);
  }
});
