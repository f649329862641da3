/*
 * DICOM instances in the archive: kept byte for byte, found by what they say, the same after a rebuild and after settling.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { type Running, type StartOptions, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import type { StoredInstance, StoreInstance } from '../src/archive/index.ts';
import { defaultTenant, isArchiveError, SeededRandom } from '../src/base/index.ts';
import { DataSetReader, encodeFrame, Part10Reader, tags, transferSyntaxOf } from '../src/dicom/index.ts';
import {
  elementBytes,
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

async function* inPieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.byteLength; from += size) yield bytes.subarray(from, from + size);
}

function store(running: Running, bytes: Uint8Array, more: Partial<StoreInstance> = {}): Promise<StoredInstance> {
  const options = { tenant: defaultTenant, syntax: explicitLittleEndian, source: 'TEST', ...more };
  return running.archive.instances.store(options, inPieces(bytes));
}

async function readBack(
  running: Running,
  stored: { readonly id: string; readonly instanceUid: string },
): Promise<Buffer> {
  const row = await running.archive.instances.object(stored);
  const pieces: Uint8Array[] = [];
  for await (const piece of running.archive.instances.read(row)) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

type Asked = Partial<Record<keyof typeof tags, string>>;

async function ask(
  running: Running,
  level: 'patient' | 'study' | 'series' | 'instance',
  asked: Asked,
  fuzzy = false,
): Promise<Record<string, string>[]> {
  const keys = Object.entries(asked).map(([name, value]) => ({
    tag: tags[name as keyof typeof tags],
    values: [value],
  }));
  const found: Record<string, string>[] = [];
  const query = { tenant: defaultTenant, level, keys, wanted: keys.map((key) => key.tag), fuzzy };
  for await (const answer of running.archive.studies.answers(query)) {
    const row: Record<string, string> = {};
    for (const [name, tag] of Object.entries(tags)) {
      const values = answer.values.get(tag);
      if (values !== undefined) row[name] = values.join('\\');
    }
    found.push(row);
  }
  return found;
}

const study = '1.2.826.0.1.3680043.99.7';

test('a data set comes back byte for byte, whatever its pieces and its syntax', async () => {
  const running = await house()();
  const random = new SeededRandom(5);
  const cases: [MadeInstance, string][] = [
    [{}, explicitLittleEndian],
    [{ explicit: false, number: 2 }, implicitLittleEndian],
    [{ number: 3, pixels: null }, explicitLittleEndian],
    [{ number: 4, rows: 512, columns: 512, frames: 3, pixels: random.bytes(512 * 512 * 2 * 3) }, explicitLittleEndian],
    // A frame beyond a chunk, and a header that lies about its pixels.
    [{ number: 5, rows: 1200, columns: 1000, pixels: random.bytes(1200 * 1000 * 2) }, explicitLittleEndian],
    [{ number: 6, rows: 65_535, columns: 3, pixels: random.bytes(70_002) }, explicitLittleEndian],
    [{ number: 7, more: [[0x7fe1_0010, 'LO', 'OURS']] }, explicitLittleEndian],
  ];
  for (const [made, syntax] of cases) {
    const bytes = makeInstance(made);
    const stored = await store(running, bytes, { syntax });
    assert.equal(stored.kind, 'stored');
    assert.ok((await readBack(running, stored)).equals(bytes), `${syntax} ${JSON.stringify(made.number)}`);
  }
  await running.close();
});

test('what a header says is found at every level, and by pinyin', async () => {
  const running = await house()();
  for (let number = 1; number <= 3; number += 1) await store(running, makeInstance({ study, number }));
  await store(running, makeInstance({ study, series: `${study}.2`, number: 1, modality: 'SR', pixels: null }));
  await store(running, makeInstance({ patientId: 'P0002', patientName: 'Li^Si', accession: 'B7' }));
  const studies = await ask(running, 'study', {
    PatientName: 'ZHANG*',
    StudyDate: '20240101-20241231',
    ModalitiesInStudy: '',
    NumberOfStudyRelatedInstances: '',
    NumberOfPatientRelatedInstances: '',
    SOPClassesInStudy: '',
  });
  assert.equal(studies.length, 1);
  assert.equal(studies[0]?.['StudyInstanceUID'], study);
  assert.equal(studies[0]?.['ModalitiesInStudy'], 'CT\\SR');
  assert.equal(studies[0]?.['NumberOfStudyRelatedInstances'], '4');
  assert.equal(studies[0]?.['NumberOfPatientRelatedInstances'], '4');
  assert.equal(studies[0]?.['PatientName'], 'Zhang^San=张^三');
  assert.equal(studies[0]?.['StudyDescription'], '胸部 CT');
  const count = async (level: 'study' | 'series' | 'instance', asked: Asked, fuzzy = false): Promise<number> =>
    (await ask(running, level, asked, fuzzy)).length;
  assert.equal(await count('study', { PatientName: '张*' }), 1);
  assert.equal(await count('study', { PatientName: '张^三' }), 1);
  assert.equal(await count('study', { PatientName: 'zs' }, true), 1);
  assert.equal(await count('study', { PatientName: 'zhang san' }, true), 1);
  assert.equal(await count('study', { PatientName: 'Zhang^Sa' }), 0);
  assert.equal(await count('study', { PatientID: 'P000?' }), 2);
  assert.equal(await count('study', { AccessionNumber: 'B7' }), 1);
  assert.equal(await count('study', { StudyTime: '10-11' }), 2);
  assert.equal(await count('study', { StudyTime: '1012-' }), 0);
  assert.equal(await count('study', { StudyDate: 'soon' }), 0);
  assert.equal(await count('series', { StudyInstanceUID: study }), 2);
  assert.equal(await count('series', { StudyInstanceUID: study, Modality: 'SR' }), 1);
  assert.equal(await count('instance', { StudyInstanceUID: study, Modality: 'CT' }), 3);
  assert.equal(await count('instance', { SOPInstanceUID: `${study}.1.2` }), 1);
  // Only a header knows this one.
  assert.equal(await count('instance', { BitsStored: '12' } as Asked), 5);
  assert.equal(await count('instance', { BitsStored: '13' } as Asked), 0);
  await running.close();
});

test('the same bytes again are not stored again; other bytes under the UID lie beside and are not shown', async () => {
  const running = await house()();
  const first = await store(running, makeInstance({ study }));
  const again = await store(running, makeInstance({ study }));
  assert.deepEqual([again.kind, again.id], ['same', first.id]);
  const other = await store(running, makeInstance({ study, pixels: new Uint8Array(512).fill(9) }));
  assert.deepEqual([other.kind, other.shown], ['beside', false]);
  const shown = async (): Promise<string[]> => {
    const ids: string[] = [];
    for await (const row of running.archive.studies.instances({ tenant: defaultTenant, conditions: [] }))
      ids.push(row.id);
    return ids;
  };
  assert.deepEqual(await shown(), [first.id]);
  const last = await store(running, makeInstance({ study, pixels: new Uint8Array(512).fill(8) }), {
    whenKnown: 'last',
  });
  assert.deepEqual([last.kind, last.shown], ['beside', true]);
  assert.deepEqual(await shown(), [last.id]);
  for (const each of [first, other, last]) assert.ok((await readBack(running, each)).byteLength > 500);
  await running.close();
});

test('many senders of one study at once, some with the same instance, store each once', async () => {
  const running = await house()();
  const results = await Promise.all(
    Array.from({ length: 40 }, (_, index) => store(running, makeInstance({ study, number: 1 + (index % 20) }))),
  );
  assert.equal(results.filter((each) => each.kind === 'stored').length, 20);
  assert.equal(results.filter((each) => each.kind === 'same').length, 20);
  assert.equal(
    (await ask(running, 'study', { NumberOfStudyRelatedInstances: '' }))[0]?.['NumberOfStudyRelatedInstances'],
    '20',
  );
  await running.close();
});

test('what cannot be read, breaks off or names no instance is refused and quarantined', async () => {
  const running = await house()();
  const good = makeInstance({ study });
  const bad: Uint8Array[] = [
    good.subarray(0, 100),
    good.subarray(0, good.byteLength - 3),
    new Uint8Array(0),
    new Uint8Array(5000).fill(0xff),
    makeInstance({ study: ' ' }),
  ];
  for (const bytes of bad)
    await assert.rejects(store(running, bytes), (error) => isArchiveError(error, 'DICOM_MALFORMED'));
  assert.equal((await ask(running, 'study', {})).length, 0);
  const kept = await running.archive.objects.list({ tenant: defaultTenant, bucket: 'quarantine', limit: 100 });
  const sizes = kept.items.flatMap((item) => (item.kind === 'object' ? [item.row.sizeBytes] : []));
  assert.deepEqual(
    sizes.sort((a, b) => a - b),
    bad
      .map((bytes) => bytes.byteLength)
      .filter((size) => size > 0)
      .sort((a, b) => a - b),
    'what was refused lies in the quarantine, whole',
  );
  await running.close();
});

test('settling and a rebuild from packs change nothing that can be asked or read', async () => {
  const open = house();
  let running = await open();
  const random = new SeededRandom(9);
  const made = [
    makeInstance({ study, number: 1, rows: 256, columns: 256, pixels: random.bytes(256 * 256 * 2) }),
    makeInstance({ study, number: 2, frames: 2, rows: 700, columns: 700, pixels: random.bytes(700 * 700 * 4) }),
  ];
  const stored: StoredInstance[] = [];
  for (const bytes of made) stored.push(await store(running, bytes));
  const before = await ask(running, 'instance', { StudyInstanceUID: study, SOPClassUID: '', NumberOfFrames: '' });
  await running.archive.sealOpen('all');
  for await (const report of running.archive.settle(async () => undefined, {
    all: true,
    signal: new AbortController().signal,
  }))
    assert.ok(report.released);
  const check = async (): Promise<void> => {
    for (const [index, each] of stored.entries())
      assert.ok((await readBack(running, each)).equals(made[index] as Uint8Array));
    const now = await ask(running, 'instance', { StudyInstanceUID: study, SOPClassUID: '', NumberOfFrames: '' });
    assert.deepEqual(now, before);
    assert.equal((await ask(running, 'patient', { PatientID: 'P0001' })).length, 1);
  };
  await check();
  await running.close();
  running = await open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  await check();
  await running.close();
});

function rejectionNote(made: { instance: string; code: string; rejected: readonly string[] }): Uint8Array {
  const item = (...elements: [number, string, string | Uint8Array][]): Uint8Array => {
    const bytes = Buffer.concat(elements.map(([tag, vr, value]) => elementBytes(tag, vr, value)));
    const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
    head.writeUInt32LE(bytes.byteLength, 4);
    return Buffer.concat([head, bytes]);
  };
  const references = Buffer.concat(made.rejected.map((uid) => item([0x0008_1155, 'UI', uid])));
  const series = item([0x0008_1199, 'SQ', references], [0x0020_000e, 'UI', `${study}.1`]);
  const evidence = item([0x0008_1115, 'SQ', series], [0x0020_000d, 'UI', study]);
  return makeInstance({
    study,
    series: `${study}.99`,
    instance: made.instance,
    modality: 'KO',
    sopClass: '1.2.840.10008.5.1.4.1.1.88.59',
    pixels: null,
    more: [
      [0x0040_a043, 'SQ', item([0x0008_0100, 'SH', made.code], [0x0008_0102, 'SH', 'DCM'])],
      [0x0040_a375, 'SQ', evidence],
    ],
  });
}

test('a rejection note hides what it names, before and after it came, also when it is sent again, and through a rebuild', async () => {
  const open = house();
  let running = await open();
  const counts = async (): Promise<(string | undefined)[]> => {
    const studies = await ask(running, 'study', { StudyInstanceUID: study, NumberOfStudyRelatedInstances: '' });
    return [studies[0]?.['NumberOfStudyRelatedInstances'], String((await ask(running, 'instance', {})).length)];
  };
  await store(running, makeInstance({ study, number: 1 }));
  await store(running, makeInstance({ study, number: 2 }));
  const note = rejectionNote({ instance: `${study}.99.1`, code: '113001', rejected: [`${study}.1.1`, `${study}.1.3`] });
  await store(running, note);
  assert.deepEqual(await counts(), ['2', '2'], 'one image and the note');
  await store(running, makeInstance({ study, number: 3 }));
  assert.equal((await store(running, makeInstance({ study, number: 1 }))).kind, 'same');
  assert.deepEqual(await counts(), ['2', '2'], 'rejected before it came, and again');
  const safety = rejectionNote({
    instance: `${study}.99.2`,
    code: '113037',
    rejected: [`${study}.1.2`, `${study}.99.1`],
  });
  await store(running, safety);
  assert.deepEqual(await counts(), [undefined, '0'], 'nothing is left to be shown, not even the note');
  await running.close();
  running = await open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  assert.deepEqual(await counts(), [undefined, '0']);
  await running.close();
});

const python = spawnSync('python3', ['-c', 'import hashlib; hashlib.scrypt']).status === 0;

for (const settles of [false, true])
  test(`the one-file reader makes DICOM files of ${settles ? 'settled ' : ''}instances`, {
    skip: python ? false : 'needs python3',
  }, async () => {
    const stele = new Stele();
    folders.push(stele);
    const settings = settingsOf([{ workers: 1, encryption: false }], stele.folder);
    const running = await start({ settings, create: true, say: () => undefined });
    const bytes = makeInstance({ study, number: 1 });
    await store(running, bytes);
    await running.archive.sealOpen('all');
    const settling = running.archive.settle(async () => undefined, { all: true, signal: new AbortController().signal });
    if (settles) for await (const report of settling) assert.ok(report.released);
    await running.close();
    const out = path.join(stele.folder, 'out');
    const disk = settings.disks[0]?.path ?? '';
    const reader = path.join(import.meta.dirname, '..', 'tools', 'stele_read.py');
    const run = spawnSync('python3', [reader, 'extract', disk, '--out', out], { encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
    const file = readFileSync(path.join(out, '1', 'dicom', study, `${study}.1`, `${study}.1.1.dcm`));
    const part10 = new Part10Reader();
    part10.push(file);
    part10.finish();
    assert.equal(part10.meta?.syntax.uid, explicitLittleEndian);
    assert.ok(file.subarray(part10.meta?.dataSetOffset).equals(bytes));
  });

test('a study that somebody hides is shown no more, nor what comes of it again; another one is', async () => {
  const running = await house()();
  for (const number of [1, 2]) await store(running, makeInstance({ study, number }));
  await store(running, makeInstance({ study: `${study}.5` }));
  assert.equal(await running.archive.instances.hide({ tenant: defaultTenant, study, reason: 'deleted' }), 2);
  await store(running, makeInstance({ study, number: 1, pixels: new Uint8Array(512) }));
  const studies = await ask(running, 'study', { StudyInstanceUID: '' });
  assert.deepEqual(
    studies.map((row) => row['StudyInstanceUID']),
    [`${study}.5`],
  );
  const again = running.archive.instances.hide({ tenant: defaultTenant, study, reason: 'deleted' });
  await assert.rejects(again, (error) => isArchiveError(error, 'NOT_FOUND'));
  await running.close();
});

test('compressed pixels leave uncompressed for who takes nothing else, sample for sample', async () => {
  const running = await house()();
  const jpegLs = '1.2.840.10008.1.2.4.80';
  const shape = {
    rows: 64,
    columns: 48,
    samplesPerPixel: 1,
    bitsAllocated: 16,
    bitsStored: 12,
    highBit: 11,
    pixelRepresentation: 0 as const,
    photometricInterpretation: 'MONOCHROME2',
  };
  const frames = [1, 2].map((seed) => {
    const samples = Uint16Array.from({ length: 64 * 48 }, (_, index) => (index * seed + (index >> 4)) & 0xfff);
    return new Uint8Array(samples.buffer);
  });
  const items = frames.map((bytes) => encodeFrame({ shape, bytes: bytes.slice() }, jpegLs)?.bytes ?? new Uint8Array(0));
  const item = (bytes: Uint8Array): Uint8Array => {
    const even = Buffer.concat([bytes, new Uint8Array(bytes.byteLength % 2)]);
    const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
    head.writeUInt32LE(even.byteLength, 4);
    return Buffer.concat([head, even]);
  };
  const pixels = Buffer.concat([
    makeInstance({ study, rows: 64, columns: 48, frames: 2, pixels: null }),
    Buffer.from([0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff]),
    item(new Uint8Array(0)),
    ...items.map(item),
    Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]),
  ]);
  const stored = await store(running, pixels, { syntax: jpegLs });
  const { instances } = running.archive;
  const found = { ...stored, syntaxUid: jpegLs, amended: undefined };
  const asIs = await instances.output(found, [implicitLittleEndian, jpegLs]);
  assert.equal(asIs.syntax, jpegLs, 'the stored form comes first');
  for (const syntax of [explicitLittleEndian, implicitLittleEndian]) {
    const output = await instances.output(found, [syntax]);
    const bytes = Buffer.concat(await Array.fromAsync(output.pieces));
    const reader = new DataSetReader({ syntax: transferSyntaxOf(output.syntax) });
    reader.push(bytes);
    const dataSet = reader.finish();
    assert.equal(dataSet.number(tags.BitsStored), 12);
    const at = reader.pixels?.valueOffset ?? 0;
    assert.ok(bytes.subarray(at, at + 2 * 64 * 48 * 2).equals(Buffer.concat(frames)), syntax);
  }
  await assert.rejects(instances.output(found, ['1.2.840.10008.1.2.4.91']), (error) =>
    isArchiveError(error, 'DICOM_UNSUPPORTED'),
  );
  await running.close();
});
