// What was found, as attributes by tag: the answer to one question about patients, studies, series or instances.
//
// Invariants: values are decoded texts, one an item; an attribute that was asked for and that nothing knows is there and empty; what is above the level
// that was asked about is answered too, where it is known. A header is read only when something was asked for that no row knows.

import type { TenantId } from '../base/index.ts';
import type { Catalog, FoundInstance, FoundPatient, FoundSeries, FoundStudy, JsonObject } from '../catalog/index.ts';
import { type CharacterSet, type DataSet, keywordOf, type Tag, tags } from '../dicom/index.ts';
import type { Completeness } from './procedure-steps.ts';

/** What its modalities say of a study. */
export type StepsOfStudy = (tenant: TenantId, study: string) => Promise<Completeness | undefined>;

export type Answer = {
  readonly values: ReadonlyMap<Tag, readonly string[]>;
  readonly studyUid: string | undefined;
  readonly seriesUid: string | undefined;
  readonly instance: FoundInstance | undefined;
  /** Of an instance, where something was asked for that no row knows: sequences and bytes are in it and not in the values. */
  readonly header?: DataSet | undefined;
};

type Values = Map<Tag, readonly string[]>;

const one = (value: string | number | undefined): readonly string[] =>
  value === undefined || value === '' ? [] : String(value).split('\\');

function putPatient(values: Values, patient: FoundPatient): void {
  values.set(tags.PatientID, one(patient.patientId));
  values.set(tags.IssuerOfPatientID, one(patient.issuer));
  values.set(tags.PatientName, one(patient.name));
  values.set(tags.PatientBirthDate, one(patient.birthDate));
  values.set(tags.PatientSex, one(patient.sex));
}

function putStudy(values: Values, study: FoundStudy): void {
  putPatient(values, study.patient);
  values.set(tags.StudyInstanceUID, [study.studyUid]);
  values.set(tags.StudyDate, one(study.studyDate));
  values.set(tags.StudyTime, one(study.studyTime));
  values.set(tags.AccessionNumber, one(study.accession));
  values.set(tags.StudyID, one(study.studyId));
  values.set(tags.StudyDescription, one(study.description));
  values.set(tags.ReferringPhysicianName, one(study.referrer));
  values.set(tags.ModalitiesInStudy, study.modalities);
  values.set(tags.NumberOfStudyRelatedSeries, one(study.seriesCount));
  values.set(tags.NumberOfStudyRelatedInstances, one(study.instanceCount));
}

function putSeries(values: Values, series: FoundSeries): void {
  putStudy(values, series.study);
  values.set(tags.SeriesInstanceUID, [series.seriesUid]);
  values.set(tags.Modality, one(series.modality));
  values.set(tags.SeriesNumber, one(series.seriesNumber));
  values.set(tags.SeriesDescription, one(series.description));
  values.set(tags.BodyPartExamined, one(series.bodyPart));
  values.set(tags.SeriesDate, one(series.seriesDate));
  values.set(tags.SeriesTime, one(series.seriesTime));
  values.set(tags.NumberOfSeriesRelatedInstances, one(series.instanceCount));
}

function putInstance(values: Values, instance: FoundInstance): void {
  values.set(tags.StudyInstanceUID, [instance.studyUid]);
  values.set(tags.SeriesInstanceUID, [instance.seriesUid]);
  values.set(tags.SOPInstanceUID, [instance.instanceUid]);
  values.set(tags.SOPClassUID, [instance.classUid]);
  values.set(tags.InstanceNumber, one(instance.instanceNumber));
  values.set(tags.NumberOfFrames, one(instance.frames));
  values.set(tags.Rows, one(instance.rows));
  values.set(tags.Columns, one(instance.columns));
  values.set(tags.BitsAllocated, one(instance.bitsAllocated));
}

/** Attributes that a row keeps by keyword: for whoever asks by tag. */
function putMore(values: Values, more: JsonObject, wanted: readonly Tag[]): void {
  for (const tag of wanted) {
    const value = more[keywordOf(tag)];
    if (typeof value === 'string' && !values.has(tag)) values.set(tag, one(value));
  }
}

/** Values of an attribute, decoded; numbers in decimals. */
export function textsOf(dataSet: DataSet, tag: Tag, set: CharacterSet): readonly string[] {
  const texts = dataSet.texts(tag, set);
  return texts.length > 0 ? texts : dataSet.numbers(tag).map(String);
}

const patientCounts: readonly Tag[] = [
  tags.NumberOfPatientRelatedStudies,
  tags.NumberOfPatientRelatedSeries,
  tags.NumberOfPatientRelatedInstances,
];

const stepTags: readonly Tag[] = [tags.StudyStatusID, tags.PerformedProcedureStepStatus];

export class AnswerMaker {
  readonly #catalog: Catalog;
  readonly #tenant: TenantId;
  readonly #wanted: readonly Tag[];
  readonly #readHeader: (instance: FoundInstance) => Promise<DataSet>;
  readonly #steps: StepsOfStudy;

  constructor(parts: {
    catalog: Catalog;
    tenant: TenantId;
    /** Asked for, or to be compared with. */
    wanted: readonly Tag[];
    readHeader: (instance: FoundInstance) => Promise<DataSet>;
    steps: StepsOfStudy;
  }) {
    this.#catalog = parts.catalog;
    this.#tenant = parts.tenant;
    this.#wanted = parts.wanted;
    this.#readHeader = parts.readHeader;
    this.#steps = parts.steps;
  }

  async patient(patient: FoundPatient): Promise<Answer> {
    const values: Values = new Map();
    putPatient(values, patient);
    await this.#putPatientCounts(values, patient);
    return this.#answer(values, {});
  }

  async study(study: FoundStudy): Promise<Answer> {
    const values: Values = new Map();
    putStudy(values, study);
    putMore(values, study.more, this.#wanted);
    await this.#putPatientCounts(values, study.patient);
    await this.#putClasses(values, study.studyUid);
    await this.#putSteps(values, study.studyUid);
    return this.#answer(values, { studyUid: study.studyUid });
  }

  async series(series: FoundSeries): Promise<Answer> {
    const values: Values = new Map();
    putSeries(values, series);
    putMore(values, series.more, this.#wanted);
    putMore(values, series.study.more, this.#wanted);
    await this.#putPatientCounts(values, series.study.patient);
    await this.#putClasses(values, series.study.studyUid);
    await this.#putSteps(values, series.study.studyUid);
    return this.#answer(values, { studyUid: series.study.studyUid, seriesUid: series.seriesUid });
  }

  async instance(instance: FoundInstance): Promise<Answer> {
    const values: Values = new Map();
    putInstance(values, instance);
    const unknown = this.#wanted.filter((tag) => !values.has(tag));
    const header = unknown.length > 0 ? await this.#readHeader(instance) : undefined;
    const set = header?.characterSet();
    for (const tag of unknown)
      values.set(tag, header === undefined || set === undefined ? [] : textsOf(header, tag, set));
    return this.#answer(values, { studyUid: instance.studyUid, seriesUid: instance.seriesUid, instance, header });
  }

  #answer(
    values: Values,
    names: {
      studyUid?: string;
      seriesUid?: string;
      instance?: FoundInstance | undefined;
      header?: DataSet | undefined;
    },
  ): Answer {
    for (const tag of this.#wanted) if (!values.has(tag)) values.set(tag, []);
    const { studyUid, seriesUid, instance, header } = names;
    return { values, studyUid, seriesUid, instance, header };
  }

  async #putPatientCounts(values: Values, patient: FoundPatient): Promise<void> {
    if (!patientCounts.some((tag) => this.#wanted.includes(tag))) return;
    const totals = await this.#catalog.search.patientTotals({ tenant: this.#tenant, ...patient });
    values.set(tags.NumberOfPatientRelatedStudies, one(totals.studies));
    values.set(tags.NumberOfPatientRelatedSeries, one(totals.series));
    values.set(tags.NumberOfPatientRelatedInstances, one(totals.instances));
  }

  async #putClasses(values: Values, studyUid: string): Promise<void> {
    if (!this.#wanted.includes(tags.SOPClassesInStudy)) return;
    values.set(tags.SOPClassesInStudy, await this.#catalog.instances.classesOfStudy(this.#tenant, studyUid));
  }

  /** Whether it is complete, in DICOM's words; empty where no modality said anything. */
  async #putSteps(values: Values, studyUid: string): Promise<void> {
    if (!stepTags.some((tag) => this.#wanted.includes(tag))) return;
    const said = await this.#steps(this.#tenant, studyUid);
    values.set(tags.StudyStatusID, said === undefined ? [] : [said.state === 'complete' ? 'COMPLETED' : 'STARTED']);
    values.set(tags.PerformedProcedureStepStatus, said === undefined ? [] : [said.performed]);
  }
}
