// The two lists that may be given with a pull: corrected demographics out of the old system's database, and what the RIS says there should be.
//
// Invariants: every row is checked before the pull begins, and what is wrong is told by its line's number alone; rows are kept whole in the archive, where
// they are encrypted; of a row the report tells its line, its study's UID and the names of its columns.
// Left out on purpose: applying corrections (apply-corrections.ts).

import { ArchiveError, type CsvRow, columnName, readCsv } from '../../base/index.ts';
import { isUid } from '../../dicom/index.ts';
import { isDay } from './days.ts';

export type Correction = {
  readonly line: number;
  readonly study: string | undefined;
  readonly accession: string | undefined;
  readonly patientId: string | undefined;
  /** Of the patient id. */
  readonly issuer: string | undefined;
  /** What it would change. */
  readonly fields: readonly string[];
  /** Whose it is in truth; undefined: as it is. */
  readonly correctedId: string | undefined;
  readonly correctedIssuer: string | undefined;
  /** Other corrected attributes, by keyword. */
  readonly values: Readonly<Record<string, string>>;
};

export type RisRow = {
  readonly line: number;
  readonly study: string | undefined;
  readonly accession: string | undefined;
  /** Instances that the RIS counts, where it does. */
  readonly instances: number | undefined;
};

const columns = {
  study: ['studyinstanceuid', 'studyuid', 'study'],
  accession: ['accessionnumber', 'accession', 'accessionno'],
  patientId: ['patientid', 'pid'],
  issuer: ['issuerofpatientid', 'issuer', 'patientidissuer'],
  instances: ['instances', 'numberofstudyrelatedinstances', 'images', 'count'],
} as const;

const corrected = {
  PatientID: ['correctedpatientid', 'newpatientid'],
  IssuerOfPatientID: ['correctedissuer', 'correctedissuerofpatientid', 'newissuer'],
  PatientName: ['correctedpatientname', 'newpatientname', 'patientname', 'name'],
  PatientBirthDate: [
    'correctedbirthdate',
    'correctedpatientbirthdate',
    'newbirthdate',
    'patientbirthdate',
    'birthdate',
  ],
  PatientSex: ['correctedsex', 'correctedpatientsex', 'newsex', 'patientsex', 'sex'],
  AccessionNumber: ['correctedaccessionnumber', 'correctedaccession', 'newaccessionnumber'],
  StudyDescription: ['correctedstudydescription', 'newstudydescription'],
  ReferringPhysicianName: ['correctedreferringphysicianname', 'newreferringphysicianname'],
} as const;
/** They are of a study alone. */
const ofStudy: ReadonlySet<string> = new Set(['AccessionNumber', 'StudyDescription', 'ReferringPhysicianName']);

/** ARGUMENT_INVALID. */
export function readCorrections(text: string): Correction[] {
  const rows = readCsv(text);
  needColumn(
    rows,
    [...columns.study, ...columns.accession, ...columns.patientId],
    'StudyInstanceUID, AccessionNumber or PatientID',
  );
  needColumn(
    rows,
    Object.values(corrected).flat(),
    'CorrectedPatientID, CorrectedPatientName, CorrectedBirthDate, CorrectedSex or another corrected one',
  );
  return rows.map((row) => {
    const values = Object.entries(corrected).flatMap(([name, names]) => {
      const value = valueOf(row, names);
      return value === undefined ? [] : [{ name, value: name === 'PatientBirthDate' ? plainDay(value) : value }];
    });
    for (const { name, value } of values) checkValue(row, name, value);
    const names = namesOf(row);
    const patientId = valueOf(row, columns.patientId);
    if (names.study === undefined && names.accession === undefined && patientId === undefined)
      throw wrong(row, 'names no study, accession number or patient');
    if (names.study === undefined && names.accession === undefined && values.some(({ name }) => ofStudy.has(name)))
      throw wrong(row, 'corrects a study and names none');
    const { PatientID, IssuerOfPatientID, ...others } = Object.fromEntries(
      values.map(({ name, value }): [string, string | undefined] => [name, value]),
    );
    return {
      ...names,
      patientId,
      issuer: valueOf(row, columns.issuer),
      fields: values.map(({ name }) => name),
      correctedId: PatientID,
      correctedIssuer: IssuerOfPatientID,
      values: Object.fromEntries(
        Object.entries(others).filter((each): each is [string, string] => each[1] !== undefined),
      ),
    };
  });
}

/** ARGUMENT_INVALID. */
export function readRisList(text: string): RisRow[] {
  const rows = readCsv(text);
  needColumn(rows, [...columns.study, ...columns.accession], 'StudyInstanceUID or AccessionNumber');
  return rows.map((row) => {
    const names = namesOf(row);
    if (names.study === undefined && names.accession === undefined)
      throw wrong(row, 'names no study and no accession number');
    const count = valueOf(row, columns.instances);
    if (count !== undefined && !/^\d{1,9}$/.test(count)) throw wrong(row, 'has a count that is no number');
    return { ...names, instances: count === undefined ? undefined : Number(count) };
  });
}

function namesOf(row: CsvRow): { line: number; study: string | undefined; accession: string | undefined } {
  const study = valueOf(row, columns.study);
  if (study !== undefined && !isUid(study)) throw wrong(row, 'has a study UID that is none');
  return { line: row.number, study, accession: valueOf(row, columns.accession) };
}

function plainDay(text: string): string {
  return text.replaceAll(/[-./]/g, '');
}

function checkValue(row: CsvRow, name: string, value: string): void {
  if (name === 'PatientBirthDate' && !isDay(value)) throw wrong(row, 'has a birth date that is none (YYYYMMDD)');
  if (name === 'PatientSex' && !/^[MFO]$/.test(value)) throw wrong(row, 'has a sex other than M, F and O');
  if ((name === 'PatientID' || name === 'IssuerOfPatientID') && (value.length > 64 || value.includes('\\')))
    throw wrong(row, 'has a patient id that DICOM cannot say');
  if (name === 'PatientName' && (value.length > 324 || value.includes('\\')))
    throw wrong(row, 'has a name that DICOM cannot say');
}

function needColumn(rows: readonly CsvRow[], names: readonly string[], says: string): void {
  const there = rows[0]?.values;
  if (there === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'the list has no rows');
  if (!names.some((name) => there.has(columnName(name))))
    throw new ArchiveError('ARGUMENT_INVALID', `the list needs a column ${says}`);
}

function valueOf({ values }: CsvRow, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = values.get(name);
    if (value !== undefined && value !== '') return value;
  }
  return undefined;
}

function wrong(row: CsvRow, says: string): ArchiveError {
  return new ArchiveError('ARGUMENT_INVALID', `line ${row.number} of the list ${says}`);
}
