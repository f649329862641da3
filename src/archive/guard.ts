// The guard: the facade as one principal has it. Every call asks the table of rights and compares tenants before anything is done, and is told to the audit.
//
// Invariants: a noun of the facade is reached through its guarded form only; a call without a row does not exist here; a refusal is thrown at once, also by calls that
// answer with a promise or piece by piece; what is refused is audited with its reason.
// Cost: one look at a bit, one comparison of tenants, one entry of a map: a microsecond or two a call. Guarded forms of nouns are made when they are asked for.
// Left out on purpose: what rights there are (rights.ts), what calls mean (guard-rows.ts), how events are kept (audit.ts).

import { ArchiveError, type Clock, type TenantId, toArchiveError } from '../base/index.ts';
import { Archive, type ArchiveParts } from './archive.ts';
import type { About, CallTeller } from './audit-event.ts';
import type { CallMeter } from './call-meter.ts';
import { guardRows, type NounName } from './guard-rows.ts';
import type { Principal } from './principal.ts';
import { type Action, type AuditKind, actions, mayDo } from './rights.ts';

type Public<Noun> = { [K in keyof Noun]: Noun[K] };

/** The facade as doors have it: the same nouns and calls as the whole archive's, each of them checked. */
export type GuardedArchive = { readonly [K in Exclude<keyof Archive, NounName>]: Archive[K] } & {
  readonly [N in NounName]: Public<Archive[N]>;
} & ArchiveGate & {
    /** Refuses who may not, before anything is done. ACCESS_DENIED. */
    readonly demand: (action: Action) => void;
  };

/** What a door is given: nothing until it says on whose behalf. */
export type ArchiveGate = { readonly as: (principal: Principal) => GuardedArchive };

type LooseCall = (...args: readonly unknown[]) => unknown;
type LooseRow = {
  readonly action: Action;
  readonly audit: AuditKind;
  readonly about: ((...args: readonly unknown[]) => About) | undefined;
  readonly found: ((told: unknown) => About) | undefined;
};
type LooseNoun = Readonly<Record<string, LooseCall>>;

const nothing: About = {};

type AnyRow = Action | { readonly action: Action; readonly about?: unknown; readonly found?: unknown };

/** The rows' functions are told what their calls were told: the table's types say so. */
function looseRow(row: AnyRow): LooseRow {
  const { action, about, found } = typeof row === 'string' ? { action: row } : row;
  return {
    action,
    audit: actions[action].audit,
    about: about as LooseRow['about'],
    found: found as LooseRow['found'],
  };
}

class GuardedNoun {
  readonly inner: LooseNoun;
  readonly guard: Guard;

  constructor(inner: object, guard: Guard) {
    this.inner = inner as LooseNoun;
    this.guard = guard;
  }
}

/** A class with one checked call for each row. */
function guardedClass(rows: Readonly<Record<string, AnyRow>>): typeof GuardedNoun {
  const guarded = class extends GuardedNoun {};
  for (const [name, said] of Object.entries(rows)) {
    const row = looseRow(said);
    Object.defineProperty(guarded.prototype, name, {
      value: function (this: GuardedNoun, ...args: readonly unknown[]): unknown {
        return this.guard.call(row, this.inner, name, args);
      },
    });
  }
  return guarded;
}

const { whole: wholeRows, ...nounRows } = guardRows;
const GuardedWhole = guardedClass(wholeRows);
const nounClasses = new Map(Object.entries(nounRows).map(([noun, rows]) => [noun, guardedClass(rows)]));

for (const [noun, Guarded] of nounClasses) {
  Object.defineProperty(GuardedWhole.prototype, noun, {
    get(this: GuardedNoun): GuardedNoun {
      const made = new Guarded((this.inner as unknown as Record<string, object>)[noun] as object, this.guard);
      Object.defineProperty(this, noun, { value: made });
      return made;
    },
  });
}

/** What a guard tells of calls to. */
export type GuardParts = { readonly teller: CallTeller; readonly meter: CallMeter; readonly clock: Clock };

class Guard {
  readonly principal: Principal;
  readonly #teller: CallTeller;
  readonly #meter: CallMeter;
  readonly #clock: Clock;

  constructor(principal: Principal, { teller, meter, clock }: GuardParts) {
    this.principal = principal;
    this.#teller = teller;
    this.#meter = meter;
    this.#clock = clock;
  }

  call(row: LooseRow, inner: LooseNoun, name: string, args: readonly unknown[]): unknown {
    const { action, audit } = row;
    const about = row.about === undefined ? nothing : row.about(...args);
    if (!mayDo(this.principal.rights, action) || !this.#isIn(about.tenant)) throw this.#refused(action, about);
    if (audit !== 'none') this.#teller.checkRoom();
    const told = Reflect.apply(inner[name] as LooseCall, inner, args);
    if (audit === 'none' && row.found === undefined) return told;
    if (told instanceof Promise) return this.#follow(row, about, told);
    if (audit === 'none') return told;
    if (audit === 'each' && isAsyncIterable(told)) return this.#followPieces(row, about, told);
    this.#meter.count(action, this.principal.door, 'ok', undefined);
    this.#teller.note(this.principal, action, about, 'ok');
    return told;
  }

  async #follow({ action, audit, found }: LooseRow, about: About, promise: Promise<unknown>): Promise<unknown> {
    const begunMs = this.#clock.monotonicMs();
    const tell = (said: About, result: string): Promise<void> | undefined => {
      if (audit !== 'none') this.#meter.count(action, this.principal.door, result, this.#clock.monotonicMs() - begunMs);
      if (audit === 'each') return this.#teller.say(this.principal, action, said, result);
      if (audit === 'window') this.#teller.note(this.principal, action, said, result);
      return undefined;
    };
    let told: unknown;
    try {
      told = await promise;
    } catch (error) {
      // What went wrong is what the caller hears, also where that cannot be written now.
      await tell(about, codeOf(error))?.catch(() => undefined);
      throw error;
    }
    const said = found === undefined ? about : { ...about, ...found(told) };
    if (!this.#isIn(said.tenant)) throw this.#refused(action, said);
    await tell(said, said.result ?? 'ok');
    return told;
  }

  async *#followPieces({ action }: LooseRow, about: About, pieces: AsyncIterable<unknown>): AsyncGenerator<unknown> {
    let result = 'ok';
    try {
      yield* pieces;
    } catch (error) {
      result = codeOf(error);
      throw error;
    } finally {
      this.#meter.count(action, this.principal.door, result, undefined);
      await this.#teller.say(this.principal, action, about, result);
    }
  }

  demand(action: Action): void {
    if (!mayDo(this.principal.rights, action)) throw this.#refused(action, nothing);
  }

  #isIn(tenant: TenantId | undefined): boolean {
    const { tenants } = this.principal;
    return tenant === undefined || tenants === undefined || tenants.has(tenant);
  }

  #refused(action: Action, about: About): ArchiveError {
    this.#meter.count(action, this.principal.door, 'ACCESS_DENIED', undefined);
    this.#teller.note(this.principal, action, about, 'ACCESS_DENIED');
    return new ArchiveError('ACCESS_DENIED', `this is not among one's rights: ${actions[action].says}`);
  }
}

function isAsyncIterable(told: unknown): told is AsyncIterable<unknown> {
  return typeof told === 'object' && told !== null && Symbol.asyncIterator in told;
}

function codeOf(error: unknown): string {
  return toArchiveError(error, 'INTERNAL', '').code;
}

/** The whole archive as one principal may use it. */
export function guardArchive(whole: Archive & ArchiveGate, principal: Principal, parts: GuardParts): GuardedArchive {
  const guard = new Guard(principal, parts);
  const guarded = new GuardedWhole(whole, guard);
  Object.defineProperties(guarded, {
    id: { value: whole.id },
    as: { value: (other: Principal) => whole.as(other) },
    demand: { value: (action: Action) => guard.demand(action) },
  });
  return guarded as unknown as GuardedArchive;
}

/** The archive with nobody's rights to ask: for whoever constructs it, and for tests. Everybody else has it `as` somebody. */
export class WholeArchive extends Archive implements ArchiveGate {
  readonly #guard: GuardParts;

  constructor(parts: ArchiveParts & GuardParts) {
    super(parts);
    this.#guard = parts;
  }

  /** The same calls on somebody's behalf: each is checked and told to the audit. */
  as(principal: Principal): GuardedArchive {
    return guardArchive(this, principal, this.#guard);
  }

  demand(_action: Action): void {
    // Nobody's rights are asked.
  }
}
