/*
 * Quality cases from outside: the same UID with other bytes told apart, what is odd listed and closed, and all of it the same after a restart and a rebuild.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { type Running, type StartOptions, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import {
  plainEntity,
  qualityKinds,
  qualityKindText,
  type StoredInstance,
  type StoreInstance,
} from '../src/archive/index.ts';
import { defaultTenant, isArchiveError } from '../src/base/index.ts';
import { encodeFrame } from '../src/dicom/index.ts';
import {
  explicitLittleEndian,
  implicitLittleEndian,
  type MadeInstance,
  makeInstance,
} from './support/made-instance.ts';
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

const study = '1.2.826.0.1.3680043.99.61';
const running = new AbortController().signal;
const jpegLs = '1.2.840.10008.1.2.4.80';

function store(house: Running, bytes: Uint8Array, more: Partial<StoreInstance> = {}): Promise<StoredInstance> {
  const data = (async function* () {
    yield bytes;
  })();
  return house.archive.instances.store(
    { tenant: defaultTenant, syntax: explicitLittleEndian, source: 'CT1', ...more },
    data,
  );
}

async function compareAll({ archive }: Running): Promise<number> {
  for (let count = 0; ; count += 1) if ((await archive.quality.compareNext(running)) === 'idle') return count;
}

async function kindsOf({ archive }: Running, state: 'open' | 'closed' = 'open'): Promise<string[]> {
  const cases = await Array.fromAsync(archive.quality.list({ state }));
  return cases.map((each) => each.kind).sort();
}

const shape = {
  rows: 16,
  columns: 16,
  samplesPerPixel: 1,
  bitsAllocated: 16,
  bitsStored: 12,
  highBit: 11,
  pixelRepresentation: 0 as const,
  photometricInterpretation: 'MONOCHROME2',
};
const samples = new Uint8Array(Uint16Array.from({ length: 256 }, (_, index) => (index * 37) & 0xfff).buffer);

/** The instance with its pixels in JPEG-LS. */
function compressed(made: MadeInstance, pixels: Uint8Array): Uint8Array {
  const item = (bytes: Uint8Array): Uint8Array => {
    const even = Buffer.concat([bytes, new Uint8Array(bytes.byteLength % 2)]);
    const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
    head.writeUInt32LE(even.byteLength, 4);
    return Buffer.concat([head, even]);
  };
  const encoded = encodeFrame({ shape, bytes: pixels.slice() }, jpegLs)?.bytes ?? new Uint8Array(0);
  return Buffer.concat([
    makeInstance({ ...made, pixels: null }),
    Buffer.from([0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff]),
    item(new Uint8Array(0)),
    item(encoded),
    Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]),
  ]);
}

test('the same UID with other bytes is classed by what differs, and only other pixels or another patient make a case', async () => {
  const { open } = house();
  let opened = await open();
  const first = await store(opened, makeInstance({ study, pixels: samples }));
  const changed = samples.slice();
  changed[100] = (changed[100] ?? 0) ^ 4;
  const made: [string, Uint8Array, Partial<StoreInstance>, string, readonly string[]][] = [
    ['in JPEG-LS', compressed({ study }, samples), { syntax: jpegLs }, 'syntax', []],
    [
      'implicit',
      makeInstance({ study, pixels: samples, explicit: false }),
      { syntax: implicitLittleEndian },
      'syntax',
      [],
    ],
    ['another description', makeInstance({ study, pixels: samples, description: 'head' }), {}, 'header', []],
    ['other pixels', makeInstance({ study, pixels: changed }), {}, 'pixels', []],
    ['other pixels in JPEG-LS', compressed({ study }, changed), { syntax: jpegLs }, 'pixels', []],
    ['another patient', makeInstance({ study, pixels: samples, patientId: 'P9' }), {}, 'header', ['PatientID']],
    ['in a syntax of nobody', makeInstance({ study, pixels: samples }), { syntax: '1.2.3.4.5' }, 'undecided', []],
  ];
  const stored: StoredInstance[] = [];
  for (const [, bytes, more] of made) stored.push(await store(opened, bytes, { source: 'CT2', ...more }));
  assert.ok(
    stored.every((each) => each.kind === 'beside' && !each.shown),
    'the first stays the one that is shown',
  );
  const withoutCases = (await kindsOf(opened)).filter((kind) => kind.startsWith('other-'));
  assert.deepEqual(withoutCases, [], 'nothing is a case before it was compared');

  // What waits is compared after a restart.
  await opened.close();
  opened = await open();
  assert.equal((await Array.fromAsync(opened.archive.quality.waiting())).length, made.length);
  assert.equal(await compareAll(opened), made.length);
  assert.equal(await compareAll(opened), 0, 'each once');

  const check = async (): Promise<void> => {
    const told = await opened.archive.quality.ofInstance(defaultTenant, `${study}.1.1`);
    assert.equal(told.length, made.length);
    for (const [index, [name, , , difference, identity]] of made.entries()) {
      const found = told.find((each) => each.id === stored[index]?.id);
      assert.deepEqual([found?.difference, found?.identity, found?.with], [difference, identity, first.id], name);
    }
    const header = told.find((each) => each.id === stored[2]?.id);
    assert.deepEqual(header?.paths, ['00081030']);
    const kinds = (await kindsOf(opened)).filter((kind) => kind.startsWith('other-'));
    assert.deepEqual(kinds, ['other-identity', 'other-pixels', 'other-undecided']);
  };
  await check();
  await opened.close();
  opened = await open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  await check();
  assert.equal(await compareAll(opened), 0, 'a rebuild knows what was compared');
  await opened.close();
});

test('what came long ago and is settled is compared with like anything else', async () => {
  const { open } = house();
  let opened = await open();
  const settle = async (): Promise<void> => {
    await opened.archive.sealOpen('all');
    for await (const report of opened.archive.settle(async () => undefined, { all: true, signal: running }))
      assert.ok(report.released);
  };
  const first = await store(opened, makeInstance({ study, pixels: samples, patientId: '' }));
  await settle();
  const second = await store(opened, makeInstance({ study, pixels: samples, patientId: '', explicit: false }), {
    syntax: implicitLittleEndian,
  });
  await settle();
  const third = await store(opened, makeInstance({ study, patientId: '' }));
  const check = async (): Promise<void> => {
    const told = await opened.archive.quality.ofInstance(defaultTenant, `${study}.1.1`);
    assert.deepEqual(
      told.map((each) => [each.id, each.with, each.difference]),
      [
        [second.id, first.id, 'syntax'],
        [third.id, first.id, 'pixels'],
      ],
    );
    assert.deepEqual(await kindsOf(opened), ['other-pixels', 'patient-id-missing']);
  };
  assert.equal(await compareAll(opened), 2);
  await check();
  await settle();
  await check();
  await opened.close();
  opened = await open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  await check();
  assert.equal(await compareAll(opened), 0);
  await opened.close();
});

test('another study or series under a known UID is a case, and a document with other content', async () => {
  const opened = await house().open();
  const uid = `${study}.7.7`;
  const pdf = (text: string): [number, string, Uint8Array] => [
    0x0042_0011,
    'OB',
    Buffer.from(text.padEnd(80_000, ' ')),
  ];
  await store(opened, makeInstance({ study, instance: uid }));
  await store(opened, makeInstance({ study: `${study}.2`, instance: uid }));
  await store(opened, makeInstance({ study, number: 2, pixels: null, more: [pdf('one')] }));
  await store(opened, makeInstance({ study, number: 2, pixels: null, more: [pdf('two')] }));
  await store(opened, makeInstance({ study, number: 3, pixels: null, more: [pdf('one')] }));
  await store(opened, makeInstance({ study, number: 3, pixels: null, description: 'x', more: [pdf('one')] }));
  assert.equal(await compareAll(opened), 3);
  const [moved] = await opened.archive.quality.ofInstance(defaultTenant, uid);
  assert.deepEqual(moved?.identity, ['StudyInstanceUID', 'SeriesInstanceUID']);
  assert.equal(moved?.difference, 'header');
  const [document] = await opened.archive.quality.ofInstance(defaultTenant, `${study}.1.2`);
  assert.equal(document?.difference, 'pixels');
  const [described] = await opened.archive.quality.ofInstance(defaultTenant, `${study}.1.3`);
  assert.deepEqual([described?.difference, described?.paths], ['header', ['00081030']]);
  assert.deepEqual(await kindsOf(opened), ['other-identity', 'other-pixels']);
  await opened.close();
});

test('the last counts for kinds of objects that the AE table names, and nothing is overwritten', async () => {
  const { stele, open } = house();
  let opened = await open();
  await opened.archive.entities.set(plainEntity('WS1'));
  await opened.close();
  await stele.done('ae', 'set', 'WS1', '--last', 'presentation-state,report');
  opened = await open();
  const rule = (await opened.archive.entities.get('WS1'))?.whenKnown;
  assert.deepEqual(rule, ['presentation-state', 'report']);
  const kinds: [string, boolean][] = [
    ['1.2.840.10008.5.1.4.1.1.2', false],
    ['1.2.840.10008.5.1.4.1.1.11.1', true],
    ['1.2.840.10008.5.1.4.1.1.88.22', true],
    ['1.2.840.10008.5.1.4.1.1.88.59', false],
  ];
  for (const [index, [sopClass, isLast]] of kinds.entries()) {
    const instance = `${study}.8.${index}`;
    const made = { study, instance, sopClass, pixels: null };
    const first = await store(opened, makeInstance(made), { whenKnown: rule });
    const second = await store(opened, makeInstance({ ...made, description: 'corrected' }), { whenKnown: rule });
    assert.deepEqual([second.kind, second.shown], ['beside', isLast], sopClass);
    for (const each of [first, second]) assert.ok((await opened.archive.instances.object(each)).sizeBytes > 0);
  }
  await opened.close();
  const wrong = await stele.run('ae', 'set', 'WS1', '--last', 'films');
  assert.equal(wrong.code, 2);
  await stele.done('ae', 'set', 'WS1', '--last', 'none');
  assert.match((await stele.done('ae', 'list', '--json')).out, /"whenKnown":"first"/);
});

test('cases are listed by kind, source and day, shown, closed with a reason, and open again when the trouble comes again', async () => {
  const { stele, open } = house();
  let opened = await open();
  await store(opened, makeInstance({ study, patientId: '' }), { source: 'CT1' });
  await store(opened, makeInstance({ study: `${study}.2`, patientId: '' }), { source: 'CT2' });
  await store(opened, makeInstance({ study, number: 2, pixels: samples }));
  const beside = await store(opened, makeInstance({ study, number: 2 }), { source: 'CT2' });
  await opened.close();
  assert.match((await stele.done('quality', 'compare')).out, /^1 compared, 0 could not be/);

  const list = async (...flags: string[]): Promise<Record<string, unknown>[]> => {
    const { out } = await stele.done('quality', 'list', '--json', ...flags);
    return out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  assert.equal((await list()).length, 3);
  assert.equal((await list('--kind', 'patient-id-missing')).length, 2);
  assert.equal((await list('--kind', 'patient-id-missing', '--source', 'CT2')).length, 1);
  assert.equal((await list('--since', '1')).length, 3);
  assert.equal((await list('--since', '21000101')).length, 0);
  assert.equal((await list('--study', study)).length, 2);
  assert.equal((await stele.run('quality', 'list', '--kind', 'bad-weather')).code, 2);
  assert.equal((await stele.run('quality', 'list', '--since', '20240230')).code, 2);

  const [pixels] = await list('--kind', 'other-pixels');
  const id = String(pixels?.['id']);
  const shown = (await stele.done('quality', 'show', id.slice(0, 8))).out;
  assert.match(shown, /came again .* from CT2/);
  assert.ok(
    shown.includes(beside.id) && shown.includes('other pixels') && shown.includes(qualityKindText('other-pixels')),
  );
  assert.match((await stele.done('quality', 'show', `${study}.1.2`)).out, /other pixels/);
  assert.equal((await stele.run('quality', 'show', 'ffffffff')).code, 1);

  assert.equal((await stele.run('quality', 'close', id)).code, 2, 'it says why');
  await stele.done('quality', 'close', id, '--why', 'sent twice by mistake', '--by', 'wang');
  assert.equal((await list('--kind', 'other-pixels')).length, 0);
  const [closed] = await list('--closed');
  const decided = closed?.['decided'] as Record<string, unknown> | undefined;
  assert.deepEqual(
    [closed?.['id'], closed?.['state'], decided?.['who'], decided?.['why']],
    [id, 'closed', 'wang', 'sent twice by mistake'],
  );
  await stele.done('quality', 'close', '--kind', 'patient-id-missing', '--source', 'CT1', '--why', 'a phantom');
  assert.deepEqual(
    (await list('--kind', 'patient-id-missing')).map((each) => each['source']),
    ['CT2'],
  );

  opened = await open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  assert.deepEqual(await kindsOf(opened, 'closed'), ['other-pixels', 'patient-id-missing']);
  await store(opened, makeInstance({ study, number: 3, patientId: '' }), { source: 'CT1' });
  assert.deepEqual(await kindsOf(opened), ['patient-id-missing', 'patient-id-missing'], 'the same trouble again');
  await opened.close();
  assert.deepEqual((await list('--closed')).length, 1);
  await stele.done('quality', 'reopen', id, '--why', 'it was none');
  assert.deepEqual((await list('--closed')).length, 0);
});

test('a shredded study takes its cases, comparisons and what was decided along', async () => {
  const opened = await house().open();
  await store(opened, makeInstance({ study, patientId: '', pixels: samples }));
  const other = await store(opened, makeInstance({ study, patientId: '' }));
  await compareAll(opened);
  const [one] = await Array.fromAsync(opened.archive.quality.list({}));
  await opened.archive.quality.decide(one?.id ?? '', { state: 'closed', who: 'a', why: 'b' });
  const { group } = await opened.archive.instances.object(other);
  await opened.archive.keys.shred(group);
  assert.deepEqual(await Array.fromAsync(opened.archive.quality.list({})), []);
  assert.deepEqual(await opened.archive.quality.ofInstance(defaultTenant, `${study}.1.1`), []);
  await assert.rejects(opened.archive.quality.show(one?.id ?? ''), (error) => isArchiveError(error, 'NOT_FOUND'));
  await opened.close();
});

test('a server compares by itself', async () => {
  const opened = await house().open();
  await store(opened, makeInstance({ study, pixels: samples }));
  await store(opened, makeInstance({ study }));
  opened.upkeep.start();
  const deadline = Date.now() + 20_000;
  while ((await kindsOf(opened)).length === 0 && Date.now() < deadline)
    await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await kindsOf(opened), ['other-pixels']);
  await opened.close();
});

test('every kind of case that is made has its sentence', () => {
  const read = (name: string): string =>
    readFileSync(path.join(import.meta.dirname, '..', 'src', ...name.split('/')), 'utf8');
  const kinds = [
    ...read('dicom/data/oddity.ts').matchAll(/\| '([a-z-]+)'/g),
    ...read('archive/instance-reader.ts').matchAll(/oddities\.add\('([a-z-]+)'\)/g),
    ...read('catalog/apply-quality.ts').matchAll(/kinds\.push\('([a-z-]+)'\)/g),
  ].map((match) => match[1] ?? '');
  assert.ok(kinds.length > 20);
  for (const kind of kinds) assert.ok(qualityKinds.includes(kind), kind);
});
