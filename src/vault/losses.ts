// Known losses: what is wrong with a pack in every copy that there is, told once and kept until a better copy turns up or the pack goes.
//
// Invariants: a problem is known only when verification found exactly this one before and no copy could give what lacks there, so anything new is
// told anew; a cache: after a rebuild the same is found again by verifying, and told once more.

import { bytesOfId, idOfBytes, type PackId } from '../base/index.ts';
import type { Sql } from '../sql/index.ts';
import type { Run } from './register.ts';
import { type Problem, type ProblemKind, problemsMax } from './verify-pack.ts';

export type KnownLoss = {
  readonly pack: PackId;
  readonly recordCount: number;
  /** Ids of the records, the first of them where they are many; empty where nothing tells them any more. */
  readonly records: string;
  readonly foundMs: number;
};

const runsNamedMax = 20;

export function recordRunsText(runs: readonly Run[]): string {
  const named = runs
    .slice(0, runsNamedMax)
    .map(({ writer, first, last }) => (first === last ? `${writer}.${first}` : `${writer}.${first}-${last}`));
  return runs.length > runsNamedMax ? `${named.join(', ')} and others` : named.join(', ');
}

export function countOfRuns(runs: readonly Run[]): number {
  return runs.reduce((sum, run) => sum + Number(run.last - run.first) + 1, 0);
}

export class Losses {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Those of these problems that are not known of the pack. */
  async newOf(pack: PackId, problems: readonly Problem[]): Promise<readonly Problem[]> {
    // So many that not all were noted: then nothing tells a new one from an old one.
    if (problems.length === 0 || problems.length >= problemsMax) return problems;
    const known = new Set((await this.#problemsOf(pack)).map(problemKey));
    return known.size === 0 ? problems : problems.filter((each) => !known.has(problemKey(each)));
  }

  async isKnown(pack: PackId): Promise<boolean> {
    return (await this.#problemsOf(pack)).length > 0;
  }

  async #problemsOf(pack: PackId): Promise<Problem[]> {
    const rows = await this.#sql.all<{ what: string; at: number; size_bytes: number }>(
      `SELECT h.what, h.at_offset AS at, h.size_bytes FROM vault_holes h JOIN vault_packs p ON p.pack_no = h.pack_no
       WHERE p.pack_id = ? ORDER BY h.at_offset LIMIT ?`,
      [bytesOfId(pack), problemsMax],
    );
    return rows.map((row) => ({
      what: row.what as ProblemKind,
      offset: Number(row.at),
      sizeBytes: Number(row.size_bytes),
    }));
  }

  /** Notes what no copy can give. `lost` is added to what was lost of the pack before. Safe to repeat with nothing lost. */
  async note(pack: PackId, problems: readonly Problem[], lost: readonly Run[], foundMs: number): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      const found = await tx.one<{ no: number }>('SELECT pack_no AS no FROM vault_packs WHERE pack_id = ?', [
        bytesOfId(pack),
      ]);
      if (found === undefined) return;
      await tx.many(
        'INSERT INTO vault_holes (pack_no, what, at_offset, size_bytes) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
        problems.map((each) => [found.no, each.what, each.offset, each.sizeBytes]),
      );
      await tx.run(
        `INSERT INTO vault_losses (pack_no, record_count, records, found_ms) VALUES (?, ?, ?, ?)
         ON CONFLICT (pack_no) DO UPDATE SET record_count = vault_losses.record_count + excluded.record_count,
           records = CASE WHEN excluded.records = '' THEN vault_losses.records WHEN vault_losses.records = '' THEN excluded.records
             ELSE vault_losses.records || ', ' || excluded.records END`,
        [found.no, countOfRuns(lost), recordRunsText(lost), foundMs],
      );
    });
  }

  /** A whole copy is there again. */
  async forget(pack: PackId): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      for (const table of ['vault_holes', 'vault_losses'])
        await tx.run(`DELETE FROM ${table} WHERE pack_no IN (SELECT pack_no FROM vault_packs WHERE pack_id = ?)`, [
          bytesOfId(pack),
        ]);
    });
  }

  /** What is known to be lost, in the order of packs. */
  async list(limit: number): Promise<KnownLoss[]> {
    const rows = await this.#sql.all<{ pack_id: Uint8Array; record_count: number; records: string; found_ms: number }>(
      `SELECT p.pack_id, l.record_count, l.records, l.found_ms FROM vault_losses l JOIN vault_packs p ON p.pack_no = l.pack_no
       ORDER BY l.pack_no LIMIT ?`,
      [limit],
    );
    return rows.map((row) => ({
      pack: idOfBytes(row.pack_id) as PackId,
      recordCount: Number(row.record_count),
      records: row.records,
      foundMs: Number(row.found_ms),
    }));
  }
}

function problemKey({ what, offset, sizeBytes }: Problem): string {
  return `${what}/${offset}/${sizeBytes}`;
}
