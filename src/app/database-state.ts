// Whether the database fits the disks, and what it knows that they do not hold.
//
// Invariants: a database of another archive is refused; one that is new, was left half filled, was made by another edition of `project`, or is older
// than the disks' mark is filled from every pack; what it knows beyond the disks is told record by record and never forgotten silently.

import { projectVersion, readNote, type StartNotes, writeNote } from '../archive/index.ts';
import { ArchiveError, type ArchiveId, type Random, recordIdText, utf8Text } from '../base/index.ts';
import type { Catalog } from '../catalog/index.ts';
import type { Sql } from '../sql/index.ts';
import { markPath, type RecoveryReport, type StoreDisk, type Vault } from '../vault/index.ts';
import { type OpenDisk, randomId } from './open-disks.ts';

/** `read`: every pack on every disk is looked at. `clear`: what the database holds goes first. */
export async function mustReadEverything(
  sql: Sql,
  archive: ArchiveId,
  stores: readonly StoreDisk[],
  rebuild: boolean,
  random: Random,
): Promise<{ read: boolean; clear: boolean }> {
  const owner = await readNote(sql, 'archive');
  if (owner !== undefined && owner !== archive) {
    throw new ArchiveError('DATA_FOREIGN', 'the database belongs to another archive');
  }
  if (owner === undefined) {
    await writeNote(sql, 'archive', archive);
    await writeNote(sql, 'database', randomId(random));
    return { read: true, clear: false };
  }
  const complete = await readNote(sql, 'complete');
  if (rebuild || complete !== String(projectVersion)) return { read: true, clear: rebuild || (complete ?? '') !== '' };
  const database = await readNote(sql, 'database');
  const seals = await sealsOf(sql);
  for (const store of stores) {
    const mark = await readMark(store.disk);
    // Another database worked on these disks since, or this one is a copy of an earlier day.
    if (mark !== undefined && (mark.database !== database || mark.seals > seals)) return { read: true, clear: false };
  }
  return { read: false, clear: false };
}

async function sealsOf(sql: Sql): Promise<number> {
  const row = await sql.one<{ value: number }>("SELECT value FROM vault_counters WHERE name = 'seals'");
  return Number(row?.value ?? 0);
}

async function readMark(disk: {
  readWhole(path: string, max: number): Promise<Uint8Array | undefined>;
}): Promise<{ database: string; seals: number } | undefined> {
  try {
    const bytes = await disk.readWhole(markPath, 4096);
    const json = JSON.parse(bytes === undefined ? '' : (utf8Text(bytes) ?? '')) as {
      database?: unknown;
      seals?: unknown;
    };
    return typeof json.database === 'string' && typeof json.seals === 'number'
      ? { database: json.database, seals: json.seals }
      : undefined;
  } catch {
    return undefined; // A hint only: what it would have said is found by looking.
  }
}

const lossesNamedMax = 1000;

export async function startNotes(
  report: RecoveryReport,
  catalog: Catalog,
  vault: Vault,
  sql: Sql,
  disks: readonly OpenDisk[],
): Promise<StartNotes> {
  const losses = report.losses.map((loss) =>
    JSON.stringify(loss, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  );
  const missing = disks.some((each) => each.store?.state !== 'present');
  for (const { writer, sequence } of await catalog.allApplied()) {
    if (losses.length >= lossesNamedMax) break;
    if ((await vault.register.packsOfRecord({ writer, sequence })).length > 0) continue;
    const released = await sql.one<{ value: string }>('SELECT value FROM archive_notes WHERE name = ?', [
      `released/${writer}`,
    ]);
    if (released !== undefined && BigInt(released.value) >= sequence) continue;
    const found = report.writers.get(writer) ?? 0n;
    // It was met, in a pack that could not be sealed: that is told below.
    if (found >= sequence) continue;
    const first = recordIdText({ writer, sequence: found + 1n });
    const where = missing ? 'they may lie on a disk that is not attached or cannot be written' : 'no disk holds them';
    losses.push(`CATALOG_AHEAD: records ${first} to ${sequence} were acknowledged, and ${where}`);
  }
  const unreadable = report.unreadable.map(({ pack, reason }) => `pack ${pack}: ${reason.code}: ${reason.message}`);
  return { recoveredPacks: report.packCount, recoveredFacts: report.factCount, losses, unreadable };
}
