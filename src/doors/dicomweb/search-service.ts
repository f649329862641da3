// QIDO-RS: studies, series and instances that fit a query, given out as they are found.
//
// Invariants: every answer has the attributes of its level that the standard names, those that were asked for, and where the path leaves a level out those
// of the level above; a cut by this server's own limit is told (Warning 299) and never silent.

import type { Answer, Query } from '../../archive/index.ts';
import type { Random } from '../../base/index.ts';
import { type Tag, tags } from '../../dicom/index.ts';
import { AnswerWriter, answeredOf, moreOf } from './answer-json.ts';
import type { Exchange } from './exchange.ts';
import { sendJson } from './json-reply.ts';
import { modelFormFor, sendXmlParts } from './model-forms.ts';
import type { Level, Place } from './routes.ts';
import { keysOfPlace, levelsOf, readSearchParams } from './search-params.ts';

/** Answers of series that are kept while instances of them are answered. */
const upperMax = 64;
/** Attributes that hang on something above an instance, and are asked for there. */
const aboveInstance = new Set<Tag>([
  ...answeredOf.study,
  ...answeredOf.series,
  ...moreOf.study,
  ...moreOf.series,
  tags.ModalitiesInStudy,
]);
const namesOfInstance = new Set<Tag>(answeredOf.instance);
/** Counted or made, and in no header. */
const notOfHeaders = new Set<Tag>([
  tags.NumberOfPatientRelatedStudies,
  tags.NumberOfPatientRelatedSeries,
  tags.NumberOfPatientRelatedInstances,
  tags.SOPClassesInStudy,
]);

export type SearchParts = {
  /** Answers to one search; without it, all there are. */
  readonly answersMax: number | undefined;
  readonly random: Random;
};

export async function answerSearch(
  exchange: Exchange,
  search: { readonly level: Level; readonly place: Place },
  { answersMax, random }: SearchParts,
): Promise<void> {
  const { archive, tenant, params, accepts, base, reply } = exchange;
  const { level, place } = search;
  const { kind, type } = modelFormFor(accepts);
  const asked = readSearchParams(params, place);
  const levels = levelsOf(level, params);
  const answered = levels.flatMap((each) => [...answeredOf[each], ...(asked.everything ? moreOf[each] : [])]);
  answered.push(...asked.wanted);
  const limit = Math.min(asked.limit ?? Number.POSITIVE_INFINITY, answersMax ?? Number.POSITIVE_INFINITY);
  const query: Query = {
    tenant,
    level,
    keys: asked.keys,
    wanted:
      level === 'instance' ? answered.filter((tag) => namesOfInstance.has(tag) || !aboveInstance.has(tag)) : answered,
    fuzzy: asked.fuzzy,
    skip: asked.skip,
    ...(Number.isFinite(limit) ? { limit } : {}),
  };
  const headers: Record<string, string> = { 'content-type': type, 'cache-control': 'no-cache' };
  const cuts = answersMax !== undefined && (asked.limit ?? Number.POSITIVE_INFINITY) > answersMax;
  if (cuts && (await isMore(exchange, { ...query, wanted: [], skip: asked.skip + answersMax, limit: 1 }))) {
    const text = `There are more than ${answersMax} results: ask with limit and offset`;
    headers['warning'] = `299 ${new URL(base).host} "${text}"`;
  }
  const inHeaders = new Set(
    level === 'instance' ? query.wanted.filter((tag) => !namesOfInstance.has(tag)) : asked.wanted.filter(isBelowRows),
  );
  const writer = new AnswerWriter({ level, answered, base, inHeaders });
  const samples = level === 'instance' || inHeaders.size === 0 ? undefined : new SampleHeaders(exchange);
  const upper = level === 'instance' ? new UpperAnswers(exchange, answered) : undefined;
  const answers = archive.studies.answers(query);
  const found = written(samples === undefined ? answers : samples.beside(answers), writer, upper);
  if (kind === 'xml') await sendXmlParts(reply, random, headers, found);
  else await sendJson(exchange, headers, inArray(found));
}

async function isMore({ archive }: Exchange, query: Query): Promise<boolean> {
  for await (const _ of archive.studies.answers(query)) return true;
  return false;
}

async function* written(
  answers: AsyncIterable<Answer>,
  writer: AnswerWriter,
  upper: UpperAnswers | undefined,
): AsyncGenerator<string> {
  for await (const answer of answers) yield writer.write(answer, await upper?.of(answer));
}

async function* inArray(objects: AsyncIterable<string>): AsyncGenerator<string> {
  let before = '[';
  for await (const object of objects) {
    yield before + object;
    before = ',';
  }
  yield before === '[' ? '[]' : ']';
}

/** Attributes of studies and series that only a header knows, such as private ones: who asks for them gets those of one instance. */
class SampleHeaders {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  async *beside(answers: AsyncIterable<Answer>): AsyncGenerator<Answer> {
    const { archive, tenant } = this.#exchange;
    for await (const answer of answers) {
      const conditions = keysOfPlace({ study: answer.studyUid, series: answer.seriesUid });
      const query: Query = { tenant, level: 'instance', keys: conditions, wanted: [], fuzzy: false, limit: 1 };
      let header: Answer['header'];
      for await (const { instance } of archive.studies.answers(query))
        if (instance !== undefined) header = await archive.instances.headerToSearch(instance);
      yield { ...answer, header };
    }
  }
}

function isBelowRows(tag: Tag): boolean {
  return !aboveInstance.has(tag) && !notOfHeaders.has(tag);
}

/** What series and study of an instance say: asked once for many instances. */
class UpperAnswers {
  readonly #exchange: Exchange;
  readonly #wanted: readonly Tag[];
  readonly #known = new Map<string, Answer['values']>();

  constructor(exchange: Exchange, answered: readonly Tag[]) {
    this.#exchange = exchange;
    this.#wanted = answered.filter((tag) => aboveInstance.has(tag) && !namesOfInstance.has(tag));
  }

  async of({ studyUid = '', seriesUid = '' }: Answer): Promise<Answer['values'] | undefined> {
    if (this.#wanted.length === 0) return undefined;
    const name = `${studyUid}/${seriesUid}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (this.#known.size >= upperMax) this.#known.clear();
    const values = await this.#ask(studyUid, seriesUid);
    this.#known.set(name, values);
    return values;
  }

  async #ask(studyUid: string, seriesUid: string): Promise<Answer['values']> {
    const { archive, tenant } = this.#exchange;
    const keys = [
      { tag: tags.StudyInstanceUID, values: [studyUid] },
      { tag: tags.SeriesInstanceUID, values: [seriesUid] },
    ];
    const query: Query = { tenant, level: 'series', keys, wanted: this.#wanted, fuzzy: false, limit: 1 };
    for await (const { values } of archive.studies.answers(query)) return values;
    return new Map();
  }
}
