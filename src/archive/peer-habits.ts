// When each peer usually sends something: the hours of the week in which it did, week by week, so that its silence can be told from its night.
//
// Invariants: a cache: what is lost is learned again; bounded by the peers of the table and the weeks that are kept. Hours are those of the site's clock. An
// arrival costs an entry in a small map; the tables are written when somebody looks.

import type { Clock } from '../base/index.ts';
import type { PeerFacts } from '../policy/index.ts';
import type { Sql } from '../sql/index.ts';

const hourMs = 3_600_000;
const hoursOfWeek = 168;
const weeksKept = 8;
const peersMax = 10_000;
/** 1970-01-05 was a Monday. */
const firstMondayDay = 4;

/** Hours since a Monday long ago, on the site's clock. */
function localHour(ms: number): number {
  const date = new Date(ms);
  return Math.floor((ms - date.getTimezoneOffset() * 60_000) / hourMs) - 24 * firstMondayDay;
}

export const hourOfWeek = (ms: number): number => ((localHour(ms) % hoursOfWeek) + hoursOfWeek) % hoursOfWeek;
const weekOf = (ms: number): number => Math.floor(localHour(ms) / hoursOfWeek);

export class PeerHabits {
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #arrived = new Map<string, number>();

  constructor(parts: { sql: Sql; clock: Clock }) {
    this.#sql = parts.sql;
    this.#clock = parts.clock;
  }

  note(title: string): void {
    if (this.#arrived.size < peersMax || this.#arrived.has(title))
      this.#arrived.set(title, Math.floor(this.#clock.nowMs()));
  }

  /** Writes down who sent something since, and forgets old weeks. */
  async keep(): Promise<void> {
    const arrived = [...this.#arrived];
    this.#arrived.clear();
    if (arrived.length === 0) return;
    await this.#sql.transaction(async (tx) => {
      await tx.many(
        'INSERT INTO peer_hours (title, week, hour, last_ms) VALUES (?, ?, ?, ?) ON CONFLICT (title, week, hour) DO UPDATE SET last_ms = excluded.last_ms',
        arrived.map(([title, ms]) => [title, weekOf(ms), hourOfWeek(ms), ms]),
      );
      // The last word of a peer stays, however long ago it was.
      await tx.run(
        'DELETE FROM peer_hours WHERE week < ? AND last_ms < (SELECT max(other.last_ms) FROM peer_hours other WHERE other.title = peer_hours.title)',
        [weekOf(this.#clock.nowMs()) - weeksKept],
      );
    });
  }

  async of(title: string): Promise<PeerFacts | undefined> {
    const thisWeek = weekOf(this.#clock.nowMs());
    const rows = await this.#sql.all<{ week: number; hour: number; last_ms: number }>(
      'SELECT week, hour, last_ms FROM peer_hours WHERE title = ?',
      [title],
    );
    if (rows.length === 0) return undefined;
    const whole = rows.filter((row) => row.week < thisWeek && row.week >= thisWeek - weeksKept);
    const hours = new Map<number, number>();
    for (const { hour } of whole) hours.set(hour, (hours.get(hour) ?? 0) + 1);
    const first = Math.min(...whole.map((row) => row.week));
    const weeks = whole.length === 0 ? 0 : thisWeek - first;
    return { title, lastMs: Math.max(...rows.map((row) => row.last_ms)), weeks, hours };
  }
}
