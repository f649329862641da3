// The audit as it is searched: a table of its events, made again from packs.
//
// Invariants: a cache: what counts is in the packs, and `audit verify` reads those; the same record applied twice changes nothing; two events that claim one place in
// a chain are both here, so that neither hides the other.
// Left out on purpose: whether the chain holds (audit-verify.ts).

import { bytesOfHex, emptyBytes, type HybridTime, hexOf } from '../base/index.ts';
import type { AuditRecord } from '../format/index.ts';
import type { Sql, SqlValue } from '../sql/index.ts';
import { type ChainEnd, type ChainedEvent, eventOfText, hashOfText } from './audit-event.ts';

export type AuditFilter = {
  readonly fromMs?: number | undefined;
  /** Not included. */
  readonly toMs?: number | undefined;
  readonly who?: string | undefined;
  readonly action?: string | undefined;
  readonly study?: string | undefined;
  /** Whether it was refused or failed. */
  readonly failed?: boolean | undefined;
};

export type AuditCursor = { readonly atMs: number; readonly no: number };
export type AuditPage = { readonly events: readonly ChainedEvent[]; readonly next: AuditCursor | undefined };

export type AuditFact = { readonly hybrid: HybridTime; readonly record: AuditRecord };

export class AuditIndex {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Committed when it resolves; safe to repeat. */
  async apply(facts: readonly AuditFact[]): Promise<void> {
    const rows: SqlValue[][] = [];
    for (const { hybrid, record } of facts) {
      const chain = bytesOfHex(record.chain);
      for (const text of record.events) {
        const event = eventOfText(text);
        // What is no event is named by the checker, which reads the packs.
        if (event === undefined) continue;
        const { number, atMs, who, action, result, study } = event;
        rows.push([
          chain,
          number,
          bytesOfHex(hashOfText(text)),
          hybrid,
          atMs,
          who,
          action,
          result === 'ok' ? 0 : 1,
          study ?? null,
          text,
        ]);
      }
    }
    if (rows.length === 0) return;
    await this.#sql.many(
      `INSERT INTO audit_events (chain, number, digest, hybrid, at_ms, who, action, failed, study_uid, body)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (chain, number, digest) DO NOTHING`,
      rows,
    );
  }

  /** Newest first. */
  async list(filter: AuditFilter, options: { limit: number; after?: AuditCursor | undefined }): Promise<AuditPage> {
    const conditions: string[] = [];
    const values: SqlValue[] = [];
    const where = (text: string, ...some: SqlValue[]): void => {
      conditions.push(text);
      values.push(...some);
    };
    const { after } = options;
    if (filter.fromMs !== undefined) where('at_ms >= ?', filter.fromMs);
    if (filter.toMs !== undefined) where('at_ms < ?', filter.toMs);
    if (filter.who !== undefined) where('who = ?', filter.who);
    if (filter.action !== undefined) where('action = ?', filter.action);
    if (filter.study !== undefined) where('study_uid = ?', filter.study);
    if (filter.failed !== undefined) where('failed = ?', filter.failed ? 1 : 0);
    if (after !== undefined) where('(at_ms < ? OR (at_ms = ? AND event_no < ?))', after.atMs, after.atMs, after.no);
    const condition = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const rows = await this.#sql.all<{ event_no: number; at_ms: number; body: string }>(
      `SELECT event_no, at_ms, body FROM audit_events ${condition} ORDER BY at_ms DESC, event_no DESC LIMIT ?`,
      [...values, options.limit],
    );
    const last = rows.at(-1);
    return {
      events: rows.map(({ body }) => eventOfText(body)).filter((each) => each !== undefined),
      next: last === undefined || rows.length < options.limit ? undefined : { atMs: last.at_ms, no: last.event_no },
    };
  }

  /** The newest event of all: what the next chain goes on from. */
  async end(): Promise<ChainEnd | undefined> {
    const row = await this.#sql.one<{ chain: Uint8Array; number: number; digest: Uint8Array }>(
      'SELECT chain, number, digest FROM audit_events ORDER BY hybrid DESC, number DESC LIMIT 1',
    );
    return row === undefined ? undefined : endOfRow(row);
  }

  /** The last event of each chain, all that claim to be it. */
  async ends(): Promise<ChainEnd[]> {
    const ends: ChainEnd[] = [];
    // From chain to chain along the index: as many looks as there are chains, however long they are.
    for (let after: Uint8Array = emptyBytes; ; ) {
      const next = await this.#sql.one<{ chain: Uint8Array }>(
        'SELECT chain FROM audit_events WHERE chain > ? ORDER BY chain LIMIT 1',
        [after],
      );
      if (next === undefined) return ends;
      after = next.chain;
      const last = await this.#sql.one<{ number: number }>(
        'SELECT number FROM audit_events WHERE chain = ? ORDER BY number DESC LIMIT 1',
        [after],
      );
      const rows = await this.#sql.all<{ chain: Uint8Array; number: number; digest: Uint8Array }>(
        'SELECT chain, number, digest FROM audit_events WHERE chain = ? AND number = ? ORDER BY digest',
        [after, last?.number ?? 0],
      );
      ends.push(...rows.map(endOfRow));
    }
  }
}

function endOfRow({ chain, number, digest }: { chain: Uint8Array; number: number; digest: Uint8Array }): ChainEnd {
  return { chain: hexOf(chain), number, hash: hexOf(digest) };
}
