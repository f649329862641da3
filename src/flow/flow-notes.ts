// What flow remembers between rounds and starts, in its tables: nothing in memory grows with the archive.
//
// Invariants: a trouble names the pack and until when it is left alone; one that is over, or whose pack is gone, is forgotten.

import { bytesOfId, idOfBytes, type PackId } from '../base/index.ts';
import { inList, inListMax, inValues, pieces, type Sql } from '../sql/index.ts';

/** How far the look for archive packs that died has come: for which count of shreddings, and behind which pack. */
export type DeadLook = { readonly shreds: number; readonly after: PackId | undefined; readonly done: boolean };

const nothingLookedAt: DeadLook = { shreds: 0, after: undefined, done: true };

export class FlowNotes {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Those of these packs that are to be left alone now. */
  async troubled(packs: readonly PackId[], nowMs: number): Promise<Set<PackId>> {
    const found = new Set<PackId>();
    for (const piece of pieces(packs, inListMax)) {
      const rows = await this.#sql.all<{ pack_id: Uint8Array }>(
        `SELECT pack_id FROM flow_troubles WHERE until_ms > ? AND pack_id IN ${inList(piece.length)}`,
        [nowMs, ...inValues(piece.map(bytesOfId))],
      );
      for (const row of rows) found.add(idOfBytes(row.pack_id) as PackId);
    }
    return found;
  }

  async trouble(pack: PackId, untilMs: number, code: string): Promise<void> {
    await this.#sql.run(
      `INSERT INTO flow_troubles (pack_id, until_ms, code) VALUES (?, ?, ?)
       ON CONFLICT (pack_id) DO UPDATE SET until_ms = excluded.until_ms, code = excluded.code`,
      [bytesOfId(pack), Math.floor(untilMs), code],
    );
  }

  async forget(pack: PackId): Promise<void> {
    await this.#sql.run('DELETE FROM flow_troubles WHERE pack_id = ?', [bytesOfId(pack)]);
  }

  async deadLook(): Promise<DeadLook> {
    const row = await this.#sql.one<{ value: string }>("SELECT value FROM flow_notes WHERE name = 'dead-look'");
    return row === undefined ? nothingLookedAt : (JSON.parse(row.value) as DeadLook);
  }

  async setDeadLook(look: DeadLook): Promise<void> {
    await this.#sql.run(
      `INSERT INTO flow_notes (name, value) VALUES ('dead-look', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
      [JSON.stringify(look)],
    );
  }
}
