// Whether the database fits the disks, and what it knows that they do not hold.
//
// Invariants: a database of another archive is refused; one that is new, was left half filled, was made by another edition of `project`, or is older
// than the disks' mark is filled from every pack; what it knows beyond the disks is told record by record and never forgotten silently.

import { projectVersion, readNote, type StartNotes, writeNote } from '../archive/index.ts';
import { ArchiveError, type ArchiveId, type Random, utf8Text } from '../base/index.ts';
import type { AppliedSequence, Catalog, RangeCursor } from '../catalog/index.ts';
import type { Sql } from '../sql/index.ts';
import {
  countOfRuns,
  markPath,
  type RecoveryLoss,
  type RecoveryReport,
  type Run,
  recordRunsText,
  type StoreDisk,
  type Vault,
} from '../vault/index.ts';
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
const versionsNamedMax = 5;
const versionsCountedMax = 1000;
const writersPage = 500;

/** What a start found lost, in lines that name records, and the versions of objects whose content was in them, by our ids. */
export async function startNotes(
  report: RecoveryReport,
  parts: { catalog: Catalog; vault: Vault; sql: Sql; disks: readonly OpenDisk[] },
): Promise<StartNotes> {
  const losses: string[] = [];
  for (const loss of report.losses.slice(0, lossesNamedMax)) losses.push(await lossLine(loss, parts.catalog));
  await aheadOfDisks(losses, report, parts);
  const unreadable = report.unreadable.map(({ pack, reason }) => `pack ${pack}: ${reason.code}: ${reason.message}`);
  return { recoveredPacks: report.packCount, recoveredFacts: report.factCount, losses, unreadable };
}

async function lossLine(loss: RecoveryLoss, catalog: Catalog): Promise<string> {
  const { pack, offset, sizeBytes, recordCount, foundCount, missing } = loss;
  const named = countOfRuns(missing);
  const count = named > 0 ? String(named) : `${Math.max(0, recordCount - foundCount) || 'unknown'}`;
  const ids = named > 0 ? ` (${recordRunsText(missing)})` : '';
  const where = `in ${sizeBytes} bytes at ${offset}, where ${foundCount} were saved`;
  return `pack ${pack} lacks ${count} records${ids} ${where}${await contentText(missing, catalog)}`;
}

/** Which versions of objects have content in these records. */
async function contentText(runs: readonly Run[], catalog: Catalog): Promise<string> {
  const ids = new Set<string>();
  for (const run of runs) {
    let after: RangeCursor | undefined;
    do {
      const page = await catalog.objects.inRange(run, { after, limit: 100 });
      for (const row of page.rows) ids.add(row.id);
      after = page.next;
    } while (after !== undefined && ids.size < versionsCountedMax);
    for await (const row of catalog.bundles.inRange(run)) {
      if (ids.size >= versionsCountedMax) break;
      ids.add(row.id);
    }
  }
  if (ids.size === 0) return '';
  const named = [...ids].slice(0, versionsNamedMax).join(', ');
  const others = ids.size > versionsNamedMax ? ' and others' : '';
  return `; they held content of ${ids.size >= versionsCountedMax ? 'at least ' : ''}${ids.size} versions: ${named}${others}`;
}

/** Adds what the catalog knows to be acknowledged and no pack holds. Writers of earlier starts that were found whole are not asked about again. */
async function aheadOfDisks(
  losses: string[],
  report: RecoveryReport,
  { catalog, vault, sql, disks }: { catalog: Catalog; vault: Vault; sql: Sql; disks: readonly OpenDisk[] },
): Promise<void> {
  const isShort = disks.some((each) => each.store?.state !== 'present');
  const where = isShort ? 'they may lie on a disk that is not attached or cannot be written' : 'no disk holds them';
  let checked = Number((await readNote(sql, 'writers_checked')) ?? 0);
  let allFound = true;
  for (let after = checked, more = true; more && losses.length < lossesNamedMax; ) {
    const page = await catalog.appliedAfter(after, writersPage);
    for (const { number, writer, sequence } of page) {
      // What was met in a pack that could not be sealed is told with that pack.
      const wasMet = (report.writers.get(writer) ?? 0n) >= sequence;
      const lack = wasMet ? undefined : await acknowledgedLack({ writer, sequence }, { vault, sql });
      if (lack !== undefined) {
        allFound = false;
        const versions = await contentText([lack], catalog);
        losses.push(`CATALOG_AHEAD: records ${recordRunsText([lack])} were acknowledged, and ${where}${versions}`);
      }
      if (wasMet) allFound = false;
      if (allFound) checked = number;
    }
    after = page.at(-1)?.number ?? after;
    more = page.length === writersPage;
  }
  await writeNote(sql, 'writers_checked', String(checked));
}

/** The last records of a writer, when they were acknowledged and neither lie in a pack nor went with one that was let go. */
async function acknowledgedLack(
  { writer, sequence }: AppliedSequence,
  { vault, sql }: { vault: Vault; sql: Sql },
): Promise<Run | undefined> {
  if ((await vault.register.packsOfRecord({ writer, sequence })).length > 0) return undefined;
  const note = await sql.one<{ value: string }>('SELECT value FROM archive_notes WHERE name = ?', [
    `released/${writer}`,
  ]);
  const released = BigInt(note?.value ?? 0);
  if (released >= sequence) return undefined;
  return (await vault.register.lackOf({ writer, first: released + 1n, last: sequence })).at(-1);
}
