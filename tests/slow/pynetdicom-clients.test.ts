// The DICOM door with pynetdicom's applications: they store, find, move and get, and one of them is the archive that we send to.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Running, start } from '../../src/app/running.ts';
import { settingsOf } from '../../src/app/settings.ts';
import { plainEntity } from '../../src/archive/index.ts';
import { defaultTenant, systemClock } from '../../src/base/index.ts';
import { Part10Reader } from '../../src/dicom/index.ts';
import { type DimseDoor, openDimse, sendToEntity } from '../../src/doors/dimse/index.ts';
import { findPynetdicom, freePort, part10File } from '../support/dicom-peers.ts';
import { ctImageStorage, explicitLittleEndian, makeInstance } from '../support/made-instance.ts';

const tools = findPynetdicom();
const skip = tools === undefined ? 'needs pynetdicom' : false;
const hasSqlalchemy = spawnSync('python3', ['-c', 'import sqlalchemy']).status === 0;
const skipQrscp = skip === false && !hasSqlalchemy ? 'needs SQLAlchemy beside pynetdicom' : skip;
const study = '1.2.826.0.1.3680043.99.47';

let folder: string;
let running: Running;
let door: DimseDoor;
before(async () => {
  if (skip !== false) return;
  folder = mkdtempSync(path.join(tmpdir(), 'stele-py-'));
  running = await start({
    settings: settingsOf([{ workers: 1 }], path.join(folder, 'stele')),
    create: true,
    say: () => undefined,
  });
  door = await openDimse({
    archive: () => running.archive,
    host: '127.0.0.1',
    port: 0,
    title: 'STELE',
    tlsClient: {},
    clock: systemClock,
    onFault: (_what, error) => assert.fail(String(error)),
  });
});
after(async () => {
  if (skip !== false) return;
  await door.close();
  await running.close();
  rmSync(folder, { recursive: true, force: true });
});

async function run(tool: string, ...args: string[]): Promise<string> {
  assert.ok(tools !== undefined);
  const { code, output } = await tools.run(tool, ['127.0.0.1', String(door.port), '-aec', 'STELE', ...args], folder);
  assert.equal(code, 0, `${tool}: ${output}`);
  return output;
}

function fileOf(number: number): string {
  const instance = `${study}.1.${number}`;
  const names = { sopClass: ctImageStorage, sopInstance: instance, transferSyntax: explicitLittleEndian };
  const file = path.join(folder, `${number}.dcm`);
  writeFileSync(file, part10File(makeInstance({ study, number, instance }), names));
  return file;
}

/** Data sets in a folder, by instance. */
function dataSetsIn(where: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const name of readdirSync(where, { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue;
    const bytes = readFileSync(path.join(name.parentPath, name.name));
    const reader = new Part10Reader();
    reader.push(bytes);
    const instance = reader.finish().string(0x0008_0018) ?? '';
    found.set(instance, bytes.subarray(reader.meta?.dataSetOffset ?? 0));
  }
  return found;
}

function checkWhole(where: string): void {
  const found = dataSetsIn(where);
  assert.equal(found.size, 3);
  for (const number of [1, 2, 3]) {
    const instance = `${study}.1.${number}`;
    const reader = new Part10Reader();
    const bytes = found.get(instance) ?? assert.fail(instance);
    const sent = makeInstance({ study, number, instance });
    assert.ok(bytes.equals(sent) || bytes.subarray(-512).equals(Buffer.from(sent).subarray(-512)), instance);
    assert.ok(reader.meta === undefined);
  }
}

test('echoscu and storescu', { skip }, async () => {
  await run('echoscu');
  for (const number of [1, 2, 3]) await run('storescu', fileOf(number), '-cx');
});

test('findscu finds on every level, by root, list, range and wildcard', { skip }, async () => {
  const count = async (...keys: string[]): Promise<number> => {
    const output = await run('findscu', '-v', ...keys);
    return output.match(/\(Pending\)/g)?.length ?? 0;
  };
  const keys = (...pairs: string[]): string[] => pairs.flatMap((pair) => ['-k', pair]);
  assert.equal(await count('-P', ...keys('QueryRetrieveLevel=PATIENT', 'PatientName=ZHANG*', 'PatientID=')), 1);
  assert.equal(await count('-S', ...keys('QueryRetrieveLevel=STUDY', 'StudyDate=20240101-20241231')), 1);
  assert.equal(await count('-S', ...keys('QueryRetrieveLevel=STUDY', 'StudyDate=-20231231')), 0);
  assert.equal(await count('-S', ...keys('QueryRetrieveLevel=STUDY', `StudyInstanceUID=${study}\\1.2.3`)), 1);
  assert.equal(await count('-S', ...keys('QueryRetrieveLevel=SERIES', `StudyInstanceUID=${study}`, 'Modality=CT')), 1);
  assert.equal(
    await count(
      '-S',
      ...keys(
        'QueryRetrieveLevel=IMAGE',
        `StudyInstanceUID=${study}`,
        `SeriesInstanceUID=${study}.1`,
        'InstanceNumber=',
      ),
    ),
    3,
  );
});

test('getscu and movescu bring everything back', { skip }, async () => {
  const whole = ['-S', '-k', 'QueryRetrieveLevel=STUDY', '-k', `StudyInstanceUID=${study}`];
  const got = path.join(folder, 'got');
  mkdirSync(got);
  await run('getscu', ...whole, '-od', got);
  checkWhole(got);
  const port = await freePort();
  await running.archive.entities.set({ ...plainEntity('MOVER'), host: '127.0.0.1', port });
  const moved = path.join(folder, 'moved');
  mkdirSync(moved);
  await run(
    'movescu',
    ...whole,
    '-aem',
    'MOVER',
    '--store',
    '--store-port',
    String(port),
    '--store-aet',
    'MOVER',
    '-od',
    moved,
  );
  checkWhole(moved);
});

test('qrscp takes what we send, and answers about it', { skip: skipQrscp }, async () => {
  assert.ok(tools !== undefined);
  const kept = path.join(folder, 'qr');
  mkdirSync(kept);
  const config = path.join(folder, 'qrscp.ini');
  const scp = await tools.listen('qrscp', (port) => {
    const lines = [
      '[DEFAULT]',
      'ae_title: QRSCP',
      `port: ${port}`,
      'max_pdu: 16382',
      'acse_timeout: 30',
      'dimse_timeout: 30',
      'network_timeout: 30',
      'bind_address: 127.0.0.1',
      `instance_location: ${kept}`,
      `database_location: ${path.join(folder, 'qr.sqlite')}`,
    ];
    writeFileSync(config, `${lines.join('\n')}\n`);
    return ['-c', config];
  });
  try {
    const entity = { ...plainEntity('QRSCP'), host: '127.0.0.1', port: scp.port };
    await running.archive.entities.set(entity);
    const search = {
      tenant: defaultTenant,
      conditions: [{ field: 'studyUid' as const, match: { kind: 'equals' as const, values: [study] } }],
    };
    const instances = await Array.fromAsync(running.archive.studies.instances(search));
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
    assert.deepEqual(statuses, [0, 0, 0], scp.output());
    const query = ['-S', '-v', '-k', 'QueryRetrieveLevel=STUDY', '-k', `StudyInstanceUID=${study}`];
    const found = await tools.run('findscu', ['127.0.0.1', String(scp.port), '-aec', 'QRSCP', ...query]);
    // It answers once an instance, whatever the level.
    assert.equal(found.output.match(/\(Pending\)/g)?.length, 3, found.output);
  } finally {
    await scp.stop();
  }
});
