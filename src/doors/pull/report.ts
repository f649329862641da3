// The report of a pull: what the source and the RIS named against what is here now, signed.
//
// Invariants: every instance of the ledger is looked for in the archive while the report is made, so "arrived" means that it is here now; a digest of a data
// set is ours, made when it was received, and said to be; UIDs and numbers alone stand in it, no name of a patient, no patient id, no path; the list of
// instances is a file of its own whose SHA-256 the signed part holds. It is complete only when nothing is missing, refused, different or in doubt; of corrections it
// tells what became of each row, and they make nothing more or less complete.
// Left out on purpose: the key (`sign` is given), and where files are written.

import type { Archive } from '../../archive/index.ts';
import { defaultTenant, hexOf, Sha256, sha256, type TenantId, utf8Bytes } from '../../base/index.ts';
import type { PullJob } from './job.ts';
import type { JsonObject } from './json.ts';
import { type CorrectionLine, type InstanceLine, type LedgerLine, ledgerLines, readPart } from './ledger.ts';
import { type Correction, readCorrections, readRisList } from './lists.ts';
import { digestOf, equals, type LocalInstance, localInstances, localStudy } from './local-study.ts';

/** Exceptions of one kind that the signed part names; all are in the list of instances. */
const namedMax = 10_000;
const namesAtOnce = 500;
const digestChars = 16;

export type ReportParts = {
  readonly archive: Archive;
  readonly tenant?: TenantId | undefined;
  readonly nowMs: number;
  /** Takes the list of instances, a line of JSON each. */
  readonly onLine: (line: string) => void | Promise<void>;
};

type Named = { readonly study: string; readonly series: string; readonly instance: string; readonly why: string };

/** The list of instances goes to `onLine`; what is to be signed comes back. Errors are those of the archive. */
export async function makeReport(job: PullJob, parts: ReportParts): Promise<JsonObject> {
  const { archive } = parts;
  const entity = job.source.kind === 'entity' ? await archive.entities.get(job.source.title) : undefined;
  const tenant = parts.tenant ?? entity?.tenant ?? defaultTenant;
  return new ReportMaker(job, tenant, parts).make();
}

class Exceptions<Each extends JsonObject> {
  readonly named: Each[] = [];
  count = 0;

  add(each: Each): void {
    this.count += 1;
    if (this.named.length < namedMax) this.named.push(each);
  }

  get json(): JsonObject {
    return { count: this.count, named: this.named, allAreNamed: this.count === this.named.length };
  }
}

class ReportMaker {
  readonly #job: PullJob;
  readonly #tenant: TenantId;
  readonly #parts: ReportParts;
  readonly #digest = new Sha256();
  #lineCount = 0;
  #arrived = 0;
  #instances = 0;
  #onlyHere = 0;
  readonly #studies = new Set<string>();
  readonly #series = new Set<string>();
  readonly #missing = new Exceptions<Named>();
  readonly #refused = new Exceptions<JsonObject>();
  readonly #different = new Exceptions<Named>();
  readonly #passedOver = new Exceptions<JsonObject>();
  readonly #doubts = new Exceptions<JsonObject>();
  readonly #unequal = new Exceptions<JsonObject>();
  /** By the line of the list. */
  readonly #corrections = new Map<number, CorrectionLine>();
  #named: string[] = [];
  #near: { readonly study: string; readonly here: ReadonlyMap<string, LocalInstance> } | undefined;

  constructor(job: PullJob, tenant: TenantId, parts: ReportParts) {
    this.#job = job;
    this.#tenant = tenant;
    this.#parts = parts;
  }

  async make(): Promise<JsonObject> {
    const job = this.#job;
    const { archive, nowMs } = this.#parts;
    const place = { archive, tenant: this.#tenant, job: job.id };
    for await (const line of ledgerLines(place, job.parts)) await this.#take(line);
    await this.#lookForNamed();
    const ris = job.ris === undefined ? undefined : await this.#ris(await readPart(place, 'ris.csv'));
    const corrections =
      job.corrections === undefined
        ? undefined
        : correctionsJson(readCorrections(await readPart(place, 'corrections.csv')), this.#corrections);
    const exceptions = [this.#missing, this.#refused, this.#different, this.#doubts, this.#unequal];
    const isComplete =
      job.state === 'done' &&
      exceptions.every((each) => each.count === 0) &&
      (ris === undefined || ris['missing'] === 0);
    return {
      format: 'stele-pull-report',
      version: 1,
      archive: archive.id,
      job: job.id,
      source: sourceJson(job),
      madeAt: new Date(nowMs).toISOString(),
      startedAt: new Date(job.startedMs).toISOString(),
      state: job.state,
      complete: isComplete,
      asked: {
        from: job.from ?? null,
        to: job.to ?? null,
        modality: job.modality ?? null,
        undated: job.source.kind === 'folder' || (job.from === undefined && job.to === undefined),
      },
      counts: {
        studies: this.#studies.size,
        series: this.#series.size,
        instances: this.#instances,
        arrived: this.#arrived,
        missing: this.#missing.count,
        refused: this.#refused.count,
        different: this.#different.count,
        passedOver: this.#passedOver.count,
        onlyHere: this.#onlyHere,
        receivedBytes: job.tally.bytes,
      },
      digests: {
        algorithm: 'SHA-256',
        of: 'each data set as this archive received it, without the meta information of a file',
        by: 'this archive; the source gave none to compare with',
      },
      instances: { lines: this.#lineCount, sha256: hexOf(this.#digest.digest()) },
      missing: this.#missing.json,
      refused: this.#refused.json,
      different: this.#different.json,
      passedOver: this.#passedOver.json,
      inDoubt: this.#doubts.json,
      unequalStudies: this.#unequal.json,
      ...(ris === undefined ? {} : { ris }),
      ...(corrections === undefined ? {} : { corrections }),
    };
  }

  async #take(line: LedgerLine): Promise<void> {
    switch (line.kind) {
      case 'instance':
        return this.#takeInstance(line);
      case 'study': {
        this.#studies.add(line.study);
        this.#onlyHere += line.onlyHere;
        const { study, listed, counted } = line;
        if (counted !== undefined && counted !== listed) this.#unequal.add({ study, counted, listed });
        return;
      }
      case 'correction':
        this.#corrections.set(line.line, line);
        return;
      case 'doubt':
        this.#doubts.add({ of: line.of, why: line.why });
        return;
      case 'file': {
        const told = { file: pathDigest(line.path), sizeBytes: line.sizeBytes, why: line.why };
        if (line.state === 'refused') this.#refused.add(told);
        else this.#passedOver.add(told);
        return;
      }
      case 'named':
        this.#named.push(line.instance);
        if (this.#named.length >= namesAtOnce) await this.#lookForNamed();
        return;
    }
  }

  async #takeInstance(line: InstanceLine): Promise<void> {
    const { study, series, instance } = line;
    this.#studies.add(study);
    if (series !== '') this.#series.add(shortDigest(series));
    this.#instances += 1;
    const local = (await this.#hereOf(study)).get(instance);
    const state = stateNow(line, local);
    const sha256 =
      line.sha256 ??
      (state === 'arrived' && local !== undefined ? await digestOf(this.#parts.archive, local) : undefined);
    await this.#say({ study, series, instance, state, ...(sha256 === undefined ? {} : { sha256 }) });
    const named = { study, series, instance, why: line.why ?? 'it is not here any more' };
    if (state === 'arrived') this.#arrived += 1;
    else if (state === 'missing') this.#missing.add(named);
    else if (state === 'refused') this.#refused.add(named);
    else this.#different.add(named);
  }

  async #hereOf(study: string): Promise<ReadonlyMap<string, LocalInstance>> {
    if (this.#near?.study !== study)
      this.#near = { study, here: await localStudy(this.#parts.archive, this.#tenant, study) };
    return this.#near.here;
  }

  /** What a DICOMDIR names and no file was. */
  async #lookForNamed(): Promise<void> {
    const here = await localInstances(this.#parts.archive, this.#tenant, this.#named);
    for (const instance of this.#named)
      if (!here.has(instance)) this.#missing.add({ study: '', series: '', instance, why: 'a DICOMDIR names it' });
    this.#named = [];
  }

  async #say(line: JsonObject): Promise<void> {
    const text = JSON.stringify(line);
    this.#digest.update(utf8Bytes(`${text}\n`));
    this.#lineCount += 1;
    await this.#parts.onLine(text);
  }

  /** The RIS names studies: by UID, or by accession number where it has no UID. */
  async #ris(text: string): Promise<JsonObject> {
    const rows = readRisList(text);
    const missing = new Exceptions<JsonObject>();
    const fewer = new Exceptions<JsonObject>();
    const inRis = new Set<string>();
    for (const { line, study, accession, instances } of rows) {
      const condition = study === undefined ? equals('accession', [accession ?? '']) : equals('studyUid', [study]);
      let count: number | undefined;
      for await (const found of this.#parts.archive.studies.studies({
        tenant: this.#tenant,
        conditions: [condition],
      })) {
        inRis.add(found.studyUid);
        count = (count ?? 0) + found.instanceCount;
      }
      const named = { line, ...(study === undefined ? {} : { study }) };
      if (count === undefined)
        missing.add({ ...named, atSource: study === undefined ? null : this.#studies.has(study) });
      else if (instances !== undefined && instances !== count) fewer.add({ ...named, inRis: instances, here: count });
    }
    const notInRis = new Exceptions<JsonObject>();
    for (const study of this.#studies) if (!inRis.has(study)) notInRis.add({ study });
    return {
      rows: rows.length,
      missing: missing.count,
      missingNamed: missing.named,
      otherCounts: fewer.json,
      notInRis: notInRis.json,
    };
  }
}

function stateNow(
  line: InstanceLine,
  local: LocalInstance | undefined,
): 'arrived' | 'missing' | 'refused' | 'different' {
  if (line.state === 'refused' || line.state === 'different') return line.state;
  if (local === undefined) return 'missing';
  return line.series === '' || local.series === line.series ? 'arrived' : 'different';
}

function correctionsJson(rows: readonly Correction[], told: ReadonlyMap<number, CorrectionLine>): JsonObject {
  const counts = { applied: 0, 'already so': 0, 'not here': 0, ambiguous: 0, refused: 0, 'not tried': 0 };
  const named = new Exceptions<JsonObject>();
  for (const { line, study, fields } of rows) {
    const known = told.get(line);
    const state = known?.state ?? 'not tried';
    counts[state] += 1;
    named.add({
      line,
      state,
      ...(study === undefined ? {} : { study }),
      fields,
      ...(known?.amendments === undefined ? {} : { amendments: known.amendments }),
      ...(known?.why === undefined ? {} : { why: known.why }),
    });
  }
  const notApplied = rows.length - counts.applied - counts['already so'];
  return {
    rows: rows.length,
    ...counts,
    notApplied,
    named: named.named,
    allAreNamed: named.json['allAreNamed'] === true,
  };
}

function sourceJson({ source }: PullJob): JsonObject {
  switch (source.kind) {
    case 'entity':
      return { kind: 'entity', title: source.title };
    case 'web':
      return { kind: 'web', url: source.url };
    case 'folder':
      return { kind: 'folder', path: pathDigest(source.path) };
  }
}

/** A path may hold names: the report has its digest, `stele pull report JOB --files` the path. */
export function pathDigest(path: string): string {
  return shortDigest(path);
}

/** Millions of UIDs are counted in memory, so they are held short. */
function shortDigest(text: string): string {
  return hexOf(sha256(utf8Bytes(text))).slice(0, digestChars);
}
