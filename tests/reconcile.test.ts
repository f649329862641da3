/*
 * A RIS's list against what is here, as a person asks for it: in both character sets, as text, JSON and CSV.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { defaultTenant } from '../src/base/index.ts';
import { encodeText, parseCharacterSet } from '../src/dicom/index.ts';
import { explicitLittleEndian, type MadeInstance, makeInstance } from './support/made-instance.ts';
import { type Ran, Stele } from './support/stele.ts';

const folders: Stele[] = [];
after(() => {
  for (const each of folders) each.remove();
});

const study = '1.2.826.0.1.3680043.99.81';

async function house(made: readonly MadeInstance[], work?: (running: Running) => Promise<void>): Promise<Stele> {
  const stele = new Stele();
  folders.push(stele);
  const settings = settingsOf([{ workers: 1 }], stele.folder);
  const running = await start({ settings, create: true, say: () => undefined });
  for (const each of made) {
    const data = (async function* () {
      yield makeInstance(each);
    })();
    await running.archive.instances.store({ tenant: defaultTenant, syntax: explicitLittleEndian }, data);
  }
  await work?.(running);
  await running.close();
  return stele;
}

type Told = { kind: string; line?: number; study?: string; differs: { what: string; list: string; here: string }[] };

function toldOf({ out }: Ran): Told[] {
  const lines = out.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Told);
}

const said = (told: readonly Told[]): string[] =>
  told
    .filter((each) => each.kind !== 'summary')
    .map(({ kind, line, differs }) =>
      [kind, line, ...differs.map(({ what, list, here }) => `${what} ${list}/${here}`)].join(' ').trim(),
    );

const hospital: MadeInstance[] = [
  { study: `${study}.1`, accession: 'A1', patientId: 'P1' },
  { study: `${study}.1`, accession: 'A1', patientId: 'P1', number: 2 },
  { study: `${study}.2`, accession: 'A2', patientId: 'P2', studyDate: '20240301' },
  { study: `${study}.3`, accession: 'A3', patientId: 'P3', studyDate: '20240302' },
  { study: `${study}.4`, accession: 'A4', patientId: 'P4', studyDate: '20240310', modality: 'DX' },
];

test('what agrees is no difference, and the exit code says so', async () => {
  const stele = await house(hospital);
  stele.file(
    'list.csv',
    [
      'Accession,Patient ID,Name,Study UID,Date,Modality,Images',
      `A1,P1,张三,${study}.1,20240229,CT,2`,
      'A2,P2,ZHANG SAN,,2024-03-01,CT,1',
      'A3,P3,,,2024-03-02,,',
      'A4,P4,Zhang^San,,2024-03-10,DR,1',
    ].join('\n'),
  );
  const ran = await stele.run('reconcile', 'list.csv');
  assert.equal(ran.code, 0, ran.out + ran.err);
  assert.match(ran.out, /^4 lines, 4 studies of them here; 4 studies here of 20240229 to 20240310: nothing differs/);
});

test('what is missing, unknown or other is told, in GB18030 with Chinese names of columns too', async () => {
  const stele = await house(hospital);
  const text = [
    '检查号,患者ID,姓名,检查日期,设备类型,图像数',
    'A1,P1,李四,2024-02-29,CT,3',
    'A2,P9,张三,2024-03-02,MR,1',
    'A9,P5,王五,2024-03-03,CT,1',
    'A4,P4,张三,2024-03-10,DX,1',
  ].join('\r\n');
  const expected = [
    'patient 2 PatientName 李四/Zhang^San=张^三',
    'count 2 instances 3/2',
    'patient 3 PatientID P9/P2',
    'date 3 StudyDate 20240302/20240301',
    'modality 3 Modality MR/CT',
    'missing 4',
    'unknown  instances /1',
  ];
  stele.file('gb.csv', encodeText(parseCharacterSet(['GB18030']), text, 'text') ?? '');
  stele.file('utf8.csv', `\uFEFF${text}`);
  stele.file('utf16.csv', Buffer.from(`\uFEFF${text}`, 'utf16le'));
  for (const name of ['gb.csv', 'utf8.csv', 'utf16.csv']) {
    const ran = await stele.run('reconcile', name, '--json');
    assert.equal(ran.code, 1, name);
    assert.deepEqual(said(toldOf(ran)), expected, name);
    const summary = toldOf(ran).at(-1) as unknown as { kind: string; lines: number; found: Record<string, number> };
    assert.deepEqual([summary.kind, summary.lines, summary.found['missing']], ['summary', 4, 1]);
  }
  const csv = (await stele.run('reconcile', 'gb.csv', '--csv')).out.split('\n');
  assert.equal(csv[0], 'kind,line,study,accession,patientId,date,what,list,here');
  assert.ok(csv.includes('missing,4,,A9,P5,20240303,,,'));
  const lines = (await stele.run('reconcile', 'gb.csv')).out;
  assert.match(lines, /^unknown {2}not in the list {2}\S+\.3 {2}A3 {2}P3 {2}20240302 {2}instances 1$/m);
  const ignored = await stele.run(
    'reconcile',
    'gb.csv',
    '--json',
    '--ignore',
    'patient,count,date,modality,missing,unknown',
  );
  assert.deepEqual([ignored.code, said(toldOf(ignored))], [0, []]);
});

test('studies here are looked at from the first to the last day of the list, or as it is said', async () => {
  const stele = await house(hospital);
  stele.file('list.csv', 'accession,date\nA2,20240301\n');
  const unknown = async (...flags: string[]): Promise<string[]> => {
    const told = toldOf(await stele.run('reconcile', 'list.csv', '--json', ...flags));
    return told.flatMap((each) => (each.kind === 'unknown' ? [String(each.study).slice(-1)] : [])).sort();
  };
  assert.deepEqual(await unknown(), []);
  assert.deepEqual(await unknown('--from', '20240229'), ['1', '3', '4']);
  assert.deepEqual(await unknown('--from', '20240229', '--to', '20240305'), ['1', '3']);
  assert.deepEqual(await unknown('--from', '20240229', '--modality', 'CR'), ['4']);
});

test('a study under another UID, lines that belong together, and what modalities said they made', async () => {
  const stele = await house(hospital, async ({ archive }) => {
    await archive.steps.create({
      instanceUid: '2.25.1',
      tenant: defaultTenant,
      state: 'COMPLETED',
      station: 'CT1',
      modality: 'CT',
      studies: [`${study}.1`],
      series: [{ seriesUid: `${study}.1.1`, instances: 5 }],
      createdMs: 1,
      changedMs: 1,
    });
  });
  stele.file(
    'list.csv',
    ['accession,study,images', `A1,${study}.1,1`, `A1,${study}.1,1`, 'A2,1.2.3.4,1', 'A3,,1', 'A4,,1'].join('\n'),
  );
  const told = toldOf(await stele.run('reconcile', 'list.csv', '--json'));
  assert.deepEqual(said(told), ['steps 2 instances 5 COMPLETED/2', `uid 4 StudyInstanceUID 1.2.3.4/${study}.2`]);
});

test('a list that is none is refused in one line, without what it says', async () => {
  const stele = await house([]);
  stele.file('names.csv', 'patient\nWANG');
  stele.file('quote.csv', 'accession\nA1\n"WANG');
  stele.file('empty.csv', '');
  for (const [name, ...flags] of [
    ['names.csv'],
    ['quote.csv'],
    ['empty.csv'],
    ['names.csv', '--ignore', 'weather'],
    ['names.csv', '--from', '20240230'],
    ['names.csv', '--columns', 'accession'],
    ['names.csv', '--charset', 'klingon'],
    ['names.csv', '--csv', '--json'],
  ] as const) {
    const ran = await stele.run('reconcile', name, ...flags);
    assert.equal(ran.code, 2, `${name} ${flags.join(' ')} ${ran.err}`);
    assert.doesNotMatch(ran.err, /WANG/);
  }
  assert.equal((await stele.run('reconcile', 'nowhere.csv')).code, 1);
});
