// Amendments against a model that knows nothing of rows: any of them, withdrawn or not, in any order and twice, over a few patients and studies.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { hexOf, SeededRandom, tenantId } from '../base/index.ts';
import type { AmendmentEvent, PatientName } from '../format/index.ts';
import { migrate, openSqlite } from '../sql/index.ts';
import { Catalog } from './catalog.ts';
import type { CatalogChange, Version } from './changes.ts';
import { catalogMigrations } from './migrations.ts';
import { shuffled, trialGroup, trialWriters } from './trial-changes.ts';

const folder = await mkdtemp(path.join(os.tmpdir(), 'stele-amendments-'));
after(() => rm(folder, { recursive: true, force: true }));
let count = 0;

const tenant = tenantId(1);
const [writer = 'none' as never] = trialWriters;
const patients = ['A', 'B', 'C', 'D'];
const studies = ['1.1', '1.2', '1.3', '1.4', '1.5'];
const named = (patientId: string): PatientName => ({ patientId, issuer: '' });

const versionAt = (time: number): Version => ({ time: BigInt(time), record: { writer, sequence: BigInt(time) } });

/** What headers say: each study of a patient, whose name is theirs. */
function said(): CatalogChange[] {
  return studies.flatMap((studyUid, index): CatalogChange[] => {
    const patientId = patients[index % 3] ?? 'A';
    const group = trialGroup(1, index);
    return [
      {
        kind: 'patient',
        version: versionAt(1 + index),
        tenant,
        ...named(patientId),
        name: `Name^${patientId}`,
        nameKeys: [`name${patientId.toLowerCase()}`],
      },
      {
        kind: 'study',
        version: versionAt(10 + index),
        tenant,
        studyUid,
        group,
        patient: named(patientId),
        accession: `S${index}`,
        studyDate: '20240101',
      },
    ];
  });
}

type Made = { readonly event: AmendmentEvent; readonly version: number; readonly isWithdrawn: boolean };

const anyOf = (list: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...list);
const step = fc.oneof(
  fc.record({ type: fc.constant('merged' as const), from: anyOf(patients), into: anyOf(patients) }),
  fc.record({ type: fc.constant('moved' as const), study: anyOf(studies), to: anyOf(patients) }),
  fc.record({ type: fc.constant('study' as const), study: anyOf(studies), accession: anyOf(['X', 'Y', '']) }),
  fc.record({ type: fc.constant('patient' as const), patient: anyOf(patients), name: anyOf(['New^One', 'New^Two']) }),
);

function madeOf(steps: readonly (readonly [StepOf, boolean])[]): Made[] {
  return steps.map(([each, isWithdrawn], index) => {
    const base = { id: hexOf(new Uint8Array(16).fill(index + 1)), createdMs: index, by: 'x', why: 'y' };
    const event = ((): AmendmentEvent => {
      switch (each.type) {
        case 'merged':
          return { ...base, type: 'merged', from: named(each.from), into: named(each.into), attributes: {} };
        case 'moved':
          return { ...base, type: 'moved', study: each.study, to: named(each.to), attributes: {} };
        case 'study':
          return { ...base, type: 'corrected', study: each.study, attributes: { AccessionNumber: each.accession } };
        case 'patient':
          return { ...base, type: 'corrected', patient: named(each.patient), attributes: { PatientName: each.name } };
      }
    })();
    return { event, version: 100 + index, isWithdrawn };
  });
}

type StepOf =
  | { readonly type: 'merged'; readonly from: string; readonly into: string }
  | { readonly type: 'moved'; readonly study: string; readonly to: string }
  | { readonly type: 'study'; readonly study: string; readonly accession: string }
  | { readonly type: 'patient'; readonly patient: string; readonly name: string };

/** The same, said as simply as can be: replayed one after another. */
class Model {
  readonly into = new Map<string, string>();
  readonly movedTo = new Map<string, string>();
  readonly accession = new Map<string, string>();
  readonly names = new Map<string, string>();

  constructor(made: readonly Made[]) {
    const inForce = made.filter((each) => !each.isWithdrawn).map((each) => each.event);
    for (const event of inForce) {
      if (event.type === 'moved') this.movedTo.set(event.study, event.to.patientId);
      if (event.type === 'corrected' && event.study !== undefined)
        this.accession.set(event.study, event.attributes['AccessionNumber'] ?? '');
      if (event.type === 'corrected' && event.patient !== undefined)
        this.names.set(event.patient.patientId, event.attributes['PatientName'] ?? '');
    }
    const merges = inForce.filter((event) => event.type === 'merged');
    for (const event of merges) {
      const isLast = merges.findLast((each) => each.from.patientId === event.from.patientId) === event;
      if (isLast && this.rootOf(event.into.patientId) !== event.from.patientId)
        this.into.set(event.from.patientId, event.into.patientId);
    }
  }

  rootOf(patient: string): string {
    const next = this.into.get(patient);
    return next === undefined ? patient : this.rootOf(next);
  }

  /** The last name that is said on the way from a patient to who they are in the end. */
  nameOn(way: string, otherwise: string | undefined): string | undefined {
    const here = this.names.get(way) ?? otherwise;
    const next = this.into.get(way);
    return next === undefined ? here : this.nameOn(next, here);
  }
}

test('any amendments in any order and twice leave the rows that a simple model has', async () => {
  const sequences = fc.array(fc.tuple(step, fc.boolean()), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(sequences, fc.integer(), async (steps, seed) => {
      const made = madeOf(steps);
      const changes = [...said(), ...made.flatMap(changesOf)];
      const sql = await openSqlite({ path: path.join(folder, `${(count += 1)}.db`) });
      try {
        await migrate(sql, catalogMigrations);
        const catalog = new Catalog(sql);
        const random = new SeededRandom(seed);
        const order = shuffled(random, changes);
        for (let at = 0; at < order.length; ) {
          const size = 1 + random.below(5);
          await catalog.applyBatch(order.slice(at, at + size), []);
          at += size;
        }
        await compare(catalog, new Model(made));
      } finally {
        await sql.close();
      }
    }),
    { numRuns: 60 },
  );
});

function changesOf({ event, version, isWithdrawn }: Made): CatalogChange[] {
  const group = trialGroup(1, 9);
  const amendment: CatalogChange = {
    kind: 'amendment',
    version: versionAt(version),
    tenant,
    group,
    said: event,
    nameKeys: [],
  };
  const withdrawn = { id: 'ff'.repeat(16), createdMs: 0, by: 'x', why: 'y', type: 'withdrawn' as const };
  const withdrawal: CatalogChange = {
    kind: 'withdrawal',
    version: versionAt(version + 500),
    tenant,
    group,
    said: { ...withdrawn, amendment: event.id },
  };
  return isWithdrawn ? [amendment, withdrawal] : [amendment];
}

async function compare(catalog: Catalog, model: Model): Promise<void> {
  const { rows } = await catalog.search.studies({ tenant, conditions: [] }, { limit: 100 });
  assert.equal(rows.length, studies.length);
  for (const row of rows) {
    const index = studies.indexOf(row.studyUid);
    const own = patients[index % 3] ?? 'A';
    const owner = model.movedTo.get(row.studyUid) ?? own;
    assert.equal(row.patient.patientId, model.rootOf(owner), `whose ${row.studyUid} is`);
    const accession = model.accession.get(row.studyUid) ?? `S${index}`;
    assert.equal(row.accession ?? '', accession, `number of ${row.studyUid}`);
    const name = model.nameOn(owner, undefined);
    if (name !== undefined) assert.equal(row.patient.name, name, `name in ${row.studyUid}`);
    for (const asked of new Set([`S${index}`, accession]))
      if (asked !== '') {
        const match = { kind: 'equals' as const, values: [asked] };
        const found = await catalog.search.studies(
          { tenant, conditions: [{ field: 'accession', match }] },
          { limit: 9 },
        );
        assert.ok(
          found.rows.some((each) => each.studyUid === row.studyUid),
          `${row.studyUid} by ${asked}`,
        );
      }
  }
  for (const patientId of patients) {
    const match = { kind: 'equals' as const, values: [patientId] };
    const found = await catalog.search.studies({ tenant, conditions: [{ field: 'patientId', match }] }, { limit: 99 });
    const root = model.rootOf(patientId);
    const theirs = studies.filter(
      (uid, index) => model.rootOf(model.movedTo.get(uid) ?? patients[index % 3] ?? 'A') === root,
    );
    assert.deepEqual(found.rows.map((each) => each.studyUid).sort(), theirs, `studies of ${patientId}`);
  }
  const listed = await catalog.search.patients({ tenant, conditions: [] }, { limit: 99 });
  const owners = new Set(rows.map((row) => row.patient.patientId));
  assert.deepEqual(listed.rows.map((each) => each.patientId).sort(), [...owners].sort(), 'patients who have studies');
  for (const row of listed.rows) {
    const totals = await catalog.search.patientTotals({ tenant, patientId: row.patientId, issuer: '' });
    assert.equal(totals.studies, rows.filter((each) => each.patient.patientId === row.patientId).length, 'counts');
  }
}
