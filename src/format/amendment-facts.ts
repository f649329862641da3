// Events that amend what DICOM data sets say (FORMAT.md 6): merged, moved, corrected, decoded, their withdrawal, and that originals were given out.
//
// Invariants: an amendment says all that it takes to apply it, so its meaning never depends on another record but what it withdraws; texts are decoded, by the
// standard's keywords. Left out on purpose: which are in force, and what they do to a data set.

import { ArchiveError, isHex128 } from '../base/index.ts';
import type { Attributes } from './instance-facts.ts';

/** Patient id and issuer. */
export type PatientName = { readonly patientId: string; readonly issuer: string };

type Said = {
  /** 32 hex digits. */
  readonly id: string;
  readonly createdMs: number;
  readonly by: string;
  readonly why: string;
};

type Amending = Said & {
  /** Which system said so, where it was not a person here. */
  readonly system?: string | undefined;
  /** By keyword; an empty text empties the attribute. */
  readonly attributes: Attributes;
};

export type MergedEvent = Amending & {
  readonly type: 'merged';
  readonly from: PatientName;
  readonly into: PatientName;
};
export type MovedEvent = Amending & { readonly type: 'moved'; readonly study: string; readonly to: PatientName };
/** Of a study or of a patient. */
export type CorrectedEvent = Amending & {
  readonly type: 'corrected';
  readonly study?: string | undefined;
  readonly patient?: PatientName | undefined;
};
export type DecodedEvent = Amending & {
  readonly type: 'decoded';
  readonly study: string;
  /** Values of Specific Character Set. */
  readonly terms: readonly string[];
  /** Only data sets that declare these. */
  readonly declared?: readonly string[] | undefined;
  /** Only these series. */
  readonly series?: readonly string[] | undefined;
  /** Whom the data sets name. */
  readonly patient?: PatientName | undefined;
};
export type WithdrawnEvent = Said & { readonly type: 'withdrawn'; readonly amendment: string };
export type OriginalsEvent = Said & {
  readonly type: 'originals';
  readonly study: string;
  readonly instances: number;
};

export type AmendmentEvent = MergedEvent | MovedEvent | CorrectedEvent | DecodedEvent;
export type AmendmentFact = AmendmentEvent | WithdrawnEvent | OriginalsEvent;

type Json = Record<string, unknown>;

const types: ReadonlySet<unknown> = new Set(['merged', 'moved', 'corrected', 'decoded', 'withdrawn', 'originals']);

export function isAmendmentType(type: unknown): type is AmendmentFact['type'] {
  return types.has(type);
}

export function amendmentJson(fact: AmendmentFact): Json {
  const { type, id, by, why } = fact;
  const said = { type, id, created: String(fact.createdMs), by, why };
  if (fact.type === 'withdrawn') return { ...said, amendment: fact.amendment };
  if (fact.type === 'originals') return { ...said, study: fact.study, instances: fact.instances };
  const { system, attributes } = fact;
  const amending = { ...said, system, attributes };
  switch (fact.type) {
    case 'merged':
      return { ...amending, from: patientJson(fact.from), into: patientJson(fact.into) };
    case 'moved':
      return { ...amending, study: fact.study, to: patientJson(fact.to) };
    case 'corrected':
      return { ...amending, study: fact.study, patient: fact.patient && patientJson(fact.patient) };
    case 'decoded':
      return {
        ...amending,
        study: fact.study,
        terms: fact.terms,
        declared: fact.declared,
        series: fact.series,
        patient: fact.patient && patientJson(fact.patient),
      };
  }
}

const patientJson = ({ patientId, issuer }: PatientName): string[] => [patientId, issuer];

/** RECORD_CORRUPT when it is not in its form. */
export function amendmentOfJson(type: AmendmentFact['type'], json: Json): AmendmentFact {
  const said = {
    id: hex128(json, 'id'),
    createdMs: Number(text(json, 'created')),
    by: text(json, 'by'),
    why: text(json, 'why'),
  };
  if (!Number.isSafeInteger(said.createdMs)) throw fault('created');
  if (type === 'withdrawn') return { ...said, type, amendment: hex128(json, 'amendment') };
  if (type === 'originals')
    return { ...said, type, study: text(json, 'study'), instances: Number(json['instances']) || 0 };
  const system = json['system'] === undefined ? undefined : text(json, 'system');
  const amending = { ...said, system, attributes: attributesOf(json['attributes']) };
  switch (type) {
    case 'merged':
      return { ...amending, type, from: patientOf(json, 'from'), into: patientOf(json, 'into') };
    case 'moved':
      return { ...amending, type, study: text(json, 'study'), to: patientOf(json, 'to') };
    case 'corrected':
      return json['study'] === undefined
        ? { ...amending, type, patient: patientOf(json, 'patient') }
        : { ...amending, type, study: text(json, 'study') };
    case 'decoded': {
      const terms = texts(json, 'terms');
      if (terms === undefined) throw fault('terms');
      return {
        ...amending,
        type,
        study: text(json, 'study'),
        terms,
        declared: texts(json, 'declared'),
        series: texts(json, 'series'),
        patient: json['patient'] === undefined ? undefined : patientOf(json, 'patient'),
      };
    }
  }
}

function fault(field: string): ArchiveError {
  return new ArchiveError('RECORD_CORRUPT', `an amendment's field ${field} is not in its form`);
}

function text(json: Json, field: string): string {
  const value = json[field];
  if (typeof value !== 'string') throw fault(field);
  return value;
}

function hex128(json: Json, field: string): string {
  const value = text(json, field);
  if (!isHex128(value)) throw fault(field);
  return value;
}

function texts(json: Json, field: string): string[] | undefined {
  const value = json[field];
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) throw fault(field);
  return value as string[];
}

function patientOf(json: Json, field: string): PatientName {
  const [patientId, issuer] = texts(json, field) ?? [];
  if (patientId === undefined || issuer === undefined) throw fault(field);
  return { patientId, issuer };
}

function attributesOf(value: unknown): Attributes {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault('attributes');
  for (const each of Object.values(value)) if (typeof each !== 'string') throw fault('attributes');
  return value as Attributes;
}
