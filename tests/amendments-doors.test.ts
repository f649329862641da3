/*
 * What is amended, on every way out: DICOMweb, DIMSE and the command line give the same corrected data sets, and originals only to who says why.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, test } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { plainEntity } from '../src/archive/index.ts';
import { defaultTenant, systemClock } from '../src/base/index.ts';
import {
  cFind,
  cGet,
  cMove,
  DataSet,
  DataSetReader,
  encodeDataSet,
  openAssociation,
  Part10Reader,
  providerRoles,
  tags,
  transferSyntaxOf,
} from '../src/dicom/index.ts';
import { openDimse } from '../src/doors/dimse/index.ts';
import { openWebHouse, partsOf } from './support/dicomweb-rig.ts';
import { ctImageStorage, explicitLittleEndian, makeInstance } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const study = '1.2.826.0.1.3680043.99.51';
const uid = `${study}.1.1`;
const original = makeInstance({ study, patientId: 'OLD', patientName: 'Old^Name', accession: 'A1' });
const who = { tenant: defaultTenant, by: 'registrar', why: 'wrong worklist entry' };
const patient = (patientId: string): { patientId: string; issuer: string } => ({ patientId, issuer: '' });

/** Merged, and the study corrected. */
async function amend({ archive }: Running): Promise<void> {
  const into = { from: patient('OLD'), into: patient('NEW'), attributes: { PatientName: 'New^Name=新^名' } };
  await archive.amendments.merge({ ...who, ...into });
  await archive.amendments.correctStudy({ ...who, study, attributes: { AccessionNumber: 'B2' } });
}

function check(bytes: Uint8Array, what: string): void {
  const reader = new DataSetReader({ syntax: transferSyntaxOf(explicitLittleEndian) });
  reader.push(bytes);
  const dataSet = reader.finish();
  assert.deepEqual(
    [
      dataSet.string(tags.PatientID),
      dataSet.text(tags.PatientName, dataSet.characterSet()),
      dataSet.string(tags.AccessionNumber),
    ],
    ['NEW', 'New^Name=新^名', 'B2'],
    what,
  );
  assert.equal(dataSet.items(tags.OriginalAttributesSequence).length, 2, what);
  assert.ok(Buffer.from(bytes).subarray(-512).equals(Buffer.from(original).subarray(-512)), `${what}: the pixels`);
}

function inFile(file: Uint8Array): Uint8Array {
  const reader = new Part10Reader();
  reader.push(file);
  return file.subarray(reader.meta?.dataSetOffset ?? 0);
}

test('DICOMweb searches, describes and gives what is amended, and says that it changed', async () => {
  const house = await openWebHouse();
  try {
    await house.store(original);
    const place = `/studies/${study}/series/${study}.1/instances/${uid}`;
    const single = { accept: 'application/dicom' };
    const before = await house.get(place, single);
    assert.ok(Buffer.from(inFile(new Uint8Array(await before.arrayBuffer()))).equals(Buffer.from(original)));
    const metadata = await house.get(`${place}/metadata`);
    await metadata.arrayBuffer();
    await amend(house.running);

    const again = { 'if-none-match': before.headers.get('etag') ?? '' };
    const file = await house.get(place, { ...single, ...again });
    assert.equal(file.status, 200, 'what was kept is not what there is');
    check(inFile(new Uint8Array(await file.arrayBuffer())), 'an instance');
    for (const path of [`/studies/${study}`, `/studies/${study}/series/${study}.1`]) {
      const [part] = await partsOf(await house.get(path, { accept: 'multipart/related; type="application/dicom"' }));
      check(inFile(part?.bytes ?? new Uint8Array(0)), path);
    }
    const zip = Buffer.from(await (await house.get(`/studies/${study}`, { accept: 'application/zip' })).arrayBuffer());
    const [nameBytes, extraBytes] = [zip.readUInt16LE(26), zip.readUInt16LE(28)];
    const packed = zip.subarray(30 + nameBytes + extraBytes);
    const isStored = zip.readUInt16LE(8) === 0;
    const unpacked = isStored ? packed : inflateRawSync(packed);
    assert.ok(unpacked.includes('New^Name') && unpacked.includes('B2'), 'a ZIP');
    const query = `requestType=WADO&studyUID=${study}&seriesUID=${study}.1&objectUID=${uid}&contentType=application/dicom`;
    const uri = await house.get(`/wado?${query}`);
    assert.equal(uri.status, 200);
    check(inFile(new Uint8Array(await uri.arrayBuffer())), 'WADO-URI');

    type Json = Record<string, { Value?: unknown[] }>;
    const changed = await house.get(`${place}/metadata`, { 'if-none-match': metadata.headers.get('etag') ?? '' });
    assert.equal(changed.status, 200);
    const [described] = (await changed.json()) as Json[];
    assert.deepEqual(described?.['00100020']?.Value, ['NEW']);
    assert.equal(described?.['04000561']?.Value?.length, 2);
    for (const asked of [
      'PatientID=OLD',
      'PatientID=NEW',
      'AccessionNumber=A1',
      'AccessionNumber=B2',
      'PatientName=Old*',
    ]) {
      const [row] = (await (await house.get(`/studies?${asked}`)).json()) as Json[];
      assert.deepEqual(row?.['00100020']?.Value, ['NEW'], asked);
      assert.deepEqual(row?.['00080050']?.Value, ['B2'], asked);
      assert.deepEqual(row?.['00100010']?.Value, [{ Alphabetic: 'New^Name', Ideographic: '新^名' }], asked);
    }
    assert.deepEqual(house.faults, []);
  } finally {
    await house.close();
  }
});

const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

async function openHouse(): Promise<{ running: Running; port: number; stele: Stele; close: () => Promise<void> }> {
  const stele = new Stele();
  const running = await start({
    settings: settingsOf([{ workers: 1 }], stele.folder),
    create: true,
    say: () => undefined,
  });
  const door = await openDimse({
    archive: () => running.archive,
    host: '127.0.0.1',
    port: 0,
    title: 'STELE',
    tlsClient: {},
    clock: systemClock,
    onFault: (_what, error) => assert.fail(String(error)),
  });
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await door.close();
    await running.close();
  };
  closing.push(async () => {
    await close();
    stele.remove();
  });
  return { running, port: door.port, stele, close };
}

function identifier(values: Readonly<Record<string, string>>): Uint8Array {
  const dataSet = new DataSet();
  for (const [name, value] of Object.entries(values)) dataSet.setString(tags[name as keyof typeof tags], value);
  return encodeDataSet(dataSet, transferSyntaxOf(explicitLittleEndian));
}

const studyFind = '1.2.840.10008.5.1.4.1.2.2.1';
const studyMove = '1.2.840.10008.5.1.4.1.2.2.2';
const studyGet = '1.2.840.10008.5.1.4.1.2.2.3';

async function storeAt({ archive }: Running): Promise<void> {
  const options = { tenant: defaultTenant, syntax: explicitLittleEndian, source: 'TEST' };
  await archive.instances.store(
    options,
    (async function* () {
      yield original;
    })(),
  );
}

async function storedAt({ archive }: Running): Promise<Buffer> {
  const conditions = [{ field: 'instanceUid' as const, match: { kind: 'equals' as const, values: [uid] } }];
  const [found] = await Array.fromAsync(archive.studies.instances({ tenant: defaultTenant, conditions }));
  assert.ok(found !== undefined, 'it arrived');
  const row = await archive.instances.object(found);
  const pieces: Uint8Array[] = [];
  for await (const piece of archive.instances.read(row)) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

test('C-FIND, C-GET and C-MOVE answer and give what is amended', async () => {
  const [house, other] = [await openHouse(), await openHouse()];
  await storeAt(house.running);
  await amend(house.running);
  await house.running.archive.entities.set({ ...plainEntity('OTHER'), host: '127.0.0.1', port: other.port });
  const call = (classes: readonly string[], more: object = {}) =>
    openAssociation({
      host: '127.0.0.1',
      port: house.port,
      calling: 'TEST',
      called: 'STELE',
      contexts: classes.map((abstractSyntax, index) => ({
        id: 2 * index + 1,
        abstractSyntax,
        transferSyntaxes: [explicitLittleEndian],
      })),
      ...more,
    });
  const asking = await call([studyFind]);
  const wanted = { QueryRetrieveLevel: 'STUDY', PatientID: 'OLD', AccessionNumber: '', StudyInstanceUID: '' };
  const rows: DataSet[] = [];
  for await (const match of cFind(asking, { sopClass: studyFind, identifier: identifier(wanted) })) {
    const reader = new DataSetReader({ syntax: transferSyntaxOf(explicitLittleEndian) });
    reader.push(match.identifier);
    rows.push(reader.finish());
  }
  await asking.release();
  assert.deepEqual(
    rows.map((row) => [row.string(tags.PatientID), row.string(tags.AccessionNumber)]),
    [['NEW', 'B2']],
  );

  const getting = await call([studyGet, ctImageStorage], { roles: providerRoles([ctImageStorage]) });
  const names = identifier({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: study });
  let got = 0;
  const retrieval = cGet(getting, {
    sopClass: studyGet,
    identifier: names,
    onStore: async (message) => {
      if (message.data !== undefined) check(await message.data.gather(1_000_000), 'C-GET');
      got += 1;
      await message.respond({ status: 0 });
    },
  });
  for (let next = await retrieval.next(); next.done !== true; next = await retrieval.next());
  assert.equal(got, 1);
  await getting.release();

  const moving = await call([studyMove]);
  const move = cMove(moving, { sopClass: studyMove, destination: 'OTHER', identifier: names });
  for (let next = await move.next(); next.done !== true; next = await move.next());
  await moving.release();
  check(await storedAt(other.running), 'C-MOVE');
});

test('the command line merges, moves, corrects, shows, undoes, and gives originals only with a reason that is kept', async () => {
  const [house, other] = [await openHouse(), await openHouse()];
  await storeAt(house.running);
  await house.running.archive.entities.set({ ...plainEntity('OTHER'), host: '127.0.0.1', port: other.port });
  await house.close();
  const { stele } = house;
  const name = `dicom/${study}/${study}.1/${uid}`;
  assert.ok((await stele.content(name)).equals(Buffer.from(original)), 'byte for byte before');
  const why = ['--why', 'wrong worklist entry', '--by', 'registrar'];
  assert.equal((await stele.run('patient', 'merge', 'OLD', 'NEW')).code, 2, 'a reason is needed');
  assert.match((await stele.run('patient', 'merge', 'OLD', 'NEW', ...why)).err, /NOT_FOUND: no such patient is known/);
  const dry = await stele.done('patient', 'merge', 'OLD', 'NEW', '--ahead', '--dry-run', ...why);
  assert.match(dry.out, /PatientID +OLD +-> +NEW\n[^]*would be merged, with 1 study; nothing was changed/);
  await stele.done('patient', 'merge', 'OLD', 'NEW', '--ahead', ...why);
  await stele.done('patient', 'correct', 'NEW', 'PatientName=New^Name=新^名', ...why);
  assert.match((await stele.run('patient', 'merge', 'NEW', 'OLD', ...why)).err, /^stele: AMENDMENT_CONFLICT/);
  const corrected = JSON.parse(
    (await stele.done('study', 'correct', study, 'AccessionNumber=B2', '--json', ...why)).out,
  );
  assert.deepEqual(corrected.changes, [{ keyword: 'AccessionNumber', from: 'A1', to: 'B2' }]);
  assert.match((await stele.done('patient', 'show', 'OLD')).out, /OLD +is merged[^]*NEW +is shown +New\^Name/);
  assert.match((await stele.done('study', 'history', study)).out, /merged into NEW[^]*corrected: AccessionNumber=B2/);

  const left = await stele.content(name);
  const reader = new DataSetReader({ syntax: transferSyntaxOf(explicitLittleEndian) });
  reader.push(left);
  const dataSet = reader.finish();
  assert.deepEqual([dataSet.string(tags.PatientID), dataSet.string(tags.AccessionNumber)], ['NEW', 'B2']);
  await stele.done('get', `dicom/${study}/`, '-o', 'out');
  assert.ok(fs.readFileSync(stele.path(`out/${study}.1/${uid}`)).equals(left), 'a folder of them');
  assert.equal((await stele.run('get', name, '--original')).code, 2, 'a reason is needed');
  const was = await stele.done('get', name, '--original', '--why', 'asked by the court');
  assert.ok(was.bytes.equals(Buffer.from(original)));
  assert.match((await stele.done('study', 'history', study)).out, /1 originals given out +by \S+: asked by the court/);

  await stele.done('send', 'OTHER', study);
  assert.ok((await storedAt(other.running)).equals(left), 'what is sent is what is got');
  await stele.done('study', 'undo', corrected.id, ...why);
  await stele.done('patient', 'unmerge', 'OLD', ...why);
  assert.ok((await stele.content(name)).equals(Buffer.from(original)), 'byte for byte after');
  assert.match((await stele.run('study', 'undo', corrected.id, ...why)).err, /AMENDMENT_CONFLICT/);
  await stele.done('study', 'move', study, 'ELSE', '--ahead', ...why);
  await stele.done('study', 'charset', study, 'GB18030', ...why);
  assert.match((await stele.done('study', 'history', study, '--json')).out, /"type":"decoded"/);
  await stele.done('rebuild');
  assert.match((await stele.done('patient', 'show', 'ELSE')).out, /ELSE +is shown[^]*1 study/);
});
