// Questions about quality cases and about objects that came beside another of their instance UID.
//
// Invariants: lists go page by page, the latest trouble first; a case is open until somebody closed it, and again when the same trouble came after that.
// Left out on purpose: what a kind of case means to people.

import type { TenantId } from '../base/index.ts';
import { bytesOfId, idOfBytes, tenantId } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { inList, inValues } from '../sql/index.ts';
import { textValue } from './storable.ts';

export type QualityCase = {
  /** 16 hex digits, the same after a rebuild. */
  readonly id: string;
  readonly kind: string;
  readonly tenant: TenantId;
  readonly studyUid: string;
  readonly seriesUid: string;
  /** Who brought the first object with this trouble, and that object. */
  readonly source: string | undefined;
  readonly firstEntry: string;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly state: 'open' | 'closed';
  /** What was decided last, also where the trouble came again since. */
  readonly decided:
    | { readonly state: 'open' | 'closed'; readonly who: string; readonly why: string; readonly atMs: number }
    | undefined;
};

export type QualityFilter = {
  readonly tenant?: TenantId | undefined;
  readonly kinds?: readonly string[] | undefined;
  readonly source?: string | undefined;
  /** Trouble at this time or later. */
  readonly sinceMs?: number | undefined;
  readonly studyUid?: string | undefined;
  readonly state?: 'open' | 'closed' | undefined;
};

export type QualityCursor = { readonly lastMs: number; readonly id: string };

/** An object that came beside another one of its instance UID. */
export type Beside = {
  readonly id: string;
  readonly tenant: TenantId;
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly instanceUid: string;
  readonly source: string | undefined;
  readonly createdMs: number;
};

export type Compared = Beside & {
  /** undefined: not compared yet. */
  readonly difference: 'syntax' | 'header' | 'pixels' | 'undecided' | undefined;
  readonly with: string | undefined;
  readonly identity: readonly string[];
  readonly paths: readonly string[];
};

const comparedMax = 1000;
const kindsMax = 100;

type SelectedCase = {
  case_id: string;
  kind: string;
  tenant: number;
  study_uid: string;
  series_uid: string;
  source: string | null;
  first_entry: Uint8Array;
  first_ms: number;
  last_ms: number;
  state: string | null;
  decided_ms: number | null;
  decided_by: string | null;
  decided_why: string | null;
};

type SelectedCompared = {
  entry_id: Uint8Array;
  tenant: number;
  study_uid: string;
  series_uid: string;
  instance_uid: string;
  source: string | null;
  created_ms: number;
  with_entry: Uint8Array | null;
  difference: string | null;
  identity: string | null;
  paths: string | null;
};

const casesFrom = `SELECT q.case_id, q.kind, e.tenant, s.study_uid, e.series_uid, q.source, q.first_entry, q.first_ms, q.last_ms, q.state,
    q.decided_ms, q.decided_by, q.decided_why
  FROM quality_cases q JOIN series e ON e.series_no = q.series_no JOIN studies s ON s.study_no = e.study_no`;
const comparedFrom = `SELECT c.entry_id, e.tenant, s.study_uid, e.series_uid, c.instance_uid, c.source, c.created_ms, c.with_entry,
    c.difference, c.identity, c.paths
  FROM comparisons c JOIN series e ON e.series_no = c.series_no JOIN studies s ON s.study_no = e.study_no`;
const isClosed = `(q.state = 'closed' AND q.last_ms <= q.decided_ms)`;

export class QualityQueries {
  readonly #sql: SqlTx;

  constructor(sql: SqlTx) {
    this.#sql = sql;
  }

  /** The latest trouble first. */
  async cases(
    filter: QualityFilter,
    page: { readonly after?: QualityCursor | undefined; readonly limit: number },
  ): Promise<{ rows: QualityCase[]; next: QualityCursor | undefined }> {
    const where: string[] = ['q.last_ms IS NOT NULL'];
    const values: SqlValue[] = [];
    const add = (condition: string, ...more: SqlValue[]): void => {
      where.push(condition);
      values.push(...more);
    };
    const { tenant, kinds, source, sinceMs, studyUid, state } = filter;
    if (tenant !== undefined) add('e.tenant = ?', tenant);
    if (kinds !== undefined) {
      const some = kinds.slice(0, kindsMax).map(textValue);
      add(`q.kind IN ${inList(some.length)}`, ...inValues(some));
    }
    if (source !== undefined) add('q.source = ?', textValue(source));
    if (sinceMs !== undefined) add('q.last_ms >= ?', Math.floor(sinceMs));
    if (studyUid !== undefined) add('s.study_uid = ?', textValue(studyUid));
    if (state === 'closed') add(isClosed);
    if (state === 'open') add(`(q.state IS NULL OR NOT ${isClosed})`);
    if (page.after !== undefined)
      add('(q.last_ms < ? OR (q.last_ms = ? AND q.case_id > ?))', page.after.lastMs, page.after.lastMs, page.after.id);
    const found = await this.#sql.all<SelectedCase>(
      `${casesFrom} WHERE ${where.join(' AND ')} ORDER BY q.last_ms DESC, q.case_id LIMIT ?`,
      [...values, page.limit],
    );
    const rows = found.map(caseOf);
    const last = rows.at(-1);
    return {
      rows,
      next: last === undefined || rows.length < page.limit ? undefined : { lastMs: last.lastMs, id: last.id },
    };
  }

  /** Cases whose ids begin so; two at most, which is enough to see that one is not meant alone. */
  async casesById(beginning: string): Promise<QualityCase[]> {
    const rows = await this.#sql.all<SelectedCase>(
      `${casesFrom} WHERE q.case_id >= ? AND q.case_id < ? AND q.last_ms IS NOT NULL ORDER BY q.case_id LIMIT 2`,
      [beginning, `${beginning}~`],
    );
    return rows.map(caseOf);
  }

  /** Objects of a series that came beside another, in the order in which they came. */
  async besideOfSeries(series: { tenant: TenantId; studyUid: string; seriesUid: string }): Promise<Compared[]> {
    const rows = await this.#sql.all<SelectedCompared>(
      `${comparedFrom} WHERE s.tenant = ? AND s.study_uid = ? AND e.series_uid = ? ORDER BY c.created_ms, c.entry_id LIMIT ?`,
      [series.tenant, textValue(series.studyUid), textValue(series.seriesUid), comparedMax],
    );
    return rows.map(comparedOf);
  }

  /** How an object differs from the one that was there. */
  async compared(id: string): Promise<Compared | undefined> {
    const row = await this.#sql.one<SelectedCompared>(`${comparedFrom} WHERE c.entry_id = ?`, [bytesOfId(id)]);
    return row === undefined ? undefined : comparedOf(row);
  }

  /** Objects that wait to be compared, those that came first before others. */
  async waiting(page: {
    readonly after?: Pick<Beside, 'createdMs' | 'id'> | undefined;
    readonly limit: number;
  }): Promise<Beside[]> {
    const after = page.after ?? { createdMs: -1, id: '00'.repeat(16) };
    const rows = await this.#sql.all<SelectedCompared>(
      `${comparedFrom} WHERE c.difference IS NULL AND (c.created_ms > ? OR (c.created_ms = ? AND c.entry_id > ?))
        ORDER BY c.created_ms, c.entry_id LIMIT ?`,
      [after.createdMs, after.createdMs, bytesOfId(after.id), page.limit],
    );
    return rows.map(comparedOf);
  }
}

function caseOf(row: SelectedCase): QualityCase {
  const { decided_ms: atMs } = row;
  const state = row.state === 'closed' ? 'closed' : 'open';
  const decided: QualityCase['decided'] =
    row.state === null || atMs === null
      ? undefined
      : { state, who: row.decided_by ?? '', why: row.decided_why ?? '', atMs };
  return {
    id: row.case_id,
    kind: row.kind,
    tenant: tenantId(row.tenant),
    studyUid: row.study_uid,
    seriesUid: row.series_uid,
    source: row.source ?? undefined,
    firstEntry: idOfBytes(row.first_entry),
    firstMs: row.first_ms,
    lastMs: row.last_ms,
    state: decided?.state === 'closed' && row.last_ms <= decided.atMs ? 'closed' : 'open',
    decided,
  };
}

function comparedOf(row: SelectedCompared): Compared {
  return {
    id: idOfBytes(row.entry_id),
    tenant: tenantId(row.tenant),
    studyUid: row.study_uid,
    seriesUid: row.series_uid,
    instanceUid: row.instance_uid,
    source: row.source ?? undefined,
    createdMs: row.created_ms,
    difference: (row.difference ?? undefined) as Compared['difference'],
    with: row.with_entry === null ? undefined : idOfBytes(row.with_entry),
    identity: wordsOf(row.identity),
    paths: wordsOf(row.paths),
  };
}

function wordsOf(text: string | null): string[] {
  return text === null || text === '' ? [] : text.split('\\');
}
