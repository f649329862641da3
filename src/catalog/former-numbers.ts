// Patient ids, names and accession numbers that stand in no row any more, since something was merged or corrected: who asks by them finds what they named.
//
// Invariants: a question that none of them fits is asked as it was; what is found besides is the patient who the one asked for is in the end, whatever ids and issuers
// that one has, and the study that had the number. Costs one look at an index, and only for questions by these numbers.

import type { SqlTx, SqlValue } from '../sql/index.ts';
import { all, columnPiece, fields, type Piece, type Search, type SearchCondition } from './search-pieces.ts';

/** Former names that one question may fit; beyond it the rest is found by what it is called now. */
const formerMax = 500;

export async function withFormerNumbers(sql: SqlTx, search: Search): Promise<Search> {
  const { conditions } = search;
  const id = conditions.find((each) => each.field === 'patientId');
  const accession = conditions.find((each) => each.field === 'accession');
  let changed: readonly SearchCondition[] = conditions;
  if (id !== undefined) {
    const issuer = conditions.find((each) => each.field === 'issuer');
    const asked = [
      columnPiece(id, 'a.patient_id'),
      ...(issuer === undefined ? [] : [columnPiece(issuer, 'a.issuer')]),
      { text: 'a.root_no IS NOT NULL', values: [] },
    ];
    const former = await numbersOf(sql, 'SELECT DISTINCT a.root_no AS no FROM patients a', search, id, asked);
    if (former.length > 0) changed = await orPatients(sql, { ...search, conditions: changed }, { id, issuer, former });
  }
  const name = conditions.find((each) => each.field === 'patientName');
  if (name !== undefined) {
    // Of amended patients alone: there are few, and the number of others does not matter.
    const called = 'SELECT DISTINCT n.root_no AS no FROM patient_names n CROSS JOIN patients a';
    const former = await numbersOf(sql, called, search, name, [
      { text: 'a.patient_no = n.root_no', values: [] },
      columnPiece(name, 'n.name'),
    ]);
    if (former.length > 0) changed = changed.map((each) => (each === name ? { ...name, orNumbers: former } : each));
  }
  if (accession !== undefined) {
    const asked = [columnPiece(accession, 'a.accession')];
    const former = await numbersOf(sql, 'SELECT a.study_no AS no FROM study_accessions a', search, accession, asked);
    if (former.length > 0) changed = await orStudies(sql, { ...search, conditions: changed }, accession, former);
  }
  return changed === conditions ? search : { ...search, conditions: changed };
}

async function numbersOf(
  sql: SqlTx,
  select: string,
  { tenant }: Search,
  { match }: SearchCondition,
  asked: readonly Piece[],
): Promise<number[]> {
  // A pattern that begins with anything walks what was amended and not every patient of the house.
  const isOpen = match.kind === 'like' && /^[*?]/.test(match.pattern);
  const where = all([{ text: isOpen ? '(a.tenant + 0) = ?' : 'a.tenant = ?', values: [tenant] }, ...asked]);
  const rows = await sql.all<{ no: number }>(`${select} WHERE ${where.text} LIMIT ${formerMax}`, where.values);
  return rows.map((each) => each.no);
}

/** By numbers alone where values were listed, since then few rows fit; or as well, where a pattern stays a pattern. */
async function orPatients(
  sql: SqlTx,
  { tenant, conditions }: Search,
  { id, issuer, former }: { id: SearchCondition; issuer: SearchCondition | undefined; former: readonly number[] },
): Promise<readonly SearchCondition[]> {
  const rest = conditions.filter((each) => each !== id && each !== issuer);
  const own = [id, ...(issuer === undefined ? [] : [issuer])];
  if (id.match.kind === 'equals' || issuer !== undefined) {
    const numbers = await now(sql, 'patients p', 'p.patient_no', [
      { text: 'p.tenant = ?', values: [tenant] },
      ...own.map((each) => columnPiece(each, fields[each.field].column)),
    ]);
    return [...rest, listed('patientNo', [...numbers, ...former])];
  }
  return [...rest, { ...id, orNumbers: former }];
}

async function orStudies(
  sql: SqlTx,
  { tenant, conditions }: Search,
  accession: SearchCondition,
  former: readonly number[],
): Promise<readonly SearchCondition[]> {
  const rest = conditions.filter((each) => each !== accession);
  if (accession.match.kind !== 'equals') return [...rest, { ...accession, orNumbers: former }];
  const numbers = await now(sql, 'studies s', 's.study_no', [
    { text: 's.tenant = ?', values: [tenant] },
    columnPiece(accession, fields.accession.column),
  ]);
  return [...rest, listed('studyNo', [...numbers, ...former])];
}

const numbersMax = 3000;

async function now(sql: SqlTx, from: string, no: string, asked: readonly Piece[]): Promise<number[]> {
  const where = all(asked);
  const values: readonly SqlValue[] = where.values;
  const rows = await sql.all<{ no: number }>(
    `SELECT ${no} AS no FROM ${from} WHERE ${where.text} LIMIT ${numbersMax}`,
    values,
  );
  return rows.map((each) => each.no);
}

function listed(field: 'patientNo' | 'studyNo', numbers: readonly number[]): SearchCondition {
  return { field, match: { kind: 'equals', values: [...new Set(numbers)].map(String) } };
}
