/* Every kind of request of DICOMweb and DICOM as every role and as nobody: what the table of rights does not name is refused, and told to the audit without a name. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type Action,
  type Archive,
  background,
  type EntityRight,
  entityRights,
  mayDo,
  ofEntity,
  rightsOfRole,
  roles,
} from '../src/archive/index.ts';
import { defaultTenant, isArchiveError } from '../src/base/index.ts';
import { fileOf, multipartOf, openWebHouse, type WebHouse } from './support/dicomweb-rig.ts';
import { ctImageStorage, explicitLittleEndian, makeInstance } from './support/made-instance.ts';

const study = '1.2.826.0.1.3680043.99.77';
const series = `${study}.1`;
const instance = `${series}.1`;
const at = `/studies/${study}/series/${series}/instances/${instance}`;
const planted = 'Geheim^Nachname';
let house: WebHouse;

type Asked = { readonly method: 'GET' | 'POST' | 'DELETE'; readonly path: string; readonly action: Action };

const requests: readonly Asked[] = [
  ...[
    '/studies',
    '/series',
    '/instances',
    `/studies?PatientName=${encodeURIComponent(planted)}`,
    `/studies/${study}/series`,
    `/studies/${study}/instances`,
    `/studies/${study}/series/${series}/instances`,
  ].map((path) => ({ method: 'GET' as const, path, action: 'study.find' as const })),
  ...[
    `/studies/${study}`,
    `/studies/${study}/metadata`,
    `/studies/${study}/series/${series}`,
    `/studies/${study}/series/${series}/metadata`,
    at,
    `${at}/metadata`,
    `${at}/frames/1`,
    `${at}/rendered`,
    `${at}/thumbnail`,
    `${at}/bulkdata/7fe00010`,
    `/wado?requestType=WADO&studyUID=${study}&seriesUID=${series}&objectUID=${instance}&contentType=application/dicom`,
  ].map((path) => ({ method: 'GET' as const, path, action: 'study.read' as const })),
  { method: 'POST', path: '/studies', action: 'study.store' },
  { method: 'POST', path: `/studies/${study}`, action: 'study.store' },
  // Another study: what is asked for next is still there.
  { method: 'DELETE', path: '/studies/1.2.3.4.5', action: 'study.hide' },
];

before(async () => {
  house = await openWebHouse();
  await house.store(makeInstance({ study, series, patientName: planted, patientId: 'GEHEIM-1' }));
});

after(() => house.close());

async function statusOf({ method, path }: Asked, token: string | undefined): Promise<number> {
  const { type, body } = multipartOf([fileOf(makeInstance({ study, series, number: 2 }), `${series}.2`)]);
  const headers: Record<string, string> = { 'content-type': type };
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
  const sent = method === 'POST' ? { body: body as Uint8Array<ArrayBuffer> } : {};
  const response = await fetch(`${house.root}${path}`, { method, headers, ...sent });
  await response.arrayBuffer();
  return response.status;
}

test('over DICOMweb nobody is told anything, and every role what the table names for it', async () => {
  const { accounts } = house.running.archive;
  for (const asked of requests)
    assert.equal(await statusOf(asked, undefined), 401, `nobody: ${asked.method} ${asked.path}`);
  for (const role of roles) {
    const token = await accounts.createToken({ user: 'admin', name: role, role });
    const rights = rightsOfRole(role).intersection(rightsOfRole('admin'));
    for (const asked of requests) {
      const status = await statusOf(asked, token);
      // What is read is searched for first.
      const may = mayDo(rights, asked.action) && (asked.action !== 'study.read' || mayDo(rights, 'study.find'));
      const says = `${role}: ${asked.method} ${asked.path}: ${status}`;
      if (may) assert.ok(status < 300 || (asked.method === 'DELETE' && status === 404), says);
      else assert.equal(status, 403, says);
    }
  }
});

test('an application entity may what its row grants, and nothing else of the facade', async () => {
  const needs: Readonly<Record<EntityRight, (archive: Archive) => unknown>> = {
    echo: () => undefined,
    store: ({ instances }) => instances.store({ tenant: defaultTenant, syntax: explicitLittleEndian }, nothing()),
    find: ({ studies }) => studies.studies({ tenant: defaultTenant, conditions: [] }),
    retrieve: ({ entities }) => entities.get('OTHER'),
    commit: ({ commitments }) =>
      commitments.ask({
        title: 'CT1',
        transaction: '1.2',
        tenant: defaultTenant,
        items: [{ classUid: ctImageStorage, instanceUid: instance }],
      }),
    report: ({ steps }) =>
      steps.change({ tenant: defaultTenant, instanceUid: '1.2' }, { state: undefined, series: undefined }, 0),
  };
  for (const granted of entityRights) {
    const principal = ofEntity({ title: 'CT1', may: [granted] }, { tenant: defaultTenant, address: '10.0.0.5' });
    const archive = house.running.archive.as(principal);
    for (const tried of entityRights) {
      const outcome = await (async () => needs[tried](archive))().then(
        () => 'done',
        (error: unknown) => (isArchiveError(error, 'ACCESS_DENIED') ? 'refused' : 'done'),
      );
      // A retrieval searches first.
      const may = granted === tried || tried === 'echo' || (granted === 'retrieve' && tried === 'find');
      assert.equal(outcome, may ? 'done' : 'refused', `${granted}: ${tried}`);
    }
    for (const forbidden of [
      () => archive.accounts.users(),
      () => archive.keys.status(),
      () => archive.audit.list({}, { limit: 1 }),
    ])
      await assert.rejects(async () => forbidden(), `${granted} reaches nothing else`);
  }
});

async function* nothing(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(0);
}

test('a task of ours in the background reaches neither users, keys nor what was audited', () => {
  const archive = house.running.archive.as(background('forwarding'));
  for (const forbidden of [
    () => archive.accounts.users(),
    () => archive.keys.makeExport('a passphrase'),
    () => archive.audit.list({}, { limit: 1 }),
    () => archive.objects.remove({ tenant: defaultTenant, bucket: 'dicom', key: new Uint8Array(1) }),
  ])
    assert.throws(forbidden, (error) => isArchiveError(error, 'ACCESS_DENIED'));
});

test('no name and no id of a patient is in what was audited, whatever was asked', async () => {
  const { events } = await house.running.archive.audit.list({}, { limit: 10_000 });
  assert.ok(events.length > 50);
  for (const event of events) assert.doesNotMatch(JSON.stringify(event), /geheim|nachname/i);
});
