/*
 * The DICOM door, as a peer meets it: associations over loopback with our own requestor. Other people's clients are in tests/slow.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { entityRights, plainEntity } from '../src/archive/index.ts';
import { defaultTenant, systemClock } from '../src/base/index.ts';
import {
  type Association,
  cEcho,
  cFind,
  cGet,
  cMove,
  cStore,
  DataSet,
  DataSetReader,
  encodeDataSet,
  listenAssociations,
  nAction,
  negotiate,
  openAssociation,
  providerRoles,
  tags,
  transferSyntaxOf,
} from '../src/dicom/index.ts';
import { type DimseDoor, openDimse } from '../src/doors/dimse/index.ts';
import { ctImageStorage, explicitLittleEndian, implicitLittleEndian, makeInstance } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const verification = '1.2.840.10008.1.1';
const studyFind = '1.2.840.10008.5.1.4.1.2.2.1';
const studyMove = '1.2.840.10008.5.1.4.1.2.2.2';
const studyGet = '1.2.840.10008.5.1.4.1.2.2.3';

type House = { readonly running: Running; readonly door: DimseDoor; readonly faults: unknown[] };

const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

async function open(): Promise<House> {
  const stele = new Stele();
  const settings = settingsOf([{ workers: 1 }], stele.folder);
  const running = await start({ settings, create: true, say: () => undefined });
  const faults: unknown[] = [];
  const door = await openDimse({
    archive: () => running.archive,
    host: '127.0.0.1',
    port: 0,
    title: 'STELE',
    tlsClient: {},
    clock: systemClock,
    onFault: (_what, error) => faults.push(error),
  });
  closing.push(async () => {
    await door.close();
    await running.close();
    stele.remove();
  });
  return { running, door, faults };
}

const syntaxes = [explicitLittleEndian, implicitLittleEndian];

function call(house: { door: DimseDoor }, classes: readonly string[], more: object = {}): Promise<Association> {
  return openAssociation({
    host: '127.0.0.1',
    port: house.door.port,
    calling: 'TEST',
    called: 'STELE',
    contexts: classes.map((abstractSyntax, index) => ({
      id: 2 * index + 1,
      abstractSyntax,
      transferSyntaxes: syntaxes,
    })),
    ...more,
  });
}

async function send(association: Association, bytes: Uint8Array, sopInstance: string): Promise<number> {
  const { status } = await cStore(association, { sopClass: ctImageStorage, sopInstance, data: bytes });
  return status;
}

function identifier(values: Readonly<Record<string, string>>): Uint8Array {
  const dataSet = new DataSet();
  for (const [name, value] of Object.entries(values)) dataSet.setString(tags[name as keyof typeof tags], value);
  return encodeDataSet(dataSet, transferSyntaxOf(explicitLittleEndian));
}

function read(bytes: Uint8Array): DataSet {
  const reader = new DataSetReader({ syntax: transferSyntaxOf(explicitLittleEndian) });
  reader.push(bytes);
  return reader.finish();
}

const study = '1.2.826.0.1.3680043.99.31';

test('echo, store, find and get work on one association each', async () => {
  const house = await open();
  const echo = await call(house, [verification]);
  assert.equal((await cEcho(echo)).status, 0);
  await echo.release();

  const made = [1, 2, 3].map((number) => ({ uid: `${study}.1.${number}`, bytes: makeInstance({ study, number }) }));
  const storing = await call(house, [ctImageStorage]);
  for (const { uid, bytes } of made) assert.equal(await send(storing, bytes, uid), 0);
  assert.equal(
    await send(storing, made[0]?.bytes ?? new Uint8Array(0), `${study}.1.1`),
    0,
    'the same again is success',
  );
  assert.equal(await send(storing, new Uint8Array(100).fill(255), `${study}.1.9`), 0xc000, 'garbage is not');
  await storing.release();

  const asking = await call(house, [studyFind]);
  const wanted = {
    QueryRetrieveLevel: 'STUDY',
    PatientName: 'ZHANG*',
    StudyInstanceUID: '',
    NumberOfStudyRelatedInstances: '',
  };
  const found: DataSet[] = [];
  for await (const match of cFind(asking, { sopClass: studyFind, identifier: identifier(wanted) }))
    found.push(read(match.identifier));
  assert.equal(found.length, 1);
  assert.equal(found[0]?.string(tags.StudyInstanceUID), study);
  assert.equal(found[0]?.string(tags.NumberOfStudyRelatedInstances), '3');
  assert.equal(found[0]?.string(tags.RetrieveAETitle), 'STELE');
  assert.equal(
    found[0]?.string(tags.SpecificCharacterSet),
    'ISO_IR 192',
    'a name that ASCII cannot say is said in Unicode',
  );
  const level = identifier({ ...wanted, QueryRetrieveLevel: 'PATIENT' });
  const refused = cFind(asking, { sopClass: studyFind, identifier: level });
  const last = await refused.next();
  assert.equal(last.done === true && last.value.status, 0xa900, 'the study root has no patient level');
  await asking.release();

  const getting = await call(house, [studyGet, ctImageStorage], { roles: providerRoles([ctImageStorage]) });
  const got: Uint8Array[] = [];
  const retrieval = cGet(getting, {
    sopClass: studyGet,
    identifier: identifier({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: study }),
    onStore: async (message) => {
      if (message.data !== undefined) got.push(await message.data.gather(1_000_000));
      await message.respond({ status: 0 });
    },
  });
  let outcome = await retrieval.next();
  while (outcome.done !== true) outcome = await retrieval.next();
  assert.deepEqual([outcome.value.status, outcome.value.completed, outcome.value.failed], [0, 3, 0]);
  for (const { bytes } of made) assert.ok(got.some((each) => Buffer.from(bytes).equals(each)));
  await getting.release();
  assert.deepEqual(house.faults, []);
});

test('a move goes to a destination of the table, in a syntax that it takes, and says who asked', async () => {
  const house = await open();
  const other = await open();
  const storing = await call(house, [ctImageStorage]);
  for (const number of [1, 2]) await send(storing, makeInstance({ study, number }), `${study}.1.${number}`);
  await storing.release();
  const moving = await call(house, [studyMove]);
  const request = {
    sopClass: studyMove,
    destination: 'OTHER',
    identifier: identifier({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: study }),
  };
  const run = async (): Promise<{ status: number; completed: number | undefined; failed: number | undefined }> => {
    const progress = cMove(moving, request);
    let outcome = await progress.next();
    while (outcome.done !== true) outcome = await progress.next();
    return outcome.value;
  };
  assert.equal((await run()).status, 0xa801, 'nobody knows the destination yet');
  await house.running.archive.entities.set({ ...plainEntity('OTHER'), host: '127.0.0.1', port: other.door.port });
  const done = await run();
  assert.deepEqual([done.status, done.completed, done.failed], [0, 2, 0]);
  let count = 0;
  for await (const _ of other.running.archive.studies.instances({ tenant: defaultTenant, conditions: [] })) count += 1;
  assert.equal(count, 2);
  await house.running.archive.entities.set({ ...plainEntity('OTHER'), host: '127.0.0.1', port: 1 });
  const lost = await run();
  assert.deepEqual([lost.status, lost.failed], [0xa702, 2], 'what could not be sent is told');
  await moving.release();
});

test('a caller who is not admitted is refused, and kept in a list until somebody admits it', async () => {
  const { running } = await open();
  const { entities } = running.archive;
  const caller = { calling: 'CT1 ', called: 'STELE', address: '10.1.2.3' };
  assert.deepEqual(await entities.admit(caller, 0), { kind: 'refused', reason: 'caller-unknown' });
  await entities.admit(caller, 0);
  const [refusal] = await entities.refusals();
  assert.deepEqual([refusal?.calling, refusal?.reason, refusal?.count], ['CT1', 'caller-unknown', 2]);
  assert.equal((await entities.admit({ ...caller, address: '127.0.0.1' }, 0)).kind, 'admitted', 'this machine may');
  await entities.set({ ...plainEntity('CT1'), from: ['10.1.2.4'], associationsMax: 2 });
  assert.deepEqual(await entities.refusals(), []);
  assert.deepEqual(await entities.admit(caller, 0), { kind: 'refused', reason: 'address-other' });
  await entities.set({ ...plainEntity('CT1'), associationsMax: 2 });
  assert.equal((await entities.admit(caller, 1)).kind, 'admitted');
  assert.deepEqual(await entities.admit(caller, 2), { kind: 'refused', reason: 'associations-too-many' });
});

test('what a caller may not do is refused, and what it may is done', async () => {
  const house = await open();
  const may = entityRights.filter((right) => right !== 'store');
  await house.running.archive.entities.set({ ...plainEntity('TEST'), may });
  const association = await call(house, [ctImageStorage, verification]);
  assert.equal(await send(association, makeInstance({ study }), `${study}.1.1`), 0x0124);
  assert.equal((await cEcho(association)).status, 0);
  await association.release();
});

test('more matches than a caller may have are told as too many, after those that it may', async () => {
  const house = await open();
  const storing = await call(house, [ctImageStorage]);
  for (const number of [1, 2, 3]) {
    const uid = `${study}${number}`;
    await send(storing, makeInstance({ study: uid, patientId: `P${number}` }), `${uid}.1.1`);
  }
  await storing.release();
  await house.running.archive.entities.set({ ...plainEntity('TEST'), matchesMax: 2 });
  const asking = await call(house, [studyFind]);
  const matches = cFind(asking, {
    sopClass: studyFind,
    identifier: identifier({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '' }),
  });
  let count = 0;
  let next = await matches.next();
  for (; next.done !== true; next = await matches.next()) count += 1;
  assert.deepEqual([count, next.value.status], [2, 0xa700]);
  await asking.release();
});

const commitmentClass = '1.2.840.10008.1.20.1';
const commitmentInstance = '1.2.840.10008.1.20.1.1';

function commitmentRequest(transaction: string, uids: readonly string[]): Uint8Array {
  const dataSet = new DataSet();
  dataSet.setString(tags.TransactionUID, transaction);
  dataSet.setItems(
    tags.ReferencedSOPSequence,
    uids.map((uid) => {
      const item = new DataSet();
      item.setString(tags.ReferencedSOPClassUID, ctImageStorage);
      item.setString(tags.ReferencedSOPInstanceUID, uid);
      return item;
    }),
  );
  return encodeDataSet(dataSet, transferSyntaxOf(explicitLittleEndian));
}

function reported(bytes: Uint8Array): {
  transaction: string | undefined;
  good: number;
  failed: (number | undefined)[];
} {
  const dataSet = read(bytes);
  return {
    transaction: dataSet.string(tags.TransactionUID),
    good: dataSet.items(tags.ReferencedSOPSequence).length,
    failed: dataSet.items(tags.FailedSOPSequence).map((item) => item.number(tags.FailureReason)),
  };
}

test('storage commitment is reported on the open association, of what was read back and of what is not there', async () => {
  const house = await open();
  const association = await call(house, [ctImageStorage, commitmentClass]);
  await send(association, makeInstance({ study }), `${study}.1.1`);
  const asked = await nAction(association, {
    sopClass: commitmentClass,
    sopInstance: commitmentInstance,
    actionType: 1,
    data: commitmentRequest('2.25.1', [`${study}.1.1`, `${study}.1.77`]),
  });
  assert.equal(asked.status, 0);
  const { value: message } = await association.messages().next();
  assert.ok(message !== undefined && message.kind === 'N-EVENT-REPORT');
  assert.equal(message.command.eventType, 2);
  const bytes = await message.data?.gather(100_000);
  assert.deepEqual(reported(bytes ?? new Uint8Array(0)), { transaction: '2.25.1', good: 1, failed: [0x0112] });
  await message.respond({ status: 0 });
  await association.release();
});

test('a commitment whose asker has gone is reported to where the table says it listens, in the role of the provider', async () => {
  const house = await open();
  const heard = Promise.withResolvers<{ transaction: string | undefined; good: number; failed: unknown[] }>();
  const asker = await listenAssociations({
    host: '127.0.0.1',
    port: 0,
    decide: (request) => ({ kind: 'accept', ...negotiate(request, { served: new Set(), refused: new Set() }) }),
    serve: async (association) => {
      for await (const message of association.messages()) {
        const bytes = await message.data?.gather(100_000);
        await message.respond({ status: 0 });
        heard.resolve(reported(bytes ?? new Uint8Array(0)));
      }
    },
    onFault: (error) => heard.reject(error),
  });
  closing.push(() => asker.close(1000));
  await house.running.archive.entities.set({ ...plainEntity('TEST'), host: '127.0.0.1', port: asker.address.port });
  const association = await call(house, [ctImageStorage]);
  await send(association, makeInstance({ study }), `${study}.1.1`);
  await association.release();
  const { commitments } = house.running.archive;
  const items = [{ classUid: ctImageStorage, instanceUid: `${study}.1.1` }];
  await commitments.ask({ title: 'TEST', transaction: '2.25.2', tenant: defaultTenant, items });
  // A request that wakes the reporter; its own asker is the same.
  const other = await call(house, [commitmentClass]);
  const again = { sopClass: commitmentClass, sopInstance: commitmentInstance, actionType: 1 };
  await nAction(other, { ...again, data: commitmentRequest('2.25.2', [`${study}.1.1`]) });
  other.abort();
  assert.deepEqual(await heard.promise, { transaction: '2.25.2', good: 1, failed: [] });
});

test('over TLS the door takes callers whose certificate an authority of ours signed, and no others', async () => {
  const stele = new Stele();
  const settings = settingsOf([{ workers: 1 }], stele.folder);
  const running = await start({ settings, create: true, say: () => undefined });
  const pem = (name: string): Uint8Array => readFileSync(path.join(import.meta.dirname, '..', 'testdata', 'tls', name));
  const ca = pem('authority-cert.pem');
  const door = await openDimse({
    archive: () => running.archive,
    host: '127.0.0.1',
    port: 0,
    title: 'STELE',
    tls: {
      port: 0,
      server: { cert: pem('server-cert.pem'), key: pem('server-key.pem'), ca, clientCertificate: 'required' },
    },
    tlsClient: {},
    clock: systemClock,
    onFault: () => undefined,
  });
  closing.push(async () => {
    await door.close();
    await running.close();
    stele.remove();
  });
  const secure = { door: { ...door, port: door.tlsPort ?? 0 } };
  const identity = (who: string): object => ({
    tls: { ca, cert: pem(`${who}-cert.pem`), key: pem(`${who}-key.pem`), unchecked: 'name' },
  });
  const association = await call(secure, [verification], identity('client'));
  assert.equal((await cEcho(association)).status, 0);
  await association.release();
  await assert.rejects(call(secure, [verification], identity('stranger')));
});

test('queries that are left early, again and again, leave the association as it was', async () => {
  const house = await open();
  const storing = await call(house, [ctImageStorage]);
  for (const number of [1, 2, 3, 4, 5]) await send(storing, makeInstance({ study, number }), `${study}.1.${number}`);
  await storing.release();
  const asking = await call(house, [studyFind]);
  const wanted = { QueryRetrieveLevel: 'IMAGE', StudyInstanceUID: study, SOPInstanceUID: '' };
  for (let round = 0; round < 60; round += 1) {
    for await (const match of cFind(asking, { sopClass: studyFind, identifier: identifier(wanted) })) {
      assert.equal(read(match.identifier).string(tags.StudyInstanceUID), study);
      // The rest, the final answer among it, has most likely come by now.
      await new Promise((resolve) => setImmediate(resolve));
      break;
    }
  }
  await asking.release();
});
