/*
 * Devices that declare another character set than they send: found out by their texts and habits, said by people for what came and what will come, and taken back.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Running, type StartOptions, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import type { DeviceShown, StoredInstance } from '../src/archive/index.ts';
import { defaultTenant, isArchiveError } from '../src/base/index.ts';
import {
  DataSet,
  DataSetReader,
  encodeDataSet,
  parseCharacterSet,
  tagOfKeyword,
  tags,
  transferSyntaxOf,
} from '../src/dicom/index.ts';
import { ctImageStorage, explicitLittleEndian } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const folders: Stele[] = [];
after(() => {
  for (const each of folders) each.remove();
});

type House = { readonly stele: Stele; readonly open: (more?: Partial<StartOptions>) => Promise<Running> };

function house(): House {
  const stele = new Stele();
  folders.push(stele);
  const open: House['open'] = (more = {}) =>
    start({
      settings: settingsOf([{ workers: 1, settleSeconds: 0 }], stele.folder),
      create: true,
      say: () => undefined,
      ...more,
    });
  return { stele, open };
}

const study = '1.2.826.0.1.3680043.99.71';
const never = new AbortController().signal;
const syntax = transferSyntaxOf(explicitLittleEndian);

type Made = {
  readonly number?: number;
  readonly name?: string;
  readonly declared?: readonly string[];
  readonly sent?: string;
  readonly station?: string;
  readonly institution?: string;
};

/** An instance of a study of its own whose texts are in one set and which declares another. */
function made({
  number = 1,
  name = '张三',
  declared = ['ISO_IR 100'],
  sent = 'GB18030',
  ...more
}: Made = {}): Uint8Array {
  const set = parseCharacterSet([sent]);
  const dataSet = new DataSet();
  if (declared.length > 0) dataSet.setString(tags.SpecificCharacterSet, declared);
  dataSet.setString(tags.SOPClassUID, ctImageStorage);
  dataSet.setString(tags.SOPInstanceUID, `${study}.${number}.1.1`);
  dataSet.setString(tags.StudyInstanceUID, `${study}.${number}`);
  dataSet.setString(tags.SeriesInstanceUID, `${study}.${number}.1`);
  dataSet.setString(tags.Modality, 'CT');
  dataSet.setString(tags.PatientID, `P${number}`);
  assert.ok(dataSet.setText(tags.PatientName, name, set));
  const texts = { Manufacturer: 'ACME', ManufacturerModelName: 'Scan 7', StationName: more.station ?? 'CT1' };
  for (const [keyword, text] of Object.entries(texts)) dataSet.setString(tagOfKeyword(keyword) ?? 0, text, 'LO');
  if (more.institution !== undefined) dataSet.setText(tagOfKeyword('InstitutionName') ?? 0, more.institution, set);
  return encodeDataSet(dataSet, syntax);
}

function store(running: Running, bytes: Uint8Array): Promise<StoredInstance> {
  const data = (async function* () {
    yield bytes;
  })();
  const options = { tenant: defaultTenant, syntax: explicitLittleEndian, source: 'CT1AE' };
  return running.archive.instances.store(options, data);
}

/** Studies found by a word of a name, and what their patients are called. */
async function found({ archive }: Running, word: string): Promise<string[]> {
  const query = {
    tenant: defaultTenant,
    level: 'study' as const,
    keys: [{ tag: tags.PatientName, values: [word] }],
    wanted: [tags.PatientName, tags.StudyInstanceUID],
    fuzzy: true,
  };
  const names: string[] = [];
  for await (const answer of archive.studies.answers(query)) {
    const uid = String(answer.values.get(tags.StudyInstanceUID)?.[0]);
    names.push(`${uid.slice(study.length + 1)} ${String(answer.values.get(tags.PatientName)?.[0])}`);
  }
  return names.sort();
}

async function leaves({ archive }: Running, number: number): Promise<Buffer> {
  const conditions = [
    { field: 'studyUid' as const, match: { kind: 'equals' as const, values: [`${study}.${number}`] } },
  ];
  for await (const instance of archive.studies.instances({ tenant: defaultTenant, conditions })) {
    const { pieces } = await archive.instances.output(instance, [explicitLittleEndian]);
    return Buffer.concat(await Array.fromAsync(pieces));
  }
  throw new Error('no such instance');
}

function charsetOf(bytes: Uint8Array): string {
  const reader = new DataSetReader({ syntax });
  reader.push(bytes);
  return reader.finish().strings(tags.SpecificCharacterSet).join('\\');
}

async function deviceOf({ archive }: Running, station = 'CT1'): Promise<DeviceShown> {
  const device = (await archive.devices.list()).find((each) => each.station === station);
  assert.ok(device !== undefined);
  return device;
}

async function repaired({ archive }: Running, id: string): Promise<string[]> {
  const outcomes: string[] = [];
  for await (const { outcome } of archive.devices.repair(id, never)) outcomes.push(outcome);
  return outcomes;
}

test('names in another set than the declared one are shown and found rightly, and leave byte for byte', async () => {
  const { open, stele } = house();
  let running = await open();
  const cases: [Made, string][] = [
    [{ number: 1, name: '张三', institution: '人民医院' }, '1 张三'],
    [{ number: 2, name: '李小龙', declared: [], institution: '人民医院' }, '2 李小龙'],
    [{ number: 3, name: '王五', sent: 'ISO_IR 192', institution: '人民医院放射科' }, '3 王五'],
    [{ number: 4, name: 'ZHAO^LIU', declared: [] }, '4 ZHAO^LIU'],
    [{ number: 5, name: '钱七', declared: ['GB18030'] }, '5 钱七'],
    [{ number: 6, name: 'Müller^Jörg', sent: 'ISO_IR 100', station: 'CT2' }, '6 Müller^Jörg'],
  ];
  for (const [each] of cases) await store(running, made(each));
  const check = async (): Promise<void> => {
    for (const [index, word] of ['zs', '李小龙', 'wangwu', 'zhao', '钱七', 'muller'].entries())
      assert.deepEqual(await found(running, word), [cases[index]?.[1]], word);
    const { habits } = await deviceOf(running);
    assert.deepEqual(
      habits.map(({ how, declared, read, seriesCount }) => `${seriesCount} ${how} ${declared} > ${read}`).sort(),
      [
        '1 declared GB18030 > GB18030',
        '1 plain  > ',
        '1 text  > GB18030',
        '1 text ISO_IR 100 > GB18030',
        '1 text ISO_IR 100 > ISO_IR 192',
      ],
    );
  };
  await check();
  for (const [each] of cases) assert.deepEqual(await leaves(running, each.number ?? 0), Buffer.from(made(each)));
  await running.archive.sealOpen('all');
  for await (const report of running.archive.settle(async () => undefined, { all: true, signal: never }))
    assert.ok(report.released);
  await check();
  await running.close();
  running = await open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  await check();
  await running.close();
  const listed = (await stele.done('device', 'list', '--odd')).out;
  assert.match(listed, /CT1AE {2}ACME {2}SCAN 7 {2}CT1/);
  assert.match(listed, /1 series: GB18030, declared ISO_IR 100/);
  assert.doesNotMatch(listed, /CT2/);
});

/** Two characters whose GBK bytes are valid UTF-8 as well. */
const ambiguous = '魏蔚';

test('what cannot be decided is a case, and the habit of the device decides it', async () => {
  const running = await house().open();
  const undecided = made({ number: 1, name: ambiguous, declared: [] });
  await store(running, undecided);
  const kinds = async (): Promise<string[]> => {
    const cases = await Array.fromAsync(running.archive.quality.list({ state: 'open' }));
    return cases.map((each) => `${each.kind} ${each.studyUid.slice(study.length + 1)}`).sort();
  };
  assert.deepEqual(await kinds(), ['charset-undecided 1']);
  for (let number = 2; number < 40; number += 1)
    await store(running, made({ number, name: '欧阳修', declared: [], institution: '第一人民医院影像科' }));
  await store(running, made({ number: 50, name: ambiguous, declared: [] }));
  assert.deepEqual(await kinds(), ['charset-undecided 1']);
  assert.deepEqual(await found(running, ambiguous), ['1 魏蔚', '50 魏蔚'], 'the likelier reading is shown meanwhile');
  await running.close();
});

test('what somebody says of a device counts for what came and what comes, is told to who receives it, and can be taken back', async () => {
  const { open, stele } = house();
  let running = await open();
  // Russian under the set that was delivered: nobody can know.
  const russian = { sent: 'ISO_IR 144', declared: ['ISO_IR 100'], name: 'ИВАНОВ^ИВАН' };
  await store(running, made({ number: 1, ...russian }));
  await store(running, made({ number: 2, ...russian, station: 'CT9' }));
  assert.deepEqual(await found(running, 'иванов'), []);
  const { id } = await deviceOf(running);
  await running.close();

  assert.equal((await stele.run('device', 'charset', id, 'ISO_IR 144')).code, 2, 'it says why');
  assert.equal((await stele.run('device', 'charset', id, 'KLINGON', '--why', 'x')).code, 2);
  assert.equal((await stele.run('device', 'charset', 'ffff0000', 'GBK', '--why', 'x')).code, 1);
  assert.match(
    (await stele.done('device', 'charset', id, 'ISO_IR 144', '--why', 'a Russian console', '--by', 'wang')).out,
    /^1 series read anew, 0 could not be/,
  );
  running = await open();
  await store(running, made({ number: 3, ...russian }));
  const check = async (): Promise<void> => {
    assert.deepEqual(
      await found(running, 'иванов'),
      ['1 ИВАНОВ^ИВАН', '3 ИВАНОВ^ИВАН'],
      'and not those of another device',
    );
    assert.equal(charsetOf(await leaves(running, 1)), 'ISO_IR 144');
    assert.equal(charsetOf(await leaves(running, 3)), 'ISO_IR 144');
    assert.deepEqual(await leaves(running, 2), Buffer.from(made({ number: 2, ...russian, station: 'CT9' })));
    const { setting } = await deviceOf(running);
    assert.deepEqual([setting?.terms, setting?.who, setting?.done], [['ISO_IR 144'], 'wang', true]);
  };
  await check();
  assert.deepEqual(await repaired(running, id), ['unchanged', 'unchanged'], 'again changes nothing');
  // Settling writes entries anew, which must not bring back what they said first.
  await running.archive.sealOpen('all');
  for await (const report of running.archive.settle(async () => undefined, { all: true, signal: never }))
    assert.ok(report.released);
  await check();
  await running.close();
  running = await open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  await check();
  await running.close();

  await stele.done('device', 'charset', id, 'auto', '--why', 'it was changed');
  running = await open();
  assert.deepEqual(await found(running, 'иванов'), []);
  for (const number of [1, 3])
    assert.deepEqual(await leaves(running, number), Buffer.from(made({ number, ...russian })));
  await running.close();
});

test('a setting may be for what declares one set alone, and ends the cases that it decides', async () => {
  const running = await house().open();
  await store(running, made({ number: 1, name: ambiguous, declared: [] }));
  await store(running, made({ number: 2, name: '张三', sent: 'ISO_IR 192', declared: ['ISO_IR 192'] }));
  const { id } = await deviceOf(running);
  await running.archive.devices.setCharset(id, { terms: ['GBK'], declared: [''], who: 'a', why: 'b' });
  assert.deepEqual((await repaired(running, id)).filter((each) => each === 'changed').length, 1);
  assert.deepEqual(await found(running, ambiguous), ['1 魏蔚']);
  assert.deepEqual(await found(running, '张三'), ['2 张三']);
  assert.deepEqual(await Array.fromAsync(running.archive.quality.list({ state: 'open' })), []);
  const [closed] = await Array.fromAsync(running.archive.quality.list({ state: 'closed' }));
  assert.equal(closed?.kind, 'charset-undecided');
  for (const terms of [[''], ['FUTURESET']])
    await assert.rejects(
      running.archive.devices.setCharset(id, { terms, declared: undefined, who: 'a', why: 'b' }),
      (error) => isArchiveError(error, 'ARGUMENT_INVALID'),
    );
  await running.close();
});

test('a server goes on with what a restart interrupted', async () => {
  const { open } = house();
  let running = await open();
  for (let number = 1; number <= 5; number += 1)
    await store(running, made({ number, sent: 'ISO_IR 144', name: `ИВАНОВ^${number}` }));
  const { id } = await deviceOf(running);
  await running.archive.devices.setCharset(id, { terms: ['ISO_IR 144'], declared: undefined, who: 'a', why: 'b' });
  assert.equal(await running.archive.devices.repairNext(never), 'busy');
  await running.close();
  running = await open();
  while ((await running.archive.devices.repairNext(never)) === 'busy');
  assert.equal((await found(running, 'иванов')).length, 5);
  assert.equal((await deviceOf(running)).setting?.done, true);
  await running.close();
});
