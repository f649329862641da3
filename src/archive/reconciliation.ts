// Reconciliation: a RIS's list of studies against what is here: what is missing, what the RIS does not know, and where patients and counts differ.
//
// Invariants: nothing is changed; memory is a batch of rows and eight bytes a study, whatever the length of the list; lines that follow one another and name one study are one,
// their counts added; what differs is told as it is found, and a summary at the end. What is here is what is shown: merged and corrected, without what was rejected.
// Left out on purpose: reading the list (ris-list.ts), and mending anything.

import type { TenantId } from '../base/index.ts';
import type { Catalog, FoundStudy, SearchCondition } from '../catalog/index.ts';
import { nameMatches, nameQueryTokens, nameSearchText, samePersonName } from '../dicom/index.ts';
import type { ProcedureSteps } from './procedure-steps.ts';
import type { RisStudy } from './ris-list.ts';
import { UidSet } from './uid-set.ts';

export const discrepancyKinds = ['missing', 'unknown', 'uid', 'patient', 'count', 'steps', 'date', 'modality'] as const;
export type DiscrepancyKind = (typeof discrepancyKinds)[number];

/**
 * - 'missing': in the list, and not here
 * - 'unknown': here, and not in the list
 * - 'uid': here under another study UID than the list has for its accession number
 * - 'patient': id, name, birth date or sex differ
 * - 'count': other numbers of images
 * - 'steps': modalities said that they made more than is here, or are still at it
 * - 'date', 'modality': of another day; without the modality
 */
export type Discrepancy = {
  readonly kind: DiscrepancyKind;
  /** Of the list; undefined: the study is not in it. */
  readonly line: number | undefined;
  readonly study: string | undefined;
  readonly accession: string | undefined;
  readonly patientId: string | undefined;
  readonly date: string | undefined;
  /** What differs, as the list has it and as it is here. */
  readonly differs: readonly { readonly what: string; readonly list: string; readonly here: string }[];
};

export type ReconciliationSummary = {
  readonly kind: 'summary';
  readonly lines: number;
  /** Studies of the list that are here, and studies here that were looked at. */
  readonly matched: number;
  readonly here: number;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly found: Readonly<Record<DiscrepancyKind, number>>;
};

export type ReconcileOptions = {
  readonly tenant: TenantId;
  /** Days of studies here that the list should know; by default those from its first to its last. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Studies here with one of these that the list should know; by default with any. */
  readonly modalities?: readonly string[] | undefined;
  readonly ignore?: readonly DiscrepancyKind[] | undefined;
};

const batchRows = 200;
const pageRows = 1000;
/** Codes that systems use for one another. */
const radiography: ReadonlySet<string> = new Set(['CR', 'DR', 'DX', 'RG']);

export class Reconciliation {
  readonly #catalog: Catalog;
  readonly #steps: Pick<ProcedureSteps, 'completeness'>;

  constructor(parts: { catalog: Catalog; steps: Pick<ProcedureSteps, 'completeness'> }) {
    this.#catalog = parts.catalog;
    this.#steps = parts.steps;
  }

  /** What differs, as it is found, and the summary last. What the list throws passes through. */
  async *compare(
    list: AsyncIterable<RisStudy>,
    options: ReconcileOptions,
  ): AsyncGenerator<Discrepancy | ReconciliationSummary> {
    const run = new ReconcileRun(this.#catalog, this.#steps, options);
    const ignored = new Set(options.ignore);
    const found = Object.fromEntries(discrepancyKinds.map((kind) => [kind, 0])) as Record<DiscrepancyKind, number>;
    for await (const each of run.all(list)) {
      if (ignored.has(each.kind)) continue;
      found[each.kind] += 1;
      yield each;
    }
    yield { kind: 'summary', ...run.counts, found };
  }
}

class ReconcileRun {
  readonly #catalog: Catalog;
  readonly #steps: Pick<ProcedureSteps, 'completeness'>;
  readonly #options: ReconcileOptions;
  /** Studies here that the list names. */
  readonly #matched = new UidSet();
  #lines = 0;
  #here = 0;
  #first: string | undefined;
  #last: string | undefined;

  constructor(catalog: Catalog, steps: Pick<ProcedureSteps, 'completeness'>, options: ReconcileOptions) {
    this.#catalog = catalog;
    this.#steps = steps;
    this.#options = options;
  }

  get counts(): Omit<ReconciliationSummary, 'kind' | 'found'> {
    const { from, to } = this.#scope();
    return { lines: this.#lines, matched: this.#matched.count, here: this.#here, from, to };
  }

  #scope(): { from: string | undefined; to: string | undefined } {
    const { from, to } = this.#options;
    const isSaid = from !== undefined || to !== undefined;
    return isSaid ? { from, to } : { from: this.#first, to: this.#last };
  }

  async *all(list: AsyncIterable<RisStudy>): AsyncGenerator<Discrepancy> {
    let batch: RisStudy[] = [];
    for await (const row of joined(this.#counted(list))) {
      batch.push(row);
      if (batch.length < batchRows) continue;
      yield* this.#batch(batch);
      batch = [];
    }
    yield* this.#batch(batch);
    yield* this.#unknown();
  }

  async *#counted(list: AsyncIterable<RisStudy>): AsyncGenerator<RisStudy> {
    for await (const row of list) {
      this.#lines += 1;
      const { date } = row;
      if (date !== undefined && (this.#first === undefined || date < this.#first)) this.#first = date;
      if (date !== undefined && (this.#last === undefined || date > this.#last)) this.#last = date;
      yield row;
    }
  }

  async *#batch(rows: readonly RisStudy[]): AsyncGenerator<Discrepancy> {
    const byUid = new Map<string, FoundStudy>();
    for (const each of await this.#find('studyUid', textsOf(rows, 'study'))) byUid.set(each.studyUid, each);
    const rest = rows.filter((row) => row.study === undefined || !byUid.has(row.study));
    const byAccession = Map.groupBy(await this.#find('accession', textsOf(rest, 'accession')), (each) =>
      (each.accession ?? '').trim(),
    );
    for (const row of rows) {
      const named = row.study === undefined ? undefined : byUid.get(row.study);
      const others = named === undefined ? this.#meant(row, byAccession.get(row.accession ?? '') ?? []) : [named];
      for (const each of others) this.#matched.add(each.studyUid);
      yield* this.#judge(row, others, named === undefined);
    }
  }

  /** Of several studies with one accession number those of the patient, where the list says who that is. */
  #meant({ patientId }: RisStudy, found: readonly FoundStudy[]): readonly FoundStudy[] {
    const same = found.filter((each) => each.patient.patientId === patientId);
    return same.length > 0 ? same : found;
  }

  async #find(field: 'studyUid' | 'accession', values: readonly string[]): Promise<FoundStudy[]> {
    const found: FoundStudy[] = [];
    if (values.length === 0) return found;
    const conditions: SearchCondition[] = [{ field, match: { kind: 'equals', values } }];
    const search = { tenant: this.#options.tenant, conditions };
    for (let after: Parameters<Catalog['search']['studies']>[1]['after']; ; ) {
      const page = await this.#catalog.search.studies(search, { after, limit: pageRows });
      found.push(...page.rows);
      if (page.next === undefined) return found;
      after = page.next;
    }
  }

  async *#judge(row: RisStudy, here: readonly FoundStudy[], isByAccession: boolean): AsyncGenerator<Discrepancy> {
    const { line, accession, date } = row;
    const about = { line, study: row.study ?? here[0]?.studyUid, accession, patientId: row.patientId, date };
    const tell = (kind: DiscrepancyKind, differs: Discrepancy['differs']): Discrepancy => ({ kind, ...about, differs });
    const shown = here.filter((each) => each.instanceCount > 0);
    if (shown.length === 0) {
      yield tell('missing', []);
      return;
    }
    const [first] = shown;
    if (isByAccession && row.study !== undefined && first !== undefined)
      yield tell('uid', [{ what: 'StudyInstanceUID', list: row.study, here: first.studyUid }]);
    for (const study of shown) {
      const differs = patientDiffers(row, study);
      if (differs.length > 0) yield tell('patient', differs);
      if (date !== undefined && study.studyDate !== undefined && study.studyDate !== date)
        yield tell('date', [{ what: 'StudyDate', list: date, here: study.studyDate }]);
    }
    const modalities = shown.flatMap((each) => each.modalities);
    if (row.modality !== undefined && !hasModality(modalities, row.modality))
      yield tell('modality', [{ what: 'Modality', list: row.modality, here: modalities.join(' ') }]);
    const count = shown.reduce((sum, each) => sum + each.instanceCount, 0);
    if (row.images !== undefined && row.images !== count)
      yield tell('count', [{ what: 'instances', list: String(row.images), here: String(count) }]);
    for (const study of shown) {
      const made = await this.#steps.completeness(this.#options.tenant, study.studyUid);
      if (made?.state !== 'incomplete') continue;
      const list = `${made.said} ${made.performed}`;
      yield {
        ...tell('steps', [{ what: 'instances', list, here: String(made.said - made.missing) }]),
        study: study.studyUid,
      };
    }
  }

  async *#unknown(): AsyncGenerator<Discrepancy> {
    if (this.#options.ignore?.includes('unknown') === true) return;
    const { from, to } = this.#scope();
    const conditions: SearchCondition[] = [];
    if (from !== undefined || to !== undefined)
      conditions.push({ field: 'studyDate', match: { kind: 'range', from, to } });
    const { tenant, modalities } = this.#options;
    const search = { tenant, conditions };
    for (let after: Parameters<Catalog['search']['studies']>[1]['after']; ; ) {
      const page = await this.#catalog.search.studies(search, { after, limit: pageRows });
      for (const study of page.rows) {
        if (study.instanceCount === 0) continue;
        if (modalities !== undefined && !modalities.some((each) => hasModality(study.modalities, each))) continue;
        this.#here += 1;
        if (this.#matched.has(study.studyUid)) continue;
        const { studyUid, accession, patient, studyDate: date, instanceCount } = study;
        yield {
          kind: 'unknown',
          line: undefined,
          study: studyUid,
          accession,
          patientId: patient.patientId,
          date,
          differs: [{ what: 'instances', list: '', here: String(instanceCount) }],
        };
      }
      if (page.next === undefined) return;
      after = page.next;
    }
  }
}

function textsOf(rows: readonly RisStudy[], name: 'study' | 'accession'): string[] {
  return [...new Set(rows.flatMap((row) => (row[name] === undefined ? [] : [row[name]])))];
}

/** Lines behind one another that name one study as one. */
async function* joined(rows: AsyncIterable<RisStudy>): AsyncGenerator<RisStudy> {
  let open: RisStudy | undefined;
  for await (const row of rows) {
    const isSame =
      open !== undefined &&
      open.study === row.study &&
      open.accession === row.accession &&
      open.patientId === row.patientId;
    if (open !== undefined && isSame) {
      const images = open.images === undefined || row.images === undefined ? undefined : open.images + row.images;
      open = { ...open, images };
    } else {
      if (open !== undefined) yield open;
      open = row;
    }
  }
  if (open !== undefined) yield open;
}

function patientDiffers(row: RisStudy, { patient }: FoundStudy): Discrepancy['differs'] {
  const differs: { what: string; list: string; here: string }[] = [];
  const compare = (what: string, list: string | undefined, here: string | undefined, same: boolean): void => {
    if (list !== undefined && !same) differs.push({ what, list, here: here ?? '' });
  };
  const name = patient.name ?? '';
  compare('PatientID', row.patientId, patient.patientId, row.patientId === patient.patientId.trim());
  compare('PatientName', row.patientName, name, row.patientName === undefined || sameName(row.patientName, name));
  const birthDate = patient.birthDate?.replaceAll(/[-./]/g, '');
  if (birthDate !== undefined && birthDate !== '')
    compare('PatientBirthDate', row.birthDate, birthDate, row.birthDate === birthDate);
  if (patient.sex === 'M' || patient.sex === 'F') compare('PatientSex', row.sex, patient.sex, row.sex === patient.sex);
  return differs;
}

/** 张三 and ZHANG^SAN are one name: lists have the one, headers the other or both. */
function sameName(list: string, here: string): boolean {
  if (samePersonName(list, here)) return true;
  const finds = (one: string, other: string): boolean => {
    const tokens = nameQueryTokens(one);
    return tokens.length > 0 && nameMatches(nameSearchText([other]), tokens);
  };
  return finds(list, here) || finds(here.split('=')[0] ?? '', list);
}

function hasModality(here: readonly string[], wanted: string): boolean {
  if (here.includes(wanted)) return true;
  return radiography.has(wanted) && here.some((each) => radiography.has(each));
}
