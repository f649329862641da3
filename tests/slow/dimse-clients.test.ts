// The DICOM door with other people's clients: DCMTK's tools, and Orthanc as a peer in both directions.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Running, start } from '../../src/app/running.ts';
import { settingsOf } from '../../src/app/settings.ts';
import { plainEntity } from '../../src/archive/index.ts';
import { defaultTenant, systemClock } from '../../src/base/index.ts';
import { Part10Reader } from '../../src/dicom/index.ts';
import { type DimseDoor, openDimse, sendToEntity } from '../../src/doors/dimse/index.ts';
import { findDcmtk, freePort, part10File } from '../support/dicom-peers.ts';
import { ctImageStorage, explicitLittleEndian, makeInstance } from '../support/made-instance.ts';

const dcmtk = findDcmtk();
const needsDcmtk = dcmtk === undefined ? 'needs DCMTK' : false;
const hasOrthanc = spawnSync('sh', ['-c', 'command -v Orthanc']).status === 0;
const needsOrthanc = hasOrthanc ? needsDcmtk : 'needs Orthanc';
const shared = path.resolve(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'dicom');

const folder = mkdtempSync(path.join(tmpdir(), 'stele-clients-'));
let running: Running;
let door: DimseDoor;
const study = '1.2.826.0.1.3680043.99.41';

async function openHouse(name: string): Promise<{ running: Running; door: DimseDoor }> {
  const settings = settingsOf([{ workers: 1 }], path.join(folder, name));
  const house = await start({ settings, create: true, say: () => undefined });
  const dimse = await openDimse({
    archive: () => house.archive,
    host: '127.0.0.1',
    port: 0,
    title: 'STELE',
    tlsClient: {},
    clock: systemClock,
    onFault: (_what, error) => assert.fail(String(error)),
  });
  return { running: house, door: dimse };
}

before(async () => {
  ({ running, door } = await openHouse('stele'));
});
after(async () => {
  await door.close();
  await running.close();
  rmSync(folder, { recursive: true, force: true });
});

async function run(tool: string, ...args: string[]): Promise<string> {
  assert.ok(dcmtk !== undefined);
  const { code, output } = await dcmtk.run(tool, args);
  assert.equal(code, 0, `${tool}: ${output}`);
  return output;
}

const peer = (): string[] => ['-aet', 'CLIENT', '-aec', 'STELE', '127.0.0.1', String(door.port)];

/** Files of data sets, in a folder of their own. */
function filesOf(name: string, numbers: readonly number[]): { folder: string; files: string[] } {
  const where = path.join(folder, name);
  mkdirSync(where, { recursive: true });
  const files = numbers.map((number) => {
    const file = path.join(where, `${number}.dcm`);
    const instance = `${study}.1.${number}`;
    const names = { sopClass: ctImageStorage, sopInstance: instance, transferSyntax: explicitLittleEndian };
    writeFileSync(file, part10File(makeInstance({ study, number, instance }), names));
    return file;
  });
  return { folder: where, files };
}

function dataSetOf(file: string): Buffer {
  const bytes = readFileSync(file);
  const reader = new Part10Reader();
  reader.push(bytes);
  reader.finish();
  return bytes.subarray(reader.meta?.dataSetOffset ?? 0);
}

test('storescu stores, findscu finds, getscu brings back byte for byte', { skip: needsDcmtk }, async () => {
  await run('echoscu', ...peer());
  const { files } = filesOf('sent', [1, 2, 3]);
  await run('storescu', ...peer(), ...files);
  const keys = ['-k', 'QueryRetrieveLevel=STUDY', '-k', `StudyInstanceUID=${study}`];
  const found = await run('findscu', '-S', ...keys, '-k', 'NumberOfStudyRelatedInstances', ...peer());
  assert.match(found, /\(0020,1208\) IS \[3 \]/);
  const wildcard = ['-k', 'QueryRetrieveLevel=PATIENT', '-k', 'PatientName=ZHANG*', '-k', 'PatientID'];
  assert.match(await run('findscu', '-P', ...wildcard, ...peer()), /P0001/);
  const got = path.join(folder, 'got');
  mkdirSync(got);
  await run('getscu', '-S', '-od', got, ...keys, ...peer());
  const sent = files.map(dataSetOf);
  const back = readdirSync(got).map((name) => dataSetOf(path.join(got, name)));
  assert.equal(back.length, 3);
  for (const bytes of back) assert.ok(sent.some((each) => each.equals(bytes)));
});

test('movescu has everything sent to a destination of the table', { skip: needsDcmtk }, async () => {
  const port = await freePort();
  const got = path.join(folder, 'moved');
  mkdirSync(got);
  await running.archive.entities.set({ ...plainEntity('CLIENT'), host: '127.0.0.1', port });
  const keys = ['-k', 'QueryRetrieveLevel=STUDY', '-k', `StudyInstanceUID=${study}`];
  await run('movescu', '-S', '-aem', 'CLIENT', '+P', String(port), '-od', got, ...keys, ...peer());
  assert.equal(readdirSync(got).length, 3);
});

test('real files of every syntax are stored and come back as they were', { skip: needsDcmtk }, async (t) => {
  const real = path.join(shared, 'syntaxes');
  if (!existsSync(real)) {
    t.skip('needs ../shared/data/dicom');
    return;
  }
  const files = readdirSync(real)
    .filter((name) => name.endsWith('.dcm'))
    .map((name) => path.join(real, name));
  let kept = 0;
  for (const file of files) {
    const reader = new Part10Reader();
    const bytes = readFileSync(file);
    try {
      reader.push(bytes);
      reader.finish();
    } catch {
      continue;
    }
    const syntax = reader.meta?.syntax.uid ?? '';
    const source = (async function* () {
      yield bytes.subarray(reader.meta?.dataSetOffset ?? 0);
    })();
    const stored = await running.archive.instances
      .store({ tenant: defaultTenant, syntax, source: 'FILES' }, source)
      .catch(() => undefined);
    if (stored === undefined) continue;
    const output = await running.archive.instances.output({ ...stored, syntaxUid: syntax, amended: undefined }, [
      syntax,
    ]);
    const back = Buffer.concat(await Array.fromAsync(output.pieces));
    assert.ok(back.equals(bytes.subarray(reader.meta?.dataSetOffset ?? 0)), path.basename(file));
    kept += 1;
  }
  assert.ok(kept > 5, `${kept} of ${files.length} files`);
});

test('Orthanc sends to us, and takes what we send', { skip: needsOrthanc }, async () => {
  const where = path.join(folder, 'orthanc');
  mkdirSync(where);
  const [dicomPort, httpPort] = [await freePort(), await freePort()];
  const configuration = path.join(where, 'orthanc.json');
  writeFileSync(
    configuration,
    JSON.stringify({
      StorageDirectory: path.join(where, 'storage'),
      IndexDirectory: path.join(where, 'storage'),
      DicomAet: 'ORTHANC',
      DicomPort: dicomPort,
      HttpPort: httpPort,
      AuthenticationEnabled: false,
      DicomAlwaysAllowStore: true,
      DicomModalities: { stele: ['STELE', '127.0.0.1', door.port] },
      Plugins: [],
    }),
  );
  const child = spawn('Orthanc', [configuration], { stdio: 'ignore', env: { ...process.env, TCP_NODELAY: '1' } });
  try {
    const rest = async (route: string, body?: unknown): Promise<unknown> => {
      const posts = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      const answer = await fetch(`http://127.0.0.1:${httpPort}${route}`, posts);
      assert.equal(answer.status, 200, `${route}: ${await answer.clone().text()}`);
      return answer.json();
    };
    for (let left = 100; left > 0; left -= 1) {
      if ((await fetch(`http://127.0.0.1:${httpPort}/system`).catch(() => undefined)) !== undefined) break;
      await systemClock.wait(100);
    }
    await rest('/modalities/stele/echo', {});
    await running.archive.entities.set({ ...plainEntity('ORTHANC'), host: '127.0.0.1', port: dicomPort });
    const entity = await running.archive.entities.get('ORTHANC');
    assert.ok(entity !== undefined);
    const conditions = [{ field: 'studyUid' as const, match: { kind: 'equals' as const, values: [study] } }];
    const instances = await Array.fromAsync(running.archive.studies.instances({ tenant: defaultTenant, conditions }));
    const statuses: (number | undefined)[] = [];
    await sendToEntity(
      {
        archive: running.archive,
        instances,
        isStopped: () => false,
        onSent: (_instance, status) => statuses.push(status),
      },
      { entity, title: 'STELE', tlsClient: {}, clock: systemClock, signal: new AbortController().signal },
    );
    assert.deepEqual(statuses, [0, 0, 0]);
    assert.equal(((await rest('/statistics')) as { CountInstances: number }).CountInstances, 3);
    const [orthancStudy] = (await rest('/studies')) as string[];
    const other = await openHouse('other');
    try {
      const put = await fetch(`http://127.0.0.1:${httpPort}/modalities/other`, {
        method: 'PUT',
        body: JSON.stringify({ AET: 'STELE', Host: '127.0.0.1', Port: other.door.port }),
      });
      assert.equal(put.status, 200);
      const result = (await rest('/modalities/other/store', [orthancStudy])) as { FailedInstancesCount: number };
      assert.equal(result.FailedInstancesCount, 0);
      const arrived = await Array.fromAsync(
        other.running.archive.studies.instances({ tenant: defaultTenant, conditions: [] }),
      );
      assert.equal(arrived.length, 3);
      const query = (await rest('/modalities/other/query', {
        Level: 'Study',
        Query: { PatientName: 'zhang*', StudyInstanceUID: '' },
      })) as { ID: string };
      assert.equal(((await rest(`/queries/${query.ID}/answers`)) as string[]).length, 1);
    } finally {
      await other.door.close();
      await other.running.close();
    }
  } finally {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
});
