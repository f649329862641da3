// The register: which packs there are, where their copies lie, and which sequences of which writer each holds.
//
// Invariants: a view, rebuilt from the disks at any time (recovery.ts); a sealed pack is registered in one transaction with its runs and
// placements, before its file leaves the open folder. A run is an unbroken stretch of one writer's sequences in one pack, so the
// register grows with packs and not with records; the place within a pack is in its footer's index.

import {
  bytesOfId,
  type DiskId,
  defined,
  type HybridTime,
  idOfBytes,
  type PackId,
  type RecordId,
  type WriterId,
} from '../base/index.ts';
import { type Locator, type PackClassName, packClass, packClassNames, type SequenceRun } from '../format/index.ts';
import type { Sql, SqlTx } from '../sql/index.ts';

export type PlacementKind = 'pack' | 'footer';
export type PlacementState = 'good' | 'bad';

export type Placement = {
  readonly pack: PackId;
  readonly disk: DiskId;
  readonly kind: PlacementKind;
  readonly state: PlacementState;
  /** When every byte of it was last read back and found good; 0: never. */
  readonly verifiedMs: number;
};

export type PackFacts = {
  readonly pack: PackId;
  readonly class: PackClassName;
  readonly sizeBytes: number;
  readonly recordCount: number;
  readonly factCount: number;
  readonly created: HybridTime;
  readonly sealed: HybridTime;
  readonly hybridGreatest: HybridTime;
  readonly root: Uint8Array;
};

export type Run = Readonly<SequenceRun>;

/** A pack, and the run of one writer's sequences that it holds. */
export type RunPack = { readonly pack: PackId; readonly first: bigint; readonly last: bigint };

/** What the register keeps of a sealed pack. */
export function packFactsOf(locator: Locator): PackFacts {
  return {
    pack: locator.pack,
    class: locator.class,
    sizeBytes: locator.packSizeBytes,
    recordCount: locator.recordCount,
    factCount: locator.factCount,
    created: locator.hybridLeast,
    sealed: locator.sealed,
    hybridGreatest: locator.hybridGreatest,
    root: locator.root,
  };
}

type PackRow = {
  pack_id: Uint8Array;
  class: bigint;
  size_bytes: bigint;
  record_count: bigint;
  fact_count: bigint;
  created: bigint;
  sealed: bigint;
  hybrid_greatest: bigint;
  root: Uint8Array;
};

/** Numbers kept beside the packs: seals counted, copies repaired. */
export type CounterName = 'seals' | 'repaired_records' | 'repaired_packs' | 'lost_records';

const packColumns = 'pack_id, class, size_bytes, record_count, fact_count, created, sealed, hybrid_greatest, root';
const kindNumbers = { pack: 1, footer: 2 } as const satisfies Record<PlacementKind, number>;
const stateNumbers = { good: 1, bad: 2 } as const satisfies Record<PlacementState, number>;

export class Register {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** All or nothing; safe to repeat with the same facts. Committed when it resolves, durable after `checkpoint`. */
  async registerPack(
    facts: PackFacts,
    runs: readonly Run[],
    placements: readonly Omit<Placement, 'pack'>[],
  ): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await tx.run(
        `INSERT INTO vault_packs (${packColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (pack_id) DO NOTHING`,
        [
          bytesOfId(facts.pack),
          packClass[facts.class],
          facts.sizeBytes,
          facts.recordCount,
          facts.factCount,
          facts.created,
          facts.sealed,
          facts.hybridGreatest,
          facts.root,
        ],
      );
      const packNo = await numberOf(tx, 'pack', facts.pack);
      const writers = new Map<WriterId, number>();
      for (const run of runs) {
        if (!writers.has(run.writer)) writers.set(run.writer, await numberOf(tx, 'writer', run.writer));
      }
      await tx.many(
        'INSERT INTO vault_runs (writer_no, seq_first, seq_last, pack_no) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
        runs.map((run) => [defined(writers.get(run.writer), 'a numbered writer'), run.first, run.last, packNo]),
      );
      for (const placement of placements) await putPlacement(tx, packNo, placement);
    });
  }

  async place(placement: Placement): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await putPlacement(tx, await numberOf(tx, 'pack', placement.pack), placement);
    });
  }

  async unplace(pack: PackId, disk: DiskId, kind: PlacementKind): Promise<void> {
    await this.#sql.run(
      `DELETE FROM vault_placements WHERE kind = ? AND pack_no IN (SELECT pack_no FROM vault_packs WHERE pack_id = ?)
       AND disk_no IN (SELECT disk_no FROM vault_disks WHERE disk_id = ?)`,
      [kindNumbers[kind], bytesOfId(pack), bytesOfId(disk)],
    );
  }

  /** Forgets a pack that was released. */
  async removePack(pack: PackId): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      for (const table of [
        'vault_runs',
        'vault_placements',
        'vault_scrubs',
        'vault_holes',
        'vault_losses',
        'vault_packs',
      ]) {
        await tx.run(`DELETE FROM ${table} WHERE pack_no IN (SELECT pack_no FROM vault_packs WHERE pack_id = ?)`, [
          bytesOfId(pack),
        ]);
      }
    });
  }

  async pack(pack: PackId): Promise<PackFacts | undefined> {
    const row = await this.#sql.one<PackRow>(
      `SELECT ${packColumns} FROM vault_packs WHERE pack_id = ?`,
      [bytesOfId(pack)],
      'bigint',
    );
    return row === undefined ? undefined : packOfRow(row);
  }

  /** Sealed packs of a class, oldest first, a page at a time. */
  async packsAfter(after: PackId | undefined, limit: number, ofClass?: PackClassName): Promise<PackFacts[]> {
    const start = after === undefined ? 0 : ((await this.#packNo(after)) ?? 0);
    const rows =
      ofClass === undefined
        ? await this.#sql.all<PackRow>(
            `SELECT ${packColumns} FROM vault_packs WHERE pack_no > ? ORDER BY pack_no LIMIT ?`,
            [start, limit],
            'bigint',
          )
        : await this.#sql.all<PackRow>(
            `SELECT ${packColumns} FROM vault_packs WHERE pack_no > ? AND class = ? ORDER BY pack_no LIMIT ?`,
            [start, packClass[ofClass], limit],
            'bigint',
          );
    return rows.map(packOfRow);
  }

  /** Sealed packs of a class that are at most so long, oldest first. */
  async packsBelow(sizeBytes: number, ofClass: PackClassName, limit: number): Promise<PackFacts[]> {
    const rows = await this.#sql.all<PackRow>(
      `SELECT ${packColumns} FROM vault_packs WHERE class = ? AND size_bytes <= ? ORDER BY pack_no LIMIT ?`,
      [packClass[ofClass], sizeBytes, limit],
      'bigint',
    );
    return rows.map(packOfRow);
  }

  /** Packs of a class sealed after a time, in the order of registration. */
  async packsSealedAfter(
    time: HybridTime,
    ofClass: PackClassName,
    page: { after: PackId | undefined; limit: number },
  ): Promise<PackId[]> {
    const start = page.after === undefined ? 0 : ((await this.#packNo(page.after)) ?? 0);
    const rows = await this.#sql.all<{ pack_id: Uint8Array }>(
      'SELECT pack_id FROM vault_packs WHERE pack_no > ? AND class = ? AND sealed > ? ORDER BY pack_no LIMIT ?',
      [start, packClass[ofClass], time, page.limit],
    );
    return rows.map((row) => idOfBytes(row.pack_id) as PackId);
  }

  /** When the pack was sealed that was sealed last; 0 when there is none. */
  async latestSealed(): Promise<HybridTime> {
    const row = await this.#sql.one<{ latest: bigint | null }>(
      'SELECT max(sealed) AS latest FROM vault_packs',
      [],
      'bigint',
    );
    return row?.latest ?? 0n;
  }

  /** Packs that may hold this record. */
  async packsOfRecord(id: RecordId): Promise<PackId[]> {
    return (await this.runsWith(id)).map(({ pack }) => pack);
  }

  /** The same, each with its run. */
  async runsWith(id: RecordId): Promise<RunPack[]> {
    const rows = await this.#sql.all<{ pack_id: Uint8Array; seq_first: bigint; seq_last: bigint }>(
      `SELECT p.pack_id, r.seq_first, r.seq_last FROM vault_runs r JOIN vault_writers w ON w.writer_no = r.writer_no JOIN vault_packs p ON p.pack_no = r.pack_no
       WHERE w.writer_id = ? AND r.seq_first <= ? AND r.seq_last >= ? ORDER BY r.seq_first DESC LIMIT 4`,
      [bytesOfId(id.writer), id.sequence, id.sequence],
      'bigint',
    );
    return rows.map((row) => ({
      pack: idOfBytes(row.pack_id) as PackId,
      first: row.seq_first,
      last: row.seq_last,
    }));
  }

  async runsOf(pack: PackId): Promise<Run[]> {
    const rows = await this.#sql.all<{ writer_id: Uint8Array; seq_first: bigint; seq_last: bigint }>(
      `SELECT w.writer_id, r.seq_first, r.seq_last FROM vault_runs r JOIN vault_writers w ON w.writer_no = r.writer_no
       JOIN vault_packs p ON p.pack_no = r.pack_no WHERE p.pack_id = ? ORDER BY w.writer_id, r.seq_first`,
      [bytesOfId(pack)],
      'bigint',
    );
    return rows.map((row) => ({
      writer: idOfBytes(row.writer_id) as WriterId,
      first: row.seq_first,
      last: row.seq_last,
    }));
  }

  /** What of a run no sealed pack holds. */
  async lackOf(run: Run): Promise<Run[]> {
    const rows = await this.#sql.all<{ seq_first: bigint; seq_last: bigint }>(
      `SELECT r.seq_first, r.seq_last FROM vault_runs r JOIN vault_writers w ON w.writer_no = r.writer_no
       WHERE w.writer_id = ? AND r.seq_first <= ? AND r.seq_last >= ? ORDER BY r.seq_first`,
      [bytesOfId(run.writer), run.last, run.first],
      'bigint',
    );
    const lack: Run[] = [];
    let next = run.first;
    for (const { seq_first, seq_last } of rows) {
      if (seq_first > next) lack.push({ writer: run.writer, first: next, last: seq_first - 1n });
      if (seq_last >= next) next = seq_last + 1n;
    }
    if (next <= run.last) lack.push({ writer: run.writer, first: next, last: run.last });
    return lack;
  }

  async placementsOf(pack: PackId): Promise<Placement[]> {
    return this.#placements('p.pack_id = ?', [bytesOfId(pack)], 'ORDER BY l.state, d.disk_no');
  }

  /** The whole pack on these disks that was verified longest ago, those never verified first, if before that time. */
  async leastVerified(beforeMs: number, disks: readonly DiskId[]): Promise<Placement | undefined> {
    if (disks.length === 0) return undefined;
    const found = await this.#placements(
      `l.kind = 1 AND l.verified_ms < ? AND d.disk_id IN (${disks.map(() => '?').join(', ')})`,
      [beforeMs, ...disks.map(bytesOfId)],
      'ORDER BY l.verified_ms, l.pack_no LIMIT 1',
    );
    return found[0];
  }

  /** Says of every copy of the pack but the one on this disk that it is bad: a better one was found. */
  async doubtOthers(pack: PackId, disk: DiskId): Promise<void> {
    await this.#sql.run(
      `UPDATE vault_placements SET state = ? WHERE kind = ? AND pack_no IN (SELECT pack_no FROM vault_packs WHERE pack_id = ?)
       AND disk_no NOT IN (SELECT disk_no FROM vault_disks WHERE disk_id = ?)`,
      [stateNumbers.bad, kindNumbers.pack, bytesOfId(pack), bytesOfId(disk)],
    );
  }

  /** The greatest sequence of a writer below this one that any sealed pack holds; 0 when none does. */
  async lastBelow(writer: WriterId, below: bigint): Promise<bigint> {
    const row = await this.#sql.one<{ last: bigint | null }>(
      `SELECT max(r.seq_last) AS last FROM vault_runs r JOIN vault_writers w ON w.writer_no = r.writer_no
       WHERE w.writer_id = ? AND r.seq_last < ?`,
      [bytesOfId(writer), below],
      'bigint',
    );
    return row?.last ?? 0n;
  }

  async badPlacements(limit: number): Promise<Placement[]> {
    return this.#placements('l.state = ?', [stateNumbers.bad], `ORDER BY l.pack_no LIMIT ${Math.floor(limit)}`);
  }

  /** Packs with fewer good copies than asked on these disks, oldest first. */
  async packsShortOf(copies: number, kind: PlacementKind, disks: readonly DiskId[], limit: number): Promise<PackId[]> {
    const { where, values } = fewerThan(copies, kind, disks);
    const rows = await this.#sql.all<{ pack_id: Uint8Array }>(
      `SELECT p.pack_id FROM vault_packs p WHERE ${where} ORDER BY p.pack_no LIMIT ?`,
      [...values, limit],
    );
    return rows.map((row) => idOfBytes(row.pack_id) as PackId);
  }

  /** How many packs have fewer good copies than asked on these disks, and how long they are together. */
  async shortfall(copies: number, disks: readonly DiskId[]): Promise<{ packCount: number; sizeBytes: number }> {
    const { where, values } = fewerThan(copies, 'pack', disks);
    const row = await this.#sql.one<{ packs: number; bytes: number }>(
      `SELECT count(*) AS packs, CAST(coalesce(sum(p.size_bytes), 0) AS BIGINT) AS bytes FROM vault_packs p WHERE ${where}`,
      values,
    );
    return { packCount: Number(row?.packs ?? 0), sizeBytes: Number(row?.bytes ?? 0) };
  }

  /** Sizes for `status`: by class, and by disk. */
  async totals(): Promise<{
    classes: { class: PackClassName; packCount: number; sizeBytes: number; recordCount: number }[];
    disks: {
      disk: DiskId;
      kind: PlacementKind;
      state: PlacementState;
      packCount: number;
      sizeBytes: number;
      leastVerifiedMs: number;
    }[];
  }> {
    const classes = await this.#sql.all<{ class: number; packs: number; bytes: number; records: number }>(
      'SELECT class, count(*) AS packs, CAST(sum(size_bytes) AS BIGINT) AS bytes, CAST(sum(record_count) AS BIGINT) AS records FROM vault_packs GROUP BY class ORDER BY class',
    );
    const disks = await this.#sql.all<{
      disk_id: Uint8Array;
      kind: number;
      state: number;
      packs: number;
      bytes: number;
      least: number;
    }>(
      `SELECT d.disk_id, l.kind, l.state, count(*) AS packs, CAST(sum(p.size_bytes) AS BIGINT) AS bytes, min(l.verified_ms) AS least
       FROM vault_placements l JOIN vault_disks d ON d.disk_no = l.disk_no JOIN vault_packs p ON p.pack_no = l.pack_no
       GROUP BY d.disk_id, l.kind, l.state ORDER BY d.disk_id, l.kind, l.state`,
    );
    return {
      classes: classes.map((row) => ({
        class: classOf(row.class),
        packCount: Number(row.packs),
        sizeBytes: Number(row.bytes),
        recordCount: Number(row.records),
      })),
      disks: disks.map((row) => ({
        disk: idOfBytes(row.disk_id) as DiskId,
        kind: Number(row.kind) === kindNumbers.pack ? 'pack' : 'footer',
        state: Number(row.state) === stateNumbers.good ? 'good' : 'bad',
        packCount: Number(row.packs),
        sizeBytes: Number(row.bytes),
        leastVerifiedMs: Number(row.least),
      })),
    };
  }

  async hybridGreatest(): Promise<HybridTime> {
    const row = await this.#sql.one<{ greatest: bigint | null }>(
      'SELECT max(hybrid_greatest) AS greatest FROM vault_packs',
      [],
      'bigint',
    );
    return row?.greatest ?? 0n;
  }

  async counter(name: CounterName): Promise<number> {
    const row = await this.#sql.one<{ value: number }>('SELECT value FROM vault_counters WHERE name = ?', [name]);
    return Number(row?.value ?? 0);
  }

  async count(name: CounterName, more: number): Promise<void> {
    await this.#sql.run(
      'INSERT INTO vault_counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = vault_counters.value + excluded.value',
      [name, more],
    );
  }

  /** How far the verification of a copy has come. */
  async scrubOffset(pack: PackId, disk: DiskId): Promise<number> {
    const row = await this.#sql.one<{ next_offset: number }>(
      `SELECT s.next_offset FROM vault_scrubs s JOIN vault_packs p ON p.pack_no = s.pack_no JOIN vault_disks d ON d.disk_no = s.disk_no
       WHERE p.pack_id = ? AND d.disk_id = ?`,
      [bytesOfId(pack), bytesOfId(disk)],
    );
    return Number(row?.next_offset ?? 0);
  }

  async setScrubOffset(pack: PackId, disk: DiskId, offset: number): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      const values = [await numberOf(tx, 'pack', pack), await numberOf(tx, 'disk', disk)];
      if (offset === 0) await tx.run('DELETE FROM vault_scrubs WHERE pack_no = ? AND disk_no = ?', values);
      else {
        await tx.run(
          `INSERT INTO vault_scrubs (pack_no, disk_no, next_offset) VALUES (?, ?, ?)
           ON CONFLICT (pack_no, disk_no) DO UPDATE SET next_offset = excluded.next_offset`,
          [...values, offset],
        );
      }
    });
  }

  async checkpoint(): Promise<void> {
    await this.#sql.checkpoint();
  }

  async #packNo(pack: PackId): Promise<number | undefined> {
    const row = await this.#sql.one<{ pack_no: number }>('SELECT pack_no FROM vault_packs WHERE pack_id = ?', [
      bytesOfId(pack),
    ]);
    return row === undefined ? undefined : Number(row.pack_no);
  }

  async #placements(where: string, values: (Uint8Array | number)[], tail: string): Promise<Placement[]> {
    const rows = await this.#sql.all<{
      pack_id: Uint8Array;
      disk_id: Uint8Array;
      kind: number;
      state: number;
      verified_ms: number;
    }>(
      `SELECT p.pack_id, d.disk_id, l.kind, l.state, l.verified_ms FROM vault_placements l
       JOIN vault_packs p ON p.pack_no = l.pack_no JOIN vault_disks d ON d.disk_no = l.disk_no WHERE ${where} ${tail}`,
      values,
    );
    return rows.map((row) => ({
      pack: idOfBytes(row.pack_id) as PackId,
      disk: idOfBytes(row.disk_id) as DiskId,
      kind: Number(row.kind) === kindNumbers.pack ? 'pack' : 'footer',
      state: Number(row.state) === stateNumbers.good ? 'good' : 'bad',
      verifiedMs: Number(row.verified_ms),
    }));
  }
}

/** The condition on `vault_packs p`: fewer good copies than asked on these disks. */
function fewerThan(
  copies: number,
  kind: PlacementKind,
  disks: readonly DiskId[],
): { where: string; values: (number | Uint8Array)[] } {
  if (disks.length === 0) return { where: '0 < ?', values: [copies] };
  const marks = disks.map(() => '?').join(', ');
  const where = `(SELECT count(*) FROM vault_placements l JOIN vault_disks d ON d.disk_no = l.disk_no
    WHERE l.pack_no = p.pack_no AND l.kind = ? AND l.state = 1 AND d.disk_id IN (${marks})) < ?`;
  return { where, values: [kindNumbers[kind], ...disks.map(bytesOfId), copies] };
}

function classOf(number: number | bigint): PackClassName {
  return defined(
    packClassNames.find((name) => packClass[name] === Number(number)),
    'a registered class',
  );
}

function packOfRow(row: PackRow): PackFacts {
  return {
    pack: idOfBytes(row.pack_id) as PackId,
    class: classOf(row.class),
    sizeBytes: Number(row.size_bytes),
    recordCount: Number(row.record_count),
    factCount: Number(row.fact_count),
    created: row.created,
    sealed: row.sealed,
    hybridGreatest: row.hybrid_greatest,
    root: row.root,
  };
}

/** The small number that stands for a 128-bit id within the database; given on first use. */
async function numberOf(tx: SqlTx, what: 'pack' | 'writer' | 'disk', id: string): Promise<number> {
  const [table, number, name] = [`vault_${what}s`, `${what}_no`, `${what}_id`];
  const bytes = bytesOfId(id);
  const select = `SELECT ${number} AS no FROM ${table} WHERE ${name} = ?`;
  const row = await tx.one<{ no: number }>(select, [bytes]);
  if (row !== undefined) return Number(row.no);
  // A pack is numbered by its own insert, which names all its columns.
  await tx.run(`INSERT INTO ${table} (${name}) VALUES (?) ON CONFLICT DO NOTHING`, [bytes]);
  return Number(defined(await tx.one<{ no: number }>(select, [bytes]), 'a row that was just made').no);
}

async function putPlacement(tx: SqlTx, packNo: number, placement: Omit<Placement, 'pack'>): Promise<void> {
  await tx.run(
    `INSERT INTO vault_placements (pack_no, disk_no, kind, state, verified_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (pack_no, disk_no, kind) DO UPDATE SET state = excluded.state, verified_ms = excluded.verified_ms`,
    [
      packNo,
      await numberOf(tx, 'disk', placement.disk),
      kindNumbers[placement.kind],
      stateNumbers[placement.state],
      placement.verifiedMs,
    ],
  );
}
