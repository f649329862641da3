// Application entities: who may call, from where, for what and how many at once; where they are reached; whom we turned away and why.
//
// Invariants: a caller that nobody admitted is let in from this machine alone; every refusal is kept, with its reason and how often it came, until
// the caller is admitted or the list is full and it is the one not seen for longest; titles compare as DICOM says, without spaces around them.
// Our own titles map to tenants: whoever calls one of them works in its tenant; any other called title is the default one.
// Left out on purpose: associations themselves (the door), and rights of people.

import { ArchiveError, type Clock, defaultTenant, type TenantId, tenantId } from '../base/index.ts';
import type { Catalog, JsonObject, JsonValue, SiteTable } from '../catalog/index.ts';
import { objectKinds } from '../dicom/index.ts';
import type { Sql } from '../sql/index.ts';
import type { Accounts } from './accounts.ts';
import { type EntityRight, entityRights } from './rights.ts';
import type { WhenKnown } from './when-known.ts';

export type ApplicationEntity = {
  readonly title: string;
  /** Where it listens; absent: it only calls. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly tls: boolean;
  /** Addresses it may call from; empty: any. */
  readonly from: readonly string[];
  readonly may: readonly EntityRight[];
  readonly associationsMax: number;
  /** undefined: that of the called title. */
  readonly tenant: TenantId | undefined;
  /** Issuer of patient ids that name none. */
  readonly issuer: string | undefined;
  /** Specific Character Set of our answers; undefined: what the question came in, and Unicode where that cannot say it. */
  readonly charset: string | undefined;
  /** Order of transfer syntaxes that we accept from it; empty: the usual order. */
  readonly syntaxes: readonly string[];
  /** Which object counts when it sends other bytes under a known instance UID. */
  readonly whenKnown: WhenKnown;
  /** Matches we answer before we say that there are too many. */
  readonly matchesMax: number;
};

export type Caller = { readonly calling: string; readonly called: string; readonly address: string };

export type Admission =
  | { readonly kind: 'admitted'; readonly entity: ApplicationEntity; readonly tenant: TenantId }
  | { readonly kind: 'refused'; readonly reason: RefusalReason };

export type RefusalReason = 'caller-unknown' | 'address-other' | 'associations-too-many';

export type Refusal = Caller & {
  readonly reason: RefusalReason;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
};

const titleForm = /^[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?$/;
const tableName = 'application_entities';
const ownTableName = 'own_entities';
const refusalsMax = 1000;
export const associationsMaxDefault = 64;
export const matchesMaxDefault = 100_000;

const loopback = /^(127\.|::1$|::ffff:127\.)/;

/** What a title that nobody described may do, when it calls from this machine or is admitted without further words. */
export function plainEntity(title: string): ApplicationEntity {
  return {
    title,
    host: undefined,
    port: undefined,
    tls: false,
    from: [],
    may: entityRights,
    associationsMax: associationsMaxDefault,
    tenant: undefined,
    issuer: undefined,
    charset: undefined,
    syntaxes: [],
    whenKnown: 'first',
    matchesMax: matchesMaxDefault,
  };
}

export class ApplicationEntities {
  readonly #accounts: Accounts;
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #table: SiteTable<ApplicationEntity>;
  readonly #own: SiteTable<TenantId>;

  constructor(parts: { accounts: Accounts; catalog: Catalog; sql: Sql; clock: Clock }) {
    this.#accounts = parts.accounts;
    this.#sql = parts.sql;
    this.#clock = parts.clock;
    this.#table = parts.catalog.site.table(tableName, entityOf);
    this.#own = parts.catalog.site.table(ownTableName, (row) =>
      typeof row['tenant'] === 'number' ? tenantId(row['tenant']) : undefined,
    );
  }

  async list(): Promise<ApplicationEntity[]> {
    return (await this.#table.list()).map((each) => each.row);
  }

  get(title: string): Promise<ApplicationEntity | undefined> {
    return this.#table.get(title.trim());
  }

  /** Admits or changes one. Durable when it resolves. ARGUMENT_INVALID. */
  async set(entity: ApplicationEntity): Promise<void> {
    checkTitle(entity.title);
    if (entity.port !== undefined && !(Number.isInteger(entity.port) && entity.port >= 1 && entity.port <= 65_535))
      throw new ArchiveError('ARGUMENT_INVALID', 'a port is a number from 1 to 65535');
    if (entity.associationsMax < 1 || entity.matchesMax < 1)
      throw new ArchiveError('ARGUMENT_INVALID', 'an application entity may do something at least once');
    await this.#accounts.write([{ table: tableName, key: entity.title, row: rowOf(entity) }]);
    await this.#sql.run('DELETE FROM refused_callers WHERE calling = ?', [entity.title]);
  }

  /** NOT_FOUND. */
  async remove(title: string): Promise<void> {
    if ((await this.get(title)) === undefined)
      throw new ArchiveError('NOT_FOUND', 'there is no such application entity', { hint: 'see: stele ae list' });
    await this.#accounts.write([{ table: tableName, key: title.trim(), row: null }]);
  }

  /** Makes a title of ours stand for a tenant; null takes it back. */
  async setOwn(title: string, tenant: TenantId | null): Promise<void> {
    checkTitle(title);
    await this.#accounts.write([{ table: ownTableName, key: title, row: tenant === null ? null : { tenant } }]);
  }

  /** Whether a caller may open an association, while it has `open` others. A refusal is noted. */
  async admit(caller: Caller, open: number): Promise<Admission> {
    const calling = caller.calling.trim();
    const known = await this.get(calling);
    const entity = known ?? (loopback.test(caller.address) ? plainEntity(calling) : undefined);
    const reason = refusalOf(entity, caller, open);
    if (entity === undefined || reason !== undefined) {
      const why = reason ?? 'caller-unknown';
      await this.#refuse({ ...caller, calling }, why);
      return { kind: 'refused', reason: why };
    }
    const own = await this.#own.get(caller.called.trim());
    return { kind: 'admitted', entity, tenant: own ?? entity.tenant ?? defaultTenant };
  }

  /** Callers that were turned away, the latest first. */
  async refusals(): Promise<Refusal[]> {
    const rows = await this.#sql.all<{
      calling: string;
      called: string;
      address: string;
      reason: string;
      count: number;
      first_ms: number;
      last_ms: number;
    }>(
      `SELECT calling, called, address, reason, count, first_ms, last_ms FROM refused_callers
        ORDER BY last_ms DESC, calling, called, address LIMIT ?`,
      [refusalsMax],
    );
    return rows.map((row) => ({
      calling: row.calling,
      called: row.called,
      address: row.address,
      reason: row.reason as RefusalReason,
      count: row.count,
      firstMs: row.first_ms,
      lastMs: row.last_ms,
    }));
  }

  async #refuse(caller: Caller, reason: RefusalReason): Promise<void> {
    const nowMs = Math.floor(this.#clock.nowMs());
    const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 64);
    await this.#sql.run(
      `INSERT INTO refused_callers (calling, called, address, reason, count, first_ms, last_ms) VALUES (?, ?, ?, ?, 1, ?, ?)
        ON CONFLICT (calling, called, address) DO UPDATE SET reason = excluded.reason, count = refused_callers.count + 1,
          last_ms = excluded.last_ms`,
      [printable(caller.calling), printable(caller.called), printable(caller.address), reason, nowMs, nowMs],
    );
    await this.#sql.run(
      `DELETE FROM refused_callers WHERE last_ms < (SELECT min(last_ms) FROM (
        SELECT last_ms FROM refused_callers ORDER BY last_ms DESC LIMIT ?) kept)`,
      [refusalsMax],
    );
  }
}

function refusalOf(entity: ApplicationEntity | undefined, caller: Caller, open: number): RefusalReason | undefined {
  if (entity === undefined) return 'caller-unknown';
  const address = caller.address.replace(/^::ffff:/, '');
  if (entity.from.length > 0 && !entity.from.includes(address)) return 'address-other';
  return open >= entity.associationsMax ? 'associations-too-many' : undefined;
}

function checkTitle(title: string): void {
  if (!titleForm.test(title))
    throw new ArchiveError(
      'ARGUMENT_INVALID',
      'an application entity title is 1 to 16 printable characters without a backslash, and no space around them',
    );
}

function rowOf(entity: ApplicationEntity): JsonObject {
  const row: Record<string, JsonValue> = {
    title: entity.title,
    tls: entity.tls,
    from: entity.from,
    may: entity.may,
    associationsMax: entity.associationsMax,
    syntaxes: entity.syntaxes,
    whenKnown: entity.whenKnown,
    matchesMax: entity.matchesMax,
  };
  for (const name of ['host', 'port', 'tenant', 'issuer', 'charset'] as const) {
    const value = entity[name];
    if (value !== undefined) row[name] = value;
  }
  return row;
}

function whenKnownOf(value: JsonValue | undefined): WhenKnown {
  if (Array.isArray(value)) return objectKinds.filter((kind) => value.includes(kind));
  return value === 'last' ? 'last' : 'first';
}

function entityOf(row: JsonObject): ApplicationEntity | undefined {
  const title = row['title'];
  if (typeof title !== 'string') return undefined;
  const texts = (value: JsonValue | undefined): string[] =>
    Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
  const text = (value: JsonValue | undefined): string | undefined => (typeof value === 'string' ? value : undefined);
  const count = (value: JsonValue | undefined): number | undefined => (typeof value === 'number' ? value : undefined);
  const tenant = count(row['tenant']);
  const may = texts(row['may']);
  return {
    title,
    host: text(row['host']),
    port: count(row['port']),
    tls: row['tls'] === true,
    from: texts(row['from']),
    may: entityRights.filter((right) => may.includes(right)),
    associationsMax: count(row['associationsMax']) ?? associationsMaxDefault,
    tenant: tenant === undefined ? undefined : tenantId(tenant),
    issuer: text(row['issuer']),
    charset: text(row['charset']),
    syntaxes: texts(row['syntaxes']),
    whenKnown: whenKnownOf(row['whenKnown']),
    matchesMax: count(row['matchesMax']) ?? matchesMaxDefault,
  };
}
