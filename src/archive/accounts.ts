// Accounts: users, tokens, and who is asking. Site rows in the control stream; the latest counts.
//
// Invariants: a password is kept as scrypt's output with its own salt, a token as the SHA-256 of itself, so neither can be read back; a
// comparison takes as long for a wrong name as for a wrong password; what is wrong is not said in more detail than "not logged in".
// Left out on purpose: sessions of the console, and rights finer than a role.

import { scrypt, timingSafeEqual } from 'node:crypto';
import {
  ArchiveError,
  base64Of,
  bytesOfBase64,
  type Clock,
  controlGroup,
  hexOf,
  type Random,
  sha256,
  systemTenant,
  tenantId,
  utf8Bytes,
} from '../base/index.ts';
import type { Catalog, JsonObject, TokenRow, UserRow } from '../catalog/index.ts';
import { encodeSiteRow, recordKind } from '../format/index.ts';
import type { Vault } from '../vault/index.ts';
import { ofAccount, type Principal, type Whence } from './principal.ts';
import { type Role, rightsOfRole, roles } from './rights.ts';

export type SiteWrite = { readonly table: string; readonly key: string; readonly row: JsonObject | null };

const cost = { N: 16_384, r: 8, p: 1 } as const;
const hashBytes = 32;
const passwordCharsMin = 8;
const passwordCharsMax = 1024;
const tokenBytes = 32;
const tokenPrefix = 'stele_';
const nameForm = /^[a-z0-9][a-z0-9._@-]{0,63}$/;
/** Password checks under way at once: each takes some 16 MiB and 40 ms. */
const checksMax = 4;

export class Accounts {
  readonly #vault: Vault;
  readonly #catalog: Catalog;
  readonly #clock: Clock;
  readonly #random: Random;
  #checking = 0;
  /** Logins that were found good a moment ago, by the digest of what was presented: a tool that asks with every request is not made to wait. */
  readonly #recent = new Map<string, { readonly caller: Principal; readonly untilMs: number }>();

  constructor(parts: { vault: Vault; catalog: Catalog; clock: Clock; random: Random }) {
    this.#vault = parts.vault;
    this.#catalog = parts.catalog;
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  /** Durable and applied when it resolves. */
  async write(rows: readonly SiteWrite[]): Promise<void> {
    const drafts = rows.map((row) => ({
      kind: recordKind.site,
      group: controlGroup(systemTenant),
      plain: encodeSiteRow({ type: 'site', ...row }),
    }));
    this.#recent.clear();
    await this.#vault.say('control', drafts);
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
    await this.setUser({ ...user, role: 'admin', fresh: true });
  }

  /** Makes a user, or gives one another password. ARGUMENT_INVALID; FILE_EXISTS with `fresh` when there is one. */
  async setUser(user: { name: string; password: string; role?: string | undefined; fresh: boolean }): Promise<void> {
    checkUser(user);
    const role = checkedRole(user.role);
    const before = await this.#catalog.site.users.get(user.name);
    if (user.fresh && before !== undefined)
      throw new ArchiveError('FILE_EXISTS', 'there is such a user already', { hint: 'use: stele user password' });
    if (!user.fresh && before === undefined)
      throw new ArchiveError('NOT_FOUND', 'there is no such user', { hint: 'use: stele user add' });
    const passwordHash = await this.#hash(user.password);
    const row = {
      tenant: before?.tenant ?? 1,
      passwordHash,
      role: user.role === undefined ? (before?.role ?? role) : role,
      disabled: before?.disabled ?? false,
    };
    await this.write([{ table: 'users', key: user.name, row }]);
  }

  /** A new token of a user: shown this once. NOT_FOUND. */
  async createToken(token: {
    user: string;
    name: string;
    role?: string | undefined;
    days?: number | undefined;
  }): Promise<string> {
    const user = await this.#catalog.site.users.get(token.user);
    if (user === undefined)
      throw new ArchiveError('NOT_FOUND', 'there is no such user', { hint: 'use: stele user add' });
    if (!nameForm.test(token.name))
      throw new ArchiveError('ARGUMENT_INVALID', 'a token name is 1 to 64 of a-z, 0-9, ".", "_", "@" and "-"');
    const text = `${tokenPrefix}${Buffer.from(this.#random.bytes(tokenBytes)).toString('base64url')}`;
    const createdMs = Math.floor(this.#clock.nowMs());
    const row: JsonObject = {
      user: token.user,
      name: token.name,
      role: checkedRole(token.role ?? user.role),
      createdMs,
      ...(token.days === undefined ? {} : { expiresMs: createdMs + token.days * 86_400_000 }),
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

  /** Who a header `Authorization` speaks for; undefined: nobody. BUSY when too many passwords are being checked. */
  async callerOf(header: string | undefined, from: Whence): Promise<Principal | undefined> {
    const match = /^(Bearer|Basic) +([A-Za-z0-9+/=_.~-]{1,4096})$/i.exec(header ?? '');
    if (match === null) return undefined;
    const presented = match[2] ?? '';
    const cacheKey = hexOf(sha256(utf8Bytes(JSON.stringify([header ?? '', from.address ?? '', from.door]))));
    const nowMs = this.#clock.monotonicMs();
    const recent = this.#recent.get(cacheKey);
    if (recent !== undefined && recent.untilMs > nowMs) return recent.caller;
    const caller =
      match[1]?.toLowerCase() === 'bearer'
        ? await this.#ofToken(presented, from)
        : await this.#ofPassword(presented, from);
    if (caller !== undefined) {
      if (this.#recent.size >= 1000) this.#recent.clear();
      this.#recent.set(cacheKey, { caller, untilMs: nowMs + 60_000 });
    }
    return caller;
  }

  async #ofToken(text: string, from: Whence): Promise<Principal | undefined> {
    const row = await this.#catalog.site.tokens.get(tokenKey(text));
    if (row === undefined || (row.expiresMs !== undefined && row.expiresMs <= this.#clock.nowMs())) return undefined;
    const user = await this.#catalog.site.users.get(row.user);
    if (user === undefined || user.disabled) return undefined;
    // A token never has more than its user.
    const rights = rightsOfRole(checkedRole(row.role)).intersection(rightsOfRole(checkedRole(user.role)));
    return ofAccount({ kind: 'token', name: row.user, token: row.name, rights, ...tenantOf(user), ...from });
  }

  async #ofPassword(encoded: string, from: Whence): Promise<Principal | undefined> {
    const text = Buffer.from(encoded, 'base64').toString('utf8');
    const cut = text.indexOf(':');
    if (cut < 0) return undefined;
    const [name, password] = [text.slice(0, cut), text.slice(cut + 1)];
    const user = nameForm.test(name) ? await this.#catalog.site.users.get(name) : undefined;
    const good = await this.#matches(password.slice(0, passwordCharsMax), user?.passwordHash ?? decoyHash);
    if (!good || user === undefined || user.disabled) return undefined;
    const rights = rightsOfRole(checkedRole(user.role));
    return ofAccount({ kind: 'user', name, token: undefined, rights, ...tenantOf(user), ...from });
  }

  async #hash(password: string): Promise<string> {
    const salt = this.#random.bytes(16);
    const hash = await derive(password, salt);
    return `scrypt$${cost.N}$${cost.r}$${cost.p}$${base64Of(salt)}$${base64Of(hash)}`;
  }

  async #matches(password: string, kept: string): Promise<boolean> {
    const [name, n, r, p, salt, hash] = kept.split('$');
    if (
      name !== 'scrypt' ||
      Number(n) !== cost.N ||
      Number(r) !== cost.r ||
      Number(p) !== cost.p ||
      salt === undefined ||
      hash === undefined
    )
      return false;
    if (this.#checking >= checksMax) throw new ArchiveError('BUSY', 'too many passwords are being checked');
    this.#checking += 1;
    try {
      return timingSafeEqual(await derive(password, bytesOfBase64(salt)), bytesOfBase64(hash).subarray(0, hashBytes));
    } finally {
      this.#checking -= 1;
    }
  }
}

/** ARGUMENT_INVALID for a name, a password or a role that no user can have. */
export function checkUser(user: { name: string; password: string; role?: string | undefined }): void {
  if (!nameForm.test(user.name))
    throw new ArchiveError('ARGUMENT_INVALID', 'a user name is 1 to 64 of a-z, 0-9, ".", "_", "@" and "-"');
  if (user.password.length < passwordCharsMin || user.password.length > passwordCharsMax) {
    throw new ArchiveError('ARGUMENT_INVALID', `a password has ${passwordCharsMin} to ${passwordCharsMax} characters`);
  }
  checkedRole(user.role);
}

/** Compared with when there is no such user, so that it takes as long. */
const decoyHash = `scrypt$${cost.N}$${cost.r}$${cost.p}$${base64Of(new Uint8Array(16))}$${base64Of(new Uint8Array(hashBytes))}`;

function derive(password: string, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(
      utf8Bytes(password.normalize('NFC')),
      salt,
      hashBytes,
      { ...cost, maxmem: 64 * 1024 * 1024 },
      (error, key) => {
        if (error === null) resolve(key);
        else reject(new ArchiveError('INTERNAL', 'scrypt failed', { cause: error }));
      },
    );
  });
}

function tenantOf({ tenant }: UserRow): Pick<Principal, 'tenant' | 'tenants'> {
  return { tenant: tenantId(tenant), tenants: new Set([tenantId(tenant)]) };
}

function tokenKey(text: string): string {
  return hexOf(sha256(utf8Bytes(text)));
}

function checkedRole(role: string | undefined): Role {
  const known = roles.find((each) => each === (role ?? 'admin'));
  if (known === undefined) throw new ArchiveError('ARGUMENT_INVALID', `a role is one of ${roles.join(', ')}`);
  return known;
}
