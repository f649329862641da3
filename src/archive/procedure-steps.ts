// Performed procedure steps: what modalities say that they are doing, and have done; and which studies are not complete by their word.
//
// Invariants: a step begins in progress and ends once, completed or discontinued; what ended is never changed. A study is incomplete while one of its steps is
// in progress, while fewer instances of a series are here than a step names, and when a step was discontinued and none was completed after it. What is kept says
// which studies and series and how many instances, and nothing of the patient: site rows are of no study's key group, and would outlive its destruction.
// Steps that may still be open have a row of their own, so asking for them costs what is open and not what ever was.
// Left out on purpose: the data set itself, for the same reason; holding back a study whose step is in progress.

import type { TenantId } from '../base/index.ts';
import { tenantId } from '../base/index.ts';
import type { Catalog, JsonObject, JsonValue, SiteTable } from '../catalog/index.ts';
import type { Accounts, SiteWrite } from './accounts.ts';
import { KeyTurns } from './key-turns.ts';

export const stepStates = ['IN PROGRESS', 'COMPLETED', 'DISCONTINUED'] as const;
export type StepState = (typeof stepStates)[number];

export type ProcedureStep = {
  readonly instanceUid: string;
  readonly tenant: TenantId;
  readonly state: StepState;
  /** AE title of who performs it. */
  readonly station: string;
  readonly modality: string | undefined;
  readonly studies: readonly string[];
  /** What was made, as far as it was said. */
  readonly series: readonly PerformedSeries[];
  readonly createdMs: number;
  readonly changedMs: number;
};

export type PerformedSeries = { readonly seriesUid: string; readonly instances: number };

export type StepNews = {
  readonly state: StepState | undefined;
  /** undefined: not said. */
  readonly series: readonly PerformedSeries[] | undefined;
};

/** A step beside what came of it. */
export type JudgedStep = {
  readonly step: ProcedureStep;
  /** Instances that it names, and how many of them are not here, series by series. */
  readonly said: number;
  readonly missing: number;
};

export type Completeness = {
  readonly state: 'complete' | 'incomplete';
  /** Of the step that keeps it from being complete, else of the last one. */
  readonly performed: StepState;
  readonly said: number;
  readonly missing: number;
};

const tableName = 'procedure_steps';
/** By study and step. */
const studiesName = 'procedure_step_studies';
/** Steps that were not yet seen to be ended with all they name. */
const openName = 'procedure_steps_open';
/** What one step may name: a site row holds it. */
export const stepSeriesMax = 1000;
const writesMax = 1000;

type StepName = Pick<ProcedureStep, 'tenant' | 'instanceUid'>;

export class ProcedureSteps {
  readonly #catalog: Catalog;
  readonly #accounts: Accounts;
  readonly #table: SiteTable<ProcedureStep>;
  readonly #studies: SiteTable<StepName>;
  readonly #open: SiteTable<StepName>;
  readonly #turns = new KeyTurns();

  constructor(parts: { catalog: Catalog; accounts: Accounts }) {
    this.#catalog = parts.catalog;
    this.#accounts = parts.accounts;
    const { site } = parts.catalog;
    this.#table = site.table(tableName, stepOf);
    this.#studies = site.table(studiesName, nameOf);
    this.#open = site.table(openName, nameOf);
  }

  /** Notes a step that began. Durable when it resolves. */
  create(step: ProcedureStep): Promise<'created' | 'known'> {
    const key = keyOf(step);
    return this.#turns.inTurn(key, async () => {
      if ((await this.#table.get(key)) !== undefined) return 'known';
      const { tenant, instanceUid } = step;
      const named = { tenant, instanceUid };
      await this.#accounts.write([
        rowOfStep(step),
        { table: openName, key, row: named },
        ...step.studies.map((study) => ({ table: studiesName, key: `${tenant}/${study}/${instanceUid}`, row: named })),
      ]);
      return 'created';
    });
  }

  /** Changes a step that has not ended. Durable when it resolves. */
  change(name: StepName, news: StepNews, nowMs: number): Promise<'changed' | 'unknown' | 'ended'> {
    const key = keyOf(name);
    return this.#turns.inTurn(key, async () => {
      const step = await this.#table.get(key);
      if (step === undefined) return 'unknown';
      if (step.state !== 'IN PROGRESS') return 'ended';
      const { state = step.state, series = step.series } = news;
      await this.#accounts.write([rowOfStep({ ...step, state, series, changedMs: nowMs })]);
      return 'changed';
    });
  }

  /** All steps of all tenants, in the order of their names. */
  async *list(): AsyncGenerator<ProcedureStep> {
    for await (const { row } of this.#table.each()) yield row;
  }

  /** Those that say that they make, or made, some of a study. */
  async ofStudy(tenant: TenantId, study: string): Promise<ProcedureStep[]> {
    const steps: ProcedureStep[] = [];
    for await (const { row } of this.#studies.each(`${tenant}/${study}/`)) {
      const step = await this.#table.get(keyOf(row));
      if (step !== undefined) steps.push(step);
      if (steps.length >= stepSeriesMax) break;
    }
    return steps.sort((one, other) => one.createdMs - other.createdMs);
  }

  /** Steps in progress, and steps of which something is not here. What is seen to be complete is not looked at again. */
  async *open(): AsyncGenerator<JudgedStep> {
    let settled: SiteWrite[] = [];
    for await (const { key, row } of this.#open.each()) {
      const step = await this.#table.get(keyOf(row));
      const judged = step === undefined ? undefined : await this.judge(step);
      if (judged !== undefined && (judged.step.state === 'IN PROGRESS' || judged.missing > 0)) yield judged;
      else settled.push({ table: openName, key, row: null });
      if (settled.length < writesMax) continue;
      await this.#accounts.write(settled);
      settled = [];
    }
    if (settled.length > 0) await this.#accounts.write(settled);
  }

  async judge(step: ProcedureStep): Promise<JudgedStep> {
    let [said, missing] = [0, 0];
    for (const { seriesUid, instances } of step.series) {
      const conditions = [{ field: 'seriesUid' as const, match: { kind: 'equals' as const, values: [seriesUid] } }];
      const page = await this.#catalog.search.series({ tenant: step.tenant, conditions }, { limit: 10 });
      const here = page.rows.reduce((sum, each) => sum + each.instanceCount, 0);
      said += instances;
      missing += Math.max(0, instances - here);
    }
    return { step, said, missing };
  }

  /** What its modalities say of a study; undefined when none said anything. */
  async completeness(tenant: TenantId, study: string): Promise<Completeness | undefined> {
    const steps = await this.ofStudy(tenant, study);
    const last = steps.at(-1);
    if (last === undefined) return undefined;
    const judged: JudgedStep[] = [];
    for (const step of steps) judged.push(await this.judge(step));
    const isLeft = (index: number): boolean =>
      steps[index]?.state === 'DISCONTINUED' && !steps.slice(index + 1).some((each) => each.state === 'COMPLETED');
    const holds =
      judged.find(({ step }) => step.state === 'IN PROGRESS') ??
      judged.find(({ missing }) => missing > 0) ??
      judged.find((_, index) => isLeft(index));
    return {
      state: holds === undefined ? 'complete' : 'incomplete',
      performed: (holds?.step ?? last).state,
      said: judged.reduce((sum, each) => sum + each.said, 0),
      missing: judged.reduce((sum, each) => sum + each.missing, 0),
    };
  }
}

function keyOf({ tenant, instanceUid }: StepName): string {
  return `${tenant}/${instanceUid}`;
}

function rowOfStep(step: ProcedureStep): SiteWrite {
  const { modality, series, ...rest } = step;
  const row: JsonObject = {
    ...rest,
    series: series.map((each) => [each.seriesUid, each.instances]),
    ...(modality === undefined ? {} : { modality }),
  };
  return { table: tableName, key: keyOf(step), row };
}

function nameOf({ tenant, instanceUid }: JsonObject): StepName | undefined {
  if (typeof tenant !== 'number' || typeof instanceUid !== 'string') return undefined;
  return { tenant: tenantId(tenant), instanceUid };
}

function stepOf(row: JsonObject): ProcedureStep | undefined {
  const { instanceUid, tenant, station, modality, createdMs, changedMs } = row;
  const state = stepStates.find((each) => each === row['state']);
  if (typeof instanceUid !== 'string' || typeof tenant !== 'number' || typeof station !== 'string') return undefined;
  if (state === undefined || typeof createdMs !== 'number' || typeof changedMs !== 'number') return undefined;
  const listed = (value: JsonValue | undefined): readonly JsonValue[] => (Array.isArray(value) ? value : []);
  return {
    instanceUid,
    tenant: tenantId(tenant),
    state,
    station,
    modality: typeof modality === 'string' ? modality : undefined,
    studies: listed(row['studies']).filter((each) => typeof each === 'string'),
    series: listed(row['series']).flatMap((each) =>
      Array.isArray(each) ? [{ seriesUid: String(each[0]), instances: Number(each[1]) }] : [],
    ),
    createdMs,
    changedMs,
  };
}
