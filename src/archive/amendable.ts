// What of a data set may be corrected, and in what form a value of it comes.
//
// Invariants: names (Patient ID, issuer, UIDs) are not corrected but merged and moved; a value that passes is one that its VR allows, so that what leaves is DICOM.
// Left out on purpose: whether it is true.

import { ArchiveError } from '../base/index.ts';
import { dictionaryEntry, parseDate, parseTime, tagOfKeyword, type Vr } from '../dicom/index.ts';
import type { Attributes, PatientName } from '../format/index.ts';
import { patientKeywords, studyKeywords } from './describe-instance.ts';

const names: ReadonlySet<string> = new Set(['PatientID', 'IssuerOfPatientID']);
/** Attributes of a patient, and of a study, that may be corrected. */
export const amendableOfPatient: readonly string[] = [
  ...patientKeywords.filter((keyword) => !names.has(keyword)),
  'PatientComments',
];
export const amendableOfStudy: readonly string[] = [...amendableOfPatient, ...studyKeywords];

const charsMax: Partial<Record<Vr, number>> = { SH: 16, LO: 64, CS: 16, PN: 64, LT: 10_240, ST: 1024 };
const severalAllowed: ReadonlySet<string> = new Set([
  'OtherPatientIDs',
  'OtherPatientNames',
  'NameOfPhysiciansReadingStudy',
  'AdmittingDiagnosesDescription',
]);

/** ARGUMENT_INVALID; names the attribute and never the value. */
export function checkAttributes(attributes: Attributes, level: 'patient' | 'study'): void {
  const allowed = level === 'patient' ? amendableOfPatient : amendableOfStudy;
  const entries = Object.entries(attributes);
  if (entries.length === 0) throw new ArchiveError('ARGUMENT_INVALID', 'nothing is named that is to be corrected');
  for (const [keyword, value] of entries) {
    if (!allowed.includes(keyword))
      throw new ArchiveError('ARGUMENT_INVALID', `${keyword.slice(0, 64)} is not corrected this way`, {
        hint: `these are: ${allowed.join(', ')}`,
      });
    checkValue(keyword, value);
  }
}

function checkValue(keyword: string, value: string): void {
  const vr = dictionaryEntry(tagOfKeyword(keyword) ?? 0)?.vr ?? 'LO';
  const isText = vr === 'LT' || vr === 'ST';
  const values = isText ? [value] : value.split('\\');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  const forbidden = isText ? /[\x00-\x08\x0b\x0e-\x1f\x7f]/ : /[\x00-\x1f\x7f]/;
  const wrong =
    forbidden.test(value) ||
    !value.isWellFormed() ||
    (values.length > 1 && !severalAllowed.has(keyword)) ||
    !values.every((each) => each === '' || fits(vr, each));
  if (wrong) throw new ArchiveError('ARGUMENT_INVALID', `the value of ${keyword} is not one of its kind (${vr})`);
}

function fits(vr: Vr, value: string): boolean {
  switch (vr) {
    case 'DA':
      return /^\d{8}$/.test(value) && parseDate(value) !== undefined;
    case 'TM':
      return parseTime(value) !== undefined;
    case 'CS':
      return /^[A-Z0-9_ ]{1,16}$/.test(value);
    case 'AS':
      return /^\d{3}[DWMY]$/.test(value);
    case 'DS':
      return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value) && value.length <= 16;
    case 'PN':
      return value.split('=').length <= 3 && value.split('=').every((group) => lengthOf(group) <= 64);
    default:
      return lengthOf(value) <= (charsMax[vr] ?? 64);
  }
}

/** In characters, whatever they take. */
function lengthOf(text: string): number {
  return Array.from(text).length;
}

const partCharsMax = 64;

/** ARGUMENT_INVALID. */
export function checkPatient({ patientId, issuer }: PatientName): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  const fine = (text: string): boolean =>
    text.length <= partCharsMax && !/[\x00-\x1f\x7f\\]/.test(text) && text.isWellFormed();
  if (patientId.trim() === '' || !fine(patientId) || !fine(issuer))
    throw new ArchiveError(
      'ARGUMENT_INVALID',
      `a patient id and its issuer have up to ${partCharsMax} characters each`,
    );
}
