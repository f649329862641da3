// Users: their rows, and whether somebody is who they say.
//
// Invariants: a row is written whole and the latest counts; of passwords that a user had, the last few are remembered as hashes, so that none comes back; what is wrong
// about a name and a password is not said; a hash that was made at another cost is made anew when its password is shown.
// Left out on purpose: second factors, sessions and tokens.

import { ArchiveError, type Clock, type Random } from '../base/index.ts';
import type { Catalog, JsonObject, UserRow } from '../catalog/index.ts';
import { KeyTurns } from './key-turns.ts';
import { LoginLimits } from './login-limits.ts';
import { checkPasswordLength, Passwords, weaknessOf } from './passwords.ts';
import type { Whence } from './principal.ts';
import { type Role, roles } from './rights.ts';

export const nameForm = /^[a-z0-9][a-z0-9._@-]{0,63}$/;
/** GB/T 22239 wants passwords changed in time; a quarter of a year is what is asked for. */
export const passwordDays = 90;
const earlierMax = 5;
const dayMs = 86_400_000;

export type Proof =
  | { readonly kind: 'right'; readonly name: string; readonly row: UserRow }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'held'; readonly ms: number };

type WriteUser = (name: string, row: JsonObject) => Promise<void>;

export class Users {
  readonly #catalog: Catalog;
  readonly #clock: Clock;
  readonly #passwords: Passwords;
  readonly #limits: LoginLimits;
  readonly #write: WriteUser;
  readonly #turns = new KeyTurns();

  constructor(parts: { catalog: Catalog; clock: Clock; random: Random; write: WriteUser }) {
    this.#catalog = parts.catalog;
    this.#clock = parts.clock;
    this.#passwords = new Passwords(parts.random);
    this.#limits = new LoginLimits(parts.clock);
    this.#write = parts.write;
  }

  get(name: string): Promise<UserRow | undefined> {
    return nameForm.test(name) ? this.#catalog.site.users.get(name) : Promise.resolve(undefined);
  }

  /** Compares a name and a password. Whoever was wrong too often is held, without anything being compared. BUSY. */
  async prove(name: string, password: string, { address }: Whence): Promise<Proof> {
    const attempt = { name: name.slice(0, 64), address };
    const ms = this.#limits.heldMs(attempt);
    if (ms > 0) return { kind: 'held', ms };
    const row = await this.get(name);
    const isRight = await this.#passwords.matches(password, row?.passwordHash);
    if (!isRight || row === undefined || row.disabled) {
      this.#limits.failed(attempt);
      return { kind: 'wrong' };
    }
    if (this.#passwords.isOld(row.passwordHash)) await this.#renew(name, row, password);
    return { kind: 'right', name, row };
  }

  /** The whole log-in was right, or a second factor was not. */
  noteAttempt(name: string, { address }: Whence, isRight: boolean): void {
    if (isRight) this.#limits.succeeded({ name, address });
    else this.#limits.failed({ name, address });
  }

  /** Somebody else's password, or the first: to be changed by its user when it is weak or `provisional`. */
  async make(user: {
    name: string;
    password: string;
    role: Role;
    tenant: number;
    provisional: boolean;
  }): Promise<void> {
    checkPasswordLength(user.password);
    await this.#write(user.name, {
      tenant: user.tenant,
      passwordHash: await this.#passwords.keep(user.password),
      role: user.role,
      disabled: false,
      passwordMs: this.#nowMs(),
      provisional: user.provisional || weaknessOf(user.password, user.name) !== undefined,
    });
  }

  /** ARGUMENT_INVALID: the new one is weak, or was had before. NOT_FOUND. `own`: by the user, who keeps to the rules. */
  async setPassword(name: string, password: string, own: boolean): Promise<void> {
    checkPasswordLength(password);
    const weakness = weaknessOf(password, name);
    if (own && weakness !== undefined) throw new ArchiveError('ARGUMENT_INVALID', `this password is weak: ${weakness}`);
    await this.change(name, async (row) => {
      const had = [row.passwordHash, ...(row.earlier ?? [])].slice(0, earlierMax);
      if (own)
        for (const kept of had)
          if (await this.#passwords.matches(password, kept))
            throw new ArchiveError('ARGUMENT_INVALID', `this is one of the last ${earlierMax} passwords`);
      const passwordHash = await this.#passwords.keep(password);
      return { ...row, passwordHash, earlier: had, passwordMs: this.#nowMs(), provisional: !own || undefined };
    });
  }

  /** One change of a user at a time. NOT_FOUND. */
  change(name: string, change: (row: UserRow) => Promise<UserRow> | UserRow): Promise<void> {
    return this.#turns.inTurn(name, async () => {
      const row = await this.get(name);
      if (row === undefined)
        throw new ArchiveError('NOT_FOUND', 'there is no such user', { hint: 'use: stele user add' });
      await this.#write(name, rowOf(await change(row)));
    });
  }

  /** Why the password must be changed before anything else is done; undefined: it need not. */
  mustChange({ provisional, passwordMs }: UserRow): 'provisional' | 'old' | undefined {
    if (provisional === true) return 'provisional';
    return passwordMs !== undefined && this.#nowMs() - passwordMs > passwordDays * dayMs ? 'old' : undefined;
  }

  async #renew(name: string, before: UserRow, password: string): Promise<void> {
    const passwordHash = await this.#passwords.keep(password);
    // Another change may have come meanwhile: that one counts.
    await this.change(name, (row) => (row.passwordHash === before.passwordHash ? { ...row, passwordHash } : row));
  }

  #nowMs(): number {
    return Math.floor(this.#clock.nowMs());
  }
}

function rowOf(row: UserRow): JsonObject {
  const { passwordMs, provisional, earlier, tenants, ...rest } = row;
  return {
    ...rest,
    ...(passwordMs === undefined ? {} : { passwordMs }),
    ...(provisional === true ? { provisional } : {}),
    ...(earlier === undefined ? {} : { earlier }),
    ...(tenants === undefined ? {} : { tenants }),
  };
}

export function checkedRole(role: string): Role {
  const known = roles.find((each) => each === role);
  if (known === undefined) throw new ArchiveError('ARGUMENT_INVALID', `a role is one of ${roles.join(', ')}`);
  return known;
}

/** ARGUMENT_INVALID for a name, a password or a role that no user can have. */
export function checkUser(user: { name: string; password: string; role?: string | undefined }): void {
  if (!nameForm.test(user.name))
    throw new ArchiveError('ARGUMENT_INVALID', 'a user name is 1 to 64 of a-z, 0-9, ".", "_", "@" and "-"');
  checkPasswordLength(user.password);
  if (user.role !== undefined) checkedRole(user.role);
}
