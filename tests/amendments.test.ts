/*
 * Truth in the field: merges, moves, corrections and character sets as events, on every way out of the archive, taken back, and the same after a rebuild.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { type Running, type StartOptions, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import type { StoredInstance, StoreInstance } from '../src/archive/index.ts';
import { defaultTenant, isArchiveError } from '../src/base/index.ts';
import { catalogTables, type FoundInstance } from '../src/catalog/index.ts';
import { type DataSet, DataSetReader, encodeDataSet, explicitBig, tags, transferSyntaxOf } from '../src/dicom/index.ts';
import { dumpTables } from '../src/sql/index.ts';
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

async function found(running: Running, instanceUid: string): Promise<FoundInstance> {
  const conditions = [{ field: 'instanceUid' as const, match: { kind: 'equals' as const, values: [instanceUid] } }];
  const [instance] = await Array.fromAsync(running.archive.studies.instances({ tenant: defaultTenant, conditions }));
  assert.ok(instance !== undefined, 'the instance is found');
  return instance;
}

async function leaves(running: Running, instanceUid: string, takes?: string): Promise<Buffer> {
  const instance = await found(running, instanceUid);
  const output = await running.archive.instances.output(instance, [takes ?? instance.syntaxUid]);
  const bytes = Buffer.concat(await Array.fromAsync(output.pieces));
  if (output.sizeBytes !== undefined) assert.equal(bytes.byteLength, output.sizeBytes, 'the length that was told');
  return bytes;
}

function read(bytes: Uint8Array, syntax = explicitLittleEndian): DataSet {
  const reader = new DataSetReader({ syntax: transferSyntaxOf(syntax) });
  reader.push(bytes);
  return reader.finish();
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
  const query = { tenant: defaultTenant, level, keys, wanted: keys.map((key) => key.tag), fuzzy };
  const rows: Record<string, string>[] = [];
  for await (const answer of running.archive.studies.answers(query)) {
    const row: Record<string, string> = {};
    for (const [name, tag] of Object.entries(tags)) {
      const values = answer.values.get(tag);
      if (values !== undefined) row[name] = values.join('\\');
    }
    rows.push(row);
  }
  return rows;
}

const who = { tenant: defaultTenant, by: 'registrar', why: 'the same person' };
const patient = (patientId: string, issuer = ''): { patientId: string; issuer: string } => ({ patientId, issuer });
const root = '1.2.826.0.1.3680043.99.8';
const oneOf = (study: number, more: MadeInstance = {}): MadeInstance => ({ study: `${root}.${study}`, ...more });
const uidOf = (study: number, number = 1): string => `${root}.${study}.1.${number}`;

test('a merged patient is found by old and new id and name, and everything leaves as the new one', async () => {
  const running = await house()();
  const { amendments } = running.archive;
  const old = makeInstance(oneOf(1, { patientId: 'OLD', patientName: 'Zhang^Sann' }));
  const right = makeInstance(oneOf(2, { patientId: 'NEW', patientName: 'Zhang^San=张^三' }));
  await store(running, old);
  await store(running, right);
  const told = await amendments.merge({ ...who, from: patient('OLD'), into: patient('NEW') });
  assert.deepEqual([told.studies, told.patient], [1, patient('NEW')]);

  for (const asked of [{ PatientID: 'OLD' }, { PatientID: 'NEW' }, { PatientID: 'OL*' }]) {
    const rows = await ask(running, 'study', asked);
    assert.deepEqual(
      rows.map((row) => [row['PatientID'], row['PatientName']]),
      [
        ['NEW', 'Zhang^San=张^三'],
        ['NEW', 'Zhang^San=张^三'],
      ],
    );
  }
  assert.equal((await ask(running, 'study', { PatientName: 'ZHANG^SANN*' })).length, 2, 'by the name before');
  assert.equal((await ask(running, 'study', { PatientName: 'zhangsann' }, true)).length, 2, 'and fuzzily');
  const patients = await ask(running, 'patient', { PatientID: '', NumberOfPatientRelatedStudies: '' });
  assert.deepEqual(
    patients.map((row) => [row['PatientID'], row['NumberOfPatientRelatedStudies']]),
    [['NEW', '2']],
  );
  const [instance] = await ask(running, 'instance', { SOPInstanceUID: uidOf(1), PatientID: '', PatientName: '' });
  assert.equal(instance?.['PatientID'], 'NEW', 'what a header is read for is corrected too');

  assert.ok((await leaves(running, uidOf(2))).equals(right), 'what nothing amends leaves byte for byte');
  const corrected = read(await leaves(running, uidOf(1)));
  const set = corrected.characterSet();
  assert.equal(corrected.string(tags.PatientID), 'NEW');
  assert.equal(corrected.text(tags.PatientName, set), 'Zhang^San=张^三');
  const [item] = corrected.items(tags.OriginalAttributesSequence);
  assert.equal(item?.string(tags.ReasonForTheAttributeModification), 'COERCE');
  assert.equal(item?.string(tags.ModifyingSystem), 'Stele');
  assert.match(item?.string(tags.AttributeModificationDateTime) ?? '', /^\d{14}\.\d{6}\+0000$/);
  assert.ok(item?.has(tags.SourceOfPreviousValues));
  const [before] = item?.items(tags.ModifiedAttributesSequence) ?? [];
  assert.equal(before?.string(tags.PatientID), 'OLD');
  assert.equal(before?.text(tags.PatientName, set), 'Zhang^Sann');
  assert.equal(before?.has(tags.PatientSex), false, 'what did not change is not named');
  const header = await running.archive.instances.header(await found(running, uidOf(1)));
  assert.equal(header.string(tags.PatientID), 'NEW');

  await store(running, makeInstance(oneOf(1, { number: 2, patientId: 'OLD', patientName: 'Zhang^Sann' })));
  await store(running, makeInstance(oneOf(3, { patientId: 'OLD', patientName: 'Zhang^Sann' })));
  assert.equal((await ask(running, 'study', { PatientID: 'NEW' })).length, 3, 'what comes late follows');
  assert.equal(read(await leaves(running, uidOf(1, 2))).string(tags.PatientID), 'NEW');

  await amendments.unmerge({ ...who, why: 'another person after all', from: patient('OLD') });
  assert.ok((await leaves(running, uidOf(1))).equals(old), 'byte for byte again');
  assert.deepEqual(
    (await ask(running, 'study', { PatientID: 'OLD' })).map((row) => row['PatientName']),
    ['Zhang^Sann', 'Zhang^Sann'],
  );
  assert.equal((await ask(running, 'study', { PatientName: 'ZHANG^SANN*' })).length, 2);
  assert.equal((await ask(running, 'patient', {})).length, 2);
  await running.close();
});

test('merges resolve over chains; circles, repetitions and what was undone are refused, also from two doors at once', async () => {
  const running = await house()();
  const { amendments } = running.archive;
  for (const [index, id] of ['A', 'B', 'C'].entries())
    await store(running, makeInstance(oneOf(index + 1, { patientId: id, patientName: `Name^${id}` })));
  const refused = (work: Promise<unknown>): Promise<void> =>
    assert.rejects(work, (error) => isArchiveError(error, 'AMENDMENT_CONFLICT'));
  await amendments.merge({ ...who, from: patient('B'), into: patient('C') });
  await amendments.merge({ ...who, from: patient('A'), into: patient('B') });
  for (const id of ['A', 'B', 'C']) assert.equal((await ask(running, 'study', { PatientID: id })).length, 3);
  assert.equal(read(await leaves(running, uidOf(1))).string(tags.PatientID), 'C');
  assert.equal(read(await leaves(running, uidOf(1))).items(tags.OriginalAttributesSequence).length, 2, 'one item each');
  await refused(amendments.merge({ ...who, from: patient('C'), into: patient('A') }));
  await refused(amendments.merge({ ...who, from: patient('A'), into: patient('A') }));
  await refused(amendments.merge({ ...who, from: patient('A'), into: patient('C') }));
  await amendments.unmerge({ ...who, from: patient('B') });
  assert.equal(read(await leaves(running, uidOf(1))).string(tags.PatientID), 'B');
  assert.equal((await ask(running, 'study', { PatientID: 'C' })).length, 1);
  await amendments.unmerge({ ...who, from: patient('A') });
  await assert.rejects(amendments.unmerge({ ...who, from: patient('A') }), (error) =>
    isArchiveError(error, 'NOT_FOUND'),
  );
  const [undone] = await amendments.historyOfPatient(defaultTenant, patient('A'));
  await refused(amendments.withdraw({ ...who, id: undone?.said.id ?? '' }));
  const both = await Promise.allSettled([
    amendments.merge({ ...who, from: patient('A'), into: patient('B') }),
    amendments.merge({ ...who, from: patient('B'), into: patient('A') }),
  ]);
  assert.deepEqual(both.map((each) => each.status).sort(), ['fulfilled', 'rejected'], 'one after the other');
  await assert.rejects(amendments.merge({ ...who, why: ' ', from: patient('X'), into: patient('A') }), (error) =>
    isArchiveError(error, 'ARGUMENT_INVALID'),
  );
  await running.close();
});

test('a study is moved and corrected, found by what it was called before, and each of that is undone alone', async () => {
  const running = await house()();
  const { amendments } = running.archive;
  const original = makeInstance(oneOf(1, { patientId: 'WRONG', patientName: 'Wrong^Person', accession: 'A1' }));
  await store(running, original);
  await store(running, makeInstance(oneOf(2, { patientId: 'RIGHT', patientName: 'Right^Person' })));
  const study = `${root}.1`;
  const dry = await amendments.move({ ...who, study, to: patient('RIGHT'), dryRun: true });
  assert.equal(dry.id, undefined);
  assert.deepEqual(
    dry.changes.find(({ keyword }) => keyword === 'PatientID'),
    {
      keyword: 'PatientID',
      from: 'WRONG',
      to: 'RIGHT',
    },
  );
  assert.ok((await leaves(running, uidOf(1))).equals(original), 'a dry run does nothing');
  const moved = await amendments.move({ ...who, study, to: patient('RIGHT') });
  const attributes = { AccessionNumber: 'B2', StudyDescription: 'head', StudyDate: '20240301', PatientSex: 'F' };
  const corrected = await amendments.correctStudy({ ...who, study, attributes });
  const says = read(await leaves(running, uidOf(1)));
  assert.deepEqual(
    [tags.PatientID, tags.PatientName, tags.AccessionNumber, tags.StudyDate, tags.PatientSex].map((tag) =>
      says.string(tag),
    ),
    ['RIGHT', 'Right^Person', 'B2', '20240301', 'F'],
  );
  const [row] = await ask(running, 'study', { StudyInstanceUID: study, PatientSex: '', AccessionNumber: '' });
  assert.deepEqual([row?.['PatientID'], row?.['PatientSex'], row?.['AccessionNumber']], ['RIGHT', 'F', 'B2']);
  for (const AccessionNumber of ['A1', 'B2', 'A?'])
    assert.deepEqual(
      (await ask(running, 'study', { AccessionNumber })).map((each) => each['StudyInstanceUID']).includes(study),
      true,
      AccessionNumber,
    );
  assert.equal((await ask(running, 'study', { StudyDate: '20240301' })).length, 1);
  assert.equal((await ask(running, 'study', { PatientID: 'WRONG' })).length, 0);
  assert.equal((await ask(running, 'patient', {})).length, 1, 'nobody is listed of whom there is nothing');
  const history = await amendments.historyOfStudy(defaultTenant, study);
  assert.deepEqual(
    history.map(({ said }) => said.type),
    ['moved', 'corrected'],
  );
  await amendments.withdraw({ ...who, id: corrected.id ?? '' });
  const back = read(await leaves(running, uidOf(1)));
  assert.deepEqual([back.string(tags.PatientID), back.string(tags.AccessionNumber)], ['RIGHT', 'A1']);
  await amendments.withdraw({ ...who, id: moved.id ?? '' });
  assert.ok((await leaves(running, uidOf(1))).equals(original));
  assert.equal((await ask(running, 'study', { PatientID: 'WRONG' })).length, 1);
  assert.equal((await ask(running, 'study', { AccessionNumber: 'B2' })).length, 0);
  for (const bad of [
    { StudyDate: '2024-01-01' },
    { AccessionNumber: 'x'.repeat(17) },
    { PatientID: 'Q' },
    { Rows: '1' },
  ])
    await assert.rejects(amendments.correctStudy({ ...who, study, attributes: bad }), (error) =>
      isArchiveError(error, 'ARGUMENT_INVALID'),
    );
  await assert.rejects(amendments.move({ ...who, study: `${root}.77`, to: patient('RIGHT') }), (error) =>
    isArchiveError(error, 'NOT_FOUND'),
  );
  await running.close();
});

/** GBK of 张三 under Latin 1, as it is met. */
const gbk = Buffer.from([0xd5, 0xc5, 0xc8, 0xfd]);

test('texts are read in another character set, and a header that cannot say a new name says everything in Unicode', async () => {
  const running = await house()();
  const { amendments } = running.archive;
  const latin = makeInstance(
    oneOf(1, {
      patientName: 'x',
      description: 'x',
      more: [
        [0x0008_1048, 'PN', new Uint8Array(Buffer.from('M\xfcller^Jo ', 'latin1'))],
        [0x0009_0010, 'LO', 'OURS'],
        [0x0009_1001, 'LO', new Uint8Array(Buffer.from('gr\xf6\xdfe ', 'latin1'))],
        [0x0009_1002, 'UN', Uint8Array.of(0xd5, 0xc5, 1, 2)],
      ],
    }),
  );
  latin.set(Buffer.from('ISO_IR 100'), 8);
  await store(running, latin);
  await amendments.correctPatient({
    ...who,
    patient: patient('P0001'),
    attributes: { PatientName: 'Zhang^San=张^三' },
  });
  const says = read(await leaves(running, uidOf(1)));
  const set = says.characterSet();
  assert.deepEqual(set.terms, ['ISO_IR 192']);
  assert.equal(says.text(tags.PatientName, set), 'Zhang^San=张^三');
  assert.equal(says.text(0x0008_1048, set), 'Müller^Jo');
  assert.equal(says.text(0x0009_1001, set), 'größe');
  assert.deepEqual([...(says.bytes(0x0009_1002) ?? [])], [0xd5, 0xc5, 1, 2]);
  assert.equal((await ask(running, 'study', { PatientName: 'zs' }, true)).length, 1, 'found by the name in truth');

  const defect = makeInstance(oneOf(2, { patientId: 'P2', patientName: '1234', description: 'x' }));
  defect.set(Buffer.from('ISO_IR 100'), 8);
  defect.set(gbk, Buffer.from(defect).indexOf('1234'));
  await store(running, defect);
  const study = `${root}.2`;
  await amendments.decode({ ...who, study, terms: ['GB18030'] });
  const bytes = await leaves(running, uidOf(2));
  assert.ok(bytes.includes(gbk), 'the bytes stay');
  const read2 = read(bytes);
  assert.equal(read2.text(tags.PatientName, read2.characterSet()), '张三');
  const [item] = read2.items(tags.OriginalAttributesSequence);
  assert.equal(item?.items(tags.ModifiedAttributesSequence)[0]?.string(tags.SpecificCharacterSet), 'ISO_IR 100');
  const [row] = await ask(running, 'study', { StudyInstanceUID: study, PatientName: '' });
  assert.equal(row?.['PatientName'], '张三');
  assert.equal((await ask(running, 'study', { PatientName: 'zhangsan' }, true)).length, 2);
  assert.deepEqual(
    (await ask(running, 'patient', { PatientID: 'P2', PatientName: '' })).map((each) => each['PatientName']),
    ['张三'],
  );
  await running.close();
});

const item = (bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([0xfe, 0xff, 0x00, 0xe0]), lengthOf(bytes), bytes]);
const lengthOf = (bytes: Uint8Array): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.byteLength);
  return length;
};

test('in every form of encoding only what is amended changes', async () => {
  const running = await house()();
  const { amendments } = running.archive;
  const jpegLs = '1.2.840.10008.1.2.4.80';
  const deflated = '1.2.840.10008.1.2.1.99';
  const sequence = Buffer.concat([
    Buffer.from([0x08, 0x00, 0x40, 0x11, 0x53, 0x51, 0, 0, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff]),
    elementBytes(0x0008_1155, 'UI', '1.2.3'),
    Buffer.from([0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0, 0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]),
  ]);
  const plain = (number: number, explicit = true): Uint8Array =>
    makeInstance(
      oneOf(1, { number, explicit, patientId: 'OLD', patientName: 'Old^Name', more: [[0x7fe1_0010, 'LO', 'BEHIND']] }),
    );
  const made = makeInstance(
    oneOf(1, {
      number: 5,
      patientId: 'OLD',
      patientName: 'Old^Name',
      more: [[0x0011_0010, 'LO', Uint8Array.of(65, 66, 67)]],
    }),
  );
  const patientAt = Buffer.from(made).indexOf(Buffer.from([0x10, 0x00, 0x10, 0x00, 0x50, 0x4e]));
  const odd = Buffer.concat([made.subarray(0, patientAt), sequence, made.subarray(patientAt)]);
  const encapsulated = Buffer.concat([
    makeInstance(oneOf(1, { number: 4, patientId: 'OLD', patientName: 'Old^Name', pixels: null })),
    Buffer.from([0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff]),
    item(new Uint8Array(0)),
    item(Uint8Array.of(1, 2, 3, 4)),
    Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]),
  ]);
  const asBig = ((): Uint8Array => {
    const reader = new DataSetReader({ syntax: transferSyntaxOf(explicitLittleEndian) });
    reader.push(makeInstance(oneOf(1, { number: 6, patientId: 'OLD', patientName: 'Old^Name', pixels: null })));
    return encodeDataSet(reader.finish(), explicitBig);
  })();
  const cases: [string, string, Uint8Array][] = [
    ['explicit', explicitLittleEndian, plain(1)],
    ['implicit', implicitLittleEndian, plain(2, false)],
    ['deflated', deflated, deflateRawSync(plain(3))],
    ['encapsulated', jpegLs, encapsulated],
    ['odd lengths, undefined lengths', explicitLittleEndian, odd],
    ['big endian', explicitBig.uid, asBig],
  ];
  for (const [, syntax, bytes] of cases) await store(running, bytes, { syntax });
  await amendments.move({ ...who, study: `${root}.1`, to: patient('NEW'), attributes: { PatientName: 'New^Name' } });
  for (const [index, [name, syntax, stored]] of cases.entries()) {
    const number = [1, 2, 3, 4, 5, 6][index] ?? 0;
    const left = await leaves(running, uidOf(1, number));
    const [before, now] = [read(stored, syntax), read(left, syntax)];
    assert.equal(now.string(tags.PatientID), 'NEW', name);
    const changed = new Set<number>([tags.PatientID, tags.PatientName, tags.OriginalAttributesSequence]);
    const rest = (dataSet: DataSet): DataSet => {
      const copy = dataSet.copy();
      for (const tag of changed) copy.remove(tag);
      return copy;
    };
    assert.ok(rest(before).equals(rest(now)), `${name}: the rest is the same`);
    if (syntax !== deflated && syntax !== explicitBig.uid) {
      const tail = Buffer.from(stored).subarray(-40);
      assert.ok(left.subarray(-40).equals(tail), `${name}: what lies behind the header is untouched`);
    }
    if (syntax === jpegLs) continue;
    const other = read(await leaves(running, uidOf(1, number), implicitLittleEndian), implicitLittleEndian);
    assert.equal(other.string(tags.PatientID), 'NEW', `${name}: converted`);
  }
  // A deflated data set, converted, has the pixels it was stored with.
  const converted = await leaves(running, uidOf(1, 3), explicitLittleEndian);
  const pixels = plain(3).subarray(-20 - 8 - 64);
  assert.ok(converted.includes(Buffer.from(pixels.subarray(0, 60))), 'pixels of a deflated data set');
  await running.close();
});

test('settling and a rebuild from packs change nothing of what is amended', async () => {
  const open = house();
  let running = await open();
  const { amendments } = running.archive;
  await store(running, makeInstance(oneOf(1, { patientId: 'A', patientName: 'Li^Si' })), { issuer: 'WARD' });
  await store(running, makeInstance(oneOf(2, { patientId: 'B', patientName: 'Li^Si=李^四' })), { issuer: 'WARD' });
  await store(running, makeInstance(oneOf(2, { number: 2, patientId: 'A' })), { issuer: 'WARD' });
  await store(running, makeInstance(oneOf(3, { patientId: 'C', patientName: 'Wang^Wu' })));
  await amendments.merge({ ...who, from: patient('A', 'WARD'), into: patient('B', 'WARD') });
  await amendments.move({ ...who, study: `${root}.3`, to: patient('A', 'WARD') });
  await amendments.correctStudy({
    ...who,
    study: `${root}.2`,
    attributes: { AccessionNumber: 'Z9', PatientName: 'Li^Ssi' },
  });
  const second = await amendments.correctPatient({
    ...who,
    patient: patient('A', 'WARD'),
    attributes: { PatientSex: 'O' },
  });
  await amendments.withdraw({ ...who, id: second.id ?? '' });
  await amendments.merge({ ...who, from: patient('GONE'), into: patient('B', 'WARD') });
  await amendments.noteOriginals({ ...who, study: `${root}.2`, instances: 2 });
  // Settling writes entries anew, so which record says a row is another one afterwards; what it says is not.
  const tables = async (): Promise<unknown> => {
    const dump = await dumpTables(running.sql, catalogTables, ['fact', 'site']);
    const amended = ['patients', 'patient_keys', 'patient_names', 'studies', 'study_patients', 'study_accessions'];
    const names = [...amended, 'study_modalities', 'amendments', 'withdrawals'];
    return names.map((name) => dump[name]?.map((row) => row.replace(/"rec_(?:writer|seq)":"[^"]*"/g, '')));
  };
  const before = {
    tables: await tables(),
    bytes: await leaves(running, uidOf(1)),
    moved: await leaves(running, uidOf(3)),
  };
  const rebuild = { rebuild: { fromMedia: false, onPack: () => undefined } };
  await running.close();
  running = await open(rebuild);
  assert.deepEqual(await tables(), before.tables);
  const all = { all: true, signal: new AbortController().signal };
  for await (const report of running.archive.settle(async () => undefined, all)) assert.equal(report.code, undefined);
  assert.deepEqual(await tables(), before.tables);
  await running.close();
  running = await open(rebuild);
  assert.deepEqual(await tables(), before.tables);
  assert.ok((await leaves(running, uidOf(1))).equals(before.bytes));
  assert.ok((await leaves(running, uidOf(3))).equals(before.moved));
  assert.equal(read(before.moved).string(tags.PatientID), 'B');
  assert.equal(read(await leaves(running, uidOf(2, 2))).string(tags.PatientID), 'B', 'each data set by whom it names');
  for (const PatientID of ['A', 'B', 'GONE']) assert.equal((await ask(running, 'study', { PatientID })).length, 3);
  await running.close();
});

test('what was amended of a study whose key was destroyed is forgotten, as a rebuild forgets it', async () => {
  const open = house();
  let running = await open();
  const { amendments } = running.archive;
  await store(running, makeInstance(oneOf(1, { patientId: 'A', patientName: 'Li^Si' })));
  await store(running, makeInstance(oneOf(2, { patientId: 'B', patientName: 'Wang^Wu' })));
  await store(running, makeInstance(oneOf(3, { patientId: 'C', patientName: 'Zhao^Liu' })));
  await amendments.merge({ ...who, from: patient('A'), into: patient('B') });
  await amendments.move({ ...who, study: `${root}.1`, to: patient('ELSE'), attributes: { PatientName: 'Sun^Qi' } });
  await amendments.correctStudy({ ...who, study: `${root}.1`, attributes: { PatientName: 'Li^Ssi', StudyID: '7' } });
  const { group } = await running.archive.instances.object(await found(running, uidOf(1)));
  await running.archive.keys.shred(group);
  const tables = async (): Promise<unknown> => {
    const dump = await dumpTables(running.sql, catalogTables, ['fact', 'site']);
    const names = ['patients', 'patient_keys', 'patient_names', 'studies', 'study_patients', 'study_accessions'];
    return [...names, 'amendments', 'withdrawals'].map((name) => dump[name]);
  };
  const before = await tables();
  assert.doesNotMatch(JSON.stringify(before), /Sun|Ssi|Li\^Si/, 'no name outlives its bytes');
  await running.close();
  running = await open({ rebuild: { fromMedia: false, onPack: () => undefined } });
  assert.deepEqual(await tables(), before);
  await running.close();
});
