// What the catalog must do with studies and instances on every database: a part of the catalog's one suite.

import assert from 'node:assert/strict';
import { tenantId } from '../base/index.ts';
import type { CatalogChange, Version } from './changes.ts';
import type { SearchCondition, SearchField } from './search-pieces.ts';
import type { DeclareTest } from './trial-catalog.ts';
import { trialGroup, trialWriters } from './trial-changes.ts';

const tenant = tenantId(1);
const group = trialGroup(1, 0);
const [writer = 'none' as never] = trialWriters;

function versionAt(time: number, sequence = time): Version {
  return { time: BigInt(time), record: { writer, sequence: BigInt(sequence) } };
}

export function testStudies(it: DeclareTest): void {
  const day = (index: number): string => `2024010${index}`;
  const studyChange = (index: number, more: Partial<CatalogChange & { kind: 'study' }> = {}): CatalogChange => ({
    kind: 'study',
    version: versionAt(10 + index),
    tenant,
    studyUid: `1.${index}`,
    group,
    patient: { patientId: `P${index % 2}`, issuer: '' },
    studyDate: day(index),
    accession: `A${index}`,
    search: index === 3 ? '100%_head' : 'chest',
    ...more,
  });
  const patientChange = (index: number, nameKeys: string[]): CatalogChange => ({
    kind: 'patient',
    version: versionAt(1 + index),
    tenant,
    patientId: `P${index}`,
    issuer: '',
    name: nameKeys.join('^'),
    nameKeys,
  });
  const seriesChange = (study: number, series: string, modality: string): CatalogChange => ({
    kind: 'series',
    version: versionAt(30 + study),
    tenant,
    seriesUid: series,
    studyUid: `1.${study}`,
    modality,
  });
  const instanceChange = (
    study: number,
    instance: number,
    more: Partial<CatalogChange & { kind: 'instance' }> = {},
  ): CatalogChange => ({
    kind: 'instance',
    version: versionAt(50 + instance),
    id: (0x1000 + instance).toString(16).padStart(32, '0'),
    tenant,
    studyUid: `1.${study}`,
    seriesUid: `9.${study}`,
    instanceUid: `8.${instance}`,
    classUid: '1.5',
    syntaxUid: '1.6',
    sizeBytes: 10,
    headBytes: 4,
    createdMs: instance,
    rank: 0,
    state: 'live',
    ...more,
  });
  const hospital: CatalogChange[] = [
    ...[1, 2, 3, 4, 5].map((index) => studyChange(index)),
    ...[1, 2, 3, 4, 5].map((index) => seriesChange(index, `9.${index}`, index % 2 === 0 ? 'CT' : 'MR')),
    seriesChange(2, '9.20', 'SR'),
    patientChange(0, ['zhangsan', 'zs']),
    patientChange(1, ['lisi', 'ls']),
    ...[1, 2, 3].map((index) => instanceChange(2, index)),
  ];

  it('studies are found by patient, name, date, modality and what they hold, newest first and in pages', async (catalog) => {
    await catalog.applyBatch(hospital, []);
    const find = async (conditions: SearchCondition[], nameKeys: string[] = [], limit = 2): Promise<string[]> => {
      const found: string[] = [];
      let after;
      do {
        const page = await catalog.search.studies({ tenant, conditions, nameKeys }, { after, limit });
        found.push(...page.rows.map((row) => row.studyUid));
        after = page.next;
      } while (after !== undefined);
      return found;
    };
    const is = (field: SearchField, ...values: string[]): SearchCondition => ({
      field,
      match: { kind: 'equals', values },
    });
    const like = (field: SearchField, pattern: string): SearchCondition => ({
      field,
      match: { kind: 'like', pattern },
    });
    const range = (from?: string, to?: string): SearchCondition => ({
      field: 'studyDate',
      match: { kind: 'range', from, to },
    });
    assert.deepEqual(await find([]), ['1.5', '1.4', '1.3', '1.2', '1.1']);
    assert.deepEqual(await find([is('patientId', 'P0')]), ['1.4', '1.2']);
    assert.deepEqual(await find([is('studyUid', '1.1', '1.5', '1.9')]), ['1.5', '1.1']);
    assert.deepEqual(await find([is('studyUid')]), []);
    assert.deepEqual(await find([is('accession', 'A3')]), ['1.3']);
    assert.deepEqual(await find([like('accession', 'A?')], [], 9), ['1.5', '1.4', '1.3', '1.2', '1.1']);
    assert.deepEqual(await find([like('accession', 'B*')]), []);
    assert.deepEqual(await find([like('patientName', 'ZHANG*')]), ['1.4', '1.2']);
    assert.deepEqual(await find([like('studyWords', '*%_he*')]), ['1.3']);
    assert.deepEqual(await find([range(day(2), day(3))]), ['1.3', '1.2']);
    assert.deepEqual(await find([range(undefined, day(2))]), ['1.2', '1.1']);
    assert.deepEqual(await find([is('studyModality', 'SR')]), ['1.2']);
    assert.deepEqual(await find([is('studyModality', 'CT'), range(day(3), undefined)]), ['1.4']);
    assert.deepEqual(await find([is('studyModality', 'SR', 'MR')]), ['1.5', '1.3', '1.2', '1.1']);
    assert.deepEqual(await find([], ['zs']), ['1.4', '1.2']);
    assert.deepEqual(await find([], ['zhang', 'zs']), ['1.4', '1.2']);
    assert.deepEqual(await find([], ['zhang', 'ls']), []);
    assert.deepEqual(await find([], ['x']), []);
    assert.deepEqual(await find([is('modality', 'SR')]), ['1.2']);
    assert.deepEqual(await find([is('instanceUid', '8.2')]), ['1.2']);
    assert.deepEqual(await find([is('seriesUid', '9.20'), is('instanceUid', '8.2')]), []);
  });

  it('studies count their series, instances and modalities, whatever order things come in', async (catalog) => {
    await catalog.applyBatch([...hospital].reverse(), []);
    const { rows } = await catalog.search.studies(
      { tenant, conditions: [{ field: 'studyUid', match: { kind: 'equals', values: ['1.2'] } }] },
      { limit: 1 },
    );
    const [study] = rows;
    assert.deepEqual(study?.modalities, ['CT', 'SR']);
    assert.deepEqual([study?.seriesCount, study?.instanceCount, study?.sizeBytes], [2, 3, 30]);
    const series = await catalog.search.series({ tenant, conditions: [] }, { limit: 9 });
    assert.equal(series.rows.length, 6);
    assert.deepEqual(
      series.rows.filter((row) => row.instanceCount > 0).map((row) => [row.seriesUid, row.instanceCount]),
      [['9.2', 3]],
    );
    const patients = await catalog.search.patients({ tenant, conditions: [], nameKeys: ['lis'] }, { limit: 9 });
    assert.deepEqual(
      patients.rows.map((row) => row.patientId),
      ['P1'],
    );
  });

  it('of several objects with one instance UID the greatest rank is shown, then the oldest', async (catalog) => {
    const shown = async (): Promise<string[]> => {
      const page = await catalog.search.instances({ tenant, conditions: [] }, { limit: 9 });
      return page.rows.map((row) => `${row.id.slice(-2)} ${row.instanceUid}`);
    };
    await catalog.applyBatch(hospital, []);
    assert.deepEqual(await shown(), ['01 8.1', '02 8.2', '03 8.3']);
    const rival = (instance: number, more: object): CatalogChange =>
      instanceChange(2, instance, { instanceUid: '8.1', sizeBytes: 100, ...more });
    await catalog.applyBatch([rival(4, { createdMs: 9 })], []);
    assert.deepEqual(await shown(), ['01 8.1', '02 8.2', '03 8.3']);
    await catalog.applyBatch([rival(5, { createdMs: 9, rank: 1 })], []);
    assert.deepEqual(await shown(), ['02 8.2', '03 8.3', '05 8.1']);
    await catalog.applyBatch([rival(5, { version: versionAt(99), rank: 1, createdMs: 9, state: 'deleted' })], []);
    assert.deepEqual((await shown()).sort(), ['01 8.1', '02 8.2', '03 8.3']);
    const studies = await catalog.search.studies(
      { tenant, conditions: [{ field: 'instanceUid', match: { kind: 'equals', values: ['8.1'] } }] },
      { limit: 1 },
    );
    assert.deepEqual([studies.rows[0]?.instanceCount, studies.rows[0]?.sizeBytes], [3, 30]);
  });
}
