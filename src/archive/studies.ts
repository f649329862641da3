// Studies: what is known of patients, studies, series and instances, found by conditions and given out as they are found.
//
// Invariants: nothing is held beyond a page; whoever stops asking stops the search; what is found is what the catalog knew when its page was read.
// Left out on purpose: a protocol's keys and matching rules; doors turn them into conditions.

import type {
  Catalog,
  FoundInstance,
  FoundPatient,
  FoundSeries,
  FoundStudy,
  PageOptions,
  Search,
  SearchPage,
} from '../catalog/index.ts';

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

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
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
