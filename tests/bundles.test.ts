/*
 * Settled series: told by bundles, without rows of their own, and for everyone who asks the same as before, also when settling was interrupted anywhere,
 * and after a rebuild from packs.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Running, type StartOptions, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import type { StoredInstance } from '../src/archive/index.ts';
import { ArchiveError, defaultTenant, hexOf, isArchiveError, SeededRandom, utf8Bytes } from '../src/base/index.ts';
import { catalogTables } from '../src/catalog/index.ts';
import { dumpTables } from '../src/sql/index.ts';
import { openWebHouse, partsOf, type WebHouse } from './support/dicomweb-rig.ts';
import { explicitLittleEndian, makeInstance } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const folders: Stele[] = [];
after(() => {
  for (const each of folders) each.remove();
});

function house(): (more?: Partial<StartOptions>) => Promise<Running> {
  const stele = new Stele();
  folders.push(stele);
  return (more = {}) =>
    start({
      settings: settingsOf([{ workers: 1, settleSeconds: 0 }], stele.folder),
      create: true,
      say: () => undefined,
      ...more,
    });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const study = '1.2.826.0.1.3680043.99.7';
const random = new SeededRandom(7);
const pixels = (): Uint8Array => random.bytes(64 * 64 * 2);

function made(series: number, number: number, more: Parameters<typeof makeInstance>[0] = {}): Uint8Array {
  return makeInstance({
    study,
    series: `${study}.${series}`,
    number,
    rows: 64,
    columns: 64,
    pixels: pixels(),
    ...more,
  });
}

const store = (running: Running, bytes: Uint8Array): Promise<StoredInstance> =>
  running.archive.instances.store({ tenant: defaultTenant, syntax: explicitLittleEndian }, once(bytes));

async function settle(running: Running, pace: (bytes: number) => Promise<void> = async () => undefined): Promise<void> {
  await running.archive.sealOpen('all');
  const { signal } = new AbortController();
  for await (const report of running.archive.settle(pace, { all: true, signal })) assert.ok(report.released);
}

async function rowsIn(running: Running, table: string): Promise<number> {
  const row = await running.sql.one<{ count: number }>(`SELECT CAST(count(*) AS INTEGER) AS count FROM ${table}`);
  return row?.count ?? -1;
}

/** All that is told of instances to who asks, and their bytes. */
async function told(running: Running): Promise<unknown> {
  const { archive } = running;
  const search = { tenant: defaultTenant, conditions: [] };
  const instances: unknown[] = [];
  for await (const { text: _, picture: __, ...instance } of archive.studies.instances(search)) {
    const row = await archive.instances.object(instance);
    const pieces: Uint8Array[] = [];
    for await (const piece of archive.instances.read(row)) pieces.push(piece.slice());
    const header = await archive.instances.headerToSearch(instance);
    instances.push({ ...instance, bytes: hexOf(Buffer.concat(pieces)), number: header.number(0x0020_0013) });
  }
  const listed: string[] = [];
  const listing = await archive.objects.list({ tenant: defaultTenant, bucket: 'dicom', limit: 1000 });
  for (const item of listing.items) if (item.kind === 'object') listed.push(Buffer.from(item.row.key).toString());
  const series = await Array.fromAsync(archive.studies.series(search));
  return { instances, listed, counts: series.map((each) => [each.seriesUid, each.instanceCount, each.sizeBytes]) };
}

test('a settled series is told by a bundle, and everything goes on as before: the same again, other bytes, hiding, removing', async () => {
  const open = house();
  let running = await open();
  const sent = [made(1, 1), made(1, 2), made(1, 3), made(2, 1), made(2, 2)];
  for (const bytes of sent) await store(running, bytes);
  const unsettled = await told(running);
  await settle(running);
  assert.deepEqual(await told(running), unsettled);
  for (const table of ['objects', 'instances', 'moves']) assert.equal(await rowsIn(running, table), 0, table);
  assert.equal(await rowsIn(running, 'bundles'), 2);

  const again = await store(running, sent[0] as Uint8Array);
  assert.deepEqual([again.kind, again.shown], ['same', true]);
  const beside = await store(running, made(1, 1));
  assert.deepEqual([beside.kind, beside.shown], ['beside', false]);
  assert.equal(
    await running.archive.instances.hide({ tenant: defaultTenant, study, series: `${study}.2`, reason: 'x' }),
    2,
  );
  const name = { tenant: defaultTenant, bucket: 'dicom', key: utf8Bytes(`${study}/${study}.1/${study}.1.3`) };
  assert.equal((await running.archive.objects.find(name)).sizeBytes, (sent[2] as Uint8Array).byteLength);
  await running.archive.objects.remove(name);
  await assert.rejects(running.archive.objects.find(name), (error) => isArchiveError(error, 'NOT_FOUND'));
  await store(running, made(1, 4));

  const changed = await told(running);
  await settle(running);
  assert.deepEqual(await told(running), changed);
  const dump = await dumpTables(running.sql, catalogTables, ['fact', 'site']);
  await running.close();
  running = await open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  assert.deepEqual(await told(running), changed);
  assert.deepEqual(await dumpTables(running.sql, catalogTables, ['fact', 'site']), dump);
  for await (const report of running.archive.verify(async () => undefined)) assert.deepEqual(report.problems, []);
  await running.close();
});

test('many late instances get a bundle each, and those are told again together', async () => {
  const open = house();
  let running = await open();
  for (let number = 1; number <= 10; number += 1) {
    await store(running, made(1, number));
    await settle(running);
  }
  const many = await running.sql.all<{ generation: number; member_count: number }>(
    'SELECT generation, member_count FROM bundles WHERE member_count > 0 ORDER BY generation',
  );
  assert.deepEqual(
    many.map((each) => [each.generation, each.member_count]),
    [
      [9, 9],
      [10, 1],
    ],
  );
  const all = await told(running);
  const texts = async (): Promise<string[]> => {
    const instances = await Array.fromAsync(
      running.archive.studies.instances({ tenant: defaultTenant, conditions: [] }),
    );
    return (await Array.fromAsync(running.archive.instances.headerTexts(instances))).map((text) =>
      Buffer.from(text ?? []).toString(),
    );
  };
  assert.ok((await texts()).every((text, index) => text.includes(`"00200013":{"vr":"IS","Value":[${index + 1}]}`)));
  await running.close();
  running = await open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  assert.deepEqual(await told(running), all);
  assert.equal((await texts()).length, 10);
  await running.close();
});

test('settling that is interrupted anywhere changes nothing that is told, and goes on', async () => {
  const bytes = [made(1, 1), made(1, 2), made(2, 1), made(2, 2)];
  for (let stop = 1; ; stop += 2) {
    const open = house();
    let running = await open();
    for (const each of bytes) await store(running, each);
    const expected = await told(running);
    let calls = 0;
    const interrupted = await settle(running, async () => {
      calls += 1;
      if (calls === stop) throw new ArchiveError('CLOSED', 'told to stop');
    }).then(
      () => false,
      (error: unknown) => {
        assert.ok(isArchiveError(error, 'CLOSED'), String(error));
        return true;
      },
    );
    assert.deepEqual(await told(running), expected, `stopped at ${stop}`);
    await running.close();
    running = await open(stop % 4 === 1 ? { rebuild: { fromMedia: false, onPack: () => undefined } } : {});
    assert.deepEqual(await told(running), expected, `opened again after ${stop}`);
    await settle(running);
    assert.deepEqual(await told(running), expected, `settled after ${stop}`);
    assert.equal(await rowsIn(running, 'instances'), 0);
    await running.close();
    if (!interrupted) return;
  }
});

test('a study that is shredded leaves neither bundles nor texts that can be read', async () => {
  const running = await house()();
  for (const number of [1, 2]) await store(running, made(1, number));
  await settle(running);
  const [instance] = await Array.fromAsync(
    running.archive.studies.instances({ tenant: defaultTenant, conditions: [] }),
  );
  assert.ok(instance !== undefined);
  const { group } = await running.archive.instances.object(instance);
  await running.archive.keys.shred(group);
  for (const table of ['bundles', 'settled_uids', 'series']) assert.equal(await rowsIn(running, table), 0, table);
  await assert.rejects(running.archive.instances.object(instance), (error) => isArchiveError(error, 'NOT_FOUND'));
  // The first one finds that the key is gone; the next begins another group.
  await assert.rejects(store(running, made(1, 1)), (error) => isArchiveError(error, 'KEY_SHREDDED'));
  assert.equal((await store(running, made(1, 1))).kind, 'stored');
  await running.close();
});

let web: WebHouse;
before(async () => {
  web = await openWebHouse();
});
after(() => web.close());

test('DICOMweb answers the same before settling and after it: metadata, searches, frames, thumbnails', async () => {
  const privateValue = Uint8Array.from({ length: 3000 }, (_, index) => index & 0xff);
  for (let number = 1; number <= 5; number += 1)
    await web.store(
      made(3, number, {
        more: [
          [0x0029_0010, 'LO', 'MAKER'],
          [0x0029_1001, 'OB', privateValue],
          [0x0010_4000, 'LT', 'a "BulkDataURI":"not one", and a \\ too'],
        ],
      }),
    );
  const uid = `${study}.3`;
  const paths = [
    `/studies/${study}/metadata`,
    `/studies/${study}/series/${uid}/metadata`,
    `/studies/${study}/series/${uid}/instances/${uid}.3/metadata`,
    `/studies/${study}/series/${uid}/instances?includefield=all`,
    `/instances?SOPInstanceUID=${uid}.2`,
    `/studies?SOPInstanceUID=${uid}.2`,
    `/studies/${study}/instances?InstanceNumber=4`,
    `/studies/${study}/instances/?includefield=00104000`,
    `/series?Modality=CT&includefield=all`,
  ];
  const answers = async (): Promise<unknown[]> => {
    const all: unknown[] = [];
    for (const path of paths) {
      const answer = await web.get(path, { accept: 'application/dicom+json' });
      assert.equal(answer.status, 200, path);
      all.push(await answer.json());
    }
    return all;
  };
  const bytesAt = async (path: string, accept: string): Promise<string[]> =>
    (await partsOf(await web.get(path, { accept }))).map((part) => hexOf(part.bytes));
  const frames = `/studies/${study}/series/${uid}/instances/${uid}.4/frames/1`;
  const octets = 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1';
  const whole = 'multipart/related; type="application/dicom"; transfer-syntax=*';
  const unsettled = await answers();
  const framesBefore = await bytesAt(frames, octets);
  const wholeBefore = await bytesAt(`/studies/${study}`, whole);
  await settle(web.running);
  assert.equal(await rowsIn(web.running, 'instances'), 0);
  for (const [index, answer] of (await answers()).entries())
    assert.deepEqual(answer, unsettled[index], paths[index] ?? '');
  assert.deepEqual(await bytesAt(frames, octets), framesBefore);
  assert.deepEqual(await bytesAt(`/studies/${study}`, whole), wholeBefore);
  const thumbnail = await web.get(`/studies/${study}/series/${uid}/thumbnail`, { accept: 'image/jpeg' });
  assert.equal(thumbnail.status, 200);
  assert.deepEqual([...new Uint8Array(await thumbnail.arrayBuffer()).subarray(0, 2)], [0xff, 0xd8]);
  const [instance] = await Array.fromAsync(
    web.running.archive.studies.instances({ tenant: defaultTenant, conditions: [] }),
  );
  assert.ok(instance?.picture !== undefined, 'a picture was made when it settled');

  // What is amended afterwards is so in every answer, though the kept text says otherwise.
  const who = { tenant: defaultTenant, by: 'a test', why: 'a name was wrong' };
  const attributes = { StudyDescription: 'corrected' };
  await web.running.archive.amendments.correctStudy({ ...who, study, attributes });
  for (const path of paths.slice(0, 4)) {
    const [first] = (await (await web.get(path, { accept: 'application/dicom+json' })).json()) as Record<
      string,
      { Value?: unknown[] }
    >[];
    assert.deepEqual(first?.['00081030']?.Value, ['corrected'], path);
  }
  assert.deepEqual(web.faults, []);
});
