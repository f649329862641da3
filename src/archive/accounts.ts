// Accounts: users, tokens, sessions and who is asking. Site rows in the control stream; the latest counts.
//
// Invariants: a token is kept as the SHA-256 of itself, so it cannot be read back, and never has more than its user; whoever has a second factor logs in with it, and so
// not by a header with a password; a change of a user ends their sessions; what is wrong is not said in more detail than "not logged in".
// Left out on purpose: what roles may do (rights.ts), how passwords are kept (passwords.ts), how many tries there are (login-limits.ts).

import {
  ArchiveError,
  type Clock,
  controlGroup,
  hexOf,
  type Random,
  sha256,
  systemTenant,
  type TenantId,
  tenantId,
  utf8Bytes,
} from '../base/index.ts';
import type { Catalog, JsonObject, TokenRow, UserRow } from '../catalog/index.ts';
import { encodeSiteRow, recordKind } from '../format/index.ts';
import type { Vault } from '../vault/index.ts';
import { passwordCharsMax } from './passwords.ts';
import { ofAccount, type Principal, type Whence } from './principal.ts';
import { actionNames, type Rights, rightsOfRole } from './rights.ts';
import { SecondFactors } from './second-factors.ts';
import { Sessions } from './sessions.ts';
import { checkedRole, checkUser, nameForm, Users } from './users.ts';

export type SiteWrite = { readonly table: string; readonly key: string; readonly row: JsonObject | null };

export type LogIn = {
  readonly name: string;
  readonly password: string;
  /** Of the second factor. */
  readonly code?: string | undefined;
  readonly from: Whence;
  /** The session that was shown with it, if any: it ends. */
  readonly before?: string | undefined;
};

export type LogInOutcome =
  | {
      readonly kind: 'in';
      readonly session: string;
      readonly principal: Principal;
      /** The password must be changed before anything else is done. */
      readonly mustChange: 'provisional' | 'old' | undefined;
    }
  | { readonly kind: 'code-wanted' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'held'; readonly ms: number };

const tokenBytes = 32;
const tokenPrefix = 'stele_';
export const tokenDaysDefault = 365;
const recentMs = 60_000;
const recentMax = 1000;
const accountTables: ReadonlySet<string> = new Set(['users', 'tokens', 'second_factors']);

export class Accounts {
  readonly #vault: Vault;
  readonly #catalog: Catalog;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #users: Users;
  readonly #factors: SecondFactors;
  readonly #sessions: Sessions;
  /** Logins that were found good a moment ago, by the digest of what was presented: a tool that asks with every request is not made to wait. */
  readonly #recent = new Map<string, { readonly caller: Principal; readonly untilMs: number }>();

  constructor(parts: { vault: Vault; catalog: Catalog; clock: Clock; random: Random }) {
    this.#vault = parts.vault;
    this.#catalog = parts.catalog;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#users = new Users({ ...parts, write: (key, row) => this.write([{ table: 'users', key, row }]) });
    this.#factors = new SecondFactors({ ...parts, write: (table, key, row) => this.write([{ table, key, row }]) });
    this.#sessions = new Sessions(parts);
  }

  /** Durable and applied when it resolves. */
  async write(rows: readonly SiteWrite[]): Promise<void> {
    const drafts = rows.map((row) => ({
      kind: recordKind.site,
      group: controlGroup(systemTenant),
      plain: encodeSiteRow({ type: 'site', ...row }),
    }));
    const isOfAccounts = rows.some(({ table }) => accountTables.has(table));
    try {
      await this.#vault.say('control', drafts);
    } finally {
      // Whoever was let in while it was written is asked again.
      if (isOfAccounts) this.#recent.clear();
    }
  }

  async hasUsers(): Promise<boolean> {
    return (await this.#catalog.site.users.list()).length > 0;
  }

  users(): Promise<{ key: string; row: UserRow }[]> {
    return this.#catalog.site.users.list();
  }

  /** Makes the first user, once. FILE_EXISTS when there is one. */
  async setUp(user: { name: string; password: string }): Promise<void> {
    if (await this.hasUsers())
      throw new ArchiveError('FILE_EXISTS', 'the first user was made already', { hint: 'log in as that user' });
    checkUser(user);
    await this.#users.make({ ...user, role: 'admin', tenant: 1, provisional: false });
  }

  /**
   * Makes a user, or gives one another password, to be changed by them at their first log-in to a console. Ends their sessions. ARGUMENT_INVALID; FILE_EXISTS with
   * `fresh` when there is one; NOT_FOUND without.
   */
  async setUser(user: { name: string; password: string; role?: string | undefined; fresh: boolean }): Promise<void> {
    checkUser(user);
    const { name, password, role, fresh } = user;
    const before = await this.#users.get(name);
    if (fresh && before !== undefined)
      throw new ArchiveError('FILE_EXISTS', 'there is such a user already', { hint: 'use: stele user password' });
    if (fresh)
      await this.#users.make({ name, password, role: checkedRole(role ?? 'admin'), tenant: 1, provisional: true });
    else {
      await this.#users.setPassword(name, password, false);
      if (role !== undefined) await this.changeUser({ name, role });
    }
    this.#sessions.closeAll(name);
  }

  /** Gives a user another role, other tenants, or takes their access away and gives it back. Ends their sessions. NOT_FOUND, ARGUMENT_INVALID. */
  async changeUser(user: {
    name: string;
    role?: string | undefined;
    disabled?: boolean | undefined;
    tenants?: readonly TenantId[] | undefined;
  }): Promise<void> {
    const role = user.role === undefined ? undefined : checkedRole(user.role);
    const [first] = user.tenants ?? [];
    await this.#users.change(user.name, (row) => ({
      ...row,
      role: role ?? row.role,
      disabled: user.disabled ?? row.disabled,
      tenant: first ?? row.tenant,
      tenants: user.tenants ?? row.tenants,
    }));
    this.#sessions.closeAll(user.name);
  }

  /** Takes the second factor of somebody who lost it. Safe to repeat. */
  async removeFactor(name: string): Promise<void> {
    await this.#factors.remove(name);
    this.#sessions.closeAll(name);
  }

  /** A new token of a user: shown this once. `scopes`: what it may at most; `days` 0: it does not end. NOT_FOUND, ARGUMENT_INVALID. */
  async createToken(token: {
    user: string;
    name: string;
    role?: string | undefined;
    scopes?: readonly string[] | undefined;
    days?: number | undefined;
  }): Promise<string> {
    const user = await this.#users.get(token.user);
    if (user === undefined)
      throw new ArchiveError('NOT_FOUND', 'there is no such user', { hint: 'use: stele user add' });
    if (!nameForm.test(token.name))
      throw new ArchiveError('ARGUMENT_INVALID', 'a token name is 1 to 64 of a-z, 0-9, ".", "_", "@" and "-"');
    const unknown = token.scopes?.find((each) => !actionNames.some((action) => action === each));
    if (unknown !== undefined)
      throw new ArchiveError('ARGUMENT_INVALID', 'a scope is an action of docs/rights.md, such as study.read');
    const text = `${tokenPrefix}${Buffer.from(this.#random.bytes(tokenBytes)).toString('base64url')}`;
    const createdMs = Math.floor(this.#clock.nowMs());
    const { days = tokenDaysDefault } = token;
    const row: JsonObject = {
      user: token.user,
      name: token.name,
      role: checkedRole(token.role ?? user.role),
      createdMs,
      ...(token.scopes === undefined ? {} : { scopes: token.scopes }),
      ...(days === 0 ? {} : { expiresMs: createdMs + days * 86_400_000 }),
    };
    await this.write([{ table: 'tokens', key: tokenKey(text), row }]);
    return text;
  }

  tokens(): Promise<{ key: string; row: TokenRow }[]> {
    return this.#catalog.site.tokens.list();
  }

  /** NOT_FOUND. */
  async revokeToken(name: string): Promise<number> {
    const found = (await this.tokens()).filter((each) => each.row.name === name);
    if (found.length === 0)
      throw new ArchiveError('NOT_FOUND', 'there is no such token', { hint: 'see: stele token list' });
    await this.write(found.map(({ key }) => ({ table: 'tokens', key, row: null })));
    return found.length;
  }

  /** Logs in to a console: a new session, whatever was shown before. BUSY when too many passwords are being checked. */
  async logIn({ name, password, code, from, before }: LogIn): Promise<LogInOutcome> {
    const proof = await this.#users.prove(name, password, from);
    if (proof.kind === 'held') return proof;
    if (proof.kind === 'wrong') return { kind: 'refused' };
    if (await this.#factors.has(name)) {
      if (code === undefined || code === '') return { kind: 'code-wanted' };
      if (!(await this.#factors.take(name, code))) {
        this.#users.noteAttempt(name, from, false);
        return { kind: 'refused' };
      }
    }
    this.#users.noteAttempt(name, from, true);
    if (before !== undefined) this.#sessions.close(before);
    const principal = principalOf(name, proof.row, from);
    const mustChange = this.#users.mustChange(proof.row);
    return { kind: 'in', session: this.#sessions.open(principal, mustChange !== undefined), principal, mustChange };
  }

  /** Who a session is of; undefined: nobody, or somebody who must first change their password. */
  async ofSession(session: string, from: Whence): Promise<Principal | undefined> {
    const found = this.#sessions.find(session);
    if (found === undefined || found.isLimited) return undefined;
    return ofAccount({ ...found.principal, kind: 'user', door: from.door, address: from.address });
  }

  async logOut(session: string): Promise<void> {
    this.#sessions.close(session);
  }

  /** By the user, who shows the old one. Ends all their sessions. Outcome `refused`, `held`, or done. ARGUMENT_INVALID: weak, or had before. */
  async changePassword(change: {
    name: string;
    password: string;
    next: string;
    from: Whence;
  }): Promise<'done' | 'refused' | 'held'> {
    const proof = await this.#users.prove(change.name, change.password, change.from);
    if (proof.kind !== 'right') return proof.kind === 'held' ? 'held' : 'refused';
    await this.#users.setPassword(change.name, change.next, true);
    this.#sessions.closeAll(change.name);
    return 'done';
  }

  /** Begins a second factor: a URL for an authenticator; undefined: refused. FILE_EXISTS: there is one. */
  async beginFactor(user: { name: string; password: string; from: Whence }): Promise<string | undefined> {
    const proof = await this.#users.prove(user.name, user.password, user.from);
    return proof.kind === 'right' ? this.#factors.begin(user.name) : undefined;
  }

  /** From here on it is asked for: recovery codes, told this once; undefined: the code does not fit. NOT_FOUND. */
  async confirmFactor(user: {
    name: string;
    password: string;
    code: string;
    from: Whence;
  }): Promise<readonly string[] | undefined> {
    const proof = await this.#users.prove(user.name, user.password, user.from);
    return proof.kind === 'right' ? this.#factors.confirm(user.name, user.code) : undefined;
  }

  /** Who a header `Authorization` speaks for; undefined: nobody. BUSY when too many passwords are being checked, or were wrong. */
  async callerOf(header: string | undefined, from: Whence): Promise<Principal | undefined> {
    const match = /^(Bearer|Basic) +([A-Za-z0-9+/=_.~-]{1,4096})$/i.exec(header ?? '');
    if (match === null) return undefined;
    const presented = match[2] ?? '';
    const cacheKey = hexOf(sha256(utf8Bytes(JSON.stringify([header ?? '', from.address ?? '', from.door]))));
    const nowMs = this.#clock.monotonicMs();
    const recent = this.#recent.get(cacheKey);
    if (recent !== undefined && recent.untilMs > nowMs) return recent.caller;
    const found =
      match[1]?.toLowerCase() === 'bearer'
        ? await this.#ofToken(presented, from)
        : await this.#ofPassword(presented, from);
    if (found === undefined) return undefined;
    if (this.#recent.size >= recentMax) this.#recent.clear();
    this.#recent.set(cacheKey, { caller: found.caller, untilMs: Math.min(nowMs + recentMs, nowMs + found.leftMs) });
    return found.caller;
  }

  async #ofToken(text: string, from: Whence): Promise<Found | undefined> {
    const row = await this.#catalog.site.tokens.get(tokenKey(text));
    const leftMs = (row?.expiresMs ?? Number.POSITIVE_INFINITY) - this.#clock.nowMs();
    if (row === undefined || leftMs <= 0) return undefined;
    const user = await this.#users.get(row.user);
    if (user === undefined || user.disabled) return undefined;
    // A token never has more than its user.
    let rights: Rights = rightsOfRole(checkedRole(row.role)).intersection(rightsOfRole(checkedRole(user.role)));
    if (row.scopes !== undefined)
      rights = new Set(actionNames.filter((action) => rights.has(action) && row.scopes?.includes(action) === true));
    return {
      caller: ofAccount({ kind: 'token', name: row.user, token: row.name, rights, ...tenantsOf(user), ...from }),
      leftMs,
    };
  }

  async #ofPassword(encoded: string, from: Whence): Promise<Found | undefined> {
    const text = Buffer.from(encoded, 'base64').toString('utf8');
    const cut = text.indexOf(':');
    if (cut < 0) return undefined;
    const [name, password] = [text.slice(0, cut), text.slice(cut + 1)];
    if (password.length > passwordCharsMax) return undefined;
    const proof = await this.#users.prove(name, password, from);
    if (proof.kind === 'held')
      throw new ArchiveError('BUSY', 'too many log-ins were wrong: none is taken for a while', {
        hint: `try again in ${Math.ceil(proof.ms / 60_000)} minutes`,
      });
    // A password alone is not enough for whoever has a second factor: their tools use tokens.
    if (proof.kind !== 'right' || (await this.#factors.has(name))) return undefined;
    this.#users.noteAttempt(name, from, true);
    return { caller: principalOf(name, proof.row, from), leftMs: Number.POSITIVE_INFINITY };
  }
}

type Found = { readonly caller: Principal; readonly leftMs: number };

function principalOf(name: string, row: UserRow, from: Whence): Principal {
  const rights: Rights = rightsOfRole(checkedRole(row.role));
  return ofAccount({ kind: 'user', name, token: undefined, rights, ...tenantsOf(row), ...from });
}

function tenantsOf({ tenant, tenants }: UserRow): Pick<Principal, 'tenant' | 'tenants'> {
  return { tenant: tenantId(tenant), tenants: new Set([tenant, ...(tenants ?? [])].map(tenantId)) };
}

function tokenKey(text: string): string {
  return hexOf(sha256(utf8Bytes(text)));
}
