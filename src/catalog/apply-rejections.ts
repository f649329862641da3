// Rejections: instance UIDs that a note says are not to be shown.
//
// Invariants: a rejection counts for whatever claims the UID, now and later, and each note for itself; what it does to counts and to what is shown
// is the instances' business (apply-instances.ts).

import type { TenantId } from '../base/index.ts';
import type { SqlTx } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import type { RejectionChange } from './changes.ts';
import { textValue } from './storable.ts';

export async function applyRejections(tx: SqlTx, changes: readonly RejectionChange[]): Promise<void> {
  for (const { tenant, noteUid, code, instanceUids } of changes) {
    await tx.many(
      `INSERT INTO rejections (tenant, instance_uid, note_uid, code) VALUES (?, ?, ?, ?)
        ON CONFLICT (tenant, instance_uid, note_uid) DO NOTHING`,
      instanceUids.map((uid) => [tenant, textValue(uid), textValue(noteUid), textValue(code)]),
    );
  }
}

/** Those of the UIDs that some note rejects. */
export async function rejectedOf(tx: SqlTx, tenant: TenantId, uids: readonly string[]): Promise<ReadonlySet<string>> {
  const rejected = new Set<string>();
  for (const piece of pieces(uids, inListMax)) {
    const rows = await tx.all<{ instance_uid: string }>(
      `SELECT DISTINCT instance_uid FROM rejections WHERE tenant = ? AND instance_uid IN ${inList(piece.length)}`,
      [tenant, ...inValues(piece)],
    );
    for (const row of rows) rejected.add(row.instance_uid);
  }
  return rejected;
}
