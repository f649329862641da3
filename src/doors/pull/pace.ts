// Pace: at which hours of the day a pull works, and how many bytes a second it takes.
//
// Invariants: outside its hours nothing is asked for; over any while the bytes taken are at most the rate times the while and one second of it; who waits is
// woken by the signal. Hours are those of this machine's zone, as the people who name them mean them.

import { ArchiveError, type Clock } from '../../base/index.ts';

export type PaceOptions = {
  /** From the first hour up to the second, not included; over midnight where the second is smaller. */
  readonly hours?: { readonly from: number; readonly to: number } | undefined;
  readonly bytesPerSecond?: number | undefined;
};

const lookAgainMs = 30_000;

/** 20-6. ARGUMENT_INVALID. */
export function parseHours(text: string): { from: number; to: number } {
  const match = /^(\d{1,2})-(\d{1,2})$/.exec(text.trim());
  const [from, to] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || from > 23 || to > 24 || from === to)
    throw new ArchiveError('ARGUMENT_INVALID', 'hours are two numbers from 0 to 24, such as 20-6');
  return { from, to };
}

/** 20MB, 500KB, 1GiB a second. ARGUMENT_INVALID. */
export function parseRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?) *(K|M|G)?(i)?B?(?:\/s)?$/i.exec(text.trim());
  const power = { k: 1, m: 2, g: 3 }[(match?.[2] ?? '').toLowerCase()] ?? 0;
  const rate = Number(match?.[1]) * (match?.[3] === undefined ? 1000 : 1024) ** power;
  if (match === null || !(rate >= 1000))
    throw new ArchiveError('ARGUMENT_INVALID', 'a rate is bytes a second such as 20MB, at least 1KB');
  return rate;
}

export class Pace {
  readonly #options: PaceOptions;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  /** When what was taken so far is paid for. */
  #paidMs = Number.NEGATIVE_INFINITY;

  constructor(options: PaceOptions, clock: Clock, signal: AbortSignal) {
    this.#options = options;
    this.#clock = clock;
    this.#signal = signal;
  }

  get isOpen(): boolean {
    const { hours } = this.#options;
    if (hours === undefined) return true;
    const hour = new Date(this.#clock.nowMs()).getHours();
    return hours.from < hours.to ? hour >= hours.from && hour < hours.to : hour >= hours.from || hour < hours.to;
  }

  /** Resolves within the hours, or when it was stopped. */
  async open(): Promise<void> {
    while (!this.isOpen && !this.#signal.aborted) await this.#clock.wait(lookAgainMs, this.#signal);
  }

  async take(bytes: number): Promise<void> {
    const { bytesPerSecond } = this.#options;
    if (bytesPerSecond === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    this.#paidMs = Math.max(this.#paidMs, nowMs - 1000) + (bytes / bytesPerSecond) * 1000;
    if (this.#paidMs > nowMs) await this.#clock.wait(this.#paidMs - nowMs, this.#signal);
  }

  /** Pieces no faster than the rate: whoever sends them waits. */
  async *paced(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      await this.take(piece.byteLength);
      yield piece;
    }
  }
}
