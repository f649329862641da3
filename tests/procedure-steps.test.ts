/* Performed procedure steps, as a modality tells them: over an association with our own requestor, and as a person lists them. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { entityRights, plainEntity } from '../src/archive/index.ts';
import { defaultTenant, systemClock } from '../src/base/index.ts';
import {
  type Association,
  cFind,
  DataSet,
  DataSetReader,
  encodeDataSet,
  nCreate,
  nSet,
  openAssociation,
  tags,
  transferSyntaxOf,
} from '../src/dicom/index.ts';
import { openDimse } from '../src/doors/dimse/index.ts';
import { openWebHouse } from './support/dicomweb-rig.ts';
import { explicitLittleEndian, makeInstance } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const performedStep = '1.2.840.10008.3.1.2.3.3';
const study = '1.2.826.0.1.3680043.99.51';
const stele = new Stele();
const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
  stele.remove();
});

type Said = { readonly state?: string; readonly study?: string; readonly series?: Readonly<Record<string, number>> };

function stepBytes(said: Said): Uint8Array {
  const itemWith = (tag: number, uid: string): DataSet => {
    const item = new DataSet();
    item.setString(tag, uid);
    return item;
  };
  const dataSet = new DataSet();
  dataSet.setString(tags.Modality, 'CT');
  if (said.state !== undefined) dataSet.setString(tags.PerformedProcedureStepStatus, said.state);
  if (said.study !== undefined)
    dataSet.setItems(tags.ScheduledStepAttributesSequence, [itemWith(tags.StudyInstanceUID, said.study)]);
  if (said.series !== undefined)
    dataSet.setItems(
      tags.PerformedSeriesSequence,
      Object.entries(said.series).map(([uid, count]) => {
        const item = itemWith(tags.SeriesInstanceUID, uid);
        const images = Array.from({ length: count }, (_, index) =>
          itemWith(tags.ReferencedSOPInstanceUID, `${uid}.${index + 1}`),
        );
        item.setItems(tags.ReferencedImageSequence, images);
        return item;
      }),
    );
  return encodeDataSet(dataSet, transferSyntaxOf(explicitLittleEndian));
}

test('a step is created in progress, changed until it ends, and not after that; what it names is compared with what came', async () => {
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
  });
  const call = (): Promise<Association> =>
    openAssociation({
      host: '127.0.0.1',
      port: door.port,
      calling: 'CT1',
      called: 'STELE',
      contexts: [{ id: 1, abstractSyntax: performedStep, transferSyntaxes: [explicitLittleEndian] }],
    });
  const association = await call();
  const create = async (sopInstance: string | undefined, said: Said): Promise<number> =>
    (await nCreate(association, { sopClass: performedStep, sopInstance, data: stepBytes(said) })).status;
  const set = (sopInstance: string, said: Said): ReturnType<typeof nSet> =>
    nSet(association, { sopClass: performedStep, sopInstance, data: stepBytes(said) });

  assert.equal(await create('2.25.7', { state: 'COMPLETED', study }), 0x0106, 'it begins in progress');
  assert.equal(await create('2.25.7', { study }), 0x0120);
  assert.equal(await create('2.25.7', { state: 'IN PROGRESS' }), 0x0120, 'it is of a study');
  assert.equal(await create(undefined, { state: 'IN PROGRESS', study }), 0x0117);
  assert.equal(await create('2.25.7', { state: 'IN PROGRESS', study }), 0);
  assert.equal(await create('2.25.7', { state: 'IN PROGRESS', study }), 0x0111);

  assert.equal((await set('2.25.8', { state: 'COMPLETED' })).status, 0x0112);
  assert.equal((await set('2.25.7', { state: 'HALTED' })).status, 0x0106);
  assert.equal((await set('2.25.7', { series: { [`${study}.1`]: 1 } })).status, 0);
  assert.equal((await set('2.25.7', { state: 'COMPLETED', series: { [`${study}.1`]: 2 } })).status, 0);
  const late = await set('2.25.7', { state: 'DISCONTINUED' });
  assert.deepEqual([late.status, late.command.errorId], [0x0110, 0xa506]);
  await association.release();

  const [step] = await Array.fromAsync(running.archive.steps.list());
  assert.deepEqual(
    [step?.instanceUid, step?.state, step?.station, step?.modality, step?.studies, step?.series],
    ['2.25.7', 'COMPLETED', 'CT1', 'CT', [study], [{ seriesUid: `${study}.1`, instances: 2 }]],
  );
  const may = entityRights.filter((right) => right !== 'report');
  await running.archive.entities.set({ ...plainEntity('CT1'), may });
  const refused = await call();
  const data = stepBytes({ state: 'IN PROGRESS', study });
  const answer = await nCreate(refused, { sopClass: performedStep, sopInstance: '2.25.9', data });
  assert.equal(answer.status, 0x0124);
  await refused.release();

  const options = { tenant: defaultTenant, syntax: explicitLittleEndian };
  const bytes = (async function* () {
    yield makeInstance({ study, number: 1 });
  })();
  await running.archive.instances.store(options, bytes);
  for (const close of closing.splice(0)) await close();
  assert.match((await stele.done('steps', '--open')).out, /^COMPLETED {2}CT1 {2}\S+ {2}1 of 2 here/);
  assert.deepEqual(faults, []);
});

test('a study is incomplete while its steps say so, which queries answer, the status counts and open steps list', async () => {
  const other = new Stele();
  const settings = settingsOf([{ workers: 1 }], other.folder);
  const running = await start({ settings, create: true, say: () => undefined });
  const { steps, studies, instances } = running.archive;
  const tenant = defaultTenant;
  const store = async (number: number): Promise<void> => {
    await instances.store(
      { tenant, syntax: explicitLittleEndian },
      (async function* () {
        yield makeInstance({ study, number });
      })(),
    );
  };
  const begin = (instanceUid: string, createdMs: number): Promise<unknown> =>
    steps.create({
      instanceUid,
      tenant,
      state: 'IN PROGRESS',
      station: 'CT1',
      modality: 'CT',
      studies: [study],
      series: [],
      createdMs,
      changedMs: createdMs,
    });
  const asked = async (level: 'study' | 'series', status?: string): Promise<unknown[]> => {
    const wanted = [tags.StudyStatusID, tags.PerformedProcedureStepStatus];
    const keys = status === undefined ? [] : [{ tag: tags.StudyStatusID, values: [status] }];
    const found = await Array.fromAsync(studies.answers({ tenant, level, keys, wanted, fuzzy: false }));
    return found.map(({ values }) => wanted.map((tag) => values.get(tag)?.[0] ?? '').join(' '));
  };
  const open = async (): Promise<string[]> =>
    (await Array.fromAsync(steps.open())).map(({ step, said, missing }) => `${step.state} ${missing}/${said}`);

  await store(1);
  assert.deepEqual(await asked('study'), [' '], 'no modality said anything');
  assert.equal(await steps.completeness(tenant, study), undefined);
  await begin('2.25.1', 1);
  assert.deepEqual(await asked('study'), ['STARTED IN PROGRESS']);
  assert.deepEqual(await asked('series'), ['STARTED IN PROGRESS']);
  assert.deepEqual(await open(), ['IN PROGRESS 0/0']);
  await steps.change(
    { tenant, instanceUid: '2.25.1' },
    { state: 'COMPLETED', series: [{ seriesUid: `${study}.1`, instances: 2 }] },
    2,
  );
  assert.deepEqual(await asked('study'), ['STARTED COMPLETED'], 'it names more than came');
  assert.deepEqual(await open(), ['COMPLETED 1/2']);
  assert.equal((await asked('study', 'STARTED')).length, 1);
  assert.equal((await asked('study', 'COMPLETED')).length, 0);
  await store(2);
  await store(3);
  assert.deepEqual(await asked('study'), ['COMPLETED COMPLETED'], 'more than it names is no less');
  assert.deepEqual(await open(), []);

  await begin('2.25.2', 3);
  await steps.change({ tenant, instanceUid: '2.25.2' }, { state: 'DISCONTINUED', series: undefined }, 4);
  assert.deepEqual(await asked('study'), ['STARTED DISCONTINUED'], 'one was left in the middle');
  await begin('2.25.3', 5);
  await steps.change({ tenant, instanceUid: '2.25.3' }, { state: 'COMPLETED', series: undefined }, 6);
  assert.deepEqual(await asked('study'), ['COMPLETED COMPLETED'], 'and done again');
  await begin('2.25.4', 7);
  await running.close();
  assert.match((await other.done('status')).out, /1 steps in progress, 0 with less here/);
  assert.match((await other.done('status', '--json')).out, /"steps":\{"inProgress":1,"short":0,"isAll":true\}/);
  assert.match((await other.done('steps', '--open')).out, /^IN PROGRESS {2}CT1/);
  assert.equal((await other.done('steps')).out.trim().split('\n').length, 4);
  other.remove();
});

test('QIDO-RS and C-FIND answer and match whether a study is complete', async () => {
  const house = await openWebHouse();
  const { archive } = house.running;
  const door = await openDimse({
    archive: () => archive,
    host: '127.0.0.1',
    port: 0,
    title: 'STELE',
    tlsClient: {},
    clock: systemClock,
    onFault: () => undefined,
  });
  try {
    for (const number of [1, 2]) await house.store(makeInstance({ study: `${study}.${number}`, number }));
    await archive.steps.create({
      instanceUid: '2.25.6',
      tenant: defaultTenant,
      state: 'IN PROGRESS',
      station: 'CT1',
      modality: 'CT',
      studies: [`${study}.2`],
      series: [],
      createdMs: 1,
      changedMs: 1,
    });
    type Row = Readonly<Record<string, { readonly Value?: readonly string[] }>>;
    const asked = async (words: string): Promise<string[]> =>
      ((await (await house.get(`/studies?${words}`)).json()) as Row[])
        .map((row) => ['0020000D', '0032000A', '00400252'].map((tag) => row[tag]?.Value?.[0] ?? '-').join(' '))
        .toSorted();
    assert.deepEqual(await asked('includefield=StudyStatusID&includefield=00400252'), [
      `${study}.1 - -`,
      `${study}.2 STARTED IN PROGRESS`,
    ]);
    assert.deepEqual(await asked('StudyStatusID=STARTED'), [`${study}.2 STARTED -`]);
    const studyFind = '1.2.840.10008.5.1.4.1.2.2.1';
    const association = await openAssociation({
      host: '127.0.0.1',
      port: door.port,
      calling: 'WS1',
      called: 'STELE',
      contexts: [{ id: 1, abstractSyntax: studyFind, transferSyntaxes: [explicitLittleEndian] }],
    });
    const keys = new DataSet();
    keys.setString(tags.QueryRetrieveLevel, 'STUDY');
    keys.setString(tags.StudyInstanceUID, '');
    keys.setString(tags.StudyStatusID, 'STARTED');
    const identifier = encodeDataSet(keys, transferSyntaxOf(explicitLittleEndian));
    const found: (string | undefined)[] = [];
    for await (const match of cFind(association, { sopClass: studyFind, identifier })) {
      const reader = new DataSetReader({ syntax: transferSyntaxOf(explicitLittleEndian) });
      reader.push(match.identifier);
      const answer = reader.finish();
      found.push(answer.string(tags.StudyInstanceUID), answer.string(tags.StudyStatusID));
    }
    await association.release();
    assert.deepEqual(found, [`${study}.2`, 'STARTED']);
  } finally {
    await door.close();
    await house.close();
  }
});
