// Studies: what is known of patients, studies, series and instances, found by conditions and given out as they are found.
//
// Invariants: nothing is held beyond a page; whoever stops asking stops the search; what is found is what the catalog knew when its page was read.
// Left out on purpose: identifiers and JSON; doors have them.

import type {
  Catalog,
  FoundInstance,
  FoundPatient,
  FoundSeries,
  FoundStudy,
  Level,
  PageOptions,
  Search,
  SearchPage,
} from '../catalog/index.ts';
import type { DataSet, Tag } from '../dicom/index.ts';
import { fitsKey, planQuery, type Query, type QueryKey } from './query.ts';
import { type Answer, AnswerMaker, type StepsOfStudy, textsOf } from './query-answers.ts';

export type FindOptions = {
  /** Rows to pass over first. */
  readonly skip?: number | undefined;
  /** Rows at most; without it, all there are. */
  readonly limit?: number | undefined;
};

const pageRowsFirst = 100;
const pageRows = 1000;

type ReadPage<Row> = (options: PageOptions) => Promise<SearchPage<Row>>;

export class Studies {
  readonly #catalog: Catalog;
  readonly #readHeader: (instance: FoundInstance) => Promise<DataSet>;
  readonly #steps: StepsOfStudy;

  constructor(catalog: Catalog, readHeader: (instance: FoundInstance) => Promise<DataSet>, steps: StepsOfStudy) {
    this.#catalog = catalog;
    this.#readHeader = readHeader;
    this.#steps = steps;
  }

  /** A question as DICOM asks it, answered as it is found. */
  async *answers(query: Query): AsyncGenerator<Answer> {
    const { search, rest } = planQuery(query);
    const compared = rest.map(({ tag, within = [tag] }) => within[0] as Tag);
    const wanted = [...new Set([...query.wanted, ...compared])];
    const { tenant } = query;
    const maker = new AnswerMaker({
      catalog: this.#catalog,
      tenant,
      wanted,
      readHeader: this.#readHeader,
      steps: this.#steps,
    });
    // Where something is left to compare, rows are passed over and counted after that.
    const page: FindOptions = rest.length === 0 ? { skip: query.skip, limit: query.limit } : {};
    let [skip, left] = rest.length === 0 ? [0, Number.POSITIVE_INFINITY] : [query.skip ?? 0, query.limit ?? Infinity];
    for await (const answer of this.#all(query.level, search, maker, page)) {
      if (!rest.every((key) => fitsKey(valuesFor(answer, key), key))) continue;
      if (skip > 0) {
        skip -= 1;
        continue;
      }
      if (left <= 0) return;
      left -= 1;
      yield answer;
    }
  }

  async *#all(level: Level, search: Search, maker: AnswerMaker, page: FindOptions): AsyncGenerator<Answer> {
    switch (level) {
      case 'patient':
        for await (const row of this.patients(search, page)) yield await maker.patient(row);
        return;
      case 'study':
        for await (const row of this.studies(search, page)) yield await maker.study(row);
        return;
      case 'series':
        for await (const row of this.series(search, page)) yield await maker.series(row);
        return;
      case 'instance':
        for await (const row of this.instances(search, page)) yield await maker.instance(row);
        return;
    }
  }

  patients(search: Search, options: FindOptions = {}): AsyncGenerator<FoundPatient> {
    return eachOf((page) => this.#catalog.search.patients(search, page), options);
  }

  /** Newest first. */
  studies(search: Search, options: FindOptions = {}): AsyncGenerator<FoundStudy> {
    return eachOf((page) => this.#catalog.search.studies(search, page), options);
  }

  series(search: Search, options: FindOptions = {}): AsyncGenerator<FoundSeries> {
    return eachOf((page) => this.#catalog.search.series(search, page), options);
  }

  instances(search: Search, options: FindOptions = {}): AsyncGenerator<FoundInstance> {
    return eachOf((page) => this.#catalog.search.instances(search, page), options);
  }
}

/** What is compared with a key. */
function valuesFor({ values, header }: Answer, { tag, within }: QueryKey): readonly string[] {
  if (within === undefined) return values.get(tag) ?? [];
  if (header === undefined) return [];
  const set = header.characterSet();
  return [...header.holders([...within, tag])].flatMap((item) => textsOf(item, tag, item.characterSet(set)));
}

/** The first page is small, so that the first answers come at once. */
async function* eachOf<Row>(read: ReadPage<Row>, options: FindOptions): AsyncGenerator<Row> {
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let skip = options.skip ?? 0;
  let after: PageOptions['after'];
  let limit = pageRowsFirst;
  while (left > 0) {
    const page: SearchPage<Row> = await read({ after, limit: Math.min(limit, left), skip });
    yield* page.rows;
    left -= page.rows.length;
    if (page.next === undefined) return;
    after = page.next;
    skip = 0;
    limit = pageRows;
  }
}
