// How fast studies are found among many, and what a study costs the catalog.
//
//   node bench/search.bench.ts [--studies 1000000] [--folder DIR] [--keep] [--json FILE]
//
// Synthetic studies of invented patients: three studies a patient, three series a study, names of two and three syllables in the proportions of
// common surnames, fifteen years of dates. Settled: the rows of single instances are not in the catalog any more.

import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defined, hexOf, type Random, SeededRandom, tenantId, writerId } from '../src/base/index.ts';
import type { CatalogChange, Search, SearchCondition, SearchField } from '../src/catalog/index.ts';
import { Catalog, catalogMigrations } from '../src/catalog/index.ts';
import { migrate, openSqlite } from '../src/sql/index.ts';
import { type BenchRow, option, report } from './support/report.ts';

const argv = process.argv.slice(2);
const quick = argv.includes('--quick');
const studyCount = option('studies', quick ? 30_000 : 1_000_000);
const batchSize = 4000;
const p99MsMax = 10;
const answersPerSecondMin = 20_000;
const folderAt = argv.indexOf('--folder');
const kept = argv.includes('--keep');
const folder = folderAt < 0 ? mkdtempSync(join(tmpdir(), 'stele-search-')) : (argv[folderAt + 1] as string);
mkdirSync(folder, { recursive: true });

const bench = `search of ${studyCount.toLocaleString('en-US')} studies`;
const tenant = tenantId(1);
const writer = writerId('5a'.repeat(16));
const baseTime = BigInt(Date.UTC(2026, 0, 1)) << 16n;
const surnames = [
  ...'wang wang wang wang li li li li zhang zhang zhang zhang liu liu liu chen chen chen yang yang huang huang zhao zhao wu wu'.split(
    ' ',
  ),
  ...'zhou zhou xu xu sun ma zhu hu lin guo he gao luo zheng liang xie song tang deng han feng cao peng zeng xiao tian dong'.split(
    ' ',
  ),
  ...'pan yuan cai jiang yu yu du ye cheng wei su lv ding ren lu yao shen zhong cui tan fan wang'.split(' '),
];
const syllables = [
  'wei fang na min jing xiu li qiang lei jun yang yong yan jie juan tao ming chao xia ping gang gui ying hua hui mei lan hong bo fei'.split(
    ' ',
  ),
  'peng bin yu ting xin zhi jian guo hai lin long wen wu xue yi zhen shan san si chun dong feng guang hao he kai kun liang lu'.split(
    ' ',
  ),
].flat();
const modalities = ['CT', 'CT', 'CT', 'MR', 'MR', 'DX', 'DX', 'DX', 'CR', 'US', 'US', 'XA', 'MG', 'NM', 'PT'];

const pick = <T>(random: Random, list: readonly T[]): T =>
  defined(list[random.below(list.length)], 'something to pick');

function nameOf(random: Random): { text: string; keys: string[] } {
  const surname = pick(random, surnames);
  const given = Array.from({ length: 1 + random.below(2) }, () => pick(random, syllables));
  const initials = [surname, ...given].map((part) => part[0]).join('');
  const whole = surname + given.join('');
  return { text: `${surname}^${given.join('')}`, keys: [whole, initials, given.join('') + surname] };
}

function dateOf(random: Random): string {
  const day = new Date(Date.UTC(2011, 0, 1) + random.below(15 * 365) * 86_400_000);
  return day.toISOString().slice(0, 10).replaceAll('-', '');
}

function* changes(random: Random): Generator<CatalogChange> {
  let sequence = 0n;
  const version = () => {
    sequence += 1n;
    return { time: baseTime + sequence, record: { writer, sequence } };
  };
  for (let index = 0; index < studyCount; index += 1) {
    const patient = { patientId: `P${String(Math.floor(index / 3)).padStart(8, '0')}`, issuer: 'HIS' };
    if (index % 3 === 0) {
      const name = nameOf(random);
      yield {
        kind: 'patient',
        version: version(),
        tenant,
        ...patient,
        name: name.text,
        nameKeys: name.keys,
        birthDate: '19700101',
        sex: 'F',
      };
    }
    const studyUid = `1.2.840.99999.1.${index}`;
    const group = { tenant, year: 2026, group: BigInt(`0x${hexOf(random.bytes(8))}`) };
    yield {
      kind: 'study',
      version: version(),
      tenant,
      studyUid,
      group,
      patient,
      accession: `A${String(index).padStart(9, '0')}`,
      studyId: String(index),
      studyDate: dateOf(random),
      studyTime: '101112',
      description: 'chest routine',
      search: 'chest routine',
    };
    const modality = pick(random, modalities);
    for (let series = 1; series <= 3; series += 1) {
      yield {
        kind: 'series',
        version: version(),
        tenant,
        studyUid,
        seriesUid: `${studyUid}.${series}`,
        modality,
        seriesNumber: series,
        description: `series ${series}`,
      };
    }
  }
}

async function fill(catalog: Catalog, random: Random): Promise<number> {
  const started = process.hrtime.bigint();
  let batch: CatalogChange[] = [];
  for (const change of changes(random)) {
    batch.push(change);
    if (batch.length === batchSize) {
      await catalog.applyBatch(batch, []);
      batch = [];
    }
  }
  await catalog.applyBatch(batch, []);
  return Number(process.hrtime.bigint() - started) / 1e9;
}

const is = (field: SearchField, value: string): SearchCondition => ({
  field,
  match: { kind: 'equals', values: [value] },
});

/** What people ask for, each drawn anew. */
const questions: Readonly<Record<string, (random: Random) => Omit<Search, 'tenant'>>> = {
  'patient id': (random) => ({
    conditions: [is('patientId', `P${String(random.below(Math.ceil(studyCount / 3))).padStart(8, '0')}`)],
  }),
  'accession number': (random) => ({
    conditions: [is('accession', `A${String(random.below(studyCount)).padStart(9, '0')}`)],
  }),
  'name, whole': (random) => ({ conditions: [], nameKeys: [defined(nameOf(random).keys[0], 'a key')] }),
  'name, initials': (random) => ({ conditions: [], nameKeys: [defined(nameOf(random).keys[1], 'a key')] }),
  'name, first letters': (random) => ({
    conditions: [],
    nameKeys: [defined(nameOf(random).keys[0], 'a key').slice(0, 1 + random.below(5))],
  }),
  'name, wildcard of C-FIND': (random) => {
    const surname = pick(random, surnames);
    return {
      conditions: [{ field: 'patientName', match: { kind: 'like', pattern: `${surname}^*` } }],
      nameKeys: [surname],
    };
  },
  'dates with modality': (random) => {
    const from = dateOf(random);
    return {
      conditions: [
        is('studyModality', pick(random, modalities)),
        { field: 'studyDate', match: { kind: 'range', from, to: String(Number(from) + random.below(300)) } },
      ],
    };
  },
  'newest of a modality': (random) => ({ conditions: [is('studyModality', pick(random, modalities))] }),
  newest: () => ({ conditions: [] }),
};

async function ask(
  catalog: Catalog,
  random: Random,
  question: (random: Random) => Omit<Search, 'tenant'>,
  times: number,
) {
  const spent: number[] = [];
  for (let index = 0; index < times; index += 1) {
    const search = { tenant, ...question(random) };
    const started = performance.now();
    await catalog.search.studies(search, { limit: 100 });
    spent.push(performance.now() - started);
  }
  spent.sort((a, b) => a - b);
  return { p50: spent[Math.floor(times * 0.5)] ?? 0, p99: spent[Math.floor(times * 0.99)] ?? 0 };
}

const file = join(folder, 'catalog.db');
const known = existsSync(file);
const sql = await openSqlite({ path: file });
try {
  await migrate(sql, catalogMigrations);
  const catalog = new Catalog(sql);
  const rows: BenchRow[] = [];
  if (!known) {
    const seconds = await fill(catalog, new SeededRandom(7));
    await sql.checkpoint();
    rows.push({ bench, case: 'studies described', figure: studyCount / seconds, unit: 'studies/s' });
  }
  rows.push({
    bench,
    case: 'database, a study with 3 series and a third of a patient',
    figure: statSync(file).size / studyCount,
    unit: 'bytes',
  });
  for (const [name, question] of Object.entries(questions)) {
    const random = new SeededRandom(11);
    await ask(catalog, random, question, 20);
    const { p50, p99 } = await ask(catalog, random, question, quick ? 100 : 400);
    rows.push({
      bench,
      case: `first 100 by ${name}, p99`,
      figure: p99,
      unit: 'ms',
      asked: p99MsMax,
      better: 'less',
      note: `p50 ${p50.toFixed(2)} ms`,
    });
  }
  const started = performance.now();
  let count = 0;
  let after;
  do {
    const page = await catalog.search.studies({ tenant, conditions: [] }, { after, limit: 1000 });
    count += page.rows.length;
    after = page.next;
  } while (after !== undefined && count < 200_000);
  const rate = count / ((performance.now() - started) / 1000);
  rows.push({ bench, case: 'all studies, streamed', figure: rate, unit: 'studies/s', asked: answersPerSecondMin });
  report(rows);
} finally {
  await sql.close();
  if (!kept) rmSync(folder, { recursive: true, force: true });
}
