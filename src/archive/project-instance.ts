// What the entry of a DICOM instance means for the catalog: the instance, and where it says so its patient, study and series.
//
// Invariants: pure, like all of `project()`; what names are found by is made here, so that a new way of finding them needs no change of any pack.

import { hybridOfMs, type KeyGroup, type TenantId } from '../base/index.ts';
import type { CatalogChange, JsonObject, Version } from '../catalog/index.ts';
import { nameSearchKeys, searchText } from '../dicom/index.ts';
import type { AboutInstance, Attributes, InstanceFacts, ObjectEntry, ReadAs } from '../format/index.ts';

const patientColumns = new Set(['PatientID', 'IssuerOfPatientID', 'PatientName', 'PatientBirthDate', 'PatientSex']);
const studyColumns = new Set([
  'StudyDate',
  'StudyTime',
  'AccessionNumber',
  'StudyID',
  'StudyDescription',
  'ReferringPhysicianName',
]);
const seriesColumns = new Set([
  'Modality',
  'SeriesNumber',
  'SeriesDescription',
  'BodyPartExamined',
  'SeriesDate',
  'SeriesTime',
]);

export function instanceChanges(
  entry: ObjectEntry,
  dicom: InstanceFacts,
  group: KeyGroup,
  version: Version,
): CatalogChange[] {
  const { tenant } = group;
  // Said when the instance came: an entry that is written anew later, as settling does, says nothing new of its patient.
  const cameAt = hybridOfMs(entry.createdMs);
  const said: Version = { ...version, time: cameAt < version.time ? cameAt : version.time };
  const changes = aboutChanges({ ...dicom, tenant }, group, said);
  changes.push({
    kind: 'instance',
    version,
    id: entry.id,
    tenant,
    studyUid: dicom.study,
    seriesUid: dicom.series,
    instanceUid: dicom.instance,
    classUid: dicom.class,
    syntaxUid: dicom.syntax,
    instanceNumber: numberOf(dicom.number),
    frames: dicom.frames,
    rows: dicom.shape?.rows,
    columns: dicom.shape?.columns,
    bitsAllocated: dicom.shape?.bitsAllocated,
    sizeBytes: entry.sizeBytes,
    headBytes: dicom.headBytes,
    createdMs: entry.createdMs,
    rank: dicom.rank,
    state: entry.state === 'live' ? 'live' : 'deleted',
    source: dicom.source,
    odd: oddOf(dicom),
  });
  if (dicom.rejects !== undefined)
    changes.push({
      kind: 'rejection',
      version,
      tenant,
      noteUid: dicom.instance,
      code: dicom.rejects.code,
      instanceUids: dicom.rejects.instances,
    });
  return changes;
}

/** Text that may have been read wrongly is a quality case like what is odd. */
function oddOf({ odd, readAs }: InstanceFacts): readonly string[] | undefined {
  return readAs?.how === 'unsure' ? [...(odd ?? []), 'charset-undecided'] : odd;
}

type SaidOfSeries = {
  readonly tenant: TenantId;
  readonly study: string;
  readonly series: string;
  readonly source: string | undefined;
  readonly about: AboutInstance;
  readonly readAs?: ReadAs | undefined;
};

/** What is said of a patient, a study and a series. */
export function aboutChanges(said: SaidOfSeries, group: KeyGroup, version: Version): CatalogChange[] {
  const { tenant, about, readAs } = said;
  const { patient, study, series } = about;
  const changes: CatalogChange[] = [];
  if (study !== undefined && patient !== undefined) {
    const key = { patientId: patient['PatientID'] ?? '', issuer: patient['IssuerOfPatientID'] ?? '' };
    const names = [patient['PatientName'], patient['OtherPatientNames']].flatMap((each) => each?.split('\\') ?? []);
    changes.push({
      kind: 'patient',
      version,
      tenant,
      ...key,
      name: patient['PatientName'],
      nameKeys: nameSearchKeys(names),
      birthDate: patient['PatientBirthDate'],
      sex: patient['PatientSex'],
    });
    changes.push({
      kind: 'study',
      version,
      tenant,
      studyUid: said.study,
      group,
      patient: key,
      accession: filled(study['AccessionNumber']),
      studyId: study['StudyID'],
      studyDate: dateOf(study['StudyDate']),
      studyTime: study['StudyTime'],
      description: study['StudyDescription'],
      referrer: study['ReferringPhysicianName'],
      search: searchText(study['StudyDescription'] ?? ''),
      more: { ...othersOf(study, studyColumns), ...othersOf(patient, patientColumns) },
    });
  }
  if (series !== undefined)
    changes.push({
      kind: 'series',
      version,
      tenant,
      studyUid: said.study,
      seriesUid: said.series,
      modality: filled(series['Modality']),
      seriesNumber: numberOf(series['SeriesNumber']),
      description: series['SeriesDescription'],
      bodyPart: series['BodyPartExamined'],
      seriesDate: series['SeriesDate'],
      seriesTime: series['SeriesTime'],
      more: othersOf(series, seriesColumns),
    });
  if (readAs !== undefined) {
    const { maker, model, station, declared, read, how } = readAs;
    changes.push({
      kind: 'series-device',
      version,
      tenant,
      studyUid: said.study,
      seriesUid: said.series,
      source: said.source ?? '',
      maker,
      model,
      station,
      declared,
      read,
      how,
    });
  }
  return changes;
}

function filled(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/** Dates of older devices have dots; anything else that is no date is no date. */
function dateOf(text: string | undefined): string | undefined {
  const digits = (text ?? '').replaceAll('.', '').replaceAll('-', '');
  return /^\d{8}$/.test(digits) ? digits : undefined;
}

function numberOf(text: string | undefined): number | undefined {
  const number = Number(text?.trim() === '' ? Number.NaN : text);
  return Number.isSafeInteger(number) ? number : undefined;
}

function othersOf(attributes: Attributes, known: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(attributes).filter(([keyword]) => !known.has(keyword)));
}
