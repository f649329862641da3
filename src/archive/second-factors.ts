// Second factors: a TOTP secret and recovery codes of a user.
//
// Invariants: a factor counts once a code of it was shown; a code is taken once: the step it was of is written before its user is let in; a recovery code is kept as its
// hash and goes when it is used; one check of a user at a time, so that two who show one code at once are one who is let in.
// Left out on purpose: keys of hardware (WebAuthn).

import { ArchiveError, base64Of, bytesOfBase64, type Clock, type Random } from '../base/index.ts';
import type { Catalog, JsonObject, JsonValue, SiteTable } from '../catalog/index.ts';
import { KeyTurns } from './key-turns.ts';
import {
  factorUrl,
  hashOfRecoveryCode,
  newRecoveryCode,
  recoveryCodesCount,
  secretBytes,
  stepOfCode,
} from './one-time-codes.ts';

type Factor = {
  readonly secret: Uint8Array;
  readonly confirmed: boolean;
  readonly lastStep: number;
  readonly recovery: readonly string[];
};

const tableName = 'second_factors';

export class SecondFactors {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #table: SiteTable<Factor>;
  readonly #write: (key: string, row: JsonObject | null) => Promise<void>;
  readonly #turns = new KeyTurns();

  constructor(parts: {
    catalog: Catalog;
    clock: Clock;
    random: Random;
    write: (table: string, key: string, row: JsonObject | null) => Promise<void>;
  }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#table = parts.catalog.site.table(tableName, factorOf);
    this.#write = (key, row) => parts.write(tableName, key, row);
  }

  async has(user: string): Promise<boolean> {
    return (await this.#table.get(user))?.confirmed === true;
  }

  /** A new secret, which counts when a code of it is shown. The one that counts until then goes on doing so. */
  async begin(user: string): Promise<string> {
    if (await this.has(user))
      throw new ArchiveError('FILE_EXISTS', 'there is a second factor already', { hint: 'have it removed first' });
    const secret = this.#random.bytes(secretBytes);
    await this.#put(user, { secret, confirmed: false, lastStep: 0, recovery: [] });
    return factorUrl(secret, { issuer: 'Stele', user });
  }

  /** Recovery codes, told this once; undefined: the code does not fit. NOT_FOUND: no factor was begun. */
  confirm(user: string, code: string): Promise<readonly string[] | undefined> {
    return this.#turns.inTurn(user, async () => {
      const factor = await this.#table.get(user);
      if (factor === undefined || factor.confirmed)
        throw new ArchiveError('NOT_FOUND', 'no second factor was begun', { hint: 'begin one first' });
      const step = stepOfCode(factor.secret, code, this.#clock.nowMs(), factor.lastStep);
      if (step === undefined) return undefined;
      const codes = Array.from({ length: recoveryCodesCount }, () => newRecoveryCode(this.#random));
      await this.#put(user, { ...factor, confirmed: true, lastStep: step, recovery: codes.map(hashOfRecoveryCode) });
      return codes;
    });
  }

  /** Whether a code, or a recovery code, is right; it is used up before this resolves. */
  take(user: string, code: string): Promise<boolean> {
    return this.#turns.inTurn(user, async () => {
      const factor = await this.#table.get(user);
      if (factor === undefined || !factor.confirmed) return false;
      const step = stepOfCode(factor.secret, code, this.#clock.nowMs(), factor.lastStep);
      if (step !== undefined) {
        await this.#put(user, { ...factor, lastStep: step });
        return true;
      }
      const hash = hashOfRecoveryCode(code);
      const left = factor.recovery.filter((each) => each !== hash);
      if (left.length === factor.recovery.length) return false;
      await this.#put(user, { ...factor, recovery: left });
      return true;
    });
  }

  /** How many recovery codes are left. */
  async recoveryLeft(user: string): Promise<number> {
    return (await this.#table.get(user))?.recovery.length ?? 0;
  }

  remove(user: string): Promise<void> {
    return this.#turns.inTurn(user, () => this.#write(user, null));
  }

  #put(user: string, { secret, confirmed, lastStep, recovery }: Factor): Promise<void> {
    return this.#write(user, { secret: base64Of(secret), confirmed, lastStep, recovery });
  }
}

function factorOf(row: JsonObject): Factor | undefined {
  const { secret, confirmed, lastStep } = row;
  if (typeof secret !== 'string' || typeof lastStep !== 'number') return undefined;
  const texts = (value: JsonValue | undefined): string[] =>
    Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
  return { secret: bytesOfBase64(secret), confirmed: confirmed === true, lastStep, recovery: texts(row['recovery']) };
}
