// Limits on wrong log-ins: by account and address together, by address, and by account.
//
// Invariants: a name that nobody has counts like one that somebody has, so being held back tells nothing; where somebody logged in well not long ago (account and address
// together), only what is tried there under that name counts, so no stranger can keep them out, from wherever; memory is bounded.
// The limits: 5 wrong of one account at one address, 30 of one address, 60 of one account over all addresses, within a quarter of an hour; then nothing is compared for
// a quarter of an hour. 10,000 guesses at one account take weeks from one address, and from many they take as long.
// Left out on purpose: log-ins by token: 256 random bits are not guessed.

import type { Clock } from '../base/index.ts';

const windowMs = 15 * 60_000;
const holdMs = 15 * 60_000;
const pairMax = 5;
const addressMax = 30;
const accountMax = 60;
const countsMax = 20_000;
const knownMs = 30 * 86_400_000;

export type Attempt = { readonly name: string; readonly address: string | undefined };

type Count = { count: number; sinceMs: number; heldUntilMs: number };

export class LoginLimits {
  readonly #clock: Clock;
  readonly #counts = new Map<string, Count>();
  /** When somebody last logged in well, by account and address. */
  readonly #known = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long this attempt is to wait; 0: it may be made. */
  heldMs(attempt: Attempt): number {
    const nowMs = this.#clock.monotonicMs();
    const until = (key: string): number => Math.max(0, (this.#counts.get(key)?.heldUntilMs ?? 0) - nowMs);
    const { pair, address, account } = keysOf(attempt);
    if (this.#isKnown(pair, nowMs)) return until(pair);
    return Math.max(until(pair), until(address), until(account));
  }

  failed(attempt: Attempt): void {
    const nowMs = this.#clock.monotonicMs();
    const { pair, address, account } = keysOf(attempt);
    this.#count(pair, pairMax, nowMs);
    if (this.#isKnown(pair, nowMs)) return;
    this.#count(address, addressMax, nowMs);
    this.#count(account, accountMax, nowMs);
  }

  succeeded(attempt: Attempt): void {
    const { pair } = keysOf(attempt);
    this.#counts.delete(pair);
    this.#known.delete(pair);
    this.#known.set(pair, this.#clock.monotonicMs());
    dropOldest(this.#known);
  }

  #isKnown(pair: string, nowMs: number): boolean {
    const at = this.#known.get(pair);
    return at !== undefined && nowMs - at < knownMs;
  }

  #count(key: string, most: number, nowMs: number): void {
    let entry = this.#counts.get(key);
    if (entry === undefined || nowMs - entry.sinceMs > windowMs) entry = { count: 0, sinceMs: nowMs, heldUntilMs: 0 };
    entry.count += 1;
    if (entry.count >= most) {
      entry.heldUntilMs = nowMs + holdMs;
      entry.count = 0;
      entry.sinceMs = nowMs;
    }
    // To the end: the oldest is the one that was not tried for longest.
    this.#counts.delete(key);
    this.#counts.set(key, entry);
    dropOldest(this.#counts);
  }
}

function dropOldest(map: Map<string, unknown>): void {
  if (map.size <= countsMax) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

function keysOf({ name, address = '' }: Attempt): Record<'pair' | 'address' | 'account', string> {
  const where = networkOf(address);
  return { pair: `p ${name} ${where}`, address: `a ${where}`, account: `n ${name}` };
}

/** Of an IPv6 address the network of 64 bits: whoever has one has all of it. */
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0');
  return [...front, ...zeros, ...back].slice(0, 4).join(':');
}
