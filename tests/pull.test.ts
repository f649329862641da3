/*
 * Pulling: out of one archive into another over loopback, and off a tree of files. Other people's archives are in tests/slow.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { plainEntity } from '../src/archive/index.ts';
import { defaultTenant, systemClock } from '../src/base/index.ts';
import { type DimseDoor, openDimse } from '../src/doors/dimse/index.ts';
import { part10File } from './support/dicom-peers.ts';
import {
  ctImageStorage,
  elementBytes,
  explicitLittleEndian,
  implicitLittleEndian,
  makeInstance,
} from './support/made-instance.ts';
import { onEachSent } from './support/sent-instances.ts';
import { Stele } from './support/stele.ts';

type House = { readonly running: Running; readonly door: DimseDoor };

const closing: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

const root = '1.2.826.0.1.3680043.99.61';
const mrImageStorage = '1.2.840.10008.5.1.4.1.1.4';

/** An archive that is asked. */
async function openSource(title = 'OLD'): Promise<House> {
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
    title,
    tlsClient: {},
    clock: systemClock,
    onFault: () => undefined,
  });
  closing.push(async () => {
    await door.close();
    await running.close();
    stele.remove();
  });
  return { running, door };
}

function newArchive(): Stele {
  const stele = new Stele();
  closing.push(() => stele.remove());
  return stele;
}

type Study = { readonly number: number; readonly date: string; readonly series?: number; readonly instances?: number };

const studyUid = (number: number): string => `${root}.${number}`;

async function fill({ running }: House, studies: readonly Study[]): Promise<void> {
  for (const { number, date, series = 1, instances = 2 } of studies) {
    for (let each = 0; each < series * instances; each += 1) {
      const isMr = each % series === 1;
      const data = makeInstance({
        study: studyUid(number),
        series: `${studyUid(number)}.${each % series}`,
        instance: `${studyUid(number)}.${each % series}.${each}`,
        studyDate: date,
        patientId: `PAT${number}`,
        patientName: 'SECRET^NAME',
        accession: `A${number}`,
        ...(isMr ? { sopClass: mrImageStorage, modality: 'MR' } : {}),
        explicit: !isMr,
      });
      const syntax = isMr ? implicitLittleEndian : explicitLittleEndian;
      await running.archive.instances.store({ tenant: defaultTenant, syntax }, inOnePiece(data));
    }
  }
}

async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const studies: readonly Study[] = [
  { number: 1, date: '20240131', series: 2, instances: 3 },
  { number: 2, date: '20240131' },
  { number: 3, date: '20240102' },
  { number: 4, date: '19991231' },
  { number: 5, date: '' },
  { number: 6, date: '21000101' },
];

type Report = {
  readonly complete: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly missing: { readonly count: number; readonly named: readonly { instance: string; why: string }[] };
  readonly refused: { readonly count: number };
  readonly different: { readonly count: number; readonly named: readonly { instance: string }[] };
  readonly passedOver: { readonly count: number; readonly named: readonly { why: string }[] };
  readonly ris?: { readonly missing: number; readonly missingNamed: readonly { line: number }[] };
  readonly corrections?: { readonly named: readonly { readonly line: number; readonly state: string }[] };
};

async function reportOf(stele: Stele): Promise<{ report: Report; text: string }> {
  const ran = await stele.run('pull', 'report', '--json');
  return { report: (JSON.parse(ran.out) as { report: Report }).report, text: ran.out };
}

const lastLine = (out: string): string => out.trim().split('\n').at(-1) ?? '';
const tallyOf = (out: string): Record<string, number> =>
  (JSON.parse(lastLine(out)) as { tally: Record<string, number> }).tally;

test('everything comes out of another archive, dated and undated, as it is stored there, and a second pull fetches nothing', async () => {
  const source = await openSource();
  await fill(source, studies);
  const stele = newArchive();
  await stele.done('put', stele.file('x', 'x'));
  await stele.done('ae', 'set', 'OLD', `127.0.0.1:${source.door.port}`);
  const first = await stele.done('pull', 'OLD', '--get', '--json');
  assert.deepEqual(
    [tallyOf(first.out)['studies'], tallyOf(first.out)['stored'], tallyOf(first.out)['missing']],
    [6, 16, 0],
  );
  const again = await stele.done('pull', 'OLD', '--get', '--json', '--new');
  assert.deepEqual([tallyOf(again.out)['stored'], tallyOf(again.out)['here']], [0, 16]);
  const { report, text } = await reportOf(stele);
  assert.equal(report.complete, true);
  assert.deepEqual([report.counts['studies'], report.counts['series'], report.counts['arrived']], [6, 7, 16]);
  assert.ok(!text.includes('SECRET') && !text.includes('PAT1'), 'no name, no patient id');
  assert.ok(!first.err.includes('SECRET'));
  const theirs = new Map<string, string>();
  for await (const each of source.running.archive.studies.instances({ tenant: defaultTenant, conditions: [] }))
    theirs.set(
      each.instanceUid,
      Buffer.from((await source.running.archive.instances.object(each)).digest ?? []).toString('hex'),
    );
  const out = stele.path('out');
  await stele.done('pull', 'report', '--out', out);
  const list = fs.readdirSync(out).find((name) => name.endsWith('.jsonl')) ?? '';
  const lines = fs.readFileSync(path.join(out, list), 'utf8').trim().split('\n');
  assert.equal(lines.length, 16);
  for (const line of lines) {
    const { instance, sha256 } = JSON.parse(line) as { instance: string; sha256: string };
    assert.equal(sha256, theirs.get(instance), 'byte for byte');
  }
});

test('a range and a modality limit what is asked for', async () => {
  const source = await openSource();
  await fill(source, studies);
  const stele = newArchive();
  await stele.done('put', stele.file('x', 'x'));
  await stele.done('ae', 'set', 'OLD', `127.0.0.1:${source.door.port}`);
  const range = await stele.done('pull', 'OLD', '--from', '20240101', '--to', '20240131', '--json');
  assert.equal(tallyOf(range.out)['studies'], 3);
  const plan = await stele.done('pull', 'OLD', '--plan');
  assert.deepEqual(plan.out.trim().split('\n'), [
    'later     1 studies, 2 instances',
    '20240131  2 studies, 8 instances',
    '20240102  1 studies, 2 instances',
    '19991231  1 studies, 2 instances',
    'undated   1 studies, 2 instances',
    'in all    6 studies, 16 instances',
  ]);
  const modality = await stele.done('pull', 'OLD', '--modality', 'MR', '--json');
  assert.deepEqual([tallyOf(modality.out)['studies'], tallyOf(modality.out)['here']], [1, 6]);
  const jobs = (await stele.done('pull', 'status', '--json')).out.trim().split('\n');
  assert.equal(jobs.length, 2);
});

test('what is missing here of a study is fetched alone, and what is here with other bytes is told', async () => {
  const source = await openSource();
  await fill(source, [{ number: 7, date: '20240131', instances: 4 }]);
  const stele = newArchive();
  const uid = `${studyUid(7)}.0`;
  const mine = makeInstance({
    study: studyUid(7),
    series: uid,
    instance: `${uid}.1`,
    studyDate: '20240131',
    patientId: 'PAT7',
    patientName: 'SECRET^NAME',
    accession: 'A7',
  });
  const otherStudy = makeInstance({ study: studyUid(8), series: `${studyUid(8)}.0`, instance: `${uid}.2` });
  stele.file('some/a.dcm', file(mine, `${uid}.1`));
  stele.file('some/b.dcm', file(otherStudy, `${uid}.2`));
  await stele.done('pull', 'folder', 'some');
  await stele.done('ae', 'set', 'OLD', `127.0.0.1:${source.door.port}`);
  const pulled = await stele.run('pull', 'OLD', '--json');
  assert.equal(pulled.code, 1);
  const tally = tallyOf(pulled.out);
  assert.deepEqual([tally['stored'], tally['here'], tally['different']], [2, 1, 1]);
  const { report } = await reportOf(stele);
  assert.equal(report.complete, false);
  assert.equal(report.different.named[0]?.instance, `${uid}.2`);
});

test('by C-MOVE the source sends to this archive, which waits until everything is here', async () => {
  const source = await openSource();
  await fill(source, studies.slice(0, 3));
  const stele = newArchive();
  await stele.done('put', stele.file('x', 'x'));
  await stele.done('ae', 'set', 'OLD', `127.0.0.1:${source.door.port}`);
  const server = await stele.serve();
  const endpoints = JSON.parse(fs.readFileSync(stele.path('data', 'endpoints.json'), 'utf8')) as { dicom: string };
  const [host = '', port = ''] = endpoints.dicom.split(':');
  await source.running.archive.entities.set({ ...plainEntity('STELE'), host, port: Number(port) });
  const pulled = await stele.done('pull', 'OLD', '--move', '--json');
  assert.deepEqual([tallyOf(pulled.out)['stored'], tallyOf(pulled.out)['missing']], [10, 0]);
  assert.equal((await reportOf(stele)).report.complete, true);
  await server.stop();
});

test('a pull that is stopped or killed in the middle goes on, and fetches nothing twice', async () => {
  const source = await openSource();
  const many = Array.from({ length: 12 }, (_, index) => ({
    number: 100 + index,
    date: `202401${String(10 + index)}`,
    instances: 3,
  }));
  await fill(source, many);
  const stele = newArchive();
  await stele.done('put', stele.file('x', 'x'));
  await stele.done('ae', 'set', 'OLD', `127.0.0.1:${source.door.port}`);
  const child = stele.spawn('pull', 'OLD', '--get', '--associations', '1');
  const gone = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  let sent = 0;
  onEachSent(source.running.archive, (count) => {
    sent = count;
    if (sent === 17) child.kill('SIGKILL');
  });
  await gone;
  assert.ok(sent >= 17, 'it died in the middle');
  const status = (await stele.done('pull', 'status', '--json')).out;
  assert.match(status, /"state":"running"|"state":"interrupted"/);
  assert.match((await stele.done('pull', 'status')).out, /interrupted/);
  const abort = new AbortController();
  abort.abort();
  const stopped = await stele.runUntil(abort.signal, 'pull', 'OLD', '--get', '--json');
  assert.equal((JSON.parse(lastLine(stopped.out)) as { state: string }).state, 'stopped');
  const rest = await stele.done('pull', 'OLD', '--get', '--json');
  const tally = tallyOf(rest.out);
  assert.deepEqual([(tally['stored'] ?? 0) + (tally['here'] ?? 0), tally['instances']], [36, 36]);
  assert.ok(sent < 36 + 17, 'what had come was not asked for again');
  const { report } = await reportOf(stele);
  assert.equal(report.complete, true);
  assert.deepEqual([report.counts['instances'], report.counts['arrived']], [36, 36], 'nothing is counted twice');
  const jobs = (await stele.done('pull', 'status', '--json')).out.trim().split('\n');
  assert.equal(jobs.length, 1, 'it was one job');
});

test('a source that is away stops the pull with its code, and the pull goes on when it is back', async () => {
  const stele = newArchive();
  await stele.done('put', stele.file('x', 'x'));
  await stele.done('ae', 'set', 'OLD', '127.0.0.1:1');
  const abort = new AbortController();
  const waiting = stele.runUntil(abort.signal, 'pull', 'OLD', '--get');
  abort.abort();
  assert.equal((await waiting).code, 1);
  const source = await openSource();
  await fill(source, studies.slice(0, 1));
  await stele.done('ae', 'set', 'OLD', `127.0.0.1:${source.door.port}`);
  assert.equal(tallyOf((await stele.done('pull', 'OLD', '--get', '--json')).out)['stored'], 6);
});

function file(
  dataSet: Uint8Array,
  instance: string,
  syntax = explicitLittleEndian,
  sopClass = ctImageStorage,
): Uint8Array {
  return part10File(dataSet, { sopClass, sopInstance: instance, transferSyntax: syntax });
}

function folderOf(stele: Stele): void {
  const uid = (number: number): string => `${root}.50.1.${number}`;
  const made = (number: number, explicit = true): Uint8Array =>
    makeInstance({ study: `${root}.50`, series: `${root}.50.1`, instance: uid(number), number, explicit });
  stele.file('old/SECRET^NAME/a.dcm', file(made(1), uid(1)));
  stele.file('old/deep/er/and/deeper/IM2', file(made(2, false), uid(2), implicitLittleEndian));
  stele.file('old/no-preamble', file(made(3), uid(3)).subarray(128));
  stele.file('old/only-data-set', made(4, false));
  stele.file('old/twice/again.dcm', file(made(1), uid(1)));
  stele.file('old/cut.dcm', file(made(5), uid(5)).subarray(0, 700));
  stele.file('old/bad-meta.dcm', file(made(6), uid(6)).fill(255, 132, 400));
  stele.file('old/empty.dcm', '');
  stele.file('old/notes.txt', 'A text of some length that is no DICOM object, whatever one thinks of it. '.repeat(9));
  const record = (number: number): Uint8Array => {
    const inner = Buffer.concat([
      elementBytes(0x0004_1430, 'CS', 'IMAGE'),
      elementBytes(0x0004_1511, 'UI', uid(number)),
    ]);
    const head = Buffer.alloc(8);
    head.writeUInt16LE(0xfffe, 0);
    head.writeUInt16LE(0xe000, 2);
    head.writeUInt32LE(inner.byteLength, 4);
    return Buffer.concat([head, inner]);
  };
  const directory = elementBytes(0x0004_1220, 'SQ', Buffer.concat([record(1), record(77)]));
  stele.file('old/DICOMDIR', file(directory, `${root}.51`, explicitLittleEndian, '1.2.840.10008.1.3.10'));
  fs.symlinkSync('/etc', stele.path('old', 'outside'));
}

test('a tree of files: good, odd and broken ones are each told for what they are', async () => {
  const stele = newArchive();
  folderOf(stele);
  const pulled = await stele.run('pull', 'folder', 'old', '--json');
  assert.equal(pulled.code, 1, pulled.err);
  const tally = tallyOf(pulled.out);
  assert.deepEqual(
    [tally['stored'], tally['here'], tally['refused'], tally['passedOver']],
    [4, 1, 2, 4],
    JSON.stringify(tally),
  );
  const { report, text } = await reportOf(stele);
  assert.deepEqual(
    report.missing.named.map((each) => each.instance),
    [`${root}.50.1.77`],
    'the DICOMDIR names it',
  );
  assert.deepEqual(report.passedOver.named.map((each) => each.why).toSorted(), [
    'it is a DICOMDIR',
    'it is a link',
    'it is empty',
    'it is no DICOM file',
  ]);
  assert.equal(report.refused.count, 2, 'one is cut short, one damaged in front');
  assert.ok(!text.includes('SECRET') && !text.includes('notes'), 'a path may be a name');
  const files = await stele.done('pull', 'report', '--files');
  assert.match(files.out, /passed-over {2}it is no DICOM file {2}notes\.txt/);
});

test('a folder goes on behind the last file that was done', async () => {
  const stele = newArchive();
  for (let number = 0; number < 1200; number += 1) stele.file(`many/${number % 7}/f${number}.txt`, 'no object');
  folderOf(stele);
  fs.renameSync(stele.path('old'), stele.path('many', '3', 'old'));
  const abort = new AbortController();
  const whole = stele.runUntil(abort.signal, 'pull', 'folder', 'many', '--json');
  const looking = setInterval(() => {
    if (stele.packs().length > 1) abort.abort();
  }, 5);
  await whole;
  clearInterval(looking);
  const rest = await stele.run('pull', 'folder', 'many', '--json');
  assert.equal(tallyOf(rest.out)['passedOver'], 1204, 'each file once');
  assert.equal((await reportOf(stele)).report.passedOver.count, 1204);
});

test('a report verifies, and does not when a byte or its list was changed or the key is another', async () => {
  const stele = newArchive();
  folderOf(stele);
  await stele.run('pull', 'folder', 'old');
  await stele.run('pull', 'report', '--out', 'out');
  const name = fs.readdirSync(stele.path('out')).find((each) => each.endsWith('.json')) ?? '';
  const report = stele.path('out', name);
  assert.equal((await stele.run('pull', 'verify', report)).code, 0);
  const stranger = newArchive();
  assert.match((await stranger.run('pull', 'verify', report)).out, /of an unknown key/);
  const given = stele.path('data', 'report-key.public.pem');
  assert.equal((await stranger.run('pull', 'verify', report, '--key', given)).code, 0);
  const text = fs.readFileSync(report, 'utf8');
  fs.writeFileSync(report, JSON.stringify(JSON.parse(text)));
  assert.equal((await stele.run('pull', 'verify', report)).code, 0, 'formatted otherwise');
  fs.writeFileSync(report, text.replace('"arrived": 5', '"arrived": 6'));
  assert.match((await stele.run('pull', 'verify', report)).out, /signature bad/);
  fs.writeFileSync(report, text);
  fs.appendFileSync(report.replace('.json', '.instances.jsonl'), '{}\n');
  assert.match((await stele.run('pull', 'verify', report)).out, /instances changed/);
  assert.equal(fs.statSync(stele.path('data', 'report-key.pem')).mode & 0o077, 0);
});

test('a list of the RIS is compared with', async () => {
  const stele = newArchive();
  folderOf(stele);
  const ris = stele.file('ris.csv', `Study Instance UID;Accession Number\n${root}.50;\n${root}.99;\n;A-404\n`);
  await stele.run('pull', 'folder', 'old', '--ris', ris);
  const { report, text } = await reportOf(stele);
  assert.deepEqual([report.ris?.missing, report.ris?.missingNamed.map((each) => each.line)], [2, [3, 4]]);
  assert.ok(!text.includes('A-404'));
});

test('corrected demographics become amendments when all is here, row by row, once, and are told without a value', async () => {
  const source = await openSource();
  await fill(source, [
    { number: 31, date: '20240131' },
    { number: 32, date: '20240131' },
    { number: 33, date: '20240130' },
    { number: 34, date: '20240129' },
  ]);
  const stele = newArchive();
  await stele.done('put', stele.file('x', 'x'));
  await stele.done('ae', 'set', 'OLD', `127.0.0.1:${source.door.port}`);
  const rows = [
    'StudyInstanceUID,AccessionNumber,PatientID,CorrectedPatientID,CorrectedPatientName,CorrectedBirthDate,CorrectedSex,NewAccessionNumber',
    `${studyUid(31)},,,,"LI^SI",1980-02-03,F,`,
    ',A32,,PAT99,WANG^WU,,,B32',
    ',,PAT33,,ZHAO^LIU,,,',
    ',,PAT34,PAT33,,,,',
    `${root}.9999,,,,NOBODY^HERE,,,`,
    ',,PATNONE,,NOBODY^HERE,,,',
  ];
  const corrections = stele.file('fix.csv', rows.join('\n'));
  const pulled = await stele.done('pull', 'OLD', '--get', '--json', '--corrections', corrections);
  assert.equal(tallyOf(pulled.out)['stored'], 8);
  const { report, text } = await reportOf(stele);
  assert.equal(report.complete, true);
  assert.deepEqual(
    report.corrections?.named.map(({ line, state }) => `${line} ${state}`),
    ['2 applied', '3 applied', '4 applied', '5 applied', '6 not here', '7 not here'],
  );
  for (const value of ['LI^SI', 'WANG', 'PAT99', 'B32', 'A32', '19800203', 'NOBODY'])
    assert.ok(!text.includes(value) && !pulled.err.includes(value), 'no value of a row is told');
  assert.match((await stele.done('pull', 'report')).out, /corrections: 6 rows, 4 applied, 2 not here/);

  const shown = async (): Promise<string[]> => {
    const running = await start({
      settings: settingsOf([{ workers: 1 }], stele.folder),
      create: false,
      say: () => undefined,
    });
    try {
      const found = await Array.fromAsync(running.archive.studies.studies({ tenant: defaultTenant, conditions: [] }));
      return found
        .map(({ studyUid: uid, patient, accession }) =>
          [uid.slice(root.length + 1), patient.patientId, patient.name, patient.birthDate, patient.sex, accession].join(
            ' ',
          ),
        )
        .toSorted();
    } finally {
      await running.close();
    }
  };
  const expected = [
    '31 PAT31 LI^SI 19800203 F A31',
    '32 PAT99 WANG^WU 19700101 M B32',
    '33 PAT33 ZHAO^LIU 19700101 M A33',
    '34 PAT33 ZHAO^LIU 19700101 M A34',
  ];
  assert.deepEqual(await shown(), expected);
  const again = await stele.done('pull', 'OLD', '--get', '--json', '--new', '--corrections', corrections);
  assert.equal(tallyOf(again.out)['here'], 8);
  const second = await reportOf(stele);
  assert.deepEqual(
    second.report.corrections?.named.map(({ state }) => state),
    ['already so', 'already so', 'already so', 'already so', 'not here', 'not here'],
    'nothing is said twice, and old names still find',
  );
  assert.deepEqual(await shown(), expected);
});

test('a list in the code page of the house is read as what it is, and one that fits none is refused', async () => {
  const stele = newArchive();
  folderOf(stele);
  // 张三 in GBK.
  const name = Buffer.from([0xd5, 0xc5, 0xc8, 0xfd]);
  const rows = Buffer.concat([
    Buffer.from(`StudyInstanceUID,CorrectedPatientName\n${root}.50,Zhang^San=`),
    name,
    Buffer.from('\n'),
  ]);
  const pulled = await stele.run('pull', 'folder', 'old', '--corrections', stele.file('fix.csv', rows));
  assert.match(pulled.err, /--corrections is read as GB18030/);
  const running = await start({
    settings: settingsOf([{ workers: 1 }], stele.folder),
    create: false,
    say: () => undefined,
  });
  const found = await Array.fromAsync(running.archive.studies.studies({ tenant: defaultTenant, conditions: [] }));
  await running.close();
  assert.deepEqual(
    found.map((each) => each.patient.name),
    ['Zhang^San=张三'],
  );
  const wide = Buffer.from(`\uFEFFStudyInstanceUID,CorrectedSex\n${root}.50,F\n`, 'utf16le');
  assert.match(
    (await stele.run('pull', 'folder', 'old', '--new', '--corrections', stele.file('wide.csv', wide))).err,
    /UTF-16LE/,
  );
  const broken = Buffer.concat([rows, Buffer.of(0xff, 0xff, 0x0a)]);
  const refused = await stele.run('pull', 'folder', 'old', '--corrections', stele.file('broken.csv', broken));
  assert.equal(refused.code, 2);
  assert.match(refused.err, /neither UTF-8/);
});

test('a list of corrections that makes no sense is refused by its line before anything is asked for', async () => {
  const stele = newArchive();
  folderOf(stele);
  for (const [text, says] of [
    [`StudyInstanceUID,CorrectedSex\n${root}.50,SECRET\n`, /line 2 of the list has a sex/],
    ['PatientID,NewAccessionNumber\nP1,SECRET\n', /line 2 of the list corrects a study and names none/],
    [`StudyInstanceUID,CorrectedBirthDate\n${root}.50,31.12.1980\n`, /line 2 of the list has a birth date/],
    ['StudyInstanceUID\n1.2\n', /needs a column CorrectedPatientID/],
  ] as const) {
    const bad = await stele.run('pull', 'folder', 'old', '--corrections', stele.file('fix.csv', text));
    assert.equal(bad.code, 2, text);
    assert.match(bad.err, says);
    assert.ok(!bad.err.includes('SECRET'));
  }
});
