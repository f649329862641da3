// PeerLine: one conversation with an archive of the table: C-FIND at every level, and retrieval by C-GET or C-MOVE.
//
// Invariants: one association for questions and one for C-GET are kept open while they are of use and opened again after they broke; a question that failed
// is an error and never an empty answer; a limit that the source announced is told. What comes by C-GET goes to `onStore` before it is answered.
// Left out on purpose: trying again, and what is wanted (pull-study.ts).

import type { ApplicationEntity } from '../../archive/index.ts';
import { ArchiveError, type Clock } from '../../base/index.ts';
import {
  type Association,
  cFind,
  cGet,
  cMove,
  DataSet,
  DataSetReader,
  dimseStatus,
  encodeDataSet,
  explicitLittle,
  type IncomingMessage,
  implicitLittle,
  openAssociation,
  providerRoles,
  type RetrieveOutcome,
  type RetrieveProgress,
  statusClass,
  statusText,
  type TlsClientOptions,
  tags,
  transferSyntaxOf,
} from '../../dicom/index.ts';
import { isDay } from './days.ts';
import { type Proposal, studyRootGet } from './retrieve-plans.ts';
import type { Answered, Slice, SourceStudy } from './slice.ts';
import { answersMax, type SourceInstance, type SourceLine, type StudyListing, type Wanted } from './source-line.ts';

const studyRootFind = '1.2.840.10008.5.1.4.1.2.2.1';
const studyRootMove = '1.2.840.10008.5.1.4.1.2.2.2';
const syntaxes = [explicitLittle.uid, implicitLittle.uid];
export type Retrieved = { readonly status: number; readonly failed: readonly string[] };
export type Peer = {
  readonly entity: ApplicationEntity & { readonly host: string; readonly port: number };
  /** Our own title. */
  readonly title: string;
  /** For sources that the table says are called over TLS. */
  readonly tlsClient: TlsClientOptions;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

export class PeerLine implements SourceLine {
  readonly #peer: Peer;
  #asking: Association | undefined;
  #getting: { readonly plan: readonly Proposal[]; readonly association: Association } | undefined;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  async studies(slice: Slice): Promise<Answered> {
    const studies: SourceStudy[] = [];
    const { limited } = await this.#find(studyKeys(slice), (answer) => {
      const study = studyOf(answer);
      if (study !== undefined) studies.push(study);
      return studies.length < answersMax;
    });
    return { studies, limited: limited || studies.length >= answersMax };
  }

  /** Whether any study has a date between two days; the rest of the answer is not waited for. */
  async any(dates: NonNullable<Slice['dates']>, modality: string | undefined): Promise<boolean> {
    let any = false;
    const { limited } = await this.#find(studyKeys({ dates, modality }), () => {
      any = true;
      return false;
    });
    return any || limited;
  }

  /** Series and instances as the source lists them. */
  async list(study: string, isRound: (count: number) => boolean): Promise<StudyListing> {
    const series = new Map<string, number | undefined>();
    const seriesKeys = keysOf('SERIES', {
      StudyInstanceUID: study,
      SeriesInstanceUID: '',
      NumberOfSeriesRelatedInstances: '',
    });
    const ofStudy = await this.#find(seriesKeys, (answer) => {
      const uid = answer.string(tags.SeriesInstanceUID);
      if (uid !== undefined) series.set(uid, answer.number(tags.NumberOfSeriesRelatedInstances));
      return series.size < answersMax;
    });
    const instances: SourceInstance[] = [];
    const doubtfulSeries: string[] = [];
    for (const [uid, counted] of series) {
      let count = 0;
      const keys = keysOf('IMAGE', {
        StudyInstanceUID: study,
        SeriesInstanceUID: uid,
        SOPInstanceUID: '',
        SOPClassUID: '',
      });
      const { limited } = await this.#find(keys, (answer) => {
        const instance = answer.string(tags.SOPInstanceUID);
        const isOfSeries = (answer.string(tags.SeriesInstanceUID) ?? uid) === uid;
        if (instance === undefined || !isOfSeries) return true;
        instances.push({ series: uid, instance, classUid: answer.string(tags.SOPClassUID) });
        count += 1;
        return instances.length < answersMax;
      });
      const isShort = counted === undefined ? isRound(count) : count < counted;
      if (limited || ofStudy.limited || isShort || instances.length >= answersMax) doubtfulSeries.push(uid);
    }
    return { instances, doubtfulSeries };
  }

  /** DICOM_CONTEXT_REFUSED when the source knows no C-GET. */
  async get(
    wanted: Wanted,
    plan: readonly Proposal[],
    onStore: (message: IncomingMessage) => Promise<void>,
  ): Promise<Retrieved> {
    const association = await this.#openToGet(plan);
    const syntax = syntaxOf(association, studyRootGet);
    const identifier = encodeDataSet(wantedKeys(wanted), syntax);
    const { signal } = this.#peer;
    return outcomeOf(await lastOf(cGet(association, { sopClass: studyRootGet, identifier, onStore, signal })), syntax);
  }

  /** Has the source send to a title, ours; resolves when it says that it has. DICOM_CONTEXT_REFUSED. */
  async move(wanted: Wanted, destination: string): Promise<Retrieved> {
    const association = await this.#openToAsk();
    const syntax = syntaxOf(association, studyRootMove);
    const identifier = encodeDataSet(wantedKeys(wanted), syntax);
    const { signal } = this.#peer;
    return outcomeOf(
      await lastOf(cMove(association, { sopClass: studyRootMove, identifier, destination, signal })),
      syntax,
    );
  }

  /** Lets go of both associations, politely where they still stand. */
  async close(): Promise<void> {
    const open = [this.#asking, this.#getting?.association];
    this.#asking = undefined;
    this.#getting = undefined;
    for (const each of open) await each?.release().catch(() => each.abort());
  }

  /** After an error: the next question opens again. */
  drop(): void {
    this.#asking?.abort();
    this.#getting?.association.abort();
    this.#asking = undefined;
    this.#getting = undefined;
  }

  async #openToAsk(): Promise<Association> {
    if (this.#asking?.isOpen === true) return this.#asking;
    this.#asking = await this.#open([
      { abstractSyntax: studyRootFind, transferSyntaxes: syntaxes },
      { abstractSyntax: studyRootMove, transferSyntaxes: syntaxes },
    ]);
    return this.#asking;
  }

  async #openToGet(plan: readonly Proposal[]): Promise<Association> {
    const before = this.#getting;
    if (before?.association.isOpen === true && samePlan(before.plan, plan)) return before.association;
    await before?.association.release().catch(() => before.association.abort());
    const association = await this.#open(
      [{ abstractSyntax: studyRootGet, transferSyntaxes: syntaxes }, ...plan],
      plan.map((each) => each.abstractSyntax),
    );
    this.#getting = { plan, association };
    return association;
  }

  #open(proposals: readonly Proposal[], provided: readonly string[] = []): Promise<Association> {
    const { entity, title, tlsClient, clock, signal } = this.#peer;
    return openAssociation({
      host: entity.host,
      port: entity.port,
      ...(entity.tls ? { tls: tlsClient } : {}),
      calling: title,
      called: entity.title,
      contexts: proposals.map((each, index) => ({ id: index * 2 + 1, ...each })),
      roles: providerRoles(provided),
      clock,
      signal,
    });
  }

  /** `take` says whether more is wanted. */
  async #find(keys: DataSet, take: (answer: DataSet) => boolean): Promise<{ readonly limited: boolean }> {
    const association = await this.#openToAsk();
    const syntax = syntaxOf(association, studyRootFind);
    const enough = new AbortController();
    const signal = AbortSignal.any([this.#peer.signal, enough.signal]);
    const matches = cFind(association, { sopClass: studyRootFind, identifier: encodeDataSet(keys, syntax), signal });
    let next = await matches.next();
    for (; next.done !== true; next = await matches.next()) {
      if (enough.signal.aborted) continue;
      const reader = new DataSetReader({ syntax });
      reader.push(next.value.identifier);
      // Cancels; what is on its way already is taken and passed over, so that the next question meets an empty line.
      if (!take(reader.finish())) enough.abort();
    }
    if (enough.signal.aborted) return { limited: false };
    const { status } = next.value;
    if (statusClass(status) === 'success') return { limited: false };
    if ((status & 0xff00) === dimseStatus.outOfResources) return { limited: true };
    throw new ArchiveError('DICOM_UNSUPPORTED', `the source answered a query with ${statusText(status)}`, {
      hint: 'look at the log of the source: it does not take one of the keys, or not from us',
    });
  }
}

function syntaxOf(association: Association, sopClass: string): ReturnType<typeof transferSyntaxOf> {
  return transferSyntaxOf(association.contextFor(sopClass)?.transferSyntax ?? implicitLittle.uid);
}

function samePlan(one: readonly Proposal[], other: readonly Proposal[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

async function lastOf(progress: AsyncGenerator<RetrieveProgress, RetrieveOutcome>): Promise<RetrieveOutcome> {
  let next = await progress.next();
  while (next.done !== true) next = await progress.next();
  return next.value;
}

function outcomeOf({ status, failedList }: RetrieveOutcome, syntax: ReturnType<typeof transferSyntaxOf>): Retrieved {
  if (failedList === undefined) return { status, failed: [] };
  try {
    const reader = new DataSetReader({ syntax });
    reader.push(failedList);
    return { status, failed: reader.finish().strings(tags.FailedSOPInstanceUIDList) };
  } catch {
    // A list that cannot be read names nothing; what is missing is found by comparing.
    return { status, failed: [] };
  }
}

function keysOf(level: string, values: Readonly<Record<string, string | readonly string[]>>): DataSet {
  const keys = new DataSet();
  keys.setString(tags.QueryRetrieveLevel, level);
  for (const [name, value] of Object.entries(values)) keys.setString(tags[name as keyof typeof tags], value);
  return keys;
}

function wantedKeys({ study, series, instances }: Wanted): DataSet {
  if (series === undefined) return keysOf('STUDY', { StudyInstanceUID: study });
  if (instances === undefined) return keysOf('SERIES', { StudyInstanceUID: study, SeriesInstanceUID: series });
  return keysOf('IMAGE', { StudyInstanceUID: study, SeriesInstanceUID: series, SOPInstanceUID: instances });
}

function studyKeys({ dates, times, modality, patient }: Slice): DataSet {
  return keysOf('STUDY', {
    StudyInstanceUID: '',
    StudyDate: dates === undefined ? '' : rangeText(dates),
    StudyTime: times === undefined ? '' : rangeText(times),
    ModalitiesInStudy: modality ?? '',
    PatientID: patient === undefined ? '' : `${patient.prefix}${patient.exact ? '' : '*'}`,
    AccessionNumber: '',
    NumberOfStudyRelatedInstances: '',
    SOPClassesInStudy: '',
  });
}

function rangeText({ from, to }: { readonly from: string | undefined; readonly to: string | undefined }): string {
  return from === to ? (from ?? '') : `${from ?? ''}-${to ?? ''}`;
}

function studyOf(answer: DataSet): SourceStudy | undefined {
  const studyUid = answer.string(tags.StudyInstanceUID);
  if (studyUid === undefined) return undefined;
  const date = answer.string(tags.StudyDate)?.replaceAll('.', '');
  const time = answer.string(tags.StudyTime)?.replaceAll(':', '');
  return {
    studyUid,
    date: date !== undefined && isDay(date) ? date : undefined,
    time: time !== undefined && /^\d{2}/.test(time) ? time : undefined,
    modalities: answer.strings(tags.ModalitiesInStudy).filter((each) => each !== ''),
    patientId: answer.text(tags.PatientID, answer.characterSet()) ?? '',
    accession: answer.text(tags.AccessionNumber, answer.characterSet()) ?? '',
    instanceCount: answer.number(tags.NumberOfStudyRelatedInstances),
    classes: answer.strings(tags.SOPClassesInStudy).filter((each) => each !== ''),
  };
}
