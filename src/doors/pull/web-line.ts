// WebLine: a source that speaks DICOMweb: QIDO-RS for what there is, WADO-RS for fetching it.
//
// Invariants: an answer is asked for page by page until a page is empty or says nothing new; a source that passes the offset over while it answers whole pages, or
// warns that there is more, is told as one that cuts. UIDs that come from the source go into addresses only when they are UIDs. Objects come in the syntax in
// which they are stored, where the source knows how to be asked for that.
// Left out on purpose: trying again, and what is wanted (pull-study.ts).

import { ArchiveError, type Clock } from '../../base/index.ts';
import { isUid, tagHex, tags } from '../../dicom/index.ts';
import { isDay } from './days.ts';
import { boundaryOf, partsOf } from './multipart-parts.ts';
import type { Answered, Slice, SourceStudy } from './slice.ts';
import { answersMax, type SourceInstance, type SourceLine, type StudyListing, type Wanted } from './source-line.ts';
import { type WebAnswer, WebClient, type WebSource } from './web-client.ts';

const pageRows = 1000;
/** No source cuts a page at fewer, so what is shorter is all there is. */
const cutRowsMin = 10;
const jsonType = 'application/dicom+json, application/json;q=0.9';
const fileType = 'multipart/related; type="application/dicom"';

/** Takes a file, and the UID that was asked for where it was a single one. */
export type OnFile = (pieces: AsyncIterable<Uint8Array>, instance: string | undefined) => Promise<void>;

export type Fetched = { readonly said: string | undefined; readonly failed: readonly string[] };

type Row = Readonly<Record<string, unknown>>;

export class WebLine implements SourceLine {
  readonly #client: WebClient;
  /** Some sources know no `transfer-syntax=*` and refuse the whole question. */
  #takesAnySyntax = true;

  constructor(source: WebSource, clock: Clock, signal: AbortSignal) {
    this.#client = new WebClient(source, clock, signal);
  }

  async studies(slice: Slice): Promise<Answered> {
    const { rows, isCut } = await this.#rows('/studies', wordsOf(slice), tags.StudyInstanceUID);
    return { studies: [...rows].map(([uid, row]) => studyOf(uid, row)), limited: isCut };
  }

  async any(dates: NonNullable<Slice['dates']>, modality: string | undefined): Promise<boolean> {
    const words = wordsOf({ dates, modality });
    return (await this.#page('/studies', { ...words, limit: '1', offset: '0' })).rows.length > 0;
  }

  async list(study: string, isRound: (count: number) => boolean): Promise<StudyListing> {
    const instances: SourceInstance[] = [];
    const doubtfulSeries: string[] = [];
    const below = `/studies/${segment(study)}/series`;
    const found = await this.#rows(below, {}, tags.SeriesInstanceUID);
    for (const [series, row] of found.rows) {
      const listed = await this.#rows(`${below}/${segment(series)}/instances`, {}, tags.SOPInstanceUID);
      for (const [instance, facts] of listed.rows)
        instances.push({ series, instance, classUid: uidOf(facts, tags.SOPClassUID) });
      const counted = numberOf(row, tags.NumberOfSeriesRelatedInstances);
      const isShort = counted === undefined ? isRound(listed.rows.size) : listed.rows.size < counted;
      if (found.isCut || listed.isCut || isShort || instances.length >= answersMax) doubtfulSeries.push(series);
      if (instances.length >= answersMax) break;
    }
    return { instances, doubtfulSeries };
  }

  /** Each object goes to `onFile`. What the source does not have is told, and so is what it said instead. */
  async fetch({ study, series, instances }: Wanted, onFile: OnFile): Promise<Fetched> {
    const base = `/studies/${segment(study)}${series === undefined ? '' : `/series/${segment(series)}`}`;
    if (instances === undefined)
      return { said: await this.#fetchOne(base, (pieces) => onFile(pieces, undefined)), failed: [] };
    const failed: string[] = [];
    let said: string | undefined;
    for (const instance of instances) {
      const why = await this.#fetchOne(`${base}/instances/${segment(instance)}`, (pieces) => onFile(pieces, instance));
      if (why === undefined) continue;
      said = why;
      failed.push(instance);
    }
    return { said, failed };
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  drop(): void {
    this.#client.close();
  }

  async #fetchOne(
    path: string,
    onFile: (pieces: AsyncIterable<Uint8Array>) => Promise<void>,
  ): Promise<string | undefined> {
    let answer = await this.#client.get(path, this.#takesAnySyntax ? `${fileType}; transfer-syntax=*` : fileType);
    if (this.#takesAnySyntax && (answer.status === 400 || answer.status === 406 || answer.status === 415)) {
      await this.#client.leave(answer);
      answer = await this.#client.get(path, fileType);
      if (answer.status === 200) this.#takesAnySyntax = false;
    }
    if (answer.status !== 200 && answer.status !== 206) {
      await this.#client.leave(answer);
      return `the source answered ${answer.status}`;
    }
    const boundary = boundaryOf(answer.contentType);
    if (boundary !== undefined) {
      for await (const part of partsOf(answer.pieces, boundary)) await onFile(part.pieces);
      return undefined;
    }
    if (/^application\/dicom\s*(;|$)/i.test(answer.contentType)) {
      await onFile(answer.pieces);
      return undefined;
    }
    await this.#client.leave(answer);
    return 'the source answered with what is no DICOM';
  }

  /** All pages, by the UID of their level. */
  async #rows(
    path: string,
    words: Readonly<Record<string, string>>,
    level: number,
  ): Promise<{ readonly rows: ReadonlyMap<string, Row>; readonly isCut: boolean }> {
    const found = new Map<string, Row>();
    let isOdd = false;
    for (let offset = 0; ; ) {
      const page = await this.#page(path, { ...words, limit: String(pageRows), offset: String(offset) });
      const before = found.size;
      for (const row of page.rows) {
        const uid = uidOf(row, level);
        if (uid === undefined) isOdd = true;
        else found.set(uid, row);
      }
      offset += page.rows.length;
      const isStill = page.rows.length > 0 && found.size === before;
      // The offset was passed over: what was answered first may have been cut.
      if (isStill) return { rows: found, isCut: isOdd || page.isCut || page.rows.length >= pageRows };
      if (page.rows.length < cutRowsMin && !page.isCut) return { rows: found, isCut: isOdd };
      if (page.rows.length === 0 || found.size >= answersMax) return { rows: found, isCut: true };
    }
  }

  async #page(
    path: string,
    words: Readonly<Record<string, string>>,
  ): Promise<{ readonly rows: readonly Row[]; readonly isCut: boolean }> {
    const answer = await this.#client.get(`${path}?${new URLSearchParams(words).toString()}`, jsonType);
    if (answer.status === 200 || answer.status === 206)
      return { rows: await this.#client.rows(answer), isCut: answer.isCut };
    await this.#client.leave(answer);
    return emptyPage(answer);
  }
}

function emptyPage({ status }: WebAnswer): { readonly rows: readonly Row[]; readonly isCut: boolean } {
  if (status === 204 || status === 404 || status === 410) return { rows: [], isCut: false };
  // There is more than it answers at all.
  if (status === 413) return { rows: [], isCut: true };
  throw new ArchiveError('DICOM_UNSUPPORTED', `the source answered a query with ${status}`, {
    hint: 'look at the log of the source: it does not take one of the keys',
  });
}

function wordsOf({ dates, times, modality, patient }: Slice): Record<string, string> {
  return {
    ...(dates === undefined ? {} : { StudyDate: rangeOf(dates) }),
    ...(times === undefined ? {} : { StudyTime: rangeOf(times) }),
    ...(modality === undefined ? {} : { ModalitiesInStudy: modality }),
    ...(patient === undefined ? {} : { PatientID: `${patient.prefix}${patient.exact ? '' : '*'}` }),
  };
}

function rangeOf({ from, to }: { readonly from: string | undefined; readonly to: string | undefined }): string {
  return from === to ? (from ?? '') : `${from ?? ''}-${to ?? ''}`;
}

function segment(uid: string): string {
  if (!isUid(uid)) throw new ArchiveError('ARGUMENT_INVALID', 'a UID to ask for is none');
  return uid;
}

function valuesOf(row: Row, tag: number): readonly unknown[] {
  const element = row[tagHex(tag)];
  const values =
    typeof element === 'object' && element !== null ? (element as Record<string, unknown>)['Value'] : undefined;
  return Array.isArray(values) ? values : [];
}

function textsOf(row: Row, tag: number): string[] {
  return valuesOf(row, tag).filter((each): each is string => typeof each === 'string' && each !== '');
}

function uidOf(row: Row, tag: number): string | undefined {
  const [text = ''] = textsOf(row, tag);
  return isUid(text) ? text : undefined;
}

function numberOf(row: Row, tag: number): number | undefined {
  const [value] = valuesOf(row, tag);
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

function studyOf(studyUid: string, row: Row): SourceStudy {
  const date = textsOf(row, tags.StudyDate)[0]?.replaceAll(/[.-]/g, '');
  const time = textsOf(row, tags.StudyTime)[0]?.replaceAll(':', '');
  return {
    studyUid,
    date: date !== undefined && isDay(date) ? date : undefined,
    time: time !== undefined && /^\d{2}/.test(time) ? time : undefined,
    modalities: textsOf(row, tags.ModalitiesInStudy),
    patientId: textsOf(row, tags.PatientID)[0] ?? '',
    accession: textsOf(row, tags.AccessionNumber)[0] ?? '',
    instanceCount: numberOf(row, tags.NumberOfStudyRelatedInstances),
    classes: [],
  };
}
