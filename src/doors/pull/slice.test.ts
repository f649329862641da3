import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askWhole } from './ask-whole.ts';
import { dayBefore, isDay, walkDays } from './days.ts';
import { fitsSlice, isSuspicious, type Slice, type SourceStudy } from './slice.ts';

function study(number: number, more: Partial<SourceStudy> = {}): SourceStudy {
  return {
    studyUid: `1.2.${number}`,
    date: '20240131',
    time: `${String(number % 24).padStart(2, '0')}${String(number % 60).padStart(2, '0')}00`,
    modalities: [number % 2 === 0 ? 'CT' : 'MR'],
    patientId: `P${number}`,
    accession: '',
    instanceCount: 1,
    classes: [],
    ...more,
  };
}

const day: Slice = { dates: { from: '20240131', to: '20240131' } };

/** A source that answers so many at most; `says`: whether it tells. `fits` is how it matches. */
function source(
  all: readonly SourceStudy[],
  how: { most: number; says: boolean; fits?: (study: SourceStudy, slice: Slice) => boolean },
): (slice: Slice) => Promise<{ studies: SourceStudy[]; limited: boolean }> {
  return async (slice) => {
    const found = all.filter((each) => (how.fits ?? fitsSlice)(each, slice));
    return { studies: found.slice(0, how.most), limited: how.says && found.length > how.most };
  };
}

const many = (count: number, more?: (number: number) => Partial<SourceStudy>): SourceStudy[] =>
  Array.from({ length: count }, (_, number) => study(number, more?.(number)));

test('round counts are suspicious and others are not', () => {
  for (const count of [100, 200, 256, 500, 1000, 1024, 2000, 4096, 5000, 10_000])
    assert.ok(isSuspicious(count, new Set()), String(count));
  for (const count of [0, 1, 10, 50, 64, 99, 101, 137, 1001]) assert.ok(!isSuspicious(count, new Set()), String(count));
  assert.ok(isSuspicious(37, new Set([37])), 'a limit that was seen');
});

test('a day that is cut off is asked for by hours and minutes until nothing is cut off', async () => {
  for (const says of [true, false]) {
    const found = await askWhole(source(many(1700), { most: 100, says }), day);
    assert.equal(found.studies.size, 1700);
    assert.equal(found.doubtful, false);
  }
});

test('an odd limit that the source tells of is taken for suspicious from then on', async () => {
  const limits = new Set<number>();
  const found = await askWhole(source(many(300), { most: 37, says: true }), day, limits);
  assert.deepEqual([found.studies.size, found.doubtful], [300, false]);
  assert.ok(limits.has(37));
});

test('a day that is round by chance costs queries and is whole', async () => {
  const found = await askWhole(source(many(200), { most: 5000, says: false }), day);
  assert.deepEqual([found.studies.size, found.doubtful], [200, false]);
  assert.ok(found.queryCount > 1);
});

test('studies without a time are found by modality or patient id', async () => {
  const untimed = many(450, (number) => ({
    time: undefined,
    modalities: [['CT', 'MR', 'US', 'CR', 'NM'][number % 5] ?? ''],
  }));
  const found = await askWhole(source(untimed, { most: 100, says: true }), day);
  assert.deepEqual([found.studies.size, found.doubtful], [450, false]);
  const oneModality = untimed.map((each) => ({ ...each, modalities: ['CT'] }));
  const byPatient = await askWhole(source(oneModality, { most: 100, says: true }), day);
  assert.deepEqual([byPatient.studies.size, byPatient.doubtful], [450, false]);
});

test('a source that passes keys over is found out, and the answer said to be doubtful', async () => {
  const found = await askWhole(source(many(400), { most: 100, says: false, fits: () => true }), day);
  assert.equal(found.doubtful, true);
  assert.ok(found.queryCount < 100, 'and not asked for ever');
});

test('studies that were not asked for are counted and left out', async () => {
  const all = [study(1), study(2, { date: '20200101' })];
  const found = await askWhole(source(all, { most: 10, says: false, fits: () => true }), day);
  assert.deepEqual([[...found.studies.keys()], found.outside], [['1.2.1'], 1]);
});

test('days are days of the calendar', () => {
  assert.ok(isDay('20240229'));
  assert.ok(!isDay('20230229'));
  assert.ok(!isDay('2024022'));
  assert.equal(dayBefore('20240301'), '20240229');
  assert.equal(dayBefore('20240101'), '20231231');
});

async function walk(days: readonly string[], from: string, to: string): Promise<{ found: string[]; asked: number }> {
  const found: string[] = [];
  let asked = 0;
  await walkDays(
    { from, to },
    {
      any: async (first, last) => {
        asked += 1;
        return days.some((each) => each >= first && each <= last);
      },
      visit: async (each) => {
        asked += 1;
        if (days.includes(each)) found.push(each);
        return days.filter((other) => other === each).length;
      },
      passed: async () => undefined,
    },
  );
  return { found, asked };
}

test('every day with studies is visited, newest first, and a century of nothing costs few questions', async () => {
  const days = ['20240131', '20240130', '20240101', '20110704', '20110703', '19981224', '19000101'];
  const { found, asked } = await walk(days, '19000101', '20240620');
  assert.deepEqual(found, days);
  assert.ok(asked < 250, `${asked} questions`);
  assert.deepEqual((await walk([], '19000101', '20240620')).found, []);
  assert.ok((await walk([], '19000101', '20240620')).asked < 40);
  for (let first = 1; first <= 28; first += 1) {
    const some = [`202402${String(first).padStart(2, '0')}`, '20240201'];
    const visited = (await walk(some, '20240201', '20240401')).found;
    assert.deepEqual(visited, [...new Set(some)]);
  }
});
