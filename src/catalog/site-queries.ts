// Site tables: tenants, users, tokens, settings, buckets and exports of the keyring.
//
// Invariants: a site table is rows of JSON by key, the latest counts; each is read through one description of its row, which refuses
// a row it does not understand (RECORD_CORRUPT) rather than guess; a removed row is not there. A new site table needs no migration.
// Left out on purpose: writing (a site row is written to a pack, then applied as a change), and what a password hash means.

import type { RecordId, TenantId } from '../base/index.ts';
import { ArchiveError, idOfBytes, writerId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import type { JsonObject, JsonValue } from './changes.ts';
import { textValue } from './storable.ts';

export type TenantRow = { readonly name: string };
export type UserRow = {
  readonly tenant: number;
  /** As the one who checks it wrote it; opaque here. */
  readonly passwordHash: string;
  readonly role: string;
  readonly disabled: boolean;
  /** Beyond `tenant`. */
  readonly tenants?: readonly number[] | undefined;
  /** When the password was set. */
  readonly passwordMs?: number | undefined;
  /** To be changed by its user. */
  readonly provisional?: boolean | undefined;
  /** Hashes of passwords before this one. */
  readonly earlier?: readonly string[] | undefined;
};
export type TokenRow = {
  readonly user: string;
  readonly name: string;
  readonly role: string;
  readonly createdMs: number;
  readonly expiresMs: number | undefined;
  /** What it may at most. */
  readonly scopes?: readonly string[] | undefined;
};
export type BucketRow = {
  readonly tenant: number;
  readonly name: string;
  readonly createdMs: number;
  readonly meta: JsonObject | undefined;
};
export type ExportRow = { readonly number: bigint; readonly generation: bigint; readonly createdMs: number };

/** Rows listed in one call: site tables are small, and a larger one is a mistake to be seen. */
export const siteRowsMax = 10_000;
const siteRowsPage = 500;

/** Reads one site table. `parse` gives undefined for a row it does not understand. */
export class SiteTable<Row> {
  readonly #sql: SqlTx;
  readonly #name: string;
  readonly #parse: (row: JsonObject) => Row | undefined;

  constructor(sql: SqlTx, name: string, parse: (row: JsonObject) => Row | undefined) {
    this.#sql = sql;
    this.#name = name;
    this.#parse = parse;
  }

  #rowOf(body: string): Row {
    const row = this.#parse(JSON.parse(body) as JsonObject);
    if (row === undefined)
      throw new ArchiveError('RECORD_CORRUPT', `a row of the site table ${this.#name} is malformed`);
    return row;
  }

  async get(key: string): Promise<Row | undefined> {
    const statement = 'SELECT body FROM site_rows WHERE name = ? AND key = ?';
    const found = await this.#sql.one<{ body: string | null }>(statement, [this.#name, textValue(key)]);
    return found === undefined || found.body === null ? undefined : this.#rowOf(found.body);
  }

  /** All rows in the order of their keys. */
  async list(): Promise<{ key: string; row: Row }[]> {
    const statement = `SELECT key, body FROM site_rows WHERE name = ? AND body IS NOT NULL ORDER BY key LIMIT ?`;
    const found = await this.#sql.all<{ key: string; body: string }>(statement, [this.#name, siteRowsMax + 1]);
    if (found.length > siteRowsMax) {
      throw new ArchiveError('LIMIT_EXCEEDED', `the site table ${this.#name} has more than ${siteRowsMax} rows`);
    }
    return found.map(({ key, body }) => ({ key, row: this.#rowOf(body) }));
  }

  /** Rows whose keys begin with a text and go on, in the order of their keys, page by page: for tables that may grow beyond a list. */
  async *each(prefix = ''): AsyncGenerator<{ key: string; row: Row }> {
    const statement = `SELECT key, body FROM site_rows WHERE name = ? AND key > ? AND body IS NOT NULL ORDER BY key LIMIT ?`;
    for (let after = textValue(prefix); ; ) {
      const found = await this.#sql.all<{ key: string; body: string }>(statement, [this.#name, after, siteRowsPage]);
      for (const { key, body } of found) {
        if (!key.startsWith(prefix)) return;
        yield { key, row: this.#rowOf(body) };
        after = key;
      }
      if (found.length < siteRowsPage) return;
    }
  }
}

const text = (value: JsonValue | undefined): string | undefined => (typeof value === 'string' ? value : undefined);
const count = (value: JsonValue | undefined): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
const texts = (value: JsonValue | undefined): readonly string[] | undefined =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'string') : undefined;

function parseTenant(row: JsonObject): TenantRow | undefined {
  const name = text(row['name']);
  return name === undefined ? undefined : { name };
}

function parseUser(row: JsonObject): UserRow | undefined {
  const [tenant, passwordHash, role] = [count(row['tenant']), text(row['passwordHash']), text(row['role'])];
  if (tenant === undefined || passwordHash === undefined || role === undefined) return undefined;
  const { tenants } = row;
  const [passwordMs, earlier] = [count(row['passwordMs']), texts(row['earlier'])];
  return {
    tenant,
    passwordHash,
    role,
    disabled: row['disabled'] === true,
    ...(Array.isArray(tenants) ? { tenants: tenants.filter((each) => typeof each === 'number') } : {}),
    ...(passwordMs === undefined ? {} : { passwordMs }),
    ...(row['provisional'] === true ? { provisional: true } : {}),
    ...(earlier === undefined ? {} : { earlier }),
  };
}

function parseToken(row: JsonObject): TokenRow | undefined {
  const [user, name, role] = [text(row['user']), text(row['name']), text(row['role'])];
  const createdMs = count(row['createdMs']);
  if (user === undefined || name === undefined || role === undefined || createdMs === undefined) return undefined;
  const scopes = texts(row['scopes']);
  return {
    user,
    name,
    role,
    createdMs,
    expiresMs: count(row['expiresMs']),
    ...(scopes === undefined ? {} : { scopes }),
  };
}

/** Any row as it is: settings, and tables of rooms above that describe their own rows. */
const parseAny = (row: JsonObject): JsonObject => row;

export class SiteQueries {
  readonly #sql: SqlTx;
  /** Key: the tenant's number in decimal. */
  readonly tenants: SiteTable<TenantRow>;
  /** Key: the user's name. */
  readonly users: SiteTable<UserRow>;
  /** Key: what the presented token is looked up by, such as its hash. */
  readonly tokens: SiteTable<TokenRow>;
  /** Key: the setting's name. */
  readonly settings: SiteTable<JsonObject>;

  constructor(sql: SqlTx) {
    this.#sql = sql;
    this.tenants = new SiteTable(sql, 'tenants', parseTenant);
    this.users = new SiteTable(sql, 'users', parseUser);
    this.tokens = new SiteTable(sql, 'tokens', parseToken);
    this.settings = new SiteTable(sql, 'settings', parseAny);
  }

  /** A site table of a room above. */
  table<Row>(name: string, parse: (row: JsonObject) => Row | undefined): SiteTable<Row> {
    return new SiteTable(this.#sql, name, parse);
  }

  /** The record that says the row in force, or that it was removed; undefined when nothing was ever said of it. */
  async recordOf(table: string, key: string): Promise<RecordId | undefined> {
    const row = await this.#sql.one<{ id: Uint8Array; rec_seq: bigint }>(
      'SELECT w.id, s.rec_seq FROM site_rows s JOIN writers w ON w.writer_no = s.rec_writer_no WHERE s.name = ? AND s.key = ?',
      [textValue(table), textValue(key)],
      'bigint',
    );
    return row === undefined ? undefined : { writer: writerId(idOfBytes(row.id)), sequence: row.rec_seq };
  }

  /** Buckets that were not deleted, in the order of their names. */
  async buckets(tenant: TenantId): Promise<BucketRow[]> {
    const rows = await this.#sql.all<{ tenant: number; name: string; created_ms: number; meta: string | null }>(
      'SELECT tenant, name, created_ms, meta FROM buckets WHERE tenant = ? AND state = 0 ORDER BY name LIMIT ?',
      [tenant, siteRowsMax],
    );
    return rows.map(bucketOf);
  }

  async bucket(tenant: TenantId, name: string): Promise<BucketRow | undefined> {
    const statement = 'SELECT tenant, name, created_ms, meta FROM buckets WHERE tenant = ? AND name = ? AND state = 0';
    const row = await this.#sql.one<{ tenant: number; name: string; created_ms: number; meta: string | null }>(
      statement,
      [tenant, textValue(name)],
    );
    return row === undefined ? undefined : bucketOf(row);
  }

  /** Exports of the keyring, in the order of their numbers. */
  async exports(): Promise<ExportRow[]> {
    const statement = 'SELECT number, generation, created_ms FROM exports ORDER BY number LIMIT ?';
    const rows = await this.#sql.all<{ number: bigint; generation: bigint; created_ms: bigint }>(
      statement,
      [siteRowsMax],
      'bigint',
    );
    return rows.map((row) => ({ number: row.number, generation: row.generation, createdMs: Number(row.created_ms) }));
  }
}

function bucketOf(row: { tenant: number; name: string; created_ms: number; meta: string | null }): BucketRow {
  const meta = row.meta === null ? undefined : (JSON.parse(row.meta) as JsonObject);
  return { tenant: row.tenant, name: row.name, createdMs: row.created_ms, meta };
}
