// Answers of a search as DICOM JSON (PS3.18 annex F).
//
// Invariants: attributes stand in the order of their tags; one that nothing is known of is there without a value; text is UTF-8 and the answer says so.

import type { Answer } from '../../archive/index.ts';
import { DataSet, dictionaryEntry, jsonOfDataSet, type Tag, tagOfKeyword, tags } from '../../dicom/index.ts';
import { urlOf } from './exchange.ts';
import type { Level } from './routes.ts';

const tagText = (tag: Tag): string => tag.toString(16).toUpperCase().padStart(8, '0');

/** Of PS3.18 10.6.3.3; those that are made here and not known of anything come in `AnswerWriter`. */
const ofStudy: readonly Tag[] = [
  tags.StudyDate,
  tags.StudyTime,
  tags.AccessionNumber,
  tags.ModalitiesInStudy,
  tags.ReferringPhysicianName,
  tags.TimezoneOffsetFromUTC,
  tags.StudyDescription,
  tags.PatientName,
  tags.PatientID,
  tags.PatientBirthDate,
  tags.PatientSex,
  tags.StudyInstanceUID,
  tags.StudyID,
  tags.NumberOfStudyRelatedSeries,
  tags.NumberOfStudyRelatedInstances,
];
const ofSeries: readonly Tag[] = [
  tags.StudyInstanceUID,
  tags.Modality,
  tags.SeriesDescription,
  tags.SeriesInstanceUID,
  tags.SeriesNumber,
  tags.NumberOfSeriesRelatedInstances,
  tags.PerformedProcedureStepStartDate,
  tags.PerformedProcedureStepStartTime,
  tags.ScheduledProcedureStepID,
  tags.RequestedProcedureID,
];
const ofInstance: readonly Tag[] = [
  tags.StudyInstanceUID,
  tags.SeriesInstanceUID,
  tags.SOPClassUID,
  tags.SOPInstanceUID,
  tags.InstanceNumber,
  tags.Rows,
  tags.Columns,
  tags.BitsAllocated,
  tags.NumberOfFrames,
];
export const answeredOf: Readonly<Record<Level, readonly Tag[]>> = {
  study: ofStudy,
  series: ofSeries,
  instance: ofInstance,
};

const withPatient = [
  'IssuerOfPatientID OtherPatientIDs OtherPatientNames PatientBirthTime',
  'NameOfPhysiciansReadingStudy AdmittingDiagnosesDescription PatientAge PatientSize PatientWeight Occupation',
  'AdditionalPatientHistory SOPClassesInStudy',
].join(' ');
const withSeries = [
  'BodyPartExamined SeriesDate SeriesTime Laterality ProtocolName Manufacturer ManufacturerModelName DeviceSerialNumber',
  'StationName InstitutionName InstitutionalDepartmentName PerformingPhysicianName OperatorsName PatientPosition',
  'FrameOfReferenceUID PerformedProcedureStepID PerformedProcedureStepDescription',
].join(' ');
const withInstance = [
  'ImageType InstanceCreationDate InstanceCreationTime AcquisitionDate AcquisitionTime ContentDate ContentTime',
  'AcquisitionNumber ImagePositionPatient ImageOrientationPatient SliceThickness PixelSpacing SamplesPerPixel',
  'PhotometricInterpretation BitsStored HighBit PixelRepresentation WindowCenter WindowWidth',
].join(' ');
/** What `includefield=all` brings besides. */
export const moreOf: Readonly<Record<Level, readonly Tag[]>> = {
  study: tagsOf(withPatient),
  series: tagsOf(withSeries),
  instance: tagsOf(withInstance),
};

function tagsOf(keywords: string): readonly Tag[] {
  const byKeyword: Readonly<Record<string, Tag | undefined>> = tags;
  return keywords.split(' ').flatMap((keyword) => byKeyword[keyword] ?? dictionaryTag(keyword));
}

function dictionaryTag(keyword: string): Tag {
  const tag = tagOfKeyword(keyword);
  if (tag === undefined) throw new Error(`the dictionary knows ${keyword}`);
  return tag;
}

type Values = ReadonlyMap<Tag, readonly string[]>;
type WriteAttribute = (values: Values, answer: Answer) => string;

const nothing: readonly string[] = [];
const requested = new Set<Tag>([tags.ScheduledProcedureStepID, tags.RequestedProcedureID]);

export class AnswerWriter {
  readonly #attributes: readonly WriteAttribute[];

  /** `inHeaders`: attributes that are written as they stand in a header, where an answer has one. */
  constructor(options: {
    readonly level: Level;
    readonly answered: readonly Tag[];
    readonly base: string;
    readonly inHeaders: ReadonlySet<Tag>;
  }) {
    const { level, base, inHeaders } = options;
    const answered = new Set(options.answered);
    const made = new Map<Tag, WriteAttribute>();
    for (const tag of answered) {
      if (requested.has(tag)) continue;
      made.set(tag, inHeaders.has(tag) ? headerWriter(tag) : attributeWriter(tag));
    }
    if (answered.has(tags.ScheduledProcedureStepID) || answered.has(tags.RequestedProcedureID))
      made.set(tags.RequestAttributesSequence, writeRequest);
    const charset = `"${tagText(tags.SpecificCharacterSet)}":{"vr":"CS","Value":["ISO_IR 192"]}`;
    made.set(tags.SpecificCharacterSet, () => charset);
    const online = `"${tagText(tags.InstanceAvailability)}":{"vr":"CS","Value":["ONLINE"]}`;
    made.set(tags.InstanceAvailability, () => online);
    const url = `"${tagText(tags.RetrieveURL)}":{"vr":"UR","Value":[`;
    made.set(tags.RetrieveURL, (_values, { studyUid, seriesUid, instance }) => {
      const place = {
        study: studyUid,
        series: level === 'study' ? undefined : seriesUid,
        instance: level === 'instance' ? instance?.instanceUid : undefined,
      };
      return `${url}${JSON.stringify(urlOf(base, place))}]}`;
    });
    this.#attributes = [...made].toSorted(([one], [other]) => one - other).map(([, write]) => write);
  }

  /** One object. `upper` knows what the answer does not. */
  write(answer: Answer, upper?: Values): string {
    const values: Values = upper === undefined ? answer.values : new Map([...upper, ...answer.values]);
    let text = '{';
    for (const write of this.#attributes) {
      if (text.length > 1) text += ',';
      text += write(values, answer);
    }
    return `${text}}`;
  }
}

/** As the header has it: with its own VR, items and bytes included. */
function headerWriter(tag: Tag): WriteAttribute {
  const fromValues = attributeWriter(tag);
  return (values, answer) => {
    const element = answer.header?.element(tag);
    if (element === undefined) return fromValues(values, answer);
    const characterSet = answer.header?.characterSet();
    const leaveOut = (other: Tag): boolean => other === tags.SpecificCharacterSet;
    const json = Buffer.from(jsonOfDataSet(new DataSet([element]), { characterSet, leaveOut }));
    // Without the braces around the one attribute.
    return json.toString('utf8', 1, json.byteLength - 1);
  };
}

function attributeWriter(tag: Tag): WriteAttribute {
  const vr = dictionaryEntry(tag)?.vr ?? 'UN';
  const begin = `"${tagText(tag)}":{"vr":"${vr}"`;
  const empty = `${begin}}`;
  const value = valueWriter(vr);
  // Rows know values of characters and of numbers, and nothing else.
  if (value === undefined) return () => empty;
  return (values) => {
    const known = values.get(tag) ?? nothing;
    if (known.length === 0) return empty;
    let text = `${begin},"Value":[`;
    for (let index = 0; index < known.length; index += 1) {
      if (index > 0) text += ',';
      const each = known[index] as string;
      text += each === '' ? 'null' : value(each);
    }
    return `${text}]}`;
  };
}

const numeric = new Set(['IS', 'DS', 'US', 'SS', 'UL', 'SL', 'FL', 'FD', 'SV', 'UV']);
const binary = new Set(['SQ', 'UN', 'OB', 'OW', 'OF', 'OD', 'OL', 'OV']);

function valueWriter(vr: string): ((value: string) => string) | undefined {
  if (binary.has(vr)) return undefined;
  if (vr === 'PN') return nameJson;
  if (numeric.has(vr)) return numberJson;
  return (value) => JSON.stringify(value);
}

const decimal = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/;

function numberJson(value: string): string {
  if (decimal.test(value)) return value;
  const number = value.trim() === '' ? Number.NaN : Number(value);
  return Number.isFinite(number) ? String(number) : JSON.stringify(value);
}

const groups = ['Alphabetic', 'Ideographic', 'Phonetic'];

function nameJson(value: string): string {
  if (!value.includes('=')) return `{"Alphabetic":${JSON.stringify(value)}}`;
  const written = value.split('=').slice(0, groups.length);
  const members = written.flatMap((group, index) =>
    group === '' ? [] : [`"${groups[index]}":${JSON.stringify(group)}`],
  );
  return `{${members.join(',')}}`;
}

function writeRequest(values: Values): string {
  const inside = [...requested]
    .toSorted((one, other) => one - other)
    .flatMap((tag) => ((values.get(tag) ?? nothing).length === 0 ? [] : [attributeWriter(tag)(values, noAnswer)]));
  const begin = `"${tagText(tags.RequestAttributesSequence)}":{"vr":"SQ"`;
  return inside.length === 0 ? `${begin}}` : `${begin},"Value":[{${inside.join(',')}}]}`;
}

const noAnswer: Answer = { values: new Map(), studyUid: undefined, seriesUid: undefined, instance: undefined };
