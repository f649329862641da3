// A question as DICOM asks it (C-FIND, QIDO-RS): keys by tag with what they must match, answered level by level with the attributes that were asked for.
//
// Invariants: a key that the catalog knows narrows the search there; one that only a header or a row's other attributes know is compared afterwards, never
// passed over; an attribute that nothing knows is answered empty. Texts are decoded on both sides. Names match in any of their groups and in either
// case; with `fuzzy` by pinyin, initials and beginnings of words.
// Left out on purpose: identifiers, JSON, statuses, and who may ask: doors have them.

import type { TenantId } from '../base/index.ts';
import type { Level, Search, SearchCondition, SearchField, SearchMatch } from '../catalog/index.ts';
import { dictionaryEntry, fitsTexts, nameQueryTokens, parseMatch, type Tag, tags } from '../dicom/index.ts';

/** A key with something to match: values as texts, several of a list already apart. Keys without are only asked to be answered. */
export type QueryKey = {
  readonly tag: Tag;
  readonly values: readonly string[];
  /** Sequences in whose items the attribute stands: compared with a header, and so at the level of instances alone. */
  readonly within?: readonly Tag[] | undefined;
};

export type Query = {
  readonly tenant: TenantId;
  readonly level: Level;
  readonly keys: readonly QueryKey[];
  /** Attributes to answer, besides those that name what was found. */
  readonly wanted: readonly Tag[];
  readonly fuzzy: boolean;
  readonly skip?: number | undefined;
  readonly limit?: number | undefined;
};

export type PlannedQuery = {
  readonly search: Search;
  /** Keys to be compared with what was found. */
  readonly rest: readonly QueryKey[];
};

type KeyForm = 'uid' | 'text' | 'code' | 'name' | 'date' | 'time' | 'number' | 'words';

const fieldOfTag = new Map<Tag, { readonly field: SearchField; readonly form: KeyForm }>([
  [tags.PatientID, { field: 'patientId', form: 'code' }],
  [tags.IssuerOfPatientID, { field: 'issuer', form: 'code' }],
  [tags.PatientName, { field: 'patientName', form: 'name' }],
  [tags.PatientBirthDate, { field: 'birthDate', form: 'date' }],
  [tags.PatientSex, { field: 'sex', form: 'code' }],
  [tags.StudyInstanceUID, { field: 'studyUid', form: 'uid' }],
  [tags.AccessionNumber, { field: 'accession', form: 'code' }],
  [tags.StudyID, { field: 'studyId', form: 'code' }],
  [tags.StudyDate, { field: 'studyDate', form: 'date' }],
  [tags.StudyTime, { field: 'studyTime', form: 'time' }],
  [tags.StudyDescription, { field: 'studyDescription', form: 'text' }],
  [tags.ReferringPhysicianName, { field: 'referrer', form: 'text' }],
  [tags.ModalitiesInStudy, { field: 'studyModality', form: 'code' }],
  [tags.SeriesInstanceUID, { field: 'seriesUid', form: 'uid' }],
  [tags.Modality, { field: 'modality', form: 'code' }],
  [tags.SeriesNumber, { field: 'seriesNumber', form: 'number' }],
  [tags.SeriesDescription, { field: 'seriesDescription', form: 'text' }],
  [tags.BodyPartExamined, { field: 'bodyPart', form: 'code' }],
  [tags.SeriesDate, { field: 'seriesDate', form: 'date' }],
  [tags.SeriesTime, { field: 'seriesTime', form: 'time' }],
  [tags.SOPInstanceUID, { field: 'instanceUid', form: 'uid' }],
  [tags.SOPClassUID, { field: 'classUid', form: 'uid' }],
  [tags.SOPClassesInStudy, { field: 'classUid', form: 'uid' }],
  [tags.InstanceNumber, { field: 'instanceNumber', form: 'number' }],
]);

export function planQuery(query: Query): PlannedQuery {
  const conditions: SearchCondition[] = [];
  const nameKeys: string[] = [];
  const rest: QueryKey[] = [];
  for (const key of query.keys) {
    const values = key.values.filter((value) => value !== '' && value !== '*');
    if (values.length === 0) continue;
    const known = key.within === undefined ? fieldOfTag.get(key.tag) : undefined;
    if (known === undefined) {
      rest.push({ ...key, values });
      continue;
    }
    if (known.form === 'name') {
      const [pattern = ''] = values;
      if (query.fuzzy) nameKeys.push(...nameQueryTokens(pattern.replaceAll('*', ' ')));
      else {
        conditions.push({ field: 'patientName', match: { kind: 'like', pattern } });
        nameKeys.push(...keysOfPattern(pattern));
      }
      continue;
    }
    const match = matchOf(known.form, values);
    // A value that no row can have, such as a date of letters, finds nothing rather than everything.
    conditions.push({ field: known.field, match: match ?? { kind: 'equals', values: [] } });
  }
  return { search: { tenant: query.tenant, conditions, nameKeys }, rest };
}

/** The beginning of a pattern as a key: letters of family and given name up to the first wildcard. */
function keysOfPattern(pattern: string): string[] {
  const [beginning = ''] = /^[^*?=]*/.exec(pattern) ?? [];
  const components = beginning.split('^').slice(0, 3).join(' ');
  const key = nameQueryTokens(components).join('');
  return key === '' ? [] : [key];
}

function matchOf(form: KeyForm, values: readonly string[]): SearchMatch | undefined {
  const [first = ''] = values;
  switch (form) {
    case 'uid':
    case 'number':
      return { kind: 'equals', values: values.map((value) => value.trim()) };
    case 'date':
      return dateMatch(first);
    case 'time':
      return timeMatch(first);
    default:
      if (values.length > 1) return { kind: 'equals', values };
      return /[*?]/.test(first) ? { kind: 'like', pattern: first } : { kind: 'equals', values: [first] };
  }
}

const dateForm = /^\d{8}$/;

function dateMatch(text: string): SearchMatch | undefined {
  const [from = '', to, ...more] = text.replaceAll('.', '').split('-');
  if (more.length > 0 || ![from, to ?? ''].every((end) => end === '' || dateForm.test(end))) return undefined;
  if (to === undefined) return { kind: 'equals', values: [from] };
  return { kind: 'range', from: from || undefined, to: to || undefined };
}

const timeForm = /^\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?$/;

/** A time of few digits means the whole hour, minute or second. */
function timeMatch(text: string): SearchMatch | undefined {
  const [from = '', to, ...more] = text.replaceAll(':', '').split('-');
  if (more.length > 0 || ![from, to ?? ''].every((end) => end === '' || timeForm.test(end))) return undefined;
  const end = to === undefined ? from : to;
  return { kind: 'range', from: from || undefined, to: end === '' ? undefined : `${end}\u{7e}` };
}

/** Whether values of an attribute fit a key, by the rules of its VR. */
export function fitsKey(values: readonly string[], key: QueryKey): boolean {
  const match = parseMatch(dictionaryEntry(key.tag)?.vr ?? 'LO', key.values);
  return match !== undefined && fitsTexts(match, values.length === 0 ? [''] : values);
}
