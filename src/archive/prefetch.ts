// Prefetch: older studies of a patient brought to where a new one is to be read, before somebody waits for them.
//
// Invariants: what goes is decided by the pure policy from the rules, the order and what is here; what is asked for is in the durable queue of forwarding before the
// order is answered, so it is sent also after a restart; what the destination holds is not sent again. Nothing of the patient is kept.
// Left out on purpose: orders as messages (a door's), and tiers: all that is here can be read at once in this version.

import { ArchiveError, type Clock, type TenantId } from '../base/index.ts';
import type { Catalog, FoundStudy, JsonObject, JsonValue, SearchCondition, SiteTable } from '../catalog/index.ts';
import {
  type PlannedPrior,
  type Prior,
  type PriorOrder,
  type PriorRule,
  type PriorWish,
  planPriors,
} from '../policy/index.ts';
import type { Accounts, SiteWrite } from './accounts.ts';
import type { ApplicationEntities } from './application-entities.ts';
import type { Forwarding } from './forwarding.ts';

export type PrefetchOrder = PriorOrder & {
  readonly tenant: TenantId;
  readonly patientId: string;
  /** Of the patient id; undefined: any. */
  readonly issuer: string | undefined;
};

/** `planned`: neither the order nor the rule says where to. */
export type Prefetched = PlannedPrior & { readonly state: 'queued' | 'waiting' | 'held' | 'planned' };

const rulesTable = 'prefetch_rules';
const rulesMax = 100;
const valuesMax = 100;
const newestMax = 100;
const yearsMax = 100;
const priorsMax = 1000;
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export class Prefetch {
  readonly #catalog: Catalog;
  readonly #accounts: Accounts;
  readonly #entities: ApplicationEntities;
  readonly #forwarding: Forwarding;
  readonly #clock: Clock;
  readonly #rules: SiteTable<PriorRule>;

  constructor(parts: {
    catalog: Catalog;
    accounts: Accounts;
    entities: ApplicationEntities;
    forwarding: Forwarding;
    clock: Clock;
  }) {
    this.#catalog = parts.catalog;
    this.#accounts = parts.accounts;
    this.#entities = parts.entities;
    this.#forwarding = parts.forwarding;
    this.#clock = parts.clock;
    this.#rules = parts.catalog.site.table(rulesTable, priorRuleOf);
  }

  /** In the order of their names, in which they are asked. */
  async rules(): Promise<PriorRule[]> {
    return (await this.#rules.list()).map((each) => each.row);
  }

  /** Makes or changes a rule. Durable when it resolves. ARGUMENT_INVALID, LIMIT_EXCEEDED, NOT_FOUND for a title that the table does not name. */
  async setRule(rule: PriorRule): Promise<void> {
    checkPriorRule(rule);
    if (rule.to !== undefined) await this.#mustReach(rule.to);
    const rules = await this.rules();
    if (rules.length >= rulesMax && !rules.some((each) => each.name === rule.name))
      throw new ArchiveError('LIMIT_EXCEEDED', `there are at most ${rulesMax} rules`);
    await this.#write({ table: rulesTable, key: rule.name, row: rowOfPriorRule(rule) });
  }

  /** NOT_FOUND. */
  async removeRule(name: string): Promise<void> {
    if (!(await this.rules()).some((each) => each.name === name))
      throw new ArchiveError('NOT_FOUND', 'there is no such rule', { hint: 'see: stele prefetch list' });
    await this.#write({ table: rulesTable, key: name, row: null });
  }

  /** What an order would bring; nothing is done. */
  async plan(order: PrefetchOrder): Promise<PlannedPrior[]> {
    const rules = await this.rules();
    return planPriors({ order, rules, priors: await this.#priorsOf(order), nowMs: this.#clock.nowMs() });
  }

  /** Has it brought. Durable when it resolves; safe to repeat. NOT_FOUND for a title that the table does not name. */
  async ask(order: PrefetchOrder): Promise<Prefetched[]> {
    if (order.to !== undefined) await this.#mustReach(order.to);
    const asked: Prefetched[] = [];
    for (const prior of await this.plan(order)) {
      const { study, to } = prior;
      const { tenant } = order;
      const state = to === undefined ? 'planned' : await this.#forwarding.ask({ to, tenant, study, what: 'instances' });
      asked.push({ ...prior, state });
    }
    return asked;
  }

  async #priorsOf({ tenant, patientId, issuer }: PrefetchOrder): Promise<Prior[]> {
    const conditions = [equals('patientId', patientId), ...(issuer === undefined ? [] : [equals('issuer', issuer)])];
    const page = await this.#catalog.search.studies({ tenant, conditions }, { limit: priorsMax });
    const priors: Prior[] = [];
    for (const study of page.rows) priors.push(await this.#priorOf(tenant, study));
    return priors;
  }

  async #priorOf(tenant: TenantId, found: FoundStudy): Promise<Prior> {
    const page = await this.#catalog.search.series(
      { tenant, conditions: [equals('studyUid', found.studyUid)] },
      { limit: priorsMax },
    );
    const bodyParts = new Set(page.rows.flatMap((each) => each.bodyPart ?? []));
    return {
      study: found.studyUid,
      date: found.studyDate,
      modalities: found.modalities,
      bodyParts: [...bodyParts],
      description: found.description,
    };
  }

  async #mustReach(title: string): Promise<void> {
    if ((await this.#entities.get(title))?.host === undefined)
      throw new ArchiveError('NOT_FOUND', 'the table does not say where this application entity listens', {
        hint: 'use: stele ae set TITLE HOST:PORT',
      });
  }

  #write(write: SiteWrite): Promise<void> {
    return this.#accounts.write([write]);
  }
}

function equals(field: SearchCondition['field'], value: string): SearchCondition {
  return { field, match: { kind: 'equals', values: [value] } };
}

function checkPriorRule(rule: PriorRule): void {
  const refuse = (says: string): never => {
    throw new ArchiveError('ARGUMENT_INVALID', says);
  };
  const { modalities, bodyParts, priorModalities, priorBodyParts } = rule;
  if (!nameForm.test(rule.name)) refuse('the name of a rule is 1 to 64 of letters, digits, ".", "_" and "-"');
  for (const list of [modalities, bodyParts, priorModalities, priorBodyParts]) {
    if (typeof list === 'string') continue;
    if (list.length > valuesMax) refuse(`a rule lists at most ${valuesMax} modalities or body parts`);
    if (list.some((each) => !/^[\x20-\x7e]{1,16}$/.test(each)))
      refuse('a modality or body part is 1 to 16 characters of ASCII');
  }
  if (!(Number.isInteger(rule.newest) && rule.newest >= 1 && rule.newest <= newestMax))
    refuse(`a rule takes 1 to ${newestMax} studies`);
  if (!(Number.isInteger(rule.years) && rule.years >= 1 && rule.years <= yearsMax))
    refuse(`a rule looks back 1 to ${yearsMax} years`);
}

function rowOfPriorRule({ to, ...rule }: PriorRule): JsonObject {
  return { ...rule, ...(to === undefined ? {} : { to }) };
}

function priorRuleOf(row: JsonObject): PriorRule | undefined {
  const { name, newest, years, to } = row;
  if (typeof name !== 'string' || typeof newest !== 'number' || typeof years !== 'number') return undefined;
  return {
    name,
    modalities: textsOf(row['modalities']),
    bodyParts: textsOf(row['bodyParts']),
    priorModalities: wishOf(row['priorModalities']),
    priorBodyParts: wishOf(row['priorBodyParts']),
    newest,
    years,
    to: typeof to === 'string' ? to : undefined,
    enabled: row['enabled'] !== false,
  };
}

function wishOf(value: JsonValue | undefined): PriorWish {
  return value === 'any' || value === 'same' ? value : textsOf(value);
}

function textsOf(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
