// What a header says of its patient, study, series and instance: the attributes that the catalog is searched by.
//
// Invariants: texts are decoded by the data set's own character set, or by the one a correction names; a value longer than a sane one is cut, since it is
// for finding and not for keeping (the data set is kept verbatim); an attribute that is absent is absent, one that is empty is empty.
// Left out on purpose: what is wrong with a header. The reader notes that.

import { type CharacterSet, type DataSet, type Tag, tagOfKeyword, tags } from '../dicom/index.ts';
import type { Attributes, InstanceShape } from '../format/index.ts';

export const patientKeywords = [
  'PatientID',
  'IssuerOfPatientID',
  'PatientName',
  'PatientBirthDate',
  'PatientSex',
  'OtherPatientIDs',
  'OtherPatientNames',
  'PatientBirthTime',
];

export const studyKeywords = [
  'StudyDate',
  'StudyTime',
  'AccessionNumber',
  'StudyID',
  'StudyDescription',
  'ReferringPhysicianName',
  'NameOfPhysiciansReadingStudy',
  'AdmittingDiagnosesDescription',
  'PatientAge',
  'PatientSize',
  'PatientWeight',
  'Occupation',
  'AdditionalPatientHistory',
  'TimezoneOffsetFromUTC',
];

const seriesKeywords = [
  'Modality',
  'SeriesNumber',
  'SeriesDescription',
  'BodyPartExamined',
  'SeriesDate',
  'SeriesTime',
  'Laterality',
  'ProtocolName',
  'Manufacturer',
  'ManufacturerModelName',
  'DeviceSerialNumber',
  'StationName',
  'InstitutionName',
  'InstitutionalDepartmentName',
  'PerformingPhysicianName',
  'OperatorsName',
  'PatientPosition',
  'FrameOfReferenceUID',
  'PerformedProcedureStepID',
  'PerformedProcedureStepStartDate',
  'PerformedProcedureStepStartTime',
  'PerformedProcedureStepDescription',
];

/** Of the first item of Request Attributes Sequence; they stand among the series' own, since they are asked for as such. */
const requestKeywords = ['ScheduledProcedureStepID', 'RequestedProcedureID'];

/** Attributes with texts that tell in which character set a device writes. */
export const textKeywords: readonly string[] = [
  ...patientKeywords,
  ...studyKeywords,
  ...seriesKeywords,
  'InstitutionAddress',
  'PatientAddress',
  'PatientComments',
  'RequestedProcedureDescription',
  'DerivationDescription',
  'ImageComments',
];

const valueCharsMax = 1024;

type Keyword = { readonly keyword: string; readonly tag: Tag };

function named(keywords: readonly string[]): readonly Keyword[] {
  return keywords.map((keyword) => ({ keyword, tag: tagOfKeyword(keyword) ?? Number.NaN }));
}

const patientAttributes = named(patientKeywords);
const studyAttributes = named(studyKeywords);
const seriesAttributes = named(seriesKeywords);
const requestAttributes = named(requestKeywords);

export type Description = {
  readonly patientAttributes: Attributes;
  readonly studyAttributes: Attributes;
  readonly seriesAttributes: Attributes;
};

/** `issuer` stands for that of a patient id that names none. */
export function describeInstance(
  header: DataSet,
  options: { readonly characterSet?: CharacterSet | undefined; readonly issuer?: string | undefined } = {},
): Description {
  const set = options.characterSet ?? header.characterSet();
  const patient = read(header, patientAttributes, set);
  if (
    options.issuer !== undefined &&
    (patient['IssuerOfPatientID'] ?? '') === '' &&
    (patient['PatientID'] ?? '') !== ''
  )
    patient['IssuerOfPatientID'] = options.issuer;
  const series = read(header, seriesAttributes, set);
  const request = header.items(tags.RequestAttributesSequence)[0];
  if (request !== undefined) Object.assign(series, read(request, requestAttributes, request.characterSet(set)));
  return { patientAttributes: patient, studyAttributes: read(header, studyAttributes, set), seriesAttributes: series };
}

function read(header: DataSet, wanted: readonly Keyword[], set: CharacterSet): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const { keyword, tag } of wanted) {
    if (header.has(tag)) attributes[keyword] = header.texts(tag, set).join('\\').slice(0, valueCharsMax);
  }
  return attributes;
}

/** The pixels as the header claims them; undefined where it does not say enough. */
export function shapeOf(header: DataSet): InstanceShape | undefined {
  const rows = header.number(tags.Rows);
  const columns = header.number(tags.Columns);
  const bitsAllocated = header.number(tags.BitsAllocated);
  if (rows === undefined || columns === undefined || bitsAllocated === undefined) return undefined;
  const samplesPerPixel = header.number(tags.SamplesPerPixel) ?? 1;
  if (![rows, columns, bitsAllocated, samplesPerPixel].every((value) => Number.isSafeInteger(value) && value > 0))
    return undefined;
  return {
    rows,
    columns,
    samplesPerPixel,
    bitsAllocated,
    planar: samplesPerPixel > 1 && header.number(tags.PlanarConfiguration) === 1,
  };
}
