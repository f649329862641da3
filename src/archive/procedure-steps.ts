// Performed procedure steps: what modalities say that they are doing, and have done.
//
// Invariants: a step begins in progress and ends once, completed or discontinued; what ended is never changed. What is kept says which studies and series and how
// many instances, and nothing of the patient: site rows are of no study's key group, and would outlive its destruction.
// Left out on purpose: the data set itself, for the same reason; holding back a study whose step is in progress.

import type { TenantId } from '../base/index.ts';
import { tenantId } from '../base/index.ts';
import type { Catalog, JsonObject, JsonValue, SiteTable } from '../catalog/index.ts';
import type { Accounts } from './accounts.ts';
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

const tableName = 'procedure_steps';
/** What one step may name: a site row holds it. */
export const stepSeriesMax = 1000;

export class ProcedureSteps {
  readonly #accounts: Accounts;
  readonly #table: SiteTable<ProcedureStep>;
  readonly #turns = new KeyTurns();

  constructor(parts: { catalog: Catalog; accounts: Accounts }) {
    this.#accounts = parts.accounts;
    this.#table = parts.catalog.site.table(tableName, stepOf);
  }

  /** Notes a step that began. Durable when it resolves. */
  create(step: ProcedureStep): Promise<'created' | 'known'> {
    const key = keyOf(step);
    return this.#turns.inTurn(key, async () => {
      if ((await this.#table.get(key)) !== undefined) return 'known';
      await this.#write(step);
      return 'created';
    });
  }

  /** Changes a step that has not ended. Durable when it resolves. */
  change(
    name: Pick<ProcedureStep, 'tenant' | 'instanceUid'>,
    news: StepNews,
    nowMs: number,
  ): Promise<'changed' | 'unknown' | 'ended'> {
    const key = keyOf(name);
    return this.#turns.inTurn(key, async () => {
      const step = await this.#table.get(key);
      if (step === undefined) return 'unknown';
      if (step.state !== 'IN PROGRESS') return 'ended';
      const { state = step.state, series = step.series } = news;
      await this.#write({ ...step, state, series, changedMs: nowMs });
      return 'changed';
    });
  }

  /** All steps of all tenants, in the order of their names. */
  async *list(): AsyncGenerator<ProcedureStep> {
    for await (const { row } of this.#table.each()) yield row;
  }

  #write(step: ProcedureStep): Promise<void> {
    const { modality, series, ...rest } = step;
    const row: JsonObject = {
      ...rest,
      series: series.map((each) => [each.seriesUid, each.instances]),
      ...(modality === undefined ? {} : { modality }),
    };
    return this.#accounts.write([{ table: tableName, key: keyOf(step), row }]);
  }
}

function keyOf({ tenant, instanceUid }: Pick<ProcedureStep, 'tenant' | 'instanceUid'>): string {
  return `${tenant}/${instanceUid}`;
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
