// Questions about packs that were let go of, by the events that say so.
//
// Invariant: what was said once of a pack is known for ever, also when its file comes back on a disk that was away.
// Left out on purpose: where packs are, which is the vault's to know.

import { bytesOfId, idOfBytes, type PackId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';

const idBytes = 16;

export class ReleaseQueries {
  readonly #sql: SqlTx;

  constructor(sql: SqlTx) {
    this.#sql = sql;
  }

  /** Those of these packs that were released, each with the packs that hold what was of worth in it. */
  async of(packs: readonly PackId[]): Promise<Map<PackId, PackId[]>> {
    const found = new Map<PackId, PackId[]>();
    for (const piece of pieces(packs, inListMax)) {
      const rows = await this.#sql.all<{ pack_id: Uint8Array; into_packs: Uint8Array }>(
        `SELECT pack_id, into_packs FROM releases WHERE pack_id IN ${inList(piece.length)}`,
        inValues(piece.map(bytesOfId)),
      );
      for (const { pack_id, into_packs } of rows) {
        const into: PackId[] = [];
        for (let at = 0; at + idBytes <= into_packs.byteLength; at += idBytes)
          into.push(idOfBytes(into_packs.subarray(at, at + idBytes)) as PackId);
        found.set(idOfBytes(pack_id) as PackId, into);
      }
    }
    return found;
  }
}
