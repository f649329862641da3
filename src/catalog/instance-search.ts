// The search for instances: series by series, in each what has rows and what is settled alike.
//
// Invariants: within a series instances come in the order in which they were written down, which settling does not change, so a page that is asked for while a
// series settles goes on where the one before it ended. Rows are read before bundles, and an instance found in both is given once. What a condition means is the
// same in a statement and here.
// Left out on purpose: conditions on patients, studies and series, which are only passed on (search-pieces.ts).

import type { TenantId } from '../base/index.ts';
import { idOfBytes } from '../base/index.ts';
import type { SqlTx, SqlValue } from '../sql/index.ts';
import { inList, inListMax, inValues, pieces } from '../sql/index.ts';
import type { InstanceChange } from './changes.ts';
import { pageLimit } from './object-queries.ts';
import {
  all,
  fields,
  namePieces,
  type Piece,
  pieceOf,
  type Search,
  type SearchCondition,
  wherePieces,
} from './search-pieces.ts';
import { membersOf, type SettledMember, type SettledSeries } from './settled-series.ts';
import { textValue } from './storable.ts';
import {
  type FoundInstance,
  foundInstance,
  type InstancePlace,
  instanceColumns,
  type PageOptions,
  type SearchPage,
  type SelectedInstance,
} from './study-rows.ts';

type Series = {
  readonly no: number;
  readonly study_uid: string;
  readonly series_uid: string;
  readonly amended: string | null;
  readonly settled: number;
};

type Found = { readonly instance: FoundInstance; readonly at: InstancePlace };

const seriesAtOnce = 64;

const isOfInstance = ({ field }: SearchCondition): boolean => fields[field].level === 'instance';

export class InstanceSearch {
  readonly #sql: SqlTx;
  readonly #settled: SettledSeries;

  constructor(sql: SqlTx, settled: SettledSeries) {
    this.#sql = sql;
    this.#settled = settled;
  }

  /** Instances that are shown. */
  async find(search: Search, options: PageOptions): Promise<SearchPage<FoundInstance>> {
    const limit = pageLimit(options.limit);
    const own = search.conditions.filter(isOfInstance);
    const series = await this.#seriesOfUids(search.tenant, own);
    const rows: FoundInstance[] = [];
    let [after, skip] = [options.after, options.skip ?? 0];
    for (let more = series === undefined || series.length > 0; more; ) {
      const page = await this.#series(search, series, after?.no ?? 0);
      for (const each of page) {
        const from = each.no === after?.no ? after.at : undefined;
        for (const { instance, at } of await this.#ofSeries(each, own, from, limit - rows.length + skip)) {
          if (skip > 0) {
            skip -= 1;
            continue;
          }
          rows.push(instance);
          if (rows.length === limit) return { rows, next: { no: each.no, at } };
        }
        // Nothing of this series is left.
        after = { no: each.no + 1 };
      }
      more = page.length === seriesAtOnce;
    }
    return { rows, next: undefined };
  }

  /** The same search without conditions on instances, where their UIDs are told: the series are named instead. */
  async aboveInstances(search: Search): Promise<Search> {
    const own = search.conditions.filter(isOfInstance);
    const series = await this.#seriesOfUids(search.tenant, own);
    if (series === undefined) return search;
    const fitting: string[] = [];
    for (const each of await this.#seriesRows(series)) {
      if ((await this.#ofSeries(each, own, undefined, 1)).length > 0) fitting.push(String(each.no));
    }
    const others = search.conditions.filter((each) => !isOfInstance(each));
    return { ...search, conditions: [...others, { field: 'seriesNo', match: { kind: 'equals', values: fitting } }] };
  }

  /** Whether a series shows an instance that fits all conditions on instances. */
  async hasFitting(seriesNo: number, search: Search): Promise<boolean> {
    const own = search.conditions.filter(isOfInstance);
    const [series] = await this.#seriesRows([seriesNo]);
    return series !== undefined && (await this.#ofSeries(series, own, undefined, 1)).length > 0;
  }

  /** Series in which one of the UIDs that a condition tells may be; undefined when none tells any. */
  async #seriesOfUids(tenant: TenantId, own: readonly SearchCondition[]): Promise<number[] | undefined> {
    const told = own.find(({ field, match }) => field === 'instanceUid' && match.kind === 'equals');
    if (told?.match.kind !== 'equals') return undefined;
    const uids = told.match.values.map(textValue);
    const series = new Set<number>();
    for (const piece of pieces(uids, inListMax)) {
      const rows = await this.#sql.all<{ no: number }>(
        `SELECT DISTINCT series_no AS no FROM instances WHERE tenant = ? AND instance_uid IN ${inList(piece.length)}`,
        [tenant, ...inValues(piece)],
      );
      for (const row of rows) series.add(row.no);
    }
    for (const { bundle } of await this.#settled.withUids(this.#sql, uids)) series.add(bundle.seriesNo);
    return [...series].sort((a, b) => a - b);
  }

  #series(search: Search, only: readonly number[] | undefined, from: number): Promise<Series[]> {
    const conditions = search.conditions.filter((each) => !isOfInstance(each));
    if (only !== undefined) conditions.push({ field: 'seriesNo', match: { kind: 'equals', values: only.map(String) } });
    return this.#selectSeries(
      all([
        { text: 's.tenant = ? AND s.rec_writer_no > 0 AND e.series_no >= ?', values: [search.tenant, from] },
        ...wherePieces({ ...search, conditions }, 'series'),
        ...namePieces(search.nameKeys ?? []),
      ]),
      seriesAtOnce,
    );
  }

  async #seriesRows(numbers: readonly number[]): Promise<Series[]> {
    const rows: Series[] = [];
    for (const piece of pieces(numbers, inListMax)) {
      const where = { text: `e.series_no IN ${inList(piece.length)}`, values: inValues(piece) };
      rows.push(...(await this.#selectSeries(where, piece.length)));
    }
    return rows;
  }

  #selectSeries(where: Piece, limit: number): Promise<Series[]> {
    return this.#sql.all<Series>(
      `SELECT e.series_no AS no, s.study_uid, e.series_uid, s.amended,
          CASE WHEN EXISTS (SELECT 1 FROM bundles b WHERE b.series_no = e.series_no AND b.member_count > 0) THEN 1 ELSE 0 END AS settled
        FROM series e JOIN studies s ON s.study_no = e.study_no JOIN patients p ON p.patient_no = s.patient_no
        WHERE ${where.text} ORDER BY e.series_no LIMIT ?`,
      [...where.values, limit],
    );
  }

  /** What is shown of a series and fits, behind a place, in order. */
  async #ofSeries(
    series: Series,
    own: readonly SearchCondition[],
    after: InstancePlace | undefined,
    limit: number,
  ): Promise<Found[]> {
    const found = new Map<string, Found>();
    for (const each of await this.#withRows(series, own, after, limit)) found.set(each.instance.id, each);
    if (series.settled === 1) {
      for await (const bundle of this.#settled.ofSeries(this.#sql, series.no)) {
        for (const settled of membersOf(bundle)) {
          const { id } = settled.member.instance;
          const at = placeOf(settled);
          if (!settled.shown || found.has(id) || (after !== undefined && comparePlaces(at, after) <= 0)) continue;
          if (own.every((condition) => fits(settled.member.instance, condition)))
            found.set(id, { instance: settledInstance(settled, series.amended), at });
        }
      }
    }
    return [...found.values()].sort((a, b) => comparePlaces(a.at, b.at)).slice(0, limit);
  }

  async #withRows(
    series: Series,
    own: readonly SearchCondition[],
    after: InstancePlace | undefined,
    limit: number,
  ): Promise<Found[]> {
    const behind: Piece[] = [];
    if (after !== undefined) {
      const values: SqlValue[] = [after.hybrid, after.seq, Buffer.from(after.id, 'hex')];
      behind.push({ text: '(i.hybrid, i.rec_seq, i.entry_id) > (?, ?, ?)', values });
    }
    const where = all([
      { text: 'i.series_no = ? AND i.shown = 1', values: [series.no] },
      ...behind,
      ...own.map(pieceOf),
    ]);
    const rows = await this.#sql.all<SelectedInstance & { hybrid: bigint; rec_seq: bigint }>(
      `SELECT ${instanceColumns}, i.hybrid, i.rec_seq
        FROM instances i JOIN series e ON e.series_no = i.series_no JOIN studies s ON s.study_no = e.study_no
        WHERE ${where.text} ORDER BY i.hybrid, i.rec_seq, i.entry_id LIMIT ?`,
      [...where.values, limit],
      'bigint',
    );
    return rows.map((row) => ({
      instance: foundInstance(row),
      at: { hybrid: row.hybrid, seq: row.rec_seq, id: idOfBytes(row.entry_id) },
    }));
  }
}

function placeOf({ member }: SettledMember): InstancePlace {
  const { version, id } = member.object;
  return { hybrid: version.time, seq: version.record.sequence, id };
}

function comparePlaces(a: InstancePlace, b: InstancePlace): number {
  if (a.hybrid !== b.hybrid) return a.hybrid < b.hybrid ? -1 : 1;
  if (a.seq !== b.seq) return a.seq < b.seq ? -1 : 1;
  return a.id === b.id ? 0 : a.id < b.id ? -1 : 1;
}

/** A settled instance as it is found. */
export function settledInstance({ bundle, index, member }: SettledMember, amended: string | null): FoundInstance {
  const { instance, textBytes } = member;
  const { headers } = bundle;
  const at = bundle.textAt[index] ?? 0;
  return {
    id: instance.id,
    studyUid: instance.studyUid,
    seriesUid: instance.seriesUid,
    instanceUid: instance.instanceUid,
    classUid: instance.classUid,
    syntaxUid: instance.syntaxUid,
    instanceNumber: instance.instanceNumber,
    frames: instance.frames,
    rows: instance.rows,
    columns: instance.columns,
    bitsAllocated: instance.bitsAllocated,
    sizeBytes: instance.sizeBytes,
    headBytes: instance.headBytes,
    amended: amended ?? undefined,
    text: headers === undefined || textBytes === 0 ? undefined : { ref: headers.ref, at, sizeBytes: textBytes },
    picture: bundle.thumbnail,
  };
}

/** Whether an instance fits a condition, as `pieceOf` has it. */
function fits(instance: InstanceChange, { field, match }: SearchCondition): boolean {
  const value =
    field === 'instanceUid' ? instance.instanceUid : field === 'classUid' ? instance.classUid : instance.instanceNumber;
  if (value === undefined) return false;
  switch (match.kind) {
    case 'equals':
      return typeof value === 'number'
        ? match.values.some((each) => Number.isSafeInteger(Number(each)) && Number(each) === value)
        : match.values.some((each) => textValue(each) === textValue(value));
    case 'like':
      return likeForm(match.pattern).test(textValue(String(value)));
    case 'range': {
      const text = textValue(String(value));
      return (match.from === undefined || text >= match.from) && (match.to === undefined || text <= match.to);
    }
  }
}

function likeForm(pattern: string): RegExp {
  const parts = Array.from(textValue(pattern), (char) =>
    char === '*' ? '.*' : char === '?' ? '.' : char.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'),
  );
  return new RegExp(`^${parts.join('')}$`, 'su');
}
