// Sessions: who logged in at a console, for how long.
//
// Invariants: a session is 256 random bits of which only the SHA-256 is kept, made anew at every log-in, so one that somebody planted before is worth nothing; it ends
// after `idleMs` without a request and after `absoluteMs` whatever happens, when its user changes in any way, and with the process; a user has a bounded number.
// Left out on purpose: cookies (the door).

import { type Clock, hexOf, type Random, sha256, utf8Bytes } from '../base/index.ts';
import type { Principal } from './principal.ts';

export const idleMs = 15 * 60_000;
export const absoluteMs = 12 * 60 * 60_000;
const perUserMax = 10;
const sessionsMax = 10_000;
const tokenForm = /^[A-Za-z0-9_-]{43}$/;

export type Session = {
  readonly principal: Principal;
  readonly startedMs: number;
  /** The password must be changed before anything else is done. */
  readonly isLimited: boolean;
};

type Kept = Session & { lastMs: number };

export class Sessions {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #kept = new Map<string, Kept>();

  constructor(parts: { clock: Clock; random: Random }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  /** The token of a new session: told this once. */
  open(principal: Principal, isLimited: boolean): string {
    const nowMs = this.#clock.monotonicMs();
    const mine = [...this.#kept].filter(([, each]) => each.principal.name === principal.name);
    if (mine.length >= perUserMax) this.#drop(mine);
    if (this.#kept.size >= sessionsMax) this.#drop([...this.#kept]);
    const token = Buffer.from(this.#random.bytes(32)).toString('base64url');
    this.#kept.set(keyOf(token), { principal, startedMs: nowMs, lastMs: nowMs, isLimited });
    return token;
  }

  /** The session of a token, which goes on by being asked for; undefined: there is none, or it has ended. */
  find(token: string): Session | undefined {
    if (!tokenForm.test(token)) return undefined;
    const key = keyOf(token);
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - kept.lastMs > idleMs || nowMs - kept.startedMs > absoluteMs) {
      this.#kept.delete(key);
      return undefined;
    }
    kept.lastMs = nowMs;
    return kept;
  }

  close(token: string): void {
    this.#kept.delete(keyOf(token));
  }

  /** Ends all of a user. */
  closeAll(name: string): void {
    for (const [key, { principal }] of this.#kept) if (principal.name === name) this.#kept.delete(key);
  }

  /** The one of these that was used longest ago goes. */
  #drop(some: readonly (readonly [string, Kept])[]): void {
    const [first, ...rest] = some;
    if (first === undefined) return;
    this.#kept.delete(rest.reduce((oldest, each) => (each[1].lastMs < oldest[1].lastMs ? each : oldest), first)[0]);
  }
}

function keyOf(token: string): string {
  return hexOf(sha256(utf8Bytes(token)));
}
